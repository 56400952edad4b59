//! Servers on loopback that take alerts, and die in the middle of it when a test wants them to.

#![allow(dead_code, reason = "each test program uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// What a server speaks.
#[derive(Clone)]
pub enum Speaks {
    /// Syslog in counted octets.
    Tcp,
    /// The same inside TLS.
    Tls(Arc<ServerConfig>),
    /// HTTP, with these statuses for the first requests and 200 for all others; the lines of a body that a status below 300 answers
    /// are kept.
    Http(Option<Arc<ServerConfig>>, Arc<Mutex<Vec<u16>>>),
}

/// A server; dropping it closes its port.
pub struct Server {
    pub port: u16,
    received: Arc<Mutex<Vec<String>>>,
    heads: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Taker {
    speaks: Speaks,
    received: Arc<Mutex<Vec<String>>>,
    heads: Arc<Mutex<Vec<String>>>,
    /// Messages after which it dies, with what else came unread.
    dies_after: Option<usize>,
}

/// Why a connection ended.
struct Died;

impl Server {
    /// Listens on a port (0: any).
    pub fn start(port: u16, speaks: Speaks, dies_after: Option<usize>) -> Self {
        let listener = bind(port);
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let (received, heads, stop) =
            (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<Vec<String>>>::default(), Arc::new(AtomicBool::new(false)));
        let taker = Taker { speaks, received: Arc::clone(&received), heads: Arc::clone(&heads), dies_after };
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        stream.set_nonblocking(false).unwrap();
                        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                        if taker.take(stream).is_err() {
                            return;
                        }
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        Self { port, received, heads, stop, thread: Some(thread) }
    }

    /// What it took so far.
    pub fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    /// Heads of the requests that it got.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Waits until it has died, and gives what it took.
    pub fn death(mut self) -> Vec<String> {
        self.thread.take().unwrap().join().unwrap();
        self.received()
    }

    /// Waits until this holds of what it took; panics when it does not come to be.
    #[track_caller]
    pub fn until(&self, holds: impl Fn(&[String]) -> bool) -> Vec<String> {
        for _ in 0..1000 {
            let received = self.received();
            if holds(&received) {
                return received;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("never came to be: {} messages", self.received().len());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A port that a connection has just left may take a moment.
fn bind(port: u16) -> TcpListener {
    for _ in 0..200 {
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(listener) => return listener,
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    panic!("port {port} stays taken");
}

impl Taker {
    fn take(&self, stream: TcpStream) -> Result<(), Died> {
        match &self.speaks {
            Speaks::Tcp => self.frames(&mut BufReader::with_capacity(512, stream)),
            Speaks::Tls(config) => {
                let mut stream = BufReader::with_capacity(512, secured(config, stream));
                self.frames(&mut stream)?;
                let stream = stream.get_mut();
                stream.conn.send_close_notify();
                // The other side may have gone.
                let _ = stream.flush();
                Ok(())
            }
            Speaks::Http(None, statuses) => self.requests(stream, statuses),
            Speaks::Http(Some(config), statuses) => self.requests(secured(config, stream), statuses),
        }
    }

    fn keep(&self, message: String) -> Result<(), Died> {
        let mut received = self.received.lock().unwrap();
        received.push(message);
        if self.dies_after == Some(received.len()) { Err(Died) } else { Ok(()) }
    }

    fn frames(&self, from: &mut impl BufRead) -> Result<(), Died> {
        loop {
            let mut count = Vec::new();
            if from.read_until(b' ', &mut count).is_err() || count.is_empty() {
                return Ok(());
            }
            let count: usize = std::str::from_utf8(&count).unwrap().trim_end().parse().unwrap();
            let mut message = vec![0; count];
            if from.read_exact(&mut message).is_err() {
                return Ok(());
            }
            self.keep(String::from_utf8(message).unwrap())?;
        }
    }

    fn requests(&self, stream: impl Read + Write, statuses: &Mutex<Vec<u16>>) -> Result<(), Died> {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).is_err() || line.is_empty() {
                    return Ok(());
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            if stream.read_exact(&mut body).is_err() {
                return Ok(());
            }
            self.heads.lock().unwrap().push(head);
            let status = statuses.lock().unwrap().pop().unwrap_or(200);
            if status < 300 {
                for line in String::from_utf8(body).unwrap().lines() {
                    self.keep(line.to_owned())?;
                }
            }
            let answer = format!("HTTP/1.1 {status} Said\r\nContent-Length: 4\r\n\r\nsaid");
            if stream.get_mut().write_all(answer.as_bytes()).is_err() {
                return Ok(());
            }
        }
    }
}

fn secured(config: &Arc<ServerConfig>, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), stream)
}

/// An authority of one's own, a server's certificate for 127.0.0.1, and a client's, as PEM.
pub struct Certificates {
    pub ca: String,
    pub server: (String, String),
    pub client: (String, String),
}

impl Certificates {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "a hospital's own authority");
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let signed = |name: &str| {
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate().unwrap();
            (params.signed_by(&key, &ca).unwrap().pem(), key.serialize_pem())
        };
        Self { ca: ca.pem(), server: signed("127.0.0.1"), client: signed("sensor-1") }
    }

    /// A server's side of TLS; `asks` for a client's certificate.
    pub fn server(&self, asks: bool) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
        let builder = if asks {
            let mut store = RootCertStore::empty();
            store.add(CertificateDer::from_pem_slice(self.ca.as_bytes()).unwrap()).unwrap();
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider).build().unwrap(),
            )
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_slice(self.server.0.as_bytes()).unwrap()];
        Arc::new(builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(self.server.1.as_bytes()).unwrap()).unwrap())
    }
}

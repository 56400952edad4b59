//! The server's thread.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener as Bound};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::crypto::ring;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::time::{interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::address::{ServeError, ServeOptions};
use super::answer::Answering;
use super::board::{self, BoardConfig, Shared};
use super::guard::Guard;
use super::health::{Pulse, Vitals};
use super::patient::Patient;
use super::route::{self, State};
use super::tap::{Overload, Tap};
use crate::detect::Answers;
use crate::sink::{certificates, private_key};

/// Connections at once; further ones are closed unanswered.
const MOST_CONNECTIONS: usize = 64;
/// Of these, streams of events.
const MOST_STREAMS: usize = 32;
/// Bytes of a question's head.
const MOST_HEAD_BYTES: usize = 16 << 10;
/// Fields of a question's head.
const MOST_FIELDS: usize = 64;
/// How long a head may take, and a connection may wait for the next.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long the handshake of TLS may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);
/// A connection ends after this; a browser comes again.
const LONGEST: Duration = Duration::from_secs(3600);
/// How long an answer that is being written to disk is waited for at the end.
const LET_GO: Duration = Duration::from_secs(1);

/// The page, as long as it is served.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens, and shows what comes to the tap.
    ///
    /// # Errors
    /// An address that is not safe or taken, certificates that cannot be used, a thread that cannot be started.
    pub fn start(
        address: SocketAddr,
        options: ServeOptions,
        board: BoardConfig,
        (overload, vitals): (Overload, Vitals),
        answering: Option<Arc<dyn Answering>>,
    ) -> Result<(Self, Tap), ServeError> {
        options.check(address)?;
        let told = |error| ServeError::io(address, error);
        let tls = options.tls.as_ref().map(|(chain, key)| tls(chain, key)).transpose()?;
        let bound = Bound::bind(address).map_err(told)?;
        bound.set_nonblocking(true).map_err(told)?;
        let address = bound.local_addr().map_err(told)?;
        let (tap, shared, _) = board::begin(board, overload).map_err(|error| ServeError::io("starting a thread", error))?;
        let (stop, stopped) = watch::channel(false);
        let mut names = options.names;
        if !address.ip().is_unspecified() {
            names.push(address.ip().to_string());
        }
        let state = State {
            shared: Arc::clone(&shared),
            pulse: Mutex::new(Pulse::new(vitals)),
            guard: Guard::new(names, tls.is_some(), options.tokens, secret()?),
            answering,
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
            stop: stopped,
        };
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(2).build().map_err(told)?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(bound).map_err(told)?
        };
        let run = move || run(runtime, listener, tls, state);
        let thread = thread::Builder::new().name("http".to_owned()).spawn(run);
        let thread = Some(thread.map_err(|error| ServeError::io("starting a thread", error))?);
        Ok((Self { address, shared, stop, thread }, tap))
    }

    /// Where it listens; the port that was chosen, where port 0 was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Is told when other answers stand.
    pub fn on_answers(&self) -> impl Fn(Arc<Answers>) + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move |answers| shared.answered(answers)
    }
}

/// Ends all connections, and waits for the thread.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            // It only ends with a panic, which was told.
            let _ = thread.join();
        }
    }
}

fn secret() -> Result<[u8; 32], ServeError> {
    let mut secret = [0; 32];
    let filled = ring::default_provider().secure_random.fill(&mut secret);
    filled.map_err(|_| ServeError::io("random numbers", std::io::ErrorKind::Other.into()))?;
    Ok(secret)
}

fn tls(chain: &std::path::Path, key: &std::path::Path) -> Result<TlsAcceptor, ServeError> {
    let told = |error: crate::sink::SinkError| ServeError::Usage(error.to_string());
    let (chain, secret) = (certificates(chain).map_err(told)?, private_key(key).map_err(told)?);
    let wrong = |error: rustls::Error| ServeError::Usage(format!("{}: does not go with its certificate: {error}", key.display()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(wrong)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn run(runtime: Runtime, listener: TcpListener, tls: Option<TlsAcceptor>, state: State) {
    let state = Arc::new(state);
    runtime.block_on(accept(listener, tls, &state));
    runtime.shutdown_timeout(LET_GO);
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: &Arc<State>) {
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut stop = state.stop.clone();
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = stop.changed() => return,
            _ = seconds.tick() => state.pulse().look(),
            accepted = listener.accept() => {
                // Out of descriptors, or a connection that was given up: the next may do.
                let Ok((stream, _)) = accepted else {
                    sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
                let (state, tls) = (Arc::clone(state), tls.clone());
                tokio::spawn(async move {
                    let _slot = slot;
                    match tls {
                        None => serve(stream, &state).await,
                        Some(tls) => {
                            if let Ok(Ok(stream)) = timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await {
                                serve(stream, &state).await;
                            }
                        }
                    }
                });
            }
        }
    }
}

/// Answers what comes over a connection. How it ends is its own affair.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, state: &Arc<State>) {
    let answer = service_fn(|asked| async move { Ok::<_, Infallible>(route::answer(state, asked).await) });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MOST_HEAD_BYTES)
        .max_headers(MOST_FIELDS)
        .serve_connection(TokioIo::new(Patient::new(stream)), answer);
    let _ = timeout(LONGEST, connection).await;
}

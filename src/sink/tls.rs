//! Syslog over TLS (RFC 5425), and whom TLS trusts. The one user of rustls, with the cryptography of ring.

use std::io::{self, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::SinkError;
use super::send::{SendError, Sender, connect, ended, frames, later, lives};
use super::target::{Endpoint, TargetOptions};
use crate::alert::Message;

/// Certificates that a target's must come from: those of `ca`, or the system's.
pub(super) fn roots(options: &TargetOptions) -> Result<Vec<CertificateDer<'static>>, SinkError> {
    if let Some(path) = &options.ca {
        return certificates(path);
    }
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let what = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
        return Err(SinkError::Usage(format!("the system has no certificates to trust{what}: name some with #ca=FILE")));
    }
    Ok(found.certs)
}

/// The certificates of a PEM file.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SinkError> {
    let wrong = |what: String| SinkError::io(path.display(), io::Error::new(io::ErrorKind::InvalidData, what));
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    let found = read.map_err(|error| wrong(format!("no certificates in PEM: {error}")))?;
    if found.is_empty() { Err(wrong("no certificate in PEM in it".to_owned())) } else { Ok(found) }
}

/// The private key of a PEM file.
///
/// # Errors
/// Names the file, and nothing of what it holds.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, SinkError> {
    // What stands there is a secret, and no part of the error.
    let wrong = || SinkError::io(path.display(), io::Error::new(io::ErrorKind::InvalidData, "no private key in PEM in it"));
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|_| wrong())
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, SinkError> {
    std::fs::read(path).map_err(|error| SinkError::io(path.display(), error))
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn client(options: &TargetOptions) -> Result<ClientConfig, SinkError> {
    let usage = |error: rustls::Error| SinkError::Usage(format!("TLS: {error}"));
    let mut store = RootCertStore::empty();
    // The system's store may hold some that no one can read; one of `ca` that is unreadable shows when nothing is trusted.
    let (taken, _) = store.add_parsable_certificates(roots(options)?);
    if taken == 0 {
        return Err(SinkError::Usage("TLS: none of the certificates to trust can be read".to_owned()));
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(usage)?;
    let builder = builder.with_root_certificates(store);
    match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => builder.with_client_auth_cert(certificates(cert)?, private_key(key)?).map_err(usage),
        _ => Ok(builder.with_no_client_auth()),
    }
}

/// Syslog over TLS.
pub(super) struct Tls {
    endpoint: Endpoint,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
    sensor: String,
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

impl Tls {
    pub fn new(endpoint: &Endpoint, options: &TargetOptions, sensor: &str) -> Result<Self, SinkError> {
        let wrong = |_| SinkError::Usage(format!("{:?} is no name of a server", endpoint.host));
        let name = ServerName::try_from(endpoint.host.clone()).map_err(wrong)?;
        Ok(Self { endpoint: endpoint.clone(), name, config: Arc::new(client(options)?), sensor: sensor.to_owned() })
    }
}

impl Sender for Tls {
    fn send(&mut self, messages: &[Message], number: u64) -> Result<(), SendError> {
        let mut stream = self.exchange(&frames(messages, &self.sensor, number))?;
        ended(&mut stream)?;
        lives(|| self.exchange(&[])).map(drop)
    }
}

impl Tls {
    /// A connection that has sent these bytes and its end.
    fn exchange(&self, bytes: &[u8]) -> Result<Stream, SendError> {
        let connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
        let mut stream = StreamOwned::new(connection.map_err(|error| later("TLS", &error))?, connect(&self.endpoint)?);
        match send(&mut stream, bytes) {
            Ok(()) => Ok(stream),
            Err(error) => Err(said(&mut stream).map_or_else(|| later("TLS", &error), |said| later("TLS", &said))),
        }
    }
}

fn send(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    stream.conn.complete_io(&mut stream.sock)?;
    stream.write_all(bytes)?;
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.sock.shutdown(Shutdown::Write)
}

/// Why the server ended it, where it said so before: that tells more than a broken pipe.
fn said(stream: &mut Stream) -> Option<rustls::Error> {
    while stream.conn.read_tls(&mut stream.sock).ok()? > 0 {
        if let Err(error) = stream.conn.process_new_packets() {
            return Some(error);
        }
    }
    None
}

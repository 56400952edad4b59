//! A connection, and the thread that keeps it.

use std::future::Future;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use async_nats::jetstream::{self, context::PublishErrorKind};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, HeaderMap, ServerAddr};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::address::{Access, Address, host_port};
use super::error::NatsError;

/// How long a connection may take to stand.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long a server may take to answer.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Threads that look up names.
const NAME_THREADS: usize = 2;
/// Bytes of a file of credentials.
const MOST_CREDS_BYTES: u64 = 64 << 10;

/// A connection to one of the servers of an address. It comes back by itself when it was lost; what is asked of it meanwhile fails.
pub struct Nats {
    pub(super) handle: Handle,
    pub(super) client: Client,
    pub(super) jetstream: jetstream::Context,
    server: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Something to publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// Where.
    pub subject: String,
    /// What tells it from all others: a second one of the same id within the stream's window is not kept.
    pub id: String,
    /// What.
    pub payload: Vec<u8>,
}

/// What became of parcels.
#[derive(Debug, Default)]
pub struct Sent {
    /// So many of the first ones are kept by a stream.
    pub taken: usize,
    /// Of these, so many were there already.
    pub doubles: usize,
    /// Why the next one was not.
    pub error: Option<NatsError>,
    /// Is there no stream that takes it?
    pub is_homeless: bool,
}

impl Nats {
    /// Connects; `name` is what the server lists the connection as.
    ///
    /// # Errors
    /// When no server answers within five seconds, or it refuses.
    pub fn connect(address: &Address, access: &Access, name: &str) -> Result<Self, NatsError> {
        let server = address.servers.iter().map(|(host, port)| host_port(host, *port)).collect::<Vec<_>>().join(",");
        let options = options(address, access, name)?;
        let later = |error: io::Error| NatsError::Later { server: server.clone(), what: error.to_string() };
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(NAME_THREADS).build().map_err(later)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            // Hanging up stops it, too.
            let _ = runtime.block_on(stopped);
        };
        let thread = std::thread::Builder::new().name("nats".to_owned()).spawn(run).map_err(later)?;
        let servers: Vec<ServerAddr> = address
            .servers
            .iter()
            .map(|(host, port)| format!("nats://{}", host_port(host, *port)).parse())
            .collect::<Result<_, _>>()
            .map_err(later)?;
        let connected = handle.block_on(async { timeout(2 * CONNECT_WITHIN, options.connect(servers)).await });
        let client = match connected {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => {
                let what = in_words(&error);
                // The kind of a certificate that is not trusted is that of any error of the network.
                let is_refused = what.contains("certificate")
                    || matches!(
                        error.kind(),
                        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Tls
                    );
                return Err(if is_refused { NatsError::Refused { server, what } } else { NatsError::Later { server, what } });
            }
            Err(_) => return Err(NatsError::Later { server, what: "no answer".to_owned() }),
        };
        let jetstream = {
            let _inside = handle.enter();
            let mut jetstream = jetstream::new(client.clone());
            jetstream.set_timeout(ANSWER_WITHIN);
            jetstream
        };
        Ok(Self { handle, client, jetstream, server, stop: Some(stop), thread: Some(thread) })
    }

    /// Publishes, in order, and waits until the server keeps it.
    pub fn publish(&self, parcels: &[Parcel]) -> Sent {
        self.handle.block_on(async {
            let mut answers = Vec::with_capacity(parcels.len());
            let mut sent = Sent::default();
            for Parcel { subject, id, payload } in parcels {
                let mut headers = HeaderMap::new();
                headers.insert("Nats-Msg-Id", id.as_str());
                let publishing = self.jetstream.publish_with_headers(subject.clone(), headers, payload.clone().into());
                match timeout(ANSWER_WITHIN, publishing).await {
                    Ok(Ok(answer)) => answers.push(answer),
                    Ok(Err(error)) => {
                        sent.error = Some(self.later(&error));
                        break;
                    }
                    Err(_) => {
                        sent.error = Some(self.later(&"not connected"));
                        break;
                    }
                }
            }
            for answer in answers {
                match answer.await {
                    Ok(kept) => {
                        sent.taken += 1;
                        sent.doubles += usize::from(kept.duplicate);
                    }
                    Err(error) => {
                        sent.is_homeless = error.kind() == PublishErrorKind::StreamNotFound;
                        sent.error = Some(self.later(&in_words(&error)));
                        break;
                    }
                }
            }
            sent
        })
    }

    /// The servers, for messages.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    pub(super) fn later(&self, what: &impl ToString) -> NatsError {
        NatsError::Later { server: self.server.clone(), what: what.to_string() }
    }

    /// Waits for what a server is asked, and says so when it does not answer.
    pub(super) fn wait<T, E: std::error::Error>(
        &self,
        what: &str,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Result<T, NatsError> {
        self.wait_within(what, 2 * ANSWER_WITHIN, asked)
    }

    /// The same, for so long.
    pub(super) fn wait_within<T, E: std::error::Error>(
        &self,
        what: &str,
        within: Duration,
        asked: impl Future<Output = Result<T, E>>,
    ) -> Result<T, NatsError> {
        match self.handle.block_on(async { timeout(within, asked).await }) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.later(&format!("{what}: {}", in_words(&error)))),
            Err(_) => Err(self.later(&format!("{what}: no answer"))),
        }
    }
}

/// Ends the connection.
impl Drop for Nats {
    fn drop(&mut self) {
        // What was published without an answer has to leave.
        let _ = self.handle.block_on(async { timeout(Duration::from_secs(1), self.client.flush()).await });
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // It only ends with a panic, which was told.
            let _ = thread.join();
        }
    }
}

/// An error and its causes.
pub(super) fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    words
}

fn options(address: &Address, access: &Access, name: &str) -> Result<ConnectOptions, NatsError> {
    let mut options = ConnectOptions::new()
        .name(name)
        .connection_timeout(CONNECT_WITHIN)
        .request_timeout(Some(ANSWER_WITHIN))
        .reconnect_delay_callback(|attempts| Duration::from_millis(100 << attempts.min(5)))
        // Only ports that were named are open (docs/decisions/0023-privileges.md).
        .ignore_discovered_servers()
        .require_tls(address.is_tls);
    if let Some(ca) = &access.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let (Some(cert), Some(key)) = (&access.cert, &access.key) {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    let Some(creds) = &access.creds else { return Ok(options) };
    let wrong = |what: String| NatsError::Usage(format!("--nats-creds {}: {what}", creds.display()));
    let about = std::fs::metadata(creds).map_err(|error| wrong(error.to_string()))?;
    if about.len() > MOST_CREDS_BYTES {
        return Err(wrong("more than 64 KiB, which no credentials are".to_owned()));
    }
    let text = std::fs::read_to_string(creds).map_err(|error| wrong(error.to_string()))?;
    if text.contains("BEGIN NATS USER JWT") {
        return options.credentials(&text).map_err(|error| wrong(error.to_string()));
    }
    match text.trim().split_once(' ') {
        Some((user, password)) if !text.trim().contains('\n') => {
            Ok(options.user_and_password(user.to_owned(), password.to_owned()))
        }
        _ => Err(wrong("neither credentials as nsc writes them nor one line USER PASSWORD".to_owned())),
    }
}

//! The thread that publishes from a spool.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::publish::Outbox;
use super::spool::Spool;
use crate::nats::{Access, Address, Keeping, Nats, NatsError, Parcel};
use crate::pipeline::Stopwatch;

/// Messages that are on their way at once, and their bytes.
const MOST_ON_THE_WAY: usize = 256;
const MOST_BYTES_ON_THE_WAY: usize = 4 << 20;
/// First and longest wait before a server that is away is tried again; the wait doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long a replay that waits for room looks away from whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How messages leave.
#[derive(Clone)]
pub struct OutgoingConfig {
    /// Where to.
    pub address: Address,
    /// What opens it.
    pub access: Access,
    /// The site, which stands in every subject.
    pub site: String,
    /// How the server lists the connection.
    pub name: String,
    /// Where messages wait.
    pub spool: PathBuf,
    /// Bytes that may wait there.
    pub spool_bytes: u64,
    /// How long a stream keeps what, where this makes it.
    pub keeping: Keeping,
    /// Does who publishes wait for room in the spool (a replay), or go on (live)?
    pub waits: bool,
    /// Told in a sentence what happens.
    pub tell: Arc<dyn Fn(&str) + Send + Sync>,
}

/// How messages are getting on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutgoingState {
    /// A stream keeps them.
    pub acknowledged: u64,
    /// Of these, so many were there already.
    pub doubles: u64,
    /// In the spool.
    pub waiting: u64,
    /// Bytes of the spool.
    pub spool_bytes: u64,
    /// Not taken into the spool.
    pub refused: u64,
    /// Found in the spool at the beginning.
    pub found: u64,
    /// How often a server did not take them.
    pub failures: u64,
    /// Did it not take the last ones?
    pub is_away: bool,
    /// Why.
    pub error: Option<String>,
}

struct State {
    spool: Spool,
    told: OutgoingState,
    ending: bool,
    stop: bool,
    done: bool,
}

#[derive(Clone)]
struct Shared(Arc<(Mutex<State>, Condvar)>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked left the spool as it was on disk, where it is whole.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, most: Duration) -> MutexGuard<'a, State> {
        self.0.1.wait_timeout(state, most).unwrap_or_else(PoisonError::into_inner).0
    }

    fn notify(&self) {
        self.0.1.notify_all();
    }
}

/// Messages on their way: a spool, and the thread that publishes from it.
pub struct Outgoing {
    shared: Shared,
    subject: String,
    waits: bool,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Outgoing {
    /// Begins to publish what is in the spool. A server that is away is waited for; one that refuses is an error. A replay that waits for room
    /// ends with `stop`.
    ///
    /// # Errors
    /// A spool that cannot be used, a server that refuses.
    pub fn start(config: OutgoingConfig, stop: Arc<AtomicBool>) -> Result<Self, NatsError> {
        let place = |error: io::Error| NatsError::Usage(format!("spool {}: {error}", config.spool.display()));
        let spool = Spool::open(&config.spool, config.spool_bytes).map_err(place)?;
        let connection = match Nats::connect(&config.address, &config.access, &config.name) {
            Ok(connection) => Some(connection),
            Err(error) if error.is_passing() => {
                (config.tell)(&format!("{error}; what is published waits in {}", config.spool.display()));
                None
            }
            Err(error) => return Err(error),
        };
        let is_away = connection.is_none();
        let told = OutgoingState { found: spool.waiting(), is_away, ..OutgoingState::default() };
        let state = State { spool, told, ending: false, stop: false, done: false };
        let shared = Shared(Arc::new((Mutex::new(state), Condvar::new())));
        let (subject, waits) = (config.address.subject(&format!("flows.{}.", config.site)), config.waits);
        let theirs = shared.clone();
        let run = move || {
            Worker { config, connection, homeless_told: false }.run(&theirs);
            theirs.lock().done = true;
            theirs.notify();
        };
        let thread = thread::Builder::new().name("publish".to_owned()).spawn(run).map_err(place_of_thread)?;
        Ok(Self { shared, subject, waits, stop, thread: Some(thread) })
    }

    /// How it is getting on.
    #[must_use]
    pub fn state(&self) -> OutgoingState {
        let state = self.shared.lock();
        OutgoingState { waiting: state.spool.waiting(), spool_bytes: state.spool.bytes(), ..state.told.clone() }
    }

    /// Nothing more comes: waits until all is kept by a stream, at most this long. What is not stays in the spool.
    #[must_use]
    pub fn finish(mut self, patience: Duration) -> OutgoingState {
        self.shared.lock().ending = true;
        self.shared.notify();
        let watch = Stopwatch::start();
        let mut state = self.shared.lock();
        while !state.done && watch.seconds() < patience.as_secs_f64() {
            state = self.shared.wait(state, LOOK_EVERY);
        }
        state.stop = true;
        drop(state);
        self.shared.notify();
        if let Some(thread) = self.thread.take() {
            // It only ends with a panic, which was told.
            let _ = thread.join();
        }
        self.state()
    }
}

fn place_of_thread(error: io::Error) -> NatsError {
    NatsError::Usage(format!("starting a thread: {error}"))
}

impl Outbox for Outgoing {
    fn standing(&self) -> OutgoingState {
        self.state()
    }

    fn put(&mut self, place: &str, id: String, payload: Vec<u8>) -> bool {
        let parcel = Parcel { subject: format!("{}{place}", self.subject), id, payload };
        let mut state = self.shared.lock();
        loop {
            let is_taken = match state.spool.append(&parcel) {
                Ok(is_taken) => is_taken,
                Err(error) => {
                    state.told.error = Some(format!("the spool does not take it: {error}"));
                    false
                }
            };
            if is_taken || !self.waits || self.stop.load(Ordering::Relaxed) {
                state.told.refused += u64::from(!is_taken);
                drop(state);
                self.shared.notify();
                return is_taken;
            }
            state = self.shared.wait(state, LOOK_EVERY);
        }
    }
}

struct Worker {
    config: OutgoingConfig,
    connection: Option<Nats>,
    homeless_told: bool,
}

impl Worker {
    fn run(mut self, shared: &Shared) {
        let mut wait = FIRST_WAIT;
        while let Some(parcels) = next(shared) {
            let sent = parcels
                .map_err(|error| format!("the spool cannot be read: {error}"))
                .and_then(|parcels| self.send(&parcels, shared));
            let mut state = shared.lock();
            match sent {
                Ok(()) => {
                    wait = FIRST_WAIT;
                    if std::mem::take(&mut state.told.is_away) {
                        let waiting = state.spool.waiting();
                        drop(state);
                        (self.config.tell)(&format!(
                            "{}: what is published arrives again; {waiting} messages wait",
                            self.config.address
                        ));
                    }
                }
                Err(error) => {
                    state.told.failures += 1;
                    let waiting = state.spool.waiting();
                    state.told.error = Some(error.clone());
                    if !std::mem::replace(&mut state.told.is_away, true) {
                        let folder = state.spool.folder().display().to_string();
                        (self.config.tell)(&format!("{error}; what is published waits in {folder} ({waiting} messages)"));
                    }
                    if !state.stop {
                        drop(shared.wait(state, wait));
                    }
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    fn send(&mut self, parcels: &[Parcel], shared: &Shared) -> Result<(), String> {
        let OutgoingConfig { address, access, name, .. } = &self.config;
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => Nats::connect(address, access, name).map_err(|error| error.to_string())?,
        };
        let mut sent = connection.publish(parcels);
        if sent.is_homeless {
            let made = self.make_stream(&connection);
            let is_made = made.is_ok();
            if is_made || !std::mem::replace(&mut self.homeless_told, true) {
                (self.config.tell)(&made.unwrap_or_else(|error| error));
            }
            if is_made && sent.taken == 0 {
                sent = connection.publish(parcels);
            }
        }
        self.connection = Some(connection);
        let mut state = shared.lock();
        state.told.acknowledged += sent.taken as u64;
        state.told.doubles += sent.doubles as u64;
        let confirmed = state.spool.confirm(parcels.get(..sent.taken).unwrap_or_default());
        drop(state);
        shared.notify();
        confirmed.map_err(|error| format!("the spool cannot be written: {error}"))?;
        sent.error.map_or(Ok(()), |error| Err(error.to_string()))
    }

    fn make_stream(&self, connection: &Nats) -> Result<String, String> {
        let OutgoingConfig { address, keeping, .. } = &self.config;
        let name = address.stream("flows");
        match connection.make_stream(&name, vec![address.subject("flows.>")], *keeping) {
            Ok(_) => Ok(format!(
                "made the stream {name} on {}: it keeps {:.0} s and {} bytes at the most, on {} server(s)",
                connection.server(),
                keeping.age.as_secs_f64(),
                keeping.bytes,
                keeping.replicas
            )),
            Err(error) => Err(format!("no stream takes {}, and none could be made: {error}", address.subject("flows.>"))),
        }
    }
}

/// What is to be published next; none when it is over.
fn next(shared: &Shared) -> Option<io::Result<Vec<Parcel>>> {
    let mut state = shared.lock();
    loop {
        if state.stop || state.ending && state.spool.waiting() == 0 {
            return None;
        }
        if state.spool.waiting() > 0 {
            return Some(state.spool.oldest(MOST_ON_THE_WAY, MOST_BYTES_ON_THE_WAY));
        }
        state = shared.wait(state, Duration::from_secs(1));
    }
}

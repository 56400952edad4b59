//! The thread that sends from a spool.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::SinkError;
use super::gauge::SinkState;
use super::send::{SendError, Sender};
use super::spool::{Batch, Spool};
use crate::alert::Formatter;

/// Messages of one batch at the most, and their bytes as EVE lines.
const MOST_LINES: usize = 500;
const MOST_BYTES: u64 = 1 << 20;
/// How long a batch waits for more alerts of the same moment.
const GATHER: Duration = Duration::from_millis(200);
/// First and longest wait before a target that is away is tried again; the wait doubles.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long a thread that is to stop may take.
const LET_GO: Duration = Duration::from_millis(500);

/// Told in a sentence what happens to a target.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// What became of the alerts for a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The target, as it was named.
    pub target: String,
    /// Confirmed by it.
    pub delivered: u64,
    /// In the spool still.
    pub waiting: u64,
    /// Went unsent to make room in the spool.
    pub dropped: u64,
    /// The target will never take them.
    pub refused: u64,
    /// How often it was not taken.
    pub failures: u64,
    /// Where the spool is.
    pub spool: std::path::PathBuf,
    /// Why it was not taken, the last time that it was not.
    pub error: Option<String>,
}

/// What the judging thread and the sending thread share.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    spool: Spool,
    report: Report,
    /// Did it not take what was sent to it last?
    is_away: bool,
    /// No more alerts come.
    ending: bool,
    /// Time is over.
    stop: bool,
    done: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked left the spool as it was on disk, where it is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, state: MutexGuard<'_, State>, most: Duration) {
        drop(self.changed.wait_timeout(state, most).unwrap_or_else(PoisonError::into_inner));
    }

    /// Puts an alert line into the spool.
    pub fn put(&self, line: &str) -> io::Result<()> {
        let appended = self.lock().spool.append(line);
        self.changed.notify_all();
        appended
    }

    /// How the target is doing.
    pub fn state(&self) -> SinkState {
        let State { spool, report, is_away, .. } = &*self.lock();
        SinkState {
            sent: report.delivered,
            waiting: spool.waiting(),
            spool_bytes: spool.bytes(),
            dropped: spool.dropped(),
            refused: report.refused,
            failures: report.failures,
            is_away: *is_away,
        }
    }
}

/// A target on the network, and the thread that sends to it.
pub struct Delivery {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

impl Delivery {
    /// Begins to send what is in the spool.
    pub(super) fn start(target: String, spool: Spool, worker: Worker) -> Result<Self, SinkError> {
        let report = Report { target: target.clone(), spool: spool.folder().to_owned(), ..Report::default() };
        let state = State { spool, report, is_away: false, ending: false, stop: false, done: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let run = move || {
            worker.run(&theirs);
            theirs.lock().done = true;
            theirs.changed.notify_all();
        };
        let thread = std::thread::Builder::new().name("sink".to_owned()).spawn(run);
        Ok(Self { shared, thread: thread.map_err(|error| SinkError::io(target, error))? })
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// No more alerts come: waits until all are confirmed, at most this long. What is not stays in the spool.
    #[must_use]
    pub fn finish(self, patience: Duration) -> Report {
        self.shared.lock().ending = true;
        self.shared.changed.notify_all();
        self.shared.wait_until_done(patience);
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        // It ends at once, but where it is in the middle of an exchange; that one ends with the program.
        if self.shared.wait_until_done(LET_GO) {
            let _ = self.thread.join();
        }
        let state = self.shared.lock();
        Report { waiting: state.spool.waiting(), dropped: state.spool.dropped(), ..state.report.clone() }
    }
}

/// What the thread needs.
pub(super) struct Worker {
    pub sender: Box<dyn Sender>,
    pub formatter: Formatter,
    pub tell: Tell,
    /// Messages that were sent, for their numbers.
    pub number: u64,
}

impl Worker {
    fn run(mut self, shared: &Shared) {
        let mut wait = FIRST_WAIT;
        while let Some(batch) = next(shared) {
            let sent = match batch {
                Ok(batch) => self.deliver(&batch, shared),
                Err(error) => Err(format!("the spool cannot be read: {error}")),
            };
            let target = shared.lock().report.target.clone();
            match sent {
                Ok(()) => {
                    if std::mem::take(&mut shared.lock().is_away) {
                        (self.tell)(&format!("{target}: alerts arrive again"));
                    }
                    wait = FIRST_WAIT;
                }
                Err(error) => {
                    let mut state = shared.lock();
                    let (waiting, folder) = (state.spool.waiting(), state.spool.folder().display().to_string());
                    state.report.error = Some(error.clone());
                    state.report.failures += 1;
                    let _ = state.spool.sync();
                    if !std::mem::replace(&mut state.is_away, true) {
                        (self.tell)(&format!(
                            "{target}: {error}; what waits for it ({waiting}) is kept in {folder} until it takes it"
                        ));
                    }
                    if !state.stop {
                        shared.wait_for_stop(state, wait);
                    }
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// Sends a batch. What a target refuses for ever is found by sending its messages one by one, and counted.
    fn deliver(&mut self, batch: &Batch, shared: &Shared) -> Result<(), String> {
        if batch.lines.is_empty() {
            return Err("the spool was changed by someone else".to_owned());
        }
        let (mut messages, mut unreadable) = (Vec::new(), 0);
        for line in &batch.lines {
            match self.formatter.message(line) {
                Ok(message) => messages.extend(message),
                Err(_) => unreadable += 1,
            }
        }
        let sent = if messages.is_empty() { Ok(()) } else { self.sender.send(&messages, self.number) };
        match sent {
            Ok(()) => {
                self.number += messages.len() as u64;
                confirm(shared, batch, (messages.len() as u64, unreadable))
            }
            Err(SendError::Later(error)) => Err(error),
            Err(SendError::Never(_)) => self.one_by_one(batch, shared),
        }
    }

    /// Sends messages one by one. One is refused for ever only where another was taken: what refuses all is set up wrongly, and they wait
    /// until that is put right.
    fn one_by_one(&mut self, batch: &Batch, shared: &Shared) -> Result<(), String> {
        let (mut begin, mut refused) = (0, Vec::new());
        let mut last = String::new();
        for (place, line) in batch.lines.iter().enumerate() {
            match self.formatter.message(line) {
                Err(_) => refused.push((String::new(), "the spool's line is damaged".to_owned())),
                Ok(None) => {}
                Ok(Some(message)) => match self.sender.send(std::slice::from_ref(&message), self.number) {
                    Ok(()) => {
                        self.number += 1;
                        self.tell_refused(&mut refused, batch.part(begin..place + 1), 1, shared)?;
                        begin = place + 1;
                    }
                    Err(SendError::Later(error)) => return Err(error),
                    Err(SendError::Never(error)) => {
                        last.clone_from(&error);
                        refused.push((message.id, error));
                    }
                },
            }
        }
        if begin == 0 {
            return Err(last);
        }
        self.tell_refused(&mut refused, batch.part(begin..batch.lines.len()), 0, shared)
    }

    fn tell_refused(
        &self,
        refused: &mut Vec<(String, String)>,
        part: Batch,
        delivered: u64,
        shared: &Shared,
    ) -> Result<(), String> {
        let target = shared.lock().report.target.clone();
        let count = refused.len() as u64;
        for (id, error) in refused.drain(..) {
            (self.tell)(&format!("{target}: alert {id} is refused and not sent again: {error}"));
        }
        confirm(shared, &part, (delivered, count))
    }
}

fn confirm(shared: &Shared, batch: &Batch, (delivered, refused): (u64, u64)) -> Result<(), String> {
    let mut state = shared.lock();
    state.report.delivered += delivered;
    state.report.refused += refused;
    state.spool.confirm(batch, batch.lines.len()).map_err(|error| format!("the spool cannot be written: {error}"))
}

/// The next batch; nothing when it is time to end.
fn next(shared: &Shared) -> Option<io::Result<Batch>> {
    let mut gathered = false;
    loop {
        let mut state = shared.lock();
        if state.stop || (state.ending && state.spool.waiting() == 0) {
            return None;
        }
        match state.spool.waiting() {
            0 => shared.wait(state, LONGEST_WAIT),
            waiting if gathered || state.ending || waiting >= MOST_LINES as u64 => {
                return Some(state.spool.batch(MOST_LINES, MOST_BYTES));
            }
            _ => {
                drop(state);
                std::thread::sleep(GATHER);
                gathered = true;
            }
        }
    }
}

impl Shared {
    /// Has the thread ended, within this time?
    fn wait_until_done(&self, most: Duration) -> bool {
        let not_done = |state: &mut State| !state.done;
        self.changed.wait_timeout_while(self.lock(), most, not_done).unwrap_or_else(PoisonError::into_inner).0.done
    }

    /// Waits, though alerts come meanwhile; not longer than the end.
    fn wait_for_stop(&self, state: MutexGuard<'_, State>, most: Duration) {
        let ending = state.ending;
        let woken = |state: &mut State| !state.stop && state.ending == ending;
        drop(self.changed.wait_timeout_while(state, most, woken).unwrap_or_else(PoisonError::into_inner));
    }
}

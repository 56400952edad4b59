//! Writes checkpoints and journals.

use std::fmt::Display;
use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use serde::Serialize;

use super::{Folder, StateError, Tell, journal};

/// A checkpoint on its way to the disk, and the number of the journal behind it.
type Packed = (u64, Vec<u8>);

/// Keeps what is to be remembered. Whatever fails is told once until it works again, and judging goes on.
pub struct Keeper {
    folder: Arc<Folder>,
    journal: Option<File>,
    next: u64,
    /// Dropped to end the thread.
    to_disk: Option<SyncSender<Packed>>,
    thread: Option<JoinHandle<()>>,
    noting: Fault,
}

/// Whether something failed, and was told.
pub struct Fault {
    tell: Tell,
    /// What goes on in spite of it.
    doing: &'static str,
    is_told: bool,
}

impl Fault {
    /// Nothing failed yet; `doing` goes on in spite of what will.
    #[must_use]
    pub const fn new(tell: Tell, doing: &'static str) -> Self {
        Self { tell, doing, is_told: false }
    }

    /// Tells of what failed, once until it works again, and of that.
    pub fn note(&mut self, what: &str, done: Result<(), impl Display>) {
        match done {
            Ok(()) if self.is_told => {
                self.is_told = false;
                (self.tell)(&format!("{what} works again"));
            }
            Ok(()) => {}
            Err(_) if self.is_told => {}
            Err(error) => {
                self.is_told = true;
                (self.tell)(&format!(
                    "{error}; {} goes on, but a crash now would forget what was seen since: make room or give write access",
                    self.doing
                ));
            }
        }
    }
}

impl Keeper {
    /// Begins to keep, with the journal of this number.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start<T, E, P>(folder: Arc<Folder>, found: &super::Found<T, E, P>, tell: Tell) -> Result<Self, StateError> {
        // One at a time: a disk that is slow makes checkpoints seldom, not judging slow.
        let (to_disk, packed) = mpsc::sync_channel(1);
        let (theirs, checkpoints) = (Arc::clone(&folder), Fault::new(Arc::clone(&tell), "judging"));
        let write = move || write(&theirs, &packed, checkpoints);
        let thread = thread::Builder::new().name("state".to_owned()).spawn(write);
        let thread = thread.map_err(StateError::io(&folder.file(""), "starting a thread"))?;
        let noting = Fault::new(tell, "judging");
        Ok(Self { folder, journal: None, next: found.next, to_disk: Some(to_disk), thread: Some(thread), noting })
    }

    /// Notes what was told, before anything else becomes of it.
    pub fn note<E: Serialize>(&mut self, entry: &E) {
        let noted = self.append(entry);
        self.noting.note("the journal", noted);
    }

    fn append<E: Serialize>(&mut self, entry: &E) -> Result<(), StateError> {
        let path = self.folder.file(&journal::name(self.next));
        let entry = journal::pack(entry).map_err(|source| StateError::Form { path: path.clone(), source })?;
        if self.journal.is_none() {
            self.journal = Some(self.folder.journal(self.next)?);
        }
        let Some(file) = &mut self.journal else { return Ok(()) };
        let before = file.metadata().map(|about| about.len());
        file.write_all(&entry)
            .or_else(|error| {
                // Half an entry would hide those behind it.
                before.and_then(|length| file.set_len(length)).and(Err(error))
            })
            .map_err(StateError::io(&path, "writing"))
    }

    /// Keeps the state as it is now, where the one before is on the disk already; the last one waits for that.
    pub fn keep<T: Serialize>(&mut self, state: &T, is_last: bool) {
        let Some(to_disk) = &self.to_disk else { return };
        let number = self.next + 1;
        let packed = match self.folder.pack(number, state) {
            Ok(packed) => packed,
            Err(error) => return self.noting.note("the checkpoint", Err(error)),
        };
        let is_taken = if is_last { to_disk.send((number, packed)).is_ok() } else { to_disk.try_send((number, packed)).is_ok() };
        if is_taken {
            (self.next, self.journal) = (number, None);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.to_disk.take());
        if let Some(thread) = self.thread.take() {
            // It only ends with a panic, which was told.
            let _ = thread.join();
        }
    }
}

fn write(folder: &Folder, packed: &Receiver<Packed>, mut fault: Fault) {
    while let Ok((journal, content)) = packed.recv() {
        let written = folder.replace(&content, journal);
        fault.note("the checkpoint", written);
    }
}

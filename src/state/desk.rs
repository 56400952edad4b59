//! What a judge and who writes for it remember, for who keeps it elsewhere than in a folder.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// Where the one who keeps, the one who judges and the one who writes hand each other what is remembered, in forms of their own.
#[derive(Clone, Default)]
pub struct Desk(Arc<Mutex<On>>);

#[derive(Default)]
struct On {
    is_wanted: bool,
    is_telling: bool,
    has_ended: bool,
    stored: Option<Vec<u8>>,
    to_judge: Option<Vec<u8>>,
    to_writer: Option<Vec<u8>>,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, On> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets both go on from this, or begin anew. Of what is no such thing nothing is known.
    pub fn hand_over(&self, remembered: Option<&[u8]>) {
        let (judge, writer) = remembered.and_then(|bytes| postcard::from_bytes(bytes).ok()).unwrap_or_default();
        let mut on = self.lock();
        (on.to_judge, on.to_writer) = (Some(judge), Some(writer));
    }

    /// What the judge is to go on from, once; nothing in it, where it is to begin anew.
    #[must_use]
    pub fn take_as_judge(&self) -> Option<Vec<u8>> {
        self.lock().to_judge.take()
    }

    /// The same for who writes.
    #[must_use]
    pub fn take_as_writer(&self) -> Option<Vec<u8>> {
        self.lock().to_writer.take()
    }

    /// Asks what the judge remembers.
    pub fn ask(&self) {
        self.lock().is_wanted = true;
    }

    /// Was it asked?
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.lock().is_wanted
    }

    /// Says what the judge and who writes remember.
    ///
    /// # Errors
    /// When it has no form as bytes.
    pub fn store(&self, judge: &impl Serialize, writer: &impl Serialize) -> Result<(), postcard::Error> {
        let both = postcard::to_stdvec(&(postcard::to_stdvec(judge)?, postcard::to_stdvec(writer)?))?;
        let mut on = self.lock();
        (on.is_wanted, on.is_telling, on.stored) = (false, false, Some(both));
        Ok(())
    }

    /// What it said, if it did; it is asked no longer.
    #[must_use]
    pub fn answer(&self) -> Option<Vec<u8>> {
        let mut on = self.lock();
        on.is_wanted = false;
        on.stored.take()
    }

    /// Notes that something was told.
    pub fn note_told(&self) {
        self.lock().is_telling = true;
    }

    /// Was something told since the judge last said what it remembers?
    #[must_use]
    pub fn has_told(&self) -> bool {
        self.lock().is_telling
    }

    /// Nothing more comes: what is open can be closed.
    pub fn end(&self) {
        self.lock().has_ended = true;
    }

    /// Is it over, rather than to be gone on with by another one?
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.lock().has_ended
    }
}

//! What a judge and who writes for it remember, for who keeps it elsewhere than in a folder.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

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

    /// What the judge is to go on from, once: where it is to begin anew, the default.
    ///
    /// # Errors
    /// What cannot be read; it is not there again.
    pub fn take_as_judge<T: DeserializeOwned + Default>(&self) -> Result<Option<T>, postcard::Error> {
        let bytes = self.lock().to_judge.take();
        read(bytes)
    }

    /// The same for who writes.
    ///
    /// # Errors
    /// As [`Self::take_as_judge`].
    pub fn take_as_writer<T: DeserializeOwned + Default>(&self) -> Result<Option<T>, postcard::Error> {
        let bytes = self.lock().to_writer.take();
        read(bytes)
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

fn read<T: DeserializeOwned + Default>(bytes: Option<Vec<u8>>) -> Result<Option<T>, postcard::Error> {
    bytes.map(|bytes| if bytes.is_empty() { Ok(T::default()) } else { postcard::from_bytes(&bytes) }).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back_to_each_once() {
        let desk = Desk::default();
        assert_eq!((desk.take_as_judge::<u64>(), desk.answer()), (Ok(None), None));
        desk.note_told();
        desk.ask();
        assert!(desk.is_asked() && desk.has_told());
        desk.store(&7_u64, &"lives".to_owned()).unwrap();
        let kept = desk.answer().unwrap();
        assert!(!desk.is_asked() && !desk.has_told() && desk.answer().is_none());
        desk.hand_over(Some(&kept));
        assert_eq!((desk.take_as_judge(), desk.take_as_judge::<u64>()), (Ok(Some(7_u64)), Ok(None)));
        assert_eq!(desk.take_as_writer(), Ok(Some("lives".to_owned())));
        desk.hand_over(None);
        assert_eq!((desk.take_as_judge(), desk.take_as_writer()), (Ok(Some(0_u64)), Ok(Some(String::new()))));
        desk.end();
        assert!(desk.has_ended());
    }
}

//! Listens to captures or records, and spools what they tell.

use std::sync::atomic::{AtomicBool, Ordering};

use super::holders::Holders;
use super::material::Phase;
use super::spool::{Spool, SpoolError};
use super::spooled::Step;
use crate::pipeline::{Consumer, Emitted, Progress};
use crate::sighting::Sighting;
use crate::time::Timestamp;

/// Spools what it is told. Where that fails it stops the reading.
pub struct Listener<'a> {
    spool: &'a mut Spool,
    /// Bytes to be read; none where nobody knows.
    size: Option<u64>,
    stop: &'a AtomicBool,
    on_step: &'a mut dyn FnMut(Step),
    failed: Option<SpoolError>,
    holders: Holders,
    from: Timestamp,
    to: Timestamp,
}

impl<'a> Listener<'a> {
    /// One that calls `on_step` with the progress of reading `size` bytes, and sets `stop` where it fails.
    pub fn new(spool: &'a mut Spool, size: Option<u64>, stop: &'a AtomicBool, on_step: &'a mut dyn FnMut(Step)) -> Self {
        Self { spool, size, stop, on_step, failed: None, holders: Holders::default(), from: Timestamp::MIN, to: Timestamp::MAX }
    }

    /// The same, of flows that begin at or after `from` and before `to`.
    #[must_use]
    pub fn within(self, from: Option<Timestamp>, to: Option<Timestamp>) -> Self {
        Self { from: from.unwrap_or(Timestamp::MIN), to: to.unwrap_or(Timestamp::MAX), ..self }
    }

    /// Everything was told.
    ///
    /// # Errors
    /// When not all of it could be written.
    pub fn finish(self) -> Result<(), SpoolError> {
        self.failed.map_or_else(|| self.spool.flush(), Err)
    }
}

impl Consumer for Listener<'_> {
    fn sighting(&mut self, sighting: Sighting) {
        self.holders.observe(&sighting);
    }

    fn record(&mut self, mut emitted: Emitted) {
        self.holders.apply(&mut emitted.observation);
        if self.failed.is_none()
            && (self.from..self.to).contains(&emitted.observation.start)
            && let Err(error) = self.spool.push(&emitted.observation)
        {
            self.failed = Some(error);
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn tick(&mut self, _now: Timestamp) {}

    fn progress(&mut self, progress: Progress) {
        (self.on_step)(Step { phase: Phase::Reading, done: progress.read_bytes, of: self.size });
    }
}

//! Collects what is learned from.

use crate::feature::Observation;
use crate::pipeline::{Consumer, Emitted, Progress};
use crate::time::Timestamp;

/// Observations kept at the most, some 330 bytes each: bounds the memory of training to about 350 MB.
pub const MAX_OBSERVATIONS: usize = 1_000_000;

/// The observations of a capture, in the order in which they were seen.
pub struct Lesson<'a> {
    /// What was seen.
    pub observations: Vec<Observation>,
    /// Flow records among them.
    pub flows: u64,
    /// Observations beyond the first 1,000,000: the model's span ends before them.
    pub not_kept: u64,
    /// First packet.
    pub first: Timestamp,
    /// Last packet of the flows kept.
    pub last: Timestamp,
    /// Is called with the progress of reading.
    pub on_progress: &'a mut dyn FnMut(Progress),
}

impl<'a> Lesson<'a> {
    /// An empty one.
    pub fn new(on_progress: &'a mut dyn FnMut(Progress)) -> Self {
        Self { observations: Vec::new(), flows: 0, not_kept: 0, first: Timestamp::MAX, last: Timestamp::MIN, on_progress }
    }
}

impl Consumer for Lesson<'_> {
    fn record(&mut self, emitted: Emitted) {
        if self.observations.len() >= MAX_OBSERVATIONS {
            self.not_kept += 1;
            return;
        }
        self.flows += u64::from(emitted.observation.is_complete());
        self.first = self.first.min(emitted.observation.start);
        self.last = self.last.max(emitted.observation.end);
        self.observations.push(*emitted.observation);
    }

    fn tick(&mut self, _now: Timestamp) {}

    fn progress(&mut self, progress: Progress) {
        (self.on_progress)(progress);
    }
}

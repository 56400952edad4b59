//! What the detector judges by: one model, or, for a capture that taught itself, one for each part of its time.

use std::sync::Arc;

use super::class::Class;
use crate::model::{Baselines, Calibration, Vocabulary};
use crate::time::Timestamp;

/// A vocabulary, baselines and a calibration.
#[derive(Clone, Debug)]
pub struct Knowledge {
    /// Behaviours.
    pub vocabulary: Arc<Vocabulary>,
    /// Baselines and the moment up to which each is used; the last is used for ever.
    parts: Vec<(Timestamp, Arc<Baselines>)>,
    /// How scores fall in normal time.
    pub calibration: Calibration,
    /// Score at which an incident opens, in bits.
    pub threshold: f64,
}

impl Knowledge {
    /// Judges everything by the same baselines.
    #[must_use]
    pub fn new(vocabulary: Arc<Vocabulary>, baselines: Arc<Baselines>, calibration: Calibration, threshold: f64) -> Self {
        Self { vocabulary, parts: vec![(Timestamp::MAX, baselines)], calibration, threshold }
    }

    /// Judges each part of the time by what the other parts taught: `parts` in order of time, each with its end.
    #[must_use]
    pub fn by_parts(
        vocabulary: Arc<Vocabulary>,
        parts: Vec<(Timestamp, Arc<Baselines>)>,
        calibration: Calibration,
        threshold: f64,
    ) -> Self {
        Self { vocabulary, parts, calibration, threshold }
    }

    /// Score at which an incident of this class opens, in bits.
    #[must_use]
    pub fn threshold_of(&self, class: Class) -> f64 {
        self.threshold + class.margin_bits(&self.calibration)
    }

    /// Does it judge what it was not taught by?
    #[must_use]
    pub fn is_of_other_time(&self) -> bool {
        self.parts.len() == 1
    }

    /// The baselines for an observation seen at `at`.
    #[must_use]
    pub fn baselines(&self, at: Timestamp) -> &Baselines {
        let part = self.parts.partition_point(|(end, _)| *end <= at).min(self.parts.len() - 1);
        &self.parts[part].1
    }
}

//! What the detector judges by: one model, or, for a capture that taught itself, one for each part of its time.

use std::sync::Arc;

use super::anywhere::LIMIT_BITS;
use super::class::Class;
use super::scanner::scans_by_habit;
use crate::feature::{Host, Observation};
use crate::model::{Baselines, Budget, Calibration, HostBaseline, Model, Regard, UNNAMED_BITS, Vocabulary};
use crate::time::Timestamp;

/// What is known of both ends of an observation: looked up once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends<'k> {
    pub baselines: &'k Baselines,
    pub orig: Option<&'k HostBaseline>,
    pub resp: Option<&'k HostBaseline>,
}

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
    /// The same of the one class that was so loud while learning that it has a threshold of its own.
    pub loud: Option<(Class, f64)>,
    /// Bits beyond that of an incident that is merely unusual.
    pub unnamed_bits: f64,
    /// Does it judge what it was taught by, so that what is an attack on any network counts however often it was seen?
    pub judges_itself: bool,
}

impl Knowledge {
    /// Judges everything by the same baselines.
    #[must_use]
    pub fn new(vocabulary: Arc<Vocabulary>, baselines: Arc<Baselines>, calibration: Calibration, threshold: f64) -> Self {
        Self::by_parts(vocabulary, vec![(Timestamp::MAX, baselines)], calibration, threshold)
    }

    /// Judges by a model, within a budget.
    #[must_use]
    pub fn of_model(model: &Model, budget: Budget) -> Self {
        let (vocabulary, baselines) = (Arc::new(model.vocabulary.clone()), Arc::new(model.baselines.clone()));
        Self::new(vocabulary, baselines, model.calibration.clone(), f64::INFINITY).within(budget)
    }

    /// Judges each part of the time by what the other parts taught: `parts` in order of time, each with its end.
    #[must_use]
    pub fn by_parts(
        vocabulary: Arc<Vocabulary>,
        parts: Vec<(Timestamp, Arc<Baselines>)>,
        calibration: Calibration,
        threshold: f64,
    ) -> Self {
        Self { vocabulary, parts, calibration, threshold, loud: None, unnamed_bits: UNNAMED_BITS, judges_itself: false }
    }

    /// The same with incidents that open within a budget, as the calibration tells.
    #[must_use]
    pub fn within(mut self, budget: Budget) -> Self {
        (self.threshold, self.unnamed_bits) = (self.calibration.threshold(budget), self.calibration.unnamed_bits(budget));
        let loud = self.calibration.loud(budget);
        self.loud = loud.and_then(|loud| Class::named(loud.class).map(|class| (class, loud.threshold)));
        self
    }

    /// Knows nothing of the network, so that only what is an attack on any counts.
    #[must_use]
    pub fn of_nothing() -> Self {
        // Where nothing is known every device is new, and that says nothing.
        let mut baselines = Baselines::default();
        baselines.newcomers_per_minute = f64::INFINITY;
        let mut knowledge = Self::new(Arc::new(Vocabulary::none()), Arc::new(baselines), Calibration::default(), LIMIT_BITS);
        knowledge.judges_itself = true;
        knowledge
    }

    /// Score at which an incident of this class opens, in bits.
    #[must_use]
    pub fn threshold_of(&self, class: Class) -> f64 {
        let loud = self.loud.filter(|(loud, _)| *loud == class);
        loud.map_or(self.threshold, |(_, threshold)| threshold)
            + class.margin_bits(self.unnamed_bits, self.calibration.raised_bits)
    }

    /// Does it judge what it was not taught by?
    #[must_use]
    pub fn is_of_other_time(&self) -> bool {
        self.parts.len() == 1 && !self.judges_itself
    }

    /// The baselines for an observation seen at `at`.
    #[must_use]
    pub fn baselines(&self, at: Timestamp) -> &Baselines {
        let part = self.parts.partition_point(|(end, _)| *end <= at).min(self.parts.len() - 1);
        &self.parts[part].1
    }

    /// All that is known of a device, of whatever time.
    pub(super) fn host(&self, host: Host) -> Option<&HostBaseline> {
        self.parts.last().and_then(|(_, baselines)| baselines.host(host))
    }

    /// How an observation is to be regarded: is the strongest thing that is new about it a name, and is it merely unusual?
    pub(super) fn regard(&self, seen: &Observation, is_named: bool, is_unusual: bool) -> Regard {
        let is_scanner = self.host(seen.orig).is_some_and(scans_by_habit);
        let is_newcomer = self.baselines(seen.seen).host(seen.orig).is_none();
        Regard { is_named, is_unusual, is_scanner, is_newcomer }
    }

    /// Does a device at home ask another one there of which nothing was learned, or hardly anything?
    pub(super) fn is_of_new_server(&self, seen: &Observation) -> bool {
        let is_known = || self.baselines(seen.seen).host(seen.resp).is_some_and(|server| !server.is_hardly_known());
        seen.orig_local && seen.resp_local && !seen.is_to_group() && !is_known()
    }

    /// What is known of the ends of an observation.
    pub(super) fn ends(&self, seen: &Observation) -> Ends<'_> {
        let baselines = self.baselines(seen.seen);
        Ends { baselines, orig: baselines.host(seen.orig), resp: baselines.host(seen.resp) }
    }
}

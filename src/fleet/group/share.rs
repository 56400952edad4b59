//! What a member of a group does with its share of the partitions, wherever the messages come from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::partitions::{Partitions, Place};
use super::positions::Positions;
use crate::detect::{DetectorConfig, Knowledge};
use crate::fleet::merge::{Came, Merge, MergeConfig};
use crate::fleet::{FormError, MergeAccount};
use crate::time::Timestamp;

/// Where messages of sensors come from: a partition, or the clock.
pub type Origins = Option<u16>;

/// Some partitions: puts their messages in order, judges them, and says from where on messages are still needed.
pub struct Share {
    config: MergeConfig,
    partitions: Partitions,
    merge: Merge<(Origins, u64)>,
    positions: BTreeMap<Origins, Positions>,
}

impl Share {
    /// None of so many partitions yet.
    #[must_use]
    pub fn new(knowledge: Arc<Knowledge>, of: u16, config: MergeConfig) -> Self {
        Self {
            config,
            partitions: Partitions::new(knowledge, DetectorConfig::default(), of),
            merge: Merge::of_partitions(config, BTreeMap::new()),
            positions: BTreeMap::new(),
        }
    }

    /// Those that are owned.
    #[must_use]
    pub fn names(&self) -> BTreeSet<u16> {
        self.partitions.names()
    }

    /// Owns these partitions from now on and no others; those that are new from where their checkpoints are. Returns from which message on
    /// each place is to be read, and which checkpoints could not be: these partitions begin with the first message that there is.
    #[must_use]
    pub fn own(
        &mut self,
        share: &BTreeSet<u16>,
        checkpoints: &BTreeMap<u16, Vec<u8>>,
    ) -> (BTreeMap<Origins, u64>, Vec<(u16, FormError)>) {
        let had = self.names();
        had.difference(share).for_each(|&partition| self.partitions.leave(partition));
        let (mut begun, mut failed, mut goes_on) = (BTreeMap::new(), Vec::new(), false);
        let mut clock_from = u64::MAX;
        for &partition in share {
            let place = if let Some(positions) = self.positions.get(&Some(partition)).filter(|_| had.contains(&partition)) {
                let (flows_from, came) = positions.first();
                let through = self.partitions.through(partition);
                Place { through, flows_from, came: came.clone(), clock_from: self.clock_from() }
            } else {
                let (place, outcome) = self.partitions.own(partition, checkpoints.get(&partition).map(Vec::as_slice));
                failed.extend(outcome.err().map(|error| (partition, error)));
                place
            };
            goes_on |= place.through.is_some();
            clock_from = clock_from.min(place.clock_from);
            begun.insert(partition, (place.flows_from, place.came));
        }
        let came = begun.iter().map(|(&partition, (_, came))| (partition, came.clone())).collect();
        self.merge = Merge::of_partitions(MergeConfig { goes_on, ..self.config }, came);
        let of_partitions = begun.into_iter().map(|(partition, (from, came))| (Some(partition), Positions::from(from, came)));
        self.positions = of_partitions.collect();
        if !share.is_empty() {
            self.positions.insert(None, Positions::from(clock_from, Came::new()));
        }
        (self.positions.iter().map(|(&place, positions)| (place, positions.first().0)).collect(), failed)
    }

    /// Takes a message of a place by its number in the stream, which a server took then, at this second of the wall clock.
    pub fn take(&mut self, (place, sequence): (Origins, u64), payload: &[u8], arrival: (f64, Timestamp)) {
        let about = self.merge.take(payload, (place, sequence), arrival);
        if let Some(positions) = self.positions.get_mut(&place) {
            positions.came(sequence, about.filter(|_| place.is_some()));
        }
    }

    /// Judges what all sensors have told their time beyond, and notes what is done with.
    pub fn advance(&mut self, now_s: f64) {
        self.merge.advance(now_s, &mut self.partitions);
        self.settle();
    }

    /// Has every run that was heard said its last, did all come that it said it had published, and were as many heard as are to be, where any was?
    pub fn is_whole(&self) -> bool {
        self.merge.is_whole()
    }

    /// Nothing more comes: judges the rest.
    pub fn finish(&mut self) {
        self.merge.finish(&mut self.partitions);
        self.settle();
    }

    fn settle(&mut self) {
        for (place, sequence) in self.merge.confirm.drain(..) {
            if let Some(positions) = self.positions.get_mut(&place) {
                positions.done(sequence);
            }
        }
    }

    fn clock_from(&self) -> u64 {
        self.positions.get(&None).map_or(0, |positions| positions.first().0)
    }

    /// What the next owner of a partition goes on from; only once all findings were published.
    ///
    /// # Errors
    /// When it is too much.
    #[must_use]
    pub fn checkpoint(&self, partition: u16) -> Option<Result<Vec<u8>, FormError>> {
        self.partitions.checkpoint(partition, self.positions.get(&Some(partition))?.first(), self.clock_from())
    }

    /// Messages of what was found since the last time, with their partitions and identifiers. `is_last` says that nothing comes after it.
    pub fn messages(&mut self, group: &str, model: &str, is_last: bool) -> Vec<(u16, String, Vec<u8>)> {
        self.partitions.messages(group, model, is_last)
    }

    /// Findings that wait to be published.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.partitions.waiting()
    }

    /// Judges by other knowledge from now on.
    pub fn judge_by(&mut self, knowledge: &Arc<Knowledge>) {
        self.partitions.judge_by(knowledge);
    }

    /// What could not be read and is to be told.
    pub fn remark(&mut self) -> Option<FormError> {
        self.merge.remark.take()
    }

    /// What came since partitions moved.
    #[must_use]
    pub const fn account(&self) -> &MergeAccount {
        &self.merge.account
    }

    /// Records that were judged, once for each end's partition, and findings that found no room.
    #[must_use]
    pub const fn judged(&self) -> (u64, u64) {
        (self.partitions.records, self.partitions.lost)
    }
}

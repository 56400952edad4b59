//! A lesson in memory, and the model that it teaches.

use super::material::{InMemory, InOrder, Material, Tally};
use super::teach::{Trim, teach};
use crate::feature::Observation;
use crate::model::{Budget, ClusterError, Model, Order, Provenance, Source, TRIMMED_SHARE};
use crate::pipeline::{Consumer, Emitted};
use crate::time::Timestamp;

/// Observations kept at the most, some 330 bytes each: bounds the memory of a lesson to about 350 MB.
const MAX_OBSERVATIONS: usize = 1_000_000;

/// The observations of a part of a capture, in the order in which they were seen.
#[derive(Debug, Default)]
pub struct Lesson {
    /// What was seen.
    pub observations: Vec<Observation>,
    /// Observations beyond the first 1,000,000: the model's span ends before them.
    pub not_kept: u64,
    tally: Tally,
}

/// How a model shall be made.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// Seed of everything random.
    pub seed: u64,
    /// Incidents per day; none for the default of so many devices.
    pub budget: Option<Budget>,
    /// What is learned from.
    pub sources: Vec<Source>,
    /// Home networks, when they were named.
    pub home_nets: Vec<String>,
    /// Fingerprint of the key of the pseudonyms that are learned instead of addresses and names.
    pub pseudonyms: Option<String>,
    /// The order in which what devices have in common is learned.
    pub order: Order,
    /// Kinds of flow records, when they were made elsewhere.
    pub records: Vec<String>,
}

impl Course {
    /// The model that the material teaches.
    ///
    /// # Errors
    /// When there is too little to learn from, or it cannot be read again.
    pub fn teach<M: Material>(&self, material: &mut M) -> Result<Model, M::Error> {
        let Tally { flows, first, last, .. } = material.tally();
        let (order, home_is_named) = (self.order.clone(), !self.home_nets.is_empty());
        let taught = teach(&mut InOrder { material, order, home_is_named }, self.seed, Trim::Training)?;
        let budget = self.budget.unwrap_or_else(|| Budget::for_hosts(taught.local_hosts()));
        let provenance = Provenance {
            sources: self.sources.clone(),
            trained_from: first.to_string(),
            trained_until: last.to_string(),
            seed: self.seed,
            flows,
            trimmed_share: TRIMMED_SHARE,
            home_nets: self.home_nets.clone(),
            pseudonyms: self.pseudonyms.clone(),
            records: self.records.clone(),
            stood_out: Vec::new(),
            adapted: None,
        };
        Ok(taught.into_model(provenance, budget))
    }
}

impl Lesson {
    /// Takes an observation.
    pub fn add(&mut self, seen: Observation) {
        if self.observations.len() >= MAX_OBSERVATIONS {
            self.not_kept += 1;
            return;
        }
        self.tally.add(&seen);
        self.observations.push(seen);
    }

    /// The model that it teaches.
    ///
    /// # Errors
    /// When there is too little to learn from.
    pub fn into_model(mut self, course: &Course) -> Result<Model, ClusterError> {
        course.teach(&mut InMemory::of(&mut self.observations))
    }
}

impl Consumer for Lesson {
    fn record(&mut self, emitted: Emitted) {
        self.add(*emitted.observation);
    }

    fn tick(&mut self, _now: Timestamp) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::testing::packet;
    use crate::flow::{FlowKey, FlowLimits, FlowRecord, HomeNets, Shard};

    /// What became known of one packet that was looked at once while its flow was open, and then ended.
    fn emitted() -> Vec<Emitted> {
        let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
        let (mut shard, mut out) = (Shard::default(), Vec::<Box<FlowRecord>>::new());
        let packet = packet(1000, 1, 4000, 2, 53, 17);
        let (key, from_low) = FlowKey::of(&packet);
        shard.tick(packet.time, &limits, &mut out);
        shard.packet((key, from_low, key.hash()), &packet, &[], (&limits, &home), &mut out);
        for second in [20, 90] {
            shard.tick(Timestamp::from_parts(second, 0), &limits, &mut out);
        }
        let emit = |record: Box<FlowRecord>| {
            let observation = crate::feature::Observation::of(&record, record.end, &home);
            Emitted { record, observation: Box::new(observation), found: None }
        };
        out.into_iter().map(emit).collect()
    }

    #[test]
    fn an_early_sight_is_learned_from_and_not_counted_as_a_flow() {
        let mut lesson = Lesson::default();
        emitted().into_iter().for_each(|emitted| lesson.record(emitted));
        let at = Timestamp::from_parts(1, 0);
        assert_eq!((lesson.observations.len(), lesson.not_kept), (2, 0));
        assert_eq!(lesson.tally, Tally { observations: 2, flows: 1, first: at, last: at });
    }

    #[test]
    fn what_is_beyond_the_limit_is_counted() {
        let one = emitted().remove(0);
        let mut lesson = Lesson { observations: vec![*one.observation.clone(); MAX_OBSERVATIONS], ..Lesson::default() };
        lesson.add(*one.observation);
        assert_eq!((lesson.observations.len(), lesson.not_kept), (MAX_OBSERVATIONS, 1));
    }
}

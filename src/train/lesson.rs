//! Collects what is learned from.

use super::teach::{Trim, teach};
use crate::feature::Observation;
use crate::model::{Budget, ClusterError, Model, Provenance, Source, TRIMMED_SHARE};
use crate::pipeline::{Consumer, Emitted, Progress};
use crate::time::Timestamp;

/// Observations kept at the most, some 330 bytes each: bounds the memory of training to about 350 MB.
const MAX_OBSERVATIONS: usize = 1_000_000;

/// The observations of a capture, in the order in which they were seen.
#[derive(Debug)]
pub struct Lesson {
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
}

impl Default for Lesson {
    fn default() -> Self {
        Self { observations: Vec::new(), flows: 0, not_kept: 0, first: Timestamp::MAX, last: Timestamp::MIN }
    }
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
    /// Kinds of flow records, when they were made elsewhere.
    pub records: Vec<String>,
}

impl Lesson {
    /// Takes an observation.
    pub fn add(&mut self, seen: Observation) {
        if self.observations.len() >= MAX_OBSERVATIONS {
            self.not_kept += 1;
            return;
        }
        self.flows += u64::from(seen.is_complete());
        self.first = self.first.min(seen.start);
        self.last = self.last.max(seen.end);
        self.observations.push(seen);
    }

    /// The model that it teaches.
    ///
    /// # Errors
    /// When there is too little to learn from.
    pub fn into_model(mut self, course: &Course) -> Result<Model, ClusterError> {
        let taught = teach(&mut self.observations, course.seed, Trim::Training)?;
        let budget = course.budget.unwrap_or_else(|| Budget::for_hosts(taught.local_hosts()));
        let provenance = Provenance {
            sources: course.sources.clone(),
            trained_from: self.first.to_string(),
            trained_until: self.last.to_string(),
            seed: course.seed,
            flows: self.flows,
            trimmed_share: TRIMMED_SHARE,
            home_nets: course.home_nets.clone(),
            records: course.records.clone(),
            stood_out: Vec::new(),
            adapted: None,
        };
        Ok(taught.into_model(provenance, budget))
    }
}

/// Listens to a capture and keeps what it says.
pub struct Listener<'a> {
    /// What was kept.
    pub lesson: Lesson,
    on_progress: &'a mut dyn FnMut(Progress),
}

impl<'a> Listener<'a> {
    /// One that calls `on_progress` with the progress of reading.
    pub fn new(on_progress: &'a mut dyn FnMut(Progress)) -> Self {
        Self { lesson: Lesson::default(), on_progress }
    }
}

impl Consumer for Listener<'_> {
    fn record(&mut self, emitted: Emitted) {
        self.lesson.add(*emitted.observation);
    }

    fn tick(&mut self, _now: Timestamp) {}

    fn progress(&mut self, progress: Progress) {
        (self.on_progress)(progress);
    }
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
        emitted().into_iter().for_each(|emitted| lesson.add(*emitted.observation));
        assert_eq!((lesson.observations.len(), lesson.flows, lesson.not_kept), (2, 1, 0));
        assert_eq!((lesson.first, lesson.last), (Timestamp::from_parts(1, 0), Timestamp::from_parts(1, 0)));
    }

    #[test]
    fn what_is_beyond_the_limit_is_counted() {
        let one = emitted().remove(0);
        let mut lesson = Lesson { observations: vec![*one.observation.clone(); MAX_OBSERVATIONS], ..Lesson::default() };
        lesson.add(*one.observation);
        assert_eq!((lesson.observations.len(), lesson.not_kept), (MAX_OBSERVATIONS, 1));
    }

    #[test]
    fn progress_is_handed_on() {
        let mut read = 0;
        let mut on_progress = |progress: Progress| read = progress.read_bytes;
        Listener::new(&mut on_progress).progress(Progress { read_bytes: 7 });
        assert_eq!(read, 7);
    }
}

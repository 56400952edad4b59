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
        let mut on_progress = |_| ();
        let mut lesson = Lesson::new(&mut on_progress);
        emitted().into_iter().for_each(|emitted| lesson.record(emitted));
        assert_eq!((lesson.observations.len(), lesson.flows, lesson.not_kept), (2, 1, 0));
        assert_eq!((lesson.first, lesson.last), (Timestamp::from_parts(1, 0), Timestamp::from_parts(1, 0)));
    }

    #[test]
    fn what_is_beyond_the_limit_is_counted() {
        let mut on_progress = |_| ();
        let mut lesson = Lesson::new(&mut on_progress);
        let one = emitted().remove(0);
        lesson.observations = vec![*one.observation.clone(); MAX_OBSERVATIONS];
        lesson.record(one);
        assert_eq!((lesson.observations.len(), lesson.not_kept), (MAX_OBSERVATIONS, 1));
    }

    #[test]
    fn progress_is_handed_on() {
        let mut read = 0;
        let mut on_progress = |progress: Progress| read = progress.read_bytes;
        Lesson::new(&mut on_progress).progress(Progress { read_bytes: 7 });
        assert_eq!(read, 7);
    }
}

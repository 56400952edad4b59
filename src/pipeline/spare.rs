//! Records that nobody needs any more: workers write the next ones in their place.
//!
//! What one thread takes from the allocator and another one gives back lies all over the memory after a while, and each step through it is waited for; and what
//! is given back all at once goes to the kernel, which clears it again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::batch::{Emitted, Spent};
use crate::feature::Observation;
use crate::flow::{FlowRecord, HomeNets, Records};
use crate::model::Vocabulary;
use crate::time::Timestamp;

/// Records that are kept for all workers at the most (some 1.3 KB each); those beyond are freed.
const MOST_SPARE: usize = 4096;
/// Records that a worker takes at once, when it has none left.
const AT_ONCE: usize = 128;

/// What the consumer gave back and no worker has taken yet.
#[derive(Debug, Default)]
pub(super) struct Spares(Mutex<Vec<Spent>>);

impl Spares {
    fn lock(&self) -> MutexGuard<'_, Vec<Spent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was given back, as far as there is room; the rest is freed.
    pub(super) fn keep(&self, spent: &mut Vec<Spent>) {
        if !spent.is_empty() {
            let mut kept = self.lock();
            let room = MOST_SPARE.saturating_sub(kept.len());
            kept.extend(spent.drain(..spent.len().min(room)));
            drop(kept);
            spent.clear();
        }
    }
}

/// Records of a worker since the latest tick, and places for the next ones.
#[derive(Debug)]
pub(super) struct Fresh<'a> {
    pub records: Vec<Box<FlowRecord>>,
    /// Places of records.
    free: Vec<Box<FlowRecord>>,
    /// Places of observations.
    unseen: Vec<Box<Observation>>,
    spares: &'a Spares,
}

impl<'a> Fresh<'a> {
    pub(super) const fn new(spares: &'a Spares) -> Self {
        Self { records: Vec::new(), free: Vec::new(), unseen: Vec::new(), spares }
    }

    /// Takes some of what the consumer gave back: the latest, which the processor may still have at hand.
    #[cold]
    fn take_back(&mut self) {
        let mut kept = self.spares.lock();
        let from = kept.len().saturating_sub(AT_ONCE);
        for Spent { record, observation } in kept.drain(from..) {
            self.free.push(record);
            self.unseen.push(observation);
        }
    }

    /// The records since the latest tick and what they tell, known at `seen`.
    pub(super) fn emit(&mut self, seen: Timestamp, home: &HomeNets, vocabulary: Option<&Vocabulary>) -> Vec<Emitted> {
        let emit = |record: Box<FlowRecord>| {
            let observation = match self.unseen.pop() {
                Some(mut used) => {
                    used.renew(&record, seen, home);
                    used
                }
                None => Box::new(Observation::of(&record, seen, home)),
            };
            let found = vocabulary.map(|vocabulary| vocabulary.matches(&observation));
            Emitted { record, observation, found }
        };
        self.records.drain(..).map(emit).collect()
    }
}

impl Records for Fresh<'_> {
    fn add(&mut self, record: FlowRecord) {
        if self.free.is_empty() {
            self.take_back();
        }
        self.records.push(match self.free.pop() {
            Some(mut used) => {
                *used = record;
                used
            }
            None => Box::new(record),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::testing::packet;
    use crate::flow::{FlowKey, FlowLimits, Shard};

    fn records(fresh: &mut Fresh<'_>, client: u32) -> Vec<Emitted> {
        let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
        let (mut shard, packet) = (Shard::default(), packet(1000, client, 4000, 2, 53, 17));
        let (key, from_low) = FlowKey::of(&packet);
        shard.packet((key, from_low, key.hash()), &packet, &[], (&limits, &home), fresh);
        shard.finish(&limits, packet.time, fresh);
        fresh.emit(packet.time, &home, None)
    }

    #[test]
    fn a_record_in_the_place_of_another_is_as_if_it_were_the_first() {
        let spares = Spares::default();
        let (mut fresh, mut anew) = (Fresh::new(&spares), Fresh::new(&spares));
        let first = records(&mut fresh, 1);
        let place = std::ptr::from_ref(&*first[0].record);
        spares.keep(&mut first.into_iter().map(|Emitted { record, observation, .. }| Spent { record, observation }).collect());
        let (again, wanted) = (records(&mut fresh, 7), records(&mut anew, 7));
        assert!(std::ptr::eq(place, &*again[0].record) && again.len() == 1);
        assert_eq!(format!("{again:?}"), format!("{wanted:?}"));
    }

    #[test]
    fn what_is_beyond_the_most_is_freed() {
        let spares = Spares::default();
        let mut fresh = Fresh::new(&spares);
        let Emitted { record, observation, .. } = records(&mut fresh, 1).remove(0);
        let spent = |_| Spent { record: record.clone(), observation: observation.clone() };
        let mut all = (0..MOST_SPARE + 5).map(spent).collect();
        spares.keep(&mut all);
        assert!(all.is_empty() && spares.lock().len() == MOST_SPARE);
    }
}

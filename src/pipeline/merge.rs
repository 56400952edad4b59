//! Puts what the workers say into one order.

use std::collections::VecDeque;

use super::batch::{Emitted, Spent, Tick, Told};
use super::gate::Gate;
use super::loss::Loss;
use super::run::Consumer;
use super::spare::Spares;
use crate::flow::ShardCounters;
use crate::time::Timestamp;

/// Collects records by tick until every worker has reached it; then they are handed on sorted by (end, start, key, segment).
#[derive(Debug)]
pub(super) struct Merge<'a> {
    gate: &'a Gate,
    spares: &'a Spares,
    /// Given back since the latest tick.
    spent: Vec<Spent>,
    /// Ticks not handed on yet, the first is number `first`.
    pending: VecDeque<Tick>,
    first: usize,
    /// Ticks that each worker, and behind them the reader, has told; all that will come once it is done.
    told: Vec<usize>,
    /// The flow accounts of workers that are done.
    pub flows: ShardCounters,
    pub loss: Loss,
}

impl<'a> Merge<'a> {
    pub(super) fn new(workers: usize, (gate, spares): (&'a Gate, &'a Spares), loss_limit: f64) -> Self {
        let loss = Loss::new(loss_limit);
        let (pending, spent, flows) = (VecDeque::new(), Vec::new(), ShardCounters::default());
        Self { gate, spares, spent, pending, first: 0, told: vec![0; workers + 1], flows, loss }
    }

    pub(super) fn take(&mut self, message: Told, consumer: &mut dyn Consumer) {
        for tick in message.ticks {
            let place = self.told[message.worker] - self.first;
            self.told[message.worker] += 1;
            if place == self.pending.len() {
                self.pending.push_back(tick);
            } else {
                let pending = &mut self.pending[place];
                pending.records.extend(tick.records);
                pending.sightings.extend(tick.sightings);
                // Only the reader tells packets.
                if !tick.packets.is_empty() {
                    pending.packets = tick.packets;
                }
                pending.reading = pending.reading.or(tick.reading);
                pending.whole |= tick.whole;
            }
        }
        if let Some(flows) = message.finished {
            self.flows.add(flows);
            self.told[message.worker] = usize::MAX;
        }
        let reached = self.told.iter().copied().min().unwrap_or(0);
        while self.first < reached {
            let Some(Tick { now, records, sightings, packets, reading, whole }) = self.pending.pop_front() else { break };
            self.first += 1;
            let count = records.len();
            let packet_bytes = packets.weight();
            sightings.into_iter().for_each(|sighting| consumer.sighting(sighting));
            if !packets.is_empty() {
                consumer.packets(packets);
            }
            self.hand_on(records, consumer);
            // The parts of the end have the reading of the first.
            if let Some(condition) = reading.and_then(|reading| self.loss.tick(now, reading)) {
                consumer.condition(condition);
            }
            if whole {
                consumer.tick(now);
            }
            consumer.give_back(&mut self.spent);
            self.spares.keep(&mut self.spent);
            self.gate.handed_on(count, packet_bytes);
        }
    }
}

impl Merge<'_> {
    /// Hands records on in the order of judging.
    fn hand_on(&mut self, records: Vec<Emitted>, consumer: &mut dyn Consumer) {
        // Records lie all over the memory: they are sorted by what is read of each once, and only ties ask for more. Those that tie in
        // everything come from one shard, whose own order holds.
        let ends: Vec<Timestamp> = records.iter().map(|emitted| emitted.record.end).collect();
        let mut order = in_order(&ends);
        for ties in order.chunk_by_mut(|&a, &b| ends[a] == ends[b]).filter(|ties| ties.len() > 1) {
            ties.sort_unstable_by_key(|&place| (records[place].record.order(), place));
        }
        let mut records: Vec<Option<Emitted>> = records.into_iter().map(Some).collect();
        for (number, &place) in order.iter().enumerate() {
            if let Some(next) = order.get(number + 1).and_then(|&place| records[place].as_ref()) {
                warm(next);
            }
            if let Some(emitted) = records[place].take() {
                self.loss.record(&emitted.record);
                consumer.record(emitted);
            }
        }
    }
}

/// The places of these times in their order, of equal ones in the order of their places.
fn in_order(ends: &[Timestamp]) -> Vec<usize> {
    let first = ends.iter().min().map_or(0, |first| first.nanos());
    let since = |end: Timestamp| end.nanos().wrapping_sub(first) as u64;
    let last = ends.iter().max().map_or(0, |&last| since(last));
    let bits = usize::BITS - ends.len().leading_zeros();
    // A time and its place in one number are compared in one step.
    if last.leading_zeros() >= bits {
        let mut ranks: Vec<u64> = ends.iter().zip(0..).map(|(&end, place)| since(end) << bits | place).collect();
        ranks.sort_unstable();
        ranks.into_iter().map(|rank| (rank & !(u64::MAX << bits)) as usize).collect()
    } else {
        let mut places: Vec<usize> = (0..ends.len()).collect();
        places.sort_by_key(|&place| ends[place]);
        places
    }
}

/// Reads what is asked first of a record, which another thread wrote: so the processor waits for all of it at once, while the one before it
/// is judged.
fn warm(emitted: &Emitted) {
    let (record, seen) = (&*emitted.record, &*emitted.observation);
    std::hint::black_box((record.orig.packets, record.resp.packets, record.facts.is_some(), record.sight, record.key.low_port));
    std::hint::black_box((seen.seen, seen.orig, seen.sight, seen.service, seen.vector[0], seen.vector[20], seen.vector[40]));
}

impl Drop for Merge<'_> {
    /// Also when the consumer has panicked: the workers must come to their end.
    fn drop(&mut self) {
        self.gate.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_far_apart_are_in_the_same_order_as_near_ones() {
        let wanted = [2, 4, 0, 3, 1];
        for (near, far) in [(5, 9), (5, i64::MAX), (-5, i64::MAX)] {
            assert_eq!(in_order(&[near, far, -7, near, -7].map(Timestamp::from_nanos)), wanted);
        }
        assert_eq!(in_order(&[0, i64::MAX, i64::MIN].map(Timestamp::from_nanos)), [2, 0, 1]);
        assert_eq!(in_order(&[]), [0; 0]);
    }
}

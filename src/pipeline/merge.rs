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
        let mut order: Vec<u128> = records.iter().enumerate().map(|(place, emitted)| rank(emitted.record.end, place)).collect();
        order.sort_unstable();
        for ties in order.chunk_by_mut(|a, b| a >> 64 == b >> 64).filter(|ties| ties.len() > 1) {
            ties.sort_unstable_by_key(|&rank| (records[place(rank)].record.order(), rank));
        }
        let mut records: Vec<Option<Emitted>> = records.into_iter().map(Some).collect();
        for (number, &rank) in order.iter().enumerate() {
            if let Some(next) = order.get(number + 1).and_then(|&rank| records[place(rank)].as_ref()) {
                warm(next);
            }
            if let Some(emitted) = records[place(rank)].take() {
                self.loss.record(&emitted.record);
                consumer.record(emitted);
            }
        }
    }
}

/// The time of the last packet and the place of a record as one number of their order: it is compared in few steps, and takes half of the
/// room that both with the time of the first packet would.
const fn rank(end: Timestamp, place: usize) -> u128 {
    ((end.nanos() as u64 ^ 1 << 63) as u128) << 64 | place as u128
}

/// The place in it.
const fn place(rank: u128) -> usize {
    rank as usize
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
    fn ranks_are_in_the_order_of_the_times_and_then_of_the_places() {
        let all = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX].map(Timestamp::from_nanos);
        let pairs: Vec<_> = all.iter().flat_map(|&end| [0, 1, 70_000].map(|place| (end, place))).collect();
        assert!(pairs.is_sorted() && pairs.is_sorted_by_key(|&(end, place)| rank(end, place)));
        assert!(pairs.iter().all(|&(end, at)| place(rank(end, at)) == at));
    }
}

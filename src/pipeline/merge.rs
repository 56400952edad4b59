//! Puts what the workers say into one order.

use std::collections::VecDeque;

use super::batch::{Emitted, Tick, Told};
use super::gate::Gate;
use super::loss::Loss;
use super::run::Consumer;
use crate::flow::ShardCounters;

/// Collects records by tick until every worker has reached it; then they are handed on sorted by (end, start, key, segment).
#[derive(Debug)]
pub(super) struct Merge<'a> {
    gate: &'a Gate,
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
    pub(super) fn new(workers: usize, gate: &'a Gate, loss_limit: f64) -> Self {
        let loss = Loss::new(loss_limit);
        Self { gate, pending: VecDeque::new(), first: 0, told: vec![0; workers + 1], flows: ShardCounters::default(), loss }
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
            let Some(Tick { now, mut records, sightings, packets, reading, whole }) = self.pending.pop_front() else { break };
            self.first += 1;
            let count = records.len();
            let packet_bytes = packets.weight();
            sightings.into_iter().for_each(|sighting| consumer.sighting(sighting));
            if !packets.is_empty() {
                consumer.packets(packets);
            }
            // Stable: records that tie come from one shard, whose own order holds.
            records.sort_by_key(|emitted: &Emitted| emitted.record.order());
            records.iter().for_each(|emitted| self.loss.record(&emitted.record));
            records.into_iter().for_each(|emitted| consumer.record(emitted));
            // The parts of the end have the reading of the first.
            if let Some(condition) = reading.and_then(|reading| self.loss.tick(now, reading)) {
                consumer.condition(condition);
            }
            if whole {
                consumer.tick(now);
            }
            self.gate.handed_on(count, packet_bytes);
        }
    }
}

impl Drop for Merge<'_> {
    /// Also when the consumer has panicked: the workers must come to their end.
    fn drop(&mut self) {
        self.gate.close();
    }
}

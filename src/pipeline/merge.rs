//! Puts what the workers say into one order.

use std::collections::VecDeque;

use super::batch::{Emitted, Told};
use super::run::Consumer;
use crate::flow::ShardCounters;
use crate::time::Timestamp;

/// Collects records by tick until every worker has reached it; then they are handed on sorted by (end, start, key, segment).
#[derive(Debug)]
pub(super) struct Merge {
    /// Ticks not handed on yet, the first is number `first`.
    pending: VecDeque<(Timestamp, Vec<Emitted>)>,
    first: usize,
    /// Ticks that each worker has told.
    told: Vec<usize>,
    /// The flow accounts of workers that are done.
    pub flows: ShardCounters,
}

impl Merge {
    pub(super) fn new(workers: usize) -> Self {
        Self { pending: VecDeque::new(), first: 0, told: vec![0; workers], flows: ShardCounters::default() }
    }

    pub(super) fn take(&mut self, message: Told, consumer: &mut dyn Consumer) {
        for (now, records) in message.ticks {
            let place = self.told[message.worker] - self.first;
            self.told[message.worker] += 1;
            if place == self.pending.len() {
                self.pending.push_back((now, records));
            } else {
                self.pending[place].1.extend(records);
            }
        }
        if let Some(flows) = message.finished {
            self.flows.add(flows);
        }
        let reached = self.told.iter().copied().min().unwrap_or(0);
        while self.first < reached {
            let Some((now, mut records)) = self.pending.pop_front() else { break };
            self.first += 1;
            // Stable: records that tie come from one shard, whose own order holds.
            records.sort_by_key(|emitted| emitted.record.order());
            records.into_iter().for_each(|emitted| consumer.record(emitted));
            consumer.tick(now);
        }
    }
}

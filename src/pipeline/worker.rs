//! A worker: owns some of the logical shards and everything that is done per packet.

use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender};

use super::batch::{Batch, Emitted, Told};
use super::run::PipelineConfig;
use crate::feature::Observation;
use crate::flow::{FlowKey, FlowRecord, SHARDS, Shard, ShardCounters};
use crate::model::Vocabulary;
use crate::time::Timestamp;

pub(super) struct Worker<'a> {
    pub index: usize,
    pub config: &'a PipelineConfig,
    pub vocabulary: Option<Arc<Vocabulary>>,
    /// Shard s of the 64 is at place s / workers of worker s % workers.
    shards: Vec<Shard>,
    /// Records since the latest tick: they become known at the next.
    fresh: Vec<Box<FlowRecord>>,
    /// Time of the latest tick.
    now: Timestamp,
}

impl<'a> Worker<'a> {
    pub(super) fn new(index: usize, config: &'a PipelineConfig, vocabulary: Option<Arc<Vocabulary>>) -> Self {
        let count = (0..SHARDS).filter(|shard| shard % config.workers == index).count();
        let shards = (0..count).map(|_| Shard::default()).collect();
        Self { index, config, vocabulary, shards, fresh: Vec::new(), now: Timestamp::MIN }
    }

    /// Works until the reader hangs up; then ends every flow.
    pub(super) fn run(mut self, batches: &Receiver<Batch>, recycle: &Sender<Batch>, tell: &Sender<Told>) {
        for batch in batches {
            let ticks = self.work(&batch);
            let _ = recycle.send(batch);
            if !ticks.is_empty() && tell.send(Told { worker: self.index, ticks, finished: None }).is_err() {
                return;
            }
        }
        let mut records = std::mem::take(&mut self.fresh);
        for shard in &mut self.shards {
            shard.finish(&self.config.limits, self.now, &mut records);
        }
        let last = (self.now, self.emit(records, self.now));
        let mut counters = ShardCounters::default();
        self.shards.iter().for_each(|shard| counters.add(shard.counters()));
        let _ = tell.send(Told { worker: self.index, ticks: vec![last], finished: Some(counters) });
    }

    fn work(&mut self, batch: &Batch) -> Vec<(Timestamp, Vec<Emitted>)> {
        let mut told = Vec::with_capacity(batch.ticks.len());
        let mut ticks = batch.ticks.iter().peekable();
        for (place, item) in batch.items.iter().enumerate() {
            while let Some(&&(_, now)) = ticks.peek().filter(|&&&(before, _)| before <= place) {
                told.push(self.tick(now));
                ticks.next();
            }
            let payload = batch.block.bytes.get(item.packet.payload.start as usize..item.packet.payload.end as usize);
            let (key, from_low) = FlowKey::of(&item.packet);
            let shard = &mut self.shards[FlowKey::shard(item.hash) / self.config.workers];
            let settings = (&self.config.limits, &self.config.home);
            shard.packet((key, from_low, item.hash), &item.packet, payload.unwrap_or_default(), settings, &mut self.fresh);
        }
        ticks.for_each(|&(_, now)| told.push(self.tick(now)));
        told
    }

    fn tick(&mut self, now: Timestamp) -> (Timestamp, Vec<Emitted>) {
        self.now = now;
        let mut records = std::mem::take(&mut self.fresh);
        for shard in &mut self.shards {
            shard.tick(now, &self.config.limits, &mut records);
        }
        (now, self.emit(records, now))
    }

    fn emit(&self, records: Vec<Box<FlowRecord>>, seen: Timestamp) -> Vec<Emitted> {
        let emit = |record: Box<FlowRecord>| {
            let observation = Box::new(Observation::of(&record, seen, &self.config.home));
            let found = self.vocabulary.as_ref().map(|vocabulary| vocabulary.matches(&observation));
            Emitted { record, observation, found }
        };
        records.into_iter().map(emit).collect()
    }
}

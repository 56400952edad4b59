//! A worker: owns some of the logical shards and everything that is done per packet.

use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender};

use super::batch::{Batch, Event, Item, Place, Tick, Told};
use super::gate::Gate;
use super::run::PipelineConfig;
use super::spare::{Fresh, Spares};
use crate::flow::{FlowKey, SHARDS, Shard, ShardCounters};
use crate::model::Vocabulary;
use crate::time::{Span, Timestamp};

/// How the end of a capture is parted by the ends of the flows that are open: the last seconds finely, since a flood may have
/// filled the table in one, and what is older by the second.
const LAST_PARTS: (i64, Span) = (100, Span::from_nanos(100_000_000));
const OLDER_PARTS: i64 = 300;

/// Items of which the flows are looked for together.
const GROUP: usize = 16;

pub(super) struct Worker<'a> {
    pub index: usize,
    pub config: &'a PipelineConfig,
    pub vocabulary: Option<Arc<Vocabulary>>,
    /// Shard s of the 64 is at place s / workers of worker s % workers.
    shards: Vec<Shard>,
    /// That place: a division by what is not known ahead takes long.
    places: [u8; SHARDS],
    /// Records since the latest tick: they become known at the next.
    fresh: Fresh<'a>,
    /// Time of the latest tick.
    now: Timestamp,
    gate: &'a Gate,
    /// Ticks told.
    told: usize,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        index: usize,
        config: &'a PipelineConfig,
        vocabulary: Option<Arc<Vocabulary>>,
        (gate, spares): (&'a Gate, &'a Spares),
    ) -> Self {
        let count = (0..SHARDS).filter(|shard| shard % config.workers == index).count();
        let shards = (0..count).map(|_| Shard::default()).collect();
        let places = std::array::from_fn(|shard| (shard / config.workers) as u8);
        Self { index, config, vocabulary, shards, places, fresh: Fresh::new(spares), now: Timestamp::MIN, gate, told: 0 }
    }

    /// Works until the reader hangs up; then ends every flow.
    pub(super) fn run(mut self, batches: &Receiver<Batch>, recycle: &Sender<Batch>, tell: &Sender<Told>) {
        for batch in batches {
            let ticks = self.work(&batch);
            let _ = recycle.send(batch);
            if !ticks.is_empty() && !self.tell(ticks, tell) {
                return;
            }
        }
        self.finish(tell);
    }

    /// Hands on ticks, when there is room; says whether anybody takes them.
    fn tell(&mut self, ticks: Vec<Tick>, tell: &Sender<Told>) -> bool {
        self.gate.pass(self.told, ticks.iter().map(|tick| tick.records.len()).sum());
        self.told += ticks.len();
        tell.send(Told { worker: self.index, ticks, finished: None }).is_ok()
    }

    /// Ends every flow, in parts by the flows' ends: the records are in the same order as in one part, and the table and all
    /// its records are never in memory together. Every worker makes the same parts.
    fn finish(mut self, tell: &Sender<Told>) {
        let mut open: Vec<(Timestamp, u32, u32)> = Vec::with_capacity(self.counters().open as usize);
        for (place, shard) in (0..).zip(&self.shards) {
            open.extend(shard.ends().map(|(end, slot)| (end, place, slot)));
        }
        open.sort_unstable();
        let mut open = open.into_iter().peekable();
        let mut fresh = std::mem::take(&mut self.fresh.records);
        fresh.sort_by_key(|record| record.end);
        let mut fresh = fresh.into_iter().peekable();
        for before in parts(self.now) {
            self.fresh.records.extend(std::iter::from_fn(|| fresh.next_if(|record| record.end < before)));
            while let Some((_, place, slot)) = open.next_if(|&(end, ..)| end < before) {
                self.shards[place as usize].finish_slot(slot, &self.config.limits, self.now, &mut self.fresh);
            }
            let part = self.part(false);
            if !self.tell(vec![part], tell) {
                return;
            }
        }
        self.fresh.records.extend(fresh);
        for (_, place, slot) in open {
            self.shards[place as usize].finish_slot(slot, &self.config.limits, self.now, &mut self.fresh);
        }
        let last = self.part(true);
        let _ = tell.send(Told { worker: self.index, ticks: vec![last], finished: Some(self.counters()) });
    }

    fn counters(&self) -> ShardCounters {
        let mut counters = ShardCounters::default();
        self.shards.iter().for_each(|shard| counters.add(shard.counters()));
        counters
    }

    fn work(&mut self, batch: &Batch) -> Vec<Tick> {
        let mut told = Vec::with_capacity(batch.ticks.len());
        let mut ticks = batch.ticks.iter().peekable();
        let mut done = 0;
        let sheet = &*batch.sheet;
        for group in batch.places.chunks(GROUP) {
            let slots = self.look_ahead(group);
            for (place, slot) in group.iter().zip(slots) {
                while let Some(&(_, now)) = ticks.next_if(|&&(before, _)| before <= done) {
                    told.push(self.tick(now));
                }
                self.item(&sheet.items[place.item as usize], (place.hash, slot), &sheet.block.bytes);
                done += 1;
            }
        }
        ticks.for_each(|&(_, now)| told.push(self.tick(now)));
        told
    }

    /// Finds the flows of items and reads them, before the first is counted: so the processor waits for the memory of all at once.
    fn look_ahead(&self, places: &[Place]) -> [Option<u32>; GROUP] {
        let mut slots = [None; GROUP];
        for (slot, place) in slots.iter_mut().zip(places) {
            *slot = self.shards[self.shard(place.hash)].probable_slot(place.hash);
        }
        for (slot, place) in slots.iter().zip(places) {
            if let Some(slot) = *slot {
                self.shards[self.shard(place.hash)].warm(slot);
            }
        }
        slots
    }

    /// Takes an item whose key has this hash, and whose flow is probably in this slot.
    #[inline]
    fn item(&mut self, item: &Item, (hash, slot): (u64, Option<u32>), block: &[u8]) {
        let place = self.shard(hash);
        let shard = &mut self.shards[place];
        match item.event {
            Event::Packet { from_low } => {
                let packet = &item.packet;
                let payload = block.get(packet.payload.start as usize..packet.payload.end as usize).unwrap_or_default();
                let settings = (&self.config.limits, &self.config.home);
                shard.packet_at(slot, (&item.key, from_low, hash), (packet, payload), settings, &mut self.fresh);
            }
            Event::IcmpError { kind, code } => _ = shard.icmp_error((&item.key, hash), kind, code),
        }
    }

    /// Where the shard of a hash is.
    #[inline]
    const fn shard(&self, hash: u64) -> usize {
        self.places[FlowKey::shard(hash)] as usize
    }

    fn tick(&mut self, now: Timestamp) -> Tick {
        self.now = now;
        for shard in &mut self.shards {
            shard.tick(now, &self.config.limits, &mut self.fresh);
        }
        if let Some(gauges) = &self.config.gauges {
            gauges.renew_flows(self.index, self.counters());
        }
        self.part(true)
    }

    /// What was written since the latest tick, known now.
    fn part(&mut self, whole: bool) -> Tick {
        let records = self.fresh.emit(self.now, &self.config.home, self.vocabulary.as_deref());
        Tick::of_records(self.now, records, whole)
    }
}

/// Where the parts of the end of a capture end, in order; the last part has no end.
fn parts(now: Timestamp) -> impl Iterator<Item = Timestamp> {
    let (last, each) = LAST_PARTS;
    let back = move |nanos: i64| Timestamp::from_nanos(now.nanos().saturating_sub(nanos));
    let finely = last * each.nanos();
    let older = (0..OLDER_PARTS).map(move |n| back(finely + (OLDER_PARTS - n) * 1_000_000_000));
    older.chain((0..=last).map(move |n| back(finely - n * each.nanos())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_the_end_are_in_order_and_reach_back_beyond_the_idle_time() {
        let now = Timestamp::from_parts(1_000_000, 0);
        let parts: Vec<Timestamp> = parts(now).collect();
        assert!(parts.is_sorted_by(|a, b| a < b));
        assert_eq!(parts.first(), Some(&Timestamp::from_parts(1_000_000 - 310, 0)));
        assert_eq!(parts.last(), Some(&now));
        assert!(super::parts(Timestamp::MIN).is_sorted(), "an empty capture");
    }
}

//! What travels between threads.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

use super::loss::Reading;
use crate::capture::Block;
use crate::evidence::Slices;
use crate::feature::Observation;
use crate::flow::{FlowKey, FlowRecord, ShardCounters};
use crate::model::Match;
use crate::sighting::Sighting;
use crate::time::Timestamp;
use crate::wire::Packet;

/// What goes to the worker that owns the shard of this key.
#[derive(Debug, Default)]
pub(super) struct Item {
    pub key: FlowKey,
    pub event: Event,
    pub packet: Packet,
}

/// Where an item is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Its key's hash, by which its flow is looked for before the item itself is read.
    pub hash: u64,
    /// Its place in the sheet.
    pub item: u32,
}

/// What happens to a flow.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// The packet, from the key's low end or not. Its payload range is in the block.
    Packet { from_low: bool },
    /// An ICMP error of this type and code about a packet of it.
    IcmpError { kind: u8, code: u8 },
}

impl Default for Event {
    fn default() -> Self {
        Self::Packet { from_low: false }
    }
}

/// A block and what was read in it. Workers share it: a packet stays where it was decoded.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub block: Block,
    pub items: Items,
}

/// The items of a sheet: one for each frame, of which those that are no packets say nothing; behind them what came of several frames, or
/// beside one.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// More than are used, when the sheet was used before: what is there is written over.
    all: Vec<Item>,
    used: usize,
}

impl Items {
    /// Begins anew, with one item for each frame.
    pub(super) fn begin(&mut self, frames: usize) {
        if self.all.len() < frames {
            self.all.resize_with(frames, Item::default);
        }
        self.used = frames;
    }

    /// Adds an item; says where it is.
    pub(super) fn add(&mut self, item: Item) -> usize {
        let place = self.used;
        match self.all.get_mut(place) {
            Some(used_before) => *used_before = item,
            None => self.all.push(item),
        }
        self.used += 1;
        place
    }

    /// The items from a place on.
    pub(super) fn from(&mut self, place: usize) -> &mut [Item] {
        &mut self.all[place..]
    }
}

impl Index<usize> for Items {
    type Output = Item;

    #[inline]
    fn index(&self, place: usize) -> &Item {
        &self.all[place]
    }
}

impl IndexMut<usize> for Items {
    #[inline]
    fn index_mut(&mut self, place: usize) -> &mut Item {
        &mut self.all[place]
    }
}

/// Packets of one block for one worker, and the ticks between them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub sheet: Arc<Sheet>,
    /// Where its items are, in the capture's order.
    pub places: Vec<Place>,
    /// (Number of items before it, time) of every tick; all workers get the same ticks at the same place of the capture.
    pub ticks: Vec<(usize, Timestamp)>,
}

/// A record as a worker hands it on.
#[derive(Clone, Debug)]
pub struct Emitted {
    /// The flow, or a segment of it, or a first look at it.
    pub record: Box<FlowRecord>,
    /// The same as baselines see it.
    pub observation: Box<Observation>,
    /// The behaviour that it resembles, when there is a vocabulary.
    pub found: Option<Match>,
}

/// A record that nobody needs any more, and what was seen of it: places for others.
#[derive(Debug)]
pub struct Spent {
    /// The record.
    pub record: Box<FlowRecord>,
    /// Its observation.
    pub observation: Box<Observation>,
}

/// What became known at a tick.
#[derive(Debug)]
pub(super) struct Tick {
    pub now: Timestamp,
    pub records: Vec<Emitted>,
    /// What the reader saw of devices; empty from workers.
    pub sightings: Vec<Sighting>,
    /// What the reader keeps of packets; empty from workers.
    pub packets: Slices,
    /// What the reader has counted by then; nothing from workers.
    pub reading: Option<Reading>,
    /// Does the consumer hear of it? Not of a part of the records at the end of a capture.
    pub whole: bool,
}

impl Tick {
    /// The part of a worker.
    pub(super) fn of_records(now: Timestamp, records: Vec<Emitted>, whole: bool) -> Self {
        Self { now, records, sightings: Vec::new(), packets: Slices::default(), reading: None, whole }
    }
}

/// What a worker, or the reader, says after a batch.
#[derive(Debug)]
pub(super) struct Told {
    /// The worker's number; the reader's is the next behind the last worker's.
    pub worker: usize,
    /// For every tick of the batch, in order: its time and the records that became known at it.
    pub ticks: Vec<Tick>,
    /// The worker's flow account so far, when it is done.
    pub finished: Option<ShardCounters>,
}

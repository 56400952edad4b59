//! What travels between threads.

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
#[derive(Debug)]
pub(super) struct Item {
    pub key: FlowKey,
    /// The key's.
    pub hash: u64,
    pub event: Event,
}

impl Item {
    pub(super) fn new(key: FlowKey, event: Event) -> Self {
        Self { key, hash: key.hash(), event }
    }
}

/// What happens to a flow.
#[derive(Debug)]
pub(super) enum Event {
    /// A packet of it, from the key's low end or not. Its payload range is in the batch's block.
    Packet { from_low: bool, packet: Packet },
    /// An ICMP error of this type and code about a packet of it.
    IcmpError { kind: u8, code: u8 },
}

/// Packets of one block for one worker, and the ticks between them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub block: Arc<Block>,
    pub items: Vec<Item>,
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

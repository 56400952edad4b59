//! What the reader sees of devices, on its way to the consumer.

use crossbeam::channel::Sender;

use super::batch::{Tick, Told};
use crate::sighting::{self, Sighting};
use crate::time::Timestamp;
use crate::wire::{Frame, Packet, Skip};

/// Sightings kept between two ticks; what is beyond is counted. A network of a thousand devices has some ten a second.
const MOST_PER_TICK: usize = 4096;

/// Collects sightings by tick and tells the merge of every tick, as a worker does: so they reach the consumer at the same place
/// for any number of workers.
#[derive(Debug)]
pub(super) struct Sightings {
    tell: Sender<Told>,
    /// The reader's number among those that tell: behind the last worker.
    teller: usize,
    /// Since the latest tick.
    fresh: Vec<Sighting>,
    /// Ticks that the merge does not know of yet.
    ticks: Vec<Tick>,
    /// Sightings that were beyond the most.
    pub dropped: u64,
}

impl Sightings {
    pub(super) const fn new(tell: Sender<Told>, teller: usize) -> Self {
        Self { tell, teller, fresh: Vec::new(), ticks: Vec::new(), dropped: 0 }
    }

    /// Takes what a packet says, unless it was damaged on its way; before its payload is placed in its block.
    #[inline]
    pub(super) fn packet(&mut self, frame: &Frame<'_>, packet: &Packet) {
        if sighting::may_be(packet) && !packet.bad_checksum {
            self.keep(sighting::of_packet(frame, packet));
        }
    }

    /// Takes what a frame says that is no packet.
    #[cold]
    pub(super) fn skipped(&mut self, frame: &Frame<'_>, skip: Skip) {
        self.keep(sighting::of_skipped(frame, skip));
    }

    fn keep(&mut self, seen: Option<Sighting>) {
        match seen {
            Some(_) if self.fresh.len() >= MOST_PER_TICK => self.dropped += 1,
            seen => self.fresh.extend(seen),
        }
    }

    /// A tick: what was seen until now belongs to it.
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.ticks.push(Tick { now, records: Vec::new(), sightings: std::mem::take(&mut self.fresh), whole: true });
    }

    /// Tells the merge of the ticks so far. Comes before the workers get them, so that the reader is never the last to tell and
    /// nobody waits for it (see [`Gate`](super::gate::Gate)).
    pub(super) fn tell(&mut self) {
        if !self.ticks.is_empty() {
            // The merge ends only when this side hangs up.
            let _ = self.tell.send(Told { worker: self.teller, ticks: std::mem::take(&mut self.ticks), finished: None });
        }
    }

    /// Tells the rest: it belongs to the first part of the end.
    pub(super) fn finish(mut self, now: Timestamp) -> u64 {
        self.ticks.push(Tick { now, records: Vec::new(), sightings: std::mem::take(&mut self.fresh), whole: false });
        let ticks = std::mem::take(&mut self.ticks);
        let _ = self.tell.send(Told { worker: self.teller, ticks, finished: Some(Default::default()) });
        self.dropped
    }
}

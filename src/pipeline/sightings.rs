//! What the reader sees of devices, and what it keeps of packets where that is wanted, on its way to the consumer.

use crossbeam::channel::Sender;

use super::batch::{Tick, Told};
use super::gate::Gate;
use super::loss::Reading;
use crate::evidence::{Cut, Slice, Slices};
use crate::sighting::{self, Sighting};
use crate::time::Timestamp;
use crate::wire::{Frame, Packet, Skip};

/// Sightings kept between two ticks; what is beyond is counted. A network of a thousand devices has some ten a second.
const MOST_PER_TICK: usize = 4096;

/// Collects sightings and packets by tick and tells the merge of every tick, as a worker does: so they reach the consumer at the same place
/// for any number of workers.
#[derive(Debug)]
pub(super) struct Sightings<'a> {
    tell: Sender<Told>,
    /// The reader's number among those that tell: behind the last worker.
    teller: usize,
    /// Since the latest tick.
    fresh: Vec<Sighting>,
    /// Ticks that the merge does not know of yet.
    ticks: Vec<Tick>,
    /// Sightings that were beyond the most.
    pub dropped: u64,
    /// How much is kept of a packet, where anything is.
    cut: Option<Cut>,
    /// Packets since the latest tick.
    packets: Slices,
    /// Bytes of packets that the merge does not know of yet.
    packet_bytes: usize,
    gate: &'a Gate,
}

impl<'a> Sightings<'a> {
    pub(super) fn new((tell, teller): (Sender<Told>, usize), cut: Option<Cut>, gate: &'a Gate) -> Self {
        let (fresh, ticks, packets) = (Vec::new(), Vec::new(), Slices::default());
        Self { tell, teller, fresh, ticks, dropped: 0, cut, packets, packet_bytes: 0, gate }
    }

    /// Takes what a packet says, unless it was damaged on its way; before its payload is placed in its block.
    #[inline]
    pub(super) fn packet(&mut self, frame: &Frame<'_>, packet: &Packet) {
        if sighting::may_be(packet) && !packet.bad_checksum {
            self.keep(sighting::of_packet(frame, packet));
        }
        self.copy(frame, packet);
    }

    /// Takes a packet that another frame has brought: it tells nothing of a device, but is kept.
    #[inline]
    pub(super) fn copy(&mut self, frame: &Frame<'_>, packet: &Packet) {
        if let Some(cut) = self.cut {
            self.packets.push(&Slice::of_packet(frame, packet, cut));
        }
    }

    /// Takes what a frame says that is no packet.
    #[cold]
    pub(super) fn skipped(&mut self, frame: &Frame<'_>, skip: Skip) {
        self.keep(sighting::of_skipped(frame, skip));
        if let Some(slice) = self.cut.and_then(|cut| Slice::of_skipped(frame, skip, cut)) {
            self.packets.push(&slice);
        }
    }

    fn keep(&mut self, seen: Option<Sighting>) {
        match seen {
            Some(_) if self.fresh.len() >= MOST_PER_TICK => self.dropped += 1,
            seen => self.fresh.extend(seen),
        }
    }

    /// A tick: what was seen until now belongs to it.
    pub(super) fn tick(&mut self, now: Timestamp, reading: Reading) {
        self.end_tick(now, reading, true);
    }

    fn end_tick(&mut self, now: Timestamp, reading: Reading, whole: bool) {
        let (sightings, packets) = (std::mem::take(&mut self.fresh), std::mem::take(&mut self.packets));
        self.packet_bytes += packets.weight();
        self.ticks.push(Tick { sightings, packets, reading: Some(reading), ..Tick::of_records(now, Vec::new(), whole) });
    }

    /// Tells the merge of the ticks so far. Comes before the workers get them, so that the reader is never the last to tell and
    /// nobody waits for it (see [`Gate`](super::gate::Gate)).
    pub(super) fn tell(&mut self) {
        if !self.ticks.is_empty() {
            if self.packet_bytes > 0 {
                self.gate.pass_packets(std::mem::take(&mut self.packet_bytes));
            }
            // The merge ends only when this side hangs up.
            let _ = self.tell.send(Told { worker: self.teller, ticks: std::mem::take(&mut self.ticks), finished: None });
        }
    }

    /// Tells the rest: it belongs to the first part of the end.
    pub(super) fn finish(mut self, now: Timestamp, reading: Reading) -> u64 {
        self.end_tick(now, reading, false);
        let ticks = std::mem::take(&mut self.ticks);
        let _ = self.tell.send(Told { worker: self.teller, ticks, finished: Some(Default::default()) });
        self.dropped
    }
}

//! Reads blocks, decodes frames, deals packets out to workers, beats the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam::channel::{Receiver, Sender};

use super::accounting::Accounting;
use super::batch::{Batch, Event, Item, Items, Place, Sheet};
use super::beats::Beats;
use super::capture_clock::CaptureClock;
use super::clock::Stopwatch;
use super::loss::Reading;
use super::mirror::Mirror;
use super::run::PipelineConfig;
use super::shed::Shed;
use super::sightings::Sightings;
use crate::capture::{Block, CaptureError, Source};
use crate::flow::FlowKey;
use crate::time::{Span, Timestamp};
use crate::wire::{Checksum, Duplicates, Fragments, Frame, Packet, Print, Skip, checksum, decode_into, quoted};

/// After this many packets within a second there is a tick too, so that the records of a flood do not pile up until the next.
const PACKETS_PER_TICK: u32 = 1 << 14;
/// Frames' times are the wall clock's; when it is this far from them, it was set.
const STEP: Span = Span::from_secs(5);
/// Blocks, each in its sheet, that are kept to be filled again: as many as are under way when a worker's queue of a replay is full. A new one costs the clearing of
/// its pages.
const MOST_SPARE_SHEETS: usize = 8;
/// Seconds for what the kernel still holds when the end is asked for.
const DRAIN_S: f64 = 5.0;

/// Frames that are read together before the first of them is counted: so the processor waits for the memory of all at once.
const GROUP: usize = 16;

/// A frame that begins at `at` in its block, and whether the packet in it was read to its place: not outside the time asked for.
struct Decoded<'b> {
    frame: Frame<'b>,
    at: u32,
    read: Option<Result<(), Skip>>,
    print: Option<Print>,
}

pub(super) struct Reader<'a> {
    pub config: &'a PipelineConfig,
    pub stop: &'a AtomicBool,
    pub read_bytes: &'a AtomicU64,
    pub to_workers: Vec<Sender<Batch>>,
    pub recycled: Receiver<Batch>,
    pub accounting: Accounting,
    pub clock: CaptureClock,
    beats: Beats,
    pub errors: Vec<CaptureError>,
    sightings: Sightings<'a>,
    /// Packets since the latest tick.
    since_tick: u32,
    duplicates: Duplicates,
    mirror: Mirror,
    shed: Shed,
    fragments: Fragments,
    /// Fragments that can go on.
    fragments_out: Vec<Packet>,
    spare_sheets: Vec<Sheet>,
    spare_batches: Vec<Batch>,
    /// The second at which the source was asked last what was lost.
    told_at: Option<[Option<i64>; 2]>,
    /// How far the wall clock was set back while this listened.
    behind: Span,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        config: &'a PipelineConfig,
        (stop, read_bytes): (&'a AtomicBool, &'a AtomicU64),
        (to_workers, recycled): (Vec<Sender<Batch>>, Receiver<Batch>),
        sightings: Sightings<'a>,
    ) -> Self {
        Self {
            config,
            stop,
            read_bytes,
            to_workers,
            recycled,
            accounting: Accounting::default(),
            clock: CaptureClock::default(),
            beats: Beats::new(config.every_second),
            errors: Vec::new(),
            sightings,
            since_tick: 0,
            duplicates: Duplicates::default(),
            mirror: Mirror::default(),
            shed: Shed::default(),
            fragments: Fragments::default(),
            fragments_out: Vec::new(),
            spare_sheets: Vec::new(),
            spare_batches: Vec::new(),
            told_at: None,
            behind: Span::ZERO,
        }
    }

    /// Reads to the end, or until told to stop. Damage is noted and what was read before it is dealt out.
    pub(super) fn run(mut self, source: &mut dyn Source) -> (Accounting, Vec<CaptureError>) {
        let mut more = true;
        while more && !self.stop.load(Ordering::Relaxed) {
            let mut sheet = self.spare_sheets.pop().unwrap_or_default();
            match source.fill(&mut sheet.block) {
                Ok(goes_on) => more = goes_on,
                Err(error) => self.errors.push(error),
            }
            if let Some(gauges) = &self.config.gauges {
                gauges.has_read();
            }
            if let Some((done, _)) = source.progress() {
                self.read_bytes.store(done, Ordering::Relaxed);
            }
            self.deal_out(sheet);
            self.look(source);
            self.collect_spares();
        }
        if more {
            self.drain(source);
        }
        let mut rest = Sheet::default();
        source.rest(&mut rest.block);
        self.deal_out(rest);
        self.fragments.finish(&mut self.fragments_out);
        self.deal_out(Sheet::default());
        self.accounting.heard_by(source.interfaces());
        let reading = self.reading();
        if let Some(gauges) = &self.config.gauges {
            gauges.renew(&self.accounting, self.clock.now());
            gauges.end();
        }
        let now = self.clock.now().unwrap_or(Timestamp::MIN);
        self.accounting.sightings_dropped = self.sightings.finish(now, reading);
        (self.accounting, self.errors)
    }

    /// Once in a second of the capture's time.
    fn look(&mut self, source: &mut dyn Source) {
        // Live once in a second of the wall clock, too: nothing may have come yet, or the capture's time stand still while the clock is set back.
        let times = [self.clock.now(), self.config.idle_clock.map(|clock| clock())];
        let Some(now) = times[0].or(times[1]) else { return };
        let seconds = times.map(|time| time.map(Timestamp::seconds));
        if self.told_at.replace(seconds) == Some(seconds) {
            return;
        }
        self.accounting.heard_by(source.interfaces());
        if self.config.idle_clock.is_some() {
            self.shed.look(now, self.accounting.dropped);
        }
        if let Some(gauges) = &self.config.gauges {
            gauges.renew(&self.accounting, self.clock.now());
        }
    }

    /// Live, what came before the end was asked for is read, too.
    fn drain(&mut self, source: &mut dyn Source) {
        let (Some(wall_clock), true) = (self.config.idle_clock, self.errors.is_empty()) else { return };
        let (end, watch) = (wall_clock(), Stopwatch::start());
        while watch.seconds() < DRAIN_S {
            let mut sheet = Sheet::default();
            let goes_on = source.fill(&mut sheet.block).unwrap_or(false);
            let is_last = sheet.block.frames.last().is_none_or(|frame| frame.time >= end);
            self.deal_out(sheet);
            if is_last || !goes_on {
                return;
            }
        }
    }

    fn reading(&self) -> Reading {
        let Accounting { frames, dropped, shed, .. } = self.accounting;
        let is_deaf = self.accounting.interfaces.iter().any(|interface| interface.is_away);
        Reading { frames: frames - shed, lost: dropped + shed, is_deaf }
    }

    fn deal_out(&mut self, sheet: Sheet) {
        let workers = self.to_workers.len();
        let mut batches: Vec<Batch> = (0..workers).map(|_| self.spare_batches.pop().unwrap_or_default()).collect();
        let Sheet { block, mut items } = sheet;
        items.begin(block.frames.len());
        self.hand_on_fragments(&mut items, &mut batches);
        let latest = self.keep_pace();
        let mut group: Vec<Decoded<'_>> = Vec::with_capacity(GROUP);
        let mut place = 0;
        for spans in block.frames.chunks(GROUP) {
            for (span, item) in spans.iter().zip(items.from(place)) {
                let mut frame = block.frame(span);
                // What was stamped before the clock was set back is not moved ahead.
                frame.time = (frame.time + self.behind).min(latest);
                group.push(self.decoded(frame, span.bytes.start, &mut item.packet));
            }
            for decoded in &group {
                self.frame(decoded, place, &mut items, &mut batches);
                place += 1;
            }
            group.clear();
        }
        self.idle_tick(&block, &mut batches);
        self.sightings.tell();
        let sheet = Arc::new(Sheet { block, items });
        for (mut batch, worker) in batches.into_iter().zip(&self.to_workers) {
            if batch.places.is_empty() && batch.ticks.is_empty() {
                self.spare_batches.push(batch);
                continue;
            }
            batch.sheet = Arc::clone(&sheet);
            self.shed.was_full |= worker.is_full();
            // A worker ends only when this side hangs up.
            let _ = worker.send(batch);
        }
        self.take_back(sheet);
    }

    /// Reads a frame that begins at `at` in its block, and what is remembered of packets like it.
    #[inline]
    fn decoded<'b>(&self, frame: Frame<'b>, at: u32, packet: &mut Packet) -> Decoded<'b> {
        if self.config.from.is_some_and(|from| frame.time < from) || self.config.to.is_some_and(|to| frame.time >= to) {
            return Decoded { frame, at, read: None, print: None };
        }
        let read = decode_into(&frame, packet);
        let print = if read.is_ok() && self.config.deduplicate { Print::of(&frame, packet) } else { None };
        print.iter().for_each(|print| self.duplicates.warm(*print));
        Decoded { frame, at, read: Some(read), print }
    }

    /// Takes a frame, when it is within the time asked for. Its packet is the one of the item at `place`.
    #[inline]
    fn frame(&mut self, decoded: &Decoded<'_>, place: usize, items: &mut Items, batches: &mut [Batch]) {
        let Decoded { frame, read, print, .. } = decoded;
        self.accounting.frames += 1;
        let Some(read) = read else {
            self.accounting.outside_time += 1;
            return;
        };
        self.accounting.cut += u64::from((frame.data.len() as u64) < u64::from(frame.wire_bytes));
        if let Some(now) = self.tick(frame.time) {
            self.fragments.let_go_before(now, &mut self.fragments_out);
            self.hand_on_fragments(items, batches);
            self.beat(now, batches);
        }
        if let Err(skip) = *read {
            self.accounting.skip(frame, skip);
            self.sightings.skipped(frame, skip);
            return;
        }
        let packet = &items[place].packet;
        if self.is_left_out(*print, packet) {
            self.sightings.copy(frame, packet);
        } else if packet.fragment.is_none() && self.is_shed(packet) {
            // A later fragment has no ports yet: whether its flow is let go is seen when it has been given them.
            self.accounting.shed += 1;
        } else {
            self.packet(decoded, place, items, batches);
        }
    }

    /// Has another frame brought this packet, on a port that mirrors both ends?
    #[inline]
    fn is_left_out(&mut self, print: Option<Print>, packet: &Packet) -> bool {
        if !self.config.deduplicate {
            return false;
        }
        let is_copy = print.is_some_and(|print| self.duplicates.contains(print, packet.time));
        let is_left_out = self.mirror.leaves_out(is_copy);
        self.accounting.copies += u64::from(is_copy);
        self.accounting.duplicates += u64::from(is_left_out);
        is_left_out
    }

    #[inline]
    fn is_shed(&self, packet: &Packet) -> bool {
        !self.shed.is_idle() && self.shed.takes(self.config.key(packet).0.hash())
    }

    /// Takes the packet of the item at `place`.
    #[inline(always)]
    fn packet(&mut self, Decoded { frame, at, .. }: &Decoded<'_>, place: usize, items: &mut Items, batches: &mut [Batch]) {
        let packet = &mut items[place].packet;
        self.accounting.packets += 1;
        self.since_tick += 1;
        self.accounting.wire_bytes += u64::from(packet.wire_bytes);
        match checksum(frame, packet) {
            Checksum::Good | Checksum::Unknown => {}
            Checksum::Unfilled => self.accounting.unfilled_checksums += 1,
            Checksum::Bad => {
                self.accounting.bad_checksums += 1;
                packet.bad_checksum = true;
            }
        }
        self.sightings.packet(frame, packet);
        packet.quoted = quoted(frame, packet).map(Box::new);
        packet.payload.start += at;
        packet.payload.end += at;
        if packet.fragment.is_some() {
            self.fragments.take(std::mem::take(packet), &mut self.fragments_out);
            self.hand_on_fragments(items, batches);
        } else {
            self.hand_on(place, items, batches);
        }
    }

    /// Gives the packet of the item at `place` to the worker that owns its flow, and the error in it to the owner of the flow that it is
    /// about.
    #[inline(always)]
    fn hand_on(&self, place: usize, items: &mut Items, batches: &mut [Batch]) {
        if items[place].packet.quoted.is_some() {
            self.hand_on_error(place, items, batches);
        }
        let item = &mut items[place];
        let (key, from_low) = self.config.key(&item.packet);
        (item.key, item.event) = (key, Event::Packet { from_low });
        push(batches, key.hash(), place);
    }

    /// Gives the error in a packet to the worker of the flow that it is about.
    #[cold]
    fn hand_on_error(&self, place: usize, items: &mut Items, batches: &mut [Batch]) {
        let packet = &items[place].packet;
        if let Some(quoted) = packet.quoted.as_deref() {
            let vlans = if self.config.vlan_key { packet.vlans } else { [0; 2] };
            let key = FlowKey { vlans, ..FlowKey::of_quoted(quoted) };
            let (kind, code) = (packet.src_port as u8, packet.dst_port as u8);
            let place = items.add(Item { key, event: Event::IcmpError { kind, code }, packet: Packet::default() });
            push(batches, key.hash(), place);
        }
    }

    #[cold]
    fn hand_on_fragments(&mut self, items: &mut Items, batches: &mut [Batch]) {
        let mut packets = std::mem::take(&mut self.fragments_out);
        for packet in packets.drain(..) {
            if self.is_shed(&packet) {
                self.accounting.packets -= 1;
                self.accounting.wire_bytes -= u64::from(packet.wire_bytes);
                self.accounting.shed += 1;
                continue;
            }
            self.accounting.fragments += 1;
            self.accounting.odd_fragments += u64::from(packet.fragment.is_some_and(|fragment| fragment.odd));
            let place = items.add(Item { packet, ..Item::default() });
            self.hand_on(place, items, batches);
        }
        self.fragments_out = packets;
    }

    /// The time of a tick before a packet of this time, if there is one.
    fn tick(&mut self, at: Timestamp) -> Option<Timestamp> {
        let new_second = self.clock.advance(at);
        let tick = new_second.or_else(|| self.clock.now().filter(|_| self.since_tick >= PACKETS_PER_TICK));
        if tick.is_some() {
            self.since_tick = 0;
        }
        tick
    }

    /// Live, when nothing came for a while, the wall clock moves the time.
    fn idle_tick(&mut self, block: &Block, batches: &mut [Batch]) {
        if block.frames.is_empty()
            && let Some(wall_clock) = self.config.idle_clock
            && self.clock.now().is_some()
            && let Some(now) = self.clock.advance(wall_clock() + self.behind)
        {
            self.beat(now, batches);
        }
    }

    /// Live, looks whether the wall clock was set: when it was set back, time goes on where it was, since flows and habits would be torn
    /// otherwise; when it is set forward again, time returns to it. Gives the latest time that a frame can have.
    fn keep_pace(&mut self) -> Timestamp {
        let Some(wall_clock) = self.config.idle_clock else { return Timestamp::MAX };
        let wall = wall_clock();
        if let Some(now) = self.clock.now() {
            let off = now.since(wall + self.behind);
            if off > STEP || off.nanos() < -STEP.nanos() && self.behind > Span::ZERO {
                self.behind = (self.behind + off).max(Span::ZERO);
            }
        }
        wall + self.behind + STEP
    }

    /// All workers, and who takes sightings, get the same tick at the same place.
    fn beat(&mut self, now: Timestamp, batches: &mut [Batch]) {
        for now in self.beats.until(now) {
            batches.iter_mut().for_each(|batch| batch.ticks.push((batch.places.len(), now)));
            self.sightings.tick(now, self.reading());
        }
    }

    fn collect_spares(&mut self) {
        while let Ok(mut batch) = self.recycled.try_recv() {
            self.take_back(std::mem::take(&mut batch.sheet));
            batch.places.clear();
            batch.ticks.clear();
            self.spare_batches.push(batch);
        }
    }

    /// The last one to let go of a sheet gives it back.
    fn take_back(&mut self, sheet: Arc<Sheet>) {
        if let Some(sheet) = Arc::into_inner(sheet)
            && sheet.block.bytes.capacity() > 0
            && self.spare_sheets.len() < MOST_SPARE_SHEETS
        {
            self.spare_sheets.push(sheet);
        }
    }
}

/// Puts the item at `place`, whose key has this hash, into the batch of the worker that owns its shard.
#[inline(always)]
fn push(batches: &mut [Batch], hash: u64, place: usize) {
    // A division by what is not known ahead takes long.
    let worker = if batches.len() == 1 { 0 } else { FlowKey::shard(hash) as u32 % batches.len() as u32 };
    batches[worker as usize].places.push(Place { hash, item: place as u32 });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    /// The wall clock of the test below, in seconds.
    static WALL: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);

    /// A datagram of one conversation each second, while the wall clock goes 1000 to 1019, 400 to 419 and 1040 to 1059.
    struct SetClock(i64);

    impl Source for SetClock {
        fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
            block.clear();
            let wall = [1000, 400, 1040][self.0 as usize / 20] + self.0 % 20;
            WALL.store(wall, Ordering::Relaxed);
            block.bytes.extend([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0]);
            block.bytes.extend([0x45, 0, 0, 48, 0, self.0 as u8, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 9]);
            block.bytes.extend([0x10, 0, 0x27, 0x0f, 0, 28, 0, 0]);
            block.bytes.extend([7; 20]);
            // The first after the clock was set back was stamped before.
            let time = at(if self.0 == 20 { 1019 } else { wall });
            let bytes = 0..block.bytes.len() as u32;
            block.frames.push(crate::capture::FrameSpan {
                time,
                link: crate::wire::LinkType::ETHERNET,
                wire_bytes: bytes.end,
                bytes,
            });
            self.0 += 1;
            Ok(self.0 < 60)
        }
    }

    #[derive(Default)]
    struct Heard {
        ticks: Vec<i64>,
        flows: Vec<(i64, i64, u64)>,
    }

    impl super::super::Consumer for Heard {
        fn record(&mut self, emitted: super::super::Emitted) {
            let record = &emitted.record;
            if record.reason != crate::flow::EndReason::FirstLook {
                self.flows.push((record.start.seconds(), record.end.seconds(), record.orig.packets));
            }
        }
        fn tick(&mut self, now: Timestamp) {
            self.ticks.push(now.seconds());
        }
    }

    #[test]
    fn a_clock_that_is_set_back_tears_no_flow_and_time_returns_to_it() {
        let limits = crate::flow::FlowLimits::default().check().unwrap();
        let mut config = PipelineConfig::new(1, limits, crate::flow::HomeNets::default());
        config.idle_clock = Some(|| at(WALL.load(Ordering::Relaxed)));
        let mut heard = Heard::default();
        let (account, _) = super::super::run(&mut SetClock(0), &config, None, &mut heard, &AtomicBool::new(false));
        assert!(account.balanced() && account.packets == 60, "{account}");
        assert!(heard.ticks.is_sorted() && heard.ticks.windows(2).all(|pair| pair[1] - pair[0] <= 6), "{:?}", heard.ticks);
        assert_eq!(heard.flows, [(1000, 1059, 60)], "one conversation, and the wall clock's time again at the end");
    }
}

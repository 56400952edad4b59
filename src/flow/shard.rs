//! One logical shard of the flow table: its flows, its timers, its cap.

use std::collections::VecDeque;

use super::index::{Index, tag};
use super::limits::CheckedLimits;
use super::slots::Slots;
use super::wheel::{Timer, Wheel, timer_mark};
use super::{EndReason, Flow, FlowKey, HomeNets, Records};
use crate::time::Timestamp;
use crate::wire::Packet;

/// Bytes of messages that all flows of a shard may hold until their rest has come; 16 MiB for all shards.
const MOST_HELD_BYTES: usize = 256 << 10;

/// What a shard has counted. Flows opened = ended + evicted + open, at any moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardCounters {
    /// Flows opened.
    pub opened: u64,
    /// Flows ended by their own packets, by time or by the end of the capture.
    pub ended: u64,
    /// Flows ended because the table was full.
    pub evicted: u64,
    /// Records of segments of flows that went on.
    pub partial: u64,
    /// Flows open.
    pub open: u64,
}

impl ShardCounters {
    /// Adds another shard's.
    pub fn add(&mut self, other: Self) {
        self.opened += other.opened;
        self.ended += other.ended;
        self.evicted += other.evicted;
        self.partial += other.partial;
        self.open += other.open;
    }

    /// Does the account balance?
    #[must_use]
    pub const fn balanced(&self) -> bool {
        self.opened == self.ended + self.evicted + self.open
    }
}

/// Flows that are read together before the first of them is looked at.
const LOOK_TOGETHER: usize = 8;

#[derive(Debug)]
struct Slot {
    tag: u32,
    /// Changes when the slot is given to another flow, so that old references can be told.
    generation: u32,
    /// The time of the one timer that counts; others of this slot are outdated.
    look_at: Timestamp,
    flow: Option<Flow>,
}

impl Slot {
    /// Is this timer of it the one that counts?
    fn counts(&self, at: u32) -> bool {
        timer_mark(self.look_at) == at
    }
}

/// A part of the flow table. At most `max_flows` / 64 flows are open in it.
///
/// When it is full, the oldest flow that was never answered goes first, else the one that was quiet the longest: a flood of
/// single packets does not push out conversations.
#[derive(Debug, Default)]
pub struct Shard {
    index: Index,
    slots: Slots<Slot>,
    free: Vec<u32>,
    wheel: Wheel,
    /// Flows in the order in which they began, some of them answered or gone since.
    attempts: VecDeque<(u32, u32)>,
    /// How many of these there were when the answered and gone ones were last left out.
    attempts_left: usize,
    due: Vec<Timer>,
    /// Bytes of messages that flows hold.
    held_bytes: usize,
    counters: ShardCounters,
}

impl Shard {
    /// The slot of a flow whose key has this hash, most probably of the one that a packet with this hash belongs to.
    #[inline]
    #[must_use]
    pub fn probable_slot(&self, hash: u64) -> Option<u32> {
        self.index.find(tag(hash), |_| true)
    }

    /// Reads of the flow in this slot what its next packet changes, so that it is in the cache by then.
    #[inline]
    pub fn warm(&self, slot: u32) {
        if let Some(flow) = &self.slots[slot].flow {
            flow.warm();
        }
    }

    /// Takes a packet whose key has this hash; appends the records that it causes to `out`.
    pub fn packet(
        &mut self,
        (key, from_low, hash): (FlowKey, bool, u64),
        packet: &Packet,
        payload: &[u8],
        settings: (&CheckedLimits, &HomeNets),
        out: &mut impl Records,
    ) {
        self.packet_at(None, (&key, from_low, hash), (packet, payload), settings, out);
    }

    /// The same when it was asked before where the flow is, with the answer of [`probable_slot`](Self::probable_slot): it may have
    /// changed since.
    #[inline(always)]
    pub fn packet_at(
        &mut self,
        probable_slot: Option<u32>,
        (key, from_low, hash): (&FlowKey, bool, u64),
        (packet, payload): (&Packet, &[u8]),
        (limits, home): (&CheckedLimits, &HomeNets),
        out: &mut impl Records,
    ) {
        let going_on =
            probable_slot.filter(|&slot| self.goes_on(slot, (key, from_low), packet, limits)).map(|slot| (slot, false));
        let (slot, begins) = going_on.unwrap_or_else(|| self.begin((key, from_low, hash), packet, (limits, home), out));
        let entry = &mut self.slots[slot];
        let Some(flow) = entry.flow.as_mut() else { return };
        let is_earlier = !begins && packet.tcp.is_some() && flow.begins_after(packet.time);
        let listens = packet.payload_bytes > 0 && flow.listens();
        let held_bytes = if listens { flow.held_bytes() } else { 0 };
        flow.observe(packet, from_low, payload, listens && self.held_bytes < MOST_HELD_BYTES);
        if listens {
            self.held_bytes = self.held_bytes - held_bytes + flow.held_bytes();
        }
        // Closing brings the end nearer than the timer that is set, and so does a packet from before the first; everything else only
        // puts it off.
        if begins || (flow.is_closed() || is_earlier) && flow.next_look(limits) < entry.look_at {
            self.reschedule(slot, limits);
        }
    }

    /// Is the flow in a slot the one of this key, and does it go on with this packet, in the same segment?
    #[inline(always)]
    fn goes_on(&self, slot: u32, (key, from_low): (&FlowKey, bool), packet: &Packet, limits: &CheckedLimits) -> bool {
        let Slot { look_at, flow: Some(flow), .. } = &self.slots[slot] else { return false };
        flow.key() == key
            && flow.ended_before(packet, from_low, (limits, *look_at)).is_none()
            && !flow.segment_over(packet.time, limits)
    }

    /// The slot of a packet whose flow, or a segment of it, may begin; does one?
    #[inline(never)]
    fn begin(
        &mut self,
        (key, from_low, hash): (&FlowKey, bool, u64),
        packet: &Packet,
        (limits, home): (&CheckedLimits, &HomeNets),
        out: &mut impl Records,
    ) -> (u32, bool) {
        if let Some(found) = self.find(key, hash)
            && let Slot { look_at, flow: Some(flow), .. } = &mut self.slots[found]
        {
            let ended = flow.ended_before(packet, from_low, (limits, *look_at));
            let is_over = ended.is_none() && flow.segment_over(packet.time, limits);
            if is_over {
                out.add(flow.record(EndReason::Active));
                flow.begin_segment();
                self.counters.partial += 1;
            }
            let Some(reason) = ended else { return (found, is_over) };
            self.end(found, reason, out);
        }
        (self.open((*key, from_low, hash), packet, (limits, home), out), true)
    }

    /// Takes an ICMP error about a packet with this key and hash. Says whether such a flow is open.
    pub fn icmp_error(&mut self, (key, hash): (&FlowKey, u64), kind: u8, code: u8) -> bool {
        let slot = self.find(key, hash).and_then(|slot| self.slots[slot].flow.as_mut());
        slot.map(|flow| flow.icmp_error(kind, code)).is_some()
    }

    /// Ends what is over at `now` and takes a first look at flows that have been open for a while.
    pub fn tick(&mut self, now: Timestamp, limits: &CheckedLimits, out: &mut impl Records) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.advance(now, &mut due);
        for timers in due.chunks(LOOK_TOGETHER) {
            // Most were not looked at for a while: the processor waits for the memory of all at once.
            timers.iter().filter(|&&(slot, at)| self.slots[slot].counts(at)).for_each(|&(slot, _)| self.warm(slot));
            for &timer in timers {
                self.look(timer, now, limits, out);
            }
        }
        self.due = due;
    }

    /// Ends every flow: the capture is over.
    pub fn finish(&mut self, limits: &CheckedLimits, now: Timestamp, out: &mut impl Records) {
        for slot in 0..self.slots.len() as u32 {
            self.finish_slot(slot, limits, now, out);
        }
    }

    /// Open flows: the end that their record would have, and their slots.
    pub fn ends(&self) -> impl Iterator<Item = (Timestamp, u32)> {
        self.slots.iter().zip(0..).filter_map(|(slot, number)| Some((slot.flow.as_ref()?.end(), number)))
    }

    /// Ends the flow in a slot, if there is one: the capture is over.
    pub fn finish_slot(&mut self, slot: u32, limits: &CheckedLimits, now: Timestamp, out: &mut impl Records) {
        if let Some(flow) = self.slots.get(slot).and_then(|slot| slot.flow.as_ref()) {
            let reason = if now >= flow.deadline(limits) { flow.idle_reason() } else { EndReason::Shutdown };
            self.end(slot, reason, out);
        }
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> ShardCounters {
        self.counters
    }

    fn find(&self, key: &FlowKey, hash: u64) -> Option<u32> {
        self.index.find(tag(hash), |slot| self.is_of(slot, key))
    }

    #[inline]
    fn is_of(&self, slot: u32, key: &FlowKey) -> bool {
        self.slots[slot].flow.as_ref().is_some_and(|flow| flow.key() == key)
    }

    /// Opens a flow whose first packet is counted, and its timer set, next.
    fn open(
        &mut self,
        (key, from_low, hash): (FlowKey, bool, u64),
        packet: &Packet,
        (limits, home): (&CheckedLimits, &HomeNets),
        out: &mut impl Records,
    ) -> u32 {
        if self.index.len() >= limits.flows_per_shard {
            self.evict(limits, out);
        }
        let (tag, look_at) = (tag(hash), Timestamp::MAX);
        let slots = &mut self.slots;
        let slot = self.free.pop().unwrap_or_else(|| slots.push(Slot { tag, generation: 0, look_at, flow: None }));
        let entry = &mut self.slots[slot];
        let generation = entry.generation.wrapping_add(1);
        *entry = Slot { tag, generation, look_at, flow: Some(Flow::open(key, hash, from_low, packet, home)) };
        self.index.insert(tag, slot);
        self.attempts.push_back((slot, generation));
        if self.attempts.len() > 2 * self.attempts_left + 64 {
            self.compact_attempts();
        }
        self.counters.opened += 1;
        self.counters.open += 1;
        slot
    }

    fn end(&mut self, slot: u32, reason: EndReason, out: &mut impl Records) {
        let entry = &mut self.slots[slot];
        let Some(flow) = &mut entry.flow else { return };
        self.held_bytes -= flow.held_bytes();
        out.add(flow.last_record(reason));
        entry.flow = None;
        self.index.remove(entry.tag, slot);
        self.free.push(slot);
        self.counters.open -= 1;
        if reason == EndReason::Evicted { self.counters.evicted += 1 } else { self.counters.ended += 1 }
    }

    fn look(&mut self, (slot, at): Timer, now: Timestamp, limits: &CheckedLimits, out: &mut impl Records) {
        let entry = &mut self.slots[slot];
        let counts = entry.counts(at);
        let Some(flow) = entry.flow.as_mut().filter(|_| counts) else { return };
        let next = flow.next_look(limits);
        if now < next {
            entry.look_at = next;
            self.wheel.schedule(slot, next);
        } else if now >= flow.deadline(limits) {
            let reason = flow.idle_reason();
            self.end(slot, reason, out);
        } else {
            flow.early_record().into_iter().for_each(|record| out.add(record));
            flow.mark_looked(now);
            self.reschedule(slot, limits);
        }
    }

    fn reschedule(&mut self, slot: u32, limits: &CheckedLimits) {
        let entry = &mut self.slots[slot];
        if let Some(flow) = &entry.flow {
            entry.look_at = flow.next_look(limits);
            self.wheel.schedule(slot, entry.look_at);
        }
    }

    fn evict(&mut self, limits: &CheckedLimits, out: &mut impl Records) {
        while let Some((slot, generation)) = self.attempts.pop_front() {
            if self.is_attempt(slot, generation) {
                return self.end(slot, EndReason::Evicted, out);
            }
        }
        // Every step either ends a flow or moves a timer to where it belongs, which each flow needs at most once.
        while let Some((slot, at)) = self.wheel.pop_earliest() {
            let entry = &mut self.slots[slot];
            let Some(flow) = entry.flow.as_ref().filter(|_| entry.counts(at)) else { continue };
            let next = flow.next_look(limits);
            if next > entry.look_at {
                entry.look_at = next;
                self.wheel.schedule(slot, next);
            } else {
                return self.end(slot, EndReason::Evicted, out);
            }
        }
    }

    fn is_attempt(&self, slot: u32, generation: u32) -> bool {
        let entry = &self.slots[slot];
        entry.generation == generation && entry.flow.as_ref().is_some_and(Flow::unanswered)
    }

    fn compact_attempts(&mut self) {
        let mut attempts = std::mem::take(&mut self.attempts);
        attempts.retain(|&(slot, generation)| self.is_attempt(slot, generation));
        self.attempts_left = attempts.len();
        attempts.shrink_to(2 * self.attempts_left + 65);
        self.attempts = attempts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::stats::testing::{packet, tcp};
    use crate::flow::{FlowLimits, FlowRecord, Sight};
    use proptest::prelude::*;

    /// A shard with what it needs to be fed.
    struct Fed {
        shard: Shard,
        limits: CheckedLimits,
        home: HomeNets,
        out: Vec<Box<FlowRecord>>,
    }

    impl Fed {
        /// With room for four flows.
        fn new() -> Self {
            let limits = FlowLimits { max_flows: 256, ..FlowLimits::default() }.check().unwrap();
            Self { shard: Shard::default(), limits, home: HomeNets::default(), out: Vec::new() }
        }

        fn packet(&mut self, packet: &Packet) {
            let (key, from_low) = FlowKey::of(packet);
            self.shard.packet((key, from_low, key.hash()), packet, &[], (&self.limits, &self.home), &mut self.out);
        }

        /// A question from this client, and its answer when it gets one.
        fn look_up(&mut self, ms: i64, client: u32, answered: bool) {
            self.packet(&packet(ms, client, 4000, 99, 53, 17));
            if answered {
                self.packet(&packet(ms + 1, 99, 53, client, 4000, 17));
            }
        }

        fn tick(&mut self, ms: i64) {
            self.shard.tick(Timestamp::from_nanos(ms * 1_000_000), &self.limits, &mut self.out);
        }

        fn finish(&mut self, ms: i64) {
            self.shard.finish(&self.limits, Timestamp::from_nanos(ms * 1_000_000), &mut self.out);
        }

        /// Reasons of the records so far, and whose they are.
        fn told(&self) -> Vec<(EndReason, u32)> {
            self.out.iter().map(|record| (record.reason, record.orig_addr().bits() as u32)).collect()
        }
    }

    #[test]
    fn a_flow_ends_when_its_time_is_over_and_not_when_someone_looks() {
        let mut fed = Fed::new();
        fed.tick(0);
        fed.look_up(0, 1, true);
        fed.tick(59_000);
        assert!(fed.out.iter().all(|record| record.reason == EndReason::FirstLook));
        fed.tick(70_000);
        assert_eq!(fed.told().last(), Some(&(EndReason::Idle, 1)));
        assert_eq!(fed.shard.counters(), ShardCounters { opened: 1, ended: 1, ..ShardCounters::default() });
    }

    #[test]
    fn a_packet_in_time_keeps_the_flow_however_late_the_tick() {
        let mut fed = Fed::new();
        fed.look_up(0, 1, true);
        fed.look_up(59_000, 1, true);
        fed.look_up(118_000, 1, true);
        fed.finish(118_000);
        assert_eq!(fed.told(), [(EndReason::Shutdown, 1)]);
        assert_eq!((fed.out[0].orig.packets, fed.out[0].resp.packets), (3, 3));
    }

    #[test]
    fn a_packet_too_late_opens_another_flow_without_any_tick() {
        let mut fed = Fed::new();
        fed.look_up(0, 1, true);
        fed.look_up(60_001, 1, false);
        fed.finish(60_001);
        assert_eq!(fed.told(), [(EndReason::Idle, 1), (EndReason::Shutdown, 1)]);
        assert_ne!(fed.out[0].id, fed.out[1].id);
    }

    #[test]
    fn an_open_flow_is_looked_at_once_and_again_where_it_has_moved_much() {
        let looked_at = |payload_bytes: u32| {
            let mut fed = Fed::new();
            for ms in (0..80_000).step_by(1000) {
                fed.packet(&Packet { payload_bytes, ..packet(ms, 1, 4000, 99, 53, 17) });
                fed.tick(ms + 500);
            }
            fed.finish(80_000);
            fed.out.iter().map(|record| record.sight).collect::<Vec<_>>()
        };
        assert_eq!(looked_at(1000), [Sight::Early, Sight::Again]);
        assert_eq!(looked_at(2000), [Sight::Early, Sight::Between, Sight::Again]);
    }

    #[test]
    fn a_flow_that_ends_before_its_first_look_is_seen_whole() {
        let mut fed = Fed::new();
        fed.look_up(0, 1, true);
        fed.finish(1000);
        assert_eq!(fed.out[0].sight, Sight::Whole);
    }

    #[test]
    fn a_full_table_gives_up_attempts_before_conversations() {
        let mut fed = Fed::new();
        fed.look_up(0, 1, true);
        fed.look_up(1, 2, false);
        fed.look_up(2, 3, true);
        fed.look_up(3, 4, false);
        fed.look_up(4, 5, true);
        fed.look_up(5, 6, true);
        assert_eq!(fed.told(), [(EndReason::Evicted, 2), (EndReason::Evicted, 4)], "the oldest attempt first");
        let counters = fed.shard.counters();
        assert_eq!((counters.opened, counters.evicted, counters.open), (6, 2, 4));
    }

    #[test]
    fn a_table_full_of_conversations_gives_up_one() {
        let mut fed = Fed::new();
        fed.tick(0);
        for client in 1..=9 {
            fed.look_up(i64::from(client) * 2000, client, true);
        }
        let counters = fed.shard.counters();
        assert_eq!((counters.opened, counters.evicted, counters.open), (9, 5, 4));
        assert!(counters.balanced());
    }

    #[test]
    fn a_reset_brings_the_end_nearer() {
        let mut fed = Fed::new();
        fed.tick(0);
        fed.packet(&tcp(packet(0, 1, 4000, 2, 80, 6), 100, 0, 0x02));
        fed.packet(&tcp(packet(10, 2, 80, 1, 4000, 6), 0, 101, 0x14));
        fed.tick(12_000);
        assert_eq!(fed.told(), [(EndReason::Closed, 1)], "300 s before, 10 s after the reset");
    }

    proptest! {
        /// Whatever comes in whatever order: the account balances, the cap holds, and every packet is in one record.
        #[test]
        fn every_packet_is_in_a_record(steps in prop::collection::vec((0_i64..400_000, 1_u32..12, 0_u8..64, any::<bool>(), any::<bool>()), 1..200)) {
            let mut fed = Fed::new();
            let mut latest = 0;
            for &(ms, client, flags, back, sorted) in &steps {
                // Times leap to and fro in an unsorted capture; the clock never goes back.
                let at = if sorted { latest + ms / 100 } else { ms };
                latest = latest.max(at);
                let bare = if back { packet(at, 99, 80, client, 4000, 6) } else { packet(at, client, 4000, 99, 80, 6) };
                fed.packet(&tcp(bare, ms as u32, 0, flags));
                if flags % 3 == 0 {
                    fed.tick(latest);
                }
                let counters = fed.shard.counters();
                prop_assert!(counters.balanced() && counters.open <= 4, "{counters:?}");
            }
            fed.finish(latest);
            let counters = fed.shard.counters();
            prop_assert!(counters.balanced() && counters.open == 0, "{counters:?}");
            let written = fed.out.iter().filter(|record| record.reason != EndReason::FirstLook);
            prop_assert_eq!(written.map(|record| record.orig.packets + record.resp.packets).sum::<u64>(), steps.len() as u64);
        }
    }
}

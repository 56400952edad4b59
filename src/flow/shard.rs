//! One logical shard of the flow table: its flows, its timers, its cap.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::limits::CheckedLimits;
use super::wheel::{Timer, Wheel};
use super::{EndReason, Flow, FlowKey, FlowRecord, HomeNets};
use crate::time::Timestamp;
use crate::wire::Packet;

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

#[derive(Debug)]
struct Slot {
    hash: u64,
    /// Changes when the slot is given to another flow, so that old references can be told.
    generation: u32,
    /// The time of the one timer that counts; others of this slot are outdated.
    look_at: Timestamp,
    flow: Option<Flow>,
}

/// A part of the flow table. At most `max_flows` / 64 flows are open in it.
///
/// When it is full, the oldest flow that was never answered goes first, else the one that was quiet the longest: a flood of
/// single packets does not push out conversations.
#[derive(Debug)]
pub struct Shard {
    index: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    wheel: Wheel,
    /// Flows in the order in which they began, some of them answered or gone since.
    attempts: VecDeque<(u32, u32)>,
    due: Vec<Timer>,
    counters: ShardCounters,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            wheel: Wheel::default(),
            attempts: VecDeque::new(),
            due: Vec::new(),
            counters: ShardCounters::default(),
        }
    }
}

impl Shard {
    /// Takes a packet whose key has this hash; appends the records that it causes to `out`.
    pub fn packet(
        &mut self,
        (key, from_low, hash): (FlowKey, bool, u64),
        packet: &Packet,
        payload: &[u8],
        (limits, home): (&CheckedLimits, &HomeNets),
        out: &mut Vec<Box<FlowRecord>>,
    ) {
        let mut slot = self.find(&key, hash);
        if let Some(found) = slot
            && let Some(flow) = self.slots[found as usize].flow.as_mut()
        {
            if let Some(reason) = flow.ended_before(packet, from_low, limits) {
                self.end(found, reason, out);
                slot = None;
            } else if flow.segment_over(packet.time, limits) {
                out.push(Box::new(flow.record(EndReason::Active)));
                flow.begin_segment(packet.time);
                self.counters.partial += 1;
                self.reschedule(found, limits);
            }
        }
        let slot = slot.unwrap_or_else(|| self.open((key, from_low, hash), packet, (limits, home), out));
        let Some(flow) = self.slots[slot as usize].flow.as_mut() else { return };
        flow.observe(packet, from_low, payload);
        // Closing brings the end nearer than the timer that is set; everything else only puts it off.
        if packet.tcp.is_some() && flow.next_look(limits) < self.slots[slot as usize].look_at {
            self.reschedule(slot, limits);
        }
    }

    /// Ends what is over at `now` and takes a first look at flows that have been open for a while.
    pub fn tick(&mut self, now: Timestamp, limits: &CheckedLimits, out: &mut Vec<Box<FlowRecord>>) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.advance(now, &mut due);
        for &timer in &due {
            self.look(timer, now, limits, out);
        }
        self.due = due;
        while let Some(&(slot, generation)) = self.attempts.front()
            && !self.is_attempt(slot, generation)
        {
            self.attempts.pop_front();
        }
    }

    /// Ends every flow: the capture is over.
    pub fn finish(&mut self, limits: &CheckedLimits, now: Timestamp, out: &mut Vec<Box<FlowRecord>>) {
        for slot in 0..self.slots.len() as u32 {
            if let Some(flow) = &self.slots[slot as usize].flow {
                let reason = if now >= flow.deadline(limits) { flow.idle_reason() } else { EndReason::Shutdown };
                self.end(slot, reason, out);
            }
        }
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> ShardCounters {
        self.counters
    }

    fn find(&self, key: &FlowKey, hash: u64) -> Option<u32> {
        let is_it = |&slot: &u32| self.slots[slot as usize].flow.as_ref().is_some_and(|flow| flow.key() == key);
        self.index.find(hash, is_it).copied()
    }

    fn open(
        &mut self,
        (key, from_low, hash): (FlowKey, bool, u64),
        packet: &Packet,
        (limits, home): (&CheckedLimits, &HomeNets),
        out: &mut Vec<Box<FlowRecord>>,
    ) -> u32 {
        if self.index.len() >= limits.flows_per_shard {
            self.evict(limits, out);
        }
        let flow = Flow::open(key, hash, from_low, packet, home);
        let look_at = flow.next_look(limits);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { hash, generation: 0, look_at, flow: None });
            self.slots.len() as u32 - 1
        });
        let entry = &mut self.slots[slot as usize];
        let generation = entry.generation.wrapping_add(1);
        *entry = Slot { hash, generation, look_at, flow: Some(flow) };
        let slots = &self.slots;
        self.index.insert_unique(hash, slot, |&slot| slots[slot as usize].hash);
        self.wheel.schedule(slot, look_at);
        self.attempts.push_back((slot, generation));
        if self.attempts.len() > 2 * self.index.len() + 64 {
            self.compact_attempts();
        }
        self.counters.opened += 1;
        self.counters.open += 1;
        slot
    }

    fn end(&mut self, slot: u32, reason: EndReason, out: &mut Vec<Box<FlowRecord>>) {
        let entry = &mut self.slots[slot as usize];
        let Some(flow) = entry.flow.take() else { return };
        if let Ok(found) = self.index.find_entry(entry.hash, |&other| other == slot) {
            found.remove();
        }
        self.free.push(slot);
        out.push(Box::new(flow.record(reason)));
        self.counters.open -= 1;
        if reason == EndReason::Evicted { self.counters.evicted += 1 } else { self.counters.ended += 1 }
    }

    fn look(&mut self, (slot, at): Timer, now: Timestamp, limits: &CheckedLimits, out: &mut Vec<Box<FlowRecord>>) {
        let entry = &mut self.slots[slot as usize];
        let Some(flow) = entry.flow.as_mut().filter(|_| entry.look_at == at) else { return };
        let next = flow.next_look(limits);
        if now < next {
            entry.look_at = next;
            self.wheel.schedule(slot, next);
        } else if now >= flow.deadline(limits) {
            let reason = flow.idle_reason();
            self.end(slot, reason, out);
        } else {
            out.push(Box::new(flow.record(EndReason::FirstLook)));
            flow.mark_looked(now);
            self.reschedule(slot, limits);
        }
    }

    fn reschedule(&mut self, slot: u32, limits: &CheckedLimits) {
        let entry = &mut self.slots[slot as usize];
        if let Some(flow) = &entry.flow {
            entry.look_at = flow.next_look(limits);
            self.wheel.schedule(slot, entry.look_at);
        }
    }

    fn evict(&mut self, limits: &CheckedLimits, out: &mut Vec<Box<FlowRecord>>) {
        while let Some((slot, generation)) = self.attempts.pop_front() {
            if self.is_attempt(slot, generation) {
                return self.end(slot, EndReason::Evicted, out);
            }
        }
        // Every step either ends a flow or moves a timer to where it belongs, which each flow needs at most once.
        while let Some((slot, at)) = self.wheel.pop_earliest() {
            let entry = &mut self.slots[slot as usize];
            let Some(flow) = entry.flow.as_ref().filter(|_| entry.look_at == at) else { continue };
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
        let entry = &self.slots[slot as usize];
        entry.generation == generation && entry.flow.as_ref().is_some_and(Flow::unanswered)
    }

    fn compact_attempts(&mut self) {
        let attempts = std::mem::take(&mut self.attempts);
        self.attempts = attempts.into_iter().filter(|&(slot, generation)| self.is_attempt(slot, generation)).collect();
    }
}

//! An open flow in the table.

use super::limits::CheckedLimits;
use super::{ConnState, DirectionBasis, EndReason, FIRST_SIZES, FlowKey, FlowRecord, HomeNets, SideStats, Sight, TcpTracker};
use crate::app::{AppState, Ports, Side};
use crate::time::{Span, Timestamp};
use crate::wire::Packet;

/// A conversation under way and what has been counted of it.
#[derive(Clone, Debug)]
pub struct Flow {
    key: FlowKey,
    id: u64,
    orig_is_low: bool,
    direction: DirectionBasis,
    under_way: bool,
    fragmented: bool,
    looked_at: Option<Timestamp>,
    segment: u32,
    /// First packet of the segment.
    start: Timestamp,
    /// Latest packet of the flow.
    last: Timestamp,
    orig: SideStats,
    resp: SideStats,
    turns: u32,
    last_data_from_orig: Option<bool>,
    first_sizes: [i16; FIRST_SIZES],
    first_sizes_len: u8,
    tcp: TcpTracker,
    app: AppState,
    macs: [[u8; 6]; 2],
    vlans: [u16; 2],
}

impl Flow {
    /// A flow that begins with this packet; the packet is not counted yet.
    #[must_use]
    pub fn open(key: FlowKey, hash: u64, from_low: bool, first: &Packet, home: &HomeNets) -> Self {
        let (sender_is_orig, direction) = DirectionBasis::decide(first, home);
        let macs = if sender_is_orig { [first.src_mac, first.dst_mac] } else { [first.dst_mac, first.src_mac] };
        Self {
            key,
            id: flow_id(hash, first.time),
            orig_is_low: from_low == sender_is_orig,
            direction,
            under_way: first.tcp.is_some() && direction != DirectionBasis::Syn,
            fragmented: false,
            looked_at: None,
            segment: 0,
            start: first.time,
            last: first.time,
            orig: SideStats::default(),
            resp: SideStats::default(),
            turns: 0,
            last_data_from_orig: None,
            first_sizes: [0; FIRST_SIZES],
            first_sizes_len: 0,
            tcp: TcpTracker::default(),
            app: AppState::default(),
            macs,
            vlans: first.vlans,
        }
    }

    /// Counts a packet. `payload` is its captured payload.
    pub fn observe(&mut self, packet: &Packet, from_low: bool, payload: &[u8]) {
        let from_orig = from_low == self.orig_is_low;
        // An unsorted capture may bring a packet from before the first.
        self.start = self.start.min(packet.time);
        self.last = self.last.max(packet.time);
        self.fragmented |= packet.fragment;
        let side = if from_orig { &mut self.orig } else { &mut self.resp };
        side.observe(packet);
        if let Some(tcp) = packet.tcp {
            let sequence = self.tcp.observe(packet, tcp, from_orig);
            side.observe_tcp(tcp.flags, tcp.window, sequence);
        }
        if packet.payload_bytes > 0 {
            self.observe_data(packet.payload_bytes, from_orig, payload);
        }
    }

    fn observe_data(&mut self, bytes: u32, from_orig: bool, payload: &[u8]) {
        if self.last_data_from_orig.is_some_and(|last| last != from_orig) {
            self.turns += 1;
        }
        self.last_data_from_orig = Some(from_orig);
        if let Some(size) = self.first_sizes.get_mut(usize::from(self.first_sizes_len)) {
            let magnitude = i16::try_from(bytes).unwrap_or(i16::MAX);
            *size = if from_orig { magnitude } else { -magnitude };
            self.first_sizes_len += 1;
        }
        if self.app.wants_more() {
            let side = if from_orig { Side::Orig } else { Side::Resp };
            self.app.observe(self.ports(), side, payload, bytes);
        }
    }

    const fn ports(&self) -> Ports {
        let (orig, resp) =
            if self.orig_is_low { (self.key.low_port, self.key.high_port) } else { (self.key.high_port, self.key.low_port) };
        Ports { protocol: self.key.protocol, orig, resp }
    }

    /// The flow's key.
    #[must_use]
    pub const fn key(&self) -> &FlowKey {
        &self.key
    }

    /// Has only one side been heard?
    #[must_use]
    pub const fn unanswered(&self) -> bool {
        self.segment == 0 && (self.orig.packets == 0 || self.resp.packets == 0)
    }

    /// How long it may go without a packet.
    #[must_use]
    pub fn idle_timeout(&self, limits: &CheckedLimits) -> Span {
        match self.key.protocol {
            6 if self.tcp.closed() => limits.closed,
            6 => limits.tcp_idle,
            17 => limits.udp_idle,
            _ => limits.other_idle,
        }
    }

    /// The moment at which it ends if no packet comes.
    #[must_use]
    pub fn deadline(&self, limits: &CheckedLimits) -> Timestamp {
        self.last + self.idle_timeout(limits)
    }

    /// The moment at which the table must look at it next.
    #[must_use]
    pub fn next_look(&self, limits: &CheckedLimits) -> Timestamp {
        let deadline = self.deadline(limits);
        if self.looked_at.is_some() { deadline } else { deadline.min(self.start + limits.first_look) }
    }

    /// Why a packet cannot belong to this flow any more, if so.
    #[must_use]
    pub fn ended_before(&self, packet: &Packet, from_low: bool, limits: &CheckedLimits) -> Option<EndReason> {
        if packet.time >= self.deadline(limits) {
            return Some(self.idle_reason());
        }
        let new = packet.tcp.is_some_and(|tcp| self.tcp.is_new_connection(tcp, from_low == self.orig_is_low));
        new.then_some(EndReason::Reused)
    }

    /// Why it ends when its time without a packet is over.
    #[must_use]
    pub const fn idle_reason(&self) -> EndReason {
        if self.tcp.closed() { EndReason::Closed } else { EndReason::Idle }
    }

    /// Is the active time over at this packet?
    #[must_use]
    pub fn segment_over(&self, now: Timestamp, limits: &CheckedLimits) -> bool {
        now >= self.start + limits.active
    }

    /// The record of the current segment.
    #[must_use]
    pub fn record(&self, reason: EndReason) -> FlowRecord {
        let sight = match (reason, self.looked_at.is_some()) {
            (EndReason::FirstLook, _) => Sight::Early,
            (_, true) => Sight::Again,
            (_, false) => Sight::Whole,
        };
        let heard = self.orig.packets > 0 && self.resp.packets > 0;
        FlowRecord {
            key: self.key,
            orig_is_low: self.orig_is_low,
            id: self.id,
            segment: self.segment,
            reason,
            sight,
            looked_at: self.looked_at,
            direction: self.direction,
            state: if self.key.protocol == 6 { self.tcp.state() } else { ConnState::Oth },
            under_way: self.under_way,
            fragmented: self.fragmented,
            start: self.start,
            end: self.orig.last.max(self.resp.last).max(self.start),
            orig: self.orig.clone(),
            resp: self.resp.clone(),
            turns: self.turns,
            first_sizes: self.first_sizes,
            response_delay: heard.then(|| self.resp.first.since(self.orig.first)),
            app: self.app.app(self.ports()),
            facts: self.app.facts().cloned().map(Box::new),
            macs: self.macs,
            vlans: self.vlans,
        }
    }

    /// Remembers that the flow was looked at while open, at the tick `now`.
    pub fn mark_looked(&mut self, now: Timestamp) {
        self.looked_at = Some(now);
    }

    /// Begins the next segment at `start`.
    pub fn begin_segment(&mut self, start: Timestamp) {
        self.segment += 1;
        self.start = start;
        self.looked_at = None;
        self.turns = 0;
        self.orig = SideStats::default();
        self.resp = SideStats::default();
    }
}

/// An identifier from the key's hash and the first packet's time, 53 bits.
fn flow_id(hash: u64, first: Timestamp) -> u64 {
    let mixed = (hash ^ (first.nanos() as u64).rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 32)) >> 11
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_the_memory_that_the_limits_promise() {
        assert!(size_of::<Flow>() <= 512, "{} bytes", size_of::<Flow>());
    }
}

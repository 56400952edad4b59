//! An open flow in the table.

use super::limits::CheckedLimits;
use super::tally::{Tally, Trouble};
use super::tcp::Sequence;
use super::{
    ConnState, DirectionBasis, EndReason, FIRST_SIZES, FlowKey, FlowRecord, Fragments, History, HomeNets, IcmpError, SideStats,
    Sight, TcpTracker,
};
use crate::app::{App, AppState, Basis, Events, Facts, Payload, Ports, Side};
use crate::time::{Span, Timestamp};
use crate::wire::{Packet, Quoted, Tunnel};

const TCP: u8 = 6;

/// No tick is as early: an `Option` would cost eight bytes in every flow.
const NOT_LOOKED: Timestamp = Timestamp::MIN;
/// A flow that has moved so many bytes by its second look is judged again while it is open: what floods or carries off data need not end first.
const MUCH_BYTES: u64 = 100_000;

/// So have one with so many events of a kind: logins that failed, files that were changed.
const MANY_EVENTS: u32 = 8;

/// A conversation under way and what has been counted of it.
#[derive(Clone, Debug)]
pub struct Flow {
    key: FlowKey,
    id: u64,
    orig_is_low: bool,
    direction: DirectionBasis,
    under_way: bool,
    /// The tick of the first look at this segment; [`NOT_LOOKED`] before.
    looked_at: Timestamp,
    /// Was the second look taken, too?
    looked_twice: bool,
    segment: u32,
    orig: Tally,
    resp: Tally,
    turns: u32,
    last_data_from_orig: Option<bool>,
    first_sizes: [i16; FIRST_SIZES],
    first_sizes_len: u8,
    tcp: TcpTracker,
    app: AppState,
    macs: [[u8; 6]; 2],
    vlans: [u16; 2],
    rare: Option<Box<Rare>>,
}

/// What few flows have.
#[derive(Clone, Debug, Default)]
struct Rare {
    fragments: Fragments,
    icmp_error: Option<IcmpError>,
    quoted: Option<Box<Quoted>>,
    tunnel: Option<Box<Tunnel>>,
    /// Of this segment, of initiator and responder.
    trouble: [Trouble; 2],
}

impl Rare {
    fn of(first: &Packet) -> Option<Box<Self>> {
        let (quoted, tunnel) = (first.quoted.clone(), first.tunnel.clone());
        (quoted.is_some() || tunnel.is_some()).then(|| Box::new(Self { quoted, tunnel, ..Self::default() }))
    }
}

impl Flow {
    /// A flow that begins with this packet; the packet is not counted yet.
    #[must_use]
    pub fn open(key: FlowKey, hash: u64, from_low: bool, first: &Packet, home: &HomeNets) -> Self {
        let (sender_is_orig, direction) = DirectionBasis::decide(first, home);
        let macs = if sender_is_orig { [first.src_mac, first.dst_mac] } else { [first.dst_mac, first.src_mac] };
        let mut tcp = TcpTracker::default();
        if !sender_is_orig {
            tcp.flipped();
        }
        Self {
            key,
            id: flow_id(hash, first.time),
            orig_is_low: from_low == sender_is_orig,
            direction,
            under_way: first.tcp.is_some() && direction != DirectionBasis::Syn,
            looked_at: NOT_LOOKED,
            looked_twice: false,
            segment: 0,
            orig: Tally::default(),
            resp: Tally::default(),
            turns: 0,
            last_data_from_orig: None,
            first_sizes: [0; FIRST_SIZES],
            first_sizes_len: 0,
            tcp,
            app: AppState::default(),
            macs,
            vlans: first.vlans,
            rare: Rare::of(first),
        }
    }

    /// Counts a packet. `payload` is its captured payload; `may_hold` says whether there is room to hold the start of a message
    /// of its application.
    #[inline(always)]
    pub fn observe(&mut self, packet: &Packet, from_low: bool, payload: &[u8], may_hold: bool) {
        let from_orig = from_low == self.orig_is_low;
        if let Some(fragment) = packet.fragment {
            self.rare.get_or_insert_default().fragments.count(fragment);
        }
        let side = if from_orig { &mut self.orig } else { &mut self.resp };
        side.observe(packet);
        let mut sequence = Sequence::default();
        if let Some(tcp) = packet.tcp {
            sequence = self.tcp.observe(packet, tcp, from_orig);
            side.observe_flags(tcp.flags);
            if sequence != Sequence::default() {
                self.rare.get_or_insert_default().trouble[usize::from(!from_orig)].observe(sequence);
            }
        } else if self.key.protocol == TCP {
            self.tcp.observe_fragment(packet.payload_bytes, from_orig);
        }
        if packet.payload_bytes > 0 {
            self.observe_data(packet.payload_bytes, from_orig);
            if self.app.wants_more() && !sequence.retransmitted {
                let side = if from_orig { Side::Orig } else { Side::Resp };
                let payload = Payload {
                    missing_bytes: sequence.missing_bytes,
                    late: sequence.out_of_order,
                    may_hold,
                    ..Payload::new(side, payload, packet.payload_bytes)
                };
                self.app.observe(self.ports(), &payload);
            }
        }
    }

    fn observe_data(&mut self, bytes: u32, from_orig: bool) {
        if self.last_data_from_orig.is_some_and(|last| last != from_orig) {
            self.turns += 1;
        }
        self.last_data_from_orig = Some(from_orig);
        if let Some(size) = self.first_sizes.get_mut(usize::from(self.first_sizes_len)) {
            let magnitude = i16::try_from(bytes).unwrap_or(i16::MAX);
            *size = if from_orig { magnitude } else { -magnitude };
            self.first_sizes_len += 1;
        }
    }

    /// Reads what a packet changes.
    #[inline]
    pub(super) fn warm(&self) {
        let Self { key, orig, resp, tcp, app, first_sizes_len, .. } = self;
        let own = u64::from(key.low_port) ^ u64::from(app.wants_more()) ^ u64::from(*first_sizes_len);
        // One number: each that is shown to the compiler costs a write.
        std::hint::black_box(own ^ orig.touch() ^ resp.touch() ^ tcp.touch());
    }

    /// Is it a TCP connection that is over, but for late packets?
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.key.protocol == TCP && self.tcp.closed()
    }

    /// The first packet of the current segment. In an unsorted capture it may be one that came later.
    fn start(&self) -> Timestamp {
        self.orig.first().min(self.resp.first())
    }

    /// Is its first packet later than this?
    #[must_use]
    pub fn begins_after(&self, time: Timestamp) -> bool {
        self.start() > time
    }

    /// Does its application look at payloads?
    #[must_use]
    pub const fn listens(&self) -> bool {
        self.app.wants_more()
    }

    /// Bytes of messages that the application holds until their rest has come.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.app.held_bytes()
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
        self.segment == 0 && (self.orig.is_silent() || self.resp.is_silent())
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
        self.end() + self.idle_timeout(limits)
    }

    fn looked_at(&self) -> Option<Timestamp> {
        (self.looked_at != NOT_LOOKED).then_some(self.looked_at)
    }

    /// The moment at which the table must look at it next.
    #[must_use]
    pub fn next_look(&self, limits: &CheckedLimits) -> Timestamp {
        let deadline = self.deadline(limits);
        match (self.looked_at().is_some(), self.looked_twice) {
            (false, _) => deadline.min(self.start() + limits.first_look),
            (true, false) => deadline.min(self.start() + limits.second_look),
            (true, true) => deadline,
        }
    }

    /// Why a packet cannot belong to this flow any more, if so. Before `look_at`, which is no later than its deadline, that need not be
    /// worked out.
    #[must_use]
    #[inline]
    pub fn ended_before(
        &self,
        packet: &Packet,
        from_low: bool,
        (limits, look_at): (&CheckedLimits, Timestamp),
    ) -> Option<EndReason> {
        if packet.time >= look_at && packet.time >= self.deadline(limits) {
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

    /// Is the active time over at this packet, or no room for another in the counters?
    #[must_use]
    pub fn segment_over(&self, now: Timestamp, limits: &CheckedLimits) -> bool {
        now >= self.start() + limits.active || self.orig.is_full() || self.resp.is_full()
    }

    /// The last packet of the current segment.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.orig.last().max(self.resp.last())
    }

    /// The record of the current segment.
    #[must_use]
    pub fn record(&self, reason: EndReason) -> FlowRecord {
        self.record_with(reason, [self.app.events(), self.app.told_events()], self.app.facts().cloned())
    }

    /// The record of the last segment: what the application said is taken out of the flow.
    #[must_use]
    pub fn last_record(&mut self, reason: EndReason) -> FlowRecord {
        let (events, facts) = self.app.finish(self.tcp.closed());
        self.record_with(reason, events, facts)
    }

    fn record_with(&self, reason: EndReason, [events, told_events]: [Events; 2], facts: Option<Facts>) -> FlowRecord {
        let sight = match (reason, self.looked_at().is_some()) {
            (EndReason::FirstLook, false) => Sight::Early,
            (EndReason::FirstLook, true) => Sight::Between,
            (_, true) => Sight::Again,
            (_, false) => Sight::Whole,
        };
        let rare = self.rare.as_deref();
        let heard = !self.orig.is_silent() && !self.resp.is_silent();
        let [orig, resp] = rare.map(|rare| rare.trouble).unwrap_or_default();
        let (orig, resp) = (self.orig.stats(orig), self.resp.stats(resp));
        FlowRecord {
            key: self.key,
            orig_is_low: self.orig_is_low,
            id: self.id,
            segment: self.segment,
            reason,
            sight,
            looked_at: self.looked_at(),
            direction: self.direction,
            state: if self.key.protocol == 6 { self.tcp.state() } else { ConnState::Oth },
            history: if self.key.protocol == 6 { self.tcp.history() } else { History::default() },
            under_way: self.under_way,
            fragments: rare.map(|rare| rare.fragments).unwrap_or_default(),
            icmp_error: rare.and_then(|rare| rare.icmp_error),
            quoted: rare.and_then(|rare| rare.quoted.clone()),
            start: self.start(),
            end: self.end(),
            app: self.app_between(&orig, &resp),
            orig,
            resp,
            turns: self.turns,
            first_sizes: self.first_sizes,
            response_delay: heard.then(|| self.resp.first().since(self.orig.first())),
            facts: facts.map(Box::new),
            events,
            told_events,
            macs: self.macs,
            vlans: self.vlans,
            tunnel: rare.and_then(|rare| rare.tunnel.clone()),
        }
    }

    /// Its application; none where it is known not to be that of its port.
    fn app_between(&self, orig: &SideStats, resp: &SideStats) -> (App, Basis) {
        let is_whole = |side: &SideStats| side.payload_bytes > 0 && side.missing_bytes == 0;
        if !self.under_way && self.app.is_refuted(self.ports()) && is_whole(orig) && is_whole(resp) {
            return (App::Unknown, Basis::None);
        }
        self.app.app(self.ports())
    }

    /// Takes an ICMP error about one of its packets.
    pub fn icmp_error(&mut self, kind: u8, code: u8) {
        let rare = self.rare.get_or_insert_default();
        let count = rare.icmp_error.map_or(0, |error| error.count);
        rare.icmp_error = Some(IcmpError { kind, code, count: count.saturating_add(1) });
    }

    /// What a look at it while it is open shows; nothing at the second where it has moved little.
    pub fn early_record(&self) -> Option<FlowRecord> {
        (self.looked_at().is_none() || self.does_much()).then(|| self.record(EndReason::FirstLook))
    }

    /// Is it worth a second look?
    fn does_much(&self) -> bool {
        let moved = self.orig.payload_bytes().max(self.resp.payload_bytes());
        moved >= MUCH_BYTES || self.app.events().most() >= MANY_EVENTS
    }

    /// Remembers that the flow was looked at while open, at the tick `now`.
    pub fn mark_looked(&mut self, now: Timestamp) {
        if self.looked_at().is_some() {
            if self.does_much() {
                self.app.mark_told();
            }
            self.looked_twice = true;
        } else {
            self.looked_at = now;
        }
    }

    /// Begins the next segment, whose first packet is counted next.
    pub fn begin_segment(&mut self) {
        self.segment += 1;
        (self.looked_at, self.looked_twice) = (NOT_LOOKED, false);
        self.app.begin_segment();
        self.turns = 0;
        self.orig = Tally::default();
        self.resp = Tally::default();
        if let Some(rare) = &mut self.rare {
            rare.trouble = Default::default();
        }
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
    use crate::flow::FlowLimits;
    use crate::flow::stats::testing::{packet, payload, tcp};

    /// A flow of these packets, the first of which opens it.
    fn flow(packets: &[Packet]) -> Flow {
        let (key, from_low) = FlowKey::of(&packets[0]);
        let mut flow = Flow::open(key, key.hash(), from_low, &packets[0], &HomeNets::default());
        for packet in packets {
            flow.observe(packet, FlowKey::of(packet).1, &[], true);
        }
        flow
    }

    fn limits() -> CheckedLimits {
        FlowLimits::default().check().unwrap()
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn sides_are_those_of_the_initiator_whichever_end_sorts_first() {
        for (client, server) in [(1, 2), (2, 1)] {
            let record = flow(&[
                payload(packet(0, client, 4000, server, 53, 17), 30),
                payload(packet(5, server, 53, client, 4000, 17), 90),
            ])
            .record(EndReason::Idle);
            assert_eq!((record.orig_addr().bits() as u32, record.orig_port()), (client, 4000));
            assert_eq!((record.resp_addr().bits() as u32, record.resp_port()), (server, 53));
            assert_eq!((record.orig.payload_bytes, record.resp.payload_bytes), (30, 90));
            assert_eq!(record.response_delay, Some(Span::from_nanos(5_000_000)));
            assert_eq!(record.first_sizes[..3], [30, -90, 0]);
        }
    }

    #[test]
    fn turns_count_changes_of_who_sends_data() {
        let (there, back) = (|ms| payload(packet(ms, 1, 9, 2, 53, 17), 1), |ms| payload(packet(ms, 2, 53, 1, 9, 17), 1));
        let record = flow(&[there(0), there(1), back(2), packet(3, 1, 9, 2, 53, 17), back(4), there(5)]).record(EndReason::Idle);
        assert_eq!(record.turns, 2, "a packet without data is no turn");
    }

    #[test]
    fn an_earlier_packet_moves_the_start_and_never_the_end() {
        let record = flow(&[packet(100, 1, 9, 2, 53, 17), packet(40, 1, 9, 2, 53, 17)]).record(EndReason::Idle);
        assert_eq!((record.start, record.end), (at(40), at(100)));
    }

    #[test]
    fn timeouts_are_those_of_the_protocol_and_of_a_closed_connection() {
        let syn = tcp(packet(0, 1, 9, 2, 80, 6), 1, 0, 0x02);
        let reset = tcp(packet(0, 2, 80, 1, 9, 6), 0, 2, 0x14);
        for (flow, seconds) in [
            (flow(std::slice::from_ref(&syn)), 300),
            (flow(&[syn, reset]), 10),
            (flow(&[packet(0, 1, 9, 2, 53, 17)]), 60),
            (flow(&[packet(0, 1, 8, 2, 0, 1)]), 60),
            (flow(&[packet(0, 1, 0, 2, 0, 47)]), 60),
        ] {
            assert_eq!(flow.idle_timeout(&limits()), Span::from_secs(seconds));
        }
    }

    #[test]
    fn the_deadline_itself_is_too_late() {
        let flow = flow(&[packet(0, 1, 9, 2, 53, 17)]);
        let late = |ms| flow.ended_before(&packet(ms, 1, 9, 2, 53, 17), true, (&limits(), at(10)));
        assert_eq!((late(59_999), late(60_000)), (None, Some(EndReason::Idle)));
    }

    #[test]
    fn a_segment_starts_empty_and_keeps_who_it_is() {
        let mut flow = flow(&[payload(packet(0, 1, 9, 2, 53, 17), 7), payload(packet(9, 2, 53, 1, 9, 17), 7)]);
        assert!(!flow.segment_over(at(299_999), &limits()) && flow.segment_over(at(300_000), &limits()));
        let first = flow.record(EndReason::Active);
        flow.begin_segment();
        flow.observe(&packet(300_000, 2, 53, 1, 9, 17), false, &[], true);
        let second = flow.record(EndReason::Idle);
        assert_eq!((first.segment, second.segment, first.id), (0, 1, second.id));
        assert_eq!((second.orig.packets, second.resp.packets, second.turns), (0, 1, 0));
        assert_eq!((second.start, second.end), (at(300_000), at(300_000)));
        assert!(first.partial() && !second.partial());
    }

    #[test]
    fn a_segment_ends_before_its_counters_run_over() {
        let mut flow = flow(&[packet(0, 1, 9, 2, 53, 17), packet(1, 2, 53, 1, 9, 17)]);
        assert!(!flow.segment_over(at(2), &limits()));
        flow.resp = flow.resp.filled();
        assert!(flow.segment_over(at(2), &limits()));
        assert_eq!(flow.record(EndReason::Active).resp.packets, u64::from(u32::MAX));
        flow.begin_segment();
        flow.observe(&packet(2, 2, 53, 1, 9, 17), false, &[], true);
        assert!(!flow.segment_over(at(3), &limits()));
    }

    #[test]
    fn identifiers_survive_json_and_tell_flows_of_one_key_apart() {
        let id = |ms| flow(&[packet(ms, 1, 9, 2, 53, 17)]).record(EndReason::Idle).id;
        assert!(id(0) != id(1) && id(0) < 1 << 53 && id(1) < 1 << 53);
        assert_eq!(id(7), id(7));
    }

    #[test]
    fn fits_the_memory_that_the_limits_promise() {
        assert!(size_of::<Flow>() <= 432, "{} bytes", size_of::<Flow>());
    }
}

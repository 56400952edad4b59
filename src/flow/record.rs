//! The flow record: the seam between everything that works per packet and everything that works per flow.

use serde::{Deserialize, Serialize};

use super::direction::is_ephemeral;
use super::{ConnState, DirectionBasis, FIRST_SIZES, FlowKey, History, Service, SideStats};
use crate::app::{App, Basis, Events, Facts};
use crate::time::{Span, Timestamp};
use crate::wire::{Addr, Fragment, Quoted, Tunnel};

/// Why a record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EndReason {
    /// TCP closed, and the time for late packets is over.
    Closed,
    /// No packet for the idle time.
    Idle,
    /// The active time is over; the flow goes on in the next segment.
    Active,
    /// Ports were taken over by a new connection.
    Reused,
    /// The table was full.
    Evicted,
    /// The capture ended.
    Shutdown,
    /// A first look at a flow that is still open; not written as a flow record.
    FirstLook,
}

impl EndReason {
    /// The value of EVE's `flow.reason`.
    #[must_use]
    pub const fn eve(self) -> &'static str {
        match self {
            Self::Closed | Self::Idle | Self::Active | Self::Reused | Self::FirstLook => "timeout",
            Self::Evicted => "forced",
            Self::Shutdown => "shutdown",
        }
    }

    /// Its own name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Idle => "idle",
            Self::Active => "active",
            Self::Reused => "reused",
            Self::Evicted => "evicted",
            Self::Shutdown => "shutdown",
            Self::FirstLook => "first_look",
        }
    }

    /// The reason of this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Closed, Self::Idle, Self::Active, Self::Reused, Self::Evicted, Self::Shutdown, Self::FirstLook];
        all.into_iter().find(|reason| reason.name() == name)
    }
}

/// Whether the detector has met this segment before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sight {
    /// For the first and only time: it ended before its first look was due.
    Whole,
    /// For the first time, still open.
    Early,
    /// Again: an early sight of the same segment came before.
    Again,
    /// Again, still open: it has moved much since.
    Between,
}

/// Fragments of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragments {
    /// Packets that were fragments.
    pub packets: u32,
    /// Of these, such as honest senders never make: see [`Fragment::odd`].
    pub odd: u32,
}

impl Fragments {
    pub(super) fn count(&mut self, fragment: Fragment) {
        self.packets = self.packets.saturating_add(1);
        self.odd = self.odd.saturating_add(fragment.odd.into());
    }
}

/// ICMP errors about a flow's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IcmpError {
    /// Type of the latest; of ICMPv6 where the flow is IPv6.
    pub kind: u8,
    /// Code of the latest.
    pub code: u8,
    /// How many came.
    pub count: u32,
}

impl IcmpError {
    /// Does it say that the destination cannot be reached (RFC 792, type 3; RFC 4443, type 1), other than for a packet that is too
    /// long for the way (type 3, code 4)?
    #[must_use]
    pub const fn is_unreachable(self, is_v4: bool) -> bool {
        if is_v4 { self.kind == 3 && self.code != 4 } else { self.kind == 1 }
    }
}

/// One flow, or one segment of a long one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FlowRecord {
    /// The flow's key.
    pub key: FlowKey,
    /// Is the key's `low` end the initiator?
    pub orig_is_low: bool,
    /// The flow's identifier: the same for all its segments, the same in every run; 53 bits, so that JSON keeps it.
    pub id: u64,
    /// Number of this segment, from 0.
    pub segment: u32,
    /// Why it was written.
    pub reason: EndReason,
    /// Seen before?
    pub sight: Sight,
    /// The tick of the early sight, when there was one.
    pub looked_at: Option<Timestamp>,
    /// How the initiator was decided.
    pub direction: DirectionBasis,
    /// TCP's state at the end of the segment; [`ConnState::Oth`] for other protocols.
    pub state: ConnState,
    /// What happened in the TCP connection up to the end of the segment; empty for other protocols.
    pub history: History,
    /// Was the conversation already under way at its first packet (TCP without SYN)?
    pub under_way: bool,
    /// Its packets that were fragments, of the whole flow.
    pub fragments: Fragments,
    /// The latest ICMP error about it, of the whole flow.
    pub icmp_error: Option<IcmpError>,
    /// The packet that the flow's first packet, an ICMP error, was about.
    pub quoted: Option<Box<Quoted>>,
    /// First packet of the segment.
    pub start: Timestamp,
    /// Last packet of the segment.
    pub end: Timestamp,
    /// What the initiator sent.
    pub orig: SideStats,
    /// What the responder sent.
    pub resp: SideStats,
    /// How often the side that sends data changed.
    pub turns: u32,
    /// Payload sizes of the flow's first packets with payload, positive from the initiator, negative from the responder;
    /// 0 where there was none.
    pub first_sizes: [i16; FIRST_SIZES],
    /// Time from the initiator's first packet to the responder's.
    pub response_delay: Option<Span>,
    /// Application and how sure.
    pub app: (App, Basis),
    /// What the application said of itself, where it was recognised. It has forms of its own wherever it is written.
    #[serde(skip)]
    pub facts: Option<Box<Facts>>,
    /// What happened within the application in the segment.
    pub events: Events,
    /// Those of them that a second look has told before.
    pub told_events: Events,
    /// MAC addresses of initiator and responder on their first packets; zeros where unknown.
    pub macs: [[u8; 6]; 2],
    /// Outermost and next VLAN of the first packet; 0 where there is none.
    pub vlans: [u16; 2],
    /// The tunnel that carried the first packet; none where it was not tunnelled.
    pub tunnel: Option<Box<Tunnel>>,
}

impl FlowRecord {
    /// The initiator's address.
    #[must_use]
    pub const fn orig_addr(&self) -> Addr {
        if self.orig_is_low { self.key.low } else { self.key.high }
    }

    /// The responder's address.
    #[must_use]
    pub const fn resp_addr(&self) -> Addr {
        if self.orig_is_low { self.key.high } else { self.key.low }
    }

    /// The initiator's port.
    #[must_use]
    pub const fn orig_port(&self) -> u16 {
        if self.orig_is_low { self.key.low_port } else { self.key.high_port }
    }

    /// The responder's port.
    #[must_use]
    pub const fn resp_port(&self) -> u16 {
        if self.orig_is_low { self.key.high_port } else { self.key.low_port }
    }

    /// What the responder was asked for; of an answer whose question went another way (to a group), what the initiator was.
    #[must_use]
    pub const fn service(&self) -> Service {
        let is_answer = matches!(self.direction, DirectionBasis::FirstPacket)
            && is_ephemeral(self.resp_port())
            && !is_ephemeral(self.orig_port());
        let is_icmp = matches!(self.key.protocol, 1 | 58);
        let port = if is_icmp || is_answer { self.orig_port() } else { self.resp_port() };
        Service { protocol: self.key.protocol, port }
    }

    /// Did the attempt to reach the responder fail: TCP's without answer or refused, any other refused by ICMP before an answer?
    #[must_use]
    pub fn failed(&self) -> bool {
        let refused = self.icmp_error.is_some_and(|error| error.is_unreachable(self.key.low.is_v4()));
        self.state.failed() || refused && self.resp.packets == 0 && self.segment == 0
    }

    /// Is it a segment of a flow that goes on?
    #[must_use]
    pub fn partial(&self) -> bool {
        self.reason == EndReason::Active
    }

    /// Seconds between first and last packet.
    #[must_use]
    pub fn duration_s(&self) -> f64 {
        self.end.since(self.start).as_seconds()
    }

    /// The order of judging among records of the same tick.
    #[must_use]
    pub fn order(&self) -> (Timestamp, Timestamp, FlowKey, u32) {
        (self.end, self.start, self.key, self.segment)
    }
}

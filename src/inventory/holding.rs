//! One address behind one interface.

use super::known::Known;
use crate::flow::SideStats;
use crate::time::Timestamp;

/// Packets and bytes on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub packets: u64,
    pub bytes: u64,
}

impl Traffic {
    pub(super) fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }

    pub(super) const fn of(side: &SideStats) -> Self {
        Self { packets: side.packets, bytes: side.wire_bytes }
    }
}

/// What was seen of an address together with a MAC address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    pub first: Timestamp,
    pub last: Timestamp,
    /// Did the interface say, or was it given, this address (ARP, neighbour discovery, DHCP)?
    pub is_claimed: bool,
    /// Did a flow begin here, whose first frame this MAC address sent?
    pub began: bool,
    /// Had such a frame a hop limit that no router has lowered?
    pub is_near: bool,
    /// Had any packet from here one that a router has lowered?
    pub is_routed: bool,
    pub sent: Traffic,
    pub received: Traffic,
    pub known: Known,
}

impl Holding {
    pub(super) fn new(at: Timestamp) -> Self {
        Self {
            first: at,
            last: at,
            is_claimed: false,
            began: false,
            is_near: false,
            is_routed: false,
            sent: Traffic::default(),
            received: Traffic::default(),
            known: Known::default(),
        }
    }

    pub(super) fn seen(&mut self, first: Timestamp, last: Timestamp) {
        self.first = self.first.min(first);
        self.last = self.last.max(last);
    }
}

/// Has a router lowered this hop limit? Systems begin with 64, 128 or 255 (few with 32, 60, 100 or 200), and an inner network has
/// few routers in a row.
pub(super) const fn is_routed(ttl: u8) -> bool {
    matches!(ttl, 50..=59 | 61..=63 | 110..=127 | 240..=254)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_hop_limits_of_common_systems_have_crossed_no_router() {
        assert!([1, 30, 32, 60, 64, 100, 128, 200, 255].iter().all(|ttl| !is_routed(*ttl)));
        assert!([58, 63, 120, 127, 254].iter().all(|ttl| is_routed(*ttl)));
    }

    #[test]
    fn times_grow_both_ways() {
        let at = |second| Timestamp::from_parts(second, 0);
        let mut holding = Holding::new(at(5));
        holding.seen(at(3), at(4));
        assert_eq!((holding.first, holding.last), (at(3), at(5)));
    }
}

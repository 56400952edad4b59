//! What makes packets belong together.

use serde::{Deserialize, Serialize};

use crate::wire::{Addr, Packet, Quoted, mix};

/// Logical shards: tables, caps, evictions and timers belong to one of these, fixed by the key's hash, so that nothing
/// depends on how many workers share them out.
pub const SHARDS: usize = 64;

const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;
const IGMP: u8 = 2;
const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// A flow's key: both ends and the protocol, the same for both directions.
///
/// For ICMP the ports are those of Community ID: the message type and the type that answers it. Message types without a
/// counterpart make one-way flows keyed by (type, code).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FlowKey {
    /// The end that sorts first by (address, port), or the sender of a one-way flow.
    pub low: Addr,
    /// The other end.
    pub high: Addr,
    /// Port of `low`.
    pub low_port: u16,
    /// Port of `high`.
    pub high_port: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// Can no packet of the other direction belong to it?
    pub one_way: bool,
    /// Outermost and next VLAN, when they tell flows apart; else zeros.
    pub vlans: [u16; 2],
}

impl FlowKey {
    /// The key of a packet, and whether the packet came from the key's `low` end.
    #[must_use]
    #[inline]
    pub fn of(packet: &Packet) -> (Self, bool) {
        let (mut src_port, mut dst_port) = (packet.src_port, packet.dst_port);
        if packet.protocol == ICMP || packet.protocol == ICMP_V6 {
            match icmp_counterpart(packet.protocol, packet.src_port) {
                Some(counterpart) => dst_port = counterpart,
                None => return (Self::one_way(packet), true),
            }
        }
        if packet.lacks_ports() {
            (src_port, dst_port) = (0, 0);
        }
        let ends = [(packet.src, src_port), (packet.dst, dst_port)];
        let from_low = ends[0] <= ends[1];
        // Chosen by number: which end sorts first cannot be predicted by a branch.
        let ((low, low_port), (high, high_port)) = (ends[usize::from(!from_low)], ends[usize::from(from_low)]);
        (Self { low, high, low_port, high_port, protocol: packet.protocol, one_way: false, vlans: [0; 2] }, from_low)
    }

    /// The same with the packet's VLANs in the key: for networks that use addresses again in another VLAN.
    #[must_use]
    pub fn with_vlans(packet: &Packet) -> (Self, bool) {
        let (key, from_low) = Self::of(packet);
        (Self { vlans: packet.vlans, ..key }, from_low)
    }

    /// The key of the packet that an ICMP error quotes, without VLANs.
    #[must_use]
    pub fn of_quoted(quoted: &Quoted) -> Self {
        Self::of_ends((quoted.src, quoted.src_port), (quoted.dst, quoted.dst_port), quoted.protocol).0
    }

    /// The key of a conversation between these ends, without VLANs, and whether `src` is its `low` end. Ports are those of the
    /// packet that began it; for ICMP its type and code.
    #[must_use]
    pub fn of_ends(src: (Addr, u16), dst: (Addr, u16), protocol: u8) -> (Self, bool) {
        let one_way = Self { low: src.0, high: dst.0, low_port: src.1, high_port: dst.1, protocol, one_way: true, vlans: [0; 2] };
        let high_port = match protocol {
            ICMP | ICMP_V6 => match icmp_counterpart(protocol, src.1) {
                Some(counterpart) => counterpart,
                None => return (one_way, true),
            },
            _ => dst.1,
        };
        let key = Self { high_port, one_way: false, ..one_way };
        if src <= (dst.0, high_port) { (key, true) } else { (key.turned(), false) }
    }

    /// The same key with other addresses, and whether its ends have changed about.
    #[must_use]
    pub fn renamed(self, low: Addr, high: Addr) -> (Self, bool) {
        let key = Self { low, high, ..self };
        if self.one_way || (low, key.low_port) <= (high, key.high_port) { (key, false) } else { (key.turned(), true) }
    }

    /// With its ends changed about.
    const fn turned(self) -> Self {
        Self { low: self.high, high: self.low, low_port: self.high_port, high_port: self.low_port, ..self }
    }

    fn one_way(packet: &Packet) -> Self {
        Self {
            low: packet.src,
            high: packet.dst,
            low_port: packet.src_port,
            high_port: packet.dst_port,
            protocol: packet.protocol,
            one_way: true,
            vlans: [0; 2],
        }
    }

    /// A 64-bit hash, the same for both directions, on every machine and in every run.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let (low, high) = (self.low.bits(), self.high.bits());
        let ports = u64::from(self.low_port) << 32 | u64::from(self.high_port) << 16 | u64::from(self.protocol) << 1;
        let a = mix(low as u64 ^ SECRET[0], (low >> 64) as u64 ^ SECRET[1]);
        let b = mix(high as u64 ^ SECRET[2], (high >> 64) as u64 ^ SECRET[3]);
        let [outer, inner] = self.vlans;
        let vlans = u64::from(outer) << 16 | u64::from(inner);
        mix(a ^ ports ^ u64::from(self.one_way), b ^ SECRET[4] ^ vlans)
    }

    /// The logical shard of a hash, 0 to [`SHARDS`] − 1.
    #[must_use]
    pub const fn shard(hash: u64) -> usize {
        (hash >> 58) as usize
    }
}

const SECRET: [u64; 5] =
    [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9, 0x27d4_eb2f_1656_67c5, 0x8545_9f85_cafe_babd];

/// The message type that answers `kind`, for the types that Community ID v1 pairs.
fn icmp_counterpart(protocol: u8, kind: u16) -> Option<u16> {
    const V4: [(u16, u16); 5] = [(8, 0), (13, 14), (15, 16), (10, 9), (17, 18)];
    const V6: [(u16, u16); 5] = [(128, 129), (133, 134), (135, 136), (130, 131), (144, 145)];
    let pairs = if protocol == ICMP { V4 } else { V6 };
    pairs.iter().find_map(|&(ask, answer)| match kind {
        k if k == ask => Some(answer),
        k if k == answer => Some(ask),
        _ => None,
    })
}

/// A service as a baseline knows it: transport protocol and the responder's port (0 for protocols without ports).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Service {
    /// IP protocol number.
    pub protocol: u8,
    /// Port of the responder; for ICMP the message type of the initiator.
    pub port: u16,
}

impl Service {
    /// Stands for address resolution where a service stands else: no packet's last header has this protocol number.
    pub const ARP: Self = Self { protocol: 0, port: 0 };

    /// Does it have connections, with a beginning and an end?
    #[must_use]
    pub const fn connects(self) -> bool {
        matches!(self.protocol, TCP | SCTP)
    }

    /// Is it a message of ICMP, which devices answer without offering a service?
    #[must_use]
    pub const fn is_icmp(self) -> bool {
        matches!(self.protocol, ICMP | ICMP_V6)
    }

    /// Does it ask whether somebody is there (RFC 792; RFC 4443, 4.1)?
    #[must_use]
    pub const fn is_ping(self) -> bool {
        matches!((self.protocol, self.port), (ICMP, 8) | (ICMP_V6, 128))
    }

    /// Is it an ICMP error message (RFC 1122, 3.2.2; RFC 4443, 2.1)?
    #[must_use]
    pub const fn is_icmp_error(self) -> bool {
        match self.protocol {
            ICMP => matches!(self.port, 3 | 4 | 5 | 11 | 12),
            ICMP_V6 => self.port < 128,
            _ => false,
        }
    }

    /// What fetches pages: HTTP, TLS and QUIC. Which of them a server of pages takes is not its reader's choice.
    pub const WEB: [Self; 3] =
        [Self { protocol: TCP, port: 80 }, Self { protocol: TCP, port: 443 }, Self { protocol: UDP, port: 443 }];

    /// What routers of IPv6 say of themselves (RFC 4861, 4.2).
    pub const ROUTES: Self = Self { protocol: ICMP_V6, port: 134 };
    /// What all of a link are asked by IPv6: who is a router, and who has an address (RFC 4861, 4.1, 4.3).
    pub const SOLICITATIONS: [Self; 2] = [Self { protocol: ICMP_V6, port: 133 }, Self { protocol: ICMP_V6, port: 135 }];

    /// What is answered by this, where it is an echo that came without its request (RFC 792, RFC 4443, 4.2).
    #[must_use]
    pub const fn echo_request(self) -> Option<Self> {
        match (self.protocol, self.port) {
            (ICMP, 0) => Some(Self { port: 8, ..self }),
            (ICMP_V6, 129) => Some(Self { port: 128, ..self }),
            _ => None,
        }
    }

    /// Is it one of these?
    #[must_use]
    pub fn is_web(self) -> bool {
        Self::WEB.contains(&self)
    }

    /// Is it what a server says to a client that asked all for an address: DHCP (RFC 2131, 4.1; RFC 8415, 7.2)?
    #[must_use]
    pub const fn hands_out_addresses(self) -> bool {
        matches!((self.protocol, self.port), (UDP, 68 | 546))
    }

    /// Is it how neighbours and multicast groups are kept on a link: neighbour discovery (RFC 4861), multicast listener
    /// discovery (RFC 2710, RFC 3810) or IGMP (RFC 3376)? A kernel sends it by itself, whenever it talks to anybody at all.
    #[must_use]
    pub const fn maintains_link(self) -> bool {
        match self.protocol {
            IGMP => true,
            ICMP_V6 => matches!(self.port, 130..=137 | 143),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::stats::testing::packet;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_directions_have_one_key_and_hash(a: u32, b: u32, pa: u16, pb: u16) {
            let mut there = packet(0, a, pa, b, pb, 6);
            let (key, from_low) = FlowKey::of(&there);
            std::mem::swap(&mut there.src, &mut there.dst);
            std::mem::swap(&mut there.src_port, &mut there.dst_port);
            let (back, back_from_low) = FlowKey::of(&there);
            prop_assert_eq!(key, back);
            prop_assert_eq!(key.hash(), back.hash());
            prop_assert!((a, pa) == (b, pb) || from_low != back_from_low);
        }
    }

    #[test]
    fn an_echo_and_its_reply_are_one_flow() {
        let ask = FlowKey::of(&packet(0, 1, 8, 2, 0, ICMP)).0;
        let answer = FlowKey::of(&packet(0, 2, 0, 1, 0, ICMP)).0;
        assert_eq!(ask, answer);
    }

    #[test]
    fn what_keeps_a_link_is_told_from_what_uses_it() {
        let kept = |protocol, port| Service { protocol, port }.maintains_link();
        assert!(kept(ICMP_V6, 135) && kept(ICMP_V6, 136) && kept(ICMP_V6, 143) && kept(IGMP, 0));
        assert!(!kept(ICMP_V6, 128) && !kept(ICMP_V6, 1) && !kept(ICMP, 8) && !kept(TCP, 135));
    }

    #[test]
    fn unpaired_icmp_is_one_way() {
        let there = FlowKey::of(&packet(0, 1, 3, 2, 3, ICMP)).0;
        let back = FlowKey::of(&packet(0, 2, 3, 1, 3, ICMP)).0;
        assert!(there.one_way);
        assert_ne!(there, back);
    }

    #[test]
    fn shards_share_random_keys_evenly() {
        let mut counts = [0_u32; SHARDS];
        for n in 0..64_000_u32 {
            counts[FlowKey::shard(FlowKey::of(&packet(0, n, 1000, 7, 53, 17)).0.hash())] += 1;
        }
        assert!(counts.iter().all(|&c| (800..1200).contains(&c)), "{counts:?}");
    }
}

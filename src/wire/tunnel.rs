//! Packets inside packets: from the payload of an outer IP packet to the first byte of the inner one.
//!
//! A tunnel is entered only when all that its header states holds and an IP packet stands behind it; else the outer packet is
//! the packet, so that nothing is lost to a guess by port.

use serde::{Deserialize, Serialize};

use super::link::{self, Family, Link};
use super::{Addr, Packet};

/// Extension headers of GTP-U, tags of TZSP: more are an attack on the reader.
const MAX_OPTIONS: usize = 16;

/// The outermost packet of a frame whose inner packet is the one that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// Kind of the outermost tunnel.
    pub kind: TunnelKind,
    /// How many tunnels were entered, 1 to 4.
    pub depth: u8,
    /// Source address of the outermost packet.
    pub src: Addr,
    /// Destination address of the outermost packet.
    pub dst: Addr,
    /// Source port of the outermost packet; 0 where its protocol has none.
    pub src_port: u16,
    /// Destination port of the outermost packet; 0 where its protocol has none.
    pub dst_port: u16,
    /// IP protocol number of the outermost packet.
    pub protocol: u8,
}

/// How a packet is carried in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TunnelKind {
    /// IPv4 or IPv6 straight in IP (RFC 2003, RFC 2473, RFC 4213).
    Ip,
    /// Generic routing encapsulation (RFC 2784, RFC 2890, RFC 2637).
    Gre,
    /// A mirrored frame in GRE, types I to III (draft-foschiano-erspan).
    Erspan,
    /// Ethernet in IP (RFC 3378).
    EtherIp,
    /// MPLS in IP or UDP (RFC 4023, RFC 7510).
    Mpls,
    /// VXLAN (RFC 7348) and its generic protocol extension.
    Vxlan,
    /// GENEVE (RFC 8926).
    Geneve,
    /// GPRS tunnelling, user plane (3GPP TS 29.281).
    Gtp,
    /// Teredo (RFC 4380).
    Teredo,
    /// L2TP, version 2 (RFC 2661).
    L2tp,
    /// A mirrored frame in UDP, as some switches and access points send it (TaZmen Sniffer Protocol).
    Tzsp,
}

impl TunnelKind {
    /// Its name in a record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Gre => "gre",
            Self::Erspan => "erspan",
            Self::EtherIp => "etherip",
            Self::Mpls => "mpls",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Gtp => "gtp",
            Self::Teredo => "teredo",
            Self::L2tp => "l2tp",
            Self::Tzsp => "tzsp",
        }
    }
}

/// Could a packet of these be a tunnel's? What is cheap to ask of every packet.
#[inline]
pub(super) const fn may_be(packet: &Packet) -> bool {
    match packet.protocol {
        6 | 1 | 58 => false,
        4 | 41 | 47 | 97 | 137 => packet.fragment.is_none(),
        17 => packet.fragment.is_none() && may_be_datagram(packet.src_port, packet.dst_port),
        _ => false,
    }
}

/// Could a UDP datagram between these ports be a tunnel's?
#[inline]
pub(super) const fn may_be_datagram(src_port: u16, dst_port: u16) -> bool {
    is_port(dst_port) || src_port == 3544 || src_port == 1701
}

const fn is_port(port: u16) -> bool {
    matches!(port, 1701 | 2152 | 3544 | 4789 | 4790 | 6081 | 6635 | 8472 | 37008)
}

/// What carries, and where the inner packet's IP header is in `data`, the captured frame up to the end of the outer payload,
/// which begins at `at`.
#[cold]
pub(super) fn enter(packet: &Packet, data: &[u8], at: usize) -> Option<(TunnelKind, Link)> {
    match packet.protocol {
        4 => Some((TunnelKind::Ip, Link::bare(Family::V4, at))),
        41 => Some((TunnelKind::Ip, Link::bare(Family::V6, at))),
        47 => gre(data, at),
        97 => {
            // Version 3, the rest reserved.
            let [0x30, 0] = *chunk(data, at)? else { return None };
            Some((TunnelKind::EtherIp, link::ethernet_at(data, at + 2).ok()?))
        }
        137 => Some((TunnelKind::Mpls, typed(data, at, 0x8847)?)),
        _ => [packet.dst_port, packet.src_port].into_iter().find_map(|port| over_udp(port, data, at)),
    }
}

fn over_udp(port: u16, data: &[u8], at: usize) -> Option<(TunnelKind, Link)> {
    match port {
        1701 => l2tp(data, at).map(|link| (TunnelKind::L2tp, link)),
        2152 => gtp(data, at).map(|link| (TunnelKind::Gtp, link)),
        3544 => teredo(data, at).map(|link| (TunnelKind::Teredo, link)),
        4789 | 8472 | 4790 => vxlan(port, data, at).map(|link| (TunnelKind::Vxlan, link)),
        6081 => geneve(data, at).map(|link| (TunnelKind::Geneve, link)),
        6635 => typed(data, at, 0x8847).map(|link| (TunnelKind::Mpls, link)),
        37008 => tzsp(data, at).map(|link| (TunnelKind::Tzsp, link)),
        _ => None,
    }
}

fn gre(data: &[u8], at: usize) -> Option<(TunnelKind, Link)> {
    let [flags, version, high, low] = *chunk(data, at)?;
    let optional = |bit: u8| if flags & bit != 0 { 4 } else { 0 };
    let ether_type = u16::from_be_bytes([high, low]);
    let plain = at + 4 + optional(0x80) + optional(0x20) + optional(0x10);
    match (version & 0x87, ether_type) {
        // A source route (RFC 1701) is obsolete.
        (0, _) if flags & 0x40 != 0 => None,
        // ERSPAN of type I has no header of its own and no sequence number.
        (0, 0x88be) => {
            let header = if flags & 0x10 != 0 { 8 } else { 0 };
            Some((TunnelKind::Erspan, link::ethernet_at(data, plain + header).ok()?))
        }
        (0, 0x22eb) => {
            let [.., last] = *chunk::<12>(data, plain)?;
            let header = if last & 1 != 0 { 20 } else { 12 };
            Some((TunnelKind::Erspan, link::ethernet_at(data, plain + header).ok()?))
        }
        // Redirected by WCCP, with a header of its own in its second version.
        (0, 0x883e) => {
            let [first] = *chunk(data, plain)?;
            let header = if first >> 4 == 4 { 0 } else { 4 };
            Some((TunnelKind::Gre, Link::bare(Family::V4, plain + header)))
        }
        (0, _) => Some((TunnelKind::Gre, typed(data, plain, ether_type)?)),
        // PPTP: key always, then sequence and acknowledgement numbers.
        (1 | 0x81, 0x880b) => {
            let acknowledged = if version & 0x80 != 0 { 4 } else { 0 };
            Some((TunnelKind::Gre, link::ppp_at(data, at + 8 + optional(0x10) + acknowledged).ok()?))
        }
        _ => None,
    }
}

fn vxlan(port: u16, data: &[u8], at: usize) -> Option<Link> {
    // Reserved bits are sent as they come and ignored (RFC 7348, 5).
    let [flags, _, _, next, ..] = *chunk::<8>(data, at)?;
    if flags & 0x08 == 0 {
        return None;
    }
    match (port, next) {
        (4790, 1) => Some(Link::bare(Family::V4, at + 8)),
        (4790, 2) => Some(Link::bare(Family::V6, at + 8)),
        (4790, 4) => typed(data, at + 8, 0x894f),
        (4790, 3) | (4789 | 8472, _) => link::ethernet_at(data, at + 8).ok(),
        _ => None,
    }
}

fn geneve(data: &[u8], at: usize) -> Option<Link> {
    let [first, _, high, low] = *chunk(data, at)?;
    let version_0 = first >> 6 == 0;
    let options = 4 * usize::from(first & 0x3f);
    version_0.then(|| typed(data, at + 8 + options, u16::from_be_bytes([high, low])))?
}

fn gtp(data: &[u8], at: usize) -> Option<Link> {
    // Version 1, not the charging protocol; a packet of a user.
    let [flags, 0xff, _, _, _, _, _, _] = *chunk(data, at)? else { return None };
    if flags >> 4 != 3 {
        return None;
    }
    let mut inner = at + 8;
    if flags & 7 != 0 {
        let [_, _, _, mut next] = *chunk(data, inner)?;
        inner += 4;
        for _ in 0..MAX_OPTIONS {
            if next == 0 || flags & 4 == 0 {
                break;
            }
            let [words] = *chunk(data, inner)?;
            inner += 4 * usize::from(words.max(1));
            [next] = *chunk(data, inner - 1)?;
        }
    }
    Some(Link::bare(Family::Either, inner))
}

fn teredo(data: &[u8], mut at: usize) -> Option<Link> {
    // Authentication, then the origin's address, may stand before the packet (RFC 4380, 5.1.1).
    if let [0, 1, id, value] = *chunk(data, at)? {
        at += 13 + usize::from(id) + usize::from(value);
    }
    if let [0, 0] = *chunk(data, at)? {
        at += 8;
    }
    let header: &[u8; 40] = chunk(data, at)?;
    // Trailers may follow the packet. One end at least has an address of Teredo's, or a link's (2.6, 2.14).
    let is_known = |address: &[u8]| matches!(address, [0x20, 1, 0, 0, ..] | [0xfe, 0x80, ..]);
    let (src, dst) = (header.get(8..24)?, header.get(24..)?);
    let fits = data.len() - at >= 40 + usize::from(u16::from_be_bytes([header[4], header[5]]));
    (fits && (is_known(src) || is_known(dst))).then(|| Link::bare(Family::V6, at))
}

fn l2tp(data: &[u8], at: usize) -> Option<Link> {
    let [flags, version] = *chunk(data, at)?;
    // A control message, or another version.
    if flags & 0x80 != 0 || version & 0x0f != 2 {
        return None;
    }
    let mut inner = at + 6;
    inner += if flags & 0x40 != 0 { 2 } else { 0 };
    inner += if flags & 0x08 != 0 { 4 } else { 0 };
    if flags & 0x02 != 0 {
        inner += 2 + usize::from(u16::from_be_bytes(*chunk(data, inner)?));
    }
    link::ppp_at(data, inner).ok()
}

fn tzsp(data: &[u8], at: usize) -> Option<Link> {
    // Version 1, a received packet, Ethernet.
    let [1, 0, 0, 1] = *chunk(data, at)? else { return None };
    let mut inner = at + 4;
    for _ in 0..MAX_OPTIONS {
        match *chunk(data, inner)? {
            [0] => inner += 1,
            [1] => return link::ethernet_at(data, inner + 1).ok(),
            [_] => inner += 2 + usize::from(chunk::<2>(data, inner)?[1]),
        }
    }
    None
}

/// What stands at `at`, by its EtherType.
fn typed(data: &[u8], at: usize, ether_type: u16) -> Option<Link> {
    link::ether_type(Link::bare(Family::Either, at), data, ether_type).ok()
}

fn chunk<const N: usize>(data: &[u8], at: usize) -> Option<&[u8; N]> {
    data.get(at..)?.first_chunk()
}

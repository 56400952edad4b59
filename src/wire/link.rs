//! The link layer: from the first byte of a frame to the first byte of its IP packet.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::{LinkType, Skip};

/// More VLAN tags than this in one frame are an attack on the reader.
const MAX_VLAN_TAGS: usize = 8;

/// Below this the field behind the MAC addresses is a length and not a type (IEEE 802.3, 3.2.6).
const MIN_ETHER_TYPE: u16 = 0x0600;

/// More headers below IP than this in one frame are an attack on the reader.
const MAX_HEADERS: usize = 16;

/// More attributes than this before the packet of an NFLOG frame are an attack on the reader.
const MAX_ATTRIBUTES: usize = 64;

/// Which IP header comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
    /// The link layer does not say: the version field does.
    Either,
}

/// What the link layer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub src_mac: [u8; 6],
    pub dst_mac: [u8; 6],
    pub vlans: [u16; 2],
    pub family: Family,
    /// Offset of the IP header in the frame.
    pub at: usize,
}

impl Link {
    pub(super) const fn bare(family: Family, at: usize) -> Self {
        Self { src_mac: [0; 6], dst_mac: [0; 6], vlans: [0; 2], family, at }
    }
}

/// Reads the link layer of a frame of type `link`.
#[inline]
pub(super) fn read(link: LinkType, data: &[u8]) -> Result<Link, Skip> {
    match link {
        LinkType::ETHERNET => ethernet(data),
        LinkType::LINUX_SLL => linux_sll(data),
        LinkType::LINUX_SLL2 => linux_sll2(data),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => Ok(Link::bare(Family::Either, 0)),
        LinkType::IPV4 => Ok(Link::bare(Family::V4, 0)),
        LinkType::IPV6 => Ok(Link::bare(Family::V6, 0)),
        LinkType::NULL | LinkType::LOOP => loopback(data),
        other => rare(other, data),
    }
}

/// The link layers that are no hospital's wire.
#[cold]
fn rare(link: LinkType, data: &[u8]) -> Result<Link, Skip> {
    match link {
        LinkType::PPP | LinkType::PPP_SERIAL | LinkType::PPP_PPPD => serial(data, 0),
        LinkType::PPP_WITH_DIRECTION | LinkType::C_HDLC_WITH_DIRECTION => serial(data, 1),
        LinkType::C_HDLC => cisco_hdlc(data, 0),
        LinkType::PPP_ETHER => ether_type(Link::bare(Family::Either, 0), data, PPPOE),
        LinkType::IEEE802_11 => wireless(data, 0, false),
        LinkType::PRISM => prism(data),
        LinkType::RADIOTAP => radiotap(data),
        LinkType::AVS => wireless(data, be_u32(data, 4)? as usize, false),
        LinkType::PPI => ppi(data),
        LinkType::NFLOG => nflog(data),
        LinkType::TOKEN_RING => token_ring(data),
        LinkType::FDDI => fddi(data),
        _ => Err(Skip::UnsupportedLinkType),
    }
}

#[inline]
fn ethernet(data: &[u8]) -> Result<Link, Skip> {
    ethernet_at(data, 0)
}

/// Reads an Ethernet frame that starts at `at`.
#[inline]
pub(super) fn ethernet_at(data: &[u8], at: usize) -> Result<Link, Skip> {
    let frame = rest(data, at).unwrap_or_default();
    let header = Ethernet2HeaderSlice::from_slice(frame).map_err(|_| Skip::TruncatedLink)?;
    let link = Link {
        src_mac: header.source(),
        dst_mac: header.destination(),
        ..Link::bare(Family::Either, at + Ethernet2HeaderSlice::slice(&header).len())
    };
    ether_type(link, data, header.ether_type().0)
}

/// Follows EtherTypes from the one that was just read up to an IP header.
#[inline]
pub(super) fn ether_type(mut link: Link, data: &[u8], mut ether_type: u16) -> Result<Link, Skip> {
    let mut slot = 0;
    for _ in 0..=MAX_VLAN_TAGS {
        match ether_type {
            0x0800 => return Ok(Link { family: Family::V4, ..link }),
            0x86dd => return Ok(Link { family: Family::V6, ..link }),
            0x8100 | 0x88a8 | 0x9100 => {
                let tag = rest(data, link.at).and_then(|rest| SingleVlanHeaderSlice::from_slice(rest).ok());
                let tag = tag.ok_or(Skip::TruncatedLink)?;
                // A tag with identifier 0 carries a priority only, and its frame belongs to no VLAN (IEEE 802.1Q, 9.6).
                let id = tag.vlan_identifier().value();
                if let (true, Some(place)) = (id != 0, link.vlans.get_mut(slot)) {
                    *place = id;
                    slot += 1;
                }
                link.at += tag.slice().len();
                ether_type = tag.ether_type().0;
            }
            length if length < MIN_ETHER_TYPE => {
                ether_type = snap(data, link.at)?;
                link.at += 8;
            }
            other => ether_type = below_ip(&mut link, data, other)?,
        }
    }
    Err(Skip::TooManyHeaders)
}

/// PPPoE, session stage (RFC 2516).
const PPPOE: u16 = 0x8864;

/// Passes over one header between Ethernet and IP other than a VLAN tag; returns the EtherType of what follows.
#[cold]
fn below_ip(link: &mut Link, data: &[u8], ether_type: u16) -> Result<u16, Skip> {
    match ether_type {
        0x8847 | 0x8848 => mpls(link, data),
        PPPOE => {
            // Version and type 1, code 0: a packet of the session; then PPP without address and control.
            let [0x11, 0, _, _, _, _] = *chunk(data, link.at)? else { return Err(Skip::NonIp) };
            link.at += 6;
            ppp(link, data)
        }
        0x880b => ppp(link, data),
        // Provider backbone bridging: a service tag, then the customer's frame (IEEE 802.1ah).
        0x88e7 => inner_ethernet(link, data, 4),
        // Transparent Ethernet bridging (RFC 1701).
        0x6558 => inner_ethernet(link, data, 0),
        // Cisco metadata: version, length, one option with the group tag, then the EtherType.
        0x8909 => tag(link, data, 6),
        // VN-Tag (IEEE 802.1BR's forerunner).
        0x8926 => tag(link, data, 4),
        0x894f => nsh(link, data),
        other => Err(not_ip(other)),
    }
}

/// A tag of `bytes` bytes with the next EtherType behind it.
fn tag(link: &mut Link, data: &[u8], bytes: usize) -> Result<u16, Skip> {
    let next = u16::from_be_bytes(*chunk(data, link.at + bytes)?);
    link.at += bytes + 2;
    Ok(next)
}

/// A whole Ethernet frame behind `bytes` bytes: its addresses are those of the devices that talk.
fn inner_ethernet(link: &mut Link, data: &[u8], bytes: usize) -> Result<u16, Skip> {
    let addresses: &[u8; 12] = chunk(data, link.at + bytes)?;
    let [dst @ .., _, _, _, _, _, _] = addresses;
    let [_, _, _, _, _, _, src @ ..] = addresses;
    (link.dst_mac, link.src_mac) = (*dst, *src);
    tag(link, data, bytes + addresses.len())
}

/// A stack of labels (RFC 3032). What follows is not named: an IP packet shows its version, and a pseudowire with a control
/// word begins with 0 (RFC 4385).
fn mpls(link: &mut Link, data: &[u8]) -> Result<u16, Skip> {
    for _ in 0..MAX_HEADERS {
        let [_, _, bottom, _] = *chunk(data, link.at)?;
        link.at += 4;
        if bottom & 1 == 0 {
            continue;
        }
        let [first] = *chunk(data, link.at)?;
        return match first >> 4 {
            4 => Ok(0x0800),
            6 => Ok(0x86dd),
            0 => inner_ethernet(link, data, 4),
            _ => Err(Skip::UnsupportedTunnel),
        };
    }
    Err(Skip::TooManyHeaders)
}

/// Network service header (RFC 8300).
fn nsh(link: &mut Link, data: &[u8]) -> Result<u16, Skip> {
    let [_, length, _, next] = *chunk(data, link.at)?;
    let bytes = 4 * usize::from(length & 0x3f);
    link.at += bytes;
    match next {
        1 => Ok(0x0800),
        2 => Ok(0x86dd),
        3 => inner_ethernet(link, data, 0),
        _ => Err(Skip::UnsupportedTunnel),
    }
}

/// PPP from its address field, which may be left out, or its protocol field, whose first byte may be (RFC 1661, 6.5 and 6.6).
fn ppp(link: &mut Link, data: &[u8]) -> Result<u16, Skip> {
    if rest(data, link.at).is_some_and(|rest| rest.starts_with(&[0xff, 3])) {
        link.at += 2;
    }
    let [first] = *chunk(data, link.at)?;
    let protocol = if first & 1 == 1 { u16::from(first) } else { u16::from_be_bytes(*chunk(data, link.at)?) };
    link.at += if first & 1 == 1 { 1 } else { 2 };
    match protocol {
        0x0021 => Ok(0x0800),
        0x0057 => Ok(0x86dd),
        0x0281 => Ok(0x8847),
        // Compressed, encrypted, or the link's own control.
        _ => Err(Skip::NonIp),
    }
}

/// Reads PPP that starts at `at`, as tunnels carry it.
pub(super) fn ppp_at(data: &[u8], at: usize) -> Result<Link, Skip> {
    ether_type(Link::bare(Family::Either, at), data, 0x880b)
}

/// PPP or, as its first byte tells, Cisco's HDLC; before it, in some types, a byte for the direction.
fn serial(data: &[u8], at: usize) -> Result<Link, Skip> {
    match rest(data, at).unwrap_or_default() {
        [0x0f | 0x8f, ..] => cisco_hdlc(data, at),
        _ => ppp_at(data, at),
    }
}

/// Cisco's HDLC: address, control, EtherType.
fn cisco_hdlc(data: &[u8], at: usize) -> Result<Link, Skip> {
    let ether = u16::from_be_bytes(*chunk(data, at + 2)?);
    ether_type(Link::bare(Family::Either, at + 4), data, ether.max(MIN_ETHER_TYPE))
}

/// An 802.11 frame that starts at `at`; `padded` when its header is filled up to four bytes.
fn wireless(data: &[u8], at: usize, padded: bool) -> Result<Link, Skip> {
    let header: &[u8; 24] = chunk(data, at)?;
    let [kind, flags, ..] = *header;
    // Data frames alone, with a body, not encrypted, not one of several parts.
    if kind & 0x4f != 0x08 || flags & 0x44 != 0 || header[22] & 0x0f != 0 {
        return Err(Skip::NonIp);
    }
    let address = |place: usize| -> Result<[u8; 6], Skip> { chunk(data, at + place).copied() };
    let (to_distribution, from_distribution) = (flags & 1 != 0, flags & 2 != 0);
    let (dst_mac, src_mac, mut bytes) = match (to_distribution, from_distribution) {
        (false, false) => (address(4)?, address(10)?, 24),
        (false, true) => (address(4)?, address(16)?, 24),
        (true, false) => (address(16)?, address(10)?, 24),
        (true, true) => (address(16)?, address(24)?, 30),
    };
    if kind & 0x80 != 0 {
        let [control, _] = *chunk(data, at + bytes)?;
        // Several packets in one frame.
        if control & 0x80 != 0 {
            return Err(Skip::UnsupportedTunnel);
        }
        bytes += if flags & 0x80 != 0 { 6 } else { 2 };
    }
    if padded {
        bytes = bytes.next_multiple_of(4);
    }
    let link = Link { src_mac, dst_mac, ..Link::bare(Family::Either, at + bytes) };
    ether_type(link, data, 0)
}

/// A header of stated length with fields by a bit map, of which the flags tell whether the frame's header is padded.
fn radiotap(data: &[u8]) -> Result<Link, Skip> {
    let [_, _, low, high] = *chunk(data, 0)?;
    let mut at = 4;
    let mut first = 0;
    for word in 0..MAX_HEADERS {
        let present = u32::from_le_bytes(*chunk(data, at)?);
        at += 4;
        if word == 0 {
            first = present;
        }
        if present >> 31 == 0 {
            break;
        }
    }
    // The time stamp stands before the flags.
    if first & 1 != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    let padded = first & 2 != 0 && rest(data, at).and_then(<[u8]>::first).is_some_and(|flags| flags & 0x20 != 0);
    wireless(data, usize::from(u16::from_le_bytes([low, high])), padded)
}

/// Prism's header, 144 bytes, or AVS's in its place, told by its magic number.
fn prism(data: &[u8]) -> Result<Link, Skip> {
    if be_u32(data, 0)? & 0xffff_f000 == 0x8021_1000 {
        return wireless(data, be_u32(data, 4)? as usize, false);
    }
    let bytes = u32::from_le_bytes(*chunk(data, 4)?);
    wireless(data, bytes as usize, false)
}

/// Per-packet information: a header of stated length and the number of the link type behind it.
fn ppi(data: &[u8]) -> Result<Link, Skip> {
    let [_, _, low, high, number @ ..] = *chunk::<8>(data, 0)?;
    let at = usize::from(u16::from_le_bytes([low, high]));
    match u32::from_le_bytes(number) {
        1 => ethernet_at(data, at),
        105 => wireless(data, at, false),
        _ => Err(Skip::UnsupportedLinkType),
    }
}

/// Linux's netfilter log: attributes, of which the ninth kind is the packet.
fn nflog(data: &[u8]) -> Result<Link, Skip> {
    let [family, 0, _, _] = *chunk(data, 0)? else { return Err(Skip::NonIp) };
    let family = match family {
        2 => Family::V4,
        10 => Family::V6,
        _ => return Err(Skip::NonIp),
    };
    let mut at = 4;
    for _ in 0..MAX_ATTRIBUTES {
        let [a, b, c, d] = *chunk(data, at)?;
        // In the capturing host's byte order: a length of thousands is one of the other.
        let (bytes, kind) = match u16::from_le_bytes([c, d]) {
            kind @ 0..=255 => (u16::from_le_bytes([a, b]), kind),
            _ => (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
        };
        if kind == 9 {
            return Ok(Link::bare(family, at + 4));
        }
        at += usize::from(bytes.max(4)).next_multiple_of(4);
    }
    Err(Skip::TooManyHeaders)
}

/// Token ring: access control, frame control, addresses, a route when the source says so (IEEE 802.5).
fn token_ring(data: &[u8]) -> Result<Link, Skip> {
    let [_, control] = *chunk(data, 0)?;
    if control & 0xc0 != 0x40 {
        return Err(Skip::NonIp);
    }
    let (dst_mac, mut src_mac): ([u8; 6], [u8; 6]) = (*chunk(data, 2)?, *chunk(data, 8)?);
    let mut at = 14;
    if src_mac[0] & 0x80 != 0 {
        src_mac[0] &= 0x7f;
        let [route] = *chunk(data, at)?;
        at += usize::from(route & 0x1f);
    }
    ether_type(Link { src_mac, dst_mac, ..Link::bare(Family::Either, at) }, data, 0)
}

/// FDDI: frame control, addresses (ISO 9314-2).
fn fddi(data: &[u8]) -> Result<Link, Skip> {
    let [control] = *chunk(data, 0)?;
    if control & 0xf0 != 0x50 {
        return Err(Skip::NonIp);
    }
    let (dst_mac, src_mac) = (*chunk(data, 1)?, *chunk(data, 7)?);
    ether_type(Link { src_mac, dst_mac, ..Link::bare(Family::Either, 13) }, data, 0)
}

/// `N` bytes from `at` on.
fn chunk<const N: usize>(data: &[u8], at: usize) -> Result<&[u8; N], Skip> {
    rest(data, at).and_then(<[u8]>::first_chunk).ok_or(Skip::TruncatedLink)
}

fn be_u32(data: &[u8], at: usize) -> Result<u32, Skip> {
    chunk(data, at).copied().map(u32::from_be_bytes)
}

/// The EtherType behind a frame's VLAN tags, of link layers that have one; for the account of frames that are no packets.
#[cold]
pub(super) fn ether_type_of(link: LinkType, data: &[u8]) -> Option<u16> {
    let mut at = match link {
        LinkType::ETHERNET => 12,
        LinkType::LINUX_SLL => 14,
        LinkType::LINUX_SLL2 => 0,
        _ => return None,
    };
    for _ in 0..=MAX_VLAN_TAGS {
        match u16::from_be_bytes(*chunk(data, at).ok()?) {
            0x8100 | 0x88a8 | 0x9100 if link == LinkType::ETHERNET => at += 4,
            length if length < MIN_ETHER_TYPE => return None,
            other => return Some(other),
        }
    }
    None
}

/// The EtherType in an LLC header with a SNAP extension (RFC 1042), eight bytes in all.
fn snap(data: &[u8], at: usize) -> Result<u16, Skip> {
    match rest(data, at).unwrap_or_default() {
        // RFC 1042's encapsulation, and that of 802.1H for bridges.
        [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, high, low, ..] => match u16::from_be_bytes([*high, *low]) {
            nested if nested < MIN_ETHER_TYPE => Err(Skip::Llc),
            ether_type => Ok(ether_type),
        },
        [0xaa, 0xaa, 0x03] | [0xaa, 0xaa, 0x03, _] | [0xaa, 0xaa, 0x03, _, _] | [0xaa, 0xaa, 0x03, _, _, _] => {
            Err(Skip::TruncatedLink)
        }
        [_, _, _, ..] => Err(Skip::Llc),
        _ => Err(Skip::TruncatedLink),
    }
}

/// The reason to skip a frame with this EtherType (IEEE 802 numbers, IANA).
#[cold]
const fn not_ip(ether_type: u16) -> Skip {
    match ether_type {
        0x0806 | 0x8035 => Skip::Arp,
        0x88cc => Skip::Lldp,
        // MACsec, whose payload is encrypted as a rule.
        0x88e5 => Skip::UnsupportedTunnel,
        _ => Skip::NonIp,
    }
}

/// Linux cooked capture, version 1: packet type, ARPHRD type, address length, address, protocol.
fn linux_sll(data: &[u8]) -> Result<Link, Skip> {
    let header: &[u8; 16] = data.first_chunk().ok_or(Skip::TruncatedLink)?;
    let address_bytes = u16::from_be_bytes([header[4], header[5]]);
    let link = Link { src_mac: cooked_mac(address_bytes, &header[6..]), ..Link::bare(Family::Either, header.len()) };
    cooked(link, data, [header[2], header[3]], [header[14], header[15]])
}

/// Linux cooked capture, version 2: protocol, reserved, interface, ARPHRD type, packet type, address length, address.
fn linux_sll2(data: &[u8]) -> Result<Link, Skip> {
    let header: &[u8; 20] = data.first_chunk().ok_or(Skip::TruncatedLink)?;
    let address_bytes = u16::from(header[11]);
    let link = Link { src_mac: cooked_mac(address_bytes, &header[12..]), ..Link::bare(Family::Either, header.len()) };
    cooked(link, data, [header[8], header[9]], [header[0], header[1]])
}

fn cooked(link: Link, data: &[u8], hardware: [u8; 2], protocol: [u8; 2]) -> Result<Link, Skip> {
    // With these the protocol field is no EtherType: 802.11 with its headers (801 to 803), netlink (824), GRE (778).
    if matches!(u16::from_be_bytes(hardware), 778 | 801..=803 | 824) {
        return Err(Skip::NonIp);
    }
    match u16::from_be_bytes(protocol) {
        // LINUX_SLL_P_802_3 and the rest of the Linux numbers name frames without IP; 802.2 may hold SNAP.
        4 => ether_type(link, data, 0),
        number if number < MIN_ETHER_TYPE => Err(Skip::NonIp),
        number => ether_type(link, data, number),
    }
}

fn cooked_mac(address_bytes: u16, address: &[u8]) -> [u8; 6] {
    match address.first_chunk() {
        Some(mac) if address_bytes == 6 => *mac,
        _ => [0; 6],
    }
}

/// BSD loopback: an address family in four bytes, in the byte order of the capturing host (`NULL`) or of the network (`LOOP`).
/// Both orders are taken for either type, since files move between hosts and families are small numbers.
fn loopback(data: &[u8]) -> Result<Link, Skip> {
    let header: [u8; 4] = *data.first_chunk().ok_or(Skip::TruncatedLink)?;
    let number = u32::from_be_bytes(header).min(u32::from_le_bytes(header));
    match number {
        2 => Ok(Link::bare(Family::V4, header.len())),
        // AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, and macOS.
        10 | 24 | 28 | 30 => Ok(Link::bare(Family::V6, header.len())),
        _ => Err(Skip::NonIp),
    }
}

#[inline]
fn rest(data: &[u8], at: usize) -> Option<&[u8]> {
    data.get(at..)
}

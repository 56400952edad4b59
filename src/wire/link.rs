//! The link layer: from the first byte of a frame to the first byte of its IP packet.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::{LinkType, Skip};

/// More VLAN tags than this in one frame are an attack on the reader.
const MAX_VLAN_TAGS: usize = 8;

/// Below this the field behind the MAC addresses is a length and not a type (IEEE 802.3, 3.2.6).
const MIN_ETHER_TYPE: u16 = 0x0600;

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
    const fn bare(family: Family, at: usize) -> Self {
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
        _ => Err(Skip::UnsupportedLinkType),
    }
}

#[inline]
fn ethernet(data: &[u8]) -> Result<Link, Skip> {
    let header = Ethernet2HeaderSlice::from_slice(data).map_err(|_| Skip::TruncatedLink)?;
    let link = Link {
        src_mac: header.source(),
        dst_mac: header.destination(),
        ..Link::bare(Family::Either, Ethernet2HeaderSlice::slice(&header).len())
    };
    ether_type(link, data, header.ether_type().0)
}

/// Follows EtherTypes from the one that was just read up to an IP header.
#[inline]
fn ether_type(mut link: Link, data: &[u8], mut ether_type: u16) -> Result<Link, Skip> {
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
            other => return Err(not_ip(other)),
        }
    }
    Err(Skip::TooManyHeaders)
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
        0x8847 | 0x8848 | 0x8863 | 0x8864 | 0x88e5 | 0x88e7 | 0x8926 | 0x894f => Skip::UnsupportedTunnel,
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

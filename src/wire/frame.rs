//! A frame as it was captured.

use super::{Packet, link};
use crate::time::Timestamp;

/// A link-layer type by its number in the pcap registry (`LINKTYPE_…`, <https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback, address family in the capturing host's byte order (`LINKTYPE_NULL`).
    pub const NULL: Self = Self(0);
    /// Ethernet (`LINKTYPE_ETHERNET`).
    pub const ETHERNET: Self = Self(1);
    /// Token ring (`LINKTYPE_IEEE802_5`).
    pub const TOKEN_RING: Self = Self(6);
    /// PPP, perhaps with address and control fields (`LINKTYPE_PPP`).
    pub const PPP: Self = Self(9);
    /// FDDI (`LINKTYPE_FDDI`).
    pub const FDDI: Self = Self(10);
    /// Raw IP, as most BSDs number it (`DLT_RAW`).
    pub const RAW_BSD: Self = Self(12);
    /// Raw IP, as OpenBSD numbers it (`DLT_RAW`).
    pub const RAW_OPENBSD: Self = Self(14);
    /// PPP or Cisco's HDLC on a serial line (`LINKTYPE_PPP_HDLC`).
    pub const PPP_SERIAL: Self = Self(50);
    /// PPPoE, session stage, without Ethernet (`LINKTYPE_PPP_ETHER`).
    pub const PPP_ETHER: Self = Self(51);
    /// Raw IP, version 4 or 6 (`LINKTYPE_RAW`).
    pub const RAW: Self = Self(101);
    /// Cisco's HDLC (`LINKTYPE_C_HDLC`).
    pub const C_HDLC: Self = Self(104);
    /// 802.11 (`LINKTYPE_IEEE802_11`).
    pub const IEEE802_11: Self = Self(105);
    /// OpenBSD loopback, address family in network byte order (`LINKTYPE_LOOP`).
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, version 1 (`LINKTYPE_LINUX_SLL`).
    pub const LINUX_SLL: Self = Self(113);
    /// 802.11 behind Prism's header (`LINKTYPE_IEEE802_11_PRISM`).
    pub const PRISM: Self = Self(119);
    /// 802.11 behind radiotap's header (`LINKTYPE_IEEE802_11_RADIOTAP`).
    pub const RADIOTAP: Self = Self(127);
    /// 802.11 behind AVS's header (`LINKTYPE_IEEE802_11_AVS`).
    pub const AVS: Self = Self(163);
    /// PPP as pppd writes it, the address byte telling the direction (`LINKTYPE_PPP_PPPD`).
    pub const PPP_PPPD: Self = Self(166);
    /// Per-packet information (`LINKTYPE_PPI`).
    pub const PPI: Self = Self(192);
    /// PPP behind a byte for the direction (`LINKTYPE_PPP_WITH_DIR`).
    pub const PPP_WITH_DIRECTION: Self = Self(204);
    /// Cisco's HDLC behind a byte for the direction (`LINKTYPE_C_HDLC_WITH_DIR`).
    pub const C_HDLC_WITH_DIRECTION: Self = Self(205);
    /// Raw IPv4 (`LINKTYPE_IPV4`).
    pub const IPV4: Self = Self(228);
    /// Raw IPv6 (`LINKTYPE_IPV6`).
    pub const IPV6: Self = Self(229);
    /// Linux's netfilter log (`LINKTYPE_NFLOG`).
    pub const NFLOG: Self = Self(239);
    /// Linux cooked capture, version 2 (`LINKTYPE_LINUX_SLL2`).
    pub const LINUX_SLL2: Self = Self(276);
}

/// One captured frame, borrowed from the buffer that it was read into.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured.
    pub time: Timestamp,
    /// What its first header is.
    pub link: LinkType,
    /// Bytes that it had on the wire; `data` may hold fewer when the capture cut it, and holds more only in damaged files.
    pub wire_bytes: u32,
    /// The captured bytes.
    pub data: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The EtherType behind its VLAN tags, where its link layer has one.
    #[must_use]
    pub fn ether_type(&self) -> Option<u16> {
        link::ether_type_of(self.link, self.data)
    }

    /// The captured part of the payload of this frame's packet; empty when none was captured.
    #[must_use]
    pub fn payload(&self, packet: &Packet) -> &'a [u8] {
        self.data.get(packet.payload.start as usize..packet.payload.end as usize).unwrap_or_default()
    }
}

//! A decoded packet: what the flow table needs, without the bytes.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Addr, Tunnel};
use crate::time::Timestamp;

/// What one frame said at the network and transport layers. Fixed size, no borrow: it can be sent between threads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// When it was captured.
    pub time: Timestamp,
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Source port; for ICMP the type; 0 where the protocol has none.
    pub src_port: u16,
    /// Destination port; for ICMP the code; 0 where the protocol has none.
    pub dst_port: u16,
    /// IP protocol number of the transport header (6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6, 132 SCTP …).
    pub protocol: u8,
    /// Hop limit or TTL.
    pub ttl: u8,
    /// Outermost and next VLAN identifiers, 1 to 4095; 0 where there is no tag. Tags that carry a priority only (identifier 0)
    /// are passed over.
    pub vlans: [u16; 2],
    /// Source MAC address; zeros where the link layer has none.
    pub src_mac: [u8; 6],
    /// Destination MAC address; zeros where the link layer has none.
    pub dst_mac: [u8; 6],
    /// Bytes on the wire, link layer included.
    pub wire_bytes: u32,
    /// Bytes of the IP packet as its header states them (as they were on the wire, even when the capture cut the frame); no
    /// more than the frame had on the wire. A stated length of 0 (segmentation offload, jumbograms) is the rest of the frame.
    pub ip_bytes: u32,
    /// Bytes behind the transport header as the headers state them, on the wire. A fragment's share counts. For ICMP and
    /// ICMPv6 what is behind the first eight bytes; for protocols without ports all that is behind the IP headers.
    pub payload_bytes: u32,
    /// Where the captured part of the payload lies in the frame's data (see [`Frame::payload`](super::Frame::payload)); empty
    /// when none was captured.
    pub payload: Range<u32>,
    /// The TCP header's fields, for TCP; nothing in a fragment that does not hold them.
    pub tcp: Option<Tcp>,
    /// Where the IP header lies in the frame's data.
    pub network_at: u32,
    /// Where the transport header lies in the frame's data; behind its end when that was not captured.
    pub transport_at: u32,
    /// Which part of an IP packet it is, when that was fragmented.
    pub fragment: Option<Fragment>,
    /// Is a checksum wrong? Not known from the headers alone: see [`checksum`](super::checksum).
    pub bad_checksum: bool,
    /// The packet that an ICMP error is about.
    pub quoted: Option<Box<Quoted>>,
    /// The outermost packet, when this one was carried in a tunnel.
    pub tunnel: Option<Box<Tunnel>>,
}

impl Packet {
    /// Is it a fragment other than the first, which has no transport header?
    #[must_use]
    pub fn is_later_fragment(&self) -> bool {
        self.fragment.is_some_and(|fragment| fragment.offset > 0)
    }

    /// Is it a fragment of which the ports are not known? They are 0.
    #[must_use]
    pub fn lacks_ports(&self) -> bool {
        self.fragment.is_some_and(|fragment| fragment.offset > 0 && !fragment.has_ports)
    }
}

/// A part of a fragmented IP packet (RFC 791, 3.2; RFC 8200, 4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// Identification of the packet: 16 bits in IPv4, 32 in IPv6.
    pub id: u32,
    /// Where its payload belongs, in bytes from the start of the fragmented packet's payload.
    pub offset: u32,
    /// Do more parts follow?
    pub more: bool,
    /// Are the ports known: in a first fragment, or after the first was seen?
    pub has_ports: bool,
    /// Is it as honest senders never make them: overlapping another, too short to hold a transport header, reaching beyond the
    /// longest packet?
    pub odd: bool,
}

/// The packet that an ICMP error message quotes (RFC 792; RFC 4443, 3), as its sender sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quoted {
    /// Source address: who gets the error.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Source port; for ICMP the type; 0 where there is none.
    pub src_port: u16,
    /// Destination port; for ICMP the code; 0 where there is none.
    pub dst_port: u16,
    /// IP protocol number.
    pub protocol: u8,
}

/// Fields of a TCP header (RFC 9293).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Window as sent, unscaled.
    pub window: u16,
    /// Flags.
    pub flags: TcpFlags,
}

/// TCP flags as in the header's 14th byte: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement field counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent field counts.
    pub const URG: Self = Self(0x20);

    /// Are all flags of `other` set here?
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

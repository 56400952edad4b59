//! What single frames say of devices themselves: address resolution, neighbour discovery, DHCP, answers for names, link-layer discovery.
//!
//! Flows tell what devices do with each other; these frames tell which address belongs to which interface and what a device
//! calls itself. They are read in the reader's thread, each by itself, without a state. Every packet pays one comparison of its
//! protocol; frames without IP pay more.

mod announcement;
mod arp;
mod cdp;
mod lldp;
mod neighbour;

use crate::app::{DhcpMessage, LLMNR, NETBIOS, NameAnswer, dhcp_message, name_answer};
use crate::time::Timestamp;
use crate::wire::{Addr, Frame, LinkProtocol, Mac, Packet, Skip};

pub use announcement::{Announcement, Capabilities};
pub use arp::Arp;
pub use neighbour::{Neighbour, NeighbourKind};

impl Sighting {
    /// An address that a server gives to an interface (DHCP), and this interface.
    #[must_use]
    pub fn lease(&self) -> Option<(Addr, Mac)> {
        let Seen::Dhcp(said) = &self.what else { return None };
        let mac = said.client_mac.map(Mac).filter(|mac| mac.is_station() && !mac.is_shared_by_routers())?;
        let address = said.address.filter(|address| !address.ip().is_unspecified())?;
        (said.from_server && matches!(said.kind, "ack" | "reply")).then_some((address, mac))
    }
}

/// What one frame said of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When the frame was captured.
    pub time: Timestamp,
    /// Who sent the frame; none where the link layer does not say.
    pub src_mac: Mac,
    /// Source address of its IP packet, where it has one.
    pub src: Option<Addr>,
    /// Its destination address.
    pub dst: Option<Addr>,
    /// Outermost and next VLAN identifiers; 0 where there is no tag.
    pub vlans: [u16; 2],
    /// What it said.
    pub what: Seen,
}

/// What a sighting is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// An address was asked for or told (ARP, RFC 826).
    Arp(Arp),
    /// The same in IPv6 (RFC 4861).
    Neighbour(Neighbour),
    /// An address was asked for, offered or given (DHCP).
    Dhcp(Box<DhcpMessage>),
    /// A device answered that a name is its own (LLMNR, NetBIOS).
    Name(NameAnswer),
    /// A device told what it is (LLDP, IEEE 802.1AB; CDP).
    Announcement(Box<Announcement>),
}

/// What a frame that is no packet says of a device.
#[must_use]
pub fn of_skipped(frame: &Frame<'_>, skip: Skip) -> Option<Sighting> {
    if !matches!(skip, Skip::Arp | Skip::Lldp | Skip::Llc | Skip::NonIp) {
        return None;
    }
    let payload = frame.link_payload()?;
    let what = match payload.protocol {
        LinkProtocol::EtherType(0x0806) => Seen::Arp(arp::read(payload.data)?),
        LinkProtocol::EtherType(0x88cc) => Seen::Announcement(Box::new(lldp::read(payload.data)?)),
        LinkProtocol::Snap([0, 0, 0x0c], 0x2000) => Seen::Announcement(Box::new(cdp::read(payload.data)?)),
        _ => return None,
    };
    Some(Sighting { time: frame.time, src_mac: payload.src_mac, src: None, dst: None, vlans: payload.vlans, what })
}

/// Could this packet say something of a device? What is cheap to ask of every packet.
#[inline]
#[must_use]
pub fn may_be(packet: &Packet) -> bool {
    match packet.protocol {
        17 => is_dhcp(packet.dst_port) || is_dhcp(packet.src_port) || matches!(packet.src_port, NETBIOS | LLMNR),
        58 => matches!(packet.src_port, 133..=136),
        _ => false,
    }
}

const fn is_dhcp(port: u16) -> bool {
    matches!(port, 67 | 68 | 546 | 547)
}

/// What a packet says of a device, whose payload still lies where [`decode`](crate::wire::decode) found it.
#[cold]
#[must_use]
pub fn of_packet(frame: &Frame<'_>, packet: &Packet) -> Option<Sighting> {
    let what = match packet.protocol {
        17 if matches!(packet.src_port, NETBIOS | LLMNR) => Seen::Name(name_answer(frame.payload(packet), packet.src_port)?),
        17 => Seen::Dhcp(Box::new(dhcp(packet, frame.payload(packet))?)),
        _ => Seen::Neighbour(neighbour::read(frame, packet)?),
    };
    let src_mac = Mac(packet.src_mac);
    Some(Sighting { time: packet.time, src_mac, src: Some(packet.src), dst: Some(packet.dst), vlans: packet.vlans, what })
}

/// A message whose version fits its ports.
fn dhcp(packet: &Packet, payload: &[u8]) -> Option<DhcpMessage> {
    let is_v6 = matches!(packet.dst_port, 546 | 547) || matches!(packet.src_port, 546 | 547);
    let mut message = dhcp_message(payload).filter(|message| message.is_v6 == is_v6)?;
    message.to_relay = message.from_server && packet.dst_port == 67;
    Some(message)
}

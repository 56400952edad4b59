//! Neighbour discovery (RFC 4861): who says that an IPv6 address is theirs, and who routes.

use serde::{Deserialize, Serialize};

use crate::wire::{Addr, Frame, Mac, Packet};

/// Options that are passed at the most.
const MOST_OPTIONS: usize = 16;

/// Which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NeighbourKind {
    /// Asks for routers.
    RouterSolicitation,
    /// A router tells that it is one.
    RouterAdvertisement,
    /// Asks who has an address.
    Solicitation,
    /// Tells who has an address.
    Advertisement,
}

/// A message of neighbour discovery, reduced to what it says of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Which message.
    pub kind: NeighbourKind,
    /// The address that the message says is `mac`'s; none when it says of none.
    pub addr: Option<Addr>,
    /// The interface that has it: from the message's option, else the frame's sender.
    pub mac: Mac,
    /// Does the sender say that it is a router?
    pub is_router: bool,
    /// Does the sender ask whether the address is free, wanting it for itself (RFC 4862, 5.4)?
    pub is_probe: bool,
}

/// Reads a message of types 133 to 136. A hop limit other than 255 came from elsewhere and counts for nothing (7.1).
pub(super) fn read(frame: &Frame<'_>, packet: &Packet) -> Option<Neighbour> {
    if packet.ttl != 255 || packet.dst_port != 0 || packet.fragment.is_some() {
        return None;
    }
    let start = (packet.payload.start as usize).checked_sub(8)?;
    let message = frame.data.get(start..packet.payload.end as usize)?;
    let flags = *message.get(4)?;
    let sender = (!packet.src.ip().is_unspecified()).then_some(packet.src);
    let (kind, options_at) = match packet.src_port {
        133 => (NeighbourKind::RouterSolicitation, 8),
        134 => (NeighbourKind::RouterAdvertisement, 16),
        135 => (NeighbourKind::Solicitation, 24),
        136 => (NeighbourKind::Advertisement, 24),
        _ => return None,
    };
    let options = message.get(options_at..)?;
    let target = || message.get(8..)?.first_chunk().map(|bytes| Addr::v6(*bytes));
    let is_probe = kind == NeighbourKind::Solicitation && sender.is_none();
    let (addr, option) = match kind {
        NeighbourKind::Advertisement => (target(), 2),
        NeighbourKind::Solicitation if is_probe => (target(), 1),
        _ => (sender, 1),
    };
    let told = link_address(options, option);
    // Without the option an advertisement speaks of its sender only when that is the target.
    let addr = addr.filter(|addr| told.is_some() || is_probe || sender == Some(*addr));
    let is_router = match kind {
        NeighbourKind::RouterAdvertisement => true,
        NeighbourKind::Advertisement => flags & 0x80 != 0,
        _ => false,
    };
    Some(Neighbour { kind, addr, mac: told.unwrap_or(Mac(packet.src_mac)), is_router, is_probe })
}

/// The link-layer address in the option of this type: 1 for a source's, 2 for a target's (4.6.1).
fn link_address(mut options: &[u8], wanted: u8) -> Option<Mac> {
    for _ in 0..MOST_OPTIONS {
        let [kind, words, ..] = *options else { return None };
        let (option, rest) = options.split_at_checked(usize::from(words) * 8).filter(|_| words > 0)?;
        if kind == wanted && words == 1 {
            return option.get(2..)?.first_chunk().map(|mac| Mac(*mac));
        }
        options = rest;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use crate::wire::{LinkType, decode};

    const SENDER: [u8; 6] = [2, 0, 0, 0, 0, 9];
    const LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];

    /// What an ICMPv6 message from this address says, whose checksum is left to be right.
    fn said(src: [u8; 16], hops: u8, message: &[u8]) -> Option<Neighbour> {
        let dst = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let mut message = message.to_vec();
        let length = (message.len() as u16).to_be_bytes();
        let sum: u32 = [&src[..], &dst, &[0, 0], &length, &[0, 0, 0, 58], &message]
            .concat()
            .chunks(2)
            .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
            .sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        message[2..4].copy_from_slice(&(!(((folded & 0xffff) + (folded >> 16)) as u16)).to_be_bytes());
        let header = [&[0x60, 0, 0, 0][..], &length, &[58, hops], &src, &dst].concat();
        let data = [&[0x33, 0x33, 0, 0, 0, 1][..], &SENDER, &[0x86, 0xdd], &header, &message].concat();
        let frame = Frame { time: Timestamp::MIN, link: LinkType::ETHERNET, wire_bytes: data.len() as u32, data: &data };
        let packet = decode(&frame).unwrap();
        assert!(crate::sighting::may_be(&packet));
        read(&frame, &packet)
    }

    fn with_target(kind: u8, flags: u8, option: &[u8]) -> Vec<u8> {
        [&[kind, 0, 0, 0, flags, 0, 0, 0][..], &LINK_LOCAL, option].concat()
    }

    #[test]
    fn an_advertisement_tells_whose_an_address_is() {
        let other = [2, 0, 0, 0, 0, 7];
        let told = said([0; 16], 255, &with_target(136, 0xa0, &[&[2, 1][..], &other].concat())).unwrap();
        assert_eq!((told.addr, told.mac, told.is_router), (Some(Addr::v6(LINK_LOCAL)), Mac(other), true));
        let bare = said(LINK_LOCAL, 255, &with_target(136, 0, &[])).unwrap();
        assert_eq!((bare.addr, bare.mac, bare.is_router), (Some(Addr::v6(LINK_LOCAL)), Mac(SENDER), false));
        let of_another = said([0xfd; 16], 255, &with_target(136, 0, &[])).unwrap();
        assert_eq!(of_another.addr, None, "an answer for another without its interface");
    }

    #[test]
    fn a_solicitation_tells_of_its_sender_or_of_what_it_wants() {
        let asks =
            said(LINK_LOCAL, 255, &with_target(135, 0, &[&[14, 1, 0, 0, 0, 0, 0, 0, 1, 1][..], &SENDER].concat())).unwrap();
        assert_eq!((asks.kind, asks.addr, asks.is_probe), (NeighbourKind::Solicitation, Some(Addr::v6(LINK_LOCAL)), false));
        let probe = said([0; 16], 255, &with_target(135, 0, &[])).unwrap();
        assert_eq!((probe.addr, probe.mac, probe.is_probe), (Some(Addr::v6(LINK_LOCAL)), Mac(SENDER), true));
        let router = said(LINK_LOCAL, 255, &[&[134, 0, 0, 0, 64, 0, 7, 8][..], &[0; 8], &[1, 1], &SENDER].concat()).unwrap();
        assert_eq!((router.addr, router.is_router), (Some(Addr::v6(LINK_LOCAL)), true));
    }

    #[test]
    fn what_came_over_a_router_or_is_damaged_says_nothing() {
        assert_eq!(said(LINK_LOCAL, 64, &with_target(136, 0, &[])), None);
        assert_eq!(said(LINK_LOCAL, 255, &[136, 0, 0, 0, 0, 0, 0, 0, 1, 2]), None);
        let endless = said(LINK_LOCAL, 255, &with_target(136, 0, &[2, 0, 1, 2, 3, 4, 5, 6])).unwrap();
        assert_eq!(endless.mac, Mac(SENDER), "an option of no length ends the options");
    }
}

//! Neighbour discovery (RFC 4861): who says that an IPv6 address is theirs, and who routes.

use crate::wire::{Addr, Frame, Mac, Packet};

/// Options that are passed at the most.
const MOST_OPTIONS: usize = 16;

/// Which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    if packet.ttl != 255 || packet.dst_port != 0 || packet.fragment {
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

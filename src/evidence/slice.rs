//! What is kept of a packet, and what it belongs to.

use core::mem::size_of;
use core::ops::Range;

use crate::flow::FlowKey;
use crate::sighting::{self, Seen, Sighting};
use crate::time::Timestamp;
use crate::wire::{Addr, Frame, LinkType, Packet, Skip, quoted, quoted_header_bytes};

/// Bytes kept between two ticks; what is beyond is counted. The most packets between two ticks, 16,384 (see `pipeline/reader.rs`), are 23 MiB
/// at 1,500 bytes each.
const MOST_BYTES: usize = 64 << 20;

/// Bytes of an ARP packet for Ethernet and IPv4 (RFC 826); what follows is padding.
const ARP_BYTES: usize = 28;

/// How much of a frame is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Up to the end of its innermost transport header. Of an ICMP error the headers of the packet that it is about, too; ARP and
    /// neighbour discovery as a whole, since they carry nothing of anybody.
    Headers,
    /// All that was captured.
    Whole,
}

/// What incidents know a packet by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A packet of a conversation: its ends, IP protocol number and both ports (ICMP: type and its counterpart, as in
    /// [`FlowKey`]).
    Flow([Addr; 2], u8, [u16; 2]),
    /// A later part of a fragmented packet: it has no ports.
    Fragment([Addr; 2], u8),
    /// Somebody speaks of these addresses, as its own or another's.
    Claim([Addr; 2]),
}

impl Subject {
    const fn of_key(key: &FlowKey) -> Self {
        Self::Flow([key.low, key.high], key.protocol, [key.low_port, key.high_port])
    }

    /// The same with other addresses.
    fn renamed(self, mut name: impl FnMut(Addr) -> Addr) -> Self {
        match self {
            Self::Flow(ends, protocol, ports) => Self::Flow(ends.map(name), protocol, ports),
            Self::Fragment(ends, protocol) => Self::Fragment(ends.map(name), protocol),
            Self::Claim(addresses) => Self::Claim(addresses.map(&mut name)),
        }
    }

    fn of_sighting(sighting: &Sighting) -> Option<Self> {
        match &sighting.what {
            Seen::Arp(arp) => Some(Self::Claim([arp.sender, arp.target])),
            Seen::Neighbour(said) => said.addr.map(|addr| Self::Claim([addr; 2])),
            Seen::Dhcp(_) | Seen::Name(_) | Seen::Announcement(_) => None,
        }
    }
}

/// One packet's place in [`Slices`].
#[derive(Clone, Debug)]
struct Place {
    time: Timestamp,
    wire_bytes: u32,
    bytes: Range<u32>,
    link: LinkType,
    subject: Subject,
    /// What it belongs to besides: the conversation that an ICMP error is about, the address that a neighbour speaks of.
    also: Option<Box<Subject>>,
}

/// What is kept of one packet.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    /// The frame, cut.
    pub frame: Frame<'a>,
    /// What it belongs to.
    pub subject: Subject,
    /// What else.
    pub also: Option<Subject>,
}

impl<'a> Slice<'a> {
    /// What is kept of a packet, whose payload still lies where [`decode`](crate::wire::decode) found it.
    #[must_use]
    pub fn of_packet(frame: &Frame<'a>, packet: &Packet, cut: Cut) -> Self {
        let subject = if packet.lacks_ports() {
            Subject::Fragment([packet.src, packet.dst], packet.protocol)
        } else {
            Subject::of_key(&FlowKey::of(packet).0)
        };
        let (mut also, mut end) = (None, packet.payload.start);
        if packet.protocol == 58 && matches!(packet.src_port, 133..=136) {
            also = sighting::of_packet(frame, packet).and_then(|sighting| Subject::of_sighting(&sighting));
            if also.is_some() {
                end = packet.payload.end;
            }
        } else if let Some(quoted) = quoted(frame, packet) {
            also = Some(Subject::of_key(&FlowKey::of_quoted(&quoted)));
            end = packet.payload.end.min(end + quoted_header_bytes(frame, packet));
        }
        Self { frame: cut_to(frame, end as usize, cut), subject, also }
    }

    /// What is kept of a frame that is no packet: address resolution alone.
    #[must_use]
    pub fn of_skipped(frame: &Frame<'a>, skip: Skip, cut: Cut) -> Option<Self> {
        let sighting = (skip == Skip::Arp).then(|| sighting::of_skipped(frame, skip)).flatten()?;
        let subject = Subject::of_sighting(&sighting)?;
        let end = frame.data.len() - frame.link_payload()?.data.len() + ARP_BYTES;
        Some(Self { frame: cut_to(frame, end, cut), subject, also: None })
    }

    /// The same, known by other addresses; those in its bytes stay.
    #[must_use]
    pub(super) fn renamed(self, mut name: impl FnMut(Addr) -> Addr) -> Self {
        let subject = self.subject.renamed(&mut name);
        Self { subject, also: self.also.map(|also| also.renamed(&mut name)), ..self }
    }

    /// What it belongs to.
    pub fn subjects(&self) -> impl Iterator<Item = Subject> {
        [Some(self.subject), self.also].into_iter().flatten()
    }

    /// Memory that it takes in [`Slices`].
    pub(super) fn weight(&self) -> usize {
        size_of::<Place>() + self.frame.data.len() + self.also.map_or(0, |_| size_of::<Subject>())
    }
}

fn cut_to<'a>(frame: &Frame<'a>, end: usize, cut: Cut) -> Frame<'a> {
    match cut {
        Cut::Headers => Frame { data: frame.data.get(..end).unwrap_or(frame.data), ..*frame },
        Cut::Whole => *frame,
    }
}

/// What is kept of packets, in their order.
#[derive(Clone, Debug, Default)]
pub struct Slices {
    bytes: Vec<u8>,
    places: Vec<Place>,
    /// Packets that were beyond the most bytes, 64 MiB.
    pub left_out: u64,
}

impl Slices {
    /// Takes one more.
    pub fn push(&mut self, slice: &Slice<'_>) {
        let Slice { frame, subject, also } = slice;
        let (start, end) = (self.bytes.len(), self.bytes.len() + frame.data.len());
        if end > MOST_BYTES {
            self.left_out += 1;
            return;
        }
        self.bytes.extend_from_slice(frame.data);
        self.places.push(Place {
            time: frame.time,
            wire_bytes: frame.wire_bytes,
            bytes: start as u32..end as u32,
            link: frame.link,
            subject: *subject,
            also: also.map(Box::new),
        });
    }

    /// Were there any packets?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Packets in it.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// Memory that they take, in bytes.
    #[must_use]
    pub const fn weight(&self) -> usize {
        self.bytes.len() + self.places.len() * size_of::<Place>()
    }

    /// The packet at this place.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<Slice<'_>> {
        let Place { time, wire_bytes, bytes, link, subject, also } = self.places.get(number)?;
        let data = self.bytes.get(bytes.start as usize..bytes.end as usize).unwrap_or_default();
        let frame = Frame { time: *time, link: *link, wire_bytes: *wire_bytes, data };
        Some(Slice { frame, subject: *subject, also: also.as_deref().copied() })
    }

    /// All packets from this place on.
    pub fn iter_from(&self, number: usize) -> impl Iterator<Item = Slice<'_>> {
        (number..self.len()).filter_map(|number| self.get(number))
    }

    /// Knows packets by other addresses; those in their bytes stay.
    pub(super) fn rename(&mut self, mut name: impl FnMut(Addr) -> Addr) {
        for Place { subject, also, .. } in &mut self.places {
            *subject = subject.renamed(&mut name);
            also.iter_mut().for_each(|also| **also = also.renamed(&mut name));
        }
    }

    /// Gives back the room that was taken for more.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.places.shrink_to_fit();
    }
}

//! The pcapng format: blocks in sections (draft-ietf-opsawg-pcapng).
//!
//! Read: Section Header, Interface Description, Enhanced, Simple and the obsolete Packet Block. All others are stepped over
//! by their length. A section's own length is never needed.

use super::FrameSpan;
use super::error::Damage;
use super::interface::Interface;
use super::order::Order;
use super::parse::{MAX_RECORD_BYTES, Parsed, Stop, absurd, max_captured_bytes};
use crate::time::Timestamp;

pub(super) const SECTION: u32 = 0x0a0d_0d0a;
pub(super) const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
pub(super) const ENHANCED_PACKET: u32 = 6;
pub(super) const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// Type and length in front of a body, length again behind it.
const HEAD_BYTES: usize = 8;
const TAIL_BYTES: usize = 4;
const MIN_BLOCK_BYTES: usize = HEAD_BYTES + TAIL_BYTES;
/// Fields of an Enhanced and of an obsolete Packet Block: interface, time in two halves, captured and wire length.
const PACKET_FIELDS_BYTES: usize = 20;
/// Interfaces of one section that are kept; about 2 MiB.
const MAX_INTERFACES: usize = 65_536;

/// Where a parser is in a pcapng file.
#[derive(Debug)]
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// Of the last packet that had a time: Simple Packet Blocks have none.
    last_time: Timestamp,
}

impl Default for Pcapng {
    fn default() -> Self {
        Self { order: Order::Little, interfaces: Vec::new(), last_time: Timestamp::default() }
    }
}

/// A whole block: its type, where its body begins, and its body.
struct Whole<'a> {
    kind: u32,
    body_at: usize,
    body: &'a [u8],
}

impl Pcapng {
    /// Finds the blocks in `bytes[pos..]`.
    pub(super) fn parse(&mut self, bytes: &[u8], mut pos: usize, frames: &mut Vec<FrameSpan>) -> Parsed {
        loop {
            let stop = match self.block(bytes, pos) {
                Ok(block) => match self.take(&block, frames) {
                    Ok(()) => {
                        pos = block.body_at + block.body.len() + TAIL_BYTES;
                        continue;
                    }
                    Err(damage) => Stop::Damage(damage),
                },
                Err(stop) => stop,
            };
            return Parsed { pos, stop };
        }
    }

    /// The block at `pos`, if it is whole.
    #[inline]
    fn block<'a>(&mut self, bytes: &'a [u8], pos: usize) -> Result<Whole<'a>, Stop> {
        let rest = bytes.get(pos..).unwrap_or_default();
        let Some(head) = rest.first_chunk::<MIN_BLOCK_BYTES>() else { return Err(Stop::Wants(MIN_BLOCK_BYTES)) };
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *head;
        let kind = self.order.u32([a, b, c, d]);
        if kind == SECTION {
            self.order = section_order([i, j, k, l]).map_err(Stop::Damage)?;
        }
        let length = self.order.u32([e, f, g, h]);
        let end = length as usize;
        if !(MIN_BLOCK_BYTES..=MAX_RECORD_BYTES).contains(&end) {
            let (min, max) = (MIN_BLOCK_BYTES as u64, MAX_RECORD_BYTES as u64);
            return Err(Stop::Damage(Damage::Length { what: "block length", length: length.into(), min, max }));
        }
        if !end.is_multiple_of(4) {
            return Err(Stop::Damage(Damage::Unaligned { length }));
        }
        let (Some(body), Some(tail)) = (rest.get(HEAD_BYTES..end - TAIL_BYTES), self.order.u32_at(rest, end - TAIL_BYTES)) else {
            return Err(Stop::Wants(end));
        };
        if tail != length {
            return Err(Stop::Damage(Damage::Trailer { start: length, end: tail }));
        }
        Ok(Whole { kind, body_at: pos + HEAD_BYTES, body })
    }

    #[inline]
    fn take(&mut self, block: &Whole<'_>, frames: &mut Vec<FrameSpan>) -> Result<(), Damage> {
        match block.kind {
            ENHANCED_PACKET => {
                let id = self.order.u32_at(block.body, 0).unwrap_or_default();
                frames.push(self.packet(block, id)?);
            }
            OBSOLETE_PACKET => {
                let id = self.order.u16_at(block.body, 0).unwrap_or_default();
                frames.push(self.packet(block, id.into())?);
            }
            SIMPLE_PACKET => frames.push(self.simple_packet(block)?),
            SECTION => self.section(block)?,
            INTERFACE => self.interface(block)?,
            _ => {}
        }
        Ok(())
    }

    #[inline]
    fn packet(&mut self, block: &Whole<'_>, id: u32) -> Result<FrameSpan, Damage> {
        let Some(fields) = block.body.get(4..).and_then(|fields| fields.first_chunk::<16>()) else {
            return Err(short("packet block", block, PACKET_FIELDS_BYTES));
        };
        let [high, low, captured, wire_bytes] = self.order.four(*fields);
        let interface = self.interfaces.get(id as usize);
        let interface = interface.ok_or(Damage::UnknownInterface { id, known: self.interfaces.len() })?;
        let room = (block.body.len() - PACKET_FIELDS_BYTES) as u32;
        let max = room.min(max_captured_bytes(interface.link));
        if captured > max {
            return Err(absurd(captured, max));
        }
        let time = interface.time(u64::from(high) << 32 | u64::from(low));
        self.last_time = time;
        let start = (block.body_at + PACKET_FIELDS_BYTES) as u32;
        Ok(FrameSpan { time, link: interface.link, wire_bytes, bytes: start..start + captured })
    }

    /// A packet of the first interface with no time of its own and no captured length: that is what fits.
    fn simple_packet(&self, block: &Whole<'_>) -> Result<FrameSpan, Damage> {
        let wire_bytes = self.order.u32_at(block.body, 0).ok_or_else(|| short("simple packet block", block, 4))?;
        let interface = self.interfaces.first().ok_or(Damage::UnknownInterface { id: 0, known: 0 })?;
        let snap_bytes = if interface.snap_bytes == 0 { u32::MAX } else { interface.snap_bytes };
        let start = (block.body_at + 4) as u32;
        let captured = (block.body.len() as u32 - 4).min(wire_bytes).min(snap_bytes).min(max_captured_bytes(interface.link));
        Ok(FrameSpan { time: self.last_time, link: interface.link, wire_bytes, bytes: start..start + captured })
    }

    fn section(&mut self, block: &Whole<'_>) -> Result<(), Damage> {
        let (Some(major), Some(minor)) = (self.order.u16_at(block.body, 4), self.order.u16_at(block.body, 6)) else {
            return Err(short("section header block", block, 16));
        };
        if major != 1 {
            return Err(Damage::Version { major, minor, wanted: "1.0" });
        }
        self.interfaces.clear();
        Ok(())
    }

    fn interface(&mut self, block: &Whole<'_>) -> Result<(), Damage> {
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(Damage::TooManyInterfaces { limit: MAX_INTERFACES });
        }
        let interface = Interface::new(self.order, block.body).ok_or_else(|| short("interface description block", block, 8))?;
        self.interfaces.push(interface);
        Ok(())
    }
}

/// A section's order is known from its third word, before its length can be read.
fn section_order(magic: [u8; 4]) -> Result<Order, Damage> {
    [Order::Little, Order::Big]
        .into_iter()
        .find(|order| order.u32(magic) == BYTE_ORDER_MAGIC)
        .ok_or(Damage::ByteOrder { seen: magic })
}

fn short(what: &'static str, block: &Whole<'_>, min: usize) -> Damage {
    let around = MIN_BLOCK_BYTES as u64;
    let length = block.body.len() as u64 + around;
    Damage::Length { what, length, min: min as u64 + around, max: MAX_RECORD_BYTES as u64 }
}

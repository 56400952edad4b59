//! From bytes to the frames in them, whichever format they are in.

use super::FrameSpan;
use super::error::Damage;
use super::magic::{MAGIC_BYTES, Magic};
use super::pcap::{FILE_HEADER_BYTES, Pcap};
use super::pcapng::Pcapng;
use crate::wire::LinkType;

/// The longest record, header included, that is believed: 16 MiB, as Wireshark has it.
pub(super) const MAX_RECORD_BYTES: usize = 16 << 20;

/// Room in it for the fields in front of the packet and behind it.
const MAX_RECORD_HEADER_BYTES: usize = 64;

/// The most captured bytes that are believed of a packet of this link type: 256 KiB as libpcap and Wireshark have it, so
/// that a damaged length does not swallow what follows. D-Bus, EBHSCR and the USB types have long packets.
pub(super) fn max_captured_bytes(link: LinkType) -> u32 {
    match link.0 {
        189 | 220 | 231 | 249 | 279 => (MAX_RECORD_BYTES - MAX_RECORD_HEADER_BYTES) as u32,
        _ => 262_144,
    }
}

/// The error of a packet that is longer.
pub(super) fn absurd(captured: u32, max: u32) -> Damage {
    Damage::Length { what: "captured length", length: captured.into(), min: 0, max: max.into() }
}

/// How far a parser came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    /// Where the first record begins that was not taken.
    pub(super) pos: usize,
    /// Why it was not.
    pub(super) stop: Stop,
}

/// Why a parser stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It wants so many bytes from the position on, and there are fewer.
    Wants(usize),
    /// The record cannot be what it says.
    Damage(Damage),
    /// The first bytes are no capture's.
    Foreign,
}

/// A parser that learns the format from the first bytes.
#[derive(Debug, Default)]
pub(super) enum Parser {
    #[default]
    Start,
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl Parser {
    /// Finds the frames in `bytes[pos..]`, which begins at a record, and appends them to `frames`.
    pub(super) fn parse(&mut self, bytes: &[u8], pos: usize, frames: &mut Vec<FrameSpan>) -> Parsed {
        match self {
            Self::Start => self.start(bytes, pos, frames),
            Self::Pcap(pcap) => pcap.parse(bytes, pos, frames),
            Self::Pcapng(pcapng) => pcapng.parse(bytes, pos, frames),
        }
    }

    fn start(&mut self, bytes: &[u8], pos: usize, frames: &mut Vec<FrameSpan>) -> Parsed {
        let stop = |stop| Parsed { pos, stop };
        let rest = bytes.get(pos..).unwrap_or_default();
        match Magic::of(rest) {
            Magic::Pcapng => *self = Self::Pcapng(Pcapng::default()),
            Magic::Pcap => {
                let Some(header) = rest.first_chunk::<FILE_HEADER_BYTES>() else {
                    return stop(Stop::Wants(FILE_HEADER_BYTES));
                };
                match Pcap::new(header) {
                    Ok(pcap) => *self = Self::Pcap(pcap),
                    Err(damage) => return stop(Stop::Damage(damage)),
                }
                return self.parse(bytes, pos + FILE_HEADER_BYTES, frames);
            }
            Magic::Cut => return stop(Stop::Wants(MAGIC_BYTES)),
            Magic::Compressed(_) | Magic::Unknown => return stop(Stop::Foreign),
        }
        self.parse(bytes, pos, frames)
    }
}

//! The pcap format: a header of 24 bytes, then records (draft-ietf-opsawg-pcap; libpcap's `pcap-savefile(5)`).

use super::FrameSpan;
use super::error::Damage;
use super::order::Order;
use super::parse::{Parsed, Stop, absurd, max_captured_bytes};
use crate::time::Timestamp;
use crate::wire::LinkType;

/// Bytes of the file header.
pub(super) const FILE_HEADER_BYTES: usize = 24;
/// Fields that every record header begins with: seconds, fraction, captured length, length on the wire.
const FIELDS_BYTES: usize = 16;
/// Kuznetzov's variant puts interface, protocol and direction behind them.
const KUZNETZOV_BYTES: usize = 24;

/// What a pcap file's header says of its records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pcap {
    order: Order,
    minor: u16,
    record_header_bytes: usize,
    nanos_per_fraction: i64,
    link: LinkType,
    max_captured: u32,
}

impl Pcap {
    /// Reads the file header, whose magic was recognised.
    pub(super) fn new(header: &[u8; FILE_HEADER_BYTES]) -> Result<Self, Damage> {
        let order = if header.first() == Some(&0xa1) { Order::Big } else { Order::Little };
        let field = |at| order.u32_at(header, at).unwrap_or_default();
        let half = |at| order.u16_at(header, at).unwrap_or_default();
        let (major, minor) = (half(4), half(6));
        if major != 2 {
            return Err(Damage::Version { major, minor, wanted: "2.0 to 2.4" });
        }
        let (record_header_bytes, nanos_per_fraction) = match field(0) {
            0xa1b2_3c4d => (FIELDS_BYTES, 1),
            0xa1b2_cd34 => (KUZNETZOV_BYTES, 1000),
            _ => (FIELDS_BYTES, 1000),
        };
        // The upper half holds the length of the frame check sequence and reserved bits.
        let link = LinkType(field(20) as u16);
        Ok(Self { order, minor, record_header_bytes, nanos_per_fraction, link, max_captured: max_captured_bytes(link) })
    }

    /// Finds the records in `bytes[pos..]`.
    pub(super) fn parse(&self, bytes: &[u8], mut pos: usize, frames: &mut Vec<FrameSpan>) -> Parsed {
        while let Some(header) = bytes.get(pos..).and_then(|rest| rest.first_chunk::<FIELDS_BYTES>()) {
            let [seconds, fraction, mut captured, mut wire_bytes] = self.order.four(*header);
            // Before 2.3 the two lengths were the other way round, and in 2.3 either way.
            if self.minor < 3 || (self.minor == 3 && captured > wire_bytes) {
                core::mem::swap(&mut captured, &mut wire_bytes);
            }
            if captured > self.max_captured {
                return Parsed { pos, stop: Stop::Damage(absurd(captured, self.max_captured)) };
            }
            let start = pos + self.record_header_bytes;
            let end = start + captured as usize;
            if end > bytes.len() {
                return Parsed { pos, stop: Stop::Wants(end - pos) };
            }
            // Below 2^63, whatever the header says.
            let time = Timestamp::from_nanos(i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * self.nanos_per_fraction);
            frames.push(FrameSpan { time, link: self.link, wire_bytes, bytes: start as u32..end as u32 });
            pos = end;
        }
        Parsed { pos, stop: Stop::Wants(self.record_header_bytes) }
    }
}

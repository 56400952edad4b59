//! Writing pcapng (draft-ietf-opsawg-pcapng): one section, times in nanoseconds, little-endian.

use super::parse::max_captured_bytes;
use super::pcapng::{BYTE_ORDER_MAGIC, ENHANCED_PACKET, INTERFACE, SECTION};
use crate::wire::{Frame, LinkType};

const COMMENT: u16 = 1;
const SECTION_HARDWARE: u16 = 2;
const SECTION_OS: u16 = 3;
const SECTION_APPLICATION: u16 = 4;
const INTERFACE_TIME_RESOLUTION: u16 = 9;
/// 10^-9 seconds.
const NANOSECONDS: u8 = 9;
/// The section's length is not told: it grows until its file ends.
const UNKNOWN_LENGTH: u64 = u64::MAX;

/// Whole blocks of pcapng, to be appended to a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PcapngBlocks(Vec<u8>);

impl PcapngBlocks {
    /// The blocks as they belong into the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Begins a section, which every file does, made by this program and with this comment.
    pub fn section(&mut self, comment: &str) {
        self.block(SECTION, |body| {
            body.extend(BYTE_ORDER_MAGIC.to_le_bytes());
            body.extend([1_u16, 0].map(u16::to_le_bytes).as_flattened());
            body.extend(UNKNOWN_LENGTH.to_le_bytes());
            option(body, COMMENT, comment.as_bytes());
            option(body, SECTION_HARDWARE, std::env::consts::ARCH.as_bytes());
            option(body, SECTION_OS, std::env::consts::OS.as_bytes());
            option(body, SECTION_APPLICATION, concat!("auscult ", env!("CARGO_PKG_VERSION")).as_bytes());
            end_of_options(body);
        });
    }

    /// Describes the section's next interface, of this link type; the first has the number 0.
    pub fn interface(&mut self, link: LinkType) {
        self.block(INTERFACE, |body| {
            body.extend([link.0, 0].map(u16::to_le_bytes).as_flattened());
            body.extend(max_captured_bytes(link).to_le_bytes());
            option(body, INTERFACE_TIME_RESOLUTION, &[NANOSECONDS]);
            end_of_options(body);
        });
    }

    /// Adds a frame of the interface with this number. A time before 1970 cannot be told and becomes 1970; so does a length on the
    /// wire that is below what was captured become that.
    pub fn packet(&mut self, interface: u32, frame: &Frame<'_>, comment: &str) {
        let time = u64::try_from(frame.time.nanos()).unwrap_or(0);
        let captured = frame.data.len() as u32;
        let fields = [interface, (time >> 32) as u32, time as u32, captured, frame.wire_bytes.max(captured)];
        self.block(ENHANCED_PACKET, |body| {
            body.extend(fields.map(u32::to_le_bytes).as_flattened());
            body.extend(frame.data);
            pad(body, frame.data.len());
            option(body, COMMENT, comment.as_bytes());
            end_of_options(body);
        });
    }

    fn block(&mut self, kind: u32, write_body: impl FnOnce(&mut Vec<u8>)) {
        let start = self.0.len();
        self.0.extend(kind.to_le_bytes());
        self.0.extend([0; 4]);
        write_body(&mut self.0);
        let length = (self.0.len() - start + 4) as u32;
        self.0.extend(length.to_le_bytes());
        if let Some(place) = self.0.get_mut(start + 4..start + 8) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }
}

/// A section of blocks that [`PcapngBlocks`] wrote, with its packets in the order of their time; those of one time stay as they were.
/// Nothing when these are not whole blocks.
#[must_use]
pub fn in_order_of_time(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let number = |bytes: &[u8], at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (length, mut blocks) = (bytes.len(), Vec::new());
    while !bytes.is_empty() {
        let (block, rest) = bytes.split_at_checked(usize::try_from(number(bytes, 4)?).ok()?)?;
        let place = match number(block, 0)? {
            SECTION => (0, 0, 0),
            // A packet names its interface by the place among these.
            INTERFACE => (1, 0, 0),
            ENHANCED_PACKET => (2, number(block, 12)?, number(block, 16)?),
            _ => return None,
        };
        blocks.push((place, block));
        bytes = rest;
    }
    blocks.sort_by_key(|&(place, _)| place);
    let mut sorted = Vec::with_capacity(length);
    blocks.iter().for_each(|(_, block)| sorted.extend_from_slice(block));
    Some(sorted)
}

/// An option of at most 65,535 bytes; what is longer is cut.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    pad(body, value.len());
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// Zeros up to a multiple of four bytes.
fn pad(body: &mut Vec<u8>, length: usize) {
    body.resize(body.len() + length.next_multiple_of(4) - length, 0);
}

#[cfg(test)]
mod tests {
    use super::super::pcapng::Pcapng;
    use super::*;
    use crate::time::Timestamp;

    fn frame(link: LinkType, nanos: i64, data: &[u8]) -> Frame<'_> {
        Frame { time: Timestamp::from_nanos(nanos), link, wire_bytes: 1514, data }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let frames = [
            frame(LinkType::ETHERNET, 1_700_000_000_123_456_789, &[1, 2, 3, 4, 5]),
            frame(LinkType::LINUX_SLL2, 7, &[]),
            frame(LinkType::ETHERNET, 1 << 33, &[9; 64]),
        ];
        let mut blocks = PcapngBlocks::default();
        blocks.section("a comment");
        blocks.interface(LinkType::ETHERNET);
        blocks.interface(LinkType::LINUX_SLL2);
        for frame in &frames {
            blocks.packet(u32::from(frame.link != LinkType::ETHERNET), frame, "incident 1");
        }
        assert!(blocks.bytes().len().is_multiple_of(4));
        let mut read = Vec::new();
        let parsed = Pcapng::default().parse(blocks.bytes(), 0, &mut read);
        assert_eq!((parsed.pos, read.len()), (blocks.bytes().len(), 3));
        for (span, frame) in read.iter().zip(&frames) {
            let data = &blocks.bytes()[span.bytes.start as usize..span.bytes.end as usize];
            assert_eq!((span.time, span.link, span.wire_bytes, data), (frame.time, frame.link, 1514, frame.data));
        }
    }

    #[test]
    fn packets_are_put_in_order_behind_what_describes_them() {
        let mut blocks = PcapngBlocks::default();
        blocks.section("a comment");
        blocks.interface(LinkType::ETHERNET);
        // Both halves of a time count; a time that is there twice keeps its order.
        blocks.packet(0, &frame(LinkType::ETHERNET, 2 << 32, &[4]), "");
        blocks.packet(0, &frame(LinkType::ETHERNET, 5, &[1]), "");
        blocks.interface(LinkType::RAW);
        blocks.packet(1, &frame(LinkType::RAW, (1 << 32) + 9, &[2]), "");
        blocks.packet(0, &frame(LinkType::ETHERNET, (1 << 32) + 9, &[3]), "");
        let sorted = in_order_of_time(blocks.bytes()).unwrap();
        let mut read = Vec::new();
        Pcapng::default().parse(&sorted, 0, &mut read);
        let data = |span: &crate::capture::FrameSpan| (span.link, sorted[span.bytes.start as usize]);
        let (ethernet, raw) = (LinkType::ETHERNET, LinkType::RAW);
        assert_eq!(read.iter().map(data).collect::<Vec<_>>(), [(ethernet, 1), (raw, 2), (ethernet, 3), (ethernet, 4)]);
        assert_eq!((sorted.len(), in_order_of_time(&sorted).unwrap() == sorted), (blocks.bytes().len(), true));
        for broken in [&sorted[..sorted.len() - 4], &sorted[..6], b"notes, of some length", &[0; 12]] {
            assert_eq!(in_order_of_time(broken), None);
        }
        assert_eq!(in_order_of_time(&[]), Some(vec![]));
    }

    #[test]
    fn what_the_format_cannot_tell_is_put_right() {
        let mut blocks = PcapngBlocks::default();
        blocks.section("");
        blocks.interface(LinkType::RAW);
        blocks.packet(0, &Frame { wire_bytes: 1, ..frame(LinkType::RAW, -5, &[7; 9]) }, "");
        let mut read = Vec::new();
        Pcapng::default().parse(blocks.bytes(), 0, &mut read);
        assert_eq!((read[0].time, read[0].wire_bytes), (Timestamp::from_nanos(0), 9));
    }
}

//! Real-time media and its control, which have no port of their own and few bits that tell them: several datagrams have to fit together
//! (RFC 3550, 5.1 and 6.4; RFC 3551, 6; RFC 5761, 4).

use serde::Serialize;

use super::listen::{Heard, Listen, Place};
use super::reader::Reader;

/// Payload types that are listed.
const MOST_TYPES: usize = 4;
/// Datagrams of a stream that have to follow each other.
const WANTED: u16 = 3;
/// How far a number may be ahead of the one before: datagrams get lost.
const MOST_AHEAD: u16 = 3;

/// Facts of a flow of media.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RtpFacts {
    /// Payload types in the order in which they were first seen, 0 to 127, four at most; 96 and above mean what the call agreed on.
    pub payload_types: Vec<u8>,
    /// Was control seen?
    pub rtcp: bool,
}

impl Listen for RtpFacts {
    const MOST_LOOKS: Option<u8> = Some(32);

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        let payload = heard.payload.bytes;
        if is_control(payload) {
            self.rtcp = true;
        } else if let Some(media) = Media::read(payload)
            && self.payload_types.len() < MOST_TYPES
            && !self.payload_types.contains(&media.payload_type)
        {
            self.payload_types.push(media.payload_type);
        }
        true
    }
}

/// The last datagram of a flow that could be media, and how many before it fitted: four bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trace {
    number: u16,
    /// Bits of the source's number, and in the lowest two how many datagrams fitted.
    source: u16,
}

impl Trace {
    /// Looks at the next datagram of the initiator. Returns whether media has been seen by now.
    pub fn follow(&mut self, payload: &[u8]) -> bool {
        let Some(media) = Media::read(payload) else {
            *self = Self::default();
            return false;
        };
        // The payload type belongs to it: a stream seldom changes it.
        let mixed = (media.source ^ u32::from(media.payload_type)).wrapping_mul(0x9e37_79b1) >> 16;
        let source = mixed as u16 & !3;
        let ahead = media.number.wrapping_sub(self.number);
        let fits = self.is_open() && self.source & !3 == source && (1..=MOST_AHEAD).contains(&ahead);
        let count = if fits { (self.source & 3) + 1 } else { 1 };
        *self = Self { number: media.number, source: source | count };
        count >= WANTED
    }

    /// Has a datagram been seen that could be media?
    pub const fn is_open(self) -> bool {
        self.source & 3 != 0
    }
}

/// A header of media.
struct Media {
    payload_type: u8,
    number: u16,
    source: u32,
}

impl Media {
    fn read(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader(payload);
        let [first, second] = reader.array()?;
        let payload_type = second & 0x7f;
        if first >> 6 != 2 || !matches!(payload_type, 0..=34 | 96..=127) {
            return None;
        }
        let number = reader.u16()?;
        reader.take(4)?;
        let source = reader.u32().filter(|source| *source != 0)?;
        // Sources that were mixed, and something behind the header.
        reader.take(4 * usize::from(first & 0x0f))?;
        (!reader.0.is_empty()).then_some(Self { payload_type, number, source })
    }
}

/// A report and what goes with it, which together fill the datagram.
pub(super) fn is_control(payload: &[u8]) -> bool {
    let mut reader = Reader(payload);
    let mut packets = 0;
    while !reader.0.is_empty() {
        let Some([first, kind, high, low]) = reader.array() else { return false };
        let is_sound = first >> 6 == 2 && if packets == 0 { matches!(kind, 200 | 201) } else { matches!(kind, 200..=207) };
        let words = usize::from(u16::from_be_bytes([high, low]));
        if !is_sound || reader.take(4 * words).is_none() {
            return false;
        }
        packets += 1;
    }
    packets >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(number: u16, source: u32) -> Vec<u8> {
        [&[0x80, 0][..], &number.to_be_bytes(), &u32::from(number).to_be_bytes(), &source.to_be_bytes(), &[7; 160]].concat()
    }

    #[test]
    fn three_that_follow_each_other_are_media() {
        let mut trace = Trace::default();
        let got: Vec<_> = [65534, 65535, 1].map(|number| trace.follow(&media(number, 0x1234_5678))).into();
        assert_eq!(got, [false, false, true]);
    }

    #[test]
    fn others_are_not() {
        let mut trace = Trace::default();
        assert!(!(0..20).any(|turn| trace.follow(&media(turn * 7, 9))), "numbers that jump");
        assert!(!(0..20).any(|turn| trace.follow(&media(turn, u32::from(turn) * 0x10001 + 4))), "a source that changes");
        assert!(!(0..20).any(|_| trace.follow(&media(7, 9))), "the same again");
        assert!(!(0..20).any(|turn| trace.follow(&media(turn, 9)[..12])), "nothing behind the header");
    }

    #[test]
    fn control_fills_its_datagram() {
        let report = [&[0x80, 201, 0, 1][..], &[1, 2, 3, 4]].concat();
        let names = [&[0x81, 202, 0, 2][..], &[1, 2, 3, 4, 1, 2, b'a', b'b']].concat();
        assert!(is_control(&[&report[..], &names].concat()));
        assert!(!is_control(&report), "alone it is too little");
        assert!(!is_control(&[&report[..], &names[..10]].concat()));
    }
}

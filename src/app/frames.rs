//! Messages with a stated length of which the start matters: what a segment cuts off is held until enough of it has come.

use super::heads;
use super::held::MOST_HELD_BYTES;
use super::listen::{Payload, Place};

/// A message that can start so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Its whole length, header included; 0 cannot be.
    pub bytes: u32,
    /// How much of it is worth waiting for.
    pub wanted: u32,
}

/// How messages follow each other in a stream.
#[derive(Clone, Copy)]
pub(super) struct Frames {
    /// Bytes that have to be there before [`span`](Self::span) is asked.
    pub head_bytes: usize,
    /// What starts here; nothing when no message can: then the place in the stream was lost, and the next payload is tried
    /// from its first byte.
    pub span: fn(&[u8]) -> Option<Span>,
}

impl Frames {
    /// Hands out each message that begins in this payload, or that began earlier and is now seen far enough: its bytes as far
    /// as they are known and not beyond its end.
    pub fn walk(&self, place: &mut Place, payload: &Payload<'_>, mut message: impl FnMut(&[u8])) {
        let span = |bytes: &[u8]| if bytes.len() < self.head_bytes { None } else { (self.span)(bytes) };
        let head = |bytes: &[u8]| {
            if bytes.len() < self.head_bytes {
                return Some(self.head_bytes);
            }
            // What is too long to be held is told from what is there.
            let wanted = span(bytes).map(|span| span.bytes.min(span.wanted) as usize)?;
            Some(if wanted > MOST_HELD_BYTES { self.head_bytes } else { wanted })
        };
        heads::messages(place, payload, head, |bytes| {
            let span = span(bytes)?;
            message(bytes.get(..span.bytes as usize).unwrap_or(bytes));
            Some(span.bytes)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Side;
    use proptest::prelude::*;

    /// Messages whose first two bytes are their length, of which eight bytes are wanted.
    const FRAMES: Frames = Frames {
        head_bytes: 2,
        span: |bytes| {
            let length = u32::from(bytes[0]) << 8 | u32::from(bytes[1]);
            (length >= 2).then_some(Span { bytes: length, wanted: 8 })
        },
    };

    fn messages(stream: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
        let (mut found, mut place, mut from) = (Vec::new(), Place::default(), 0);
        for to in cuts.iter().copied().chain([stream.len()]) {
            let payload = Payload::new(Side::Orig, &stream[from..to], (to - from) as u32);
            FRAMES.walk(&mut place, &payload, |bytes| found.push(bytes[..bytes.len().min(8)].to_vec()));
            from = to;
        }
        found
    }

    proptest! {
        #[test]
        fn the_start_of_each_message_is_whole_wherever_the_stream_is_split(
            lengths in prop::collection::vec(2u16..600, 1..20), splits in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let whole: Vec<Vec<u8>> = lengths
                .iter()
                .map(|length| length.to_be_bytes().into_iter().chain((2..*length).map(|n| n as u8)).collect())
                .collect();
            let stream = whole.concat();
            let mut cuts: Vec<_> = splits.iter().map(|split| split.index(stream.len())).collect();
            cuts.sort_unstable();
            let want: Vec<_> = whole.iter().map(|message| message[..message.len().min(8)].to_vec()).collect();
            prop_assert_eq!(messages(&stream, &cuts), want);
        }
    }

    #[test]
    fn what_was_not_captured_or_has_no_room_is_passed_over() {
        let mut place = Place::default();
        let mut found = Vec::new();
        let mut hear = |place: &mut Place, bytes: &[u8], wire: u32, may_hold: bool| {
            let payload = Payload { may_hold, ..Payload::new(Side::Orig, bytes, wire) };
            FRAMES.walk(place, &payload, |bytes| found.push(bytes.to_vec()));
        };
        hear(&mut place, &[0, 20, 1], 15, true);
        hear(&mut place, &[9, 9, 9, 9, 9, 0, 3, 7, 0, 9, 5], 11, false);
        hear(&mut place, &[6, 6, 6, 6, 6, 6, 0, 2], 8, true);
        assert_eq!(found, [vec![0, 20, 1], vec![0, 3, 7], vec![0, 9, 5], vec![0, 2]]);
    }
}

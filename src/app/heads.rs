//! Messages with a stated length whose head may be split over payloads.

use super::held::Message;
use super::listen::{Payload, Place};

/// Finds the messages that start in this payload, as [`super::framing::messages`] does, and puts the head of one together when
/// it is split.
///
/// `head` says how many bytes from a message's first on have to be seen, as far as can be told from those so far (with too few
/// to tell, any number beyond them), or nothing when no message starts so. `message` gets these bytes and what follows them,
/// fewer only when the capture cut the packet or nothing may be held; it returns the message's whole length, or nothing when
/// that cannot be told: then the next payload is tried from its first byte.
pub(super) fn messages(
    place: &mut Place,
    payload: &Payload<'_>,
    head: impl Fn(&[u8]) -> Option<usize>,
    mut message: impl FnMut(&[u8]) -> Option<u32>,
) {
    let on_wire = u64::from(payload.wire_bytes).max(payload.bytes.len() as u64);
    let may_wait = payload.may_hold && payload.is_whole();
    // What cannot be waited for is done without.
    let needed = |bytes: &[u8]| head(bytes).map(|needed| if may_wait { needed } else { needed.min(bytes.len()) });
    let mut at = u64::from(place.skip);
    place.skip = 0;
    if place.held.is_waiting() {
        let before = place.held.waiting().len() as u64;
        let bytes = match place.held.message(payload.bytes, may_wait, needed) {
            Message::Whole(bytes) => message(bytes),
            Message::Part => return,
            Message::Lost => None,
        };
        place.held.clear();
        let Some(bytes) = bytes else { return };
        at = u64::from(bytes).saturating_sub(before);
    }
    while let Some(rest) = usize::try_from(at).ok().and_then(|at| payload.bytes.get(at..)).filter(|rest| !rest.is_empty()) {
        let bytes = match place.held.message(rest, may_wait, needed) {
            Message::Whole(bytes) => message(bytes),
            Message::Part => return,
            Message::Lost => None,
        };
        match bytes {
            Some(bytes) if bytes > 0 => at += u64::from(bytes),
            _ => return,
        }
    }
    place.skip = u32::try_from(at.saturating_sub(on_wire)).unwrap_or(0);
}

#[cfg(test)]
mod tests {
    use super::super::Side;
    use super::*;
    use proptest::prelude::*;

    /// Messages with a length of two bytes in front, of which the third has to be seen.
    fn head(bytes: &[u8]) -> Option<usize> {
        (bytes.first() != Some(&0xff)).then_some(3)
    }

    fn found(stream: &[u8], cuts: &[usize], may_hold: bool) -> Vec<u8> {
        let (mut found, mut place, mut from) = (Vec::new(), Place::default(), 0);
        for to in cuts.iter().copied().chain([stream.len()]) {
            let bytes = &stream[from..to];
            let payload = Payload { may_hold, ..Payload::new(Side::Orig, bytes, bytes.len() as u32) };
            messages(&mut place, &payload, head, |bytes| {
                let &[high, low, kind, ..] = bytes else { return None };
                found.push(kind);
                Some(u32::from(u16::from_be_bytes([high, low])))
            });
            from = to;
        }
        found
    }

    proptest! {
        #[test]
        fn every_head_is_found_wherever_the_stream_is_split(
            lengths in prop::collection::vec(3u16..400, 1..20), splits in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let stream: Vec<u8> = lengths.iter().enumerate().flat_map(|(place, length)| {
                let [high, low] = length.to_be_bytes();
                [high, low, place as u8].into_iter().chain(std::iter::repeat_n(0xff, usize::from(*length) - 3))
            }).collect();
            let mut cuts: Vec<_> = splits.iter().map(|split| split.index(stream.len())).collect();
            cuts.sort_unstable();
            cuts.dedup();
            let want: Vec<u8> = (0..lengths.len() as u8).collect();
            prop_assert_eq!(found(&stream, &cuts, true), want);
        }
    }

    #[test]
    fn a_head_that_cannot_be_held_is_passed_over() {
        let stream = [0, 4, 7, 0, 0, 3, 8, 0, 3, 9];
        assert_eq!(found(&stream, &[5, 7], true), [7, 8, 9]);
        assert!(!found(&stream, &[5], false).contains(&8), "nothing is known of what is not held");
        assert_eq!(found(&[0xff, 0, 3, 9], &[1], true), [9], "no message starts so");
    }

    #[test]
    fn a_hole_in_a_head_is_no_head() {
        let mut place = Place::default();
        let feed = |place: &mut Place, bytes: &[u8]| {
            let mut kinds = Vec::new();
            messages(place, &Payload::new(Side::Orig, bytes, bytes.len() as u32), head, |bytes| {
                kinds.push(*bytes.get(2)?);
                Some(3)
            });
            kinds
        };
        assert!(feed(&mut place, &[0, 3]).is_empty());
        place.pass_over(1);
        assert_eq!(feed(&mut place, &[0, 3, 5]), [5]);
    }
}

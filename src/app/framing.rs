//! Messages with a stated length, one after the other in a stream of which the packets are seen and not kept.

/// Bytes of a side's stream until its next message starts; 0 when the next payload starts one, or when that is not known.
pub(super) type Skip = u32;

/// Finds the messages that start in this payload. `message` gets the bytes from a message's first byte on and returns the
/// message's whole length, or nothing when no message can start so: then the place was lost (a packet is missing, or a header
/// is split over two of them), and the next payload is tried from its first byte.
///
/// `payload_bytes` is the payload's length on the wire, of which `payload` may be the captured part.
pub(super) fn messages(skip: &mut Skip, payload: &[u8], payload_bytes: u32, mut message: impl FnMut(&[u8]) -> Option<u32>) {
    let on_wire = u64::from(payload_bytes).max(payload.len() as u64);
    let mut at = u64::from(*skip);
    while let Some(rest) = usize::try_from(at).ok().and_then(|at| payload.get(at..)).filter(|rest| !rest.is_empty()) {
        match message(rest) {
            Some(bytes) if bytes > 0 => at += u64::from(bytes),
            _ => {
                *skip = 0;
                return;
            }
        }
    }
    *skip = u32::try_from(at.saturating_sub(on_wire)).unwrap_or(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Messages whose first byte is their length, of which no byte but the first may be looked at.
    fn starts(stream: &[u8], cuts: &[usize], captured: usize) -> Vec<u8> {
        let (mut found, mut skip, mut from) = (Vec::new(), 0, 0);
        for to in cuts.iter().copied().chain([stream.len()]) {
            let payload = &stream[from..to];
            let seen = &payload[..payload.len().min(captured)];
            messages(&mut skip, seen, payload.len() as u32, |rest| {
                found.push(rest[0]);
                Some(rest[0].into())
            });
            from = to;
        }
        found
    }

    proptest! {
        #[test]
        fn every_start_is_found_wherever_the_stream_is_split(
            lengths in prop::collection::vec(1u8..50, 1..20), splits in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let stream: Vec<u8> = lengths.iter().flat_map(|n| std::iter::once(*n).chain(std::iter::repeat_n(0, *n as usize - 1))).collect();
            let mut cuts: Vec<_> = splits.iter().map(|split| split.index(stream.len())).collect();
            cuts.sort_unstable();
            prop_assert_eq!(starts(&stream, &cuts, usize::MAX), lengths);
        }
    }

    #[test]
    fn bytes_that_were_not_captured_count() {
        let stream = [&[10][..], &[0; 9], &[3, 0, 0], &[2, 0]].concat();
        assert_eq!(starts(&stream, &[6, 10], 2), [10, 3], "the last message starts where nothing was captured");
    }

    #[test]
    fn a_lost_place_is_found_again_with_the_next_payload() {
        let mut skip = 0;
        messages(&mut skip, &[9, 9], 2, |_| None);
        assert_eq!(skip, 0);
        messages(&mut skip, &[5], 1, |rest| Some(rest[0].into()));
        assert_eq!(skip, 4);
    }
}

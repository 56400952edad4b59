//! Packets that were captured twice, as a SPAN port delivers them that mirrors both ends of a conversation.

use super::{Frame, Packet, mix};
use crate::time::{Span, Timestamp};

/// Packets that are remembered at the most: what comes within [`DUPLICATE_WINDOW`] at some eight million packets a second.
const REMEMBERED: usize = 1 << 13;
/// Places where a packet may be remembered.
const PLACES: usize = 2;
/// Bytes behind the IP headers that are compared: the transport header, whose checksum covers the rest.
const COMPARED_BYTES: usize = 48;
/// Bytes of IP headers, options and extensions included, and of these: of what has more, the first are compared.
const MOST_BYTES: usize = 128;

/// The same packet counts as captured twice within this time. Copies of a mirror come within microseconds; what is sent again
/// comes after a round trip at the earliest, and then as another packet with another identification.
pub const DUPLICATE_WINDOW: Span = Span::from_nanos(1_000_000);

/// A packet's fingerprint and time.
type Seen = (u64, Timestamp);

const NOTHING: Seen = (0, Timestamp::MIN);

/// Tells packets that were seen a moment ago. Of those that share their places the latest are remembered: a collision makes it
/// forget, never claim.
#[derive(Debug)]
pub struct Duplicates {
    /// The latest first.
    sets: Vec<[Seen; PLACES]>,
}

impl Default for Duplicates {
    fn default() -> Self {
        Self { sets: vec![[NOTHING; PLACES]; REMEMBERED / PLACES] }
    }
}

impl Duplicates {
    /// Did another frame between the same stations bring this IP packet within the last [`DUPLICATE_WINDOW`]? VLAN tags may differ,
    /// since ports are mirrored with and without. A packet that a router, or somebody who poses as one, passes on is not the same:
    /// it has other stations and a lower hop limit.
    ///
    /// Only the second is a copy, the third is new: a flood sends equal packets on purpose, and must not vanish.
    #[inline]
    pub fn contains(&mut self, print: Print, time: Timestamp) -> bool {
        let Some(set) = self.sets.get_mut(print.set()) else { return false };
        for seen in set.iter_mut() {
            let age = time.since(seen.1);
            if seen.0 == print.0 && age >= Span::ZERO && age <= DUPLICATE_WINDOW {
                *seen = NOTHING;
                return true;
            }
        }
        *set = [(print.0, time), set[0]];
        false
    }

    /// Reads where a packet would be remembered, so that it is in the cache by then.
    #[inline]
    pub fn warm(&self, print: Print) {
        std::hint::black_box(self.sets.get(print.set()).map(|set| set[0].0));
    }
}

/// A packet's fingerprint: what copies of it have in common.
#[derive(Clone, Copy, Debug)]
pub struct Print(u64);

impl Print {
    /// That of a packet; none of one whose bytes are too few to tell.
    #[inline]
    #[must_use]
    pub fn of(frame: &Frame<'_>, packet: &Packet) -> Option<Self> {
        fingerprint(frame, packet).map(Self)
    }

    const fn set(self) -> usize {
        self.0 as usize % (REMEMBERED / PLACES)
    }
}

/// A hash of what makes this packet itself: a sum of terms, none of which waits for another.
#[inline]
fn fingerprint(frame: &Frame<'_>, packet: &Packet) -> Option<u64> {
    let (start, transport) = (packet.network_at as usize, packet.transport_at as usize);
    let end = frame.data.len().min(start + packet.ip_bytes as usize).min(transport + COMPARED_BYTES);
    let bytes = frame.data.get(start..end)?;
    let station = |[a, b, c, d, e, f]: [u8; 6]| u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    let [stations, last, first, places @ ..] = &SECRETS;
    let (head, behind) = bytes.split_first_chunk()?;
    let [a, b] = words(*head);
    // A copy that was captured before the interface had filled in IPv4's checksum is one, too.
    let b = if packet.src.is_v4() { b & !0xffff_0000 } else { b };
    let mut sum = term(*stations, [packet.src_mac, packet.dst_mac].map(station)).wrapping_add(term(*first, [a, b]));
    for (bytes, secret) in behind.as_chunks().0.iter().zip(places) {
        sum = sum.wrapping_add(term(*secret, words(*bytes)));
    }
    // What is left over, with some bytes again: how many there are is in the header.
    Some(sum.wrapping_add(term(*last, words(*bytes.last_chunk()?))))
}

/// What two words add to a fingerprint.
#[inline]
const fn term(secret: [u64; 2], [a, b]: [u64; 2]) -> u64 {
    mix(a ^ secret[0], b ^ secret[1]) ^ a.wrapping_add(b.rotate_left(32))
}

#[inline]
const fn words([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]: [u8; 16]) -> [u64; 2] {
    [u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes([i, j, k, l, m, n, o, p])]
}

/// Two words for each place: odd multiples of the golden ratio.
const SECRETS: [[u64; 2]; 2 + MOST_BYTES.div_ceil(16)] = {
    let mut secrets = [[0; 2]; 2 + MOST_BYTES.div_ceil(16)];
    let mut place = 0;
    while place < secrets.len() {
        let odd = 4 * place as u64 + 1;
        secrets[place] = [0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(odd), 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(odd + 2)];
        place += 1;
    }
    secrets
};

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::wire::{LinkType, decode};

    /// A segment with this identification and number, and 20 bytes behind its header.
    fn segment(id: u16, seq: u32) -> Vec<u8> {
        let ([i, d], [a, b, c, e]) = (id.to_be_bytes(), seq.to_be_bytes());
        let mut bytes = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0];
        bytes.extend([0x45, 0, 0, 60, i, d, 0x40, 0, 64, 6, 1, 2, 10, 0, 0, 1, 10, 0, 0, 9]);
        bytes.extend([0x10, 0, 0x27, 0x0f, a, b, c, e, 0, 0, 0, 6, 0x50, 0x18, 1, 0, 3, 4, 0, 0]);
        bytes.extend([7; 20]);
        bytes
    }

    fn contains(seen: &mut Duplicates, nanos: i64, data: &[u8]) -> bool {
        let time = Timestamp::from_nanos(nanos);
        let frame = Frame { time, link: LinkType::ETHERNET, wire_bytes: data.len() as u32, data };
        let packet = decode(&frame).unwrap();
        let print = Print::of(&frame, &packet).unwrap();
        seen.warm(print);
        seen.contains(print, packet.time)
    }

    #[test]
    fn the_second_within_the_window_is_a_copy_and_the_third_is_new() {
        let (mut seen, packet) = (Duplicates::default(), segment(1, 1));
        let found: Vec<bool> = [0, 1000, 2000, 3000, 2_000_000].map(|at| contains(&mut seen, at, &packet)).to_vec();
        assert_eq!(found, [false, true, false, true, false]);
        assert!(!contains(&mut seen, 3_000_001, &packet), "later than the window");
    }

    #[test]
    fn every_byte_that_is_compared_counts() {
        let packet = segment(1, 1);
        // Flags of fragments and lengths make another packet of it or none.
        for place in (0..12).chain(18..20).chain(22..24).chain(26..74) {
            for bit in 0..8 {
                let (mut seen, mut other) = (Duplicates::default(), packet.clone());
                other[place] ^= 1 << bit;
                assert!(!contains(&mut seen, 0, &packet));
                let is_in_length_of_header = place == 46;
                let filled_in_later = place == 24 || place == 25;
                if !is_in_length_of_header {
                    assert_eq!(contains(&mut seen, 1, &other), filled_in_later, "{place}");
                }
            }
        }
    }

    #[test]
    fn a_checksum_that_was_not_filled_in_and_a_vlan_make_no_difference() {
        let (mut seen, packet) = (Duplicates::default(), segment(1, 1));
        let mut other = packet.clone();
        other[24..26].fill(0);
        other.splice(12..12, [0x81, 0, 0, 7]);
        assert!(!contains(&mut seen, 0, &packet) && contains(&mut seen, 1, &other));
    }

    /// Two fragments of IPv6 that differ in their fragment headers alone are two packets.
    #[test]
    fn headers_of_extensions_are_compared() {
        let fragment = |id: u8| {
            let mut bytes = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x86, 0xdd];
            bytes.extend([0x60, 0, 0, 0, 0, 24, 44, 64]);
            bytes.extend([0xfd; 32]);
            bytes.extend([17, 0, 0, 9, 0, 0, 0, id]);
            bytes.extend([5; 16]);
            bytes
        };
        let mut seen = Duplicates::default();
        assert!(!contains(&mut seen, 0, &fragment(1)) && !contains(&mut seen, 1, &fragment(2)));
        assert!(contains(&mut seen, 2, &fragment(2)));
    }

    /// At two million packets a second nearly none is forgotten, and nothing is claimed that was not there.
    #[test]
    fn few_are_forgotten_and_none_is_made_up() {
        let (mut seen, mut exact) = (Duplicates::default(), HashMap::new());
        let (mut found, mut wanted) = (0, 0);
        for n in 0..40_000_u32 {
            // Every third comes again after up to a thousand others.
            let number = if n % 3 == 0 { n.saturating_sub(1 + n % 997) } else { n };
            let at = i64::from(n) * 500;
            let is_copy = exact.get(&number).is_some_and(|before| at - before <= DUPLICATE_WINDOW.nanos());
            if is_copy {
                exact.remove(&number)
            } else {
                exact.insert(number, at)
            };
            let claims = contains(&mut seen, at, &segment(number as u16, number));
            assert!(is_copy || !claims, "{n}");
            (found, wanted) = (found + u32::from(claims), wanted + u32::from(is_copy));
        }
        assert!(wanted > 5000 && found * 100 >= wanted * 95, "{found} of {wanted}");
    }
}

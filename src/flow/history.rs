//! What happened in a connection, in order, in the letters of Zeek's `history`.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::wire::TcpFlags;

/// Letters that a connection keeps. A connection without trouble has some ten; what comes after the last is left out.
pub const HISTORY_LETTERS: usize = 24;

/// The history of a TCP connection as Zeek's conn.log writes it: capital letters are the initiator's packets, small ones the
/// responder's.
///
/// | letter | what it stands for | how often |
/// | --- | --- | --- |
/// | `s` | SYN without ACK | once for each sequence number that is not the one before |
/// | `h` | SYN with ACK | the same |
/// | `a` | ACK without data | once |
/// | `d` | data without SYN, FIN or RST | once |
/// | `f` | FIN | once |
/// | `r` | RST | once |
/// | `i` | FIN and RST in one packet | once |
/// | `q` | SYN with FIN or RST in one packet | once |
/// | `g` | a gap: the other side acknowledged bytes that were not captured | 1st, 10th, 100th … time |
/// | `t` | data that was sent before | 1st, 10th, 100th … time |
/// | `w` | a receive window of zero | 1st, 10th, 100th … time |
/// | `c` | a wrong checksum | 1st, 10th, 100th … time |
/// | `^` | the initiator is not the sender of the first packet | at the beginning |
///
/// Three things differ from Zeek: a late packet (out of order) is no `t`, a keep-alive is no `t`, and a packet with a wrong
/// checksum counts as any other beside its `c`. It holds at most [`HISTORY_LETTERS`] letters; those of the whole flow, not of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    letters: [u8; HISTORY_LETTERS],
    length: u8,
}

impl History {
    /// The letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let letters = self.letters.get(..usize::from(self.length)).unwrap_or_default();
        core::str::from_utf8(letters).unwrap_or_default()
    }

    /// The history of a record that says so; of other letters than these it keeps nothing.
    #[must_use]
    pub fn of_letters(text: &str) -> Self {
        let mut history = Self::default();
        let known = |letter: &u8| *letter == b'^' || b"shadfriqgtwc".contains(&letter.to_ascii_lowercase());
        text.bytes().filter(known).for_each(|letter| history.push(letter));
        history
    }

    /// Says that the initiator did not send the first packet.
    pub fn flipped(&mut self) {
        self.push(b'^');
    }

    /// Appends a letter, given in small, of this side.
    pub(super) fn add(&mut self, letter: u8, from_orig: bool) {
        self.push(if from_orig { letter.to_ascii_uppercase() } else { letter });
    }

    fn push(&mut self, letter: u8) {
        if let Some(place) = self.letters.get_mut(usize::from(self.length)) {
            *place = letter;
            self.length += 1;
        }
    }
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for History {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|letters| Self::of_letters(&letters))
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What of a side has its letter already. Packed: every open flow has two.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, packed(2))]
pub(super) struct Told {
    /// One bit for each of `LETTERS`.
    seen: u8,
    gaps: u16,
    repeats: u16,
    zero_windows: u16,
    bad_checksums: u16,
    /// Sequence number of the latest SYN.
    syn_seq: u32,
}

const LETTERS: [u8; 8] = *b"shadfriq";

/// Place of the last of these that tells of a SYN alone.
const LAST_OF_SYN: usize = 1;

/// The letter of a packet with these flags, by its place among `LETTERS`, if it has one.
const fn letter(flags: TcpFlags, has_data: bool) -> Option<usize> {
    let (syn, fin, rst) = (flags.has(TcpFlags::SYN), flags.has(TcpFlags::FIN), flags.has(TcpFlags::RST));
    match (syn, fin, rst) {
        (false, false, false) if has_data => Some(3),
        (false, false, false) if flags.has(TcpFlags::ACK) => Some(2),
        (false, false, false) => None,
        (_, true, true) => Some(6),
        (true, true, false) | (true, false, true) => Some(7),
        (true, false, false) if flags.has(TcpFlags::ACK) => Some(1),
        (true, false, false) => Some(0),
        (false, true, false) => Some(4),
        (false, false, true) => Some(5),
    }
}

impl Told {
    /// The letter of a packet, unless this side has had it.
    pub(super) fn packet(&mut self, flags: TcpFlags, seq: u32, has_data: bool) -> Option<u8> {
        let place = letter(flags, has_data)?;
        let bit = 1_u8 << place;
        let (is_first, is_syn) = (self.seen & bit == 0, place <= LAST_OF_SYN);
        // So it is with most packets.
        if !is_first && !is_syn {
            return None;
        }
        let is_again = is_syn && !is_first && seq != self.syn_seq;
        if is_syn {
            self.syn_seq = seq;
        }
        self.seen |= bit;
        (is_first || is_again).then_some(LETTERS[place])
    }

    /// Counts a gap; says whether it has a letter.
    pub(super) const fn gap(&mut self) -> bool {
        count(&mut self.gaps)
    }

    /// Counts a wrong checksum; says whether it has a letter.
    pub(super) const fn bad_checksum(&mut self) -> bool {
        count(&mut self.bad_checksums)
    }

    /// Counts a repetition of data; says whether it has a letter.
    pub(super) const fn repeat(&mut self) -> bool {
        count(&mut self.repeats)
    }

    /// Counts a window of zero; says whether it has a letter.
    pub(super) const fn zero_window(&mut self) -> bool {
        count(&mut self.zero_windows)
    }
}

/// Counts, and says whether a power of ten was reached.
const fn count(n: &mut u16) -> bool {
    let before = *n;
    *n = n.saturating_add(1);
    *n != before && matches!(*n, 1 | 10 | 100 | 1000 | 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_has_the_letter_of_its_flags() {
        for (flags, has_data, wanted) in [
            (0x02, false, Some(b's')),
            (0x12, false, Some(b'h')),
            (0x10, false, Some(b'a')),
            (0x18, true, Some(b'd')),
            (0x11, true, Some(b'f')),
            (0x14, false, Some(b'r')),
            (0x05, false, Some(b'i')),
            (0x07, false, Some(b'i')),
            (0x03, false, Some(b'q')),
            (0x06, false, Some(b'q')),
            (0x00, false, None),
            (0x08, false, None),
        ] {
            assert_eq!(letter(TcpFlags(flags), has_data).map(|place| LETTERS[place]), wanted, "{flags:02x}");
        }
    }

    #[test]
    fn trouble_is_told_at_powers_of_ten() {
        let mut told = Told::default();
        let at: Vec<u32> = (1..=70_000).filter(|_| told.repeat()).collect();
        assert_eq!(at, [1, 10, 100, 1000, 10_000]);
    }

    #[test]
    fn letters_beyond_the_last_are_left_out() {
        let mut history = History::default();
        history.flipped();
        (0..100).for_each(|n| history.add(b'd', n % 2 == 0));
        assert_eq!(history.to_string(), "^DdDdDdDdDdDdDdDdDdDdDdD");
        assert_eq!(history.as_str().len(), HISTORY_LETTERS);
    }
}

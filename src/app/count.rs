//! Counters, and how many different names there were without the names.

use serde::{Serialize, Serializer};

/// Counts one more, up to the maximum.
pub(super) fn bump(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}

/// Adds a fixed word to a list that holds each once. The words come from a table, which bounds the list.
pub(super) fn note(words: &mut Vec<&'static str>, word: &'static str) {
    if !words.contains(&word) {
        words.push(word);
    }
}

/// Hashes that are kept as they are: up to here the count is exact.
const MOST_EXACT: usize = 32;
/// Registers of the sketch, a power of two: a standard error of 1.04 / √256 = 6.5 %.
const REGISTERS: usize = 256;
/// Bits of a hash that choose the register.
const REGISTER_BITS: u32 = REGISTERS.trailing_zeros();

/// How many different things there were: exact up to 32, then an estimate (Flajolet et al. 2007, `HyperLogLog`), about 6.5 % off.
///
/// It holds nothing of the things but 256 bytes at most, from which none of them can be told. Serialized as the count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distinct {
    exact: Vec<u64>,
    registers: Option<Box<[u8; REGISTERS]>>,
}

impl Distinct {
    /// Notes a thing by its bytes.
    pub(super) fn note(&mut self, thing: &[u8]) {
        self.note_hash(hash(thing.iter().copied()));
    }

    /// Notes a thing by its [`hash`].
    pub(super) fn note_hash(&mut self, hash: u64) {
        if let Some(registers) = &mut self.registers {
            raise(registers, hash);
        } else if !self.exact.contains(&hash) {
            self.exact.push(hash);
            if self.exact.len() > MOST_EXACT {
                let mut registers = Box::new([0; REGISTERS]);
                std::mem::take(&mut self.exact).into_iter().for_each(|hash| raise(&mut registers, hash));
                self.registers = Some(registers);
            }
        }
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.registers.as_deref().map_or(self.exact.len() as u32, estimate)
    }
}

impl Serialize for Distinct {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.count())
    }
}

/// Raises the register of a hash to the place of its first bit that is set.
fn raise(registers: &mut [u8; REGISTERS], hash: u64) {
    let rank = (hash << REGISTER_BITS | 1 << (REGISTER_BITS - 1)).leading_zeros() as u8 + 1;
    if let Some(register) = registers.get_mut((hash >> (64 - REGISTER_BITS)) as usize) {
        *register = (*register).max(rank);
    }
}

fn estimate(registers: &[u8; REGISTERS]) -> u32 {
    let size = REGISTERS as f64;
    let raw = 0.7213 / (1.0 + 1.079 / size) * size * size
        / registers.iter().map(|rank| f64::from(-i32::from(*rank)).exp2()).sum::<f64>();
    let empty = registers.iter().filter(|rank| **rank == 0).count();
    // Few things leave registers empty, whose number tells better.
    let count = if raw <= 2.5 * size && empty > 0 { size * (size / empty as f64).ln() } else { raw };
    count.round() as u32
}

/// A hash of bytes, the same on every machine: FNV-1a with its bits mixed (the finish of `SplitMix64`).
pub(super) fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let sum =
        bytes.into_iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mixed = (sum ^ sum >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_counted_and_many_are_estimated() {
        for want in [0_u32, 1, 32, 33, 200, 1000, 20_000] {
            let mut seen = Distinct::default();
            for _ in 0..2 {
                (0..want).for_each(|thing| seen.note(format!("share\\file {thing}.docx").as_bytes()));
            }
            let off = (f64::from(seen.count()) - f64::from(want)).abs() / f64::from(want.max(1));
            assert!(if want <= 32 { off == 0.0 } else { off < 0.2 }, "{want}: {}", seen.count());
        }
    }

    #[test]
    fn a_word_is_listed_once() {
        let mut words = Vec::new();
        ["samr", "lsarpc", "samr"].into_iter().for_each(|word| note(&mut words, word));
        assert_eq!(words, ["samr", "lsarpc"]);
    }
}

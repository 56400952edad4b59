//! Numbers of few bits: keyed permutations, so that no two have the same pseudonym and the key turns each back.

use aes_gcm::aes::cipher::{BlockEncrypt as _, KeyInit as _};
use aes_gcm::aes::{Aes128, Block};

/// Rounds of the network; ten are what NIST SP 800-38G has for its FF1.
const ROUNDS: u8 = 10;

/// A keyed permutation of numbers of an even count of bits: a balanced Feistel network whose function is AES.
pub(super) struct Permutation {
    cipher: Aes128,
    half_bits: u32,
}

impl Permutation {
    /// A permutation of numbers of `2 * half_bits` bits, at most 64.
    pub(super) fn new(key: &[u8; 16], half_bits: u32) -> Self {
        Self { cipher: Aes128::new(key.into()), half_bits }
    }

    fn mask(&self) -> u64 {
        (1 << self.half_bits) - 1
    }

    fn function(&self, round: u8, half: u64) -> u64 {
        let mut bytes = [0; 16];
        bytes[0] = round;
        bytes[8..].copy_from_slice(&half.to_be_bytes());
        let mut block = Block::from(bytes);
        self.cipher.encrypt_block(&mut block);
        block.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)) & self.mask()
    }

    /// The number's pseudonym.
    pub(super) fn hide(&self, number: u64) -> u64 {
        let halves = (number >> self.half_bits, number & self.mask());
        let (left, right) = (0..ROUNDS).fold(halves, |(left, right), round| (right, left ^ self.function(round, right)));
        left << self.half_bits | right
    }

    /// The number of a pseudonym.
    pub(super) fn show(&self, hidden: u64) -> u64 {
        let halves = (hidden >> self.half_bits, hidden & self.mask());
        let (left, right) = (0..ROUNDS).rev().fold(halves, |(left, right), round| (right ^ self.function(round, left), left));
        left << self.half_bits | right
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_numbers_are_permuted() {
        let permutation = Permutation::new(&[3; 16], 5);
        let mut hidden: Vec<u64> = (0..1024).map(|number| permutation.hide(number)).collect();
        assert_eq!((0..1024).filter(|number| permutation.show(hidden[*number as usize]) == *number).count(), 1024);
        assert!((0..1024).filter(|number| hidden[*number as usize] == *number).count() < 10, "hardly one stays");
        hidden.sort_unstable();
        assert!(hidden.into_iter().eq(0..1024), "each comes once");
    }

    proptest! {
        #[test]
        fn what_is_hidden_is_shown(key: [u8; 16], number in 0_u64..1 << 46) {
            let permutation = Permutation::new(&key, 23);
            let hidden = permutation.hide(number);
            prop_assert!(hidden < 1 << 46);
            prop_assert_eq!(permutation.show(hidden), number);
        }
    }
}

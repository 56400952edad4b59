//! How devices are shared out.

use crate::feature::Host;
use crate::wire::mix;

/// Digits of the square roots of two and three: nothing up the sleeve.
const SEEDS: [u64; 2] = [0x6a09_e667_f3bc_c908, 0xbb67_ae85_84ca_a73b];

/// In which of so many shares a device is, the same in every run and on every machine.
#[must_use]
pub fn share_of(device: Host, shares: u16) -> u16 {
    let bits = device.0.bits();
    let hash = mix(SEEDS[0] ^ bits as u64, SEEDS[1] ^ (bits >> 64) as u64);
    ((u128::from(hash) * u128::from(shares)) >> 64) as u16
}

#[cfg(test)]
mod tests {
    use super::super::testing::host;
    use super::*;

    #[test]
    fn shares_are_alike_everywhere_and_of_like_size() {
        let of = |share: u16| (0..=255).filter(|&n| share_of(host(n), 4) == share).count();
        assert!((0..4).all(|share| (40..90).contains(&of(share))) && (0..=255).all(|n| share_of(host(n), 1) == 0));
        // What another machine or version must find too.
        assert_eq!([1, 2, 3].map(|n| share_of(host(n), 64)), [45, 62, 8]);
    }
}

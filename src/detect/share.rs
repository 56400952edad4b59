//! Which devices an assessor looks after.

use serde::{Deserialize, Serialize};

use crate::feature::Host;
use crate::wire::mix;

/// One of so many shares of all devices, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    place: u16,
    of: u16,
}

/// Digits of the square roots of two and three: nothing up the sleeve.
const SEEDS: [u64; 2] = [0x6a09_e667_f3bc_c908, 0xbb67_ae85_84ca_a73b];

impl Share {
    /// All devices.
    pub const ALL: Self = Self { place: 0, of: 1 };

    /// The share `place` of `of`, both the same in every run and on every machine; none where there is no such place.
    #[must_use]
    pub fn new(place: u16, of: u16) -> Option<Self> {
        (place < of).then_some(Self { place, of })
    }

    /// In which of so many shares a device is.
    #[must_use]
    pub fn place_of(host: Host, of: u16) -> u16 {
        let bits = host.0.bits();
        let hash = mix(SEEDS[0] ^ bits as u64, SEEDS[1] ^ (bits >> 64) as u64);
        ((u128::from(hash) * u128::from(of)) >> 64) as u16
    }

    /// Is it one of these devices?
    #[must_use]
    pub fn holds(self, host: Host) -> bool {
        self.of == 1 || Self::place_of(host, self.of) == self.place
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::host;
    use super::*;

    #[test]
    fn every_device_is_in_one_share_and_shares_are_alike() {
        let shares: Vec<Share> = (0..4).map(|place| Share::new(place, 4).unwrap()).collect();
        let held = |share: &Share| (0..=255).filter(|&n| share.holds(host(n))).count();
        assert!((0..=255).all(|n| shares.iter().filter(|share| share.holds(host(n))).count() == 1));
        assert!(shares.iter().all(|share| (40..90).contains(&held(share))), "{:?}", shares.iter().map(held).collect::<Vec<_>>());
        assert!((0..=255).all(|n| Share::ALL.holds(host(n))) && Share::new(4, 4).is_none());
        // What another machine or version must find too.
        assert_eq!([1, 2, 3].map(|n| Share::place_of(host(n), 64)), [45, 62, 8]);
    }
}

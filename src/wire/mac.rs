//! A MAC address.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A 48-bit MAC address (IEEE 802). Zeros stand for none, since no interface has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mac(pub [u8; 6]);

/// By its bytes, compared as one number: the order of slices asks for one byte after the other.
impl Ord for Mac {
    fn cmp(&self, other: &Self) -> Ordering {
        let number = |Self([a, b, c, d, e, f]): Self| u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        number(*self).cmp(&number(*other))
    }
}

impl PartialOrd for Mac {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Mac {
    /// No address.
    pub const NONE: Self = Self([0; 6]);

    /// Can it be an interface's own: neither none nor a group's?
    #[must_use]
    pub fn is_station(self) -> bool {
        self != Self::NONE && !self.is_group()
    }

    /// Is it a group's (the lowest bit of the first byte)?
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Was it given by software instead of its maker (the second bit of the first byte; IEEE 802, 8.4)? Telephones and computers
    /// make such addresses up at random for each wireless network, virtual machines and bridges have them for good.
    #[must_use]
    pub const fn is_local(self) -> bool {
        self.0[0] & 2 != 0
    }

    /// Is it one that several routers share: VRRP (RFC 9568, 7.3) or HSRP (RFC 2281, 5.6, and its second version)?
    #[must_use]
    pub const fn is_shared_by_routers(self) -> bool {
        matches!(
            self.0,
            [0, 0, 0x5e, 0, 1 | 2, _]
                | [0, 0, 0x0c, 7, 0xac, _]
                | [0, 0, 0x0c, 0x9f, 0xf0..=0xff, _]
                | [0, 5, 0x73, 0xa0..=0xaf, _, _]
        )
    }
}

/// Six pairs of hexadecimal digits with colons between.
impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b':'; 17];
        for (place, byte) in self.0.into_iter().enumerate() {
            let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
            (text[3 * place], text[3 * place + 1]) = (digit(byte >> 4), digit(byte & 15));
        }
        f.write_str(core::str::from_utf8(&text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_the_first_byte_tell() {
        let ours = Mac([0x00, 0x09, 0x5c, 1, 2, 3]);
        assert!(ours.is_station() && !ours.is_local());
        assert_eq!(ours.to_string(), "00:09:5c:01:02:03");
        assert!(Mac([0x26, 0, 0, 0, 0, 1]).is_local());
        assert!(!Mac([0x33, 0x33, 0, 0, 0, 1]).is_station() && !Mac([0xff; 6]).is_station() && !Mac::NONE.is_station());
        assert!(Mac([0, 0, 0x5e, 0, 1, 7]).is_shared_by_routers() && !ours.is_shared_by_routers());
    }
}

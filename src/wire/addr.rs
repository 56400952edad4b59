//! An IP address in 16 bytes.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

use serde::{Deserialize, Serialize};

/// An IPv4 or IPv6 address; IPv4 is held as its v4-mapped form (RFC 4291, 2.5.5.2), which must not appear on the wire,
/// so the two never meet. Orders IPv4 before most of IPv6, each by its bytes.
///
/// It is aligned as a port, not as a number of 16 bytes: tables of pairs with it are a third smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(C, packed(4))]
pub struct Addr(u128);

impl Addr {
    /// The address of four bytes in network order.
    #[must_use]
    pub const fn v4(bytes: [u8; 4]) -> Self {
        Self(0xffff_0000_0000 | u32::from_be_bytes(bytes) as u128)
    }

    /// The address of sixteen bytes in network order.
    #[must_use]
    pub const fn v6(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// All 128 bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// The address with all bits outside `mask` cleared; IPv4 stays IPv4.
    #[must_use]
    pub const fn masked(self, mask: u128) -> Self {
        let keep = if self.is_v4() { mask | 0xffff << 32 } else { mask };
        Self(self.0 & keep)
    }

    /// Is it an IPv4 address?
    #[must_use]
    pub const fn is_v4(self) -> bool {
        self.0 >> 32 == 0xffff
    }

    /// The standard library's form.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        if self.is_v4() { IpAddr::V4(Ipv4Addr::from_bits(self.0 as u32)) } else { IpAddr::V6(Ipv6Addr::from_bits(self.0)) }
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::v4(v4.octets()),
            IpAddr::V6(v6) => Self::v6(v6.octets()),
        }
    }
}

/// As RFC 5952 says.
impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = match self.ip() {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(ip) => return ip.fmt(f),
        };
        // Every line and row holds some, and the formatter takes long for so many numbers.
        let (mut text, mut length) = ([b'.'; 15], 0);
        for (place, octet) in ip.octets().into_iter().enumerate() {
            length += usize::from(place > 0);
            for (divisor, least) in [(100, 100), (10, 10), (1, 0)] {
                if octet >= least {
                    text[length] = b'0' + octet / divisor % 10;
                    length += 1;
                }
            }
        }
        f.pad(core::str::from_utf8(&text[..length]).unwrap_or_default())
    }
}

impl std::str::FromStr for Addr {
    type Err = core::net::AddrParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<IpAddr>().map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_written_as_the_library_writes_it(v4: [u8; 4], v6: [u8; 16]) {
            prop_assert_eq!(Addr::v4(v4).to_string(), Ipv4Addr::from(v4).to_string());
            prop_assert_eq!(format!("{:<18}|", Addr::v4(v4)), format!("{:<18}|", Ipv4Addr::from(v4)));
            let v6 = Ipv6Addr::from(v6);
            prop_assert_eq!(Addr::from(IpAddr::V6(v6)).to_string(), v6.to_string());
        }
    }

    #[test]
    fn every_octet_is_written() {
        for octet in 0..=255 {
            assert_eq!(Addr::v4([octet, 0, 10, octet]).to_string(), format!("{octet}.0.10.{octet}"));
        }
    }
}

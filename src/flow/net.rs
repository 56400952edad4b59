//! A network in CIDR notation.

use std::fmt;
use std::str::FromStr;

use crate::wire::Addr;

/// A network: the addresses that begin alike (RFC 4632). One address alone is a network too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Net {
    base: Addr,
    /// Bits of the 128 that count; an IPv4 prefix of n is 96 + n.
    prefix: u8,
    /// The same as a mask: it is asked of both ends of every flow.
    mask: u128,
}

impl Net {
    const fn mask(prefix: u8) -> u128 {
        if prefix == 0 { 0 } else { u128::MAX << (128 - prefix) }
    }

    /// The network of this address alone.
    #[must_use]
    pub const fn only(addr: Addr) -> Self {
        Self { base: addr, prefix: 128, mask: Self::mask(128) }
    }

    /// The network of an address with so many bits that count: 32 at the most for IPv4, 128 for IPv6.
    #[must_use]
    pub fn around(addr: Addr, bits: u8) -> Self {
        let prefix = (bits + if addr.is_v4() { 96 } else { 0 }).min(128);
        let mask = Self::mask(prefix);
        Self { base: addr.masked(mask), prefix, mask }
    }

    /// Its first address.
    #[must_use]
    pub const fn base(&self) -> Addr {
        self.base
    }

    /// The network that `map`, which keeps prefixes, makes of it.
    #[must_use]
    pub fn mapped(&self, mut map: impl FnMut(Addr) -> Addr) -> Self {
        Self { base: map(self.base).masked(self.mask), ..*self }
    }

    /// Is the address in it?
    #[must_use]
    pub const fn contains(&self, addr: Addr) -> bool {
        addr.bits() & self.mask == self.base.bits()
    }
}

/// What is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no network: wanted ADDRESS/PREFIX such as 10.0.0.0/8 or fd00::/8")]
pub struct ParseNetError {
    text: String,
}

impl FromStr for Net {
    type Err = ParseNetError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseNetError { text: text.to_owned() };
        let (addr, prefix) = text.split_once('/').unwrap_or((text, ""));
        let addr: Addr = addr.parse().map_err(|_| refuse())?;
        let width = if addr.is_v4() { 32 } else { 128 };
        let prefix: u8 = if prefix.is_empty() { width } else { prefix.parse().map_err(|_| refuse())? };
        if prefix > width {
            return Err(refuse());
        }
        Ok(Self::around(addr, prefix))
    }
}

/// `10.0.0.0/8`; of one address the address alone.
impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix {
            128 => self.base.fmt(f),
            prefix if self.base.is_v4() && prefix >= 96 => write!(f, "{}/{}", self.base, prefix - 96),
            prefix => write!(f, "{}/{prefix}", self.base),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_as_it_is_meant() {
        for (text, told) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1/32", "192.0.2.1"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
        ] {
            let net: Net = text.parse().unwrap();
            assert_eq!(net.to_string(), told);
            assert_eq!(told.parse::<Net>().unwrap(), net);
        }
        for text in ["", "10.0.0.0/33", "10.0.0.0/x", "host", "2001:db8::/129"] {
            assert!(text.parse::<Net>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_ipv4_network_holds_no_ipv6_address() {
        let net: Net = "0.0.0.0/0".parse().unwrap();
        assert!(net.contains(Addr::v4([1, 2, 3, 4])) && !net.contains("2001:db8::1".parse().unwrap()));
        assert!(Net::only(Addr::v4([1, 2, 3, 4])).contains(Addr::v4([1, 2, 3, 4])));
    }
}

//! Which addresses count as hosts of the network.

use crate::wire::Addr;

/// A list of networks that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{got:?} is no network: wanted ADDRESS or ADDRESS/BITS, several with commas (10.0.0.0/8,192.168.1.7)")]
pub struct HostsError {
    got: String,
}

/// How many addresses a list of networks holds, network and broadcast addresses included; bits behind the prefix are
/// ignored, overlaps count twice, and the sum stops at the largest number.
///
/// # Errors
/// When a part is no network; says which.
pub fn addresses_in(networks: &str) -> Result<u128, HostsError> {
    networks.split(',').map(|network| size(network.trim())).try_fold(0u128, |sum, size| Ok(sum.saturating_add(size?)))
}

fn size(network: &str) -> Result<u128, HostsError> {
    let (address, bits) = network.split_once('/').map_or((network, None), |(address, bits)| (address, Some(bits)));
    let wrong = || HostsError { got: network.to_owned() };
    let whole = if address.parse::<Addr>().map_err(|_| wrong())?.is_v4() { 32 } else { 128 };
    let bits: u32 = bits.map_or(Ok(whole), |bits| bits.parse().map_err(|_| wrong()))?;
    let free = whole.checked_sub(bits).ok_or_else(wrong)?;
    Ok(1u128.checked_shl(free).unwrap_or(u128::MAX))
}

/// Prefixes whose addresses belong to no public host: what `ipaddress.is_private` means up to Python 3.12 (the registries
/// of RFC 6890, documentation and reserved ranges included; not 100.64.0.0/10).
const PRIVATE: [(Addr, u32); 22] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 29),
    v4([192, 0, 0, 170], 31),
    v4([192, 0, 2, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([240, 0, 0, 0], 4),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
];

const fn v4(bytes: [u8; 4], bits: u32) -> (Addr, u32) {
    (Addr::v4(bytes), 96 + bits)
}

const fn v6(groups: [u16; 8], bits: u32) -> (Addr, u32) {
    let [a, b, c, d, e, f, g, h] = groups;
    let ip = core::net::Ipv6Addr::new(a, b, c, d, e, f, g, h);
    (Addr::v6(ip.octets()), bits)
}

/// Is it the address of a host inside, by its range alone?
pub(super) fn is_private(address: Addr) -> bool {
    let shares = |(prefix, bits): &(Addr, u32)| (address.bits() ^ prefix.bits()).leading_zeros() >= *bits;
    PRIVATE.iter().any(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_addresses_as_a_network_has_them() {
        assert_eq!(addresses_in("10.0.0.0/24"), Ok(256));
        assert_eq!(addresses_in("10.0.0.7/24, 192.168.1.1,fd00::/120"), Ok(256 + 1 + 256));
        assert_eq!(addresses_in("0.0.0.0/0"), Ok(1 << 32));
        assert_eq!(addresses_in("::/0"), Ok(u128::MAX));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "home", "10.0.0.0/8,"] {
            assert!(addresses_in(wrong).is_err(), "{wrong:?}");
        }
        let message = addresses_in("10.0.0.0/8,home").unwrap_err().to_string();
        assert!(message.starts_with("\"home\" is no network: wanted ADDRESS"), "{message}");
    }

    #[test]
    fn private_is_what_python_calls_private() {
        for inside in ["10.255.0.1", "172.31.9.9", "192.0.0.7", "192.0.0.171", "198.51.100.1", "255.255.255.255", "0.0.0.0"] {
            assert!(is_private(inside.parse().unwrap()), "{inside}");
        }
        for inside in ["fd77::1", "fe80::9", "::1", "::", "2001:db8::1", "100::5", "2001:1ff::1"] {
            assert!(is_private(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["172.32.0.1", "192.0.0.8", "192.0.0.172", "100.64.0.1", "8.8.8.8", "192.88.99.1", "224.0.0.1"] {
            assert!(!is_private(outside.parse().unwrap()), "{outside}");
        }
        for outside in ["2606:4700::1", "ff02::fb", "::2", "2001:200::1", "100:0:0:1::1"] {
            assert!(!is_private(outside.parse().unwrap()), "{outside}");
        }
    }
}

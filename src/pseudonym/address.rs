//! Addresses: prefix-preserving pseudonyms that keep the kind of an address.

use aes_gcm::aes::cipher::{BlockEncrypt as _, KeyInit as _};
use aes_gcm::aes::{Aes128, Block};

use crate::wire::Addr;

/// Crypto-PAn (Xu, Fan, Ammar, Moon: Prefix-Preserving IP Address Anonymization, ICNP 2002): addresses that share their first n
/// bits have pseudonyms that share their first n bits, and no more. Bit n is flipped or not by a function of the n bits before it.
pub(super) struct CryptoPan {
    cipher: Aes128,
    pad: u128,
}

impl CryptoPan {
    /// The first half of the key is AES's, the second makes the pad.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let (first, second) = key.split_at(16);
        let cipher = Aes128::new(first.into());
        let pad = encrypt(&cipher, second.iter().fold(0, |number, byte| number << 8 | u128::from(*byte)));
        Self { cipher, pad }
    }

    /// Is the bit behind the first `depth` bits of `bits` flipped? `bits` stand at the top of the 128.
    fn flips(&self, bits: u128, depth: u32) -> bool {
        let mask = top(depth);
        encrypt(&self.cipher, bits & mask | self.pad & !mask) >> 127 == 1
    }

    /// The pseudonym of the first `width` bits, where those in `fixed` stay.
    fn hide(&self, bits: u128, width: u32, fixed: u128) -> u128 {
        let open = (0..width).filter(|depth| fixed >> (127 - depth) & 1 == 0);
        open.fold(bits, |hidden, depth| hidden ^ u128::from(self.flips(bits, depth)) << (127 - depth))
    }

    /// Of what it is the pseudonym.
    fn show(&self, hidden: u128, width: u32, fixed: u128) -> u128 {
        let open = (0..width).filter(|depth| fixed >> (127 - depth) & 1 == 0);
        // The bits before are right when a bit's turn comes.
        open.fold(hidden, |bits, depth| bits ^ u128::from(self.flips(bits, depth)) << (127 - depth))
    }
}

fn encrypt(cipher: &Aes128, number: u128) -> u128 {
    let mut block = Block::from(number.to_be_bytes());
    cipher.encrypt_block(&mut block);
    block.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// A number whose first `bits` are ones.
const fn top(bits: u32) -> u128 {
    if bits == 0 { 0 } else { u128::MAX << (128 - bits) }
}

/// A network whose addresses stay in it: its prefix, the prefix's length, and whether they stay what they are.
type Kind = (u128, u32, bool);

const fn v4(a: u8, b: u8, length: u32, stays: bool) -> Kind {
    (MAPPED.0 | u32::from_be_bytes([a, b, 0, 0]) as u128, MAPPED.1 + length, stays)
}

const fn v6(first: u16, length: u32, stays: bool) -> Kind {
    ((first as u128) << 112, length, stays)
}

/// Kinds of IPv4 addresses.
const KINDS_V4: [Kind; 8] = [
    // This network (RFC 1122), loopback, groups and what is reserved behind them name nobody.
    v4(0, 0, 8, true),
    v4(127, 0, 8, true),
    v4(224, 0, 3, true),
    // Private (RFC 1918), shared (RFC 6598), link-local (RFC 3927).
    v4(10, 0, 8, false),
    v4(172, 16, 12, false),
    v4(192, 168, 16, false),
    v4(100, 64, 10, false),
    v4(169, 254, 16, false),
];

/// The form in which [`Addr`] holds IPv4, which no pseudonym of IPv6 may have.
const MAPPED: Kind = (0xffff_0000_0000, 96, true);

/// Kinds of IPv6 addresses.
const KINDS_V6: [Kind; 8] = [
    // Unspecified and loopback.
    (0, 127, true),
    MAPPED,
    // Global (RFC 4291, 2.4), unique local (RFC 4193), link-local.
    v6(0x2000, 3, false),
    v6(0xfc00, 7, false),
    v6(0xfe80, 64, false),
    // Groups with known addresses; others keep flags and scope.
    v6(0xff00, 12, true),
    v6(0xff00, 8, false),
    // Solicited-node groups hold the end of the address that is asked for (RFC 4291, 2.7.1).
    SOLICITED,
];

const SOLICITED: Kind = (0xff02 << 112 | 0x1_ff00_0000, 104, false);

/// The bits that stay: those by which an address is of its kind, or is not of another.
///
/// A bit stays where a function of the bits before it would otherwise move a kind, so what remains is prefix-preserving, and
/// since kinds keep their places it maps each kind onto itself.
fn fixed(addr: Addr) -> u128 {
    let bits = addr.bits();
    let kinds: &[Kind] = if addr.is_v4() { &KINDS_V4 } else { &KINDS_V6 };
    let in_kind = |(prefix, length, _): &Kind| (bits ^ prefix) & top(*length) == 0;
    if in_kind(&SOLICITED) {
        return top(104);
    }
    let kept = |kind: &Kind| {
        let (prefix, length, stays) = *kind;
        match (bits ^ prefix).leading_zeros() {
            common if common < length => common + 1,
            _ if stays => 128,
            _ => length,
        }
    };
    let kept = kinds.iter().map(kept).max().unwrap_or(0);
    let group = if !addr.is_v4() && in_kind(&KINDS_V6[6]) { 16 } else { 0 };
    top(kept.max(group)) | broadcast(addr)
}

/// In private networks the address that ends in 255 is taken for a broadcast ([`is_group`](crate::flow::is_group)): it stays one.
fn broadcast(addr: Addr) -> u128 {
    match addr.ip() {
        core::net::IpAddr::V4(ip) if ip.is_private() => {
            let [.., last] = ip.octets();
            0xff00_u128 >> (last.leading_ones() + 1).min(8) & 0xff
        }
        _ => 0,
    }
}

impl CryptoPan {
    /// The pseudonym of an address: of the same kind (private, global, link-local …), and sharing as many first bits with others
    /// as the addresses do. Groups, loopback and unspecified addresses are their own.
    pub(super) fn addr(&self, addr: Addr) -> Addr {
        self.turn(addr, Self::hide)
    }

    /// The address of a pseudonym.
    pub(super) fn addr_of(&self, pseudonym: Addr) -> Addr {
        self.turn(pseudonym, Self::show)
    }

    fn turn(&self, addr: Addr, turn: fn(&Self, u128, u32, u128) -> u128) -> Addr {
        // Address and pseudonym have the same fixed bits.
        let fixed = fixed(addr);
        if addr.is_v4() {
            // As in the reference implementation the 32 bits stand at the top.
            let turned = turn(self, addr.bits() << 96, 32, fixed << 96) >> 96;
            Addr::v4((turned as u32).to_be_bytes())
        } else {
            Addr::v6(turn(self, addr.bits(), 128, fixed).to_be_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::is_group;

    /// The key of the sample trace in the reference implementation.
    const SAMPLE: [u8; 32] = [
        21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16, 216, 152, 143, 131, 121, 121, 101, 39, 98, 87, 76,
        45, 42, 132, 34, 2,
    ];

    /// As the reference implementation has it: no kinds.
    fn plain(text: &str) -> String {
        let (pan, addr): (_, Addr) = (CryptoPan::new(&SAMPLE), text.parse().unwrap());
        if addr.is_v4() {
            Addr::v4(((pan.hide(addr.bits() << 96, 32, 0) >> 96) as u32).to_be_bytes()).to_string()
        } else {
            Addr::v6(pan.hide(addr.bits(), 128, 0).to_be_bytes()).to_string()
        }
    }

    #[test]
    fn the_published_vectors_hold() {
        let vectors = include_str!("vectors.txt").lines().filter(|line| !line.starts_with('#'));
        let mut count = 0;
        for line in vectors {
            let (addr, want) = line.split_once(' ').unwrap();
            assert_eq!(plain(addr), want, "{addr}");
            count += 1;
        }
        assert!(count >= 70, "only {count}");
    }

    fn pseudonym(text: &str) -> String {
        CryptoPan::new(&SAMPLE).addr(text.parse().unwrap()).to_string()
    }

    #[test]
    fn what_names_nobody_stays() {
        for text in [
            "0.0.0.0",
            "127.0.0.1",
            "224.0.0.251",
            "239.255.255.250",
            "255.255.255.255",
            "::",
            "::1",
            "ff02::1",
            "ff02::fb",
            "ff05::1:3",
        ] {
            assert_eq!(pseudonym(text), text);
        }
    }

    #[test]
    fn kinds_stay_kinds_and_ends_are_hidden() {
        for (text, kind) in [
            ("10.20.3.13", "10.0.0.0/8"),
            ("172.20.3.13", "172.16.0.0/12"),
            ("192.168.3.13", "192.168.0.0/16"),
            ("100.70.3.13", "100.64.0.0/10"),
            ("169.254.3.13", "169.254.0.0/16"),
            ("2001:db8::9", "2000::/3"),
            ("fd12:3456::9", "fc00::/7"),
            ("fe80::26:4cff:fe11:2233", "fe80::/64"),
            ("ff02::1:ff11:2233", "ff02::1:ff00:0/104"),
            ("ff3e:20:2001:db8::7", "ff3e::/16"),
        ] {
            let kind: crate::flow::Net = kind.parse().unwrap();
            let hidden = pseudonym(text);
            assert!(kind.contains(hidden.parse().unwrap()) && hidden != text, "{text} -> {hidden}");
        }
        assert_eq!(pseudonym("10.1.2.255").rsplit('.').next(), Some("255"), "a broadcast stays one");
    }

    fn shared(a: Addr, b: Addr) -> u32 {
        (a.bits() ^ b.bits()).leading_zeros()
    }

    /// Addresses near to kinds as well as any.
    fn some_v4() -> impl Strategy<Value = Addr> {
        let near = prop::sample::select(vec![[10, 0], [172, 16], [172, 31], [192, 168], [169, 254], [127, 0], [224, 0], [11, 0]]);
        prop_oneof![
            any::<[u8; 4]>().prop_map(Addr::v4),
            (near, any::<[u8; 2]>()).prop_map(|([a, b], [c, d])| Addr::v4([a, b, c, d])),
        ]
    }

    fn some_v6() -> impl Strategy<Value = Addr> {
        let near = prop::sample::select(vec![
            0,
            0x2001 << 112,
            0xfd00 << 112,
            0xfe80 << 112,
            0xff02 << 112,
            0xff15 << 112,
            0xff02 << 112 | 0x1_ff00_0000,
        ]);
        (near, any::<u128>(), 0_u32..128).prop_map(|(near, bits, from): (u128, u128, u32)| {
            let addr = Addr::v6((near ^ bits >> from).to_be_bytes());
            if addr.is_v4() { Addr::v6([0x20; 16]) } else { addr }
        })
    }

    proptest! {
        #[test]
        fn prefixes_are_kept_and_everything_comes_back(
            key: [u8; 32],
            (a, b) in prop_oneof![(some_v4(), some_v4()), (some_v6(), some_v6())],
            bits in 0_u32..128,
        ) {
            let pan = CryptoPan::new(&key);
            // A neighbour that shares some more bits than chance has it.
            let width = if a.is_v4() { 96 } else { 0 };
            let near = a.bits() & top(bits.max(width)) | b.bits() & !top(bits.max(width));
            let near = if a.is_v4() { Addr::v4((near as u32).to_be_bytes()) } else { Addr::v6(near.to_be_bytes()) };
            for (a, b) in [(a, b), (a, near)] {
                if a.is_v4() != b.is_v4() {
                    continue;
                }
                let (hidden_a, hidden_b) = (pan.addr(a), pan.addr(b));
                prop_assert_eq!(shared(a, b), shared(hidden_a, hidden_b));
                prop_assert_eq!(pan.addr_of(hidden_a), a);
                prop_assert_eq!(a.is_v4(), hidden_a.is_v4());
                prop_assert_eq!(is_group(a), is_group(hidden_a));
                prop_assert_eq!(crate::feature::Host(a).is_device(), crate::feature::Host(hidden_a).is_device());
            }
        }
    }
}

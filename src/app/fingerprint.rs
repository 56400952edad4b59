//! Fingerprints of hellos and of key exchanges: JA3 and JA3S (Althouse, Atkinson and Atkins 2017), JA4 (FoxIO 2023), HASSH
//! (Reardon 2018). Made-up values (RFC 8701) are left out.

use std::cell::RefCell;
use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::hello::{Carrier, is_grease, numbers};

/// Characters of a JA4's hashes.
const JA4_HASH_CHARS: usize = 12;
/// Server name and application protocol stand in a JA4's first part, and not among its hashed extensions.
const NOT_HASHED: [u16; 2] = [0, 16];

/// Hashes that are remembered, each at the place that its text has.
const REMEMBERED: usize = 64;
/// The longest text whose hash is remembered, in bytes.
const MOST_REMEMBERED_BYTES: usize = 1 << 10;

/// Texts and their hashes as digits.
type Remembered = RefCell<Vec<(Box<[u8]>, Box<str>)>>;

thread_local! {
    // A device says the same hello whenever it connects, and to hash its lists takes longer than all else of it.
    static MD5: Remembered = const { RefCell::new(Vec::new()) };
    static SHA256: Remembered = const { RefCell::new(Vec::new()) };
}

/// What `hash` makes of a text, or made of it lately.
fn remembered(memory: &Remembered, text: &[u8], hash: impl FnOnce(&[u8]) -> Box<str>) -> Box<str> {
    let mut known = memory.borrow_mut();
    if known.is_empty() {
        known.resize_with(REMEMBERED, Default::default);
    }
    let (told, digits) = &mut known[FixedState::default().hash_one(text) as usize % REMEMBERED];
    if **told == *text && !digits.is_empty() {
        return digits.clone();
    }
    let hashed = hash(text);
    if text.len() <= MOST_REMEMBERED_BYTES {
        (*told, *digits) = (text.into(), hashed.clone());
    }
    hashed
}

/// The lists of a client's hello, as they stand in it.
#[derive(Debug, Default)]
pub(super) struct Offer<'a> {
    /// The version in the hello's own field.
    pub version: u16,
    /// Versions of the extension, made-up ones included.
    pub versions: &'a [u8],
    pub ciphers: &'a [u8],
    /// Numbers of the extensions in their order.
    pub extensions: Vec<u16>,
    pub groups: &'a [u8],
    pub point_formats: &'a [u8],
    pub signatures: &'a [u8],
    /// The first application protocol; empty when there is none.
    pub alpn: &'a [u8],
}

/// The MD5 of a text in lower-case hexadecimal digits.
pub(super) fn md5_hex(text: &[u8]) -> Box<str> {
    MD5.with(|memory| remembered(memory, text, |text| hex(&Md5::digest(text))))
}

fn hex(bytes: &[u8]) -> Box<str> {
    text(bytes.iter().flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte & 0x0f)]).collect()).into()
}

/// Bytes that are digits as a text.
fn text(digits: Vec<u8>) -> String {
    String::from_utf8(digits).unwrap_or_default()
}

/// A number below 16 as a digit. Digits are written by hand: a hello has hundreds, and the formatter takes a while for each number.
const fn hex_digit(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
}

/// Numbers in decimal with dashes between them.
fn dashed(numbers: impl Iterator<Item = u16>, text: &mut Vec<u8>) {
    for (place, number) in numbers.enumerate() {
        if place > 0 {
            text.push(b'-');
        }
        let (mut digits, mut start, mut rest) = ([b'0'; 5], 5, number);
        while rest > 0 || start == 5 {
            start -= 1;
            digits[start] += (rest % 10) as u8;
            rest /= 10;
        }
        text.extend_from_slice(&digits[start..]);
    }
}

/// `version,ciphers,extensions,groups,point formats`, hashed.
pub(super) fn ja3(offer: &Offer<'_>) -> Box<str> {
    let mut text = format!("{},", offer.version).into_bytes();
    dashed(numbers(offer.ciphers), &mut text);
    text.push(b',');
    dashed(offer.extensions.iter().copied().filter(|kind| !is_grease(*kind)), &mut text);
    text.push(b',');
    dashed(numbers(offer.groups), &mut text);
    text.push(b',');
    dashed(offer.point_formats.iter().copied().map(u16::from), &mut text);
    md5_hex(&text)
}

/// `version,cipher,extensions` of a server's hello, hashed.
pub(super) fn ja3s(version: u16, cipher: u16, extensions: &[u16]) -> Box<str> {
    let mut text = format!("{version},{cipher},").into_bytes();
    dashed(extensions.iter().copied().filter(|kind| !is_grease(*kind)), &mut text);
    md5_hex(&text)
}

/// What carries it, version, name, counts and protocol; hash of the ciphers; hash of the extensions and signatures.
pub(super) fn ja4(offer: &Offer<'_>, carrier: Carrier) -> Box<str> {
    let mut ciphers: Vec<u16> = numbers(offer.ciphers).collect();
    let extensions = offer.extensions.iter().copied().filter(|kind| !is_grease(*kind));
    let mut hashed: Vec<u16> = extensions.clone().filter(|kind| !NOT_HASHED.contains(kind)).collect();
    ciphers.sort_unstable();
    hashed.sort_unstable();
    let carrier = match carrier {
        Carrier::Tls => 't',
        Carrier::Dtls => 'd',
        Carrier::Quic => 'q',
    };
    let version = ja4_version(numbers(offer.versions).max().unwrap_or(offer.version));
    let name = if offer.extensions.contains(&0) { 'd' } else { 'i' };
    let (first, last) = ja4_alpn(offer.alpn);
    let mut list = listed(&hashed);
    let signatures: Vec<u16> = numbers(offer.signatures).collect();
    if !list.is_empty() && !signatures.is_empty() {
        list.push('_');
        list.push_str(&listed(&signatures));
    }
    let counts = format!("{:02}{:02}", ciphers.len().min(99), extensions.count().min(99));
    format!("{carrier}{version}{name}{counts}{first}{last}_{}_{}", ja4_hash(&listed(&ciphers)), ja4_hash(&list)).into()
}

const fn ja4_version(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// First and last character of the protocol's name, or of its hexadecimal digits when one of the two is no letter or digit.
fn ja4_alpn(alpn: &[u8]) -> (char, char) {
    let (Some(first), Some(last)) = (alpn.first(), alpn.last()) else { return ('0', '0') };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return (char::from(*first), char::from(*last));
    }
    let digit = |digit: u8| char::from_digit(digit.into(), 16).unwrap_or('0');
    (digit(first >> 4), digit(last & 0x0f))
}

/// Numbers as four hexadecimal digits each, with commas between them.
fn listed(numbers: &[u16]) -> String {
    let mut digits = Vec::with_capacity(numbers.len() * 5);
    for (place, number) in numbers.iter().enumerate() {
        if place > 0 {
            digits.push(b',');
        }
        digits.extend_from_slice(&[12, 8, 4, 0].map(|shift| hex_digit((number >> shift & 0x0f) as u8)));
    }
    text(digits)
}

fn ja4_hash(list: &str) -> Box<str> {
    if list.is_empty() {
        return "0".repeat(JA4_HASH_CHARS).into();
    }
    let hash = |text: &[u8]| hex(Sha256::digest(text).get(..JA4_HASH_CHARS / 2).unwrap_or_default());
    SHA256.with(|memory| remembered(memory, list.as_bytes(), hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(numbers: &[u16]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    #[test]
    fn what_is_remembered_is_the_hash_of_its_own_text() {
        let texts: Vec<String> = (0..4 * REMEMBERED).map(|n| format!("{n:04x}")).collect();
        for text in texts.iter().chain(&texts).chain(["", ""].map(str::to_owned).iter()) {
            assert_eq!(md5_hex(text.as_bytes()), hex(&Md5::digest(text)));
            assert_eq!(md5_hex(text.as_bytes()), hex(&Md5::digest(text)), "again");
        }
        let long = "a".repeat(MOST_REMEMBERED_BYTES + 1);
        assert_eq!([(); 2].map(|()| md5_hex(long.as_bytes())), [(); 2].map(|()| hex(&Md5::digest(&long))));
    }

    /// The example of FoxIO's description, with made-up values among the lists.
    #[test]
    fn ja4_is_that_of_its_description() {
        let ciphers = bytes(&[
            0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d,
            0x002f, 0x0035,
        ]);
        let mut offer = Offer { version: 0x0303, ciphers: &ciphers, alpn: b"h2", ..Offer::default() };
        let versions = bytes(&[0x5a5a, 0x0304, 0x0303]);
        let signatures = bytes(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]);
        (offer.versions, offer.signatures) = (&versions, &signatures);
        offer.extensions = vec![
            0x8a8a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01,
            0x000b, 0x000a, 0x0015,
        ];
        assert_eq!(&*ja4(&offer, Carrier::Tls), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        assert_eq!(&ja4(&offer, Carrier::Quic)[..1], "q");
        offer.signatures = &[];
        assert!(ja4(&offer, Carrier::Tls).ends_with("_6d807ffa2a79"));
    }

    #[test]
    fn what_is_empty_is_noughts() {
        assert_eq!(&*ja4(&Offer::default(), Carrier::Dtls), "d00i000000_000000000000_000000000000");
    }

    #[test]
    fn protocols_are_told_by_their_ends() {
        let cases: [(&[u8], (char, char)); 7] = [
            (b"http/1.1", ('h', '1')),
            (b"a", ('a', 'a')),
            (&[0xab], ('a', 'b')),
            (&[0xab, 0xcd], ('a', 'd')),
            (&[0x30, 0xab], ('3', 'b')),
            (&[0x30, 0x31, 0xab, 0xcd], ('3', 'd')),
            (&[0x30, 0xab, 0xcd, 0x31], ('0', '1')),
        ];
        for (alpn, want) in cases {
            assert_eq!(ja4_alpn(alpn), want);
        }
    }

    /// The two examples of the JA3 description: with extensions and without.
    #[test]
    fn ja3_is_that_of_its_description() {
        let ciphers = bytes(&[47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4]);
        let groups = bytes(&[23, 24, 25]);
        let mut offer = Offer { version: 769, ciphers: &ciphers, groups: &groups, point_formats: &[0], ..Offer::default() };
        offer.extensions = vec![0, 10, 11];
        assert_eq!(&*ja3(&offer), "ada70206e40642a3e4461f35503241d5");
        let ciphers = bytes(&[4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99]);
        let offer = Offer { version: 769, ciphers: &ciphers, ..Offer::default() };
        assert_eq!(&*ja3(&offer), "de350869b8c85de67a350c8d186f11e6");
    }
}

//! QUIC's first packets: their headers (RFC 9000, 17.2; RFC 9369, 3) and how they are decrypted. Their keys come from the
//! identifier that the client chose for the server and from a salt that is published with each version (RFC 9001, 5.2).

use aes_gcm::aes::cipher::{BlockEncrypt as _, KeyInit as _};
use aes_gcm::aes::{Aes128, Block};
use aes_gcm::{AeadInPlace as _, Aes128Gcm};
use hkdf::Hkdf;
use sha2::Sha256;

use super::reader::Reader;

/// Longest identifier of a connection, in bytes.
const MOST_ID_BYTES: usize = 20;
/// Bytes of the authentication tag behind a packet.
const TAG_BYTES: usize = 16;
/// Bytes of a packet's beginning that its protection samples, counted from its number on.
const SAMPLE_BYTES: usize = 16;
/// Where the sample starts, whatever the length of the number.
const SAMPLE_AT: usize = 4;

/// The identifier that the keys of a connection's first packets come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ConnectionId {
    bytes: [u8; MOST_ID_BYTES],
    length: u8,
}

impl ConnectionId {
    /// Bytes that it takes in front of what is held of its connection.
    pub const HELD_BYTES: usize = 1 + MOST_ID_BYTES;

    pub fn to_held(self) -> [u8; Self::HELD_BYTES] {
        let mut held = [self.length; Self::HELD_BYTES];
        held.iter_mut().skip(1).zip(self.bytes).for_each(|(to, from)| *to = from);
        held
    }

    pub fn from_held(held: &[u8; Self::HELD_BYTES]) -> Self {
        let [length, bytes @ ..] = *held;
        Self { bytes, length }
    }

    fn new(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; MOST_ID_BYTES];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { bytes, length: id.len() as u8 })
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// What differs between the versions that can be decrypted.
struct Published {
    salt: [u8; 20],
    labels: [&'static [u8]; 3],
    /// The two bits of a header that stand for a first packet.
    initial: u8,
}

const LABELS: [&[u8]; 3] = [b"quic key", b"quic iv", b"quic hp"];
const LABELS_2: [&[u8]; 3] = [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"];

const SALT_1: [u8; 20] =
    [0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a];
const SALT_2: [u8; 20] =
    [0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9];
const SALT_DRAFT_29: [u8; 20] =
    [0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99];
const SALT_DRAFT_23: [u8; 20] =
    [0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02];

/// Versions 1 and 2, and the drafts that were in wide use.
const fn published(version: u32) -> Option<Published> {
    let (salt, labels, initial) = match version {
        1 | 0xff00_0021..=0xff00_0022 => (SALT_1, LABELS, 0),
        0x6b33_43cf => (SALT_2, LABELS_2, 1),
        0xff00_001d..=0xff00_0020 => (SALT_DRAFT_29, LABELS, 0),
        0xff00_0017..=0xff00_001c => (SALT_DRAFT_23, LABELS, 0),
        _ => return None,
    };
    Some(Published { salt, labels, initial })
}

/// A packet with a long header, still protected.
pub(super) struct LongPacket<'a> {
    pub version: u32,
    /// Where it is sent to.
    pub destination: ConnectionId,
    is_initial: bool,
    /// From its first byte to its end.
    bytes: &'a [u8],
    /// Where its number starts.
    number_at: usize,
}

impl<'a> LongPacket<'a> {
    /// Takes the packet that starts here; several may share a datagram. Nothing when this is none, or no whole one.
    pub fn read(datagram: &mut Reader<'a>) -> Option<Self> {
        let start = datagram.0;
        let mut reader = Reader(start);
        let first = reader.u8()?;
        let version = reader.u32()?;
        let destination = ConnectionId::new(reader.vec8()?)?;
        reader.vec8()?;
        let kind = first >> 4 & 3;
        let is_initial = first & 0xc0 == 0xc0 && published(version)?.initial == kind;
        if is_initial {
            let token = variable(&mut reader)?;
            reader.take(usize::try_from(token).ok()?)?;
        }
        let rest = usize::try_from(variable(&mut reader)?).ok()?;
        let number_at = start.len() - reader.0.len();
        let bytes = start.get(..number_at.checked_add(rest)?)?;
        datagram.take(bytes.len())?;
        Some(Self { version, destination, is_initial, bytes, number_at })
    }

    /// The frames of a client's first packet, if it is one and this identifier made its keys.
    pub fn open(&self, id: &ConnectionId) -> Option<Vec<u8>> {
        if !self.is_initial {
            return None;
        }
        let keys = Keys::of_client(self.version, id)?;
        let sample = self.bytes.get(self.number_at + SAMPLE_AT..)?.get(..SAMPLE_BYTES)?;
        let mask = keys.mask(sample);
        let mut packet = self.bytes.to_vec();
        let first = packet.first_mut()?;
        *first ^= mask[0] & 0x0f;
        let number_bytes = usize::from(*first & 3) + 1;
        let number = packet.get_mut(self.number_at..self.number_at + number_bytes)?;
        number.iter_mut().zip(&mask[1..]).for_each(|(byte, mask)| *byte ^= mask);
        // A client's first packets are few: none of their numbers is cut.
        let number = number.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        let mut payload = packet.split_off(self.number_at + number_bytes);
        let tag = payload.split_off(payload.len().checked_sub(TAG_BYTES)?);
        keys.decrypt(number, &packet, &mut payload, &tag)?;
        Some(payload)
    }
}

/// A number of one to eight bytes (RFC 9000, 16).
pub(super) fn variable(reader: &mut Reader<'_>) -> Option<u64> {
    let first = reader.u8()?;
    let more = (1 << (first >> 6)) - 1;
    let rest = reader.take(more)?;
    Some(rest.iter().fold(u64::from(first & 0x3f), |number, byte| number << 8 | u64::from(*byte)))
}

struct Keys {
    key: [u8; 16],
    iv: [u8; 12],
    header: [u8; 16],
}

impl Keys {
    fn of_client(version: u32, id: &ConnectionId) -> Option<Self> {
        let Published { salt, labels: [key, iv, header], .. } = published(version)?;
        let initial = Hkdf::<Sha256>::new(Some(&salt), id.as_slice());
        let secret: [u8; 32] = expand(&initial, b"client in")?;
        let client = Hkdf::<Sha256>::from_prk(&secret).ok()?;
        Some(Self { key: expand(&client, key)?, iv: expand(&client, iv)?, header: expand(&client, header)? })
    }

    /// What hides the number of a packet (RFC 9001, 5.4.3).
    fn mask(&self, sample: &[u8]) -> [u8; 16] {
        let mut block = Block::default();
        block.iter_mut().zip(sample).for_each(|(to, from)| *to = *from);
        Aes128::new(&self.header.into()).encrypt_block(&mut block);
        block.into()
    }

    fn decrypt(&self, number: u32, header: &[u8], payload: &mut [u8], tag: &[u8]) -> Option<()> {
        let tag: [u8; TAG_BYTES] = tag.try_into().ok()?;
        let mut nonce = self.iv;
        nonce.iter_mut().rev().zip(number.to_le_bytes()).for_each(|(byte, number)| *byte ^= number);
        let cipher = Aes128Gcm::new(&self.key.into());
        cipher.decrypt_in_place_detached(&nonce.into(), header, payload, &tag.into()).ok()
    }
}

/// HKDF-Expand-Label without a context (RFC 8446, 7.1).
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &[u8]) -> Option<[u8; N]> {
    let mut out = [0; N];
    let lengths = [[0, N as u8, 6 + label.len() as u8], *b"tls"].concat();
    secret.expand_multi_info(&[&lengths, b"13 ", label, &[0]], &mut out).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    /// The examples of the two standards (RFC 9001, A.1; RFC 9369, A.1).
    #[test]
    fn keys_are_those_of_the_standards() {
        let id = ConnectionId::new(&hex("8394c8f03e515708")).unwrap();
        let keys = Keys::of_client(1, &id).unwrap();
        assert_eq!(keys.key[..], hex("1f369613dd76d5467730efcbe3b1a22d"));
        assert_eq!(keys.iv[..], hex("fa044b2f42a3fd3b46fb255c"));
        assert_eq!(keys.header[..], hex("9f50449e04a0e810283a1e9933adedd2"));
        assert_eq!(keys.mask(&hex("d1b1c98dd7689fb8ec11d242b123dc9b"))[..5], hex("437b9aec36"));
        let keys = Keys::of_client(0x6b33_43cf, &id).unwrap();
        assert_eq!(keys.key[..], hex("8b1a0bc121284290a29e0971b5cd045d"));
        assert_eq!(keys.iv[..], hex("91f73e2351d8fa91660e909f"));
        assert_eq!(keys.header[..], hex("45b95e15235d6f45a6b19cbcb0294ba9"));
    }

    #[test]
    fn numbers_are_of_one_to_eight_bytes() {
        let cases: [(&[u8], u64); 4] = [
            (&[0x25], 37),
            (&[0x7b, 0xbd], 15_293),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0xc0, 0, 0, 0, 0, 0, 1, 0], 256),
        ];
        for (bytes, want) in cases {
            assert_eq!(variable(&mut Reader(bytes)), Some(want));
            assert_eq!(variable(&mut Reader(&bytes[..bytes.len() - 1])), None);
        }
    }
}

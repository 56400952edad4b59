//! What the tests of encrypted protocols share: records, certificates, frames and packets by hand.

use aes_gcm::aes::cipher::{BlockEncrypt as _, KeyInit as _};
use aes_gcm::aes::{Aes128, Block};
use aes_gcm::{AeadInPlace as _, Aes128Gcm};
use hkdf::Hkdf;
use sha2::Sha256;

fn vec16(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// A record of TLS.
pub fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &vec16(body)].concat()
}

/// A message of a handshake.
pub fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &vec16(body)].concat()
}

/// A fatal alert.
pub fn alert(code: u8) -> Vec<u8> {
    record(21, &[2, code])
}

/// A record of DTLS with a message of a handshake in one fragment.
pub fn dtls(kind: u8, body: &[u8]) -> Vec<u8> {
    let bytes = (body.len() as u16).to_be_bytes();
    let message = [&[kind, 0][..], &bytes, &[0, 0, 0, 0, 0, 0], &bytes, body].concat();
    [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1][..], &vec16(&message)].concat()
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&[tag, 0x82][..], &vec16(&body)].concat()
}

fn name(text: &str) -> Vec<u8> {
    let attribute = der(0x30, &[&[6, 3, 0x55, 4, 3], &der(0x0c, &[text.as_bytes()])]);
    der(0x30, &[&der(0x31, &[&attribute])])
}

/// A certificate with an empty key and signature, good from 2026 to 2056.
pub fn certificate(subject: &str, issuer: &str, names: &[&str]) -> Vec<u8> {
    let algorithm = der(0x30, &[&[6, 3, 0x2b, 0x65, 0x70]]);
    let validity = der(0x30, &[&der(0x17, &[b"260131091203Z"]), &der(0x18, &[b"20560131091203Z"])]);
    let key = der(0x30, &[&algorithm, &der(3, &[&[0; 33]])]);
    let names: Vec<Vec<u8>> = names.iter().map(|name| der(0x82, &[name.as_bytes()])).collect();
    let names = der(0x30, &names.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let extension = der(0x30, &[&[6, 3, 0x55, 0x1d, 17], &der(4, &[&names])]);
    let extensions = der(0xa3, &[&der(0x30, &[&extension])]);
    let version: &[u8] = &[0xa0, 3, 2, 1, 2, 2, 1, 7];
    let body = der(0x30, &[version, &algorithm, &name(issuer), &validity, &name(subject), &key, &extensions]);
    der(0x30, &[&body, &algorithm, &der(3, &[&[0; 65]])])
}

/// A frame of HTTP/2.
pub fn frame(kind: u8, flags: u8, stream: u8, body: &[u8]) -> Vec<u8> {
    [&[0][..], &(body.len() as u16).to_be_bytes(), &[kind, flags, 0, 0, 0, stream], body].concat()
}

/// Header fields as literals with their names, none of them coded.
pub fn header_fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8][..], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0x40], text(name), text(value)].concat()).collect()
}

/// The message that starts a key exchange of SSH, with its ten lists.
pub fn kexinit(lists: &[&str; 10]) -> Vec<u8> {
    let list = |list: &&str| [&(list.len() as u32).to_be_bytes()[..], list.as_bytes()].concat();
    [&[20][..], &[0x99; 16], &lists.iter().flat_map(list).collect::<Vec<_>>(), &[0; 5]].concat()
}

/// A message of SSH in the clear, with four bytes of padding.
pub fn ssh_packet(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32 + 5).to_be_bytes()[..], &[4], message, &[0; 4]].concat()
}

/// A number of QUIC in two or four bytes.
fn variable(number: usize) -> Vec<u8> {
    if number < 1 << 14 {
        (number as u16 | 0x4000).to_be_bytes().to_vec()
    } else {
        (number as u32 | 0x8000_0000).to_be_bytes().to_vec()
    }
}

/// A frame of QUIC with a piece of the handshake.
pub fn crypto(offset: usize, piece: &[u8]) -> Vec<u8> {
    [&[6][..], &variable(offset), &variable(piece.len()), piece].concat()
}

/// A client's first packet of QUIC.
pub struct Initial {
    pub version: u32,
    /// The identifier that its keys come from.
    pub keys: &'static [u8],
    pub destination: &'static [u8],
    pub number: u8,
}

impl Default for Initial {
    fn default() -> Self {
        Self { version: 1, keys: b"first id", destination: b"first id", number: 0 }
    }
}

impl Initial {
    /// The datagram with this packet, its frames encrypted.
    pub fn seal(&self, frames: &[u8]) -> Vec<u8> {
        let (salt, prefix, kind) = match self.version {
            1 => ("38762cf7f55934b34d179ae6a4c80cadccbb7f0a", "quic", 0),
            0x6b33_43cf => ("0dede3def700a6db819381be6e269dcbf9bd2ed9", "quicv2", 1),
            _ => ("afbfec289993d24c9e9786f19c6111e04390a899", "quic", 0),
        };
        let salt: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&salt[at * 2..at * 2 + 2], 16).unwrap()).collect();
        let secret = expand(&Hkdf::new(Some(&salt), self.keys), "client in", 32);
        let client = Hkdf::from_prk(&secret).unwrap();
        let [key, mut iv, header_key] =
            [("key", 16), ("iv", 12), ("hp", 16)].map(|(label, bytes)| expand(&client, &format!("{prefix} {label}"), bytes));
        iv[11] ^= self.number;
        let mut payload = frames.to_vec();
        payload.resize(payload.len().max(64), 0);
        let id = [&[self.destination.len() as u8][..], self.destination].concat();
        // A number of one byte; no identifier of the client, no token.
        let head = [&[0xc0 | kind << 4][..], &self.version.to_be_bytes(), &id, &[0, 0], &variable(payload.len() + 17)].concat();
        let mut packet = [&head[..], &[self.number]].concat();
        let cipher = Aes128Gcm::new(key[..].into());
        let tag = cipher.encrypt_in_place_detached(iv[..].into(), &packet, &mut payload).unwrap();
        packet.extend([&payload[..], &tag].concat());
        let mut mask = Block::clone_from_slice(&packet[head.len() + 4..head.len() + 20]);
        Aes128::new(header_key[..].into()).encrypt_block(&mut mask);
        packet[0] ^= mask[0] & 0x0f;
        packet[head.len()] ^= mask[1];
        packet
    }
}

fn expand(secret: &Hkdf<Sha256>, label: &str, bytes: usize) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let mut out = vec![0; bytes];
    secret.expand(&[&[0, bytes as u8, label.len() as u8], label.as_bytes(), &[0]].concat(), &mut out).unwrap();
    out
}

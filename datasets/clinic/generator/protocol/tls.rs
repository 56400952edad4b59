//! TLS 1.3 as a listener sees it (RFC 8446): hellos, then application data.

use crate::generator::random::Rng;
use crate::generator::tcp::{Filler, Message};

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 3, 3];
    record.extend((content.len() as u16).to_be_bytes());
    record.extend(content);
    record
}

fn handshake(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0];
    message.extend((content.len() as u16).to_be_bytes());
    message.extend(content);
    record(22, &message)
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    let mut extension = kind.to_be_bytes().to_vec();
    extension.extend((content.len() as u16).to_be_bytes());
    extension.extend(content);
    extension
}

/// A client hello that names `server`.
pub fn client_hello(rng: &mut Rng, server: &str) -> Vec<u8> {
    let mut hello = vec![3, 3];
    hello.extend(rng.cipher_bytes(32));
    hello.push(0);
    let ciphers = [0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x2c, 0xc0, 0x30];
    hello.extend((ciphers.len() as u16).to_be_bytes());
    hello.extend(ciphers);
    hello.extend([1, 0]);
    let length = server.len() as u16;
    let mut name = (length + 3).to_be_bytes().to_vec();
    name.push(0);
    name.extend(length.to_be_bytes());
    name.extend(server.bytes());
    let mut extensions = extension(0, &name);
    extensions.extend(extension(43, &[4, 3, 4, 3, 3]));
    extensions.extend(extension(16, b"\x00\x0c\x02h2\x08http/1.1"));
    extensions.extend(extension(10, &[0, 4, 0, 29, 0, 23]));
    extensions.extend(extension(13, &[0, 6, 4, 3, 8, 4, 4, 1]));
    let share = [&[0, 36, 0, 29, 0, 32][..], &rng.cipher_bytes(32)].concat();
    extensions.extend(extension(51, &share));
    hello.extend((extensions.len() as u16).to_be_bytes());
    hello.extend(extensions);
    handshake(1, &hello)
}

/// A server hello, followed by the encrypted certificate of `bytes` bytes.
pub fn server_hello(rng: &mut Rng, bytes: usize) -> Message {
    let mut hello = vec![3, 3];
    hello.extend(rng.cipher_bytes(32));
    hello.extend([0, 0x13, 0x01, 0]);
    let share = [&[0, 29, 0, 32][..], &rng.cipher_bytes(32)].concat();
    let extensions = [extension(43, &[3, 4]), extension(51, &share)].concat();
    hello.extend((extensions.len() as u16).to_be_bytes());
    hello.extend(extensions);
    let mut head = handshake(2, &hello);
    head.extend(record(20, &[1]));
    let total = head.len() + 5 + bytes;
    head.extend([23, 3, 3]);
    head.extend((bytes as u16).to_be_bytes());
    Message::new(head, total, Filler::Noise)
}

/// The client's encrypted end of the handshake.
pub fn client_finished() -> Message {
    let head = [record(20, &[1]), vec![23, 3, 3, 0, 53]].concat();
    Message::new(head, 6 + 58, Filler::Noise)
}

/// Application data of `bytes` bytes; the records after the first are not marked in the filler.
pub fn data(bytes: usize) -> Message {
    let first = bytes.clamp(17, 16_640) as u16;
    let mut head = vec![23, 3, 3];
    head.extend(first.to_be_bytes());
    Message::new(head, bytes.max(17) + 5, Filler::Noise)
}

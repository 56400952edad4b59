//! QUIC: what the client says in its first packets, which anyone can decrypt (RFC 9000, RFC 9001, RFC 9369).

use serde::{Serialize, Serializer};

use super::held::Held;
use super::hello::{self, CLIENT_HELLO, Carrier};
use super::listen::{Heard, Listen, Place};
use super::quic_packet::{ConnectionId, LongPacket, variable};
use super::reader::Reader;

/// Longest hello that is put together, in bytes.
const MOST_HELLO_BYTES: usize = 16 << 10;
/// Packets of one datagram that are looked at.
const MOST_PACKETS: usize = 4;

/// Facts of a QUIC connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QuicFacts {
    /// Version of the first packet: 1 and `0x6b33_43cf` (2) are published, `0xff00_0000` and a number are drafts.
    #[serde(serialize_with = "version")]
    pub version: u32,
    /// Server name that the client asked for, up to 253 characters.
    #[serde(rename = "sni")]
    pub server_name: Option<Box<str>>,
    /// Application protocol that the client offers first (`h3`), up to 64 characters.
    pub alpn: Option<Box<str>>,
    /// JA3 of the client's hello: 32 hexadecimal digits of MD5.
    pub ja3: Option<Box<str>>,
    /// JA4 of the client's hello (`q13d0310h3_55b375c5d22e_cd85d2d88918`).
    pub ja4: Option<Box<str>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn version<S: Serializer>(version: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    match *version {
        0 => serializer.serialize_none(),
        1 => serializer.serialize_str("1"),
        0x6b33_43cf => serializer.serialize_str("2"),
        draft @ 0xff00_0001..=0xff00_00ff => serializer.collect_str(&format_args!("draft-{}", draft & 0xff)),
        other => match other.to_be_bytes() {
            // Google's own name themselves in letters: Q043, T051.
            name @ [b'Q' | b'T', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9'] => serializer.collect_str(&name.escape_ascii()),
            _ => serializer.collect_str(&format_args!("0x{other:08x}")),
        },
    }
}

impl Listen for QuicFacts {
    /// A hello takes one to three datagrams; a Retry adds as many.
    const MOST_LOOKS: Option<u8> = Some(12);

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        let mut datagram = Reader(heard.payload.bytes);
        if self.version == 0 {
            self.version = stated_version(heard.payload.bytes);
        }
        if heard.asks {
            for _ in 0..MOST_PACKETS {
                let Some(packet) = LongPacket::read(&mut datagram) else { break };
                self.packet(&packet, heard.payload.may_hold, &mut place.held);
            }
        }
        self.ja4.is_none()
    }
}

impl QuicFacts {
    /// Reads the pieces of the handshake in a packet.
    fn packet(&mut self, packet: &LongPacket<'_>, may_hold: bool, held: &mut Held) {
        let Some(frames) = opened(packet, may_hold, held) else { return };
        self.version = packet.version;
        let mut reader = Reader(&frames);
        while let Some(piece) = next_piece(&mut reader) {
            let Some((offset, bytes)) = piece else { continue };
            // With no room to hold a piece only a hello in one piece is read.
            if offset == 0 && self.hello(bytes) {
                return;
            }
            if may_hold && !held.bytes().is_empty() {
                keep(offset, bytes, held);
            }
        }
        if let Some(message) = put_together(held) {
            self.hello(&message);
        }
    }

    /// Reads a client's hello if it is whole.
    fn hello(&mut self, message: &[u8]) -> bool {
        let mut reader = Reader(message);
        let Some([CLIENT_HELLO, high, middle, low]) = reader.array() else { return false };
        let Some(body) = reader.take(u32::from_be_bytes([0, high, middle, low]) as usize) else { return false };
        let Some(hello) = hello::client(body, true, Carrier::Quic) else { return false };
        (self.server_name, self.alpn) = (hello.server_name, hello.alpn);
        (self.ja3, self.ja4) = (hello.ja3, hello.ja4);
        true
    }
}

/// Version of a long header, whatever else it holds.
fn stated_version(datagram: &[u8]) -> u32 {
    match datagram {
        [first, version @ ..] if first & 0x80 != 0 => Reader(version).u32().unwrap_or_default(),
        _ => 0,
    }
}

/// The frames of a packet, with the keys of the identifier that is held or, at the start and after a Retry, of its own.
fn opened(packet: &LongPacket<'_>, may_hold: bool, held: &mut Held) -> Option<Vec<u8>> {
    let known = held.bytes().first_chunk().map(ConnectionId::from_held);
    if let Some(frames) = known.and_then(|id| packet.open(&id)) {
        return Some(frames);
    }
    if known == Some(packet.destination) {
        return None;
    }
    let frames = packet.open(&packet.destination)?;
    held.clear();
    if may_hold {
        held.keep(&packet.destination.to_held());
    }
    Some(frames)
}

/// Reads a frame of a first packet (RFC 9000, 19). Returns where its piece of the handshake belongs and the piece, if it has
/// one.
fn next_piece<'a>(reader: &mut Reader<'a>) -> Option<Option<(usize, &'a [u8])>> {
    match reader.u8()? {
        // Padding, a ping.
        0 | 1 => Some(None),
        kind @ (2 | 3) => {
            variable(reader)?;
            variable(reader)?;
            let ranges = variable(reader)?;
            variable(reader)?;
            let counts = if kind == 3 { 3 } else { 0 };
            for _ in 0..ranges.checked_mul(2)?.checked_add(counts)? {
                variable(reader)?;
            }
            Some(None)
        }
        6 => {
            let offset = usize::try_from(variable(reader)?).ok()?;
            let bytes = usize::try_from(variable(reader)?).ok()?;
            Some(Some((offset, reader.take(bytes)?)))
        }
        _ => None,
    }
}

/// Holds a piece behind those before.
fn keep(offset: usize, bytes: &[u8], held: &mut Held) {
    if offset < MOST_HELLO_BYTES && !bytes.is_empty() {
        let [place, length] = [offset, bytes.len()].map(|number| (number as u16).to_be_bytes());
        held.keep(&[&place, &length, bytes].concat());
    }
}

/// The handshake's bytes from its start to the first that is missing.
fn put_together(held: &Held) -> Option<Vec<u8>> {
    let mut reader = Reader(held.bytes());
    reader.take(ConnectionId::HELD_BYTES)?;
    let mut pieces = Vec::new();
    while let (Some(place), Some(bytes)) = (reader.u16(), reader.vec16()) {
        pieces.push((usize::from(place), bytes));
    }
    pieces.sort_by_key(|(place, _)| *place);
    let mut message = Vec::new();
    for (place, bytes) in pieces {
        let Some(known) = message.len().checked_sub(place) else { break };
        message.extend_from_slice(bytes.get(known..).unwrap_or_default());
    }
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_put_together_in_any_order() {
        let mut held = Held::default();
        held.keep(&ConnectionId::default().to_held());
        for (offset, bytes) in [(4, &b"efg"[..]), (9, b"j"), (0, b"abcd"), (2, b"cdef"), (0, b"ab")] {
            keep(offset, bytes, &mut held);
        }
        assert_eq!(put_together(&held).unwrap(), b"abcdefg", "what follows a gap waits");
        keep(7, b"hi", &mut held);
        assert_eq!(put_together(&held).unwrap(), b"abcdefghij");
    }

    #[test]
    fn frames_are_passed_over_up_to_the_pieces() {
        let frames = [0, 1, 2, 5, 0, 1, 0, 1, 1, 3, 5, 0, 0, 0, 7, 7, 7, 6, 0x40, 9, 2, b'h', b'i', 0, 6, 0, 9];
        let mut reader = Reader(&frames);
        let mut pieces = Vec::new();
        while let Some(piece) = next_piece(&mut reader) {
            pieces.extend(piece);
        }
        assert_eq!(pieces, [(9, &b"hi"[..])], "a piece that is cut is none");
    }

    #[test]
    fn versions_are_named() {
        let name = |version| serde_json::to_value(QuicFacts { version, ..QuicFacts::default() }).unwrap()["version"].clone();
        assert_eq!(name(1), "1");
        assert_eq!(name(0x6b33_43cf), "2");
        assert_eq!(name(0xff00_001d), "draft-29");
        assert_eq!(name(0x5130_3433), "Q043");
        assert_eq!(name(0xface_b002), "0xfaceb002");
    }
}

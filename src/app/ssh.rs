//! SSH: the identification strings and the lists of the key exchange, which are in the clear (RFC 4253, 4.2 and 7.1).

use serde::Serialize;

use super::Side;
use super::fingerprint::md5_hex;
use super::held::Message;
use super::listen::{Heard, Listen, Place};
use super::reader::{Reader, first_line};
use super::text::{NAME_BYTES, printable};

/// The message that starts a key exchange.
const KEXINIT: u8 = 20;
/// Longest message that may stand in the clear, in bytes (RFC 4253, 6.1).
const MOST_PACKET_BYTES: u32 = 35_000;
/// Longest identification string, in bytes.
const MOST_LINE_BYTES: usize = 255;

/// Facts of an SSH connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SshFacts {
    /// Protocol version of the initiator (`2.0`; `1.99` of one that speaks both), up to 8 characters.
    pub version_orig: Option<Box<str>>,
    /// Protocol version of the responder.
    pub version_resp: Option<Box<str>>,
    /// Software of the initiator as it names itself (`OpenSSH_9.2p1 Debian-2`), up to 64 characters.
    pub software_orig: Option<Box<str>>,
    /// Software of the responder.
    pub software_resp: Option<Box<str>>,
    /// HASSH of the client: MD5 of the algorithms that it offers for its direction, 32 hexadecimal digits.
    pub hassh: Option<Box<str>>,
    /// HASSH of the server in the same way.
    pub hassh_server: Option<Box<str>>,
}

/// Longest protocol version that is kept, in bytes.
const VERSION_BYTES: usize = 8;

impl Listen for SshFacts {
    /// The strings, and lists that may take two packets on each side.
    const MOST_LOOKS: Option<u8> = Some(12);

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        let payload = &heard.payload;
        let is_start = !place.held.is_waiting();
        match place.held.message(payload.bytes, payload.may_hold && payload.is_whole(), needed) {
            Message::Whole(stream) => self.read(payload.side, stream),
            // The rest may never come.
            Message::Part | Message::Lost if is_start => self.read(payload.side, payload.bytes),
            Message::Part | Message::Lost => {}
        }
        !self.is_complete()
    }
}

impl SshFacts {
    fn read(&mut self, side: Side, stream: &[u8]) {
        self.banner(side, stream);
        // The initiator is the client: a flow whose start was not seen shows no key exchange either.
        let place = match side {
            Side::Orig => &mut self.hassh,
            Side::Resp => &mut self.hassh_server,
        };
        if place.is_none() {
            *place = key_exchange(behind_line(stream), side);
        }
    }

    /// Reads an identification string; anything else is passed over.
    fn banner(&mut self, side: Side, payload: &[u8]) {
        let parts = payload.strip_prefix(b"SSH-").and_then(|rest| {
            let line = first_line(rest);
            let (version, software) = line.split_at(line.iter().position(|b| *b == b'-')?);
            Some((version, software.get(1..)?))
        });
        let (version_place, place) = match side {
            Side::Orig => (&mut self.version_orig, &mut self.software_orig),
            Side::Resp => (&mut self.version_resp, &mut self.software_resp),
        };
        if let (Some((version, software)), None) = (parts, &place) {
            *version_place = Some(printable(version, VERSION_BYTES));
            *place = Some(printable(software, NAME_BYTES));
        }
    }

    /// Have both sides named themselves and their algorithms?
    const fn is_complete(&self) -> bool {
        self.software_orig.is_some() && self.software_resp.is_some() && self.hassh.is_some() && self.hassh_server.is_some()
    }
}

/// What stands behind an identification string; all when there is none.
fn behind_line(stream: &[u8]) -> &[u8] {
    if !stream.starts_with(b"SSH-") {
        return stream;
    }
    let end = stream.iter().take(MOST_LINE_BYTES).position(|b| *b == b'\n');
    end.and_then(|end| stream.get(end + 1..)).unwrap_or_default()
}

/// Bytes of a stream that it takes to read an identification string and the lists behind it.
fn needed(stream: &[u8]) -> Option<usize> {
    let packet = behind_line(stream);
    if packet.is_empty() {
        return Some(stream.len());
    }
    let before = stream.len() - packet.len();
    let mut reader = Reader(packet);
    let (Some(bytes), Some(_), Some(kind)) = (reader.u32(), reader.u8(), reader.u8()) else { return Some(before + 6) };
    (kind == KEXINIT && (2..=MOST_PACKET_BYTES).contains(&bytes)).then_some(before + 4 + bytes as usize)
}

/// The fingerprint of a key exchange's first message: its algorithms for keys, and for ciphers, authentication and compression
/// in the direction of the side that sends it.
fn key_exchange(packet: &[u8], side: Side) -> Option<Box<str>> {
    let mut reader = Reader(packet);
    let bytes = reader.u32().filter(|bytes| *bytes <= MOST_PACKET_BYTES)?;
    let mut message = Reader(reader.take(bytes as usize)?);
    message.u8()?;
    if message.u8()? != KEXINIT {
        return None;
    }
    // The cookie.
    message.take(16)?;
    // Keys, host keys, then ciphers, authentication and compression, each from the client and from the server.
    let mut lists = [&[][..]; 8];
    for list in &mut lists {
        let bytes = message.u32()?;
        *list = message.take(bytes as usize)?;
    }
    let [keys, _, cipher_orig, cipher_resp, mac_orig, mac_resp, compression_orig, compression_resp] = lists;
    let chosen = match side {
        Side::Orig => [keys, cipher_orig, mac_orig, compression_orig],
        Side::Resp => [keys, cipher_resp, mac_resp, compression_resp],
    };
    Some(md5_hex(&chosen.join(&b';')))
}

//! SSH: the identification strings and the lists of the key exchange, which are in the clear (RFC 4253, 4.2 and 7.1), and what the lengths of
//! the answers behind it tell of log-ins.

use std::ops::RangeInclusive;

use serde::Serialize;

use super::Side;
use super::fingerprint::md5_hex;
use super::held::Message;
use super::listen::{Heard, Listen, Payload, Place};
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
    /// Log-ins that failed, as the lengths of the server's answers tell when the connection is closed; none where a session followed.
    pub login_failure: u32,
    /// Where logging in stands.
    #[serde(skip)]
    pub login: Login,
}

/// What comes before keys are in use, in the clear (RFC 4253, 6 and 7.3): a message of 12 bytes, 10 of them padding, that says so.
const NEW_KEYS: [u8; 6] = [0, 0, 0, 12, 10, 21];
const NEW_KEYS_BYTES: u32 = 16;
/// Lengths of answers that turn a log-in down: a list of methods (RFC 4252, 5.1), with what the cipher adds. What a session says to a key that is pressed is shorter.
const ANSWER_BYTES: RangeInclusive<u32> = 40..=256;
/// Answers at the most: servers end a connection after fewer, and more are not listened to.
const MOST_ANSWERS: u32 = 12;

/// A client asks to log in and the server answers, one after the other (RFC 4252, 5); all answers that turn a password down list the same methods, and so are
/// of one length. That to the question for the methods, and prompts (RFC 4256), may have another. When a session follows the server speaks unasked (RFC 4254),
/// at length, or in a third length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Login {
    /// Keys are not in use yet.
    #[default]
    Keys,
    /// The service is asked for.
    Service {
        /// Did the client say something that was not answered yet?
        is_asked: bool,
    },
    /// Log-ins are asked for.
    Asked {
        /// Did the client say something that was not answered yet?
        is_asked: bool,
        /// The lengths of answers, and how many had them.
        answers: [(u32, u32); 2],
    },
    /// There is nothing more to be told.
    Over,
}

impl Login {
    /// Hears the next payload.
    fn hear(&mut self, payload: &Payload<'_>) {
        if payload.missing_bytes > 0 {
            *self = Self::Over;
        }
        let (is_answer, bytes) = (payload.side == Side::Resp, payload.wire_bytes);
        match self {
            // With its keys a client often asks for the service.
            Self::Keys if payload.bytes.windows(NEW_KEYS.len()).any(|bytes| bytes == NEW_KEYS) => {
                *self = Self::Service { is_asked: !is_answer && bytes > NEW_KEYS_BYTES };
            }
            Self::Service { is_asked } | Self::Asked { is_asked, .. } if !is_answer => *is_asked = true,
            Self::Service { is_asked: true } => *self = Self::Asked { is_asked: false, answers: [(0, 0); 2] },
            Self::Asked { is_asked: is_asked @ true, answers } if ANSWER_BYTES.contains(&bytes) => {
                *is_asked = false;
                let has_room = answers[0].1 + answers[1].1 < MOST_ANSWERS;
                match answers.iter_mut().find(|(length, count)| *count == 0 || *length == bytes) {
                    Some(answer) if has_room => *answer = (bytes, answer.1 + 1),
                    _ => *self = Self::Over,
                }
            }
            Self::Asked { .. } => *self = Self::Over,
            Self::Keys | Self::Service { .. } | Self::Over => {}
        }
    }

    /// Log-ins that failed, of a connection that has ended: of each length the first may be something else, unless it is all that was asked.
    fn failed(&self) -> u32 {
        match self {
            Self::Asked { is_asked: false, answers: [(_, 1), (_, 0)] } => 1,
            Self::Asked { answers, .. } => answers.iter().map(|(_, count)| count.saturating_sub(1)).max().unwrap_or(0),
            _ => 0,
        }
    }
}

/// Longest protocol version that is kept, in bytes.
const VERSION_BYTES: usize = 8;

impl Listen for SshFacts {
    /// The strings, lists that may take two packets on each side, and as many log-ins as a server lets a connection try.
    const MOST_LOOKS: Option<u8> = Some(48);

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        let payload = &heard.payload;
        let is_start = !place.held.is_waiting();
        match place.held.message(payload.bytes, payload.may_hold && payload.is_whole(), needed) {
            Message::Whole(stream) => self.read(payload.side, stream),
            // The rest may never come.
            Message::Part | Message::Lost if is_start => self.read(payload.side, payload.bytes),
            Message::Part | Message::Lost => {}
        }
        self.login.hear(payload);
        !(self.is_complete() && self.login == Login::Over)
    }
}

impl SshFacts {
    /// The connection has ended, and what was not a session by then were log-ins that failed.
    pub(super) fn end(&mut self) {
        (self.login_failure, self.login) = (self.login.failed(), Login::Over);
    }

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

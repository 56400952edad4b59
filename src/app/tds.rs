//! SQL Server: versions, encryption and how logins end (MS-TDS, 2.2). Users, queries and rows are not kept.

use serde::Serialize;

use super::Side;
use super::count::bump;
use super::frames::{Frames, Span};
use super::listen::{Heard, Listen, Place};
use super::logins::Logins;
use super::ntlm::narrow;
use super::reader::Reader;

const HEADER_BYTES: usize = 8;
const FRAMES: Frames = Frames { head_bytes: HEADER_BYTES, span };
/// Number of the error "Login failed for user".
const LOGIN_FAILED: u32 = 18_456;

/// Facts of a TDS connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TdsFacts {
    /// Version of the server, as in `15.0.2000`.
    pub server_version: Option<Box<str>>,
    /// Version of the client's library.
    pub client_version: Option<Box<str>>,
    /// What the server decides on encryption: `off` (the login alone), `on`, `not_supported`, `required`.
    pub encryption: Option<&'static str>,
    /// Requests to log in that were seen in the clear.
    pub logins: u32,
    /// Logins that succeeded.
    pub login_success: u32,
    /// Logins that failed.
    pub login_failure: u32,
    /// Batches of statements.
    pub batches: u32,
    /// Calls of procedures.
    pub calls: u32,
    /// Who asks.
    #[serde(skip)]
    pub asks: Logins,
}

impl Listen for TdsFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        if matches!(heard.payload.bytes, [0x17, 3, 0..=4, ..]) {
            return false;
        }
        let side = heard.payload.side;
        FRAMES.walk(place, &heard.payload, |message| self.packet(side, message));
        true
    }
}

impl TdsFacts {
    fn packet(&mut self, side: Side, packet: &[u8]) {
        let (Some(kind), Some(body)) = (packet.first(), packet.get(HEADER_BYTES..)) else { return };
        match kind {
            0x01 => bump(&mut self.batches),
            0x03 => bump(&mut self.calls),
            0x10 => {
                self.asks.ask(&user(body).map(narrow).unwrap_or_default());
                bump(&mut self.logins);
            }
            0x12 => {
                let _ = self.pre_login(Side::Orig, body);
            }
            // Before the login has ended, a reply is the server's part of what comes before it, or the login's result.
            0x04 if side == Side::Resp && self.server_version.is_none() => {
                let _ = self.pre_login(Side::Resp, body);
            }
            0x04 if self.login_success + self.login_failure < self.logins => self.result(body),
            _ => {}
        }
    }

    /// Options by number, place and length.
    fn pre_login(&mut self, side: Side, body: &[u8]) -> Option<()> {
        // A TLS handshake travels in the same packets.
        if body.starts_with(&[0x16, 3]) {
            return None;
        }
        let mut options = Reader(body);
        for _ in 0..16 {
            let option = options.u8()?;
            if option == 0xff {
                break;
            }
            let (from, bytes) = (usize::from(options.u16()?), usize::from(options.u16()?));
            let value = body.get(from..from + bytes)?;
            match (option, value) {
                (0, [major, minor, high, low, ..]) => {
                    let version = format!("{major}.{minor}.{}", u16::from_be_bytes([*high, *low])).into_boxed_str();
                    *(if side == Side::Orig { &mut self.client_version } else { &mut self.server_version }) = Some(version);
                }
                (1, [choice, ..]) if side == Side::Resp => {
                    self.encryption = ["off", "on", "not_supported", "required"].get(usize::from(*choice & 3)).copied();
                }
                _ => {}
            }
        }
        Some(())
    }

    /// Looks through the tokens of the answer to a login.
    fn result(&mut self, body: &[u8]) {
        let mut reader = Reader(body);
        while let Some(token @ (0xaa | 0xab | 0xad | 0xe3 | 0xed)) = reader.u8() {
            let Some(bytes) = reader.array().map(u16::from_le_bytes) else { return };
            let value = reader.take(bytes.into()).unwrap_or(reader.0);
            let number = value.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
            match token {
                0xaa if number == Some(LOGIN_FAILED) => {
                    self.asks.refuse();
                    return bump(&mut self.login_failure);
                }
                0xad => {
                    self.asks.admit();
                    return bump(&mut self.login_success);
                }
                _ => {}
            }
        }
    }
}

/// Who logs in, of whom the place and the length stand behind those of the client's own name (MS-TDS, 2.2.6.4).
fn user(login: &[u8]) -> Option<&[u8]> {
    let mut field = Reader(login.get(40..44)?);
    let (from, characters) = (field.array().map(u16::from_le_bytes)?, field.array().map(u16::from_le_bytes)?);
    login.get(usize::from(from)..)?.get(..2 * usize::from(characters))
}

fn span(bytes: &[u8]) -> Option<Span> {
    let [1..=4 | 6 | 7 | 14 | 16..=18, status, high, low, _, _, _, 0, ..] = bytes else { return None };
    let length = u32::from(u16::from_be_bytes([*high, *low]));
    (length >= 8 && *status <= 0x1f).then_some(Span { bytes: length, wanted: 512 })
}

#[cfg(test)]
mod tests {
    use super::super::{Payload, Ports};
    use super::*;

    fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind, 1][..], &(8 + body.len() as u16).to_be_bytes(), &[0, 0, 1, 0], body].concat()
    }

    #[test]
    fn versions_and_logins() {
        let before = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 15, 0, 7, 0xd0, 0, 0, 2];
        let failed = [&[0xe3, 2, 0, 9, 9, 0xaa, 6, 0][..], &18_456_u32.to_le_bytes(), &[1, 14]].concat();
        let (mut tds, mut places) = (TdsFacts::default(), [Place::default(), Place::default()]);
        let said = [
            (Side::Orig, packet(0x12, &before)),
            (Side::Resp, packet(0x04, &before)),
            (Side::Orig, packet(0x10, &[7; 40])),
            (Side::Resp, packet(0x04, &failed)),
            (Side::Orig, packet(0x10, &[7; 40])),
            (Side::Resp, packet(0x04, &[0xad, 2, 0, 1, 7])),
            (Side::Orig, packet(0x01, b"select")),
        ];
        for (side, bytes) in &said {
            let payload = Payload::new(*side, bytes, bytes.len() as u32);
            tds.hear(&Heard { ports: Ports::default(), asks: true, payload }, &mut places[usize::from(*side == Side::Resp)]);
        }
        assert_eq!((tds.server_version.as_deref(), tds.encryption), (Some("15.0.2000"), Some("not_supported")));
        assert_eq!((tds.logins, tds.login_failure, tds.login_success, tds.batches), (2, 1, 1, 1));
    }
}

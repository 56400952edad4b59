//! PostgreSQL: versions, encryption and how the login ends (PostgreSQL's documentation, "Frontend/Backend Protocol"). Users, databases,
//! statements and rows are not kept.

use serde::Serialize;

use super::Side;
use super::frames::{Frames, Span};
use super::listen::{Heard, Listen, Place};
use super::logins::Logins;
use super::reader::Reader;
use super::starttls::StartTls;
use super::text::{NAME_BYTES, printable};

/// Names and values of a start that are looked at.
const MOST_WORDS: usize = 32;
const FRAMES: Frames = Frames { head_bytes: 5, span };

/// Facts of a PostgreSQL connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PostgresFacts {
    /// Protocol of the client, as in `3.0`.
    pub protocol: Option<&'static str>,
    /// Version of the server, up to 64 characters.
    pub server_version: Option<Box<str>>,
    /// Did the client ask for TLS?
    pub tls_requested: bool,
    /// Did the server agree? What follows is encrypted.
    pub tls_accepted: bool,
    /// The handshake that followed.
    pub tls: StartTls,
    /// Proof that the server asks for: `none`, `password` (in the clear), `md5`, `scram`, `gss`, `other`.
    pub authentication: Option<&'static str>,
    /// Did the login succeed?
    pub login_success: bool,
    /// Did it fail (errors of the class 28)?
    pub login_failure: bool,
    /// Was the request one to cancel another connection's statement?
    pub cancel: bool,
    /// Who logs in.
    #[serde(skip)]
    pub logins: Logins,
}

impl Listen for PostgresFacts {
    const MOST_LOOKS: Option<u8> = Some(32);

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        if let Some(wants_more) = self.tls.hear(self.tls_accepted, heard, place) {
            return wants_more;
        }
        match (heard.payload.side, heard.payload.bytes) {
            (Side::Resp, [b'S']) if self.tls_requested && self.authentication.is_none() => self.tls_accepted = true,
            (Side::Resp, [b'N']) if self.tls_requested && self.authentication.is_none() => {}
            (Side::Orig, bytes) => self.start(bytes),
            (Side::Resp, _) => FRAMES.walk(place, &heard.payload, |message| self.message(message)),
        }
        !(self.login_failure || self.cancel || self.login_success && self.server_version.is_some())
    }
}

impl PostgresFacts {
    fn start(&mut self, bytes: &[u8]) {
        let mut reader = Reader(bytes);
        match (reader.u32(), reader.u32()) {
            (Some(8), Some(80_877_103)) => self.tls_requested = true,
            (Some(16..=272), Some(80_877_102)) => self.cancel = true,
            (_, Some(0x0003_0000)) => self.begin("3.0", reader.0),
            (_, Some(0x0003_0002)) => self.begin("3.2", reader.0),
            _ => {}
        }
    }

    /// A client begins, with names and values of what it wants.
    fn begin(&mut self, protocol: &'static str, wants: &[u8]) {
        self.protocol = Some(protocol);
        let mut words = wants.split(|b| *b == 0).take(MOST_WORDS);
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            if name == b"user" {
                self.logins.ask(value);
            }
        }
    }

    fn message(&mut self, message: &[u8]) {
        let (Some(kind), Some(body)) = (message.first(), message.get(5..)) else { return };
        match kind {
            b'R' => self.authentication(body),
            b'S' => {
                let mut words = body.split(|b| *b == 0);
                if let (Some(b"server_version"), Some(version)) = (words.next(), words.next()) {
                    // Only now: a server that asks for no proof may still refuse the name.
                    self.logins.admit();
                    self.server_version = Some(printable(version, NAME_BYTES));
                }
            }
            // Fields of a letter and text; the code's first two digits are its class.
            b'E' => {
                let code = body.split(|b| *b == 0).take(16).find_map(|field| field.strip_prefix(b"C"));
                // A server that asks for no proof may refuse the name for all that.
                if code.is_some_and(|code| code.starts_with(b"28")) {
                    (self.login_success, self.login_failure) = (false, true);
                    self.logins.refuse();
                }
            }
            _ => {}
        }
    }

    fn authentication(&mut self, body: &[u8]) {
        let Some(kind) = Reader(body).u32() else { return };
        if kind == 0 {
            self.login_success = true;
        }
        if self.authentication.is_none() {
            self.authentication = Some(match kind {
                0 => "none",
                3 => "password",
                5 => "md5",
                10 => "scram",
                7 | 8 => "gss",
                _ => "other",
            });
        }
    }
}

/// A message of the server: its kind and its length.
fn span(bytes: &[u8]) -> Option<Span> {
    let [b'A'..=b'z', a, b, c, d, ..] = bytes else { return None };
    let length = u32::from_be_bytes([*a, *b, *c, *d]);
    (4..1 << 24).contains(&length).then_some(Span { bytes: length + 1, wanted: 256 })
}

#[cfg(test)]
mod tests {
    use super::super::{Payload, Ports};
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind][..], &(4 + body.len() as u32).to_be_bytes(), body].concat()
    }

    fn hear(said: &[(Side, Vec<u8>)]) -> PostgresFacts {
        let (mut facts, mut place) = (PostgresFacts::default(), Place::default());
        for (side, bytes) in said {
            let payload = Payload::new(*side, bytes, bytes.len() as u32);
            facts.hear(&Heard { ports: Ports::default(), asks: true, payload }, &mut place);
        }
        facts
    }

    #[test]
    fn logins_in_the_clear_and_the_turn_to_tls() {
        let start = [&[0, 0, 0, 20, 0, 3, 0, 0][..], b"user\0smith\0\0"].concat();
        let good = [message(b'R', &[0, 0, 0, 0]), message(b'S', b"server_version\x0016.2\0")].concat();
        let facts =
            hear(&[(Side::Orig, start.clone()), (Side::Resp, message(b'R', &[0, 0, 0, 5, 1, 2, 3, 4])), (Side::Resp, good)]);
        assert_eq!((facts.protocol, facts.authentication, facts.login_success), (Some("3.0"), Some("md5"), true));
        assert_eq!(facts.server_version.as_deref(), Some("16.2"));
        let facts = hear(&[(Side::Orig, start), (Side::Resp, message(b'E', b"SFATAL\0C28P01\0Mno\0\0"))]);
        assert!(facts.login_failure && !facts.login_success);
        let facts = hear(&[(Side::Orig, vec![0, 0, 0, 8, 4, 210, 22, 47]), (Side::Resp, b"S".to_vec())]);
        assert!(facts.tls_requested && facts.tls_accepted);
    }
}

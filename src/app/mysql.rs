//! MySQL and MariaDB: the server's version, encryption and how the login ends (MySQL's client/server protocol, connection phase). Users,
//! statements and rows are not kept.

use serde::Serialize;

use super::Side;
use super::listen::{Heard, Listen, Place};
use super::logins::Logins;
use super::starttls::StartTls;
use super::text::{NAME_BYTES, printable};

/// Facts of a MySQL connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MysqlFacts {
    /// Version of the server, as in `8.0.36`, up to 64 characters.
    pub version: Option<Box<str>>,
    /// Did the client turn to TLS?
    pub tls_requested: bool,
    /// The handshake that followed.
    pub tls: StartTls,
    /// Did the login succeed?
    pub login_success: bool,
    /// Did it fail?
    pub login_failure: bool,
    /// Number of the error that the server answered with; 1045 is a wrong password.
    pub error_code: u16,
    /// Who logs in.
    #[serde(skip)]
    pub logins: Logins,
}

impl Listen for MysqlFacts {
    const MOST_LOOKS: Option<u8> = Some(32);

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        if let Some(wants_more) = self.tls.hear(self.tls_requested, heard, place) {
            return wants_more;
        }
        // Length in three bytes, the packet's number, and its kind.
        let [a, b, c, number, kind, rest @ ..] = heard.payload.bytes else { return true };
        match heard.payload.side {
            Side::Resp if *number == 0 && *kind == 10 => {
                let text = rest.split(|b| *b == 0).next().unwrap_or_default();
                self.version = Some(printable(text, NAME_BYTES));
                true
            }
            Side::Resp if *kind == 0xff => {
                self.error_code = rest.first_chunk().map_or(0, |code| u16::from_le_bytes(*code));
                self.login_failure = matches!(self.error_code, 1044 | 1045 | 1698 | 1862 | 3118);
                if self.login_failure {
                    self.logins.refuse();
                }
                false
            }
            Side::Resp if *kind == 0 && *number >= 2 => {
                self.login_success = true;
                self.logins.admit();
                false
            }
            // The login's first 32 bytes alone, with the flag for TLS.
            Side::Orig if *number == 1 && [*a, *b, *c] == [32, 0, 0] && rest.first().is_some_and(|flags| flags & 8 != 0) => {
                self.tls_requested = true;
                true
            }
            // Behind what it can, its longest packet, its characters and what is reserved.
            Side::Orig if *number == 1 => {
                self.logins.ask(rest.get(31..).unwrap_or_default().split(|b| *b == 0).next().unwrap_or_default());
                true
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Payload, Ports};
    use super::*;

    fn hear(said: &[(Side, &[u8])]) -> MysqlFacts {
        let (mut facts, mut place) = (MysqlFacts::default(), Place::default());
        for (side, bytes) in said {
            let payload = Payload::new(*side, bytes, bytes.len() as u32);
            if !facts.hear(&Heard { ports: Ports::default(), asks: true, payload }, &mut place) {
                break;
            }
        }
        facts
    }

    const GREETING: &[u8] = b"\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0salt";

    #[test]
    fn versions_logins_and_encryption() {
        let login: &[u8] = &[&[60, 0, 0, 1, 0x85, 0xa2, 0xff][..], &[0; 57]].concat();
        let facts = hear(&[(Side::Resp, GREETING), (Side::Orig, login), (Side::Resp, b"\x17\0\0\x02\xff\x15\x04#28000Access")]);
        assert_eq!((facts.version.as_deref(), facts.login_failure, facts.error_code), (Some("8.0.36"), true, 1045));
        assert!(hear(&[(Side::Resp, GREETING), (Side::Orig, login), (Side::Resp, &[7, 0, 0, 2, 0, 0, 0])]).login_success);
        let tls: &[u8] = &[&[32, 0, 0, 1, 0x85, 0xae][..], &[0; 30]].concat();
        assert!(hear(&[(Side::Resp, GREETING), (Side::Orig, tls), (Side::Resp, b"\x16\x03\x03\0\x7a\x02")]).tls_requested);
    }
}

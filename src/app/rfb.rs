//! Remote frame buffer (VNC): versions and how the client proves itself (RFC 6143, 7.1).

use serde::Serialize;

use super::Side;
use super::listen::{Heard, Listen, Place};
use super::text::printable;

/// Facts of an RFB connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RfbFacts {
    /// Version of the server, as in `003.008`.
    pub server_version: Option<Box<str>>,
    /// Version of the client.
    pub client_version: Option<Box<str>>,
    /// How the client proves itself: `none`, `vnc`, `tls`, `vencrypt`, `apple`, `other`.
    pub security: Option<&'static str>,
    /// Did the server accept the proof?
    pub accepted: bool,
    /// Did the server refuse it?
    pub failed: bool,
    /// Was a challenge answered, so that the next word of the server is its decision?
    #[serde(skip)]
    answered: bool,
}

impl Listen for RfbFacts {
    const MOST_LOOKS: Option<u8> = Some(16);

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        let is_server = heard.payload.side == Side::Resp;
        match heard.payload.bytes {
            [b'R', b'F', b'B', b' ', version @ ..] if version.len() >= 7 => {
                let place = if is_server { &mut self.server_version } else { &mut self.client_version };
                place.get_or_insert_with(|| printable(version.get(..7).unwrap_or_default(), 7));
            }
            // Up to version 3.3 the server decides, in four bytes.
            [0, 0, 0, kind] if is_server && self.security.is_none() => self.choose(*kind),
            [kind] if !is_server && self.security.is_none() && self.client_version.is_some() => self.choose(*kind),
            answer if !is_server && answer.len() == 16 && self.security == Some("vnc") => self.answered = true,
            [0, 0, 0, result, ..] if is_server && (self.answered || self.security == Some("none")) => {
                self.accepted = *result == 0;
                self.failed = *result != 0;
                return false;
            }
            _ => {}
        }
        true
    }
}

impl RfbFacts {
    fn choose(&mut self, kind: u8) {
        self.security = Some(match kind {
            0 => return,
            1 => "none",
            2 => "vnc",
            18 => "tls",
            19 => "vencrypt",
            30..=35 => "apple",
            _ => "other",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Payload, Ports};
    use super::*;

    #[test]
    fn versions_and_a_wrong_password() {
        let (mut rfb, mut place) = (RfbFacts::default(), Place::default());
        let said: [(Side, &[u8]); 7] = [
            (Side::Resp, b"RFB 003.008\n"),
            (Side::Orig, b"RFB 003.007\n"),
            (Side::Resp, &[2, 1, 2]),
            (Side::Orig, &[2]),
            (Side::Resp, &[7; 16]),
            (Side::Orig, &[9; 16]),
            (Side::Resp, &[0, 0, 0, 1]),
        ];
        for (side, bytes) in said {
            let payload = Payload::new(side, bytes, bytes.len() as u32);
            rfb.hear(&Heard { ports: Ports::default(), asks: false, payload }, &mut place);
        }
        assert_eq!((rfb.server_version.as_deref(), rfb.client_version.as_deref()), (Some("003.008"), Some("003.007")));
        assert_eq!((rfb.security, rfb.failed, rfb.accepted), (Some("vnc"), true, false));
    }
}

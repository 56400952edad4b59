//! Remote desktop: how the two sides agree on their protection (MS-RDPBCGR, 2.2.1.1 and 2.2.1.2), and the TLS handshake that
//! follows. Nothing else is looked at.

use serde::Serialize;

use super::count::note;
use super::listen::{Heard, Listen, Place};
use super::reader::{Reader, first_line, holds};
use super::starttls::StartTls;

/// Facts of a remote desktop connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RdpFacts {
    /// Protections that the client offers: `rdp` (its own), `tls`, `credssp` (network level authentication), `rdstls`,
    /// `credssp_ex`, `rdsaad`.
    pub requested: Vec<&'static str>,
    /// The one that the server chose; none when it refused, or is too old to say.
    #[serde(rename = "security_protocol")]
    pub selected: Option<&'static str>,
    /// Why the server refused: `tls_required`, `tls_not_allowed`, `no_certificate`, `inconsistent`, `credssp_required`,
    /// `tls_with_user_required`, `other`.
    pub failure: Option<&'static str>,
    /// Did the client send a cookie, which names a user or a session? It is not read.
    pub cookie: bool,
    /// Did the server answer?
    pub confirmed: bool,
    /// The handshake that followed, whatever the protection but RDP's own.
    pub tls: StartTls,
}

const PROTECTIONS: [(u32, &str); 5] = [(1, "tls"), (2, "credssp"), (4, "rdstls"), (8, "credssp_ex"), (16, "rdsaad")];

impl Listen for RdpFacts {
    const MOST_LOOKS: Option<u8> = Some(32);

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        if let Some(wants_more) = self.tls.hear(self.is_protected(), heard, place) {
            return wants_more;
        }
        match heard.payload.bytes {
            [3, 0, _, _, _, 0xe0, _, _, _, _, _, tail @ ..] => self.request(tail),
            [3, 0, _, _, _, 0xd0, _, _, _, _, _, tail @ ..] => self.confirm(tail),
            _ => {}
        }
        !self.confirmed || self.is_protected()
    }
}

impl RdpFacts {
    /// Does TLS follow, on its own or under something else?
    fn is_protected(&self) -> bool {
        self.selected.is_some_and(|selected| selected != "rdp")
    }

    fn request(&mut self, tail: &[u8]) {
        self.cookie = tail.starts_with(b"Cookie: ") || holds(first_line(tail), b"msts=");
        let Some((1, offers)) = negotiation(tail) else {
            note(&mut self.requested, "rdp");
            return;
        };
        if offers == 0 {
            note(&mut self.requested, "rdp");
        }
        for (bit, name) in PROTECTIONS {
            if offers & bit != 0 {
                note(&mut self.requested, name);
            }
        }
    }

    fn confirm(&mut self, tail: &[u8]) {
        self.confirmed = true;
        match negotiation(tail) {
            Some((2, chosen)) => {
                self.selected = PROTECTIONS.iter().find(|(bit, _)| *bit == chosen).map(|(_, name)| *name);
                if chosen == 0 {
                    self.selected = Some("rdp");
                }
            }
            Some((3, code)) => {
                self.failure = Some(match code {
                    1 => "tls_required",
                    2 => "tls_not_allowed",
                    3 => "no_certificate",
                    4 => "inconsistent",
                    5 => "credssp_required",
                    6 => "tls_with_user_required",
                    _ => "other",
                });
            }
            _ => self.selected = Some("rdp"),
        }
    }
}

/// Kind and value of the negotiation behind a cookie, if there is one.
fn negotiation(tail: &[u8]) -> Option<(u8, u32)> {
    // A cookie or routing token ends with its line; behind the negotiation more may come.
    let is_text = tail.first().is_some_and(|first| *first > 8);
    let behind = if is_text { tail.windows(2).position(|end| end == b"\r\n")? + 2 } else { 0 };
    let mut reader = Reader(tail.get(behind..)?);
    let [kind @ 1..=3, _, 8, 0] = reader.array()? else { return None };
    reader.array().map(|value| (kind, u32::from_le_bytes(value)))
}

#[cfg(test)]
mod tests {
    use super::super::{Payload, Ports, Side};
    use super::*;

    fn tpkt(kind: u8, tail: &[u8]) -> Vec<u8> {
        let bytes = (11 + tail.len()) as u16;
        [&[3, 0][..], &bytes.to_be_bytes(), &[bytes as u8 - 5, kind, 0, 0, 0x12, 0x34, 0], tail].concat()
    }

    fn hear(payloads: &[&[u8]]) -> RdpFacts {
        let (mut facts, mut place) = (RdpFacts::default(), Place::default());
        for bytes in payloads {
            let payload = Payload::new(Side::Orig, bytes, bytes.len() as u32);
            facts.hear(&Heard { ports: Ports::default(), asks: true, payload }, &mut place);
        }
        facts
    }

    #[test]
    fn protections_are_offered_and_one_is_chosen() {
        let request = tpkt(0xe0, b"Cookie: mstshash=smith\r\n\x01\0\x08\0\x0b\0\0\0");
        let facts = hear(&[&request, &tpkt(0xd0, &[2, 0x1f, 8, 0, 2, 0, 0, 0])]);
        assert_eq!((facts.requested, facts.selected), (vec!["tls", "credssp", "credssp_ex"], Some("credssp")));
        assert!(facts.cookie && facts.confirmed && facts.failure.is_none());
    }

    #[test]
    fn a_refusal_and_an_old_server() {
        let facts = hear(&[&tpkt(0xe0, &[1, 0, 8, 0, 0, 0, 0, 0]), &tpkt(0xd0, &[3, 0, 8, 0, 5, 0, 0, 0])]);
        assert_eq!((facts.requested, facts.selected, facts.failure), (vec!["rdp"], None, Some("credssp_required")));
        let facts = hear(&[&tpkt(0xe0, b"Cookie: msts=3640205228.15629.0000\r\n"), &tpkt(0xd0, &[])]);
        assert_eq!((facts.requested, facts.selected, facts.cookie), (vec!["rdp"], Some("rdp"), true));
    }

    #[test]
    fn what_is_cut_says_nothing_wrong() {
        let request = tpkt(0xe0, b"Cookie: mstshash=smith\r\n\x01\0\x08\0\x03\0\0\0");
        for end in 0..request.len() {
            let facts = hear(&[&request[..end]]);
            assert!(facts.requested.iter().all(|name| *name == "rdp") && facts.selected.is_none(), "cut at {end}");
        }
    }
}

//! TLS that a protocol goes over to within its connection (RFC 2595, 2.1; RFC 3207, 4; RFC 4217, 4; RFC 4511, 4.14).

use serde::Serialize;

use super::TlsFacts;
use super::listen::{Heard, Listen, Place};

/// What the handshake within the connection said; nothing until it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct StartTls(Option<Box<TlsFacts>>);

impl StartTls {
    /// What it said.
    #[must_use]
    pub fn facts(&self) -> Option<&TlsFacts> {
        self.0.as_deref()
    }

    /// The same, to be changed.
    pub(super) fn facts_mut(&mut self) -> Option<&mut TlsFacts> {
        self.0.as_deref_mut()
    }

    /// What a flow event tells of one.
    pub(super) fn told(facts: TlsFacts) -> Self {
        Self(Some(Box::new(facts)))
    }

    /// Reads a payload of the handshake, which may begin once somebody `asked` for it. Returns whether a later payload can tell
    /// more, or nothing while the protocol itself still speaks.
    pub(super) fn hear(&mut self, asked: bool, heard: &Heard<'_>, place: &mut Place) -> Option<bool> {
        if self.0.is_none() {
            if !asked || !is_record(heard.payload.bytes) {
                return None;
            }
            // Where the protocol itself stood means nothing to TLS; the other side has sent all that it had to say before.
            *place = Place::default();
            self.0 = Some(Box::default());
        }
        let facts = self.0.as_deref_mut()?;
        let wants_more = facts.hear(heard, place);
        // A handshake of which the start was not seen is all ciphertext.
        let began = facts.version_offered != 0 || facts.version_chosen != 0 || place.held.is_waiting();
        Some(wants_more && began)
    }
}

/// Is this the start of a record of TLS?
fn is_record(payload: &[u8]) -> bool {
    matches!(payload, [0x14..=0x17, 3, 0..=4, ..])
}

#[cfg(test)]
mod tests {
    use super::super::{Payload, Ports, Side};
    use super::*;

    fn hear(starttls: &mut StartTls, asked: bool, bytes: &[u8]) -> Option<bool> {
        let payload = Payload::new(Side::Orig, bytes, bytes.len() as u32);
        starttls.hear(asked, &Heard { ports: Ports::default(), asks: true, payload }, &mut Place::default())
    }

    #[test]
    fn it_begins_when_asked_for_and_not_with_a_line() {
        let mut starttls = StartTls::default();
        assert_eq!(hear(&mut starttls, false, &[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]), None);
        assert_eq!(hear(&mut starttls, true, b"220 ready\r\n"), None);
        assert_eq!(starttls, StartTls::default());
    }

    #[test]
    fn ciphertext_without_its_handshake_ends_it() {
        assert_eq!(hear(&mut StartTls::default(), true, &[0x17, 3, 3, 0, 3, 9, 9, 9]), Some(false));
    }
}

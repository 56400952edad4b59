//! Requests for an association and the answers to them (PS3.8, 9.3.2 to 9.3.4; PS3.7, D.3.3).

use super::super::listed::{count, note};
use super::super::reader::Reader;
use super::super::text::printable;
use super::{DicomFacts, MAX_CLASSES, MAX_SYNTAXES, TITLE_BYTES, title, uid};

/// A request's kind of PDU; 2 is an acceptance.
const REQUEST: u8 = 1;
/// Bytes in front of the items.
const FIXED_BYTES: usize = 68;

impl DicomFacts {
    /// Reads a request (kind 1) or an acceptance, or as much of it as there is. May be told twice of the same.
    pub(super) fn associate(&mut self, kind: u8, body: &[u8]) {
        let title_at = |at| body.get(at..at + TITLE_BYTES).map(title);
        if let (Some(called), Some(calling), None) = (title_at(4), title_at(20), &self.called_ae) {
            (self.called_ae, self.calling_ae) = (Some(called), Some(calling));
        }
        let mut items = Reader(body.get(FIXED_BYTES..).unwrap_or_default());
        let (mut offered, mut accepted, mut rejected) = (0, 0, 0);
        while let Some((item, value)) = item(&mut items) {
            match item {
                0x20 if kind == REQUEST => {
                    count(&mut offered);
                    self.context(value);
                }
                // The third byte is the result; only 0 is acceptance.
                0x21 if kind != REQUEST => count(if value.get(2) == Some(&0) { &mut accepted } else { &mut rejected }),
                0x50 => self.user_information(kind, value),
                _ => {}
            }
        }
        self.contexts_offered = self.contexts_offered.max(offered);
        self.contexts_accepted = self.contexts_accepted.max(accepted);
        self.contexts_rejected = self.contexts_rejected.max(rejected);
    }

    /// Reads an offered presentation context: its abstract syntax and its transfer syntaxes.
    fn context(&mut self, context: &[u8]) {
        let mut items = Reader(context.get(4..).unwrap_or_default());
        while let Some((item, value)) = item(&mut items) {
            let Some(name) = uid::name(value) else { continue };
            match item {
                0x30 => note(&mut self.abstract_syntaxes, name, MAX_CLASSES),
                0x40 => note(&mut self.transfer_syntaxes, name, MAX_SYNTAXES),
                _ => {}
            }
        }
    }

    fn user_information(&mut self, kind: u8, information: &[u8]) {
        let mut items = Reader(information);
        while let Some((item, value)) = item(&mut items) {
            let peer = if kind == REQUEST { &mut self.requestor } else { &mut self.acceptor };
            match item {
                0x51 => peer.max_pdu_bytes = Reader(value).u32().unwrap_or_default(),
                0x52 => peer.implementation_uid = uid::text(value).map(Into::into),
                0x55 => peer.implementation_version = Some(printable(value.trim_ascii(), TITLE_BYTES)),
                0x58 => self.user_identity = value.first().and_then(|kind| identity(*kind)),
                _ => {}
            }
        }
    }
}

/// The next item whole: its kind and its value.
fn item<'a>(reader: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let [kind, _] = reader.array()?;
    Some((kind, reader.vec16()?))
}

const fn identity(kind: u8) -> Option<&'static str> {
    match kind {
        1 => Some("username"),
        2 => Some("username_passcode"),
        3 => Some("kerberos"),
        4 => Some("saml"),
        5 => Some("jwt"),
        _ => None,
    }
}

/// Can the fields of an association stand here: a version with its first bit set, zeros, two titles in the basic character set?
pub(super) fn can_start(body: &[u8]) -> bool {
    let mut reader = Reader(body);
    let titles = reader.0.get(4..36).or(reader.0.get(4..)).unwrap_or_default();
    let is_text = titles.iter().all(|b| matches!(b, b' '..=b'~') && *b != b'\\');
    is_text && matches!(reader.array(), Some([_, version, 0, 0]) if version & 1 == 1)
}

/// Why a request was refused, from the source and the reason behind a reserved byte and the result.
pub(super) const fn reject_reason(body: &[u8]) -> Option<&'static str> {
    let [_, _, source, reason, ..] = body else { return None };
    Some(match (source, reason) {
        (1, 1) => "no reason given",
        (1, 2) => "application context not supported",
        (1, 3) => "calling AE title not recognised",
        (1, 7) => "called AE title not recognised",
        (2, 1) => "no reason given by the association service",
        (2, 2) => "protocol version not supported",
        (3, 1) => "temporary congestion",
        (3, 2) => "local limit exceeded",
        _ => "unknown",
    })
}

//! DICOM upper layer: who associates with whom and for what, and which commands are sent (PS3.8, 9.3; PS3.7, 9, 10 and E).
//! Data sets are not looked at. DICOM inside TLS is TLS; its port (2762) is in the flow's record.

mod associate;
mod command;
mod uid;

use std::borrow::Cow;

use serde::Serialize;

use self::command::Command;
use super::heads;
use super::held::MOST_HELD_BYTES;
use super::listed::{count, note};
use super::listen::{Heard, Listen, Payload, Place};
use super::reader::Reader;
use super::text::printable;

/// Longer requests for an association are taken for a lost place; 128 presentation contexts take some 20 kB.
const MAX_ASSOCIATE_BYTES: u32 = 1 << 20;
/// Longer PDUs are taken for a lost place in the stream; real limits are 16 kB to a few MB (PS3.8, D.1).
const MAX_PDU_BYTES: u32 = 16 << 20;
/// Longest command set that is put together, in bytes; real ones have 60 to 300.
const MAX_COMMAND_BYTES: u16 = 1024;
/// Abstract syntaxes, and classes of objects, that are kept.
const MAX_CLASSES: usize = 16;
/// Transfer syntaxes that are kept.
const MAX_SYNTAXES: usize = 8;
/// Destinations of C-MOVE that are kept.
const MAX_DESTINATIONS: usize = 4;
/// Bytes of an AE title (PS3.5, 6.2).
const TITLE_BYTES: usize = 16;

/// Facts of a DICOM association.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DicomFacts {
    /// AE title of the initiator, up to 16 characters.
    pub calling_ae: Option<Box<str>>,
    /// AE title of the responder.
    pub called_ae: Option<Box<str>>,
    /// What the initiator says of its software.
    pub requestor: DicomPeer,
    /// What the responder says of its software.
    pub acceptor: DicomPeer,
    /// Abstract syntaxes that the initiator offers, by name or else by identifier, in their order; 16 at most.
    pub abstract_syntaxes: Vec<Cow<'static, str>>,
    /// Transfer syntaxes that it offers for any of them; 8 at most.
    pub transfer_syntaxes: Vec<Cow<'static, str>>,
    /// Presentation contexts that it offers: up to 128.
    pub contexts_offered: u32,
    /// Presentation contexts that the responder accepts.
    pub contexts_accepted: u32,
    /// Presentation contexts that it does not.
    pub contexts_rejected: u32,
    /// How the initiator names a user: by `username`, `username_passcode`, `kerberos`, `saml` or `jwt` (PS3.7, D.3.3.7). Never
    /// who.
    pub user_identity: Option<&'static str>,
    /// C-ECHO requests: is anybody there?
    #[serde(rename = "c_echo")]
    pub echo: u32,
    /// C-STORE requests: take this object.
    #[serde(rename = "c_store")]
    pub store: u32,
    /// C-FIND requests: what is there?
    #[serde(rename = "c_find")]
    pub find: u32,
    /// C-GET requests: give me these.
    #[serde(rename = "c_get")]
    pub get: u32,
    /// C-MOVE requests: send these there.
    #[serde(rename = "c_move")]
    pub moves: u32,
    /// C-CANCEL requests.
    #[serde(rename = "c_cancel")]
    pub cancel: u32,
    /// N-EVENT-REPORT requests.
    pub n_event_report: u32,
    /// N-GET requests.
    pub n_get: u32,
    /// N-SET requests.
    pub n_set: u32,
    /// N-ACTION requests.
    pub n_action: u32,
    /// N-CREATE requests.
    pub n_create: u32,
    /// N-DELETE requests.
    pub n_delete: u32,
    /// Commands that the standard does not know.
    #[serde(rename = "other_requests")]
    pub other: u32,
    /// Classes of objects of C-STORE, C-FIND, C-GET and C-MOVE requests, by name or else by identifier; 16 at most.
    pub sop_classes: Vec<Cow<'static, str>>,
    /// AE titles that objects are to be sent to by C-MOVE; 4 at most.
    pub move_destinations: Vec<Box<str>>,
    /// Responses of any kind.
    pub responses: u32,
    /// Responses by the class of their status.
    pub status: DicomStatus,
    /// Associations that were refused.
    pub rejected: u32,
    /// Why the last of them was refused (PS3.8, 9.3.4).
    pub reject_reason: Option<&'static str>,
    /// Associations that were broken off.
    pub aborted: u32,
}

/// What one side of an association says of its software (PS3.7, D.3.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DicomPeer {
    /// Implementation class UID: an identifier of the software, up to 64 characters.
    pub implementation_uid: Option<Box<str>>,
    /// Implementation version name, up to 16 characters.
    pub implementation_version: Option<Box<str>>,
    /// Longest PDU that it takes, in bytes; 0 when it does not say, or sets no limit.
    pub max_pdu_bytes: u32,
}

/// Responses by the class of their status (PS3.7, C).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DicomStatus {
    /// Done.
    pub success: u32,
    /// One of several answers; more follow.
    pub pending: u32,
    /// Done, but not quite as asked.
    pub warning: u32,
    /// Not done.
    pub failure: u32,
    /// Ended by the one who asked.
    pub cancel: u32,
}

impl DicomStatus {
    const fn count(&mut self, status: u16) {
        count(match status {
            0 => &mut self.success,
            0xff00 | 0xff01 => &mut self.pending,
            0x0001 | 0x0107 | 0x0116 | 0xb000..=0xbfff => &mut self.warning,
            0xfe00 => &mut self.cancel,
            _ => &mut self.failure,
        });
    }
}

impl Listen for DicomFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        self.segment(place, &heard.payload);
        true
    }
}

impl DicomFacts {
    /// Counts what starts in this segment. `pending` are the bytes of a command whose header ended the segment before and
    /// could not be held: a widespread library sends the two apart.
    fn segment(&mut self, place: &mut Place, payload: &Payload<'_>) {
        let bytes = std::mem::take(&mut place.pending);
        if bytes > 0 {
            self.count(payload.bytes.get(..bytes.into()).unwrap_or(payload.bytes));
            place.skip = bytes.into();
        }
        // Should the rest of a long request be missed, this much is known.
        if let Some((kind @ (1 | 2), bytes)) = header(payload.bytes)
            && place.skip == 0
            && !place.held.is_waiting()
            && payload.bytes.len() < 6 + bytes as usize
        {
            self.associate(kind, payload.bytes.get(6..).unwrap_or_default());
        }
        let mut pending = 0;
        heads::messages(place, payload, head, |pdu| self.pdu(pdu, &mut pending));
        place.pending = pending;
    }

    fn pdu(&mut self, pdu: &[u8], pending: &mut u16) -> Option<u32> {
        let (kind, bytes) = header(pdu)?;
        let body = pdu.get(6..)?;
        match kind {
            1 | 2 => self.associate(kind, body),
            3 => {
                count(&mut self.rejected);
                self.reject_reason = associate::reject_reason(body);
            }
            4 => match value(body) {
                Some(([], bytes @ 1..)) => {
                    *pending = bytes;
                    return Some(12);
                }
                Some((set, _)) => self.count(set),
                None => {}
            },
            7 => count(&mut self.aborted),
            _ => {}
        }
        Some(6 + bytes)
    }

    /// Counts a command by its set.
    fn count(&mut self, set: &[u8]) {
        let command = Command::read(set);
        let Some(field) = command.field else { return };
        count(match field {
            0x0001 => &mut self.store,
            0x0010 => &mut self.get,
            0x0020 => &mut self.find,
            0x0021 => &mut self.moves,
            0x0030 => &mut self.echo,
            0x0100 => &mut self.n_event_report,
            0x0110 => &mut self.n_get,
            0x0120 => &mut self.n_set,
            0x0130 => &mut self.n_action,
            0x0140 => &mut self.n_create,
            0x0150 => &mut self.n_delete,
            0x0fff => &mut self.cancel,
            response if response & 0x8000 != 0 => &mut self.responses,
            _ => &mut self.other,
        });
        if field & 0x8000 != 0 {
            command.status.into_iter().for_each(|status| self.status.count(status));
        } else if matches!(field, 0x0001 | 0x0010 | 0x0020 | 0x0021) {
            if let Some(name) = command.class.and_then(uid::name) {
                note(&mut self.sop_classes, name, MAX_CLASSES);
            }
            if let Some(title) = command.destination.filter(|_| field == 0x0021) {
                note(&mut self.move_destinations, self::title(title), MAX_DESTINATIONS);
            }
        }
    }
}

/// An AE title as it is kept.
fn title(bytes: &[u8]) -> Box<str> {
    printable(bytes.get(..TITLE_BYTES).unwrap_or(bytes).trim_ascii(), TITLE_BYTES)
}

/// The command set in the first value of a P-DATA-TF PDU as far as it was captured, and its whole length; nothing when the
/// value belongs to a data set. Senders put the command in front.
fn value(body: &[u8]) -> Option<(&[u8], u16)> {
    let mut reader = Reader(body);
    let bytes = u16::try_from(reader.u32()?.checked_sub(2)?).ok()?;
    let [_, control] = reader.array()?;
    let set = reader.0.get(..bytes.into()).unwrap_or(reader.0);
    (control & 1 == 1).then_some((set, bytes))
}

/// How much of a PDU has to be seen: an association as far as it can be held, a command, a reason, and nothing of a data set.
fn head(pdu: &[u8]) -> Option<usize> {
    let Some((kind, bytes)) = header(pdu) else {
        let may_start = matches!(pdu, [] | [1..=7] | [1..=7, 0] | [1..=7, 0, 0 | 1, ..]);
        // An association is told by its first 4 bytes behind these.
        return (may_start && pdu.len() < 10).then_some(if pdu.len() < 6 { 6 } else { 10 });
    };
    let whole = 6 + bytes as usize;
    match kind {
        1 | 2 => Some(whole.min(MOST_HELD_BYTES)),
        4 => match pdu.get(6..).and_then(value) {
            Some((_, bytes)) if bytes <= MAX_COMMAND_BYTES => Some(12 + usize::from(bytes)),
            _ => Some(12),
        },
        _ => Some(whole),
    }
}

/// Kind and length of a PDU, if one can start so.
fn header(pdu: &[u8]) -> Option<(u8, u32)> {
    let mut reader = Reader(pdu);
    let [kind, 0] = reader.array()? else { return None };
    let bytes = reader.u32().filter(|bytes| *bytes <= MAX_PDU_BYTES)?;
    let fits = match kind {
        1 | 2 => (68..=MAX_ASSOCIATE_BYTES).contains(&bytes) && associate::can_start(reader.0),
        3 | 5 | 6 | 7 => bytes == 4,
        4 => is_value(reader.0, bytes),
        _ => false,
    };
    fits.then_some((kind, bytes))
}

/// Can a presentation data value start so in a PDU of this length? Where the header is cut, its captured part decides.
fn is_value(body: &[u8], pdu_bytes: u32) -> bool {
    let mut reader = Reader(body);
    let Some(bytes) = reader.u32() else { return pdu_bytes >= 6 };
    // Presentation contexts have odd numbers, and the control byte two bits.
    let is_sound = reader.array().is_none_or(|[context, control]| context & 1 == 1 && control <= 3);
    is_sound && bytes >= 2 && bytes.checked_add(4).is_some_and(|bytes| bytes <= pdu_bytes)
}

/// Does an association start here, or is this the middle of one?
pub(super) fn is_pdu(payload: &[u8]) -> bool {
    match header(payload) {
        Some((1 | 2, _)) => true,
        Some((4, _)) => payload.len() >= 12,
        _ => false,
    }
}

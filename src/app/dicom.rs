//! DICOM upper layer: who associates with whom, and which commands are sent (PS3.8, 9.3; PS3.7, 9 and E). Data sets are not
//! looked at.

use serde::Serialize;

use super::framing::{self, Skip};
use super::listen::{Heard, Listen, Place};
use super::reader::Reader;
use super::text::{NAME_BYTES, printable};

/// Longer requests for an association are taken for a lost place; 128 presentation contexts take some 20 kB.
const MAX_ASSOCIATE_BYTES: u32 = 1 << 20;
/// Longer PDUs are taken for a lost place in the stream; real limits are 16 kB to a few MB (PS3.8, D.1).
const MAX_PDU_BYTES: u32 = 16 << 20;
/// Elements of a command set that are passed on the way to the command field, which is the third or fourth.
const MAX_ELEMENTS: usize = 8;

/// Facts of a DICOM association.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DicomFacts {
    /// AE title of the initiator, up to 16 characters.
    pub calling_ae: Option<Box<str>>,
    /// AE title of the responder.
    pub called_ae: Option<Box<str>>,
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
    /// Requests of the normalised services (N-…) and cancellations.
    #[serde(rename = "other_requests")]
    pub other: u32,
    /// Responses of any kind.
    pub responses: u32,
    /// Associations that were refused.
    pub rejected: u32,
    /// Associations that were broken off.
    pub aborted: u32,
}

impl Listen for DicomFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        self.segment(&mut place.skip, &mut place.pending, heard.payload.bytes, heard.payload.wire_bytes);
        true
    }
}

impl DicomFacts {
    /// Counts what starts in this segment. `pending` are the bytes of a command whose header ended the segment before: a
    /// widespread library sends the two apart.
    fn segment(&mut self, skip: &mut Skip, pending: &mut u16, payload: &[u8], payload_bytes: u32) {
        framing::messages(skip, payload, payload_bytes, |rest| match std::mem::take(pending) {
            0 => self.pdu(rest, pending),
            bytes => {
                self.count(rest.get(..bytes.into()).unwrap_or(rest));
                Some(bytes.into())
            }
        });
    }

    fn pdu(&mut self, pdu: &[u8], pending: &mut u16) -> Option<u32> {
        let (kind, bytes) = header(pdu)?;
        let body = pdu.get(6..)?;
        match kind {
            1 => self.associate(body),
            3 => self.rejected = self.rejected.saturating_add(1),
            4 => match value(body) {
                Some(([], bytes @ 1..)) => {
                    *pending = bytes;
                    return Some(12);
                }
                Some((command, _)) => self.count(command),
                None => {}
            },
            7 => self.aborted = self.aborted.saturating_add(1),
            _ => {}
        }
        Some(6 + bytes)
    }

    fn associate(&mut self, body: &[u8]) {
        let mut reader = Reader(body);
        let mut title = |gap| {
            reader.take(gap)?;
            reader.take(16).map(|title| printable(title.trim_ascii(), NAME_BYTES))
        };
        if let (Some(called), Some(calling), None) = (title(4), title(0), &self.called_ae) {
            (self.called_ae, self.calling_ae) = (Some(called), Some(calling));
        }
    }

    /// Counts a command by its set.
    fn count(&mut self, set: &[u8]) {
        let counter = match command(set) {
            Some(0x0001) => &mut self.store,
            Some(0x0010) => &mut self.get,
            Some(0x0020) => &mut self.find,
            Some(0x0021) => &mut self.moves,
            Some(0x0030) => &mut self.echo,
            Some(command) if command & 0x8000 != 0 => &mut self.responses,
            Some(_) => &mut self.other,
            None => return,
        };
        *counter = counter.saturating_add(1);
    }
}

/// The command set in the first value of a P-DATA-TF PDU as far as it was captured, and its whole length; nothing when the
/// value belongs to a data set. Senders put the command and the data set into PDUs of their own.
fn value(body: &[u8]) -> Option<(&[u8], u16)> {
    let mut reader = Reader(body);
    let bytes = u16::try_from(reader.u32()?.checked_sub(2)?).ok()?;
    let [_, control] = reader.array()?;
    let set = reader.0.get(..bytes.into()).unwrap_or(reader.0);
    (control & 1 == 1).then_some((set, bytes))
}

/// The command field, (0000,0100), of a command set, which is always in implicit VR, little endian (PS3.7, 6.3.1).
fn command(set: &[u8]) -> Option<u16> {
    let mut reader = Reader(set);
    for _ in 0..MAX_ELEMENTS {
        let [0, 0, low, high] = reader.array()? else { return None };
        let bytes = u32::from_le_bytes(reader.array()?);
        let value = reader.take(usize::try_from(bytes).ok()?)?;
        if [low, high] == [0x00, 0x01] {
            return value.try_into().ok().map(u16::from_le_bytes);
        }
    }
    None
}

/// Kind and length of a PDU, if one can start so.
fn header(pdu: &[u8]) -> Option<(u8, u32)> {
    let mut reader = Reader(pdu);
    let [kind, 0] = reader.array()? else { return None };
    let bytes = reader.u32().filter(|bytes| *bytes <= MAX_PDU_BYTES)?;
    let fits = match kind {
        1 | 2 => (68..=MAX_ASSOCIATE_BYTES).contains(&bytes) && is_association(reader.0),
        3 | 5 | 6 | 7 => bytes == 4,
        4 => is_value(reader.0, bytes),
        _ => false,
    };
    fits.then_some((kind, bytes))
}

/// Can the fields of an association stand here: a version with its first bit set, zeros, two titles in the basic character set?
fn is_association(body: &[u8]) -> bool {
    let mut reader = Reader(body);
    let titles = reader.0.get(4..36).or(reader.0.get(4..)).unwrap_or_default();
    let is_text = titles.iter().all(|b| matches!(b, b' '..=b'~') && *b != b'\\');
    is_text && matches!(reader.array(), Some([_, version, 0, 0]) if version & 1 == 1)
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

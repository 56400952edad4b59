//! Laboratory instruments: frames of the link and kinds of records (CLSI LIS1-A, 6 and 8; LIS2-A2, 5 and 6; formerly ASTM E1381
//! and E1394). Of a record its first letter is read, of the header the sender too; patients, orders and results are not looked
//! at.

use serde::Serialize;

use super::listed::count;
use super::listen::{Heard, Listen, Place};
use super::text::{NAME_BYTES, printable};

const STX: u8 = 2;
const ETX: u8 = 3;
const EOT: u8 = 4;
const ENQ: u8 = 5;
const ACK: u8 = 6;
const NAK: u8 = 0x15;
const ETB: u8 = 0x17;
/// What separates fields in practice; the standard lets the header choose.
const SEPARATOR: u8 = b'|';

/// Where a side's stream stands between two payloads; a letter of a record that waits for its separator is kept as it is.
mod at {
    /// Between frames.
    pub const OUTSIDE: u16 = 0;
    /// Between two frames of one record.
    pub const BETWEEN_PARTS: u16 = 0x100;
    /// Behind the start of a frame, before its number; the next goes on with a record.
    pub const NUMBER: u16 = 0x101;
    pub const NUMBER_OF_PART: u16 = 0x102;
    /// Where a record begins.
    pub const RECORD: u16 = 0x103;
    /// Inside a record.
    pub const INSIDE: u16 = 0x104;
}

/// Facts of a connection of a laboratory instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AstmFacts {
    /// Who sends (H-5, its first component) the first message, up to 64 characters.
    pub sender: Option<Box<str>>,
    /// Requests to speak.
    pub enquiries: u32,
    /// Frames.
    pub frames: u32,
    /// Frames, and requests to speak, that were accepted.
    pub acks: u32,
    /// Frames, and requests to speak, that were not.
    pub naks: u32,
    /// Ends of a transmission.
    pub ends: u32,
    /// Messages: records of the header.
    pub messages: u32,
    /// Records of patients.
    pub patients: u32,
    /// Records of orders.
    pub orders: u32,
    /// Records of results.
    pub results: u32,
    /// Records that ask for information.
    pub queries: u32,
    /// Records of comments, of the manufacturer's own, of science, and that end a message.
    pub other_records: u32,
}

impl Listen for AstmFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        let bytes = heard.payload.bytes;
        if self.sender.is_none() {
            self.sender = sender(bytes);
        }
        bytes.iter().for_each(|byte| place.pending = self.byte(place.pending, *byte));
        if !heard.payload.is_whole() {
            *place = Place::default();
        }
        true
    }
}

impl AstmFacts {
    /// Goes on by one byte. Returns where the stream stands then.
    fn byte(&mut self, at: u16, byte: u8) -> u16 {
        match (at, byte) {
            (at::OUTSIDE | at::BETWEEN_PARTS, STX) => {
                count(&mut self.frames);
                if at == at::OUTSIDE { at::NUMBER } else { at::NUMBER_OF_PART }
            }
            (at::OUTSIDE | at::BETWEEN_PARTS, _) => {
                count(match byte {
                    ENQ => &mut self.enquiries,
                    ACK => &mut self.acks,
                    NAK => &mut self.naks,
                    EOT => &mut self.ends,
                    _ => return at,
                });
                if byte == EOT { at::OUTSIDE } else { at }
            }
            (_, ETX) => at::OUTSIDE,
            (_, ETB) => at::BETWEEN_PARTS,
            (at::NUMBER, _) | (_, b'\r') | (at::RECORD, b'\n') => at::RECORD,
            (at::RECORD, b'A'..=b'Z') => byte.into(),
            (letter @ 0x41..=0x5a, SEPARATOR) => {
                self.record(letter);
                at::INSIDE
            }
            _ => at::INSIDE,
        }
    }

    const fn record(&mut self, letter: u16) {
        count(match letter as u8 {
            b'H' => &mut self.messages,
            b'P' => &mut self.patients,
            b'O' => &mut self.orders,
            b'R' => &mut self.results,
            b'Q' => &mut self.queries,
            _ => &mut self.other_records,
        });
    }
}

/// The sender of a message whose header starts the payload, behind a password that is passed over.
fn sender(payload: &[u8]) -> Option<Box<str>> {
    let header = payload.strip_prefix(&[ENQ]).unwrap_or(payload).strip_prefix(&[STX])?.get(1..)?;
    if !is_header(header) {
        return None;
    }
    let end = header.iter().position(u8::is_ascii_control).unwrap_or(header.len());
    let mut fields = header.get(..end)?.split(|b| *b == SEPARATOR);
    let sender = fields.nth(4)?;
    // A field that is the last may have been cut.
    fields.next()?;
    let name = sender.split(|b| *b == b'^').next().filter(|name| !name.is_empty())?;
    Some(printable(name, NAME_BYTES))
}

/// The header's letter, the separator, and the three marks that it declares.
fn is_header(record: &[u8]) -> bool {
    let [b'H', SEPARATOR, marks @ ..] = record else { return false };
    let Some([a, b, c]) = marks.get(..3) else { return false };
    [a, b, c].iter().all(|mark| mark.is_ascii_punctuation() && **mark != SEPARATOR) && a != b && b != c && a != c
}

/// Does a frame with a message's header start here?
pub(super) fn is_frame(payload: &[u8]) -> bool {
    let frame = payload.strip_prefix(&[ENQ]).unwrap_or(payload);
    matches!(frame, [STX, b'0'..=b'7', record @ ..] if is_header(record))
}

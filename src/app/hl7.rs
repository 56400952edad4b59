//! HL7 version 2 over MLLP: the message header segment and nothing behind it (HL7 2.x, 2.14.9; MLLP release 1).

use serde::{Serialize, Serializer};

use super::listen::{Heard, Listen, Place};
use super::text::{NAME_BYTES, printable};

/// Distinct message types that are counted by name.
const MAX_TYPES: usize = 4;
/// Bytes of a header segment that are looked at.
const MAX_HEADER_BYTES: usize = 1024;
/// Longest message type that is kept, in bytes; `ADT^A01` has 7.
const MAX_TYPE_BYTES: usize = 16;

/// How often a message type was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hl7Type {
    /// Message code and trigger event, as in `ADT^A01`; up to 16 characters.
    pub name: Box<str>,
    /// Messages.
    pub count: u32,
}

/// Facts of a connection with HL7 messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hl7Facts {
    /// Messages, acknowledgements included.
    pub messages: u32,
    /// Acknowledgements.
    pub acks: u32,
    /// Message types other than plain acknowledgements in the order in which they were first seen; four at most.
    #[serde(serialize_with = "by_type")]
    pub types: Vec<Hl7Type>,
    /// Messages of any further type, or of none that could be read.
    #[serde(rename = "other_types")]
    pub other: u32,
    /// Sending application (MSH-3) of the first message that is no acknowledgement, up to 64 characters.
    #[serde(rename = "sending_application")]
    pub sending: Option<Box<str>>,
    /// Receiving application (MSH-5) of that message.
    #[serde(rename = "receiving_application")]
    pub receiving: Option<Box<str>>,
}

fn by_type<S: Serializer>(types: &[Hl7Type], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(types.iter().map(|kind| (&kind.name, kind.count)))
}

impl Listen for Hl7Facts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, _: &mut Place) -> bool {
        self.segment(heard.payload.bytes);
        true
    }
}

impl Hl7Facts {
    /// Counts the messages that start in this segment.
    fn segment(&mut self, payload: &[u8]) {
        let mut next = payload.strip_prefix(b"\x0b").or_else(|| behind_next_start(payload));
        while let Some(message) = next {
            if is_header(message) {
                self.message(message);
            }
            next = behind_next_start(message);
        }
    }

    fn message(&mut self, message: &[u8]) {
        self.messages = self.messages.saturating_add(1);
        let header = Header::read(message);
        let kind = header.kind.unwrap_or_default();
        if kind.starts_with(b"ACK") {
            self.acks = self.acks.saturating_add(1);
            return;
        }
        if self.sending.is_none() {
            self.sending = header.sending.map(|name| printable(name, NAME_BYTES));
            self.receiving = header.receiving.map(|name| printable(name, NAME_BYTES));
        }
        self.count(kind);
    }

    fn count(&mut self, kind: &[u8]) {
        if let Some(known) = self.types.iter_mut().find(|known| known.name.as_bytes() == kind) {
            known.count = known.count.saturating_add(1);
        } else if self.types.len() < MAX_TYPES && !kind.is_empty() {
            self.types.push(Hl7Type { name: printable(kind, MAX_TYPE_BYTES), count: 1 });
        } else {
            self.other = self.other.saturating_add(1);
        }
    }
}

/// Fields of a message header; those that did not end before the segment or the capture did are left out.
#[derive(Default)]
struct Header<'a> {
    sending: Option<&'a [u8]>,
    receiving: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    fn read(message: &'a [u8]) -> Self {
        let Some(separator) = message.get(3) else { return Self::default() };
        let message = message.get(..MAX_HEADER_BYTES).unwrap_or(message);
        let segment = match message.iter().position(|b| b.is_ascii_control()) {
            // With its end, so that its last field counts as ended.
            Some(end) => message.get(..=end).unwrap_or_default(),
            None => message,
        };
        let is_end = |byte: &u8| byte == separator || byte.is_ascii_control();
        let mut fields = segment.split_inclusive(is_end).filter_map(|field| match field.split_last() {
            Some((last, field)) if is_end(last) => Some(field),
            _ => None,
        });
        // The first field of the segment is its name, the second holds the encoding characters (MSH-2).
        let component = *fields.nth(1).and_then(<[u8]>::first).unwrap_or(&b'^');
        let first = |field: &'a [u8]| field.split(|b| *b == component).next().unwrap_or_default();
        Self {
            sending: fields.next().map(first),
            receiving: fields.nth(1).map(first),
            kind: fields.nth(3).and_then(|field| kind(field, component)),
        }
    }
}

/// The first two components of a message type, if they are made of what such names are made of.
fn kind(field: &[u8], component: u8) -> Option<&[u8]> {
    let end = field.iter().enumerate().filter(|(_, b)| **b == component).nth(1).map_or(field.len(), |(place, _)| place);
    let kind = field.get(..end)?;
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b == component;
    (kind.len() <= MAX_TYPE_BYTES && kind.iter().all(is_name)).then_some(kind)
}

/// What is behind the end of a block and the start of the next.
fn behind_next_start(payload: &[u8]) -> Option<&[u8]> {
    let end = payload.windows(3).position(|window| window == b"\x1c\r\x0b")?;
    payload.get(end + 3..)
}

fn is_header(message: &[u8]) -> bool {
    matches!(message, [b'M', b'S', b'H', separator, ..] if separator.is_ascii_punctuation())
}

/// Does a message start here?
pub(super) fn is_message(payload: &[u8]) -> bool {
    payload.strip_prefix(b"\x0b").is_some_and(is_header)
}

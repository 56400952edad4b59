//! HL7 version 2 over MLLP: the header segment, of an answer its code, and nothing behind these (HL7 2.x, 2.14.9 and 2.14.8;
//! MLLP release 1).

mod header;

use serde::{Serialize, Serializer};

use self::header::{Header, KIND_BYTES, is_batch, is_message_header};
use super::held::Message;
use super::listed::count;
use super::listen::{Heard, Listen, Payload, Place};
use super::text::{NAME_BYTES, printable};

/// Distinct message types that are counted by name.
const MAX_TYPES: usize = 4;

/// What stands in front of a block, and what ends it, before a carriage return.
const START: u8 = 0x0b;
const END: u8 = 0x1c;
const RETURN: u8 = b'\r';

/// Where a side's stream stands between two payloads; 0 is unknown.
mod at {
    /// A block is to begin.
    pub const BETWEEN: u16 = 1;
    /// Inside a block.
    pub const INSIDE: u16 = 2;
    /// Behind the first byte of a block's end.
    pub const ENDING: u16 = 3;
}

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
    /// Acknowledgement codes (MSA-1) of the messages of which MSA is the second segment.
    pub ack_codes: Hl7AckCodes,
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
    /// Version of HL7 (MSH-12) of the first message that states one, as in `2.5.1`.
    pub version: Option<Box<str>>,
    /// Bytes of all blocks, without what frames them, as far as they were captured.
    pub message_bytes: u64,
    /// Bytes of the largest block.
    pub largest_message_bytes: u32,
    /// Blocks that begin with the header of a file or of a batch (FHS, BHS).
    pub batches: u32,
    /// Breaches of the framing: bytes between two blocks, a block without a header, one that begins before the last has ended,
    /// and a mark of the end that ends nothing.
    pub framing_errors: u32,
}

/// Acknowledgements by their code (HL7 table 0008).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct Hl7AckCodes {
    /// Application accept.
    pub aa: u32,
    /// Application error.
    pub ae: u32,
    /// Application reject.
    pub ar: u32,
    /// Commit accept.
    pub ca: u32,
    /// Commit error.
    pub ce: u32,
    /// Commit reject.
    pub cr: u32,
}

impl Hl7AckCodes {
    const fn count(&mut self, code: [u8; 2]) {
        count(match &code {
            b"AA" => &mut self.aa,
            b"AE" => &mut self.ae,
            b"AR" => &mut self.ar,
            b"CA" => &mut self.ca,
            b"CE" => &mut self.ce,
            b"CR" => &mut self.cr,
            _ => return,
        });
    }
}

fn by_type<S: Serializer>(types: &[Hl7Type], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(types.iter().map(|kind| (&kind.name, kind.count)))
}

impl Listen for Hl7Facts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        if heard.payload.missing_bytes > 0 {
            *place = Place::default();
        }
        self.segment(place, &heard.payload);
        true
    }
}

impl Hl7Facts {
    /// Counts the messages that start in this segment, and the bytes of all. `skip` holds the bytes so far of the block that is
    /// open; `held` the start of its header.
    fn segment(&mut self, place: &mut Place, payload: &Payload<'_>) {
        let may_wait = payload.may_hold && payload.is_whole();
        if place.held.is_waiting() {
            self.head(place, payload.bytes, may_wait);
        }
        let mut rest = payload.bytes;
        while let Some((first, behind)) = rest.split_first() {
            let is_start = *first == START;
            rest = match place.pending {
                at::INSIDE => self.inside(place, rest),
                at::ENDING => self.ending(place, rest),
                at::BETWEEN if is_start => self.open(place, rest, may_wait),
                at::BETWEEN => {
                    count(&mut self.framing_errors);
                    next_start(place, rest)
                }
                _ if is_start && header::needed(behind).is_some() => self.open(place, rest, may_wait),
                _ => next_start(place, rest),
            };
        }
        if !payload.is_whole() {
            *place = Place::default();
        }
    }

    /// A block begins here, behind the mark of its start.
    fn open<'a>(&mut self, place: &mut Place, framed: &'a [u8], may_wait: bool) -> &'a [u8] {
        (place.pending, place.skip) = (at::INSIDE, 0);
        self.head(place, framed, may_wait);
        framed.get(1..).unwrap_or_default()
    }

    /// Reads the header of a block that begins here or began earlier, or holds its start.
    fn head(&mut self, place: &mut Place, framed: &[u8], may_wait: bool) {
        let needed = |framed: &[u8]| {
            let needed = 1 + header::needed(framed.get(1..)?)?;
            Some(if may_wait { needed } else { needed.min(framed.len()) })
        };
        match place.held.message(framed, may_wait, needed) {
            Message::Whole([_, block @ ..]) if is_batch(block) => count(&mut self.batches),
            Message::Whole([_, block @ ..]) => self.message(block),
            Message::Whole([]) | Message::Lost => count(&mut self.framing_errors),
            Message::Part => return,
        }
        place.held.clear();
    }

    /// Goes on to where a block ends, or to the end of the payload.
    fn inside<'a>(&mut self, place: &mut Place, rest: &'a [u8]) -> &'a [u8] {
        let is_mark = |(place, byte): &(usize, &u8)| match **byte {
            END => true,
            START => is_message(rest.get(*place..).unwrap_or_default()),
            _ => false,
        };
        let Some((end, mark)) = rest.iter().enumerate().find(is_mark) else {
            self.grow(place, rest.len());
            return &[];
        };
        self.grow(place, end);
        if *mark == END {
            place.pending = at::ENDING;
            return rest.get(end + 1..).unwrap_or_default();
        }
        count(&mut self.framing_errors);
        place.pending = at::BETWEEN;
        rest.get(end..).unwrap_or_default()
    }

    /// What follows the first byte of a block's end.
    fn ending<'a>(&mut self, place: &mut Place, rest: &'a [u8]) -> &'a [u8] {
        match rest.split_first() {
            Some((&RETURN, behind)) => {
                place.pending = at::BETWEEN;
                behind
            }
            Some((&START, _)) => {
                count(&mut self.framing_errors);
                place.pending = at::BETWEEN;
                rest
            }
            _ => {
                count(&mut self.framing_errors);
                self.grow(place, 1);
                place.pending = at::INSIDE;
                rest
            }
        }
    }

    fn grow(&mut self, place: &mut Place, bytes: usize) {
        place.skip = place.skip.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.message_bytes = self.message_bytes.saturating_add(bytes as u64);
        self.largest_message_bytes = self.largest_message_bytes.max(place.skip);
    }

    fn message(&mut self, message: &[u8]) {
        count(&mut self.messages);
        let header = Header::read(message);
        header.ack_code.into_iter().for_each(|code| self.ack_codes.count(code));
        if self.version.is_none() {
            self.version = header.version.map(|version| printable(version, NAME_BYTES));
        }
        let kind = header.kind.unwrap_or_default();
        if kind.starts_with(b"ACK") {
            count(&mut self.acks);
            return;
        }
        if self.sending.is_none() {
            self.sending = header.sending.map(|name| printable(name, NAME_BYTES));
            self.receiving = header.receiving.map(|name| printable(name, NAME_BYTES));
        }
        self.count_type(kind);
    }

    fn count_type(&mut self, kind: &[u8]) {
        if let Some(known) = self.types.iter_mut().find(|known| known.name.as_bytes() == kind) {
            count(&mut known.count);
        } else if self.types.len() < MAX_TYPES && !kind.is_empty() {
            self.types.push(Hl7Type { name: printable(kind, KIND_BYTES), count: 1 });
        } else {
            count(&mut self.other);
        }
    }
}

/// From a lost place to the end of a block and the start of the next.
fn next_start<'a>(place: &mut Place, rest: &'a [u8]) -> &'a [u8] {
    *place = Place::default();
    match rest.windows(3).position(|window| window == [END, RETURN, START]) {
        Some(end) => {
            place.pending = at::BETWEEN;
            rest.get(end + 2..).unwrap_or_default()
        }
        None => {
            if rest.ends_with(&[END, RETURN]) {
                place.pending = at::BETWEEN;
            }
            &[]
        }
    }
}

/// Does a message, or a batch of messages, start here?
pub(super) fn is_message(payload: &[u8]) -> bool {
    payload.strip_prefix(&[START]).is_some_and(|block| is_message_header(block) || is_batch(block))
}

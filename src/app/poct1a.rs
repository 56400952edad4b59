//! Point-of-care devices: which messages are sent (CLSI POCT1-A, appendix B). Of a message the name of its outermost element is
//! read; patients, operators and results are not looked at.

use serde::Serialize;

use super::held::Message;
use super::listed::count;
use super::listen::{Heard, Listen, Place};

/// Bytes of a message's name in its tag, as in `<HEL.R01`.
const NAME_BYTES: usize = 8;
/// Bytes of a prolog and a document type that may stand in front of the first message.
const MAX_PROLOG_BYTES: usize = 256;

/// Facts of a connection of a point-of-care device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Poct1aFacts {
    /// Greetings (HEL).
    pub hello: u32,
    /// Acknowledgements (ACK).
    pub acks: u32,
    /// Messages about a device's state (DST).
    pub device_status: u32,
    /// Requests (REQ).
    pub requests: u32,
    /// Observations (OBS).
    pub observations: u32,
    /// Events (EVS).
    pub events: u32,
    /// Directives to a device (DTV): what changes it.
    pub directives: u32,
    /// Lists of operators and of patients for a device (OPL, PTL).
    pub lists: u32,
    /// Refusals (ESC).
    pub escapes: u32,
    /// Ends of a topic and of the conversation (EOT, END), signs of life (KPA), and what is a maker's own.
    pub other: u32,
}

impl Listen for Poct1aFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        let payload = &heard.payload;
        let may_wait = payload.may_hold && payload.is_whole();
        let tail = if place.held.is_waiting() {
            match place.held.message(payload.bytes, may_wait, |bytes| Some(bytes.len())) {
                Message::Whole(bytes) => self.names(bytes),
                _ => &[],
            }
            .to_vec()
        } else {
            self.names(payload.bytes).to_vec()
        };
        place.held.clear();
        // A name that is cut.
        if !tail.is_empty() && may_wait {
            place.held.message(&tail, true, |bytes| Some(bytes.len() + 1));
        }
        true
    }
}

impl Poct1aFacts {
    /// Counts the messages that start in this text. Returns the start of a name that the text cuts.
    fn names<'a>(&mut self, mut text: &'a [u8]) -> &'a [u8] {
        while let Some(start) = text.iter().position(|b| *b == b'<') {
            text = text.get(start..).unwrap_or_default();
            if text.len() < NAME_BYTES {
                return text;
            }
            if let Some(name) = name(text) {
                self.message(name);
            }
            text = text.get(1..).unwrap_or_default();
        }
        &[]
    }

    const fn message(&mut self, name: [u8; 3]) {
        count(match &name {
            b"HEL" => &mut self.hello,
            b"ACK" => &mut self.acks,
            b"DST" => &mut self.device_status,
            b"REQ" => &mut self.requests,
            b"OBS" => &mut self.observations,
            b"EVS" => &mut self.events,
            b"DTV" => &mut self.directives,
            b"OPL" | b"PTL" => &mut self.lists,
            b"ESC" => &mut self.escapes,
            _ => &mut self.other,
        });
    }
}

/// The letters of a message's name in the tag that starts here.
fn name(tag: &[u8]) -> Option<[u8; 3]> {
    match *tag {
        [b'<', a @ b'A'..=b'Z', b @ b'A'..=b'Z', c @ b'A'..=b'Z', b'.', b'R', b'0', b'1'..=b'9', ..] => Some([a, b, c]),
        _ => None,
    }
}

/// Does a conversation start here: a message that a device greets with, or that answers to it?
pub(super) fn is_message(payload: &[u8]) -> bool {
    let front = payload.get(..MAX_PROLOG_BYTES).unwrap_or(payload).trim_ascii_start();
    let is_prolog = front.starts_with(b"<?xml") || front.starts_with(b"<!DOCTYPE");
    let mut tags = front.iter().enumerate().filter(|(_, b)| **b == b'<').map(|(place, _)| front.get(place..).unwrap_or_default());
    let first =
        if is_prolog { tags.find(|tag| !matches!(tag, [_, b'?' | b'!', ..])) } else { front.starts_with(b"<").then_some(front) };
    matches!(first.and_then(name), Some(name) if matches!(&name, b"HEL" | b"ACK" | b"DST" | b"REQ" | b"OBS" | b"EVS" | b"DTV" | b"EOT" | b"END" | b"ESC" | b"KPA"))
}

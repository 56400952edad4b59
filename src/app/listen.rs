//! What a parser is given, and what it answers.

use super::framing::Skip;
use super::held::Held;
use super::{Ports, Side};

/// One payload of a flow, as the application layer gets it.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// Who sent it.
    pub side: Side,
    /// Its captured bytes.
    pub bytes: &'a [u8],
    /// Its length on the wire: more than was captured when the capture cut the packet.
    pub wire_bytes: u32,
    /// Bytes of this side's stream that should have come before it and were not seen.
    pub missing_bytes: u32,
    /// Does it fill a hole that an earlier payload left?
    pub late: bool,
    /// Is there room to hold the start of a message until the rest has come?
    pub may_hold: bool,
}

impl<'a> Payload<'a> {
    /// A payload in its place, with nothing missing before it.
    #[must_use]
    pub const fn new(side: Side, bytes: &'a [u8], wire_bytes: u32) -> Self {
        Self { side, bytes, wire_bytes, missing_bytes: 0, late: false, may_hold: true }
    }

    /// Was all of it captured?
    pub(super) const fn is_whole(&self) -> bool {
        self.bytes.len() as u64 >= self.wire_bytes as u64
    }
}

/// A payload of a flow whose application is known.
pub(super) struct Heard<'a> {
    pub ports: Ports,
    /// Does the side that asks say this: the one whose first payload was a request?
    pub asks: bool,
    pub payload: Payload<'a>,
}

impl Heard<'_> {
    /// Is this said to the side with this port? Where neither side has it, or both do, the side that asks is taken to speak.
    pub const fn is_for(&self, port: u16) -> bool {
        match (self.ports.orig == port, self.ports.resp == port) {
            (false, true) => matches!(self.payload.side, Side::Orig),
            (true, false) => matches!(self.payload.side, Side::Resp),
            _ => self.asks,
        }
    }
}

/// Where a side's stream stands between two payloads.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// Bytes until the next message.
    pub skip: Skip,
    /// For the parser's own use: 0 at the start and behind a hole.
    pub pending: u16,
    /// The start of a message that goes on in the next payload.
    pub held: Held,
}

impl Place {
    /// Passes over bytes of the stream that were not seen.
    pub fn pass_over(&mut self, missing_bytes: u32) {
        self.held.clear();
        let Some(skip) = self.skip.checked_sub(missing_bytes) else {
            *self = Self::default();
            return;
        };
        self.skip = skip;
    }
}

/// A parser of one application's messages, which keeps what it finds in itself.
pub(super) trait Listen {
    /// Payloads that it looks at; none stands for every payload of the flow.
    const MOST_LOOKS: Option<u8>;

    /// Reads the next payload. Returns whether a later one can tell more.
    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool;
}

impl<L: Listen> Listen for Box<L> {
    const MOST_LOOKS: Option<u8> = L::MOST_LOOKS;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        (**self).hear(heard, place)
    }
}

//! HTTP/2 without encryption: the first request and the first response (RFC 9113), with the same facts as of HTTP/1.

use super::held::Message;
use super::hpack;
use super::http::HttpFacts;
use super::listen::{Payload, Place};
use super::reader::Reader;

/// What a client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER_BYTES: usize = 9;
/// Longest frame that can be agreed upon, in bytes.
const MOST_FRAME_BYTES: usize = 1 << 24;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
/// The highest kind that is registered, and a few to come.
const MOST_KIND: u8 = 0x20;

const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// Does a client speak HTTP/2, having asked or not?
pub(super) fn is_preface(payload: &[u8]) -> bool {
    payload.starts_with(b"PRI * HTTP/2.0\r\n")
}

/// The head of a frame: its length without the head, its kind and flags.
fn head(rest: &[u8]) -> Option<(usize, u8, u8)> {
    let [high, middle, low, kind, flags, stream, _, _, _] = Reader(rest).array()?;
    let bytes = u32::from_be_bytes([0, high, middle, low]) as usize;
    (kind <= MOST_KIND && stream & 0x80 == 0 && bytes < MOST_FRAME_BYTES).then_some((bytes, kind, flags))
}

/// Bytes of a stream that it takes to read all header fields that start in it.
fn needed(stream: &[u8]) -> Option<usize> {
    if stream.len() < PREFACE.len() && PREFACE.starts_with(stream) {
        return Some(PREFACE.len());
    }
    let mut at = if stream.starts_with(PREFACE) { PREFACE.len() } else { 0 };
    let mut goes_on = false;
    while at < stream.len() || goes_on {
        let rest = stream.get(at..).unwrap_or_default();
        if rest.len() < HEADER_BYTES {
            return Some(at + HEADER_BYTES);
        }
        let (bytes, kind, flags) = head(rest)?;
        at += HEADER_BYTES + bytes;
        if matches!(kind, HEADERS | CONTINUATION) {
            goes_on = flags & END_HEADERS == 0;
            if at > stream.len() {
                return Some(at);
            }
        } else if goes_on {
            return None;
        }
    }
    // A frame without header fields may be cut.
    Some(stream.len())
}

impl HttpFacts {
    /// Reads the frames of a payload, or goes on with one that did not fit the payloads before.
    pub(super) fn frames(&mut self, payload: &Payload<'_>, is_request: bool, place: &mut Place) {
        let passed = payload.bytes.len().min(place.skip as usize);
        let on_wire = payload.wire_bytes.max(payload.bytes.len() as u32);
        let bytes = payload.bytes.get(passed..).unwrap_or_default();
        if bytes.is_empty() {
            place.skip = place.skip.saturating_sub(on_wire);
            return;
        }
        place.skip = 0;
        let is_start = !place.held.is_waiting();
        let missing = match place.held.message(bytes, payload.may_hold && payload.is_whole(), needed) {
            Message::Whole(stream) => self.frames_of(stream, is_request),
            // Too long to hold: its first fields tell most.
            Message::Lost if is_start => self.frames_of(bytes, is_request),
            Message::Part | Message::Lost => 0,
        };
        let not_captured = on_wire - payload.bytes.len() as u32;
        place.skip = u32::try_from(missing).unwrap_or(0).saturating_sub(not_captured);
    }

    /// Reads frames. Returns how many bytes of the last are still to come.
    fn frames_of(&mut self, stream: &[u8], is_request: bool) -> usize {
        let mut reader = Reader(stream.strip_prefix(PREFACE).unwrap_or(stream));
        let mut block = Vec::new();
        while let Some((bytes, kind, flags)) = head(reader.0) {
            let missing = (HEADER_BYTES + bytes).saturating_sub(reader.0.len());
            let frame = reader.take(HEADER_BYTES + bytes - missing).unwrap_or_default();
            let body = frame.get(HEADER_BYTES..).unwrap_or_default();
            if missing > 0 {
                if kind == HEADERS {
                    self.block(fragment(body, flags & !PADDED).unwrap_or_default(), is_request);
                }
                return missing;
            }
            match kind {
                HEADERS => block = fragment(body, flags).unwrap_or_default().to_vec(),
                CONTINUATION => block.extend_from_slice(body),
                _ => continue,
            }
            if flags & END_HEADERS != 0 {
                self.block(&block, is_request);
            }
        }
        0
    }

    /// Reads the header fields of a request or response, if none was read before. An answer in between (1xx) is none.
    fn block(&mut self, block: &[u8], is_request: bool) {
        if is_request && self.method.is_some() || !is_request && self.status.is_some() {
            return;
        }
        let mut path = None;
        let mut is_interim = false;
        // What stands before the place where a block is unsound is sound.
        let _ = hpack::fields(block, |name, value| {
            if !is_read(name) {
                return;
            }
            let Some(value) = value.decode() else { return };
            match name {
                b":path" => path = Some(value.into_owned()),
                b":status" if !is_request => {
                    let status = std::str::from_utf8(&value).ok().and_then(|status| status.parse().ok());
                    is_interim = status.is_some_and(|status| status < 200);
                    self.status = status.filter(|status| (200..=999).contains(status));
                }
                _ if !is_interim => self.field(name, &value, is_request),
                _ => {}
            }
        });
        if is_request {
            self.asked(&path.unwrap_or_default());
        } else {
            self.end_login();
        }
    }
}

/// Are the values of this field looked at? No other is decoded.
fn is_read(name: &[u8]) -> bool {
    matches!(
        name,
        b":method"
            | b":authority"
            | b":path"
            | b":status"
            | b"content-type"
            | b"accept"
            | b"user-agent"
            | b"server"
            | b"host"
            | b"authorization"
            | b"www-authenticate"
    )
}

/// What a frame holds of header fields, without its padding and priority.
fn fragment(body: &[u8], flags: u8) -> Option<&[u8]> {
    let mut reader = Reader(body);
    let padding = if flags & PADDED == 0 { 0 } else { reader.u8()? };
    if flags & PRIORITY != 0 {
        reader.take(5)?;
    }
    let bytes = reader.0.len().checked_sub(padding.into())?;
    reader.take(bytes)
}

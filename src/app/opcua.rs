//! OPC UA over TCP: kinds of messages, how a channel is secured, and what is asked for in channels that are not (IEC 62541-6,
//! 7.1 and 6.7; 62541-6, A.1 for the numbers of types). Of the address only the host is kept; nodes and values are not looked
//! at.

use serde::Serialize;

use super::heads;
use super::listed::{count, note};
use super::listen::{Heard, Listen, Place};
use super::reader::Reader;
use super::text::{HOST_BYTES, NAME_BYTES, printable};

/// Bytes of a header.
const HEADER_BYTES: usize = 8;
/// Bytes of a message that are looked at: channel, token, two numbers, and the number of the type.
const HEAD_BYTES: usize = HEADER_BYTES + 20;
/// Bytes of a greeting, or of a channel's opening, that are looked at.
const LONG_HEAD_BYTES: usize = 1024;
/// Longest message that is taken for one, in bytes.
const MAX_MESSAGE_BYTES: u32 = 64 << 20;
/// What policies' names begin with.
const POLICY: &[u8] = b"http://opcfoundation.org/UA/SecurityPolicy#";
/// Policies that are kept.
const MAX_POLICIES: usize = 4;

/// Facts of an OPC UA connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OpcUaFacts {
    /// Host of the address that the client greets with, up to 253 characters.
    pub endpoint_host: Option<Box<str>>,
    /// Security policies of the channels that are opened, as in `Basic256Sha256`; 4 at most.
    pub security_policies: Vec<Box<str>>,
    /// Is a channel opened without any security?
    pub security_none: bool,
    /// Greetings, of a client or of a server that calls back.
    pub hello: u32,
    /// Acknowledgements of a greeting.
    pub acknowledge: u32,
    /// Errors of the connection.
    pub error: u32,
    /// Openings of a channel, asked for and answered.
    pub open_channel: u32,
    /// Closings of a channel.
    pub close_channel: u32,
    /// Chunks of messages.
    pub messages: u32,
    /// Requests to create or activate a session; these and the following are told only where nothing is encrypted.
    pub session_requests: u32,
    /// Requests to look around: browse, and find servers and endpoints.
    pub browse_requests: u32,
    /// Requests to read, also history.
    pub read_requests: u32,
    /// Requests to write, also history.
    pub write_requests: u32,
    /// Requests to call methods.
    pub call_requests: u32,
    /// Requests to add or delete nodes or references.
    pub node_management_requests: u32,
}

impl Listen for OpcUaFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        heads::messages(place, &heard.payload, head, |message| {
            let (kind, bytes) = header(message)?;
            let body = message.get(HEADER_BYTES..(bytes as usize).min(message.len())).unwrap_or_default();
            self.message(kind, body);
            Some(bytes)
        });
        true
    }
}

impl OpcUaFacts {
    fn message(&mut self, kind: [u8; 3], body: &[u8]) {
        count(match &kind {
            b"HEL" | b"RHE" => {
                if kind[0] == b'H' && self.endpoint_host.is_none() {
                    self.endpoint_host = endpoint_host(body);
                }
                &mut self.hello
            }
            b"ACK" => &mut self.acknowledge,
            b"ERR" => &mut self.error,
            b"OPN" => {
                self.opened(body);
                &mut self.open_channel
            }
            b"CLO" => &mut self.close_channel,
            _ => {
                self.service(body);
                &mut self.messages
            }
        });
    }

    fn opened(&mut self, body: &[u8]) {
        let mut reader = Reader(body);
        let Some(policy) = reader.take(4).and_then(|_| text(&mut reader)) else { return };
        let Some(name) = policy.strip_prefix(POLICY) else { return };
        if !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_') {
            self.security_none |= name == b"None";
            note(&mut self.security_policies, printable(name, NAME_BYTES), MAX_POLICIES);
        }
    }

    /// Counts a request by the number of its type, in namespace 0.
    fn service(&mut self, body: &[u8]) {
        let Some([1, 0, low, high]) = body.get(16..20) else { return };
        count(match u16::from_le_bytes([*low, *high]) {
            461 | 467 => &mut self.session_requests,
            422 | 428 | 527 | 533 | 554 => &mut self.browse_requests,
            631 | 664 => &mut self.read_requests,
            673 | 700 => &mut self.write_requests,
            712 => &mut self.call_requests,
            488 | 494 | 500 | 506 => &mut self.node_management_requests,
            _ => return,
        });
    }
}

/// A text behind its length in four bytes.
fn text<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let bytes = u32::from_le_bytes(reader.array()?);
    reader.take(usize::try_from(bytes).ok()?)
}

/// The host in `opc.tcp://host:port/path`.
fn endpoint_host(body: &[u8]) -> Option<Box<str>> {
    let mut reader = Reader(body);
    reader.take(20)?;
    let address = text(&mut reader)?.strip_prefix(b"opc.tcp://")?;
    let authority = address.split(|b| matches!(b, b'/' | b'?' | b'#')).next()?;
    let host = match authority {
        [b'[', rest @ ..] => rest.split(|b| *b == b']').next()?,
        _ => authority.split(|b| *b == b':').next()?,
    };
    let is_host = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':');
    (!host.is_empty() && host.iter().all(is_host)).then(|| printable(host, HOST_BYTES))
}

/// Kind and whole length of a message, if one can start so.
fn header(message: &[u8]) -> Option<([u8; 3], u32)> {
    let mut reader = Reader(message);
    let kind = reader.array()?;
    let chunk = reader.u8()?;
    let bytes = u32::from_le_bytes(reader.array()?);
    let (is_known, least) = match &kind {
        b"HEL" => (chunk == b'F', 32),
        b"ACK" => (chunk == b'F', 28),
        b"ERR" | b"RHE" => (chunk == b'F', 16),
        b"OPN" | b"MSG" | b"CLO" => (matches!(chunk, b'F' | b'C' | b'A'), 24),
        _ => return None,
    };
    (is_known && (least..=MAX_MESSAGE_BYTES).contains(&bytes)).then_some((kind, bytes))
}

/// How much of a message has to be seen.
fn head(message: &[u8]) -> Option<usize> {
    if message.len() < HEADER_BYTES {
        return message.first().is_none_or(|first| b"HAEROMC".contains(first)).then_some(HEADER_BYTES);
    }
    let (kind, bytes) = header(message)?;
    let most = if matches!(&kind, b"HEL" | b"OPN") { LONG_HEAD_BYTES } else { HEAD_BYTES };
    Some((bytes as usize).min(most))
}

/// Does a client greet here? On the port of OPC UA (`is_port`), is this any message?
pub(super) fn is_message(payload: &[u8], is_port: bool) -> bool {
    let Some((kind, bytes)) = header(payload) else { return false };
    let is_greeting = &kind == b"HEL"
        && bytes as usize >= payload.len()
        && payload.get(32..).is_some_and(|address| address.starts_with(b"opc.tcp://"));
    is_port || is_greeting
}

//! Version 4 (RFC 2131, 2; options: RFC 2132, RFC 4702).

use super::{DhcpMessage, codes};
use crate::app::reader::Reader;
use crate::app::text::{HOST_BYTES, NAME_BYTES, printable};
use crate::wire::Addr;

/// Options that are read; a real message has some 20.
const MOST_OPTIONS: usize = 128;
const KINDS: [&str; 8] = ["discover", "offer", "request", "decline", "ack", "nak", "release", "inform"];

/// A message with its magic cookie, as far as it was captured.
pub(super) fn message(payload: &[u8]) -> Option<DhcpMessage> {
    let mut reader = Reader(payload);
    let [op @ 1..=2, hardware, hardware_bytes, _] = reader.array()? else { return None };
    reader.take(8)?;
    let [client, yours] = [reader.array()?, reader.array()?];
    reader.take(8)?;
    let mac: [u8; 6] = reader.array()?;
    reader.take(10 + 192)?;
    if reader.array()? != [0x63, 0x82, 0x53, 0x63] || hardware_bytes > 16 {
        return None;
    }
    let mut message = DhcpMessage { kind: "bootp", from_server: op == 2, ..DhcpMessage::default() };
    message.client_mac = (hardware == 1 && hardware_bytes == 6 && mac != [0; 6]).then_some(mac);
    let mut requested = None;
    for _ in 0..MOST_OPTIONS {
        match reader.u8() {
            None | Some(255) => break,
            Some(0) => {}
            Some(code) => match reader.vec8() {
                Some(value) => option(&mut message, &mut requested, code, value),
                None => break,
            },
        }
    }
    message.address = if message.from_server { given(yours) } else { requested.or_else(|| given(client)) };
    Some(message)
}

fn option(message: &mut DhcpMessage, requested: &mut Option<Addr>, code: u8, value: &[u8]) {
    match (code, value) {
        (12, _) => message.host_name = text(value, HOST_BYTES),
        (15, _) => message.domain = text(value, HOST_BYTES),
        (50, _) => *requested = address(value),
        (53, [kind, ..]) => {
            message.kind = KINDS.get(usize::from(*kind).wrapping_sub(1)).copied().unwrap_or("other");
        }
        (54, _) => message.server = address(value),
        (55, _) => message.fingerprint = codes(value.iter().map(|code| u16::from(*code))),
        (60, _) => message.vendor_class = text(value, NAME_BYTES),
        // A client's full name, in plain text when the bit for DNS's form is not set.
        (81, [flags, _, _, name @ ..]) if flags & 4 == 0 && message.host_name.is_none() => {
            message.host_name = text(name, HOST_BYTES);
        }
        _ => {}
    }
}

fn address(value: &[u8]) -> Option<Addr> {
    value.first_chunk().and_then(|bytes| given(*bytes))
}

fn given(bytes: [u8; 4]) -> Option<Addr> {
    (bytes != [0; 4]).then(|| Addr::v4(bytes))
}

/// Text up to the zero that some write behind it.
fn text(value: &[u8], max: usize) -> Option<Box<str>> {
    let value = value.split(|b| *b == 0).next().unwrap_or_default();
    (!value.is_empty()).then(|| printable(value, max))
}

//! Version 6 (RFC 8415, 7.3, 8, 9 and 21; RFC 4704).

use super::{DhcpMessage, codes};
use crate::app::reader::Reader;
use crate::app::text::{HOST_BYTES, NAME_BYTES, printable};
use crate::wire::Addr;

/// Relays that a message may have come through (RFC 8415, 7.6: `HOP_COUNT_LIMIT`).
const MOST_RELAYS: u8 = 8;
const KINDS: [&str; 11] = [
    "solicit",
    "advertise",
    "request",
    "confirm",
    "renew",
    "rebind",
    "reply",
    "release",
    "decline",
    "reconfigure",
    "information",
];

/// A message that was captured whole, or what relays pass on.
pub(super) fn message(payload: &[u8]) -> Option<DhcpMessage> {
    relayed(payload, MOST_RELAYS)
}

fn relayed(payload: &[u8], relays: u8) -> Option<DhcpMessage> {
    let mut reader = Reader(payload);
    let kind = reader.u8()?;
    if matches!(kind, 12 | 13) {
        reader.take(1 + 16 + 16)?;
        let mut inner = None;
        options(reader, |code, value| {
            if code == 9 {
                inner = Some(value);
            }
        })?;
        return relayed(inner?, relays.checked_sub(1)?);
    }
    let kind_name = KINDS.get(usize::from(kind).checked_sub(1)?)?;
    reader.take(3)?;
    let mut message = DhcpMessage {
        kind: kind_name,
        from_server: matches!(kind, 2 | 7 | 10),
        is_v6: true,
        ..DhcpMessage::default()
    };
    let mut is_named = false;
    options(reader, |code, value| {
        is_named |= matches!(code, 1 | 2) && (4..=130).contains(&value.len());
        option(&mut message, code, value);
    })?;
    // An information request may leave its client out.
    (is_named || kind == 11 && message.fingerprint.is_some()).then_some(message)
}

/// Goes through options, which have to fill what is left.
fn options<'a>(mut reader: Reader<'a>, mut option: impl FnMut(u16, &'a [u8])) -> Option<()> {
    while !reader.0.is_empty() {
        let code = reader.u16()?;
        option(code, reader.vec16()?);
    }
    Some(())
}

fn option(message: &mut DhcpMessage, code: u16, value: &[u8]) {
    match code {
        1 => message.client_mac = mac(value),
        3 => message.address = value.get(12..).and_then(identity_address),
        6 => message.fingerprint = codes(value.as_chunks().0.iter().map(|code| u16::from_be_bytes(*code))),
        16 => {
            let class = value.get(4..).and_then(|rest| Reader(rest).vec16());
            message.vendor_class = class.map(|class| printable(class, NAME_BYTES));
        }
        24 => message.domain = name(value),
        39 => message.host_name = value.get(1..).and_then(name),
        _ => {}
    }
}

/// The hardware address in an identifier of the kinds that have one: with a time, or alone.
fn mac(identifier: &[u8]) -> Option<[u8; 6]> {
    let mut reader = Reader(identifier);
    let kind = reader.u16()?;
    let hardware = reader.u16()?;
    match (kind, hardware) {
        (1, 1) => reader.take(4).and_then(|_| reader.0.try_into().ok()),
        (3, 1) => reader.0.try_into().ok(),
        _ => None,
    }
}

/// The first address among the options of an association.
fn identity_address(inner: &[u8]) -> Option<Addr> {
    let mut found = None;
    options(Reader(inner), |code, value| {
        if let (5, Some(bytes), None) = (code, value.first_chunk(), found) {
            found = Some(Addr::v6(*bytes));
        }
    })?;
    found
}

/// A name in DNS's form, its final zero left out by some.
fn name(value: &[u8]) -> Option<Box<str>> {
    let mut reader = Reader(value);
    let mut name = Vec::new();
    while let Some(label) = reader.vec8().filter(|label| (1..=63).contains(&label.len())) {
        if !name.is_empty() {
            name.push(b'.');
        }
        name.extend_from_slice(label);
    }
    (!name.is_empty() && name.len() <= HOST_BYTES).then(|| printable(&name, HOST_BYTES))
}

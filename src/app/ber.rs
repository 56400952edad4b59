//! Protocols in ASN.1's basic encoding: SNMP (RFC 3416), LDAP (RFC 4511), Kerberos (RFC 4120).

use super::reader::Reader;

/// Passes over a tag of this value and its length.
fn enter(reader: &mut Reader<'_>, tag: u8) -> Option<()> {
    if reader.u8()? != tag {
        return None;
    }
    match reader.u8()? {
        0..=0x7f => Some(()),
        long @ 0x81..=0x84 => reader.take(usize::from(long & 0x7f)).map(|_| ()),
        _ => None,
    }
}

/// Reads a short value of this tag.
fn value<'a>(reader: &mut Reader<'a>, tag: u8) -> Option<&'a [u8]> {
    if reader.u8()? != tag {
        return None;
    }
    match reader.u8()? {
        bytes @ 0..=0x7f => reader.take(bytes.into()),
        _ => None,
    }
}

/// A message of version 1, 2c or 3.
pub(super) fn is_snmp(payload: &[u8]) -> bool {
    let mut reader = Reader(payload);
    let check = |reader: &mut Reader<'_>| {
        enter(reader, 0x30)?;
        match value(reader, 0x02)? {
            [0 | 1] => {
                value(reader, 0x04)?;
                reader.u8().map(|pdu| (0xa0..=0xa8).contains(&pdu))
            }
            [3] => reader.u8().map(|header| header == 0x30),
            _ => None,
        }
    };
    check(&mut reader) == Some(true)
}

/// A message with its identifier and an operation.
pub(super) fn is_ldap(payload: &[u8]) -> bool {
    let mut reader = Reader(payload);
    let check = |reader: &mut Reader<'_>| {
        enter(reader, 0x30)?;
        let id = value(reader, 0x02)?;
        let operation = reader.u8()?;
        // The application tags of the operations, constructed or primitive as each is.
        let is_operation = matches!(operation, 0x60 | 0x61 | 0x42 | 0x63..=0x69 | 0x4a | 0x6b..=0x6f | 0x50 | 0x73 | 0x77..=0x79);
        Some((1..=4).contains(&id.len()) && is_operation)
    };
    check(&mut reader) == Some(true)
}

/// A request, answer or error of version 5; over TCP behind a length of four bytes.
pub(super) fn is_kerberos(payload: &[u8]) -> bool {
    let mut reader = Reader(payload);
    let check = |reader: &mut Reader<'_>| {
        let message = *reader.0.first()?;
        // AS, TGS and AP requests and answers, and errors.
        if !matches!(message, 0x6a..=0x6f | 0x7e) {
            return None;
        }
        enter(reader, message)?;
        enter(reader, 0x30)?;
        let version = reader.array::<5>()?;
        Some(matches!(version, [0xa0 | 0xa1, 3, 2, 1, 5]))
    };
    check(&mut reader) == Some(true)
}

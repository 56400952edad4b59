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

/// Reads a value of any tag and of a stated length; of one that is cut, what is there.
pub(super) fn element<'a>(reader: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let tag = reader.u8()?;
    let bytes = length(reader)?;
    let value = reader.take(bytes).unwrap_or(reader.0);
    if value.len() < bytes {
        reader.0 = &[];
    }
    Some((tag, value))
}

/// The value of this tag among those that follow each other in `bytes`; a few are looked through.
pub(super) fn find(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let mut reader = Reader(bytes);
    (0..16).map_while(|_| element(&mut reader)).find(|(found, _)| *found == tag).map(|(_, value)| value)
}

/// What is inside a value when it is one value of this tag and nothing before it.
pub(super) fn inside(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    element(&mut Reader(bytes)).filter(|(found, _)| *found == tag).map(|(_, value)| value)
}

/// A whole number of at most four bytes.
pub(super) fn number(bytes: &[u8]) -> Option<i32> {
    let first = *bytes.first()?;
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    (bytes.len() <= 4).then(|| bytes.iter().fold(sign, |sum, byte| sum << 8 | i32::from(*byte)))
}

fn length(reader: &mut Reader<'_>) -> Option<usize> {
    match reader.u8()? {
        short @ 0..=0x7f => Some(short.into()),
        long @ 0x81..=0x84 => {
            let bytes = reader.take(usize::from(long & 0x7f))?;
            Some(bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
        }
        _ => None,
    }
}

/// The whole length of the value that starts here, its tag and length included; nothing when that is not stated or too long.
pub(super) fn whole_bytes(bytes: &[u8]) -> Option<u32> {
    let mut reader = Reader(bytes);
    reader.u8()?;
    let value = length(&mut reader)?;
    u32::try_from(value + bytes.len() - reader.0.len()).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_short_and_long_lengths() {
        let long = [&[0x04, 0x82, 0x01, 0x00][..], &[7; 256]].concat();
        let list = [&[0x02, 1, 5][..], &long, &[0x0a, 1, 0x80]].concat();
        assert_eq!(find(&list, 0x0a).and_then(number), Some(-128));
        assert_eq!(find(&list, 0x04), Some(&[7; 256][..]));
        assert_eq!(whole_bytes(&long), Some(260));
        assert_eq!(find(&long[..100], 0x04), Some(&[7; 96][..]), "of one that is cut, what is there");
        assert_eq!((inside(&list, 0x02), inside(&list, 0x04)), (Some(&[5][..]), None));
        assert_eq!((number(&[]), number(&[1; 5]), number(&[0x01, 0x00])), (None, None, Some(256)));
        assert_eq!(whole_bytes(&[0x30, 0x80, 0, 0]), None, "no stated length");
    }
}

//! The header segment of a message (MSH), and the code in front of an answer's second segment (MSA-1).

/// Bytes of a header segment that are looked at.
const SEGMENT_BYTES: usize = 1024;
/// Bytes of a second segment that are looked at: `MSA|AA|`.
const ANSWER_BYTES: usize = 7;
/// Longest message type that is kept, in bytes; `ADT^A01` has 7.
pub(super) const KIND_BYTES: usize = 16;
/// Longest version that is kept, in bytes; `2.5.1` has 5.
const VERSION_BYTES: usize = 8;
/// The mark of a block's end.
const END: u8 = 0x1c;

/// Fields of a message header; those that did not end before the segment or the capture did are left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub sending: Option<&'a [u8]>,
    pub receiving: Option<&'a [u8]>,
    pub kind: Option<&'a [u8]>,
    pub version: Option<&'a [u8]>,
    pub ack_code: Option<[u8; 2]>,
}

impl<'a> Header<'a> {
    pub fn read(message: &'a [u8]) -> Self {
        let Some(separator) = message.get(3) else { return Self::default() };
        let front = message.get(..SEGMENT_BYTES).unwrap_or(message);
        let (segment, second) = match front.iter().position(|b| b.is_ascii_control()) {
            // With its end, so that its last field counts as ended.
            Some(end) => message.split_at(end + 1),
            None => (front, &[][..]),
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
            version: fields.nth(2).map(first).filter(|version| is_version(version)),
            ack_code: ack_code(second, *separator),
        }
    }
}

/// The first two components of a message type, a code and an event of three characters each, the second of which may be
/// missing (HL7 tables 0076 and 0003).
fn kind(field: &[u8], component: u8) -> Option<&[u8]> {
    let mut parts = field.split(|b| *b == component);
    let (code, event) = (parts.next()?, parts.next());
    let is_name = |part: &[u8]| part.iter().all(u8::is_ascii_alphanumeric);
    let bytes = code.len() + event.map_or(0, |event| 1 + event.len());
    let is_kind = code.len() == 3 && is_name(code) && event.is_none_or(|event| matches!(event.len(), 0 | 3) && is_name(event));
    is_kind.then(|| field.get(..bytes).unwrap_or_default())
}

fn is_version(version: &[u8]) -> bool {
    (1..=VERSION_BYTES).contains(&version.len()) && version.iter().all(|b| b.is_ascii_digit() || *b == b'.')
}

/// The code of an answer from its segment, which follows the header.
fn ack_code(second: &[u8], separator: u8) -> Option<[u8; 2]> {
    let [b'M', b'S', b'A', after_name, first, last, after_code, ..] = *second else { return None };
    let ends = after_code == separator || after_code.is_ascii_control();
    (after_name == separator && ends).then_some([first, last])
}

/// How much of a block has to be seen, as far as can be told from its start; nothing when no header starts so.
pub(super) fn needed(block: &[u8]) -> Option<usize> {
    let could_be = [b"MSH", b"FHS", b"BHS"].into_iter().any(|name| block.iter().zip(name).all(|(a, b)| a == b));
    if !could_be || block.len() > 3 && !is_message_header(block) && !is_batch(block) {
        return None;
    }
    let front = block.get(..SEGMENT_BYTES).unwrap_or(block);
    let Some(end) = front.iter().position(|b| b.is_ascii_control()) else {
        return Some((block.len() + 1).min(SEGMENT_BYTES));
    };
    let second = block.get(end..end + 1 + ANSWER_BYTES).or(block.get(end..)).unwrap_or_default();
    // A block that ends has no more to say.
    let most = second.iter().position(|b| *b == END).unwrap_or(1 + ANSWER_BYTES);
    // Another segment than an answer's is told by its first bytes.
    let is_other = second.get(1..).is_some_and(|name| !name.iter().zip(b"MSA").all(|(a, b)| a == b));
    Some(end + if is_other { 1 } else { most })
}

pub(super) fn is_message_header(block: &[u8]) -> bool {
    matches!(block, [b'M', b'S', b'H', separator, ..] if separator.is_ascii_punctuation())
}

/// The header of a file of batches, or of a batch of messages.
pub(super) fn is_batch(block: &[u8]) -> bool {
    matches!(block, [b'F' | b'B', b'H', b'S', separator, ..] if separator.is_ascii_punctuation())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_an_answer_is_in_its_second_segment() {
        let code = |text: &[u8]| Header::read(text).ack_code;
        assert_eq!(code(b"MSH|^~\\&|A\rMSA|AE|7"), Some(*b"AE"));
        assert_eq!(code(b"MSH|^~\\&|A\rMSA|AE\r"), Some(*b"AE"));
        assert_eq!(code(b"MSH|^~\\&|A\rMSA|AEX|7"), None);
        assert_eq!(code(b"MSH|^~\\&|A\rPID|AE|7"), None);
        assert_eq!(code(b"MSH|^~\\&|A\rMSA|A"), None);
    }

    #[test]
    fn a_message_type_is_a_code_and_an_event() {
        for (field, want) in [
            (&b"ADT^A01^ADT_A01"[..], Some(&b"ADT^A01"[..])),
            (b"ACK", Some(b"ACK")),
            (b"ORU^", Some(b"ORU^")),
            (b"ZZ1^Z01", Some(b"ZZ1^Z01")),
            (b"DOE^JANE", None),
            (b"JONES", None),
            (b"ADT^A 1", None),
            (b"", None),
        ] {
            assert_eq!(kind(field, b'^'), want, "{}", String::from_utf8_lossy(field));
        }
    }

    #[test]
    fn as_much_is_needed_as_is_read() {
        assert_eq!(needed(b""), Some(1));
        assert_eq!(needed(b"MS"), Some(3));
        assert_eq!(needed(b"MSH|^~"), Some(7));
        assert_eq!(needed(b"MSH|^~\\&|A\r"), Some(18));
        assert_eq!(needed(b"MSH|^~\\&|A\rPI"), Some(11));
        assert_eq!(needed(b"MSH|^~\\&|A\rMSA|AA|7"), Some(18));
        assert_eq!(needed(b"MSH|^~\\&|A\r\x1c\r"), Some(11), "nothing follows");
        assert_eq!(needed(&[&b"MSH|"[..], &[b'x'; 3000]].concat()), Some(SEGMENT_BYTES));
        for none in [&b"MSX"[..], b"PID|", b"MSHx", b"\x1c"] {
            assert_eq!(needed(none), None);
        }
    }
}

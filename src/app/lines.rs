//! Protocols that talk in lines: commands of the client, answers of the server.

use super::reader::Reader;
use super::text::{NAME_BYTES, printable};

/// Lines of one payload that are looked at.
const MOST_LINES: usize = 64;

/// The whole lines of a payload without their ends; a line that goes on in the next payload is none.
pub(super) fn lines(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = payload.split_inclusive(|b| *b == b'\n').take(MOST_LINES).filter_map(|line| line.strip_suffix(b"\n"));
    whole.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).filter(|line| !line.is_empty())
}

/// The first word of a line in upper case, up to eight letters; anything else gives an empty word.
pub(super) fn command(line: &[u8]) -> ([u8; 8], usize) {
    let mut word = [0; 8];
    let letters = line.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let is_word = letters <= word.len() && matches!(line.get(letters), None | Some(b' '));
    let length = if is_word { letters } else { 0 };
    for (to, from) in word.iter_mut().zip(line).take(length) {
        *to = from.to_ascii_uppercase();
    }
    (word, length)
}

/// What stands behind the first word of a line.
pub(super) fn arguments(line: &[u8]) -> &[u8] {
    let space = line.iter().position(|b| *b == b' ');
    space.and_then(|space| line.get(space + 1..)).unwrap_or_default().trim_ascii()
}

/// The first word of what stands there.
pub(super) fn first_word(text: &[u8]) -> &[u8] {
    text.split(|b| *b == b' ').next().unwrap_or_default()
}

/// A reply's code, and whether this is its last line (RFC 959, 4.2).
pub(super) fn reply(line: &[u8]) -> Option<(u16, bool)> {
    let digits: [u8; 3] = Reader(line).array()?;
    let is_last = matches!(line.get(3), None | Some(b' '));
    let is_code = digits.iter().all(u8::is_ascii_digit) && (is_last || line.get(3) == Some(&b'-'));
    is_code.then(|| (digits.iter().fold(0, |sum, b| sum * 10 + u16::from(b - b'0')), is_last))
}

/// Software in a greeting: the part of the line from the first word with a letter on, up to 64 characters. Servers put their host's
/// name, their product and the time there.
pub(super) fn greeting(line: &[u8]) -> Option<Box<str>> {
    let text = line.trim_ascii();
    (!text.is_empty()).then(|| printable(text, NAME_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_replies() {
        let word = |line: &[u8]| {
            let (word, length) = command(line);
            String::from_utf8_lossy(&word[..length]).into_owned()
        };
        assert_eq!(
            (word(b"retr scan.dcm"), word(b"QUIT"), word(b"abcdefghi x"), word(b"a1 LOGIN")),
            ("RETR".into(), "QUIT".into(), String::new(), String::new())
        );
        assert_eq!(
            (reply(b"220-hello"), reply(b"530 no"), reply(b"250"), reply(b"25 x"), reply(b"2500")),
            (Some((220, false)), Some((530, true)), Some((250, true)), None, None)
        );
        assert_eq!(
            (arguments(b"APOP smith c4c9"), first_word(b"smith c4c9"), arguments(b"QUIT")),
            (&b"smith c4c9"[..], &b"smith"[..], &b""[..])
        );
        assert_eq!(lines(b"a\r\nb\n\r\nc").collect::<Vec<_>>(), [b"a", b"b"]);
    }
}

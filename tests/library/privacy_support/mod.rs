//! Conversations in which a marker stands wherever content, a person's name or a secret may stand.

mod binary;
mod lines;

use auscult::app::{App, Ports};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::clinical_support::Talk;

/// Long enough to be found in parts, and like nothing else.
pub const MARK: &str = "QZXJKWVQ7H3P";
/// Characters of it that must not be found in a row.
const PART: usize = 6;

/// A conversation: what it is, its ports, the application it is to be recognised as, and what is said.
pub type Marked = (&'static str, Ports, App, Talk);

/// All conversations with the marker.
pub fn conversations() -> Vec<Marked> {
    [lines::all(), binary::all()].concat()
}

/// The marker as Windows writes text.
pub fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The first part of the marker that is found in a text in any form: plain in any case, in two bytes a character, in
/// hexadecimal digits, or in base64.
pub fn found(text: &str) -> Option<String> {
    // Zeros between characters are written in one of these ways.
    let narrow = ["\\\\x00", "\\x00", "\\u0000", "\0"].iter().fold(text.to_owned(), |text, zero| text.replace(zero, ""));
    let (text, lower, narrow) = (text, text.to_ascii_lowercase(), narrow.to_ascii_lowercase());
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    MARK.as_bytes().windows(PART).find_map(|part| {
        let plain = String::from_utf8_lossy(part).to_ascii_lowercase();
        let two = wide(&String::from_utf8_lossy(part));
        let written = lower.contains(&plain) || narrow.contains(&plain);
        let in_digits = [part, &two, plain.as_bytes()].into_iter().any(|bytes| lower.contains(&digits(bytes)));
        let in_base64 = [part, &two].into_iter().any(|bytes| (0..3).any(|shift| text.contains(&inner_base64(bytes, shift))));
        (written || in_digits || in_base64).then_some(plain)
    })
}

/// What of base64 is the same whatever stands around these bytes, when so many bytes stand in front of them.
fn inner_base64(bytes: &[u8], shift: usize) -> String {
    let text = BASE64_STANDARD.encode([&vec![0; shift][..], bytes, &[0; 3]].concat());
    let (from, to) = ((shift * 8).div_ceil(6), (shift + bytes.len()) * 8 / 6);
    text[from..to].to_owned()
}

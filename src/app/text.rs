//! Text from the network that is safe to write.

use std::fmt::Write;

/// Longest software, application or AE name that is kept, in bytes.
pub(super) const NAME_BYTES: usize = 64;
/// Longest host name that is kept, in bytes (RFC 1035, 2.3.4, without the final dot).
pub(super) const HOST_BYTES: usize = 253;

/// `bytes` as printable ASCII of `max` characters at most: anything else, and the backslash, as `\xNN`. What does not fit is
/// left out.
#[must_use]
pub fn printable(bytes: &[u8], max: usize) -> Box<str> {
    // Most are plain and short enough.
    if bytes.len() <= max
        && bytes.iter().all(|&byte| is_plain(byte))
        && let Ok(text) = str::from_utf8(bytes)
    {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len().min(max));
    for byte in bytes {
        let width = if is_plain(*byte) { 1 } else { 4 };
        if text.len() + width > max {
            break;
        }
        if is_plain(*byte) {
            text.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.into_boxed_str()
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_printable_is_escaped() {
        assert_eq!(&*printable(b"a\x1b[31m\\", 64), "a\\x1b[31m\\x5c");
        assert_eq!(&*printable(b"ab\xffcd", 5), "ab", "an escape is not cut in two");
    }

    proptest! {
        #[test]
        fn always_printable_and_bounded(bytes in prop::collection::vec(any::<u8>(), 0..100), max in 0usize..80) {
            let text = printable(&bytes, max);
            prop_assert!(text.len() <= max);
            prop_assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)));
        }
    }
}

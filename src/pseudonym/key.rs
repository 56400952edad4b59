//! The key that all pseudonyms are made with.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;

/// First line of a key file.
const FIRST_LINE: &str = "auscult pseudonyms key 1";
/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// What is no key file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The first line is another one.
    #[error("no key of pseudonyms: the first line is not {FIRST_LINE:?}")]
    Form,
    /// The second line is not 64 hexadecimal digits.
    #[error("line 2: wanted 64 hexadecimal digits")]
    Digits,
}

/// A secret of 32 random bytes, from which the keys of each purpose are derived (HKDF, RFC 5869). It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.fingerprint())
    }
}

impl Key {
    /// The key of these bytes, which have to be random.
    #[must_use]
    pub const fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// Reads the text of a key file: a line that says what it is, and a line of 64 hexadecimal digits.
    ///
    /// # Errors
    /// Says which line is not in its form, and never what it holds.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(KeyError::Form);
        }
        let digits = lines.next().unwrap_or_default().as_bytes();
        let mut bytes = [0; KEY_BYTES];
        if digits.len() != 2 * KEY_BYTES || lines.any(|line| !line.is_empty()) {
            return Err(KeyError::Digits);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let text = std::str::from_utf8(pair).ok().filter(|text| text.bytes().all(|digit| digit.is_ascii_hexdigit()));
            *byte = text.and_then(|text| u8::from_str_radix(text, 16).ok()).ok_or(KeyError::Digits)?;
        }
        Ok(Self(bytes))
    }

    /// The text of its file.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{FIRST_LINE}\n{}\n", crate::feature::hex(&self.0))
    }

    /// What tells keys apart and nothing of the key: 16 hexadecimal digits. Models carry it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        crate::feature::hex(&self.derive::<8>("fingerprint"))
    }

    /// The key of a purpose.
    pub(super) fn derive<const BYTES: usize>(&self, purpose: &str) -> [u8; BYTES] {
        let mut derived = [0; BYTES];
        // Fails beyond 8160 bytes alone.
        let _ = Hkdf::<Sha256>::new(Some(FIRST_LINE.as_bytes()), &self.0).expand(purpose.as_bytes(), &mut derived);
        derived
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_file_and_is_never_shown() {
        let key = Key::new(std::array::from_fn(|n| n as u8 + 200));
        assert_eq!(Key::parse(&key.text()), Ok(key.clone()));
        let shown = format!("{key:?}");
        assert!(shown.contains(&key.fingerprint()) && !shown.contains("c8c9"), "{shown}");
        assert_ne!(key.fingerprint(), Key::new([1; 32]).fingerprint());
        assert_ne!(key.derive::<16>("a"), key.derive::<16>("b"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let good = Key::new([7; 32]).text();
        for (text, error) in [
            (String::new(), KeyError::Form),
            (good.replace('1', "2"), KeyError::Form),
            (good.replace("07", "0g"), KeyError::Digits),
            (good.replacen("07", "+7", 1), KeyError::Digits),
            (good.trim_end().to_owned() + "07", KeyError::Digits),
            (good.clone() + "07\n", KeyError::Digits),
            (good.lines().next().unwrap().to_owned(), KeyError::Digits),
        ] {
            assert_eq!(Key::parse(&text), Err(error), "{text}");
        }
    }
}

//! Names that were hashed, sealed so that the key alone opens them.

use std::collections::BTreeMap;

use aes_gcm::{AeadInPlace as _, Aes256Gcm, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::key::Key;
use super::name::{Label, Names};

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// What is no sealed name of this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no name that this key has sealed")]
pub struct SealError;

/// Seals labels of names, one a line: AES-256-GCM, the nonce being a keyed hash of what is sealed, so that the same label gives
/// the same line and no nonce comes twice.
pub struct Seal {
    cipher: Aes256Gcm,
    nonces: Hmac<Sha256>,
}

impl Seal {
    /// The seal of a key.
    #[must_use]
    pub fn new(key: &Key) -> Self {
        let nonces: [u8; 64] = key.derive("nonces of sealed names");
        let cipher = Aes256Gcm::new(&key.derive::<32>("sealed names").into());
        Self { cipher, nonces: <Hmac<Sha256> as hmac::Mac>::new(&nonces.into()) }
    }

    /// The line of a label, without its end.
    #[must_use]
    pub fn seal(&self, label: &Label) -> String {
        let mut body = vec![u8::from(label.is_short)];
        body.extend(label.label.as_bytes());
        body.push(0);
        body.extend(label.parent.as_bytes());
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&self.nonces.clone().chain_update(&body).finalize().into_bytes()[..NONCE_BYTES]);
        // Fails beyond gigabytes alone; then the line is one that opens to nothing.
        let tag = self.cipher.encrypt_in_place_detached(&nonce.into(), &[], &mut body).unwrap_or_default();
        BASE64.encode([&nonce[..], &body, &tag].concat())
    }

    /// The label of a line.
    ///
    /// # Errors
    /// When the line is damaged, or sealed with another key.
    pub fn open(&self, line: &str) -> Result<Label, SealError> {
        let mut bytes = BASE64.decode(line.trim_end()).map_err(|_| SealError)?;
        let (nonce, rest) = bytes.split_first_chunk_mut::<NONCE_BYTES>().ok_or(SealError)?;
        let (body, tag) = rest.split_last_chunk_mut::<TAG_BYTES>().ok_or(SealError)?;
        self.cipher.decrypt_in_place_detached(&(*nonce).into(), &[], body, &(*tag).into()).map_err(|_| SealError)?;
        let (short, text) = body.split_first().ok_or(SealError)?;
        let (label, parent) = std::str::from_utf8(text).ok().and_then(|text| text.split_once('\0')).ok_or(SealError)?;
        Ok(Label { label: label.to_owned(), parent: parent.to_owned(), is_short: *short == 1 })
    }
}

/// What pseudonyms of labels stand for.
pub struct Dictionary {
    seal: Seal,
    names: Names,
    labels: BTreeMap<String, String>,
}

impl Dictionary {
    /// One that is empty.
    #[must_use]
    pub fn new(key: &Key) -> Self {
        Self { seal: Seal::new(key), names: Names::new(key), labels: BTreeMap::new() }
    }

    /// Takes a sealed line.
    ///
    /// # Errors
    /// When the line is damaged, or sealed with another key.
    pub fn take(&mut self, line: &str) -> Result<(), SealError> {
        let label = self.seal.open(line)?;
        self.labels.insert(self.names.label(&label), label.label);
        Ok(())
    }

    /// What a pseudonym stands for, if it is known.
    #[must_use]
    pub fn get(&self, pseudonym: &str) -> Option<&str> {
        self.labels.get(pseudonym).map(String::as_str)
    }

    /// Pseudonyms that are known.
    pub fn pseudonyms(&self) -> impl Iterator<Item = &str> {
        self.labels.keys().map(String::as_str)
    }

    /// How many labels it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Does it know none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_by_its_key_alone() {
        let (seal, other) = (Seal::new(&Key::new([1; 32])), Seal::new(&Key::new([2; 32])));
        let label = Label { label: "Pacs".into(), parent: "hospital.example".into(), is_short: false };
        let line = seal.seal(&label);
        assert_eq!((seal.open(&line), other.open(&line)), (Ok(label.clone()), Err(SealError)));
        assert_eq!(seal.seal(&label), line, "the same again is seen to be the same");
        let mut damaged = line.clone().into_bytes();
        damaged[30] ^= 1;
        assert_eq!(seal.open(std::str::from_utf8(&damaged).unwrap()), Err(SealError));
        assert!((0..line.len()).all(|end| seal.open(&line[..end]).is_err()));
    }

    #[test]
    fn a_dictionary_says_what_a_pseudonym_stands_for() {
        let key = Key::new([3; 32]);
        let (seal, names, mut dictionary) = (Seal::new(&key), Names::new(&key), Dictionary::new(&key));
        let hidden = names.name("PACS.hospital.example", |label, _| dictionary.take(&seal.seal(&label)).unwrap());
        let told: Vec<_> = hidden.split('.').map(|label| dictionary.get(label).unwrap_or(label)).collect();
        assert_eq!((told.join("."), dictionary.len()), ("PACS.hospital.example".to_owned(), 2));
        assert!(dictionary.take("nonsense").is_err() && dictionary.get("n-aaaaaaaaaaaaaaaa").is_none());
    }
}

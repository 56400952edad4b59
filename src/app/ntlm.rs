//! NTLM inside other protocols: which of its messages were seen, and the computer that asked for a proof (MS-NLMP, 2.2).

use serde::Serialize;

use super::count::bump;
use super::logins::Logins;
use super::reader::Reader;
use super::text::{HOST_BYTES, printable};

const SIGNATURE: &[u8] = b"NTLMSSP\0";
/// Bytes of a message in which the signature is looked for.
const MOST_SEARCHED: usize = 1024;
/// Attributes of a challenge that are read; a real one has some eight.
const MOST_ATTRIBUTES: usize = 16;

/// NTLM messages by their kind; no name of a user is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NtlmFacts {
    /// Messages of type 1: the client opens.
    #[serde(rename = "ntlm_negotiate")]
    pub negotiate: u32,
    /// Messages of type 2: the server asks for a proof.
    #[serde(rename = "ntlm_challenge")]
    pub challenge: u32,
    /// Messages of type 3: the client proves who it is.
    #[serde(rename = "ntlm_authenticate")]
    pub authenticate: u32,
    /// The server's own name in its challenge: the DNS name of the computer, else its NetBIOS name; up to 253 characters.
    #[serde(rename = "ntlm_server")]
    pub server: Option<Box<str>>,
    /// Who proves it.
    #[serde(skip)]
    pub logins: Logins,
}

impl NtlmFacts {
    /// Finds a message that is carried in these bytes.
    pub(super) fn search(&mut self, bytes: &[u8]) {
        let searched = bytes.get(..MOST_SEARCHED).unwrap_or(bytes);
        let found = searched.windows(SIGNATURE.len()).position(|window| window == SIGNATURE);
        if let Some(message) = found.and_then(|at| bytes.get(at..)) {
            self.message(message);
        }
    }

    fn message(&mut self, message: &[u8]) {
        let mut reader = Reader(message);
        reader.take(SIGNATURE.len());
        match reader.array().map(u32::from_le_bytes) {
            Some(1) => bump(&mut self.negotiate),
            Some(2) => {
                bump(&mut self.challenge);
                self.server = server(message).or_else(|| self.server.take());
            }
            Some(3) => {
                self.logins.ask(&user(message).map(narrow).unwrap_or_default());
                bump(&mut self.authenticate);
            }
            _ => {}
        }
    }
}

/// Who proves to be somebody; in a character set of old where that was not agreed on otherwise, which is passed over.
fn user(message: &[u8]) -> Option<&[u8]> {
    let is_wide = u32::from_le_bytes(message.get(60..64)?.try_into().ok()?) & 1 != 0;
    part(message, 36).filter(|_| is_wide)
}

/// A part of a message, whose length and place stand at `at`.
fn part(message: &[u8], at: usize) -> Option<&[u8]> {
    let mut field = Reader(message.get(at..at + 8)?);
    let bytes = usize::from(u16::from_le_bytes(field.array()?));
    field.take(2)?;
    let from = u32::from_le_bytes(field.array()?) as usize;
    message.get(from..from.checked_add(bytes)?)
}

/// The computer's name among the attributes of a challenge.
fn server(message: &[u8]) -> Option<Box<str>> {
    let mut attributes = Reader(part(message, 40)?);
    let mut netbios = None;
    for _ in 0..MOST_ATTRIBUTES {
        let kind = attributes.array().map(u16::from_le_bytes)?;
        let bytes = attributes.array().map(u16::from_le_bytes)?;
        let value = attributes.take(bytes.into())?;
        match kind {
            0 => break,
            1 => netbios = Some(value),
            3 => return Some(wide(value)),
            _ => {}
        }
    }
    netbios.map(wide)
}

/// UTF-16 as printable text; what is beyond ASCII is escaped.
pub(super) fn wide(bytes: &[u8]) -> Box<str> {
    printable(&narrow(bytes), HOST_BYTES)
}

/// The low bytes of UTF-16, with 0xff for a character that has more.
pub(super) fn narrow(bytes: &[u8]) -> Vec<u8> {
    bytes.as_chunks().0.iter().map(|[low, high]| if *high == 0 { *low } else { 0xff }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(attributes: &[(u16, &str)]) -> Vec<u8> {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let list: Vec<u8> = attributes
            .iter()
            .flat_map(|(kind, text)| [&kind.to_le_bytes()[..], &(text.len() as u16 * 2).to_le_bytes(), &wide(text)].concat())
            .chain([0; 4])
            .collect();
        let field = [&(list.len() as u16).to_le_bytes()[..], &(list.len() as u16).to_le_bytes(), &56_u32.to_le_bytes()].concat();
        [b"spnego wraps it NTLMSSP\0", &2_u32.to_le_bytes()[..], &[0; 28], &field, &[0; 8], &list].concat()
    }

    #[test]
    fn the_server_names_itself() {
        let mut ntlm = NtlmFacts::default();
        ntlm.search(b"\x60\x28NTLMSSP\0\x01\0\0\0\x07");
        ntlm.search(&challenge(&[(2, "WARD"), (1, "PACS01"), (3, "pacs01.ward.example")]));
        ntlm.search(b"NTLMSSP\0\x03\0\0\0");
        assert_eq!((ntlm.negotiate, ntlm.challenge, ntlm.authenticate), (1, 1, 1));
        assert_eq!(ntlm.server.as_deref(), Some("pacs01.ward.example"));
        let mut ntlm = NtlmFacts::default();
        ntlm.search(&challenge(&[(2, "WARD"), (1, "PACS01")]));
        assert_eq!(ntlm.server.as_deref(), Some("PACS01"));
    }

    #[test]
    fn a_challenge_that_is_cut_names_nobody_else() {
        let whole = challenge(&[(1, "PACS01")]);
        for end in 0..whole.len() {
            let mut ntlm = NtlmFacts::default();
            ntlm.search(&whole[..end]);
            assert!(ntlm.server.is_none() || ntlm.server.as_deref() == Some("PACS01"), "cut at {end}");
        }
    }
}

//! NTLM inside other protocols: which of its messages were seen, and the computer that asked for a proof (MS-NLMP, 2.2).

use serde::Serialize;

use super::count::bump;
use super::reader::Reader;
use super::text::{HOST_BYTES, printable};

const SIGNATURE: &[u8] = b"NTLMSSP\0";
/// Bytes of a message in which the signature is looked for.
const MOST_SEARCHED: usize = 1024;
/// Attributes of a challenge that are read; a real one has some eight.
const MOST_ATTRIBUTES: usize = 16;

/// NTLM messages by their kind; no name of a user is read.
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
            Some(3) => bump(&mut self.authenticate),
            _ => {}
        }
    }
}

/// The computer's name among the attributes of a challenge.
fn server(message: &[u8]) -> Option<Box<str>> {
    let mut field = Reader(message.get(40..48)?);
    let bytes = usize::from(u16::from_le_bytes(field.array()?));
    field.take(2)?;
    let from = u32::from_le_bytes(field.array()?) as usize;
    let mut attributes = Reader(message.get(from..from.checked_add(bytes)?)?);
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

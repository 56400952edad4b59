//! LDAP: operations by kind, how clients log in, and how servers answer (RFC 4511, 4). No name, filter or value is kept.

use serde::Serialize;

use super::ber::{element, find, inside, number, whole_bytes};
use super::count::{bump, note};
use super::frames::{Frames, Span};
use super::listen::{Heard, Listen, Place};
use super::logins::Logins;
use super::ntlm::NtlmFacts;
use super::reader::Reader;
use super::starttls::StartTls;

/// As much of a message is waited for: a login with its token.
const WANTED_BYTES: u32 = 512;
/// Longer messages are taken for a lost place.
const MOST_BYTES: u32 = 16 << 20;
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
const MECHANISMS: [&str; 9] =
    ["GSSAPI", "GSS-SPNEGO", "EXTERNAL", "PLAIN", "DIGEST-MD5", "CRAM-MD5", "NTLM", "SCRAM-SHA-1", "SCRAM-SHA-256"];

const FRAMES: Frames = Frames { head_bytes: 6, span };

/// Operations by their kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LdapOperations {
    /// Logins.
    pub bind: u32,
    /// Ends.
    pub unbind: u32,
    /// Searches.
    pub search: u32,
    /// Entries that searches found.
    pub search_entry: u32,
    /// References to other servers that searches found.
    pub search_reference: u32,
    /// Changes of entries.
    pub modify: u32,
    /// New entries.
    pub add: u32,
    /// Deletions.
    pub delete: u32,
    /// New names.
    pub modify_dn: u32,
    /// Comparisons.
    pub compare: u32,
    /// Extended requests.
    pub extended: u32,
    /// Operations that were given up.
    pub abandon: u32,
}

/// Answers by their result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LdapResults {
    /// Done (0), a comparison's answer (5, 6), or a login that goes on (14).
    pub success: u32,
    /// The login is wrong (49).
    pub invalid_credentials: u32,
    /// It is not allowed (50), or not without a stronger login (8).
    pub denied: u32,
    /// There is no such object (32).
    pub no_such_object: u32,
    /// Any other.
    pub other: u32,
}

/// Searches by how deep they go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LdapScopes {
    /// The entry itself.
    pub base: u32,
    /// What is directly below it.
    pub one_level: u32,
    /// All that is below it.
    pub subtree: u32,
}

/// Facts of an LDAP connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LdapFacts {
    /// Operations by their kind.
    pub operations: LdapOperations,
    /// Answers by their result.
    pub results: LdapResults,
    /// Searches by how deep they go.
    pub scopes: LdapScopes,
    /// How clients log in: `anonymous`, `simple` (a password in the clear), `sasl`, `sicily` (NTLM of an old kind).
    pub binds: Vec<&'static str>,
    /// Mechanisms of SASL, out of a fixed list, else `other`.
    pub mechanisms: Vec<&'static str>,
    /// Version that the client names.
    pub version: u8,
    /// Did the client ask for encryption?
    pub starttls: bool,
    /// The handshake that followed.
    pub tls: StartTls,
    /// Is what follows the login signed or encrypted by its mechanism?
    pub sealed: bool,
    /// NTLM in the logins.
    #[serde(flatten)]
    pub ntlm: NtlmFacts,
    /// Who logs in.
    #[serde(skip)]
    pub logins: Logins,
}

impl Listen for LdapFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        if let Some(wants_more) = self.tls.hear(self.starttls, heard, place) {
            return wants_more;
        }
        if heard.ports.is_tcp() {
            FRAMES.walk(place, &heard.payload, |message| self.message(message));
        } else {
            self.message(heard.payload.bytes);
        }
        true
    }
}

impl LdapFacts {
    fn message(&mut self, message: &[u8]) {
        if message.first() == Some(&0) {
            self.sealed = true;
            return;
        }
        let Some(mut fields) = inside(message, 0x30).map(Reader) else { return };
        let (Some((0x02, _)), Some((tag, body))) = (element(&mut fields), element(&mut fields)) else { return };
        let operations = &mut self.operations;
        match tag {
            0x60 => bump(&mut operations.bind),
            0x42 => bump(&mut operations.unbind),
            0x63 => bump(&mut operations.search),
            0x64 => bump(&mut operations.search_entry),
            0x73 => bump(&mut operations.search_reference),
            0x66 => bump(&mut operations.modify),
            0x68 => bump(&mut operations.add),
            0x4a => bump(&mut operations.delete),
            0x6c => bump(&mut operations.modify_dn),
            0x6e => bump(&mut operations.compare),
            0x77 => bump(&mut operations.extended),
            0x50 => bump(&mut operations.abandon),
            _ => {}
        }
        let _ = match tag {
            0x60 => self.bind(body),
            0x63 => self.scope(body),
            0x77 => {
                self.starttls |= find(body, 0x80) == Some(START_TLS);
                None
            }
            0x61 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x78 => self.result(tag, body),
            _ => None,
        };
    }

    fn bind(&mut self, body: &[u8]) -> Option<()> {
        let mut reader = Reader(body);
        let (_, version) = element(&mut reader)?;
        self.version = version.first().copied()?;
        let (_, name) = element(&mut reader)?;
        let (choice, value) = element(&mut reader)?;
        let kind = match choice {
            0x80 if value.is_empty() => "anonymous",
            0x80 => "simple",
            0xa3 => "sasl",
            _ => "sicily",
        };
        note(&mut self.binds, kind);
        if choice == 0xa3 {
            let mechanism = inside(value, 0x04)?;
            let known = MECHANISMS.iter().find(|known| mechanism.eq_ignore_ascii_case(known.as_bytes()));
            note(&mut self.mechanisms, known.copied().unwrap_or("other"));
        }
        if choice == 0x80 {
            // Without a password whoever is named is nobody (RFC 4513, 5.1.2).
            self.logins.ask(if value.is_empty() { b"" } else { name });
        } else {
            self.ntlm.logins.ask(b"");
            self.ntlm.search(value);
            self.logins.ask_as(self.ntlm.logins);
        }
        Some(())
    }

    fn scope(&mut self, body: &[u8]) -> Option<()> {
        let mut reader = Reader(body);
        element(&mut reader)?;
        let (0x0a, scope) = element(&mut reader)? else { return None };
        bump(match number(scope)? {
            0 => &mut self.scopes.base,
            1 => &mut self.scopes.one_level,
            2 => &mut self.scopes.subtree,
            _ => return None,
        });
        Some(())
    }

    fn result(&mut self, tag: u8, body: &[u8]) -> Option<()> {
        let results = &mut self.results;
        let code = number(inside(body, 0x0a)?)?;
        match code {
            0 if tag == 0x61 => self.logins.admit(),
            49 if tag == 0x61 => self.logins.refuse(),
            _ => {}
        }
        bump(match code {
            0 | 5 | 6 | 14 => &mut results.success,
            49 => &mut results.invalid_credentials,
            8 | 50 => &mut results.denied,
            32 => &mut results.no_such_object,
            _ => &mut results.other,
        });
        if tag == 0x61 {
            self.ntlm.search(body);
        }
        Some(())
    }
}

/// A message, or a sealed one behind its length in four bytes (RFC 4422, 3.7).
fn span(bytes: &[u8]) -> Option<Span> {
    let length = match bytes {
        [0x30, ..] => whole_bytes(bytes)?,
        [0, b, c, d, 0x60 | 5 | 1, ..] => u32::from_be_bytes([0, *b, *c, *d]) + 4,
        _ => return None,
    };
    (5..MOST_BYTES).contains(&length).then_some(Span { bytes: length, wanted: WANTED_BYTES })
}

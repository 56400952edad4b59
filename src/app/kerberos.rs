//! Kerberos: messages and errors by kind, the realm, the kinds of encryption and of services (RFC 4120, 5). No name of a user and no
//! instance of a service is kept.

use serde::Serialize;

use super::ber::{element, find, inside, number};
use super::count::{bump, note};
use super::frames::{Frames, Span};
use super::listen::{Heard, Listen, Place};
use super::logins::Logins;
use super::reader::Reader;
use super::text::{HOST_BYTES, printable};

/// As much of a message is waited for: a ticket with its groups is in front of what a TGS request asks for.
const WANTED_BYTES: u32 = 12 << 10;
/// Longer messages are taken for a lost place.
const MOST_BYTES: u32 = 1 << 17;
/// Kinds of encryption that are read of an offer.
const MOST_ETYPES: usize = 16;
/// Classes of services that have names here; any other is `other`.
const SERVICES: [&str; 24] = [
    "krbtgt",
    "cifs",
    "http",
    "ldap",
    "host",
    "mssqlsvc",
    "gc",
    "dns",
    "rpcss",
    "rpc",
    "termsrv",
    "wsman",
    "restrictedkrbhost",
    "kadmin",
    "nfs",
    "imap",
    "smtp",
    "pop",
    "ftp",
    "exchangemdb",
    "exchangerfr",
    "exchangeab",
    "postgres",
    "hdfs",
];

const FRAMES: Frames = Frames { head_bytes: 5, span };

/// Messages by their kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KerberosMessages {
    /// Requests for a first ticket.
    pub as_req: u32,
    /// Answers with it.
    pub as_rep: u32,
    /// Requests for a service's ticket.
    pub tgs_req: u32,
    /// Answers with it.
    pub tgs_rep: u32,
    /// Tickets that are shown to a service.
    pub ap_req: u32,
    /// Its answers.
    pub ap_rep: u32,
    /// Errors.
    pub error: u32,
}

/// Errors by their code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KerberosErrors {
    /// A proof is asked for first (25): the usual start.
    pub preauth_required: u32,
    /// The proof is wrong (24): a wrong password.
    pub preauth_failed: u32,
    /// There is no such client (6).
    pub unknown_principal: u32,
    /// There is no such service (7).
    pub unknown_service: u32,
    /// The client is locked or disabled (18).
    pub revoked: u32,
    /// Any other.
    pub other: u32,
}

/// Facts of Kerberos.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KerberosFacts {
    /// Messages by their kind.
    pub messages: KerberosMessages,
    /// Errors by their code.
    pub errors: KerberosErrors,
    /// The realm that was first asked for: the name of a domain, up to 253 characters.
    pub realm: Option<Box<str>>,
    /// Kinds of encryption that requests offered: `aes256`, `aes128`, `rc4`, `des3`, `des`, `other`.
    pub etypes: Vec<&'static str>,
    /// Requests that offer RC4, DES or triple DES and nothing stronger.
    pub rc4_only_requests: u32,
    /// Answers whose ticket, or whose own part in a first one, is sealed under one of these.
    pub weak_tickets: u32,
    /// Requests for a first ticket that bring their proof along.
    pub preauthenticated: u32,
    /// Classes of the services that tickets were asked for, the part before the slash, out of a fixed list (`krbtgt`, `cifs`), else `other`.
    pub services: Vec<&'static str>,
    /// Who logs in.
    #[serde(skip)]
    pub logins: Logins,
}

impl Listen for KerberosFacts {
    const MOST_LOOKS: Option<u8> = None;

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        if heard.ports.is_tcp() {
            FRAMES.walk(place, &heard.payload, |message| self.message(message.get(4..).unwrap_or_default()));
        } else {
            self.message(heard.payload.bytes);
        }
        true
    }
}

impl KerberosFacts {
    fn message(&mut self, message: &[u8]) {
        let Some((tag, body)) = element(&mut Reader(message)) else { return };
        let Some(fields) = inside(body, 0x30) else { return };
        let messages = &mut self.messages;
        bump(match tag {
            0x6a => &mut messages.as_req,
            0x6b => &mut messages.as_rep,
            0x6c => &mut messages.tgs_req,
            0x6d => &mut messages.tgs_rep,
            0x6e => &mut messages.ap_req,
            0x6f => &mut messages.ap_rep,
            0x7e => &mut messages.error,
            _ => return,
        });
        let _ = match tag {
            0x6a | 0x6c => self.request(tag, fields),
            0x6b | 0x6d => self.answer(tag, fields),
            0x7e => self.error(fields),
            _ => None,
        };
    }

    fn request(&mut self, tag: u8, fields: &[u8]) -> Option<()> {
        self.logins.ask(b"");
        if tag == 0x6a && find(fields, 0xa3).is_some_and(has_proof) {
            bump(&mut self.preauthenticated);
        }
        let body = inside(find(fields, 0xa4)?, 0x30)?;
        if tag == 0x6a {
            self.logins.ask(find(body, 0xa1).and_then(first_part).unwrap_or_default());
        }
        self.realm(find(body, 0xa2));
        if let Some(name) = find(body, 0xa3) {
            self.service(name);
        }
        self.offer(inside(find(body, 0xa8)?, 0x30)?);
        Some(())
    }

    fn offer(&mut self, list: &[u8]) {
        let mut reader = Reader(list);
        let (mut has_any, mut has_stronger) = (false, false);
        for (_, kind) in (0..MOST_ETYPES).map_while(|_| element(&mut reader)) {
            // Those above 0 are kinds of encryption; Windows's own have negative numbers.
            let Some(kind) = number(kind).filter(|kind| *kind > 0) else { continue };
            let name = etype(kind);
            note(&mut self.etypes, name);
            has_stronger |= !is_weak(name);
            has_any = true;
        }
        if has_any && !has_stronger {
            bump(&mut self.rc4_only_requests);
        }
    }

    fn answer(&mut self, tag: u8, fields: &[u8]) -> Option<()> {
        self.realm(find(fields, 0xa3));
        if tag == 0x6b {
            self.logins.admit();
        }
        let ticket = inside(inside(find(fields, 0xa5)?, 0x61)?, 0x30)?;
        // What the client opens of a first answer is sealed with its password.
        let own = find(fields, 0xa6).filter(|_| tag == 0x6b);
        let parts = [find(ticket, 0xa3), own].into_iter().flatten();
        if parts.filter_map(sealed_with).any(is_weak) {
            bump(&mut self.weak_tickets);
        }
        Some(())
    }

    fn error(&mut self, fields: &[u8]) -> Option<()> {
        let errors = &mut self.errors;
        let code = number(inside(find(fields, 0xa6)?, 0x02)?)?;
        if matches!(code, 6 | 24) {
            self.logins.refuse();
        }
        bump(match code {
            6 => &mut errors.unknown_principal,
            7 => &mut errors.unknown_service,
            18 => &mut errors.revoked,
            24 => &mut errors.preauth_failed,
            25 => &mut errors.preauth_required,
            _ => &mut errors.other,
        });
        self.realm(find(fields, 0xa9));
        Some(())
    }

    fn realm(&mut self, field: Option<&[u8]>) {
        let realm = field.and_then(|field| inside(field, 0x1b)).filter(|realm| !realm.is_empty());
        if let (Some(realm), None) = (realm, &self.realm) {
            self.realm = Some(printable(realm, HOST_BYTES));
        }
    }

    /// Notes the first part of a service's name.
    fn service(&mut self, name: &[u8]) -> Option<()> {
        let class = first_part(name)?;
        // A name of one part, or with its instance in the same part.
        let class = class.split(|b| *b == b'/').next()?;
        let known = SERVICES.iter().find(|known| class.eq_ignore_ascii_case(known.as_bytes()));
        note(&mut self.services, known.copied().unwrap_or("other"));
        Some(())
    }
}

/// The first part of a name.
fn first_part(name: &[u8]) -> Option<&[u8]> {
    inside(inside(find(inside(name, 0x30)?, 0xa1)?, 0x30)?, 0x1b)
}

/// Is an encrypted time among what comes before a request, or another proof: a public key, a protected channel (RFC 6113), which hides it?
fn has_proof(list: &[u8]) -> bool {
    let mut reader = Reader(inside(list, 0x30).unwrap_or_default());
    let kind = |entry: &[u8]| number(inside(find(entry, 0xa1)?, 0x02)?);
    (0..16).map_while(|_| element(&mut reader)).any(|(_, entry)| matches!(kind(entry), Some(2 | 16 | 136 | 138)))
}

/// The kind of encryption of a part that is sealed.
fn sealed_with(part: &[u8]) -> Option<&'static str> {
    let sealed = inside(part, 0x30)?;
    Some(etype(number(inside(find(sealed, 0xa0)?, 0x02)?)?))
}

/// Is it so weak that a password can be guessed from what it seals?
fn is_weak(etype: &str) -> bool {
    matches!(etype, "rc4" | "des3" | "des")
}

fn etype(kind: i32) -> &'static str {
    match kind {
        1..=3 => "des",
        5 | 7 | 16 => "des3",
        17 | 19 => "aes128",
        18 | 20 => "aes256",
        23 | 24 => "rc4",
        _ => "other",
    }
}

/// A message behind its length in four bytes (RFC 4120, 7.2.2).
fn span(bytes: &[u8]) -> Option<Span> {
    let [a, b, c, d, tag, ..] = bytes else { return None };
    let length = u32::from_be_bytes([*a, *b, *c, *d]);
    let is_sound = matches!(tag, 0x6a..=0x6f | 0x7e) && (10..MOST_BYTES).contains(&length);
    is_sound.then_some(Span { bytes: length + 4, wanted: WANTED_BYTES })
}

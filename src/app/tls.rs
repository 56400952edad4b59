//! TLS: what the handshake says in the clear (RFC 8446, RFC 5246). The same facts of DTLS: see [`super::dtls`]; within another
//! protocol's connection: see [`super::starttls`]. Which side sends a hello is told by the hello.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::certificate::Certificate;
use super::held::Message;
use super::hello::{self, CLIENT_HELLO, Carrier, SERVER_HELLO};
use super::listen::{Heard, Listen, Payload, Place};
use super::reader::Reader;
use super::{Side, cipher, framing};

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const HEARTBEAT: u8 = 24;
/// Bytes of a heartbeat before its payload (RFC 6520, 4).
const HEARTBEAT_HEAD_BYTES: u16 = 3;

/// The kind of a handshake's message that holds a certificate.
const CERTIFICATE: u8 = 11;

const TLS_1_2: u16 = 0x0303;
const TLS_1_3: u16 = 0x0304;

/// Facts of a TLS or DTLS connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TlsFacts {
    /// Server name that the client asked for, up to 253 characters.
    #[serde(rename = "sni")]
    pub server_name: Option<Box<str>>,
    /// Newest version that the client offers (0x0301 is TLS 1.0, 0x0304 TLS 1.3, 0xfefd DTLS 1.2); 0 when its hello was not
    /// seen.
    #[serde(serialize_with = "version")]
    pub version_offered: u16,
    /// Version that the server chose; 0 when its hello was not seen.
    #[serde(rename = "version", serialize_with = "version")]
    pub version_chosen: u16,
    /// Application protocol: the server's choice where it is in the clear, else the client's first offer; up to 64 characters.
    pub alpn: Option<Box<str>>,
    /// Cipher suite that the server chose, by IANA's number; 0 when its hello was not seen.
    #[serde(serialize_with = "cipher_name")]
    pub cipher: u16,
    /// JA3 of the client's hello: 32 hexadecimal digits of MD5.
    pub ja3: Option<Box<str>>,
    /// JA3S of the server's hello, in the same form.
    pub ja3s: Option<Box<str>>,
    /// JA4 of the client's hello (`t13d1516h2_8daaf6152771_e5627efa2ab1`).
    pub ja4: Option<Box<str>>,
    /// The server's own certificate, up to TLS 1.2; later versions encrypt it.
    pub certificate: Option<Box<Certificate>>,
    /// Is the certificate of the kind that Tor's servers make up, and not for the name that the client asked for? Told up to
    /// TLS 1.2 alone.
    pub tor_like: bool,
    /// Alerts in the clear, from both sides.
    pub alerts: u16,
    /// What the last of them says (RFC 8446, 6): 40 is a failed handshake, 48 an unknown authority.
    pub last_alert: u8,
    /// Did a heartbeat that says that it is longer than it is get an answer, which holds what was in the other end's memory (Heartbleed, CVE-2014-0160)? Told
    /// where both are in the clear.
    pub heartbleed: bool,
    /// Who sent such a heartbeat last, and the bytes that it had.
    #[serde(skip)]
    pub asked_too_much: Option<(Side, u16)>,
}

/// As EVE spells it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn version<S: Serializer>(version: &u16, serializer: S) -> Result<S::Ok, S::Error> {
    match version {
        0 => serializer.serialize_none(),
        0x0300 => serializer.serialize_str("SSLv3"),
        0x0301 => serializer.serialize_str("TLSv1"),
        0x0302 => serializer.serialize_str("TLS 1.1"),
        0x0303 => serializer.serialize_str("TLS 1.2"),
        0x0304 => serializer.serialize_str("TLS 1.3"),
        0xfeff => serializer.serialize_str("DTLS 1.0"),
        0xfefd => serializer.serialize_str("DTLS 1.2"),
        0xfefc => serializer.serialize_str("DTLS 1.3"),
        other => serializer.collect_str(&format_args!("0x{other:04x}")),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn cipher_name<S: Serializer>(cipher: &u16, serializer: S) -> Result<S::Ok, S::Error> {
    match cipher {
        0 => serializer.serialize_none(),
        cipher => serializer.serialize_str(&cipher::name(*cipher)),
    }
}

impl Listen for TlsFacts {
    /// A hello and a certificate in small packets.
    const MOST_LOOKS: Option<u8> = Some(32);

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        let has_ended = if heard.ports.is_udp() {
            self.datagram(heard.payload.bytes)
        } else {
            self.flight(&heard.payload, place);
            self.records(&heard.payload, place)
        };
        !has_ended && !is_encrypted_after_hello(self.version_chosen)
    }
}

impl TlsFacts {
    /// Counts the alerts among the records that start in this payload. Returns whether the clear part of the handshake is over.
    fn records(&mut self, payload: &Payload<'_>, place: &mut Place) -> bool {
        let mut has_ended = false;
        framing::messages(&mut place.skip, payload.bytes, payload.wire_bytes, |record| {
            let [kind @ CHANGE_CIPHER_SPEC..=HEARTBEAT, 3, 0..=4, high, low, body @ ..] = record else { return None };
            let bytes = u16::from_be_bytes([*high, *low]);
            match (*kind, bytes, body) {
                (CHANGE_CIPHER_SPEC | APPLICATION_DATA, ..) => has_ended |= self.version_chosen != 0,
                (ALERT, 2, [1 | 2, code, ..]) => self.alert(*code),
                (HEARTBEAT, _, [1, high, low, ..]) if self.version_chosen != 0 => {
                    let is_too_much = u16::from_be_bytes([*high, *low]).saturating_add(HEARTBEAT_HEAD_BYTES) > bytes;
                    self.asked_too_much = is_too_much.then_some((payload.side, bytes));
                }
                (HEARTBEAT, _, [2, ..]) => {
                    let is_more = |(side, asked)| side != payload.side && bytes > asked;
                    self.heartbleed |= self.asked_too_much.take().is_some_and(is_more);
                }
                _ => {}
            }
            Some(5 + u32::from(bytes))
        });
        has_ended
    }

    pub(super) fn alert(&mut self, code: u8) {
        self.alerts = self.alerts.saturating_add(1);
        self.last_alert = code;
    }

    /// Reads what a side says from its hello on, or goes on with what did not fit the payloads before.
    fn flight(&mut self, payload: &Payload<'_>, place: &mut Place) {
        let is_start = !place.held.is_waiting();
        if is_start && !is_hello(payload.bytes) {
            return;
        }
        match place.held.message(payload.bytes, payload.may_hold && payload.is_whole(), needed) {
            Message::Whole(stream) => self.messages(stream),
            // The rest may never come.
            Message::Part | Message::Lost if is_start => self.messages(payload.bytes),
            Message::Part | Message::Lost => {}
        }
    }

    fn messages(&mut self, stream: &[u8]) {
        let handshake = Handshake::of(stream);
        let mut reader = Reader(&handshake.bytes);
        while let Some((kind, bytes)) = header(&mut reader) {
            let body = reader.take(bytes);
            match (kind, body) {
                (CLIENT_HELLO, _) => self.client_hello(body.unwrap_or(reader.0), body.is_some(), Carrier::Tls),
                (SERVER_HELLO, Some(body)) => self.server_hello(body),
                (CERTIFICATE, _) => self.certificates(body.unwrap_or(reader.0)),
                _ => {}
            }
            if body.is_none() {
                return;
            }
        }
    }

    /// Takes what a client's hello tells that was not told before.
    pub(super) fn client_hello(&mut self, body: &[u8], is_whole: bool, carrier: Carrier) {
        let Some(hello) = hello::client(body, is_whole, carrier) else { return };
        self.version_offered = hello::newer(self.version_offered, hello.version);
        self.server_name = self.server_name.take().or(hello.server_name);
        self.alpn = self.alpn.take().or(hello.alpn);
        self.ja3 = self.ja3.take().or(hello.ja3);
        self.ja4 = self.ja4.take().or(hello.ja4);
    }

    pub(super) fn server_hello(&mut self, body: &[u8]) {
        let Some(hello) = hello::server(body) else { return };
        (self.version_chosen, self.cipher) = (hello.version, hello.cipher);
        self.alpn = hello.alpn.or(self.alpn.take());
        self.ja3s = hello.ja3s.or(self.ja3s.take());
    }

    /// Reads the first certificate of a chain, if it is whole.
    pub(super) fn certificates(&mut self, body: &[u8]) {
        if self.certificate.is_some() || self.version_chosen == 0 {
            return;
        }
        let Some((certificate, has_tor_names)) = first_certificate(body).and_then(Certificate::read) else { return };
        self.tor_like = has_tor_names && self.server_name != certificate.subject;
        self.certificate = Some(Box::new(certificate));
    }
}

/// Does this version, or a draft of it, encrypt all that follows the server's hello?
const fn is_encrypted_after_hello(version: u16) -> bool {
    matches!(version, TLS_1_3..=0x03ff | 0x7f00..=0x7fff | 0xfefc)
}

/// Kind and length of a handshake's message.
fn header(reader: &mut Reader<'_>) -> Option<(u8, usize)> {
    let [kind, high, middle, low] = reader.array()?;
    Some((kind, u32::from_be_bytes([0, high, middle, low]) as usize))
}

fn first_certificate(body: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader(body);
    let [_, _, _, high, middle, low] = reader.array()?;
    reader.take(u32::from_be_bytes([0, high, middle, low]) as usize)
}

/// The bytes of a handshake out of their records.
struct Handshake<'a> {
    bytes: Cow<'a, [u8]>,
    /// Does a record of another kind follow, or none at all?
    has_ended: bool,
}

impl<'a> Handshake<'a> {
    fn of(stream: &'a [u8]) -> Self {
        let mut reader = Reader(stream);
        let mut handshake = Self { bytes: Cow::Borrowed(&[]), has_ended: false };
        while !reader.0.is_empty() {
            let Some([kind, major, minor, high, low]) = reader.array() else { break };
            if (kind, major) != (HANDSHAKE, 3) || minor > 4 {
                handshake.has_ended = true;
                break;
            }
            let bytes = usize::from(u16::from_be_bytes([high, low])).min(reader.0.len());
            let body = reader.take(bytes).unwrap_or_default();
            if handshake.bytes.is_empty() {
                handshake.bytes = Cow::Borrowed(body);
            } else {
                handshake.bytes.to_mut().extend_from_slice(body);
            }
        }
        handshake
    }
}

/// Bytes of a stream that it takes to read a client's hello, or a server's with the certificate behind it: at least those there
/// are and the missing ones.
fn needed(stream: &[u8]) -> Option<usize> {
    let handshake = Handshake::of(stream);
    match wanted(&handshake.bytes).checked_sub(handshake.bytes.len()) {
        None | Some(0) => Some(stream.len()),
        Some(missing) => (!handshake.has_ended).then_some(stream.len() + missing),
    }
}

/// The same in bytes of the handshake itself.
fn wanted(handshake: &[u8]) -> usize {
    let mut at = 0;
    while let Some(rest) = handshake.get(at..) {
        let mut reader = Reader(rest);
        let Some((kind, bytes)) = header(&mut reader) else { return at + 4 };
        let end = at + 4 + bytes;
        match kind {
            SERVER_HELLO => match reader.take(bytes).map(hello::server) {
                Some(Some(hello)) if hello.version <= TLS_1_2 => at = end,
                _ => return end,
            },
            CERTIFICATE => return (at + 10 + first_certificate_bytes(reader.0)).min(end.max(at + 10)),
            CLIENT_HELLO => return end,
            _ => return at,
        }
    }
    at
}

/// Length of a chain's first certificate, as far as it is told.
fn first_certificate_bytes(body: &[u8]) -> usize {
    match body {
        [_, _, _, high, middle, low, ..] => u32::from_be_bytes([0, *high, *middle, *low]) as usize,
        _ => 0,
    }
}

/// Is this a handshake record with a hello?
pub(super) fn is_hello(payload: &[u8]) -> bool {
    matches!(payload, [HANDSHAKE, 3, 0..=4, _, _, CLIENT_HELLO | SERVER_HELLO, 0, ..])
}

/// Is this an alert, with which a server answers what it does not understand (RFC 8446, 6)?
pub(super) const fn is_alert(payload: &[u8]) -> bool {
    matches!(payload, [ALERT, 3, 0..=4, 0, 2, ..])
}

/// Is this the server's hello?
pub(super) fn is_server_hello(payload: &[u8]) -> bool {
    is_hello(payload) && payload.get(5) == Some(&SERVER_HELLO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_that_is_answered_with_more_than_it_brought_is_told() {
        let is_told = |said: &[(Side, &[u8])]| {
            let mut places = [Place::default(), Place::default()];
            let mut tls = TlsFacts { version_chosen: TLS_1_2, ..TlsFacts::default() };
            for &(side, bytes) in said {
                let payload = Payload::new(side, bytes, bytes.len() as u32);
                tls.records(&payload, &mut places[usize::from(side == Side::Resp)]);
            }
            tls.heartbleed
        };
        let (bad, answer) = ([24, 3, 2, 0, 3, 1, 0x40, 0], [&[24, 3, 2, 0, 100, 2, 0, 81][..], &[7; 97]].concat());
        let sound = [&[24, 3, 2, 0, 100, 1, 0, 81][..], &[7; 97]].concat();
        assert!(is_told(&[(Side::Orig, &bad), (Side::Resp, &answer)]));
        assert!(!is_told(&[(Side::Orig, &bad), (Side::Resp, &[21, 3, 2, 0, 2, 2, 10])]), "it was turned down");
        assert!(!is_told(&[(Side::Orig, &sound), (Side::Resp, &answer)]), "it brought as much");
        assert!(!is_told(&[(Side::Orig, &bad), (Side::Orig, &answer)]), "nobody answered");
        assert!(!is_told(&[(Side::Orig, &bad), (Side::Orig, &sound), (Side::Resp, &answer)]), "the sound one was answered");
    }
}

//! The two hellos of a handshake, as TLS, DTLS and QUIC carry them (RFC 8446, 4.1; RFC 9147, 5.3; RFC 6066, 3; RFC 7301).

use super::fingerprint::{self, Offer};
use super::reader::Reader;
use super::text::{HOST_BYTES, NAME_BYTES, printable};

pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;

const SERVER_NAME: u16 = 0;
const GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURES: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// What carries a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Tls,
    Dtls,
    Quic,
}

/// What a client's hello says. Of a hello that is cut, what stands before the cut; the fingerprints only of a whole one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ClientHello {
    pub server_name: Option<Box<str>>,
    /// Newest version that it offers.
    pub version: u16,
    /// First protocol that it offers.
    pub alpn: Option<Box<str>>,
    pub ja3: Option<Box<str>>,
    pub ja4: Option<Box<str>>,
}

/// What a server's hello says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ServerHello {
    pub version: u16,
    pub cipher: u16,
    pub alpn: Option<Box<str>>,
    pub ja3s: Option<Box<str>>,
}

/// A value that is made up to keep servers tolerant (RFC 8701).
pub(super) const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// The big-endian numbers of a list, made-up ones left out.
pub(super) fn numbers(list: &[u8]) -> impl Iterator<Item = u16> + Clone + '_ {
    list.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair)).filter(|value| !is_grease(*value))
}

/// Reads the body of a client's hello; `is_whole` says whether it is all there.
pub(super) fn client(body: &[u8], is_whole: bool, carrier: Carrier) -> Option<ClientHello> {
    let mut reader = Reader(body);
    let version = reader.u16()?;
    reader.take(32)?;
    let mut hello = ClientHello { version, ..ClientHello::default() };
    let mut offer = Offer { version, ..Offer::default() };
    let is_sound = rest_of_client(&mut reader, carrier, &mut hello, &mut offer).is_some();
    if is_sound && is_whole {
        hello.ja3 = Some(fingerprint::ja3(&offer));
        hello.ja4 = Some(fingerprint::ja4(&offer, carrier));
    }
    Some(hello)
}

fn rest_of_client<'a>(reader: &mut Reader<'a>, carrier: Carrier, hello: &mut ClientHello, offer: &mut Offer<'a>) -> Option<()> {
    reader.vec8()?;
    if carrier == Carrier::Dtls {
        // The cookie.
        reader.vec8()?;
    }
    offer.ciphers = reader.vec16()?;
    reader.vec8()?;
    extensions(reader, |kind, body| {
        offer.extensions.push(kind);
        // A body that breaks its own rules says nothing; the next may.
        let _ = client_extension(kind, body, hello, offer);
    })
}

fn client_extension<'a>(kind: u16, body: &'a [u8], hello: &mut ClientHello, offer: &mut Offer<'a>) -> Option<()> {
    let mut reader = Reader(body);
    match kind {
        SERVER_NAME => {
            let mut list = Reader(reader.vec16()?);
            if list.u8()? == 0 {
                hello.server_name = Some(printable(list.vec16()?, HOST_BYTES));
            }
        }
        GROUPS => offer.groups = reader.vec16()?,
        POINT_FORMATS => offer.point_formats = reader.vec8()?,
        SIGNATURES => offer.signatures = reader.vec16()?,
        SUPPORTED_VERSIONS => {
            offer.versions = reader.vec8()?;
            hello.version = numbers(offer.versions).filter(is_published).fold(hello.version, newer);
        }
        ALPN => {
            let mut list = Reader(reader.vec16()?);
            let mut first = list.vec8()?;
            if let [a, b] = first
                && is_grease(u16::from_be_bytes([*a, *b]))
            {
                first = list.vec8()?;
            }
            offer.alpn = first;
            hello.alpn = Some(printable(first, NAME_BYTES));
        }
        _ => {}
    }
    Some(())
}

/// Others are drafts.
const fn is_published(version: &u16) -> bool {
    matches!(*version, 0x0300..=0x0304 | 0xfefc | 0xfefd | 0xfeff)
}

/// The newer of two versions; DTLS counts downwards.
pub(super) fn newer(a: u16, b: u16) -> u16 {
    if a >= 0xfe00 && b >= 0xfe00 { a.min(b) } else { a.max(b) }
}

/// Reads the body of a server's hello.
pub(super) fn server(body: &[u8]) -> Option<ServerHello> {
    let mut reader = Reader(body);
    let legacy = reader.u16()?;
    reader.take(32)?;
    reader.vec8()?;
    let mut hello = ServerHello { version: legacy, cipher: reader.u16()?, ..ServerHello::default() };
    reader.u8()?;
    let mut kinds = Vec::new();
    let is_sound = extensions(&mut reader, |kind, body| {
        kinds.push(kind);
        let _ = server_extension(kind, body, &mut hello);
    });
    hello.ja3s = is_sound.map(|()| fingerprint::ja3s(legacy, hello.cipher, &kinds));
    Some(hello)
}

fn server_extension(kind: u16, body: &[u8], hello: &mut ServerHello) -> Option<()> {
    let mut reader = Reader(body);
    match kind {
        SUPPORTED_VERSIONS => hello.version = reader.u16()?,
        ALPN => hello.alpn = Some(printable(Reader(reader.vec16()?).vec8()?, NAME_BYTES)),
        _ => {}
    }
    Some(())
}

/// Goes through the extensions of a hello, of which an old one may have none. Nothing when they are cut or unsound.
fn extensions<'a>(reader: &mut Reader<'a>, mut extension: impl FnMut(u16, &'a [u8])) -> Option<()> {
    if reader.0.is_empty() {
        return Some(());
    }
    let bytes = usize::from(reader.u16()?);
    let is_cut = bytes > reader.0.len();
    let mut list = Reader(reader.0.get(..bytes).unwrap_or(reader.0));
    while !list.0.is_empty() {
        let kind = list.u16()?;
        extension(kind, list.vec16()?);
    }
    (!is_cut).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_values_are_sixteen() {
        assert_eq!((0..=u16::MAX).filter(|value| is_grease(*value)).count(), 16);
        assert!(is_grease(0x0a0a) && is_grease(0xfafa) && !is_grease(0x0a1a));
    }

    #[test]
    fn datagrams_count_their_versions_downwards() {
        assert_eq!(newer(0x0303, 0x0304), 0x0304);
        assert_eq!(newer(0xfeff, 0xfefd), 0xfefd);
    }

    #[test]
    fn a_hello_of_old_has_no_extensions() {
        let body = [&[3, 1][..], &[7; 32], &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
        let hello = client(&body, true, Carrier::Tls).unwrap();
        assert_eq!((hello.version, hello.ja3.is_some()), (0x0301, true));
        assert_eq!(hello.ja4.as_deref().map(|ja4| &ja4[..10]), Some("t10i010000"));
        assert_eq!(client(&body, false, Carrier::Tls).unwrap().ja4, None, "what is cut has no fingerprint");
        let body = [&[3, 1][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
        assert_eq!(server(&body).unwrap().cipher, 0x2f);
    }
}

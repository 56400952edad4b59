//! TLS: what the two hellos say in the clear (RFC 8446, 4.1; RFC 6066, 3; RFC 7301).

use serde::{Serialize, Serializer};

use super::framing::Skip;
use super::listen::{Heard, Listen, Place};
use super::reader::Reader;
use super::text::{HOST_BYTES, NAME_BYTES, printable};

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// Facts of a TLS connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TlsFacts {
    /// Server name that the client asked for, up to 253 characters.
    #[serde(rename = "sni")]
    pub server_name: Option<Box<str>>,
    /// Highest version that the client offers (0x0301 is TLS 1.0, 0x0304 TLS 1.3); 0 when its hello was not seen.
    #[serde(serialize_with = "version")]
    pub version_offered: u16,
    /// Version that the server chose; 0 when its hello was not seen.
    #[serde(rename = "version", serialize_with = "version")]
    pub version_chosen: u16,
    /// Application protocol: the server's choice where it is in the clear, else the client's first offer; up to 64 characters.
    pub alpn: Option<Box<str>>,
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
        other => serializer.collect_str(&format_args!("0x{other:04x}")),
    }
}

impl Listen for TlsFacts {
    const MOST_LOOKS: Option<u8> = Some(8);

    fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
        let payload = heard.payload.bytes;
        if heard.asks {
            self.client(payload, place);
            return true;
        }
        let is_hello = is_server_hello(payload);
        if is_hello {
            self.hello(payload);
        }
        !is_hello
    }
}

impl TlsFacts {
    /// Reads a client's hello, or goes on with one that did not fit the payloads before.
    fn client(&mut self, payload: &[u8], place: &mut Place) {
        let rest = if place.pending > 0 {
            self.go_on(payload, Rest { left: place.pending, skip: place.skip })
        } else if is_hello(payload) {
            self.hello(payload)
        } else {
            return;
        };
        (place.pending, place.skip) = rest.map_or((0, 0), |rest| (rest.left, rest.skip));
    }

    /// Reads a hello. Returns where its extensions go on when the payload ends among them.
    fn hello(&mut self, payload: &[u8]) -> Option<Rest> {
        let mut reader = Reader(payload);
        reader.take(5)?;
        let kind = reader.u8()?;
        reader.take(3)?;
        let version = reader.u16()?;
        reader.take(32)?;
        reader.vec8()?;
        if kind == CLIENT_HELLO {
            self.version_offered = self.version_offered.max(version);
            reader.vec16()?;
            reader.vec8()?;
        } else {
            self.version_chosen = version;
            reader.take(3)?;
        }
        let left = reader.u16()?;
        self.extensions(kind == CLIENT_HELLO, reader.0, Rest { left, skip: 0 })
    }

    /// Reads the client's extensions on from an earlier payload: hellos with post-quantum keys do not fit one packet.
    fn go_on(&mut self, payload: &[u8], rest: Rest) -> Option<Rest> {
        self.extensions(true, payload, rest)
    }

    fn extensions(&mut self, client: bool, mut data: &[u8], mut rest: Rest) -> Option<Rest> {
        loop {
            let skip = data.len().min(rest.skip as usize);
            data = data.get(skip..)?;
            rest.skip -= skip as Skip;
            rest.left = rest.left.checked_sub(u16::try_from(skip).ok()?)?;
            if rest.skip > 0 {
                return Some(rest);
            }
            if rest.left == 0 {
                return None;
            }
            if data.is_empty() {
                return Some(rest);
            }
            let mut reader = Reader(data);
            let kind = reader.u16()?;
            let bytes = reader.u16()?;
            if let Some(body) = reader.0.get(..bytes.into()) {
                // A body that breaks its own rules says nothing; the next may.
                let _ = if client { self.client_extension(kind, body) } else { self.server_extension(kind, body) };
            }
            rest.skip = 4 + Skip::from(bytes);
        }
    }

    fn client_extension(&mut self, kind: u16, body: &[u8]) -> Option<()> {
        let mut reader = Reader(body);
        match kind {
            SERVER_NAME => {
                let mut list = Reader(reader.vec16()?);
                if list.u8()? == 0 {
                    self.server_name = Some(printable(list.vec16()?, HOST_BYTES));
                }
            }
            SUPPORTED_VERSIONS => {
                let versions = reader.vec8()?.chunks_exact(2).map(|v| u16::from_be_bytes([v[0], v[1]]));
                // Others are made up to keep servers tolerant (RFC 8701) or are drafts.
                let known = versions.filter(|version| (0x0300..=0x0304).contains(version));
                self.version_offered = known.max().unwrap_or_default().max(self.version_offered);
            }
            ALPN => {
                let mut list = Reader(reader.vec16()?);
                let mut first = list.vec8()?;
                if matches!(first, [a, b] if a == b && a & 0x0f == 0x0a) {
                    first = list.vec8()?;
                }
                self.alpn.get_or_insert_with(|| printable(first, NAME_BYTES));
            }
            _ => {}
        }
        Some(())
    }

    fn server_extension(&mut self, kind: u16, body: &[u8]) -> Option<()> {
        let mut reader = Reader(body);
        match kind {
            SUPPORTED_VERSIONS => self.version_chosen = reader.u16()?,
            ALPN => self.alpn = Some(printable(Reader(reader.vec16()?).vec8()?, NAME_BYTES)),
            _ => {}
        }
        Some(())
    }
}

/// Where the extensions of a hello go on in the next payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rest {
    /// Bytes of extensions still to come.
    pub left: u16,
    /// How many of them belong to an extension that has been looked at.
    pub skip: Skip,
}

/// Is this a handshake record with a hello?
pub(super) fn is_hello(payload: &[u8]) -> bool {
    matches!(payload, [0x16, 3, 0..=4, _, _, CLIENT_HELLO | SERVER_HELLO, 0, ..])
}

/// Is this the server's hello?
pub(super) fn is_server_hello(payload: &[u8]) -> bool {
    is_hello(payload) && payload.get(5) == Some(&SERVER_HELLO)
}

//! DTLS: the same facts as of TLS, from datagrams (RFC 6347, RFC 9147). Messages in fragments are not put together.

use super::TlsFacts;
use super::hello::{CLIENT_HELLO, Carrier, SERVER_HELLO};
use super::reader::Reader;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CERTIFICATE: u8 = 11;

impl TlsFacts {
    /// Reads the records of a datagram. Returns whether the clear part of the handshake is over.
    pub(super) fn datagram(&mut self, datagram: &[u8]) -> bool {
        let mut reader = Reader(datagram);
        let mut has_ended = false;
        while let Some(kind) = self.record(&mut reader) {
            has_ended |= kind == CHANGE_CIPHER_SPEC && self.version_chosen != 0;
        }
        has_ended
    }

    /// Reads a record and returns its kind.
    fn record(&mut self, reader: &mut Reader<'_>) -> Option<u8> {
        let [kind, 0xfe, 0xfd | 0xff, epoch @ ..] = reader.array::<5>()? else { return None };
        // The sequence number.
        reader.take(6)?;
        let bytes = usize::from(reader.u16()?).min(reader.0.len());
        let body = reader.take(bytes)?;
        match (kind, epoch) {
            (HANDSHAKE, [0, 0]) => self.fragment(body).unwrap_or_default(),
            (ALERT, [0, 0]) => {
                if let [1 | 2, code] = body {
                    self.alert(*code);
                }
            }
            _ => {}
        }
        Some(kind)
    }

    /// Reads a message of the handshake, or the first fragment of one.
    fn fragment(&mut self, fragment: &[u8]) -> Option<()> {
        let mut reader = Reader(fragment);
        let [kind, length @ ..] = reader.array::<4>()?;
        let [_, _, offset @ ..] = reader.array::<5>()?;
        let here = reader.array::<3>()?;
        if offset != [0; 3] {
            return None;
        }
        let is_whole = here == length && reader.0.len() >= u32::from_be_bytes([0, here[0], here[1], here[2]]) as usize;
        match kind {
            CLIENT_HELLO => self.client_hello(reader.0, is_whole, Carrier::Dtls),
            SERVER_HELLO if is_whole => self.server_hello(reader.0),
            CERTIFICATE => self.certificates(reader.0),
            _ => {}
        }
        Some(())
    }
}

//! Tunnels: WireGuard and OpenVPN. Nothing of what they carry is in the clear.

use super::reader::Reader;
use super::{App, Ports};

const WIREGUARD_PORT: u16 = 51_820;
/// Different bytes that 32 bytes of a random key show at the least: 30 are to be expected.
const LEAST_DIFFERENT: usize = 20;

/// Client's reset in version 2 of its key method, server's answer, client's reset with its key wrapped in it.
const RESET_CLIENT: u8 = 7 << 3;
const RESET_SERVER: u8 = 8 << 3;
const RESET_CLIENT_WRAPPED: u8 = 10 << 3;
/// Bytes of an HMAC with SHA-1, SHA-256 and SHA-512.
const HMAC_BYTES: [usize; 3] = [20, 32, 64];
/// Seconds since 1970 at the start of 2010 and of 2070.
const YEARS: std::ops::Range<u32> = 1_262_304_000..3_155_760_000;

/// The tunnel that sends a datagram like this.
pub(super) fn datagram(ports: Ports, payload: &[u8]) -> Option<App> {
    match () {
        () if is_wireguard(ports, payload) => Some(App::WireGuard),
        () if is_openvpn_reset(payload) => Some(App::OpenVpn),
        () => None,
    }
}

/// Does OpenVPN start a stream so? Over TCP each message stands behind its length.
pub(super) fn is_openvpn_stream(payload: &[u8]) -> bool {
    let mut reader = Reader(payload);
    reader.u16().is_some_and(|bytes| usize::from(bytes) == reader.0.len()) && is_openvpn_reset(reader.0)
}

/// A message of one of the four kinds (WireGuard's white paper, 5.4), three bytes of zeros behind the kind. Handshakes have
/// one length each, and random bytes where their keys stand; data counts up from zero, on WireGuard's port alone.
fn is_wireguard(ports: Ports, payload: &[u8]) -> bool {
    let [kind @ 1..=4, 0, 0, 0, ..] = payload else { return false };
    let random = |at| payload.get(at..).and_then(|rest| rest.get(..32)).is_some_and(is_random);
    match (kind, payload.len()) {
        (1, 148) => random(8) && random(40),
        (2, 92) => random(12) && random(44),
        (3, 64) => random(32) && is_random(payload.get(8..40).unwrap_or_default()),
        (4, bytes @ 32..) => {
            let counts = payload.get(12..16) == Some(&[0; 4]);
            ports.has(WIREGUARD_PORT) && bytes.is_multiple_of(16) && counts
        }
        _ => false,
    }
}

/// Are there as many different bytes among these as in random ones?
fn is_random(bytes: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in bytes {
        seen[usize::from(*byte)] = true;
    }
    seen.iter().filter(|seen| **seen).count() >= LEAST_DIFFERENT
}

/// A message that opens a connection, in the clear, authenticated (`tls-auth`) or encrypted (`tls-crypt`). All are of an exact
/// length with numbers that start at 0 or 1.
fn is_openvpn_reset(payload: &[u8]) -> bool {
    let mut reader = Reader(payload);
    let (Some(code), Some(session)) = (reader.u8(), reader.array::<8>()) else { return false };
    let has_session = session != [0; 8];
    has_session
        && match code {
            // No acknowledgements, message number 0.
            RESET_CLIENT => reader.0 == [0; 5] || is_authenticated(reader.0, &[0; 5]) || is_encrypted(reader.0, 54),
            // One of 2.6 may add six bytes: that it wants the client's key once more.
            RESET_SERVER => {
                is_answer(reader.0)
                    || HMAC_BYTES.iter().any(|hmac| has_answer(reader.0, *hmac))
                    || [66, 72].iter().any(|bytes| is_encrypted(reader.0, *bytes))
            }
            RESET_CLIENT_WRAPPED => has_wrapped_key(reader.0),
            _ => false,
        }
}

/// An HMAC, replay number 1 and the time, then this.
fn is_authenticated(rest: &[u8], end: &[u8]) -> bool {
    HMAC_BYTES
        .iter()
        .any(|hmac| rest.split_at_checked(*hmac).is_some_and(|(_, rest)| is_first(rest) && rest.get(8..) == Some(end)))
}

/// Replay number 1 and a time of today.
fn is_first(rest: &[u8]) -> bool {
    let mut reader = Reader(rest);
    reader.u32() == Some(1) && reader.u32().is_some_and(|seconds| YEARS.contains(&seconds))
}

/// One acknowledgement, of number 0, for a client's session, and message number 0.
fn is_answer(rest: &[u8]) -> bool {
    matches!(rest, [1, 0, 0, 0, 0, session @ .., 0, 0, 0, 0] if session.len() == 8 && *session != [0; 8])
}

/// The same behind an HMAC.
fn has_answer(rest: &[u8], hmac: usize) -> bool {
    rest.split_at_checked(hmac).is_some_and(|(_, rest)| is_first(rest) && rest.get(8..).is_some_and(is_answer))
}

/// Replay number and time, then an HMAC with SHA-256 and as many bytes as this whole message has.
fn is_encrypted(rest: &[u8], message_bytes: usize) -> bool {
    rest.len() + 9 == message_bytes && is_first(rest)
}

/// Encrypted as above, with the client's key behind it and that key's length at the end.
fn has_wrapped_key(rest: &[u8]) -> bool {
    let mut reader = Reader(rest);
    let number = reader.u32();
    let time = reader.u32();
    let wrapped = rest.last_chunk().map(|bytes| usize::from(u16::from_be_bytes(*bytes)));
    // With the upper half of the number a client says what it can do.
    number.is_some_and(|number| number & 0xffff == 1)
        && time.is_some_and(|seconds| YEARS.contains(&seconds))
        && wrapped.is_some_and(|bytes| bytes >= 290 && bytes + 45 == rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: Ports = Ports { protocol: 17, orig: 50_000, resp: 50_001 };
    const ON_PORT: Ports = Ports { protocol: 17, orig: 50_000, resp: WIREGUARD_PORT };

    /// Bytes that differ as random ones do.
    fn noise(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|place| (place * 37 + 11) as u8).collect()
    }

    fn wireguard(kind: u8, bytes: usize) -> Vec<u8> {
        [&[kind, 0, 0, 0][..], &noise(bytes - 4)].concat()
    }

    fn reset(code: u8, parts: &[&[u8]]) -> Vec<u8> {
        [&[code][..], &noise(8), &parts.concat()].concat()
    }

    #[test]
    fn handshakes_of_wireguard_have_one_length() {
        for (kind, bytes) in [(1, 148), (2, 92), (3, 64)] {
            assert_eq!(datagram(NOWHERE, &wireguard(kind, bytes)), Some(App::WireGuard));
            assert_eq!(datagram(NOWHERE, &wireguard(kind, bytes + 1)), None);
            assert_eq!(datagram(ON_PORT, &wireguard(kind, bytes - 1)), None);
            let flat = [vec![kind, 0, 0, 0], vec![7; bytes - 4]].concat();
            assert_eq!(datagram(ON_PORT, &flat), None, "no random keys");
            assert_eq!(datagram(ON_PORT, &[&[kind, 0, 1, 0][..], &noise(bytes - 4)].concat()), None);
        }
    }

    #[test]
    fn data_of_wireguard_is_told_on_its_port_alone() {
        let data = [&[4, 0, 0, 0][..], &[9; 4], &[5, 0, 0, 0, 0, 0, 0, 0], &noise(16)].concat();
        assert_eq!(datagram(ON_PORT, &data), Some(App::WireGuard));
        assert_eq!(datagram(NOWHERE, &data), None);
        assert_eq!(datagram(ON_PORT, &wireguard(4, 32)), None, "a number that is no first");
    }

    #[test]
    fn openings_of_openvpn_are_told_in_all_their_forms() {
        let first = [&[0, 0, 0, 1][..], &1_769_850_723_u32.to_be_bytes()].concat();
        let answer = [&[1, 0, 0, 0, 0][..], &noise(8), &[0; 4]].concat();
        let wrapped = [&noise(290)[..], &290_u16.to_be_bytes()].concat();
        let openings = [
            reset(0x38, &[&[0; 5]]),
            reset(0x38, &[&noise(20), &first, &[0; 5]]),
            reset(0x38, &[&noise(64), &first, &[0; 5]]),
            reset(0x38, &[&first, &noise(37)]),
            reset(0x40, &[&answer]),
            reset(0x40, &[&noise(32), &first, &answer]),
            reset(0x40, &[&first, &noise(49)]),
            reset(0x50, &[&first, &noise(37), &wrapped[2..]]),
        ];
        for opening in openings {
            let bytes = (opening.len() as u16).to_be_bytes();
            assert_eq!(datagram(NOWHERE, &opening), Some(App::OpenVpn), "{opening:02x?}");
            assert!(is_openvpn_stream(&[&bytes[..], &opening].concat()));
            assert_eq!(datagram(NOWHERE, &opening[..opening.len() - 1]), None);
            assert_eq!(datagram(NOWHERE, &[&opening[..], &[0]].concat()), None);
        }
        assert_eq!(datagram(NOWHERE, &[&[0x38][..], &[0; 13]].concat()), None, "no session");
        assert_eq!(datagram(NOWHERE, &reset(0x38, &[&[0, 0, 0, 1, 0, 0, 0, 9], &noise(37)])), None, "no time of today");
    }
}

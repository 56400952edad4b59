//! Protocols over UDP that are told by a few bytes at their start, most of them on their own ports only.

use super::{App, Ports, dnp3, enip, tftp, ws_discovery};

/// The application of a datagram like this.
pub(super) fn recognise(ports: Ports, payload: &[u8]) -> Option<App> {
    match payload {
        [first, ..] if first & 0xc0 == 0xc0 && is_quic(payload) => Some(App::Quic),
        [0x14..=0x17, 0xfe, 0xfd | 0xff, ..] if payload.len() >= 13 => Some(App::Dtls),
        [0 | 1, _, _, _, 0x21, 0x12, 0xa4, 0x42, ..] if payload.len() >= 20 => Some(App::Stun),
        [b'M', b'-', b'S', ..] if payload.starts_with(b"M-SEARCH * HTTP/1.1") => Some(App::Ssdp),
        [b'N', b'O', ..] if payload.starts_with(b"NOTIFY * HTTP/1.1") => Some(App::Ssdp),
        [b'H', b'T', ..] if ports.has(1900) && payload.starts_with(b"HTTP/1.1 200") => Some(App::Ssdp),
        _ if is_dhcp(payload) => Some(App::Dhcp),
        _ if dnp3::is_frame(payload) => Some(App::Dnp3),
        _ if ws_discovery::is_message(payload, false) => Some(App::WsDiscovery),
        _ => on_port(ports, payload).or_else(|| tftp::begins_transfer(ports, payload).then_some(App::Tftp)),
    }
}

fn on_port(ports: Ports, payload: &[u8]) -> Option<App> {
    let app = ports.app();
    let is = match (app, payload) {
        // A version of 1 to 4 and a mode; version 4 may add extensions to the 48 bytes, mode 6 and 7 are for control.
        (App::Ntp, [first, ..]) => {
            let (version, mode) = (first >> 3 & 7, first & 7);
            (1..=4).contains(&version) && mode != 0 && (payload.len() >= 48 || mode >= 6 && payload.len() >= 8)
        }
        (App::Dhcp, [1..=13, ..]) => (ports.has(546) || ports.has(547)) && is_dhcp6(payload),
        (App::NbtNs, [_, _, _, _, 0, ..]) => payload.len() >= 12,
        (App::Tftp, [0, 1..=6, ..]) => payload.len() >= 4,
        (App::Radius, [1..=5 | 11..=13 | 40..=45, _, high, low, ..]) => stated(*high, *low) == payload.len(),
        (App::Bacnet, [0x81, 0..=12, high, low, ..]) => stated(*high, *low) == payload.len(),
        (App::Ike, _) => is_ike(payload.strip_prefix(&[0; 4]).unwrap_or(payload)),
        (App::WsDiscovery, _) => ws_discovery::is_message(payload, true),
        // Version 1, a token of 8 bytes at most.
        (App::Coap, [first, ..]) => first >> 6 == 1 && first & 0x0f <= 8 && payload.len() >= 4,
        (App::EthernetIp, _) => enip::is_message(payload, true),
        _ => false,
    };
    is.then_some(app)
}

fn stated(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high, low]))
}

/// A long header of a version that exists, with identifiers of 20 bytes at most (RFC 9000, 17.2).
fn is_quic(payload: &[u8]) -> bool {
    let [_, a, b, c, d, id_bytes, ..] = payload else { return false };
    let is_version = match u32::from_be_bytes([*a, *b, *c, *d]) {
        1 | 0x6b33_43cf | 0xff00_001b..=0xff00_0022 => true,
        // Google's own, and Meta's.
        version => version >> 16 == 0x5130 || version >> 16 == 0x5430 || version >> 8 == 0x00fa_ceb0,
    };
    is_version && *id_bytes <= 20 && payload.len() > 7 + usize::from(*id_bytes)
}

/// A BOOTP message with DHCP's cookie.
fn is_dhcp(payload: &[u8]) -> bool {
    matches!(payload, [1 | 2, _, 0..=16, ..]) && payload.get(236..240) == Some(&[0x63, 0x82, 0x53, 0x63])
}

/// A message of version 6: behind its head, longer in relayed ones, a first option that is assigned (RFC 8415, 7.3, 9 and 21.1).
fn is_dhcp6(payload: &[u8]) -> bool {
    let from = if matches!(payload, [12 | 13, ..]) { 34 } else { 4 };
    matches!(payload.get(from..), Some([0, 1..=150, high, low, rest @ ..]) if stated(*high, *low) <= rest.len())
}

/// A header of version 1 or 2 that states the length of the datagram.
fn is_ike(payload: &[u8]) -> bool {
    let version = payload.get(17).copied().unwrap_or_default();
    let bytes = payload.get(24..28).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    matches!(version, 0x10 | 0x20) && bytes.is_some_and(|bytes| bytes as usize == payload.len())
}

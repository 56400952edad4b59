//! Protocols over TCP that are told by a few bytes at their start.

use super::reader::{Reader, holds};
use super::{App, Ports, astm, dcerpc, dnp3, enip, iec104, modbus, opcua, poct1a, s7comm, smb};

/// The application of a stream that starts so.
pub(super) fn recognise(ports: Ports, payload: &[u8]) -> Option<App> {
    match payload {
        // A NetBIOS session message with SMB 1, 2 or an encrypted SMB 3 message.
        [0, ..] if smb::is_message(payload) => Some(App::Smb),
        // Version 5.0 or 5.1, a known packet type, little-endian ASCII.
        [5, ..] if dcerpc::is_message(payload) => Some(App::DceRpc),
        [3, 0, ..] if is_rdp(ports, payload) => Some(App::Rdp),
        [0x12, 1, high, low, 0, 0, ..] if usize::from(u16::from_be_bytes([*high, *low])) == payload.len() => Some(App::Tds),
        _ if is_postgres(payload) => Some(App::Postgres),
        _ if is_mysql(payload) => Some(App::Mysql),
        _ if astm::is_frame(payload) => Some(App::Astm),
        _ if poct1a::is_message(payload) => Some(App::Poct1a),
        _ if dnp3::is_frame(payload) => Some(App::Dnp3),
        _ if s7comm::is_message(payload) => Some(App::S7Comm),
        _ if enip::is_message(payload, ports.has(44818)) => Some(App::EthernetIp),
        _ if opcua::is_message(payload, ports.has(4840)) => Some(App::OpcUa),
        _ if iec104::is_frame(payload, ports.has(2404)) => Some(App::Iec104),
        _ if ports.has(502) && modbus::is_message(payload) => Some(App::Modbus),
        _ => None,
    }
}

/// A connection request or confirmation of X.224 in TPKT; other protocols start so too, hence a cookie, a negotiation or the
/// port (MS-RDPBCGR, 2.2.1.1).
fn is_rdp(ports: Ports, payload: &[u8]) -> bool {
    let [3, 0, high, low, _, 0xe0 | 0xd0, ..] = payload else { return false };
    let bytes = usize::from(u16::from_be_bytes([*high, *low]));
    let tail = payload.get(11..).unwrap_or_default();
    let negotiates = matches!(tail.last_chunk(), Some([1 | 2, _, 8, 0, _, _, _, _]));
    bytes == payload.len() && (ports.has(3389) || negotiates || holds(tail, b"cookie: mst"))
}

/// A start-up message, or a request to encrypt: both start with their length.
fn is_postgres(payload: &[u8]) -> bool {
    let mut reader = Reader(payload);
    let (Some(bytes), Some(code)) = (reader.u32(), reader.u32()) else { return false };
    bytes as usize == payload.len()
        && match code {
            // Protocol 3.0 to 3.2.
            0x0003_0000..=0x0003_0002 => payload.ends_with(&[0]),
            // Requests for TLS, for GSSAPI, and to cancel.
            80_877_103 | 80_877_104 => bytes == 8,
            80_877_102 => bytes >= 16,
            _ => false,
        }
}

/// The server's greeting: length, number 0, protocol 10, the version's text.
fn is_mysql(payload: &[u8]) -> bool {
    let [a, b, 0, 0, 10, version @ ..] = payload else { return false };
    let bytes = usize::from(u16::from_le_bytes([*a, *b]));
    let text = version.split(|b| *b == 0).next().unwrap_or_default();
    bytes + 4 == payload.len() && (3..=64).contains(&text.len()) && text.iter().all(|b| matches!(b, b' '..=b'~'))
}

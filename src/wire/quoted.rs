//! The packet inside an ICMP error message.

use super::link::Family;
use super::packet::Quoted;
use super::{Frame, Packet, network};

/// Bytes of a transport header that every error quotes.
const TRANSPORT_BYTES: u32 = 8;

/// The packet that this one, an ICMP or ICMPv6 error message, is about; nothing for any other packet, and when less of it was
/// quoted than its addresses and ports.
#[must_use]
#[inline]
pub fn quoted(frame: &Frame<'_>, packet: &Packet) -> Option<Quoted> {
    with_header_bytes(frame, packet).map(|(quoted, _)| quoted)
}

/// Bytes of the quoted packet's headers, at the start of this one's payload: its IP headers and, where it has ports, the eight bytes
/// behind them that every error quotes (RFC 792). None of them are payload. 0 for any other packet.
#[must_use]
pub fn quoted_header_bytes(frame: &Frame<'_>, packet: &Packet) -> u32 {
    with_header_bytes(frame, packet).map_or(0, |(_, bytes)| bytes)
}

#[inline]
fn with_header_bytes(frame: &Frame<'_>, packet: &Packet) -> Option<(Quoted, u32)> {
    // Unreachable, quench, redirect, time exceeded, parameter problem; in version 6 all errors are below 128.
    let family = match (packet.protocol, packet.src_port) {
        (1, 3 | 4 | 5 | 11 | 12) => Family::V4,
        (58, 1..=4) => Family::V6,
        _ => return None,
    };
    if packet.is_later_fragment() { None } else { read(family, frame.payload(packet)) }
}

#[cold]
fn read(family: Family, data: &[u8]) -> Option<(Quoted, u32)> {
    // The quoted packet was longer than what is quoted of it.
    let network = network::read(family, data, u32::MAX).ok()?;
    let (mut ports, mut header_bytes) = ([0; 2], network.header_bytes);
    if !network.is_later_fragment() && matches!(network.protocol, 6 | 17 | 132 | 1 | 58) {
        let [a, b, c, d] = *data.get(network.header_bytes as usize..)?.first_chunk()?;
        header_bytes += TRANSPORT_BYTES;
        ports = match network.protocol {
            1 | 58 => [u16::from(a), u16::from(b)],
            _ => [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])],
        };
    }
    let [src_port, dst_port] = ports;
    let quoted = Quoted { src: network.src, dst: network.dst, src_port, dst_port, protocol: network.protocol };
    Some((quoted, header_bytes))
}

//! Packets by hand: Ethernet, IPv4, TCP, UDP, ICMP, and a pcap of them.

use std::net::Ipv4Addr;

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;

/// An address and a port.
pub type End = ([u8; 4], u16);

/// A frame and when it was captured, in microseconds.
#[derive(Clone, Debug)]
pub struct Shot {
    pub micros: u64,
    pub data: Vec<u8>,
}

/// Adds up words as RFC 1071 says.
fn checksum(parts: &[&[u8]]) -> u16 {
    let all = parts.concat();
    let sum: u32 = all.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

/// An Ethernet frame with an IPv4 packet: 14 + 20 bytes in front of `body`.
pub fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, body: &[u8]) -> Vec<u8> {
    let length = (20 + body.len() as u16).to_be_bytes();
    let mut header = [&[0x45, 0], &length[..], &[0, 1, 0x40, 0, 64, protocol, 0, 0], &src, &dst].concat();
    let sum = checksum(&[&header]).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    let mac = |end: [u8; 4]| [2, 0, end[0], end[1], end[2], end[3]];
    [&mac(dst)[..], &mac(src), &[8, 0], &header, body].concat()
}

fn with_checksum(src: [u8; 4], dst: [u8; 4], protocol: u8, mut body: Vec<u8>, place: usize) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    let sum = checksum(&[&src, &dst, &[0, protocol], &length, &body]).to_be_bytes();
    body[place..place + 2].copy_from_slice(&sum);
    ipv4(src, dst, protocol, &body)
}

/// A TCP segment with a window of 8192: 54 bytes in front of the payload.
pub fn tcp(src: End, dst: End, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    tcp_window(src, dst, seq, ack, flags, 0x2000, payload)
}

/// The same with this window.
pub fn tcp_window(src: End, dst: End, seq: u32, ack: u32, flags: u8, window: u16, payload: &[u8]) -> Vec<u8> {
    let ports = [src.1.to_be_bytes(), dst.1.to_be_bytes()].concat();
    let [high, low] = window.to_be_bytes();
    let body = [&ports[..], &seq.to_be_bytes(), &ack.to_be_bytes(), &[0x50, flags, high, low, 0, 0, 0, 0], payload].concat();
    with_checksum(src.0, dst.0, 6, body, 16)
}

/// A UDP datagram: 42 bytes in front of the payload.
pub fn udp(src: End, dst: End, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len() as u16).to_be_bytes();
    let body = [&src.1.to_be_bytes()[..], &dst.1.to_be_bytes(), &length, &[0, 0], payload].concat();
    with_checksum(src.0, dst.0, 17, body, 6)
}

/// An ICMP message with identifier 7: 42 bytes in front of the payload.
pub fn icmp(src: [u8; 4], dst: [u8; 4], kind: u8, code: u8, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = [&[kind, code, 0, 0, 0, 7][..], &sequence.to_be_bytes(), payload].concat();
    let sum = checksum(&[&body]).to_be_bytes();
    body[2..4].copy_from_slice(&sum);
    ipv4(src, dst, 1, &body)
}

/// A classic pcap of Ethernet with microseconds, little-endian.
pub fn pcap(shots: &[Shot]) -> Vec<u8> {
    let mut bytes: Vec<u8> = [0xa1b2_c3d4_u32, 2 | 4 << 16, 0, 0, 65_535, 1].iter().flat_map(|n| n.to_le_bytes()).collect();
    for shot in shots {
        let length = shot.data.len() as u32;
        let fields = [(shot.micros / 1_000_000) as u32, (shot.micros % 1_000_000) as u32, length, length];
        bytes.extend(fields.iter().flat_map(|n| n.to_le_bytes()));
        bytes.extend_from_slice(&shot.data);
    }
    bytes
}

/// The address in words.
pub fn address(bytes: [u8; 4]) -> String {
    Ipv4Addr::from(bytes).to_string()
}

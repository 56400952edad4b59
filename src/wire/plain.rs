//! The frames that most frames are, read in one go: Ethernet with one VLAN tag at the most, IPv4 without options or fragments, and TCP
//! or UDP with a whole header.
//!
//! A short cut past the layers one by one, which read all other frames and would read these alike: a property test compares them.

use super::{Addr, Frame, LinkType, Packet, Tcp, TcpFlags, tunnel};

const ETHERNET_BYTES: usize = 14;
const TAG_BYTES: usize = 4;
const IPV4_BYTES: u32 = 20;
const TCP_BYTES: usize = 20;
const UDP_BYTES: u32 = 8;

/// Reads such a frame to `packet`; none of any other, of one that may be a tunnel's, and of one that does not hold together.
#[inline]
pub(super) fn read(frame: &Frame<'_>, packet: &mut Packet) -> Option<()> {
    if frame.link != LinkType::ETHERNET {
        return None;
    }
    let data = frame.data;
    let ethernet: &[u8; ETHERNET_BYTES] = data.first_chunk()?;
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, kind @ ..] = *ethernet;
    let (at, vlan) = match kind {
        [0x08, 0x00] => (ETHERNET_BYTES, 0),
        [0x81, 0x00] => match *data.get(ETHERNET_BYTES..)?.first_chunk()? {
            [high, low, 0x08, 0x00] => (ETHERNET_BYTES + TAG_BYTES, u16::from_be_bytes([high, low]) & 0x0fff),
            _ => return None,
        },
        _ => return None,
    };
    // The IPv4 header and eight bytes of the transport's.
    let headers: &[u8; 28] = data.get(at..)?.first_chunk()?;
    let [0x45, _, t0, t1, _, _, f0, f1, ttl, protocol, _, _, a0, a1, a2, a3, b0, b1, b2, b3, transport @ ..] = *headers else {
        return None;
    };
    if f0 & 0x3f != 0 || f1 != 0 {
        return None;
    }
    let on_wire = u64::from(frame.wire_bytes).max(data.len() as u64);
    let available = u32::try_from(on_wire - at as u64).unwrap_or(u32::MAX);
    let ip_bytes = u32::from(u16::from_be_bytes([t0, t1])).min(available);
    let behind = ip_bytes.checked_sub(IPV4_BYTES)?;
    let transport_at = at + IPV4_BYTES as usize;
    let [p0, p1, q0, q1, length @ .., _, _] = transport;
    let [src_port, dst_port] = [[p0, p1], [q0, q1]].map(u16::from_be_bytes);
    let (header_bytes, payload_bytes, tcp) = match protocol {
        6 => {
            let header: &[u8; TCP_BYTES] = data.get(transport_at..)?.first_chunk()?;
            let (header_bytes, tcp) = tcp(header);
            let captured = (data.len() - transport_at).min(behind as usize);
            if header_bytes < TCP_BYTES || header_bytes > captured {
                return None;
            }
            (header_bytes as u32, behind - header_bytes as u32, Some(tcp))
        }
        17 if !tunnel::may_be_datagram(src_port, dst_port) => {
            let stated = u32::from(u16::from_be_bytes(length)).checked_sub(UDP_BYTES)?;
            (UDP_BYTES, behind.checked_sub(UDP_BYTES)?.min(stated), None)
        }
        _ => return None,
    };
    let start = transport_at + header_bytes as usize;
    let end = data.len().min(start + payload_bytes as usize);
    // Field by field: a packet as a whole would be made elsewhere and moved here.
    (packet.time, packet.wire_bytes) = (frame.time, frame.wire_bytes);
    (packet.src_mac, packet.dst_mac, packet.vlans) = ([s0, s1, s2, s3, s4, s5], [d0, d1, d2, d3, d4, d5], [vlan, 0]);
    (packet.src, packet.dst) = (Addr::v4([a0, a1, a2, a3]), Addr::v4([b0, b1, b2, b3]));
    (packet.src_port, packet.dst_port) = (src_port, dst_port);
    (packet.protocol, packet.ttl, packet.tcp) = (protocol, ttl, tcp);
    (packet.ip_bytes, packet.payload_bytes) = (ip_bytes, payload_bytes);
    packet.payload = start as u32..end as u32;
    (packet.network_at, packet.transport_at) = (at as u32, transport_at as u32);
    (packet.fragment, packet.bad_checksum, packet.quoted, packet.tunnel) = (None, false, None, None);
    Some(())
}

/// The length of a TCP header, options included, and its fields.
#[inline]
const fn tcp(header: &[u8; TCP_BYTES]) -> (usize, Tcp) {
    let [_, _, _, _, s0, s1, s2, s3, a0, a1, a2, a3, offset, flags, w0, w1, ..] = *header;
    let tcp = Tcp {
        seq: u32::from_be_bytes([s0, s1, s2, s3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        window: u16::from_be_bytes([w0, w1]),
        flags: TcpFlags(flags),
    };
    ((offset >> 4) as usize * 4, tcp)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::Timestamp;
    use crate::wire::decode::layers;
    use crate::wire::{Fragment, Quoted, Tunnel, TunnelKind};

    /// A frame as `read` takes it: tagged or not, TCP or UDP, with 20 bytes of payload.
    fn whole(is_tagged: bool, is_tcp: bool) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1];
        if is_tagged {
            bytes.extend([0x81, 0, 0x60, 7]);
        }
        let transport = if is_tcp { 20 } else { 8 };
        bytes.extend([8, 0, 0x45, 0, 0, 40 + transport, 0, 1, 0x40, 0, 64, if is_tcp { 6 } else { 17 }, 0, 0]);
        bytes.extend([10, 0, 0, 1, 10, 0, 0, 9, 0x10, 0, 0x27, 0x0f]);
        if is_tcp {
            bytes.extend([0, 0, 0, 5, 0, 0, 0, 6, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
        } else {
            bytes.extend([0, 28, 0, 0]);
        }
        bytes.extend([7; 20]);
        bytes
    }

    /// The packet of such a frame.
    fn read(frame: &Frame<'_>) -> Option<Packet> {
        // Of what was there before nothing stays.
        let quoted = Quoted { src: Addr::v4([1; 4]), dst: Addr::v4([2; 4]), src_port: 3, dst_port: 4, protocol: 5 };
        let (kind, depth) = (TunnelKind::Gre, 1);
        let tunnel = Tunnel { kind, depth, src: quoted.src, dst: quoted.dst, src_port: 3, dst_port: 4, protocol: 47 };
        let mut packet = Packet {
            time: Timestamp::from_nanos(9),
            src: Addr::v6([9; 16]),
            dst: Addr::v6([9; 16]),
            src_port: 9,
            dst_port: 9,
            protocol: 99,
            ttl: 9,
            vlans: [9; 2],
            src_mac: [9; 6],
            dst_mac: [9; 6],
            wire_bytes: 9,
            ip_bytes: 9,
            payload_bytes: 9,
            payload: 9..99,
            tcp: Some(Tcp::default()),
            network_at: 9,
            transport_at: 9,
            fragment: Some(Fragment::default()),
            bad_checksum: true,
            quoted: Some(Box::new(quoted)),
            tunnel: Some(Box::new(tunnel)),
        };
        super::read(frame, &mut packet)?;
        Some(packet)
    }

    fn frame(data: &[u8], wire_bytes: u32) -> Frame<'_> {
        Frame { time: Timestamp::from_nanos(1), link: LinkType::ETHERNET, wire_bytes, data }
    }

    #[test]
    fn the_usual_frames_are_read_and_others_are_left_alone() {
        for (is_tagged, is_tcp) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut bytes = whole(is_tagged, is_tcp);
            let ip = if is_tagged { 18 } else { 14 };
            assert!(read(&frame(&bytes, 100)).is_some());
            let padded = [bytes.as_slice(), &[0; 9]].concat();
            assert_eq!(read(&frame(&padded, 100)), read(&frame(&bytes, 100)), "padding is not payload");
            assert!(read(&Frame { link: LinkType::RAW, ..frame(&bytes, 100) }).is_none());
            // Options, a fragment, another protocol.
            for (place, value) in [(0, 0x46), (6, 0x20), (7, 1), (9, 1)] {
                let before = std::mem::replace(&mut bytes[ip + place], value);
                assert!(read(&frame(&bytes, 100)).is_none(), "{place}");
                bytes[ip + place] = before;
            }
            assert!(read(&frame(&bytes[..ip + 27], 100)).is_none(), "cut in the transport header");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Whatever else is in a frame, and wherever it is cut: what is read is what the layers say.
        #[test]
        fn it_reads_what_the_layers_say(
            is_tagged: bool,
            is_tcp: bool,
            changes in prop::collection::vec((0usize..60, any::<u8>()), 0..4),
            options in 0usize..44,
            cut in 0usize..120,
            wire_bytes in 0u32..200,
        ) {
            let mut bytes = whole(is_tagged, is_tcp);
            bytes.extend(std::iter::repeat_n(1, options));
            for (place, value) in changes {
                let places = bytes.len();
                bytes[place % places] = value;
            }
            let bytes = &bytes[..bytes.len().min(cut.max(20))];
            let frame = frame(bytes, wire_bytes);
            if let Some(packet) = read(&frame) {
                prop_assert_eq!(layers(&frame), Ok(packet));
            }
        }
    }
}

//! A frame to a packet: the layers in order.

use super::link::Link;
use super::tunnel::{self, Tunnel};
use super::{Frame, Packet, Skip, link, network, plain, transport};

/// Tunnels that are entered in one frame; what is deeper is the payload of the deepest.
const MAX_TUNNELS: u8 = 4;

/// Reads the innermost IP packet of a frame: where one IP packet carries another, the outer one is kept beside it.
///
/// Lengths are those that the headers state, so that a frame that was cut by a snap length counts as it was on the wire;
/// padding behind the IP packet counts in `wire_bytes` only. A TCP header is enough from its 14th byte on (in a first fragment from its fourth), a UDP header
/// when it is whole, an SCTP header from its fourth byte, ICMP from its second. Allocates nothing but for a tunnel.
///
/// # Errors
/// The reason why the frame is not a packet; see [`Skip`].
pub fn decode(frame: &Frame<'_>) -> Result<Packet, Skip> {
    let mut packet = Packet::default();
    decode_into(frame, &mut packet)?;
    Ok(packet)
}

/// The same where the packet is wanted, so that it need not be moved there.
///
/// # Errors
/// The same. The packet is what it was then.
#[inline]
pub fn decode_into(frame: &Frame<'_>, packet: &mut Packet) -> Result<(), Skip> {
    if plain::read(frame, packet).is_none() {
        *packet = layers(frame)?;
    }
    Ok(())
}

/// The same, layer by layer.
#[inline(never)]
pub(super) fn layers(frame: &Frame<'_>) -> Result<Packet, Skip> {
    let link = link::read(frame.link, frame.data)?;
    let on_wire = u64::from(frame.wire_bytes).max(frame.data.len() as u64);
    match read(frame, frame.data, on_wire, link) {
        Ok(packet) if tunnel::may_be(&packet) => Ok(innermost(frame, packet)),
        // As it is, so that it is not copied.
        read => read,
    }
}

/// Reads the packet whose IP header `link` found in `data`, of which `on_wire` bytes were on the wire.
#[inline]
fn read(frame: &Frame<'_>, data: &[u8], on_wire: u64, link: Link) -> Result<Packet, Skip> {
    let ip = data.get(link.at..).unwrap_or_default();
    let available = on_wire.saturating_sub(link.at as u64);
    let network = network::read(link.family, ip, u32::try_from(available).unwrap_or(u32::MAX))?;
    let ip = ip.get(..network.ip_bytes as usize).unwrap_or(ip);
    let transport = transport::read(&network, ip.get(network.header_bytes as usize..).unwrap_or_default())?;

    let start = link.at + (network.header_bytes + transport.header_bytes) as usize;
    let start = start.min(data.len());
    let end = data.len().min(start + transport.payload_bytes as usize);
    Ok(Packet {
        time: frame.time,
        src: network.src,
        dst: network.dst,
        src_port: transport.src_port,
        dst_port: transport.dst_port,
        protocol: network.protocol,
        ttl: network.ttl,
        vlans: link.vlans,
        src_mac: link.src_mac,
        dst_mac: link.dst_mac,
        wire_bytes: frame.wire_bytes,
        ip_bytes: network.ip_bytes,
        payload_bytes: transport.payload_bytes,
        payload: start as u32..end as u32,
        tcp: transport.tcp,
        network_at: link.at as u32,
        transport_at: link.at as u32 + network.header_bytes,
        fragment: network.fragment,
        bad_checksum: false,
        quoted: None,
        tunnel: None,
    })
}

/// Enters tunnels as long as there is an IP packet in the next.
#[cold]
fn innermost(frame: &Frame<'_>, outermost: Packet) -> Packet {
    let mut packet = outermost;
    for depth in 1..=MAX_TUNNELS {
        if !tunnel::may_be(&packet) {
            break;
        }
        let Some((kind, inner)) = inside(frame, &packet) else { break };
        packet = bring_along(packet, inner, (kind, depth));
    }
    packet
}

fn inside(frame: &Frame<'_>, outer: &Packet) -> Option<(tunnel::TunnelKind, Packet)> {
    let data = frame.data.get(..outer.payload.end as usize)?;
    let at = outer.payload.start as usize;
    let (kind, link) = tunnel::enter(outer, data, at)?;
    let inner = read(frame, data, at as u64 + u64::from(outer.payload_bytes), link).ok()?;
    Some((kind, inner))
}

/// The inner packet with what only the outer one knows.
fn bring_along(outer: Packet, mut inner: Packet, (kind, depth): (tunnel::TunnelKind, u8)) -> Packet {
    let is_bridged = inner.src_mac != [0; 6];
    if !is_bridged {
        (inner.src_mac, inner.dst_mac, inner.vlans) = (outer.src_mac, outer.dst_mac, outer.vlans);
    }
    let mut tunnel = outer.tunnel.unwrap_or_else(|| {
        Box::new(Tunnel {
            kind,
            depth,
            src: outer.src,
            dst: outer.dst,
            src_port: outer.src_port,
            dst_port: outer.dst_port,
            protocol: outer.protocol,
        })
    });
    tunnel.depth = depth;
    inner.tunnel = Some(tunnel);
    inner
}

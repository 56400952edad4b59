//! A frame to a packet: the layers in order.

use super::{Frame, Packet, Skip, link, network, transport};

/// Reads the outermost IP packet of a frame.
///
/// Lengths are those that the headers state, so that a frame that was cut by a snap length counts as it was on the wire;
/// padding behind the IP packet counts in `wire_bytes` only. A TCP header is enough from its 14th byte on, a UDP header
/// when it is whole, an SCTP header from its fourth byte, ICMP from its second. Allocates nothing.
///
/// # Errors
/// The reason why the frame is not a packet; see [`Skip`].
#[inline]
pub fn decode(frame: &Frame<'_>) -> Result<Packet, Skip> {
    let data = frame.data;
    let link = link::read(frame.link, data)?;
    let ip = data.get(link.at..).unwrap_or_default();
    let on_wire = u64::from(frame.wire_bytes).max(data.len() as u64) - link.at as u64;
    let network = network::read(link.family, ip, u32::try_from(on_wire).unwrap_or(u32::MAX))?;
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
        later_fragment: network.later_fragment,
        fragment: network.fragment,
    })
}

//! The clinic's network as the switch's mirror port sees it: frames go in, the capture and the labels come out.

use core::net::IpAddr;
use std::collections::BTreeMap;

use etherparse::{IpHeaders, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder, PacketBuilderStep, TcpHeader};

use super::capture::Capture;
use super::host::Node;
use super::label::{Labels, Row};
use super::random::Rng;

/// Everything that was sent so far.
pub struct Net {
    /// The frames.
    pub capture: Capture,
    /// The ground truth.
    pub labels: Labels,
    seed: u64,
    ports: BTreeMap<IpAddr, u16>,
    fault: Option<String>,
}

impl Net {
    /// An empty network for the data set of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { capture: Capture::default(), labels: Labels::default(), seed, ports: BTreeMap::new(), fault: None }
    }

    /// The random numbers of an actor.
    pub fn rng(&self, name: &str) -> Rng {
        Rng::of(self.seed, name)
    }

    /// The next ephemeral port of a node (RFC 6056, 3.3.5: random increments).
    pub fn port(&mut self, node: &Node, rng: &mut Rng) -> u16 {
        let port = self.ports.entry(node.ip).or_insert_with(|| rng.between(49_152, 65_535) as u16);
        *port = port.checked_add(rng.between(1, 3) as u16).unwrap_or(49_152);
        *port
    }

    /// Sends a frame and counts it in its conversation.
    pub fn send(&mut self, at: i64, frame: Built, row: &mut Row) {
        if let Some(wire_bytes) = self.send_unlabelled(at, frame) {
            row.count(at, wire_bytes);
        }
    }

    /// Sends a frame that has no row: it is no IP packet.
    pub fn send_unlabelled(&mut self, at: i64, frame: Built) -> Option<u32> {
        match frame {
            Ok(frame) => self.capture.push(at, frame),
            Err(fault) => {
                self.fault.get_or_insert(fault);
                None
            }
        }
    }

    /// The first frame that could not be built, if any.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

/// A frame's bytes, or why it could not be built.
pub type Built = Result<Vec<u8>, String>;

/// The Ethernet and IP headers of a packet between two nodes. It is never fragmented, so its identification is 0 (RFC 6864).
fn ip(from: &Node, to: &Node) -> PacketBuilderStep<IpHeaders> {
    let headers = match (from.ip, to.ip) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let header = Ipv4Header {
                source: source.octets(),
                destination: destination.octets(),
                dont_fragment: true,
                time_to_live: from.ttl,
                ..Ipv4Header::default()
            };
            IpHeaders::Ipv4(header, Default::default())
        }
        (source, destination) => {
            let octets = |ip: IpAddr| match ip {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                IpAddr::V6(v6) => v6.octets(),
            };
            let header = Ipv6Header {
                source: octets(source),
                destination: octets(destination),
                hop_limit: from.ttl,
                next_header: IpNumber::UDP,
                ..Ipv6Header::default()
            };
            IpHeaders::Ipv6(header, Default::default())
        }
    };
    PacketBuilder::ethernet2(from.mac, to.mac).ip(headers)
}

/// A TCP segment.
pub fn tcp(from: &Node, to: &Node, header: TcpHeader, payload: &[u8]) -> Built {
    let step = ip(from, to).tcp_header(header);
    let mut frame = Vec::with_capacity(step.size(payload.len()));
    step.write_to_vec(&mut frame, payload).map_err(|e| format!("TCP segment {} to {}: {e}", from.ip, to.ip))?;
    Ok(frame)
}

/// A UDP datagram.
pub fn udp(from: &Node, to: &Node, ports: [u16; 2], payload: &[u8]) -> Built {
    let step = ip(from, to).udp(ports[0], ports[1]);
    let mut frame = Vec::with_capacity(step.size(payload.len()));
    step.write_to_vec(&mut frame, payload).map_err(|e| format!("UDP datagram {} to {}: {e}", from.ip, to.ip))?;
    Ok(frame)
}

/// An ICMP or, between IPv6 nodes, an ICMPv6 message: type, code, the next four bytes, and the rest.
pub fn icmp(from: &Node, to: &Node, kind: u8, code: u8, next: [u8; 4], rest: &[u8]) -> Built {
    let mut frame = Vec::new();
    let written = if from.is_v6() {
        ip(from, to).icmpv6_raw(kind, code, next).write_to_vec(&mut frame, rest)
    } else {
        ip(from, to).icmpv4_raw(kind, code, next).write_to_vec(&mut frame, rest)
    };
    written.map_err(|e| format!("ICMP message {} to {}: {e}", from.ip, to.ip))?;
    Ok(frame)
}

/// An ARP packet (RFC 826): `operation` 1 asks who has the target's address, 2 answers.
pub fn arp(operation: u16, sender: ([u8; 6], [u8; 4]), target: ([u8; 6], [u8; 4]), to: [u8; 6]) -> Built {
    let mut frame = Vec::with_capacity(60);
    frame.extend(to);
    frame.extend(sender.0);
    frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4]);
    frame.extend(operation.to_be_bytes());
    frame.extend(sender.0);
    frame.extend(sender.1);
    frame.extend(target.0);
    frame.extend(target.1);
    Ok(frame)
}

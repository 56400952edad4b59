//! Datagrams, pings and address resolution.

use super::clock::{MICRO, MILLI};
use super::host::{Host, Node};
use super::label::{Row, Story};
use super::net::{self, Net};
use super::random::Rng;

/// The Ethernet broadcast address.
pub const BROADCAST: [u8; 6] = [0xff; 6];

/// The two sockets of an exchange over UDP.
#[derive(Clone, Copy)]
pub struct Sockets {
    /// Who asks.
    pub from: Node,
    /// Who is asked.
    pub to: Node,
    /// From which port.
    pub source: u16,
    /// At which port.
    pub destination: u16,
}

/// One question and its answer, if any, over UDP; returns when the answer was seen.
pub fn ask(net: &mut Net, rng: &mut Rng, s: Sockets, at: i64, story: Story, question: &[u8], answer: Option<&[u8]>) -> i64 {
    let mut row = Row::new((s.from.ip, s.to.ip, Some(s.source), Some(s.destination), "udp"), story);
    net.send(at, net::udp(&s.from, &s.to, [s.source, s.destination], question), &mut row);
    let mut now = at;
    if let Some(answer) = answer {
        now += s.to.lag + rng.exponential(s.to.lag / 8 + 60 * MICRO);
        net.send(now, net::udp(&s.to, &s.from, [s.destination, s.source], answer), &mut row);
    }
    net.labels.add(row);
    now
}

/// An echo request and, when `answered`, its reply (RFC 792, RFC 4443).
pub fn ping(net: &mut Net, rng: &mut Rng, (from, to): (Node, Node), number: u16, at: i64, answered: bool, story: Story) {
    let (proto, request, reply) = if from.is_v6() { ("ipv6-icmp", 128, 129) } else { ("icmp", 8, 0) };
    let mut row = Row::new((from.ip, to.ip, None, None, proto), story);
    let [high, low] = number.to_be_bytes();
    let next = [0x1c, 0x01, high, low];
    let content: Vec<u8> = (0..48).collect();
    net.send(at, net::icmp(&from, &to, request, 0, next, &content), &mut row);
    if answered {
        let then = at + to.lag + rng.exponential(to.lag / 8 + 40 * MICRO);
        net.send(then, net::icmp(&to, &from, reply, 0, next, &content), &mut row);
    }
    net.labels.add(row);
}

/// `asker` asks who has `target`'s address; `target` answers when it is there.
pub fn who_has(net: &mut Net, rng: &mut Rng, asker: Host, target: Host, at: i64, answered: bool) {
    let (from, to) = ((asker.mac(), asker.v4()), (target.mac(), target.v4()));
    net.send_unlabelled(at, net::arp(1, from, ([0; 6], to.1), BROADCAST));
    if answered {
        let then = at + rng.between(80, 600) * MICRO;
        net.send_unlabelled(then, net::arp(2, to, from, asker.mac()));
    }
}

/// A host announces its own address.
pub fn announce(net: &mut Net, host: Host, at: i64) {
    let me = (host.mac(), host.v4());
    net.send_unlabelled(at, net::arp(1, me, ([0; 6], host.v4()), BROADCAST));
}

/// A neighbour solicitation and its advertisement (RFC 4861) between link-local addresses.
pub fn neighbour(net: &mut Net, rng: &mut Rng, asker: Host, target: Host, at: i64, story: Story) {
    let (from, to) = (asker.link_local(), target.link_local());
    let mut row = Row::new((from.ip, to.ip, None, None, "ipv6-icmp"), story);
    let address = match to.ip {
        core::net::IpAddr::V6(v6) => v6.octets(),
        core::net::IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
    };
    let option = |kind: u8, mac: [u8; 6]| [&[kind, 1][..], &mac].concat();
    let solicitation = [&address[..], &option(1, asker.mac())].concat();
    let advertisement = [&address[..], &option(2, target.mac())].concat();
    net.send(at, net::icmp(&from, &to, 135, 0, [0; 4], &solicitation), &mut row);
    let then = at + rng.between(100, 900) * MICRO;
    net.send(then, net::icmp(&to, &from, 136, 0, [0x60, 0, 0, 0], &advertisement), &mut row);
    net.labels.add(row);
}

/// A moment later: what a program needs between an answer and its next step.
pub fn moment(rng: &mut Rng) -> i64 {
    rng.between(1, 6) * MILLI
}

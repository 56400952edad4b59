//! Frames in which devices speak of themselves, with the MAC addresses that a test wants.

#![allow(dead_code, reason = "each test program uses its own part")]

use crate::support::packets::{ACK, FIN, PSH, SYN, Shot, tcp, udp};

pub type Mac = [u8; 6];
pub type V4 = [u8; 4];
pub type V6 = [u8; 16];

/// 2023-11-14T22:13:20Z in microseconds.
pub const EPOCH: u64 = 1_700_000_000_000_000;

/// A capture that grows, a millisecond from frame to frame unless told otherwise.
#[derive(Default)]
pub struct Wire {
    pub shots: Vec<Shot>,
    pub micros: u64,
    port: u16,
}

impl Wire {
    pub fn say(&mut self, data: Vec<u8>) {
        self.micros += 1000;
        self.shots.push(Shot { micros: EPOCH + self.micros, data });
    }

    pub fn wait(&mut self, seconds: u64) {
        self.micros += seconds * 1_000_000;
    }

    /// A name is asked for and told: each end with its MAC address on this wire, and the hop limit of the asker.
    pub fn look_up(&mut self, client: (Mac, V4), server: (Mac, V4), ttl: u8) {
        self.port += 1;
        let (from, to) = ((client.1, 40_000 + self.port), (server.1, 53));
        let question = [&[7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x04ward\x07example\0", &[0, 1, 0, 1]].concat();
        let answer = [&[7, 7, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x04ward\x07example\0", &[0, 1, 0, 1]].concat();
        self.say(with_ttl(between(client.0, server.0, udp(from, to, &question)), ttl));
        self.say(between(server.0, client.0, udp(to, from, &answer)));
    }

    /// A connection with these payloads there and back.
    pub fn talk(&mut self, client: (Mac, V4), server: (Mac, V4), port: u16, payloads: [&[u8]; 2]) {
        self.port += 1;
        let (from, to) = ((client.1, 40_000 + self.port), (server.1, port));
        let [there, back] = payloads;
        let (seq, ack) = (101 + there.len() as u32, 501 + back.len() as u32);
        let mut say = |from_client: bool, data| {
            let macs = if from_client { (client.0, server.0) } else { (server.0, client.0) };
            self.say(between(macs.0, macs.1, data));
        };
        say(true, tcp(from, to, 100, 0, SYN, &[]));
        say(false, tcp(to, from, 500, 101, SYN | ACK, &[]));
        say(true, tcp(from, to, 101, 501, PSH | ACK, there));
        say(false, tcp(to, from, 501, seq, PSH | ACK, back));
        say(true, tcp(from, to, seq, ack, FIN | ACK, &[]));
        say(false, tcp(to, from, ack, seq + 1, FIN | ACK, &[]));
    }

    pub fn arp(&mut self, operation: u8, sender: (Mac, V4), target: (Mac, V4)) {
        let dst = if operation == 1 { [0xff; 6] } else { target.0 };
        let fields = [&[0, 1, 8, 0, 6, 4, 0, operation][..], &sender.0, &sender.1, &target.0, &target.1].concat();
        self.say([&dst[..], &sender.0, &[8, 6], &fields, &[0; 18]].concat());
    }

    /// A device tells all of its address.
    pub fn claim(&mut self, sender: (Mac, V4)) {
        self.arp(1, sender, ([0; 6], sender.1));
    }

    /// A device asks for an address by DHCP and gets it.
    pub fn lease(&mut self, client: Mac, name: &str, addr: V4, server: (Mac, V4)) {
        let options = [
            option(53, &[3]),
            option(12, name.as_bytes()),
            option(60, b"MSFT 5.0"),
            option(55, &[1, 3, 6, 15, 31, 33]),
            option(50, &addr),
        ];
        let request = bootp(1, client, [0; 4], &options.concat());
        self.say(between(client, [0xff; 6], udp(([0; 4], 68), ([255; 4], 67), &request)));
        let ack = bootp(2, client, addr, &[option(53, &[5]), option(54, &server.1)].concat());
        self.say(between(server.0, client, udp((server.1, 67), (addr, 68), &ack)));
    }

    /// An IPv6 packet with an ICMPv6 message.
    pub fn icmp6(&mut self, src_mac: Mac, src: V6, dst: V6, message: &[u8]) {
        let data = ipv6([0x33, 0x33, 0, 0, 0, 1], src_mac, (src, dst), 58, 255, message);
        self.say(data);
    }

    /// A device tells of an IPv6 address; `flags` 0x80 says that it is a router.
    pub fn advertise(&mut self, mac: Mac, addr: V6, flags: u8) {
        let message = [&[136, 0, 0, 0, flags | 0x20, 0, 0, 0][..], &addr, &[2, 1], &mac].concat();
        self.icmp6(mac, addr, ALL_NODES, &message);
    }

    /// A device asks whether an IPv6 address is free.
    pub fn probe(&mut self, mac: Mac, addr: V6) {
        let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &addr].concat();
        self.icmp6(mac, [0; 16], ALL_NODES, &message);
    }
}

pub const ALL_NODES: V6 = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// A link-local address, or one of fd00::/64.
pub fn v6(global: bool, last: u8) -> V6 {
    let mut addr = [0; 16];
    (addr[0], addr[1], addr[15]) = if global { (0xfd, 0, last) } else { (0xfe, 0x80, last) };
    addr
}

/// The frame with other MAC addresses.
pub fn between(src: Mac, dst: Mac, mut frame: Vec<u8>) -> Vec<u8> {
    frame[..6].copy_from_slice(&dst);
    frame[6..12].copy_from_slice(&src);
    frame
}

/// An IPv4 frame with another hop limit.
pub fn with_ttl(mut frame: Vec<u8>, ttl: u8) -> Vec<u8> {
    frame[22] = ttl;
    frame[24..26].fill(0);
    let sum = checksum(&frame[14..34]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame
}

fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

fn ipv6(dst_mac: Mac, src_mac: Mac, (src, dst): (V6, V6), next: u8, hops: u8, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    let length = (body.len() as u16).to_be_bytes();
    let sum = checksum(&[&src[..], &dst, &[0, 0], &length, &[0, 0, 0, next], &body].concat());
    body[2..4].copy_from_slice(&sum.to_be_bytes());
    [&dst_mac[..], &src_mac, &[0x86, 0xdd, 0x60, 0, 0, 0], &length, &[next, hops], &src, &dst, &body].concat()
}

fn option(code: u8, value: &[u8]) -> Vec<u8> {
    [&[code, value.len() as u8][..], value].concat()
}

fn bootp(operation: u8, client: Mac, yours: V4, options: &[u8]) -> Vec<u8> {
    let head = [&[operation, 1, 6, 0, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0][..], &yours, &[0; 8], &client].concat();
    [&head[..], &[0; 10 + 192], &[0x63, 0x82, 0x53, 0x63], options, &[255]].concat()
}

/// LLDP of a switch's port.
pub fn lldp(src: Mac, chassis: Mac, port: &str, name: &str, address: V4) -> Vec<u8> {
    let tlv = |kind: u16, value: &[u8]| [&(kind << 9 | value.len() as u16).to_be_bytes()[..], value].concat();
    let ids = [tlv(1, &[&[4][..], &chassis].concat()), tlv(2, &[&[5][..], port.as_bytes()].concat()), tlv(3, &[0, 120])];
    let about = [tlv(5, name.as_bytes()), tlv(6, b"Example OS 7.1\nbuilt on a Monday"), tlv(7, &[0, 0x14, 0, 0x04])];
    let management = tlv(8, &[&[5, 1][..], &address, &[2, 0, 0, 0, 1, 0]].concat());
    [&[1, 0x80, 0xc2, 0, 0, 0x0e][..], &src, &[0x88, 0xcc], &ids.concat(), &about.concat(), &management, &[0, 0]].concat()
}

//! Frames made by hand, and what `decode` says of them.

use auscult::wire::{Addr, Frame, LinkType, Packet, Skip, Tcp, TcpFlags, decode};
use etherparse::{IpNumber, PacketBuilder, VlanId};

use crate::wire_support::{ethernet, frame};

const SRC_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const DST_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const SRC: [u8; 4] = [10, 0, 0, 1];
const DST: [u8; 4] = [10, 0, 0, 2];
const SRC6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const DST6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

/// Ethernet, IPv4, TCP 40000 > 80 with PSH and ACK, and this payload.
fn tcp_frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2(SRC_MAC, DST_MAC)
        .ipv4(SRC, DST, 63)
        .tcp(40_000, 80, 0x0102_0304, 502)
        .ack(0x0506_0708)
        .psh()
        .write(&mut bytes, payload)
        .unwrap();
    bytes
}

/// Ethernet with this type and content.
fn with_ether_type(ether_type: u16, content: &[u8]) -> Vec<u8> {
    [&DST_MAC[..], &SRC_MAC, &ether_type.to_be_bytes(), content].concat()
}

/// An IPv6 header with this next header and content.
fn ipv6(next: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16).to_be_bytes();
    [&[0x60, 0, 0, 0], &length[..], &[next, 60], &SRC6, &DST6, content].concat()
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len() as u16).to_be_bytes();
    [&[0x30, 0x39, 0, 53], &length[..], &[0, 0], payload].concat()
}

fn packet(data: &[u8]) -> Packet {
    decode(&ethernet(data)).unwrap()
}

fn ports(packet: &Packet) -> (u16, u16) {
    (packet.src_port, packet.dst_port)
}

#[test]
fn tells_every_field_of_a_tcp_packet() {
    let bytes = tcp_frame(b"hello");
    let frame = Frame { wire_bytes: 1000, ..ethernet(&bytes) };
    let got = decode(&frame).unwrap();
    let want = Packet {
        time: frame.time,
        src: Addr::v4(SRC),
        dst: Addr::v4(DST),
        src_port: 40_000,
        dst_port: 80,
        protocol: 6,
        ttl: 63,
        vlans: [0, 0],
        tunnel: None,
        src_mac: SRC_MAC,
        dst_mac: DST_MAC,
        wire_bytes: 1000,
        ip_bytes: 45,
        payload_bytes: 5,
        payload: 54..59,
        tcp: Some(Tcp { seq: 0x0102_0304, ack: 0x0506_0708, window: 502, flags: TcpFlags(0x18) }),
        network_at: 14,
        transport_at: 34,
        fragment: None,
        bad_checksum: false,
        quoted: None,
    };
    assert_eq!(got, want);
    assert_eq!(frame.payload(&got), b"hello");
}

#[test]
fn padding_is_no_payload() {
    let mut bytes = tcp_frame(b"");
    bytes.resize(60, 0xee);
    let got = packet(&bytes);
    assert_eq!((got.ip_bytes, got.payload_bytes, got.wire_bytes), (40, 0, 60));
    assert!(got.payload.is_empty());
}

#[test]
fn sizes_are_those_stated_when_the_capture_is_cut() {
    let mut bytes = tcp_frame(&[0; 1000]);
    bytes[46] = 0x80; // A data offset of 8: twelve bytes of options, of which none is captured below.
    let got = decode(&Frame { wire_bytes: 1054, data: &bytes[..54], ..ethernet(&[]) }).unwrap();
    assert_eq!((got.ip_bytes, got.payload_bytes, ports(&got)), (1040, 988, (40_000, 80)));
    assert_eq!(got.payload, 54..54);
    let got = decode(&Frame { wire_bytes: 1054, data: &bytes[..70], ..ethernet(&[]) }).unwrap();
    assert_eq!((got.payload_bytes, got.payload), (988, 66..70));
}

#[test]
fn a_tcp_header_is_enough_from_its_flags_on() {
    let bytes = tcp_frame(b"hello");
    let whole = packet(&bytes);
    let cut = decode(&Frame { data: &bytes[..34 + 14], ..ethernet(&bytes) }).unwrap();
    assert_eq!(cut.tcp, whole.tcp.map(|tcp| Tcp { window: 0, ..tcp }));
    assert_eq!(cut.payload_bytes, 5);
    assert_eq!(decode(&Frame { data: &bytes[..34 + 13], ..ethernet(&bytes) }), Err(Skip::TruncatedTransport));
}

#[test]
fn a_length_of_zero_is_the_frame_before_offload() {
    let mut bytes = tcp_frame(&[0; 3000]);
    bytes[16..18].fill(0);
    assert_eq!((packet(&bytes).ip_bytes, packet(&bytes).payload_bytes), (3040, 3000));
    let cut = Frame { wire_bytes: bytes.len() as u32, data: &bytes[..100], ..ethernet(&[]) };
    assert_eq!(decode(&cut).unwrap().payload_bytes, 3000);
}

#[test]
fn a_length_beyond_the_frame_counts_as_far_as_the_frame_went() {
    let mut bytes = tcp_frame(b"hello");
    bytes[16..18].fill(0xff);
    assert_eq!((packet(&bytes).ip_bytes, packet(&bytes).payload_bytes), (45, 5));
    let mut bytes = with_ether_type(0x86dd, &ipv6(17, &udp(b"hello")));
    bytes[18..20].fill(0xff);
    assert_eq!((packet(&bytes).ip_bytes, packet(&bytes).payload_bytes), (53, 5));
}

#[test]
fn ipv4_options_belong_to_the_header() {
    let mut bytes = tcp_frame(b"hello");
    bytes[14] = 0x46;
    bytes[17] += 4;
    bytes.splice(34..34, [1, 1, 1, 0]);
    let got = packet(&bytes);
    assert_eq!((got.ip_bytes, got.payload_bytes, got.payload.clone(), ports(&got)), (49, 5, 58..63, (40_000, 80)));
}

#[test]
fn lengths_that_contradict_each_other_are_refused() {
    let change = |at: usize, to: u8| {
        let mut bytes = tcp_frame(b"hello");
        bytes[at] = to;
        decode(&ethernet(&bytes))
    };
    assert_eq!(change(14, 0x65), Err(Skip::BadIpVersion));
    assert_eq!(change(14, 0x44), Err(Skip::BadIpHeader));
    assert_eq!(change(17, 19), Err(Skip::BadIpHeader));
    assert_eq!(change(17, 39), Err(Skip::BadTransportHeader));
    assert_eq!(change(46, 0x40), Err(Skip::BadTransportHeader));
    assert_eq!(change(46, 0x70), Err(Skip::BadTransportHeader));
}

#[test]
fn vlan_tags_are_passed_and_the_first_two_kept() {
    let mut bytes = Vec::new();
    let id = |value| VlanId::try_new(value).unwrap();
    PacketBuilder::ethernet2(SRC_MAC, DST_MAC)
        .double_vlan(id(10), id(20))
        .ipv4(SRC, DST, 1)
        .udp(1, 2)
        .write(&mut bytes, b"x")
        .unwrap();
    assert_eq!((packet(&bytes).vlans, packet(&bytes).payload.clone()), ([10, 20], 50..51));

    let inner = &tcp_frame(b"")[12..];
    let tags = |tags: &[[u8; 4]]| [&DST_MAC[..], &SRC_MAC, &tags.concat(), inner].concat();
    assert_eq!(packet(&tags(&[[0x91, 0, 0xe0, 5], [0x88, 0xa8, 0, 6], [0x81, 0, 0, 7]])).vlans, [5, 6]);
    assert_eq!(packet(&tags(&[[0x81, 0, 0xe0, 0], [0x81, 0, 0, 7]])).vlans, [7, 0], "a priority tag is no VLAN");
    assert_eq!(packet(&tags(&[[0x81, 0, 0, 1]; 8])).vlans, [1, 1]);
    assert_eq!(decode(&ethernet(&tags(&[[0x81, 0, 0, 1]; 9]))), Err(Skip::TooManyHeaders));
    assert_eq!(decode(&ethernet(&tags(&[[0x81, 0, 0, 1]; 2])[..20])), Err(Skip::TruncatedLink));
}

#[test]
fn what_is_not_ip_says_what_it_is() {
    let skip = |ether_type: u16, content: &[u8]| decode(&ethernet(&with_ether_type(ether_type, content))).unwrap_err();
    assert_eq!(skip(0x0806, &[0; 28]), Skip::Arp);
    assert_eq!(skip(0x88cc, &[0; 28]), Skip::Lldp);
    assert_eq!(skip(0x88e5, &[0; 28]), Skip::UnsupportedTunnel, "encrypted");
    assert_eq!(skip(0x8847, &[0; 28]), Skip::TruncatedLink, "a stack without a bottom");
    assert_eq!(skip(0x8864, &[0x11, 0, 0, 1, 0, 8, 0xc0, 0x21, 1, 1]), Skip::NonIp, "the control of a link");
    assert_eq!(skip(0x88ba, &[0; 28]), Skip::NonIp);
    assert_eq!(skip(0x0026, &[0x42, 0x42, 3, 0, 0]), Skip::Llc, "spanning tree");
    assert_eq!(skip(0x0026, &[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0]), Skip::Llc, "Cisco's discovery protocol");
    assert_eq!(skip(0x0026, &[0xaa, 0xaa, 3, 0, 0, 0]), Skip::TruncatedLink);
    assert_eq!(decode(&ethernet(&[0; 13])), Err(Skip::TruncatedLink));
    assert_eq!(decode(&frame(LinkType(147), &[0; 100])), Err(Skip::UnsupportedLinkType));
}

#[test]
fn ip_in_snap_is_read() {
    let ip = &tcp_frame(b"hi")[14..];
    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], ip].concat();
    let got = packet(&with_ether_type(snap.len() as u16, &snap));
    assert_eq!((got.src, got.payload_bytes, got.payload), (Addr::v4(SRC), 2, 62..64));
}

#[test]
fn other_link_layers_lead_to_the_same_packet() {
    let v4 = tcp_frame(b"hello")[14..].to_vec();
    let v6 = ipv6(17, &udp(b"q"));
    let mac = [2, 0, 0, 0, 0, 9];
    let sll = |protocol: [u8; 2], ip: &[u8]| [&[0, 0, 0, 1, 0, 6], &mac[..], &[0, 0], &protocol, ip].concat();
    let sll2 = |protocol: [u8; 2], ip: &[u8]| [&protocol[..], &[0, 0, 0, 0, 0, 3, 0, 1, 0, 6], &mac, &[0, 0], ip].concat();
    let cases: [(LinkType, Vec<u8>, bool, [u8; 6]); 12] = [
        (LinkType::RAW, v4.clone(), true, [0; 6]),
        (LinkType::RAW, v6.clone(), false, [0; 6]),
        (LinkType::RAW_BSD, v4.clone(), true, [0; 6]),
        (LinkType::RAW_OPENBSD, v6.clone(), false, [0; 6]),
        (LinkType::IPV4, v4.clone(), true, [0; 6]),
        (LinkType::IPV6, v6.clone(), false, [0; 6]),
        (LinkType::NULL, [&[2, 0, 0, 0], &v4[..]].concat(), true, [0; 6]),
        (LinkType::NULL, [&[0, 0, 0, 30], &v6[..]].concat(), false, [0; 6]),
        (LinkType::LOOP, [&[0, 0, 0, 24], &v6[..]].concat(), false, [0; 6]),
        (LinkType::LINUX_SLL, sll([8, 0], &v4), true, mac),
        (LinkType::LINUX_SLL2, sll2([0x86, 0xdd], &v6), false, mac),
        (LinkType::LINUX_SLL2, sll2([0x81, 0], &[&[0, 5, 8, 0], &v4[..]].concat()), true, mac),
    ];
    for (link, bytes, is_v4, src_mac) in cases {
        let got = decode(&frame(link, &bytes)).unwrap_or_else(|skip| panic!("{link:?}: {skip}"));
        let want = if is_v4 { (Addr::v4(SRC), (40_000, 80), 5) } else { (Addr::v6(SRC6), (12_345, 53), 1) };
        assert_eq!((got.src, ports(&got), got.payload_bytes), want, "{link:?}");
        assert_eq!(got.payload.end as usize, bytes.len(), "{link:?}");
        assert_eq!(got.src_mac, src_mac, "{link:?}");
    }
}

#[test]
fn link_layers_without_ip_are_counted_as_such() {
    assert_eq!(decode(&frame(LinkType::RAW, &[0x50; 40])), Err(Skip::BadIpVersion));
    assert_eq!(decode(&frame(LinkType::IPV4, &ipv6(17, &udp(b"q")))), Err(Skip::BadIpVersion));
    assert_eq!(decode(&frame(LinkType::RAW, &[])), Err(Skip::TruncatedNetwork));
    assert_eq!(decode(&frame(LinkType::NULL, &[7, 0, 0, 0, 0x45])), Err(Skip::NonIp));
    assert_eq!(decode(&frame(LinkType::LOOP, &[0, 0, 0])), Err(Skip::TruncatedLink));
    assert_eq!(decode(&frame(LinkType::LINUX_SLL, &[0; 15])), Err(Skip::TruncatedLink));
    let netlink = [&[0, 0, 0x03, 0x38, 0, 0], &[0; 8][..], &[8, 0], &tcp_frame(b"")[14..]].concat();
    assert_eq!(decode(&frame(LinkType::LINUX_SLL, &netlink)), Err(Skip::NonIp));
}

#[test]
fn ipv4_fragments() {
    let mut first = tcp_frame(&[0; 16]);
    first[20] = 0x20;
    let got = packet(&first);
    assert_eq!(
        (got.fragment.is_some(), got.is_later_fragment(), ports(&got), got.payload_bytes),
        (true, false, (40_000, 80), 16)
    );
    let mut later = tcp_frame(&[0; 16]);
    later[20..22].copy_from_slice(&[0, 3]);
    let got = packet(&later);
    assert_eq!((got.fragment.is_some(), got.is_later_fragment(), ports(&got), got.payload_bytes), (true, true, (0, 0), 36));
    assert_eq!((got.protocol, got.tcp, got.payload), (6, None, 34..70));
    // Eight bytes of TCP in a first fragment: an old way past a filter.
    let mut tiny = tcp_frame(&[]);
    tiny[20] = 0x20;
    tiny[17] = 28;
    let got = packet(&tiny);
    assert_eq!((got.is_later_fragment(), ports(&got), got.payload_bytes, got.tcp), (false, (40_000, 80), 0, None));
    tiny[17] = 23;
    assert_eq!(decode(&ethernet(&tiny)), Err(Skip::TruncatedTransport), "not even the ports");
}

#[test]
fn ipv6_extension_headers_are_walked() {
    let options = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    let routing = |next: u8| [next, 0, 0, 0, 0, 0, 0, 0];
    let auth = |next: u8| [next, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let chain = [&options(43)[..], &routing(60), &options(51), &auth(17), &udp(b"query")].concat();
    let got = packet(&with_ether_type(0x86dd, &ipv6(0, &chain)));
    assert_eq!((got.protocol, ports(&got), got.payload_bytes, got.ip_bytes), (17, (12_345, 53), 5, 40 + 48 + 13));
    assert_eq!(got.payload, 14 + 40 + 48 + 8..14 + 40 + 48 + 13);

    let endless = [options(60); 40].concat();
    assert_eq!(decode(&ethernet(&with_ether_type(0x86dd, &ipv6(60, &endless)))), Err(Skip::TooManyHeaders));
    let cut = with_ether_type(0x86dd, &ipv6(0, &chain));
    assert_eq!(decode(&Frame { data: &cut[..60], ..ethernet(&cut) }), Err(Skip::TruncatedNetwork));
    let beyond = ipv6(0, &[17, 9, 0, 0, 0, 0, 0, 0]);
    assert_eq!(decode(&ethernet(&with_ether_type(0x86dd, &beyond))), Err(Skip::BadIpHeader));
}

#[test]
fn ipv6_fragments_and_a_length_of_zero() {
    let fragment = |offset: u16, rest: &[u8]| ipv6(44, &[&[17, 0], &offset.to_be_bytes()[..], &[0, 0, 0, 9], rest].concat());
    let got = packet(&with_ether_type(0x86dd, &fragment(1, &udp(b"abcdefgh"))));
    assert_eq!((got.fragment.is_some(), got.is_later_fragment(), ports(&got), got.payload_bytes), (true, false, (12_345, 53), 8));
    let got = packet(&with_ether_type(0x86dd, &fragment(8, &[60; 24])));
    assert_eq!((got.fragment.is_some(), got.is_later_fragment(), ports(&got), got.payload_bytes), (true, true, (0, 0), 24));
    let got = packet(&with_ether_type(0x86dd, &fragment(0, &udp(b"whole"))));
    assert!(got.fragment.is_none(), "an atomic fragment (RFC 6946) is a whole packet");

    let mut offload = ipv6(17, &udp(b"abc"));
    offload[4..6].fill(0);
    assert_eq!(packet(&with_ether_type(0x86dd, &offload)).payload_bytes, 3);
    let nothing = packet(&with_ether_type(0x86dd, &[&ipv6(59, b"")[..], &[0; 6]].concat()));
    assert_eq!((nothing.protocol, nothing.ip_bytes, nothing.payload_bytes), (59, 40, 0));
}

#[test]
fn authentication_and_encryption_over_ipv4() {
    let build = |number: u8, content: &[u8]| {
        let mut bytes = Vec::new();
        PacketBuilder::ethernet2(SRC_MAC, DST_MAC).ipv4(SRC, DST, 9).write(&mut bytes, IpNumber(number), content).unwrap();
        packet(&bytes)
    };
    let auth = [&[17, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9][..], &udp(b"hi")].concat();
    let got = build(51, &auth);
    assert_eq!((got.protocol, ports(&got), got.payload_bytes), (17, (12_345, 53), 2));
    let got = build(50, &[1; 40]);
    assert_eq!((got.protocol, ports(&got), got.payload_bytes, got.payload), (50, (0, 0), 40, 34..74));
    let got = build(47, &[1; 40]);
    assert_eq!((got.protocol, ports(&got), got.payload_bytes), (47, (0, 0), 40), "a tunnel is its outer packet");
}

#[test]
fn udp_sctp_and_icmp() {
    let build = |number: u8, content: &[u8]| {
        let mut bytes = Vec::new();
        PacketBuilder::ethernet2(SRC_MAC, DST_MAC).ipv4(SRC, DST, 9).write(&mut bytes, IpNumber(number), content).unwrap();
        decode(&ethernet(&bytes)).map(|packet| (ports(&packet), packet.payload_bytes))
    };
    assert_eq!(build(17, &udp(b"hi")), Ok(((12_345, 53), 2)));
    assert_eq!(build(17, &[&udp(b"hi")[..], b"trailer"].concat()), Ok(((12_345, 53), 2)));
    assert_eq!(build(17, &[0, 1, 0, 2, 0, 0, 0, 0, 5, 5, 5]), Ok(((1, 2), 3)), "a length of 0 is all there is");
    assert_eq!(build(17, &[0, 1, 0, 2, 0, 7, 0, 0]), Err(Skip::BadTransportHeader));
    assert_eq!(build(17, &[0, 1, 0, 2, 0, 8]), Err(Skip::BadTransportHeader));
    assert_eq!(build(132, &[&[0, 9, 0, 10][..], &[0; 24]].concat()), Ok(((9, 10), 16)));
    assert_eq!(build(1, &[&[8, 0][..], &[0; 62]].concat()), Ok(((8, 0), 56)));
    assert_eq!(build(1, &[3, 1, 0, 0, 0, 0]), Ok(((3, 1), 0)));
    assert_eq!(build(1, &[8]), Err(Skip::BadTransportHeader));
    let echo = ipv6(58, &[128, 0, 0, 0, 0, 1, 0, 1, 7, 7]);
    let got = packet(&with_ether_type(0x86dd, &echo));
    assert_eq!((got.protocol, ports(&got), got.payload_bytes), (58, (128, 0), 2));
}

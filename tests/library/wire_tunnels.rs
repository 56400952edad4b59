//! Link types other than Ethernet, and packets inside packets: by hand, and as tshark sees the innermost.

use std::path::Path;

use auscult::capture::{Block, Input, Source, open};
use auscult::wire::{Addr, Frame, LinkType, Packet, Skip, TunnelKind, decode};

use crate::support::have;
use crate::support::tshark::Asked;
use crate::wire_support::{data_file, ethernet, frame};

const INNER_SRC: [u8; 4] = [192, 0, 2, 1];
const INNER_DST: [u8; 4] = [192, 0, 2, 2];
const OUTER_SRC: [u8; 4] = [10, 0, 0, 1];
const OUTER_DST: [u8; 4] = [10, 0, 0, 2];

fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = (20 + content.len() as u16).to_be_bytes();
    [&[0x45, 0, high, low, 0, 1, 0, 0, 64, protocol, 0, 0], &src[..], &dst, content].concat()
}

fn udp(src: u16, dst: u16, content: &[u8]) -> Vec<u8> {
    [&src.to_be_bytes()[..], &dst.to_be_bytes(), &(8 + content.len() as u16).to_be_bytes(), &[0, 0], content].concat()
}

/// The packet that all these tunnels carry: UDP 4000 > 5000.
fn inner() -> Vec<u8> {
    ipv4(INNER_SRC, INNER_DST, 17, &udp(4000, 5000, b"hello"))
}

fn with_macs(ether_type: u16, content: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8], &ether_type.to_be_bytes()[..], content].concat()
}

fn over_ip(protocol: u8, content: &[u8]) -> Vec<u8> {
    with_macs(0x0800, &ipv4(OUTER_SRC, OUTER_DST, protocol, content))
}

fn over_udp(port: u16, header: &[u8], content: &[u8]) -> Vec<u8> {
    over_ip(17, &udp(50_000, port, &[header, content].concat()))
}

fn over_gre(header: &[u8], content: &[u8]) -> Vec<u8> {
    over_ip(47, &[header, content].concat())
}

#[track_caller]
fn is_inner(packet: &Packet) {
    assert_eq!((packet.src, packet.dst), (Addr::v4(INNER_SRC), Addr::v4(INNER_DST)));
    assert_eq!((packet.src_port, packet.dst_port, packet.payload_bytes), (4000, 5000, 5));
    assert_eq!(packet.payload.len(), 5);
}

#[test]
fn every_tunnel_shows_what_it_carries() {
    let bridged = with_macs(0x0800, &inner());
    let ppp = [&[0xff, 3, 0, 0x21], &inner()[..]].concat();
    let cases: Vec<(TunnelKind, Vec<u8>)> = vec![
        (TunnelKind::Ip, over_ip(4, &inner())),
        (TunnelKind::Gre, over_gre(&[0, 0, 8, 0], &inner())),
        (TunnelKind::Gre, over_gre(&[0xb0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1], &inner())),
        (TunnelKind::Gre, over_gre(&[0, 0, 0x65, 0x58], &bridged)),
        (TunnelKind::Gre, over_gre(&[0x30, 0x81, 0x88, 0x0b, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2], &ppp)),
        (TunnelKind::Erspan, over_gre(&[0, 0, 0x88, 0xbe], &bridged)),
        (TunnelKind::Erspan, over_gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 1, 0, 1, 0, 0, 0, 0], &bridged)),
        (TunnelKind::Erspan, over_gre(&[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1][..], &[0; 10]].concat(), &bridged)),
        (TunnelKind::EtherIp, over_ip(97, &[&[0x30, 0], &bridged[..]].concat())),
        (TunnelKind::Mpls, over_ip(137, &[&[0, 1, 0x01, 64], &inner()[..]].concat())),
        (TunnelKind::Mpls, over_udp(6635, &[0, 1, 0x01, 64], &inner())),
        (TunnelKind::Vxlan, over_udp(4789, &[8, 0, 0, 0, 0, 0, 5, 0], &bridged)),
        (TunnelKind::Vxlan, over_udp(4790, &[0x0c, 0, 0, 1, 0, 0, 5, 0], &inner())),
        (TunnelKind::Geneve, over_udp(6081, &[1, 0, 0x65, 0x58, 0, 0, 5, 0, 1, 2, 0, 0], &bridged)),
        (TunnelKind::Gtp, over_udp(2152, &[0x30, 0xff, 0, 33, 0, 0, 0, 1], &inner())),
        (TunnelKind::Gtp, over_udp(2152, &[0x34, 0xff, 0, 41, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0], &inner())),
        (TunnelKind::L2tp, over_udp(1701, &[0x40, 2, 0, 45, 0, 1, 0, 1], &ppp)),
        (TunnelKind::Tzsp, over_udp(37008, &[1, 0, 0, 1, 1], &bridged)),
    ];
    for (kind, bytes) in cases {
        let packet = decode(&ethernet(&bytes)).unwrap();
        let tunnel = packet.tunnel.as_deref().unwrap_or_else(|| panic!("{kind:?} was not entered: {bytes:02x?}"));
        assert_eq!((tunnel.kind, tunnel.depth, tunnel.src, tunnel.dst), (kind, 1, Addr::v4(OUTER_SRC), Addr::v4(OUTER_DST)));
        is_inner(&packet);
        assert_eq!(packet.wire_bytes as usize, bytes.len());
    }
}

#[test]
fn a_packet_that_only_looks_like_a_tunnel_is_itself() {
    let no_ip = with_macs(0x0806, &[0; 28]);
    for bytes in [
        over_udp(4789, &[0, 0, 0, 0, 0, 0, 5, 0], &with_macs(0x0800, &inner())),
        over_udp(4789, &[8, 0, 0, 0, 0, 0, 5, 0], &no_ip),
        over_udp(2152, &[0x32, 1, 0, 4, 0, 0, 0, 0], &[0; 8]),
        over_udp(3544, b"any other thing", b"that is no IPv6"),
        over_gre(&[0, 0, 8, 0], &inner()[..10]),
        over_ip(4, b""),
    ] {
        let packet = decode(&ethernet(&bytes)).unwrap();
        assert_eq!((packet.src, packet.tunnel), (Addr::v4(OUTER_SRC), None), "{bytes:02x?}");
    }
}

#[test]
fn tunnels_in_tunnels_are_entered_four_deep() {
    let mut bytes = inner();
    for depth in 1..=6_u8 {
        bytes = ipv4(OUTER_SRC, [10, 0, 0, depth], 4, &bytes);
        let packet = decode(&frame(LinkType::RAW, &bytes)).unwrap();
        let tunnel = packet.tunnel.as_deref().unwrap();
        assert_eq!((tunnel.depth, tunnel.dst), (depth.min(4), Addr::v4([10, 0, 0, depth])));
        assert_eq!(packet.protocol == 17, depth <= 4, "deeper, the packet is the carrier of the rest");
    }
}

#[test]
fn an_inner_length_cannot_reach_beyond_its_carrier() {
    let mut forged = inner();
    (forged[2], forged[3]) = (0xff, 0xff);
    let bytes = over_ip(4, &forged);
    let packet = decode(&Frame { wire_bytes: 60_000, ..ethernet(&bytes) }).unwrap();
    assert_eq!(packet.ip_bytes as usize, forged.len());
}

#[test]
fn what_stands_between_ethernet_and_ip_is_passed_over() {
    let ppp = [&[0x11, 0, 0, 1, 0, 0, 0, 0x21], &inner()[..]].concat();
    for bytes in [
        with_macs(0x8847, &[&[0, 1, 0, 64, 0, 2, 1, 64], &inner()[..]].concat()),
        with_macs(0x8847, &[&[0, 2, 1, 64, 0, 0, 0, 0], &with_macs(0x0800, &inner())[..]].concat()),
        with_macs(0x8864, &ppp),
        with_macs(0x88e7, &[&[0, 0, 0, 7], &with_macs(0x0800, &inner())[..]].concat()),
        with_macs(0x8909, &[&[1, 1, 0, 1, 0, 5, 8, 0], &inner()[..]].concat()),
        with_macs(0x8926, &[&[0, 1, 0, 2, 8, 0], &inner()[..]].concat()),
        with_macs(0x894f, &[&[0, 2, 1, 1, 0, 0, 1, 255], &inner()[..]].concat()),
    ] {
        is_inner(&decode(&ethernet(&bytes)).unwrap_or_else(|skip| panic!("{skip}: {bytes:02x?}")));
    }
}

#[test]
fn other_link_types_lead_to_ip() {
    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &inner()[..]].concat();
    let wifi = [&[0x88, 1, 0, 0][..], &[2; 18], &[0, 0], &[0, 0], &snap].concat();
    let nflog = [&[2, 0, 0, 0, 8, 0, 1, 0, 0, 0, 0, 0, 44, 0, 9, 0][..], &inner()].concat();
    for (link, bytes) in [
        (LinkType::PPP, [&[0xff, 3, 0, 0x21], &inner()[..]].concat()),
        (LinkType::PPP, [&[0x21], &inner()[..]].concat()),
        (LinkType::PPP_SERIAL, [&[0x0f, 0, 8, 0], &inner()[..]].concat()),
        (LinkType::PPP_ETHER, [&[0x11, 0, 0, 1, 0, 0, 0, 0x21], &inner()[..]].concat()),
        (LinkType::PPP_WITH_DIRECTION, [&[1, 0xff, 3, 0, 0x21], &inner()[..]].concat()),
        (LinkType::C_HDLC, [&[0x0f, 0, 8, 0], &inner()[..]].concat()),
        (LinkType::C_HDLC_WITH_DIRECTION, [&[0, 0x0f, 0, 8, 0], &inner()[..]].concat()),
        (LinkType::IEEE802_11, wifi.clone()),
        (LinkType::RADIOTAP, [&[0, 0, 9, 0, 2, 0, 0, 0, 0], &wifi[..]].concat()),
        (LinkType::PRISM, [&[0x44, 0, 0, 0, 144, 0, 0, 0][..], &[0; 136], &wifi].concat()),
        (LinkType::AVS, [&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64][..], &[0; 56], &wifi].concat()),
        (LinkType::PPI, [&[0, 0, 8, 0, 105, 0, 0, 0], &wifi[..]].concat()),
        (LinkType::NFLOG, nflog),
        (LinkType::TOKEN_RING, [&[0x10, 0x40][..], &[2; 6], &[0x82, 2, 2, 2, 2, 2], &[2, 0], &snap].concat()),
        (LinkType::FDDI, [&[0x50][..], &[2; 12], &snap].concat()),
    ] {
        is_inner(&decode(&frame(link, &bytes)).unwrap_or_else(|skip| panic!("{link:?}: {skip}")));
    }
    let encrypted = [&[0x88, 0x41][..], &[0; 60]].concat();
    assert_eq!(decode(&frame(LinkType::IEEE802_11, &encrypted)), Err(Skip::NonIp));
}

/// Layers of IP in a frame as tshark tells them, outermost first; what an ICMP error quotes is none.
struct Row {
    protocols: Vec<String>,
    v4: Vec<(String, String)>,
    v6: Vec<(String, String)>,
}

impl Row {
    fn read(line: &str) -> Self {
        let fields: Vec<&str> = line.split('|').collect();
        let list = |place: usize| fields.get(place).map_or_else(Vec::new, |f| f.split(',').map(str::to_owned).collect());
        let pairs = |a, b| list(a).into_iter().zip(list(b)).collect();
        let protocols = fields.first().unwrap_or(&"").split(':').map(str::to_owned).collect();
        Self { protocols, v4: pairs(1, 2), v6: pairs(3, 4) }
    }

    fn layers(&self) -> Vec<(Option<Addr>, Option<Addr>)> {
        let (mut v4, mut v6) = (self.v4.iter(), self.v6.iter());
        let visible = self.protocols.iter().take_while(|p| !["icmp", "icmpv6"].contains(&p.as_str()));
        let next = |protocol: &String| match protocol.as_str() {
            "ip" => v4.next(),
            "ipv6" => v6.next(),
            _ => None,
        };
        visible.filter_map(next).map(|(src, dst)| (src.parse().ok(), dst.parse().ok())).collect()
    }
}

const ASKED: Asked = Asked {
    options: &["-E", "occurrence=a", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-o", "ip.tso_support:TRUE"],
    fields: &["frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst"],
    separator: '|',
};

/// What `decode` says of every frame of a capture.
fn decoded(path: &Path) -> Vec<Result<Packet, Skip>> {
    let Ok(mut source) = open(&[Input::Path(path.into())]) else { return Vec::new() };
    let (mut block, mut all) = (Block::default(), Vec::new());
    loop {
        let result = source.fill(&mut block);
        all.extend(block.frames.iter().map(|span| decode(&block.frame(span))));
        if !matches!(result, Ok(true)) {
            return all;
        }
    }
}

/// The captures of link layers and tunnels, by words in their names.
const WORDS: [&str; 24] = [
    "gre",
    "vxlan",
    "geneve",
    "gtp",
    "teredo",
    "6in4",
    "erspan",
    "l2tp",
    "pppoe",
    "dlt_ppp",
    "mpls",
    "radiotap",
    "80211",
    "wlanmon",
    "nflog",
    "hdlc",
    "nsh",
    "vntag",
    "tunnel",
    "ipv6-in-ipv4",
    "bug-6887",
    "ppp__",
    "6-4",
    "linux_dlt",
];

/// Where tshark shows another packet, and why.
const EXPLAINED: [(&str, &str); 8] = [
    ("suricata-verify__defrag__bug-6887", "a first fragment that ends inside the TCP header"),
    ("tcpdump__gre-heapoverflow-1", "no IP packet: tshark names the layer and shows no address"),
    ("zeek__trunc__mpls-6in6-6in6-4in6-trunc", "the innermost header is cut: the one around it counts"),
    ("zeek__tunnels__mpls-6in6-6in6-4in6-invalid-version", "the innermost header is wrong: the one around it counts"),
    ("zeek__tunnels__ayiya", "AYIYA is no more in use"),
    ("zeek__tunnels__gre-aruba-amsdu", "several packets in one 802.11 frame"),
    ("zeek__tunnels__gtp__gtp_control_prime", "GTP', which charges and carries no users' packets"),
    ("zeek__tunnels__gtp__gtp_ext_header", "the carrier is a fragment: its later parts show no inner packet"),
];

#[test]
fn the_innermost_packet_is_the_one_that_tshark_sees() {
    let (Some(folder), true) = (data_file("awkward"), have("tshark", "--version")) else { return };
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| WORDS.iter().any(|word| path.file_name().unwrap().to_string_lossy().contains(word)));
    files.sort();
    let (mut agree, mut tunnelled, mut explained, mut differ) = (0, 0, 0, Vec::new());
    for (path, rows) in files.iter().zip(ASKED.rows_of_each(&files)) {
        for (place, (row, ours)) in rows.iter().map(|row| Row::read(row)).zip(decoded(path)).enumerate() {
            let layers = row.layers();
            let found = ours.as_ref().ok().map(|packet| (Some(packet.src), Some(packet.dst)));
            if found == layers.last().copied() {
                agree += 1;
                tunnelled += usize::from(ours.is_ok_and(|packet| packet.tunnel.is_some()));
                continue;
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if EXPLAINED.iter().any(|(file, _)| name.starts_with(file)) {
                explained += 1;
            } else {
                differ.push(format!("{name} frame {}: {} | {layers:?} | {ours:?}", place + 1, row.protocols.join(":")));
            }
        }
    }
    println!("{} captures: {agree} frames agree, {tunnelled} of them in tunnels, {explained} differ for a reason", files.len());
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    assert!(explained < 15, "{explained} frames of captures that may differ: too many for their reasons");
    assert!(files.len() > 100 && tunnelled > 500, "{} captures, {tunnelled} in tunnels: they say too little", files.len());
}

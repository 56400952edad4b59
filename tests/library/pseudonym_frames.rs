//! Frames with their addresses replaced: what is decoded of them is what the pseudonyms of the original are.

use std::path::PathBuf;

use auscult::capture::{Block, Input, Source, open};
use auscult::pseudonym::{self, Key, Pseudonyms};
use auscult::sighting;
use auscult::wire::{self, Addr, Frame, Mac, decode};

use crate::support::{self, project};

struct Seen {
    packets: usize,
    skipped: usize,
    arps: usize,
    tunnels: usize,
    quoted: usize,
    neighbours: usize,
    v6: usize,
}

/// Replaces the addresses of each frame of a capture, and compares.
fn compared(path: PathBuf) -> Seen {
    let mut seen = Seen { packets: 0, skipped: 0, arps: 0, tunnels: 0, quoted: 0, neighbours: 0, v6: 0 };
    let mut names = Pseudonyms::new(&Key::new([8; 32]));
    let mut files = open(&[Input::from(path)]).unwrap();
    let mut block = Block::default();
    while files.fill(&mut block).unwrap() {
        for span in &block.frames {
            let frame = block.frame(span);
            let mut bytes = frame.data.to_vec();
            let kept = pseudonym::frame(&mut bytes, frame.link, &mut names);
            assert!(kept <= bytes.len());
            compare(&frame, &bytes, kept, &mut names, &mut seen);
        }
    }
    seen
}

fn compare(frame: &Frame<'_>, whole: &[u8], kept: usize, names: &mut Pseudonyms, seen: &mut Seen) {
    // As it is written: the rest is cut off, as by a snap length.
    let cut = Frame { data: &whole[..kept], wire_bytes: frame.wire_bytes, ..*frame };
    // What was not cut off shows whether checksums hold.
    let uncut = Frame { data: whole, ..*frame };
    let Ok(before) = decode(frame) else {
        seen.skipped += 1;
        assert!(decode(&cut).is_err());
        if let Some(sighting) = decode(frame).err().and_then(|skip| sighting::of_skipped(frame, skip))
            && let sighting::Seen::Arp(_) = sighting.what
        {
            seen.arps += 1;
            let mut wanted = sighting;
            names.sighting(&mut wanted);
            assert_eq!(decode(&cut).err().and_then(|skip| sighting::of_skipped(&cut, skip)), Some(wanted));
        }
        return;
    };
    seen.packets += 1;
    seen.v6 += usize::from(!before.src.is_v4());
    let after = decode(&uncut).unwrap();
    assert_eq!(after.bad_checksum, before.bad_checksum, "{before:?}\n{after:?}");
    let after = decode(&cut).unwrap_or_else(|skip| panic!("{skip:?}: {before:?}"));
    assert_eq!((after.src, after.dst), (names.addr(before.src), names.addr(before.dst)), "{before:?}");
    let macs = [before.src_mac, before.dst_mac].map(|mac| names.mac(Mac(mac)).0);
    assert_eq!([after.src_mac, after.dst_mac], macs);
    let same =
        |packet: &auscult::wire::Packet| (packet.src_port, packet.dst_port, packet.protocol, packet.vlans, packet.payload_bytes);
    assert_eq!(same(&after), same(&before));
    if let Some(quoted) = wire::quoted(frame, &before) {
        seen.quoted += 1;
        let told = wire::quoted(&cut, &after).unwrap();
        assert_eq!((told.src, told.dst), (names.addr(quoted.src), names.addr(quoted.dst)));
        assert_eq!((told.src_port, told.dst_port), (quoted.src_port, quoted.dst_port));
    }
    if let Some(tunnel) = &before.tunnel {
        seen.tunnels += 1;
        let told = after.tunnel.as_ref().unwrap();
        assert_eq!((told.kind, told.src, told.dst), (tunnel.kind, names.addr(tunnel.src), names.addr(tunnel.dst)));
    }
    if before.protocol == 58
        && let Some(mut wanted) = sighting::of_packet(frame, &before)
    {
        seen.neighbours += 1;
        names.sighting(&mut wanted);
        assert_eq!(sighting::of_packet(&cut, &after), Some(wanted));
    }
    nothing_is_left(frame, &cut, [before.src, before.dst]);
}

/// The bytes of the addresses themselves are nowhere in what is kept.
fn nothing_is_left(frame: &Frame<'_>, cut: &Frame<'_>, addrs: [Addr; 2]) {
    for addr in addrs.into_iter().filter(|addr| !auscult::flow::is_group(*addr) && !addr.ip().is_unspecified()) {
        let bytes = match addr.ip() {
            std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
            std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let holds = |data: &[u8]| data.windows(bytes.len()).any(|window| window == bytes);
        assert!(holds(frame.data) && !holds(cut.data), "{addr} is left");
    }
}

#[test]
fn the_hospital_is_another_and_its_checksums_hold() {
    let seen = compared(project("datasets/hospital/medical/capture.pcap.zst"));
    assert!(seen.packets > 10_000 && seen.arps > 10 && seen.neighbours > 10 && seen.v6 > 10, "{}", seen.neighbours);
    assert!(seen.skipped >= seen.arps);
}

#[test]
fn packets_within_packets_are_others_too() {
    let folder = support::Folder::new();
    let path = folder.put("tunnels.pcap", &tunnels());
    let seen = compared(PathBuf::from(path));
    assert_eq!((seen.packets, seen.tunnels, seen.quoted), (6, 5, 1));
}

/// IP in IP, GRE, VXLAN, Geneve, GTP-U, and an ICMP error, with checksums as they must be.
fn tunnels() -> Vec<u8> {
    use crate::support::packets::{Shot, icmp, ipv4, pcap, udp};
    let (a, b, c, d) = ([10, 9, 8, 7], [172, 20, 1, 2], [192, 168, 7, 8], [198, 51, 100, 9]);
    let bridged = udp((a, 4000), (b, 5000), b"hello");
    let inner = &bridged[14..];
    let over_udp = |port: u16, header: &[u8], body: &[u8]| udp((c, 50_000), (d, port), &[header, body].concat());
    let packets = [
        ipv4(c, d, 4, inner),
        ipv4(c, d, 47, &[&[0, 0, 8, 0], inner].concat()),
        over_udp(4789, &[8, 0, 0, 0, 0, 0, 1, 0], &bridged),
        over_udp(6081, &[0, 0, 0x65, 0x58, 0, 0, 1, 0], &bridged),
        over_udp(2152, &[0x30, 0xff, 0, 33, 0, 0, 0, 1], inner),
        icmp(d, a, 3, 1, 0, &inner[..28]),
    ];
    let shot = |(second, data)| Shot { micros: second as u64 * 1_000_000, data };
    pcap(&packets.into_iter().enumerate().map(shot).collect::<Vec<_>>())
}

#[test]
fn nothing_is_kept_of_what_is_not_known_and_nothing_panics() {
    let mut names = Pseudonyms::new(&Key::new([8; 32]));
    let mut state = 1_u64;
    for round in 0..20_000 {
        let mut bytes = vec![0; (round % 97) as usize];
        for byte in &mut bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
        // Half of them begin as IPv4 or IPv6 over Ethernet do.
        if let Some(head) = bytes.get_mut(12..15).filter(|_| round % 2 == 0) {
            head.copy_from_slice(if round % 4 == 0 { &[8, 0, 0x45] } else { &[0x86, 0xdd, 0x60] });
        }
        let length = bytes.len();
        for link in [1, 0, 101, 113, 276, 108] {
            assert!(pseudonym::frame(&mut bytes, auscult::wire::LinkType(link), &mut names) <= length);
        }
        assert_eq!(pseudonym::frame(&mut bytes, auscult::wire::LinkType(105), &mut names), 0);
    }
}

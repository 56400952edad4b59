//! The clinic data set: made again, and looked at from outside with etherparse.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::LazyLock;

use etherparse::{LaxNetSlice, LaxSlicedPacket, TcpSlice, TransportSlice};
use sha2::{Digest, Sha256};

use crate::generator;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/clinic");

fn committed(name: &str) -> Vec<u8> {
    let path = PathBuf::from(FOLDER).join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A frame of the capture: microseconds since the epoch, bytes on the wire, captured bytes.
type Frame<'a> = (u64, u32, &'a [u8]);

static PCAP: LazyLock<Vec<u8>> =
    LazyLock::new(|| zstd::decode_all(committed(generator::CAPTURE).as_slice()).expect("the capture is zstd"));

fn frames() -> Vec<Frame<'static>> {
    let pcap: &'static [u8] = &PCAP;
    let word = |at: usize| u32::from_le_bytes(pcap[at..at + 4].try_into().unwrap());
    assert_eq!((word(0), word(20)), (0xa1b2_c3d4, 1), "microseconds, Ethernet");
    let (mut at, mut frames) = (24, Vec::new());
    while at < pcap.len() {
        let bytes = word(at + 8) as usize;
        frames.push((u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4)), word(at + 12), &pcap[at + 16..at + 16 + bytes]));
        at += 16 + bytes;
    }
    assert_eq!(at, pcap.len(), "the last frame ends where the file ends");
    frames
}

/// One end of a conversation; the port is blank for ICMP.
type End = (String, String);

/// Both ends in order, and the protocol.
type Conversation = ([End; 2], String);

struct Row {
    ends: [End; 2],
    proto: String,
    start: u64,
    end: u64,
    packets: u64,
    bytes: u64,
    malicious: bool,
    detail: String,
}

fn micros(epoch: &str) -> u64 {
    epoch.replace('.', "").parse().unwrap()
}

fn rows() -> Vec<Row> {
    let text = String::from_utf8(committed(generator::LABELS)).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("src_ip,dst_ip,src_port,dst_port,proto,start,end,packets,bytes,label,detail"));
    lines
        .map(|line| {
            let f: Vec<String> = line.split(',').map(str::to_owned).collect();
            let mut ends = [(f[0].clone(), f[2].clone()), (f[1].clone(), f[3].clone())];
            ends.sort();
            let (start, end, malicious) = (micros(&f[5]), micros(&f[6]), f[9] == "malicious");
            let (packets, bytes) = (f[7].parse().unwrap(), f[8].parse().unwrap());
            Row { ends, proto: f[4].clone(), start, end, packets, bytes, malicious, detail: f[10].clone() }
        })
        .collect()
}

fn manifest() -> serde_json::Value {
    serde_json::from_slice(&committed(generator::MANIFEST)).unwrap()
}

#[test]
fn the_same_seed_gives_the_committed_bytes() {
    let folder = tempfile::tempdir().unwrap();
    generator::write(&generator::generate(7).unwrap(), folder.path()).unwrap();
    let again = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert!(again(generator::LABELS) == committed(generator::LABELS), "the labels differ: run the generator and commit");
    let unpacked = zstd::decode_all(again(generator::CAPTURE).as_slice()).unwrap();
    assert!(unpacked == *PCAP, "the capture differs: run the generator and commit");
    for name in [generator::CAPTURE, generator::MANIFEST] {
        assert!(again(name) == committed(name), "{name} differs although the frames are the same: another version of zstd?");
    }
}

#[test]
fn digests_and_counts_of_the_manifest_hold() {
    let manifest = manifest();
    for name in [generator::CAPTURE, generator::LABELS] {
        let digest: String = Sha256::digest(committed(name)).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(manifest["sha256"][name], digest, "{name}");
    }
    let frames = frames();
    let wire_bytes: u64 = frames.iter().map(|f| u64::from(f.1)).sum();
    assert_eq!(manifest["counts"]["frames"], frames.len());
    assert_eq!(manifest["counts"]["wire_bytes"], wire_bytes);
    assert_eq!(manifest["counts"]["pcap_bytes"], PCAP.len());
    assert_eq!(manifest["counts"]["rows"], rows().len());
    assert!(committed(generator::CAPTURE).len() <= 1_500_000, "the committed capture has grown too large");
    assert!(frames.windows(2).all(|w| w[0].0 <= w[1].0), "frames are in the order of their time");
    assert!(frames.iter().all(|f| f.2.len() == (f.1 as usize).min(256)), "frames are cut at the snap length alone");
}

/// Source, destination and protocol of a frame; `None` for ARP.
fn conversation(frame: &[u8]) -> Option<(End, End, &'static str)> {
    let packet = LaxSlicedPacket::from_ethernet(frame).unwrap();
    let (src, dst) = match packet.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => (ip.header().source_addr().to_string(), ip.header().destination_addr().to_string()),
        LaxNetSlice::Ipv6(ip) => (ip.header().source_addr().to_string(), ip.header().destination_addr().to_string()),
        LaxNetSlice::Arp(_) => return None,
    };
    let (ports, proto) = match packet.transport.as_ref()? {
        TransportSlice::Tcp(tcp) => ([tcp.source_port(), tcp.destination_port()].map(|p| p.to_string()), "tcp"),
        TransportSlice::Udp(udp) => ([udp.source_port(), udp.destination_port()].map(|p| p.to_string()), "udp"),
        TransportSlice::Icmpv4(_) => ([String::new(), String::new()], "icmp"),
        TransportSlice::Icmpv6(_) => ([String::new(), String::new()], "ipv6-icmp"),
        TransportSlice::Igmp(_) => return None,
    };
    let [src_port, dst_port] = ports;
    Some(((src, src_port), (dst, dst_port), proto))
}

#[test]
fn every_ip_packet_is_counted_in_a_row() {
    let mut counted: BTreeMap<Conversation, (u64, u64)> = BTreeMap::new();
    let mut spans: BTreeMap<Conversation, Vec<(u64, u64)>> = BTreeMap::new();
    for row in rows() {
        let sum = counted.entry((row.ends.clone(), row.proto.clone())).or_default();
        *sum = (sum.0 + row.packets, sum.1 + row.bytes);
        spans.entry((row.ends, row.proto)).or_default().push((row.start, row.end));
    }
    let mut arp = 0;
    for (at, wire_bytes, data) in frames() {
        let Some((src, dst, proto)) = conversation(data) else {
            arp += 1;
            continue;
        };
        let mut ends = [src, dst];
        ends.sort();
        let key = (ends, proto.to_owned());
        let sum = counted.get_mut(&key).unwrap_or_else(|| panic!("no row for {key:?}"));
        *sum = (sum.0 - 1, sum.1 - u64::from(wire_bytes));
        assert!(spans[&key].iter().any(|&(start, end)| start <= at && at <= end), "{key:?} at {at} is outside its rows");
    }
    assert_eq!(counted.into_iter().find(|(_, left)| *left != (0, 0)), None, "a row counts what is not there");
    assert_eq!(manifest()["counts"]["unlabelled_frames"], arp);
}

#[test]
fn no_acknowledgement_runs_ahead_of_its_data_and_checksums_hold() {
    let mut sent: BTreeMap<(End, End), u32> = BTreeMap::new();
    let mut checked = 0;
    for (at, wire_bytes, data) in frames() {
        let packet = LaxSlicedPacket::from_ethernet(data).unwrap();
        let (Some((src, dst, "tcp")), Some(TransportSlice::Tcp(tcp))) = (conversation(data), packet.transport.as_ref()) else {
            continue;
        };
        let Some(LaxNetSlice::Ipv4(ip)) = packet.net.as_ref() else { continue };
        let payload = u32::from(ip.header().total_len()) - 20 - tcp.header_len() as u32;
        let next = tcp.sequence_number().wrapping_add(payload + u32::from(tcp.syn()) + u32::from(tcp.fin()));
        if let (true, Some(&reached)) = (tcp.ack() && !tcp.rst(), sent.get(&(dst.clone(), src.clone()))) {
            let ahead = tcp.acknowledgment_number().wrapping_sub(reached) as i32;
            assert!(ahead <= 0, "{src:?} acknowledges {ahead} bytes that {dst:?} has not sent, at {at}");
        }
        let known = sent.entry((src, dst)).or_insert(next);
        if tcp.syn() || (next.wrapping_sub(*known) as i32) > 0 {
            *known = next;
        }
        if wire_bytes as usize == data.len() {
            checked += 1;
            check_sums(ip.header().slice(), tcp, at);
        }
    }
    assert!(checked > 30_000, "only {checked} uncut segments");
}

fn check_sums(ip: &[u8], tcp: &TcpSlice<'_>, at: u64) {
    let header = etherparse::Ipv4HeaderSlice::from_slice(ip).unwrap().to_header();
    assert_eq!(header.calc_header_checksum(), header.header_checksum, "IP at {at}");
    let computed = tcp.calc_checksum_ipv4(header.source, header.destination).unwrap();
    assert_eq!(computed, tcp.checksum(), "TCP at {at}");
}

#[test]
fn attacks_come_after_the_split_and_apart() {
    let manifest = manifest();
    let at = |value: &serde_json::Value| micros(value.as_str().unwrap());
    let phases: Vec<(u64, u64)> =
        manifest["phases"].as_array().unwrap().iter().map(|phase| (at(&phase["start"]), at(&phase["end"]))).collect();
    assert_eq!(phases.len(), 11);
    assert_eq!(phases[0].0, at(&manifest["split"]));
    let (start, end) = (at(&manifest["start"]), at(&manifest["end"]));
    let share = (phases[0].0 - start) as f64 / (end - start) as f64;
    assert!((0.55..0.65).contains(&share), "the split is at {share}");
    assert!(phases.windows(2).all(|w| w[1].0 - w[0].1 >= 300_000_000), "five minutes between attacks: {phases:?}");
    assert!(rows().iter().filter(|row| row.malicious).all(|row| row.start >= phases[0].0 && row.end < end));
}

#[test]
fn no_conversation_is_benign_and_malicious_at_once() {
    let rows = rows();
    let mut by_ends: BTreeMap<(&[End; 2], &str), Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        by_ends.entry((&row.ends, &row.proto)).or_default().push(row);
    }
    for (ends, rows) in by_ends {
        for a in rows.iter().filter(|row| row.malicious) {
            let clash = rows.iter().any(|b| !b.malicious && b.start <= a.end + 1_000_000 && a.start <= b.end + 1_000_000);
            assert!(!clash, "{ends:?} is both during {}", a.detail);
        }
    }
}

#[test]
fn ordinary_life_goes_on_for_everybody() {
    let manifest = manifest();
    let split = micros(manifest["split"].as_str().unwrap());
    let rows = rows();
    let benign =
        |after: bool| rows.iter().filter(move |row| !row.malicious && if after { row.end >= split } else { row.start < split });
    for host in manifest["hosts"].as_array().unwrap().iter().filter(|host| host["name"] != "rogue") {
        let ip = host["ipv4"].as_str().unwrap();
        for after in [false, true] {
            let busy = benign(after).any(|row| row.ends.iter().any(|end| end.0 == ip));
            assert!(busy, "{ip} is silent, after the split: {after}");
        }
    }
    let oddities = |after: bool| {
        benign(after).filter(|row| row.detail.starts_with("oddity")).map(|row| &row.detail).collect::<BTreeSet<_>>()
    };
    assert_eq!(oddities(false), oddities(true), "each kind of oddity happens before the split and after it");
    let beacon = rows.iter().filter(|row| row.detail == "beacon");
    let (from, to) = beacon.fold((u64::MAX, 0), |(from, to), row| (from.min(row.start), to.max(row.end)));
    let ordinary =
        benign(true).filter(|row| row.start > from && row.end < to && row.ends.iter().any(|end| end.0 == "10.77.0.63"));
    assert!(ordinary.count() > 20, "the compromised PC goes on with its work during the beacon");
}

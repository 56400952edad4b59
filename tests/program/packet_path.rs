//! What happens to packets before they are flows: fragments, copies of a mirrored port, wrong checksums, ICMP errors, VLANs.

use serde_json::{Value, json};

use crate::support::packets::{ACK, End, PSH, SYN, Shot, icmp, ipv4, pcap, tcp, udp};
use crate::support::{self, Folder, auscult, data, have, text};

const CLIENT: End = ([10, 0, 0, 1], 40_000);
const SERVER: End = ([10, 0, 0, 2], 53);

/// The flows of these frames, a millisecond apart, and the account.
fn flows_of(frames: Vec<Vec<u8>>, arguments: &[&str]) -> (Vec<Value>, Value) {
    let shots = frames.into_iter().zip(0..).map(|(data, n)| Shot { micros: 1_000_000 + n * 2_000, data }).collect::<Vec<_>>();
    flows_at(&shots, arguments)
}

fn flows_at(shots: &[Shot], arguments: &[&str]) -> (Vec<Value>, Value) {
    let folder = Folder::new();
    let capture = folder.put("a.pcap", &pcap(shots));
    let stats = folder.name("stats.json");
    let flows = folder.name("flows.jsonl");
    let command = ["replay", &capture, "--alerts", "/dev/null", "--flows", &flows, "--stats", &stats, "--udp-idle", "60"];
    auscult(&[&command[..], arguments].concat()).ended(0);
    let stats: Value = serde_json::from_slice::<Value>(&folder.read("stats.json")).unwrap()["capture"].take();
    assert_eq!(stats["balanced"], true, "{stats}");
    (support::lines(&folder.read("flows.jsonl")), stats)
}

fn packets(flow: &Value) -> (u64, u64) {
    (flow["flow"]["pkts_toserver"].as_u64().unwrap(), flow["flow"]["pkts_toclient"].as_u64().unwrap())
}

/// An IPv4 packet cut into parts of this many bytes of payload; the identification is 7.
fn fragments(packet: &[u8], bytes: usize) -> Vec<Vec<u8>> {
    let (header, body) = (&packet[14..34], &packet[34..]);
    let parts: Vec<&[u8]> = body.chunks(bytes).collect();
    let part = |(n, part): (usize, &&[u8])| {
        let more = if n + 1 < parts.len() { 0x2000 } else { 0 };
        let mut frame = ipv4(header[12..16].try_into().unwrap(), header[16..20].try_into().unwrap(), header[9], part);
        frame[18..20].copy_from_slice(&[0, 7]);
        frame[20..22].copy_from_slice(&((n * bytes / 8) as u16 | more).to_be_bytes());
        mend(&mut frame);
        frame
    };
    parts.iter().enumerate().map(part).collect()
}

/// Makes the checksum of an IPv4 header right again.
fn mend(frame: &mut [u8]) {
    frame[24..26].fill(0);
    let sum: u32 = frame[14..34].chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let sum = !(((sum & 0xffff) + (sum >> 16)) as u16);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
}

#[test]
fn a_fragmented_packet_is_one_flow_in_whatever_order_its_parts_come() {
    let whole = udp(SERVER, CLIENT, &[9; 3000]);
    let question = udp(CLIENT, SERVER, b"a question");
    let parts = fragments(&whole, 1480);
    assert_eq!(parts.len(), 3);
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        let answer = order.into_iter().map(|place| parts[place].clone());
        let (flows, stats) = flows_of(std::iter::once(question.clone()).chain(answer).collect(), &[]);
        assert_eq!(flows.len(), 1, "{order:?}: {flows:#?}");
        assert_eq!((packets(&flows[0]), &flows[0]["auscult"]["fragments"]), ((1, 3), &json!({"packets": 3, "odd": 0})));
        assert_eq!(flows[0]["auscult"]["resp"]["payload_bytes"], 3000);
        assert_eq!((&stats["fragments"], &stats["odd_fragments"]), (&json!(3), &json!(0)));
    }
}

#[test]
fn parts_whose_first_never_comes_are_counted_all_the_same() {
    let parts = fragments(&udp(SERVER, CLIENT, &[9; 3000]), 1480);
    let (flows, stats) = flows_of(parts[1..].to_vec(), &[]);
    assert_eq!((flows.len(), &flows[0]["src_port"], packets(&flows[0])), (1, &json!(0), (2, 0)));
    assert_eq!(stats["packets"], 2);
}

#[test]
fn a_segment_in_fragments_leaves_no_hole_in_its_stream() {
    let server = ([10, 0, 0, 2], 80);
    let mut frames = vec![
        tcp(CLIENT, server, 100, 0, SYN, b""),
        tcp(server, CLIENT, 500, 101, SYN | ACK, b""),
        tcp(CLIENT, server, 101, 501, ACK, b""),
    ];
    frames.extend(fragments(&tcp(CLIENT, server, 101, 501, ACK | PSH, &[7; 2000]), 1480));
    frames.push(tcp(CLIENT, server, 2101, 501, ACK | PSH, &[7; 10]));
    let (flows, _) = flows_of(frames, &[]);
    let orig = &flows[0]["auscult"]["orig"];
    assert_eq!(
        (flows.len(), &orig["missing_bytes"], &orig["retransmitted"], &orig["payload_bytes"]),
        (1, &json!(0), &json!(0), &json!(2010))
    );
}

#[test]
fn parts_that_overlap_or_hide_the_header_are_odd() {
    let parts = fragments(&udp(SERVER, CLIENT, &[9; 3000]), 1480);
    // The second part again, eight bytes earlier.
    let mut overlapping = parts[1].clone();
    let place = u16::from_be_bytes([overlapping[20], overlapping[21]]) - 1;
    overlapping[20..22].copy_from_slice(&place.to_be_bytes());
    mend(&mut overlapping);
    let (flows, stats) = flows_of(vec![parts[0].clone(), overlapping, parts[1].clone()], &[]);
    assert_eq!((flows.len(), &stats["odd_fragments"]), (1, &json!(2)), "{flows:#?}");
    // Eight bytes of a TCP header.
    let server = ([10, 0, 0, 2], 80);
    let (_, stats) = flows_of(fragments(&tcp(CLIENT, server, 100, 0, SYN, &[1; 100]), 16), &[]);
    assert!(stats["odd_fragments"].as_u64().unwrap() > 0, "{stats}");
}

#[test]
fn a_mirror_of_both_ends_changes_nothing_but_the_count_of_copies() {
    let server = ([10, 0, 0, 2], 80);
    let mut frames = [
        tcp(CLIENT, server, 100, 0, SYN, b""),
        tcp(server, CLIENT, 500, 101, SYN | ACK, b""),
        tcp(CLIENT, server, 101, 501, ACK | PSH, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        udp(CLIENT, SERVER, b"once"),
        icmp(CLIENT.0, server.0, 8, 0, 1, b"ping"),
    ];
    for (frame, n) in frames.iter_mut().zip(10_u16..) {
        frame[18..20].copy_from_slice(&n.to_be_bytes());
        mend(frame);
    }
    let shots = |copies: &[u64]| -> Vec<Shot> {
        let mut shots = Vec::new();
        for (data, n) in frames.iter().zip(0..) {
            shots.extend(copies.iter().map(|after| Shot { micros: 1_000_000 + n * 5_000 + after, data: data.clone() }));
        }
        shots
    };
    let (once, _) = flows_at(&shots(&[0]), &[]);
    let (twice, stats) = flows_at(&shots(&[0, 30]), &[]);
    assert_eq!(once, twice);
    assert_eq!((&stats["frames"], &stats["packets"], &stats["skipped"]["duplicate"]), (&json!(10), &json!(5), &json!(5)));
    let (kept, stats) = flows_at(&shots(&[0, 30]), &["--keep-duplicates"]);
    assert_eq!((kept.iter().map(|flow| packets(flow).0 + packets(flow).1).sum::<u64>(), &stats["packets"]), (10, &json!(10)));
    let (later, stats) = flows_at(&shots(&[0, 2_000]), &[]);
    assert_eq!((later.len(), &stats["skipped"]), (3, &json!({})), "sent again, not captured again");
}

#[test]
fn a_packet_that_was_passed_on_is_no_copy() {
    let frame = udp(CLIENT, SERVER, b"to be routed");
    let mut routed = frame.clone();
    routed[0..12].copy_from_slice(&[2, 0, 0, 0, 9, 9, 2, 0, 0, 0, 8, 8]);
    routed[22] -= 1;
    mend(&mut routed);
    let shots = [(1_000_000, frame), (1_000_050, routed)].map(|(micros, data)| Shot { micros, data });
    let (flows, stats) = flows_at(&shots, &[]);
    assert_eq!((packets(&flows[0]), &stats["skipped"]), ((2, 0), &json!({})));
}

#[test]
fn a_flood_of_equal_datagrams_does_not_vanish() {
    let frame = udp(CLIENT, SERVER, b"flood");
    let shots: Vec<_> = (0..1000).map(|n| Shot { micros: 1_000_000 + n, data: frame.clone() }).collect();
    let (flows, _) = flows_at(&shots, &[]);
    assert!(packets(&flows[0]).0 >= 500, "{:?}", packets(&flows[0]));
}

#[test]
fn wrong_checksums_are_counted_and_nothing_is_dropped() {
    let server = ([10, 0, 0, 2], 80);
    let good = tcp(CLIENT, server, 100, 0, SYN, b"");
    let mut bad_tcp = tcp(CLIENT, server, 101, 501, ACK | PSH, b"hello");
    *bad_tcp.last_mut().unwrap() ^= 1;
    let mut bad_ip = udp(CLIENT, SERVER, b"hello");
    bad_ip[22] -= 1;
    let mut offloaded = udp(CLIENT, SERVER, b"hello");
    let pseudo: u32 = [0x0a00, 0x0001, 0x0a00, 0x0002, 17, 13].iter().sum();
    offloaded[40..42].copy_from_slice(&(pseudo as u16).to_be_bytes());
    let (flows, stats) = flows_of(vec![good, bad_tcp, bad_ip, offloaded], &[]);
    assert_eq!((&stats["packets"], &stats["bad_checksums"], &stats["unfilled_checksums"]), (&json!(4), &json!(2), &json!(1)));
    let tcp = flows.iter().find(|flow| flow["proto"] == "TCP").unwrap();
    assert_eq!((&tcp["auscult"]["orig"]["bad_checksums"], &tcp["auscult"]["history"]), (&json!(1), &json!("SCD")));
}

#[test]
fn an_icmp_error_and_the_flow_that_it_is_about_name_each_other() {
    let question = udp(CLIENT, SERVER, b"anybody there?");
    let mut refusal = icmp(SERVER.0, CLIENT.0, 3, 3, 0, &question[14..14 + 28]);
    // Unused instead of an identifier and a sequence number.
    refusal[38..42].fill(0);
    refusal[36..38].fill(0);
    let (flows, _) = flows_of(vec![question, refusal], &[]);
    let of = |proto: &str| flows.iter().find(|flow| flow["proto"] == proto).unwrap();
    let (udp, icmp) = (of("UDP"), of("ICMP"));
    assert_eq!(udp["auscult"]["icmp_error"], json!({"type": 3, "code": 3, "count": 1}));
    let about = &icmp["auscult"]["about"];
    assert_eq!(
        (&about["community_id"], &about["src_port"], &about["proto"]),
        (&udp["community_id"], &json!(40_000), &json!("UDP"))
    );
}

#[test]
fn vlans_tell_flows_apart_when_asked() {
    let tagged = |vlan: u8| {
        let frame = udp(CLIENT, SERVER, &[vlan; 9]);
        [&frame[..12], &[0x81, 0, 0, vlan], &frame[12..]].concat()
    };
    let frames = vec![tagged(5), tagged(6), tagged(5)];
    let (together, _) = flows_of(frames.clone(), &[]);
    assert_eq!((together.len(), packets(&together[0])), (1, (3, 0)));
    let (apart, _) = flows_of(frames, &["--vlan-key"]);
    let seen: Vec<_> = apart.iter().map(|flow| (flow["vlan"].clone(), packets(flow).0)).collect();
    assert_eq!(seen.len(), 2, "{apart:#?}");
    assert!(seen.contains(&(json!([5]), 2)) && seen.contains(&(json!([6]), 1)));
    assert_eq!(apart[0]["community_id"], apart[1]["community_id"], "Community ID knows no VLAN");
}

/// For each frame, whether tshark finds a checksum of its outermost IP packet wrong, and its number of IP headers.
fn wrong_by_tshark(capture: &std::path::Path) -> Vec<(bool, usize)> {
    let mut command = std::process::Command::new("tshark");
    command.args(["-n", "-r", text(capture), "-T", "fields", "-E", "separator=;"]);
    for option in ["ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"] {
        command.args(["-o", &format!("{option}:TRUE")]);
    }
    for option in ["ip.defragment", "ipv6.defragment"] {
        command.args(["-o", &format!("{option}:FALSE")]);
    }
    for field in [
        "frame.protocols",
        "ip.checksum.status",
        "tcp.checksum.status",
        "udp.checksum.status",
        "icmp.checksum.status",
        "icmpv6.checksum.status",
        "tcp.checksum",
    ] {
        command.args(["-e", field]);
    }
    let lines = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let row = |line: &str| {
        let (protocols, statuses) = line.split_once(';').unwrap();
        let headers = protocols.split(':').filter(|name| matches!(*name, "ip" | "ipv6")).count();
        // All ones are wrong to tshark where zeros are right; in ones' complement they are the same.
        let wrong = statuses.split([';', ',']).any(|status| status == "0") && !statuses.ends_with(";0xffff");
        (wrong, headers)
    };
    lines.lines().map(row).collect()
}

#[test]
fn checksums_are_wrong_where_tshark_says_so() {
    if !have("tshark", "--version") {
        return;
    }
    let names = [
        "hospital-lab/hospital-lab.pcap.gz",
        "slips/test7-malicious.pcap",
        "awkward/zeek__chksums__ip4-bad-chksum.pcap",
        "awkward/zeek__chksums__ip4-tcp-bad-chksum.pcap",
        "awkward/zeek__chksums__ip4-udp-bad-chksum.pcap",
        "awkward/zeek__chksums__ip4-icmp-bad-chksum.pcap",
        "awkward/zeek__chksums__ip6-tcp-bad-chksum.pcap",
        "awkward/zeek__chksums__ip6-udp-bad-chksum.pcap",
        "awkward/zeek__chksums__ip6-icmp6-bad-chksum.pcap",
        "awkward/arkime__smtp-subject-encoded-empty.pcap",
        "awkward/ndpi-4.11__tls_invalid_reads.pcap",
        "awkward/tcpdump__ikev2four.pcap",
        "awkward/arkime__postgres-badpass.pcap",
        "iot-lan/iot-lan.pcap.gz",
    ];
    let mut wrong = 0;
    for capture in names.iter().filter_map(|name| data(name)) {
        let folder = Folder::new();
        let stats = folder.name("stats.json");
        let run = ["replay", text(&capture), "--alerts", "/dev/null", "--stats", &stats, "--keep-duplicates"];
        assert!(matches!(auscult(&run).status, 0 | 4));
        let stats: Value = serde_json::from_slice::<Value>(&folder.read("stats.json")).unwrap()["capture"].take();
        let theirs = wrong_by_tshark(&capture);
        assert!(theirs.iter().all(|(_, headers)| *headers <= 1 || !capture.starts_with("awkward")), "{}", capture.display());
        let count = |key: &str| stats[key].as_u64().unwrap();
        let theirs = theirs.iter().filter(|(wrong, _)| *wrong).count() as u64;
        let ours = count("bad_checksums");
        wrong += ours;
        println!("{}: {ours} wrong, {} not filled in; tshark {theirs}", capture.display(), count("unfilled_checksums"));
        assert!(ours <= theirs && theirs <= ours + count("unfilled_checksums"), "{}", capture.display());
    }
    assert!(wrong > 5000 || data("iot-lan").is_none());
}

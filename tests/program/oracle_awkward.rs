//! Flows against tshark in every awkward Ethernet capture: packets and bytes of each pair of ends of TCP and UDP, of the innermost
//! packet where one carries another. Every difference has its reason here.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::tshark::Asked;
use crate::support::{auscult, data, have, lines, text};

const FRAGMENTS: &str = "later fragments have the ports of the first to us, none to tshark";
const CARRIER: &str = "the inner packet is no TCP and no UDP, or not entered by tshark, which counts the carrier";
const MALFORMED: &str = "lengths that contradict each other: a skip to one, shown as far as it goes by the other";
const NOT_ENTERED: &str = "tshark enters what is counted by its carrier here";

/// Captures that differ, and why.
const EXPLAINED: [(&str, &str); 26] = [
    ("arkime__socks5-http-302-frag.pcap", FRAGMENTS),
    ("ndpi-4.11__dns_fragmented.pcap", FRAGMENTS),
    ("ndpi-4.11__fuzz-2006-09-29-28586.pcap", FRAGMENTS),
    ("ndpi-4.11__fuzz-2021-06-07-c6c72a0a56.pcap", MALFORMED),
    ("ndpi-4.11__ipv6_in_gtp.pcap", CARRIER),
    ("ndpi-4.11__teredo.pcap", CARRIER),
    ("suricata-verify__decode-teredo-01__input.pcap", CARRIER),
    ("suricata-verify__defrag__bug-6887-defrag-eth-vlan-ipv4-tcp-syn__frag-eth-vlan-ip-tcp-syn.pcap", FRAGMENTS),
    ("suricata-verify__defrag__bug-6887-defrag-eth-vlan-ipv6-tcp__frag-eth-vlan-ipv6-tcp.pcap", FRAGMENTS),
    ("suricata-verify__firewall__tcp-session-decode-malformed-ipv4__input.pcap", MALFORMED),
    ("suricata-verify__udp-5379__udp-len-invalid__input.pcap", MALFORMED),
    ("tcpdump__bgp-aigp.pcap", MALFORMED),
    ("tcpdump__isakmp-various-oobr.pcap", MALFORMED),
    ("tcpdump__tcp_header_heapoverflow.pcap", MALFORMED),
    ("tcpdump__udp-length-heapoverflow.pcap", MALFORMED),
    ("zeek__ipv4__fragmented-1.pcap", FRAGMENTS),
    ("zeek__ipv4__fragmented-2.pcap", FRAGMENTS),
    ("zeek__ipv4__fragmented-4.pcap", FRAGMENTS),
    ("zeek__ipv4__fragmented-syn.pcap", FRAGMENTS),
    ("zeek__ipv6-mobility-dst-opts.pcap", MALFORMED),
    ("zeek__tunnels__ayiya-large-identity.pcap", NOT_ENTERED),
    ("zeek__tunnels__gre-aruba-amsdu.pcap", NOT_ENTERED),
    ("zeek__tunnels__gtp__gtp8_teredo.pcap", CARRIER),
    ("zeek__tunnels__gtp__gtp_control_prime.pcap", NOT_ENTERED),
    ("zeek__tunnels__gtp__gtp_ext_header.pcap", FRAGMENTS),
    ("zeek__tunnels__vxlan-encapsulated-igmp-v2.pcap", CARRIER),
];

type End = (IpAddr, u16);
/// Packets and bytes of TCP (6) or UDP (17) between two ends, the lower first.
type Talks = BTreeMap<(u8, End, End), (u64, u64)>;

fn add(talks: &mut Talks, protocol: u8, (a, b): (End, End), (packets, bytes): (u64, u64)) {
    let talk = talks.entry((protocol, a.min(b), a.max(b))).or_default();
    *talk = (talk.0 + packets, talk.1 + bytes);
}

const FIELDS: [&str; 10] = [
    "frame.protocols",
    "frame.len",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "tcp.srcport",
    "tcp.dstport",
    "udp.srcport",
    "udp.dstport",
];

const ASKED: Asked = Asked {
    options: &["-E", "occurrence=l", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"],
    fields: &FIELDS,
    separator: '|',
};

/// What tshark says, of the innermost TCP or UDP of each frame that is no ICMP error.
fn theirs(rows: &[String]) -> Talks {
    let mut talks = Talks::new();
    rows.iter().for_each(|line| {
        let _ = row(&mut talks, line);
    });
    talks
}

fn row(talks: &mut Talks, line: &str) -> Option<()> {
    let words: Vec<&str> = line.split('|').collect();
    let [layers, bytes, src4, dst4, src6, dst6, tcp_src, tcp_dst, udp_src, udp_dst] = words[..] else { return None };
    let layers: Vec<&str> = layers.split(':').collect();
    let place = layers.iter().rposition(|layer| matches!(*layer, "tcp" | "udp"))?;
    let is_v4 = layers[..place].iter().rfind(|layer| matches!(**layer, "ip" | "ipv6"))? == &"ip";
    if layers.iter().any(|layer| layer.starts_with("icmp")) {
        return None;
    }
    let (src, dst) = if is_v4 { (src4, dst4) } else { (src6, dst6) };
    let (protocol, src_port, dst_port) = if layers[place] == "tcp" { (6, tcp_src, tcp_dst) } else { (17, udp_src, udp_dst) };
    let ends = ((src.parse().ok()?, src_port.parse().ok()?), (dst.parse().ok()?, dst_port.parse().ok()?));
    add(talks, protocol, ends, (1, bytes.parse().ok()?));
    Some(())
}

fn ours(capture: &Path) -> Talks {
    let run = auscult(&["flows", text(capture), "--keep-duplicates", "--workers", "1"]);
    assert!(matches!(run.status, 0 | 1 | 4), "{}", run.stderr);
    let mut talks = Talks::new();
    for flow in lines(&run.stdout) {
        let protocol = match flow["proto"].as_str().unwrap() {
            "TCP" => 6,
            "UDP" => 17,
            _ => continue,
        };
        let end =
            |ip: &str, port: &str| -> End { (flow[ip].as_str().unwrap().parse().unwrap(), flow[port].as_u64().unwrap() as u16) };
        let sum = |both: [&str; 2]| both.iter().map(|name| flow["flow"][*name].as_u64().unwrap()).sum();
        let counts = (sum(["pkts_toserver", "pkts_toclient"]), sum(["bytes_toserver", "bytes_toclient"]));
        add(&mut talks, protocol, (end("src_ip", "src_port"), end("dest_ip", "dest_port")), counts);
    }
    talks
}

fn are_ethernet(captures: &[PathBuf]) -> Vec<PathBuf> {
    let output = Command::new("capinfos").args(["-E", "-T", "-r"]).args(captures).output().unwrap();
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    lines.lines().filter_map(|line| line.strip_suffix("\tether")).map(PathBuf::from).collect()
}

/// Does this capture differ where it may, and only there? Nothing when all is well; and how many conversations it has.
fn judge(capture: &Path, rows: &[String]) -> (Option<String>, usize) {
    let name = capture.file_name().unwrap().to_str().unwrap();
    let (ours, theirs) = (ours(capture), theirs(rows));
    let is_explained = EXPLAINED.iter().any(|(explained, _)| *explained == name);
    let problem = (is_explained == (ours == theirs)).then(|| {
        let differ = ours.iter().filter(|(talk, counts)| theirs.get(talk) != Some(counts)).take(2).collect::<Vec<_>>();
        let missing = theirs.keys().filter(|talk| !ours.contains_key(talk)).take(2).collect::<Vec<_>>();
        format!("{name} (explained: {is_explained}): ours {differ:?}, missing {missing:?}")
    });
    (problem, theirs.len())
}

#[test]
fn every_awkward_ethernet_capture_is_what_tshark_says_or_explained() {
    if !have("tshark", "--version") || !have("capinfos", "--version") {
        return;
    }
    let Some(folder) = data("awkward") else { return };
    let captures: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let captures = are_ethernet(&captures);
    let judged: Vec<_> = captures.iter().zip(ASKED.rows_of_each(&captures)).collect();
    let (next, problems, told) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new((0, 0)));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((capture, rows)) = judged.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (problem, talks) = judge(capture, rows);
                    problems.lock().unwrap().extend(problem);
                    let mut told = told.lock().unwrap();
                    *told = (told.0 + 1, told.1 + talks);
                }
            });
        }
    });
    let (count, talks) = told.into_inner().unwrap();
    println!("{count} captures, {talks} conversations, {} explained", EXPLAINED.len());
    let problems = problems.into_inner().unwrap();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    assert!(count > 400 && talks > 600, "{count} captures, {talks} conversations: they say too little");
}

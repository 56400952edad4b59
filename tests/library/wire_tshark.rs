//! Packet by packet, what tshark says of an IP packet is what `decode` says.

use std::path::{Path, PathBuf};
use std::process::Command;

use auscult::wire::{Addr, Frame, Packet, Skip, decode};

use crate::wire_support::{data_file, read_pcap};

/// Captures, and how many of their packets are too malformed for us and not for tshark, which shows what it can.
const CAPTURES: [(&str, usize); 20] = [
    ("hospital-lab/hospital-lab.pcap.gz", 0),
    ("iot-lan/iot-lan.pcap.gz", 0),
    ("slips/test12-icmp-portscan.pcap", 0),
    ("slips/malicious-ssh-bruteforce.pcap", 0),
    ("healthcare/hl7.pcap", 0),
    ("awkward/arkime__twovlan.pcap", 0),
    ("awkward/zeek__snap-tcp.pcap", 0),
    ("awkward/zeek__ipv4__fragmented-4.pcap", 0),
    ("awkward/ndpi-4.11__dns_fragmented.pcap", 0),
    ("awkward/zeek__ipv6_zero_len_ah.pcap", 1),
    ("awkward/zeek__ipv6-mobility-dst-opts.pcap", 1),
    ("awkward/suricata-verify__ipv6-evasion__ipv6-malformed-fragments-22__frag-22.pcap", 0),
    ("awkward/suricata-verify__ipv6-evasion__ipv6-covert-dstopts__covert_send6.pcap", 0),
    ("awkward/arkime__ipv6-in-ipv4.pcap", 0),
    ("awkward/arkime__gre-sample.pcap", 0),
    ("awkward/suricata-verify__tcp-empty-sack__tcp-opt.pcap", 0),
    ("awkward/ndpi-4.11__rdp.pcap", 0),
    ("awkward/zeek__linuxsll-arp.pcap", 0),
    ("awkward/zeek__linux_dlt_sll2.pcap", 0),
    ("awkward/ndpi-4.11__log4j-webapp-exploit.pcap", 0),
];

const FIELDS: [&str; 22] = [
    "frame.protocols",
    "frame.len",
    "ip.src",
    "ip.dst",
    "ip.len",
    "ip.frag_offset",
    "ip.flags.mf",
    "ipv6.src",
    "ipv6.dst",
    "ipv6.plen",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "tcp.len",
    "tcp.seq_raw",
    "udp.srcport",
    "udp.dstport",
    "sctp.srcport",
    "icmp.type",
    "icmpv6.type",
    "vlan.id",
    "eth.src",
];

/// tshark's words on one frame.
struct Row(Vec<String>);

impl Row {
    fn get(&self, field: &str) -> &str {
        let place = FIELDS.iter().position(|f| *f == field).unwrap();
        self.0.get(place).map_or("", String::as_str)
    }

    fn number(&self, field: &str) -> Option<u32> {
        let text = self.get(field);
        text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())
    }

    /// The first of IPv4 and IPv6 in the frame: the outermost.
    fn outer(&self) -> Option<&str> {
        self.get("frame.protocols").split(':').find(|p| ["ip", "ipv6"].contains(p))
    }

    /// What tshark took to be behind the outermost IP header and its extension headers.
    fn above(&self) -> Option<&str> {
        let behind = self.get("frame.protocols").split(':').skip_while(|p| !["ip", "ipv6"].contains(p)).skip(1);
        behind.into_iter().find(|p| !p.starts_with("ipv6.") && *p != "ah")
    }
}

/// Every frame of a capture as tshark sees it; nothing is put together again, and an IP length of 0 is offload.
fn rows(path: &Path) -> Option<Vec<Row>> {
    let mut command = Command::new("tshark");
    command.arg("-n").arg("-r").arg(path).args(["-T", "fields", "-E", "occurrence=f"]);
    for option in ["ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE", "ip.tso_support:TRUE"] {
        command.args(["-o", option]);
    }
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: tshark is missing ({error})");
            return None;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.lines().map(|line| Row(line.split('\t').map(str::to_owned).collect())).collect())
}

fn address(text: &str) -> Option<Addr> {
    text.parse().ok()
}

/// What differs between the two, in words.
fn differences(row: &Row, packet: &Packet) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, theirs: Option<u32>, ours: u32| {
        if theirs.is_some_and(|theirs| theirs != ours) {
            found.push(format!("{what}: theirs {theirs:?}, ours {ours}"));
        }
    };
    let is_v4 = row.outer() == Some("ip");
    // A length beyond the frame's own is shown as it is by tshark and bounded by us.
    let stated = |field: &str| row.number(field).filter(|length| Some(*length) <= row.number("frame.len"));
    if is_v4 {
        compare("ip.len", stated("ip.len"), packet.ip_bytes);
        let later = row.number("ip.frag_offset").map(|offset| u32::from(offset != 0));
        compare("later fragment", later, u32::from(packet.is_later_fragment()));
    } else {
        compare("ipv6.plen", stated("ipv6.plen").filter(|plen| *plen != 0), packet.ip_bytes - 40);
    }
    compare("vlan.id", row.number("vlan.id").filter(|id| *id != 0), u32::from(packet.vlans[0]));
    if let (false, Some(protocol)) = (packet.is_later_fragment(), row.above()) {
        let (src, dst) = (u32::from(packet.src_port), u32::from(packet.dst_port));
        match protocol {
            "tcp" => {
                compare("tcp.srcport", row.number("tcp.srcport"), src);
                compare("tcp.dstport", row.number("tcp.dstport"), dst);
                compare("tcp.len", row.number("tcp.len"), packet.payload_bytes);
                let tcp = packet.tcp.unwrap_or_default();
                compare("tcp.flags", row.number("tcp.flags").map(|flags| flags & 0xff), u32::from(tcp.flags.0));
                compare("tcp.seq", row.number("tcp.seq_raw"), tcp.seq);
            }
            "udp" => {
                compare("udp.srcport", row.number("udp.srcport"), src);
                compare("udp.dstport", row.number("udp.dstport"), dst);
            }
            "sctp" => compare("sctp.srcport", row.number("sctp.srcport"), src),
            "icmp" => compare("icmp.type", row.number("icmp.type"), src),
            "icmpv6" => compare("icmpv6.type", row.number("icmpv6.type"), src),
            _ => {}
        }
    }
    let (src, dst) = if is_v4 { ("ip.src", "ip.dst") } else { ("ipv6.src", "ipv6.dst") };
    if address(row.get(src)) != Some(packet.src) || address(row.get(dst)) != Some(packet.dst) {
        found.push(format!("addresses: theirs {} > {}, ours {} > {}", row.get(src), row.get(dst), packet.src, packet.dst));
    }
    found
}

/// The disagreements over one frame. What is inside a tunnel is compared in `wire_tunnels.rs`.
fn judge(row: &Row, frame: &Frame<'_>) -> Vec<String> {
    match (decode(frame), row.outer()) {
        (Ok(Packet { tunnel: Some(_), .. }), Some(_)) => Vec::new(),
        (Ok(packet), Some(_)) => differences(row, &packet),
        (Err(Skip::UnsupportedTunnel), _) | (Err(_), None) => Vec::new(),
        (Ok(packet), None) => vec![format!("theirs {:?}, ours {packet:?}", row.get("frame.protocols"))],
        (Err(skip), Some(_)) => vec![format!("theirs {:?}, ours {skip}", row.get("frame.protocols"))],
    }
}

fn disagreements(path: &Path) -> Option<Vec<String>> {
    let rows = rows(path)?;
    let capture = read_pcap(path);
    if rows.len() != capture.frames.len() {
        return Some(vec![format!("frames: theirs {}, ours {}", rows.len(), capture.frames.len())]);
    }
    let found = rows.iter().zip(capture.frames()).enumerate().flat_map(|(place, (row, frame))| {
        let place = place + 1;
        judge(row, &frame).into_iter().map(move |text| format!("frame {place}: {text}")).collect::<Vec<_>>()
    });
    Some(found.collect())
}

#[test]
fn agrees_with_tshark() {
    let mut wrong = Vec::new();
    for (name, malformed) in CAPTURES {
        let Some(path) = data_file(name) else { continue };
        let Some(found) = disagreements(&path) else { return };
        let (bad, differ): (Vec<_>, Vec<_>) = found.into_iter().partition(|text| text.contains("ours bad_"));
        println!("{name}: {} disagreements, {} malformed", differ.len(), bad.len());
        if bad.len() != malformed {
            wrong.push(format!("{name}: {} malformed packets, wanted {malformed}: {bad:?}", bad.len()));
        }
        wrong.extend(differ.iter().take(5).map(|text| format!("{name}: {text}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Looks through whatever captures `AUSCULT_CAPTURES` lists, one path a line, and prints the disagreements.
#[test]
#[ignore = "for exploring"]
fn compares_any_captures() {
    let Ok(list) = std::env::var("AUSCULT_CAPTURES") else { return };
    for path in std::fs::read_to_string(list).unwrap().lines().map(PathBuf::from) {
        for text in disagreements(&path).unwrap_or_default().iter().take(4) {
            println!("{}: {text}", path.display());
        }
    }
}

//! Flows against argus: packets and bytes of every pair of ends of TCP and UDP. It counts frames as we do, reassembles nothing
//! and drops nothing, so that there is no difference to explain.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Folder, auscult, clinic, data, lines, text};

type End = (IpAddr, u16);
/// Packets and bytes between two ends, the lower first.
type Talks = BTreeMap<(String, End, End), (u64, u64)>;

fn add(talks: &mut Talks, protocol: &str, (a, b): (End, End), (packets, bytes): (u64, u64)) {
    let talk = talks.entry((protocol.to_uppercase(), a.min(b), a.max(b))).or_default();
    *talk = (talk.0 + packets, talk.1 + bytes);
}

/// argus writes records, ra prints them; both are told to read no configuration of the machine's.
fn theirs(folder: &Folder, capture: &Path) -> Talks {
    let records = folder.name("records.argus");
    let argus = Command::new("argus").args(["-X", "-r", text(capture), "-S", "86400", "-w", &records]).output().unwrap();
    assert!(argus.status.success(), "{}", String::from_utf8_lossy(&argus.stderr));
    let columns = ["saddr", "sport", "daddr", "dport", "proto", "spkts", "dpkts", "sbytes", "dbytes"];
    let ra = Command::new("ra").args(["-F", "/dev/null", "-r", &records, "-n", "-c", ",", "-s"]).args(columns).output().unwrap();
    let mut talks = Talks::new();
    for line in String::from_utf8_lossy(&ra.stdout).lines() {
        let words: Vec<&str> = line.split(',').collect();
        let [src, src_port, dst, dst_port, protocol @ ("tcp" | "udp"), ref counts @ ..] = words[..] else { continue };
        let end = |address: &str, port: &str| -> End { (address.parse().unwrap(), port.parse().unwrap()) };
        let count = |place: usize| counts[place].parse::<u64>().unwrap() + counts[place + 1].parse::<u64>().unwrap();
        add(&mut talks, protocol, (end(src, src_port), end(dst, dst_port)), (count(0), count(2)));
    }
    std::fs::remove_file(records).unwrap();
    talks
}

fn ours(capture: &Path) -> Talks {
    let mut talks = Talks::new();
    for flow in lines(&auscult(&["flows", text(capture), "--keep-duplicates"]).ended(0).stdout) {
        let Some(protocol @ ("TCP" | "UDP")) = flow["proto"].as_str() else { continue };
        let end = |ip: &str, port: &str| -> End {
            (flow[ip].as_str().unwrap().parse().unwrap(), u16::try_from(flow[port].as_u64().unwrap()).unwrap())
        };
        let sum = |both: [&str; 2]| both.iter().map(|name| flow["flow"][*name].as_u64().unwrap()).sum();
        let counts = (sum(["pkts_toserver", "pkts_toclient"]), sum(["bytes_toserver", "bytes_toclient"]));
        add(&mut talks, protocol, (end("src_ip", "src_port"), end("dest_ip", "dest_port")), counts);
    }
    talks
}

/// The capture as plain pcap, which is all that argus reads.
fn plain(folder: &Folder, capture: PathBuf) -> PathBuf {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(&capture).unwrap();
    match capture.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => _ = flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap(),
        Some("zst") => _ = zstd::Decoder::new(file).unwrap().read_to_end(&mut bytes).unwrap(),
        _ => return capture,
    }
    PathBuf::from(folder.put("plain.pcap", &bytes))
}

#[test]
fn every_conversation_is_what_argus_says() {
    if Command::new("argus").arg("-h").output().is_err() || Command::new("ra").arg("-h").output().is_err() {
        println!("skipped: argus is missing");
        return;
    }
    let names = [
        "hospital-lab/hospital-lab.pcap.gz",
        "iot-lan/iot-lan.pcap.gz",
        "iot-devices/blink-cam-01.pcap.gz",
        "iot-devices/lockly-hub-01.pcap.gz",
        "slips/malicious-ssh-bruteforce.pcap",
        "slips/test-cc-capture-1.pcap",
        "slips/test7-malicious.pcap",
        "esnet-scans/nmap_80_w_service_detection.pcap",
        "esnet-scans/tcp_0_1000_20190821.pcap",
    ];
    let mut in_all = 0;
    for capture in names.iter().filter_map(|name| data(name)).chain([clinic()]) {
        let folder = Folder::new();
        let readable = plain(&folder, capture.clone());
        let (ours, theirs) = (ours(&readable), theirs(&folder, &readable));
        let differ: Vec<_> = ours.iter().filter(|(talk, counts)| theirs.get(talk) != Some(counts)).take(3).collect();
        assert!(differ.is_empty() && ours.len() == theirs.len(), "{}: {differ:?}, {} of them", capture.display(), theirs.len());
        in_all += ours.len();
    }
    println!("{in_all} conversations are the same");
    assert!(in_all > 1000, "{in_all} conversations say too little");
}

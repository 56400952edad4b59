//! Flows against tshark's conversations: packets and bytes of every five-tuple, and its Community ID.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests fail by panicking and say what they skip")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{auscult, clinic, data, have, text};

/// An end of a conversation, the protocol, and the other end; the lower end first.
type Tuple = (String, (IpAddr, u16), (IpAddr, u16));

/// Packets and bytes from the first end of the tuple, and from the other.
type Sums = BTreeMap<Tuple, [u64; 4]>;

fn add(
    sums: &mut Sums,
    protocol: &str,
    from: (IpAddr, u16),
    to: (IpAddr, u16),
    [there, bytes_there, back, bytes_back]: [u64; 4],
) {
    let (tuple, counts) = if from <= to {
        ((protocol.to_owned(), from, to), [there, bytes_there, back, bytes_back])
    } else {
        ((protocol.to_owned(), to, from), [back, bytes_back, there, bytes_there])
    };
    let sum = sums.entry(tuple).or_default();
    sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
}

/// What tshark says of every TCP and UDP packet, added up: its table of conversations rounds the bytes.
fn theirs(capture: &Path) -> Sums {
    let fields =
        ["ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "tcp.srcport", "udp.srcport", "tcp.dstport", "udp.dstport", "frame.len"];
    let mut command = Command::new("tshark");
    command.args(["-n", "-r"]).arg(capture).args(["-T", "fields", "-E", "occurrence=f", "-E", "separator=,"]);
    command.args(["-Y", "(tcp or udp) and not icmp and not icmpv6"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut sums = Sums::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let words: Vec<&str> = line.split(',').collect();
        let [src4, src6, dst4, dst6, tcp_from, udp_from, tcp_to, udp_to, bytes] = words[..] else { panic!("{line}") };
        let pick = |a: &str, b: &str| if a.is_empty() { b.to_owned() } else { a.to_owned() };
        let protocol = if tcp_from.is_empty() { "UDP" } else { "TCP" };
        let from = (pick(src4, src6).parse().unwrap(), pick(tcp_from, udp_from).parse().unwrap());
        let to = (pick(dst4, dst6).parse().unwrap(), pick(tcp_to, udp_to).parse().unwrap());
        add(&mut sums, protocol, from, to, [1, bytes.parse().unwrap(), 0, 0]);
    }
    sums
}

fn flows(capture: &Path) -> Vec<Value> {
    auscult(&["flows", text(capture)]).ended(0).lines()
}

fn ours(flows: &[Value]) -> Sums {
    let mut sums = Sums::new();
    for flow in flows.iter().filter(|flow| ["TCP", "UDP"].contains(&flow["proto"].as_str().unwrap())) {
        let end = |ip: &str, port: &str| {
            let port = u16::try_from(flow[port].as_u64().unwrap()).unwrap();
            (flow[ip].as_str().unwrap().parse().unwrap(), port)
        };
        let counts = ["pkts_toserver", "bytes_toserver", "pkts_toclient", "bytes_toclient"]
            .map(|name| flow["flow"][name].as_u64().unwrap());
        add(&mut sums, flow["proto"].as_str().unwrap(), end("src_ip", "src_port"), end("dest_ip", "dest_port"), counts);
    }
    sums
}

fn differences(ours: &Sums, theirs: &Sums) -> Vec<String> {
    let tuples: BTreeSet<&Tuple> = ours.keys().chain(theirs.keys()).collect();
    let differ = tuples.into_iter().filter(|tuple| ours.get(*tuple) != theirs.get(*tuple));
    differ.map(|tuple| format!("{tuple:?}: ours {:?}, theirs {:?}", ours.get(tuple), theirs.get(tuple))).collect()
}

/// Captures without fragments and tunnels, so that every packet has its ports.
fn captures() -> Vec<PathBuf> {
    let names = [
        "iot-lan/iot-lan.pcap.gz",
        "hospital-lab/hospital-lab.pcap.gz",
        "slips/test7-malicious.pcap",
        "slips/test8-malicious.pcap",
        "slips/malicious-ssh-bruteforce.pcap",
        "slips/test-cc-capture-1.pcap",
    ];
    std::iter::once(clinic()).chain(names.into_iter().filter_map(data)).collect()
}

#[test]
fn every_conversation_has_the_packets_and_bytes_that_tshark_counts() {
    if !have("tshark", "--version") {
        return;
    }
    let mut wrong = Vec::new();
    for capture in captures() {
        let (ours, theirs) = (ours(&flows(&capture)), theirs(&capture));
        println!("{}: {} conversations", capture.display(), theirs.len());
        assert!(!theirs.is_empty(), "{}: no conversations", capture.display());
        let differ = differences(&ours, &theirs);
        if !differ.is_empty() {
            wrong.push(format!(
                "{}: {} of {} differ:\n{}",
                capture.display(),
                differ.len(),
                theirs.len(),
                differ[..differ.len().min(4)].join("\n")
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The Community IDs that tshark gives the packets of a capture; the dissector is off by default.
fn community_ids(capture: &Path) -> BTreeSet<String> {
    let mut command = Command::new("tshark");
    command.args(["-n", "--enable-protocol", "communityid", "-r"]).arg(capture);
    command.args(["-T", "fields", "-e", "communityid", "-Y", "(tcp or udp) and not icmp and not icmpv6"]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter(|line| line.starts_with("1:")).map(str::to_owned).collect()
}

#[test]
fn community_ids_are_those_of_tshark() {
    if !have("tshark", "--version") {
        return;
    }
    for capture in captures() {
        let theirs = community_ids(&capture);
        if theirs.is_empty() {
            println!("skipped: this tshark gives no Community ID");
            return;
        }
        let flows = flows(&capture);
        let of_transport = flows.iter().filter(|flow| ["TCP", "UDP"].contains(&flow["proto"].as_str().unwrap()));
        let ours: BTreeSet<String> = of_transport.map(|flow| flow["community_id"].as_str().unwrap().to_owned()).collect();
        let differ: Vec<_> = ours.symmetric_difference(&theirs).take(4).collect();
        assert!(differ.is_empty(), "{}: ours {}, theirs {}: {differ:?}", capture.display(), ours.len(), theirs.len());
    }
}

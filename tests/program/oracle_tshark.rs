//! Flows against tshark's conversations, in every capture at hand that is not made to be damaged: packets, bytes, first and last
//! packet of every five-tuple, and the Community IDs. There is no difference to explain: both key fragments, ICMP errors and
//! frames that were cut in the same way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use auscult::time::parse;

use crate::support::{auscult, clinic, data, have, text};

type Ends = ((IpAddr, u16), (IpAddr, u16));

/// The protocol and both ends, the lower first.
type Tuple = (&'static str, Ends);

/// What a conversation holds, over all flows of its tuple.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Talk {
    /// Packets and bytes from the tuple's first end, and from the other.
    counts: [u64; 4],
    /// Its first and its last packet, microseconds since the epoch.
    start: i64,
    end: i64,
}

#[derive(Default)]
struct Talks(BTreeMap<Tuple, Talk>);

impl Talks {
    /// Adds packets and bytes `from` → `to` and back, heard from `start` to `end`.
    fn add(&mut self, protocol: &'static str, (from, to): Ends, counts: [u64; 4], (start, end): (i64, i64)) {
        let [there, bytes_there, back, bytes_back] = counts;
        let (tuple, counts) = if from <= to {
            ((protocol, (from, to)), counts)
        } else {
            ((protocol, (to, from)), [back, bytes_back, there, bytes_there])
        };
        let talk = self.0.entry(tuple).or_insert(Talk { counts: [0; 4], start, end });
        talk.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        talk.start = talk.start.min(start);
        talk.end = talk.end.max(end);
    }
}

/// What is told of a capture.
#[derive(Default)]
struct Told {
    talks: Talks,
    /// Of TCP and UDP.
    community_ids: BTreeSet<String>,
    /// Of ICMP and ICMPv6.
    icmp_ids: BTreeSet<String>,
    /// Lines of tshark's tables of conversations: frames of a tuple, its first in nanoseconds after the capture's first
    /// frame, and the end, to 0.1 ms.
    tables: BTreeMap<Tuple, (u64, f64, f64)>,
    first_frame: i64,
}

/// A time in seconds with nine decimals, as microseconds.
fn micros(seconds: &str) -> i64 {
    let (whole, fraction) = seconds.split_once('.').unwrap();
    whole.parse::<i64>().unwrap() * 1_000_000 + fraction[..6].parse::<i64>().unwrap()
}

const FIELDS: [&str; 13] = [
    "frame.time_epoch",
    "ip.src",
    "ipv6.src",
    "ip.dst",
    "ipv6.dst",
    "tcp.srcport",
    "udp.srcport",
    "tcp.dstport",
    "udp.dstport",
    "frame.len",
    "icmp.type",
    "icmpv6.type",
    "communityid",
];

/// What tshark says: of every TCP and UDP packet, added up (its tables round the bytes), and the tables. Its dissector of
/// Community IDs is off by default; it puts no fragments together, as little as we do.
fn theirs(capture: &Path) -> Told {
    let mut command = Command::new("tshark");
    command.args(["-n", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "--enable-protocol", "communityid"]);
    command.arg("-r").arg(capture).args(["-T", "fields", "-E", "occurrence=f", "-E", "separator=,"]);
    command.args(["-z", "conv,tcp", "-z", "conv,udp"]);
    FIELDS.iter().for_each(|field| {
        command.args(["-e", field]);
    });
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut told = Told { first_frame: i64::MAX, ..Told::default() };
    let mut table = "";
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        match line {
            "TCP Conversations" => table = "TCP",
            "UDP Conversations" => table = "UDP",
            _ if line.contains("<->") => add_row(&mut told, table, line),
            _ if line.split(',').count() == FIELDS.len() => add_packet(&mut told, line),
            _ => {}
        }
    }
    told
}

fn add_packet(told: &mut Told, line: &str) {
    let words: Vec<&str> = line.split(',').collect();
    let [time, src4, src6, dst4, dst6, tcp_from, udp_from, tcp_to, udp_to, bytes, icmp4, icmp6, id] = words[..] else {
        panic!("{line}")
    };
    let time = micros(time);
    if told.first_frame == i64::MAX {
        told.first_frame = time;
    }
    let pick = |a: &str, b: &str| if a.is_empty() { b.to_owned() } else { a.to_owned() };
    let (from, to, icmp) = (pick(tcp_from, udp_from), pick(tcp_to, udp_to), pick(icmp4, icmp6));
    if !icmp.is_empty() {
        told.icmp_ids.insert(id.to_owned());
    }
    // An ICMP error holds the ports of the packet that it is about.
    if from.is_empty() || !icmp.is_empty() {
        return;
    }
    let protocol = if tcp_from.is_empty() { "UDP" } else { "TCP" };
    let ends =
        ((pick(src4, src6).parse().unwrap(), from.parse().unwrap()), (pick(dst4, dst6).parse().unwrap(), to.parse().unwrap()));
    told.talks.add(protocol, ends, [1, bytes.parse().unwrap(), 0, 0], (time, time));
    told.community_ids.insert(id.to_owned());
}

/// `A:port <-> B:port  frames bytes unit  frames bytes unit  frames bytes unit  start duration`; a unit may be missing.
fn add_row(told: &mut Told, table: &str, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let end = |text: &str| -> (IpAddr, u16) {
        let (address, port) = text.rsplit_once(':').unwrap();
        (address.parse().unwrap(), port.parse().unwrap())
    };
    let (a, b) = (end(words[0]), end(words[2]));
    let protocol = if table == "TCP" { "TCP" } else { "UDP" };
    let numbers: Vec<&str> = words[3..].iter().copied().filter(|word| word.parse::<f64>().is_ok()).collect();
    let [_, _, _, _, frames, _, start, duration] = numbers[..] else { panic!("{line}") };
    let (start, duration): (f64, f64) = (start.parse().unwrap(), duration.parse().unwrap());
    let row = told.tables.entry((protocol, (a.min(b), a.max(b)))).or_insert((0, f64::MAX, f64::MIN));
    // It has a line for each stream of the same ports.
    *row = (row.0 + frames.parse::<u64>().unwrap(), row.1.min(start), row.2.max(start + duration));
}

fn ours(capture: &Path) -> Told {
    let mut told = Told::default();
    for flow in auscult(&["flows", text(capture)]).ended(0).lines() {
        let protocol = match flow["proto"].as_str().unwrap() {
            "TCP" => "TCP",
            "UDP" => "UDP",
            "ICMP" | "IPv6-ICMP" => {
                told.icmp_ids.insert(flow["community_id"].as_str().unwrap().to_owned());
                continue;
            }
            _ => continue,
        };
        let end = |ip: &str, port: &str| {
            (flow[ip].as_str().unwrap().parse().unwrap(), u16::try_from(flow[port].as_u64().unwrap()).unwrap())
        };
        let counts = ["pkts_toserver", "bytes_toserver", "pkts_toclient", "bytes_toclient"]
            .map(|name| flow["flow"][name].as_u64().unwrap());
        let time = |name: &str| parse(&flow["flow"][name].as_str().unwrap().replace("+0000", "Z")).unwrap().nanos() / 1000;
        let ends = (end("src_ip", "src_port"), end("dest_ip", "dest_port"));
        told.talks.add(protocol, ends, counts, (time("start"), time("end")));
        told.community_ids.insert(flow["community_id"].as_str().unwrap().to_owned());
    }
    told
}

/// Where the sums over packets, or the tables, say other than our flows.
fn differences(ours: &Told, theirs: &Told) -> Vec<String> {
    let tuples: BTreeSet<&Tuple> = ours.talks.0.keys().chain(theirs.talks.0.keys()).chain(theirs.tables.keys()).collect();
    let mut differ = Vec::new();
    for tuple in tuples {
        let (a, b, table) = (ours.talks.0.get(tuple), theirs.talks.0.get(tuple), theirs.tables.get(tuple));
        let from_first = |micros: i64| (micros - theirs.first_frame) as f64 * 1e-6;
        // The table's duration has four decimals.
        let fits = a.zip(table).is_some_and(|(talk, &(frames, start, end))| {
            talk.counts[0] + talk.counts[2] == frames
                && (from_first(talk.start) - start).abs() < 2e-6
                && (from_first(talk.end) - end).abs() < 1e-4
        });
        if a != b || !fits {
            differ.push(format!("{tuple:?}: ours {a:?}, theirs {b:?}, their table {table:?}"));
        }
    }
    for (of, ours, theirs) in
        [("TCP and UDP", &ours.community_ids, &theirs.community_ids), ("ICMP", &ours.icmp_ids, &theirs.icmp_ids)]
    {
        let ids: Vec<_> = ours.symmetric_difference(theirs).take(3).collect();
        if !ids.is_empty() {
            differ.push(format!("Community IDs of {of}: ours {}, theirs {}, such as {ids:?}", ours.len(), theirs.len()));
        }
    }
    differ
}

/// All captures under a folder, but those that are made to be damaged.
fn captures_under(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("awkward") {
            captures_under(&path, found);
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().contains(".pcap")) {
            found.push(path);
        }
    }
}

/// The captures and what is wrong with each, in no order.
fn judge(captures: &[PathBuf]) -> Vec<(PathBuf, Vec<String>, [usize; 2])> {
    let (next, judged) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(capture) = captures.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (ours, theirs) = (ours(capture), theirs(capture));
                    let judgement = (capture.clone(), differences(&ours, &theirs), [theirs.talks.0.len(), theirs.icmp_ids.len()]);
                    judged.lock().unwrap().push(judgement);
                }
            });
        }
    });
    judged.into_inner().unwrap()
}

#[test]
fn every_conversation_is_what_tshark_says() {
    if !have("tshark", "--version") {
        return;
    }
    let mut captures = vec![clinic()];
    if let Some(readme) = data("README.md") {
        captures_under(readme.parent().unwrap(), &mut captures);
        assert!(captures.len() > 60, "only {} captures", captures.len());
    }
    // The largest first, so that none is begun last.
    captures.sort_by_key(|path| std::cmp::Reverse(path.metadata().unwrap().len()));
    let (mut wrong, mut in_all, mut icmp) = (Vec::new(), 0, 0);
    for (capture, differ, [count, ids]) in judge(&captures) {
        in_all += count;
        icmp += ids;
        if !differ.is_empty() {
            let some = differ[..differ.len().min(4)].join("\n  ");
            wrong.push(format!("{}: {} of {count} differ:\n  {some}", capture.display(), differ.len()));
        }
    }
    println!("{} captures, {in_all} conversations, {icmp} Community IDs of ICMP", captures.len());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(in_all > 1000 && icmp > 1, "{in_all} conversations, {icmp} of ICMP: the captures say too little");
}

//! A flood of one-packet flows with spoofed senders: memory stays bounded, everything is counted, and the flows of the hosts that
//! behave come out whole. `benches/flood.rs` writes the same flood in any size; docs/measures.md has ten million.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, BufWriter};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::flood::{Behaved, HOSTS, from_outside, write};
use crate::support::{Folder, program, project, text};

const FLOOD: u64 = 600_000;
const MAX_FLOWS: &str = "20000";
/// Above what that table and the records of a few ticks of a flood take, in MiB, below what grows with the flood: its records
/// are 1.3 KB each, 780 MB in all.
const MOST_FLOWS_MIB: u64 = 256;
/// The same with the detector's own tables.
const MOST_JUDGED_MIB: u64 = 400;

/// Feeds the flood to the program; returns what was sent and the most memory that it took, in MiB, as far as the system tells.
fn feed(child: &mut Child) -> (Behaved, Option<u64>) {
    let mut to = BufWriter::new(child.stdin.take().unwrap());
    let behaved = write(&mut to, FLOOD, from_outside).unwrap();
    drop(to);
    let mut peak = None;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kib.map(|kib| kib / 1024));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    (behaved, peak)
}

fn assert_bounded(peak: Option<u64>, most: u64) {
    println!("peak {peak:?} MiB");
    assert!(peak.is_none_or(|peak| peak < most), "{peak:?} MiB");
}

/// What the records of a host that behaves say.
#[derive(Default)]
struct Seen {
    connection: (u64, u64),
    records: u64,
    states: Vec<String>,
    look_ups: u64,
}

#[test]
fn hosts_that_behave_survive_a_flood() {
    let folder = Folder::new();
    let out = folder.name("flows.csv");
    let mut command = program();
    command.args(["flows", "-", "--max-flows", MAX_FLOWS, "--format", "csv", "--out", &out]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (behaved, peak) = feed(&mut child);
    assert_bounded(peak, MOST_FLOWS_MIB);
    let mut lines = BufReader::new(std::fs::File::open(&out).unwrap()).lines().map(Result::unwrap);
    let names: Vec<String> = lines.next().unwrap().split(',').map(str::to_owned).collect();
    let place = |name: &str| names.iter().position(|n| n == name).unwrap_or_else(|| panic!("no {name} in {names:?}"));
    let columns = ["src_ip", "dest_port", "flow_pkts_toserver", "flow_pkts_toclient", "auscult_conn_state"].map(place);
    let (mut seen, mut records, mut packets) = (BTreeMap::<String, Seen>::new(), 0, 0);
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let [from, port, there, back, state] = columns.map(|column| cells[column]);
        let (there, back): (u64, u64) = (there.parse().unwrap(), back.parse().unwrap());
        records += 1;
        packets += there + back;
        if !from.starts_with("10.1.0.") {
            continue;
        }
        let host = seen.entry(from.to_owned()).or_default();
        match port {
            "443" => {
                host.connection = (host.connection.0 + there, host.connection.1 + back);
                host.records += 1;
                host.states.push(state.to_owned());
            }
            "53" => host.look_ups += u64::from((there, back) == (1, 1)),
            other => panic!("port {other}"),
        }
    }
    assert_eq!(seen.len() as u64, HOSTS);
    for (host, seen) in &seen {
        assert_eq!((seen.connection, seen.look_ups), (behaved.connection, behaved.look_ups), "{host}");
        assert_eq!((seen.records, &seen.states[..]), (1, &["SF".to_owned()][..]), "{host}");
    }
    let of_hosts = HOSTS * (behaved.connection.0 + behaved.connection.1 + 2 * behaved.look_ups);
    assert_eq!(packets, FLOOD + of_hosts, "every packet is in a record");
    assert_eq!(records, FLOOD + HOSTS * (1 + behaved.look_ups), "every attempt is a flow");
}

#[test]
fn judging_a_flood_stays_bounded_and_balances() {
    let folder = Folder::new();
    let (stats, alerts) = (folder.name("stats.json"), folder.name("alerts.jsonl"));
    let model = project("models/clinic.json");
    for judged_by in [&["--model", text(&model)][..], &[]] {
        let mut command = program();
        command.args(["replay", "-", "--max-flows", MAX_FLOWS, "--stats", &stats, "--alerts", &alerts]).args(judged_by);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (behaved, peak) = feed(&mut child);
        // Without a model it keeps 60,000 records to learn from, whatever the table holds.
        if judged_by.is_empty() {
            println!("peak {peak:?} MiB")
        } else {
            assert_bounded(peak, MOST_JUDGED_MIB)
        }
        let stats: Value = serde_json::from_slice(&folder.read("stats.json")).unwrap();
        let find = |name: &str| find(&stats, name).unwrap_or_else(|| panic!("no {name} in {stats}")).as_u64().unwrap();
        let flows = FLOOD + HOSTS * (1 + behaved.look_ups);
        assert_eq!((find("opened"), find("open")), (flows, 0));
        assert_eq!(find("ended") + find("evicted"), flows);
        assert!(find("evicted") >= FLOOD - 20_000, "{stats}");
    }
}

/// The member of this name, however deep.
fn find<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let members = value.as_object()?;
    members.get(name).or_else(|| members.values().find_map(|inner| find(inner, name)))
}

//! The scores against the two independent programs in `tools/`, on inputs made up at random: labels with every kind of
//! blank, flows and alerts that hit and miss them by every rule.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use auscult::dataset::{FlowTuple, Truth};
use auscult::eval::{AlertLine, Judged, addresses_in, episodes, flow_auc};
use auscult::time::{Span, Timestamp};
use auscult::wire::Addr;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json};

/// Random choices of one case.
struct Dice(Xoshiro256PlusPlus);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    fn one<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Quarter seconds, so that Python's floats are exact and the limits themselves are met.
    fn time(&mut self, until_s: u64) -> Timestamp {
        Timestamp::from_nanos(self.below(until_s * 4) as i64 * 250_000_000)
    }
}

const ADDRESSES: [&str; 8] =
    ["10.0.0.1", "10.0.0.2", "10.0.0.3", "192.168.7.7", "8.8.8.8", "fe80::1", "2001:4860:4860::8888", "192.88.99.1"];
const LABELS: [&str; 5] = ["malicious", "malicious", "benign", "benign", "background"];
const ATTACKS: [&str; 4] = ["scan", "\"slow, quiet beacon\"", "flood", ""];

fn labels(dice: &mut Dice, rows: u64, until_s: u64) -> String {
    let mut text = String::from("file,src_ip,dst_ip,src_port,dst_port,proto,start,end,label,detail\n");
    for _ in 0..rows {
        let (mut start, mut end) = (dice.time(until_s), dice.time(until_s / 6));
        end = start + end.since(Timestamp::default());
        let blank = |dice: &mut Dice, often: u64, text: String| if dice.below(often) == 0 { String::new() } else { text };
        let open = dice.below(3) == 0;
        let often = if open { 3 } else { 1000 };
        let proto = dice.one(&["tcp", "udp", "icmp", "6", "17.0", "UDP", "ipv6-icmp", "1", "arp"]);
        let src = dice.one(&ADDRESSES).to_owned();
        let dst = dice.one(&ADDRESSES).to_owned();
        let ports = [dice.below(3) + 52, dice.below(3) + 52].map(|p| p.to_string());
        let [src_port, dst_port] = if matches!(proto, "icmp" | "1" | "ipv6-icmp") && dice.below(2) == 0 {
            [String::new(), String::new()]
        } else {
            ports
        };
        if dice.below(40) == 0 {
            (start, end) = (Timestamp::default(), Timestamp::from_parts(until_s as i64, 0));
        }
        let fields = [
            dice.one(&["a.pcap", "a.pcap", "a.pcap", "b.pcap"]).to_owned(),
            blank(dice, often, src),
            blank(dice, often, dst),
            blank(dice, often, src_port),
            blank(dice, often, dst_port),
            blank(dice, often, proto.to_owned()),
            blank(dice, if open { 6 } else { 1000 }, start.as_seconds().to_string()),
            blank(dice, if open { 6 } else { 1000 }, end.as_seconds().to_string()),
            dice.one(&LABELS).to_owned(),
            dice.one(&ATTACKS).to_owned(),
        ];
        text += &(fields.join(",") + "\n");
    }
    text
}

fn flows(dice: &mut Dice, count: u64, until_s: u64) -> Vec<(FlowTuple, f64)> {
    let tuple = |dice: &mut Dice| {
        let start = dice.time(until_s);
        let end = start + dice.time(until_s / 20 + 1).since(Timestamp::default());
        let (src, dst): (Addr, Addr) = (dice.one(&ADDRESSES).parse().unwrap(), dice.one(&ADDRESSES).parse().unwrap());
        let protocol = [6, 17, 1, 58][dice.below(4) as usize];
        let port = |dice: &mut Dice| if matches!(protocol, 1 | 58) { 0 } else { dice.below(3) as u16 + 52 };
        FlowTuple { src, dst, src_port: port(dice), dst_port: port(dice), protocol, start, end }
    };
    (0..count).map(|_| (tuple(dice), dice.below(12) as f64 / 4.0)).collect()
}

fn flow_line((flow, bits): &(FlowTuple, f64)) -> Value {
    let proto = match flow.protocol {
        6 => "TCP",
        17 => "UDP",
        1 => "ICMP",
        _ => "IPv6-ICMP",
    };
    let mut line = json!({
        "event_type": "flow", "src_ip": flow.src.to_string(), "dest_ip": flow.dst.to_string(), "proto": proto,
        "flow": {"start": flow.start.as_seconds(), "end": flow.end.as_seconds()}, "auscult": {"bits": bits},
    });
    if matches!(flow.protocol, 6 | 17) {
        (line["src_port"], line["dest_port"]) = (flow.src_port.into(), flow.dst_port.into());
    }
    line
}

fn alerts(dice: &mut Dice, count: u64, until_s: u64) -> Vec<AlertLine> {
    let some = |dice: &mut Dice, most: u64| (0..dice.below(most) + 1).map(|_| dice.one(&ADDRESSES).parse().unwrap()).collect();
    (0..count)
        .map(|_| {
            let first = dice.time(until_s);
            let last = first + dice.time(900).since(Timestamp::default());
            let raised = first + dice.time(1200).since(Timestamp::default());
            let incident = format!("incident {}", dice.below(count));
            AlertLine { incident, raised, first, last, subjects: some(dice, 2), others: some(dice, 2) }
        })
        .collect()
}

fn alert_line(line: &AlertLine) -> Value {
    let text = |addresses: &[Addr]| addresses.iter().map(Addr::to_string).collect::<Vec<_>>();
    let incident = json!({
        "id": line.incident, "hosts": text(&line.subjects), "peers": text(&line.others[1..]),
        "first": line.first.as_seconds(), "last": line.last.as_seconds(),
    });
    json!({
        "event_type": "alert", "timestamp": line.raised.to_string(), "src_ip": line.subjects[0].to_string(),
        "dest_ip": line.others[0].to_string(), "auscult": {"incident": incident},
    })
}

/// The folder with the independent programs: in the project, beside it, or beside the development data.
fn tool(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = std::env::var_os("AUSCULT_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let places = [root.join("tools"), root.join("../shared/tools"), data.join("../tools")];
    let found = places.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    let python = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    if found.is_none() {
        println!("skipped: tools/{name} is missing");
    } else if !python {
        println!("skipped: python3 is missing");
    }
    found.filter(|_| python)
}

/// What a program prints as JSON; `None` when it finds nothing to score.
fn ask(tool: &Path, arguments: &[&OsStr]) -> Option<Value> {
    let output = Command::new("python3").arg(tool).args(arguments).arg("--json").output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    if complaint.starts_with("nothing to score") {
        return None;
    }
    assert!(output.status.success(), "{complaint}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn write(folder: &Path, name: &str, lines: impl IntoIterator<Item = String>) -> PathBuf {
    let path = folder.join(name);
    let mut file = std::fs::File::create(&path).unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
    path
}

/// Equal, numbers to a part in a thousand million.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= 1e-9 * a.abs().max(1.0)
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (a, b) => a == b,
    }
}

#[test]
fn flow_scores_equal_those_of_the_independent_program() {
    let Some(tool) = tool("score_flows.py") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut scored = 0;
    for case in 0..12 {
        let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(case));
        let text = labels(&mut dice, 20 + 30 * case, 2000);
        let flows = flows(&mut dice, 600, 2000);
        let since = [None, Some(dice.time(1000))][case as usize % 2];
        let truth_path = write(folder.path(), "labels.csv", [text.clone()]);
        let flow_path = write(folder.path(), "flows.jsonl", flows.iter().map(|flow| flow_line(flow).to_string()));
        let mut arguments: Vec<&OsStr> =
            vec!["--flows".as_ref(), flow_path.as_os_str(), "--truth".as_ref(), truth_path.as_os_str()];
        arguments.extend(["--file", "a.pcap"].map(OsStr::new));
        let from = since.map(|since| since.as_seconds().to_string());
        if let Some(from) = &from {
            arguments.extend([OsStr::new("--from"), OsStr::new(from)]);
        }
        let theirs = ask(&tool, &arguments);
        let truth = Truth::read_for(text.as_bytes(), "labels.csv", "a.pcap").unwrap();
        let ours = flow_auc(flows.into_iter(), &truth, since).ok().map(|scores| serde_json::to_value(scores).unwrap());
        scored += usize::from(ours.is_some());
        let equal = match (&ours, &theirs) {
            (Some(ours), Some(theirs)) => same(ours, theirs),
            (ours, theirs) => ours == theirs,
        };
        assert!(equal, "case {case}:\nours   {ours:?}\ntheirs {theirs:?}");
    }
    assert!(scored >= 8, "only {scored} cases had something to score");
}

#[test]
fn alert_scores_equal_those_of_the_independent_program() {
    let Some(tool) = tool("score_alerts.py") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (mut detected, mut false_alerts) = (0, 0);
    for case in 0..16 {
        let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(1000 + case));
        let text = labels(&mut dice, 3 + 4 * case, 6000);
        let lines = alerts(&mut dice, 4 + case, 6000);
        let truth_path = write(folder.path(), "labels.csv", [text.clone()]);
        let alert_path = write(folder.path(), "alerts.jsonl", lines.iter().map(|line| alert_line(line).to_string()));
        let mut judged = Judged::default();
        let mut options: Vec<(&str, String)> = vec![("--file", "a.pcap".to_owned())];
        if case % 3 == 1 {
            judged.from = Some(dice.time(2000));
            judged.to = judged.from.map(|from| from + Span::from_secs(3000));
            options.extend(
                [("--from", judged.from), ("--to", judged.to)].map(|(name, time)| (name, time.unwrap().as_seconds().to_string())),
            );
        }
        if case % 4 == 2 {
            (judged.hosts, judged.slack) = (Some(addresses_in("10.0.0.0/29,fe80::/122").unwrap()), Span::from_secs(5));
            options.extend([("--hosts", "10.0.0.0/29,fe80::/122".to_owned()), ("--slack", "5".to_owned())]);
        }
        let mut arguments: Vec<&OsStr> =
            vec!["--alerts".as_ref(), alert_path.as_os_str(), "--truth".as_ref(), truth_path.as_os_str()];
        arguments.extend(options.iter().flat_map(|(name, value)| [OsStr::new(*name), OsStr::new(value)]));
        let theirs = ask(&tool, &arguments).unwrap();
        let truth = Truth::read_for(text.as_bytes(), "labels.csv", "a.pcap").unwrap();
        let scores = episodes(&lines, &truth, &judged);
        (detected, false_alerts) = (detected + scores.detected, false_alerts + scores.false_alerts);
        let ours = serde_json::to_value(scores).unwrap();
        assert!(same(&ours, &theirs), "case {case}:\nours   {ours}\ntheirs {theirs}");
    }
    assert!(detected > 10 && false_alerts > 10, "{detected} detected, {false_alerts} false: the cases say too little");
}

//! The hospital's network in a box (`datasets/lab`): it explains itself, `auscult watch` hears on its SPAN port exactly what
//! happened there, and nothing of it stays behind. Needs root; the first run makes the box, which takes minutes.
#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{self, have, lines, project};

/// The status with which the lab says that it cannot run on this machine.
const CANNOT_RUN: i32 = 3;

fn lab() -> Command {
    let mut command = Command::new(project("datasets/lab/run"));
    command.stdin(Stdio::null());
    command
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    let root = id.stdout == b"0\n";
    if !root {
        println!("skipped: the lab's network namespaces need root");
    }
    root
}

/// Both ends of a conversation in one order, and its protocol.
type Pair = ((String, u64), (String, u64), String);

fn pair(source: (&str, u64), destination: (&str, u64), protocol: &str) -> Pair {
    let (a, b) = ((source.0.to_owned(), source.1), (destination.0.to_owned(), destination.1));
    (a.clone().min(b.clone()), a.max(b), protocol.to_lowercase())
}

/// Packets of every TCP and UDP conversation that the ground truth calls ordinary.
fn told(folder: &Path) -> BTreeMap<Pair, u64> {
    let mut packets = BTreeMap::new();
    for line in fs::read_to_string(folder.join("labels.csv")).unwrap().lines().skip(1) {
        let f: Vec<&str> = line.split(',').collect();
        if ["tcp", "udp"].contains(&f[4]) && f[9] == "benign" {
            let key = pair((f[0], f[2].parse().unwrap()), (f[1], f[3].parse().unwrap()), f[4]);
            *packets.entry(key).or_default() += f[7].parse::<u64>().unwrap();
        }
    }
    packets
}

/// Packets of every TCP and UDP conversation among these flow records, and the applications.
fn heard(flows: &[Value]) -> (BTreeMap<Pair, u64>, BTreeSet<String>) {
    let (mut packets, mut applications) = (BTreeMap::new(), BTreeSet::new());
    for flow in flows.iter().filter(|flow| flow["proto"] == "TCP" || flow["proto"] == "UDP") {
        let end = |side: &str| (flow[format!("{side}_ip")].as_str().unwrap(), flow[format!("{side}_port")].as_u64().unwrap());
        let key = pair(end("src"), end("dest"), flow["proto"].as_str().unwrap());
        let count = |member: &str| flow["flow"][member].as_u64().unwrap();
        *packets.entry(key).or_default() += count("pkts_toserver") + count("pkts_toclient");
        applications.extend(flow["app_proto"].as_str().map(str::to_owned));
    }
    (packets, applications)
}

#[test]
fn it_explains_every_scenario_and_attack() {
    if !have("python3", "--version") {
        return;
    }
    let said = lab().arg("--list").output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = String::from_utf8(said.stdout).unwrap();
    for word in ["clean:", "intrusion-loud:", "intrusion-quiet:", "ransomware:", "insider:", "everything:", "port-scan:"] {
        assert!(said.contains(&format!("  {word} ")), "{word} is not explained:\n{said}");
    }
}

#[test]
fn a_scenario_of_two_minutes_is_heard_live_as_it_happened() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let listen =
        format!("{} watch mon0 --flows live.jsonl --stats stats.json --alerts live.alerts", env!("CARGO_BIN_EXE_auscult"));
    let mut command = lab();
    command.args(["--scenario", "clean", "--minutes", "2", "--seed", "5", "--listen", &listen, "--out"]).arg(folder.path());
    let said = command.output().unwrap();
    let status = said.status.code().unwrap();
    let said = String::from_utf8_lossy(&said.stderr);
    if status == CANNOT_RUN {
        println!("skipped: the lab cannot run here: {}", said.lines().last().unwrap_or_default());
        return;
    }
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("--listen ended with status 0"), "{said}");

    let stats: Value = serde_json::from_slice(&fs::read(folder.path().join("stats.json")).unwrap()).unwrap();
    assert_eq!((&stats["capture"]["balanced"], &stats["capture"]["dropped"]), (&true.into(), &0.into()), "{stats}");
    let (heard, applications) = heard(&lines(&fs::read(folder.path().join("live.jsonl")).unwrap()));
    let told = told(folder.path());
    assert!(told.len() > 200, "only {} conversations took place", told.len());
    // Connections whose programs were killed say a little more when the recorder has stopped and the listener has not.
    let same = |key: &Pair, packets: u64| heard.get(key).is_some_and(|heard| (packets..=packets + 10).contains(heard));
    let missed: Vec<_> = told.iter().filter(|(key, packets)| !same(key, **packets)).collect();
    assert!(missed.is_empty(), "{} of {} conversations were heard otherwise: {:?}", missed.len(), told.len(), &missed[..1]);
    for wanted in ["dicom", "hl7", "mqtt", "dns", "tls", "http", "smb", "ssh"] {
        assert!(applications.contains(wanted), "{wanted} is not among {applications:?}");
    }
    copies_hold_the_same(folder.path(), &told);
}

/// The copies that `small` and `stretch` make have the same conversations with the same packets.
fn copies_hold_the_same(run: &Path, told: &BTreeMap<Pair, u64>) {
    if !have("zstd", "--version") {
        return;
    }
    for (program, capture) in [("small", "capture.pcap.zst"), ("stretch", "capture.pcap")] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(project("datasets/lab").join(program));
        let made = command.arg(run).arg(folder.path()).output().unwrap();
        assert!(made.status.success(), "{program}: {}", String::from_utf8_lossy(&made.stderr));
        let flows = folder.path().join("flows.jsonl");
        let capture = folder.path().join(capture);
        support::auscult(&["flows", support::text(&capture), "--format", "jsonl", "--out", support::text(&flows)]).ended(0);
        let (heard, _) = heard(&lines(&fs::read(&flows).unwrap()));
        let differ: Vec<_> = told.iter().filter(|(key, packets)| heard.get(key) != Some(packets)).take(1).collect();
        assert!(differ.is_empty(), "{program}: {differ:?}");
    }
}

/// Is a process of the run that writes to this folder alive?
fn alive(folder: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words);
        words.contains("\0lab\0") && words.contains(folder)
    })
}

/// Asks ten times a second, for so many seconds, whether it is so.
fn within(seconds: u32, mut condition: impl FnMut() -> bool) -> bool {
    (0..seconds * 10).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        condition()
    })
}

#[test]
fn nothing_stays_when_it_is_killed() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().display().to_string();
    let mut run: Child = lab()
        .args(["--scenario", "clean", "--minutes", "5", "--out", &name])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let capture = folder.path().join("capture.pcap");
    // The first run on a machine makes the box.
    within(600, || capture.exists() || run.try_wait().unwrap().is_some());
    if let Some(status) = run.try_wait().unwrap() {
        assert_eq!(status.code(), Some(CANNOT_RUN), "the lab did not start");
        println!("skipped: the lab cannot run here");
        return;
    }
    // Until its servers run.
    std::thread::sleep(Duration::from_secs(12));
    assert!(alive(&name));
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(within(10, || !alive(&name)), "processes of the lab are still there");
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains("lowerdir") || !mounts.contains("auscult-lab"), "a mount of the lab is still there");
    let spaces =
        fs::read_dir("/run/netns").map_or(0, |spaces| spaces.flatten().filter(|space| space.file_name() == "monitor-1").count());
    assert_eq!(spaces, 0, "a network namespace of the lab is still there");
}

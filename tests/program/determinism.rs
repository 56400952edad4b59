//! The same bytes for any number of workers, with a model and without, also when the flow table was full; the same model
//! from the same capture.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{self, CLINIC_SPLIT, Folder, auscult, clinic, data, lines, text};

const WORKERS: [&str; 3] = ["1", "2", "7"];

/// Everything that `replay` writes.
#[derive(PartialEq)]
struct Written {
    alerts: Vec<u8>,
    flows: Vec<u8>,
    stats: Vec<u8>,
    hosts: Vec<u8>,
}

impl Written {
    /// Which part differs, and its first line that does.
    fn difference(&self, other: &Self) -> Option<String> {
        let parts = [
            ("alerts", &self.alerts, &other.alerts),
            ("flows", &self.flows, &other.flows),
            ("stats", &self.stats, &other.stats),
            ("hosts", &self.hosts, &other.hosts),
        ];
        let (name, a, b) = parts.into_iter().find(|(_, a, b)| a != b)?;
        let place = a.split(|&b| b == b'\n').zip(b.split(|&b| b == b'\n')).position(|(a, b)| a != b);
        Some(format!("{name} differ, first in line {place:?}; {} and {} bytes", a.len(), b.len()))
    }

    fn evicted(&self) -> u64 {
        let stats: Value = serde_json::from_slice(&self.stats).unwrap();
        assert_eq!(stats["capture"]["balanced"], Value::Bool(true), "{stats}");
        stats["capture"]["flows"]["evicted"].as_u64().unwrap()
    }
}

fn replay(capture: &Path, workers: &str, options: &[&str]) -> (Written, String) {
    let folder = Folder::new();
    let names = ["alerts", "flows", "stats", "hosts"].map(|name| folder.name(name));
    let mut arguments = vec!["replay", text(capture), "--workers", workers];
    for (option, name) in ["--alerts", "--flows", "--stats", "--hosts"].iter().zip(&names) {
        arguments.extend([option, name.as_str()]);
    }
    arguments.extend(options);
    let run = auscult(&arguments).ended(0);
    assert!(run.stdout.is_empty(), "stdout carries results alone");
    let [alerts, flows, stats, hosts] = ["alerts", "flows", "stats", "hosts"].map(|name| folder.read(name));
    (Written { alerts, flows, stats, hosts }, run.stderr)
}

/// What one worker writes, having compared it with the others.
fn the_same_for_all(capture: &Path, options: &[&str]) -> (Written, String) {
    let [one, others @ ..] = WORKERS.map(|workers| replay(capture, workers, options));
    for (workers, other) in WORKERS[1..].iter().zip(others) {
        if let Some(difference) = one.0.difference(&other.0) {
            panic!("{} {options:?}: 1 and {workers} workers: {difference}", capture.display());
        }
    }
    assert!(!lines(&one.0.flows).is_empty(), "{}: no flows, so the comparison says nothing", capture.display());
    one
}

/// With what the capture taught itself, and with a model of its beginning.
fn any_number_of_workers(capture: &Path, split: &str) {
    let (taught, _) = the_same_for_all(capture, &[]);
    let folder = Folder::new();
    let model = folder.name("model.json");
    auscult(&["train", text(capture), "--to", split, "--out", &model]).ended(0);
    let (judged, _) = the_same_for_all(capture, &["--from", split, "--model", &model]);
    assert!(!judged.alerts.is_empty(), "{}: no alerts, so the comparison says little", capture.display());
    assert_eq!((taught.evicted(), judged.evicted()), (0, 0));
}

#[test]
fn clinic_is_the_same_for_any_number_of_workers() {
    any_number_of_workers(&clinic(), CLINIC_SPLIT);
}

#[test]
fn iot_lan_is_the_same_for_any_number_of_workers() {
    if let Some(capture) = data("iot-lan/iot-lan.pcap.gz") {
        any_number_of_workers(&capture, "1615367520");
    }
}

#[test]
fn hospital_lab_is_the_same_for_any_number_of_workers() {
    if let Some(capture) = data("hospital-lab/hospital-lab.pcap.gz") {
        any_number_of_workers(&capture, "1795448239");
    }
}

#[test]
fn an_infected_host_is_the_same_for_any_number_of_workers() {
    if let Some(capture) = data("slips/test7-malicious.pcap") {
        the_same_for_all(&capture, &[]);
    }
}

#[test]
fn folders_of_captures_are_the_same_for_any_number_of_workers() {
    if let Some(folder) = data("dns-c2/dnscat") {
        the_same_for_all(&folder, &[]);
    }
}

fn full_table(capture: &Path, options: &[&str]) {
    let (written, stderr) = the_same_for_all(capture, &[&["--max-flows", "256"], options].concat());
    assert!(written.evicted() > 0, "{}: nothing was evicted", capture.display());
    assert!(stderr.contains("the flow table was full"), "{stderr}");
}

#[test]
fn a_full_table_changes_nothing() {
    full_table(&clinic(), &[]);
    if let Some(capture) = data("hospital-lab/hospital-lab.pcap.gz") {
        full_table(&capture, &[]);
    }
}

#[test]
fn a_full_table_changes_nothing_with_a_model() {
    let folder = Folder::new();
    let model = support::clinic_model(&folder);
    full_table(&clinic(), &["--from", CLINIC_SPLIT, "--model", &model]);
}

#[test]
fn training_twice_gives_the_same_bytes() {
    let folder = Folder::new();
    let train = |capture: &PathBuf, split: &str, name: &str, workers: &str| {
        let model = folder.name(name);
        auscult(&["train", text(capture), "--to", split, "--out", &model, "--workers", workers]).ended(0);
        folder.read(name)
    };
    let captures = [(Some(clinic()), CLINIC_SPLIT), (data("hospital-lab/hospital-lab.pcap.gz"), "1795448239")];
    for (capture, split) in captures.into_iter().filter_map(|(capture, split)| Some((capture?, split))) {
        let first = train(&capture, split, "a.json", "1");
        assert!(first.len() > 10_000, "{} bytes", first.len());
        assert!(first == train(&capture, split, "b.json", "1"), "{}: twice the same", capture.display());
        assert!(first == train(&capture, split, "c.json", "7"), "{}: with seven workers", capture.display());
    }
}

#[test]
fn another_seed_is_said_in_the_model() {
    let folder = Folder::new();
    let model = folder.name("model.json");
    auscult(&["train", text(&clinic()), "--to", CLINIC_SPLIT, "--out", &model, "--seed", "9"]).ended(0);
    let model: Value = serde_json::from_slice(&folder.read("model.json")).unwrap();
    assert_eq!(model["model"]["provenance"]["seed"], 9);
}

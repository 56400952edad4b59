//! The recordings of the lab that the project keeps (`datasets/hospital`): whole, small, and told exactly by their labels.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use auscult::dataset::{self, FlowTuple, Kind, Truth};
use auscult::time;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::{Folder, auscult, lines, project};

/// Bytes that one recording and all of them may have.
const ONE_MAX: u64 = 3_000_000;
const ALL_MAX: u64 = 15_000_000;
const CAPTURE: &str = "capture.pcap.zst";
const LABELS: &str = "labels.csv.zst";

fn recordings() -> Vec<PathBuf> {
    let folders = fs::read_dir(project("datasets/hospital")).unwrap().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}

fn truth(folder: &Path) -> Truth {
    let path = folder.join(LABELS);
    Truth::read(dataset::open(&path).unwrap(), &path.display().to_string()).unwrap()
}

#[test]
fn every_kind_of_scenario_is_there_and_small() {
    let names: BTreeSet<String> =
        recordings().iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    for wanted in ["clean", "clean-long", "intrusion-loud", "intrusion-quiet", "ransomware", "insider", "everything"] {
        assert!(names.contains(wanted), "{wanted} is not among {names:?}");
    }
    let mut all = 0;
    for folder in recordings() {
        let bytes: u64 = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.metadata().unwrap().len()).sum();
        assert!(bytes < ONE_MAX, "{}: {bytes} bytes", folder.display());
        all += bytes;
    }
    assert!(all < ALL_MAX, "{all} bytes");
}

#[test]
fn files_are_those_of_the_manifest() {
    for folder in recordings() {
        let manifest = manifest(&folder);
        let digests = manifest["sha256"].as_object().unwrap();
        assert_eq!(digests.len(), 3, "{}", folder.display());
        for (name, digest) in digests {
            let bytes = fs::read(folder.join(name)).unwrap();
            let got: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(digest, &got, "{}/{name}", folder.display());
        }
        assert_eq!((&manifest["unexplained"], &manifest["recorder"]["dropped by kernel"]), (&0.into(), &0.into()));
        for protocol in ["dicom", "hl7", "smb2", "tls", "dns", "mqtt"] {
            assert!(manifest["protocols"][protocol].as_u64() > Some(0), "{}: no {protocol}", folder.display());
        }
    }
}

/// What happened is told: every attack of the manifest has rows, all within its phase, none before the split.
#[test]
fn attacks_are_where_the_manifest_says() {
    for folder in recordings() {
        let (manifest, truth) = (manifest(&folder), truth(&folder));
        let moment = |value: &Value| time::parse(value.as_str().unwrap()).unwrap();
        let mut phases: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for phase in manifest["phases"].as_array().unwrap() {
            phases.entry(phase["attack"].as_str().unwrap()).or_default().push((moment(&phase["start"]), moment(&phase["end"])));
        }
        let mut told = BTreeSet::new();
        for row in truth.rows().iter().filter(|row| row.kind == Kind::Malicious) {
            let attack = truth.detail(row);
            let phases = phases.get(attack).unwrap_or_else(|| panic!("{}: {attack} has no phase", folder.display()));
            // What servers send again comes up to a minute later, in the time of the run.
            let slack = time::Span::from_secs(65 * manifest["stretched"]["by"].as_f64().unwrap_or(1.0) as i64);
            let within = phases.iter().any(|(start, end)| row.start + slack > *start && row.start < *end + slack);
            assert!(within, "{}: {attack} at {:?} is outside its phases", folder.display(), row.start);
            told.insert(attack);
        }
        let ran: BTreeSet<&str> = phases.keys().copied().collect();
        assert_eq!(told, ran, "{}", folder.display());
        assert!(truth.first_attack().is_none_or(|first| first + time::Span::from_secs(1) > moment(&manifest["split"])));
    }
}

/// Every flow that the program makes of the small captures has a label, and both count the same packets.
#[test]
fn labels_tell_every_flow_and_its_packets() {
    for folder in recordings() {
        let scratch = Folder::new();
        let out = scratch.name("flows");
        auscult(&["flows", folder.join(CAPTURE).to_str().unwrap(), "--format", "jsonl", "--out", &out]).ended(0);
        let truth = truth(&folder);
        let mut heard: BTreeMap<Pair, u64> = BTreeMap::new();
        for flow in lines(&scratch.read("flows")) {
            let tuple = tuple(&flow);
            assert!(truth.label(&tuple).is_some(), "{}: no row for {flow}", folder.display());
            let count = |member: &str| flow["flow"][member].as_u64().unwrap();
            if let Some(key) = pair(&tuple) {
                *heard.entry(key).or_default() += count("pkts_toserver") + count("pkts_toclient");
            }
        }
        let mut told: BTreeMap<Pair, u64> = BTreeMap::new();
        let path = folder.join(LABELS);
        let mut text = String::new();
        std::io::Read::read_to_string(&mut dataset::open(&path).unwrap(), &mut text).unwrap();
        for line in text.lines().skip(1) {
            let f: Vec<&str> = line.split(',').collect();
            let protocol = ["tcp", "udp"].iter().position(|name| *name == f[4]).map(|at| [6, 17][at]);
            let packets: u64 = f[7].parse().unwrap();
            if let (Some(protocol), true) = (protocol, packets > 0) {
                let ends = [(f[0].parse().unwrap(), f[2].parse().unwrap()), (f[1].parse().unwrap(), f[3].parse().unwrap())];
                *told.entry(ordered(ends, protocol)).or_default() += packets;
            }
        }
        let differ: Vec<_> = told.iter().filter(|(key, packets)| heard.get(key) != Some(packets)).take(3).collect();
        assert!(differ.is_empty() && told.len() == heard.len(), "{}: {differ:?}", folder.display());
    }
}

type End = (auscult::wire::Addr, u16);
type Pair = ([End; 2], u8);

fn ordered(mut ends: [End; 2], protocol: u8) -> Pair {
    ends.sort_unstable();
    (ends, protocol)
}

/// Both ends of a TCP or UDP flow in one order.
fn pair(tuple: &FlowTuple) -> Option<Pair> {
    let ends = [(tuple.src, tuple.src_port), (tuple.dst, tuple.dst_port)];
    [6, 17].contains(&tuple.protocol).then(|| ordered(ends, tuple.protocol))
}

fn tuple(flow: &Value) -> FlowTuple {
    let text = |member: &str| flow[member].as_str().unwrap();
    let port = |member: &str| flow[member].as_u64().unwrap_or_default() as u16;
    let moment = |member: &str| time::parse(flow["flow"][member].as_str().unwrap()).unwrap();
    let protocol = match text("proto") {
        "TCP" => 6,
        "UDP" => 17,
        "ICMP" => 1,
        "IPv6-ICMP" => 58,
        "IGMP" => 2,
        other => panic!("{other}: a protocol that the lab does not have"),
    };
    FlowTuple {
        src: text("src_ip").parse().unwrap(),
        dst: text("dest_ip").parse().unwrap(),
        src_port: port("src_port"),
        dst_port: port("dest_port"),
        protocol,
        start: moment("start"),
        end: moment("end"),
    }
}

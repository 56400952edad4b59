//! The manifest: what is in the data set, for programs.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::attack::SPLIT;
use super::capture::SNAP_BYTES;
use super::clock::{SPAN, START_EPOCH_S};
use super::host::{COMMAND, DROP, Host, NEW_SITES, RESOLVER, ROGUE, SITES, TIME_SOURCE, residents};
use super::label::{Row, epoch};

/// Grows with every change of the generator that changes a byte of the data set.
pub const GENERATOR_VERSION: u32 = 1;

/// `manifest.json`.
#[derive(Serialize)]
pub struct Manifest {
    name: &'static str,
    description: &'static str,
    synthetic: bool,
    generator: &'static str,
    generator_version: u32,
    seed: u64,
    start: String,
    end: String,
    /// The first attack's first packet: train before, judge from here on.
    split: String,
    snap_bytes: usize,
    local_net: &'static str,
    hosts: Vec<Resident>,
    sites: BTreeMap<String, &'static str>,
    phases: Vec<Phase>,
    counts: Counts,
    sha256: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Resident {
    name: &'static str,
    role: &'static str,
    ipv4: String,
    ipv6: [String; 2],
    mac: String,
}

/// One attack from its first to its last packet.
#[derive(Serialize)]
struct Phase {
    attack: &'static str,
    start: String,
    end: String,
    conversations: u64,
    packets: u64,
    bytes: u64,
}

/// What the capture holds.
#[derive(Serialize)]
pub struct Counts {
    /// Frames in the capture.
    pub frames: usize,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Bytes of the capture file before compression.
    pub pcap_bytes: usize,
    /// Frames of benign conversations.
    pub benign_packets: u64,
    /// Frames of attacks.
    pub malicious_packets: u64,
    /// Frames that have no row: address resolution.
    pub unlabelled_frames: u64,
    /// Rows of the label file.
    pub rows: usize,
}

impl Counts {
    /// Counts for these rows and this many frames.
    pub fn new(rows: &[Row], frames: usize, wire_bytes: u64) -> Self {
        let packets = |malicious| rows.iter().filter(|r| r.story.malicious == malicious).map(|r| r.packets).sum::<u64>();
        let (benign_packets, malicious_packets) = (packets(false), packets(true));
        let unlabelled_frames = frames as u64 - benign_packets - malicious_packets;
        Self { frames, wire_bytes, pcap_bytes: 0, benign_packets, malicious_packets, unlabelled_frames, rows: rows.len() }
    }
}

impl Manifest {
    /// The manifest of these rows and files.
    pub fn new(seed: u64, rows: &[Row], counts: Counts, files: &[(&'static str, &[u8])]) -> Self {
        let sites = SITES.iter().chain(&NEW_SITES).chain([&RESOLVER, &TIME_SOURCE, &COMMAND, &DROP]);
        Self {
            name: "clinic",
            description: "A small clinic's network over six hours, made by a program: ordinary life, then eleven attacks.",
            synthetic: true,
            generator: "cargo run --release --example clinic",
            generator_version: GENERATOR_VERSION,
            seed,
            start: format!("{START_EPOCH_S}.000000"),
            end: epoch(SPAN),
            split: epoch(SPLIT),
            snap_bytes: SNAP_BYTES,
            local_net: "10.77.0.0/24",
            hosts: residents().into_iter().chain([ROGUE]).map(resident).collect(),
            sites: sites.map(|site| (core::net::Ipv4Addr::from(site.v4).to_string(), site.name)).collect(),
            phases: phases(rows),
            counts,
            sha256: files.iter().map(|(name, bytes)| (*name, sha256(bytes))).collect(),
        }
    }
}

fn resident(host: Host) -> Resident {
    let mac = host.mac().map(|byte| format!("{byte:02x}")).join(":");
    let ipv6 = [host.at6().ip.to_string(), host.link_local().ip.to_string()];
    Resident { name: host.name, role: host.role, ipv4: host.at().ip.to_string(), ipv6, mac }
}

/// The attacks in the order of their first packets.
fn phases(rows: &[Row]) -> Vec<Phase> {
    let mut attacks: BTreeMap<&'static str, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.story.malicious) {
        attacks.entry(row.story.detail).or_default().push(row);
    }
    let mut phases: Vec<Phase> = attacks
        .into_iter()
        .map(|(attack, rows)| Phase {
            attack,
            start: epoch(rows.iter().map(|row| row.start).min().unwrap_or_default()),
            end: epoch(rows.iter().map(|row| row.end).max().unwrap_or_default()),
            conversations: rows.len() as u64,
            packets: rows.iter().map(|row| row.packets).sum(),
            bytes: rows.iter().map(|row| row.bytes).sum(),
        })
        .collect();
    phases.sort_by(|a, b| a.start.cmp(&b.start));
    phases
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

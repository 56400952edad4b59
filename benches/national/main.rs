//! What a national fleet takes: sensors that publish as `watch` does, detectors that share their records, and the one of them that files.
//! Nothing is between them but memory; with `--server` the messages go through a server, and a group of one reads all of them there.
//!
//! `cargo run --release --features nats --example national -- [DEVICES] [SENSORS] [SECONDS] [--seed N] [--server nats://HOST]`
#![allow(clippy::print_stdout, reason = "what it measures is its output")]
#![allow(clippy::panic, reason = "a fleet that teaches nothing is a mistake of its own")]
#![allow(dead_code, reason = "the fleet has more than is used here")]

#[path = "../../tests/support/fleet.rs"]
mod fleet;
#[path = "../../tests/support/fleet_roles.rs"]
mod fleet_roles;
#[path = "../../tests/support/fleet_run.rs"]
mod fleet_run;
#[path = "../kernel.rs"]
mod kernel;

mod detectors;
mod sensors;
mod server;

use std::io::{Error, Result};

use auscult::time::Timestamp;

use detectors::Detector;
use fleet::Fleet;
use fleet_run::{Learned, Meter as _};
use kernel::{Kernel, status};
use sensors::{PARTITIONS, Sensors, Sent, Setting};

/// As the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often more happens than in the simulated fleet, where a device has 4.5 records an hour: 60, as in the lab.
const BUSY: u64 = 13;

/// What is asked for.
pub struct Asked {
    devices: u32,
    sensors: u32,
    seconds: u64,
    seed: u64,
    server: Option<String>,
}

impl Asked {
    fn read() -> Result<Self> {
        let mut args: Vec<String> = std::env::args().skip(1).collect();
        let usage = || Error::other("usage: national [DEVICES] [SENSORS] [SECONDS] [--seed N] [--server nats://HOST]");
        let mut option = |name: &str| {
            let place = args.iter().position(|arg| arg == name)?;
            let value = args.get(place + 1).cloned();
            args.drain(place..(place + 2).min(args.len()));
            value
        };
        let (seed, server) = (option("--seed"), option("--server"));
        let number = |text: Option<&String>, default: u64| text.map_or(Ok(default), |text| text.parse().map_err(|_| usage()));
        Ok(Self {
            devices: number(args.first(), 1_500_000)? as u32,
            sensors: number(args.get(1), 3000)?.max(1) as u32,
            seconds: number(args.get(2), 600)?,
            seed: number(seed.as_ref(), 1)?,
            server,
        })
    }
}

/// Messages of a part of the fleet, by how much happens and how often sensors publish.
fn tell_sizes(asked: &Asked) {
    let (devices, sensors) = (asked.devices / 10, asked.sensors / 10);
    println!("messages of {devices} devices at {sensors} sensors, for a million records; bytes with subjects and identifiers");
    println!(
        "times the records, every s   messages   of records   copies each   MB   sensors' CPU-s   messages/s of {}",
        asked.sensors
    );
    for (speed, every_s) in [1, BUSY].into_iter().flat_map(|speed| [1, 5, 10, 60].map(|every_s| (speed, every_s))) {
        let setting = Setting { sensors, every_s, speed, is_live: true };
        let mut all = Sensors::new(devices, setting, &Kernel);
        let mut fleet = Fleet::new(devices, asked.seed);
        all.run(&mut fleet, (Learned::MINUTE, 120), &mut Vec::new(), &mut |_, _| ());
        let (Sent { records, copies, messages, of_records, payload_bytes, head_bytes, cpu_s }, _) = all.finish();
        let per_million = |count: u64| count as f64 * 1e6 / records as f64;
        println!(
            "{speed:>2} {every_s:>2}   {:>9.0} {:>9.0} {:>6.2} {:>6.0} {:>6.1} {:>8.0}",
            per_million(messages),
            per_million(of_records),
            copies as f64 / of_records as f64,
            per_million(payload_bytes + head_bytes) / 1e6,
            cpu_s * 1e6 / records as f64,
            messages as f64 / 120.0 * f64::from(asked.sensors) / f64::from(sensors),
        );
    }
}

/// A detector that owns so many partitions, and files or not.
fn tell_detector(asked: &Asked, learned: &mut Learned, (owned, files, every_s): (u16, bool, usize)) -> Result<()> {
    println!(
        "detector of {owned} of {PARTITIONS} partitions{}, sensors publish every {every_s} s",
        if files { ", which files" } else { "" }
    );
    let setting = Setting { sensors: asked.sensors, every_s, speed: 1, is_live: true };
    let mut all = Sensors::new(asked.devices, setting, &Kernel);
    let before = Kernel.resident_mib();
    let mut detector = Detector::new(&learned.knowledge, owned, files, &Kernel);
    let (attackers, mut attacks) = learned.fleet.attacks(Learned::MINUTE);
    let mut last = Timestamp::MIN;
    all.run(&mut learned.fleet, (Learned::MINUTE, asked.seconds), &mut attacks, &mut |now, letters| {
        last = now;
        detector.second(now, letters);
    });
    let resident = Kernel.resident_mib();
    let (merge, group) = detector.account();
    println!("  messages, MB, copies judged   {} {:.0} {}", detector.messages, detector.bytes as f64 / 1e6, detector.judged());
    println!("  runs, late, missing, hurried  {} {} {} {}", merge.runs, merge.late, merge.missing, merge.hurried);
    println!(
        "  findings, MB                  {} {:.0}; filed {}",
        detector.found.0,
        detector.found.1 as f64 / 1e6,
        group.findings
    );
    let (spent, judged, seconds) = (detector.spent, detector.judged() as f64, detector.seconds as f64);
    let whole = spent.taking + spent.judging + spent.writing + spent.filing;
    for (name, cpu_s) in [
        ("reading messages", spent.reading),
        ("and holding records", spent.taking),
        ("ordering and judging", spent.judging),
        ("writing findings", spent.writing),
        ("filing", spent.filing),
        ("all but the first", whole),
    ] {
        println!("  CPU-s {name:<23} {cpu_s:>7.2}: copies per CPU-second {:>9.0}", judged / cpu_s);
    }
    println!("  a second of the fleet takes   {:.1} ms, {:.1} ms at the most", whole / seconds * 1e3, spent.worst * 1e3);
    println!("  a look without a message      {:.1} µs", detector.idle() * 1e6);
    let (bytes, cpu_s) = detector.keep();
    println!("  checkpoints                   {:.1} MB in {cpu_s:.2} CPU-s", bytes as f64 / 1e6);
    println!("  resident, of it the detector  {resident:.0} MiB, {:.0} MiB", resident - before);
    if let Some(incidents) = detector.incidents(last) {
        let found = |host| incidents.iter().filter(move |(of, _)| *of == host).count();
        attackers.iter().for_each(|&(host, what)| println!("  attacker {host}: {what}: {} incidents", found(host)));
        let others = incidents.iter().filter(|(host, _)| !attackers.iter().any(|(attacker, _)| attacker == host)).count();
        println!("  other incidents               {others}");
    }
    Ok(())
}

fn main() -> Result<()> {
    let asked = Asked::read()?;
    if asked.server.is_none() {
        tell_sizes(&asked);
    }
    let mut learned = Learned::of(asked.devices, asked.seed, &Kernel);
    println!("{} devices, {} sensors; {} records learned", asked.devices, asked.sensors, learned.work.records);
    learned.stages.iter().for_each(|(name, mib)| println!("resident after {name:<14}{mib:.0} MiB"));
    if let Some(address) = &asked.server {
        return server::tell(&asked, &mut learned, address);
    }
    for setting in [(PARTITIONS / 8, false, 1), (PARTITIONS, true, 1), (PARTITIONS, true, 10)] {
        tell_detector(&asked, &mut learned, setting)?;
    }
    println!("peak resident                {:.0} MiB", status("VmHWM:"));
    Ok(())
}

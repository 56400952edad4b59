//! Learns and judges a simulated fleet, and says what that takes: memory and processor time.
//!
//! `cargo run --release --example fleet -- [DEVICES] [RECORDS] [--seed N]`
#![allow(clippy::print_stdout, reason = "what it measures is its output")]
#![allow(clippy::panic, reason = "a fleet that teaches nothing is a mistake of its own")]

use std::io::{Error, Result};

#[path = "../tests/support/fleet.rs"]
mod fleet;
#[path = "../tests/support/fleet_roles.rs"]
mod fleet_roles;
#[path = "../tests/support/fleet_run.rs"]
mod fleet_run;
mod kernel;

use fleet_run::{Run, Work};
use kernel::{Kernel, status};

/// As the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn tell(what: &str, work: &Work) {
    let records = work.records as f64;
    println!("records {what:<21}{records}");
    println!("  per CPU-second             {:.0}", records / work.cpu_s);
    println!("  with their behaviours      {:.0}", records / (work.cpu_s + work.matching_s));
}

fn main() -> Result<()> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let usage = || Error::other("usage: fleet [DEVICES] [RECORDS] [--seed N]");
    let mut seed = 1;
    if let Some(place) = args.iter().position(|arg| arg == "--seed") {
        seed = args.get(place + 1).and_then(|text| text.parse().ok()).ok_or_else(usage)?;
        args.drain(place..place + 2);
    }
    let number = |place: usize, default: u64| args.get(place).map_or(Ok(default), |text| text.parse().map_err(|_| usage()));
    let devices = number(0, 1_500_000)?;
    let records = number(1, devices * 2)?;
    let run = Run::of(devices as u32, records, seed, &Kernel);
    println!("devices                      {}", run.devices);
    tell("learned", &run.learned);
    println!("CPU-seconds roles, pools     {:.1}", run.pool_cpu_s);
    println!("baselines, bytes per device  {:.0}", run.baselines_mib * 1048576.0 / run.devices as f64);
    println!("of them, asked for           {}", run.baseline_bytes / run.devices);
    tell("judged", &run.judged);
    println!("threshold, bits              {:.1}", run.threshold);
    for (name, mib) in &run.stages {
        println!("resident after {name:<14}{mib:.0} MiB");
    }
    println!("peak resident                {:.0} MiB", status("VmHWM:"));
    for (host, what) in &run.attackers {
        let found: Vec<&str> = run.incidents.iter().filter(|(of, _)| of == host).map(|&(_, class)| class).collect();
        println!("attacker {host}: {what}: {}", if found.is_empty() { "MISSED".to_owned() } else { found.join(", ") });
    }
    println!("other incidents              {}", run.others().count());
    run.others().take(10).for_each(|(host, class)| println!("  {host} {class}"));
    if run.missed().next().is_some() { Err(Error::other("an attacker was missed")) } else { Ok(()) }
}

//! The same through a server.

use std::fs::read_to_string;
use std::io::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use auscult::fleet::{Group, GroupConfig, MergeConfig, run_in_group};
use auscult::nats::{Access, Address, Keeping, Nats, Parcel};
use auscult::pipeline::Stopwatch;
use auscult::state::Desk;

use super::Asked;
use super::detectors::{GROUP, Judge, MERGE, MODEL};
use super::fleet_run::Learned;
use super::kernel::{Kernel, status};
use super::sensors::{Letter, PARTITIONS, Sensors, Setting};

/// Messages that are published at once, as a sensor does.
const AT_ONCE: usize = 256;

/// Publishes, and reads all of it as a group of one.
pub fn tell(asked: &Asked, learned: &mut Learned, address: &str) -> Result<()> {
    let address = Address::parse(address).map_err(Error::other)?;
    let connection = Nats::connect(&address, &Access::default(), "national").map_err(Error::other)?;
    let keeping = Keeping { age: Duration::from_secs(86_400), bytes: 8 << 30, replicas: 1 };
    connection.make_stream(&address.stream("flows"), vec![address.subject("flows.>")], keeping).map_err(Error::other)?;
    let setting = Setting { sensors: asked.sensors, every_s: 1, speed: 1, is_live: false };
    let mut all = Sensors::new(asked.devices, setting, &Kernel);
    let (_, mut attacks) = learned.fleet.attacks(Learned::MINUTE);
    let (mut seconds, mut failed) = (0.0, None);
    let mut publish = |letters: Vec<Letter>| {
        let parcels: Vec<Parcel> =
            letters.into_iter().map(|Letter { subject, id, payload, .. }| Parcel { subject, id, payload }).collect();
        let begun = Stopwatch::start();
        for some in parcels.chunks(AT_ONCE) {
            failed = connection.publish(some).error.or(failed.take());
        }
        seconds += begun.seconds();
    };
    all.run(&mut learned.fleet, (Learned::MINUTE, asked.seconds), &mut attacks, &mut |_, letters| publish(letters));
    let (sent, last) = all.finish();
    publish(last);
    if let Some(error) = failed {
        return Err(Error::other(error));
    }
    println!("published                     {} records, {} messages", sent.records, sent.messages);
    println!("  messages a second           {:.0}", sent.messages as f64 / seconds);
    let config = GroupConfig {
        address,
        access: Access::default(),
        group: GROUP.to_owned(),
        member: "one".to_owned(),
        partitions: PARTITIONS,
        merge: MergeConfig { sensors: asked.sensors as usize, ..MERGE },
        checkpoint_every: Duration::from_secs(60),
        keeping,
        until_caught_up: true,
        tell: Arc::new(|text| println!("  {text}")),
    };
    let knowledge = (Arc::clone(&learned.knowledge), MODEL.to_owned());
    let mut group = Group::open(config, knowledge, Box::new(|| None), Desk::default()).map_err(Error::other)?;
    let mut judge = Judge::new(&learned.knowledge);
    let (begun, before) = (Stopwatch::start(), process_cpu_s());
    let (account, failed) = run_in_group(&mut group, &mut judge, &AtomicBool::new(false));
    let (wall_s, cpu_s) = (begun.seconds(), process_cpu_s() - before);
    println!("{account}");
    println!("copies judged                 {} in {wall_s:.1} s and {cpu_s:.1} CPU-seconds", account.judged);
    println!("  per CPU-second              {:.0}", account.judged as f64 / cpu_s);
    println!("incidents                     {}", judge.incidents.len());
    println!("peak resident                 {:.0} MiB", status("VmHWM:"));
    failed.map_or(Ok(()), |error| Err(Error::other(error)))
}

/// Processor time of all threads, in full hundredths of a second.
fn process_cpu_s() -> f64 {
    let text = read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold anything: the 12th and 13th are those of user and system.
    let behind = text.rsplit(')').next().unwrap_or_default();
    behind.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

//! Sensors whose clocks are apart: nothing is lost, nothing is judged twice, and whose clock it is, is told.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use auscult::feature::Observation;
use auscult::fleet::{Batching, Origin, Outgoing, OutgoingConfig, Pace, Published};
use auscult::flow::FlowRecord;
use auscult::model::Names;
use auscult::nats::{Access, Address, Keeping};
use auscult::pipeline::{Consumer, Emitted, now};
use auscult::time::{Span, Timestamp};
use serde_json::Value;

use crate::fleet::Fleet;
use crate::nats_support::{Server, split_by_address};
use crate::support::{Folder, Run, auscult, lines, project, text};

const CAPTURE: &str = "datasets/hospital/intrusion-loud/capture.pcap.zst";

/// What a detector says of all that a stream holds: its run, its alerts and what it counted.
fn detect(address: &str, folder: &Folder, sensors: &str) -> (Run, Vec<Value>, Value) {
    let (alerts, stats) = (folder.name("alerts"), folder.name("stats"));
    let model = text(&project("models/hospital.json")).to_owned();
    let more = ["--sensors", sensors, "--alerts", &alerts, "--stats", &stats];
    let run = auscult(&[&["detect", address, "--model", &model, "--until-caught-up"][..], &more].concat()).ended(0);
    let stats = serde_json::from_slice::<Value>(&folder.read("stats")).unwrap()["stream"].take();
    (run, lines(&folder.read("alerts")), stats)
}

/// A capture whose packets are all so many seconds later.
fn later(capture: &[u8], by_s: i32) -> Vec<u8> {
    let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
    let (mut moved, mut at) = (capture.to_vec(), 24);
    while at < capture.len() {
        moved[at..at + 4].copy_from_slice(&word(at).wrapping_add_signed(by_s).to_le_bytes());
        at += 16 + word(at + 8) as usize;
    }
    moved
}

#[test]
fn captures_of_clocks_that_are_apart_are_judged_whole_and_once() {
    let told = |by_s: [i32; 3]| {
        let server = Server::start("")?;
        let (folder, address) = (Folder::new(), server.address());
        let mut sums = [0; 2];
        for (n, bytes) in split_by_address(&project(CAPTURE), 3).iter().enumerate() {
            let (name, stats) = (format!("s{n}"), folder.name("sensor"));
            let capture = folder.put(&name, &later(bytes, by_s[n]));
            let spool = folder.name("spool");
            let more = ["--sensor", &name, "--spool", &spool, "--stats", &stats, "--drain", "20s"];
            auscult(&[&["replay", &capture, "--publish", &address][..], &more].concat()).ended(0);
            let account = serde_json::from_slice::<Value>(&folder.read("sensor")).unwrap()["published"].take();
            assert_eq!((&account["acknowledged"], &account["lost"]), (&account["messages"], &0.into()));
            for (sum, name) in sums.iter_mut().zip(["records", "copies"]) {
                *sum += account[name].as_u64().unwrap();
            }
        }
        let (_, alerts, stats) = detect(&address, &folder, "3");
        let count = |name: &str| stats[name].as_u64().unwrap();
        assert_eq!([count("records"), count("records") + count("copies")], sums, "{stats}");
        for name in ["doubles", "late", "missing", "unreadable", "hurried", "lost", "off", "ahead"] {
            assert_eq!(stats[name], 0, "{name}: {stats}");
        }
        // Each incident once, as its last line tells it.
        let of = |alert: &Value| {
            let incident = &alert["auscult"]["incident"];
            (incident["id"].to_string(), (incident["class"].to_string(), incident["hosts"].to_string()))
        };
        Some(alerts.iter().map(of).collect::<BTreeMap<_, _>>())
    };
    let Some(together) = told([0; 3]) else { return };
    for by_s in [[0, 3, -3], [0, 90, -240]] {
        let apart = told(by_s).unwrap();
        println!("{by_s:?}: {} incidents for {}", apart.len(), together.len());
        // What happened minutes before and what happened now is told as one incident or as two.
        assert!(apart.len().abs_diff(together.len()) <= 2, "{by_s:?}: {apart:#?}\n{together:#?}");
        // What is merely unusual is told or not by what else there was in its five minutes, which clocks that are apart move.
        // Whether a connection that brings nothing is part of a search is told by its minute.
        let of_minute = |class: &str| by_s[1] > 60 && ["\"scan\"", "\"critical_access\""].contains(&class);
        let is_named = |(class, _): &&(String, String)| class != "\"unusual\"" && !of_minute(class);
        let of = |all: &BTreeMap<String, (String, String)>| all.values().filter(is_named).cloned().collect::<BTreeSet<_>>();
        assert_eq!(of(&apart), of(&together), "{by_s:?}");
    }
}

/// What takes what was published.
struct Nobody;

impl Consumer for Nobody {
    fn record(&mut self, _emitted: Emitted) {}
    fn tick(&mut self, _now: Timestamp) {}
}

/// A sensor that listens, by a clock that is so many seconds ahead.
struct Live {
    batching: Batching<Outgoing>,
    ahead: Span,
    told: Timestamp,
}

impl Live {
    fn start(address: &str, spool: &Path, (sensor, ahead_s): (&str, i64)) -> Self {
        let config = OutgoingConfig {
            address: Address::parse(address).unwrap(),
            access: Access::default(),
            site: "north".to_owned(),
            name: sensor.to_owned(),
            spool: spool.to_owned(),
            spool_bytes: 1 << 24,
            keeping: Keeping { age: Duration::from_secs(3600), bytes: 1 << 30, replicas: 1 },
            waits: false,
            tell: Arc::new(|_| ()),
        };
        let outgoing = Outgoing::start(config, Arc::new(AtomicBool::new(false))).unwrap();
        let origin = Origin { site: "north".to_owned(), sensor: sensor.to_owned(), epoch: 1 };
        let pace = Pace { is_live: true, most_ticks: 1 };
        let batching = Batching::new(outgoing, origin, (64, Names::default()), pace);
        Self { batching, ahead: Span::from_secs(ahead_s), told: Timestamp::MIN }
    }

    /// Publishes a flow that ends by now, and its tick at every new second.
    fn beat(&mut self, record: &FlowRecord, seen: &Observation) {
        let second = Timestamp::from_parts((now() + self.ahead).seconds(), 0);
        if second <= self.told {
            return;
        }
        self.told = second;
        let (mut record, mut observation) = (Box::new(record.clone()), Box::new(seen.clone()));
        let by = second.since(observation.seen);
        for time in [&mut record.start, &mut record.end, &mut record.orig.first, &mut record.orig.last] {
            *time = *time + by;
        }
        (record.resp.first, record.resp.last) = (record.start, record.end);
        observation.seen = second;
        let mut published = Published { consumer: &mut Nobody, batching: Some(&mut self.batching), gauges: None };
        published.record(Emitted { record, observation, found: None });
        published.tick(second);
    }
}

#[test]
fn whose_clock_is_off_is_told_by_name_and_what_it_says_is_judged() {
    let Some(server) = Server::start("") else { return };
    let (folder, address) = (Folder::new(), server.address());
    let clocks = [("right", 0), ("early", 8), ("late", -8), ("day-old", -86_400), ("next-year", 31_536_000)];
    let mut sensors: Vec<Live> =
        clocks.iter().map(|clock| Live::start(&address, &folder.path(&format!("spool-{}", clock.0)), *clock)).collect();
    let mut flows = Vec::new();
    Fleet::new(1000, 1).minute(0, &mut Vec::new(), |flow| flows.push(flow));
    for (record, seen) in flows.iter().cycle().take(150) {
        sensors.iter_mut().for_each(|sensor| sensor.beat(record, seen));
        thread::sleep(Duration::from_millis(100));
    }
    let mut records = 0;
    for sensor in sensors {
        let (account, outgoing) = sensor.batching.finish();
        records += account.records;
        let state = outgoing.finish(Duration::from_secs(20));
        assert_eq!((state.acknowledged, state.waiting), (account.messages, 0));
    }
    let (run, _, stats) = detect(&address, &folder, "5");
    let told: Vec<&str> = run.stderr.lines().filter(|line| line.contains("the clock of sensor ")).collect();
    let of = |name: &str| told.iter().find(|line| line.contains(&format!("sensor {name} of north is "))).copied();
    assert_eq!((told.len(), of("right")), (4, None), "{}", run.stderr);
    for (name, which) in [("early", "s ahead of"), ("late", "s behind"), ("day-old", "s behind"), ("next-year", "s ahead of")] {
        assert!(of(name).is_some_and(|line| line.contains(which)), "{name}: {}", run.stderr);
    }
    for (name, count) in [("records", records), ("off", 4), ("missing", 0), ("lost", 0), ("doubles", 0), ("hurried", 0)] {
        assert_eq!(stats[name], count, "{name}: {stats}");
    }
    assert!(stats["ahead"].as_u64().unwrap() >= 15, "of the one that is a year ahead, and no other: {stats}");
}

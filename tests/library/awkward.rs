//! Captures that are damaged, cut, fuzzed or strange, through all of the program: nothing panics, nothing hangs, and every
//! packet is in a flow record.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Duration;

use auscult::alert::{AlertContext, CsvTable, FlowTable, alert_event, flow_event};
use auscult::capture::{Faults, Faulty, Input, Source, open};
use auscult::detect::{DetectorConfig, Notice, ScoredFlow};
use auscult::flow::{EndReason, FlowLimits, FlowRecord, HomeNets};
use auscult::model::Budget;
use auscult::pipeline::{Accounting, Consumer, Emitted, PipelineConfig, run};
use auscult::replay::{Judge, Mode, Output};
use auscult::time::Timestamp;
use auscult::train::{Course, Lesson};

use crate::support::{clinic, data};

/// A capture of a few kilobytes that takes longer than this hangs.
const LONGEST: Duration = Duration::from_secs(60);

/// What came out at the end.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    packets: u64,
    wire_bytes: u64,
    partial: u64,
    /// Records without those of segments that go on: one for every flow.
    ends: u64,
}

impl Sums {
    fn add(&mut self, record: &FlowRecord) {
        self.packets += record.orig.packets + record.resp.packets;
        self.wire_bytes += record.orig.wire_bytes + record.resp.wire_bytes;
        let part = if record.partial() { &mut self.partial } else { &mut self.ends };
        *part += 1;
        assert!(record.start <= record.end, "{record:?}");
        assert!(record.orig.packets + record.resp.packets > 0, "an empty record: {record:?}");
    }

    /// Is everything that went in also what came out?
    fn agree(&self, account: &Accounting) -> Result<(), String> {
        let flows = account.flows;
        let wanted = Self {
            packets: account.packets,
            wire_bytes: account.wire_bytes,
            partial: flows.partial,
            ends: flows.ended + flows.evicted,
        };
        if !account.balanced() || flows.open != 0 {
            return Err(format!("the account does not balance: {account}"));
        }
        if *self == wanted { Ok(()) } else { Err(format!("records hold {self:?}, the account {wanted:?}")) }
    }
}

/// What `auscult flows` does: every record as JSON and as a row.
struct FlowsOut {
    sums: Sums,
    table: Box<dyn FlowTable>,
}

impl Consumer for FlowsOut {
    fn record(&mut self, emitted: Emitted) {
        let record = &emitted.record;
        if record.reason != EndReason::FirstLook {
            self.sums.add(record);
            let event = serde_json::to_value(flow_event(record, None)).unwrap();
            let features = event["auscult"]["features"].as_object().unwrap();
            assert!(features.values().all(|value| value.is_f64()), "not every feature is a finite number: {event}");
            self.table.write(record).unwrap();
        }
    }

    fn tick(&mut self, _now: Timestamp) {}
}

/// What `auscult replay --flows` does.
#[derive(Default)]
struct ReplayOut {
    sums: Sums,
    context: Option<AlertContext>,
    alerts: u64,
}

impl Output for ReplayOut {
    fn begin(&mut self, context: &AlertContext) {
        self.context = Some(context.clone());
    }

    fn notice(&mut self, notice: &Notice) {
        let event = alert_event(notice, self.context.as_ref().unwrap(), (self.alerts, ""));
        assert!(event["auscult"]["bits"].is_f64(), "{event}");
        self.alerts += 1;
    }

    fn flow(&mut self, flow: &ScoredFlow, behaviour: &str) {
        assert!(flow.bits.is_finite() && flow.bits >= 0.0, "{} bits", flow.bits);
        let event = serde_json::to_value(flow_event(&flow.record, Some((flow.bits, behaviour)))).unwrap();
        assert!(event["auscult"]["bits"].is_f64(), "{event}");
        self.sums.add(&flow.record);
    }

    fn unjudged(&mut self, record: &FlowRecord) {
        self.sums.add(record);
    }
}

fn config(workers: usize) -> PipelineConfig {
    let limits = FlowLimits { max_flows: 256, ..FlowLimits::default() }.check().unwrap();
    PipelineConfig::new(workers, limits, HomeNets::default())
}

fn flows(source: &mut dyn Source, workers: usize) -> Result<Accounting, String> {
    let mut out = FlowsOut { sums: Sums::default(), table: Box::new(CsvTable::new(std::io::sink()).unwrap()) };
    let (account, _) = run(source, &config(workers), None, &mut out, &AtomicBool::new(false));
    out.table.finish().unwrap();
    out.sums.agree(&account)?;
    Ok(account)
}

/// The account, and whether there was enough to learn from.
fn replay(source: &mut dyn Source, workers: usize, mode: Mode) -> Result<(Accounting, bool), String> {
    let vocabulary = match &mode {
        Mode::Model(model, _) => Some(Arc::new(model.vocabulary.clone())),
        Mode::SelfTaught { .. } | Mode::Learn { .. } => None,
    };
    let mut out = ReplayOut::default();
    let mut judge = Judge::new(mode, DetectorConfig { score_flows: true, ..DetectorConfig::default() }, &mut out).unwrap();
    let (account, _) = run(source, &config(workers), vocabulary.as_ref(), &mut judge, &AtomicBool::new(false));
    let judged = judge.finish().is_ok();
    out.sums.agree(&account)?;
    Ok((account, judged))
}

const SELF_TAUGHT: Mode = Mode::SelfTaught { budget: None, seed: 1 };

/// A model of the clinic: everything in another capture is new to it.
fn model() -> Mode {
    let mut lesson = Lesson::default();
    run(&mut open(&[Input::Path(clinic())]).unwrap(), &config(2), None, &mut lesson, &AtomicBool::new(false));
    let course = Course { seed: 1, budget: Some(Budget { per_day: 1.0 }), ..Course::default() };
    Mode::Model(Arc::new(lesson.into_model(&course).unwrap()), None)
}

/// Every way through one capture, each with another number of workers.
fn all_ways(path: &Path, model: &Mode) -> Result<(Accounting, bool), String> {
    let opened = || open(&[Input::Path(path.into())]).map_err(|error| error.to_string());
    let Ok(mut first) = opened() else { return Ok((Accounting::default(), false)) };
    let by_flows = flows(&mut first, 1)?;
    let (by_replay, taught) = replay(&mut opened()?, 2, SELF_TAUGHT)?;
    let (by_model, judged) = replay(&mut opened()?, 3, model.clone())?;
    if by_flows != by_replay || by_flows != by_model {
        return Err(format!("one worker counts {by_flows}, two {by_replay}, three {by_model}"));
    }
    if judged { Ok((by_flows, taught)) } else { Err("a model did not judge".to_owned()) }
}

fn awkward_captures() -> Option<Vec<PathBuf>> {
    let folder = data("awkward")?;
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 716, "only {} files", files.len());
    Some(files)
}

#[test]
fn every_awkward_capture_goes_through_and_is_accounted_for() {
    let Some(files) = awkward_captures() else { return };
    let (tell, told) = mpsc::channel();
    let (work, model) = (files.clone(), model());
    let worker = std::thread::spawn(move || {
        for file in work {
            tell.send(all_ways(&file, &model)).unwrap();
        }
    });
    let (mut wrong, mut packets, mut taught) = (Vec::new(), 0, 0);
    for file in &files {
        match told.recv_timeout(LONGEST) {
            Ok(Ok((account, has_taught))) => {
                packets += account.packets;
                taught += usize::from(has_taught);
            }
            Ok(Err(text)) => wrong.push(format!("{}: {text}", file.display())),
            Err(error) => panic!("{}: panicked or hung ({error})", file.display()),
        }
    }
    worker.join().unwrap();
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), files.len(), wrong.join("\n"));
    println!("{} captures, {packets} packets, {taught} taught themselves", files.len());
    assert!(packets > 10_000 && taught > 10, "{packets} packets, {taught} taught themselves: the captures say too little");
}

#[test]
fn a_bad_link_loses_no_packet_that_arrives() {
    let bad = Faults { drop: 0.05, truncate: 0.1, flip: 0.2, duplicate: 0.05, reorder: 0.05 };
    let faulty = |seed| Faulty::new(open(&[Input::Path(clinic())]).unwrap(), bad, seed);
    for seed in 1..=3 {
        let by_flows = flows(&mut faulty(seed), 2).unwrap();
        let (by_replay, judged) = replay(&mut faulty(seed), 1, SELF_TAUGHT).unwrap();
        assert_eq!(by_flows, by_replay, "seed {seed}");
        assert!(judged && by_flows.skipped_in_all() > 100 && by_flows.packets > 10_000, "seed {seed}: {by_flows}");
        assert!(by_flows.flows.evicted > 0, "seed {seed}: no eviction: {by_flows}");
    }
}

//! auscult's own scores and incidents: as it is, with other behaviours, without parts of its evidence.

use std::sync::Arc;

use auscult::alert::AlertContext;
use auscult::dataset::FlowTuple;
use auscult::detect::{DetectorConfig, Notice, Part, ScoredFlow, Without};
use auscult::eval::{AlertLine, AlertScores, FlowScores, Judged, episodes, flow_auc};
use auscult::feature::Observation;
use auscult::model::{Budget, Model, Provenance, Vocabulary};
use auscult::pipeline::{Consumer as _, Stopwatch};
use auscult::replay::{Judge, Mode, Output};
use auscult::train::{InMemory, Trim, teach_by};

use super::clusters::Found;
use super::recording::{Recording, Step};

/// The parts that the ablation leaves out, one line each.
pub const PARTS: [(&str, &[Part]); 25] = [
    ("nothing", &[]),
    ("newness (with names)", &[Part::Newness]),
    ("new devices", &[Part::NewDevice]),
    ("names, titles, commands", &[]),
    ("who else knows it", &[Part::Shares]),
    ("roles", &[Part::Roles]),
    ("prior odds", &[Part::Prior]),
    ("new shape on a service", &[Part::NewShape]),
    ("odd shape", &[Part::OddShape]),
    ("odd flows in a row", &[Part::Row]),
    ("both shapes", &[Part::NewShape, Part::OddShape]),
    ("volume", &[Part::Volume]),
    ("shapes and volume", &[Part::NewShape, Part::OddShape, Part::Volume]),
    ("minute rates", &[Part::Minute]),
    ("hour rates", &[Part::Hour]),
    ("failed logins, changed files", &[]),
    ("all rates (host context)", &[Part::Minute, Part::Hour, Part::Events]),
    ("rhythm", &[Part::Rhythm]),
    ("rarity", &[Part::Rarity]),
    ("what was told of both ends", &[Part::Incident]),
    ("identity by MAC", &[]),
    ("population changes", &[Part::Population]),
    ("silence", &[Part::Silence]),
    ("address disputes", &[Part::AddressDispute]),
    ("silence, disputes, population", &[Part::Silence, Part::AddressDispute, Part::Population]),
];

/// What auscult reached.
#[derive(Clone, Debug)]
pub struct Judgement {
    pub flows: FlowScores,
    pub alerts: AlertScores,
    pub fit_s: f64,
    pub score_us: f64,
}

/// Whose behaviours it judges by.
#[derive(Clone, Copy)]
pub enum Behaviours<'f> {
    Own,
    Found(&'f Found),
}

#[derive(Default)]
struct Scores {
    flows: Vec<(FlowTuple, f64)>,
    alerts: Vec<AlertLine>,
}

impl Output for Scores {
    fn begin(&mut self, _context: &AlertContext) {}

    fn notice(&mut self, notice: &Notice) {
        self.alerts.push(AlertLine::of(notice));
    }

    fn flow(&mut self, flow: &ScoredFlow, _behaviour: &str) {
        self.flows.push((FlowTuple::of(&flow.record), flow.bits));
    }
}

/// A model, and the seconds that it took to learn it.
pub struct Learned {
    model: Arc<Model>,
    fit_s: f64,
}

/// Learns as `auscult train` does.
pub fn learn(recording: &Recording, seed: u64, without: Without, behaviours: Behaviours<'_>) -> anyhow::Result<Learned> {
    let watch = Stopwatch::start();
    let mut learned = recording.learned.to_vec();
    let fit = |flows: &[&Observation]| match behaviours {
        Behaviours::Own => Vocabulary::fit(flows, seed),
        Behaviours::Found(found) => Vocabulary::of_assignments(flows, |scaled| Ok(found.assign(scaled))),
    };
    let taught = teach_by(&mut InMemory::of(&mut learned), seed, Trim::Training, without, fit)?;
    let budget = Budget::for_hosts(taught.local_hosts());
    let model = Arc::new(taught.into_model(Provenance::default(), budget));
    Ok(Learned { model, fit_s: watch.seconds() })
}

/// Judges as `auscult eval` does.
pub fn judge(recording: &Recording, learned: &Learned, without: Without) -> anyhow::Result<Judgement> {
    let steps = recording.steps.clone();
    let watch = Stopwatch::start();
    let mut scores = Scores::default();
    let config = DetectorConfig { score_flows: true, without, ..DetectorConfig::default() };
    let mut judge = Judge::new(Mode::Model(Arc::clone(&learned.model), None), config, &mut scores)?;
    for step in steps {
        match step {
            Step::Sighting(sighting) => judge.sighting(sighting),
            Step::Record(emitted) => judge.record(emitted),
            Step::Tick(now) => judge.tick(now),
        }
    }
    judge.finish()?;
    let score_us = watch.seconds() * 1e6 / scores.flows.len().max(1) as f64;
    let truth = &recording.truth;
    let flows = flow_auc(scores.flows.into_iter(), truth, truth.first_attack())?;
    let judged = Judged { from: recording.from, ..Judged::default() };
    Ok(Judgement { flows, alerts: episodes(&scores.alerts, truth, &judged), fit_s: learned.fit_s, score_us })
}

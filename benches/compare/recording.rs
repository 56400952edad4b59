//! What the pipeline gave, kept so that it can be learned from and judged more than once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use auscult::capture::{Input, open};
use auscult::dataset::{self, Truth};
use auscult::feature::{Host, Observation};
use auscult::flow::{FlowLimits, FlowRecord, HomeNets, Service};
use auscult::pipeline::{Consumer, Emitted, PipelineConfig, run};
use auscult::sighting::Sighting;
use auscult::time::Timestamp;
use auscult::train::{Holders, Lesson};
use auscult::wire::Mac;

use super::Options;

/// A step of the judged time.
#[derive(Clone)]
pub enum Step {
    Sighting(Sighting),
    Record(Emitted),
    Tick(Timestamp),
}

/// The learning time, the judged time, and what is true of it.
pub struct Recording {
    pub name: String,
    pub learned: Arc<Vec<Observation>>,
    pub steps: Vec<Step>,
    pub truth: Arc<Truth>,
    pub from: Option<Timestamp>,
}

#[derive(Default)]
struct Steps(Vec<Step>);

impl Consumer for Steps {
    fn record(&mut self, emitted: Emitted) {
        self.0.push(Step::Record(emitted));
    }

    fn sighting(&mut self, sighting: Sighting) {
        self.0.push(Step::Sighting(sighting));
    }

    fn tick(&mut self, now: Timestamp) {
        self.0.push(Step::Tick(now));
    }
}

/// What is learned, under the devices that had the addresses at the time, as `auscult train` has it.
#[derive(Default)]
struct Heard {
    lesson: Lesson,
    holders: Holders,
}

impl Consumer for Heard {
    fn record(&mut self, mut emitted: Emitted) {
        self.holders.apply(&mut emitted.observation);
        self.lesson.record(emitted);
    }

    fn sighting(&mut self, sighting: Sighting) {
        self.holders.observe(&sighting);
    }

    fn tick(&mut self, _now: Timestamp) {}
}

/// What devices did in the learning time.
pub struct Known {
    values: BTreeSet<(Host, Service, Host)>,
    of: fn(&Observation) -> (Host, Service, Host),
}

impl Known {
    /// 1 for what was not known.
    pub fn is_new(&self, seen: &Observation) -> f64 {
        f64::from(u8::from(!self.values.contains(&(self.of)(seen))))
    }
}

impl Recording {
    /// Reads what is learned from and what is judged, one recording for each capture.
    pub fn read(options: &Options) -> anyhow::Result<Vec<Self>> {
        let (captures, truths) = (options.captures.len(), options.truth.len());
        anyhow::ensure!(captures == truths, "{captures} captures and {truths} ground truths");
        let same = options.train.as_deref().map(|train| observations(train, None)).transpose()?;
        let read = |(capture, truth): (&PathBuf, &PathBuf)| {
            let learned = match &same {
                Some(learned) => Arc::clone(learned),
                None => observations(capture, options.split)?,
            };
            let mut steps = Steps::default();
            play(capture, (options.split, None), &mut steps)?;
            let name = truth.display().to_string();
            let truth = Truth::read(dataset::open(truth).with_context(|| name.clone())?, &name)?;
            let name = capture.display().to_string();
            Ok(Self { name, learned, steps: steps.0, truth: Arc::new(truth), from: options.split })
        };
        options.captures.iter().zip(&options.truth).map(read).collect()
    }

    /// Complete flows of the learning time.
    pub fn complete(&self) -> Vec<&Observation> {
        self.learned.iter().filter(|seen| seen.is_complete()).collect()
    }

    /// Records of the judged time that are scored.
    pub fn judged(&self) -> impl Iterator<Item = (&FlowRecord, &Observation)> {
        let records = self.steps.iter().filter_map(|step| match step {
            Step::Record(emitted) => Some((&*emitted.record, &*emitted.observation)),
            Step::Tick(_) | Step::Sighting(_) => None,
        });
        records.filter(|(_, seen)| seen.is_complete())
    }

    /// What devices did, as `of` tells it.
    pub fn known(&self, of: fn(&Observation) -> (Host, Service, Host)) -> Known {
        Known { values: self.learned.iter().map(of).collect(), of }
    }

    /// The same without what was said in names, happened in applications, or tells interfaces, where that is the part's name.
    pub fn without(&self, part: &str) -> Option<Self> {
        let forget: fn(&mut Observation) = match part {
            "names, titles, commands" => |seen| seen.facts.clear(),
            "failed logins, changed files" => |seen| seen.events = Default::default(),
            "identity by MAC" => |seen| seen.macs = [Mac([0; 6]); 2],
            _ => return None,
        };
        let mut steps = self.steps.clone();
        for step in &mut steps {
            if let Step::Record(emitted) = step {
                forget(&mut emitted.observation);
            }
        }
        let mut learned = self.learned.to_vec();
        learned.iter_mut().for_each(forget);
        Some(Self { name: self.name.clone(), learned: Arc::new(learned), steps, truth: Arc::clone(&self.truth), from: self.from })
    }
}

/// What is learned from a capture.
fn observations(path: &Path, to: Option<Timestamp>) -> anyhow::Result<Arc<Vec<Observation>>> {
    let mut heard = Heard::default();
    play(path, (None, to), &mut heard)?;
    Ok(Arc::new(heard.lesson.observations))
}

/// Reads a capture as `auscult` does by default.
fn play(path: &Path, (from, to): (Option<Timestamp>, Option<Timestamp>), consumer: &mut dyn Consumer) -> anyhow::Result<()> {
    let mut files = open(&[Input::from(path.to_path_buf())])?;
    let config = PipelineConfig { from, to, ..PipelineConfig::new(2, FlowLimits::default().check()?, HomeNets::default()) };
    let (_, damage) = run(&mut files, &config, None, consumer, &AtomicBool::new(false));
    anyhow::ensure!(damage.is_empty(), "{}: {}", path.display(), damage[0]);
    Ok(())
}

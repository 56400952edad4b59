//! One detector, and assessors of shares of the devices with one docket: the same incidents of whole captures.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use auscult::capture::{self, Input};
use auscult::detect::{Assessor, Detector, DetectorConfig, Docket, Knowledge, Notice, Submission, share_of};
use auscult::flow::{FlowLimits, HomeNets};
use auscult::model::Model;
use auscult::pipeline::{Consumer, Emitted, PipelineConfig, run};
use auscult::sighting::Sighting;
use auscult::time::Timestamp;

use crate::support::{clinic, data, project};

/// Judges by one detector and by shares at once.
struct Both {
    knowledge: Arc<Knowledge>,
    one: Detector,
    shares: Vec<Assessor>,
    docket: Docket,
    of_one: Vec<Notice>,
    of_shares: Vec<Notice>,
    /// Records that went to no share or to more than two.
    astray: usize,
}

impl Both {
    fn new(model: &Model, shares: u16) -> Self {
        let knowledge = Arc::new(Knowledge::of_model(model, model.budget));
        let config = DetectorConfig::default();
        Self {
            one: Detector::new(Arc::clone(&knowledge), config),
            shares: (0..shares).map(|_| Assessor::new(Arc::clone(&knowledge), config)).collect(),
            docket: Docket::new(Arc::clone(&knowledge), config),
            knowledge,
            of_one: Vec::new(),
            of_shares: Vec::new(),
            astray: 0,
        }
    }
}

impl Consumer for Both {
    fn sighting(&mut self, sighting: Sighting) {
        self.one.sighting(&sighting);
        self.docket.sighting(&sighting);
    }

    fn record(&mut self, mut emitted: Emitted) {
        let seen = &mut emitted.observation;
        self.knowledge.baselines(seen.seen).identify(seen);
        let found = self.knowledge.vocabulary.matches(seen);
        let mut ends = 0;
        let shares = self.shares.len() as u16;
        for (place, assessor) in (0..).zip(&mut self.shares) {
            let sides = (share_of(seen.orig, shares) == place, share_of(seen.resp, shares) == place);
            if sides.0 || sides.1 {
                assessor.observe(seen, found, &emitted.record, sides);
                ends += 1;
            }
        }
        self.astray += usize::from(!(1..=2).contains(&ends));
        self.one.observe(seen, found, emitted.record, &mut Vec::new());
    }

    fn tick(&mut self, now: Timestamp) {
        self.one.tick(now, &mut self.of_one, &mut Vec::new());
        let submissions: Vec<Submission> = self.shares.iter_mut().map(|assessor| assessor.submit(now, false)).collect();
        self.docket.take(submissions, now, &mut self.of_shares);
    }
}

fn incidents_are_the_same(capture: &Path, model: &Model, shares: u16) -> usize {
    let limits = FlowLimits::default().check().unwrap();
    let config = PipelineConfig::new(2, limits, HomeNets::default());
    let mut both = Both::new(model, shares);
    let (_, errors) =
        run(&mut capture::open(&[Input::Path(capture.to_owned())]).unwrap(), &config, None, &mut both, &AtomicBool::new(false));
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(both.astray, 0);
    let text = |notices: &[Notice]| notices.iter().map(|notice| format!("{notice:?}")).collect::<Vec<_>>();
    let (of_one, of_shares) = (text(&both.of_one), text(&both.of_shares));
    let differs = of_one.iter().zip(&of_shares).find(|(one, shares)| one != shares);
    assert!(differs.is_none(), "{capture:?}, {shares} shares: {differs:#?}");
    assert_eq!(of_one.len(), of_shares.len(), "{capture:?}, {shares} shares");
    of_one.len()
}

fn model(name: &str) -> Model {
    let path = project("models").join(name);
    Model::load(std::io::BufReader::new(std::fs::File::open(path).unwrap())).unwrap()
}

#[test]
fn shares_tell_of_the_hospital_what_one_detector_tells() {
    let hospital = model("hospital.json");
    let captures = ["everything", "insider", "intrusion-quiet", "medical", "ransomware"];
    let path = |name: &str| project("datasets/hospital").join(name).join("capture.pcap.zst");
    let told: usize = captures.iter().map(|name| incidents_are_the_same(&path(name), &hospital, 16)).sum();
    assert!(told > 100, "{told} notices");
}

#[test]
fn shares_tell_of_floods_and_changes_what_one_detector_tells() {
    // By a model of another network nearly everything is news, to many devices at once.
    assert!(incidents_are_the_same(&clinic(), &model("hospital.json"), 3) > 10);
    for capture in ["hospital-lab/hospital-lab.pcap.gz", "iot-lan/iot-lan.pcap.gz"] {
        let Some(capture) = data(capture) else { continue };
        let told = incidents_are_the_same(&capture, &model("clinic.json"), 64);
        assert!(told > 2, "{capture:?}: {told} notices");
    }
}

/// Judges by an assessor and a detector, both of which are made anew from what they remember every so many ticks.
struct Interrupted {
    knowledge: Arc<Knowledge>,
    assessor: Assessor,
    detector: Detector,
    every: u64,
    ticks: u64,
    told: Vec<Notice>,
}

impl Interrupted {
    fn new(model: &Model, every: u64) -> Self {
        let (knowledge, config) = (Arc::new(Knowledge::of_model(model, model.budget)), DetectorConfig::default());
        let (assessor, detector) = (Assessor::new(Arc::clone(&knowledge), config), Detector::new(Arc::clone(&knowledge), config));
        Self { knowledge, assessor, detector, every, ticks: 0, told: Vec::new() }
    }

    fn begin_anew(&mut self) {
        let config = DetectorConfig::default();
        let lately = postcard::to_stdvec(self.assessor.lately()).unwrap();
        self.assessor = Assessor::new(Arc::clone(&self.knowledge), config);
        self.assessor.remember(postcard::from_bytes(&lately).unwrap());
        let memory = postcard::to_stdvec(&self.detector.memory()).unwrap();
        self.detector = Detector::new(Arc::clone(&self.knowledge), config);
        self.detector.remember(postcard::from_bytes(&memory).unwrap());
    }
}

impl Consumer for Interrupted {
    fn sighting(&mut self, sighting: Sighting) {
        self.detector.sighting(&sighting);
    }

    fn record(&mut self, mut emitted: Emitted) {
        let seen = &mut emitted.observation;
        self.knowledge.baselines(seen.seen).identify(seen);
        let found = self.knowledge.vocabulary.matches(seen);
        self.assessor.observe(seen, found, &emitted.record, (true, true));
    }

    fn tick(&mut self, now: Timestamp) {
        let submission = self.assessor.submit(now, false);
        self.detector.take(vec![submission], now);
        self.detector.tick(now, &mut self.told, &mut Vec::new());
        self.ticks += 1;
        if self.ticks.is_multiple_of(self.every) {
            self.begin_anew();
        }
    }
}

#[test]
fn what_is_remembered_is_all_that_matters() {
    let capture = project("datasets/hospital/intrusion-loud/capture.pcap.zst");
    let config = PipelineConfig::new(2, FlowLimits::default().check().unwrap(), HomeNets::default());
    let told = |every: u64| {
        let mut judge = Interrupted::new(&model("hospital.json"), every);
        let mut source = capture::open(&[Input::Path(capture.clone())]).unwrap();
        run(&mut source, &config, None, &mut judge, &AtomicBool::new(false));
        judge.told.iter().map(|notice| postcard::to_stdvec(notice).unwrap()).collect::<Vec<_>>()
    };
    let whole = told(u64::MAX);
    assert!(whole.len() > 50, "{}", whole.len());
    for every in [7, 61] {
        let interrupted = told(every);
        assert!(interrupted == whole, "every {every} ticks");
    }
}

//! One detector, and assessors of shares of the devices with one docket: the same incidents of whole captures.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use auscult::capture::{self, Input};
use auscult::detect::{Assessor, Detector, DetectorConfig, Docket, Knowledge, Notice, Share, Submission};
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
    shares: Vec<(Share, Assessor)>,
    docket: Docket,
    of_one: Vec<Notice>,
    of_shares: Vec<Notice>,
    /// Records that went to no share or to more than two.
    astray: usize,
}

impl Both {
    fn new(model: &Model, shares: u16) -> Self {
        let knowledge = Arc::new(Knowledge::new(
            Arc::new(model.vocabulary.clone()),
            Arc::new(model.baselines.clone()),
            model.calibration.clone(),
            model.calibration.threshold(model.budget),
        ));
        let config = DetectorConfig::default();
        let assessor = |share| (share, Assessor::new(Arc::clone(&knowledge), config, share));
        Self {
            one: Detector::new(Arc::clone(&knowledge), config),
            shares: (0..shares).map(|place| assessor(Share::new(place, shares).unwrap())).collect(),
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
        for (_, assessor) in self.shares.iter_mut().filter(|(share, _)| share.holds(seen.orig) || share.holds(seen.resp)) {
            assessor.observe(seen, found, &emitted.record);
            ends += 1;
        }
        self.astray += usize::from(!(1..=2).contains(&ends));
        self.one.observe(seen, found, emitted.record, &mut Vec::new());
    }

    fn tick(&mut self, now: Timestamp) {
        self.one.tick(now, &mut self.of_one, &mut Vec::new());
        let submissions: Vec<Submission> = self.shares.iter_mut().map(|(_, assessor)| assessor.submit(now, false)).collect();
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
        assert!(incidents_are_the_same(&capture, &model("clinic.json"), 64) > 5);
    }
}

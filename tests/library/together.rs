//! One who learns from all flows, and several who learn together from parts of them: the same model, within what is stated here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex};

use auscult::capture::{self, Input};
use auscult::detect::{Class, Detector, DetectorConfig, Knowledge, Notice};
use auscult::feature::{Host, Observation};
use auscult::flow::{FlowLimits, HomeNets};
use auscult::model::{Calibration, HostBaseline, Model, Source};
use auscult::pipeline::{Consumer, Emitted, PipelineConfig, run};
use auscult::time::Timestamp;
use auscult::train::{Colleagues, Course, Spool, Spooled, Statistic, Together, TogetherError};
use auscult::wire::{Addr, Mac};

use crate::support::project;

fn capture(name: &str) -> PathBuf {
    project("datasets/hospital").join(name).join("capture.pcap.zst")
}

fn read(capture: &Path, consumer: &mut dyn Consumer) {
    let config = PipelineConfig::new(2, FlowLimits::default().check().unwrap(), HomeNets::default());
    let mut files = capture::open(&[Input::Path(capture.to_owned())]).unwrap();
    let (_, errors) = run(&mut files, &config, None, consumer, &AtomicBool::new(false));
    assert!(errors.is_empty(), "{errors:?}");
}

#[derive(Default)]
struct Heard(Vec<Observation>);

impl Consumer for Heard {
    fn record(&mut self, emitted: Emitted) {
        self.0.push(*emitted.observation);
    }

    fn tick(&mut self, _now: Timestamp) {}
}

/// What was told in each round, by place.
#[derive(Default)]
struct Table {
    told: Mutex<BTreeMap<&'static str, BTreeMap<usize, Vec<u8>>>>,
    news: Condvar,
}

struct AtTable {
    table: Arc<Table>,
    place: usize,
    of: usize,
}

impl Colleagues for AtTable {
    fn sum<S: Statistic>(&mut self, own: S) -> Result<S, TogetherError> {
        let mut told = self.table.told.lock().unwrap();
        told.entry(S::ROUND).or_default().insert(self.place, serde_json::to_vec(&own).unwrap());
        self.table.news.notify_all();
        let told = self.table.news.wait_while(told, |told| told[S::ROUND].len() < self.of).unwrap();
        let mut all = told[S::ROUND].values().map(|bytes| serde_json::from_slice::<S>(bytes).unwrap());
        let mut sum = all.next().unwrap();
        all.for_each(|other| sum.join(other));
        Ok(sum)
    }
}

/// What all of them end with, each of whom learns from the flows that are his.
fn learned(flows: &[Observation], of: usize, whose: impl Fn(&Observation) -> usize) -> Model {
    let mut shares: Vec<Vec<&Observation>> = vec![Vec::new(); of];
    flows.iter().for_each(|seen| shares[whose(seen)].push(seen));
    let table = Arc::new(Table::default());
    let mut models: Vec<Model> = std::thread::scope(|scope| {
        let learning: Vec<_> = (0..of)
            .zip(shares)
            .map(|(place, share)| {
                let table = Arc::clone(&table);
                scope.spawn(move || {
                    let mut colleagues = AtTable { table, place, of };
                    let mut spool = Spool::nameless(Path::new("/nonexistent"));
                    share.into_iter().for_each(|seen| spool.push(seen).unwrap());
                    let mut on_step = |_| {};
                    let mut spooled = Spooled::new(spool, Path::new("/nonexistent"), &mut on_step);
                    let source = Source { name: format!("{place}"), bytes: 0, sha256: None };
                    let course = Course { seed: 1, sources: vec![source], ..Course::default() };
                    let (mut all, course) = Together::begin(&mut spooled, &mut colleagues, course).unwrap();
                    course.teach(&mut all).unwrap()
                })
            })
            .collect();
        learning.into_iter().map(|learning| learning.join().unwrap()).collect()
    });
    let first = models.swap_remove(0);
    assert!(models.iter().all(|model| *model == first), "all end with one model");
    first
}

struct Judge {
    knowledge: Arc<Knowledge>,
    detector: Detector,
    told: Vec<Notice>,
}

impl Consumer for Judge {
    fn record(&mut self, mut emitted: Emitted) {
        self.knowledge.baselines(emitted.observation.seen).identify(&mut emitted.observation);
        let found = self.knowledge.vocabulary.matches(&emitted.observation);
        self.detector.observe(&emitted.observation, found, emitted.record, &mut Vec::new());
    }

    fn tick(&mut self, now: Timestamp) {
        self.detector.tick(now, &mut self.told, &mut Vec::new());
    }
}

/// Device and class of all that the model tells of a capture, in its order.
fn told(model: &Model, name: &str) -> Vec<(Host, Class)> {
    let knowledge = Arc::new(Knowledge::of_model(model, model.budget));
    let detector = Detector::new(Arc::clone(&knowledge), DetectorConfig::default());
    let mut judge = Judge { knowledge, detector, told: Vec::new() };
    read(&capture(name), &mut judge);
    judge.told.iter().map(|notice| (notice.incident.host, notice.incident.class)).collect()
}

fn heard(name: &str) -> Vec<Observation> {
    let mut heard = Heard::default();
    read(&capture(name), &mut heard);
    heard.0
}

/// All that was counted of each device, but for its hours, which begin with the first that is heard.
fn minutes(model: &Model) -> BTreeMap<Host, serde_json::Value> {
    let told = |host: &HostBaseline| {
        let mut told = serde_json::to_value(host).unwrap();
        let of_hours = ["targets_per_hour", "failed_per_hour", "asking_per_hour", "asked_per_hour", "sent_out_per_hour"];
        of_hours.iter().for_each(|&name| told[name] = serde_json::Value::Null);
        told
    };
    model.baselines.hosts.iter().map(|(&host, baseline)| (host, told(baseline))).collect()
}

/// What does not depend on who assessed what: devices and all that was counted of them.
fn same_baselines(one: &Model, other: &Model) {
    assert!(one.vocabulary == other.vocabulary && one.baselines.identities == other.baselines.identities);
    assert_eq!(one.baselines.span_minutes, other.baselines.span_minutes);
    let differing: Vec<_> = one.baselines.hosts.iter().filter(|(host, own)| other.baselines.host(**host) != Some(own)).collect();
    assert!(differing.is_empty(), "{} of {}: {differing:?}", differing.len(), one.baselines.hosts.len());
    assert!(one.baselines == other.baselines, "roles, pools or days differ");
    assert_eq!((one.provenance.flows, &one.provenance.trained_from), (other.provenance.flows, &other.provenance.trained_from));
}

/// Held-out time is judged by each in his own part of it, with a memory of the last hours that begins there.
fn like_thresholds(one: &Model, other: &Model) {
    let (a, b) = (&one.calibration, &other.calibration);
    let at_home = |calibration: &Calibration| calibration.ordinary.at_home.unwrap();
    assert!((a.ordinary.any - b.ordinary.any).abs() < 1.0 && (at_home(a) - at_home(b)).abs() < 1.0, "{a:?} and {b:?}");
    assert!((a.conversations / b.conversations - 1.0).abs() < 0.01, "{} and {} conversations", a.conversations, b.conversations);
    assert_eq!((a.days, a.windows), (b.days, b.windows));
    let thresholds = [one, other].map(|model| model.calibration.threshold(model.budget));
    assert!((thresholds[0] - thresholds[1]).abs() < 0.5, "{thresholds:?}");
}

#[test]
fn eight_who_learn_hours_of_their_own_learn_what_one_does() {
    let flows = heard("clean");
    let first = flows[0].seen.seconds() / 3600;
    let by_hour = |seen: &Observation| (seen.seen.seconds() / 3600 - first).min(7) as usize;
    let (one, eight) = (learned(&flows, 1, |_| 0), learned(&flows, 8, by_hour));
    assert!(one.vocabulary == eight.vocabulary && one.baselines.identities == eight.baselines.identities);
    let (of_one, of_eight) = (minutes(&one), minutes(&eight));
    let differing: Vec<_> = of_one.iter().filter(|(host, told)| of_eight.get(host) != Some(told)).map(|(host, _)| host).collect();
    assert!(differing.is_empty() && of_one.len() == of_eight.len(), "{differing:?}");
    like_thresholds(&one, &eight);
    let told = [&one, &eight].map(|model| told(model, "intrusion-loud"));
    // Bits of ordinary conversations differ a little, so that one incident more of a device may open; not of another device, nor of another class.
    let [of_one, of_eight] = told.each_ref().map(|told| told.iter().collect::<BTreeSet<_>>());
    assert!(told[0].len() > 40 && of_one == of_eight, "{:#?}", told);
    assert!(told[0].len().abs_diff(told[1].len()) <= 4, "{:#?}", told);
}

/// The same devices at another site, by other addresses.
fn elsewhere(seen: &Observation) -> Observation {
    let mut seen = seen.clone();
    for host in [&mut seen.orig, &mut seen.resp] {
        *host = Host(Addr::v6((host.0.bits() ^ 1 << 22).to_be_bytes()));
    }
    seen.macs.iter_mut().filter(|mac| **mac != Mac::NONE).for_each(|mac| mac.0[3] ^= 0x55);
    seen
}

#[test]
fn sites_that_learn_together_learn_what_one_does_who_hears_both() {
    let here = heard("clean");
    let there: Vec<Observation> = here.iter().map(elsewhere).collect();
    let mut both: Vec<(usize, Observation)> = here.into_iter().map(|seen| (0, seen)).collect();
    both.extend(there.into_iter().map(|seen| (1, seen)));
    both.sort_by_key(|(_, seen)| seen.seen);
    let sites: BTreeMap<Host, usize> = both.iter().flat_map(|(site, seen)| [(seen.orig, *site), (seen.resp, *site)]).collect();
    let flows: Vec<Observation> = both.into_iter().map(|(_, seen)| seen).collect();
    let (one, two) = (learned(&flows, 1, |_| 0), learned(&flows, 2, |seen| sites[&seen.orig]));
    same_baselines(&one, &two);
    like_thresholds(&one, &two);
}

#[test]
fn who_has_nothing_to_learn_from_ends_with_the_same_model() {
    let flows = heard("clean");
    let (one, with_an_idle_one) = (learned(&flows, 1, |_| 0), learned(&flows, 2, |_| 1));
    same_baselines(&one, &with_an_idle_one);
    assert_eq!(one.calibration, with_an_idle_one.calibration, "nothing was assessed elsewhere");
}

#[test]
fn what_stood_out_as_an_attack_is_left_out_by_all() {
    let flows = heard("intrusion-loud");
    let (one, with_an_idle_one) = (learned(&flows, 1, |_| 0), learned(&flows, 2, |_| 1));
    let left_out: Vec<_> = one.provenance.stood_out.iter().filter(|it| it.is_left_out).collect();
    assert!(!left_out.is_empty() && left_out.iter().all(|it| it.bits >= 14.0), "{left_out:?}");
    same_baselines(&one, &with_an_idle_one);
    assert_eq!(one.provenance.stood_out, with_an_idle_one.provenance.stood_out);
}

//! Learns a simulated fleet, judges it, and measures both.

use std::collections::BTreeSet;
use std::sync::Arc;

use auscult::detect::{Class, Detector, DetectorConfig, HostRank, Knowledge};
use auscult::feature::{Host, Observation};
use auscult::model::{Baselines, BaselinesBuilder, Budget, Calibration, FlowSample, Match, OrdinaryBits, Vocabulary};
use auscult::time::Timestamp;

use super::fleet::{Attacker, Fleet, Flow, ROUND_MIN};

/// Rounds learned: every device is active in so many minutes.
const ROUNDS: u64 = 8;
/// Minutes of the calibration's first half, and of both.
const HALF_MIN: u64 = 5;
const CALIBRATED_MIN: u64 = 10;
/// Records that are made before they are judged.
const BATCH: usize = 10_000;

/// Tells processor time and memory.
pub trait Meter {
    fn cpu_s(&self) -> f64;
    fn resident_mib(&self) -> f64;
}

/// Records and the processor time that they took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    pub records: u64,
    /// Of finding the behaviour that each resembles, which the program's workers do.
    pub matching_s: f64,
    /// Of all else.
    pub cpu_s: f64,
}

/// A fleet that was learned.
pub struct Learned {
    pub fleet: Fleet,
    pub knowledge: Arc<Knowledge>,
    pub work: Work,
    pub pool_cpu_s: f64,
    pub baselines_mib: f64,
    /// Bytes of all baselines, without what the allocator adds.
    pub baseline_bytes: u64,
    /// Memory after each stage.
    pub stages: Vec<(&'static str, f64)>,
}

impl Learned {
    /// The first minute that it was not learned from.
    pub const MINUTE: u64 = ROUNDS * ROUND_MIN + CALIBRATED_MIN;

    /// Learns so many devices.
    pub fn of(devices: u32, seed: u64, meter: &dyn Meter) -> Self {
        let mut fleet = Fleet::new(devices, seed);
        let vocabulary = Arc::new(vocabulary(&mut fleet, seed, meter));
        let mut stages = vec![("behaviours", meter.resident_mib())];
        let mut builder = BaselinesBuilder::default();
        let mut learn = |(_, seen): Flow, found: Match| builder.add(&seen, found.behaviour);
        let work = stream(&mut fleet, (0, ROUNDS * ROUND_MIN, u64::MAX), &mut Vec::new(), (Some(&vocabulary), meter), &mut learn);
        let mut baselines = builder.finish();
        stages.push(("learning", meter.resident_mib()));
        let baselines_mib = meter.resident_mib() - stages[0].1;
        let baseline_bytes = baselines.bytes() as u64;
        let before = meter.cpu_s();
        baselines.pool(seed);
        baselines.newcomers_per_minute = 0.5 / (ROUNDS * ROUND_MIN) as f64;
        let pool_cpu_s = meter.cpu_s() - before;
        stages.push(("pooling", meter.resident_mib()));
        let knowledge = calibrate(&mut fleet, &vocabulary, baselines, meter);
        stages.push(("calibrating", meter.resident_mib()));
        Self { fleet, knowledge, work, pool_cpu_s, baselines_mib, baseline_bytes, stages }
    }
}

/// What came of it.
pub struct Run {
    pub devices: u64,
    pub learned: Work,
    pub pool_cpu_s: f64,
    pub judged: Work,
    pub baselines_mib: f64,
    /// Bytes of all baselines, without what the allocator adds.
    pub baseline_bytes: u64,
    pub threshold: f64,
    /// Memory after each stage.
    pub stages: Vec<(&'static str, f64)>,
    pub attackers: Vec<Attacker>,
    /// Devices with an incident, and its class.
    pub incidents: BTreeSet<(Host, &'static str)>,
}

/// Makes records in batches and hands them on; only what takes them is measured.
struct Stream<'m> {
    batch: Vec<Flow>,
    vocabulary: Option<&'m Vocabulary>,
    work: Work,
    meter: &'m dyn Meter,
}

impl Stream<'_> {
    fn add(&mut self, flow: Flow, take: &mut dyn FnMut(Flow, Match)) {
        self.batch.push(flow);
        if self.batch.len() >= BATCH {
            self.flush(take);
        }
    }

    fn flush(&mut self, take: &mut dyn FnMut(Flow, Match)) {
        let begun = self.meter.cpu_s();
        let none = Match { behaviour: 0, ratio: 0.0 };
        let matches = self.batch.iter().map(|(_, seen)| self.vocabulary.map_or(none, |vocabulary| vocabulary.matches(seen)));
        let matches: Vec<Match> = matches.collect();
        let matched = self.meter.cpu_s();
        self.work.records += self.batch.len() as u64;
        self.batch.drain(..).zip(matches).for_each(|(flow, found)| take(flow, found));
        self.work.matching_s += matched - begun;
        self.work.cpu_s += self.meter.cpu_s() - matched;
    }
}

/// Takes the minutes from `from` on: all before `until`, or `records` of them.
fn stream(
    fleet: &mut Fleet,
    (from, until, records): (u64, u64, u64),
    attacks: &mut Vec<(u64, Flow)>,
    (vocabulary, meter): (Option<&Vocabulary>, &dyn Meter),
    take: &mut dyn FnMut(Flow, Match),
) -> Work {
    let mut stream = Stream { batch: Vec::with_capacity(BATCH), vocabulary, work: Work::default(), meter };
    let mut made = 0;
    for minute in from..until {
        fleet.minute(minute, attacks, |flow| {
            made += 1;
            stream.add(flow, take);
        });
        if made >= records && attacks.is_empty() {
            break;
        }
    }
    stream.flush(take);
    stream.work
}

/// Ticks at every new second, as the pipeline does.
fn tick(detector: &mut Detector, now: &mut Timestamp, seen: &Observation, mut notice: impl FnMut(Host, &'static str)) {
    if seen.seen > *now {
        let mut notices = Vec::new();
        detector.tick(*now, &mut notices, &mut Vec::new());
        notices.iter().for_each(|told| notice(told.incident.host, told.incident.class.info().name));
        *now = seen.seen;
    }
}

impl Run {
    /// Learns so many devices, and judges so many records.
    pub fn of(devices: u32, records: u64, seed: u64, meter: &dyn Meter) -> Self {
        let Learned { mut fleet, knowledge, work: learned, pool_cpu_s, baselines_mib, baseline_bytes, mut stages } =
            Learned::of(devices, seed, meter);
        let (threshold, vocabulary, first) = (knowledge.threshold, Arc::clone(&knowledge.vocabulary), Learned::MINUTE);
        let (attackers, mut attacks) = fleet.attacks(first);
        let mut detector = Detector::new(knowledge, DetectorConfig::default());
        let (mut now, mut incidents) = (Timestamp::MIN, BTreeSet::new());
        let mut judge = |(record, mut seen): Flow, found: Match| {
            tick(&mut detector, &mut now, &seen, |host, class| _ = incidents.insert((host, class)));
            detector.knowledge().baselines(seen.seen).identify(&mut seen);
            detector.observe(&seen, found, record, &mut Vec::new());
        };
        let judged = stream(&mut fleet, (first, u64::MAX, records), &mut attacks, (Some(&vocabulary), meter), &mut judge);
        let mut notices = Vec::new();
        detector.finish(now, &mut notices, &mut Vec::new());
        incidents.extend(notices.iter().map(|notice| (notice.incident.host, notice.incident.class.info().name)));
        stages.push(("judging", meter.resident_mib()));
        let devices = u64::from(fleet.devices());
        Self { devices, learned, pool_cpu_s, judged, baselines_mib, baseline_bytes, threshold, stages, attackers, incidents }
    }

    /// Incidents of devices that attack nobody.
    pub fn others(&self) -> impl Iterator<Item = &(Host, &'static str)> {
        self.incidents.iter().filter(|(host, _)| !self.attackers.iter().any(|(attacker, _)| attacker == host))
    }

    /// Attackers without an incident.
    pub fn missed(&self) -> impl Iterator<Item = &Attacker> {
        self.attackers.iter().filter(|(attacker, _)| !self.incidents.iter().any(|(host, _)| host == attacker))
    }
}

/// Behaviours of the first round.
fn vocabulary(fleet: &mut Fleet, seed: u64, meter: &dyn Meter) -> Vocabulary {
    let mut sample = FlowSample::default();
    stream(fleet, (0, ROUND_MIN, u64::MAX), &mut Vec::new(), (None, meter), &mut |(_, seen), _| sample.add(&seen));
    let flows = sample.into_flows();
    Vocabulary::fit(&flows.iter().collect::<Vec<_>>(), seed).unwrap_or_else(|error| panic!("{error}"))
}

/// What the detector judges by: its own scores of time that was not learned from.
fn calibrate(fleet: &mut Fleet, vocabulary: &Arc<Vocabulary>, baselines: Baselines, meter: &dyn Meter) -> Arc<Knowledge> {
    let baselines = Arc::new(baselines);
    let first = ROUNDS * ROUND_MIN;
    let silent = |calibration: Calibration| {
        let knowledge = Knowledge::new(Arc::clone(vocabulary), Arc::clone(&baselines), calibration, f64::INFINITY);
        Detector::new(Arc::new(knowledge), DetectorConfig::default())
    };
    let mut detector = silent(Calibration::default());
    let mut bits: Vec<f64> = Vec::new();
    let mut assess = |(_, seen): Flow, found: Match| bits.push(detector.assess(&seen, found).own_bits());
    stream(fleet, (first, first + HALF_MIN, u64::MAX), &mut Vec::new(), (Some(vocabulary), meter), &mut assess);
    drop(detector);
    bits.sort_unstable_by(f64::total_cmp);
    let ordinary = OrdinaryBits::of_all(bits.get(bits.len() * 99 / 100).copied().unwrap_or(0.0));
    let ordinary = (bits.len() as f64, ordinary);
    let days = HALF_MIN as f64 / 1440.0;
    let mut detector = silent(Calibration::new([Vec::new(), Vec::new()], days, 1.0, ordinary.clone()));
    let mut now = Timestamp::MIN;
    let mut file = |(record, seen): Flow, found: Match| {
        tick(&mut detector, &mut now, &seen, |_, _| ());
        detector.observe(&seen, found, record, &mut Vec::new());
    };
    stream(fleet, (first + HALF_MIN, first + CALIBRATED_MIN, u64::MAX), &mut Vec::new(), (Some(vocabulary), meter), &mut file);
    detector.tick(now, &mut Vec::new(), &mut Vec::new());
    let (unnamed, named): (Vec<HostRank>, Vec<HostRank>) = detector.take_ranks().partition(|rank| rank.class == Class::Unusual);
    let scores = [named, unnamed].map(|ranks| ranks.iter().map(|rank| rank.bits).collect());
    let calibration = Calibration::new(scores, days, f64::from(fleet.devices()), ordinary);
    let knowledge = Knowledge::new(Arc::clone(vocabulary), baselines, calibration, f64::INFINITY);
    Arc::new(knowledge.within(Budget::for_hosts(fleet.devices() as usize)))
}

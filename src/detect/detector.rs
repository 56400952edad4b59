//! The detector: observations in, incidents out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::assessment::Assessment;
use super::assessor::Assessor;
use super::classify::moves_much;
use super::config::{DetectorConfig, Part};
use super::counters::DetectorCounters;
use super::docket::Docket;
use super::evidence::Contribution;
use super::exhibit::Later;
use super::flow_ref::FlowRef;
use super::incident::Incident;
use super::knowledge::Knowledge;
use super::memory::{Memory, Remembered};
use super::notice::Notice;
use super::rank::HostRank;
use super::rarity::rarity;
use super::shape::name_shape;
use super::submission::Submission;
use super::surprise::Surprise;
use crate::feature::{Host, Observation};
use crate::flow::FlowRecord;
use crate::model::{Match, Regard};
use crate::sighting::Sighting;
use crate::time::{Span, Timestamp};

/// How long a scored flow is held back so that it can carry the surprise of what came after it.
const HOLD: Span = Span::from_secs(300);
/// Bits that a flow has at the most for what was told of its two ends.
const MOST_TOLD_BITS: f64 = 20.0;
/// Flows held back at the most; beyond, the oldest is let go early.
const MAX_HELD: usize = 200_000;

/// A flow and its bits.
#[derive(Clone, Debug)]
pub struct ScoredFlow {
    /// The flow.
    pub record: Box<FlowRecord>,
    /// Own surprise, context and rarity, in bits, 0 or more.
    pub bits: f64,
    /// Name of the behaviour that it resembles.
    pub behaviour: u16,
}

struct Held {
    seen: Observation,
    surprise: Surprise,
    record: Box<FlowRecord>,
}

/// Judges observations: an [`Assessor`] of all devices and a [`Docket`]. Bounded in memory.
pub struct Detector {
    knowledge: Arc<Knowledge>,
    config: DetectorConfig,
    assessor: Assessor,
    docket: Docket,
    held: VecDeque<Held>,
    released_early: u64,
    /// Observations that another assessed.
    before: u64,
    /// Did it take up a memory, and no tick came since?
    is_resuming: bool,
}

impl Detector {
    /// A detector that judges by `knowledge`.
    #[must_use]
    pub fn new(knowledge: Arc<Knowledge>, config: DetectorConfig) -> Self {
        let assessor = Assessor::new(Arc::clone(&knowledge), config);
        let docket = Docket::new(Arc::clone(&knowledge), config);
        let (held, released_early, before, is_resuming) = (VecDeque::new(), 0, 0, false);
        Self { knowledge, config, assessor, docket, held, released_early, before, is_resuming }
    }

    /// Judges an observation that looks like `found`, without filing it. Which feature of an odd shape stands out is found only where it
    /// decides what it is, else when it is filed.
    pub fn assess(&mut self, seen: &Observation, found: Match) -> Assessment {
        self.assess_beyond(seen, found, f64::NEG_INFINITY)
    }

    /// The same; what it would be told as is worked out only of what has more than so many bits.
    fn assess_beyond(&mut self, seen: &Observation, found: Match, least_bits: f64) -> Assessment {
        let mut finding = self.assessor.assess(seen, found, least_bits);
        if moves_much(seen) {
            finding.surprise.name(seen, found, &self.knowledge.vocabulary);
        }
        if seen.orig_local && seen.orig.is_device() {
            self.docket.hear(seen.orig, finding.is_known, seen.seen);
        }
        self.docket.weigh(seen, &finding, least_bits)
    }

    /// Takes an assessed observation, which looks like `found`, as evidence. `record` is the flow itself where it is at hand: without it no incident can
    /// be told (as in calibration).
    pub fn file(&mut self, seen: &Observation, found: Match, assessment: &Assessment, record: Option<&FlowRecord>) {
        self.assessor.hear_anybody(seen.seen);
        if let Some(record) = record {
            self.assessor.hear(seen, record);
        }
        let knowledge = Arc::clone(&self.knowledge);
        let shape = |part: &mut Contribution| name_shape(part, seen, found, &knowledge.vocabulary);
        self.docket.file(seen, assessment, Later { flow: &|| record.map(FlowRef::of), shape: &shape });
    }

    /// Goes on where `assessor` stopped, which assessed the same observations.
    pub fn continue_from(&mut self, assessor: Self) {
        self.before += assessor.assessor.observations();
        self.assessor.continue_from(assessor.assessor);
        self.docket.continue_from(assessor.docket);
    }

    /// Assesses and files an observation; a flow is kept until it can be handed out with its bits, where that was asked for. Gives its record
    /// back where it is not.
    pub fn observe(
        &mut self,
        seen: &Observation,
        found: Match,
        record: Box<FlowRecord>,
        flows: &mut Vec<ScoredFlow>,
    ) -> Option<Box<FlowRecord>> {
        let assessment = self.assess_beyond(seen, found, self.knowledge.calibration.ordinary.at_least(seen));
        self.assessor.hear_anybody(seen.seen);
        self.assessor.hear(seen, &record);
        let knowledge = Arc::clone(&self.knowledge);
        let shape = |part: &mut Contribution| name_shape(part, seen, found, &knowledge.vocabulary);
        self.docket.file(seen, &assessment, Later { flow: &|| Some(FlowRef::of(&record)), shape: &shape });
        if self.config.score_flows && seen.is_complete() {
            if self.held.len() >= MAX_HELD {
                self.released_early += 1;
                self.release_one(flows);
            }
            self.held.push_back(Held { seen: seen.clone(), surprise: assessment.surprise, record });
            return None;
        }
        Some(record)
    }

    /// Takes what assessors found by `now`, each of its own devices, as if it had observed it itself.
    pub fn take(&mut self, submissions: Vec<Submission>, now: Timestamp) {
        self.docket.file_all(submissions, now);
    }

    /// Takes what a frame said of a device itself.
    pub fn sighting(&mut self, sighting: &Sighting) {
        self.docket.sighting(sighting);
    }

    /// Puts devices in the place of the addresses of an observation: those that the model knows by them, or by the interface to which a
    /// frame said that they belong now.
    pub fn identify(&self, seen: &mut Observation) {
        self.docket.filed().leases.apply(seen, self.knowledge.baselines(seen.seen));
    }

    /// A device has this address now: what is told of it names that one.
    pub fn is_at(&mut self, device: Host, address: Host) {
        self.docket.is_at(device, address);
    }

    /// The present addresses of those that an incident names and that are known by something else.
    #[must_use]
    pub fn present(&self, incident: &Incident) -> BTreeMap<Host, Host> {
        let leases = &self.docket.filed().leases;
        incident.named().filter_map(|host| Some((host, leases.present(host)?))).collect()
    }

    /// Looks at all devices with new evidence, closes what went quiet, lets go of flows that were held long enough.
    pub fn tick(&mut self, now: Timestamp, notices: &mut Vec<Notice>, flows: &mut Vec<ScoredFlow>) {
        self.docket.listen(now);
        let mut silent = self.assessor.tick(now, std::mem::take(&mut self.is_resuming));
        self.docket.silent(&mut silent, now);
        self.docket.tick(now, notices);
        while self.held.front().is_some_and(|held| now.since(held.seen.seen) >= HOLD) {
            self.release_one(flows);
        }
    }

    /// The capture is over: lets go of every flow and closes every incident.
    pub fn finish(&mut self, now: Timestamp, notices: &mut Vec<Notice>, flows: &mut Vec<ScoredFlow>) {
        self.tick(now, notices, flows);
        // They have the bits of incidents that are open.
        self.let_go(flows);
        self.docket.finish(now, notices);
    }

    /// Lets go of every flow that is held.
    pub fn let_go(&mut self, flows: &mut Vec<ScoredFlow>) {
        while !self.held.is_empty() {
            self.release_one(flows);
        }
    }

    /// Devices at home that the model knows and that it does not know, where these are too many for it to fit.
    #[must_use]
    pub fn misfit(&self) -> Option<(usize, usize)> {
        self.docket.misfit()
    }

    /// What is remembered of what was seen, but for flows that are held and for ranks.
    #[must_use]
    pub const fn memory(&self) -> Remembered<'_> {
        Remembered { lately: self.assessor.lately(), filed: self.docket.filed() }
    }

    /// Goes on from what another detector remembered.
    pub fn remember(&mut self, memory: Memory) {
        self.assessor.remember(memory.lately);
        self.docket.remember(memory.filed);
        self.is_resuming = true;
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> DetectorCounters {
        let observations = self.before + self.assessor.observations();
        DetectorCounters { observations, released_early: self.released_early, ..self.docket.counters() }
    }

    /// The knowledge in use.
    #[must_use]
    pub fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    /// Devices by their highest score, highest first.
    #[must_use]
    pub fn ranks(&self) -> Vec<HostRank> {
        self.docket.ranks()
    }

    /// Devices and their highest scores since the last call.
    pub fn take_ranks(&mut self) -> impl Iterator<Item = HostRank> + use<> {
        self.docket.take_ranks()
    }

    /// Judges by other knowledge from now on: a model that learned on.
    pub fn judge_by(&mut self, knowledge: Arc<Knowledge>) {
        self.assessor.judge_by(Arc::clone(&knowledge));
        self.docket.judge_by(Arc::clone(&knowledge));
        self.knowledge = knowledge;
    }

    /// What an observation is by other knowledge, how it is to be regarded, and its bits with what its device did lately.
    #[must_use]
    pub fn surprise_by(&self, seen: &Observation, found: Match, knowledge: &Knowledge) -> (Surprise, Regard, f64) {
        let earlier = self.assessor.lately().had_before(seen);
        let surprise = Surprise::of((seen, earlier), found, knowledge, self.config.without);
        let context = self.assessor.context(seen, &surprise, knowledge);
        let regard = knowledge.regard(seen, surprise.is_named(), false);
        (surprise, regard, surprise.bits() + context.map_or(0.0, |part| part.bits))
    }

    /// Is an incident of this device open, or was one within the last day?
    #[must_use]
    pub fn is_suspect(&self, host: Host, now: Timestamp) -> bool {
        self.docket.is_suspect(host, now)
    }

    fn release_one(&mut self, flows: &mut Vec<ScoredFlow>) {
        let Some(Held { seen, surprise, record }) = self.held.pop_front() else { return };
        let context = self.assessor.context(&seen, &surprise, &self.knowledge);
        let (baselines, without) = (self.knowledge.baselines(seen.seen), self.config.without);
        let rarity = if without.has(Part::Rarity) { 0.0 } else { rarity(&seen, &surprise, baselines) };
        let attack = self.assessor.anywhere(&seen);
        let around = context.map_or(0.0, |part| part.bits).max(attack.map_or(0.0, |attack| attack.part.bits));
        let ends = [seen.orig, seen.resp];
        let told = if without.has(Part::Incident) { 0.0 } else { self.docket.filed().bits_between(ends).min(MOST_TOLD_BITS) };
        let bits = surprise.bits() + around + told + rarity;
        flows.push(ScoredFlow { record, bits, behaviour: surprise.behaviour });
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Without;
    use super::super::testing::{LATER_MS, detector, flow, host, show, taught, taught_by};
    use super::super::{Class, IncidentState};
    use super::*;
    use crate::feature::Host;
    use crate::model::{BaselinesBuilder, IdentitiesBuilder};
    use crate::sighting::{Arp, Seen};
    use crate::wire::{Addr, Mac};

    /// Device 1 tries so many ports of device 100 within some seconds; none answers.
    fn scan(at_ms: i64, ports: u16) -> Vec<(Box<FlowRecord>, Observation)> {
        (0..ports).map(|n| flow(at_ms + i64::from(n) * 10, 1, 100, 1000 + n, false)).collect()
    }

    #[test]
    fn a_scan_is_one_incident_with_its_name_and_peer() {
        let taught = taught();
        let notices = show(&mut detector(&taught), scan(LATER_MS, 200));
        let opened: Vec<_> = notices.iter().filter(|notice| notice.state == IncidentState::Open).collect();
        assert_eq!(opened.len(), 1, "{:?}", notices.iter().map(|n| (n.incident.class, n.state)).collect::<Vec<_>>());
        let last = &notices[notices.len() - 1].incident;
        assert_eq!((last.class, last.host, last.peers.contains_key(&host(100))), (Class::Scan, host(1), true));
        assert!(!last.reasons.is_empty());
    }

    #[test]
    fn a_flow_between_two_of_whom_was_told_has_the_bits_of_what_was_told() {
        let taught = taught();
        let bits = |without: Without, from: u8| {
            let config = DetectorConfig { score_flows: true, without, ..DetectorConfig::default() };
            let mut detector = Detector::new(Arc::clone(&taught), config);
            let mut all = scan(LATER_MS, 200);
            all.push(flow(LATER_MS + 10_000, from, 100, 80, true));
            show(&mut detector, all);
            let mut scored = Vec::new();
            detector.finish(Timestamp::from_parts(LATER_MS / 1000 + 20, 0), &mut Vec::new(), &mut scored);
            scored.last().map_or(0.0, |scored| scored.bits)
        };
        let of = |from| [Without::default(), Without::parts(&[Part::Incident])].map(|without| bits(without, from));
        let ([told, left_out], other) = (of(1), of(2));
        assert!(told > left_out + 9.0, "{told} {left_out}");
        assert!((other[0] - other[1]).abs() < 1e-9, "nothing was told of the other: {other:?}");
    }

    #[test]
    fn normal_life_goes_on_without_an_alert() {
        let taught = taught();
        let day = (0..60).flat_map(|minute| (1..=10).map(move |n| (minute, n)));
        let flows = day.map(|(minute, n)| flow(LATER_MS + minute * 60_000 + i64::from(n) * 3001, n, 100, 80, true)).collect();
        assert_eq!(show(&mut detector(&taught), flows).len(), 0);
    }

    #[test]
    fn a_server_that_answers_nobody_makes_no_case_of_its_clients() {
        let taught = taught();
        let tries = |to: u8| -> Vec<_> {
            let tries = (0..12).flat_map(|n| (1..=10).map(move |from| (n, from)));
            tries.map(|(n, from)| flow(LATER_MS + n * 4000 + i64::from(from) * 301, from, to, 80, false)).collect()
        };
        assert_eq!(show(&mut detector(&taught), tries(100)).len(), 0);
        assert_ne!(show(&mut detector(&taught), tries(200)).len(), 0, "whom nobody knows");
    }

    #[test]
    fn a_clock_is_odd_towards_a_stranger_and_not_towards_a_server_at_home() {
        let taught = taught();
        let every_half_minute = |to: u8, port: u16| {
            let flows: Vec<_> = (0..14).map(|n| flow(LATER_MS + n * 30_000, 11, to, port, true)).collect();
            let mut detector = detector(&taught);
            show(&mut detector, flows);
            detector.ranks().iter().map(|rank| rank.bits).fold(0.0, f64::max)
        };
        let (server, stranger) = (every_half_minute(100, 80), every_half_minute(200, 80));
        assert!(stranger > server + 5.0, "server {server}, stranger {stranger}");
    }

    #[test]
    fn a_clock_is_odd_of_a_device_that_asks_one_and_not_of_one_that_asks_many() {
        let minutes = || (0..120).map(|minute| minute * 60_000);
        let mut learned: Vec<Observation> =
            minutes().flat_map(|at| [101, 102, 103].map(|to| flow(at + i64::from(to) * 100, 1, to, 161, true).1)).collect();
        learned.extend(minutes().map(|at| flow(at + 30_000, 2, 101, 161, true).1));
        learned.extend(minutes().map(|at| flow(at + 31_000, 104, 101, 80, true).1));
        let taught = taught_by(learned, 0.5 / 120.0);
        let polls = |from: u8| {
            let flows: Vec<_> = (0..14).map(|n| flow(LATER_MS + n * 30_000, from, 104, 161, true)).collect();
            let mut detector = detector(&taught);
            let notices = show(&mut detector, flows);
            notices.iter().any(|notice| notice.incident.class == Class::Beaconing)
        };
        assert_eq!([polls(1), polls(2)], [false, true]);
    }

    #[test]
    fn a_bystander_of_a_scan_has_no_case() {
        let taught = taught();
        let mut flows = scan(LATER_MS, 200);
        flows.push(flow(LATER_MS + 2500, 2, 100, 80, true));
        let mut detector = detector(&taught);
        show(&mut detector, flows);
        assert!(detector.ranks().iter().all(|rank| rank.host == host(1)), "{:?}", detector.ranks());
    }

    /// What is told when an interface asks for 100 addresses that nobody has, and again an hour later, of a device that has this address, by
    /// what these observations taught.
    fn asks_for_a_hundred(mac: Mac, device: u8, learned: &[Observation]) -> Vec<(Class, Host, usize)> {
        let taught = taught();
        let mut builder = BaselinesBuilder::default();
        learned.iter().for_each(|seen| builder.add(seen, 0));
        let mut baselines = builder.finish();
        baselines.pool(1);
        let mut identities = IdentitiesBuilder::default();
        learned.iter().for_each(|seen| identities.add(seen));
        baselines.identities = identities.finish();
        let vocabulary = Arc::clone(&taught.vocabulary);
        let mut detector = detector(&Arc::new(Knowledge::new(vocabulary, Arc::new(baselines), taught.calibration.clone(), 8.0)));
        let (mut notices, mut flows) = (Vec::new(), Vec::new());
        for hour in 0..2 {
            let at = |n: i64| Timestamp::from_nanos(LATER_MS * 1_000_000 + n * 5_000_000) + Span::from_secs(3600 * hour);
            for n in 0..100 {
                let target = Addr::v4([10, 0, 1, n as u8]);
                let arp = Arp { operation: 1, sender_mac: mac, sender: host(device).0, target_mac: Mac::NONE, target };
                let what = Seen::Arp(arp);
                detector.sighting(&Sighting { time: at(n), src_mac: mac, src: None, dst: None, vlans: [0; 2], what });
            }
            detector.finish(at(100), &mut notices, &mut flows);
        }
        let opened = notices.iter().filter(|notice| notice.state == IncidentState::Open);
        opened.map(|notice| (notice.incident.class, notice.incident.host, notice.incident.peers.len())).collect()
    }

    #[test]
    fn a_sweep_by_address_resolution_is_told_but_not_of_a_router_or_of_a_scanner() {
        const MAC: Mac = Mac([2, 0, 0, 0, 0, 66]);
        let from = |mac: Mac, device: u8| {
            let (_, mut seen) = flow(i64::from(device) * 1000, device, 100, 80, true);
            seen.macs[0] = mac;
            seen
        };
        let own = [from(MAC, 66)];
        assert_eq!(asks_for_a_hundred(MAC, 66, &own), [(Class::Sweep, host(66), 64); 2]);
        assert_eq!(
            asks_for_a_hundred(MAC, 77, &own),
            [(Class::Sweep, host(66), 64); 2],
            "the device, come back with another address"
        );
        assert_eq!(
            asks_for_a_hundred(Mac([2, 0, 0, 0, 0, 99]), 99, &own),
            [(Class::Sweep, host(99), 64); 2],
            "nothing is known of it"
        );
        assert_eq!(asks_for_a_hundred(MAC, 1, &[2, 3, 4].map(|device| from(MAC, device))), [], "a router");
        let scans: Vec<Observation> = (0..4).flat_map(|minute| scan(minute * 60_000, 40)).map(|(_, seen)| seen).collect();
        assert_eq!(asks_for_a_hundred(MAC, 1, &scans), [], "a scanner");
    }

    #[test]
    fn what_all_devices_begin_at_once_is_one_incident() {
        let taught = taught();
        let flows =
            (1..=10).flat_map(|n| (0..2).map(move |k| flow(LATER_MS + i64::from(n) * 20_000 + k * 900, n, 200, 8443, true)));
        let notices = show(&mut detector(&taught), flows.collect());
        let of_class = |class: Class| notices.iter().filter(|notice| notice.incident.class == class).count();
        let opened = notices.iter().filter(|notice| notice.state == IncidentState::Open).count();
        assert!(of_class(Class::PopulationChange) > 0 && opened <= 5, "{opened} of ten");
    }

    #[test]
    fn the_same_observations_give_the_same_notices() {
        let taught = taught();
        let told = || {
            let notices = show(&mut detector(&taught), scan(LATER_MS, 100));
            notices.iter().map(|notice| (notice.incident.id, notice.raised, notice.incident.bits.to_bits())).collect::<Vec<_>>()
        };
        assert_eq!(told(), told());
    }
}

//! The detector: observations in, incidents out.

use std::collections::VecDeque;
use std::sync::Arc;

use super::anywhere::Attack;
use super::arp::Dispute;
use super::assessment::Assessment;
use super::case::{Case, Exhibit};
use super::class::{Class, classify};
use super::config::{DetectorConfig, Part};
use super::counters::DetectorCounters;
use super::evidence::Contribution;
use super::fit::DOUBT_BITS;
use super::incident::{ARP, FlowRef, Notice};
use super::knowledge::Knowledge;
use super::memory::{MAX_CASES, Memory};
use super::rank::{HostRank, Ranks};
use super::rarity::rarity;
use super::silence::{LOOK_EVERY, Silent};
use super::surprise::Surprise;
use crate::feature::{Host, Observation};
use crate::flow::FlowRecord;
use crate::flow::Service;
use crate::model::Match;
use crate::sighting::Sighting;
use crate::time::{Span, Timestamp};

/// How long a scored flow is held back so that it can carry the surprise of what came after it.
const HOLD: Span = Span::from_secs(300);
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

/// Judges observations. Bounded in memory.
pub struct Detector {
    knowledge: Arc<Knowledge>,
    config: DetectorConfig,
    /// Bits below which a flow is ordinary.
    ordinary_bits: f64,
    memory: Memory,
    held: VecDeque<Held>,
    ranks: Ranks,
    counters: DetectorCounters,
    /// Did it take up a memory, and no tick came since?
    is_resuming: bool,
}

impl Detector {
    /// A detector that judges by `knowledge`.
    #[must_use]
    pub fn new(knowledge: Arc<Knowledge>, config: DetectorConfig) -> Self {
        let ordinary_bits = knowledge.calibration.ordinary_bits;
        Self {
            knowledge,
            config,
            ordinary_bits,
            memory: Memory::default(),
            held: VecDeque::new(),
            ranks: Ranks::default(),
            counters: DetectorCounters::default(),
            is_resuming: false,
        }
    }

    /// Judges an observation that looks like `found`, without filing it.
    pub fn assess(&mut self, seen: &Observation, found: Match) -> Assessment {
        self.assess_beyond(seen, found, f64::NEG_INFINITY)
    }

    /// The same; class and reasons are worked out only of what has more than so many bits.
    fn assess_beyond(&mut self, seen: &Observation, found: Match, least_bits: f64) -> Assessment {
        self.counters.observations += 1;
        let mut surprise = Surprise::unnamed(seen, found, &self.knowledge, self.config.without);
        let population = self.share_with_others(seen, &mut surprise);
        self.memory.recent.observe(seen, &surprise);
        let context = self.memory.recent.context(seen, &surprise, &self.knowledge, self.config.without);
        let known = self.knowledge.baselines(seen.seen).hosts.contains_key(&seen.orig);
        if seen.orig_local && seen.orig.is_device() {
            self.memory.fit.observe(seen.orig, known, seen.seen);
        }
        let anywhere = self.anywhere(seen);
        let is_ordinary = surprise.bits() + context.map_or(0.0, |part| part.bits) <= least_bits;
        let class = if is_ordinary && anywhere.is_none() {
            Class::Unusual
        } else {
            surprise.name_shape(seen, found, &self.knowledge.vocabulary);
            let own_context = context.filter(|part| !part.evidence.is_crowd());
            let hour = || self.memory.recent.hour(seen.orig);
            classify(seen, &surprise, own_context, (self.memory.recent.minute(), hour), known)
        };
        Assessment { surprise, context, class, anywhere, population }
    }

    fn anywhere(&self, seen: &Observation) -> Option<Attack> {
        self.knowledge.judges_itself.then(|| self.memory.recent.anywhere(seen, self.knowledge.baselines(seen.seen))).flatten()
    }

    /// Weakens what is new about a known device where many others have it too. Returns what is to be told of them all.
    fn share_with_others(&mut self, seen: &Observation, surprise: &mut Surprise) -> Option<(Contribution, Vec<Host>)> {
        if self.config.without.has(Part::Population) {
            return None;
        }
        let baselines = self.knowledge.baselines(seen.seen);
        let new = surprise.new.as_mut().filter(|new| new.about != 0 && new.evidence.is_by_initiator())?;
        let is_known = baselines.host(seen.orig).is_some_and(|host| host.local);
        let change =
            is_known.then(|| self.memory.changes.observe(new.about, seen.orig, baselines.pooled.devices, seen.seen)).flatten()?;
        new.bits = new.bits.min(change.bits);
        change.news
    }

    /// Takes an assessed observation as evidence. `record` is the flow itself where it is at hand: without it no incident can
    /// be told (as in calibration).
    pub fn file(&mut self, seen: &Observation, assessment: &Assessment, record: Option<&FlowRecord>) {
        if let Some(record) = record {
            self.memory.silences.observe(seen, record, self.knowledge.baselines(seen.seen));
        }
        let &Assessment { surprise, mut context, mut class, anywhere, ref population } = assessment;
        if let Some(attack) = anywhere.filter(|attack| self.knowledge.judges_itself && !self.is_told(seen.orig, attack.class)) {
            (context, class) = (Some(attack.part), attack.class);
        }
        if let (Some((part, devices)), Some(record)) = (population, record) {
            let (flow, times) = (FlowRef::of(record), (seen.start, seen.end, seen.seen));
            let exhibit = Exhibit::of_itself(Class::PopulationChange, *part, flow, times);
            devices.iter().for_each(|&device| self.put(seen.resp, device, seen.service, exhibit.clone()));
        }
        if surprise.bits() + context.map_or(0.0, |part| part.bits) <= self.ordinary_bits {
            return;
        }
        let crowd = context.filter(|part| part.evidence.is_crowd());
        if let Some(crowd) = crowd.filter(|_| seen.resp.is_device()) {
            let exhibit = Exhibit::of(seen, Class::Flood, [Some(crowd), None, None], self.ordinary_bits);
            self.file_against(seen.resp, seen.orig, seen, exhibit, record);
            // One of a crowd from outside is no case of its own: its address may even be forged.
            if !seen.orig_local {
                return;
            }
        }
        let context = if crowd.is_some() { None } else { context };
        let exhibit = Exhibit::of(seen, class, [surprise.own_new(), surprise.shape, context], self.ordinary_bits);
        self.file_against(seen.orig, seen.resp, seen, exhibit, record);
    }

    /// Goes on where `assessor` stopped, which assessed the same observations.
    pub fn continue_from(&mut self, assessor: Self) {
        self.memory.recent = assessor.memory.recent;
        self.memory.changes = assessor.memory.changes;
        self.memory.fit = assessor.memory.fit;
        self.counters.observations += assessor.counters.observations;
    }

    /// Assesses and files an observation; a flow is kept until it can be handed out with its bits, where that was asked for.
    pub fn observe(&mut self, seen: &Observation, found: Match, record: Box<FlowRecord>, flows: &mut Vec<ScoredFlow>) {
        let assessment = self.assess_beyond(seen, found, self.ordinary_bits);
        self.file(seen, &assessment, Some(&record));
        if self.config.score_flows && seen.is_complete() {
            if self.held.len() >= MAX_HELD {
                self.counters.released_early += 1;
                self.release_one(flows);
            }
            self.held.push_back(Held { seen: seen.clone(), surprise: assessment.surprise, record });
        }
    }

    /// Takes what a frame said of a device itself.
    pub fn sighting(&mut self, sighting: &Sighting) {
        let dispute = self.memory.claims.observe(sighting).filter(|dispute| !self.config.without.has_kind(dispute.part.evidence));
        let Some(Dispute { address, intruder, told, part, at }) = dispute else { return };
        let (victim, host) = (Host(address), Host(intruder.unwrap_or(address)));
        let flow = FlowRef::of_link(host, victim);
        let exhibit = Exhibit { also: Some(victim), ..Exhibit::of_itself(Class::ArpSpoofing, part, flow, (at, at, at)) };
        let service = Service { protocol: ARP, port: 0 };
        for peer in [Some(victim), told.map(Host)].into_iter().flatten().filter(|&peer| peer != host) {
            self.put(host, peer, service, exhibit.clone());
        }
    }

    fn look_for_silence(&mut self, now: Timestamp) {
        self.memory.looked_for_silence = now;
        for Silent { host, edge, flow, last, part } in self.memory.silences.look(now) {
            let exhibit = Exhibit::of_itself(Class::SilentChannel, part, flow, (last, now, now));
            self.put(host, edge.peer, edge.service, exhibit);
        }
    }

    /// Looks at all devices with new evidence, closes what went quiet, lets go of flows that were held long enough.
    pub fn tick(&mut self, now: Timestamp, notices: &mut Vec<Notice>, flows: &mut Vec<ScoredFlow>) {
        self.memory.listen(now, std::mem::take(&mut self.is_resuming), self.config.most_pause);
        if now >= self.memory.looked_for_silence + LOOK_EVERY && !self.config.without.has(Part::Silence) {
            self.look_for_silence(now);
        }
        for host in std::mem::take(&mut self.memory.touched) {
            self.review(host, now, notices);
        }
        let quiet: Vec<(Host, Class)> =
            self.memory.incidents.iter().filter(|(_, incident)| incident.is_quiet(now)).map(|(&key, _)| key).collect();
        for key in quiet {
            self.close(key, now, notices);
        }
        if now.seconds() % 60 == 0 || self.memory.cases.len() >= MAX_CASES {
            self.memory.cases.retain(|_, case| case.expire(now));
        }
        while self.held.front().is_some_and(|held| now.since(held.seen.seen) >= HOLD) {
            self.release_one(flows);
        }
    }

    /// The capture is over: closes every incident and lets go of every flow.
    pub fn finish(&mut self, now: Timestamp, notices: &mut Vec<Notice>, flows: &mut Vec<ScoredFlow>) {
        self.tick(now, notices, flows);
        let open: Vec<(Host, Class)> = self.memory.incidents.keys().copied().collect();
        for key in open {
            self.close(key, now, notices);
        }
        self.let_go(flows);
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
        (self.knowledge.is_of_other_time() && !self.memory.fit.holds()).then(|| self.memory.fit.counts())
    }

    /// What is remembered of what was seen, but for flows that are held and for ranks.
    #[must_use]
    pub const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Goes on from what another detector remembered.
    pub fn remember(&mut self, memory: Memory) {
        self.memory = memory;
        self.is_resuming = true;
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> DetectorCounters {
        DetectorCounters { stories_refused: self.memory.stories.refused, ..self.counters }
    }

    /// The knowledge in use.
    #[must_use]
    pub fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    /// Devices by their highest score, highest first.
    #[must_use]
    pub fn ranks(&self) -> Vec<HostRank> {
        self.ranks.sorted()
    }

    /// Devices and their highest scores since the last call.
    pub fn take_ranks(&mut self) -> impl Iterator<Item = HostRank> + use<> {
        std::mem::take(&mut self.ranks).into_values()
    }

    /// Judges by other knowledge from now on: a model that learned on.
    pub fn judge_by(&mut self, knowledge: Arc<Knowledge>) {
        self.ordinary_bits = knowledge.calibration.ordinary_bits;
        self.knowledge = knowledge;
    }

    /// What an observation is by other knowledge, and its bits with what its device did lately.
    #[must_use]
    pub fn surprise_by(&self, seen: &Observation, found: Match, knowledge: &Knowledge) -> (Surprise, f64) {
        let without = self.config.without;
        let surprise = Surprise::of(seen, found, knowledge, without);
        let context = self.memory.recent.context(seen, &surprise, knowledge, without);
        (surprise, surprise.bits() + context.map_or(0.0, |part| part.bits))
    }

    /// Is an incident of this device open, or was one within the last day?
    #[must_use]
    pub fn is_suspect(&self, host: Host, now: Timestamp) -> bool {
        let open = self.memory.incidents.range((host, Class::Scan)..=(host, Class::Unusual)).next();
        open.is_some() || self.memory.habits.is_suspect(host, now)
    }

    fn file_against(&mut self, host: Host, peer: Host, seen: &Observation, mut exhibit: Exhibit, record: Option<&FlowRecord>) {
        if let Some((own_bits, shared_bits)) = self.memory.habits.told(host, peer, seen.service, exhibit.class, seen.seen) {
            exhibit.own_bits = (exhibit.own_bits - own_bits).max(0.0);
            exhibit.shared_bits = (exhibit.shared_bits - shared_bits).max(0.0);
            exhibit.odd_flows = 0;
            self.counters.repeats += 1;
        }
        if self.config.without.has(Part::Row) {
            exhibit.odd_flows = 0;
        }
        if exhibit.own_bits + exhibit.shared_bits <= 0.0 {
            return;
        }
        if let Some(case) = self.case(host) {
            case.add(peer, seen.service, exhibit, || record.map(FlowRef::of));
        }
    }

    /// Files an exhibit that has its flow.
    fn put(&mut self, host: Host, peer: Host, service: Service, exhibit: Exhibit) {
        if let Some(case) = self.case(host) {
            let flow = exhibit.flow.clone();
            case.add(peer, service, exhibit, || flow.clone());
        }
    }

    /// The case of a device, to be reviewed; none when there are too many.
    fn case(&mut self, host: Host) -> Option<&mut Case> {
        if self.memory.cases.len() >= MAX_CASES && !self.memory.cases.contains_key(&host) {
            self.counters.cases_refused += 1;
            return None;
        }
        self.memory.touched.insert(host);
        Some(self.memory.cases.entry(host).or_default())
    }

    fn review(&mut self, host: Host, now: Timestamp, notices: &mut Vec<Notice>) {
        let Some(case) = self.memory.cases.get_mut(&host) else { return };
        if !case.expire(now) {
            self.memory.cases.remove(&host);
            return;
        }
        let is_doubtful = self.knowledge.is_of_other_time() && !self.memory.fit.holds();
        let is_unknown = || !self.knowledge.baselines(now).hosts.contains_key(&host);
        let doubt = if is_doubtful && is_unknown() { DOUBT_BITS } else { 0.0 };
        for (class, bits) in case.scores() {
            self.ranks.note(host, bits, class, || case.strongest(class));
            let mut open = self.memory.incidents.remove(&(host, class));
            if open.is_none() {
                let threshold = self.knowledge.threshold_of(class);
                if bits < threshold {
                    continue;
                }
                if bits < threshold + doubt {
                    self.counters.held_back += 1;
                    continue;
                }
                let Some(strongest) = case.strongest(class) else { continue };
                let told = self.memory.incidents.range((host, Class::Scan)..=(host, Class::Unusual));
                let same = told.filter(|(_, incident)| incident.is_same(class, strongest)).map(|(&key, _)| key).next();
                if let Some(key) = same {
                    // The same conversation under a name that tells less: it was told already.
                    if key.1 < class {
                        continue;
                    }
                    open = self.memory.incidents.remove(&key);
                    open.iter_mut().for_each(|incident| incident.class = class);
                }
            }
            let is_new = open.is_none();
            if let Some(mut incident) = case.report(class, host, bits, open) {
                self.counters.incidents += u64::from(is_new);
                self.counters.vague_incidents += u64::from(is_new && class.is_vague());
                if is_new {
                    self.memory.stories.join(&mut incident, now);
                }
                self.memory.stories.note(&incident, now);
                if let Some(notice) = incident.tell(now) {
                    self.counters.notices += 1;
                    notices.push(notice);
                }
                self.memory.incidents.insert((host, class), incident);
            }
        }
        case.looked();
    }

    fn close(&mut self, key: (Host, Class), now: Timestamp, notices: &mut Vec<Notice>) {
        if let Some(mut incident) = self.memory.incidents.remove(&key) {
            self.memory.remember(&incident, now);
            self.counters.notices += 1;
            notices.push(incident.close(now));
        }
    }

    /// Was an attack of this class told of a device, and is it over?
    fn is_told(&self, host: Host, class: Class) -> bool {
        self.memory.told.contains(&(host, class))
    }

    fn release_one(&mut self, flows: &mut Vec<ScoredFlow>) {
        let Some(Held { seen, surprise, record }) = self.held.pop_front() else { return };
        let without = self.config.without;
        let context = self.memory.recent.context(&seen, &surprise, &self.knowledge, without);
        let baselines = self.knowledge.baselines(seen.seen);
        let rarity = if without.has(Part::Rarity) { 0.0 } else { rarity(&seen, &surprise, baselines) };
        let attack = self.anywhere(&seen);
        let around = context.map_or(0.0, |part| part.bits).max(attack.map_or(0.0, |attack| attack.part.bits));
        let bits = surprise.bits() + around + rarity;
        flows.push(ScoredFlow { record, bits, behaviour: surprise.behaviour });
    }
}

#[cfg(test)]
mod tests {
    use super::super::IncidentState;
    use super::super::testing::{LATER_MS, detector, flow, host, show, taught};
    use super::*;

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
    fn normal_life_goes_on_without_an_alert() {
        let taught = taught();
        let day = (0..60).flat_map(|minute| (1..=10).map(move |n| (minute, n)));
        let flows = day.map(|(minute, n)| flow(LATER_MS + minute * 60_000 + i64::from(n) * 3001, n, 100, 80, true)).collect();
        assert_eq!(show(&mut detector(&taught), flows).len(), 0);
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
    fn a_bystander_of_a_scan_has_no_case() {
        let taught = taught();
        let mut flows = scan(LATER_MS, 200);
        flows.push(flow(LATER_MS + 2500, 2, 100, 80, true));
        let mut detector = detector(&taught);
        show(&mut detector, flows);
        assert!(detector.ranks().iter().all(|rank| rank.host == host(1)), "{:?}", detector.ranks());
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

//! The second half of judging: what speaks against each device, and what is told of it.
//!
//! It takes what assessors found, in the order of judging, and keeps what concerns several devices at once: who claims whose address, what many begin at the same
//! time, cases against the ends of a conversation, incidents and the stories that they belong to.

mod common;
mod frames;
mod review;

use std::sync::Arc;

use common::Shared;

use super::assessment::Assessment;
use super::assessor::Finding;
use super::case::MAX_CONVERSATIONS;
use super::class::Class;
use super::classify::{Initiator, classify, opens};
use super::config::{DetectorConfig, Part};
use super::counters::DetectorCounters;
use super::crowd::class_of_crowd;
use super::domain::{asks_directory, opens_directory};
use super::evidence::{Contribution, Detail, Evidence};
use super::exhibit::{Exhibit, Later};
use super::incident::Incident;
use super::knowledge::Knowledge;
use super::memory::{Filed, MAX_CASES};
use super::newcomer::follows_others;
use super::notice::Notice;
use super::rank::{HostRank, Ranks};
use super::silence::Silent;
use super::submission::{Submission, Submitted};
use crate::feature::{Host, Observation};
use crate::flow::Service;
use crate::time::Timestamp;

/// Keeps cases, incidents and stories. Bounded in memory.
pub struct Docket {
    knowledge: Arc<Knowledge>,
    config: DetectorConfig,
    filed: Filed,
    /// Conversations of all cases.
    conversations: usize,
    ranks: Ranks,
    counters: DetectorCounters,
    /// No incident is quiet before this.
    quiet_from: Timestamp,
}

/// Conversations with evidence, of all devices, from which on a device keeps few; some 600 bytes each.
const MAX_EVIDENCE: usize = 200_000;
/// So few. A flood from forged addresses at home has as many devices as addresses.
const FEW_CONVERSATIONS: usize = 4;
/// What was told already and has less than this more is more of the same.
const LITTLE_MORE_BITS: f64 = 3.0;

impl Docket {
    /// An empty one.
    #[must_use]
    pub fn new(knowledge: Arc<Knowledge>, config: DetectorConfig) -> Self {
        let (filed, ranks, counters) = (Filed::default(), Ranks::default(), DetectorCounters::default());
        Self { knowledge, config, filed, conversations: 0, ranks, counters, quiet_from: Timestamp::MIN }
    }

    /// Hears that a device at home began a flow, and whether the model knows it.
    pub fn hear(&mut self, device: Host, is_known: bool, at: Timestamp) {
        self.filed.fit.observe(device, is_known, at);
    }

    /// Takes what assessors found at one tick, each of its own devices, and tells what comes of it at `now`. The same for any number of
    /// shares.
    pub fn take(&mut self, submissions: Vec<Submission>, now: Timestamp, notices: &mut Vec<Notice>) {
        self.file_all(submissions, now);
        self.listen(now);
        self.tick(now, notices);
    }

    /// Files what assessors found by `now`, each of its own devices.
    pub(super) fn file_all(&mut self, submissions: Vec<Submission>, now: Timestamp) {
        let mut all = Submission::join(submissions);
        all.heard.drain(..).for_each(|(device, is_known, at)| self.hear(device, is_known, at));
        for Submitted { seen, finding, flow, .. } in all.found {
            let least_bits = self.knowledge.calibration.ordinary.at_least(&seen);
            let assessment = self.weigh(&seen, &finding, least_bits);
            self.file(&seen, &assessment, Later { flow: &|| Some(flow.clone()), shape: &|_| () });
        }
        self.silent(&mut all.silent, now);
    }

    /// Weighs a finding with what others show at the same time, without filing it; of so many bits at the most it has no class.
    pub fn weigh(&mut self, seen: &Observation, finding: &Finding, least_bits: f64) -> Assessment {
        let &Finding { mut surprise, ref context, ref around, ref anywhere, is_known } = finding;
        let Shared { news, is_change, is_meeting_place } = self.share_with_others(seen, &mut surprise);
        let (population, mut context) = (news.map(Box::new), *context);
        // What many devices began to ask of one at home is a service, not whoever calls them: a server that moved is asked by the clock, too.
        context.slow = context.slow.filter(|part| match part.evidence {
            Evidence::Rhythm => !is_meeting_place && !self.filed.habits.has_told_of(seen.orig, seen.resp, seen),
            Evidence::NameRhythm => !is_change,
            _ => true,
        });
        // What the hour holds was told, and every further conversation has it, too.
        let is_news = |part: &Contribution| !self.filed.habits.has_told_hour(seen, part);
        (context.slow, context.hour, context.crowd) =
            (context.slow.filter(is_news), context.hour.filter(is_news), context.crowd.filter(is_news));
        let context = context.strongest();
        let is_ordinary = surprise.bits() + context.map_or(0.0, |part| part.bits) <= least_bits && !surprise.is_of_tool();
        let class = if is_ordinary && anywhere.is_none() {
            Class::Unusual
        } else {
            let baselines = self.knowledge.baselines(seen.seen);
            let initiator = match is_known {
                true => Initiator::Known,
                false if seen.orig_local && follows_others(seen, baselines) => Initiator::LikeOthers,
                false => Initiator::Stranger,
            };
            match classify(seen, &surprise, context.filter(|part| !part.evidence.is_crowd()), around, initiator) {
                Class::LateralMovement
                    if asks_directory(seen, baselines) || opens_directory(seen, baselines.host(seen.orig), baselines) =>
                {
                    Class::Unusual
                }
                Class::Unusual if opens(seen, &surprise, baselines) => Class::NewService,
                class => class,
            }
        };
        let anywhere = anywhere.as_ref().map(|&attack| Box::new(attack));
        Assessment { surprise, context, class, anywhere, population }
    }

    /// Takes an assessed observation as evidence. `later` tells of its flow where that is at hand (not in calibration).
    pub(super) fn file(&mut self, seen: &Observation, assessment: &Assessment, later: Later<'_>) {
        let ordinary_bits = self.knowledge.calibration.ordinary.of(seen, assessment.regard(seen, &self.knowledge));
        let &Assessment { surprise, mut context, mut class, ref anywhere, ref population } = assessment;
        if let Some(attack) =
            anywhere.as_deref().filter(|attack| self.knowledge.judges_itself && !self.is_told(seen.orig, attack.class))
        {
            (context, class) = (Some(attack.part), attack.class);
        }
        if let Some((part, devices)) = population.as_deref()
            && let Some(flow) = (later.flow)()
        {
            let times = (seen.start, seen.end, seen.seen);
            let exhibit = Exhibit::of_itself(Class::PopulationChange, *part, flow, times);
            devices.iter().for_each(|&device| self.put(seen.resp, device, seen.service, exhibit.clone()));
        }
        let is_new = context.is_some_and(|part| part.evidence == Evidence::NewDevice);
        // That it is new was told; that others are behind it may not be yet.
        let hides = context.is_some_and(|part| part.detail == Detail::Hides) && !self.filed.introduced.has_hiding(seen.orig);
        if (is_new || class == Class::NewDevice) && self.filed.introduced.has(seen.orig, seen.macs[0]) && !hides {
            // That it is new was told, and what it does next is only unusual; but what nobody does with another device at home.
            let is_strange = is_new && seen.resp_local && !follows_others(seen, self.knowledge.baselines(seen.seen));
            context = context.filter(|_| is_strange || !is_new);
            class = if class == Class::NewDevice && !is_strange { Class::Unusual } else { class };
        }
        if surprise.bits() + context.map_or(0.0, |part| part.bits) <= ordinary_bits && !surprise.is_of_tool() {
            return;
        }
        let crowd = context.filter(|part| part.evidence.is_crowd());
        if let Some(crowd) = crowd.filter(|_| seen.resp.is_device()) {
            let mut exhibit = Exhibit::of(seen, class_of_crowd(seen, crowd.evidence), [Some(crowd), None, None], ordinary_bits);
            self.file_against(seen.resp, seen.orig, seen, &mut exhibit, later);
            // One of a crowd from outside is no case of its own: its address may even be forged.
            if !seen.orig_local && !matches!(crowd.evidence, Evidence::Asked | Evidence::Repeats) {
                return;
            }
        }
        let context = if crowd.is_some() { None } else { context };
        // That a server refuses or does not answer whom it knows says nothing of these: when it restarts they all try again.
        let is_told_by_hour = context.is_some_and(|part| part.evidence == Evidence::SentOut);
        let shape = surprise.shape.filter(|_| surprise.unknown_edge || !seen.failed);
        let shape = shape.filter(|part| !(is_told_by_hour && part.is_of_bytes_sent()));
        let mut exhibit = Exhibit::of(seen, class, [surprise.own_new(), shape, context], ordinary_bits);
        exhibit.is_of_new_server = self.knowledge.is_of_new_server(seen);
        // Who asks may be who suffers, and who attacks from outside is one of many: that is told of who answers.
        let is_of_server = class == Class::Flood && surprise.is_amplified() || class == Class::WebAttack && seen.comes_in();
        let [host, peer] = if is_of_server { [seen.resp, seen.orig] } else { [seen.orig, seen.resp] };
        self.file_against(host, peer, seen, &mut exhibit, later);
    }

    /// Files conversations that have stopped by `now`, and takes them away.
    pub(super) fn silent(&mut self, silent: &mut Vec<Silent>, now: Timestamp) {
        silent.iter().for_each(|silent| self.filed.stopped.note(silent.host, silent.edge, now));
        for Silent { host, edge, flow, last, part } in silent.drain(..) {
            if part.detail == Detail::GoesOn && !self.filed.stopped.is_rare(edge.service, now) {
                continue;
            }
            let exhibit = Exhibit::of_itself(Class::SilentChannel, part, flow, (last, now, now));
            let (host, peer) = if self.filed.stopped.is_server(edge) { (edge.peer, host) } else { (host, edge.peer) };
            self.put(host, peer, edge.service, exhibit);
        }
    }

    /// Notes that it is listened now.
    pub(super) fn listen(&mut self, now: Timestamp) {
        self.filed.listen(now, self.config.most_pause);
    }

    /// Looks at all devices with new evidence and closes what went quiet.
    pub fn tick(&mut self, now: Timestamp, notices: &mut Vec<Notice>) {
        let mut touched = std::mem::take(&mut self.filed.touched);
        touched.sort_unstable();
        // One that was touched before and after all was remembered is named twice.
        touched.dedup();
        touched.drain(..).for_each(|host| self.review(host, now, notices));
        self.filed.touched = touched;
        self.close_quiet(now, notices);
        let minute = now.seconds().div_euclid(60);
        if std::mem::replace(&mut self.filed.minute, minute) != minute || self.filed.cases.len() >= MAX_CASES {
            self.filed.cases.retain(|_, case| case.expire(now));
            self.count_conversations();
        }
    }

    /// Closes incidents of which nothing came for long. What one that pauses told is told.
    fn close_quiet(&mut self, now: Timestamp, notices: &mut Vec<Notice>) {
        if now < self.quiet_from {
            return;
        }
        let mut pausing: Vec<Incident> =
            self.filed.incidents.values_mut().filter_map(|it| it.pause(now).then(|| it.clone())).collect();
        pausing.drain(..).for_each(|incident| self.filed.remember(&incident, now));
        let quiet: Vec<(Host, Class)> =
            self.filed.incidents.iter().filter(|(_, incident)| incident.is_quiet(now)).map(|(&key, _)| key).collect();
        for key in quiet {
            self.close(key, now, notices);
        }
        self.quiet_from = self.filed.incidents.values().map(Incident::quiet_from).min().unwrap_or(Timestamp::MAX);
    }

    /// Closes every incident. Who took them over and heard nothing has no time of its own.
    pub fn finish(&mut self, now: Timestamp, notices: &mut Vec<Notice>) {
        let now = now.max(self.filed.listened_until());
        let open: Vec<(Host, Class)> = self.filed.incidents.keys().copied().collect();
        for key in open {
            self.close(key, now, notices);
        }
    }

    /// Devices at home that the model knows and that it does not know, where these are too many for it to fit.
    #[must_use]
    pub fn misfit(&self) -> Option<(usize, usize)> {
        (self.knowledge.is_of_other_time() && !self.filed.fit.holds()).then(|| self.filed.fit.counts())
    }

    /// What was counted so far; of observations it knows nothing.
    #[must_use]
    pub const fn counters(&self) -> DetectorCounters {
        DetectorCounters { stories_refused: self.filed.stories.refused, ..self.counters }
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

    /// Is an incident of this device open, or was one within the last day?
    #[must_use]
    pub fn is_suspect(&self, host: Host, now: Timestamp) -> bool {
        let open = self.filed.incidents.range((host, Class::Scan)..=(host, Class::Unusual)).next();
        open.is_some() || self.filed.habits.is_suspect(host, now)
    }

    /// Judges by other knowledge from now on.
    pub fn judge_by(&mut self, knowledge: Arc<Knowledge>) {
        self.knowledge = knowledge;
    }

    /// Goes on with what all devices together showed to `other`.
    pub(super) fn continue_from(&mut self, other: Self) {
        self.filed.changes = other.filed.changes;
        self.filed.fit = other.filed.fit;
    }

    /// What is filed.
    pub(super) const fn filed(&self) -> &Filed {
        &self.filed
    }

    /// Goes on from what another one remembered.
    pub(super) fn remember(&mut self, filed: Filed) {
        self.filed = filed;
        self.quiet_from = Timestamp::MIN;
        self.count_conversations();
    }

    fn file_against(&mut self, host: Host, peer: Host, seen: &Observation, exhibit: &mut Exhibit, later: Later<'_>) {
        // What goes on with an incident that paused counts as it is.
        let paused = self.filed.incidents.get(&(host, exhibit.class)).filter(|it| it.has_paused);
        let goes_on = paused.is_some_and(|it| it.has_told((peer, seen.service), exhibit, seen.stays_home()));
        if !goes_on && let Some((own_bits, shared_bits)) = self.filed.habits.told(host, peer, seen, exhibit.class) {
            exhibit.own_bits = (exhibit.own_bits - own_bits).max(0.0);
            exhibit.shared_bits = (exhibit.shared_bits - shared_bits).max(0.0);
            exhibit.odd_flows = 0;
            self.counters.repeats += 1;
            if exhibit.own_bits + exhibit.shared_bits < LITTLE_MORE_BITS {
                return;
            }
        }
        if self.config.without.has(Part::Row) {
            exhibit.odd_flows = 0;
        }
        if exhibit.own_bits + exhibit.shared_bits <= 0.0 {
            return;
        }
        self.add(host, (peer, seen.service), exhibit, |exhibit| later.complete(exhibit));
    }

    /// Files an exhibit that has its flow.
    fn put(&mut self, host: Host, peer: Host, service: Service, mut exhibit: Exhibit) {
        self.add(host, (peer, service), &mut exhibit, |_| ());
    }

    /// Adds an exhibit to the case of a device, which is to be reviewed then; refused where there are too many cases.
    fn add(&mut self, host: Host, with: (Host, Service), exhibit: &mut Exhibit, complete: impl Fn(&mut Exhibit)) {
        if self.filed.cases.len() >= MAX_CASES && !self.filed.cases.contains_key(&host) {
            self.counters.cases_refused += 1;
            return;
        }
        let most = if self.conversations < MAX_EVIDENCE { MAX_CONVERSATIONS } else { FEW_CONVERSATIONS };
        let case = self.filed.cases.entry(host).or_default();
        if !std::mem::replace(&mut case.is_touched, true) {
            self.filed.touched.push(host);
        }
        let before = case.conversations();
        // What is over must not count again for being added to.
        case.expire(exhibit.seen);
        case.add(with, exhibit, most, complete);
        self.conversations = (self.conversations + case.conversations()).saturating_sub(before);
    }

    fn count_conversations(&mut self) {
        self.conversations = self.filed.cases.values().map(|case| case.conversations()).sum();
    }

    fn close(&mut self, key: (Host, Class), now: Timestamp, notices: &mut Vec<Notice>) {
        if let Some(mut incident) = self.filed.incidents.remove(&key) {
            if !incident.has_paused {
                self.filed.remember(&incident, now);
            }
            self.counters.notices += 1;
            notices.push(incident.close(now));
        }
    }

    /// Was an attack of this class told of a device where each is told once, and is it over?
    fn is_told(&self, host: Host, class: Class) -> bool {
        self.knowledge.judges_itself && self.filed.told.contains(&(host, class))
    }
}

#[cfg(test)]
mod tests {
    use super::super::classify::Around;
    use super::super::evidence::Detail;
    use super::super::flow_ref::FlowRef;
    use super::super::memory::Earlier;
    use super::super::recent::Context;
    use super::super::surprise::Surprise;
    use super::super::testing::{LATER_MS, flow, host, taught};
    use super::*;
    use crate::feature::FactKind;
    use crate::time::Span;

    #[test]
    fn what_is_over_does_not_count_again_for_being_added_to() {
        let told_after = |seconds: i64| {
            let mut docket = Docket::new(taught(), DetectorConfig::default());
            let start = Timestamp::from_parts(LATER_MS / 1000, 0);
            let (now, mut notices) = (start + Span::from_secs(seconds), Vec::new());
            for (at, bits) in [(start, 12.0), (now, 2.0)] {
                let part = Contribution::of(Evidence::NewOffer, 1.0, bits);
                let flow = FlowRef::of_link(host(1), host(2));
                docket.put(host(1), host(2), Service::ARP, Exhibit::of_itself(Class::NewService, part, flow, (at, at, at)));
            }
            docket.tick(now, &mut notices);
            notices.len()
        };
        assert_eq!((told_after(200), told_after(400)), (1, 0));
    }

    #[test]
    fn the_same_news_of_a_second_device_is_told_with_the_first() {
        let mut docket = Docket::new(taught(), DetectorConfig::default());
        let start = Timestamp::from_parts(LATER_MS / 1000, 0);
        let mut beacon = |device: u8, minute: i64, about: u64| {
            let (now, mut notices) = (start + Span::from_secs(minute * 60), Vec::new());
            docket.tick(now - Span::from_secs(1), &mut notices);
            let part = Contribution { about, ..Contribution::of(Evidence::NewFact(FactKind::Domain), 1.0, 30.0) };
            let flow = FlowRef::of_link(host(device), host(2));
            let exhibit = Exhibit::of_itself(Class::Beaconing, part, flow, (now, now, now));
            docket.put(host(device), host(2), Service::ARP, exhibit);
            docket.tick(now, &mut notices);
            notices
                .iter()
                .map(|notice| (notice.state, notice.incident.host, notice.incident.also.iter().copied().collect::<Vec<_>>()))
                .collect::<Vec<_>>()
        };
        use super::super::IncidentState::{Closed, Open, Update};
        assert_eq!(beacon(1, 0, 7), [(Open, host(1), vec![])]);
        assert_eq!(beacon(3, 2, 7), [(Update, host(1), vec![host(3)])], "while it is open");
        assert_eq!(beacon(4, 50, 7), [(Update, host(1), vec![host(3), host(4)])], "it goes on for hours then");
        assert_eq!(beacon(5, 51, 8), [(Open, host(5), vec![])], "another news");
        assert!(beacon(6, 120, 7).contains(&(Update, host(1), vec![host(3), host(4), host(6)])));
        let again = beacon(7, 700, 7);
        assert!(again.contains(&(Closed, host(1), vec![host(3), host(4), host(6)])));
        assert!(again.contains(&(Open, host(7), vec![host(1), host(3), host(4), host(6)])), "who was told before is named");
        assert_eq!(beacon(3, 1200, 7).iter().filter(|(state, ..)| *state == Open).count(), 0, "told within the day");
        let is_suspect = |device: u8| docket.is_suspect(host(device), start + Span::from_secs(86_000));
        assert_eq!([is_suspect(3), is_suspect(4), is_suspect(9)], [true, true, false], "none of them is learned from");
    }

    #[test]
    fn a_conversation_that_comes_back_goes_on_and_another_is_another_incident() {
        use super::super::IncidentState::{Closed, Open};
        let mut docket = Docket::new(taught(), DetectorConfig::default());
        let mut shows = |minute: i64, peer: u8, bits: f64| {
            let now = Timestamp::from_parts(LATER_MS / 1000 + minute * 60, 0);
            let part = Contribution { about: peer.into(), ..Contribution::of(Evidence::NewPeer, 1.0, bits) };
            let exhibit =
                Exhibit::of_itself(Class::LateralMovement, part, FlowRef::of_link(host(1), host(peer)), (now, now, now));
            docket.put(host(1), host(peer), Service { protocol: 6, port: 22 }, exhibit);
            let mut notices = Vec::new();
            docket.tick(now, &mut notices);
            docket.tick(now + Span::from_secs(301), &mut notices);
            notices.iter().map(|notice| notice.state).filter(|state| matches!(state, Open | Closed)).collect::<Vec<_>>()
        };
        assert_eq!(shows(0, 2, 30.0), [Open]);
        assert_eq!(shows(10, 2, 30.0), [], "it goes on");
        assert_eq!(shows(14, 2, 0.5), [], "too little to go on with");
        assert_eq!(shows(20, 3, 30.0), [Closed, Open], "another device");
    }

    #[test]
    fn amplification_and_attacks_on_pages_from_outside_are_told_of_who_answers() {
        let told = |(class, detail): (Class, Detail)| {
            let knowledge = taught();
            let mut docket = Docket::new(Arc::clone(&knowledge), DetectorConfig::default());
            let (record, mut seen) = flow(LATER_MS, 66, 100, 389, true);
            (seen.orig_local, seen.resp_local) = (false, true);
            let new = Some(Contribution { detail, ..Contribution::of(Evidence::NewOffer, 1.0, 30.0) });
            let surprise = Surprise { new, unknown_edge: true, ..Surprise::default() };
            let assessment = Assessment { surprise, context: None, class, anywhere: None, population: None };
            docket.file(&seen, &assessment, Later { flow: &|| Some(FlowRef::of(&record)), shape: &|_| () });
            let mut notices = Vec::new();
            docket.tick(seen.seen, &mut notices);
            notices.iter().map(|notice| notice.incident.host).collect::<Vec<_>>()
        };
        let [flood, page] = [Class::Flood, Class::WebAttack];
        let hosts = [(flood, Detail::Amplified), (flood, Detail::Nothing), (page, Detail::Nothing)].map(told);
        assert_eq!(hosts, [100, 66, 100].map(|last| vec![host(last)]));
    }

    #[test]
    fn what_many_begin_to_ask_of_one_at_home_is_no_beacon_and_is_told_as_a_service() {
        let knowledge = taught();
        let mut docket = Docket::new(Arc::clone(&knowledge), DetectorConfig::default());
        let weighed = (1..=10).map(|n| {
            let seen = flow(LATER_MS + i64::from(n) * 100, n, 100, 5000, true).1;
            let found = knowledge.vocabulary.matches(&seen);
            let surprise = Surprise::of((&seen, Earlier::default()), found, &knowledge, DetectorConfig::default().without);
            let slow = Some(Contribution::of(Evidence::Rhythm, 60.0, 9.0));
            let context = Context { slow, ..Context::default() };
            docket.weigh(&seen, &Finding { surprise, context, around: Around::default(), anywhere: None, is_known: true }, 0.0)
        });
        let (beats, weighed): (Vec<bool>, Vec<_>) = weighed.map(|it| (it.context.is_some(), it)).unzip();
        assert_eq!(beats, [vec![true; 4], vec![false; 6]].concat());
        assert_eq!((weighed[0].class, weighed[9].class), (Class::Beaconing, Class::NewService), "100 never offered it");
    }
}

//! What speaks against one device in the last minutes.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeSet, BinaryHeap};

use serde::{Deserialize, Serialize};

use super::class::Class;
use super::exhibit::Exhibit;
use super::exhibits::{Exhibits, With};
use super::flow_ref::FlowRef;
use super::incident::Incident;
use super::reasons::{merged, reasons};
use super::score::{Score, Shown};
use crate::app::App;
use crate::feature::Host;
use crate::flow::Service;
use crate::model::Map;
use crate::time::{Span, Timestamp};

/// How long evidence counts.
pub const WINDOW: Span = Span::from_secs(300);
/// Conversations with evidence kept of one device; beyond, the weakest goes.
pub(super) const MAX_CONVERSATIONS: usize = 256;
/// Peers of an incident that is told with what else its device did with them.
const MAX_PEERS_WITH_RELATED: usize = 8;

/// All evidence about one device.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Case {
    exhibits: Exhibits,
    /// When full: the bits that a new conversation must exceed. Never too high: bits of a conversation only grow.
    floor_bits: f64,
    /// When full: its conversations, the weakest on top, with the bits that they had when they were put here. Empty until asked
    /// for.
    #[serde(skip)]
    weakest: BinaryHeap<Weak>,
    /// Flows with evidence since the last look, by class, also of conversations that are not kept.
    new_flows: Vec<(Class, u64)>,
    /// Peers with evidence since the last look and their most bits, also of conversations that are not kept.
    new_peers: Map<(Class, Host), f64>,
    /// Was evidence of a conversation not kept, because there were too many?
    has_left_out: bool,
    /// What its conversations speak of, until that may have changed.
    #[serde(skip)]
    scored: Option<Scored>,
    /// No conversation was without evidence since before this; nothing until they were looked through.
    #[serde(skip)]
    oldest: Option<Timestamp>,
    /// Is its device among those to be looked at?
    #[serde(skip)]
    pub(super) is_touched: bool,
}

/// What each conversation speaks of among the others, in their order, and the scores by class.
#[derive(Clone, Debug)]
struct Scored {
    classes: Vec<Class>,
    scores: Vec<(Class, f64)>,
}

/// A conversation and its bits, as an integer of the same order: they are never negative.
type Weak = Reverse<(u64, With)>;

/// Peers noted between two looks at the most.
const MAX_NEW_PEERS: usize = 1024;
/// Room for so many is kept from one look to the next.
const FEW_PEERS: usize = 14;

impl Case {
    /// Takes the evidence of one flow. Bits of flows of one conversation do not add: the strongest stands for all.
    /// What is not known of it yet is worked out by `complete` where it is kept. Beyond `most` conversations the weakest goes.
    pub fn add(&mut self, (peer, service): (Host, Service), new: &mut Exhibit, most: usize, complete: impl Fn(&mut Exhibit)) {
        match self.new_flows.iter_mut().find(|(class, _)| *class == new.class) {
            Some((_, flows)) => *flows += new.flows,
            None => self.new_flows.push((new.class, new.flows)),
        }
        if self.new_peers.len() < MAX_NEW_PEERS || self.new_peers.contains_key(&(new.class, peer)) {
            let most = self.new_peers.entry((new.class, peer)).or_default();
            *most = most.max(new.bits());
        } else {
            self.has_left_out = true;
        }
        if let Some(old) = self.exhibits.get_mut((peer, service)) {
            if old.merge(new, complete) {
                self.scored = None;
            }
            return;
        }
        let with = (peer, service);
        let mut weakest = None;
        if self.exhibits.len() >= most {
            self.has_left_out = true;
            weakest = self.make_room(weak(with, new));
            if weakest.is_none() {
                return;
            }
        }
        complete(new);
        self.scored = None;
        self.oldest = if self.exhibits.is_empty() { Some(new.seen) } else { self.oldest.map(|oldest| oldest.min(new.seen)) };
        self.floor_bits = self.floor_bits.min(new.bits());
        if let Some(weakest) = weakest {
            self.exhibits.replace(weakest, with, new.clone());
            return;
        }
        if !self.weakest.is_empty() {
            self.weakest.push(weak(with, new));
        }
        self.exhibits.insert(with, new.clone());
    }

    /// Conversations that are kept.
    pub fn conversations(&self) -> usize {
        self.exhibits.len()
    }

    /// The weakest conversation, if it is weaker than a new one, which takes its place among the weak; it is looked for only when that may be
    /// so.
    fn make_room(&mut self, new: Weak) -> Option<With> {
        let bits = f64::from_bits(new.0.0);
        if bits <= self.floor_bits {
            return None;
        }
        if self.weakest.is_empty() {
            self.weakest = self.exhibits.iter().map(|(with, exhibit)| weak(with, exhibit)).collect();
        }
        // Bits of a conversation only grow: one that has more by now sinks, and what is on top then is the weakest.
        while let Some(mut top) = self.weakest.peek_mut() {
            let Reverse((then, with)) = *top;
            let Some(exhibit) = self.exhibits.get(with) else {
                PeekMut::pop(top);
                continue;
            };
            let now = weak(with, exhibit);
            if now.0.0 != then {
                *top = now;
                continue;
            }
            self.floor_bits = exhibit.bits();
            if bits <= self.floor_bits {
                return None;
            }
            *top = new;
            return Some(with);
        }
        None
    }

    /// Forgets what is older than the window; is anything left?
    pub fn expire(&mut self, now: Timestamp) -> bool {
        if self.oldest.is_none_or(|oldest| now.since(oldest) >= WINDOW) {
            let are_less = self.exhibits.retain(|exhibit| now.since(exhibit.seen) < WINDOW);
            self.oldest = self.exhibits.values().map(|exhibit| exhibit.seen).min();
            if are_less {
                (self.scored, self.floor_bits) = (None, 0.0);
                self.weakest.clear();
            }
        }
        !self.exhibits.is_empty()
    }

    /// Scores by class, in bits, in the order of the classes.
    #[must_use]
    pub fn scores(&mut self) -> Vec<(Class, f64)> {
        let scored = self.scored.get_or_insert_with(|| {
            let classes = self.exhibits.classes();
            let scores = Score::bits_of(&self.exhibits, &classes);
            Scored { classes, scores }
        });
        scored.scores.clone()
    }

    /// The conversation that speaks loudest of a class.
    #[must_use]
    pub fn strongest(&self, class: Class) -> Option<Shown<'_>> {
        self.of_class(class).max_by(|a, b| a.1.bits().total_cmp(&b.1.bits()))
    }

    /// The conversations that speak of a class.
    pub(super) fn of_class(&self, class: Class) -> impl Iterator<Item = Shown<'_>> {
        let known = self.scored.as_ref().map(|scored| &scored.classes);
        let classes = known.map_or_else(|| Cow::Owned(self.exhibits.classes()), Cow::Borrowed);
        self.exhibits.iter().enumerate().filter(move |&(place, _)| classes[place] == class).map(|(_, shown)| shown)
    }

    /// Puts the evidence of a class into an incident, opened where there is none yet. What is in it and has not changed is passed over:
    /// an incident only grows.
    pub fn report(&mut self, class: Class, host: Host, bits: f64, incident: Option<Incident>) -> Option<Incident> {
        let opened = incident.is_none();
        if incident.as_ref().is_none_or(|incident| incident.class != class) {
            let of_another = self.exhibits.values_mut().filter(|exhibit| exhibit.reported == Some(class));
            of_another.for_each(|exhibit| exhibit.reported = None);
        }
        let is_stronger = incident.as_ref().is_none_or(|incident| bits > incident.bits);
        let is_new = |exhibit: &Exhibit| exhibit.reported != Some(class);
        let of_class = self.of_class(class);
        let mut exhibits: Vec<Shown<'_>> = of_class.filter(|(_, exhibit)| is_stronger || is_new(exhibit)).collect();
        exhibits.sort_by(|a, b| b.1.bits().total_cmp(&a.1.bits()).then(a.0.cmp(&b.0)));
        let mut incident = if is_stronger {
            let first = exhibits.iter().map(|(_, exhibit)| exhibit.first).min()?;
            let best = exhibits.iter().find_map(|(_, exhibit)| exhibit.flow.clone())?;
            let mut incident = incident.unwrap_or_else(|| Incident::new(class, host, best.clone(), first));
            if bits > incident.bits {
                (incident.bits, incident.flow) = (bits, best);
                incident.reasons = reasons(class, host, &exhibits);
                incident.score = Score::of(exhibits.iter().copied());
            }
            incident
        } else {
            incident?
        };
        if incident.class != class {
            incident.class = class;
            // What is told now is about whom this is done to.
            if let Some(best) = exhibits.iter().find_map(|(_, exhibit)| exhibit.flow.clone()) {
                incident.flow = best;
            }
            incident.reasons = merged(class, reasons(class, host, &exhibits), std::mem::take(&mut incident.reasons));
        }
        let kept_flows = exhibits.iter().map(|(_, exhibit)| exhibit.flows).sum();
        exhibits.retain(|(_, exhibit)| is_new(exhibit));
        exhibits.iter().for_each(|&(with, exhibit)| tell(&mut incident, with, exhibit));
        self.tell_related(&mut incident);
        let new_peers = self.new_peers.iter().filter(|((noted, _), _)| *noted == class);
        let mut new_peers: Vec<(Host, f64)> = new_peers.map(|(&(_, peer), &bits)| (peer, bits)).collect();
        new_peers.sort_unstable_by_key(|&(peer, _)| peer);
        new_peers.into_iter().for_each(|(peer, bits)| incident.add_peer(peer, bits));
        incident.is_complete &= !self.has_left_out;
        let new_flows = self.new_flows.iter().find(|(of, _)| *of == class).map_or(0, |&(_, flows)| flows);
        incident.flows += if opened { new_flows.max(kept_flows).max(1) } else { new_flows };
        let told: Vec<With> = exhibits.into_iter().map(|(with, _)| with).collect();
        for with in told {
            if let Some(exhibit) = self.exhibits.get_mut(with) {
                exhibit.reported = Some(class);
            }
        }
        Some(incident)
    }

    /// Puts into an incident with few peers what else is held against its device about them, and into one that leads out the questions for the
    /// names by which it calls them, where these are in no incident themselves: not enough to be told of alone, but what a person would look
    /// for next.
    fn tell_related(&self, incident: &mut Incident) {
        if incident.peers.len() > MAX_PEERS_WITH_RELATED {
            return;
        }
        let unreported = self.exhibits.iter().filter(|(_, exhibit)| exhibit.reported.is_none());
        let (with_peers, others): (Vec<_>, Vec<_>) = unreported.partition(|((peer, _), _)| incident.peers.contains_key(peer));
        with_peers.into_iter().for_each(|((_, service), exhibit)| incident.relate(service, exhibit));
        if !incident.class.leads_out() {
            return;
        }
        let names: BTreeSet<Box<str>> = incident.names.iter().flatten().cloned().collect();
        let asks = |flow: &FlowRef| flow.app == App::Dns && flow.names().iter().any(|name| names.contains(name));
        for ((peer, service), exhibit) in others.into_iter().filter(|(_, exhibit)| exhibit.flow.as_ref().is_some_and(asks)) {
            incident.add_peer(peer, exhibit.bits());
            incident.relate(service, exhibit);
        }
    }

    /// Forgets what was new since the last look.
    pub fn looked(&mut self) {
        self.new_flows.clear();
        if self.new_peers.capacity() > FEW_PEERS {
            self.new_peers = Map::default();
        } else {
            self.new_peers.clear();
        }
    }
}

/// Puts what a conversation shows into an incident.
fn tell(incident: &mut Incident, (peer, service): (Host, Service), exhibit: &Exhibit) {
    incident.first = incident.first.min(exhibit.first);
    exhibit.also.into_iter().for_each(|host| incident.add_subject(host));
    incident.last = incident.last.max(exhibit.last);
    incident.touch(exhibit.seen);
    incident.add_peer(peer, exhibit.bits());
    if incident.conversations.len() < MAX_CONVERSATIONS || incident.conversations.contains_key(&(peer, service)) {
        let (own, shared) = incident.conversations.entry((peer, service)).or_default();
        (*own, *shared) = (own.max(exhibit.own_bits), shared.max(exhibit.shared_bits));
    }
    incident.add_service(service, exhibit.flow.as_ref());
}

const fn weak(with: With, exhibit: &Exhibit) -> Weak {
    Reverse((exhibit.bits().to_bits(), with))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::evidence::{Contribution, Evidence};
    use super::super::testing::{flow, host};
    use super::*;
    use crate::feature::FactKind;

    fn exhibit(class: Class, own_bits: f64, shared_bits: f64, second: i64) -> Exhibit {
        let at = Timestamp::from_parts(second, 0);
        Exhibit {
            class,
            own_bits,
            ordinary_bits: 0.0,
            shared_bits,
            parts: [None; 3],
            flow: None,
            also: None,
            first: at,
            last: at,
            seen: at,
            odd_flows: 0,
            flows: 1,
            is_of_new_server: false,
            reported: None,
        }
    }

    fn score(case: &mut Case, class: Class) -> f64 {
        case.scores().into_iter().find(|&(of, _)| of == class).map_or(0.0, |(_, bits)| bits)
    }

    fn tcp(port: u16) -> Service {
        Service { protocol: 6, port }
    }

    #[test]
    fn a_rate_that_only_attacks_have_counts_whole() {
        let part = |evidence, bits| Some(Contribution::of(evidence, 0.0, bits));
        let parts = [None, part(Evidence::NewShape, 2.0), part(Evidence::FlowRate, 12.0)];
        let (_, seen) = flow(0, 1, 100, 445, true);
        let bits = |class, ordinary_bits| {
            let exhibit = Exhibit::of(&seen, class, parts, ordinary_bits);
            (exhibit.own_bits, exhibit.ordinary_bits)
        };
        assert_eq!(bits(Class::BruteForce, 10.0), (12.0, 1.0), "of its shape the ordinary is taken, of its rate nothing");
        assert_eq!(bits(Class::Unusual, 10.0), (3.0, 10.0));
        assert_eq!(bits(Class::BruteForce, 0.5), (12.5, 0.5));
    }

    #[test]
    fn the_strongest_counts_whole_and_the_shared_once() {
        let mut case = Case::default();
        case.add((host(2), tcp(80)), &mut exhibit(Class::Unusual, 8.0, 5.0, 0), MAX_CONVERSATIONS, |_| ());
        case.add((host(3), tcp(80)), &mut exhibit(Class::Unusual, 6.0, 5.0, 0), MAX_CONVERSATIONS, |_| ());
        assert_eq!(score(&mut case, Class::Unusual), 5.0 + 8.0 + 6.0 / 2.0);
    }

    #[test]
    fn flows_of_one_conversation_do_not_add() {
        let mut case = Case::default();
        for _ in 0..100 {
            case.add((host(2), tcp(80)), &mut exhibit(Class::Unusual, 8.0, 0.0, 0), MAX_CONVERSATIONS, |_| ());
        }
        assert_eq!(score(&mut case, Class::Unusual), 8.0);
    }

    #[test]
    fn odd_flows_in_a_row_count_by_their_doublings() {
        let mut case = Case::default();
        for _ in 0..16 {
            let mut odd = Exhibit { odd_flows: 1, ..exhibit(Class::CriticalAccess, 8.0, 0.0, 0) };
            case.add((host(2), tcp(104)), &mut odd, MAX_CONVERSATIONS, |_| ());
        }
        assert_eq!(score(&mut case, Class::CriticalAccess), 8.0 + 6.0);
    }

    #[test]
    fn the_first_flows_of_a_scan_belong_to_it() {
        let mut case = Case::default();
        case.add((host(2), tcp(80)), &mut exhibit(Class::Unusual, 8.0, 0.0, 0), MAX_CONVERSATIONS, |_| ());
        case.add((host(2), tcp(81)), &mut exhibit(Class::Scan, 8.0, 0.0, 0), MAX_CONVERSATIONS, |_| ());
        case.add((host(3), tcp(80)), &mut exhibit(Class::Unusual, 1.0, 0.0, 0), MAX_CONVERSATIONS, |_| ());
        assert_eq!(case.scores(), [(Class::Scan, 12.0), (Class::Unusual, 1.0)]);
    }

    #[test]
    fn the_first_flows_of_a_sweep_belong_to_it() {
        let mut case = Case::default();
        case.add((host(2), tcp(445)), &mut exhibit(Class::NewDevice, 8.0, 0.0, 0), MAX_CONVERSATIONS, |_| ());
        case.add((host(3), tcp(445)), &mut exhibit(Class::Sweep, 8.0, 0.0, 0), MAX_CONVERSATIONS, |_| ());
        case.add((host(3), tcp(80)), &mut exhibit(Class::Unusual, 1.0, 0.0, 0), MAX_CONVERSATIONS, |_| ());
        assert_eq!(case.scores(), [(Class::Sweep, 12.0), (Class::Unusual, 1.0)]);
    }

    /// What a flow of an application with these facts shows.
    fn shown(class: Class, app: App, facts: &[(FactKind, &str)], parts: &[(Evidence, f64)]) -> Exhibit {
        let facts = facts.iter().map(|&(kind, text)| (kind, text.into())).collect();
        let flow = FlowRef { app, facts, ..FlowRef::of_link(host(1), host(9)) };
        let part = |n: usize| parts.get(n).map(|&(evidence, bits)| Contribution::of(evidence, 1.0, bits));
        Exhibit { flow: Some(flow), parts: [part(0), part(1), part(2)], ..exhibit(class, 20.0, 0.0, 0) }
    }

    fn evidence(incident: &Incident) -> Vec<Evidence> {
        incident.reasons.iter().map(|reason| reason.part.evidence).collect()
    }

    #[test]
    fn what_makes_it_an_incident_of_its_class_is_the_first_reason() {
        let mut case = Case::default();
        let parts = [(Evidence::NewPeer, 6.0), (Evidence::OddShape(1), 13.0), (Evidence::TargetRate, 10.0)];
        case.add((host(9), tcp(445)), &mut shown(Class::Sweep, App::Smb, &[], &parts), MAX_CONVERSATIONS, |_| ());
        let incident = case.report(Class::Sweep, host(1), 20.0, None).unwrap();
        assert_eq!(evidence(&incident), [Evidence::TargetRate, Evidence::OddShape(1), Evidence::NewPeer]);
        // Told as something else by now, with fewer bits: what makes it so comes first, and what was told before stays.
        let mut case = Case::default();
        case.add(
            (host(9), tcp(445)),
            &mut shown(Class::Beaconing, App::Smb, &[], &[(Evidence::Rhythm, 9.0)]),
            MAX_CONVERSATIONS,
            |_| (),
        );
        let incident = case.report(Class::Beaconing, host(1), 19.0, Some(incident)).unwrap();
        assert_eq!(evidence(&incident), [Evidence::Rhythm, Evidence::OddShape(1), Evidence::TargetRate, Evidence::NewPeer]);
    }

    #[test]
    fn what_else_it_did_with_a_peer_and_asked_for_its_name_belongs_to_it() {
        let mut case = Case::default();
        let dns = Service { protocol: 17, port: 53 };
        let name = [(FactKind::Name, "c2.example")];
        let volume = [(Evidence::Volume(3), 20.0)];
        case.add((host(9), tcp(8443)), &mut shown(Class::Exfiltration, App::Http, &[], &volume), MAX_CONVERSATIONS, |_| ());
        case.add((host(9), tcp(443)), &mut shown(Class::Unusual, App::Tls, &name, &[]), MAX_CONVERSATIONS, |_| ());
        case.add((host(2), dns), &mut shown(Class::Unusual, App::Dns, &name, &[]), MAX_CONVERSATIONS, |_| ());
        case.add((host(3), tcp(443)), &mut shown(Class::Unusual, App::Tls, &name, &[]), MAX_CONVERSATIONS, |_| ());
        let incident = case.report(Class::Exfiltration, host(1), 20.0, None).unwrap();
        assert_eq!(incident.peers.keys().copied().collect::<Vec<_>>(), [host(2), host(9)]);
        assert_eq!(incident.services, [tcp(8443), tcp(443), dns]);
        assert_eq!(incident.conversations.len(), 1, "only what it is about counts as told");
    }

    #[test]
    fn memory_is_bounded_and_the_strongest_stay() {
        let mut case = Case::default();
        for port in 0..5000 {
            case.add(
                (host(2), tcp(port)),
                &mut exhibit(Class::Unusual, f64::from(port % 1000), 0.0, 0),
                MAX_CONVERSATIONS,
                |_| (),
            );
        }
        assert_eq!(case.exhibits.len(), MAX_CONVERSATIONS);
        assert!(case.exhibits.values().any(|exhibit| exhibit.own_bits == 999.0));
        assert_eq!(case.new_flows, [(Class::Unusual, 5000)], "all are counted");
        assert!(case.has_left_out);
    }

    #[test]
    fn where_little_room_is_left_the_strongest_few_stay() {
        let mut case = Case::default();
        for port in 0..100 {
            case.add((host(2), tcp(port)), &mut exhibit(Class::Unusual, f64::from(port % 10), 0.0, 0), 4, |_| ());
        }
        assert_eq!(case.conversations(), 4);
        assert!(case.exhibits.values().all(|exhibit| exhibit.own_bits == 9.0) && case.has_left_out);
    }

    #[test]
    fn old_evidence_is_forgotten() {
        let mut case = Case::default();
        case.add((host(2), tcp(80)), &mut exhibit(Class::Unusual, 8.0, 0.0, 0), MAX_CONVERSATIONS, |_| ());
        assert!(case.expire(Timestamp::from_parts(299, 0)));
        assert!(!case.expire(Timestamp::from_parts(300, 0)));
    }

    #[test]
    fn a_full_case_keeps_what_looking_through_all_would_keep() {
        let (mut case, mut wanted, mut state) = (Case::default(), BTreeMap::<(Host, Service), f64>::new(), 7_u64);
        for step in 0..6000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (peer, service) = (host((state >> 40) as u8), Service { protocol: 6, port: (state >> 50) as u16 % 4 });
            // Few values, so that many are alike.
            let bits = (1 + (state >> 33) % 40) as f64;
            case.add((peer, service), &mut exhibit(Class::Unusual, bits, 0.0, 0), MAX_CONVERSATIONS, |_| ());
            let weakest = wanted.iter().min_by(|a, b| a.1.total_cmp(b.1)).map(|(&key, &bits)| (key, bits));
            let is_known = wanted.contains_key(&(peer, service));
            let is_kept = match weakest.filter(|_| !is_known && wanted.len() >= MAX_CONVERSATIONS) {
                Some((key, least)) => bits > least && wanted.remove(&key).is_some(),
                None => true,
            };
            if is_kept {
                let most = wanted.entry((peer, service)).or_default();
                *most = most.max(bits);
            }
            if step % 500 == 0 {
                assert!(case.expire(Timestamp::from_parts(1, 0)));
            }
        }
        let kept: BTreeMap<_, _> = case.exhibits.iter().map(|(with, exhibit)| (with, exhibit.bits())).collect();
        assert_eq!(kept, wanted);
    }
}

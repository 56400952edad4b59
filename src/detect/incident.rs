//! An incident and its life.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::answer::AnsweredBy;
use super::class::Class;
use super::evidence::Contribution;
use super::exhibit::Exhibit;
use super::flow_ref::FlowRef;
use super::notice::Notice;
use super::score::Score;
use crate::feature::Host;
use crate::flow::Service;
use crate::time::{Span, Timestamp};

/// Peers named in an incident at the most: those with the most bits.
const MAX_PEERS: usize = 64;
/// An incident of more is not of each of them.
const FEW_PEERS: usize = 8;
/// Services named in an incident at the most: the first ones.
const MAX_SERVICES: usize = 64;
/// Other devices that an incident is about at the most: the first ones.
const MAX_SUBJECTS: usize = 64;
/// Different names of conversations in an incident at the most: the first ones.
const MAX_NAMES: usize = 64;
/// An update is told at most this often, and only when flows, bits or peers have grown by half, or another device is part of it; that it has another class at once.
const UPDATE_EVERY: Span = Span::from_secs(60);
/// What begins within this time begins together.
const TOGETHER: Span = Span::from_secs(60);
/// Where an incident is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IncidentState {
    /// Told for the first time.
    Open,
    /// It goes on.
    Update,
    /// Nothing more came, or the capture ended.
    Closed,
}

impl IncidentState {
    /// As written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Update => "update",
            Self::Closed => "closed",
        }
    }
}

/// A reason and the flow that gave it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cause {
    /// What was surprising.
    pub part: Contribution,
    /// Of which device.
    pub host: Host,
    /// With whom: a device, whatever its address in the flow.
    pub peer: Host,
    /// On which service.
    pub service: Service,
    /// About which flow.
    pub flow: FlowRef,
}

/// An earlier incident of the same story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// Its identifier.
    pub id: u64,
    /// What kind it was by then.
    pub class: Class,
    /// The device that it was about.
    pub host: Host,
    /// First packet of its first flow.
    pub first: Timestamp,
}

/// What was seen of a device that is worth a person's time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Incident {
    /// The same for all its lines and in every run.
    pub id: u64,
    /// What kind.
    pub class: Class,
    /// The device that it is about.
    pub host: Host,
    /// Other devices that it is about: the one whose address was claimed.
    pub also: BTreeSet<Host>,
    /// The devices at the other end and the bits that each brought; at most 64.
    pub peers: BTreeMap<Host, f64>,
    /// Services involved.
    pub services: Vec<Service>,
    /// Conversations (peer and service) involved and their own and shared bits; bounded as those of a case.
    pub conversations: BTreeMap<(Host, Service), (f64, f64)>,
    /// What the strongest flow of each conversation called itself: a server's name (TLS, HTTP, DNS) or AE titles; an empty list
    /// where one said nothing. At most 64 different ones.
    pub names: BTreeSet<Vec<Box<str>>>,
    /// Do peers, services and names hold all that there were?
    pub is_complete: bool,
    /// First packet of its first flow.
    pub first: Timestamp,
    /// Last packet of its latest flow.
    pub last: Timestamp,
    /// Flows with evidence.
    pub flows: u64,
    /// Score, in bits: the highest so far.
    pub bits: f64,
    /// What the score is made of.
    pub score: Score,
    /// Its strongest reasons, one of a kind.
    pub reasons: Vec<Cause>,
    /// The flow that shows it best.
    pub flow: FlowRef,
    /// Identifier of the first incident of its story; its own where it is the first.
    pub story: u64,
    /// Incidents of its story that were opened before it, in their order; at most 16: the first and the latest.
    pub earlier: Vec<Episode>,
    /// Further ones that are not named.
    pub earlier_left_out: u64,
    /// The answer that hides it, or hid lines of it before this one.
    pub answered_by: Option<Arc<AnsweredBy>>,
    /// Name of the file with its packets, where they are kept.
    pub evidence: Option<Arc<str>>,
    /// Does it go on for longer, because other devices may join?
    pub is_shared: bool,
    /// Is it of a device by which others are administered?
    pub is_of_administrator: bool,
    told: Option<Told>,
    pub(super) latest_evidence: Timestamp,
    /// Has nothing come for some minutes, so that it goes on only with what it told of?
    pub(super) has_paused: bool,
    /// Bits that a further peer must exceed where there are too many: never too high, for bits of a peer only grow.
    #[serde(skip)]
    least_bits: f64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Told {
    at: Timestamp,
    class: Class,
    flows: u64,
    bits: f64,
    peers: usize,
    subjects: usize,
}

impl Incident {
    /// The devices that it names, some of them twice.
    pub fn named(&self) -> impl Iterator<Item = Host> {
        let earlier = self.earlier.iter().map(|episode| episode.host);
        std::iter::once(self.host).chain(self.also.iter().copied()).chain(self.peers.keys().copied()).chain(earlier)
    }

    /// A new one.
    #[must_use]
    pub fn new(class: Class, host: Host, flow: FlowRef, first: Timestamp) -> Self {
        let seed = (host.0.bits() as u64) ^ (host.0.bits() >> 64) as u64;
        let id = (seed ^ (first.nanos() as u64).rotate_left(17) ^ (class as u64) << 57).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let id = id ^ id >> 29;
        Self {
            id,
            class,
            host,
            also: BTreeSet::new(),
            peers: BTreeMap::new(),
            services: Vec::new(),
            conversations: BTreeMap::new(),
            names: BTreeSet::new(),
            is_complete: true,
            first,
            last: first,
            flows: 0,
            bits: 0.0,
            score: Score::default(),
            reasons: Vec::new(),
            flow,
            story: id,
            earlier: Vec::new(),
            earlier_left_out: 0,
            answered_by: None,
            evidence: None,
            is_shared: false,
            is_of_administrator: false,
            told: None,
            latest_evidence: first,
            has_paused: false,
            least_bits: 0.0,
        }
    }

    /// Is this what `class` tells of by its strongest conversation? A scan, or anything with a few peers, and what looks merely unusual with
    /// these are one thing, and so are a sweep and what looks so on its service alone.
    #[must_use]
    pub fn is_same(&self, class: Class, strongest: (Host, Service), first: Timestamp) -> bool {
        // That a service was looked for tells nothing of the guessing, or of the data, that follows.
        if self.class.is_search() && class.is_deed() {
            return false;
        }
        let is_vague = |class: Class| matches!(class, Class::Unusual | Class::NewDevice);
        // What is done with one of many that looked unusual is a thing of its own.
        if is_vague(self.class) && class.is_deed() {
            return self.score.terms.first().is_some_and(|term| (term.peer, term.service) == strongest);
        }
        let is_scan = |class: Class| matches!(class, Class::Scan | Class::Sweep);
        let of_scan = is_vague(self.class) && is_scan(class) || is_scan(self.class) && is_vague(class);
        let (peer, service) = strongest;
        // What has a name of its own is told with what is unusual beside it.
        if class == Class::Unusual && !self.is_shared && self.is_told_of(peer) {
            return true;
        }
        // So is new access, whichever came first, and where both begin together: a device that is switched on does much that is new.
        let (first_unusual, then_unusual) = (self.class == Class::Unusual, class == Class::Unusual);
        let is_beside = first_unusual && class.is_new_access() || then_unusual && self.class.is_new_access();
        // A device that was just plugged in reaches something at once.
        let comes = |of: Class, with: Class| of == Class::NewDevice && matches!(with, Class::NewService | Class::NewWayOut);
        let is_of_newcomer = comes(self.class, class) || comes(class, self.class);
        if is_of_newcomer && !self.is_shared && self.begins_with(first) {
            return true;
        }
        if is_beside && !self.is_shared && (self.is_told_of(peer) || self.begins_with(first)) {
            return true;
        }
        // One device after the other is reached by the same service: it goes on under a name that tells more. What tells less is told apart.
        let reaches = matches!(class, Class::Sweep | Class::LateralMovement | Class::NewService);
        if self.class.is_access() && reaches && class <= self.class && self.services == [service] {
            return true;
        }
        let is_sweep = matches!(self.class, Class::Sweep) || matches!(class, Class::Sweep);
        let is_tried = self.peers.contains_key(&peer) || is_sweep && self.services == [service];
        self.conversations.contains_key(&strongest) || of_scan && is_tried
    }

    /// Did it begin in the same minute as this?
    fn begins_with(&self, first: Timestamp) -> bool {
        first.since(self.first).nanos().abs() < TOGETHER.nanos()
    }

    /// Is it of a few devices, one of which is this?
    fn is_told_of(&self, peer: Host) -> bool {
        self.peers.len() <= FEW_PEERS && self.peers.contains_key(&peer)
    }

    /// Can so many more devices be part of it?
    pub(super) fn has_room_for(&self, more: usize) -> bool {
        self.also.len() + more <= MAX_SUBJECTS
    }

    /// Names another device that it is about.
    pub fn add_subject(&mut self, host: Host) {
        if self.has_room_for(1) {
            self.also.insert(host);
        } else {
            self.is_complete &= self.also.contains(&host);
        }
    }

    /// Another device does the same with this peer: it goes on.
    pub(super) fn share(&mut self, host: Host, (peer, exhibit): (Host, &Exhibit), now: Timestamp) {
        self.add_subject(host);
        self.add_peer(peer, exhibit.bits());
        self.last = self.last.max(exhibit.last);
        self.is_shared = true;
        self.touch(now);
    }

    /// Names a conversation that belongs with it: its own time is no longer for that, and it goes on no longer.
    pub(super) fn relate(&mut self, service: Service, exhibit: &Exhibit) {
        self.add_service(service, exhibit.flow.as_ref());
    }

    /// Names a service and what the flow that shows it best called itself.
    pub fn add_service(&mut self, service: Service, flow: Option<&FlowRef>) {
        if !self.services.contains(&service) {
            if self.services.len() < MAX_SERVICES {
                self.services.push(service);
            } else {
                self.is_complete = false;
            }
        }
        let names = flow.map(FlowRef::names).unwrap_or_default();
        if !self.names.contains(&names) {
            if self.names.len() < MAX_NAMES {
                self.names.insert(names);
            } else {
                self.is_complete = false;
            }
        }
    }

    /// Names a peer, in place of the weakest where there are too many.
    pub fn add_peer(&mut self, peer: Host, bits: f64) {
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&peer) {
            self.is_complete = false;
            if bits <= self.least_bits {
                return;
            }
            let weakest = self.peers.iter().min_by(|a, b| a.1.total_cmp(b.1)).map(|(&peer, &bits)| (peer, bits));
            let Some((weakest, least)) = weakest else { return };
            self.least_bits = least;
            if bits <= least {
                return;
            }
            self.peers.remove(&weakest);
        }
        let most = self.peers.entry(peer).or_default();
        *most = most.max(bits);
    }

    /// MITRE ATT&CK technique and tactic of what it tells, where one fits.
    #[must_use]
    pub fn attack(&self) -> Option<(&'static str, &'static str)> {
        self.reasons.first().and_then(|reason| reason.part.evidence.attack()).or(self.class.info().attack)
    }

    /// Its peers, the one with the most bits first.
    #[must_use]
    pub fn ranked_peers(&self) -> Vec<Host> {
        let mut peers: Vec<(&Host, &f64)> = self.peers.iter().collect();
        peers.sort_by(|a, b| b.1.total_cmp(a.1).then(a.0.cmp(b.0)));
        peers.into_iter().map(|(&host, _)| host).collect()
    }

    /// Notes the moment of evidence, so that quiet can be told.
    pub fn touch(&mut self, now: Timestamp) {
        self.latest_evidence = self.latest_evidence.max(now);
        self.has_paused = false;
    }

    /// Is it worth telling at `now`, and as what? Telling is remembered.
    pub fn tell(&mut self, now: Timestamp) -> Option<Notice> {
        let state = match self.told {
            None => IncidentState::Open,
            Some(told) => {
                let grown = |now: f64, then: f64| now >= 1.5 * then;
                let has_grown = grown(self.flows as f64, told.flows as f64)
                    || grown(self.bits, told.bits)
                    || grown(self.peers.len() as f64, told.peers as f64)
                    || self.also.len() + 1 > told.subjects;
                let is_renamed = self.class != told.class;
                if !is_renamed && (now.since(told.at) < UPDATE_EVERY || !has_grown) {
                    return None;
                }
                IncidentState::Update
            }
        };
        Some(self.notice(now, state))
    }

    /// Its last line.
    pub fn close(&mut self, now: Timestamp) -> Notice {
        self.notice(now, IncidentState::Closed)
    }

    fn notice(&mut self, raised: Timestamp, state: IncidentState) -> Notice {
        self.told = Some(Told {
            at: raised,
            class: self.class,
            flows: self.flows,
            bits: self.bits,
            peers: self.peers.len(),
            subjects: self.also.len() + 1,
        });
        Notice { raised, state, incident: self.clone(), is_degraded: false, present: BTreeMap::new() }
    }
}

/// The service of a flow as a person says it: `dns`, `tls (tcp/8443)`, `tcp/9999`.
pub(super) fn service_in_words(flow: &FlowRef) -> String {
    let port = if matches!(flow.key.protocol, 1 | 58) { flow.orig_port } else { flow.resp_port };
    let service = Service { protocol: flow.key.protocol, port };
    match flow.app.name() {
        "unknown" | "failed" => service.to_string(),
        app => format!("{app} ({service})"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::score::Term;
    use super::super::testing::host;
    use super::*;

    /// When nothing begins with an incident any more.
    const LATER: Timestamp = Timestamp::from_parts(60, 0);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_parts(second, 0)
    }

    fn incident() -> Incident {
        let mut incident = Incident::new(Class::Scan, host(1), FlowRef::of_link(host(1), host(2)), at(0));
        (incident.flows, incident.bits) = (100, 20.0);
        incident.add_peer(host(2), 1.0);
        incident
    }

    #[test]
    fn a_scan_is_not_the_guessing_that_follows() {
        let (mut incident, with) = (incident(), (host(2), Service { protocol: 6, port: 22 }));
        incident.conversations.insert(with, (9.0, 0.0));
        let is_same =
            [Class::Unusual, Class::LateralMovement, Class::BruteForce].map(|class| incident.is_same(class, with, LATER));
        assert_eq!(is_same, [true, true, false]);
    }

    #[test]
    fn what_is_unusual_beside_it_is_told_with_what_has_a_name() {
        let mut incident = Incident::new(Class::LateralMovement, host(1), FlowRef::of_link(host(1), host(2)), at(0));
        incident.add_peer(host(2), 9.0);
        let is_same = |incident: &Incident, class| incident.is_same(class, (host(2), Service { protocol: 6, port: 88 }), LATER);
        assert!(is_same(&incident, Class::Unusual) && !is_same(&incident, Class::Exfiltration));
        (3..=10).for_each(|n| incident.add_peer(host(n), 9.0));
        assert!(!is_same(&incident, Class::Unusual), "one of many");
        let of_another = (host(99), Service { protocol: 17, port: 1900 });
        let begins = |incident: &Incident, class, second| incident.is_same(class, of_another, at(second));
        assert_eq!([59, 60].map(|second| begins(&incident, Class::Unusual, second)), [true, false], "in the same minute");
        incident.class = Class::Unusual;
        assert!(begins(&incident, Class::LateralMovement, 59) && !begins(&incident, Class::LateralMovement, 60));
        assert!(!begins(&incident, Class::Exfiltration, 59), "a deed");
    }

    #[test]
    fn a_service_by_which_one_after_the_other_is_reached_is_one_thing() {
        let ssh = Service { protocol: 6, port: 22 };
        let mut incident = Incident::new(Class::NewService, host(1), FlowRef::of_link(host(1), host(2)), at(0));
        incident.services.push(ssh);
        let is_same = |incident: &Incident, class, service| incident.is_same(class, (host(3), service), LATER);
        let classes = [Class::LateralMovement, Class::Sweep, Class::BruteForce];
        assert_eq!(classes.map(|class| is_same(&incident, class, ssh)), [true, true, false]);
        assert!(!is_same(&incident, Class::LateralMovement, Service { port: 3389, ..ssh }));
        incident.class = Class::Sweep;
        assert!(!is_same(&incident, Class::LateralMovement, ssh), "what is done with one of those that were found");
    }

    #[test]
    fn what_is_done_with_one_of_many_that_looked_unusual_is_a_thing_of_its_own() {
        let of_service = |port: u16| (host(2), Service { protocol: 6, port });
        let mut incident = Incident::new(Class::Unusual, host(1), FlowRef::of_link(host(1), host(2)), at(0));
        [80, 445].into_iter().for_each(|port| _ = incident.conversations.insert(of_service(port), (9.0, 0.0)));
        let term = |(peer, service)| Term { peer, service, bits: 9.0, ordinary_bits: 0.0, repeated_bits: 0.0, parts: Vec::new() };
        incident.score = Score { terms: vec![term(of_service(80)), term(of_service(445))], ..Score::default() };
        let is_same = |port| incident.is_same(Class::BruteForce, of_service(port), LATER);
        assert_eq!((is_same(80), is_same(445)), (true, false));
        assert!(incident.is_same(Class::LateralMovement, of_service(445), LATER), "which tells less");
    }

    #[test]
    fn it_is_opened_once_and_updated_when_it_has_grown_by_half_after_a_minute() {
        let mut incident = incident();
        let state = |notice: Option<Notice>| notice.map(|notice| notice.state);
        assert_eq!(state(incident.tell(at(10))), Some(IncidentState::Open));
        incident.flows = 150;
        assert_eq!(state(incident.tell(at(69))), None, "too soon");
        assert_eq!(state(incident.tell(at(70))), Some(IncidentState::Update));
        incident.flows = 224;
        assert_eq!(state(incident.tell(at(1000))), None, "too little");
        incident.bits = 30.0;
        assert_eq!(state(incident.tell(at(1000))), Some(IncidentState::Update));
        incident.add_peer(host(3), 1.0);
        assert_eq!(state(incident.tell(at(1100))), Some(IncidentState::Update), "a second peer");
        incident.class = Class::Sweep;
        assert_eq!(state(incident.tell(at(1101))), Some(IncidentState::Update), "another class, at once");
        assert_eq!(state(incident.tell(at(1102))), None);
        assert_eq!((incident.close(at(2000)).state, incident.close(at(2000)).raised), (IncidentState::Closed, at(2000)));
    }

    #[test]
    fn peers_are_bounded_and_the_strongest_stay() {
        let mut incident = incident();
        (0..200).for_each(|n| incident.add_peer(host(n), f64::from(n)));
        assert_eq!(incident.peers.len(), MAX_PEERS);
        assert!(incident.peers.contains_key(&host(199)) && !incident.peers.contains_key(&host(0)));
    }

    #[test]
    fn a_device_that_comes_and_reaches_something_is_one_thing() {
        let is_same = |open: Class, class: Class, second: i64| {
            let incident = Incident::new(open, host(1), FlowRef::of_link(host(1), host(2)), at(0));
            incident.is_same(class, (host(9), Service::ARP), at(second))
        };
        let (new, reaches, out) = (Class::NewDevice, Class::NewService, Class::NewWayOut);
        let pairs = [(new, reaches), (reaches, new), (new, out)];
        assert_eq!(pairs.map(|(open, class)| [is_same(open, class, 30), is_same(open, class, 90)]), [[true, false]; 3]);
        assert!(!is_same(Class::NewDevice, Class::LateralMovement, 30));
    }

    #[test]
    fn what_is_beside_it_is_named_and_lengthens_nothing() {
        let (mut incident, part) = (incident(), Contribution::of(super::super::evidence::Evidence::NewPeer, 1.0, 15.0));
        let beside = Exhibit::of_itself(Class::Unusual, part, incident.flow.clone(), (at(-900), at(900), at(900)));
        incident.relate(Service::ARP, &beside);
        assert_eq!((incident.first, incident.last, incident.services.len()), (at(0), at(0), 1));
    }
}

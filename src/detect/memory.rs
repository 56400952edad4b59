//! What a detector remembers of what it has seen: so much of it that another one can go on from there.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::arp::Claims;
use super::asking::Asking;
use super::callers::Callers;
use super::campaign::Campaigns;
use super::carriers::Carriers;
use super::case::Case;
use super::class::Class;
use super::evidence::Of;
use super::fit::Fit;
use super::giver::Givers;
use super::habit::Habits;
use super::incident::{Incident, IncidentState};
use super::lease::Leases;
use super::moved::Moved;
use super::newcomer::Introduced;
use super::notice::Notice;
use super::population::Changes;
use super::probes::Probes;
use super::reaches::Reaches;
use super::recent::Recent;
use super::relay::Relays;
use super::silence::Silences;
use super::stopped::Stopped;
use super::story::Stories;
use crate::feature::{Host, Observation};
use crate::model::{HostBaseline, Map};
use crate::time::{Span, Timestamp};

/// Devices with a case at the same time; a further one waits until another is forgotten.
pub(super) const MAX_CASES: usize = 100_000;

/// What was seen and told. Every part of it is bounded.
#[derive(Default, Serialize, Deserialize)]
pub struct Memory {
    pub(super) lately: Lately,
    pub(super) filed: Filed,
}

impl Memory {
    /// Takes a notice that was told after all of this was remembered: the incident goes on as it was told.
    pub fn take_up(&mut self, notice: &Notice) {
        self.filed.take_up(notice);
    }

    /// Incidents that go on.
    #[must_use]
    pub fn open_incidents(&self) -> usize {
        self.filed.incidents.len()
    }
}

/// The same as it is, to be written. The order of the fields is their form.
#[derive(Clone, Copy, Serialize)]
pub struct Remembered<'d> {
    pub(super) lately: &'d Lately,
    pub(super) filed: &'d Filed,
}

impl Remembered<'_> {
    /// Incidents that go on.
    #[must_use]
    pub fn open_incidents(&self) -> usize {
        self.filed.incidents.len()
    }
}

/// What earlier conversations say of one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Earlier {
    /// Is its peer one whose name its initiator knew, at another address?
    pub is_moved: bool,
    /// Is it about a name that others had its initiator ask for?
    pub is_passed_on: bool,
    /// Does its initiator call back one outside whom it served?
    pub is_call_back: bool,
    /// Does it ask for one more of many names that may carry data?
    pub carries: bool,
    /// Does it touch one more of many services without a word?
    pub is_probe: bool,
    /// How many devices its initiator reached lately by a service that is new to it, or by which it logs in; 0 where that says nothing.
    pub reached: u32,
}

/// What devices did lately: what an [`Assessor`](super::Assessor) remembers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Lately {
    pub(super) recent: Recent,
    pub(super) moved: Moved,
    pub(super) relays: Relays,
    pub(super) callers: Callers,
    pub(super) carriers: Carriers,
    pub(super) probes: Probes,
    pub(super) reaches: Reaches,
    pub(super) silences: Silences,
    pub(super) looked_for_silence: Timestamp,
    listened: Listened,
}

impl Lately {
    /// Takes an observation of an initiator of which that is known. Returns what earlier conversations say of it.
    pub(super) fn earlier(&mut self, seen: &Observation, orig: Option<&HostBaseline>) -> Earlier {
        self.serve(seen);
        self.carriers.observe(seen, orig);
        self.probes.observe(seen, orig);
        let is_moved = self.moved.observe(seen, orig);
        Earlier { is_moved, ..self.apart_from_moves(seen) }
    }

    /// What earlier conversations say of an observation that was taken.
    pub(super) fn had_before(&self, seen: &Observation) -> Earlier {
        Earlier { is_moved: self.moved.has(seen), ..self.apart_from_moves(seen) }
    }

    fn apart_from_moves(&self, seen: &Observation) -> Earlier {
        let (is_passed_on, is_call_back) = (self.relays.has(seen), self.callers.has(seen));
        let (carries, is_probe, reached) = (self.carriers.has(seen), self.probes.has(seen), self.reaches.of(seen));
        Earlier { is_moved: false, is_passed_on, is_call_back, carries, is_probe, reached }
    }

    /// Takes what an observation says of its responder.
    pub(super) fn serve(&mut self, seen: &Observation) {
        self.relays.observe(seen);
        self.callers.observe(seen);
    }

    /// Notes that it is listened now; `is_first` says that it was not since the last time.
    pub(super) fn listen(&mut self, now: Timestamp, is_first: bool, most_pause: Option<Span>) {
        // An end without a single packet has no time.
        if now == Timestamp::MIN {
            return;
        }
        self.recent.begin(now);
        let last = self.listened.until;
        let pause = self.listened.now(now, most_pause);
        if is_first || pause.is_some() {
            self.silences.skip(last, now);
            self.recent.resume(now);
        }
    }
}

/// What speaks against devices and what was told of it: what a [`Docket`](super::Docket) remembers.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Filed {
    /// Boxed, so that little is moved when there are more.
    pub cases: Map<Host, Box<Case>>,
    /// Devices whose cases are to be looked at.
    pub touched: Vec<Host>,
    pub incidents: BTreeMap<(Host, Class), Incident>,
    pub habits: Habits,
    /// Devices whose attacks on any network were told: a scanner that comes every hour is told once.
    pub told: BTreeSet<(Host, Class)>,
    pub introduced: Introduced,
    pub stories: Stories,
    pub changes: Changes,
    pub campaigns: Campaigns,
    pub claims: Claims,
    pub leases: Leases,
    pub givers: Givers,
    pub asking: Asking,
    pub fit: Fit,
    pub stopped: Stopped,
    /// The minute of the last look at what is over.
    pub minute: i64,
    listened: Listened,
}

impl Filed {
    /// The most bits of an open incident of one of these that names the other.
    pub fn bits_between(&self, ends: [Host; 2]) -> f64 {
        let [one, other] = ends;
        let of = |host: Host, peer: Host| {
            let open = self.incidents.range((host, Class::Scan)..=(host, Class::Unusual));
            open.filter(move |(_, incident)| incident.peers.contains_key(&peer)).map(|(_, incident)| incident.bits)
        };
        of(one, other).chain(of(other, one)).fold(0.0, f64::max)
    }

    fn take_up(&mut self, notice: &Notice) {
        let Notice { raised, state, incident, .. } = notice;
        self.incidents.retain(|_, open| open.id != incident.id);
        self.introduced.note(incident);
        self.stories.take_up(incident, *raised);
        match state {
            IncidentState::Open | IncidentState::Update => {
                self.incidents.insert((incident.host, incident.class), incident.clone());
            }
            IncidentState::Closed => self.remember(incident, *raised),
        }
    }

    /// Notes that it is listened now.
    pub fn listen(&mut self, now: Timestamp, most_pause: Option<Span>) {
        if let Some(pause) = self.listened.now(now, most_pause) {
            // What nobody could see is no sign that an incident is over.
            self.incidents.values_mut().for_each(|incident| incident.skip(pause));
        }
    }

    /// Until when it was listened.
    pub const fn listened_until(&self) -> Timestamp {
        self.listened.until
    }

    /// Remembers an incident that is over, or that pauses.
    pub fn remember(&mut self, incident: &Incident, now: Timestamp) {
        self.habits.remember(incident, now);
        let is_of_any_network = incident.reasons.iter().any(|reason| reason.part.of == Of::AnyNetwork);
        if is_of_any_network && self.told.len() < MAX_CASES {
            self.told.insert((incident.host, incident.class));
        }
    }
}

/// Until when it was listened.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Listened {
    until: Timestamp,
}

impl Listened {
    /// It is listened now. Tells of a pause before that was longer than it may be.
    fn now(&mut self, now: Timestamp, most_pause: Option<Span>) -> Option<Span> {
        // An end without a single packet has no time.
        if now == Timestamp::MIN {
            return None;
        }
        let last = std::mem::replace(&mut self.until, now);
        let pause = now.since(last);
        (last != Timestamp::default() && most_pause.is_some_and(|most| pause > most)).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::super::flow_ref::FlowRef;
    use super::super::testing::host;
    use super::*;

    #[test]
    fn an_end_without_a_packet_is_no_time_of_listening() {
        let mut lately = Lately::default();
        lately.listen(Timestamp::from_parts(6000, 0), false, None);
        lately.listen(Timestamp::MIN, true, None);
        assert_eq!(lately.listened.until.seconds(), 6000);
        lately.listen(Timestamp::from_parts(7200, 0), true, None);
        assert_eq!(lately.listened.until.seconds(), 7200);
    }

    #[test]
    fn a_clock_that_is_set_forward_ends_no_incident_and_one_that_is_set_back_moves_nothing() {
        let at = |second: i64| Timestamp::from_parts(second, 0);
        let second = Some(Span::from_secs(1));
        let incident = Incident::new(Class::Flood, host(1), FlowRef::of_link(host(1), host(2)), at(1000));
        let mut filed = Filed::default();
        filed.incidents.insert((host(1), Class::Flood), incident);
        let is_quiet = |filed: &Filed, now: i64| filed.incidents[&(host(1), Class::Flood)].is_quiet(at(now));
        filed.listen(at(1001), second);
        filed.listen(at(4601), second);
        assert!(!is_quiet(&filed, 4601) && !is_quiet(&filed, 5498) && is_quiet(&filed, 5500), "3600 s that nobody saw");
        filed.listen(at(1002), second);
        assert!(is_quiet(&filed, 5500) && !is_quiet(&filed, 1902));
        filed.listen(at(9000), None);
        assert!(is_quiet(&filed, 9000), "of packets that are far apart nobody missed any");
    }
}

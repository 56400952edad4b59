//! What a detector remembers of what it has seen: so much of it that another one can go on from there.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::arp::Claims;
use super::case::Case;
use super::class::Class;
use super::evidence::Of;
use super::fit::Fit;
use super::habit::Habits;
use super::incident::{Incident, IncidentState, Notice};
use super::population::Changes;
use super::recent::Recent;
use super::silence::Silences;
use super::story::Stories;
use crate::feature::Host;
use crate::time::{Span, Timestamp};

/// Devices with a case at the same time; a further one waits until another is forgotten.
pub(super) const MAX_CASES: usize = 100_000;

/// What was seen and told. Every part of it is bounded.
#[derive(Default, Serialize, Deserialize)]
pub struct Memory {
    pub(super) recent: Recent,
    pub(super) cases: BTreeMap<Host, Case>,
    pub(super) touched: BTreeSet<Host>,
    pub(super) incidents: BTreeMap<(Host, Class), Incident>,
    pub(super) habits: Habits,
    /// Devices whose attacks on any network were told: a scanner that comes every hour is told once.
    pub(super) told: BTreeSet<(Host, Class)>,
    pub(super) stories: Stories,
    pub(super) changes: Changes,
    pub(super) fit: Fit,
    pub(super) claims: Claims,
    pub(super) silences: Silences,
    pub(super) looked_for_silence: Timestamp,
    /// Until when it was listened.
    pub(super) last_tick: Timestamp,
}

impl Memory {
    /// Takes a notice that was told after all of this was remembered: the incident goes on as it was told.
    pub fn take_up(&mut self, notice: &Notice) {
        let Notice { raised, state, incident, .. } = notice;
        self.incidents.retain(|_, open| open.id != incident.id);
        self.stories.take_up(incident, *raised);
        match state {
            IncidentState::Open | IncidentState::Update => {
                self.incidents.insert((incident.host, incident.class), incident.clone());
            }
            IncidentState::Closed => self.remember(incident, *raised),
        }
    }

    /// Notes that it is listened now; `is_first` says that it was not since the last time.
    pub(super) fn listen(&mut self, now: Timestamp, is_first: bool, most_pause: Option<Span>) {
        // An end without a single packet has no time.
        if now == Timestamp::MIN {
            return;
        }
        let is_pause = self.last_tick != Timestamp::default() && most_pause.is_some_and(|most| now.since(self.last_tick) > most);
        if is_first || is_pause {
            self.silences.skip(self.last_tick, now);
        }
        if is_pause {
            // What nobody could see is no sign that an incident is over.
            let pause = now.since(self.last_tick);
            self.incidents.values_mut().for_each(|incident| incident.skip(pause));
        }
        self.last_tick = now;
    }

    /// Remembers an incident that is over.
    pub(super) fn remember(&mut self, incident: &Incident, now: Timestamp) {
        self.habits.remember(incident, now);
        let is_of_any_network = incident.reasons.iter().any(|reason| reason.part.of == Of::AnyNetwork);
        if is_of_any_network && self.told.len() < MAX_CASES {
            self.told.insert((incident.host, incident.class));
        }
    }

    /// Incidents that go on.
    #[must_use]
    pub fn open_incidents(&self) -> usize {
        self.incidents.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::incident::FlowRef;
    use super::super::testing::host;
    use super::*;

    #[test]
    fn an_end_without_a_packet_is_no_time_of_listening() {
        let mut memory = Memory::default();
        memory.listen(Timestamp::from_parts(6000, 0), false, None);
        memory.listen(Timestamp::MIN, true, None);
        assert_eq!(memory.last_tick.seconds(), 6000);
        memory.listen(Timestamp::from_parts(7200, 0), true, None);
        assert_eq!(memory.last_tick.seconds(), 7200);
    }

    #[test]
    fn a_clock_that_is_set_forward_ends_no_incident_and_one_that_is_set_back_moves_nothing() {
        let at = |second: i64| Timestamp::from_parts(second, 0);
        let second = Some(Span::from_secs(1));
        let incident = Incident::new(Class::Scan, host(1), FlowRef::of_link(host(1), host(2)), at(1000));
        let mut memory = Memory::default();
        memory.incidents.insert((host(1), Class::Scan), incident);
        let is_quiet = |memory: &Memory, now: i64| memory.incidents[&(host(1), Class::Scan)].is_quiet(at(now));
        memory.listen(at(1001), false, second);
        memory.listen(at(4601), false, second);
        assert!(!is_quiet(&memory, 4601) && !is_quiet(&memory, 4898) && is_quiet(&memory, 4900), "3600 s that nobody saw");
        memory.listen(at(1002), false, second);
        assert!(is_quiet(&memory, 4900) && !is_quiet(&memory, 1302));
        memory.listen(at(9000), false, None);
        assert!(is_quiet(&memory, 9000), "of packets that are far apart nobody missed any");
    }
}

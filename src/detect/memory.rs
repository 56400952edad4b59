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
use crate::time::Timestamp;

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
    pub(super) fn listen(&mut self, now: Timestamp, is_first: bool) {
        // An end without a single packet has no time.
        if now == Timestamp::MIN {
            return;
        }
        if is_first {
            self.silences.skip(self.last_tick, now);
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
    use super::*;

    #[test]
    fn an_end_without_a_packet_is_no_time_of_listening() {
        let mut memory = Memory::default();
        memory.listen(Timestamp::from_parts(6000, 0), false);
        memory.listen(Timestamp::MIN, true);
        assert_eq!(memory.last_tick.seconds(), 6000);
        memory.listen(Timestamp::from_parts(7200, 0), true);
        assert_eq!(memory.last_tick.seconds(), 7200);
    }
}

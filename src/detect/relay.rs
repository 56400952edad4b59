//! Names that devices were asked for and passed on: what a proxy does about them is its clients' doing.

use serde::{Deserialize, Serialize};

use super::latest::Latest;
use crate::feature::{Fact, FactKind, Host, Observation};

/// Names remembered at the most; the one that was first asked for goes.
const MAX_NAMES: usize = 50_000;

/// Which domains devices at home passed on for others at home. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Relays {
    asked: Latest<(Host, Fact), MAX_NAMES>,
}

impl Relays {
    /// Takes an observation. Whoever asks from outside has nothing passed on: it would excuse what it makes the device do.
    pub fn observe(&mut self, seen: &Observation) {
        if !(seen.passed_on && seen.orig_local && seen.resp_local) {
            return;
        }
        let Some(domain) = domain(seen) else { return };
        self.asked.insert((seen.resp, domain));
    }

    /// Is it about a domain that others had its initiator ask for?
    #[must_use]
    pub fn has(&self, seen: &Observation) -> bool {
        domain(seen).is_some_and(|domain| self.asked.contains((seen.orig, domain)))
    }
}

fn domain(seen: &Observation) -> Option<Fact> {
    seen.facts.iter().copied().find(|fact| fact.kind == FactKind::Domain)
}

#[cfg(test)]
mod tests {
    use super::super::testing::flow;
    use super::*;

    fn about(from: u8, to: u8, domain: &str) -> Observation {
        let (_, mut seen) = flow(0, from, to, 443, true);
        seen.facts = vec![Fact::new(FactKind::Domain, domain)];
        (seen.orig_local, seen.resp_local) = (true, true);
        seen
    }

    #[test]
    fn what_a_device_passed_on_is_not_its_own() {
        let mut relays = Relays::default();
        let passed_on = Observation { passed_on: true, ..about(1, 100, "asked.example") };
        relays.observe(&about(1, 100, "own.example"));
        relays.observe(&Observation { orig_local: false, ..Observation { passed_on: true, ..about(1, 100, "outside.example") } });
        assert!(!relays.has(&about(100, 9, "asked.example")), "not asked yet");
        relays.observe(&passed_on);
        let has = |from, domain| relays.has(&about(from, 9, domain));
        assert!(has(100, "asked.example"));
        assert!(!has(1, "asked.example"), "the client's own");
        assert!(!has(100, "own.example") && !has(100, "outside.example") && !has(100, "other.example"));
    }
}

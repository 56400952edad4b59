//! Peers at new addresses whose names their clients knew.

use serde::{Deserialize, Serialize};

use super::latest::Latest;
use crate::feature::{FactKind, Observation, names_service};
use crate::model::{Conversation, Edge, HostBaseline};

/// Conversations remembered at the most; the one that was first goes.
const MAX_CONVERSATIONS: usize = 50_000;

/// Conversations with a peer that is new by its address and known by its name: the same service, moved. A connection that lasts says the name in its first flow
/// only. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Moved {
    known: Latest<Conversation, MAX_CONVERSATIONS>,
}

impl Moved {
    /// Takes an observation of an initiator of which that is known. Is its peer one that moved? Never of a device of which nothing is known.
    pub fn observe(&mut self, seen: &Observation, orig: Option<&HostBaseline>) -> bool {
        let Some(orig) = orig.filter(|orig| !orig.edges.contains(Edge { service: seen.service, peer: seen.resp })) else {
            return false;
        };
        let key = (seen.orig, seen.resp, seen.service);
        let mut names = seen.facts.iter().filter(|fact| fact.kind == FactKind::Name && names_service(seen.app)).peekable();
        if names.peek().is_none() {
            return self.known.contains(key);
        }
        let is_known = names.any(|name| orig.facts.contains(*name));
        if is_known {
            self.known.insert(key);
        }
        is_known
    }

    /// Is the peer of an observation that was taken one that moved?
    #[must_use]
    pub fn has(&self, seen: &Observation) -> bool {
        self.known.contains((seen.orig, seen.resp, seen.service))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LATER_MS, flow};
    use super::*;
    use crate::app::App;
    use crate::feature::Fact;

    fn client() -> HostBaseline {
        let mut client = HostBaseline::default();
        client.facts.add(Fact::new(FactKind::Name, "known.example"), 10);
        client.edges.add(Edge { service: flow(0, 1, 100, 443, true).1.service, peer: flow(0, 1, 100, 443, true).1.resp }, 10);
        client
    }

    /// A segment of a connection with this device, with or without a name.
    fn segment(to: u8, name: Option<&str>) -> Observation {
        let (_, mut seen) = flow(LATER_MS, 1, to, 443, true);
        seen.app = App::Tls;
        seen.facts = name.into_iter().map(|name| Fact::new(FactKind::Name, name)).collect();
        seen
    }

    #[test]
    fn a_connection_that_said_a_known_name_has_it_to_its_end() {
        let (mut moved, client) = (Moved::default(), client());
        let mut is_moved = |to, name| moved.observe(&segment(to, name), Some(&client));
        assert!(!is_moved(100, Some("known.example")), "its address is known");
        assert!(!is_moved(101, None) && !is_moved(101, Some("other.example")) && !is_moved(101, None));
        assert!(is_moved(102, Some("known.example")) && is_moved(102, None));
        assert!(moved.has(&segment(102, None)) && !moved.has(&segment(101, None)));
        assert!(!moved.observe(&segment(102, Some("known.example")), None), "nothing is known of its client");
    }
}

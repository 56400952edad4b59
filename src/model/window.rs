//! One minute of the network: who did what how often. Baselines are made of these, and the present is compared by them.

use std::collections::{BTreeMap, BTreeSet};

use crate::feature::{Fact, Host, Observation};
use crate::flow::Service;

/// Devices followed within one minute; those beyond are not counted in it.
const MAX_HOSTS: usize = 65_536;
/// Targets and values followed of one device within one minute.
const MAX_VALUES: usize = 8_192;

/// A service of a peer: what a device uses, or whom it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// What was asked for.
    pub service: Service,
    /// The other end.
    pub peer: Host,
}

/// A behaviour on a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape {
    /// What was asked for.
    pub service: Service,
    /// Index of the behaviour in the vocabulary.
    pub behaviour: u16,
}

/// What one device began within the minute.
#[derive(Clone, Debug, Default)]
pub struct Initiated {
    /// Flows per target: (device, service).
    pub targets: BTreeMap<(Host, Service), u32>,
    /// Different services tried per device.
    pub services_by_peer: BTreeMap<Host, u32>,
    /// Different devices tried per service.
    pub peers_by_service: BTreeMap<Service, u32>,
    /// Flows per service.
    pub services: BTreeMap<Service, u32>,
    /// Attempts to connect that failed.
    pub failed: u32,
    /// Edges used.
    pub edges: BTreeSet<Edge>,
    /// What its applications said of themselves.
    pub facts: BTreeSet<Fact>,
    /// Behaviours shown.
    pub shapes: BTreeSet<Shape>,
    /// Is the device at home?
    pub local: bool,
}

/// What one device served within the minute, by service.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// Flows.
    pub flows: u32,
    /// Who asked.
    pub clients: BTreeSet<Host>,
    /// Did the device answer any?
    pub answered: bool,
    /// Is the device at home?
    pub local: bool,
}

/// Counts of the current minute.
#[derive(Clone, Debug, Default)]
pub struct Minute {
    /// By initiator.
    pub initiated: BTreeMap<Host, Initiated>,
    /// By responder and service.
    pub served: BTreeMap<(Host, Service), Served>,
}

impl Minute {
    /// Counts an observation; `behaviour` is what it looked like, once complete.
    pub fn add(&mut self, seen: &Observation, behaviour: u16) {
        if self.initiated.len() < MAX_HOSTS || self.initiated.contains_key(&seen.orig) {
            self.initiated.entry(seen.orig).or_default().add(seen, behaviour);
        }
        let key = (seen.resp, seen.service);
        if seen.is_first_sight() && (self.served.len() < MAX_HOSTS || self.served.contains_key(&key)) {
            self.served.entry(key).or_default().add(seen);
        }
    }
}

impl Initiated {
    fn add(&mut self, seen: &Observation, behaviour: u16) {
        self.local = seen.orig_local;
        if seen.is_first_sight() {
            self.add_target(seen.resp, seen.service);
            if self.services.len() < MAX_VALUES || self.services.contains_key(&seen.service) {
                *self.services.entry(seen.service).or_default() += 1;
            }
            self.failed += u32::from(seen.failed);
        }
        if self.edges.len() < MAX_VALUES {
            self.edges.insert(Edge { service: seen.service, peer: seen.resp });
        }
        if self.facts.len() < MAX_VALUES {
            self.facts.extend(&seen.facts);
        }
        if seen.is_complete() && !seen.continued && self.shapes.len() < MAX_VALUES {
            self.shapes.insert(Shape { service: seen.service, behaviour });
        }
    }
}

impl Initiated {
    fn add_target(&mut self, resp: Host, service: Service) {
        if let Some(flows) = self.targets.get_mut(&(resp, service)) {
            *flows += 1;
        } else if self.targets.len() < MAX_VALUES {
            self.targets.insert((resp, service), 1);
            *self.services_by_peer.entry(resp).or_default() += 1;
            *self.peers_by_service.entry(service).or_default() += 1;
        }
    }
}

impl Served {
    fn add(&mut self, seen: &Observation) {
        self.flows += 1;
        self.local = seen.resp_local;
        self.answered |= seen.answered();
        if self.clients.len() < MAX_VALUES {
            self.clients.insert(seen.orig);
        }
    }
}

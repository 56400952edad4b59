//! What each device normally does, and what the network as a whole does.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::hash::Hash;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::histogram::Histogram;
use super::pooled::Pooled;
use super::window::{Edge, Initiated, Map, Minute, Served, Shape, sorted};
use crate::feature::{Fact, Host, Observation};
use crate::flow::Service;
use crate::time::Timestamp;

/// Devices that have a baseline of their own; further ones are judged by the network's.
pub const MAX_HOSTS: usize = 2_000_000;
/// Devices outside among them: further ones are told from their first sight by the device that they speak to.
const MAX_OUTSIDE: usize = 4_000;
/// Services of one device that have their own histograms.
const MAX_SERVICES: usize = 256;

/// What flows of one service usually look like and how many there are in a minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceBaseline {
    /// Flows per minute to one target, in minutes that had any.
    pub flows_per_min: Histogram,
    /// Payload bytes that the initiator sent per flow.
    pub bytes_orig: Histogram,
    /// Payload bytes that the responder sent per flow.
    pub bytes_resp: Histogram,
    /// Duration per flow, in milliseconds.
    pub duration_ms: Histogram,
}

impl ServiceBaseline {
    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        self.flows_per_min.merge(&other.flows_per_min);
        self.bytes_orig.merge(&other.bytes_orig);
        self.bytes_resp.merge(&other.bytes_resp);
        self.duration_ms.merge(&other.duration_ms);
    }
}

/// What a service that a device offers usually gets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServedBaseline {
    /// Flows per minute, in minutes that had any.
    pub flows_per_min: Histogram,
    /// Different clients per minute, in minutes that had any.
    pub clients_per_min: Histogram,
}

/// One device's normal life.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostBaseline {
    /// Is it at home?
    pub local: bool,
    /// Minutes in which it began or served anything.
    pub minutes: u32,
    /// Services used, in minutes.
    pub services: Counts<Service>,
    /// Services of peers used, in minutes.
    pub edges: Counts<Edge>,
    /// What its applications said of themselves (names, titles, commands; hashed), in minutes.
    pub facts: Counts<Fact>,
    /// Behaviours shown on services, in minutes.
    pub shapes: Counts<Shape>,
    /// Services offered (answered), in minutes.
    pub offers: Counts<Service>,
    /// Who used its services, in minutes.
    pub clients: Counts<Edge>,
    /// How it uses services: new flows.
    #[serde(with = "by_text")]
    pub asked: BTreeMap<Service, ServiceBaseline>,
    /// The same for later segments of long flows, which have no beginning.
    #[serde(with = "by_text")]
    pub continued: BTreeMap<Service, ServiceBaseline>,
    /// How its services are used.
    #[serde(with = "by_text")]
    pub served: BTreeMap<Service, ServedBaseline>,
    /// Different targets (device and service) per minute.
    pub targets_per_min: Histogram,
    /// Failed attempts per minute, in minutes that had any.
    pub failed_per_min: Histogram,
}

/// All baselines: counts that add.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baselines {
    /// Minutes of the span learned from.
    pub span_minutes: f64,
    /// By device.
    #[serde(with = "by_text::hashed")]
    pub hosts: Map<Host, HostBaseline>,
    /// The network as a whole.
    pub pooled: Pooled,
    /// How many of the hosts came from outside.
    #[serde(skip)]
    outside: usize,
}

/// Learns baselines from observations in the order in which they were seen.
#[derive(Debug, Default)]
pub struct BaselinesBuilder {
    baselines: Baselines,
    minute: Option<i64>,
    window: Minute,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl BaselinesBuilder {
    /// Learns an observation that looked like `behaviour`.
    pub fn add(&mut self, seen: &Observation, behaviour: u16) {
        let minute = seen.seen.seconds().div_euclid(60);
        if self.minute != Some(minute) {
            self.close_minute();
            self.minute = Some(minute);
        }
        self.first = Some(self.first.map_or(seen.seen, |first| first.min(seen.seen)));
        self.last = Some(self.last.map_or(seen.seen, |last| last.max(seen.seen)));
        self.window.add(seen, behaviour);
        if seen.is_complete() {
            self.learn_volume(seen);
        }
    }

    /// The baselines so far.
    #[must_use]
    pub fn finish(mut self) -> Baselines {
        self.close_minute();
        let span = self.first.zip(self.last).map_or(0.0, |(first, last)| last.since(first).as_seconds() / 60.0);
        self.baselines.span_minutes = span.max(1.0);
        self.baselines.pool();
        self.baselines
    }

    fn learn_volume(&mut self, seen: &Observation) {
        let Some(host) = self.baselines.host_mut(seen.orig, seen.orig_local) else { return };
        let by_service = if seen.continued { &mut host.continued } else { &mut host.asked };
        let Some(service) = bounded_entry(by_service, seen.service) else { return };
        service.bytes_orig.add(f64::from(seen.vector[BYTES_ORIG]));
        service.bytes_resp.add(f64::from(seen.vector[BYTES_RESP]));
        service.duration_ms.add(f64::from(seen.vector[DURATION]) * 1e3);
    }

    fn close_minute(&mut self) {
        let window = std::mem::take(&mut self.window);
        let mut active: Vec<(Host, bool)> = window.initiated.iter().map(|(&host, told)| (host, told.local)).collect();
        active.extend(window.served.iter().map(|(&(host, _), told)| (host, told.local)));
        active.sort_unstable();
        active.dedup_by_key(|&mut (host, _)| host);
        for (host, local) in active {
            if let Some(baseline) = self.baselines.host_mut(host, local) {
                baseline.minutes += 1;
            }
        }
        // In the order of the keys: which values a full table still takes must not depend on a hash.
        let mut learn = |host: Host, teach: &mut dyn FnMut(&mut HostBaseline)| {
            if let Some(baseline) = self.baselines.hosts.get_mut(&host) {
                teach(baseline);
            }
        };
        for ((orig, resp, service), flows) in sorted(&window.conversations) {
            learn(orig, &mut |host| host.learn_conversation(service, resp, flows));
            learn(resp, &mut |host| host.clients.add(Edge { service, peer: orig }, 1));
        }
        for ((host, service), _) in sorted(&window.peers_by_service) {
            learn(host, &mut |host| host.services.add(service, 1));
        }
        for (host, told) in sorted(&window.initiated) {
            learn(host, &mut |host| host.learn_initiated(told));
        }
        for ((host, service), told) in sorted(&window.served) {
            learn(host, &mut |host| host.learn_served(service, told));
        }
        for ((host, fact), ()) in sorted(&window.facts) {
            learn(host, &mut |host| host.facts.add(fact, 1));
        }
        for ((host, shape), ()) in sorted(&window.shapes) {
            learn(host, &mut |host| host.shapes.add(shape, 1));
        }
    }
}

/// Indices of the features whose volume is judged by device and service.
pub(super) const DURATION: usize = 0;
pub(super) const BYTES_ORIG: usize = 3;
pub(super) const BYTES_RESP: usize = 4;

fn bounded_entry<V: Default>(map: &mut BTreeMap<Service, V>, service: Service) -> Option<&mut V> {
    if map.len() >= MAX_SERVICES && !map.contains_key(&service) { None } else { Some(map.entry(service).or_default()) }
}

impl Baselines {
    /// Adds what was learned of another time. The pool is that of all.
    pub fn merge(&mut self, other: &Self) {
        self.span_minutes += other.span_minutes;
        // In the order of addresses: which of too many are taken must not depend on a hash.
        let mut hosts: Vec<_> = other.hosts.iter().collect();
        hosts.sort_unstable_by_key(|(address, _)| **address);
        for (&address, host) in hosts {
            if let Some(baseline) = self.host_mut(address, host.local) {
                baseline.merge(host);
            }
        }
    }

    /// Draws the pool from the devices: after merging.
    pub fn pool(&mut self) {
        self.pooled = Pooled::of(&self.hosts);
    }

    fn host_mut(&mut self, host: Host, local: bool) -> Option<&mut HostBaseline> {
        if !self.hosts.contains_key(&host) {
            if self.hosts.len() >= MAX_HOSTS || !local && self.outside >= MAX_OUTSIDE {
                return None;
            }
            self.outside += usize::from(!local);
        }
        let baseline = self.hosts.entry(host).or_default();
        baseline.local |= local;
        Some(baseline)
    }
}

impl HostBaseline {
    fn merge(&mut self, other: &Self) {
        self.minutes += other.minutes;
        self.services.merge(&other.services);
        self.edges.merge(&other.edges);
        self.facts.merge(&other.facts);
        self.shapes.merge(&other.shapes);
        self.offers.merge(&other.offers);
        self.clients.merge(&other.clients);
        let services = [(&mut self.asked, &other.asked), (&mut self.continued, &other.continued)];
        for (mine, theirs) in services {
            for (&service, baseline) in theirs {
                if let Some(mine) = bounded_entry(mine, service) {
                    mine.merge(baseline);
                }
            }
        }
        for (&service, baseline) in &other.served {
            if let Some(mine) = bounded_entry(&mut self.served, service) {
                mine.flows_per_min.merge(&baseline.flows_per_min);
                mine.clients_per_min.merge(&baseline.clients_per_min);
            }
        }
        self.targets_per_min.merge(&other.targets_per_min);
        self.failed_per_min.merge(&other.failed_per_min);
    }

    fn learn_conversation(&mut self, service: Service, resp: Host, flows: u32) {
        self.edges.add(Edge { service, peer: resp }, 1);
        if flows > 0
            && let Some(asked) = bounded_entry(&mut self.asked, service)
        {
            asked.flows_per_min.add(f64::from(flows));
        }
    }

    fn learn_initiated(&mut self, told: Initiated) {
        self.targets_per_min.add(f64::from(told.targets));
        if told.failed > 0 {
            self.failed_per_min.add(f64::from(told.failed));
        }
    }

    fn learn_served(&mut self, service: Service, told: Served) {
        if told.answered {
            self.offers.add(service, 1);
        }
        if let Some(served) = bounded_entry(&mut self.served, service) {
            served.flows_per_min.add(f64::from(told.flows));
            served.clients_per_min.add(f64::from(told.clients));
        }
    }
}

/// Maps with keys that have a text form.
mod by_text {
    use super::{BTreeMap, Deserialize, Display, FromStr, Hash, Serialize};
    use serde::de::Error as _;
    use serde::{Deserializer, Serializer};

    pub fn serialize<K: Display, V: Serialize, S: Serializer>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(map.iter().map(|(key, value)| (key.to_string(), value)))
    }

    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: FromStr + Ord + Hash,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        let texts = BTreeMap::<String, V>::deserialize(deserializer)?;
        texts
            .into_iter()
            .map(|(text, value)| {
                let key = text.parse().map_err(|_| D::Error::custom(format!("unexpected key {text:?}")))?;
                Ok((key, value))
            })
            .collect()
    }

    /// The same for maps without an order: written in the order of the keys.
    pub mod hashed {
        use super::super::Map;
        use super::{BTreeMap, Deserialize, Deserializer, Display, FromStr, Hash, Serialize, Serializer};

        pub fn serialize<K: Display + Ord, V: Serialize, S: Serializer>(
            map: &Map<K, V>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            let sorted: BTreeMap<&K, &V> = map.iter().collect();
            super::serialize(&sorted, serializer)
        }

        pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<Map<K, V>, D::Error>
        where
            K: FromStr + Ord + Hash,
            V: Deserialize<'de>,
            D: Deserializer<'de>,
        {
            Ok(super::deserialize::<K, V, D>(deserializer)?.into_iter().collect())
        }
    }
}

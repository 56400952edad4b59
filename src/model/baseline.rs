//! What each device normally does, and what the network as a whole does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::commons::Commons;
use super::counts::{Counts, Life};
use super::histogram::Histogram;
use super::hour::{Hour, HourOfDevice};
use super::identity::Identities;
use super::pooled::{Newness, Pooled};
use super::role::{self, Role};
use super::steady::Steady;
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

/// Clinical and control conversations of one device that are followed for silence.
const MAX_STEADY: usize = 64;

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
    /// Number of its role, where it is at home.
    pub role: u16,
    /// Minutes in which it began or served anything.
    pub minutes: u32,
    /// Those of them in later parts of the time than its first.
    pub late_minutes: u32,
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
    /// When clinical and control conversations that it began were heard.
    #[serde(with = "super::keys")]
    pub steady: BTreeMap<Edge, Steady>,
    /// How it uses services: new flows.
    #[serde(with = "super::keys")]
    pub asked: BTreeMap<Service, ServiceBaseline>,
    /// The same for later segments of long flows, which have no beginning.
    #[serde(with = "super::keys")]
    pub continued: BTreeMap<Service, ServiceBaseline>,
    /// How its services are used.
    #[serde(with = "super::keys")]
    pub served: BTreeMap<Service, ServedBaseline>,
    /// Different targets (device and service) per minute.
    pub targets_per_min: Histogram,
    /// Failed attempts per minute, in minutes that had any.
    pub failed_per_min: Histogram,
    /// Logins that failed per minute, in minutes that had any.
    pub login_failures_per_min: Histogram,
    /// Files changed on shares per minute, in minutes that had any.
    pub file_changes_per_min: Histogram,
    /// Different targets per hour, in hours that had any; about.
    pub targets_per_hour: Histogram,
    /// Failed attempts and logins per hour, in hours that had any target or failure.
    pub failed_per_hour: Histogram,
}

/// All baselines: counts that add.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baselines {
    /// Minutes of the span learned from.
    pub span_minutes: f64,
    /// Which addresses are one device.
    pub identities: Identities,
    /// By device.
    #[serde(with = "super::keys::hashed")]
    pub hosts: Map<Host, HostBaseline>,
    /// The network as a whole: the devices at home, or all where there are none.
    pub pooled: Pooled,
    /// Devices at home that behave alike, the largest role first.
    pub roles: Vec<Role>,
    /// Devices at home that were first seen when the span was under way, per minute of it.
    pub newcomers_per_minute: f64,
    /// Which values are known to whom.
    #[serde(skip)]
    pub commons: Commons,
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
    hour: Hour,
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
        if let Some(ended) = self.hour.add(seen) {
            self.baselines.learn_hour(&ended);
        }
        self.window.add(seen, behaviour);
        if seen.is_complete() {
            self.learn_volume(seen);
        }
    }

    /// The baselines so far, without roles and pools.
    #[must_use]
    pub fn finish(mut self) -> Baselines {
        self.close_minute();
        if let Some(ended) = self.last.and_then(|last| std::mem::take(&mut self.hour).finish(last)) {
            self.baselines.learn_hour(&ended);
        }
        let span = self.first.zip(self.last).map_or(0.0, |(first, last)| last.since(first).as_seconds() / 60.0);
        self.baselines.span_minutes = span.max(1.0);
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
        // What goes on is used too, though nothing began.
        let mut used: Vec<(Host, Service)> = window.conversations.keys().map(|&(orig, _, service)| (orig, service)).collect();
        used.sort_unstable();
        used.dedup();
        for (host, service) in used {
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
        let minute = self.minute.unwrap_or(0);
        for ((orig, resp, service), ()) in sorted(&window.critical) {
            learn(orig, &mut |host| host.learn_steady(Edge { service, peer: resp }, minute));
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
    fn learn_hour(&mut self, ended: &Map<Host, HourOfDevice>) {
        for (host, told) in sorted(ended) {
            if let Some(baseline) = self.hosts.get_mut(&host) {
                baseline.targets_per_hour.add(told.targets());
                baseline.failed_per_hour.add(f64::from(told.failed));
            }
        }
    }

    /// Adds what was learned of a later part of the time, without roles and pools.
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

    /// Finds the roles and draws the pools from the devices: after merging. The same devices and seed give the same roles.
    pub fn pool(&mut self, seed: u64) {
        self.roles = role::assign(&mut self.hosts, seed, role::FEW);
        self.draw();
    }

    /// The same with one role for all.
    pub fn pool_as_one(&mut self) {
        self.roles = role::assign(&mut self.hosts, 0, usize::MAX);
        self.draw();
    }

    fn draw(&mut self) {
        self.prepare();
        // In the order of addresses: sums of floating point must not depend on a hash.
        let mut hosts: Vec<_> = self.hosts.iter().collect();
        hosts.sort_unstable_by_key(|(address, _)| **address);
        let any_local = hosts.iter().any(|(_, host)| host.local);
        hosts.retain(|(_, host)| host.local || !any_local);
        self.pooled = Pooled::of(hosts.iter().map(|(_, host)| *host), &self.commons, &Newness::default());
        for (number, role) in self.roles.iter_mut().enumerate() {
            let is_of_role = |address: &Host, host: &HostBaseline| address.is_device() && usize::from(host.role) == number;
            let of_role = hosts.iter().filter(|(address, host)| is_of_role(address, host)).map(|(_, host)| *host);
            role.pooled = Pooled::of(of_role, &self.commons, &self.pooled.newness);
        }
    }

    /// Draws what is not stored: after loading.
    pub(super) fn prepare(&mut self) {
        self.identities.prepare();
        self.commons = Commons::of(&self.hosts);
    }

    /// Puts devices in the place of the addresses of an observation.
    pub fn identify(&self, seen: &mut Observation) {
        self.identities.apply(seen, |host| self.hosts.contains_key(&host));
    }

    /// What devices like this one do together: those of its role, or the network where it is not known or not at home.
    #[must_use]
    pub fn like(&self, host: Option<&HostBaseline>) -> &Pooled {
        let role = host.filter(|host| host.local).and_then(|host| self.roles.get(usize::from(host.role)));
        role.map_or(&self.pooled, |role| &role.pooled)
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
    /// How long it was known.
    #[must_use]
    pub fn life(&self) -> Life {
        Life { minutes: f64::from(self.minutes), late_minutes: f64::from(self.late_minutes) }
    }

    /// Adds what was learned of the same device in a later part of the time.
    fn merge(&mut self, other: &Self) {
        let was_known = self.minutes > 0;
        self.minutes += other.minutes;
        self.late_minutes += if was_known { other.minutes } else { other.late_minutes };
        self.services.merge(&other.services, was_known);
        self.edges.merge(&other.edges, was_known);
        self.facts.merge(&other.facts, was_known);
        self.shapes.merge(&other.shapes, was_known);
        self.offers.merge(&other.offers, was_known);
        self.clients.merge(&other.clients, was_known);
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
        for (&edge, steady) in &other.steady {
            if let Some(mine) = self.steady.get_mut(&edge) {
                mine.follow(steady);
            } else if self.steady.len() < MAX_STEADY {
                self.steady.insert(edge, *steady);
            }
        }
        self.targets_per_min.merge(&other.targets_per_min);
        self.failed_per_min.merge(&other.failed_per_min);
        self.login_failures_per_min.merge(&other.login_failures_per_min);
        self.file_changes_per_min.merge(&other.file_changes_per_min);
        self.targets_per_hour.merge(&other.targets_per_hour);
        self.failed_per_hour.merge(&other.failed_per_hour);
    }

    fn learn_conversation(&mut self, service: Service, resp: Host, flows: u32) {
        self.edges.add(Edge { service, peer: resp }, 1);
        if flows > 0
            && let Some(asked) = bounded_entry(&mut self.asked, service)
        {
            asked.flows_per_min.add(f64::from(flows));
        }
    }

    fn learn_steady(&mut self, edge: Edge, minute: i64) {
        if let Some(steady) = self.steady.get_mut(&edge) {
            steady.hear(minute);
        } else if self.steady.len() < MAX_STEADY {
            self.steady.insert(edge, Steady::new(minute));
        }
    }

    fn learn_initiated(&mut self, told: Initiated) {
        self.targets_per_min.add(f64::from(told.targets));
        if told.failed > 0 {
            self.failed_per_min.add(f64::from(told.failed));
        }
        if told.login_failures > 0 {
            self.login_failures_per_min.add(f64::from(told.login_failures));
        }
        if told.file_changes > 0 {
            self.file_changes_per_min.add(f64::from(told.file_changes));
        }
    }

    fn learn_served(&mut self, service: Service, told: Served) {
        if told.answered {
            self.offers.add(service, 1);
        }
        if told.flows > 0
            && let Some(served) = bounded_entry(&mut self.served, service)
        {
            served.flows_per_min.add(f64::from(told.flows));
            served.clients_per_min.add(f64::from(told.clients));
        }
    }
}

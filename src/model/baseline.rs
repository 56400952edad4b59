//! What each device normally does, and what the network as a whole does.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::commons::{Commons, Kind, Roles};
use super::exchanges::Side;
use super::family::Family as _;
use super::histogram::Histogram;
use super::host::HostBaseline;
use super::hour::{Hour, HourCounts};
use super::hours::Days;
use super::identity::{Identities, Names};
use super::order::Order;
use super::pooled::{Asking, Busiest, Newness, Pooled};
use super::repeats::Repeats;
use super::role::{self, Role};
use super::steady::{Deaf, Steady};
use super::window::{Edge, Map, Minute, sorted};
use crate::feature::{BYTES_ORIG, BYTES_RESP, DURATION, Host, Observation};
use crate::flow::Service;
use crate::time::Timestamp;

/// Devices that have a baseline of their own; further ones are judged by the network's.
pub const MAX_HOSTS: usize = 2_000_000;
/// Devices outside among them: further ones are told from their first sight by the device that they speak to.
const MAX_OUTSIDE: usize = 4_000;

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

/// What a service that a device offers usually gets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServedBaseline {
    /// Flows per minute, in minutes that had any.
    pub flows_per_min: Histogram,
    /// Different clients per minute, in minutes that had any.
    pub clients_per_min: Histogram,
}

/// The rules of today: requests that are turned down are counted, and programs that hide are known by how they speak (1); log-ins by SSH that fail are, too (2),
/// and those by RADIUS (3); what OPC UA asks for is a request to a controller (4);
/// connections of strangers that are as long as an earlier one of theirs are counted (5).
pub const RULES: u32 = 6;

/// All baselines: counts that add.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baselines {
    /// Minutes of the span learned from.
    pub span_minutes: f64,
    /// The days of which something was heard.
    #[serde(default, skip_serializing_if = "Days::is_empty")]
    pub days: Days,
    /// Was a connection that is only kept alive taken for silent? It was not in models of earlier versions, whose conversations fall silent by that rule, then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent_when_kept_alive: bool,
    /// Was one that only failed, and was a controller's program that is asked for a request of its own? In the same way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent_when_failed: bool,
    /// The rules by which it was counted: [`RULES`] today, 0 in models of earlier versions, which know nothing of what is counted since.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rules: u32,
    /// Whole hours in which exchanges, and bytes that leave, were counted. None were in models of earlier versions, or where parts of the time were too
    /// short: nothing is said of them, then.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub whole_hours: u32,
    /// Which addresses are one device.
    pub identities: Identities,
    /// By device.
    #[serde(with = "super::keys::hashed")]
    pub hosts: Map<Host, Box<HostBaseline>>,
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
    /// When nothing was heard of anybody.
    #[serde(skip)]
    deaf: Deaf,
    /// The order in which roles and pools are drawn.
    #[serde(skip)]
    pub order: Order,
}

/// Learns baselines from observations in the order in which they were seen.
#[derive(Debug, Default)]
pub struct BaselinesBuilder {
    baselines: Baselines,
    minute: Option<i64>,
    window: Minute,
    hour: Hour,
    repeats: Repeats,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// It sees one minute in so many; of 0 all.
    sample: u32,
}

impl BaselinesBuilder {
    /// One that sees one minute in so many, so that an hour holds so many times what it counts.
    #[must_use]
    pub fn of_sample(sample: u32) -> Self {
        Self { sample, ..Self::default() }
    }

    /// Learns an observation that looked like `behaviour`.
    pub fn add(&mut self, seen: &Observation, behaviour: u16) {
        let minute = seen.seen.seconds().div_euclid(60);
        if self.minute != Some(minute) {
            self.close_minute();
            self.minute = Some(minute);
            self.baselines.deaf.hear(minute);
        }
        self.first = Some(self.first.map_or(seen.seen, |first| first.min(seen.seen)));
        self.last = Some(self.last.map_or(seen.seen, |last| last.max(seen.seen)));
        if let Some(ended) = self.hour.add(seen) {
            self.baselines.learn_hour(&ended, self.sample.max(1));
        }
        self.window.add(seen, behaviour);
        self.learn_repeats(seen);
        // At the bidding of whoever is outside a device asks for nobody.
        if seen.passed_on
            && seen.orig_local
            && seen.resp_local
            && let Some(host) = self.baselines.host_mut(seen.resp, true)
        {
            host.learn_passing_on();
        }
        if seen.is_complete() {
            self.learn_volume(seen);
        }
    }

    /// The baselines so far, without roles and pools.
    #[must_use]
    pub fn finish(mut self) -> Baselines {
        self.close_minute();
        if let Some(ended) = self.last.and_then(|last| std::mem::take(&mut self.hour).finish(last)) {
            self.baselines.learn_hour(&ended, self.sample.max(1));
        }
        self.baselines.span_minutes = minutes(self.heard());
        (self.baselines.silent_when_kept_alive, self.baselines.silent_when_failed) = (true, true);
        self.baselines.rules = RULES;
        self.baselines
    }

    /// When the first and the last observation were seen.
    #[must_use]
    pub fn heard(&self) -> Option<(Timestamp, Timestamp)> {
        self.first.zip(self.last)
    }

    /// Learns that a stranger comes with a connection as long as one before.
    fn learn_repeats(&mut self, seen: &Observation) {
        let client = Edge { service: seen.service, peer: seen.orig };
        let is_known = || self.baselines.host(seen.resp).is_some_and(|host| host.clients().contains(client));
        if self.repeats.add(seen, is_known)
            && let Some(host) = self.baselines.host_mut(seen.resp, true)
        {
            host.learn_repeats(seen.service, self.sample.max(1));
        }
    }

    fn learn_volume(&mut self, seen: &Observation) {
        let Some(host) = self.baselines.host_mut(seen.orig, seen.orig_local) else { return };
        let [orig, resp, duration] = [BYTES_ORIG, BYTES_RESP, DURATION].map(|feature| f64::from(seen.vector[feature]));
        host.learn_volume(seen.service, seen.continued, [orig, resp, duration * 1e3]);
    }

    /// Counts a minute for whoever did anything in it. That it kept a link up is none: the card of a computer that sleeps does so, too.
    fn count_active(&mut self, window: &Minute, start: Timestamp) {
        let acts = |service: Service| !service.maintains_link();
        let initiators: BTreeSet<Host> =
            window.conversations.keys().filter(|&&(.., service)| acts(service)).map(|&(orig, ..)| orig).collect();
        let begin = window.initiated.iter().map(|(&host, told)| (host, told.local, initiators.contains(&host)));
        let serve = window.served.iter().map(|(&(host, service), told)| (host, told.local, acts(service)));
        let mut ends: Vec<(Host, bool, bool)> = begin.chain(serve).collect();
        ends.sort_unstable();
        for of_host in ends.chunk_by(|a, b| a.0 == b.0) {
            let (host, local) = (of_host[0].0, of_host[0].1);
            let Some(baseline) = self.baselines.host_mut(host, local) else { continue };
            baseline.minutes += u32::from(of_host.iter().any(|&(.., acts)| acts));
            if initiators.contains(&host) {
                baseline.hours.add(start);
            }
        }
    }

    fn close_minute(&mut self) {
        let window = std::mem::take(&mut self.window);
        let Some(start) = self.minute.map(|minute| Timestamp::from_parts(minute * 60, 0)) else { return };
        self.baselines.days.add(start);
        self.count_active(&window, start);
        // In the order of the keys: which values a full table still takes must not depend on a hash.
        let mut learn = |host: Host, teach: &mut dyn FnMut(&mut HostBaseline)| {
            if let Some(baseline) = self.baselines.hosts.get_mut(&host) {
                teach(baseline);
            }
        };
        for ((orig, resp, service), flows) in sorted(&window.conversations) {
            learn(orig, &mut |host| host.learn_conversation(service, resp, flows));
            learn(resp, &mut |host| host.learn_client(Edge { service, peer: orig }));
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
        let (minute, deaf) = (self.minute.unwrap_or(0), &self.baselines.deaf);
        for ((orig, resp, service), lasts) in sorted(&window.lasting) {
            let heard = Steady::new(minute, lasts.until.seconds().div_euclid(60), lasts.is_critical);
            learn(orig, &mut |host| host.steady.hear(Edge { service, peer: resp }, heard, deaf));
        }
        for ((host, shape), ()) in sorted(&window.shapes) {
            learn(host, &mut |host| host.shapes.add(shape, 1));
        }
    }
}

/// For what is left out of a file.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The share of a server's clients whose conversations of an unknown kind must go on.
const STEADY_SHARE: f64 = 0.9;

/// Minutes of a time, one at the least.
fn minutes(heard: Option<(Timestamp, Timestamp)>) -> f64 {
    heard.map_or(0.0, |(first, last)| last.since(first).as_seconds() / 60.0).max(1.0)
}

impl Baselines {
    /// Learns an hour, of which one minute in `sample` was seen.
    fn learn_hour(&mut self, ended: &HourCounts, sample: u32) {
        self.whole_hours += 1;
        for (host, told) in ended.devices.in_order() {
            if let Some(baseline) = self.hosts.get_mut(&host) {
                baseline.learn_hour(told.targets(), f64::from(told.failed));
            }
        }
        for (host, bytes) in ended.sending.in_order() {
            if let Some(baseline) = self.hosts.get_mut(&host) {
                baseline.learn_sent_out(bytes * f64::from(sample));
            }
        }
        for side in [Side::Asking, Side::Asked] {
            for ((host, service), exchanges) in ended.exchanges.in_order(side) {
                if let Some(baseline) = self.hosts.get_mut(&host) {
                    baseline.learn_exchanges(side, service, exchanges.saturating_mul(sample));
                }
            }
        }
    }

    /// Adds what was learned of a later part of the time, without roles and pools.
    pub fn merge(&mut self, other: &Self) {
        self.span_minutes += other.span_minutes;
        self.deaf.merge(&other.deaf);
        self.add(other, true);
    }

    /// Adds what was learned elsewhere of the same part of the time, which was heard from when to when in all.
    pub fn join(&mut self, other: &Self, heard: Option<(Timestamp, Timestamp)>) {
        self.span_minutes = minutes(heard);
        self.deaf.join(&other.deaf);
        self.add(other, false);
    }

    fn add(&mut self, other: &Self, is_later: bool) {
        self.days.merge(&other.days);
        let is_first = self.hosts.is_empty();
        self.silent_when_kept_alive = other.silent_when_kept_alive && (self.silent_when_kept_alive || is_first);
        self.silent_when_failed = other.silent_when_failed && (self.silent_when_failed || is_first);
        self.rules = if is_first { other.rules } else { self.rules.min(other.rules) };
        if is_first || self.whole_hours > 0 {
            self.whole_hours =
                if is_later { self.whole_hours + other.whole_hours } else { self.whole_hours.max(other.whole_hours) };
        }
        let deaf = std::mem::take(&mut self.deaf);
        // In the order of addresses: which of too many are taken must not depend on a hash.
        let mut hosts: Vec<_> = other.hosts.iter().collect();
        hosts.sort_by_cached_key(|(address, _)| self.order.key(**address));
        for (&address, host) in hosts {
            if let Some(baseline) = self.host_mut(address, host.local) {
                baseline.merge(host, is_later, &deaf);
            }
        }
        self.deaf = deaf;
    }

    /// Finds the roles and draws the pools from the devices: after merging. The same devices and seed give the same roles.
    pub fn pool(&mut self, seed: u64) {
        self.roles = role::assign(&mut self.hosts, &self.order, (seed, role::FEW));
        self.draw();
    }

    /// The same with one role for all.
    pub fn pool_as_one(&mut self) {
        self.roles = role::assign(&mut self.hosts, &self.order, (0, usize::MAX));
        self.draw();
    }

    fn draw(&mut self) {
        // Tables that grew one by one lie far apart; copied, they lie side by side, and the allocator gives back what lay between.
        self.hosts.values_mut().for_each(|host| *host = host.clone());
        self.hosts.values_mut().for_each(|host| host.steady.within(&self.deaf));
        self.keep_steady();
        self.prepare_devices();
        // In the order of addresses: sums of floating point must not depend on a hash.
        let mut hosts: Vec<_> = self.hosts.iter().collect();
        hosts.sort_by_cached_key(|(address, _)| self.order.key(**address));
        let is_pooled = self.is_pooled();
        hosts.retain(|(_, host)| is_pooled(host));
        self.pooled = Pooled::of(hosts.iter().map(|(_, host)| &***host), &self.commons, &Newness::default());
        for (number, role) in self.roles.iter_mut().enumerate() {
            let is_of_role = |address: &Host, host: &HostBaseline| address.is_device() && usize::from(host.role) == number;
            let of_role = hosts.iter().filter(|(address, host)| is_of_role(address, host)).map(|(_, host)| &***host);
            role.pooled = Pooled::of(of_role, &self.commons, &self.pooled.newness);
        }
        self.draw_most();
    }

    /// Of what nobody knows, only what goes on for all that use it of the same server, for days: where one of them pauses, the others may. What else goes on is
    /// missed only while the device itself does.
    fn keep_steady(&mut self) {
        let mut going_on: BTreeMap<Edge, usize> = BTreeMap::new();
        let steady = self.hosts.values().flat_map(|host| host.steady_of_unknown_kind());
        steady.for_each(|edge| *going_on.entry(edge).or_default() += 1);
        let clients = |edge: Edge| self.host(edge.peer).map_or(0, |server| server.clients().range(&edge.family()).count());
        going_on.retain(|&edge, steady| STEADY_SHARE * clients(edge) as f64 <= *steady as f64);
        for host in self.hosts.values_mut() {
            host.steady.keep(|edge, steady| steady.is_critical() || going_on.contains_key(edge) || steady.is_steady());
            host.steady.stand_alone(|edge| !going_on.contains_key(edge));
        }
    }

    /// Is a device one of those that are pooled: those at home, where any is?
    fn is_pooled(&self) -> impl Fn(&HostBaseline) -> bool + use<> {
        let any_local = self.hosts.values().any(|host| host.local);
        move |host| host.local || !any_local
    }

    /// Draws the busiest minutes and hours of those that are pooled, and how much they ask within an hour.
    fn draw_most(&mut self) {
        let is_pooled = self.is_pooled();
        let pools = std::iter::once(&mut self.pooled).chain(self.roles.iter_mut().map(|role| &mut role.pooled));
        pools.for_each(|pooled| (pooled.busiest, pooled.asking) = (Busiest::default(), Asking::default()));
        for (address, host) in self.hosts.iter().filter(|(_, host)| is_pooled(host) && !host.is_hardly_known()) {
            let role = self.roles.get_mut(usize::from(host.role)).filter(|_| address.is_device());
            for pooled in std::iter::once(&mut self.pooled).chain(role.map(|role| &mut role.pooled)) {
                pooled.busiest.add(host);
                pooled.asking.add(host, f64::from(self.whole_hours));
            }
        }
    }

    /// Draws what is not stored: after loading.
    pub(super) fn prepare(&mut self) {
        self.prepare_devices();
        self.draw_most();
    }

    fn prepare_devices(&mut self) {
        self.identities.prepare();
        self.hosts.values_mut().for_each(|host| host.prepare());
        self.commons = Commons::of(&self.hosts);
    }

    /// What its devices are called.
    #[must_use]
    pub fn names(&self) -> Names {
        Names { identities: self.identities.clone(), known: self.hosts.keys().copied().collect() }
    }

    /// Puts devices in the place of the addresses of an observation, and takes away what was not counted yet when this was learned: who fails to log in by
    /// SSH or RADIUS every day, or writes by OPC UA, would be news.
    pub fn identify(&self, seen: &mut Observation) {
        if self.rules < RULES {
            seen.forget_since(self.rules);
        }
        self.identities.apply(seen, |host| self.hosts.contains_key(&host));
    }

    /// What devices like this one do together: those of its role, or the network where it is hardly known or not at home.
    #[must_use]
    pub fn like(&self, host: Option<&HostBaseline>) -> &Pooled {
        let role =
            host.filter(|host| host.local && !host.is_hardly_known()).and_then(|host| self.roles.get(usize::from(host.role)));
        role.map_or(&self.pooled, |role| &role.pooled)
    }

    /// The roles by which a device at home is judged where it speaks to this service of this peer: its own, or, of one of which nothing is
    /// known, those of which several devices do so.
    #[must_use]
    pub fn roles_for(&self, host: Option<&HostBaseline>, edge: Edge) -> Roles {
        match host.filter(|host| !host.is_hardly_known()) {
            Some(host) if host.local => Roles::of(host.role),
            Some(_) => Roles::NONE,
            None => self.commons.roles_of_several(Kind::Edge, edge),
        }
    }

    /// What is known of a device.
    #[must_use]
    pub fn host(&self, host: Host) -> Option<&HostBaseline> {
        self.hosts.get(&host).map(|baseline| &**baseline)
    }

    /// Does a device care for patients or control machines: was it heard to begin such a conversation, or another with it?
    #[must_use]
    pub fn is_critical(&self, device: Host) -> bool {
        let begins = |client: Edge| {
            let edge = Edge { service: client.service, peer: device };
            self.host(client.peer).is_some_and(|host| host.steady(edge).is_some_and(Steady::is_critical))
        };
        let is = |host: &HostBaseline| host.begins_critical() || host.clients().iter().any(|(client, _)| begins(client));
        self.host(device).is_some_and(is)
    }

    /// Bytes that the baselines of devices take, without what the allocator adds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let table = self.hosts.allocation_size();
        self.hosts.values().map(|host| size_of::<HostBaseline>() + host.heap_bytes()).sum::<usize>() + table
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

//! One device's normal life.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::baseline::{ServedBaseline, ServiceBaseline};
use super::counts::{Counts, Life};
use super::exchanges::Side;
use super::histogram::Histogram;
use super::hours::Hours;
use super::lasting::Lasting;
use super::measured::{
    BYTES_ORIG, BYTES_RESP, CLIENTS_PER_MIN, DURATION_MS, FAILED_PER_HOUR, FAILED_PER_MIN, FILE_CHANGES_PER_MIN, FLOWS_PER_MIN,
    LOGIN_FAILURES_PER_MIN, Measured, NAMES_MISSING_PER_MIN, Of, REFUSALS_PER_MIN, SENT_OUT_PER_HOUR, ServiceServed, ServiceUse,
    TARGETS_PER_HOUR, TARGETS_PER_MIN,
};
use super::packed::{Packed, counted};
use super::steady::{Deaf, Steady};
use super::stored_host::Stored;
use super::window::{Edge, Initiated, Served, Shape};
use crate::feature::{Fact, Host};
use crate::flow::Service;

/// Services of one device that have their own histograms.
const MAX_SERVICES: usize = 256;
/// Services of a device that does little: a medical or other single-purpose one.
const FEW_SERVICES: usize = 12;

/// Hours in which less was carried out of the network are as good as none; in bytes.
pub const FEW_BYTES: f64 = 16_000.0;
/// Hours with fewer exchanges are as good as none.
pub const FEW_EXCHANGES: u32 = 8;

/// A device with fewer active minutes is hardly known.
const HARDLY_MINUTES: u32 = 5;

/// One device's normal life: some 160 bytes, and what its values and histograms take ([`HostBaseline::heap_bytes`]).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct HostBaseline {
    /// Is it at home?
    pub local: bool,
    /// Does it pass on what it gets to who is named?
    pub(super) passes_on: bool,
    /// Number of its role, where it is at home.
    pub role: u16,
    /// Minutes in which it began or served anything.
    pub minutes: u32,
    /// Those of them in later parts of the time than its first.
    pub late_minutes: u32,
    /// When it began anything.
    pub hours: Hours,
    /// Services used, in minutes.
    pub services: Counts<Service>,
    /// Services of peers used, in minutes.
    pub edges: Counts<Edge>,
    /// What its applications said of themselves (names, titles, commands; hashed), in minutes.
    pub facts: Counts<Fact>,
    /// Behaviours shown on services, in minutes.
    pub shapes: Counts<Shape>,
    /// What it serves; most devices serve nothing.
    pub(super) serving: Option<Box<Serving>>,
    /// When conversations that it began and whose silence may be missed were heard: clinical and control ones, and those of a kind that nobody knows.
    pub(super) steady: Lasting,
    pub(super) measured: Measured,
}

/// What is measured of a side.
pub(super) const fn of_side(side: Side) -> Of {
    match side {
        Side::Asking => Of::AskingPerHour,
        Side::Asked => Of::AskedPerHour,
    }
}

/// What a device serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Serving {
    pub(super) offers: Counts<Service>,
    pub(super) clients: Counts<Edge>,
}

/// What resolvers offer. Over TCP a refusal is an answer too: whoever was scanned offers that, for all that is known.
const RESOLVING: Service = Service { protocol: 17, port: 53 };

/// Of a device that serves nothing.
static NOTHING: LazyLock<Serving> = LazyLock::new(Serving::default);

impl HostBaseline {
    fn serving(&self) -> &Serving {
        self.serving.as_deref().unwrap_or_else(|| &NOTHING)
    }

    /// Services offered (answered), in minutes.
    #[must_use]
    pub fn offers(&self) -> &Counts<Service> {
        &self.serving().offers
    }

    /// Who used its services, in minutes.
    #[must_use]
    pub fn clients(&self) -> &Counts<Edge> {
        &self.serving().clients
    }

    /// Connections to a service of its own that were as long as an earlier one of the same client within the hour in which that was a stranger.
    #[must_use]
    pub fn repeats(&self, service: Service) -> u32 {
        self.measured.per_hour(Of::Repeats, service).total()
    }

    /// Does it resolve names?
    #[must_use]
    pub fn resolves(&self) -> bool {
        self.offers().contains(RESOLVING)
    }

    /// Are the names that it turns to those of which others ask it: does it resolve names, or is it a proxy?
    #[must_use]
    pub fn asks_for_others(&self) -> bool {
        self.passes_on || self.resolves()
    }

    pub(crate) fn learn_passing_on(&mut self) {
        self.passes_on = true;
    }

    pub(super) fn learn_client(&mut self, client: Edge) {
        self.serving.get_or_insert_default().clients.add(client, 1);
    }

    /// How long it was known.
    #[must_use]
    pub fn life(&self) -> Life {
        Life { minutes: f64::from(self.minutes), late_minutes: f64::from(self.late_minutes) }
    }

    /// Is so little known of it, being at home, that it is judged as one of which nothing is: it was off, or only asked for, while others
    /// were learned from?
    #[must_use]
    pub const fn is_hardly_known(&self) -> bool {
        self.local && self.minutes < HARDLY_MINUTES
    }

    /// How it uses a service: new flows.
    #[must_use]
    pub fn asked(&self, service: Service) -> Option<ServiceUse<'_>> {
        self.measured.used(Of::Asked, service)
    }

    /// The same for later segments of long flows, which have no beginning.
    #[must_use]
    pub fn continued(&self, service: Service) -> Option<ServiceUse<'_>> {
        self.measured.used(Of::Continued, service)
    }

    /// How a service of it is used.
    #[must_use]
    pub fn served(&self, service: Service) -> Option<ServiceServed<'_>> {
        self.measured.served(service)
    }

    /// Did it begin a clinical or control conversation?
    pub(super) fn begins_critical(&self) -> bool {
        self.steady.iter().any(|(_, steady)| steady.is_critical())
    }

    /// When a conversation that it began and whose silence may be missed was heard.
    #[must_use]
    pub fn steady(&self, edge: Edge) -> Option<&Steady> {
        self.steady.get(edge)
    }

    /// Different targets (device and service) per minute.
    #[must_use]
    pub fn targets_per_min(&self) -> Packed<'_> {
        self.measured.of_device(TARGETS_PER_MIN)
    }

    /// Failed attempts per minute, in minutes that had any.
    #[must_use]
    pub fn failed_per_min(&self) -> Packed<'_> {
        self.measured.of_device(FAILED_PER_MIN)
    }

    /// Logins that failed per minute, in minutes that had any.
    #[must_use]
    pub fn login_failures_per_min(&self) -> Packed<'_> {
        self.measured.of_device(LOGIN_FAILURES_PER_MIN)
    }

    /// Files changed on shares per minute, in minutes that had any.
    #[must_use]
    pub fn file_changes_per_min(&self) -> Packed<'_> {
        self.measured.of_device(FILE_CHANGES_PER_MIN)
    }

    /// Different names per minute that do not exist, in minutes that had any.
    #[must_use]
    pub fn names_missing_per_min(&self) -> Packed<'_> {
        self.measured.of_device(NAMES_MISSING_PER_MIN)
    }

    /// Requests, other than log-ins, that were turned down per minute, in minutes that had any.
    #[must_use]
    pub fn refusals_per_min(&self) -> Packed<'_> {
        self.measured.of_device(REFUSALS_PER_MIN)
    }

    /// Bytes carried out of the network per hour, in hours that had 16 kB or more.
    #[must_use]
    pub fn sent_out_per_hour(&self) -> Packed<'_> {
        self.measured.of_device(SENT_OUT_PER_HOUR)
    }

    /// Different targets per hour, in hours that had any; about.
    #[must_use]
    pub fn targets_per_hour(&self) -> Packed<'_> {
        self.measured.of_device(TARGETS_PER_HOUR)
    }

    /// Failed attempts and logins per hour, in hours that had any target or failure.
    #[must_use]
    pub fn failed_per_hour(&self) -> Packed<'_> {
        self.measured.of_device(FAILED_PER_HOUR)
    }

    /// Whole hours in which it began anything.
    #[must_use]
    pub fn whole_hours(&self) -> f64 {
        f64::from(self.targets_per_hour().total())
    }

    /// Exchanges per hour with a service at home, or from outside with a service of its own, in hours that had eight or more.
    #[must_use]
    pub fn exchanges_per_hour(&self, side: Side, service: Service) -> Packed<'_> {
        self.measured.per_hour(of_side(side), service)
    }

    /// The same of all services that had such hours.
    pub(super) fn all_exchanges_per_hour(&self, side: Side) -> impl Iterator<Item = (Service, Packed<'_>)> {
        self.measured.all_per_hour(of_side(side))
    }

    /// The same as a model holds it.
    pub(super) fn stored_exchanges(&self, side: Side) -> BTreeMap<Service, Histogram> {
        self.all_exchanges_per_hour(side).map(|(service, exchanges)| (service, exchanges.into())).collect()
    }

    /// One of which nothing else is known.
    #[cfg(test)]
    pub(crate) fn with_targets_per_min(targets_per_min: &Histogram) -> Self {
        let mut host = Self::default();
        host.measured.add_of_device(&super::measured::counted_of(&[targets_per_min]));
        host
    }

    /// Adds its histograms of all services to these: new flows, later segments, and what it serves.
    pub(super) fn pool_services(&self, asked: &mut ServiceBaseline, later: &mut ServiceBaseline, served: &mut ServedBaseline) {
        for (of, pooled) in [(Of::Asked, asked), (Of::Continued, later)] {
            for (_, used) in self.measured.all_used(of) {
                pooled.flows_per_min.merge_packed(used.flows_per_min);
                pooled.bytes_orig.merge_packed(used.bytes_orig);
                pooled.bytes_resp.merge_packed(used.bytes_resp);
                pooled.duration_ms.merge_packed(used.duration_ms);
            }
        }
        for (_, of) in self.measured.all_served() {
            served.flows_per_min.merge_packed(of.flows_per_min);
            served.clients_per_min.merge_packed(of.clients_per_min);
        }
    }

    /// The most new flows of one conversation within a minute, as a histogram's bucket.
    pub(super) fn most_flows_per_min(&self) -> Option<i16> {
        self.measured.all_used(Of::Asked).filter_map(|(_, used)| used.flows_per_min.most()).max()
    }

    /// Bytes that it takes behind its own place.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let counts = [self.services.heap_bytes(), self.edges.heap_bytes(), self.facts.heap_bytes(), self.shapes.heap_bytes()];
        let serving = |serving: &Serving| size_of_val(serving) + serving.offers.heap_bytes() + serving.clients.heap_bytes();
        let served = self.serving.as_deref().map_or(0, serving);
        counts.iter().sum::<usize>() + served + self.steady.heap_bytes() + self.measured.heap_bytes()
    }

    /// Draws what is not stored: after loading, and once all is learned.
    pub(super) fn prepare(&mut self) {
        self.services.prepare();
        self.edges.prepare();
        self.facts.prepare();
        self.shapes.prepare();
        if let Some(serving) = &mut self.serving {
            serving.offers.prepare();
            serving.clients.prepare();
        }
    }

    /// Adds what was learned of the same device, in a later part of the time, or in the same one elsewhere; `deaf` says when nothing at all was heard.
    pub(super) fn merge(&mut self, other: &Self, is_later: bool, deaf: &Deaf) {
        let was_known = is_later && self.minutes > 0;
        self.passes_on |= other.passes_on;
        self.minutes += other.minutes;
        self.late_minutes += if was_known { other.minutes } else { other.late_minutes };
        self.hours.merge(other.hours);
        self.services.merge(&other.services, was_known);
        self.edges.merge(&other.edges, was_known);
        self.facts.merge(&other.facts, was_known);
        self.shapes.merge(&other.shapes, was_known);
        if let Some(theirs) = &other.serving {
            let mine = self.serving.get_or_insert_default();
            mine.offers.merge(&theirs.offers, was_known);
            mine.clients.merge(&theirs.clients, was_known);
        }
        self.measured.merge(&other.measured, MAX_SERVICES);
        self.steady.merge(&other.steady, deaf);
    }

    pub(super) fn learn_volume(&mut self, service: Service, continued: bool, [orig, resp, duration_ms]: [f64; 3]) {
        let of = if continued { Of::Continued } else { Of::Asked };
        let values = [(BYTES_ORIG, counted(orig)), (BYTES_RESP, counted(resp)), (DURATION_MS, counted(duration_ms))];
        self.measured.add_of_service(of, service, &values, MAX_SERVICES);
    }

    pub(super) fn learn_conversation(&mut self, service: Service, resp: Host, flows: u32) {
        self.edges.add(Edge { service, peer: resp }, 1);
        if flows > 0 {
            let values = [(FLOWS_PER_MIN, counted(f64::from(flows)))];
            self.measured.add_of_service(Of::Asked, service, &values, MAX_SERVICES);
        }
    }

    /// Conversations of an unknown kind that went on for days, of a device that does little else: of one that does much nobody knows when it is to be on.
    pub(super) fn steady_of_unknown_kind(&self) -> impl Iterator<Item = Edge> {
        let does_little = self.services.distinct() <= FEW_SERVICES;
        let is_well_known = |steady: &Steady| !steady.is_critical() && steady.is_well_known() && steady.is_steady();
        let is_steady = move |steady: &Steady| does_little && is_well_known(steady);
        self.steady.iter().filter(move |(_, steady)| is_steady(steady)).map(|&(edge, _)| edge)
    }

    pub(super) fn learn_initiated(&mut self, told: Initiated) {
        let more = [
            (FAILED_PER_MIN, told.failed),
            (LOGIN_FAILURES_PER_MIN, told.login_failures),
            (FILE_CHANGES_PER_MIN, told.file_changes),
            (NAMES_MISSING_PER_MIN, told.names_missing),
            (REFUSALS_PER_MIN, told.refusals),
        ];
        let values = more.into_iter().filter(|&(_, count)| count > 0).chain([(TARGETS_PER_MIN, told.targets)]);
        let values: Vec<_> = values.map(|(place, count)| (place, counted(f64::from(count)))).collect();
        self.measured.add_of_device(&values);
    }

    #[cfg(test)]
    pub(super) fn learn_offer(&mut self, service: Service) {
        self.serving.get_or_insert_default().offers.add(service, 1);
    }

    pub(super) fn learn_served(&mut self, service: Service, told: Served) {
        if told.answered {
            self.serving.get_or_insert_default().offers.add(service, 1);
        }
        if told.flows > 0 {
            let [flows, clients] = [told.flows, told.clients].map(|count| counted(f64::from(count)));
            let values = [(FLOWS_PER_MIN, flows), (CLIENTS_PER_MIN, clients)];
            self.measured.add_of_service(Of::Served, service, &values, MAX_SERVICES);
        }
    }

    pub(super) fn learn_repeats(&mut self, service: Service, repeats: u32) {
        (0..repeats).for_each(|_| self.measured.add_of_service(Of::Repeats, service, &[(0, counted(1.0))], MAX_SERVICES));
    }

    pub(super) fn learn_exchanges(&mut self, side: Side, service: Service, exchanges: u32) {
        if exchanges >= FEW_EXCHANGES {
            self.measured.add_of_service(of_side(side), service, &[(0, counted(f64::from(exchanges)))], MAX_SERVICES);
        }
    }

    pub(super) fn learn_sent_out(&mut self, bytes: f64) {
        if bytes >= FEW_BYTES {
            self.measured.add_of_device(&[(SENT_OUT_PER_HOUR, counted(bytes))]);
        }
    }

    pub(super) fn learn_hour(&mut self, targets: f64, failed: f64) {
        self.measured.add_of_device(&[(TARGETS_PER_HOUR, counted(targets)), (FAILED_PER_HOUR, counted(failed))]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HL7: Service = Service { protocol: 6, port: 2575 };

    fn busy() -> HostBaseline {
        let peer: Host = "10.0.0.9".parse().unwrap();
        let mut host = HostBaseline { local: true, minutes: 7, ..HostBaseline::default() };
        for n in 0..5_u32 {
            host.learn_volume(HL7, n % 2 == 0, [1e3 * f64::from(n), 0.0, 12.0]);
            host.learn_conversation(HL7, peer, n);
            host.steady.hear(Edge { service: HL7, peer }, Steady::new(n.into(), n.into(), true), &Deaf::default());
            host.learn_initiated(Initiated { targets: n, failed: n % 2, ..Initiated::default() });
            host.learn_served(HL7, Served { flows: n, clients: 1, answered: true, local: true });
            host.learn_hour(f64::from(n), 0.0);
            host.learn_sent_out(f64::from(n) * 9e3);
            host.learn_exchanges(Side::Asking, HL7, 7 + n);
            host.learn_exchanges(Side::Asked, HL7, 20 * n);
        }
        host
    }

    #[test]
    fn a_device_survives_the_model_file() {
        let (host, nothing) = (busy(), HostBaseline::default());
        for host in [&host, &nothing] {
            let json = serde_json::to_string(host).unwrap();
            assert_eq!(&serde_json::from_str::<HostBaseline>(&json).unwrap(), host);
        }
        let mut twice = host.clone();
        twice.merge(&host, true, &Deaf::default());
        assert_eq!(twice.asked(HL7).map(|used| (used.flows_per_min.total(), used.bytes_orig.total())), Some((8, 4)));
        assert_eq!((twice.targets_per_min().total(), twice.failed_per_min().total()), (10, 4));
    }

    #[test]
    fn a_device_takes_few_bytes() {
        assert!(size_of::<HostBaseline>() <= 168, "{}", size_of::<HostBaseline>());
        assert!(busy().heap_bytes() < 300, "{}", busy().heap_bytes());
    }
}

//! One device's normal life as a model file holds it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::baseline::{ServedBaseline, ServiceBaseline};
use super::counts::Counts;
use super::exchanges::Side;
use super::histogram::Histogram;
use super::host::{HostBaseline, Serving, of_side};
use super::hours::Hours;
use super::measured::{Measured, Of, counted_of};
use super::steady::Steady;
use super::window::{Edge, Shape};
use crate::feature::Fact;
use crate::flow::Service;

/// As a model holds it.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    local: bool,
    role: u16,
    minutes: u32,
    late_minutes: u32,
    #[serde(default, skip_serializing_if = "Hours::is_empty")]
    hours: Hours,
    services: Counts<Service>,
    edges: Counts<Edge>,
    facts: Counts<Fact>,
    shapes: Counts<Shape>,
    offers: Counts<Service>,
    clients: Counts<Edge>,
    #[serde(with = "super::keys")]
    steady: BTreeMap<Edge, Steady>,
    #[serde(with = "super::keys")]
    asked: BTreeMap<Service, ServiceBaseline>,
    #[serde(with = "super::keys")]
    continued: BTreeMap<Service, ServiceBaseline>,
    #[serde(with = "super::keys")]
    served: BTreeMap<Service, ServedBaseline>,
    targets_per_min: Histogram,
    failed_per_min: Histogram,
    login_failures_per_min: Histogram,
    file_changes_per_min: Histogram,
    targets_per_hour: Histogram,
    failed_per_hour: Histogram,
    #[serde(default)]
    names_missing_per_min: Histogram,
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    sent_out_per_hour: Histogram,
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    refusals_per_min: Histogram,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    passes_on: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "super::keys")]
    asking_per_hour: BTreeMap<Service, Histogram>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "super::keys")]
    asked_per_hour: BTreeMap<Service, Histogram>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "super::keys")]
    repeats: BTreeMap<Service, Histogram>,
}

impl From<HostBaseline> for Stored {
    fn from(mut host: HostBaseline) -> Self {
        let Serving { offers, clients } = host.serving.take().map_or_else(Serving::default, |serving| *serving);
        Self {
            asked: host.measured.stored_use(Of::Asked).collect(),
            continued: host.measured.stored_use(Of::Continued).collect(),
            served: host.measured.stored_served().collect(),
            asking_per_hour: host.stored_exchanges(Side::Asking),
            asked_per_hour: host.stored_exchanges(Side::Asked),
            repeats: host.measured.all_per_hour(Of::Repeats).map(|(service, repeats)| (service, repeats.into())).collect(),
            targets_per_min: host.targets_per_min().into(),
            failed_per_min: host.failed_per_min().into(),
            login_failures_per_min: host.login_failures_per_min().into(),
            file_changes_per_min: host.file_changes_per_min().into(),
            targets_per_hour: host.targets_per_hour().into(),
            failed_per_hour: host.failed_per_hour().into(),
            names_missing_per_min: host.names_missing_per_min().into(),
            sent_out_per_hour: host.sent_out_per_hour().into(),
            refusals_per_min: host.refusals_per_min().into(),
            local: host.local,
            role: host.role,
            minutes: host.minutes,
            late_minutes: host.late_minutes,
            hours: host.hours,
            services: host.services,
            edges: host.edges,
            facts: host.facts,
            shapes: host.shapes,
            offers,
            clients,
            passes_on: host.passes_on,
            steady: host.steady.into(),
        }
    }
}

impl From<Stored> for HostBaseline {
    fn from(stored: Stored) -> Self {
        let mut measured = Measured::default();
        let mut add = |of: Of, service: Service, histograms: &[&Histogram]| {
            measured.add_of_service(of, service, &counted_of(histograms), usize::MAX);
        };
        for (of, by_service) in [(Of::Asked, &stored.asked), (Of::Continued, &stored.continued)] {
            for (&service, used) in by_service {
                add(of, service, &[&used.flows_per_min, &used.bytes_orig, &used.bytes_resp, &used.duration_ms]);
            }
        }
        for (&service, served) in &stored.served {
            add(Of::Served, service, &[&served.flows_per_min, &served.clients_per_min]);
        }
        for (side, by_service) in [(Side::Asking, &stored.asking_per_hour), (Side::Asked, &stored.asked_per_hour)] {
            by_service.iter().for_each(|(&service, exchanges)| add(of_side(side), service, &[exchanges]));
        }
        stored.repeats.iter().for_each(|(&service, repeats)| add(Of::Repeats, service, &[repeats]));
        let of_device = counted_of(&[
            &stored.targets_per_min,
            &stored.failed_per_min,
            &stored.login_failures_per_min,
            &stored.file_changes_per_min,
            &stored.targets_per_hour,
            &stored.failed_per_hour,
            &stored.names_missing_per_min,
            &stored.sent_out_per_hour,
            &stored.refusals_per_min,
        ]);
        if !of_device.is_empty() {
            measured.add_of_device(&of_device);
        }
        let serving = Serving { offers: stored.offers, clients: stored.clients };
        Self {
            local: stored.local,
            passes_on: stored.passes_on,
            role: stored.role,
            minutes: stored.minutes,
            late_minutes: stored.late_minutes,
            hours: stored.hours,
            services: stored.services,
            edges: stored.edges,
            facts: stored.facts,
            shapes: stored.shapes,
            serving: (serving != Serving::default()).then(|| Box::new(serving)),
            steady: stored.steady.into(),
            measured,
        }
    }
}

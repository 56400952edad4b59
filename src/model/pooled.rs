//! The network as a whole: the prior for devices that are not known well.

use serde::{Deserialize, Serialize};

use super::baseline::{HostBaseline, ServedBaseline, ServiceBaseline};
use super::counts::Counts;
use super::histogram::Histogram;
use super::window::Map;
use crate::feature::Host;

/// How often a device meets something new, over all devices: values seen in one minute only, over all minutes counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Newness {
    /// A service that it never used.
    pub service: f64,
    /// A peer's service that it never used.
    pub edge: f64,
    /// A name, title or command that it never used.
    pub fact: f64,
    /// A behaviour that it never showed on a service.
    pub shape: f64,
    /// A service that it never offered.
    pub offer: f64,
    /// A client that it never had.
    pub client: f64,
}

impl Default for Newness {
    fn default() -> Self {
        Self { service: 0.5, edge: 0.5, fact: 0.5, shape: 0.5, offer: 0.5, client: 0.5 }
    }
}

/// What all devices do together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pooled {
    /// How often something new comes.
    pub newness: Newness,
    /// Minutes of all devices together.
    pub minutes: f64,
    /// Use of any service by any device at home: new flows.
    pub any_service: ServiceBaseline,
    /// The same for later segments of long flows.
    pub any_continued: ServiceBaseline,
    /// Use of any offered service.
    pub any_served: ServedBaseline,
    /// Different targets per minute, over all devices.
    pub targets_per_min: Histogram,
    /// Failed attempts per minute, over all devices.
    pub failed_per_min: Histogram,
}

/// Adds up how often values were new.
#[derive(Default)]
struct Rate {
    once: f64,
    all: f64,
}

impl Rate {
    fn add<K: Ord + Copy>(&mut self, counts: &Counts<K>) {
        self.once += counts.singletons();
        self.all += counts.total();
    }

    fn value(&self) -> f64 {
        (self.once + 0.5) / (self.all + 1.0)
    }
}

impl Pooled {
    /// Pools the devices at home; those outside only when there are none.
    #[must_use]
    pub fn of(hosts: &Map<Host, HostBaseline>) -> Self {
        let any_local = hosts.values().any(|host| host.local);
        let mut pooled = Self::default();
        let mut rates: [Rate; 6] = Default::default();
        for host in hosts.values().filter(|host| host.local || !any_local) {
            pooled.minutes += f64::from(host.minutes);
            rates[0].add(&host.services);
            rates[1].add(&host.edges);
            rates[2].add(&host.facts);
            rates[3].add(&host.shapes);
            rates[4].add(&host.offers);
            rates[5].add(&host.clients);
            pooled.add(host);
        }
        let [service, edge, fact, shape, offer, client] = rates.map(|rate| rate.value());
        pooled.newness = Newness { service, edge, fact, shape, offer, client };
        pooled
    }

    fn add(&mut self, host: &HostBaseline) {
        host.asked.values().for_each(|asked| self.any_service.merge(asked));
        host.continued.values().for_each(|continued| self.any_continued.merge(continued));
        for served in host.served.values() {
            self.any_served.flows_per_min.merge(&served.flows_per_min);
            self.any_served.clients_per_min.merge(&served.clients_per_min);
        }
        self.targets_per_min.merge(&host.targets_per_min);
        self.failed_per_min.merge(&host.failed_per_min);
    }
}

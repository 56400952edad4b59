//! Devices by their highest score.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::class::Class;
use crate::feature::Host;
use crate::flow::Service;

/// Devices ranked at the most; further ones are not.
const MAX_RANKS: usize = 1_000_000;

/// A device and the highest score of any of its windows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostRank {
    /// The device.
    pub host: Host,
    /// Its highest score, in bits.
    pub bits: f64,
    /// What that score speaks of.
    pub class: Class,
    /// The conversation that speaks loudest: with whom, and what.
    pub with: (Host, Service),
}

/// Devices and their highest scores. Bounded.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    by_host: BTreeMap<Host, HostRank>,
}

impl Ranks {
    /// Notes a score where it is the device's highest; `strongest` tells the conversation that speaks loudest.
    pub fn note(&mut self, host: Host, bits: f64, class: Class, strongest: impl Fn() -> Option<(Host, Service)>) {
        let best = self.by_host.get(&host).map_or(0.0, |best| best.bits);
        if bits > best && (self.by_host.len() < MAX_RANKS || self.by_host.contains_key(&host)) {
            let with = strongest().unwrap_or((host, Service { protocol: 0, port: 0 }));
            self.by_host.insert(host, HostRank { host, bits, class, with });
        }
    }

    /// Highest first.
    pub fn sorted(&self) -> Vec<HostRank> {
        let mut ranks: Vec<HostRank> = self.by_host.values().copied().collect();
        ranks.sort_by(|a, b| b.bits.total_cmp(&a.bits).then(a.host.cmp(&b.host)));
        ranks
    }

    /// In the order of devices.
    pub fn into_values(self) -> impl Iterator<Item = HostRank> {
        self.by_host.into_values()
    }
}

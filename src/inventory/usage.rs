//! Services that a device offers or uses, in bounded memory.

use foldhash::fast::FixedState;
use serde::Serialize;
use std::hash::BuildHasher as _;

use crate::app::{App, Basis};
use crate::flow::Service;
use crate::time::Timestamp;
use crate::wire::Addr;

/// Services that are kept of a device, each way.
pub(super) const MOST_SERVICES: usize = 32;
/// Peers of a service that are told apart.
const MOST_PEERS: usize = 64;

/// Different addresses by 32 bits of their hash: two of the 64 are taken for one once in two million times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AddrSet {
    hashes: Vec<u32>,
    is_full: bool,
}

impl AddrSet {
    /// Takes an address, of `most` different ones.
    pub(super) fn insert(&mut self, addr: Addr, most: usize) {
        self.put(FixedState::with_seed(1).hash_one(addr) as u32, most);
    }

    fn put(&mut self, hash: u32, most: usize) {
        if let Err(place) = self.hashes.binary_search(&hash) {
            if self.hashes.len() < most {
                self.hashes.insert(place, hash);
            } else {
                self.is_full = true;
            }
        }
    }

    fn absorb(&mut self, other: &Self, most: usize) {
        self.is_full |= other.is_full;
        other.hashes.iter().for_each(|hash| self.put(*hash, most));
    }

    pub(super) const fn len(&self) -> usize {
        self.hashes.len()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// How a service was offered or used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    pub service: Service,
    pub app: App,
    pub basis: Basis,
    pub peers: AddrSet,
    pub flows: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// One flow as a service sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    pub service: Service,
    pub app: (App, Basis),
    pub peer: Addr,
    /// 0 for a later segment of a flow that was counted.
    pub flows: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// Services with their flows. When there are more than fit, the one with the fewest flows goes, of these the one seen longest
/// ago: so what a device does for good outlives a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Usages {
    list: Vec<Usage>,
    /// Flows of services that are not in the list.
    pub other_flows: u64,
}

impl Usages {
    pub(super) fn count(&mut self, one: Use) {
        let usage = Usage {
            service: one.service,
            app: one.app.0,
            basis: one.app.1,
            peers: AddrSet::default(),
            flows: one.flows,
            first: one.first,
            last: one.last,
        };
        let usage = self.add(usage);
        if let Some(usage) = usage {
            usage.peers.insert(one.peer, MOST_PEERS);
        }
    }

    pub(super) fn absorb(&mut self, other: Self) {
        self.other_flows += other.other_flows;
        for usage in other.list {
            self.add(usage);
        }
    }

    fn add(&mut self, new: Usage) -> Option<&mut Usage> {
        if let Some(place) = self.list.iter().position(|usage| usage.service == new.service) {
            let usage = self.list.get_mut(place)?;
            if new.basis > usage.basis {
                (usage.app, usage.basis) = (new.app, new.basis);
            }
            usage.peers.absorb(&new.peers, MOST_PEERS);
            usage.flows += new.flows;
            usage.first = usage.first.min(new.first);
            usage.last = usage.last.max(new.last);
            return Some(usage);
        }
        if self.list.len() >= MOST_SERVICES {
            let rank = |usage: &Usage| (usage.flows, usage.last, usage.service);
            let (place, least) = self.list.iter().enumerate().min_by_key(|(_, usage)| rank(usage))?;
            if rank(least) > rank(&new) {
                self.other_flows += new.flows;
                return None;
            }
            self.other_flows += self.list.swap_remove(place).flows;
        }
        self.list.push(new);
        self.list.last_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Usage> {
        self.list.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Sorted by protocol and port.
    pub(super) fn told(&self) -> Vec<ServiceUse> {
        let mut sorted: Vec<&Usage> = self.list.iter().collect();
        sorted.sort_by_key(|usage| usage.service);
        sorted.into_iter().map(ServiceUse::of).collect()
    }
}

/// A service that a device offers or uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceUse {
    /// Protocol and port, as in `tcp/104`.
    pub service: String,
    /// Application as EVE spells it, when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<&'static str>,
    /// How the application was told: `content` or `port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_by: Option<&'static str>,
    /// Different addresses at the other end, 64 at most.
    pub peers: u64,
    /// Were there more?
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub more_peers: bool,
    /// Flows.
    pub flows: u64,
    /// First packet of the first.
    #[serde(serialize_with = "super::device::time")]
    pub first: Timestamp,
    /// Last packet of the last.
    #[serde(serialize_with = "super::device::time")]
    pub last: Timestamp,
}

impl ServiceUse {
    fn of(usage: &Usage) -> Self {
        let told_by = match usage.basis {
            Basis::None => None,
            Basis::Port => Some("port"),
            Basis::Content => Some("content"),
        };
        Self {
            service: usage.service_name(),
            app: (usage.app != App::Unknown).then(|| usage.app.name()),
            told_by,
            peers: usage.peers.len() as u64,
            more_peers: usage.peers.is_full,
            flows: usage.flows,
            first: usage.first,
            last: usage.last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(port: u16, flows: u64, second: i64) -> Use {
        let at = Timestamp::from_parts(second, 0);
        let service = Service { protocol: 6, port };
        Use { service, app: (App::Unknown, Basis::None), peer: Addr::v4([10, 0, 0, port as u8]), flows, first: at, last: at }
    }

    #[test]
    fn a_scan_does_not_push_out_what_a_device_does_for_good() {
        let mut usages = Usages::default();
        (0..5).for_each(|second| usages.count(one(104, 1, second)));
        (1000..1100).for_each(|port| usages.count(one(port, 1, i64::from(port))));
        assert_eq!(usages.iter().count(), MOST_SERVICES);
        assert!(usages.iter().any(|usage| usage.service.port == 104 && usage.flows == 5));
        assert_eq!(usages.other_flows, 100 - (MOST_SERVICES as u64 - 1));
        assert_eq!(usages.told().first().map(|told| told.service.clone()), Some("tcp/104".to_owned()));
    }

    #[test]
    fn peers_are_counted_once_and_up_to_a_limit() {
        let mut set = AddrSet::default();
        (0..200_u8).chain(0..200).for_each(|n| set.insert(Addr::v4([10, 0, 0, n]), MOST_PEERS));
        assert_eq!((set.len(), set.is_full), (MOST_PEERS, true));
    }

    #[test]
    fn content_is_surer_than_a_port() {
        let mut usages = Usages::default();
        for basis in [(App::Http, Basis::Port), (App::Dicom, Basis::Content), (App::Http, Basis::Port)] {
            usages.count(Use { app: basis, ..one(80, 1, 1) });
        }
        assert_eq!((usages.told()[0].app, usages.told()[0].told_by, usages.told()[0].flows), (Some("dicom"), Some("content"), 3));
    }
}

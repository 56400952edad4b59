//! Which values are known to whom: what is new to one device may be old to the others.

use std::hash::{BuildHasher as _, Hash};

use foldhash::fast::FixedState;

use super::baseline::HostBaseline;
use super::window::Map;
use crate::feature::{FactKind, Host};

/// Values counted at the most; those beyond count as known to nobody. 24 bytes each.
const MAX_VALUES: usize = 4_000_000;
/// Roles told apart; devices of a further one share the last's bit.
pub(super) const MAX_ROLES: usize = 32;

/// What a value is a value of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A service that a device uses.
    Service,
    /// A service of a peer that it uses.
    Edge,
    /// A name, title or command.
    Fact(FactKind),
    /// A behaviour on a service.
    Shape,
    /// A service that it offers.
    Offer,
    /// A client that it serves.
    Client,
}

/// Who knows a value that is new to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownTo {
    /// Another device of its role.
    Role,
    /// Another device of the network.
    Network,
    /// Nobody.
    Nobody,
}

/// Who has a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Spread {
    devices: u32,
    /// Roles of which a device has it, one bit each.
    any: u32,
    /// Roles of which more than one has it.
    several: u32,
}

/// For every value, how many devices at home have it, and of which roles. Drawn from the baselines, not stored with them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commons {
    values: Map<u64, Spread>,
    /// Devices at home.
    devices: u32,
}

/// A hash of a value, the same in every run.
#[must_use]
pub fn value_key<V: Hash>(kind: Kind, value: V) -> u64 {
    FixedState::default().hash_one((kind, value))
}

const fn bit(role: u16) -> u32 {
    1 << (if (role as usize) < MAX_ROLES { role } else { MAX_ROLES as u16 - 1 })
}

impl Commons {
    /// Counts the values of the devices at home.
    #[must_use]
    pub fn of(hosts: &Map<Host, HostBaseline>) -> Self {
        let mut commons = Self::default();
        for (_, host) in hosts.iter().filter(|(address, host)| host.local && address.is_device()) {
            commons.devices += 1;
            let mut add = |key: u64| commons.add(key, host.role);
            each_value(host, |_, key| add(key));
        }
        commons
    }

    fn add(&mut self, key: u64, role: u16) {
        if self.values.len() >= MAX_VALUES && !self.values.contains_key(&key) {
            return;
        }
        let spread = self.values.entry(key).or_default();
        spread.devices += 1;
        spread.several |= spread.any & bit(role);
        spread.any |= bit(role);
    }

    /// Who knows a value that a device of this role never had.
    #[must_use]
    pub fn known_to<V: Hash>(&self, kind: Kind, value: V, role: Option<u16>) -> KnownTo {
        match self.values.get(&value_key(kind, value)) {
            Some(spread) if role.is_some_and(|role| spread.any & bit(role) != 0) => KnownTo::Role,
            Some(_) => KnownTo::Network,
            None => KnownTo::Nobody,
        }
    }

    /// The same for a value that a device of this role has: who else?
    fn known_to_others(&self, key: u64, role: u16) -> KnownTo {
        match self.values.get(&key) {
            Some(spread) if spread.several & bit(role) != 0 => KnownTo::Role,
            Some(spread) if spread.devices > 1 => KnownTo::Network,
            _ => KnownTo::Nobody,
        }
    }

    /// The share of the devices at home that have a value: what a device of which nothing is known has it with.
    #[must_use]
    pub fn share<V: Hash>(&self, kind: Kind, value: V) -> f64 {
        let devices = self.values.get(&value_key(kind, value)).map_or(0, |spread| spread.devices);
        (f64::from(devices) + 0.5) / (f64::from(self.devices) + 1.0)
    }

    /// For every value that a device has, who else has it.
    pub(super) fn others(&self, host: &HostBaseline, mut tell: impl FnMut(Kind, KnownTo)) {
        each_value(host, |kind, key| tell(kind, self.known_to_others(key, host.role)));
    }
}

fn each_value(host: &HostBaseline, mut tell: impl FnMut(Kind, u64)) {
    host.services.iter().for_each(|(value, _)| tell(Kind::Service, value_key(Kind::Service, value)));
    host.edges.iter().for_each(|(value, _)| tell(Kind::Edge, value_key(Kind::Edge, value)));
    host.facts.iter().for_each(|(value, _)| tell(Kind::Fact(value.kind), value_key(Kind::Fact(value.kind), value)));
    host.shapes.iter().for_each(|(value, _)| tell(Kind::Shape, value_key(Kind::Shape, value)));
    host.offers.iter().for_each(|(value, _)| tell(Kind::Offer, value_key(Kind::Offer, value)));
    host.clients.iter().for_each(|(value, _)| tell(Kind::Client, value_key(Kind::Client, value)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Service;
    use crate::wire::Addr;

    const WEB: Service = Service { protocol: 6, port: 443 };
    const SSH: Service = Service { protocol: 6, port: 22 };

    fn host(role: u16, services: &[Service]) -> HostBaseline {
        let mut host = HostBaseline { local: true, role, ..HostBaseline::default() };
        services.iter().for_each(|&service| host.services.add(service, 1));
        host
    }

    fn commons(hosts: Vec<HostBaseline>) -> Commons {
        let addressed = hosts.into_iter().enumerate().map(|(n, host)| (Host(Addr::v4([10, 0, 0, n as u8])), host));
        Commons::of(&addressed.collect())
    }

    #[test]
    fn what_the_role_knows_is_told_from_what_others_know() {
        let commons = commons(vec![host(0, &[WEB]), host(0, &[WEB]), host(1, &[SSH])]);
        let known_to = |service, role| commons.known_to(Kind::Service, service, role);
        assert_eq!(
            [known_to(WEB, Some(0)), known_to(SSH, Some(0)), known_to(SSH, None)],
            [KnownTo::Role, KnownTo::Network, KnownTo::Network]
        );
        assert_eq!(known_to(Service { protocol: 17, port: 53 }, Some(0)), KnownTo::Nobody);
        assert_eq!(commons.known_to(Kind::Offer, WEB, Some(0)), KnownTo::Nobody, "used is not offered");
        assert!((commons.share(Kind::Service, WEB) - 2.5 / 4.0).abs() < 1e-12);
    }

    #[test]
    fn a_device_is_none_of_its_own_others() {
        let commons = commons(vec![host(0, &[WEB]), host(0, &[WEB, SSH]), host(1, &[SSH])]);
        let mut told = Vec::new();
        commons.others(&host(1, &[SSH]), |_, known| told.push(known));
        commons.others(&host(0, &[WEB]), |_, known| told.push(known));
        assert_eq!(told, [KnownTo::Network, KnownTo::Role]);
        assert_eq!(commons.known_to_others(value_key(Kind::Service, 77), 0), KnownTo::Nobody);
    }
}

//! Which values are known to whom: what is new to one device may be old to the others.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hash};

use foldhash::fast::FixedState;

use super::counts::{Counts, Value};
use super::host::HostBaseline;
use super::rarity::Shares;
use super::tail::bits;
use super::window::Map;
use crate::feature::{FactKind, Host};
use crate::flow::Service;

/// Values counted at the most, 25 bytes each; those beyond count as known to nobody. As many as fit a table of 2^22 places, seven in
/// eight: one more would take twice the memory.
const MAX_VALUES: usize = (1 << 22) / 8 * 7;
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

impl Kind {
    /// All of them, in their order.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let facts = FactKind::all().map(Self::Fact);
        [Self::Service, Self::Edge].into_iter().chain(facts).chain([Self::Shape, Self::Offer, Self::Client])
    }

    /// A small number of its own.
    pub(super) const fn place(self) -> usize {
        match self {
            Self::Service => 0,
            Self::Edge => 1,
            Self::Shape => 2,
            Self::Offer => 3,
            Self::Client => 4,
            Self::Fact(kind) => 5 + kind as usize,
        }
    }
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
    /// Minutes in which they had it, added up.
    minutes: u32,
}

/// For every value, how many devices at home have it, and of which roles. Drawn from the baselines, not stored with them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commons {
    values: Map<u64, Spread>,
    /// Devices at home.
    devices: u32,
    /// Of each kind of value: how often a device shows one, and how often all together show it.
    shares: BTreeMap<Kind, [Shares; 2]>,
    /// How often a device is active.
    activity: Shares,
    advertising_routes: u32,
    is_link_heard: bool,
}

/// A hash of a value, the same in every run.
#[must_use]
pub fn value_key<V: Hash>(kind: Kind, value: V) -> u64 {
    FixedState::default().hash_one((kind, value))
}

const fn bit(role: u16) -> u32 {
    1 << (if (role as usize) < MAX_ROLES { role } else { MAX_ROLES as u16 - 1 })
}

/// Roles, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u32);

impl Roles {
    /// None.
    pub const NONE: Self = Self(0);

    /// One.
    #[must_use]
    pub const fn of(role: u16) -> Self {
        Self(bit(role))
    }

    /// Is there none?
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their numbers, in their order.
    pub fn iter(self) -> impl Iterator<Item = u16> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let role = left.trailing_zeros() as u16;
            left &= left.wrapping_sub(1);
            (usize::from(role) < MAX_ROLES).then_some(role)
        })
    }
}

impl Commons {
    /// Counts the values of the devices at home.
    #[must_use]
    pub fn of(hosts: &Map<Host, Box<HostBaseline>>) -> Self {
        let mut commons = Self::default();
        // What keeps a link up is said by its own addresses, which are no devices.
        let with = |service: Service| hosts.values().filter(|host| host.services.contains(service)).count() as u32;
        commons.advertising_routes = with(Service::ROUTES);
        commons.is_link_heard = Service::SOLICITATIONS.iter().any(|&service| with(service) > 0);
        let home = || hosts.iter().filter(|(address, host)| host.local && address.is_device()).map(|(_, host)| host);
        commons.devices = home().count() as u32;
        // Clients last: in a fleet they are the most, each known to one server, and would take the place of what many have.
        for part in [each_own_value, each_client] {
            home().for_each(|host| part(host, &mut |_, key, minutes| commons.add(key, host.role, minutes)));
        }
        // By the places of their kinds.
        let mut by_frequency: Vec<[BTreeMap<u32, u64>; 2]> = Kind::all().map(|_| Default::default()).collect();
        for host in home() {
            each_value(host, |kind, key, minutes| {
                let together = commons.values.get(&key).map_or(minutes, |spread| spread.minutes);
                let [of_one, of_all] = &mut by_frequency[kind.place()];
                *of_one.entry(minutes).or_default() += u64::from(minutes);
                *of_all.entry(together).or_default() += u64::from(minutes);
            });
        }
        let mut activity: BTreeMap<u32, u64> = BTreeMap::new();
        home().for_each(|host| *activity.entry(host.minutes).or_default() += u64::from(host.minutes));
        commons.activity = Shares::of(&activity);
        let shown = Kind::all().map(|kind| (kind, &by_frequency[kind.place()])).filter(|(_, both)| !both[0].is_empty());
        commons.shares = shown.map(|(kind, both)| (kind, both.each_ref().map(Shares::of))).collect();
        commons
    }

    /// Addresses that said that they are routers of IPv6.
    #[must_use]
    pub const fn advertising_routes(&self) -> u32 {
        self.advertising_routes
    }

    /// Was anybody heard to ask all of a link something by IPv6, so that what routers say to all of it would have been heard, too?
    #[must_use]
    pub const fn is_link_heard(&self) -> bool {
        self.is_link_heard
    }

    /// Devices at home.
    #[must_use]
    pub const fn devices(&self) -> usize {
        self.devices as usize
    }

    fn add(&mut self, key: u64, role: u16, minutes: u32) {
        if self.values.len() >= MAX_VALUES && !self.values.contains_key(&key) {
            return;
        }
        let spread = self.values.entry(key).or_default();
        spread.devices += 1;
        spread.minutes = spread.minutes.saturating_add(minutes);
        spread.several |= spread.any & bit(role);
        spread.any |= bit(role);
    }

    /// How many devices at home have a value.
    #[must_use]
    pub fn devices_with<V: Hash>(&self, kind: Kind, value: V) -> u32 {
        self.values.get(&value_key(kind, value)).map_or(0, |spread| spread.devices)
    }

    /// Minutes in which devices had it, over all of them.
    #[must_use]
    pub fn minutes_with<V: Hash>(&self, kind: Kind, value: V) -> u32 {
        self.values.get(&value_key(kind, value)).map_or(0, |spread| spread.minutes)
    }

    /// Who knows a value that a device of one of these roles never had.
    #[must_use]
    pub fn known_to<V: Hash>(&self, kind: Kind, value: V, roles: Roles) -> KnownTo {
        self.known_and_share(value_key(kind, value), roles).0
    }

    /// The same where one device alone speaks for no role.
    #[must_use]
    pub fn known_to_several<V: Hash>(&self, kind: Kind, value: V, roles: Roles) -> KnownTo {
        match self.values.get(&value_key(kind, value)) {
            Some(spread) if spread.several & roles.0 != 0 => KnownTo::Role,
            Some(_) => KnownTo::Network,
            None => KnownTo::Nobody,
        }
    }

    /// The roles of which devices have a value that several have.
    #[must_use]
    pub fn roles_of_several<V: Hash>(&self, kind: Kind, value: V) -> Roles {
        self.values
            .get(&value_key(kind, value))
            .filter(|spread| spread.devices > 1)
            .map_or(Roles::NONE, |spread| Roles(spread.any))
    }

    /// The same of a value's hash, and the share of the devices at home that have it: what a device of which nothing is known has it with.
    #[must_use]
    pub fn known_and_share(&self, key: u64, roles: Roles) -> (KnownTo, f64) {
        let spread = self.values.get(&key);
        let known = match spread {
            Some(spread) if spread.any & roles.0 != 0 => KnownTo::Role,
            Some(_) => KnownTo::Network,
            None => KnownTo::Nobody,
        };
        let devices = spread.map_or(0, |spread| spread.devices);
        (known, (f64::from(devices) + 0.5) / (f64::from(self.devices) + 1.0))
    }

    /// The same for a value that a device of this role has: who else?
    fn known_to_others(&self, key: u64, role: u16) -> KnownTo {
        match self.values.get(&key) {
            Some(spread) if spread.several & bit(role) != 0 => KnownTo::Role,
            Some(spread) if spread.devices > 1 => KnownTo::Network,
            _ => KnownTo::Nobody,
        }
    }

    /// Bits of a value that a device had in so many minutes of its life: how seldom a device shows one that it shows so seldom,
    /// and all devices together one that they show so seldom. A device of which nothing is known counts as all together.
    #[must_use]
    pub fn rarity<V: Hash>(&self, kind: Kind, value: V, own: Option<u32>) -> (f64, f64) {
        let Some([of_one, of_all]) = self.shares.get(&kind) else { return (0.0, 0.0) };
        let minutes = self.minutes_with(kind, value);
        let together = bits(of_all.at_most(minutes));
        (own.map_or(together, |own| bits(of_one.at_most(own))), together)
    }

    /// Bits of a device that was active in so many minutes: how seldom one is that is active so seldom.
    #[must_use]
    pub fn rarity_of_device(&self, minutes: u32) -> f64 {
        bits(self.activity.at_most(minutes))
    }

    /// For every value that a device has, who else has it.
    pub(super) fn others(&self, host: &HostBaseline, mut tell: impl FnMut(Kind, KnownTo)) {
        each_value(host, |kind, key, _| tell(kind, self.known_to_others(key, host.role)));
    }
}

/// Takes the kind of a value, its hash and its minutes.
type Tell<'t> = &'t mut dyn FnMut(Kind, u64, u32);

fn each<V: Value + Hash>(counts: &Counts<V>, kind: impl Fn(V) -> Kind, tell: Tell<'_>) {
    counts.iter().for_each(|(value, minutes)| tell(kind(value), value_key(kind(value), value), minutes));
}

/// Every value of a device.
fn each_value(host: &HostBaseline, mut tell: impl FnMut(Kind, u64, u32)) {
    each_own_value(host, &mut tell);
    each_client(host, &mut tell);
}

/// Every value that it showed itself.
fn each_own_value(host: &HostBaseline, tell: Tell<'_>) {
    each(&host.services, |_| Kind::Service, tell);
    each(&host.edges, |_| Kind::Edge, tell);
    // Names that a resolver or a proxy asks for are known to whoever had it ask, and to it only since.
    let is_own = |kind: FactKind| !matches!(kind, FactKind::Domain | FactKind::Name) || !host.asks_for_others();
    host.facts.iter().filter(|(fact, _)| is_own(fact.kind)).for_each(|(fact, minutes)| {
        tell(Kind::Fact(fact.kind), value_key(Kind::Fact(fact.kind), fact), minutes);
    });
    each(&host.shapes, |_| Kind::Shape, tell);
    each(host.offers(), |_| Kind::Offer, tell);
}

/// Every client that it served.
fn each_client(host: &HostBaseline, tell: Tell<'_>) {
    each(host.clients(), |_| Kind::Client, tell);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::Fact;
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
        let addressed = hosts.into_iter().enumerate().map(|(n, host)| (Host(Addr::v4([10, 0, 0, n as u8])), Box::new(host)));
        Commons::of(&addressed.collect())
    }

    #[test]
    fn what_the_role_knows_is_told_from_what_others_know() {
        let commons = commons(vec![host(0, &[WEB]), host(0, &[WEB]), host(1, &[SSH])]);
        let known_to = |service, roles| commons.known_to(Kind::Service, service, roles);
        assert_eq!(
            [known_to(WEB, Roles::of(0)), known_to(SSH, Roles::of(0)), known_to(SSH, Roles::NONE)],
            [KnownTo::Role, KnownTo::Network, KnownTo::Network]
        );
        assert_eq!(known_to(Service { protocol: 17, port: 53 }, Roles::of(0)), KnownTo::Nobody);
        assert_eq!(commons.known_to(Kind::Offer, WEB, Roles::of(0)), KnownTo::Nobody, "used is not offered");
        assert!((commons.known_and_share(value_key(Kind::Service, WEB), Roles::NONE).1 - 2.5 / 4.0).abs() < 1e-12);
        assert_eq!(commons.roles_of_several(Kind::Service, WEB), Roles::of(0));
        assert!(commons.roles_of_several(Kind::Service, SSH).is_empty(), "one device is not several");
    }

    #[test]
    fn a_name_that_a_resolver_or_a_proxy_asked_for_is_not_known_to_it() {
        let name = Fact::new(FactKind::Name, "www.example");
        let known = |make: &dyn Fn(&mut HostBaseline)| {
            let mut asked = host(0, &[]);
            asked.facts.add(name, 1);
            make(&mut asked);
            let commons = commons(vec![asked.clone(), host(0, &[])]);
            let mut told = Vec::new();
            commons.others(&asked, |kind, known| told.push((kind, known)));
            told.retain(|(kind, _)| matches!(kind, Kind::Fact(_)));
            (commons.known_to(Kind::Fact(name.kind), name, Roles::of(0)), told.len())
        };
        assert_eq!(known(&|_| ()), (KnownTo::Role, 1));
        assert_eq!(known(&HostBaseline::learn_passing_on), (KnownTo::Nobody, 0));
        let offers = |port| move |host: &mut HostBaseline| host.learn_offer(Service { protocol: 17, port });
        assert_eq!((known(&offers(53)), known(&offers(123))), ((KnownTo::Nobody, 0), (KnownTo::Role, 1)));
    }

    #[test]
    fn what_one_device_does_once_is_rarer_than_what_all_do_once() {
        let mut hosts = vec![host(0, &[WEB]); 50];
        hosts.push(host(0, &[WEB, SSH]));
        hosts.iter_mut().for_each(|host| host.services.add(WEB, 99));
        let commons = commons(hosts);
        let rarity = |service, own| {
            let (own, together) = commons.rarity(Kind::Service, service, own);
            own + together
        };
        assert!(rarity(SSH, Some(1)) > 2.0 * rarity(WEB, Some(1)) - 1.0 && rarity(WEB, Some(100)) < 0.1);
        assert!(rarity(SSH, Some(0)) > rarity(SSH, Some(1)) && rarity(WEB, None) < 0.1);
        assert_eq!(commons.rarity(Kind::Offer, SSH, Some(0)), (0.0, 0.0), "nobody offers anything");
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

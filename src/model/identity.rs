//! Which addresses are one device.
//!
//! A device speaks IPv4 and IPv6, and may come back with another lease. Behind a router many devices have the router's MAC
//! address: so an interface stands for a device only while a single IPv4 address was seen behind it that no server leased to it (DHCP).
//! A device that had several addresses, or one that others have had, is known by its interface instead.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::home;
use super::window::Map;
use crate::feature::{Host, Observation};
use crate::flow::Net;
use crate::wire::Mac;

/// Interfaces followed at the most; devices behind further ones are known by their addresses.
const MAX_DEVICES: usize = 2_000_000;
/// IPv6 addresses of one device that are kept; behind more, of several links or without an IPv4 address, there is a router.
const MAX_IPV6: usize = 16;
/// Leases of one device that are kept. With a further one it is the device still while the lease or its own frames say so, not by the address alone.
const MAX_LEASES: usize = 64;

/// IPv4 addresses behind one interface that make it a router's: a device may have had two, one after the other.
const ROUTER_IPV4: usize = 3;

/// What stands for the device behind an interface, and its other addresses: its IPv4 address where it has one, and nobody else had it.
type Addresses = Vec<Host>;

/// Devices by their interfaces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Identities {
    #[serde(with = "super::keys")]
    devices: BTreeMap<Mac, Addresses>,
    /// Interfaces behind which there are several devices.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    routers: BTreeSet<Mac>,
    /// Interfaces of devices that have an address of their own, and pass on what comes from abroad: a further address behind one is not its own.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    gateways: BTreeSet<Mac>,
    /// Networks at home that nobody named.
    #[serde(default, with = "home::text", skip_serializing_if = "Vec::is_empty")]
    home: Vec<Net>,
    /// What each address stands for, where that is another. Drawn from the devices.
    #[serde(skip)]
    by_address: Map<Host, Host>,
    /// The device behind each interface. Drawn from the devices: a table by hash is asked sooner than a tree.
    #[serde(skip)]
    by_interface: Map<Mac, Host>,
    /// Addresses that several devices have had, one after the other. Drawn from the devices.
    #[serde(skip)]
    pooled: Map<Host, ()>,
}

/// What devices are called, of those that a model knows: so much of it as tells which addresses are one.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub(super) identities: Identities,
    pub(super) known: BTreeSet<Host>,
}

impl Names {
    /// The devices at both ends.
    #[must_use]
    pub fn of(&self, seen: &Observation) -> (Host, Host) {
        let name = |host: Host, is_local: bool, mac: Mac| {
            if is_local || self.identities.is_home(host) {
                self.identities.of(host, mac, |host| self.known.contains(&host))
            } else {
                host
            }
        };
        (name(seen.orig, seen.orig_local, seen.macs[0]), name(seen.resp, seen.resp_local, seen.macs[1]))
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Interface {
    v4: BTreeSet<Host>,
    v6: BTreeSet<Host>,
    /// IPv4 addresses that were leased to it.
    leased: BTreeSet<Host>,
    /// Addresses that are not at home, as far as was said: so many that a router is told.
    #[serde(default)]
    abroad: BTreeSet<Host>,
}

impl Interface {
    /// Notes an address, unless there are more already than a device has.
    fn add(&mut self, host: Host, is_leased: bool) {
        let (addresses, most) = match (host.0.is_v4(), is_leased) {
            (true, true) => (&mut self.leased, MAX_LEASES),
            // Some of these may turn out to be leased: the others still have to be enough to tell a router.
            (true, false) => (&mut self.v4, ROUTER_IPV4 + MAX_LEASES),
            (false, _) => (&mut self.v6, MAX_IPV6 + 1),
        };
        if addresses.len() < most {
            addresses.insert(host);
        }
    }

    fn add_abroad(&mut self, host: Host) {
        if self.abroad.len() < home::MAX_ADDRESSES {
            self.abroad.insert(host);
        }
    }

    /// IPv4 addresses that nobody leased to it.
    fn own(&self) -> usize {
        self.v4.difference(&self.leased).count()
    }

    /// Are there several devices behind it?
    fn is_router(&self) -> bool {
        self.own() >= ROUTER_IPV4 || self.has_many_v6()
    }

    /// Is it the way to others? That has an address of its own still.
    fn leads_out(&self) -> bool {
        !home::is_of_few_links(&self.abroad)
    }

    /// Is there one device behind it? What it had before it was heard being leased an address is one more.
    fn is_device(&self) -> bool {
        self.own() <= 1 && !self.has_many_v6() && !(self.v4.is_empty() && self.v6.is_empty() && self.leased.is_empty())
    }

    /// Has it more IPv6 addresses than a device? One with an IPv4 address may make up another each day (RFC 8981), but of few links.
    fn has_many_v6(&self) -> bool {
        let is_of_few_links = || self.all_v4().count() == 1 && home::is_of_few_links(&self.v6);
        self.v6.len() > MAX_IPV6 && !is_of_few_links()
    }

    /// Its IPv4 addresses.
    fn all_v4(&self) -> impl Iterator<Item = Host> + '_ {
        self.v4.union(&self.leased).copied()
    }

    /// The addresses of the device, first what it is known by, where `is_shared` says which addresses others have had.
    fn device(self, mac: Mac, is_shared: impl Fn(Host) -> bool) -> Addresses {
        let moves = !self.leased.is_empty() && (self.all_v4().count() > 1 || self.all_v4().any(is_shared));
        let name = moves.then(|| Host::of_interface(mac));
        name.into_iter().chain(self.all_v4()).chain(self.v6.iter().copied()).collect()
    }
}

/// Learns which addresses are one device.
#[derive(Default, Serialize, Deserialize)]
pub struct IdentitiesBuilder {
    #[serde(with = "super::keys")]
    interfaces: BTreeMap<Mac, Interface>,
    /// Said before it is finished, not sent.
    #[serde(skip)]
    home_is_named: bool,
}

impl IdentitiesBuilder {
    /// Learns from the ends of a flow.
    pub fn add(&mut self, seen: &Observation) {
        let ends = [(seen.orig, seen.orig_local), (seen.resp, seen.resp_local)];
        for (place, (host, local)) in ends.into_iter().enumerate() {
            let mac = seen.macs[place];
            if !host.is_device() || !mac.is_station() || mac.is_shared_by_routers() {
                continue;
            }
            match self.interface(mac) {
                Some(interface) if local => interface.add(host, seen.leased[place]),
                Some(interface) => interface.add_abroad(host),
                None => {}
            }
        }
    }

    fn interface(&mut self, mac: Mac) -> Option<&mut Interface> {
        let has_room = self.interfaces.len() < MAX_DEVICES || self.interfaces.contains_key(&mac);
        has_room.then(|| self.interfaces.entry(mac).or_default())
    }

    /// Adds what was learned elsewhere.
    pub fn join(&mut self, other: Self) {
        for (mac, theirs) in other.interfaces {
            if let Some(interface) = self.interface(mac) {
                theirs.v4.into_iter().chain(theirs.v6).for_each(|host| interface.add(host, false));
                theirs.leased.into_iter().for_each(|host| interface.add(host, true));
                theirs.abroad.into_iter().for_each(|host| interface.add_abroad(host));
            }
        }
    }

    /// The networks at home were named: no others are looked for.
    pub fn home_is_named(&mut self) {
        self.home_is_named = true;
    }

    /// Networks at home that nobody named; what interfaces have of them is theirs from now on, and only what is abroad is left there.
    fn take_home(&mut self) -> Vec<Net> {
        if self.home_is_named {
            return Vec::new();
        }
        let of_device = |interface: &&Interface| interface.own() <= 1 && !interface.abroad.is_empty();
        let home = home::found(self.interfaces.values().filter(of_device).map(|interface| &interface.abroad));
        for interface in self.interfaces.values_mut() {
            let is_home = |host: &Host| home.iter().any(|net| net.contains(host.0));
            let (own, abroad) = std::mem::take(&mut interface.abroad).into_iter().partition::<BTreeSet<Host>, _>(is_home);
            interface.abroad = abroad;
            own.into_iter().for_each(|host| interface.add(host, false));
        }
        home
    }

    /// What was learned. An address behind several interfaces that each seem to be one device is left to itself, unless it was leased.
    #[must_use]
    pub fn finish(mut self) -> Identities {
        let mut identities = Identities { home: self.take_home(), ..Identities::default() };
        let mut devices_of: Map<Host, u32> = Map::default();
        let devices = self.interfaces.values().filter(|interface| interface.is_device());
        devices.flat_map(Interface::all_v4).for_each(|host| *devices_of.entry(host).or_default() += 1);
        let is_shared = |host| devices_of.get(&host).is_some_and(|&devices| devices > 1);
        for (mac, interface) in self.interfaces {
            if interface.is_router() {
                identities.routers.insert(mac);
            } else if interface.is_device() {
                if interface.leads_out() {
                    identities.gateways.insert(mac);
                }
                identities.devices.insert(mac, interface.device(mac, is_shared));
            }
        }
        identities.prepare();
        identities
    }
}

impl Identities {
    /// Draws what is not stored: after loading.
    pub(super) fn prepare(&mut self) {
        let mut by_address: Map<Host, Host> = Map::default();
        let (mut several, mut names, mut names_of_several) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for addresses in self.devices.values().filter(|addresses| !addresses.is_empty()) {
            if !names.insert(addresses[0]) {
                names_of_several.insert(addresses[0]);
            }
            for &address in addresses {
                if by_address.insert(address, addresses[0]).is_some_and(|other| other != addresses[0]) {
                    several.insert(address);
                }
            }
        }
        by_address
            .retain(|address, device| address != device && !several.contains(address) && !names_of_several.contains(device));
        self.by_address = by_address;
        self.by_interface = self.devices.iter().filter_map(|(&mac, addresses)| Some((mac, *addresses.first()?))).collect();
        let is_pooled = |(_, device): &(&Mac, &Host)| device.interface().is_some();
        let moving = self.by_interface.iter().filter(is_pooled).filter_map(|(mac, _)| self.devices.get(mac)).flatten();
        self.pooled = moving.filter(|address| several.contains(address)).map(|&address| (address, ())).collect();
    }

    /// The address that stands for the device with this one. An address that was never seen behind a known interface of one device
    /// is that device's, come back.
    #[must_use]
    pub fn of(&self, host: Host, mac: Mac, is_known: impl Fn(Host) -> bool) -> Host {
        if let Some(&device) = self.by_address.get(&host) {
            // Addresses of devices that move are leased to others, too: the frame says to whom by now, unless it is a router's.
            let has_it_now = device.interface().and_then(|_| self.behind(mac));
            return has_it_now.unwrap_or(device);
        }
        if !host.is_device() || !self.is_pooled(host) && is_known(host) {
            return host;
        }
        self.behind(mac).unwrap_or(host)
    }

    /// The device behind an interface by which nobody else sends.
    fn behind(&self, mac: Mac) -> Option<Host> {
        self.by_interface.get(&mac).filter(|_| !self.is_gateway(mac)).copied()
    }

    /// The device of an interface to which an address was leased: a stranger is none of those that the model knows by the address.
    #[must_use]
    pub fn leased(&self, host: Host, mac: Mac, is_known: impl Fn(Host) -> bool) -> Host {
        match self.by_interface.get(&mac) {
            Some(&device) => device,
            None if is_known(host) || self.by_address.contains_key(&host) => Host::of_interface(mac),
            None => host,
        }
    }

    /// Have several devices had this address, one after the other?
    fn is_pooled(&self, host: Host) -> bool {
        // Most networks that are learned have none: no hash is worked out for nothing.
        !self.pooled.is_empty() && self.pooled.contains_key(&host)
    }

    /// Puts devices in the place of addresses, and says which are at home, too.
    pub fn apply(&self, seen: &mut Observation, is_known: impl Fn(Host) -> bool) {
        seen.orig_local |= self.is_home(seen.orig);
        seen.resp_local |= self.is_home(seen.resp);
        let of = |host: Host, mac: Mac, is_leased: bool| match self.by_interface.get(&mac).filter(|_| is_leased) {
            Some(&device) => device,
            None => self.of(host, mac, &is_known),
        };
        if seen.orig_local {
            seen.orig = of(seen.orig, seen.macs[0], seen.leased[0]);
        }
        if seen.resp_local {
            seen.resp = of(seen.resp, seen.macs[1], seen.leased[1]);
        }
    }

    /// Networks at home that nobody named.
    #[must_use]
    pub fn home(&self) -> &[Net] {
        &self.home
    }

    /// Is it in one of them?
    fn is_home(&self, host: Host) -> bool {
        self.home.iter().any(|net| net.contains(host.0))
    }

    /// Are several devices behind this interface?
    #[must_use]
    pub fn is_router(&self, mac: Mac) -> bool {
        self.routers.contains(&mac)
    }

    /// Does a device with an address of its own pass on what comes from elsewhere by this interface?
    #[must_use]
    pub fn is_gateway(&self, mac: Mac) -> bool {
        self.gateways.contains(&mac)
    }

    /// Devices with more than one address.
    #[must_use]
    pub fn with_several_addresses(&self) -> usize {
        let has_several = |addresses: &&Addresses| addresses.iter().filter(|host| host.interface().is_none()).count() > 1;
        self.devices.values().filter(has_several).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::testing::packet;
    use crate::flow::{FlowKey, FlowLimits, HomeNets, Shard};
    use crate::time::Timestamp;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 9]);
    const ROUTER: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    /// A flow from this address behind this interface to somebody whose interface is not known.
    fn from(address: &str, mac: Mac) -> Observation {
        let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
        let (mut shard, mut out, packet) = (Shard::default(), Vec::new(), packet(0, 1, 4000, 2, 53, 17));
        let (key, from_low) = FlowKey::of(&packet);
        shard.packet((key, from_low, key.hash()), &packet, &[], (&limits, &home), &mut out);
        shard.finish(&limits, packet.time, &mut out);
        let mut seen = Observation::of(&out[0], Timestamp::from_parts(60, 0), &home);
        (seen.orig, seen.macs, seen.orig_local, seen.resp_local) = (host(address), [mac, Mac::NONE], true, true);
        seen
    }

    fn learned(flows: &[Observation]) -> Identities {
        let mut builder = IdentitiesBuilder::default();
        flows.iter().for_each(|seen| builder.add(seen));
        let learned = builder.finish();
        let mut read: Identities = serde_json::from_str(&serde_json::to_string(&learned).unwrap()).unwrap();
        read.prepare();
        assert_eq!(read, learned);
        read
    }

    #[test]
    fn a_device_is_one_over_both_protocols_and_over_a_new_lease() {
        let identities = learned(&[from("10.0.0.5", MAC), from("fd00::5", MAC)]);
        let of = |address: &str, mac| identities.of(host(address), mac, |known| known == host("10.0.0.5"));
        assert_eq!(of("fd00::5", MAC), host("10.0.0.5"));
        assert_eq!(of("10.0.0.77", MAC), host("10.0.0.5"), "a new lease");
        assert_eq!(of("10.0.0.77", Mac([2, 0, 0, 0, 0, 8])), host("10.0.0.77"), "somebody else");
        assert_eq!(identities.with_several_addresses(), 1);
    }

    #[test]
    fn public_addresses_that_devices_have_are_at_home() {
        let abroad = |address: &str, n: u8| Observation { orig_local: false, ..from(address, Mac([2, 0, 0, 0, 1, n])) };
        let own = |n: u8| from(&format!("10.0.0.{n}"), Mac([2, 0, 0, 0, 1, n]));
        let mut flows: Vec<Observation> = (1..=3).flat_map(|n| [own(n), abroad(&format!("2001:db8::{n}"), n)]).collect();
        flows.extend((1..=9).map(|n| abroad(&format!("203.0.{n}.1"), 200)));
        let identities = learned(&flows);
        assert_eq!(identities.home().iter().map(ToString::to_string).collect::<Vec<_>>(), ["2001:db8::/64"]);
        let applied = |address: &str, mac| {
            let mut seen = Observation { orig_local: false, ..from(address, mac) };
            identities.apply(&mut seen, |_| true);
            (seen.orig, seen.orig_local)
        };
        assert_eq!(applied("2001:db8::2", ROUTER), (host("10.0.0.2"), true), "one device over both protocols");
        assert_eq!(applied("203.0.1.1", ROUTER), (host("203.0.1.1"), false));
        let mut named = IdentitiesBuilder::default();
        flows.iter().for_each(|seen| named.add(seen));
        named.home_is_named();
        assert!(named.finish().home().is_empty());
    }

    #[test]
    fn a_device_with_one_address_of_version_4_may_have_many_of_version_6() {
        let days = || (0..20).map(|day| from(&format!("fd00::{day:x}"), MAC));
        let of = |flows: Vec<Observation>, address: &str| learned(&flows).of(host(address), MAC, |_| false);
        let with_one: Vec<_> = days().chain([from("10.0.0.5", MAC)]).collect();
        assert_eq!(of(with_one, "fd00::99"), host("10.0.0.5"));
        assert_eq!(of(days().collect(), "fd00::99"), host("fd00::99"), "a router");
        let links = (0..20).map(|link| from(&format!("fd00:{link:x}::1"), MAC)).chain([from("10.0.0.5", MAC)]);
        assert_eq!(of(links.collect(), "fd00::99"), host("fd00::99"), "a router");
    }

    #[test]
    fn a_router_does_not_merge_those_behind_it() {
        let behind = ["10.1.0.1", "10.1.0.2", "10.1.0.3"].map(|address| from(address, ROUTER));
        let identities = learned(&[&behind[..], &[from("10.1.0.2", MAC), from("fd00::2", MAC)]].concat());
        let of = |address: &str, mac| identities.of(host(address), mac, |_| false);
        assert_eq!(of("10.1.0.1", ROUTER), host("10.1.0.1"));
        assert_eq!(of("10.1.0.9", ROUTER), host("10.1.0.9"));
        assert_eq!(of("fd00::2", ROUTER), host("10.1.0.2"), "known from its own interface");
        assert!(identities.is_router(ROUTER) && !identities.is_router(MAC));
        let moved = learned(&[from("10.1.0.1", MAC), from("10.1.0.2", MAC)]);
        assert!(!moved.is_router(MAC), "a device whose address has changed");
    }

    #[test]
    fn who_comes_through_a_gateway_is_not_the_gateway() {
        let of = |servers: u8| {
            let outside = (1..=servers).map(|n| Observation { orig_local: false, ..from(&format!("203.0.{n}.1"), ROUTER) });
            let flows: Vec<_> = outside.chain([from("10.1.0.1", ROUTER), from("fd00::1", ROUTER)]).collect();
            let identities = learned(&flows);
            assert_eq!(identities.is_gateway(ROUTER), servers > 2);
            assert_eq!(identities.leased(host("10.1.0.1"), ROUTER, |_| true), host("10.1.0.1"), "its own lease");
            let mut named = IdentitiesBuilder::default();
            flows.iter().for_each(|seen| named.add(seen));
            named.home_is_named();
            assert_eq!(named.finish().gateways, identities.gateways);
            assert_eq!(identities.of(host("fd00::1"), ROUTER, |_| false), host("10.1.0.1"), "it is one device still");
            identities.of(host("10.2.0.7"), ROUTER, |_| false)
        };
        assert_eq!(of(3), host("10.2.0.7"), "a guest");
        assert_eq!(of(2), host("10.1.0.1"), "a device with a new lease");
    }

    /// A flow from an address that was leased to this interface, whatever is before it.
    fn leased(address: &str, mac: Mac) -> Observation {
        Observation { leased: [true, false], ..from(address, mac) }
    }

    #[test]
    fn a_device_with_one_lease_after_the_other_is_known_by_its_interface() {
        let other = Mac([2, 0, 0, 0, 0, 7]);
        let days = ["10.1.0.50", "10.1.0.51", "10.1.0.52", "10.1.0.53"].map(|address| leased(address, MAC));
        let theirs = [leased("10.1.0.51", other), leased("10.1.0.60", other), from("fd00::7", other)];
        let behind = ["10.1.0.50", "10.1.0.1", "10.1.0.2", "10.1.0.3"].map(|address| from(address, ROUTER));
        let identities = learned(&[&days[..], &theirs, &behind].concat());
        let of = |address: &str, mac| identities.of(host(address), mac, |known| known == host("10.1.0.1"));
        let (own, its) = (Host::of_interface(MAC), Host::of_interface(other));
        assert_eq!(of("10.1.0.53", ROUTER), own, "nobody else had it");
        assert_eq!((of("10.1.0.51", MAC), of("10.1.0.51", other)), (own, its));
        assert_eq!(of("10.1.0.51", ROUTER), host("10.1.0.51"), "nobody says who has it now");
        assert_eq!(of("10.1.0.53", other), its, "leased to another since");
        assert_eq!((of("10.1.0.77", MAC), of("fd00::7", ROUTER)), (own, its), "a new lease; both protocols");
        assert_eq!(of("10.1.0.1", MAC), host("10.1.0.1"), "who takes the address of another is not that one");
        let leased = |address: &str, mac| identities.leased(host(address), mac, |known| known == host("10.1.0.1"));
        let stranger = Mac([2, 0, 0, 0, 0, 8]);
        assert_eq!((leased("10.1.0.60", MAC), leased("10.1.0.88", stranger)), (own, host("10.1.0.88")));
        assert_eq!(leased("10.1.0.1", stranger), Host::of_interface(stranger), "the address of somebody else");
        assert_eq!(leased("10.1.0.60", stranger), Host::of_interface(stranger), "the same");
        let mut seen = self::leased("10.1.0.51", MAC);
        Identities::default().apply(&mut seen, |_| true);
        assert_eq!(seen.orig, host("10.1.0.51"), "nothing is known yet");
        identities.apply(&mut seen, |_| true);
        assert_eq!(seen.orig, own);
    }

    #[test]
    fn a_device_with_one_lease_for_good_is_known_by_its_address() {
        let identities = learned(&[leased("10.1.0.50", MAC), from("10.1.0.50", ROUTER), from("10.1.0.1", ROUTER)]);
        assert_eq!(identities.with_several_addresses(), 0);
        assert_eq!(identities.of(host("10.1.0.50"), ROUTER, |_| false), host("10.1.0.50"));
        assert_eq!(identities.of(host("10.1.0.99"), MAC, |_| false), host("10.1.0.50"));
    }

    #[test]
    fn an_address_of_two_devices_stays_itself() {
        let other = Mac([2, 0, 0, 0, 0, 7]);
        let identities = learned(&[from("10.0.0.5", MAC), from("fd00::5", MAC), from("10.0.0.6", other), from("fd00::5", other)]);
        assert_eq!(identities.of(host("fd00::5"), MAC, |_| true), host("fd00::5"));
    }
}

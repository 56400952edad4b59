//! Devices that come back with another address, as single frames tell.
//!
//! Behind a router a flow does not show the interface of its device. What a server leases to an interface (DHCP) and what an interface claims
//! (ARP) does, so that a device which the model knows by its interface goes on under a new address.

use serde::{Deserialize, Serialize};

use crate::feature::{Host, Observation};
use crate::model::{Baselines, Map};
use crate::sighting::{Seen, Sighting};
use crate::wire::Mac;

/// Addresses that stand for another device at the most, and devices with a present address; devices with a further one are known by it.
const MAX_ADDRESSES: usize = 200_000;

/// Which addresses belong to devices that the model knows under others, or to strangers though it knows others by them. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Leases {
    by_address: Map<Host, Host>,
    /// The present addresses of devices that are known by something else.
    present: Map<Host, Host>,
    /// The interfaces of strangers to which addresses were leased.
    strangers: Map<Host, Mac>,
}

impl Leases {
    /// Takes what a frame said. A lease also takes an address from the device that the model knows under it; a claim does not, for whoever
    /// wants to be taken for another claims, too.
    pub fn observe(&mut self, sighting: &Sighting, baselines: &Baselines) {
        let is_known = |host: Host| baselines.hosts.contains_key(&host);
        if let Some((address, mac)) = sighting.lease() {
            let device = baselines.identities.leased(Host(address), mac, is_known);
            self.belongs(Host(address), device);
            self.leased_to_stranger(Host(address), (!is_known(device)).then_some(mac));
            return;
        }
        let Seen::Arp(arp) = &sighting.what else { return };
        let (host, mac) = (Host(arp.sender), arp.sender_mac);
        if arp.sender.ip().is_unspecified() || !mac.is_station() || mac.is_shared_by_routers() {
            return;
        }
        let device = baselines.identities.of(host, mac, |_| false);
        // Most interfaces stand for nothing else: what else is known of them does not matter then.
        if device == host && self.by_address.is_empty() || is_known(host) {
            return;
        }
        self.belongs(host, if is_known(device) { device } else { host });
    }

    /// An address was leased to a stranger's interface, or to a device that is known.
    fn leased_to_stranger(&mut self, address: Host, interface: Option<Mac>) {
        match interface {
            Some(mac) if self.strangers.len() < MAX_ADDRESSES || self.strangers.contains_key(&address) => {
                self.strangers.insert(address, mac);
            }
            _ if self.strangers.is_empty() => {}
            _ => _ = self.strangers.remove(&address),
        }
    }

    /// An address belongs to a device from now on.
    fn belongs(&mut self, host: Host, device: Host) {
        if device == host {
            // Most networks have none: no hash is worked out for nothing.
            if !self.by_address.is_empty() {
                self.by_address.remove(&host);
            }
        } else if self.by_address.len() < MAX_ADDRESSES || self.by_address.contains_key(&host) {
            self.by_address.insert(host, device);
        }
    }

    /// The address that a device has now, where it is known by something else.
    pub fn present(&self, device: Host) -> Option<Host> {
        self.present.get(&device).copied()
    }

    /// A device has this address now. One with both is told by that of IPv4.
    pub fn has(&mut self, device: Host, address: Host) {
        if device == address {
            if !self.present.is_empty() {
                self.present.remove(&device);
            }
            return;
        }
        let is_told = address.0.is_v4() || device.interface().is_some() && !self.present.contains_key(&device);
        if is_told && (self.present.len() < MAX_ADDRESSES || self.present.contains_key(&device)) {
            self.present.insert(device, address);
        }
    }

    /// Puts devices in the place of addresses.
    pub fn apply(&self, seen: &mut Observation, baselines: &Baselines) {
        let leased = |host: Host, is_local: bool| if is_local { self.by_address.get(&host).copied() } else { None };
        let (orig, resp) = if self.by_address.is_empty() {
            (None, None)
        } else {
            (leased(seen.orig, seen.orig_local), leased(seen.resp, seen.resp_local))
        };
        if !self.strangers.is_empty() && seen.orig_local {
            seen.leased[0] |= self.strangers.get(&seen.orig) == Some(&seen.macs[0]);
        }
        baselines.identify(seen);
        (seen.orig, seen.resp) = (orig.unwrap_or(seen.orig), resp.unwrap_or(seen.resp));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LATER_MS, flow, host};
    use super::*;
    use crate::app::{App, DhcpMessage};
    use crate::feature::{Fact, FactKind};
    use crate::model::{BaselinesBuilder, IdentitiesBuilder, RULES};
    use crate::sighting::Arp;
    use crate::wire::Mac;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 5]);
    const OTHER: Mac = Mac([2, 0, 0, 0, 0, 6]);
    const ROUTER: Mac = Mac([2, 0, 0, 0, 0, 1]);

    /// Devices 5 and 6 with interfaces of their own, and three behind a router.
    fn baselines() -> Baselines {
        let (mut builder, mut identities) = (BaselinesBuilder::default(), IdentitiesBuilder::default());
        for (device, mac) in [(5, MAC), (6, OTHER), (7, ROUTER), (8, ROUTER), (9, ROUTER)] {
            let (_, mut seen) = flow(i64::from(device) * 1000, device, 100, 80, true);
            seen.macs = [mac, ROUTER];
            builder.add(&seen, 0);
            identities.add(&seen);
        }
        let mut baselines = builder.finish();
        baselines.identities = identities.finish();
        baselines
    }

    fn said(what: Seen) -> Sighting {
        let time = crate::time::Timestamp::from_parts(LATER_MS / 1000, 0);
        Sighting { time, src_mac: MAC, src: None, dst: None, vlans: [0; 2], what }
    }

    fn lease(mac: Mac, address: u8, kind: &'static str) -> Sighting {
        let message = DhcpMessage {
            kind,
            from_server: kind != "request",
            client_mac: Some(mac.0),
            address: Some(host(address).0),
            ..DhcpMessage::default()
        };
        said(Seen::Dhcp(Box::new(message)))
    }

    fn claim(mac: Mac, address: u8) -> Sighting {
        let arp = Arp { operation: 1, sender_mac: mac, sender: host(address).0, target_mac: Mac::NONE, target: host(address).0 };
        said(Seen::Arp(arp))
    }

    /// Whom a flow from this address behind the router is taken to be from.
    fn taken_for(leases: &Leases, address: u8, baselines: &Baselines) -> Host {
        let (_, mut seen) = flow(LATER_MS, address, 100, 80, true);
        seen.macs = [ROUTER, ROUTER];
        leases.apply(&mut seen, baselines);
        seen.orig
    }

    #[test]
    fn a_device_behind_a_router_goes_on_under_a_new_lease() {
        let (baselines, mut leases) = (baselines(), Leases::default());
        assert_eq!(taken_for(&leases, 77, &baselines), host(77));
        leases.observe(&lease(MAC, 77, "request"), &baselines);
        assert_eq!(taken_for(&leases, 77, &baselines), host(77), "what it asks for it has not");
        leases.observe(&lease(MAC, 77, "ack"), &baselines);
        assert_eq!(taken_for(&leases, 77, &baselines), host(5));
        leases.observe(&lease(OTHER, 77, "ack"), &baselines);
        assert_eq!(taken_for(&leases, 77, &baselines), host(6), "it was leased to another");
        leases.observe(&lease(Mac([2, 0, 0, 0, 0, 99]), 77, "ack"), &baselines);
        assert_eq!(taken_for(&leases, 77, &baselines), host(77), "and to one that nobody knows");
        let stranger = Mac([2, 0, 0, 0, 0, 98]);
        leases.observe(&lease(stranger, 7, "ack"), &baselines);
        assert_eq!(
            taken_for(&leases, 7, &baselines),
            Host::of_interface(stranger),
            "who gets the address of another is not that one"
        );
    }

    #[test]
    fn a_device_is_told_by_its_present_address() {
        let mut leases = Leases::default();
        let (old, by_interface) = (host(5), Host::of_interface(MAC));
        leases.has(old, host(77));
        assert_eq!((leases.present(old), leases.present(host(6))), (Some(host(77)), None));
        leases.has(old, old);
        assert_eq!(leases.present(old), None, "it is back");
        let v6: Host = "fd00::5".parse().unwrap();
        leases.has(old, v6);
        assert_eq!(leases.present(old), None, "it speaks both");
        leases.has(by_interface, v6);
        assert_eq!(leases.present(by_interface), Some(v6));
        leases.has(by_interface, host(77));
        leases.has(by_interface, v6);
        assert_eq!(leases.present(by_interface), Some(host(77)));
    }

    #[test]
    fn a_lease_takes_an_address_from_whom_the_model_knows_and_a_claim_does_not() {
        let (baselines, mut leases) = (baselines(), Leases::default());
        leases.observe(&claim(MAC, 6), &baselines);
        assert_eq!(taken_for(&leases, 6, &baselines), host(6), "who spoofs an address is not its device");
        leases.observe(&claim(MAC, 78), &baselines);
        assert_eq!(taken_for(&leases, 78, &baselines), host(5));
        leases.observe(&lease(MAC, 6, "ack"), &baselines);
        assert_eq!(taken_for(&leases, 6, &baselines), host(5));
        leases.observe(&claim(ROUTER, 79), &baselines);
        assert_eq!(taken_for(&leases, 79, &baselines), host(79), "behind a router there are several");
    }

    #[test]
    fn log_ins_are_no_news_to_a_model_that_did_not_count_them() {
        let failures = |rules: u32, app: App| {
            let (_, mut seen) = flow(LATER_MS, 5, 100, 22, true);
            (seen.app, seen.events.login_failures, seen.events.accounts.refused) = (app, 3, 1);
            let mut baselines = baselines();
            baselines.rules = rules;
            Leases::default().apply(&mut seen, &baselines);
            assert_eq!(seen.events.login_failures > 0, seen.events.accounts.refused > 0);
            seen.events.login_failures
        };
        assert_eq!([failures(1, App::Ssh), failures(2, App::Ssh), failures(1, App::Ftp)], [0, 3, 3]);
        assert_eq!([failures(2, App::Radius), failures(RULES, App::Radius)], [0, 3]);
        assert_eq!([failures(5, App::Http), failures(RULES, App::Http)], [0, 3]);
        let requests = |rules: u32, app: App| {
            let (_, mut seen) = flow(LATER_MS, 5, 100, 4840, true);
            (seen.app, seen.facts) = (app, vec![Fact::new(FactKind::ControllerRequest, "write")]);
            let mut baselines = baselines();
            baselines.rules = rules;
            Leases::default().apply(&mut seen, &baselines);
            seen.facts.len()
        };
        assert_eq!([requests(3, App::OpcUa), requests(RULES, App::OpcUa), requests(3, App::Modbus)], [0, 1, 1]);
    }

    #[test]
    fn a_stranger_s_lease_tells_which_interface_is_its_own() {
        let baselines = baselines();
        let mut leases = Leases::default();
        let is_own = |leases: &Leases, address: u8, mac: Mac| {
            let (_, mut seen) = flow(LATER_MS, address, 100, 80, true);
            seen.macs[0] = mac;
            leases.apply(&mut seen, &baselines);
            seen.leased[0]
        };
        let stranger = Mac([2, 0, 0, 0, 0, 9]);
        assert!(!is_own(&leases, 77, stranger));
        leases.observe(&lease(stranger, 77, "ack"), &baselines);
        assert_eq!(
            [is_own(&leases, 77, stranger), is_own(&leases, 77, ROUTER), is_own(&leases, 78, stranger)],
            [true, false, false]
        );
        leases.observe(&lease(MAC, 77, "ack"), &baselines);
        assert!(!is_own(&leases, 77, stranger), "it is leased to a device that is known");
    }
}

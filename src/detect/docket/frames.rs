//! What single frames say of devices, filed.

use super::super::arp::Dispute;
use super::super::asking::Search;
use super::super::class::Class;
use super::super::evidence::Contribution;
use super::super::exhibit::Exhibit;
use super::super::flow_ref::FlowRef;
use super::super::giver::Giver;
use super::super::memory::Filed;
use super::super::scanner::scans_by_habit;
use super::Docket;
use crate::feature::Host;
use crate::flow::Service;
use crate::sighting::{Arp, Seen, Sighting};
use crate::time::Timestamp;

impl Docket {
    /// A device has this address now: what is told of it names that one.
    pub(in crate::detect) fn is_at(&mut self, device: Host, address: Host) {
        self.filed.leases.has(device, address);
    }

    /// Takes what a frame said of a device itself.
    pub fn sighting(&mut self, sighting: &Sighting) {
        self.filed.leases.observe(sighting, self.knowledge.baselines(sighting.time));
        if let Seen::Arp(arp) = &sighting.what {
            self.search(arp, sighting.time);
        }
        self.dispute(sighting);
        self.hand_out(sighting);
    }

    /// Files a device that hands out addresses and never did.
    fn hand_out(&mut self, sighting: &Sighting) {
        let giver = self.filed.givers.observe(sighting, self.knowledge.baselines(sighting.time));
        let Some(Giver { host, client, all, service, flow, part, at }) = giver else { return };
        if !self.config.without.has_kind(part.evidence) {
            let times = (at, at, at);
            // Named, but no second conversation.
            let unheard = Exhibit::of_itself(Class::NewService, Contribution { bits: 0.0, ..part }, flow.clone(), times);
            all.into_iter().for_each(|all| self.put(host, all, service, unheard.clone()));
            self.put(host, client, service, Exhibit::of_itself(Class::NewService, part, flow, times));
        }
    }

    /// Files a sweep by address resolution. Routers ask for what others sweep, and scanners sweep as a matter of habit.
    fn search(&mut self, arp: &Arp, at: Timestamp) {
        let Filed { asking, claims, .. } = &mut self.filed;
        let Some(Search { asker, asked, since, part }) = asking.observe(arp, at, |address| claims.has(address)) else { return };
        let baselines = self.knowledge.baselines(at);
        let host = baselines.identities.of(Host(asker), arp.sender_mac, |host| baselines.hosts.contains_key(&host));
        let is_expected = baselines.identities.is_router(arp.sender_mac) || baselines.host(host).is_some_and(scans_by_habit);
        if is_expected || self.config.without.has_kind(part.evidence) || self.is_told(host, Class::Sweep) {
            return;
        }
        for peer in asked.into_iter().map(Host) {
            let exhibit = Exhibit::of_itself(Class::Sweep, part, FlowRef::of_link(Host(asker), peer), (since, at, at));
            self.put(host, peer, Service::ARP, exhibit);
        }
    }

    /// Files an address that two interfaces claim.
    fn dispute(&mut self, sighting: &Sighting) {
        let identities = &self.knowledge.baselines(sighting.time).identities;
        let dispute = self.filed.claims.observe(sighting, |mac| identities.is_router(mac));
        let dispute = dispute.filter(|dispute| !self.config.without.has_kind(dispute.part.evidence));
        let Some(Dispute { address, intruder, told, part, at }) = dispute else { return };
        let (victim, host) = (Host(address), Host(intruder.unwrap_or(address)));
        let flow = FlowRef::of_link(host, victim);
        let exhibit = Exhibit { also: Some(victim), ..Exhibit::of_itself(Class::ArpSpoofing, part, flow, (at, at, at)) };
        for peer in [Some(victim), told.map(Host)].into_iter().flatten().filter(|&peer| peer != host) {
            self.put(host, peer, Service::ARP, exhibit.clone());
        }
    }
}

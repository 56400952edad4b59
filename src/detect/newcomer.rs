//! Devices first seen after learning.
//!
//! That a device is new is told once, and what it does then is judged by those that do the same: a new ultrasound that sends to the archive is
//! one incident, and no data that leaves. What nobody does with others at home still counts more for being done by a stranger.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::case::WINDOW;
use super::evidence::{Contribution, Detail, Evidence, Of};
use super::incident::Incident;
use super::prior::MORE_BITS;
use super::surprise::MOST_BITS;
use crate::feature::{FactKind, Host, Observation};
use crate::flow::Service;
use crate::model::{Baselines, Edge, Kind, KnownTo, Map, bits};
use crate::wire::Mac;

/// Devices remembered as told new at the most; beyond, they may be told again.
const MAX_INTRODUCED: usize = 100_000;

/// To whom addresses are given.
const DHCP_CLIENT: Service = Service { protocol: 17, port: 68 };

/// New devices per minute while learning, and the probability of one within a window.
pub(super) fn rate_of_newcomers(baselines: &Baselines) -> (f64, f64) {
    let per_minute = baselines.newcomers_per_minute;
    (per_minute, 1.0 - (-per_minute * WINDOW.as_seconds() / 60.0).exp())
}

/// That a device at home of which nothing is known was never seen, and how probable that is: as surprising as such devices are rare, among windows of a case's
/// length.
pub(super) fn newcomer(seen: &Observation, baselines: &Baselines) -> Option<(Contribution, f64)> {
    // Errors answer somebody else's packet: routers on its way are met when something did not arrive. Who gives addresses is the router, whose own nobody
    // saw before, or is told as what it is.
    let is_router = seen.service.is_icmp_error() || seen.service == DHCP_CLIENT;
    // Who is elsewhere and asks no more than whether somebody is there is no device of this link, and did nothing yet.
    let only_asks = seen.service.is_ping() && seen.crossed_router;
    // Who comes through a gateway was there before: nobody heard who is behind it.
    let is_gateway = || baselines.identities.is_gateway(seen.macs[0]);
    if !seen.orig_local || !seen.orig.is_device() || is_router || only_asks || is_gateway() {
        return None;
    }
    // Who is plugged in and passes on what others send is an access point that nobody asked for.
    let (prior_bits, detail) = if seen.is_from_behind() { (MORE_BITS, Detail::Hides) } else { (0.0, Detail::Nothing) };
    let (per_minute, p) = rate_of_newcomers(baselines);
    let part = Contribution::of(Evidence::NewDevice, per_minute * 1440.0, (bits(p) + prior_bits).min(MOST_BITS));
    Some((Contribution { of: Of::Network, prior_bits, detail, ..part }, p * (-prior_bits).exp2()))
}

/// Is it what several devices do: the same service of the same peer, with commands that devices of their roles give? What it calls itself is
/// its own. Nobody follows others who changes what a machine does: that is for devices that are known.
pub(super) fn follows_others(seen: &Observation, baselines: &Baselines) -> bool {
    if changes_machine(seen) {
        return false;
    }
    let roles = baselines.roles_for(None, Edge { service: seen.service, peer: seen.resp });
    let is_theirs = |kind, fact| baselines.commons.known_to(Kind::Fact(kind), fact, roles) == KnownTo::Role;
    !roles.is_empty() && seen.facts.iter().all(|&fact| !fact.kind.is_asked() || is_theirs(fact.kind, fact))
}

/// Is a controller asked to change what it does?
pub(super) fn changes_machine(seen: &Observation) -> bool {
    seen.facts.iter().any(|fact| fact.kind == FactKind::ControllerChange)
}

/// Devices of which was told that they are new. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Introduced {
    devices: BTreeSet<Host>,
    /// Those of which was told that others are behind them.
    hiding: BTreeSet<Host>,
    /// The first addresses of IPv4 and of IPv6 behind an interface.
    first: Map<Mac, [Option<Host>; 2]>,
}

impl Introduced {
    /// Notes what an incident tells.
    pub fn note(&mut self, incident: &Incident) {
        let told = || incident.reasons.iter().filter(|reason| reason.part.evidence == Evidence::NewDevice);
        if told().next().is_some() {
            self.add(incident.host);
        }
        if told().any(|reason| reason.part.detail == Detail::Hides) && self.hiding.len() < MAX_INTRODUCED {
            self.hiding.insert(incident.host);
        }
    }

    /// Was it told that others are behind this device?
    pub fn has_hiding(&self, device: Host) -> bool {
        self.hiding.contains(&device)
    }

    /// Notes that it was told of this device, too.
    pub fn add(&mut self, device: Host) {
        if self.devices.len() < MAX_INTRODUCED {
            self.devices.insert(device);
        }
    }

    /// Meets a new device behind an interface. Was it told of it, or of the one address of the other kind there? A device speaks IPv4 and IPv6; behind a router
    /// there are several of a kind, and only the first of each are taken for one.
    pub fn has(&mut self, device: Host, mac: Mac) -> bool {
        let other = if mac.is_station() && !mac.is_shared_by_routers() { self.meet(device, mac) } else { None };
        self.devices.contains(&device) || other.is_some_and(|other| self.devices.contains(&other))
    }

    /// The first address of the other kind behind an interface, where this is the first of its own.
    fn meet(&mut self, device: Host, mac: Mac) -> Option<Host> {
        if self.first.len() >= MAX_INTRODUCED && !self.first.contains_key(&mac) {
            return None;
        }
        let first = self.first.entry(mac).or_default();
        let kind = usize::from(!device.0.is_v4());
        (*first[kind].get_or_insert(device) == device).then_some(first[1 - kind]).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LATER_MS, detector, flow, show, taught_by};
    use super::super::{Class, IncidentState, Notice};
    use super::*;
    use crate::model::Roles;

    const HOUR_MS: i64 = 3_600_000;
    const SHARES: u16 = 445;
    const PING: Service = Service { protocol: 1, port: 8 };

    /// Two hours in which ten devices use the shares of device 100, one of them those of device 101, too; new devices are rare.
    fn knowledge() -> std::sync::Arc<super::super::Knowledge> {
        let mut flows = Vec::new();
        for minute in 0..120 {
            let at = |n: u8| minute * 60_000 + i64::from(n) * 3001;
            flows.extend((1..=10).map(|n| flow(at(n), n, 100, SHARES, true).1));
            flows.push(flow(at(11), 1, 101, SHARES, true).1);
        }
        taught_by(flows, 1e-6)
    }

    #[test]
    fn a_device_has_two_kinds_of_addresses_and_a_router_many_of_one() {
        let (mut introduced, mac) = (Introduced::default(), Mac([2, 0, 0, 0, 0, 7]));
        let of = |text: &str| Host(crate::wire::Addr::from(text.parse::<std::net::IpAddr>().unwrap()));
        let (v4, v6, other) = (of("10.0.0.7"), of("fd00::7"), of("10.0.0.8"));
        assert!(!introduced.has(v6, mac) && !introduced.has(v4, mac), "nobody was told");
        introduced.add(v6);
        assert_eq!([v4, v6, other].map(|device| introduced.has(device, mac)), [true, true, false]);
        assert!(!introduced.has(of("fd00::8"), mac), "a second of its kind");
        assert_eq!(
            [v4, other].map(|device| introduced.has(device, Mac([2, 0, 0, 0, 0, 8]))),
            [false, false],
            "another interface"
        );
        assert!(!introduced.has(v4, Mac::default()), "of records without interfaces nothing is known");
    }

    #[test]
    fn a_new_device_that_does_as_others_is_told_once_and_a_stranger_s_own_way_again() {
        let knowledge = knowledge();
        let mut detector = detector(&knowledge);
        let mut opened = |hour: i64, to: u8| -> Vec<Class> {
            let notices: Vec<Notice> = show(&mut detector, vec![flow(LATER_MS + hour * HOUR_MS, 77, to, SHARES, true)]);
            let opened = notices.iter().filter(|notice| notice.state == IncidentState::Open);
            opened.map(|notice| notice.incident.class).collect()
        };
        assert_eq!(opened(0, 100), [Class::NewDevice], "it uses what all use");
        assert_eq!([opened(2, 100), opened(30, 100)], [[], []], "and goes on with it, also the next day");
        assert_eq!(opened(31, 5), [Class::LateralMovement], "nobody ever used shares of device 5");
    }

    #[test]
    fn several_others_are_followed_and_one_is_not() {
        let knowledge = knowledge();
        let follows = |to: u8| {
            let (_, seen) = flow(LATER_MS, 77, to, SHARES, true);
            follows_others(&seen, knowledge.baselines(seen.seen))
        };
        assert_eq!([follows(100), follows(101), follows(5)], [true, false, false]);
        let (_, seen) = flow(LATER_MS, 77, 100, SHARES, true);
        let baselines = knowledge.baselines(seen.seen);
        let edge = Edge { service: seen.service, peer: seen.resp };
        assert!(!baselines.roles_for(None, edge).is_empty());
        let known = baselines.host(super::super::testing::host(1)).unwrap();
        assert_eq!(baselines.roles_for(Some(known), edge), Roles::of(known.role), "a known device is one of its own role");
    }

    #[test]
    fn what_others_command_is_followed_and_another_command_is_not() {
        use crate::feature::Fact;
        let retrieve = Fact::new(FactKind::DicomCommand, "C-MOVE");
        let stores = |minute: i64, n: u8| {
            let (_, mut seen) = flow(minute * 60_000 + i64::from(n) * 3001, n, 100, 104, true);
            seen.facts = vec![Fact::new(FactKind::DicomCommand, "C-STORE"), Fact::new(FactKind::CallingAe, &format!("US{n}"))];
            seen
        };
        let knowledge = taught_by((0..120).flat_map(|minute| (1..=4).map(move |n| stores(minute, n))).collect(), 1e-6);
        let mut seen = stores(300, 77);
        assert!(follows_others(&seen, knowledge.baselines(seen.seen)), "with a title of its own");
        seen.facts.push(retrieve);
        assert!(!follows_others(&seen, knowledge.baselines(seen.seen)));
    }

    #[test]
    fn who_changes_what_a_machine_does_follows_nobody() {
        use crate::feature::Fact;
        let asks = |minute: i64, n: u8, kind: FactKind| {
            let (_, mut seen) = flow(minute * 60_000 + i64::from(n) * 3001, n, 100, 502, true);
            seen.facts = vec![Fact::new(kind, "write")];
            seen
        };
        let follows = |kind: FactKind| {
            let learned = (0..120).flat_map(|minute| (1..=4).map(move |n| (minute, n)));
            let knowledge = taught_by(learned.map(|(minute, n)| asks(minute, n, kind)).collect(), 1e-6);
            let seen = asks(300, 77, kind);
            follows_others(&seen, knowledge.baselines(seen.seen))
        };
        assert_eq!([FactKind::ControllerRequest, FactKind::ControllerChange].map(follows), [true, false]);
    }

    #[test]
    fn who_hides_others_is_more_than_new_and_who_gives_addresses_is_the_router() {
        let knowledge = knowledge();
        let found = |change: fn(&mut Observation)| {
            let (_, mut seen) = flow(LATER_MS, 77, 100, SHARES, true);
            change(&mut seen);
            newcomer(&seen, knowledge.baselines(seen.seen)).map(|(part, p)| (part.detail, part.prior_bits, part.bits, bits(p)))
        };
        let plain = found(|_| ()).unwrap();
        assert_eq!((plain.0, plain.1), (Detail::Nothing, 0.0));
        let hides = found(|seen| (seen.crossed_router, seen.leased[0]) = (true, true)).unwrap();
        assert_eq!((hides.0, hides.1, hides.2), (Detail::Hides, MORE_BITS, (plain.2 + MORE_BITS).min(MOST_BITS)));
        assert!((hides.3 - plain.3 - MORE_BITS).abs() < 1e-9);
        assert_eq!(found(|seen| seen.crossed_router = true), Some(plain), "whose interface that is is not known");
        assert_eq!(found(|seen| seen.service = DHCP_CLIENT), None);
        assert_eq!(found(|seen| seen.service = PING), Some(plain), "a device of this link");
        assert_eq!(found(|seen| (seen.service, seen.crossed_router) = (PING, true)), None, "one of another");
    }
}

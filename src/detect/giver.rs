//! Who hands out addresses (DHCP), routes (router advertisements of IPv6) and names (LLMNR, NetBIOS): one that never did can send everybody's traffic where it
//! likes (MITRE ATT&CK T1557, T1557.001, T1557.003).

use serde::{Deserialize, Serialize};

use super::evidence::{Contribution, Evidence, Of};
use super::flow_ref::FlowRef;
use super::pruning::Pruning;
use crate::app::{App, DhcpMessage, LLMNR, NameAnswer};
use crate::feature::Host;
use crate::flow::{FlowKey, Service};
use crate::model::{Baselines, Edge, Family as _, HostBaseline, Kind, Map};
use crate::sighting::{NeighbourKind, Seen, Sighting};
use crate::time::{Span, Timestamp};
use crate::wire::Addr;

/// Ports of clients and servers, of version 4 and 6.
const PORTS: [[u16; 2]; 2] = [[68, 67], [546, 547]];
/// Routers say so every ten minutes unless they are told otherwise (RFC 4861, 6.2.1): who listened for less than an hour may not have heard those that there are.
const MIN_MINUTES: f64 = 60.0;
/// Bits of one that never did, where others do: odds of 4096 to 1, as of an address that two claim.
const BITS: f64 = 12.0;
/// So many relays are answered by a server alone.
const RELAYS: usize = 3;
/// Devices told within a day at the most: who makes up addresses needs no more.
const MAX_TOLD: usize = 64;
/// Clients that it answers within this time are of one incident; then it is not told again for a day.
const TOGETHER: Span = Span::from_secs(300);
const AGAIN: Span = Span::from_secs(86_400);

/// A device answers for its own name (RFC 4795, 2.5), and a server may have a second one.
const NAMES: usize = 3;
/// Names of a device that are told apart.
const MAX_NAMES: usize = 8;
/// Devices whose names are.
const MAX_ANSWERING: usize = 10_000;

/// A device that hands out addresses, routes or names and never did.
pub(super) struct Giver {
    pub host: Host,
    /// The address that it hands out; of routes the group that hears of them, of names who asked.
    pub client: Host,
    /// Where it says so, if that is not there: a client that has no address yet hears what all hear.
    pub all: Option<Host>,
    pub service: Service,
    pub flow: FlowRef,
    pub part: Contribution,
    pub at: Timestamp,
}

/// When such devices were told. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Givers {
    told: Map<(Host, Service), Timestamp>,
    /// Names for which devices answered within a day, and since when. Never written.
    #[serde(skip)]
    names: Map<Host, (Timestamp, Vec<u64>)>,
    #[serde(skip)]
    pruning: Pruning,
    #[serde(skip)]
    pruning_names: Pruning,
}

impl Givers {
    /// Takes what a frame said.
    pub fn observe(&mut self, sighting: &Sighting, baselines: &Baselines) -> Option<Giver> {
        // A router passes on what a server behind it says (RFC 1542, 4), and gives routes.
        if baselines.identities.is_router(sighting.src_mac) || sighting.src_mac.is_shared_by_routers() {
            return None;
        }
        match &sighting.what {
            Seen::Dhcp(said) => self.hands_out(said, sighting, baselines),
            Seen::Neighbour(said) if said.kind == NeighbourKind::RouterAdvertisement => self.routes(sighting, baselines),
            Seen::Name(said) => self.names(*said, sighting, baselines),
            _ => None,
        }
    }

    /// Nobody has to be heard before: for whose names a device answers is no question of what is usual.
    fn names(&mut self, said: NameAnswer, sighting: &Sighting, baselines: &Baselines) -> Option<Giver> {
        let (speaker, asker) = (sighting.src?, Host(sighting.dst?));
        let host = baselines.identities.of(Host(speaker), sighting.src_mac, |host| baselines.hosts.contains_key(&host));
        let names = self.note(host, said.name, sighting.time);
        let service = Service { protocol: 17, port: said.port };
        if (names < NAMES && !said.is_proxy) || !self.is_to_be_told((host, service), sighting.time) {
            return None;
        }
        let names = if names < NAMES { 1 } else { names };
        let part = Contribution { of: Of::Network, ..Contribution::of(Evidence::NamesGiven, names as f64, BITS) };
        let app = if said.port == LLMNR { App::Llmnr } else { App::NbtNs };
        let flow = flow(Host(speaker), asker, [service, Service { port: 0, ..service }], app);
        Some(Giver { host, client: asker, all: None, service, flow, part, at: sighting.time })
    }

    /// Notes a name for which a device answers; says for how many it did within the day.
    fn note(&mut self, host: Host, name: u64, at: Timestamp) -> usize {
        if self.names.len() >= MAX_ANSWERING && !self.names.contains_key(&host) {
            if self.pruning_names.is_due(at) {
                self.names.retain(|_, (since, _)| at.since(*since) < AGAIN);
            }
            if self.names.len() >= MAX_ANSWERING {
                return 0;
            }
        }
        let (since, names) = self.names.entry(host).or_insert((at, Vec::new()));
        if at.since(*since) >= AGAIN {
            (*since, *names) = (at, Vec::new());
        }
        if names.len() < MAX_NAMES && !names.contains(&name) {
            names.push(name);
        }
        names.len()
    }

    /// Where nobody was heard to give routes, but others to keep up their links, none were given: the first one is news, too.
    fn routes(&mut self, sighting: &Sighting, baselines: &Baselines) -> Option<Giver> {
        let (speaker, all) = (sighting.src?, Host(sighting.dst?));
        let known = |host: Host| baselines.host(host).is_some_and(|host| host.services.contains(Service::ROUTES));
        let host = baselines.identities.of(Host(speaker), sighting.src_mac, |host| baselines.hosts.contains_key(&host));
        if speaker.ip().is_unspecified() || known(host) || known(Host(speaker)) {
            return None;
        }
        let others = baselines.commons.advertising_routes();
        let is_heard = others > 0 || baselines.commons.is_link_heard() && baselines.span_minutes >= MIN_MINUTES;
        if !is_heard || !self.is_to_be_told((host, Service::ROUTES), sighting.time) {
            return None;
        }
        let part = Contribution { of: Of::Network, ..Contribution::of(Evidence::Routes, f64::from(others), BITS) };
        let flow = flow(Host(speaker), all, [Service::ROUTES, Service { port: 0, ..Service::ROUTES }], App::Icmp);
        Some(Giver { host, client: all, all: None, service: Service::ROUTES, flow, part, at: sighting.time })
    }

    /// Where nobody was heard to hand out addresses while learning, that somebody does says nothing.
    fn hands_out(&mut self, said: &DhcpMessage, sighting: &Sighting, baselines: &Baselines) -> Option<Giver> {
        let hands_out = said.from_server && matches!(said.kind, "offer" | "ack" | "advertise" | "reply");
        let (speaker, address) = (sighting.src?, said.address?);
        if !hands_out || speaker.ip().is_unspecified() || address.ip().is_unspecified() {
            return None;
        }
        let host = baselines.identities.of(Host(speaker), sighting.src_mac, |host| baselines.hosts.contains_key(&host));
        let [to_client, to_server] = PORTS[usize::from(said.is_v6)].map(|port| Service { protocol: 17, port });
        // A relay asks only the servers that it was told of, and these answer several. A client speaks to this port, too: to one server or two.
        let answers_relays = |host: &HostBaseline, relay: Addr| {
            let relay = Edge { service: to_server, peer: Host(relay) };
            host.edges.contains(relay) || host.edges.range(&relay.family()).take(RELAYS).count() == RELAYS
        };
        let relay = sighting.dst.filter(|_| said.to_relay);
        if relay.is_some_and(|relay| baselines.host(host).is_some_and(|host| answers_relays(host, relay))) {
            return None;
        }
        // What it says unasked is a flow to the client, what it answers is a service that it offers.
        if baselines.host(host).is_some_and(|host| host.services.contains(to_client) || host.offers().contains(to_server)) {
            return None;
        }
        let count = |kind, service| baselines.commons.devices_with(kind, service);
        let others = count(Kind::Service, to_client).max(count(Kind::Offer, to_server));
        if others == 0 || !self.is_to_be_told((host, to_server), sighting.time) {
            return None;
        }
        let part = Contribution { of: Of::Network, ..Contribution::of(Evidence::Leases, f64::from(others), BITS) };
        let (client, at) = (Host(address), sighting.time);
        let all = sighting.dst.map(Host).filter(|&dst| dst != client);
        let flow = flow(Host(speaker), all.unwrap_or(client), [to_server, to_client], App::Dhcp);
        Some(Giver { host, client, all, service: to_server, flow, part, at })
    }

    fn is_to_be_told(&mut self, giver: (Host, Service), at: Timestamp) -> bool {
        let since = self.told.get(&giver).map(|&told| at.since(told));
        if since.is_some_and(|since| since < TOGETHER) {
            return true;
        }
        if since.is_some_and(|since| since < AGAIN) {
            return false;
        }
        // So many at once are made up, and there is enough told.
        if self.told.len() >= MAX_TOLD && self.pruning.is_due(at) {
            self.told.retain(|_, told| at.since(*told) < AGAIN);
        }
        let has_room = self.told.len() < MAX_TOLD;
        if has_room {
            self.told.insert(giver, at);
        }
        has_room
    }
}

fn flow(orig: Host, resp: Host, [from, to]: [Service; 2], app: App) -> FlowRef {
    let (mut low, mut high) = ((orig.0, from.port), (resp.0, to.port));
    if high < low {
        (low, high) = (high, low);
    }
    let key = FlowKey {
        low: low.0,
        high: high.0,
        low_port: low.1,
        high_port: high.1,
        protocol: from.protocol,
        one_way: true,
        vlans: [0; 2],
    };
    FlowRef { key, id: 0, orig_port: from.port, resp_port: to.port, orig, resp, app, facts: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LATER_MS, detector, flow, host, taught_by};
    use super::super::{Class, IncidentState, Knowledge};
    use super::*;
    use crate::app::DhcpMessage;
    use crate::feature::Observation;
    use crate::model::IdentitiesBuilder;
    use crate::sighting::Neighbour;
    use crate::wire::Mac;

    const LATER: Timestamp = Timestamp::from_parts(LATER_MS / 1000, 0);

    /// Two hours in which device 100 tells four clients their addresses once a minute, where anybody does.
    fn knowledge(is_heard: bool) -> std::sync::Arc<Knowledge> {
        let minutes = (0..120).flat_map(|minute| (1..=4).map(move |n| (minute * 60_000 + i64::from(n) * 3001, n)));
        let to_client = Service { protocol: 17, port: if is_heard { 68 } else { 80 } };
        let says = |(at, n)| Observation { service: to_client, ..flow(at, 100, n, 68, true).1 };
        taught_by(minutes.map(says).collect(), 0.5 / 120.0)
    }

    fn says(from: u8, kind: &'static str, at: Timestamp) -> Sighting {
        let message = DhcpMessage {
            kind,
            from_server: !matches!(kind, "request" | "discover"),
            address: Some(host(77).0),
            ..DhcpMessage::default()
        };
        let (src, dst) = (Some(host(from).0), Some(host(255).0));
        Sighting { time: at, src_mac: Mac::NONE, src, dst, vlans: [0; 2], what: Seen::Dhcp(Box::new(message)) }
    }

    #[test]
    fn who_never_handed_out_addresses_is_told_once_a_day() {
        let knowledge = knowledge(true);
        let baselines = knowledge.baselines(LATER);
        let mut givers = Givers::default();
        let mut tells = |from: u8, kind: &'static str, seconds: i64| {
            givers.observe(&says(from, kind, LATER + Span::from_secs(seconds)), baselines).is_some()
        };
        assert!(!tells(100, "ack", 0), "it always did");
        assert!(!tells(3, "request", 0), "whoever asks hands out none");
        assert!(tells(3, "offer", 0) && tells(3, "ack", 1) && tells(66, "ack", 1));
        assert!(!tells(3, "ack", 3600) && tells(3, "ack", 90_000));
    }

    #[test]
    fn a_flood_of_made_up_routers_is_told_of_some() {
        let mut givers = Givers::default();
        let told = (0..1000_u16)
            .filter(|&n| givers.is_to_be_told((Host(Addr::v4([10, 1, (n >> 8) as u8, n as u8])), Service::ROUTES), LATER));
        assert_eq!(told.count(), MAX_TOLD);
        assert!(givers.is_to_be_told((host(1), Service::ROUTES), LATER + AGAIN), "a day later");
    }

    #[test]
    fn who_answers_for_several_names_or_for_a_proxy_is_told() {
        let knowledge = knowledge(true);
        let mut givers = Givers::default();
        let mut tells = |from: u8, name: u64, is_proxy: bool, seconds: i64| {
            let what = Seen::Name(NameAnswer { name, is_proxy, port: LLMNR });
            let sighting = Sighting { what, ..says(from, "ack", LATER + Span::from_secs(seconds)) };
            givers.observe(&sighting, knowledge.baselines(LATER)).map(|giver| (giver.host, giver.part.observed))
        };
        assert_eq!([tells(1, 7, false, 0), tells(1, 7, false, 1), tells(1, 8, false, 2)], [None; 3], "its own, and a second one");
        assert_eq!(tells(1, 9, false, 3), Some((host(1), 3.0)));
        assert_eq!(tells(2, 5, true, 0), Some((host(2), 1.0)), "for a proxy");
        assert_eq!([tells(3, 7, false, 0), tells(3, 8, false, 1), tells(3, 9, false, 86_401)], [None; 3], "on another day");
        assert_eq!(tells(1, 10, false, 3600), None, "told within the day");
    }

    #[test]
    fn a_router_passes_on_what_others_hand_out() {
        let router = Mac([2, 0, 0, 0, 0, 1]);
        let mut identities = IdentitiesBuilder::default();
        (1..=4).for_each(|n| identities.add(&Observation { macs: [router, Mac::NONE], ..flow(0, n, 9, 80, true).1 }));
        let knowledge = knowledge(true);
        let mut baselines = knowledge.baselines(LATER).clone();
        baselines.identities = identities.finish();
        let tells = |src_mac| Givers::default().observe(&Sighting { src_mac, ..says(3, "ack", LATER) }, &baselines).is_some();
        let shared = Mac([0, 0, 0x5e, 0, 1, 10]);
        assert!(tells(Mac([2, 0, 0, 0, 0, 7])) && !tells(router) && !tells(shared), "VRRP");
    }

    #[test]
    fn what_a_server_of_relays_says_to_one_is_nothing_new() {
        // Device 100 hands out addresses; device 3 answers the relays 9, 10 and 11, device 4 asks one server.
        let to = |from: u8, peer: u8, port: u16, at: i64| Observation {
            service: Service { protocol: 17, port },
            ..flow(at, from, peer, 80, true).1
        };
        let minute =
            |n: i64| [to(100, 1, 68, n), to(3, 9, 67, n + 7), to(3, 10, 67, n + 14), to(3, 11, 67, n + 21), to(4, 9, 67, n + 28)];
        let knowledge = taught_by((0..120).flat_map(|n| minute(n * 60_000)).collect(), 1e-6);
        let tells = |from: u8, relay: u8, to_relay: bool| {
            let mut sighting = Sighting { dst: Some(host(relay).0), ..says(from, "ack", LATER) };
            let Seen::Dhcp(said) = &mut sighting.what else { panic!("{sighting:?}") };
            said.to_relay = to_relay;
            Givers::default().observe(&sighting, knowledge.baselines(LATER)).is_some()
        };
        assert_eq!([tells(3, 9, true), tells(3, 12, true), tells(3, 9, false)], [false, false, true]);
        assert_eq!([tells(4, 12, true), tells(5, 9, true)], [true, true], "a client, and one that never did");
    }

    #[test]
    fn who_never_gave_routes_is_told_where_others_or_nobody_did_so_on_a_link_that_is_heard() {
        let says = |from: u8| {
            let said = Neighbour {
                kind: NeighbourKind::RouterAdvertisement,
                addr: Some(host(from).0),
                mac: Mac::NONE,
                is_router: true,
                is_probe: false,
            };
            let (src, dst) = (Some(host(from).0), Some("ff02::1".parse::<Host>().unwrap().0));
            Sighting { time: LATER, src_mac: Mac::NONE, src, dst, vlans: [0; 2], what: Seen::Neighbour(said) }
        };
        let by = |from: u8, service: Service| {
            let said = |minute: i64| Observation { service, ..flow(minute * 60_000, 100, 255, 80, true).1 };
            let knowledge = taught_by((0..120).map(said).collect(), 1e-6);
            let giver = Givers::default().observe(&says(from), knowledge.baselines(LATER));
            giver.map(|giver| (giver.host, giver.part.evidence, giver.part.observed))
        };
        let told = |others: f64| Some((host(3), Evidence::Routes, others));
        assert_eq!([by(3, Service::ROUTES), by(100, Service::ROUTES)], [told(1.0), None], "it always did");
        assert_eq!(by(3, Service::SOLICITATIONS[0]), told(0.0), "it was asked who does, and nobody did");
        assert_eq!(by(3, Service { protocol: 6, port: 80 }), None, "nothing of IPv6 was heard");
        let knowledge = taught_by((0..120).map(|n| flow(n * 60_000, 100, 255, 80, true).1).collect(), 1e-6);
        let mut baselines = knowledge.baselines(LATER).clone();
        let mut routers = IdentitiesBuilder::default();
        (1..=4)
            .for_each(|n| routers.add(&Observation { macs: [Mac([2, 0, 0, 0, 0, 1]), Mac::NONE], ..flow(0, n, 9, 80, true).1 }));
        baselines.identities = routers.finish();
        let sighting = Sighting { src_mac: Mac([2, 0, 0, 0, 0, 1]), ..says(3) };
        assert!(Givers::default().observe(&sighting, &baselines).is_none(), "a router");
    }

    #[test]
    fn where_nobody_was_heard_to_hand_out_any_it_says_nothing() {
        let knowledge = knowledge(false);
        assert!(Givers::default().observe(&says(3, "ack", LATER), knowledge.baselines(LATER)).is_none());
    }

    #[test]
    fn it_is_an_incident_of_who_hands_out() {
        let mut detector = detector(&knowledge(true));
        let mut notices = Vec::new();
        detector.sighting(&says(3, "offer", LATER));
        detector.tick(LATER, &mut notices, &mut Vec::new());
        let [notice] = &notices[..] else { panic!("{notices:?}") };
        assert_eq!(
            (notice.state, notice.incident.class, notice.incident.host),
            (IncidentState::Open, Class::NewService, host(3))
        );
        let incident = &notice.incident;
        assert_eq!(
            incident.peers.keys().copied().collect::<Vec<_>>(),
            [host(77), host(255)],
            "the client, and where it was said"
        );
        assert_eq!((incident.flow.resp, incident.bits), (host(255), BITS));
        let text = super::super::explain::reason(&notice.incident.reasons[0]).text;
        assert_eq!(text, "10.0.0.3 hands out addresses and routes (DHCP), which it never did; 1 other device does");
    }
}

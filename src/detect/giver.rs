//! Who hands out addresses (DHCP): one that never did can send everybody's traffic where it likes (MITRE ATT&CK T1557.003).

use serde::{Deserialize, Serialize};

use super::evidence::{Contribution, Evidence, Of};
use super::flow_ref::FlowRef;
use crate::app::App;
use crate::feature::Host;
use crate::flow::{FlowKey, Service};
use crate::model::{Baselines, Kind, Map};
use crate::sighting::{Seen, Sighting};
use crate::time::{Span, Timestamp};

/// Ports of clients and servers, of version 4 and 6.
const PORTS: [[u16; 2]; 2] = [[68, 67], [546, 547]];
/// Bits of one that never did, where others do: odds of 4096 to 1, as of an address that two claim.
const BITS: f64 = 12.0;
/// Devices remembered as told at the most; beyond, they may be told again.
const MAX_TOLD: usize = 10_000;
/// Clients that it answers within this time are of one incident; then it is not told again for a day.
const TOGETHER: Span = Span::from_secs(300);
const AGAIN: Span = Span::from_secs(86_400);

/// A device that hands out addresses and never did.
pub(super) struct Giver {
    pub host: Host,
    /// The address that it hands out.
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
    told: Map<Host, Timestamp>,
}

impl Givers {
    /// Takes what a frame said. Where nobody was heard to hand out addresses while learning, that somebody does says nothing.
    pub fn observe(&mut self, sighting: &Sighting, baselines: &Baselines) -> Option<Giver> {
        let Seen::Dhcp(said) = &sighting.what else { return None };
        let hands_out = said.from_server && matches!(said.kind, "offer" | "ack" | "advertise" | "reply");
        let (speaker, address) = (sighting.src?, said.address?);
        if !hands_out || speaker.ip().is_unspecified() || address.ip().is_unspecified() {
            return None;
        }
        // A router passes on what a server behind it says (RFC 1542, 4).
        if baselines.identities.is_router(sighting.src_mac) || sighting.src_mac.is_shared_by_routers() {
            return None;
        }
        let host = baselines.identities.of(Host(speaker), sighting.src_mac, |host| baselines.hosts.contains_key(&host));
        let [to_client, to_server] = PORTS[usize::from(said.is_v6)].map(|port| Service { protocol: 17, port });
        // What it says unasked is a flow to the client, what it answers is a service that it offers.
        if baselines.host(host).is_some_and(|host| host.services.contains(to_client) || host.offers().contains(to_server)) {
            return None;
        }
        let count = |kind, service| baselines.commons.devices_with(kind, service);
        let others = count(Kind::Service, to_client).max(count(Kind::Offer, to_server));
        if others == 0 || !self.is_to_be_told(host, sighting.time) {
            return None;
        }
        let part = Contribution { of: Of::Network, ..Contribution::of(Evidence::Leases, f64::from(others), BITS) };
        let (client, at) = (Host(address), sighting.time);
        let all = sighting.dst.map(Host).filter(|&dst| dst != client);
        let flow = flow(Host(speaker), all.unwrap_or(client), [to_server, to_client]);
        Some(Giver { host, client, all, service: to_server, flow, part, at })
    }

    fn is_to_be_told(&mut self, host: Host, at: Timestamp) -> bool {
        let since = self.told.get(&host).map(|&told| at.since(told));
        if since.is_some_and(|since| since < TOGETHER) {
            return true;
        }
        if since.is_some_and(|since| since < AGAIN) {
            return false;
        }
        if self.told.len() >= MAX_TOLD {
            self.told.retain(|_, told| at.since(*told) < AGAIN);
        }
        if self.told.len() < MAX_TOLD {
            self.told.insert(host, at);
        }
        true
    }
}

fn flow(orig: Host, resp: Host, [from, to]: [Service; 2]) -> FlowRef {
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
    FlowRef { key, id: 0, orig_port: from.port, resp_port: to.port, orig, resp, app: App::Dhcp, facts: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LATER_MS, detector, flow, host, taught_by};
    use super::super::{Class, IncidentState, Knowledge};
    use super::*;
    use crate::app::DhcpMessage;
    use crate::feature::Observation;
    use crate::model::IdentitiesBuilder;
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

//! A flow's own surprise: what is new about it, and what is odd about its shape.

use serde::{Deserialize, Serialize};

use super::administrator::is_its_work;
use super::config::Without;
use super::domain::{SEVERAL, logs_on};
use super::drawn::{is_of_call, known_as};
use super::evidence::{Contribution, Detail, Evidence, keep};
use super::flooding::{amplified, amplifies, reflects};
use super::knowledge::{Ends, Knowledge};
use super::memory::Earlier;
use super::newness::Newness;
use super::prior::weigh;
use super::recent::asks_many;
use super::scanner::is_probe_of_scanner;
use super::shape::{name_shape, shape, volume};
use super::turned::is_known_turned;
use super::twin::stands_in;
use crate::app::App;
use crate::feature::{FactKind, Observation};
use crate::flow::Service;
use crate::model::{Baselines, Edge, HostBaseline, Kind, KnownTo, Match, Roles, Vocabulary};

/// Bits that one part can bring at the most.
pub(super) const MOST_BITS: f64 = 30.0;
/// What resolvers offer.
pub(super) const DNS: [Service; 2] = [Service { protocol: 17, port: 53 }, Service { protocol: 6, port: 53 }];

/// A flow's own surprise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Surprise {
    /// The strongest thing that is new.
    pub new: Option<Contribution>,
    /// The strongest oddity of the shape.
    pub shape: Option<Contribution>,
    /// Is what is new a name that a resolver or a proxy asked for, or whom it asked? It does so for its clients: they are to be told of, not it.
    pub on_behalf: bool,
    /// Is the (initiator, service, peer) edge unknown to both ends?
    pub unknown_edge: bool,
    /// Has the responder never had this client?
    pub unknown_client: bool,
    /// The behaviour that it resembles.
    pub behaviour: u16,
}

/// Does the service that a flow is of know its client? It knows whoever knows it, though it may have had too many clients to name.
pub(super) fn knows_client(seen: &Observation, ends: &Ends<'_>) -> bool {
    let (edge, client) = (Edge { service: seen.service, peer: seen.resp }, Edge { service: seen.service, peer: seen.orig });
    let is_known_edge = || ends.orig.is_some_and(|host| host.edges.contains(edge));
    ends.resp.is_some_and(|host| is_known_edge() || host.clients().contains(client))
}

impl Surprise {
    /// Bits in all, the weaker half: what is new about a flow and what is odd about its shape depend on each other.
    #[must_use]
    pub fn bits(&self) -> f64 {
        let (new, shape) = (self.new.map_or(0.0, |part| part.bits), self.shape.map_or(0.0, |part| part.bits));
        new.max(shape) + new.min(shape) / 2.0
    }

    /// Is it new about something that weighs more for what it touches?
    #[must_use]
    pub fn is_critical(&self) -> bool {
        self.new.is_some_and(|part| part.prior_bits > 0.0)
    }

    /// Does it answer with many times what it was asked, perhaps by somebody else than who gets the answer?
    pub(super) fn is_amplified(&self) -> bool {
        self.has(Detail::Amplified)
    }

    /// Does it flood somebody, who asked for it or did not?
    pub(super) fn floods(&self) -> bool {
        self.is_amplified() || self.has(Detail::Flooding)
    }

    fn has(&self, detail: Detail) -> bool {
        [self.new, self.shape].into_iter().flatten().any(|part| part.detail == detail)
    }

    /// Is the strongest thing that is new a name that was asked for?
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.new.is_some_and(|part| part.evidence.is_name())
    }

    /// Is what is new about the initiator's own doing told by what it is made for?
    pub(super) fn is_of_tool(&self) -> bool {
        self.own_new().is_some_and(|new| new.is_of_tool())
    }

    /// What is new about the initiator's own doing.
    #[must_use]
    pub fn own_new(&self) -> Option<Contribution> {
        self.new.filter(|_| !self.on_behalf)
    }

    /// Judges an observation by what is known, but for what is left out.
    #[must_use]
    pub fn of((seen, earlier): (&Observation, Earlier), found: Match, knowledge: &Knowledge, without: Without) -> Self {
        let mut surprise = Self::unnamed((seen, earlier), found, (&knowledge.vocabulary, &knowledge.ends(seen)), without);
        surprise.name(seen, found, &knowledge.vocabulary);
        surprise
    }

    /// The same, but which feature of an odd shape stands out is left to [`name`](Self::name): it takes long to find, and most flows
    /// are never told of.
    pub(super) fn unnamed(
        (seen, earlier): (&Observation, Earlier),
        found: Match,
        known: (&Vocabulary, &Ends<'_>),
        without: Without,
    ) -> Self {
        let (vocabulary, &Ends { baselines, orig, resp }) = known;
        let is_turned = is_known_turned(seen, orig, resp);
        if is_turned && seen.under_way {
            let shape = volume(seen, orig, baselines, without);
            return Self { shape, behaviour: found.behaviour, ..Self::default() };
        }
        let known_as = known_as(seen, orig, resp).map(|service| Observation { service, ..seen.clone() });
        let seen = known_as.as_ref().unwrap_or(seen);
        let edge = Edge { service: seen.service, peer: seen.resp };
        let client = Edge { service: seen.service, peer: seen.orig };
        let is_known_edge = orig.is_some_and(|host| host.edges.contains(edge));
        // A server knows whoever knows it, though it may have had too many clients to name. To look through those of a large one takes long.
        let unknown_client = !resp.is_some_and(|host| is_known_edge || host.clients().contains(client));
        let is_strange = !earlier.is_moved && !is_turned && !is_known_edge;
        // An address is handed out to whoever asks for one, and one controller of a domain is as good as another.
        let hands_out = || seen.service.hands_out_addresses() && orig.is_some_and(|host| host.services.contains(seen.service));
        let is_call = is_of_call(seen, orig, resp);
        let is_of_start = is_strange && (logs_on(seen, (orig, resp), baselines) || looks_around(seen, baselines));
        let is_expected = is_strange && (hands_out() || is_call || is_of_start || stands_in(seen, (orig, resp), baselines));
        let unknown_peer = is_strange && !is_expected;
        let unknown_edge = unknown_client && unknown_peer;
        // What keeps the link up says nothing of the device but that it is there; how much of it there is counts still.
        if seen.service.maintains_link() {
            return Self { unknown_edge, unknown_client, behaviour: found.behaviour, ..Self::default() };
        }
        // Of a flow that goes on its shape is not known yet, but what is too much already will not become less.
        let shape = if seen.is_complete() && !is_turned {
            shape(seen, found, orig, (vocabulary, baselines), without)
        } else {
            volume(seen, orig, baselines, without)
        };
        let shape = shape.map(|part| if reflects(seen) && amplifies(seen) { amplified(part) } else { part });
        // What passes through a proxy is its client's.
        let shape = shape.filter(|part| !(earlier.is_passed_on && matches!(part.evidence, Evidence::Volume(_))));
        // On which port a telephone listens is drawn for each call, and who asked before offers nothing by answering.
        let server = resp.filter(|_| !is_call && !is_turned);
        // What is asked for is asked for by who began it.
        let asker = seen.turned.filter(|_| is_turned).map_or((orig, seen.service), |asked| (resp, asked));
        let who = (orig, asker, unknown_peer);
        let new = (!is_of_start)
            .then(|| newness((seen, earlier), who, (server, unknown_client && !is_expected), (baselines, without)))
            .flatten();
        let is_of_resolving =
            |part: Contribution| part.evidence.is_name() || part.evidence == Evidence::NewPeer && DNS.contains(&seen.service);
        let resolves = |host: &HostBaseline| host.local && host.resolves();
        Self {
            new,
            shape,
            on_behalf: new.is_some_and(is_of_resolving) && orig.is_some_and(resolves)
                || earlier.is_passed_on && new.is_some_and(|part| part.evidence.is_name() || part.evidence == Evidence::NewPeer),
            unknown_edge,
            unknown_client,
            behaviour: found.behaviour,
        }
    }

    /// Says which feature stands out where the shape is odd. The bits stay as they are.
    pub(super) fn name(&mut self, seen: &Observation, found: Match, vocabulary: &Vocabulary) {
        if let Some(part) = &mut self.shape {
            name_shape(part, seen, found, vocabulary);
        }
    }
}

/// Does a device look around its link for others and what they offer, as several do? Most do it when they start, which one may not have done while it was learned.
fn looks_around(seen: &Observation, baselines: &Baselines) -> bool {
    let looks = matches!(seen.app, App::Mdns | App::Llmnr | App::Ssdp | App::WsDiscovery | App::NbtNs);
    looks && seen.orig_local && seen.is_to_group() && baselines.commons.devices_with(Kind::Service, seen.service) >= SEVERAL
}

/// The strongest of: new service, new peer, new name, title or command, new client, new offer. Of either end it is known whether it
/// never had the other.
fn newness(
    (seen, earlier): (&Observation, Earlier),
    (orig, (asker, asked), unknown_peer): (Option<&HostBaseline>, (Option<&HostBaseline>, Service), bool),
    (resp, unknown_client): (Option<&HostBaseline>, bool),
    (baselines, without): (&Baselines, Without),
) -> Option<Contribution> {
    // Errors answer somebody else's packet: whoever sends them is not new for that.
    if seen.service.is_icmp_error() || is_probe_of_scanner(seen, orig) {
        return None;
    }
    let edge = Edge { service: seen.service, peer: seen.resp };
    let client = Edge { service: seen.service, peer: seen.orig };
    let [by_orig, by_asker] = [orig, asker].map(|host| Newness { host, baselines, without });
    // Whoever reads pages reads them by whichever protocol their servers take.
    let reads_pages =
        || seen.service.is_web() && orig.is_some_and(|host| Service::WEB.iter().any(|web| host.services.contains(*web)));
    let service = by_asker.of(Evidence::NewService, Kind::Service, |host| &host.services, asked).filter(|_| !reads_pages());
    let peer = if unknown_peer { by_orig.of(Evidence::NewPeer, Kind::Edge, |host| &host.edges, edge) } else { None };
    // What weighs more for what it touches is weighed before the strongest is taken: a call that takes control is not hidden by a new peer.
    let mut new = None;
    let mut note = |mut part: Option<Contribution>| {
        if let Some(part) = &mut part {
            let by = if matches!(part.evidence, Evidence::NewFact(_)) { asker } else { orig };
            weigh(part, (seen, earlier), by, (baselines, without));
        }
        keep(&mut new, part);
    };
    note(service);
    note(peer);
    // Which program it is says how much its service and its peer weigh.
    for &fact in seen.facts.iter().filter(|fact| fact.kind != FactKind::Program) {
        note(by_asker.of(Evidence::NewFact(fact.kind), Kind::Fact(fact.kind), |host| &host.facts, fact));
    }
    if let Some(server) = resp.filter(|host| host.local) {
        let by_resp = Newness { host: resp, baselines, without };
        // A device at home that is hardly known is new to all whom it asks: that it is new, is told once.
        // What several of its kind use, it may come to use, however seldom a client is new there.
        let is_of_its_kind = || {
            let is_asked = |host| used_by_its_kind(host, edge, baselines) || asks_many(host, seen, baselines);
            orig.is_some_and(|host| is_asked(host) || is_its_work(seen, host, baselines))
        };
        let is_known = || orig.is_some_and(|host| !host.is_hardly_known());
        if unknown_client && (!seen.orig_local || is_known()) && !is_of_its_kind() {
            note(by_resp.of(Evidence::NewClient, Kind::Client, HostBaseline::clients, client));
        }
        let is_odd_refusal = || seen.refused() && server.served(seen.service).is_none();
        if !seen.service.is_icmp() && (seen.answered() || is_odd_refusal()) {
            note(by_resp.of(Evidence::NewOffer, Kind::Offer, HostBaseline::offers, seen.service));
        }
    }
    new
}

/// Do several devices of the role of one at home use this?
pub(super) fn used_by_its_kind(host: &HostBaseline, edge: Edge, baselines: &Baselines) -> bool {
    host.local && baselines.commons.known_to_several(Kind::Edge, edge, Roles::of(host.role)) == KnownTo::Role
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::shape::MOST_LINGERING_BITS;
    use super::super::testing::{LATER_MS, flow};
    use super::*;
    use crate::app::App;
    use crate::feature::{Fact, FactKind};
    use crate::model::{BaselinesBuilder, Calibration, Vocabulary};
    use crate::time::Timestamp;

    /// Two hours in which ten devices ask device 100 on port 80, and the last eight device 101 on port 443, once a minute
    /// each.
    fn knowledge() -> Knowledge {
        let mut flows: Vec<Observation> = Vec::new();
        for minute in 0..120 {
            for n in 1..=10 {
                let at = minute * 60_000 + i64::from(n) * 3001;
                flows.push(flow(at, n, 100, 80, true).1);
                flows.extend((n > 2).then(|| flow(at + 7, n, 101, 443, true).1));
            }
        }
        of_flows(flows)
    }

    fn of_flows(mut flows: Vec<Observation>) -> Knowledge {
        flows.sort_by_key(|seen| seen.seen);
        let vocabulary = Vocabulary::fit(&flows.iter().collect::<Vec<_>>(), 1).unwrap();
        let mut builder = BaselinesBuilder::default();
        flows.iter().for_each(|seen| builder.add(seen, vocabulary.matches(seen).behaviour));
        let mut baselines = builder.finish();
        baselines.pool(1);
        Knowledge::new(Arc::new(vocabulary), Arc::new(baselines), Calibration::default(), 10.0)
    }

    fn new(knowledge: &Knowledge, seen: &Observation) -> Option<Contribution> {
        Surprise::of((seen, Earlier::default()), knowledge.vocabulary.matches(seen), knowledge, Without::default()).new
    }

    #[test]
    fn what_the_others_use_is_less_of_a_surprise_than_what_nobody_does() {
        let knowledge = knowledge();
        let bits = |from: u8, to: u8, port: u16| {
            let (_, mut seen) = flow(LATER_MS, from, to, port, true);
            seen.resp_local = false;
            new(&knowledge, &seen).map_or(0.0, |part| part.bits)
        };
        assert_eq!(bits(1, 100, 80), 0.0);
        let (common, unheard) = (bits(1, 101, 443), bits(1, 101, 4444));
        assert!(common > 4.0 && unheard > common + 2.0, "{common} {unheard}");
    }

    #[test]
    fn a_peer_that_moved_is_no_new_one() {
        let (knowledge, seen) = (knowledge(), flow(LATER_MS, 1, 103, 80, true).1);
        let surprise = |is_moved| {
            let found = knowledge.vocabulary.matches(&seen);
            Surprise::of((&seen, Earlier { is_moved, ..Earlier::default() }), found, &knowledge, Without::default())
        };
        let evidence = |is_moved| surprise(is_moved).new.map(|new| new.evidence);
        assert_eq!((evidence(false), evidence(true)), (Some(Evidence::NewPeer), None));
        assert_eq!((surprise(false).unknown_edge, surprise(true).unknown_edge), (true, false));
    }

    #[test]
    fn who_knows_a_server_is_none_of_its_new_clients_though_it_had_too_many_to_name() {
        let knowledge = knowledge();
        let mut baselines = knowledge.baselines(Timestamp::MAX).clone();
        let (known, unknown) = (flow(LATER_MS, 1, 100, 80, true).1, flow(LATER_MS, 1, 101, 443, true).1);
        for server in [known.resp, unknown.resp] {
            let mut without_clients = HostBaseline::default();
            without_clients.local = true;
            baselines.hosts.insert(server, Box::new(without_clients));
        }
        let knowledge = Knowledge::new(Arc::clone(&knowledge.vocabulary), Arc::new(baselines), Calibration::default(), 10.0);
        let is_new = |seen: &Observation| {
            let found = knowledge.vocabulary.matches(seen);
            Surprise::of((seen, Earlier::default()), found, &knowledge, Without::default()).unknown_client
        };
        assert_eq!([is_new(&known), is_new(&unknown)], [false, true]);
    }

    #[test]
    fn who_asks_many_is_judged_by_its_own_habits_and_others_by_those_of_the_server() {
        // Device 1 logs in at devices 20 to 22, device 2 at device 20 alone, device 3 at device 23.
        let minutes = (0..120).flat_map(|minute| [(1, 20), (1, 21), (1, 22), (2, 20), (3, 23)].map(|ends| (minute, ends)));
        let flows = minutes.map(|(minute, (from, to))| flow(minute * 60_000 + i64::from(to) * 301, from, to, 22, true).1);
        let knowledge = of_flows(flows.collect());
        let evidence = |from: u8| {
            let (_, seen) = flow(LATER_MS, from, 23, 22, true);
            let (ends, found) = (knowledge.ends(&seen), knowledge.vocabulary.matches(&seen));
            let Ends { baselines, orig, resp } = ends;
            let all = newness(
                (&seen, Earlier::default()),
                (orig, (orig, seen.service), false),
                (resp, true),
                (baselines, Without::default()),
            );
            (
                Surprise::of((&seen, Earlier::default()), found, &knowledge, Without::default()).new.is_some(),
                all.map(|part| part.evidence),
            )
        };
        assert_eq!(evidence(1), (true, None), "a new peer of its own, and no new client");
        assert_eq!(evidence(2), (true, Some(Evidence::NewClient)));
    }

    #[test]
    fn one_more_that_looks_around_as_others_do_is_no_news() {
        let group = |at_ms, from: u8, app: App, last: u8| {
            let (_, mut seen) = flow(at_ms, from, last, 5353, true);
            seen.resp = format!("224.0.0.{last}").parse().unwrap();
            (seen.app, seen.service) = (app, Service { protocol: 17, port: 5353 });
            seen
        };
        let knows = |askers: u8| {
            let minutes = (0..120).flat_map(|minute| (1..=5).map(move |n: u8| (minute * 60_000 + i64::from(n) * 3001, n)));
            let looks = |(at, n): (i64, u8)| {
                std::iter::once(flow(at, n, 100, 80, true).1).chain((n <= askers).then(|| group(at + 7, n, App::Mdns, 251)))
            };
            of_flows(minutes.flat_map(looks).collect())
        };
        let told = |askers: u8, app: App| new(&knows(askers), &group(LATER_MS, 5, app, 251)).is_some();
        assert_eq!([told(3, App::Mdns), told(2, App::Mdns), told(3, App::Unknown)], [false, true, true]);
    }

    #[test]
    fn a_stranger_is_judged_by_what_the_network_does() {
        let knowledge = knowledge();
        let bits = |port: u16| new(&knowledge, &flow(LATER_MS, 77, 100, port, true).1).map_or(0.0, |part| part.bits);
        assert!(bits(80) < 1.0 && bits(4444) > 3.0, "{} {}", bits(80), bits(4444));
    }

    #[test]
    fn clinical_traffic_of_a_device_whose_kind_has_none_weighs_more() {
        let knowledge = knowledge();
        let part = |app: App| {
            let (_, mut seen) = flow(LATER_MS, 1, 101, 11_112, true);
            seen.app = app;
            new(&knowledge, &seen).unwrap()
        };
        let (plain, clinical) = (part(App::Unknown), part(App::Dicom));
        assert_eq!(plain.prior_bits, 0.0);
        assert!(clinical.prior_bits > 0.0 && (clinical.bits - plain.bits - clinical.prior_bits).abs() < 1e-9);
    }

    #[test]
    fn listening_to_all_weighs_more_where_nobody_does() {
        let knowledge = knowledge();
        let part = |packet: &str| {
            let (_, mut seen) = flow(LATER_MS, 1, 101, 443, true);
            (seen.app, seen.facts) = (App::Mqtt, vec![Fact::new(FactKind::MqttPacket, packet)]);
            new(&knowledge, &seen).unwrap()
        };
        let (some, all) = (part("subscribe"), part(crate::feature::SUBSCRIBE_ALL));
        assert_eq!((some.prior_bits, all.prior_bits), (0.0, 8.0));
        assert_eq!(all.evidence, Evidence::NewFact(FactKind::MqttPacket));
    }

    /// Two hours in which ten devices ask device 100 for names; that one asks device 202 outside, the third device 200, and device 9
    /// is asked once over TCP.
    fn knowledge_of_names() -> Knowledge {
        let mut flows: Vec<Observation> = Vec::new();
        for minute in 0..120 {
            for n in 1..=10 {
                let at = minute * 60_000 + i64::from(n) * 3001;
                let mut seen = flow(at, n, 100, 53, true).1;
                seen.service = DNS[0];
                flows.push(seen);
            }
            for (n, to) in [(3, 200), (100, 202)] {
                let mut seen = flow(minute * 60_000 + 40_000, n, to, 53, true).1;
                (seen.service, seen.resp_local) = (DNS[0], false);
                flows.push(seen);
            }
        }
        flows.push(flow(55_000, 2, 9, 53, true).1);
        of_flows(flows)
    }

    #[test]
    fn names_asked_for_past_the_resolver_at_home_weigh_more() {
        let knowledge = knowledge_of_names();
        let prior_of = |from: u8, to: u8, app: App, failed: bool| {
            let (_, mut seen) = flow(LATER_MS, from, to, 53, true);
            (seen.service, seen.app, seen.resp_local, seen.failed) = (DNS[0], app, to < 200, failed);
            new(&knowledge, &seen).map(|part| part.prior_bits)
        };
        let prior = |from, to, app| prior_of(from, to, app, false);
        assert_eq!(prior(1, 201, App::Dns), Some(8.0));
        assert_eq!(prior_of(1, 201, App::Dns, true), Some(0.0), "nothing was asked");
        assert_eq!(prior(1, 200, App::Dns), Some(0.0), "another device asks it");
        assert_eq!(prior(3, 201, App::Dns), Some(0.0), "it asks outside");
        assert_eq!(prior(1, 201, App::Unknown), Some(0.0));
        assert_eq!(prior(1, 101, App::Dns), Some(0.0), "at home");
    }

    #[test]
    fn who_refused_a_question_asks_for_nobody_else() {
        let knowledge = knowledge_of_names();
        let on_behalf = |device: u8| {
            let (_, mut seen) = flow(LATER_MS, device, 201, 53, true);
            (seen.service, seen.app, seen.resp_local) = (DNS[0], App::Dns, false);
            Surprise::of((&seen, Earlier::default()), knowledge.vocabulary.matches(&seen), &knowledge, Without::default())
                .on_behalf
        };
        assert_eq!((on_behalf(100), on_behalf(9), on_behalf(1)), (true, false, false));
    }

    #[test]
    fn what_a_proxy_was_asked_for_is_not_its_own() {
        let knowledge = knowledge();
        let (_, mut seen) = flow(LATER_MS, 1, 201, 443, true);
        seen.facts = vec![Fact::new(FactKind::Domain, "new.example")];
        let own_new = |is_passed_on| {
            let earlier = Earlier { is_passed_on, ..Earlier::default() };
            Surprise::of((&seen, earlier), knowledge.vocabulary.matches(&seen), &knowledge, Without::default()).own_new()
        };
        assert_eq!((own_new(false).is_some(), own_new(true)), (true, None));
        seen.vector[3] = 1e8;
        let volume = |is_passed_on| {
            let earlier = Earlier { is_passed_on, ..Earlier::default() };
            Surprise::of((&seen, earlier), knowledge.vocabulary.matches(&seen), &knowledge, Without::default()).shape
        };
        assert!(volume(false).is_some_and(|part| matches!(part.evidence, Evidence::Volume(_))));
        assert!(!volume(true).is_some_and(|part| matches!(part.evidence, Evidence::Volume(_))), "nor is what passes through it");
    }

    #[test]
    fn a_new_peer_hides_no_administration_by_a_device_whose_kind_does_none() {
        let knowledge = knowledge();
        let part = |interface: &str| {
            let (_, mut seen) = flow(LATER_MS, 1, 101, 443, true);
            seen.facts = vec![Fact::new(FactKind::RemoteInterface, interface)];
            new(&knowledge, &seen).unwrap()
        };
        let (shares, services) = (part("srvsvc"), part("svcctl"));
        assert_eq!(shares.prior_bits, 0.0);
        assert_ne!(shares.evidence, services.evidence);
        assert_eq!(services.evidence, Evidence::NewFact(FactKind::RemoteInterface));
        assert!(services.prior_bits > 0.0 && services.bits > shares.bits, "{services:?} {shares:?}");
    }

    #[test]
    fn what_goes_on_long_is_no_news_between_old_acquaintances() {
        let knowledge = knowledge();
        let (_, mut seen) = flow(LATER_MS, 1, 100, 80, true);
        seen.vector[0] = 100_000.0;
        let baselines = knowledge.baselines(seen.seen);
        let between = |orig: Option<&HostBaseline>| volume(&seen, orig, baselines, Without::default()).unwrap();
        let (old, strangers) = (between(baselines.host(seen.orig)), between(None));
        assert_eq!((old.evidence, strangers.evidence), (Evidence::Volume(0), Evidence::Volume(0)));
        assert!(old.bits <= MOST_LINGERING_BITS && strangers.bits > MOST_LINGERING_BITS, "{old:?} {strangers:?}");
    }
}

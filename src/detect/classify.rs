//! Which kind of thing an observation is part of.

use serde::{Deserialize, Serialize};

use super::class::Class;
use super::domain::{ENDPOINT_MAPPER, KERBEROS_PORT, LDAP_PORT, SMB_PORT};
use super::evidence::{Contribution, Detail, Evidence};
use super::memory::Earlier;
use super::prior::tool_of;
use super::recent::Context;
use super::surprise::Surprise;
use crate::app::{App, Family};
use crate::feature::{
    BYTES_ORIG, BYTES_RESP, DNS_NAME_BYTES, DNS_ODD_TYPES, DNS_QUERIES, Fact, FactKind, Observation, attacks_servers, injects,
};
use crate::model::{Baselines, CARRIER_NAME_BYTES, HostBaseline, HourOfDevice, Minute, ODD_SHARE, TUNNEL_NAME_BYTES};

/// Different services of one peer within a minute that make a scan; targets of which half turn the device down that make one.
const SCAN_SERVICES: u32 = 15;
/// Different peers of one service within a minute that make a sweep.
const SWEEP_PEERS: u32 = 10;
/// Targets within a minute from which on failures are a search's.
const SEVERAL_TARGETS: u32 = 3;
/// Bits with which something new names what it is.
const TELLING_BITS: f64 = 4.0;
/// Targets per peer within an hour that make a scan.
const SCAN_SERVICES_PER_PEER: f64 = 5.0;
/// Flows to one log-in service within a minute that make password guessing.
const LOGIN_FLOWS: u32 = 10;
/// Flows to one target within a minute that make a flood.
const FLOOD_FLOWS: f64 = 30.0;
/// Payload of a flow that makes a transfer worth its name, in bytes.
pub(super) const TRANSFER_BYTES: f64 = 100_000.0;
/// Media of which no more than so many times as much is sent as comes back is talk.
const TALK_TIMES: f64 = 4.0;
/// Mean payload of queries, in bytes, that tells a tunnel where the capture cut the names.
const TUNNEL_QUERY_BYTES: f32 = 80.0;
/// DNS queries within a minute, in one flow or in many, that can carry data worth its name.
const TUNNEL_QUERIES: f32 = 15.0;
/// Questions for such names, and for records that clients do not ask for.
const CARRIER_QUERIES: f32 = 4.0;
/// Is it a TCP port of log-in and administration?
const fn is_login_port(port: u16) -> bool {
    matches!(
        port,
        21 | 22 | 23 | KERBEROS_PORT | ENDPOINT_MAPPER | 139 | LDAP_PORT | SMB_PORT | 1433 | 3306 | 3389 | 5432 | 5900 | 5985
    )
}

/// What the minute and the hour around a flow say of what it is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Around {
    /// What the minute's counts make it.
    counted: Option<Class>,
    is_tunnel: bool,
    /// Does the initiator go on to the next target where one turns it down?
    goes_on: bool,
    /// Targets and peers of the initiator in the hour, where they are too many.
    targets: f64,
    peers: f64,
}

impl Around {
    /// Looks at the minute, in which the initiator has so many targets where that is known, and at the hour where it is what was found.
    pub(super) fn of(
        (seen, earlier): (&Observation, Earlier),
        (surprise, context): (&Surprise, &Context),
        (minute, targets): (Option<&Minute>, Option<u32>),
        hour: impl Fn() -> HourOfDevice,
    ) -> Self {
        let initiated = minute.and_then(|minute| minute.initiated.get(&seen.orig));
        let by_count = minute.and_then(|minute| by_count(seen, surprise, (minute, targets.unwrap_or(u32::MAX))));
        let counted = by_count.or_else(|| earlier.is_probe.then_some(Class::Scan));
        let hour = context.slow.filter(|slow| slow.evidence == Evidence::SlowTargets).map(|_| hour()).unwrap_or_default();
        Self {
            counted,
            is_tunnel: earlier.carries || is_tunnel(seen, minute),
            goes_on: initiated.is_some_and(|it| it.targets >= SEVERAL_TARGETS && it.failed < 2 * it.targets),
            targets: hour.targets(),
            peers: hour.peers(),
        }
    }
}

/// Who begins a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Initiator {
    /// A device that the model knows.
    Known,
    /// A device at home that it does not know, which does here what others do.
    LikeOthers,
    /// Any other that it does not know.
    Stranger,
}

/// What one flow's surprise speaks of.
#[must_use]
pub(super) fn classify(
    seen: &Observation,
    surprise: &Surprise,
    context: Option<Contribution>,
    around: &Around,
    initiator: Initiator,
) -> Class {
    let evidence = context.map(|part| part.evidence);
    if let Some(class) = around.counted {
        return class;
    }
    let family = seen.app.family();
    let is_new = surprise.new.is_some_and(|part| part.bits >= TELLING_BITS);
    let parts = [&surprise.new, &surprise.shape, &context].into_iter().flatten();
    let strongest = parts.reduce(|a, b| if b.bits > a.bits { b } else { a });
    let is_tool = |is: fn(Fact) -> bool| strongest.and_then(|part| tool_of(seen, part.about)).is_some_and(is);
    match strongest.map(|part| (part.evidence, part.observed)) {
        _ if around.is_tunnel => Class::Tunnel,
        _ if evidence == Some(Evidence::NamesMissing) => Class::Dga,
        Some((Evidence::FileChanges, _)) => Class::FileActivity,
        Some((Evidence::LoginFailures | Evidence::AccountsRefused, _)) => Class::BruteForce,
        Some((Evidence::Refusals, _)) if matches!(family, Family::Clinical | Family::Industrial) => Class::CriticalAccess,
        // Numbers and their passwords are tried. What mail or file servers turn down is seldom more than a list that is out of date.
        Some((Evidence::Refusals, _)) if seen.app == App::Sip => Class::BruteForce,
        // Files that are changed one by one are many by the hour, too.
        Some((Evidence::Asking, _)) if seen.events.file_changes > 0 => Class::FileActivity,
        Some((Evidence::Asking, _)) if seen.events.login_failures > 0 => Class::BruteForce,
        // What is new says more than how much of it there is.
        Some((Evidence::Asking, _)) if !surprise.unknown_edge && !is_new => Class::Collection,
        Some((Evidence::SentOut, _)) => Class::Exfiltration,
        Some((Evidence::SlowFailures, _)) if seen.events.login_failures > 0 => Class::BruteForce,
        Some((Evidence::SlowTargets, _)) if around.peers >= f64::from(SWEEP_PEERS) && !is_browsing(seen) => Class::Sweep,
        Some((Evidence::SlowTargets, _)) if around.targets >= SCAN_SERVICES_PER_PEER * around.peers => Class::Scan,
        // Whoever is turned down and goes on to the next looks for what there is, and used none of it yet.
        _ if is_probe(seen, surprise) && around.goes_on && evidence == Some(Evidence::FailedRate) => Class::Scan,
        _ if is_new && family == Family::Covert && !is_dialled(seen, surprise) => Class::CovertApplication,
        // What a clock's clients are is asked to have the answer sent to somebody else.
        Some((Evidence::NewFact(FactKind::Tool), _)) if seen.app == App::Ntp => Class::Flood,
        Some((Evidence::NewFact(FactKind::Tool), _)) if seen.service.is_ping() => Class::Tunnel,
        Some((Evidence::NewFact(FactKind::Tool), _)) if seen.app == App::Smb => Class::FileActivity,
        Some((Evidence::NewFact(FactKind::Tool), _)) if is_tool(injects) => Class::WebAttack,
        Some((Evidence::NewFact(FactKind::Tool), _)) if is_tool(attacks_servers) => Class::Scan,
        Some((Evidence::NewFact(FactKind::Application | FactKind::Tool), _)) if !seen.resp_local => Class::CovertApplication,
        Some((Evidence::NewFact(FactKind::Application), _)) if seen.orig_local && seen.app == App::Unknown => {
            Class::CovertApplication
        }
        Some((Evidence::NewFact(FactKind::RemoteControl | FactKind::RemoteInterface), _)) => Class::LateralMovement,
        // Tickets of the usual kind are new to whoever begins to log in.
        Some((Evidence::NewFact(FactKind::Ticket), _)) if surprise.is_critical() => Class::CredentialAccess,
        Some((Evidence::FlowRate, flows)) if flows >= FLOOD_FLOWS => Class::Flood,
        _ if surprise.floods() => Class::Flood,
        _ if evidence.is_some_and(Evidence::is_rhythm) => Class::Beaconing,
        _ if is_transfer(seen, surprise) && !(initiator == Initiator::LikeOthers && seen.resp_local) => Class::Exfiltration,
        // What it does is no news; that it does so is.
        _ if initiator == Initiator::LikeOthers => Class::NewDevice,
        _ if is_new && matches!(family, Family::Clinical | Family::Industrial) => Class::CriticalAccess,
        Some((Evidence::NewOffer, _)) if seen.answered() => Class::NewService,
        _ if surprise.unknown_edge && administers_by(seen) && seen.resp_local && seen.orig_local => Class::LateralMovement,
        _ if initiator == Initiator::Known && is_new_way_out(seen, surprise) => Class::NewWayOut,
        _ if initiator == Initiator::Stranger && seen.orig_local => Class::NewDevice,
        _ => Class::Unusual,
    }
}

/// Is it a new client from outside, and nothing else, that is new?
fn is_dialled(seen: &Observation, surprise: &Surprise) -> bool {
    seen.comes_in() && surprise.new.is_some_and(|part| part.evidence == Evidence::NewClient)
}

fn by_count(seen: &Observation, surprise: &Surprise, (window, targets): (&Minute, u32)) -> Option<Class> {
    let count = |value: Option<&u32>| value.copied().unwrap_or(0);
    // Neither of one peer nor of one service there are more than of all targets.
    let may_be = |least: u32| surprise.unknown_edge && targets >= least;
    if may_be(SCAN_SERVICES) && count(window.services_by_peer.get(&(seen.orig, seen.resp))) >= SCAN_SERVICES {
        return Some(Class::Scan);
    }
    let peers = || count(window.peers_by_service.get(&(seen.orig, seen.service)));
    if may_be(SWEEP_PEERS) && !is_browsing(seen) && peers() >= SWEEP_PEERS {
        return Some(Class::Sweep);
    }
    let failed = window.initiated.get(&seen.orig).map_or(0, |initiated| initiated.failed);
    if may_be(SCAN_SERVICES) && is_bare(seen) && targets <= failed.saturating_mul(2) {
        return Some(Class::Scan);
    }
    let flows = || count(window.conversations.get(&(seen.orig, seen.resp, seen.service)));
    // Whom it knows is asked again and again while he does not answer, with no password.
    let asks = surprise.unknown_edge || !seen.failed;
    // Whoever asks what listens on a port tries one application after the other there.
    let is_probe = seen.facts.iter().any(|fact| fact.kind == FactKind::Application);
    // Every log-in to a domain asks for many tickets, and what failed is read from the answers.
    let is_ticket = seen.app == App::Kerberos && seen.events.login_failures == 0;
    (is_login(seen) && asks && !is_probe && !is_ticket && flows() >= LOGIN_FLOWS).then_some(Class::BruteForce)
}

/// Is it such a connection to whom its initiator never had one, by a service whose use would be told of by itself?
fn is_probe(seen: &Observation, surprise: &Surprise) -> bool {
    surprise.unknown_edge && is_bare(seen) && !matches!(seen.app.family(), Family::Access | Family::Other)
}

/// Is it a connection at home that brought nothing, answered or not?
fn is_bare(seen: &Observation) -> bool {
    let bytes = [BYTES_ORIG, BYTES_RESP].map(|feature| seen.vector[feature]);
    seen.service.protocol == 6 && seen.resp_local && !seen.under_way && bytes == [0.0; 2]
}

/// Does a server of pages outside answer? One page may come from dozens of them.
fn is_browsing(seen: &Observation) -> bool {
    let is_of_web = matches!(seen.service.port, 80 | 443) && matches!(seen.app, App::Http | App::Tls | App::Quic);
    is_of_web && !seen.resp_local && seen.answered()
}

pub(super) fn is_tunnel(seen: &Observation, window: Option<&Minute>) -> bool {
    if seen.app != App::Dns {
        return false;
    }
    // Those for the same domain; where the names were cut off, all that ask the same resolver.
    let flows = window.map_or(0, |window| match seen.names_asked() {
        Some(asked) => window.carried.get(&(seen.orig, asked.domain)).map_or(0, |carried| carried.flows),
        None => window.conversations.get(&(seen.orig, seen.resp, seen.service)).copied().unwrap_or(0),
    }) as f32;
    let is_odd = f64::from(seen.vector[DNS_ODD_TYPES]) > ODD_SHARE;
    let long = seen.vector[DNS_NAME_BYTES] >= TUNNEL_NAME_BYTES || seen.vector[PAYLOAD_MEAN_ORIG] >= TUNNEL_QUERY_BYTES;
    let carries = is_odd && seen.vector[DNS_NAME_BYTES] >= CARRIER_NAME_BYTES;
    let enough = if carries { CARRIER_QUERIES } else { TUNNEL_QUERIES };
    (long || is_odd) && seen.vector[DNS_QUERIES].max(flows) >= enough
}

/// Do the names that a flow asks for carry data, whatever else happens around it? A very long one is enough.
pub(super) fn carries_data(seen: &Observation) -> bool {
    if seen.app != App::Dns {
        return false;
    }
    let (name_bytes, queries) = (seen.vector[DNS_NAME_BYTES], seen.vector[DNS_QUERIES]);
    let is_long = name_bytes >= 2.0 * CARRIER_NAME_BYTES || name_bytes >= CARRIER_NAME_BYTES && queries >= CARRIER_QUERIES;
    f64::from(seen.vector[DNS_ODD_TYPES]) > ODD_SHARE && is_long
}

pub(super) fn is_login(seen: &Observation) -> bool {
    seen.app.family() == Family::Access || seen.service.protocol == 6 && is_login_port(seen.service.port)
}

/// Does whoever speaks it order about what others run: log-in, or the interfaces of containers (Docker) and of clusters of them (Kubernetes, its nodes, etcd)?
pub(super) fn administers_by(seen: &Observation) -> bool {
    is_login(seen) || seen.service.protocol == 6 && matches!(seen.service.port, 2375 | 2376 | 2379 | 6443 | 10250)
}

/// Is what is new a service that a known device at home never offered, whoever asks for it?
pub(super) fn opens(seen: &Observation, surprise: &Surprise, baselines: &Baselines) -> bool {
    let is_new = surprise.new.is_some_and(|new| matches!(new.evidence, Evidence::NewService | Evidence::NewPeer));
    let never = |host: &HostBaseline| host.local && !host.offers().contains(seen.service);
    is_new && seen.answered() && !seen.service.is_icmp() && baselines.host(seen.resp).is_some_and(never)
}

fn is_transfer(seen: &Observation, surprise: &Surprise) -> bool {
    let volume = surprise.shape.is_some_and(|part| matches!(part.evidence, Evidence::Volume(3 | 4) | Evidence::OddShape(1..=12)));
    volume && moves_much(seen)
}

/// Does a device reach the outside by a service that it never used, or a server at all? Over UDP a port is one conversation's only: media and calls have another.
fn is_new_way_out(seen: &Observation, surprise: &Surprise) -> bool {
    let is_new = surprise.new.is_some_and(|new| new.evidence == Evidence::NewService || new.detail == Detail::CallsOut);
    is_new && seen.service.protocol == 6 && seen.goes_out() && seen.answered()
}

/// Is it a call or a meeting, in which as much is heard as said, or more?
pub(super) fn is_talk(seen: &Observation) -> bool {
    let [sent, fetched] = [BYTES_ORIG, BYTES_RESP].map(|feature| f64::from(seen.vector[feature]));
    matches!(seen.app, App::Rtp | App::Stun | App::Dtls) && sent <= TALK_TIMES * fetched
}

/// Does it move so much that it matters which feature of it stands out? What a remote desktop shows is a picture, who talks hears as much as is said, and what a
/// proxy brings is what pages are made of.
pub(super) fn moves_much(seen: &Observation) -> bool {
    let [sent, fetched] = [BYTES_ORIG, BYTES_RESP].map(|feature| f64::from(seen.vector[feature]));
    if is_talk(seen) {
        return false;
    }
    let is_picture = matches!(seen.app, App::Rdp | App::Rfb);
    sent >= TRANSFER_BYTES || fetched >= TRANSFER_BYTES && seen.resp_local && !is_picture && !seen.passed_on
}

/// Index of a feature.
const PAYLOAD_MEAN_ORIG: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, value_key};

    #[test]
    fn a_few_long_names_make_a_tunnel_and_a_few_short_ones_do_not() {
        let asks = |queries: f32, name_bytes: f32, odd: f32| {
            let (_, mut seen) = super::super::testing::flow(0, 1, 2, 53, true);
            seen.app = App::Dns;
            (seen.vector[DNS_QUERIES], seen.vector[DNS_NAME_BYTES], seen.vector[DNS_ODD_TYPES]) = (queries, name_bytes, odd);
            is_tunnel(&seen, None)
        };
        assert!(asks(5.0, 90.0, 1.0) && asks(15.0, 30.0, 0.0) && asks(15.0, 10.0, 1.0));
        assert!(!asks(3.0, 90.0, 1.0) && !asks(5.0, 90.0, 0.0) && !asks(5.0, 30.0, 1.0));
    }

    #[test]
    fn a_picture_and_talk_are_no_transfer() {
        let moved = |app: App, sent: f32, fetched: f32| {
            let (_, mut seen) = super::super::testing::flow(0, 1, 2, 3389, true);
            (seen.app, seen.resp_local) = (app, true);
            (seen.vector[BYTES_ORIG], seen.vector[BYTES_RESP]) = (sent, fetched);
            seen
        };
        let moves = |app, sent, fetched| moves_much(&moved(app, sent, fetched));
        let by_proxy = |sent, fetched| moves_much(&Observation { passed_on: true, ..moved(App::Http, sent, fetched) });
        assert!(by_proxy(2e5, 10.0) && !by_proxy(10.0, 2e5), "what a proxy brings comes from outside");
        assert!(moves(App::Smb, 10.0, 2e5) && !moves(App::Rdp, 10.0, 2e5) && !moves(App::Rfb, 10.0, 2e5));
        assert!(moves(App::Rdp, 2e5, 10.0), "what is sent to one is a copy");
        assert!(moves(App::Rtp, 9e5, 2e5) && !moves(App::Rtp, 4e5, 2e5), "nobody sends so much more than he hears");
        assert!(moves(App::Stun, 9e5, 2e5) && !moves(App::Stun, 4e5, 2e5), "a meeting whose beginning tells what it is");
    }

    #[test]
    fn many_names_that_do_not_exist_are_told_and_one_that_is_asked_for_again_is_not() {
        use super::super::testing::{LATER_MS, detector, flow, show, taught};
        let asks = |flows: i64, different: i64, missing: u32| {
            let mut detector = detector(&taught());
            let flows = (0..flows).map(|n| {
                let (mut record, mut seen) = flow(LATER_MS + n * 100, 1, 100, 80, true);
                record.app.0 = App::Dns;
                (seen.app, seen.events.names_missing) = (App::Dns, missing);
                seen.facts = vec![Fact::new(FactKind::Name, &format!("{}.example", n % different))];
                (record, seen)
            });
            show(&mut detector, flows.collect()).into_iter().map(|notice| notice.incident.class).collect::<Vec<_>>()
        };
        assert!(asks(40, 40, 2).contains(&Class::Dga));
        assert!(!asks(40, 2, 2).contains(&Class::Dga));
        assert!(asks(1, 1, 40).contains(&Class::Dga), "all from one port");
    }

    #[test]
    fn what_is_turned_down_is_named_by_whom_it_is_asked_of() {
        let class = |app: App| {
            let (_, mut seen) = super::super::testing::flow(0, 1, 2, 5000, true);
            (seen.app, seen.events.refusals) = (app, 50);
            let context = Some(Contribution::of(Evidence::Refusals, 50.0, 12.0));
            classify(&seen, &Surprise::default(), context, &Around::default(), Initiator::Known)
        };
        let classes = [App::Modbus, App::Dicom, App::Sip, App::Smtp].map(class);
        assert_eq!(classes, [Class::CriticalAccess, Class::CriticalAccess, Class::BruteForce, Class::Unusual]);
    }

    #[test]
    fn orders_to_a_cluster_are_administration_and_no_guessing() {
        let class = |port: u16, resp_local: bool| {
            let (_, mut seen) = super::super::testing::flow(0, 1, 100, port, true);
            (seen.app, seen.orig_local, seen.resp_local) = (App::Tls, true, resp_local);
            let new = Some(Contribution::of(Evidence::NewPeer, 60.0, 12.0));
            let surprise = Surprise { new, unknown_edge: true, ..Surprise::default() };
            classify(&seen, &surprise, None, &Around::default(), Initiator::Known)
        };
        assert_eq!(
            [class(6443, true), class(2375, true), class(8443, true)],
            [Class::LateralMovement, Class::LateralMovement, Class::Unusual]
        );
        assert_ne!(class(6443, false), Class::LateralMovement, "a provider's");
    }

    #[test]
    fn a_connection_that_brings_nothing_to_whom_others_turn_down_is_a_probe_and_no_access() {
        let class = |bytes: f32, evidence: Evidence, port: u16, goes_on: bool| {
            let (_, mut seen) = super::super::testing::flow(0, 1, 2, port, true);
            (seen.vector[BYTES_ORIG], seen.vector[BYTES_RESP], seen.resp_local) = (bytes, 0.0, true);
            seen.app = if port == 104 { App::Dicom } else { App::Ssh };
            let new = Some(Contribution::of(Evidence::NewService, 60.0, 12.0));
            let surprise = Surprise { new, unknown_edge: true, ..Surprise::default() };
            let around = Around { goes_on, ..Around::default() };
            classify(&seen, &surprise, Some(Contribution::of(evidence, 9.0, 3.0)), &around, Initiator::Known)
        };
        assert_eq!(class(0.0, Evidence::FailedRate, 104, true), Class::Scan);
        assert_eq!(class(0.0, Evidence::FailedRate, 104, false), Class::CriticalAccess, "one is asked again and again");
        assert_eq!(class(90.0, Evidence::FailedRate, 104, true), Class::CriticalAccess, "it was asked something");
        assert_eq!(class(0.0, Evidence::FailedRate, 22, true), Class::LateralMovement, "a worm logs in");
    }

    #[test]
    fn names_of_one_domain_make_a_tunnel_and_of_many_do_not() {
        use super::super::testing::flow;
        let asks = |domains: i64| {
            let mut minute = Minute::default();
            let flows = (0..40).map(|n| {
                let (_, mut seen) = flow(n * 100, 1, 2, 53, true);
                seen.app = App::Dns;
                (seen.vector[DNS_QUERIES], seen.vector[DNS_NAME_BYTES]) = (1.0, 30.0);
                seen.facts = vec![Fact::new(FactKind::Domain, &format!("{}.example", n % domains))];
                minute.add(&seen, 0);
                seen
            });
            let seen: Vec<_> = flows.collect();
            seen.iter().any(|seen| is_tunnel(seen, Some(&minute)))
        };
        assert!(asks(1) && !asks(20), "a resolver at home asks for what all its clients do");
    }

    #[test]
    fn who_dials_in_to_a_server_for_that_hides_nothing() {
        let class = |from_outside: bool, evidence| {
            let (_, mut seen) = super::super::testing::flow(0, 1, 100, 51_820, true);
            (seen.app, seen.orig_local, seen.resp_local) = (App::WireGuard, !from_outside, from_outside);
            let new = Some(Contribution::of(evidence, 0.0, 14.0));
            classify(&seen, &Surprise { new, ..Surprise::default() }, None, &Around::default(), Initiator::Known)
        };
        assert_eq!(class(true, Evidence::NewClient), Class::Unusual);
        assert_eq!(class(true, Evidence::NewOffer), Class::CovertApplication);
        assert_eq!(class(false, Evidence::NewPeer), Class::CovertApplication);
    }

    #[test]
    fn who_looks_through_a_server_of_pages_scans_it_and_a_tool_that_leads_out_is_covert() {
        let class = |new: &str, beside: &str| {
            let (_, mut seen) = super::super::testing::flow(0, 1, 100, 80, true);
            let [tool, other] = [new, beside].map(|name| Fact::new(FactKind::Tool, name));
            (seen.app, seen.resp_local, seen.facts) = (App::Http, false, vec![other, tool]);
            let about = value_key(Kind::Fact(FactKind::Tool), tool);
            let new = Some(Contribution { about, ..Contribution::of(Evidence::NewFact(FactKind::Tool), 0.0, 20.0) });
            classify(&seen, &Surprise { new, ..Surprise::default() }, None, &Around::default(), Initiator::Known)
        };
        let told = [class("sqlmap", "AnyDesk"), class("AnyDesk", "sqlmap"), class("SQL injection", "sqlmap")];
        assert_eq!(told, [Class::Scan, Class::CovertApplication, Class::WebAttack]);
    }

    #[test]
    fn a_service_by_which_a_device_never_left_is_a_way_out() {
        let class = |change: &dyn Fn(&mut Observation), evidence, initiator| {
            let (_, mut seen) = super::super::testing::flow(0, 1, 100, 4444, true);
            (seen.orig_local, seen.resp_local) = (true, false);
            change(&mut seen);
            let new = Some(Contribution::of(evidence, 0.0, 14.0));
            classify(&seen, &Surprise { new, ..Surprise::default() }, None, &Around::default(), initiator)
        };
        let of = |change: &dyn Fn(&mut Observation)| class(change, Evidence::NewService, Initiator::Known);
        assert_eq!(of(&|_| ()), Class::NewWayOut);
        let others: [&dyn Fn(&mut Observation); 3] =
            [&|seen| seen.service.protocol = 17, &|seen| seen.resp_local = true, &|seen| seen.failed = true];
        assert_eq!(others.map(of), [Class::Unusual; 3]);
        assert_eq!(class(&|_| (), Evidence::NewPeer, Initiator::Known), Class::Unusual);
        assert_eq!(class(&|_| (), Evidence::NewService, Initiator::Stranger), Class::NewDevice);
    }

    #[test]
    fn only_tickets_that_weigh_more_are_credential_access() {
        let (_, seen) = super::super::testing::flow(0, 1, 100, KERBEROS_PORT, true);
        let class = |prior_bits| {
            let new = Contribution { prior_bits, ..Contribution::of(Evidence::NewFact(FactKind::Ticket), 0.0, 14.0) };
            let surprise = Surprise { new: Some(new), ..Surprise::default() };
            classify(&seen, &surprise, None, &Around::default(), Initiator::Known)
        };
        assert_eq!((class(8.0), class(0.0)), (Class::CredentialAccess, Class::Unusual));
    }

    #[test]
    fn pages_tickets_and_what_others_store_have_their_own_names() {
        use super::super::testing::flow;
        let class = |to_home: bool, app: App, port: u16, initiator| {
            let mut minute = Minute::default();
            let flows: Vec<_> = (0..20).map(|n| flow(n * 100, 1, 100 + (n % 15) as u8, port, true).1).collect();
            flows.iter().for_each(|seen| minute.add(seen, 0));
            let mut seen = flows.last().unwrap().clone();
            (seen.app, seen.resp_local, seen.orig_local) = (app, to_home, true);
            seen.vector[3] = 1e6;
            let shape = Some(Contribution::of(Evidence::Volume(3), 1e6, 12.0));
            let surprise = Surprise { shape, unknown_edge: true, unknown_client: true, ..Surprise::default() };
            let around = Around::of(
                (&seen, Earlier::default()),
                (&surprise, &Context::default()),
                (Some(&minute), None),
                HourOfDevice::default,
            );
            classify(&seen, &surprise, None, &around, initiator)
        };
        assert_eq!(class(false, App::Tls, 443, Initiator::Known), Class::Exfiltration, "a page comes from many servers");
        assert_eq!(
            [class(true, App::Tls, 443, Initiator::Known), class(false, App::Smb, 445, Initiator::Known)],
            [Class::Sweep; 2]
        );
        let log_ins = |app: App, failures: u32| {
            let (mut minute, (_, mut seen)) = (Minute::default(), flow(0, 1, 2, KERBEROS_PORT, true));
            (seen.app, seen.events.login_failures) = (app, failures);
            (0..20).for_each(|_| minute.add(&seen, 0));
            by_count(&seen, &Surprise { unknown_edge: true, ..Surprise::default() }, (&minute, 1))
        };
        assert_eq!([log_ins(App::Kerberos, 0), log_ins(App::Kerberos, 1)], [None, Some(Class::BruteForce)]);
    }

    #[test]
    fn features_have_the_places_that_are_assumed() {
        let names =
            [PAYLOAD_MEAN_ORIG, DNS_QUERIES, DNS_NAME_BYTES, DNS_ODD_TYPES].map(|index| crate::feature::SCHEMA[index].name);
        assert_eq!(names, ["payload_mean_orig", "dns_queries", "dns_name_mean_bytes", "dns_odd_type_share"]);
    }
}

//! Time, leases, polling, logs, neighbours: what machines do by themselves.

use super::dialogue::{https, look_up};
use crate::generator::clock::{MINUTE, SECOND, SPAN, hhmmss, period};
use crate::generator::datagram::{BROADCAST, Sockets, ask, moment, neighbour, ping, who_has};
use crate::generator::host::{
    BROKER, FILES, HIS, Host, INFRA, LAB, MONITORS, Node, OFFICE, PACS, PRINTER, READING, ROUTER, SITES, TIME_SOURCE, residents,
};
use crate::generator::label::benign;
use crate::generator::net::Net;
use crate::generator::protocol::{name, service};
use crate::generator::random::Rng;
use crate::generator::tcp::Call;

/// Everything that runs by itself.
pub fn live(net: &mut Net) {
    for host in residents() {
        time(net, host);
        addresses(net, host);
    }
    for host in MONITORS.into_iter().chain(OFFICE).chain([PRINTER, LAB]) {
        lease(net, host);
    }
    for host in [ROUTER, PRINTER, PACS, HIS, FILES] {
        poll(net, host);
    }
    for host in [PACS, HIS, BROKER, FILES, ROUTER] {
        log(net, host);
    }
    for host in OFFICE.into_iter().chain([PRINTER]) {
        discover(net, host);
    }
    updates(net);
}

/// NTP from port 123 to port 123, as old clients do, every 512 s.
fn time(net: &mut Net, host: Host) {
    if host.number == ROUTER.number {
        return;
    }
    let mut rng = net.rng(&format!("{} time", host.name));
    let to = if host.number == INFRA.number { TIME_SOURCE.at() } else { INFRA.at() };
    for at in period(&mut rng, 512 * SECOND, 0.01, 0, SPAN) {
        let sockets = Sockets { from: host.at(), to, source: 123, destination: 123 };
        let (question, answer) = (service::ntp(&mut rng, 3), service::ntp(&mut rng, 4));
        ask(net, &mut rng, sockets, at, benign("ntp"), &question, Some(&answer));
    }
}

/// Address resolution of the router and of somebody else, and between some also by IPv6.
fn addresses(net: &mut Net, host: Host) {
    let mut rng = net.rng(&format!("{} neighbours", host.name));
    let others = [ROUTER, INFRA, HIS, PACS, FILES];
    for at in period(&mut rng, 12 * MINUTE, 0.4, 0, SPAN) {
        let target = *rng.pick(&others);
        if target.number != host.number {
            who_has(net, &mut rng, host, target, at, true);
        }
        if matches!(host.number, 20 | 61..=64) {
            let target = if host.number == HIS.number { OFFICE[1] } else { HIS };
            neighbour(net, &mut rng, host, target, at + 3 * SECOND, benign("neighbours"));
        }
    }
}

/// A lease is renewed at half its time of an hour.
fn lease(net: &mut Net, host: Host) {
    let mut rng = net.rng(&format!("{} lease", host.name));
    for at in period(&mut rng, 30 * MINUTE, 0.01, 0, SPAN) {
        let transaction = rng.long();
        let sockets = Sockets { from: host.at(), to: INFRA.at(), source: 68, destination: 67 };
        let (request, grant) = (service::dhcp(host, 3, transaction, true), service::dhcp(host, 5, transaction, true));
        ask(net, &mut rng, sockets, at, benign("dhcp"), &request, Some(&grant));
    }
}

/// A host that starts: it asks for its address by broadcast.
pub fn start(net: &mut Net, rng: &mut Rng, host: Host, at: i64, story: crate::generator::label::Story) -> i64 {
    let everybody = Node::group(BROADCAST, core::net::Ipv4Addr::BROADCAST.into());
    let (transaction, mut now) = (rng.long(), at);
    for (ask_kind, answer_kind) in [(1, 2), (3, 5)] {
        let question = Sockets { from: host.unaddressed(), to: everybody, source: 68, destination: 67 };
        ask(net, rng, question, now, story, &service::dhcp(host, ask_kind, transaction, false), None);
        now += rng.between(2, 30) * 1_000_000;
        let answer = Sockets { from: INFRA.at(), to: Node { mac: BROADCAST, ..everybody }, source: 67, destination: 68 };
        ask(net, rng, answer, now, story, &service::dhcp(host, answer_kind, transaction, false), None);
        now += rng.between(2, 30) * 1_000_000;
    }
    now
}

/// Two counters of each device every two minutes, and a ping.
fn poll(net: &mut Net, host: Host) {
    let mut rng = net.rng(&format!("{} polling", host.name));
    let source = net.port(&INFRA.at(), &mut rng);
    for (i, at) in period(&mut rng, 2 * MINUTE, 0.01, 0, SPAN).into_iter().enumerate() {
        let sockets = Sockets { from: INFRA.at(), to: host.at(), source, destination: 161 };
        let mut now = at;
        for column in if i % 2 == 0 { [10, 16] } else { [14, 20] } {
            let (question, answer) = (service::snmp(&mut rng, 0xa0, column), service::snmp(&mut rng, 0xa2, column));
            now = ask(net, &mut rng, sockets, now, benign("snmp"), &question, Some(&answer)) + moment(&mut rng);
        }
        if i % 5 == 0 {
            ping(net, &mut rng, (INFRA.at(), host.at()), i as u16, now + SECOND, true, benign("ping"));
        }
    }
}

fn log(net: &mut Net, host: Host) {
    let mut rng = net.rng(&format!("{} log", host.name));
    let mut at = rng.exponential(90 * SECOND);
    let source = net.port(&host.at(), &mut rng);
    while at < SPAN {
        let sockets = Sockets { from: host.at(), to: INFRA.at(), source, destination: 514 };
        let line = service::syslog(&mut rng, host.name, &hhmmss(at));
        ask(net, &mut rng, sockets, at, benign("syslog"), &line, None);
        at += if rng.chance(0.2) { rng.between(1, 40) * 1_000_000 } else { rng.exponential(110 * SECOND) };
    }
}

/// Multicast: who prints here, who shares here.
fn discover(net: &mut Net, host: Host) {
    let mut rng = net.rng(&format!("{} multicast", host.name));
    let bonjour = Node::group([1, 0, 0x5e, 0, 0, 0xfb], core::net::Ipv4Addr::new(224, 0, 0, 251).into());
    let bonjour6 = Node::group([0x33, 0x33, 0, 0, 0, 0xfb], core::net::Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb).into());
    let ssdp = Node::group([1, 0, 0x5e, 0x7f, 0xff, 0xfa], core::net::Ipv4Addr::new(239, 255, 255, 250).into());
    for at in period(&mut rng, 9 * MINUTE, 0.3, 0, SPAN) {
        let question = name::multicast_question("_ipp._tcp.local");
        for (from, to) in [(host.at(), bonjour), (host.link_local(), bonjour6)] {
            let from = Node { ttl: 255, ..from };
            let sockets = Sockets { from, to, source: 5353, destination: 5353 };
            ask(net, &mut rng, sockets, at, benign("mdns"), &question, None);
        }
    }
    for at in period(&mut rng, 18 * MINUTE, 0.2, 0, SPAN) {
        let sockets = Sockets { from: host.at(), to: ssdp, source: net.port(&host.at(), &mut rng), destination: 1900 };
        for i in 0..3 {
            ask(net, &mut rng, sockets, at + i * SECOND, benign("ssdp"), &service::ssdp(), None);
        }
    }
}

/// Servers look for updates.
fn updates(net: &mut Net) {
    for host in [HIS, PACS, FILES, INFRA, READING[0], READING[1]] {
        let mut rng = net.rng(&format!("{} updates", host.name));
        for at in period(&mut rng, 85 * MINUTE, 0.1, 0, SPAN) {
            let site = SITES[7];
            let then = look_up(net, &mut rng, host, &site, at, benign("dns")) + moment(&mut rng);
            let call = Call { from: host.at(), to: site.at(), port: 443, at: then, story: benign("update check") };
            let bytes = rng.heavy(12_000);
            https(net, &mut rng, call, site.name, &[(0, 500, bytes)]);
        }
    }
}

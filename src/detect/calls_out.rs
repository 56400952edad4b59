//! Servers at home that call out. What serves others answers, and asks known ones outside for names, time and pages; one that is made to call a stranger in a language
//! that nobody knows gives a shell away, or what it holds (MITRE ATT&CK T1571, T1059, T1020).

use std::collections::BTreeSet;

use crate::app::App;
use crate::feature::{Host, Observation};
use crate::model::{Baselines, Edge, HostBaseline, Kind, KnownTo, Roles};

/// Clients that make a device a server.
const CLIENTS: usize = 3;
const TCP: u8 = 6;

/// Does a server that called nobody outside over TCP but by the web call somebody there whom nobody at home knows, and is answered in an unknown language? What it
/// asks over UDP, as for names and time, does not count.
pub(super) fn calls_out(seen: &Observation, orig: Option<&HostBaseline>, baselines: &Baselines) -> bool {
    let is_strange = seen.goes_out() && seen.app == App::Unknown && !seen.failed && seen.answered() && !seen.under_way;
    if !is_strange || seen.service.protocol != TCP || seen.service.is_web() {
        return false;
    }
    let Some(orig) = orig.filter(|orig| !orig.is_hardly_known() && serves(orig)) else { return false };
    let is_outside = |host: Host| !baselines.host(host).is_some_and(|host| host.local);
    let called = |edge: Edge| edge.service.protocol == TCP && !edge.service.is_web() && is_outside(edge.peer);
    let edge = Edge { service: seen.service, peer: seen.resp };
    let is_known = || baselines.commons.known_to(Kind::Edge, edge, Roles::NONE) != KnownTo::Nobody;
    !orig.edges.iter().any(|(edge, _)| called(edge)) && !is_known()
}

/// Do several use what it offers?
fn serves(host: &HostBaseline) -> bool {
    let mut clients = BTreeSet::new();
    host.clients().iter().any(|(client, _)| clients.insert(client.peer) && clients.len() == CLIENTS)
}

#[cfg(test)]
mod tests {
    use super::super::Class;
    use super::super::testing::{LATER_MS, detector, flow, show, taught_by};
    use super::*;

    #[test]
    fn a_server_that_calls_a_stranger_is_told_apart_from_whoever_calls_out() {
        let outside = |at, from: u8, port| Observation { resp_local: false, ..flow(at, from, 200, port, true).1 };
        // Device 100 serves devices 1 to 3 and fetches pages, as they do; device 101 serves them, too, and calls a maker outside.
        let learned = (0..120_i64).flat_map(|minute| {
            let at = move |n: i64| minute * 60_000 + n * 3001;
            let served = (1..=3)
                .flat_map(move |n| [100, 101].map(|server| flow(at(n.into()) + i64::from(server), n, server, 6379, true).1));
            let pages = [1, 100].map(|from| outside(at(i64::from(from)), from, 443));
            served.chain(pages).chain([outside(at(5), 101, 9000)])
        });
        let taught = taught_by(learned.collect(), 1e-6);
        let calls = |from: u8, port: u16, app: App| {
            let seen = Observation { app, ..outside(LATER_MS, from, port) };
            let seen = Observation { resp: flow(0, 1, 201, port, true).1.resp, ..seen };
            calls_out(&seen, taught.host(seen.orig), taught.baselines(seen.seen))
        };
        assert!(calls(100, 4444, App::Unknown));
        assert!(!calls(100, 443, App::Unknown) && !calls(100, 4444, App::Tls), "pages, and what is known");
        assert!(!calls(1, 4444, App::Unknown), "it serves nobody");
        assert!(!calls(101, 4444, App::Unknown), "it calls others outside");
        let mut detector = detector(&taught);
        let (record, seen) = flow(LATER_MS, 100, 201, 4444, true);
        let notices = show(&mut detector, vec![(record, Observation { resp_local: false, ..seen })]);
        assert_eq!(notices.first().map(|notice| notice.incident.class), Some(Class::NewWayOut));
        let home = flow(LATER_MS, 100, 50, 4444, true).1;
        assert!(!calls_out(&home, taught.host(home.orig), taught.baselines(home.seen)), "at home");
    }
}

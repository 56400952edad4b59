//! Servers that stand in for each other, of which a client takes one or the other: the controllers of a domain, and servers that many of the same
//! clients use for the same, as terminal servers behind one broker.

use super::domain::{KERBEROS, is_controller};
use crate::feature::{Host, Observation};
use crate::flow::Service;
use crate::model::{Baselines, Edge, Family as _, HostBaseline};

/// Clients by which a service is what a server is for.
const CLIENTS: usize = 3;
/// Clients by which two servers of one service may be a farm.
const CLIENTS_OF_FARM: usize = 5;
/// Services that two must have in common.
const IN_COMMON: usize = 3;

/// Does the responder stand in for one at home that the initiator used for the same service while it was learned? Either both are controllers of a domain
/// and serve the same, each to several; or both serve this to many, half of whom use the one and the other. Medical devices and machines stand in for
/// nobody.
pub(super) fn stands_in(
    seen: &Observation,
    (orig, resp): (Option<&HostBaseline>, Option<&HostBaseline>),
    baselines: &Baselines,
) -> bool {
    let is_server = |host: &&HostBaseline| host.local && host.offers().contains(seen.service);
    let Some((orig, resp)) = orig.zip(resp.filter(is_server)).filter(|_| seen.answered()) else { return false };
    let of_service = Edge { service: seen.service, peer: seen.resp }.family();
    let mut known = orig.edges.range(&of_service).filter_map(|(edge, _)| baselines.host(edge.peer).filter(is_server)).peekable();
    if known.peek().is_none() {
        return false;
    }
    let serves = if is_controller(resp) { services(resp, seen) } else { Vec::new() };
    let is_machine = |device: Host| seen.is_critical() || baselines.is_critical(device);
    let clients = if is_machine(seen.resp) { Vec::new() } else { clients(resp, seen) };
    known.any(|host| {
        is_controller(host) && are_alike(&services(host, seen), &serves)
            || clients.len() >= CLIENTS_OF_FARM && are_farm(&self::clients(host, seen), &clients)
    })
}

/// Whom a server serves this, in order.
fn clients(host: &HostBaseline, seen: &Observation) -> Vec<Host> {
    let of_service = Edge { service: seen.service, peer: seen.orig }.family();
    let mut clients: Vec<Host> = host.clients().range(&of_service).map(|(client, _)| client.peer).collect();
    clients.sort_unstable();
    clients.dedup();
    clients
}

/// Are both used by many, half of whom, of the larger one, use both? A server of a few administrators is none of a farm because these use shares, too.
fn are_farm(a: &[Host], b: &[Host]) -> bool {
    let in_common = a.iter().filter(|client| b.binary_search(client).is_ok()).count();
    a.len().min(b.len()) >= CLIENTS_OF_FARM && 2 * in_common >= a.len().max(b.len())
}

/// What a server is for: services with several clients.
fn services(host: &HostBaseline, seen: &Observation) -> Vec<Service> {
    let clients = |service| host.clients().range(&Edge { service, peer: seen.orig }.family()).take(CLIENTS).count();
    host.offers().iter().map(|(service, _)| service).filter(|&service| clients(service) == CLIENTS).collect()
}

/// Is two thirds of what each serves the same, Kerberos among it?
fn are_alike(a: &[Service], b: &[Service]) -> bool {
    let in_common = a.iter().filter(|service| b.contains(service)).count();
    let is_of_domain = [a, b].iter().all(|serves| serves.contains(&KERBEROS));
    is_of_domain && in_common >= IN_COMMON && 3 * in_common >= 2 * a.len().max(b.len())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LATER_MS, flow, host, taught_by};

    #[test]
    fn a_controller_that_serves_the_same_to_several_stands_in_for_another() {
        // Devices 1 to 6 use services of devices 100 and 103, those from 3 on those of 101, 102 and 104, too. 100 and 101 are controllers; 103 and 104 are computers
        // with shares and remote desktops.
        const DOMAIN: [u16; 3] = [88, 389, 445];
        const WINDOWS: [u16; 3] = [135, 445, 3389];
        let minutes = (0..120).flat_map(|minute| (1..=6).map(move |n: u8| (minute * 60_000 + i64::from(n) * 3001, n)));
        let flows = minutes.flat_map(|(at, n)| {
            let of = |server: u8, ports: [u16; 3]| ports.map(|port| (server, port));
            let all = [of(100, DOMAIN), of(103, WINDOWS)].concat();
            let some = [of(101, DOMAIN), of(104, WINDOWS), [(102, 445); 3]].concat();
            let used = all.into_iter().chain(some.into_iter().filter(move |_| n >= 3));
            used.map(move |(server, port)| flow(at, n, server, port, true).1).collect::<Vec<_>>()
        });
        let knowledge = taught_by(flows.collect(), 1e-6);
        let stands_in = |from: u8, to: u8, port: u16, answered: bool| {
            let (_, seen) = flow(LATER_MS, from, to, port, answered);
            let baselines = knowledge.baselines(seen.seen);
            super::stands_in(&seen, (baselines.host(host(from)), baselines.host(host(to))), baselines)
        };
        assert!(stands_in(1, 101, 445, true) && !stands_in(1, 101, 445, false));
        assert!(!stands_in(1, 102, 445, true), "a file server is no controller");
        assert!(!stands_in(1, 104, 3389, true), "nor are computers that serve the same");
        assert!(!stands_in(1, 101, 22, true) && !stands_in(77, 101, 445, true), "nothing of that was known of either end");
    }

    #[test]
    fn a_server_that_the_same_many_use_stands_in_for_another() {
        // Devices 1 to 8 use the desktops of 100, from 3 on those of 101, too; 1 to 4 the shares of 102 and 103; 9 and 10 those of 104.
        let minutes = (0..120).flat_map(|minute| (1..=10).map(move |n: u8| (minute * 60_000 + i64::from(n) * 3001, n)));
        let flows = minutes.flat_map(|(at, n)| {
            let used =
                [(100, 3389, n <= 8), (101, 3389, (3..=8).contains(&n)), (102, 445, n <= 4), (103, 445, (2..=4).contains(&n))];
            let of_104 = (104, 3389, n >= 9);
            let used = used.into_iter().chain([of_104]).filter(|(.., is_used)| *is_used);
            used.map(|(server, port, _)| flow(at, n, server, port, true).1).collect::<Vec<_>>()
        });
        let knowledge = taught_by(flows.collect(), 1e-6);
        let stands_in = |from: u8, to: u8, port: u16| {
            let (_, seen) = flow(LATER_MS, from, to, port, true);
            let baselines = knowledge.baselines(seen.seen);
            super::stands_in(&seen, (baselines.host(host(from)), baselines.host(host(to))), baselines)
        };
        assert!(stands_in(1, 101, 3389));
        assert!(!stands_in(1, 104, 3389), "others use it, and few");
        assert!(!stands_in(1, 103, 445), "few use it");
        assert!(!stands_in(9, 101, 3389), "it knows none of the farm");
    }
}

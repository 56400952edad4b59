//! Servers that stand in for each other: the controllers of a domain, of which a client takes one or the other.

use std::ops::RangeInclusive;

use crate::feature::{Host, Observation};
use crate::flow::Service;
use crate::model::{Baselines, Edge, Family as _, HostBaseline};

/// Clients by which a service is what a server is for.
const CLIENTS: usize = 3;
/// Services that two must have in common: one or two are common to many servers that are none of each other.
const IN_COMMON: usize = 3;

/// Does the responder stand in for one at home that the initiator used for the same service while it was learned? Both serve the same, each to several.
pub(super) fn stands_in(
    seen: &Observation,
    (orig, resp): (Option<&HostBaseline>, Option<&HostBaseline>),
    baselines: &Baselines,
) -> bool {
    let Some((orig, resp)) = orig.zip(resp.filter(|host| host.local && host.offers().contains(seen.service))) else {
        return false;
    };
    let of_service = with_any(seen.service, seen.resp);
    let known = orig.edges.range(&of_service).filter_map(|(edge, _)| baselines.host(edge.peer));
    let mut known = known.filter(|host| host.local).peekable();
    if known.peek().is_none() {
        return false;
    }
    let serves = services(resp, seen.orig);
    serves.len() >= IN_COMMON && known.any(|host| are_alike(&services(host, seen.orig), &serves))
}

/// A service with this device or any other.
fn with_any(service: Service, peer: Host) -> RangeInclusive<Edge> {
    Edge { service, peer }.family()
}

/// What a server is for: services with several clients, such as this one.
fn services(host: &HostBaseline, client: Host) -> Vec<Service> {
    let is_used = |service: &Service| host.clients().range(&with_any(*service, client)).take(CLIENTS).count() == CLIENTS;
    host.offers().iter().map(|(service, _)| service).filter(is_used).collect()
}

/// Is two thirds of what each serves the same?
fn are_alike(a: &[Service], b: &[Service]) -> bool {
    let in_common = a.iter().filter(|service| b.contains(service)).count();
    in_common >= IN_COMMON && 3 * in_common >= 2 * a.len().max(b.len())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LATER_MS, flow, host, taught_by};

    #[test]
    fn a_server_that_serves_the_same_to_several_stands_in_for_another() {
        // Devices 1 to 6 use services of device 100, those from 3 on of 101 and 102, too; 102 has no more than one of them.
        let minutes = (0..120).flat_map(|minute| (1..=6).map(move |n: u8| (minute * 60_000 + i64::from(n) * 3001, n)));
        let flows = minutes.flat_map(|(at, n)| {
            let of_100 = [88, 389, 445].map(|port| (100, port));
            let of_others = [(101, 88), (101, 389), (101, 445), (102, 445)];
            let used = of_100.into_iter().chain(of_others.into_iter().filter(move |_| n >= 3));
            used.map(move |(server, port)| flow(at, n, server, port, true).1).collect::<Vec<_>>()
        });
        let knowledge = taught_by(flows.collect(), 1e-6);
        let stands_in = |from: u8, to: u8, port: u16| {
            let (_, seen) = flow(LATER_MS, from, to, port, true);
            let baselines = knowledge.baselines(seen.seen);
            super::stands_in(&seen, (baselines.host(host(from)), baselines.host(host(to))), baselines)
        };
        assert!(stands_in(1, 101, 445));
        assert!(!stands_in(1, 102, 445), "a file server is no controller");
        assert!(!stands_in(1, 101, 22) && !stands_in(77, 101, 445), "nothing of that was known of either end");
    }
}

//! Ports that a server draws for each connection: those of a passive FTP server, of a backup's data, or of calls. The next one is what the ones before were.

use std::collections::BTreeSet;

use super::classify::administers_by;
use crate::app::{App, FIRST_DRAWN};
use crate::feature::{Host, Observation};
use crate::flow::Service;
use crate::model::{Edge, Family as _, HostBaseline, Packed};

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Ports that a server must have drawn, and those among them for the client.
const OF_SERVER: usize = 8;
const OF_CLIENT: usize = 3;
/// A drawn port is another client's, or the same one's, only by chance.
const CLIENTS: usize = 2;
/// It is used for one thing and then no more: minutes in which it was, at the most. A service has its port for good.
const MINUTES: u32 = 60;

/// Where calls are set up (SIP, RFC 3261, 19.1.2).
const SIP: [Service; 3] =
    [Service { protocol: UDP, port: 5060 }, Service { protocol: TCP, port: 5060 }, Service { protocol: TCP, port: 5061 }];

/// Is it the voice of a call (RTP) between two that set up calls with each other, or both with the same third, while they were learned?
pub(super) fn is_of_call(seen: &Observation, orig: Option<&HostBaseline>, resp: Option<&HostBaseline>) -> bool {
    let Some((orig, resp)) = orig.zip(resp).filter(|_| seen.app == App::Rtp) else { return false };
    let callers = sets_up_calls_with(orig, seen.orig);
    callers.contains(&seen.resp) || sets_up_calls_with(resp, seen.resp).iter().any(|third| callers.contains(third))
}

/// With whom a device sets up calls.
fn sets_up_calls_with(host: &HostBaseline, itself: Host) -> BTreeSet<Host> {
    let of = SIP.map(|service| Edge { service, peer: itself }.family());
    let called = of.iter().flat_map(|edges| host.edges.range(edges).map(|(edge, _)| edge.peer));
    called.chain(of.iter().flat_map(|edges| host.clients().range(edges).map(|(client, _)| client.peer))).collect()
}

/// The service as which the voice of a call is known: the port by which its initiator said and heard most so far.
fn voice(seen: &Observation, orig: &HostBaseline) -> Option<Service> {
    let of = |port| Service { port, ..seen.service };
    let drawn = orig
        .services
        .range(&(of(FIRST_DRAWN)..=of(u16::MAX)))
        .filter(|&(service, minutes)| minutes <= MINUTES && !SIP.contains(&service));
    drawn.map(|(service, _)| service).max_by(|a, b| moved(orig, *a).total_cmp(&moved(orig, *b)))
}

/// The most that a device moved by a service.
fn moved(orig: &HostBaseline, service: Service) -> f64 {
    let most = |bytes: Packed<'_>| bytes.quantile(1.0).unwrap_or(0.0);
    orig.asked(service).map_or(0.0, |used| most(used.bytes_orig) + most(used.bytes_resp))
}

/// The service as which a flow between two devices at home is known, where its port is one more that the responder drew for the initiator: the one by which
/// most was moved. Never what is for log-in and administration. So is the voice of a call, wherever it goes.
pub(super) fn known_as(seen: &Observation, orig: Option<&HostBaseline>, resp: Option<&HostBaseline>) -> Option<Service> {
    if is_of_call(seen, orig, resp) {
        return orig.filter(|orig| !orig.services.contains(seen.service)).and_then(|orig| voice(seen, orig));
    }
    let is_high = matches!(seen.service.protocol, TCP | UDP) && seen.service.port >= FIRST_DRAWN && !administers_by(seen);
    let is_at_home = seen.orig_local && seen.resp_local;
    if !(is_high && is_at_home && seen.answered()) {
        return None;
    }
    let (orig, resp) = orig.zip(resp)?;
    let of = |port| Service { port, ..seen.service };
    let high = of(FIRST_DRAWN)..=of(u16::MAX);
    let is_known = orig.edges.contains(Edge { service: seen.service, peer: seen.resp });
    if is_known || resp.offers().range(&high).take(OF_SERVER).count() < OF_SERVER {
        return None;
    }
    let is_drawn = |&(service, minutes): &(Service, u32)| {
        let clients = resp.clients().range(&Edge { service, peer: seen.orig }.family());
        minutes <= MINUTES && clients.take(CLIENTS + 1).count() <= CLIENTS
    };
    let drawn: Vec<Service> = resp.offers().range(&high).filter(is_drawn).map(|(service, _)| service).collect();
    if drawn.len() < OF_SERVER || !is_within(&drawn, seen.service.port) {
        return None;
    }
    let own = drawn.into_iter().filter(|&service| orig.edges.contains(Edge { service, peer: seen.resp }));
    let own: Vec<Service> = own.collect();
    let most = own.iter().copied().max_by(|a, b| moved(orig, *a).total_cmp(&moved(orig, *b)));
    most.filter(|_| own.len() >= OF_CLIENT)
}

/// Is a port one of those from which others, in their order, were drawn? Their range may end beyond the outermost by twice as much as they are apart.
fn is_within(drawn: &[Service], port: u16) -> bool {
    let [first, .., last] = drawn else { return false };
    let apart = (last.port - first.port) / (drawn.len() as u16 - 1);
    (first.port.saturating_sub(2 * apart)..=last.port.saturating_add(2 * apart)).contains(&port)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LATER_MS, flow, host, taught_by};
    use super::*;

    #[test]
    fn the_next_port_that_a_server_draws_for_its_client_is_known() {
        // Device 100 draws one of a hundred ports for each of devices 1 to 5 every hour; device 101 offers three; device 6 uses only one.
        let hours = (0..4).flat_map(|hour| (1..=5).map(move |n: u8| (hour, n)));
        let mut flows: Vec<_> = hours
            .flat_map(|(hour, n)| {
                let at = hour * 1_700_000 + i64::from(n) * 3001;
                let drawn = 2500 + ((hour as u16 * 37 + u16::from(n) * 61) % 100);
                [flow(at, n, 100, drawn, true).1, flow(at + 500, n, 101, 3000 + hour as u16 % 3, true).1]
            })
            .collect();
        flows.push(flow(7_000_000, 6, 100, 2550, true).1);
        // Device 102 offers ten services to devices 1 and 2 in every minute.
        let services = (0..120).flat_map(|minute| (0..10_u16).flat_map(move |n| [(minute, n, 1), (minute, n, 2)]));
        flows.extend(services.map(|(minute, n, from)| flow(minute * 60_000 + 77, from, 102, 1500 + n * 400, true).1));
        let knowledge = taught_by(flows, 1e-6);
        let known_as = |from: u8, to: u8, port: u16| {
            let (_, seen) = flow(LATER_MS, from, to, port, true);
            let baselines = knowledge.baselines(seen.seen);
            super::known_as(&seen, baselines.host(host(from)), baselines.host(host(to))).map(|service| service.port)
        };
        let known = known_as(1, 100, 2504).expect("one more");
        assert!((2500..2600).contains(&known) && known != 2504);
        assert_eq!(known_as(1, 100, known), None, "known by itself");
        assert_eq!([known_as(1, 100, 4444), known_as(1, 100, 445)], [None; 2], "beyond what it draws from");
        assert_eq!([known_as(1, 101, 3001 + 7), known_as(6, 100, 2504), known_as(77, 100, 2504)], [None; 3]);
        assert_eq!([known_as(1, 102, 2504), known_as(1, 102, 3389)], [None; 2], "services that are there for good");
    }

    #[test]
    fn the_voice_of_calls_is_known_wherever_the_telephones_set_them_up() {
        // Telephones 1 and 2 set up calls with exchange 100, which calls provider 200; 1 speaks to the exchange and the exchange to the provider. 3 sets up none.
        let udp = |at: i64, from: u8, to: u8, port: u16, app: App| {
            let (_, mut seen) = flow(at, from, to, port, true);
            (seen.app, seen.service.protocol, seen.resp_local) = (app, UDP, to != 200);
            seen
        };
        let minutes = (0..120).flat_map(|minute| {
            let at = minute * 60_000;
            let mut flows =
                vec![udp(at, 1, 100, 5060, App::Sip), udp(at, 2, 100, 5060, App::Sip), udp(at, 100, 200, 5060, App::Sip)];
            if minute % 20 == 0 {
                let port = 16_000 + 2 * (minute as u16);
                flows.extend([udp(at + 5, 1, 100, port, App::Rtp), udp(at + 5, 100, 200, port + 4000, App::Rtp)]);
            }
            flows.push(udp(at + 9, 3, 100, 123, App::Ntp));
            flows
        });
        let knowledge = taught_by(minutes.collect(), 1e-6);
        let voice = |from: u8, to: u8, app: App| {
            let seen = udp(LATER_MS, from, to, 17_777, app);
            let baselines = knowledge.baselines(seen.seen);
            let ends = (baselines.host(host(from)), baselines.host(host(to)));
            (super::is_of_call(&seen, ends.0, ends.1), super::known_as(&seen, ends.0, ends.1).is_some())
        };
        assert_eq!(voice(100, 200, App::Rtp), (true, true), "as it called before");
        assert_eq!(voice(1, 2, App::Rtp), (true, true), "both are telephones of one exchange");
        assert_eq!(voice(2, 100, App::Rtp), (true, false), "it never spoke: that it does is told");
        assert_eq!([voice(1, 3, App::Rtp), voice(1, 77, App::Rtp), voice(100, 200, App::Unknown)], [(false, false); 3]);
    }
}

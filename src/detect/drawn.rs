//! Ports that a server draws for each connection: those of a passive FTP server, or of a backup's data. The next one is what the ones before were.

use crate::feature::Observation;
use crate::flow::Service;
use crate::model::{Edge, Family as _, HostBaseline};

const TCP: u8 = 6;
/// Ports below are not drawn (RFC 6335, 6).
const FIRST: u16 = 1024;
/// Ports that a server must have drawn, and those among them for the client.
const OF_SERVER: usize = 8;
const OF_CLIENT: usize = 3;
/// A drawn port is another client's, or the same one's, only by chance.
const CLIENTS: usize = 2;

/// The service as which a flow between two devices at home is known, where its port is one more that the responder drew for the initiator: the one by which
/// most was sent.
pub(super) fn known_as(seen: &Observation, orig: Option<&HostBaseline>, resp: Option<&HostBaseline>) -> Option<Service> {
    if seen.service.protocol != TCP || seen.service.port < FIRST || !(seen.orig_local && seen.resp_local) {
        return None;
    }
    let (orig, resp) = orig.zip(resp)?;
    if orig.edges.contains(Edge { service: seen.service, peer: seen.resp }) {
        return None;
    }
    let tcp = |port| Service { protocol: TCP, port };
    let is_drawn = |service: &Service| {
        let clients = resp.clients().range(&Edge { service: *service, peer: seen.orig }.family());
        clients.take(CLIENTS + 1).count() <= CLIENTS
    };
    let drawn: Vec<Service> =
        resp.offers().range(&(tcp(FIRST)..=tcp(u16::MAX))).map(|(service, _)| service).filter(is_drawn).collect();
    if drawn.len() < OF_SERVER || !is_within(&drawn, seen.service.port) {
        return None;
    }
    let own = drawn.into_iter().filter(|&service| orig.edges.contains(Edge { service, peer: seen.resp }));
    let own: Vec<Service> = own.collect();
    let sent = |service: &Service| orig.asked(*service).and_then(|used| used.bytes_orig.quantile(1.0)).unwrap_or(0.0);
    let most = own.iter().copied().max_by(|a, b| sent(a).total_cmp(&sent(b)));
    most.filter(|_| own.len() >= OF_CLIENT)
}

/// Is a port one of those from which others, in their order, were drawn? Their range ends beyond the outermost by about as much as they are apart.
fn is_within(drawn: &[Service], port: u16) -> bool {
    let [first, .., last] = drawn else { return false };
    let apart = (last.port - first.port) / (drawn.len() as u16 - 1);
    (first.port.saturating_sub(2 * apart)..=last.port.saturating_add(2 * apart)).contains(&port)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LATER_MS, flow, host, taught_by};

    #[test]
    fn the_next_port_that_a_server_draws_for_its_client_is_known() {
        // Device 100 draws one of a hundred ports for each of devices 1 to 5 every hour; device 101 offers three; device 6 uses only one of each.
        let hours = (0..4).flat_map(|hour| (1..=5).map(move |n: u8| (hour, n)));
        let mut flows: Vec<_> = hours
            .flat_map(|(hour, n)| {
                let at = hour * 1_700_000 + i64::from(n) * 3001;
                let drawn = 2500 + ((hour as u16 * 37 + u16::from(n) * 61) % 100);
                [flow(at, n, 100, drawn, true).1, flow(at + 500, n, 101, 3000 + hour as u16 % 3, true).1]
            })
            .collect();
        flows.push(flow(7_000_000, 6, 100, 2550, true).1);
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
    }
}

//! Devices at home that one reaches one after the other by a service that it never used, or by which it is logged in: whoever came in goes on with what he found
//! (MITRE ATT&CK T1021).

use serde::{Deserialize, Serialize};

use super::classify::administers_by;
use super::pruning::Pruning;
use crate::app::App;
use crate::feature::{Host, Observation};
use crate::flow::Service;
use crate::model::{Edge, HostBaseline, Map};
use crate::time::{Span, Timestamp};

/// Pairs of a device and a service followed at the most; further ones wait until others are over. Some 200 bytes each.
const MAX_FOLLOWED: usize = 20_000;
/// So long after the one before, another begins anew.
const PERIOD: Span = Span::from_secs(3600);
/// One that comes sooner after another is of a scan, or of a program that asks all: a minute shows those.
const LEAST_PAUSE: Span = Span::from_secs(2);
/// Devices kept of one pair: bits are no more beyond.
const MOST: usize = 8;
/// So many say nothing: many a service has two servers.
const FEW: usize = 2;
/// Bits of each further one: odds of 8 to 1 that a service that a device takes up has no more.
const BITS_EACH: f64 = 3.0;
/// Bits at the most.
const MOST_BITS: f64 = 12.0;

/// What known devices at home reached lately that they never had. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Reaches {
    /// By device and service: when the latest conversation with another began, and with whom all were.
    reached: Map<(Host, Service), (Timestamp, Vec<Host>)>,
    #[serde(skip)]
    pruning: Pruning,
}

impl Reaches {
    /// Takes an observation of an initiator of which that is known.
    pub fn observe(&mut self, seen: &Observation, orig: Option<&HostBaseline>) {
        if !counts(seen) || !orig.is_some_and(|host| is_new(seen, host)) {
            return;
        }
        let key = (seen.orig, seen.service);
        let is_over = |latest: Timestamp| seen.start.since(latest) >= PERIOD;
        if self.reached.len() >= MAX_FOLLOWED && !self.reached.contains_key(&key) {
            if self.pruning.is_due(seen.seen) {
                self.reached.retain(|_, (latest, _)| !is_over(*latest));
            }
            if self.reached.len() >= MAX_FOLLOWED {
                return;
            }
        }
        let (latest, peers) = self.reached.entry(key).or_insert_with(|| (seen.start, Vec::new()));
        if is_over(*latest) {
            peers.clear();
        }
        let is_soon = !peers.is_empty() && seen.start.since(*latest) < LEAST_PAUSE;
        *latest = seen.start.max(*latest);
        if !is_soon && peers.len() < MOST && !peers.contains(&seen.resp) {
            peers.push(seen.resp);
        }
    }

    /// How many devices the initiator of an observation that was taken reached lately in the same way, its responder included; 0 where that says nothing.
    #[must_use]
    pub fn of(&self, seen: &Observation) -> u32 {
        let reached = if counts(seen) { self.reached.get(&(seen.orig, seen.service)) } else { None };
        let many = reached.filter(|(_, peers)| peers.len() > FEW && (peers.len() == MOST || peers.contains(&seen.resp)));
        many.map_or(0, |(_, peers)| peers.len() as u32)
    }
}

/// Bits that something new counts more as one of so many.
pub(super) fn reach_bits(reached: u32) -> f64 {
    (BITS_EACH * f64::from(reached.saturating_sub(FEW as u32))).min(MOST_BITS)
}

/// Is it a conversation at home in which both speak, by a service that stays the same?
fn counts(seen: &Observation) -> bool {
    let is_at_home = seen.orig_local && seen.resp_local && seen.resp.is_device() && !seen.is_to_group();
    is_at_home && seen.answered() && !seen.failed && !seen.under_way && !seen.service.is_icmp() && seen.app != App::Rtp
}

/// Did a known device never have this conversation, and never the service, unless it is one to log in by?
fn is_new(seen: &Observation, host: &HostBaseline) -> bool {
    let edge = Edge { service: seen.service, peer: seen.resp };
    let is_other = || administers_by(seen) || !host.services.contains(seen.service);
    !host.is_hardly_known() && !host.edges.contains(edge) && is_other()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LATER_MS, flow};
    use super::*;

    fn known_for(minutes: u32, edges: &[(u8, u16)]) -> HostBaseline {
        let mut host = HostBaseline::default();
        (host.local, host.minutes) = (true, minutes);
        for &(to, port) in edges {
            let (_, seen) = flow(0, 1, to, port, true);
            host.services.add(seen.service, 10);
            host.edges.add(Edge { service: seen.service, peer: seen.resp }, 10);
        }
        host
    }

    /// How many were reached, as each of these conversations of device 1 says, one every so many seconds.
    fn reached(host: &HostBaseline, every: i64, to: &[(u8, u16)], answered: bool) -> Vec<u32> {
        let mut reaches = Reaches::default();
        let of = |(n, &(to, port)): (usize, &(u8, u16))| {
            let (_, seen) = flow(LATER_MS + n as i64 * every * 1000, 1, to, port, answered);
            reaches.observe(&seen, Some(host));
            reaches.of(&seen)
        };
        to.iter().enumerate().map(of).collect()
    }

    #[test]
    fn who_reaches_one_after_the_other_counts_more_with_each() {
        let to: Vec<(u8, u16)> = (100..106).map(|to| (to, 7788)).collect();
        let other = known_for(600, &[(50, 443)]);
        assert_eq!(reached(&other, 300, &to, true), [0, 0, 3, 4, 5, 6]);
        assert_eq!(reached(&other, 4000, &to, true), [0; 6], "one in more than an hour");
        assert_eq!(reached(&other, 1, &to, true), [0; 6], "a scan");
        assert_eq!(reached(&other, 300, &to, false), [0; 6], "nobody answers");
        assert_eq!(
            reached(&other, 300, &[(100, 7788), (101, 7789), (102, 7790), (103, 7791)], true),
            [0; 4],
            "ports that are drawn"
        );
        assert_eq!(reached(&other, 300, &[(100, 7788); 6], true), [0; 6], "one device");
        assert_eq!(reached(&known_for(600, &[(50, 7788)]), 300, &to, true), [0; 6], "a service that it uses");
        let logins: Vec<(u8, u16)> = (100..106).map(|to| (to, 22)).collect();
        assert_eq!(reached(&known_for(600, &[(50, 22), (100, 22)]), 300, &logins, true), [0, 0, 0, 3, 4, 5], "but for log-ins");
        assert_eq!(reached(&known_for(1, &[(50, 443)]), 300, &to, true), [0; 6], "hardly anything is known of it");
        assert_eq!([0, 2, 3, 6, 8].map(reach_bits), [0.0, 0.0, 3.0, 12.0, 12.0]);
    }
}

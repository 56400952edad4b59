//! Devices at home that one reaches one after the other by a service that it never used, or by which it is logged in: whoever came in goes on with what he found
//! (MITRE ATT&CK T1021).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::classify::administers_by;
use super::pruning::Pruning;
use crate::app::App;
use crate::feature::{Host, Observation};
use crate::model::{Edge, HostBaseline, Map};
use crate::time::{Span, Timestamp};

/// Devices followed at the most; further ones wait until others are over. Some 800 bytes each.
const MAX_DEVICES: usize = 10_000;
/// Conversations kept of one, the latest.
const MAX_REACHED: usize = 16;
/// So long they count.
const PERIOD: Span = Span::from_secs(3600);
/// One that begins sooner after one with another device is of a scan, or of a program that asks all: a minute shows those.
const LEAST_PAUSE: Span = Span::from_nanos(500_000_000);
/// So many say nothing: many a service has two servers.
const FEW: u32 = 2;
/// Bits of each further one: odds of 8 to 1 that a service that a device takes up has no more.
const BITS_EACH: f64 = 3.0;
/// Bits at the most.
const MOST_BITS: f64 = 12.0;

/// A conversation that a device never had.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Reached {
    began: Timestamp,
    edge: Edge,
    /// Did it come too soon after another? It never counts, then, however often it comes again.
    is_soon: bool,
}

/// What known devices at home reached lately that they never had. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Reaches {
    reached: Map<Host, VecDeque<Reached>>,
    #[serde(skip)]
    pruning: Pruning,
}

impl Reaches {
    /// Takes an observation of a conversation that its initiator, of which that is known, was not expected to have.
    pub fn observe(&mut self, seen: &Observation, orig: Option<&HostBaseline>) {
        if !counts(seen) || !orig.is_some_and(|host| is_new(seen, host)) {
            return;
        }
        let is_over = |reached: &Reached| apart(seen.start, reached.began) >= PERIOD;
        if self.reached.len() >= MAX_DEVICES && !self.reached.contains_key(&seen.orig) {
            if self.pruning.is_due(seen.seen) {
                self.reached.retain(|_, all| !all.iter().all(is_over));
            }
            if self.reached.len() >= MAX_DEVICES {
                return;
            }
        }
        let (edge, is_soon) = (edge_of(seen), self.is_soon(seen));
        let all = self.reached.entry(seen.orig).or_default();
        all.retain(|reached| !is_over(reached));
        if all.iter().any(|reached| reached.edge == edge) {
            return;
        }
        if all.len() >= MAX_REACHED {
            all.pop_front();
        }
        all.push_back(Reached { began: seen.start, edge, is_soon });
    }

    /// How many devices the initiator reached within the hour in the way of an observation, its responder included; 0 where that says nothing.
    #[must_use]
    pub fn of(&self, seen: &Observation) -> u32 {
        let edge = edge_of(seen);
        let is_soon =
            || self.of_service(seen).find(|reached| reached.edge == edge).map_or_else(|| self.is_soon(seen), |it| it.is_soon);
        if !counts(seen) || !self.reached.contains_key(&seen.orig) || is_soon() {
            return 0;
        }
        let others = self.of_service(seen).filter(|reached| reached.edge != edge && !reached.is_soon);
        let devices = others.count() as u32 + 1;
        if devices > FEW { devices } else { 0 }
    }

    /// What the initiator reached by the same service within the hour.
    fn of_service(&self, seen: &Observation) -> impl Iterator<Item = &Reached> {
        let all = self.reached.get(&seen.orig).into_iter().flatten();
        all.filter(|reached| reached.edge.service == seen.service && apart(seen.start, reached.began) < PERIOD)
    }

    fn is_soon(&self, seen: &Observation) -> bool {
        self.of_service(seen).any(|it| it.edge.peer != seen.resp && apart(seen.start, it.began) < LEAST_PAUSE)
    }
}

/// Bits that something new counts more as one of so many.
pub(super) fn reach_bits(reached: u32) -> f64 {
    (BITS_EACH * f64::from(reached.saturating_sub(FEW))).min(MOST_BITS)
}

fn edge_of(seen: &Observation) -> Edge {
    Edge { service: seen.service, peer: seen.resp }
}

/// The time between two, whichever came first.
fn apart(a: Timestamp, b: Timestamp) -> Span {
    a.since(b).max(b.since(a))
}

/// Is it the beginning of a conversation at home in which both speak, by a service that stays the same?
fn counts(seen: &Observation) -> bool {
    let is_at_home = seen.orig_local && seen.resp_local && seen.resp.is_device() && !seen.is_to_group();
    let begins = !seen.continued && !seen.under_way;
    is_at_home && begins && seen.answered() && !seen.failed && !seen.service.is_icmp() && seen.app != App::Rtp
}

/// Did a known device never have this conversation, and never the service, unless it is one to log in by?
fn is_new(seen: &Observation, host: &HostBaseline) -> bool {
    let is_other = || administers_by(seen) || !host.services.contains(seen.service);
    !host.is_hardly_known() && !host.edges.contains(edge_of(seen)) && is_other()
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
            host.edges.add(edge_of(&seen), 10);
        }
        host
    }

    /// How many were reached, as each of these conversations of device 1 says that begin at these seconds.
    fn reached_at(host: &HostBaseline, to: impl IntoIterator<Item = (i64, u8, u16)>, answered: bool) -> Vec<u32> {
        let mut reaches = Reaches::default();
        let of = |(at, to, port): (i64, u8, u16)| {
            let (_, seen) = flow(LATER_MS + at * 1000, 1, to, port, answered);
            let reached = reaches.of(&seen);
            reaches.observe(&seen, Some(host));
            assert_eq!(reaches.of(&seen), reached, "the same when it is looked at again");
            reached
        };
        to.into_iter().map(of).collect()
    }

    /// The same of six devices, one every so many seconds.
    fn six(host: &HostBaseline, every: i64, port: u16, answered: bool) -> Vec<u32> {
        reached_at(host, (0..6).map(|n| (n * every, 100 + n as u8, port)), answered)
    }

    #[test]
    fn who_reaches_one_after_the_other_counts_more_with_each() {
        let other = known_for(600, &[(50, 443)]);
        assert_eq!(six(&other, 300, 7788, true), [0, 0, 3, 4, 5, 6]);
        assert_eq!(six(&other, 1500, 7788, true), [0, 0, 3, 3, 3, 3], "no more within the hour");
        assert_eq!(six(&other, 0, 7788, true), [0; 6], "a scan");
        assert_eq!(six(&other, 300, 7788, false), [0; 6], "nobody answers");
        assert_eq!(six(&known_for(600, &[(50, 7788)]), 300, 7788, true), [0; 6], "a service that it uses");
        assert_eq!(six(&known_for(600, &[(50, 22), (100, 22)]), 300, 22, true), [0, 0, 0, 3, 4, 5], "but for log-ins");
        assert_eq!(six(&known_for(1, &[(50, 443)]), 300, 7788, true), [0; 6], "hardly anything is known of it");
        let drawn = (0..6).map(|n| (n * 300, 100 + n as u8, 7788 + n as u16));
        assert_eq!(reached_at(&other, drawn, true), [0; 6], "ports that are drawn");
        assert_eq!([0, 2, 3, 6, 8].map(reach_bits), [0.0, 0.0, 3.0, 12.0, 12.0]);
    }

    #[test]
    fn what_comes_again_keeps_nothing_alive_and_hides_nothing() {
        let other = known_for(600, &[(50, 443)]);
        let again = (0..60).map(|n| (n * 120, 100, 7788)).chain([(7200, 101, 7788), (7300, 102, 7788)]);
        assert!(reached_at(&other, again, true)[..61].iter().all(|&reached| reached == 0), "one that is polled, and a second");
        let chatter = (0..6).flat_map(|n| [(n * 60, 100, 7788), (n * 60 + 1, 101 + n as u8, 7788)]);
        assert_eq!(reached_at(&other, chatter, true).into_iter().max(), Some(7), "who speaks to one all the time reaches others");
        let mut scan: Vec<_> = (0..6).map(|n| (0, 100 + n, 7788)).collect();
        scan.extend((0..6).map(|n| (600 + i64::from(n) * 60, 100 + n, 7788)));
        assert_eq!(reached_at(&other, scan, true), [0; 12], "what was asked at once is no reach when it is asked again");
        let turned_back = [(100, 100, 7788), (5, 101, 7788), (40, 102, 7788), (90_000, 103, 7788), (60, 104, 7788)];
        assert_eq!(
            reached_at(&other, turned_back, true),
            [0, 0, 3, 0, 0],
            "in whichever order they are known; a clock that jumps"
        );
    }

    #[test]
    fn a_full_table_keeps_whom_it_follows() {
        let (host, mut reaches) = (known_for(600, &[(50, 443)]), Reaches::default());
        let from = |n: usize| {
            let (_, mut seen) = flow(LATER_MS, 1, 100, 7788, true);
            seen.orig = Host(crate::wire::Addr::v4([10, 1, (n / 256) as u8, (n % 256) as u8]));
            seen
        };
        (0..MAX_DEVICES + 9).for_each(|n| reaches.observe(&from(n), Some(&host)));
        assert_eq!(reaches.reached.len(), MAX_DEVICES);
        let (_, mut later) = flow(LATER_MS + 3_700_000, 1, 100, 7788, true);
        later.seen = later.seen + PERIOD;
        reaches.observe(&later, Some(&host));
        assert_eq!(reaches.reached.len(), 1, "what is over makes room");
    }
}

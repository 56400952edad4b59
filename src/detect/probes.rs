//! Scans so slow that neither minute nor hour shows them: a device touches one service after the other at home that it never used, and says nothing to any of
//! them (MITRE ATT&CK T1046).

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::pruning::Pruning;
use super::scanner::scans_by_habit;
use crate::feature::{Host, Observation};
use crate::flow::Service;
use crate::model::{Edge, HostBaseline, Map};
use crate::time::{Span, Timestamp};

/// Devices followed at the most; further ones wait until others are over. Some 800 bytes each.
const MAX_DEVICES: usize = 10_000;
/// What a device touched last is kept: so much of it, for so long.
const MAX_TOUCHED: usize = 16;
const PERIOD: Span = Span::from_secs(4 * 3600);
/// One that comes sooner after the one before is of a scan that a minute shows, and no slow one.
const LEAST_PAUSE: Span = Span::from_secs(60);
/// So many touched within that make a scan, of so many devices and services: who looks for one service is no scanner, nor who looks for one device.
const TOUCHED: usize = 8;
const EACH: usize = 3;

const TCP: u8 = 6;
/// Indices of features: packets with payload, of either side.
const DATA_PACKETS: [usize; 2] = [5, 6];

/// Which services devices touched lately without a word. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Probes {
    touched: Map<Host, VecDeque<(Timestamp, Edge)>>,
    #[serde(skip)]
    pruning: Pruning,
}

impl Probes {
    /// Takes an observation of an initiator of which that is known.
    pub fn observe(&mut self, seen: &Observation, orig: Option<&HostBaseline>) {
        let edge = Edge { service: seen.service, peer: seen.resp };
        let is_usual = |host: &HostBaseline| host.edges.contains(edge) || scans_by_habit(host);
        if !says_nothing(seen) || orig.is_some_and(is_usual) {
            return;
        }
        let is_over =
            |touched: &VecDeque<(Timestamp, Edge)>| touched.back().is_none_or(|&(latest, _)| seen.seen.since(latest) >= PERIOD);
        if self.touched.len() >= MAX_DEVICES && !self.touched.contains_key(&seen.orig) {
            if self.pruning.is_due(seen.seen) {
                self.touched.retain(|_, touched| !is_over(touched));
            }
            if self.touched.len() >= MAX_DEVICES {
                return;
            }
        }
        let touched = self.touched.entry(seen.orig).or_default();
        if touched.back().is_some_and(|&(latest, other)| other != edge && seen.seen.since(latest) < LEAST_PAUSE) {
            return;
        }
        touched.retain(|&(_, other)| other != edge);
        if touched.len() >= MAX_TOUCHED {
            touched.pop_front();
        }
        touched.push_back((seen.seen, edge));
    }

    /// Is an observation that was taken one of many probes?
    #[must_use]
    pub fn has(&self, seen: &Observation) -> bool {
        let edge = Edge { service: seen.service, peer: seen.resp };
        let Some(touched) = self.touched.get(&seen.orig).filter(|touched| touched.len() >= TOUCHED && says_nothing(seen)) else {
            return false;
        };
        let lately = || touched.iter().filter(|&&(at, _)| seen.seen.since(at) < PERIOD).map(|(_, edge)| edge);
        let peers: BTreeSet<Host> = lately().map(|edge| edge.peer).collect();
        let services: BTreeSet<Service> = lately().map(|edge| edge.service).collect();
        lately().count() >= TOUCHED && peers.len().min(services.len()) >= EACH && lately().any(|&other| other == edge)
    }
}

/// Is it a connection at home without a word of either side, or none at all?
fn says_nothing(seen: &Observation) -> bool {
    let is_at_home = seen.orig_local && seen.resp_local && seen.service.protocol == TCP && !seen.under_way;
    is_at_home && (seen.failed || DATA_PACKETS.iter().all(|&packets| seen.vector[packets] == 0.0))
}

#[cfg(test)]
mod tests {
    use super::super::testing::flow;
    use super::*;

    /// Device `from` touches a port of device `to` in this minute; either side says so much.
    fn touch(minute: i64, from: u8, to: u8, port: u16, said: f32) -> Observation {
        let (_, mut seen) = flow(minute * 60_000, from, to, port, true);
        (seen.orig_local, seen.resp_local) = (true, true);
        DATA_PACKETS.iter().for_each(|&packets| seen.vector[packets] = said);
        seen
    }

    /// How many of these are one of many.
    fn many(touched: impl Iterator<Item = Observation>, orig: Option<&HostBaseline>) -> usize {
        let mut probes = Probes::default();
        touched.filter(|seen| (probes.observe(seen, orig), probes.has(seen)).1).count()
    }

    #[test]
    fn who_touches_one_service_after_the_other_scans_however_slowly() {
        let ports = [22, 80, 443, 3389];
        let of = |every: i64, ports: &'static [u16], peers: u8, said: f32| {
            (0..24_u8).map(move |n| touch(i64::from(n) * every, 1, 100 + n % peers, ports[usize::from(n) / 6], said))
        };
        assert_eq!(many(of(7, &[22, 80, 443, 3389], 6, 0.0), None), 24 - 12, "from the third service on");
        assert_eq!(many(of(40, &[22, 80, 443, 3389], 6, 0.0), None), 0, "six in four hours");
        assert_eq!(many(of(7, &[22, 80, 443, 3389], 6, 90.0), None), 0, "they speak");
        assert_eq!(many(of(0, &[22, 80, 443, 3389], 6, 0.0), None), 0, "all in a minute");
        assert_eq!(many(of(7, &[22; 4], 6, 0.0), None), 0, "one service");
        assert_eq!(many(of(7, &[22, 80, 443, 3389], 1, 0.0), None), 0, "one device");
        let mut known = HostBaseline::default();
        for (port, to) in ports.into_iter().flat_map(|port| (100..106).map(move |to| (port, to))) {
            let seen = touch(0, 1, to, port, 0.0);
            known.edges.add(Edge { service: seen.service, peer: seen.resp }, 10);
        }
        assert_eq!(many(of(7, &[22, 80, 443, 3389], 6, 0.0), Some(&known)), 0, "it used all of them before");
    }

    #[test]
    fn a_full_table_keeps_whom_it_follows() {
        let mut probes = Probes::default();
        let from = |n: usize| {
            let mut seen = touch(0, 1, 100, 22, 0.0);
            seen.orig = Host(crate::wire::Addr::v4([10, 1, (n / 256) as u8, (n % 256) as u8]));
            seen
        };
        (0..MAX_DEVICES + 50).for_each(|n| probes.observe(&from(n), None));
        assert!(probes.touched.len() == MAX_DEVICES && probes.touched.contains_key(&from(0).orig));
    }

    #[test]
    fn features_have_the_places_that_are_assumed() {
        assert_eq!(DATA_PACKETS.map(|index| crate::feature::SCHEMA[index].name), ["data_packets_orig", "data_packets_resp"]);
    }
}

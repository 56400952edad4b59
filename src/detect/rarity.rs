//! How seldom a flow is, known or not: what tells flows apart whose evidence is alike.

use std::hash::Hash;

use super::config::Without;
use super::newness::Newness;
use super::surprise::Surprise;
use crate::feature::Observation;
use crate::model::{Baselines, Counts, Edge, Family, HostBaseline, Kind, KnownTo, Roles, Shape, Value, bits};

/// How much rarity counts of what several devices of the role show.
const OF_SEVERAL: f64 = 0.5;

/// Bits of a flow's device, service, peer, behaviour and names by how seldom the device, and all together, showed each while learning.
/// They depend on each other: beside the strongest the others count half. What a device never showed is for the device itself no rarer than anything new
/// is: a person visits a new site every day. What several devices of its role show counts half: each of them may do it seldom.
///
/// Who comes from outside is judged by whom he visits.
///
/// It adds to the score of a flow and opens no incident: what was seen once in the learning time, an attacker's too, is no news,
/// and still what should be looked at before what is seen all day.
pub(super) fn rarity(seen: &Observation, surprise: &Surprise, baselines: &Baselines) -> f64 {
    // What keeps the link up says nothing of the device but that it is there.
    if seen.service.maintains_link() {
        return 0.0;
    }
    let service = seen.service;
    let shape = Shape { service, behaviour: surprise.behaviour };
    let has_shape = !seen.continued && !seen.under_way;
    // Who is answered is a visitor; who is not may bear a forged address.
    if seen.comes_in() && seen.answered() && !seen.failed {
        return of_stranger(seen, has_shape.then_some(shape), baselines);
    }
    let rarity = Rarity { host: baselines.host(seen.orig), baselines };
    let facts = seen.facts.iter().map(|&fact| rarity.of(Kind::Fact(fact.kind), |host| &host.facts, fact));
    let parts = [
        rarity.of(Kind::Service, |host| &host.services, service),
        rarity.of(Kind::Edge, |host| &host.edges, Edge { service, peer: seen.resp }),
        if has_shape { rarity.of(Kind::Shape, |host| &host.shapes, shape) } else { 0.0 },
        facts.fold(0.0, f64::max),
        rarity.of_device(),
    ];
    dependent(&parts)
}

/// Of who comes from outside, and whose names and programs nobody learned: how seldom the device at home offers that, how seldom somebody comes to it whom
/// it does not know, and how seldom anybody at home shows such a flow. Whom all the world visits is visited by strangers each minute.
fn of_stranger(seen: &Observation, shape: Option<Shape>, baselines: &Baselines) -> f64 {
    let rarity = Rarity { host: baselines.host(seen.resp), baselines };
    let client = Edge { service: seen.service, peer: seen.orig };
    // As much as that a device and all together never showed a thing.
    let of_client = 2.0 * rarity.own(Kind::Client, HostBaseline::clients, client).0;
    let of_shape = shape.map_or(0.0, |shape| baselines.commons.rarity(Kind::Shape, shape, None).0);
    dependent(&[rarity.of(Kind::Offer, HostBaseline::offers, seen.service), of_client, of_shape.min(of_client)])
}

/// The sum of bits that depend on each other: beside the strongest the others count half.
fn dependent(parts: &[f64]) -> f64 {
    f64::midpoint(parts.iter().copied().fold(0.0, f64::max), parts.iter().sum())
}

struct Rarity<'b> {
    host: Option<&'b HostBaseline>,
    baselines: &'b Baselines,
}

impl Rarity<'_> {
    /// Of the device itself; those outside are known but not compared.
    fn of_device(&self) -> f64 {
        let is_outside = self.host.is_some_and(|host| !host.local);
        if is_outside { 0.0 } else { self.baselines.commons.rarity_of_device(self.host.map_or(0, |host| host.minutes)) }
    }

    fn of<K: Value + Family + Hash>(&self, kind: Kind, counts: impl Fn(&HostBaseline) -> &Counts<K>, value: K) -> f64 {
        let (own, together) = self.own(kind, &counts, value);
        let roles = self.host.filter(|host| host.local).map_or(Roles::NONE, |host| Roles::of(host.role));
        let is_of_several = self.baselines.commons.known_to_several(kind, value, roles) == KnownTo::Role;
        (own + together) * if is_of_several { OF_SEVERAL } else { 1.0 }
    }

    /// How seldom the device, and all together, showed a value.
    fn own<K: Value + Family + Hash>(&self, kind: Kind, counts: impl Fn(&HostBaseline) -> &Counts<K>, value: K) -> (f64, f64) {
        let minutes = self.host.map(|host| counts(host).get(value));
        let (mut own, together) = self.baselines.commons.rarity(kind, value, minutes);
        if minutes.is_none_or(|minutes| minutes == 0) {
            let newness = Newness { host: self.host, baselines: self.baselines, without: Without::default() };
            let odds = newness.odds(kind, &counts, value);
            let new = odds.map(|odds| odds.unseen.map_or(odds.like, |unseen| unseen.p()));
            own = new.map_or(own, |new| own.min(bits(new)));
        }
        (own, together)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LATER_MS, flow, taught};
    use super::*;

    #[test]
    fn what_nobody_did_is_rarer_than_what_all_do() {
        let taught = taught();
        let of = |from: u8, to: u8, port: u16| {
            let (_, seen) = flow(LATER_MS, from, to, port, true);
            let surprise = Surprise { behaviour: taught.vocabulary.matches(&seen).behaviour, ..Surprise::default() };
            rarity(&seen, &surprise, taught.baselines(seen.seen))
        };
        let (usual, strange) = (of(1, 100, 80), of(1, 100, 4444));
        assert!(usual < 2.0 && strange > usual + 10.0, "{usual} {strange}");
        let new = of(77, 100, 80);
        assert!(new > usual && new < strange, "a device never seen is rare, what it does need not be: {new}");
    }

    #[test]
    fn what_several_of_its_kind_do_is_half_as_rare_and_what_is_new_to_who_meets_much_less() {
        use super::super::testing::taught_by;
        // Devices 1 to 9 ask device 100 all day; 2 to 5 ask device 101 once. Device 9 asks another server each minute.
        let mut flows = Vec::new();
        for minute in 0..120_i64 {
            let at = |n: u8| minute * 60_000 + i64::from(n) * 3001;
            flows.extend((1..=9).map(|n| flow(at(n), n, 100, 80, true).1));
            flows.extend((minute == 50).then(|| (2..=5).map(|n| flow(at(n) + 7, n, 101, 80, true).1)).into_iter().flatten());
            flows.extend((minute == 50).then(|| flow(at(1) + 9, 1, 102, 80, true).1));
            flows.push(flow(at(9) + 11, 9, 103 + minute as u8, 80, true).1);
        }
        let taught = taught_by(flows, 1e-6);
        let of = |from: u8, to: u8| {
            let (_, seen) = flow(LATER_MS, from, to, 80, true);
            let rarity = Rarity { host: taught.host(seen.orig), baselines: taught.baselines(seen.seen) };
            rarity.of(Kind::Edge, |host| &host.edges, Edge { service: seen.service, peer: seen.resp })
        };
        let (of_several, of_one) = (of(2, 101), of(1, 102));
        assert!(of_several < 0.6 * of_one, "{of_several} {of_one}");
        let (of_curious, of_steady) = (of(9, 240), of(1, 240));
        assert!(of_curious + 3.0 < of_steady, "{of_curious} {of_steady}");
    }

    #[test]
    fn a_stranger_is_rare_where_none_comes_and_not_where_one_comes_each_minute() {
        use super::super::testing::taught_by;
        let from_outside = |at, from: u8, to| Observation { orig_local: false, ..flow(at, from, to, 80, true).1 };
        let mut flows = Vec::new();
        for minute in 0..120_i64 {
            let at = |n: i64| minute * 60_000 + n * 3001;
            // Device 100 is visited by somebody else each minute, device 101 by one partner; both have their clients at home.
            flows.extend([from_outside(at(1), 103 + minute as u8, 100), from_outside(at(2), 102, 101)]);
            flows.extend([100, 101].map(|server| flow(at(i64::from(server)), 1, server, 80, true).1));
        }
        let taught = taught_by(flows, 1e-6);
        let of = |from: u8, to: u8| {
            let seen = from_outside(LATER_MS, from, to);
            let surprise = Surprise { behaviour: taught.vocabulary.matches(&seen).behaviour, ..Surprise::default() };
            rarity(&seen, &surprise, taught.baselines(seen.seen))
        };
        let (at_the_busy, at_the_other, partner) = (of(250, 100), of(250, 101), of(102, 101));
        assert!(at_the_other > at_the_busy + 5.0 && at_the_other > partner + 5.0, "{at_the_busy} {at_the_other} {partner}");
    }
}

//! How seldom a flow is, known or not: what tells flows apart whose evidence is alike.

use std::hash::Hash;

use super::surprise::Surprise;
use crate::feature::Observation;
use crate::model::{Baselines, Counts, Edge, HostBaseline, Kind, Shape, Value};

/// Bits of a flow's device, service, peer, behaviour and names by how seldom the device, and all together, showed each while learning.
/// They depend on each other: beside the strongest the others count half.
///
/// It adds to the score of a flow and opens no incident: what was seen once in the learning time, an attacker's too, is no news,
/// and still what should be looked at before what is seen all day.
pub(super) fn rarity(seen: &Observation, surprise: &Surprise, baselines: &Baselines) -> f64 {
    // What keeps the link up says nothing of the device but that it is there.
    if seen.service.maintains_link() {
        return 0.0;
    }
    let service = seen.service;
    let rarity = Rarity { host: baselines.host(seen.orig), baselines };
    let facts = seen.facts.iter().map(|&fact| rarity.of(Kind::Fact(fact.kind), |host| &host.facts, fact));
    let has_shape = !seen.continued && !seen.under_way;
    let shape = Shape { service, behaviour: surprise.behaviour };
    let parts = [
        rarity.of(Kind::Service, |host| &host.services, service),
        rarity.of(Kind::Edge, |host| &host.edges, Edge { service, peer: seen.resp }),
        if has_shape { rarity.of(Kind::Shape, |host| &host.shapes, shape) } else { 0.0 },
        facts.fold(0.0, f64::max),
        rarity.of_device(),
    ];
    f64::midpoint(parts.into_iter().fold(0.0, f64::max), parts.iter().sum())
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

    fn of<K: Value + Hash>(&self, kind: Kind, counts: impl Fn(&HostBaseline) -> &Counts<K>, value: K) -> f64 {
        self.baselines.commons.rarity(kind, value, self.host.map(|host| counts(host).get(value)))
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
}

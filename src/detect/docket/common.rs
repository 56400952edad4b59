//! What is new about several devices at once.

use super::super::config::Part;
use super::super::evidence::Contribution;
use super::super::surprise::Surprise;
use super::Docket;
use crate::app::App;
use crate::feature::{Host, Observation};
use crate::model::{Edge, Kind, Regard, value_key};

/// What many devices share with one that shows something new.
#[derive(Default)]
pub(super) struct Shared {
    /// What is to be told of them all.
    pub news: Option<(Contribution, Vec<Host>)>,
    /// Do so many show it?
    pub is_change: bool,
    /// Do as many ask the same peer at home for the same service since?
    pub is_meeting_place: bool,
}

impl Docket {
    /// Weakens what is new about a known device where many others have it too.
    pub(super) fn share_with_others(&mut self, seen: &Observation, surprise: &mut Surprise) -> Shared {
        let baselines = self.knowledge.baselines(seen.seen);
        let is_known = || baselines.host(seen.orig).is_some_and(|host| host.local);
        let new = surprise.new.as_mut().filter(|new| new.is_news() && !self.config.without.has(Part::Population));
        let Some(new) = new.filter(|_| is_known()) else { return Shared::default() };
        let regard = Regard { is_named: new.evidence.is_name(), is_unusual: true, ..Regard::default() };
        let ordinary_bits = self.knowledge.calibration.ordinary.of(seen, regard);
        let is_odd = new.bits >= ordinary_bits + self.knowledge.threshold;
        let at_home = baselines.commons.devices();
        let mut observe = |about, is_odd| self.filed.changes.observe(about, seen.orig, at_home, is_odd, seen.seen);
        let change = observe(new.about, is_odd);
        let edge = Edge { service: seen.service, peer: seen.resp };
        let met = value_key(Kind::Edge, edge);
        // Who was there before comes to no new place, whatever is new about it.
        let begins = || baselines.host(seen.orig).is_some_and(|host| !host.edges.contains(edge));
        let is_meeting_place =
            seen.resp_local && if met == new.about { change.is_some() } else { begins() && observe(met, false).is_some() };
        new.bits = change.as_ref().map_or(new.bits, |change| new.bits.min(change.bits));
        // That many ask for the same name is told of what lies behind it, not of the resolver.
        let is_of_resolving = seen.app == App::Dns && new.evidence.is_name();
        let is_change = change.is_some();
        Shared { news: change.and_then(|change| change.news).filter(|_| !is_of_resolving), is_change, is_meeting_place }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::class::Class;
    use super::super::super::config::DetectorConfig;
    use super::super::super::evidence::Evidence;
    use super::super::super::exhibit::Exhibit;
    use super::super::super::flow_ref::FlowRef;
    use super::super::super::notice::Notice;
    use super::super::super::testing::{LATER_MS, flow, host, taught};
    use super::*;
    use crate::feature::{Fact, FactKind};
    use crate::flow::Service;
    use crate::time::Timestamp;

    #[test]
    fn who_was_there_before_comes_to_no_new_place() {
        let knowledge = taught();
        let mut docket = Docket::new(Arc::clone(&knowledge), DetectorConfig::default());
        // All ten say something new where they always go, and then come to another place.
        let mut meets = |n: u8, to: u8, port: u16| {
            let (_, mut seen) = flow(LATER_MS + i64::from(n) * 100, n, to, port, true);
            let fact = Fact::new(FactKind::Name, &format!("{n}.example"));
            seen.facts = vec![fact];
            let about = value_key(Kind::Fact(fact.kind), fact);
            let new = Some(Contribution { about, ..Contribution::of(Evidence::NewFact(fact.kind), 1.0, 9.0) });
            let mut surprise = Surprise { new, ..Surprise::default() };
            docket.share_with_others(&seen, &mut surprise).is_meeting_place
        };
        let (_, usual) = flow(0, 1, 100, 80, true);
        let edge = Edge { service: usual.service, peer: usual.resp };
        assert!(knowledge.baselines(usual.seen).host(usual.orig).is_some_and(|host| host.edges.contains(edge)));
        assert!((1..=10).all(|n| !meets(n, 100, 80)));
        assert_eq!((1..=10).map(|n| meets(n, 100, 5000)).filter(|&meets| meets).count(), 6, "from the fifth on");
    }

    #[test]
    fn what_devices_do_beside_what_is_told_of_most_of_them_is_told_with_it() {
        let opened = |of_one: &[u8], of_all: &[u8]| {
            let mut docket = Docket::new(taught(), DetectorConfig::default());
            let start = Timestamp::from_parts(LATER_MS / 1000, 0);
            let exhibit = |class, from: u8, to: u8| {
                let part = Contribution { about: 7, ..Contribution::of(Evidence::NewFact(FactKind::Domain), 1.0, 30.0) };
                Exhibit::of_itself(class, part, FlowRef::of_link(host(from), host(to)), (start, start, start))
            };
            let mut notices = Vec::new();
            for &device in of_one {
                docket.put(host(device), host(200), Service::ARP, exhibit(Class::Beaconing, device, 200));
                docket.tick(start, &mut notices);
            }
            for &device in of_all {
                docket.put(host(201), host(device), Service::ARP, exhibit(Class::PopulationChange, device, 201));
            }
            docket.tick(start, &mut notices);
            let is_change = |notice: &&Notice| notice.incident.class == Class::PopulationChange;
            let named = docket.filed.incidents.get(&(host(1), Class::Beaconing)).map_or(0, |incident| incident.also.len());
            (notices.iter().filter(is_change).count(), named)
        };
        assert_eq!(opened(&[1, 2, 3], &[1, 2, 3, 4, 5]), (0, 4), "all are named by the one");
        assert_eq!(opened(&[1, 2], &[1, 2, 3, 4, 5]).0, 1, "most of them were not told of");
        assert_eq!(opened(&[], &[1, 2, 3, 4, 5]).0, 1);
    }
}

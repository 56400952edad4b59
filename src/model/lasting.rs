//! The conversations of one device whose silence may be missed.

use std::collections::BTreeMap;

use super::steady::{Deaf, Steady};
use super::window::Edge;

/// Conversations at the most.
const MOST: usize = 64;
/// Those among them of which nobody knows what they speak.
const MOST_UNKNOWN: usize = 8;

/// When each was heard, in the order of the conversations. Bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lasting(Box<[(Edge, Steady)]>);

impl Lasting {
    /// When a conversation was heard.
    pub(super) fn get(&self, edge: Edge) -> Option<&Steady> {
        self.0.binary_search_by_key(&edge, |&(edge, _)| edge).ok().map(|place| &self.0[place].1)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Edge, Steady)> {
        self.0.iter()
    }

    /// Bytes beside its own.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.0)
    }

    /// Adds that one was heard, `deaf` saying when nothing at all was.
    pub(super) fn hear(&mut self, edge: Edge, heard: Steady, deaf: &Deaf) {
        if let Ok(place) = self.0.binary_search_by_key(&edge, |&(edge, _)| edge) {
            return self.0[place].1.follow(&heard, deaf);
        }
        if !heard.is_critical() && !self.has_room_for_unknown(&heard) || self.0.len() >= MOST {
            return;
        }
        let mut all = std::mem::take(&mut self.0).into_vec();
        all.reserve_exact(1);
        let place = all.partition_point(|&(known, _)| known < edge);
        all.insert(place, (edge, heard));
        self.0 = all.into_boxed_slice();
    }

    /// Adds those of another time: first those that go on, so that none of them makes room as one that has stopped.
    pub(super) fn merge(&mut self, other: &Self, deaf: &Deaf) {
        let (known, new): (Vec<_>, Vec<_>) = other.0.iter().partition(|(edge, _)| self.get(*edge).is_some());
        known.into_iter().chain(new).for_each(|&(edge, steady)| self.hear(edge, steady, deaf));
    }

    /// It was listened to for as long as `deaf` tells.
    pub(super) fn within(&mut self, deaf: &Deaf) {
        self.0.iter_mut().for_each(|(_, steady)| steady.within(deaf));
    }

    /// Leaves out the others.
    pub(super) fn keep(&mut self, keeps: impl Fn(&Edge, &Steady) -> bool) {
        if self.0.iter().any(|(edge, steady)| !keeps(edge, steady)) {
            let mut all = std::mem::take(&mut self.0).into_vec();
            all.retain(|(edge, steady)| keeps(edge, steady));
            self.0 = all.into_boxed_slice();
        }
    }

    /// Says of each of a kind that nobody knows whether others of it pause, or it is not known for long.
    pub(super) fn stand_alone(&mut self, is_alone: impl Fn(&Edge) -> bool) {
        self.0.iter_mut().for_each(|(edge, steady)| steady.stand_alone(is_alone(edge)));
    }

    /// Is there room for one more of an unknown kind, once those are left out that stopped before it?
    fn has_room_for_unknown(&mut self, heard: &Steady) -> bool {
        let unknown = |all: &Self| all.iter().filter(|(_, steady)| !steady.is_critical()).count();
        if unknown(self) >= MOST_UNKNOWN {
            self.keep(|_, steady| steady.is_critical() || !steady.stopped_before(heard));
        }
        unknown(self) < MOST_UNKNOWN
    }
}

impl From<BTreeMap<Edge, Steady>> for Lasting {
    fn from(all: BTreeMap<Edge, Steady>) -> Self {
        Self(all.into_iter().collect())
    }
}

impl From<Lasting> for BTreeMap<Edge, Steady> {
    fn from(all: Lasting) -> Self {
        all.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::Host;
    use crate::flow::Service;

    fn edge(port: u16) -> Edge {
        let peer: Host = "10.0.0.9".parse().unwrap();
        Edge { service: Service { protocol: 6, port }, peer }
    }

    #[test]
    fn what_nobody_knows_takes_no_room_from_what_is_known_and_what_stopped_gives_way() {
        let (mut all, deaf) = (Lasting::default(), Deaf::default());
        let ports = |all: &Lasting| all.iter().map(|(edge, _)| edge.service.port).collect::<Vec<_>>();
        (0..20).for_each(|port| all.hear(edge(port), Steady::new(0, 0, false), &deaf));
        all.hear(edge(104), Steady::new(0, 0, true), &deaf);
        assert_eq!(ports(&all), [0, 1, 2, 3, 4, 5, 6, 7, 104]);
        (0..3).for_each(|port| all.hear(edge(port), Steady::new(25, 25, false), &deaf));
        all.hear(edge(50), Steady::new(40, 40, false), &deaf);
        assert_eq!(ports(&all), [0, 1, 2, 50, 104]);
        assert_eq!(Lasting::from(BTreeMap::from(all.clone())), all);
    }

    #[test]
    fn what_goes_on_makes_no_room_for_what_is_new() {
        let deaf = Deaf::default();
        let of = |ports: std::ops::Range<u16>, minute: i64| {
            let mut all = Lasting::default();
            ports.for_each(|port| all.hear(edge(port), Steady::new(minute, minute, false), &deaf));
            all
        };
        let (mut all, mut later) = (of(1..9, 0), of(1..9, 10));
        // One stops; another is new, first in order, and began hours after what was heard before.
        later.keep(|edge, _| edge.service.port > 1);
        (2..9).for_each(|port| later.hear(edge(port), Steady::new(300, 300, false), &deaf));
        later.hear(edge(0), Steady::new(300, 300, false), &deaf);
        all.merge(&later, &deaf);
        let heard = |port: u16| all.get(edge(port)).map(Steady::minutes);
        assert_eq!([heard(0), heard(1), heard(2), heard(8)], [Some(1), None, Some(3), Some(3)]);
    }
}

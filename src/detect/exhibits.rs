//! The conversations of one case.

use serde::{Deserialize, Serialize};

use super::class::Class;
use super::exhibit::Exhibit;
use crate::feature::Host;
use crate::flow::Service;

/// With whom, and what.
pub(super) type With = (Host, Service);

/// Conversations and what each shows, in the order of their keys. There are a few hundred at the most: a list in which half of what is
/// left is passed over at each step is asked sooner than a tree, is gone through without a step to another place for each, and takes less
/// memory where there is one. What is shown is boxed, so that little is moved when one comes between others.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Exhibits {
    all: Vec<(With, Box<Exhibit>)>,
}

impl Exhibits {
    pub(super) const fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The one at this place of the order.
    pub(super) fn at(&self, place: usize) -> &Exhibit {
        &self.all[place].1
    }

    /// The place of a conversation, or the one where it belongs.
    fn place(&self, with: With) -> Result<usize, usize> {
        let wanted = rank(with);
        let place = self.all.partition_point(|&(known, _)| rank(known) < wanted);
        if self.all.get(place).is_some_and(|&(known, _)| known == with) { Ok(place) } else { Err(place) }
    }

    pub(super) fn get(&self, with: With) -> Option<&Exhibit> {
        self.place(with).ok().map(|place| &*self.all[place].1)
    }

    pub(super) fn get_mut(&mut self, with: With) -> Option<&mut Exhibit> {
        self.place(with).ok().map(|place| &mut *self.all[place].1)
    }

    pub(super) fn insert(&mut self, with: With, exhibit: Exhibit) {
        match self.place(with) {
            Ok(place) => *self.all[place].1 = exhibit,
            Err(place) => self.all.insert(place, (with, Box::new(exhibit))),
        }
    }

    /// Puts a conversation that is not among them in place of another: only those between both are moved.
    pub(super) fn replace(&mut self, old: With, with: With, exhibit: Exhibit) {
        let (Ok(from), Err(to)) = (self.place(old), self.place(with)) else {
            self.insert(with, exhibit);
            return;
        };
        let place = if from < to {
            self.all[from..to].rotate_left(1);
            to - 1
        } else {
            self.all[to..=from].rotate_right(1);
            to
        };
        let (known, shown) = &mut self.all[place];
        (*known, **shown) = (with, exhibit);
    }

    /// Lets go of those that are not to be kept; was it any?
    pub(super) fn retain(&mut self, keep: impl Fn(&Exhibit) -> bool) -> bool {
        let before = self.all.len();
        self.all.retain(|(_, exhibit)| keep(exhibit));
        self.all.len() < before
    }

    /// In the order of their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (With, &Exhibit)> {
        self.all.iter().map(|(with, exhibit)| (*with, &**exhibit))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Exhibit> {
        self.all.iter().map(|(_, exhibit)| &**exhibit)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Exhibit> {
        self.all.iter_mut().map(|(_, exhibit)| &mut **exhibit)
    }

    /// What each speaks of among the others, in their order: the first flows of a scan or a sweep look merely unusual and belong to it, to a
    /// scan by their peer and to a sweep by their service.
    pub(super) fn classes(&self) -> Vec<Class> {
        // Both in order.
        let (mut scanned, mut swept) = (Vec::new(), Vec::new());
        let mut are_vague = false;
        let note = |&((peer, service), ref exhibit): &(With, Box<Exhibit>)| {
            match exhibit.class {
                Class::Scan if scanned.last() != Some(&peer) => scanned.push(peer),
                Class::Sweep if swept.last() != Some(&service) => swept.push(service),
                Class::Unusual | Class::NewDevice => are_vague = true,
                _ => {}
            }
            exhibit.class
        };
        let mut classes: Vec<Class> = self.all.iter().map(note).collect();
        if are_vague && !(scanned.is_empty() && swept.is_empty()) {
            swept.sort_unstable();
            for (class, ((peer, service), _)) in classes.iter_mut().zip(&self.all) {
                match *class {
                    Class::Unusual | Class::NewDevice if scanned.binary_search(peer).is_ok() => *class = Class::Scan,
                    Class::Unusual | Class::NewDevice if swept.binary_search(service).is_ok() => *class = Class::Sweep,
                    _ => {}
                }
            }
        }
        classes
    }
}

/// A key as numbers of the same order, which are compared in fewer steps.
const fn rank((peer, service): With) -> (u128, u32) {
    (peer.0.bits(), (service.protocol as u32) << 16 | service.port as u32)
}

#[cfg(test)]
mod tests {
    use super::super::class::Class;
    use super::super::evidence::{Contribution, Evidence};
    use super::super::flow_ref::FlowRef;
    use super::super::testing::host;
    use super::*;
    use crate::time::Timestamp;

    fn exhibit(bits: f64) -> Exhibit {
        let (part, flow) = (Contribution::of(Evidence::NewPeer, 1.0, bits), FlowRef::of_link(host(1), host(2)));
        Exhibit::of_itself(Class::Unusual, part, flow, (Timestamp::MIN, Timestamp::MIN, Timestamp::MIN))
    }

    #[test]
    fn they_are_in_the_order_of_their_keys_and_found_again() {
        let withs: Vec<With> = [9, 2, 7]
            .into_iter()
            .flat_map(|n| [(17, 53), (6, 443), (6, 80)].map(|(protocol, port)| (host(n), Service { protocol, port })))
            .collect();
        let mut exhibits = Exhibits::default();
        withs.iter().enumerate().for_each(|(n, &with)| exhibits.insert(with, exhibit(n as f64)));
        exhibits.insert(withs[4], exhibit(40.0));
        let mut sorted = withs.clone();
        sorted.sort_unstable();
        assert_eq!(exhibits.iter().map(|(with, _)| with).collect::<Vec<_>>(), sorted);
        assert_eq!(exhibits.get(withs[3]).map(Exhibit::bits), Some(3.0));
        assert_eq!(exhibits.get(withs[4]).map(Exhibit::bits), Some(40.0), "what is new is in place of the old");
        for (old, new) in [(3, 200), (4, 1), (0, 100), (1, 8)] {
            let new = (host(new), withs[3].1);
            exhibits.replace(withs[old], new, exhibit(2.0));
            assert!(exhibits.get(withs[old]).is_none() && exhibits.get_mut(new).is_some() && exhibits.len() == 9);
            assert!(exhibits.iter().is_sorted_by_key(|(with, _)| with));
        }
        assert!(exhibits.retain(|exhibit| exhibit.bits() > 2.0) && exhibits.len() == 4);
        assert!(!exhibits.retain(|exhibit| exhibit.bits() > 2.0));
    }

    #[test]
    fn they_are_written_as_a_map_is() {
        let mut map = std::collections::BTreeMap::new();
        let mut exhibits = Exhibits::default();
        for n in [3, 1, 2] {
            let with = (host(n), Service { protocol: 6, port: u16::from(n) });
            map.insert(with, Box::new(exhibit(f64::from(n))));
            exhibits.insert(with, exhibit(f64::from(n)));
        }
        let written = postcard::to_stdvec(&exhibits).unwrap();
        assert_eq!(written, postcard::to_stdvec(&map).unwrap());
        assert_eq!(postcard::from_bytes::<Exhibits>(&written).unwrap().len(), 3);
    }
}

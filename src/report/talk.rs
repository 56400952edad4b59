//! Who talks to whom, bounded.

use std::collections::{BTreeMap, BTreeSet};

use super::text::Shown;
use crate::feature::Host;

/// Pairs told apart, some 300 bytes each with their services.
const MOST_PAIRS: usize = 100_000;
/// Services named of a pair.
const MOST_SERVICES: usize = 4;

/// What two devices said to each other, whoever began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Talk {
    /// Flow records.
    pub flows: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// What was asked for: the first ones.
    pub services: BTreeSet<Shown>,
}

/// Pairs of devices.
#[derive(Clone, Debug, Default)]
pub struct Talks {
    pairs: BTreeMap<(Host, Host), Talk>,
    /// Flow records of pairs beyond those that are told apart.
    pub others: u64,
}

fn pair(a: Host, b: Host) -> (Host, Host) {
    if a <= b { (a, b) } else { (b, a) }
}

impl Talks {
    /// Takes a flow.
    pub fn add(&mut self, orig: Host, resp: Host, service: impl FnOnce() -> Shown, bytes: u64) {
        let pair = pair(orig, resp);
        if self.pairs.len() >= MOST_PAIRS && !self.pairs.contains_key(&pair) {
            self.others += 1;
            return;
        }
        let talk = self.pairs.entry(pair).or_default();
        talk.flows += 1;
        talk.bytes = talk.bytes.saturating_add(bytes);
        if talk.services.len() < MOST_SERVICES {
            talk.services.insert(service());
        }
    }

    /// What these two said to each other.
    #[must_use]
    pub fn between(&self, a: Host, b: Host) -> Option<&Talk> {
        self.pairs.get(&pair(a, b))
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Did nobody talk?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// With whom each of these devices talked, by bytes; in one pass over all pairs.
    #[must_use]
    pub fn peers_of(&self, hosts: &[Host]) -> BTreeMap<Host, Vec<(Host, &Talk)>> {
        let mut peers = BTreeMap::<Host, Vec<(Host, &Talk)>>::new();
        for (&(a, b), talk) in &self.pairs {
            for (host, other) in [(a, b), (b, a)] {
                if hosts.contains(&host) {
                    peers.entry(host).or_default().push((other, talk));
                }
            }
        }
        for all in peers.values_mut() {
            all.sort_by(|a, b| b.1.bytes.cmp(&a.1.bytes).then(a.0.cmp(&b.0)));
        }
        peers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_are_one_pair_and_too_many_are_counted() {
        let host = |n: u32| -> Host { std::net::Ipv4Addr::from(n).to_string().parse().unwrap() };
        let mut talks = Talks::default();
        talks.add(host(1), host(2), || Shown::new("dns"), 100);
        talks.add(host(2), host(1), || Shown::new("ssh"), 50);
        let talk = talks.between(host(2), host(1)).unwrap();
        assert_eq!((talk.flows, talk.bytes, talk.services.len()), (2, 150, 2));
        (10..MOST_PAIRS as u32 + 20).for_each(|n| talks.add(host(0), host(n), Shown::default, 1));
        assert_eq!((talks.len(), talks.others), (MOST_PAIRS, 11));
        assert_eq!(talks.peers_of(&[host(1)])[&host(1)].len(), 1);
    }
}

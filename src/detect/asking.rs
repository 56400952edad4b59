//! Who asks by address resolution for many addresses that nobody has: a sweep of its own link (MITRE ATT&CK T1018), before any packet of IP.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::anywhere::beyond;
use super::evidence::{Contribution, Evidence};
use super::pruning::Pruning;
use crate::sighting::Arp;
use crate::time::{Span, Timestamp};
use crate::wire::{Addr, Mac};

/// Addresses without an answer that ordinary devices ask for within a minute at the most, as [`anywhere`](super::anywhere) has it of targets.
const ADDRESSES: usize = 60;
/// Addresses of one asker that are told at the most.
const MAX_ADDRESSES: usize = 256;
/// Askers followed at the most; a further one waits until another has asked for a minute. Some 100 bytes each, and 16 an address.
const MAX_ASKERS: usize = 100_000;
const MINUTE: Span = Span::from_secs(60);

#[derive(Debug, Serialize, Deserialize)]
struct Asker {
    since: Timestamp,
    unanswered: BTreeSet<Addr>,
    /// Were those of this minute told?
    is_told: bool,
}

/// A sweep by address resolution.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// The address that the asker says it has.
    pub asker: Addr,
    /// The addresses that were not told yet.
    pub asked: Vec<Addr>,
    /// When it began.
    pub since: Timestamp,
    /// Surprise.
    pub part: Contribution,
}

/// Follows who asks for which addresses. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Asking {
    askers: BTreeMap<Mac, Asker>,
    pruning: Pruning,
}

impl Asking {
    /// Takes an ARP packet; `is_claimed` says whether somebody has an address. Returns what there is to tell of its sender.
    pub fn observe(&mut self, arp: &Arp, at: Timestamp, is_claimed: impl Fn(Addr) -> bool) -> Option<Search> {
        const REQUEST: u16 = 1;
        if arp.operation != REQUEST {
            if let Some(asker) = self.askers.get_mut(&arp.target_mac) {
                asker.unanswered.remove(&arp.sender);
            }
            return None;
        }
        if arp.is_gratuitous() || arp.sender.ip().is_unspecified() || is_claimed(arp.target) {
            return None;
        }
        if self.askers.len() >= MAX_ASKERS && !self.askers.contains_key(&arp.sender_mac) {
            if self.pruning.is_due(at) {
                self.askers.retain(|_, asker| at.since(asker.since) < MINUTE);
            }
            if self.askers.len() >= MAX_ASKERS {
                return None;
            }
        }
        let new = || Asker { since: at, unanswered: BTreeSet::new(), is_told: false };
        let asker = self.askers.entry(arp.sender_mac).or_insert_with(new);
        if at.since(asker.since) >= MINUTE {
            *asker = new();
        }
        if asker.unanswered.len() >= MAX_ADDRESSES || !asker.unanswered.insert(arp.target) {
            return None;
        }
        let part = beyond(Evidence::AddressesAsked, asker.unanswered.len() as f64, ADDRESSES as f64)?;
        let was_told = std::mem::replace(&mut asker.is_told, true);
        let asked = if was_told { vec![arp.target] } else { asker.unanswered.iter().copied().collect() };
        Some(Search { asker: arp.sender, asked, since: asker.since, part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKER: Mac = Mac([2, 0, 0, 0, 0, 9]);

    fn addr(n: u32) -> Addr {
        let [_, _, high, low] = n.to_be_bytes();
        Addr::v4([10, 0, high, low])
    }

    fn arp(operation: u16, sender: u32, target: u32) -> Arp {
        let (sender_mac, target_mac) = if operation == 1 { (ASKER, Mac::NONE) } else { (Mac([2, 0, 0, 0, 1, 1]), ASKER) };
        Arp { operation, sender_mac, sender: addr(sender), target_mac, target: addr(target) }
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_parts(milliseconds / 1000, milliseconds % 1000 * 1_000_000)
    }

    /// Asks for so many addresses, one after the other, that far apart, and has those answered that are.
    fn searches(addresses: u32, apart_ms: i64, is_answered: impl Fn(u32) -> bool) -> Vec<Search> {
        let mut asking = Asking::default();
        let mut found = Vec::new();
        for n in 0..addresses {
            let time = at(i64::from(n) * apart_ms);
            found.extend(asking.observe(&arp(1, 9, 100 + n), time, |_| false));
            if is_answered(n) {
                assert!(asking.observe(&arp(2, 100 + n, 9), time, |_| false).is_none());
            }
        }
        found
    }

    #[test]
    fn sixty_that_nobody_has_within_a_minute_are_a_sweep() {
        let found = searches(255, 5, |_| false);
        assert_eq!((found[0].asked.len(), found[0].asker, found[0].since), (60, addr(9), at(0)));
        assert_eq!(found.iter().map(|search| search.asked.len()).sum::<usize>(), 255, "each is told once");
        assert!(found.last().unwrap().part.bits > found[0].part.bits);
        assert!(searches(59, 5, |_| false).is_empty(), "too few");
        assert!(searches(255, 1100, |_| false).is_empty(), "too slow");
        assert!(searches(255, 5, |n| n % 5 != 0).is_empty(), "most answer");
        assert!(!searches(255, 5, |n| n % 2 == 0).is_empty(), "half answer");
    }

    #[test]
    fn who_asks_for_one_again_and_again_or_for_what_is_there_sweeps_nothing() {
        let mut asking = Asking::default();
        assert!((0..1000).all(|n| asking.observe(&arp(1, 9, 100 + n % 50), at(i64::from(n)), |_| false).is_none()));
        assert!((0..1000).all(|n| asking.observe(&arp(1, 9, 100 + n), at(i64::from(n)), |_| true).is_none()));
        assert!((0..1000).all(|n| asking.observe(&arp(1, n, n), at(i64::from(n)), |_| false).is_none()), "told of themselves");
    }

    #[test]
    fn a_flood_of_made_up_interfaces_fills_no_memory() {
        let mut asking = Asking::default();
        for n in 0..150_000_u32 {
            let [_, a, b, c] = n.to_be_bytes();
            let arp = Arp { sender_mac: Mac([2, 0, 9, a, b, c]), ..arp(1, 9, n) };
            assert!(asking.observe(&arp, at(i64::from(n) / 10), |_| false).is_none());
        }
        assert_eq!(asking.askers.len(), MAX_ASKERS);
        asking.observe(&Arp { sender_mac: Mac([2, 0, 10, 0, 0, 0]), ..arp(1, 9, 1) }, at(100_000), |_| false);
        assert_eq!(asking.askers.len(), 1, "a minute later there is room");
        (0..1000).for_each(|n| drop(asking.observe(&arp(1, 9, n), at(100_000), |_| false)));
        assert_eq!(asking.askers[&ASKER].unanswered.len(), MAX_ADDRESSES);
    }
}

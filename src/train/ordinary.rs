//! What the conversations of ordinary time do not exceed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::teach::WINDOW;
use super::together::{ROUNDS, Statistic};
use crate::feature::Observation;
use crate::model::{Conversation, EXTRAORDINARY, OrdinaryBits};
use crate::time::Timestamp;

/// Conversations of one window at the most; where there are more it ends early.
const MOST_CONVERSATIONS: usize = 1_000_000;
/// Bits kept at the most, the highest of all: one in a hundred of 400 million; twice as many at times.
const MOST_KEPT: usize = 4_000_000;

/// The share of conversations at home whose bits count, where these are looked at apart.
const EXTRAORDINARY_AT_HOME: f64 = EXTRAORDINARY / 2.0;
/// Conversations at home below which they are not looked at apart.
const ENOUGH: u64 = 1000;

/// Gathers the strongest flow of each conversation in each window of held-out time: repeats within a window are one event. Of
/// their bits only so many are kept, the highest, as tell what all but one in a hundred do not exceed.
pub struct Ordinary {
    /// Bits, and whether the strongest flow stays at home.
    window: BTreeMap<Conversation, (f64, bool)>,
    end: Timestamp,
    away: Group,
    at_home: Group,
    most: usize,
}

impl Ordinary {
    /// Of so many observations at the most.
    pub fn of_at_most(observations: u64) -> Self {
        let most = extraordinary(observations).saturating_add(1).min(MOST_KEPT);
        Self { window: BTreeMap::new(), end: Timestamp::MIN, away: Group::default(), at_home: Group::default(), most }
    }

    /// Takes the bits of an observation's own.
    pub fn add(&mut self, seen: &Observation, bits: f64) {
        if seen.seen >= self.end || self.window.len() >= MOST_CONVERSATIONS {
            self.close();
            self.end = seen.seen + WINDOW;
        }
        let new = (bits, seen.stays_home());
        let strongest = self.window.entry((seen.orig, seen.resp, seen.service)).or_insert(new);
        if bits > strongest.0 {
            *strongest = new;
        }
    }

    fn close(&mut self) {
        for (bits, is_at_home) in std::mem::take(&mut self.window).into_values() {
            let group = if is_at_home { &mut self.at_home } else { &mut self.away };
            group.conversations += 1;
            group.kept.push(bits);
            if group.kept.len() >= 2 * self.most {
                group.kept.select_nth_unstable_by(self.most, |a, b| b.total_cmp(a));
                group.kept.truncate(self.most);
            }
        }
    }

    /// What was gathered.
    pub fn finish(mut self) -> Bits {
        self.close();
        let mut bits = Bits { away: self.away, at_home: self.at_home, most: self.most };
        bits.sort();
        bits
    }
}

/// Bits of conversations in windows, the highest of them.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Group {
    conversations: u64,
    kept: Vec<f64>,
}

impl Group {
    fn sort(&mut self, most: usize) {
        self.kept.sort_unstable_by(|a, b| b.total_cmp(a));
        self.kept.truncate(most);
    }

    fn join(&mut self, other: Self) {
        self.conversations += other.conversations;
        self.kept.extend(other.kept);
    }

    /// The bits that all but this share of them do not exceed.
    fn exceeded_by(&self, share: f64) -> f64 {
        // That of one conversation alone is its own.
        let place = share_of(self.conversations, share).min(self.conversations.saturating_sub(1) as usize);
        self.kept.get(place.min(self.kept.len().saturating_sub(1))).copied().unwrap_or(0.0)
    }
}

/// Those that stay at home and all others.
#[derive(Serialize, Deserialize)]
pub struct Bits {
    away: Group,
    at_home: Group,
    most: usize,
}

impl Bits {
    fn sort(&mut self) {
        self.away.sort(self.most);
        self.at_home.sort(self.most);
    }

    /// How many conversations in windows there were, and the bits that all but one in a hundred do not exceed, and those at home all but one in
    /// two hundred where that is less and there are enough of them.
    pub fn ordinary(&self) -> (f64, OrdinaryBits) {
        let mut all = self.away.clone();
        all.join(self.at_home.clone());
        all.sort(self.most);
        let bits = all.exceeded_by(EXTRAORDINARY);
        let is_enough = self.at_home.conversations >= ENOUGH;
        let at_home = if is_enough { self.at_home.exceeded_by(EXTRAORDINARY_AT_HOME).min(bits) } else { bits };
        (all.conversations as f64, OrdinaryBits { any: bits, at_home: Some(at_home) })
    }
}

impl Statistic for Bits {
    const ROUND: &'static str = ROUNDS[3];

    fn join(&mut self, other: Self) {
        self.away.join(other.away);
        self.at_home.join(other.at_home);
        self.sort();
    }
}

/// One in a hundred of so many, rounded up.
fn extraordinary(conversations: u64) -> usize {
    share_of(conversations, EXTRAORDINARY)
}

/// This share of so many, rounded up.
fn share_of(conversations: u64, share: f64) -> usize {
    (conversations as f64 * share).ceil() as usize
}

#[cfg(test)]
mod tests {
    use proptest::strategy::{Strategy as _, ValueTree as _};

    use super::*;
    use crate::feature::packing::tests::observation;
    use crate::time::Span;

    /// As it is defined: all are kept and put in order.
    fn by_sorting(mut all: Vec<f64>) -> (f64, f64) {
        all.sort_unstable_by(f64::total_cmp);
        let ordinary = all.len() - (all.len() as f64 * EXTRAORDINARY).ceil() as usize;
        (all.len() as f64, all.get(ordinary.saturating_sub(1)).copied().unwrap_or(0.0))
    }

    #[test]
    fn the_highest_are_enough() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut seen = observation().new_tree(&mut runner).unwrap().current();
        for count in [0_u64, 1, 2, 99, 100, 101, 1000, 12_345] {
            seen.seen = Timestamp::from_parts(0, 0);
            let (mut ordinary, mut all) = (Ordinary::of_at_most(2 * count), Vec::new());
            for n in 0..count {
                let bits = (n * 7919 % 1009) as f64 / 10.0;
                all.push(bits);
                // Its repeat in the same window is no event of its own; the window is over after five minutes.
                ordinary.add(&seen, bits);
                ordinary.add(&seen, bits / 2.0);
                seen.seen = seen.seen + WINDOW + Span::from_secs(1);
            }
            let (conversations, bits) = by_sorting(all);
            assert_eq!(ordinary.finish().ordinary(), (conversations, OrdinaryBits::of_all(bits)), "{count}");
        }
    }

    #[test]
    fn who_stays_home_is_looked_at_apart_where_there_are_enough() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut seen = observation().new_tree(&mut runner).unwrap().current();
        seen.app = crate::app::App::Http;
        let mut bits = |away: i64, at_home: i64| {
            let mut ordinary = Ordinary::of_at_most((away + at_home) as u64);
            for n in 0..away + at_home {
                (seen.orig_local, seen.resp_local) = (true, n >= away);
                seen.seen = Timestamp::from_parts(n * 600, 0);
                ordinary.add(&seen, if n >= away { 3.0 } else { 20.0 });
            }
            ordinary.finish().ordinary().1
        };
        assert_eq!(bits(2000, 2000), OrdinaryBits { any: 20.0, at_home: Some(3.0) });
        assert_eq!(bits(2000, 900), OrdinaryBits::of_all(20.0), "too few");
        assert_eq!(bits(10, 2000), OrdinaryBits::of_all(3.0));
        seen.app = crate::app::App::Dns;
        assert!(!seen.stays_home(), "a question for a name");
    }
}

//! What the conversations of ordinary time do not exceed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::teach::WINDOW;
use super::together::{ROUNDS, Statistic};
use crate::feature::Observation;
use crate::model::{Conversation, EXTRAORDINARY};
use crate::time::Timestamp;

/// Conversations of one window at the most; where there are more it ends early.
const MOST_CONVERSATIONS: usize = 1_000_000;
/// Bits kept at the most, the highest of all: one in a hundred of 400 million; twice as many at times.
const MOST_KEPT: usize = 4_000_000;

/// Gathers the strongest flow of each conversation in each window of held-out time: repeats within a window are one event. Of
/// their bits only so many are kept, the highest, as tell what all but one in a hundred do not exceed.
pub struct Ordinary {
    window: BTreeMap<Conversation, f64>,
    end: Timestamp,
    kept: Vec<f64>,
    most: usize,
    conversations: u64,
}

impl Ordinary {
    /// Of so many observations at the most.
    pub fn of_at_most(observations: u64) -> Self {
        let most = extraordinary(observations).saturating_add(1).min(MOST_KEPT);
        Self { window: BTreeMap::new(), end: Timestamp::MIN, kept: Vec::new(), most, conversations: 0 }
    }

    /// Takes the bits of an observation's own.
    pub fn add(&mut self, seen: &Observation, bits: f64) {
        if seen.seen >= self.end || self.window.len() >= MOST_CONVERSATIONS {
            self.close();
            self.end = seen.seen + WINDOW;
        }
        let strongest = self.window.entry((seen.orig, seen.resp, seen.service)).or_default();
        *strongest = strongest.max(bits);
    }

    fn close(&mut self) {
        for bits in std::mem::take(&mut self.window).into_values() {
            self.conversations += 1;
            self.kept.push(bits);
            if self.kept.len() >= 2 * self.most {
                self.kept.select_nth_unstable_by(self.most, |a, b| b.total_cmp(a));
                self.kept.truncate(self.most);
            }
        }
    }

    /// What was gathered.
    pub fn finish(mut self) -> Bits {
        self.close();
        let mut bits = Bits { conversations: self.conversations, kept: self.kept, most: self.most };
        bits.sort();
        bits
    }
}

/// Bits of conversations in windows, the highest of them.
#[derive(Serialize, Deserialize)]
pub struct Bits {
    conversations: u64,
    kept: Vec<f64>,
    most: usize,
}

impl Bits {
    fn sort(&mut self) {
        self.kept.sort_unstable_by(|a, b| b.total_cmp(a));
        self.kept.truncate(self.most);
    }

    /// How many conversations in windows there were, and the bits that all but one in a hundred do not exceed.
    pub fn ordinary(&self) -> (f64, f64) {
        // That of one conversation alone is its own.
        let place = extraordinary(self.conversations).min(self.conversations.saturating_sub(1) as usize);
        let bits = self.kept.get(place.min(self.kept.len().saturating_sub(1))).copied().unwrap_or(0.0);
        (self.conversations as f64, bits)
    }
}

impl Statistic for Bits {
    const ROUND: &'static str = ROUNDS[3];

    fn join(&mut self, other: Self) {
        self.conversations += other.conversations;
        self.kept.extend(other.kept);
        self.sort();
    }
}

/// One in a hundred of so many, rounded up.
fn extraordinary(conversations: u64) -> usize {
    (conversations as f64 * EXTRAORDINARY).ceil() as usize
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
            assert_eq!(ordinary.finish().ordinary(), by_sorting(all), "{count}");
        }
    }
}

//! How seldom it is to see what is seen so seldom: for values that are known, but hardly.

use std::collections::BTreeMap;

/// Minutes with a value, by how often that value was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shares {
    /// (Minutes in which a value was seen, share of all minutes that values seen no more often have), ascending.
    steps: Vec<(u32, f64)>,
    /// The share of a value that was never seen.
    least: f64,
}

impl Shares {
    /// Of the minutes that all values seen so often have together.
    pub(super) fn of(minutes_by_frequency: &BTreeMap<u32, u64>) -> Self {
        let all = minutes_by_frequency.values().sum::<u64>() as f64 + 1.0;
        let mut below = 0.5;
        let least = below / all;
        let step = |(&frequency, &minutes): (&u32, &u64)| {
            below += minutes as f64;
            (frequency, below / all)
        };
        Self { steps: minutes_by_frequency.iter().map(step).collect(), least }
    }

    /// The probability that a minute's value is one that was seen in at most so many minutes; 1 where nothing was counted.
    pub(super) fn at_most(&self, minutes: u32) -> f64 {
        if self.steps.is_empty() {
            return 1.0;
        }
        let behind = self.steps.partition_point(|&(frequency, _)| frequency <= minutes);
        behind.checked_sub(1).map_or(self.least, |last| self.steps[last].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seldom_has_the_share_of_all_that_is_as_seldom() {
        let shares = Shares::of(&BTreeMap::from([(1, 2), (7, 7), (90, 90)]));
        let told = [0, 1, 6, 7, 90, 1000].map(|minutes| (shares.at_most(minutes) * 1000.0).round());
        assert_eq!(told, [5.0, 25.0, 25.0, 95.0, 995.0, 995.0]);
        assert_eq!(Shares::of(&BTreeMap::new()).at_most(0), 1.0, "of what is never counted nothing is seldom");
    }
}

//! Conversations that never stop for long, so that their silence can be told.

use serde::{Deserialize, Serialize};

/// Minutes in which one must have been heard.
const MIN_MINUTES: u32 = 30;
/// It must have gone on for this many times its longest silence.
const MIN_TIMES: i64 = 12;

/// When a conversation was heard: minutes since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steady {
    first: i64,
    last: i64,
    /// Its longest silence so far.
    longest_gap: u32,
    /// Minutes in which it was heard.
    minutes: u32,
}

impl Steady {
    pub(super) const fn new(minute: i64) -> Self {
        Self { first: minute, last: minute, longest_gap: 0, minutes: 1 }
    }

    /// Adds what was heard at another time.
    pub(super) fn follow(&mut self, other: &Self) {
        let between = other.first.saturating_sub(self.last).max(self.first.saturating_sub(other.last));
        self.longest_gap = self.longest_gap.max(other.longest_gap).max(u32::try_from(between).unwrap_or(0));
        (self.first, self.last) = (self.first.min(other.first), self.last.max(other.last));
        self.minutes = self.minutes.saturating_add(other.minutes);
    }

    /// Did it go on all the time that it was known, but for short silences?
    #[must_use]
    pub fn is_steady(&self) -> bool {
        self.minutes >= MIN_MINUTES && self.last - self.first >= MIN_TIMES * i64::from(self.longest_gap)
    }

    /// Its longest silence, in minutes.
    #[must_use]
    pub const fn longest_gap(&self) -> u32 {
        self.longest_gap
    }

    /// Minutes in which it was heard.
    #[must_use]
    pub const fn minutes(&self) -> u32 {
        self.minutes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_silence_makes_it_unsteady() {
        let mut steady = Steady::new(0);
        (1..60).for_each(|n| steady.follow(&Steady::new(n * 5)));
        assert!(steady.is_steady() && steady.longest_gap() == 5 && steady.minutes() == 60);
        let mut broken = steady;
        broken.follow(&Steady::new(295 + 120));
        assert!(!broken.is_steady());
        let mut both = steady;
        both.follow(&Steady::new(300));
        assert_eq!((both.longest_gap(), both.minutes()), (5, 61));
    }

    #[test]
    fn a_few_minutes_show_nothing() {
        let mut steady = Steady::new(0);
        (1..20).for_each(|n| steady.follow(&Steady::new(n)));
        assert!(!steady.is_steady());
    }
}

//! Which messages of a sensor's run have come.

use std::collections::BTreeSet;

/// Numbers ahead of the next one that are remembered; further ones are taken for what was lost before them.
const MOST_AHEAD: usize = 4096;

/// What came of a numbered row of messages: all below `next`, and some ahead.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    next: u64,
    ahead: BTreeSet<u64>,
    /// Below `next`, never came.
    missing: BTreeSet<u64>,
}

impl Row {
    /// One of which all below `next` came.
    pub const fn from(next: u64) -> Self {
        Self { next, ahead: BTreeSet::new(), missing: BTreeSet::new() }
    }

    /// Takes a number. Did it come before?
    pub fn is_double(&mut self, seq: u64) -> bool {
        if seq < self.next {
            return !self.missing.remove(&seq);
        }
        if !self.ahead.insert(seq) {
            return true;
        }
        self.close_up();
        if self.ahead.len() > MOST_AHEAD {
            let first = self.ahead.first().copied().unwrap_or(self.next);
            self.give_up(first);
        }
        false
    }

    /// Of a row met in its middle: nothing below the first that came, or below `end`, is waited for.
    pub fn begin(&mut self, end: u64) {
        if self.next == 0 {
            self.next = self.ahead.first().map_or(end, |first| end.min(*first));
            self.close_up();
        }
    }

    /// How many below `end` have come.
    pub fn below(&self, end: u64) -> u64 {
        self.next.min(end) + self.ahead.range(..end).count() as u64
    }

    /// Have all below `end` come, or were given up?
    pub const fn reaches(&self, end: u64) -> bool {
        self.next >= end
    }

    /// Waits no longer for what is below `end`. Returns how many did not come.
    pub fn give_up(&mut self, end: u64) -> u64 {
        let Some(span) = end.checked_sub(self.next) else { return 0 };
        let behind = self.ahead.split_off(&end);
        let came = std::mem::replace(&mut self.ahead, behind);
        let room = MOST_AHEAD.saturating_sub(self.missing.len());
        self.missing.extend((self.next..end).filter(|seq| !came.contains(seq)).take(room));
        self.next = end;
        self.close_up();
        span - came.len() as u64
    }

    fn close_up(&mut self) {
        while self.ahead.remove(&self.next) {
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_given_up_may_still_come_once() {
        let mut row = Row::default();
        assert!(!row.is_double(0) && !row.is_double(3) && row.is_double(3) && !row.reaches(2));
        assert_eq!((row.give_up(4), row.reaches(4)), (2, true));
        assert!(!row.is_double(1) && row.is_double(1) && row.is_double(3));
    }

    proptest! {
        #[test]
        fn each_number_is_taken_once_in_any_order(order in prop::collection::vec(0_u64..40, 0..200)) {
            let (mut row, mut seen) = (Row::default(), BTreeSet::new());
            for seq in order {
                prop_assert_eq!(row.is_double(seq), !seen.insert(seq));
                let whole = (0..).take_while(|seq| seen.contains(seq)).count() as u64;
                prop_assert!(row.reaches(whole) && !row.reaches(whole + 1));
            }
        }
    }
}

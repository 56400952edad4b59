//! Traffic by the minute.

use std::collections::BTreeMap;

use crate::report::Step;
use crate::time::Timestamp;

/// Minutes kept: two days.
const MOST_MINUTES: i64 = 2880;

/// Traffic of the last two days, by the minute.
#[derive(Debug, Default)]
pub(super) struct Minutes {
    steps: BTreeMap<i64, Step>,
}

impl Minutes {
    /// Takes a flow: its bytes spread evenly over its minutes, itself counted at its end.
    pub fn add(&mut self, (start, end): (Timestamp, Timestamp), flow: &Step) {
        let minute = |at: Timestamp| at.seconds().div_euclid(60);
        let to = minute(end.max(start));
        let from = minute(start).max(to - MOST_MINUTES);
        let parts = (to - from + 1) as f64;
        for place in from..=to {
            let step = self.steps.entry(place).or_default();
            step.bytes += flow.bytes / parts;
            step.missing_bytes += flow.missing_bytes / parts;
        }
        let last = self.steps.entry(to).or_default();
        last.flows += flow.flows;
        last.unusual += flow.unusual;
        self.forget();
    }

    /// What is older than two days, and the earliest where a damaged time reached far ahead.
    fn forget(&mut self) {
        let newest = self.steps.last_key_value().map_or(0, |(&newest, _)| newest);
        while self.steps.len() > 1 && self.steps.first_key_value().is_some_and(|(&first, _)| first <= newest - MOST_MINUTES) {
            self.steps.pop_first();
        }
    }

    /// Minutes with traffic, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Timestamp, &Step)> {
        self.steps.iter().map(|(&minute, step)| (Timestamp::from_parts(minute * 60, 0), step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_spread_and_what_is_old_goes() {
        let mut minutes = Minutes::default();
        let flow = Step { bytes: 300.0, missing_bytes: 0.0, flows: 1, unusual: 0 };
        let at = |second| Timestamp::from_parts(second, 0);
        minutes.add((at(30), at(170)), &flow);
        let seen: Vec<_> = minutes.iter().map(|(at, step)| (at.seconds(), step.bytes, step.flows)).collect();
        assert_eq!(seen, [(0, 100.0, 0), (60, 100.0, 0), (120, 100.0, 1)]);
        minutes.add((at(0), at(1_000_000)), &flow);
        assert!(minutes.iter().count() as i64 <= MOST_MINUTES && minutes.iter().all(|(at, _)| at.seconds() > 800_000));
    }
}

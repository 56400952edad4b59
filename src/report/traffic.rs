//! Traffic over time, in steps that grow with the span so that there are never too many.

use std::collections::BTreeMap;

use crate::time::{Span, Timestamp};

/// Steps at the most.
const MOST_STEPS: usize = 240;
/// Lengths of a step in seconds; each divides the next.
const LENGTHS_S: [i64; 13] = [1, 2, 10, 20, 60, 120, 600, 1800, 3600, 10_800, 21_600, 86_400, 604_800];

/// What was seen in a step of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// Bytes on the wire.
    pub bytes: f64,
    /// Bytes of TCP's payload that were sent, by their sequence numbers, and not seen.
    pub missing_bytes: f64,
    /// Flow records that ended.
    pub flows: u64,
    /// Of these, unusual ones.
    pub unusual: u64,
}

impl Step {
    fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.missing_bytes += other.missing_bytes;
        self.flows += other.flows;
        self.unusual += other.unusual;
    }
}

/// Traffic over time.
#[derive(Clone, Debug)]
pub struct Traffic {
    length_s: i64,
    steps: BTreeMap<i64, Step>,
    /// First and last packet.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Everything together.
    pub sum: Step,
    /// Packets.
    pub packets: u64,
}

impl Default for Traffic {
    fn default() -> Self {
        Self { length_s: 1, steps: BTreeMap::new(), span: None, sum: Step::default(), packets: 0 }
    }
}

impl Traffic {
    /// Takes a flow: its bytes spread evenly from its first to its last packet, itself counted at its end.
    pub fn add(&mut self, (start, end): (Timestamp, Timestamp), flow: &Step, packets: u64) {
        let end = end.max(start);
        let (first, last) = self.span.unwrap_or((start, end));
        self.span = Some((first.min(start), last.max(end)));
        self.sum.add(flow);
        self.packets = self.packets.saturating_add(packets);
        self.grow();
        let (from, to) = (self.place(start), self.place(end));
        let parts = (to - from + 1) as f64;
        let part = Step { bytes: flow.bytes / parts, missing_bytes: flow.missing_bytes / parts, flows: 0, unusual: 0 };
        for place in from..=to {
            self.steps.entry(place).or_default().add(&part);
        }
        let last = self.steps.entry(to).or_default();
        last.flows += flow.flows;
        last.unusual += flow.unusual;
    }

    fn place(&self, at: Timestamp) -> i64 {
        at.seconds().div_euclid(self.length_s)
    }

    /// Makes steps longer until the whole span has few enough.
    fn grow(&mut self) {
        let Some((first, last)) = self.span else { return };
        let mut length_s = self.length_s;
        while (last.seconds().div_euclid(length_s) - first.seconds().div_euclid(length_s)) as usize >= MOST_STEPS {
            length_s = LENGTHS_S.into_iter().find(|&next| next > length_s).unwrap_or(2 * length_s);
        }
        if length_s != self.length_s {
            let times = length_s / self.length_s;
            self.length_s = length_s;
            for (place, step) in std::mem::take(&mut self.steps) {
                self.steps.entry(place.div_euclid(times)).or_default().add(&step);
            }
        }
    }

    /// How long a step is.
    #[must_use]
    pub const fn length(&self) -> Span {
        Span::from_secs(self.length_s)
    }

    /// All steps from the first to the last, quiet ones too; 240 at the most.
    #[must_use]
    pub fn steps(&self) -> Vec<(Timestamp, Step)> {
        let (Some((&first, _)), Some((&last, _))) = (self.steps.first_key_value(), self.steps.last_key_value()) else {
            return Vec::new();
        };
        let step =
            |place: i64| (Timestamp::from_parts(place * self.length_s, 0), self.steps.get(&place).copied().unwrap_or_default());
        (first..=last).map(step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    #[test]
    fn steps_stay_few_and_nothing_is_lost() {
        let mut traffic = Traffic::default();
        let flow = Step { bytes: 1000.0, missing_bytes: 10.0, flows: 1, unusual: 1 };
        (0..20_000).for_each(|n| traffic.add((at(7 * n), at(7 * n + 100)), &flow, 3));
        let steps = traffic.steps();
        assert!(steps.len() <= MOST_STEPS && steps.len() > MOST_STEPS / 5, "{}", steps.len());
        let sum = steps.iter().fold(Step::default(), |mut sum, (_, step)| {
            sum.add(step);
            sum
        });
        assert_eq!((sum.flows, sum.unusual, traffic.packets), (20_000, 20_000, 60_000));
        assert!((sum.bytes - 2e7).abs() < 1.0 && (sum.missing_bytes - 2e5).abs() < 1.0);
    }

    #[test]
    fn lengths_divide_one_another() {
        assert!(LENGTHS_S.windows(2).all(|pair| pair[1] % pair[0] == 0));
    }

    #[test]
    fn wild_times_take_no_memory() {
        let mut traffic = Traffic::default();
        let flow = Step { bytes: 1.0, flows: 1, ..Step::default() };
        traffic.add((Timestamp::MIN, Timestamp::MAX), &flow, 1);
        traffic.add((at(0), at(0)), &flow, 1);
        assert!(traffic.steps().len() <= MOST_STEPS + 1);
    }
}

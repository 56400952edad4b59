//! How often each value of something was seen, and how probable a new one is.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Values kept of one variable; further new ones only add to the count of values seen once.
const MAX_VALUES: usize = 4096;

/// In how many minutes each value was seen. A minute counts once however often the value occurred in it, so that a burst
/// does not make itself normal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts<K: Ord> {
    values: BTreeMap<K, u32>,
    /// Minutes with values beyond [`MAX_VALUES`].
    overflow: u32,
    /// Minutes counted.
    total: u32,
    /// Values counted once.
    once: u32,
}

impl<K: Ord> Default for Counts<K> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), overflow: 0, total: 0, once: 0 }
    }
}

impl<K: Ord + Copy> Counts<K> {
    /// Counts minutes in which `value` was seen.
    pub fn add(&mut self, value: K, minutes: u32) {
        self.total = self.total.saturating_add(minutes);
        if self.values.len() >= MAX_VALUES && !self.values.contains_key(&value) {
            self.overflow = self.overflow.saturating_add(minutes);
            return;
        }
        let count = self.values.entry(value).or_default();
        self.once -= u32::from(*count == 1);
        *count = count.saturating_add(minutes);
        self.once += u32::from(*count == 1);
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        other.values.iter().for_each(|(&value, &minutes)| self.add(value, minutes));
        self.overflow = self.overflow.saturating_add(other.overflow);
        self.total = self.total.saturating_add(other.overflow);
    }

    /// Minutes in which a value was seen.
    #[must_use]
    pub fn get(&self, value: K) -> u32 {
        self.values.get(&value).copied().unwrap_or(0)
    }

    /// Minutes counted, over all values.
    #[must_use]
    pub fn total(&self) -> f64 {
        f64::from(self.total)
    }

    /// Values that were seen in one minute only: they estimate how often something new comes (Good 1953).
    #[must_use]
    pub fn singletons(&self) -> f64 {
        f64::from(self.overflow) + f64::from(self.once)
    }

    /// Was it ever seen?
    #[must_use]
    pub fn contains(&self, value: K) -> bool {
        self.values.contains_key(&value)
    }

    /// Different values seen.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.values.len()
    }

    /// Values and their minutes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (K, u32)> + '_ {
        self.values.iter().map(|(&value, &count)| (value, count))
    }

    /// The probability of a value at most as frequent as this one.
    ///
    /// For a value never seen it is the Good–Turing estimate of all unseen values together, drawn towards `prior` (the rate
    /// of new values in the whole network) with the weight of `weight` minutes, and never below half a minute of all that were
    /// seen: n minutes without it cannot show that it comes less often than about once in n (Krichevsky and Trofimov 1981).
    /// `minutes` is the least number of minutes in which the device could have shown it.
    #[must_use]
    pub fn tail(&self, value: K, prior: f64, weight: f64, minutes: f64) -> f64 {
        let total = self.total().max(minutes) + weight + 1.0;
        let rarer: f64 = match self.values.get(&value) {
            Some(&count) => self.values.values().filter(|&&other| other <= count).map(|&other| f64::from(other)).sum(),
            None => self.singletons(),
        };
        ((rarer + 0.5 + prior * weight) / total).min(1.0)
    }
}

impl<K: Ord + Copy> FromIterator<(K, u32)> for Counts<K> {
    fn from_iter<I: IntoIterator<Item = (K, u32)>>(pairs: I) -> Self {
        let mut counts = Self::default();
        pairs.into_iter().for_each(|(value, minutes)| counts.add(value, minutes));
        counts
    }
}

const OVERFLOW_KEY: &str = "more";

impl<K: Ord + Display> Serialize for Counts<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let overflow = (self.overflow > 0).then(|| (OVERFLOW_KEY.to_owned(), self.overflow));
        serializer.collect_map(self.values.iter().map(|(value, &count)| (value.to_string(), count)).chain(overflow))
    }
}

impl<'de, K: Ord + Copy + FromStr> Deserialize<'de> for Counts<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut counts = Self::default();
        for (text, count) in BTreeMap::<String, u32>::deserialize(deserializer)? {
            if text == OVERFLOW_KEY {
                counts.overflow = count;
                counts.total = counts.total.saturating_add(count);
            } else {
                counts.add(text.parse().map_err(|_| D::Error::custom(format!("unexpected value {text:?}")))?, count);
            }
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(u32, u32)]) -> Counts<u32> {
        pairs.iter().copied().collect()
    }

    #[test]
    fn new_values_surprise_a_settled_device_more() {
        let settled = of(&[(1, 50), (2, 50)]);
        let roaming = (0..100).map(|n| (n, 1)).collect::<Counts<u32>>();
        assert!(settled.tail(7, 0.1, 5.0, 0.0) < 0.01);
        assert!(roaming.tail(700, 0.1, 5.0, 0.0) > 0.9);
    }

    #[test]
    fn rare_values_of_a_long_tail_do_not_surprise() {
        let long_tail = (0..50).map(|n| (n, 1)).chain([(99, 50)]).collect::<Counts<u32>>();
        assert!(long_tail.tail(3, 0.0, 0.0, 0.0) >= 0.5);
        assert!(long_tail.tail(99, 0.0, 0.0, 0.0) > 0.98);
    }

    #[test]
    fn an_unknown_device_is_judged_by_the_network() {
        assert!((of(&[]).tail(1, 0.125, 5.0, 0.0) - 1.125 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn memory_is_bounded_and_overflow_counts_as_new() {
        let many = (0..10_000).map(|n| (n, 1)).collect::<Counts<u32>>();
        assert_eq!(many.distinct(), MAX_VALUES);
        assert_eq!((many.total(), many.singletons()), (10_000.0, 10_000.0));
        let json = serde_json::to_string(&many).unwrap();
        assert_eq!(serde_json::from_str::<Counts<u32>>(&json).unwrap(), many);
    }
}

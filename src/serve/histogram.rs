//! How long something takes, counted without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper ends of the buckets, in seconds; one more holds the rest.
pub(super) const BOUNDS_S: [f64; 9] = [0.0001, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0];

/// A histogram of durations in seconds.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [AtomicU64; BOUNDS_S.len() + 1],
    sum_ns: AtomicU64,
}

impl Histogram {
    /// Counts a duration.
    pub fn observe(&self, seconds: f64) {
        let bucket = BOUNDS_S.iter().position(|&bound| seconds <= bound).unwrap_or(BOUNDS_S.len());
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add((seconds.max(0.0) * 1e9) as u64, Ordering::Relaxed);
    }

    /// How many were at most as long as each bound, and how many in all; and their sum.
    pub(super) fn cumulative(&self) -> ([u64; BOUNDS_S.len() + 1], f64) {
        let mut total = 0;
        let counts = self.counts.each_ref().map(|count| {
            total += count.load(Ordering::Relaxed);
            total
        });
        (counts, self.sum_ns.load(Ordering::Relaxed) as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_all_buckets_that_hold_it() {
        let histogram = Histogram::default();
        [0.0002, 0.5, 7.0].into_iter().for_each(|seconds| histogram.observe(seconds));
        let (counts, sum) = histogram.cumulative();
        assert_eq!(counts, [0, 1, 1, 1, 1, 1, 1, 2, 2, 3]);
        assert!((sum - 7.5002).abs() < 1e-6);
    }
}

//! A histogram over orders of magnitude: what a device usually sends, how often, how long.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use serde::{Deserialize, Serialize};

use super::packed::Packed;
use super::tail::tail_probability;

/// Buckets per doubling: a value is known to within 19 %.
const PER_DOUBLING: f64 = 4.0;

/// How fast a tail beyond the largest value seen falls: twice the largest is a quarter as probable.
const ALPHA: f64 = 2.0;

/// Counts of non-negative values in logarithmic buckets. Sparse, mergeable, exact in its counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<i16, u32>", into = "BTreeMap<i16, u32>")]
pub struct Histogram {
    /// (Bucket, count) in the order of the buckets.
    buckets: Vec<(i16, u32)>,
    total: u32,
    sums: Ahead,
}

/// What is asked of a histogram again and again once nothing is added any more: added up when it is first asked for.
#[derive(Clone, Debug, Default)]
struct Ahead(OnceLock<Box<Sums>>);

#[derive(Clone, Debug)]
struct Sums {
    /// All values.
    all: u32,
    /// The lowest bucket but that of nearly 0.
    first: i16,
    /// Of every bucket from that on, how many values are in it or beyond; of the end, none.
    beyond: Vec<u32>,
    usual: Option<(f64, f64)>,
}

impl Sums {
    /// How many values are in this bucket or beyond.
    fn at_least(&self, at: i16) -> u32 {
        if at == i16::MIN {
            return self.all;
        }
        let place = (i32::from(at) - i32::from(self.first)).max(0) as usize;
        self.beyond.get(place).copied().unwrap_or(0)
    }
}

/// It follows from the counts.
impl PartialEq for Ahead {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl From<BTreeMap<i16, u32>> for Histogram {
    fn from(map: BTreeMap<i16, u32>) -> Self {
        let total = map.values().fold(0, |total: u32, count| total.saturating_add(*count));
        Self { buckets: map.into_iter().collect(), total, sums: Ahead::default() }
    }
}

impl From<Histogram> for BTreeMap<i16, u32> {
    fn from(histogram: Histogram) -> Self {
        histogram.buckets.into_iter().collect()
    }
}

impl Histogram {
    /// Counts a value.
    pub fn add(&mut self, value: f64) {
        self.add_to(bucket(value), 1);
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        for &(bucket, count) in &other.buckets {
            self.add_to(bucket, count);
        }
    }

    /// Adds the counts of a packed one.
    pub(super) fn merge_packed(&mut self, other: Packed<'_>) {
        other.buckets().for_each(|(bucket, count)| self.add_to(bucket, count));
    }

    /// In packed form.
    #[cfg(test)]
    pub(crate) fn pack(&self) -> Vec<u8> {
        self.buckets().fold(Vec::new(), |bytes, counted| {
            let mut more = Vec::new();
            Packed::of(&bytes).write_with(counted, &mut more);
            more
        })
    }

    /// Buckets and their counts, in order.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (i16, u32)> + '_ {
        self.buckets.iter().copied()
    }

    pub(super) fn add_to(&mut self, bucket: i16, count: u32) {
        self.total = self.total.saturating_add(count);
        self.sums.0.take();
        match self.buckets.binary_search_by_key(&bucket, |&(bucket, _)| bucket) {
            Ok(place) => self.buckets[place].1 = self.buckets[place].1.saturating_add(count),
            Err(place) => self.buckets.insert(place, (bucket, count)),
        }
    }

    /// Was nothing counted?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Values counted.
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.total
    }

    /// The value below which a share `q` of the values lies (0 to 1), to within a bucket; none when empty.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let goal = q.clamp(0.0, 1.0) * f64::from(self.total());
        let mut below = 0.0;
        for &(bucket, count) in &self.buckets {
            below += f64::from(count);
            if below >= goal {
                return Some(upper_edge(bucket));
            }
        }
        None
    }

    /// The range from the fifth to the ninety-fifth of a hundred values, to within a bucket; none when empty.
    #[must_use]
    pub fn usual(&self) -> Option<(f64, f64)> {
        self.sums().usual
    }

    /// The probability of a value at least this large among `windows` (values that were never counted, such as minutes
    /// without traffic, are windows too; fewer than were counted has no effect).
    #[must_use]
    pub fn tail(&self, value: f64, windows: f64) -> f64 {
        self.tail_in(bucket(value), value, windows, 1.0)
    }

    /// The same of a value whose bucket is known, where values below `least` were not counted.
    pub(crate) fn tail_in(&self, at: i16, value: f64, windows: f64, least: f64) -> f64 {
        let total = f64::from(self.total()).max(windows);
        let at_least = self.sums().at_least(at);
        tail_of(value, at_least, total, (self.buckets.last().map(|&(bucket, _)| bucket), least))
    }

    fn sums(&self) -> &Sums {
        self.sums.0.get_or_init(|| {
            let near_zero = self.buckets.partition_point(|&(bucket, _)| bucket == i16::MIN);
            let (near_zero, others) = self.buckets.split_at(near_zero);
            let (first, last) = (others.first().map_or(0, |first| first.0), others.last().map_or(-1, |last| last.0));
            let mut beyond = vec![0_u32; (i32::from(last) - i32::from(first) + 2) as usize];
            others.iter().for_each(|&(bucket, count)| beyond[(i32::from(bucket) - i32::from(first)) as usize] = count);
            let add = |sum: &mut u32, count: &mut u32| {
                *sum = sum.saturating_add(*count);
                *count = *sum;
            };
            let mut all = 0;
            beyond.iter_mut().rev().for_each(|count| add(&mut all, count));
            near_zero.iter().for_each(|&(_, count)| all = all.saturating_add(count));
            Box::new(Sums { all, first, beyond, usual: self.quantile(0.05).zip(self.quantile(0.95)) })
        })
    }
}

/// The probability of a value at least this large, from how many of all values were and the largest bucket with any, or the least value that is counted.
pub(super) fn tail_of(value: f64, at_least: u32, total: f64, (largest, least): (Option<i16>, f64)) -> f64 {
    // The edge counts only beyond all that was seen.
    let largest = if at_least > 0 { f64::INFINITY } else { largest.map_or(least, upper_edge).max(least) };
    tail_probability(value, f64::from(at_least), total, largest, ALPHA)
}

/// The bucket of a value.
pub(crate) fn bucket(value: f64) -> i16 {
    if value < 1e-3 { i16::MIN } else { quarter(value).unwrap_or_else(|| by_logarithm(value)) }
}

fn by_logarithm(value: f64) -> i16 {
    (value.log2() * PER_DOUBLING).floor() as i16
}

/// Where a doubling is cut into buckets, beginning with its start: 2^(n/4).
const CUTS: [f64; 5] = [1.0, 1.189_207_115_002_721, core::f64::consts::SQRT_2, 1.681_792_830_507_429, 2.0];
/// So near to a cut the rounding of a logarithm decides.
const NEAR: f64 = 1e-9;

/// The bucket of a value without its logarithm, by its exponent and mantissa; none very near to a cut, and of what is no number.
fn quarter(value: f64) -> Option<i16> {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = value.to_bits();
    let (exponent, mantissa) = ((bits >> 52) as i16, f64::from_bits(bits & MANTISSA | 1.0_f64.to_bits()));
    let passed = CUTS[1..4].iter().map(|&cut| i16::from(mantissa > cut)).sum::<i16>();
    // It lies between two of them: the others are further.
    let (below, above) = (CUTS[passed as usize], CUTS[passed as usize + 1]);
    let is_near = (mantissa - below < NEAR || above - mantissa < NEAR) && mantissa != 1.0;
    (!is_near && exponent < 0x7ff).then(|| (exponent - 1023) * 4 + passed)
}

/// Edges of the buckets from 0 on, as far as values usually reach.
static EDGES: LazyLock<[f64; 192]> = LazyLock::new(|| std::array::from_fn(|bucket| edge_above(bucket as i16)));

fn edge_above(bucket: i16) -> f64 {
    ((f64::from(bucket) + 1.0) / PER_DOUBLING).exp2()
}

/// The largest value of a bucket.
pub(crate) fn upper_edge(bucket: i16) -> f64 {
    if bucket == i16::MIN {
        return 0.0;
    }
    let known = usize::try_from(bucket).ok().and_then(|place| EDGES.get(place));
    known.copied().unwrap_or_else(|| edge_above(bucket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|&value| histogram.add(value));
        histogram
    }

    proptest! {
        #[test]
        fn a_larger_value_is_never_more_probable(values in prop::collection::vec(0.0..1e9f64, 0..50), a in 0.0..1e12f64, b in 0.0..1e12f64) {
            let histogram = of(&values);
            prop_assert!(histogram.tail(a.max(b), 0.0) <= histogram.tail(a.min(b), 0.0) + 1e-12);
        }

        #[test]
        fn sums_are_those_of_the_buckets_also_when_more_is_added(values in prop::collection::vec(0.0..1e6f64, 0..50), at in 0.0..2e6f64) {
            let mut histogram = Histogram::default();
            for &value in &values {
                histogram.add(value);
                let at_least = histogram.buckets().filter(|&(lowest, _)| lowest >= bucket(at)).map(|(_, count)| count).sum::<u32>();
                prop_assert_eq!(histogram.sums().at_least(bucket(at)), at_least);
                prop_assert_eq!(histogram.usual(), histogram.quantile(0.05).zip(histogram.quantile(0.95)));
            }
        }

        #[test]
        fn quantiles_lie_within_a_bucket(values in prop::collection::vec(0.01..1e9f64, 1..50)) {
            let largest = values.iter().copied().fold(0.0, f64::max);
            let told = of(&values).quantile(1.0).unwrap();
            prop_assert!(told >= largest && told <= largest * 1.2);
        }
    }

    #[test]
    fn buckets_are_those_of_the_logarithm() {
        let edges = (-45..300).map(|bucket| 2f64.powf(f64::from(bucket) / 4.0));
        // Values around every edge, step by step of their last bits.
        let around = edges.flat_map(|edge| (-40..40).map(move |step| f64::from_bits(edge.to_bits().wrapping_add_signed(step))));
        let others = (0..100_000).map(|n| f64::from(n) * 0.37);
        let odd = [0.0, -1.0, 1e-3, f64::MAX, f64::INFINITY, f64::NAN, f64::MIN_POSITIVE];
        for value in around.chain(others).chain(odd) {
            let wanted = if value < 1e-3 { i16::MIN } else { by_logarithm(value) };
            assert_eq!(bucket(value), wanted, "{value}");
        }
    }

    #[test]
    fn quiet_windows_count() {
        let histogram = of(&[10.0]);
        assert_eq!(histogram.tail(10.0, 0.0), 1.0);
        assert_eq!(histogram.tail(10.0, 99.0), 0.02);
    }

    #[test]
    fn merging_adds_counts() {
        let mut a = of(&[1.0, 2.0]);
        a.merge(&of(&[2.0, 300.0]));
        assert_eq!(a, of(&[1.0, 2.0, 2.0, 300.0]));
    }
}

//! A histogram in a few bytes, as a device keeps it.
//!
//! A bucket and its count take two or three bytes: the distance from the bucket before and the count, each in groups of seven
//! bits, the lowest first (LEB128). A fleet has some ten million of these histograms with a few buckets each.

use super::histogram::{Histogram, bucket, tail_of, upper_edge};

/// The lowest bucket that values lie in beside that of nearly 0, which counts as one below.
const LOWEST: i16 = -41;

/// A histogram in its packed form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packed<'h> {
    bytes: &'h [u8],
}

/// A number in groups of seven bits, and what follows it. Bytes that end within a number end it.
#[inline]
pub(super) fn number(bytes: &[u8]) -> (u32, &[u8]) {
    match bytes.split_first() {
        Some((&byte, rest)) if byte < 0x80 => (byte.into(), rest),
        _ => long_number(bytes),
    }
}

fn long_number(bytes: &[u8]) -> (u32, &[u8]) {
    let (mut value, mut shift) = (0, 0);
    for (place, &byte) in bytes.iter().enumerate() {
        value |= u32::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 || shift > 28 {
            return (value, &bytes[place + 1..]);
        }
    }
    (value, &[])
}

/// Writes a number so that [`number`] reads it.
pub(super) fn write_number(mut value: u32, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// How many bytes a number takes.
const fn width(value: u32) -> usize {
    match 32 - value.leading_zeros() {
        0..=7 => 1,
        8..=14 => 2,
        15..=21 => 3,
        22..=28 => 4,
        _ => 5,
    }
}

/// Counts more values in a packed histogram whose bytes stay as many as they are. False where they would not.
pub(super) fn count_in_place(histogram: &mut [u8], (bucket, more): Counted) -> bool {
    let (wanted, mut next, mut at) = (rank(bucket), 0, 0);
    while at < histogram.len() {
        let (distance, behind) = number(&histogram[at..]);
        let (count, rest) = number(behind);
        let (start, end) = (histogram.len() - behind.len(), histogram.len() - rest.len());
        let here = next + distance;
        if here >= wanted {
            let count = count.saturating_add(more);
            let fits = here == wanted && width(count) == end - start;
            if fits {
                overwrite(count, &mut histogram[start..end]);
            }
            return fits;
        }
        (next, at) = (here + 1, end);
    }
    false
}

/// Writes a number that takes as many bytes as there are.
fn overwrite(mut value: u32, bytes: &mut [u8]) {
    let last = bytes.len() - 1;
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = if place == last { value as u8 } else { value as u8 | 0x80 };
        value >>= 7;
    }
}

/// The place of a bucket: 0 and on.
fn rank(bucket: i16) -> u32 {
    if bucket == i16::MIN { 0 } else { (i32::from(bucket.max(LOWEST)) - i32::from(LOWEST) + 1) as u32 }
}

fn bucket_of(rank: u32) -> i16 {
    if rank == 0 { i16::MIN } else { (rank as i32 - 1 + i32::from(LOWEST)) as i16 }
}

/// Values to be counted: how many in which bucket.
pub(super) type Counted = (i16, u32);

/// One value.
pub(super) fn counted(value: f64) -> Counted {
    (bucket(value), 1)
}

impl<'h> Packed<'h> {
    pub(crate) const fn of(bytes: &'h [u8]) -> Self {
        Self { bytes }
    }

    /// Buckets and their counts, in order.
    pub(super) fn buckets(self) -> impl Iterator<Item = Counted> + 'h {
        self.ranks().map(|(rank, count)| (bucket_of(rank), count))
    }

    /// The places of buckets and their counts, in order.
    fn ranks(self) -> impl Iterator<Item = (u32, u32)> + 'h {
        let (mut rest, mut next) = (self.bytes, 0);
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (distance, behind) = number(rest);
            let (count, behind) = number(behind);
            rest = behind;
            let rank = next + distance;
            next = rank + 1;
            Some((rank, count))
        })
    }

    /// Values counted.
    #[must_use]
    pub fn total(self) -> u32 {
        self.buckets().fold(0, |total: u32, (_, count)| total.saturating_add(count))
    }

    /// As [`Histogram::quantile`].
    #[must_use]
    pub fn quantile(self, q: f64) -> Option<f64> {
        let goal = q.clamp(0.0, 1.0) * f64::from(self.total());
        let mut below = 0.0;
        self.buckets().find_map(|(bucket, count)| {
            below += f64::from(count);
            (below >= goal).then(|| upper_edge(bucket))
        })
    }

    /// The last bucket with any value.
    #[must_use]
    pub fn most(self) -> Option<i16> {
        self.buckets().last().map(|(bucket, _)| bucket)
    }

    /// How many values are in the bucket of `value` or beyond.
    #[must_use]
    pub fn at_least(self, value: f64) -> u32 {
        let at = bucket(value);
        self.buckets().filter(|&(bucket, _)| bucket >= at).fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// Values counted, and as [`Histogram::tail`]; values below `least` were not counted.
    #[must_use]
    pub fn total_and_tail(self, value: f64, windows: f64, least: f64) -> (u32, f64) {
        let at = bucket(value);
        let (mut total, mut at_least, mut largest) = (0_u32, 0_u32, None);
        for (bucket, count) in self.buckets() {
            total = total.saturating_add(count);
            at_least += if bucket >= at { count } else { 0 };
            largest = Some(bucket);
        }
        (total, tail_of(value, at_least, f64::from(total).max(windows), (largest, least)))
    }

    /// Writes it with more values.
    pub(super) fn write_with(self, more: Counted, to: &mut Vec<u8>) {
        write_merged(self.ranks(), std::iter::once((rank(more.0), more.1)), to);
    }

    /// Writes it with the values of another.
    pub(super) fn write_merged(self, other: Packed<'_>, to: &mut Vec<u8>) {
        if self.bytes.is_empty() || other.bytes.is_empty() {
            to.extend_from_slice(if self.bytes.is_empty() { other.bytes } else { self.bytes });
        } else {
            write_merged(self.ranks(), other.ranks(), to);
        }
    }

    /// Writes it.
    pub(super) fn write(self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.bytes);
    }
}

/// Writes what two count together: places of buckets and their counts, each in order.
fn write_merged(a: impl Iterator<Item = (u32, u32)>, b: impl Iterator<Item = (u32, u32)>, to: &mut Vec<u8>) {
    let (mut a, mut b, mut next) = (a.peekable(), b.peekable(), 0);
    while let Some(rank) = [a.peek(), b.peek()].into_iter().flatten().map(|&(rank, _)| rank).min() {
        let mine = a.next_if(|&(here, _)| here == rank).map_or(0, |(_, count)| count);
        let theirs = b.next_if(|&(here, _)| here == rank).map_or(0, |(_, count)| count);
        write_number(rank - next, to);
        write_number(mine.saturating_add(theirs), to);
        next = rank + 1;
    }
}

impl From<Packed<'_>> for Histogram {
    fn from(packed: Packed<'_>) -> Self {
        let mut histogram = Self::default();
        histogram.merge_packed(packed);
        histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packed_says_what_the_histogram_says(
            values in prop::collection::vec((prop::num::f64::POSITIVE | prop::num::f64::ZERO, 1..100_000_u32), 0..40),
            value in 0.0..1e12f64,
            windows in 0.0..1e4f64,
        ) {
            let (mut histogram, mut bytes) = (Histogram::default(), Vec::new());
            for &(value, times) in &values {
                histogram.add_to(bucket(value), times);
                let mut more = Vec::new();
                Packed::of(&bytes).write_with((bucket(value), times), &mut more);
                bytes = more;
            }
            let packed = Packed::of(&bytes);
            prop_assert_eq!(&Histogram::from(packed), &histogram);
            prop_assert_eq!(packed.total(), histogram.total());
            prop_assert_eq!(packed.total_and_tail(value, windows, 1.0), (histogram.total(), histogram.tail(value, windows)));
            for q in [0.05, 0.5, 0.95, 1.0] {
                prop_assert_eq!(packed.quantile(q), histogram.quantile(q));
            }
        }

        #[test]
        fn numbers_survive(value: u32) {
            let mut bytes = Vec::new();
            write_number(value, &mut bytes);
            prop_assert_eq!(number(&bytes), (value, &[][..]));
        }
    }

    #[test]
    fn a_bucket_takes_two_bytes() {
        let (mut bytes, mut more) = (Vec::new(), Vec::new());
        Packed::default().write_with(counted(1500.0), &mut bytes);
        Packed::of(&bytes).write_with((bucket(1800.0), 90), &mut more);
        assert_eq!((bytes.len(), more.len()), (2, 4));
    }
}

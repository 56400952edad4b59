//! Sums over the values of a family, added up ahead where a device has many.
//!
//! Whether something new is a surprise depends on all values of its family. A server has thousands of clients, a browser thousands of
//! names, and each new one asks.

use std::iter::Sum;
use std::ops::{Add, Range};

use super::seen::Seen;

/// Values that are added up together.
const BLOCK: usize = 64;

/// What is asked of values together. Exact, so that it does not depend on the order of adding.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Together {
    /// Those that were seen in one minute only.
    pub once: u32,
    /// Those that came late.
    pub late: u32,
    /// Their minutes.
    pub minutes: u64,
}

impl From<Seen> for Together {
    fn from(seen: Seen) -> Self {
        let (minutes, late) = (seen.minutes(), u32::from(seen.is_late()));
        Self { once: u32::from(minutes == 1), late, minutes: minutes.into() }
    }
}

impl Add for Together {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { once: self.once + other.once, late: self.late + other.late, minutes: self.minutes + other.minutes }
    }
}

impl Sum for Together {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// The sums of every [`BLOCK`] values of a table; none of a short table, nor of one that has changed since.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    blocks: Box<[Together]>,
}

/// It says nothing that the values do not say.
impl PartialEq for Sums {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Sums {}

impl Sums {
    /// Of the values of a table, where there are enough of them.
    pub(super) fn of<T>(values: &[T], seen: impl Fn(&T) -> Seen) -> Option<Self> {
        let sum = |block: &[T]| block.iter().map(|value| Together::from(seen(value))).sum();
        (values.len() > 2 * BLOCK).then(|| Self { blocks: values.chunks_exact(BLOCK).map(sum).collect() })
    }

    /// The sum over a range of the same values.
    pub(super) fn within<T>(&self, values: &[T], range: Range<usize>, seen: impl Fn(&T) -> Seen) -> Together {
        let each = |range: Range<usize>| values[range].iter().map(|value| Together::from(seen(value))).sum::<Together>();
        let whole = range.start.div_ceil(BLOCK)..range.end / BLOCK;
        match self.blocks.get(whole.clone()) {
            Some(blocks) if !blocks.is_empty() => {
                let ends = each(range.start..whole.start * BLOCK) + each(whole.end * BLOCK..range.end);
                ends + blocks.iter().copied().sum()
            }
            _ => each(range),
        }
    }

    /// Bytes that they take.
    pub(super) const fn heap_bytes(&self) -> usize {
        self.blocks.len() * size_of::<Together>()
    }
}

//! How the time that is learned from is cut.
//!
//! Each part of the time is judged by what the others taught. A part that is one stretch holds hours that no other has: who comes
//! to work in the morning is new to a model of the rest of the day, as nobody is to a model of a day. Of less than two days every
//! hour is such a one, so that the scores are higher than those of the next day will be. In parts that are made of a stretch here and
//! one there they are lower, since the hours on either side of each are known. What is to be expected lies between the two.

use crate::time::{Span, Timestamp};

/// Parts of the time.
pub(super) const PARTS: usize = 4;
/// Blocks of a time in which an hour of the day comes once: each part has two, next to each other or apart.
const BLOCKS_OF_SHORT: usize = 2 * PARTS;
/// From here on every hour of the day is in several parts.
const LONG: Span = Span::from_secs(2 * 86_400);
/// Blocks are no shorter, since neighbours in time are alike.
const LEAST_BLOCK: Span = Span::from_secs(1800);

/// Which blocks are held out together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Blocks that follow each other.
    Stretches,
    /// Blocks with others between them.
    Apart,
}

/// Equal blocks of the time.
pub(super) struct Blocks {
    ends: Vec<Timestamp>,
}

impl Blocks {
    /// Those of a time from the first to the last observation, as many as parts where `whole` stretches are wanted. The last ends just
    /// behind the last observation.
    pub fn of(span: Option<(Timestamp, Timestamp)>, whole: bool) -> Self {
        let (first, last) = span.unwrap_or((Timestamp::MIN, Timestamp::MAX));
        let length = last.since(first);
        let is_short = length < LONG && length.nanos() >= LEAST_BLOCK.nanos() * BLOCKS_OF_SHORT as i64;
        let count = if is_short && !whole { BLOCKS_OF_SHORT } else { PARTS };
        let step = length.nanos() / count as i64;
        let mut ends: Vec<_> = (1..count as i64).map(|n| first + Span::from_nanos(step * n)).collect();
        ends.push(last + Span::from_nanos(1));
        Self { ends }
    }

    /// Their ends, in order.
    pub fn ends(&self) -> &[Timestamp] {
        &self.ends
    }

    /// The block that holds this time.
    pub fn at(&self, time: Timestamp) -> usize {
        self.ends.partition_point(|&end| end <= time).min(self.ends.len() - 1)
    }

    /// The part to which a block belongs.
    pub fn part(&self, block: usize, cut: Cut) -> usize {
        match cut {
            Cut::Stretches => block * PARTS / self.ends.len(),
            Cut::Apart => block % PARTS,
        }
    }

    /// The ways to cut them that differ.
    pub fn cuts(&self) -> &'static [Cut] {
        if self.ends.len() == PARTS { &[Cut::Stretches] } else { &[Cut::Stretches, Cut::Apart] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    fn blocks(hours: i64, whole: bool) -> Blocks {
        Blocks::of(Some((at(0), at(hours * 3600))), whole)
    }

    #[test]
    fn blocks_share_the_time_and_the_last_holds_the_last() {
        for blocks in [blocks(1, false), blocks(24, false), Blocks::of(None, false)] {
            assert!(blocks.ends().is_sorted());
            let last = blocks.ends().len() - 1;
            let places = [Timestamp::MIN, blocks.ends()[0], blocks.ends()[last], Timestamp::MAX].map(|time| blocks.at(time));
            assert_eq!(places, [0, 1, last, last]);
        }
        let day = blocks(24, false);
        assert_eq!((day.at(at(3 * 3600 - 1)), day.at(at(3 * 3600)), day.ends()[7]), (0, 1, at(86_400) + Span::from_nanos(1)));
    }

    #[test]
    fn a_day_is_cut_in_two_ways() {
        let parts = |blocks: &Blocks| {
            let of = |cut: &Cut| (0..blocks.ends().len()).map(|block| blocks.part(block, *cut)).collect::<Vec<_>>();
            blocks.cuts().iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(parts(&blocks(24, false)), [[0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 2, 3, 0, 1, 2, 3]]);
        for stretches in [blocks(3, false), blocks(48, false), blocks(24, true)] {
            assert_eq!(parts(&stretches), [[0, 1, 2, 3]]);
        }
    }
}

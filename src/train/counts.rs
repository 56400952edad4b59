//! What devices did in each block of the time.

use serde::{Deserialize, Serialize};

use super::survey::joined;
use super::together::{ROUNDS, Statistic};
use crate::model::{Baselines, BaselinesBuilder};
use crate::time::Timestamp;

/// Baselines of blocks of the time, in their order.
#[derive(Serialize, Deserialize)]
pub(super) struct Counts(Vec<Block>);

#[derive(Serialize, Deserialize)]
struct Block {
    baselines: Baselines,
    /// When the first and the last observation were seen.
    heard: Option<(Timestamp, Timestamp)>,
}

impl Counts {
    /// What was counted.
    pub fn of(builders: Vec<BaselinesBuilder>) -> Self {
        let block = |builder: BaselinesBuilder| Block { heard: builder.heard(), baselines: builder.finish() };
        Self(builders.into_iter().map(block).collect())
    }

    /// The baselines.
    pub fn into_blocks(self) -> Vec<Baselines> {
        self.0.into_iter().map(|block| block.baselines).collect()
    }
}

impl Statistic for Counts {
    const ROUND: &'static str = ROUNDS[2];

    fn join(&mut self, other: Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            mine.heard = joined(mine.heard, theirs.heard);
            mine.baselines.join(&theirs.baselines, mine.heard);
        }
    }
}

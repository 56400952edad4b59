//! Judging a source: by a model, or by what the capture itself taught.

mod adapt;
mod judge;
mod kept;
#[cfg(test)]
mod life;
mod mode;
mod output;
mod state;
mod verdict;

pub use adapt::Adapt;
pub use judge::Judge;
pub use mode::Mode;
pub use output::Output;
pub use state::State;
pub use verdict::{JudgeError, Verdict};

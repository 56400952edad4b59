//! Judging a source: by a model, or by what the capture itself taught.

mod adapt;
mod judge;
mod kept;
mod mode;
mod output;
mod verdict;

pub use adapt::Adapt;
pub use judge::Judge;
pub use mode::Mode;
pub use output::Output;
pub use verdict::{JudgeError, Verdict};

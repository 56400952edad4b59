//! Judging a source: by a model, or by what the capture itself taught.

mod adapt;
mod judge;
mod mode;
mod verdict;

pub use adapt::Adapt;
pub use judge::{Judge, Output};
pub use mode::Mode;
pub use verdict::{JudgeError, Verdict};

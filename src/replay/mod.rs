//! Judging a source: by a model, or by what the capture itself taught.

mod adapt;
mod judge;

pub use adapt::Adapt;
pub use judge::{Judge, JudgeError, Mode, Output, Verdict};

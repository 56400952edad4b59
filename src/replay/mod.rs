//! Judging a source: by a model, or by what the capture itself taught.

mod judge;

pub use judge::{Judge, JudgeError, Mode, Output, Verdict};

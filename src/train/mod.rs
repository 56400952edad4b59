//! Learning: observations in, a model out.

mod lesson;
mod teach;

pub use lesson::Lesson;
pub use teach::{Taught, Trim, teach, teach_by};

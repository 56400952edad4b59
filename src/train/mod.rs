//! Learning: observations in, a model out.

mod lesson;
mod teach;

pub use lesson::{Course, Lesson, Listener};
pub use teach::{Taught, Trim, teach, teach_by};

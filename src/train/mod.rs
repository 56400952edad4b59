//! Learning: observations in, a model out.

mod lesson;
mod teach;

pub use lesson::{Course, Lesson, Listener, MAX_OBSERVATIONS};
pub use teach::{Taught, Trim, teach, teach_by};

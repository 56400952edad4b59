//! Learning: observations in, a model out.
//!
//! `auscult train` spools observations to a file and goes through it as often as is needed, so that its memory does not depend
//! on how long a capture is; what judges while it learns holds a bounded lesson in memory. Both teach the same, and so do several who
//! learn together, each from flows of its own.

mod blocks;
mod counts;
mod holders;
mod left_out;
mod lesson;
mod listener;
mod matches;
mod material;
mod ordinary;
mod scores;
mod scratch;
mod spool;
mod spooled;
mod survey;
mod teach;
mod together;

pub use holders::Holders;
pub use lesson::{Course, Lesson};
pub use listener::Listener;
pub use material::{InMemory, InOrder, Material, Note, Phase, Tally};
pub use scratch::{Found, Job, JobInput, Reading, Scratch, ScratchError};
pub use spool::{Spool, SpoolError};
pub use spooled::{Spooled, Step, TrainError};
pub use teach::{Taught, Trim, teach, teach_by};
pub use together::{Colleagues, ROUNDS, Statistic, Together, TogetherError};

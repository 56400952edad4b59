//! What a judge remembers.

use crate::detect::Remembered;
use crate::time::Timestamp;
use crate::train::Lesson;

/// So much of a judge that another one can go on from there.
#[derive(Default)]
pub struct State<'a> {
    /// What was seen and told; none while it is still learned.
    pub memory: Option<Remembered<'a>>,
    /// What was learned so far, and until when it is; none when that is over.
    pub learning: Option<(Option<Timestamp>, &'a Lesson)>,
    /// Does nothing come after it?
    pub is_last: bool,
}

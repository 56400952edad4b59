//! What is kept of a capture until it has taught itself.

use crate::pipeline::Emitted;
use crate::sighting::Sighting;
use crate::time::Timestamp;

/// Records kept of a capture that teaches itself, some 1.1 kB each; flows beyond are judged by what these taught.
pub(super) const MAX_KEPT: usize = 60_000;

/// Records and ticks kept together: the ticks of a month come before the records.
pub(super) const MAX_STEPS: usize = 4_000_000;

/// What came, to be judged later.
pub(super) enum Step {
    /// Boxed, since most steps are records.
    Sighting(Box<Sighting>),
    Record(Emitted),
    /// What is told from here on is told in a degraded state, or not.
    Degraded(bool),
    Tick(Timestamp),
}

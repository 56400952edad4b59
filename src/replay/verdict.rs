//! How a run went, or why nothing was judged.

use crate::detect::{Class, DetectorCounters, HostRank};
use crate::model::{ClusterError, ModelError};

/// How a run went.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What the detector counted.
    pub counters: DetectorCounters,
    /// Devices by score, highest first.
    pub ranks: Vec<HostRank>,
    /// Score at which an incident opens, in bits; none when nothing could be judged.
    pub threshold: Option<f64>,
    /// The same of what is merely unusual.
    pub unusual_threshold: Option<f64>,
    /// The class that was so loud while learning that it has a threshold of its own, with that.
    pub loud: Option<(Class, f64)>,
    /// Could the learning time resolve the budget?
    pub resolved: bool,
    /// Budget kept, in incidents per day.
    pub budget_per_day: f64,
    /// Devices at home that the model knows and does not know, at the end, where these are too many for it to fit.
    pub misfit: Option<(usize, usize)>,
    /// Flow records that taught, when the capture taught itself.
    pub self_taught_flows: Option<usize>,
    /// Why nothing could be learned from the capture that was to teach itself: only what is an attack on any network was looked for.
    pub too_little: Option<ClusterError>,
    /// Last packet learned from, when a model judged.
    pub trained_until: Option<String>,
    /// Observations learned while it was not yet judged, and those that were too many.
    pub learned: Option<(usize, u64)>,
    /// Versions of the model that learned on.
    pub versions: u32,
}

/// Why nothing was judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The capture holds too little to learn from.
    #[error("too little to learn from itself; give a model with --model")]
    TooLittle(#[from] ClusterError),
    /// It ended before it was learned from long enough.
    #[error("the capture ended while it was still learned from: {0} observations; give a shorter --learn")]
    StillLearning(usize),
}

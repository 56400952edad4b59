//! What stood out while a model learned.

use serde::{Deserialize, Serialize};

use crate::feature::Host;

/// Kept of a model at the most: those with the most bits.
pub const MOST_STOOD_OUT: usize = 64;

/// The highest score of a device in a window of five minutes of the learning time, by baselines of other parts of that time. If
/// it was an attack, it is normal to the model now, unless it was left out, and a person should know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoodOut {
    /// The end of the window, as text.
    pub at: String,
    /// The device.
    pub host: Host,
    /// As what it would have been told.
    pub class: String,
    /// The other end of the conversation that spoke loudest.
    pub peer: Host,
    /// Its service, as `tcp/443`.
    pub service: String,
    /// The score.
    pub bits: f64,
    /// Was the conversation left out of what was learned, around the times at which it stood out?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_left_out: bool,
}

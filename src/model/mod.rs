//! What is normal: scaled features in clusters (behaviours), what each device does (baselines), and how often scores occur
//! (calibration). The only user of linfa.
//!
//! Architecture invariants: a model is made of counts and sums, so that it can be read by a person and merged; the same
//! observations and seed give the same bytes.

mod baseline;
mod behaviour;
mod calibration;
mod card;
mod counts;
mod file;
mod histogram;
mod kmeans;
mod pooled;
mod scaler;
mod tail;
mod text;
mod window;

pub use baseline::{Baselines, BaselinesBuilder, HostBaseline, ServedBaseline, ServiceBaseline};
pub use behaviour::{Behaviour, MIN_FLOWS, Match, TRIMMED_SHARE, Vocabulary};
pub use calibration::{Budget, Calibration};
pub use card::{card, card_json};
pub use counts::Counts;
pub use file::{FORMAT, Model, ModelError, Provenance, Source};
pub use histogram::Histogram;
pub use kmeans::ClusterError;
pub use pooled::{Newness, Pooled};
pub use scaler::Scaler;
pub use tail::{bits, tail_probability};
pub use text::ParseKeyError;
pub use window::{Conversation, Edge, Initiated, Map, Minute, Served, Shape};

//! From observations to incidents: surprise in bits, what a device did in the last minutes, incidents and their reasons.
//!
//! Architecture invariants: the detector never sees a packet; it takes observations in the order of the pipeline and is told
//! the time; the same observations and knowledge give the same incidents.

mod arp;
mod assessment;
mod case;
mod class;
mod config;
mod detector;
mod evidence;
mod explain;
mod fit;
mod habit;
mod incident;
mod knowledge;
mod population;
mod prior;
mod range;
mod rarity;
mod recent;
mod rhythm;
mod silence;
mod surprise;
#[cfg(test)]
mod testing;

pub use assessment::Assessment;
pub use case::{Case, WINDOW};
pub use class::Class;
pub use config::{DetectorConfig, Part, Without};
pub use detector::{Detector, DetectorCounters, HostRank, ScoredFlow};
pub use evidence::{Contribution, Evidence, Of};
pub use explain::{Reason, reason};
pub use incident::{Cause, FlowRef, Incident, IncidentState, Notice};
pub use knowledge::Knowledge;
pub use surprise::Surprise;

//! From observations to incidents: surprise in bits, what a device did in the last minutes, incidents and their reasons.
//!
//! Architecture invariants: the detector never sees a packet; it takes observations in the order of the pipeline and is told
//! the time; the same observations and knowledge give the same incidents.

mod accounts;
mod administrator;
mod answer;
mod anywhere;
mod arp;
mod asking;
mod assessment;
mod assessor;
mod callers;
mod calls_out;
mod campaign;
mod carriers;
mod case;
mod claim;
mod class;
mod classify;
mod config;
mod counters;
mod crowd;
mod deed;
mod detector;
mod docket;
mod domain;
mod drawn;
mod evidence;
mod exhibit;
mod exhibits;
mod explain;
mod fit;
mod flooding;
mod flow_ref;
mod giver;
mod habit;
mod incident;
mod knowledge;
mod latest;
mod lease;
#[cfg(test)]
mod life;
mod memory;
mod moved;
mod name_of_another;
mod newcomer;
mod newness;
mod notice;
mod pause;
mod population;
mod prior;
mod probes;
mod pruning;
mod range;
mod rank;
mod rarity;
mod reaches;
mod reasons;
mod recent;
mod relay;
mod remote;
mod rhythm;
mod row;
mod scanner;
mod score;
mod shape;
mod share;
mod silence;
mod stopped;
mod story;
mod strongest;
mod submission;
mod surprise;
#[cfg(test)]
pub(crate) mod testing;
mod turned;
mod twin;
mod waking;

pub use answer::{
    About, Answer, AnswerError, AnswerKind, AnsweredBy, Answers, Counted, Daily, Direction, Gate, LearnError, Life, Lives,
    MAX_ANSWERS, ParseDailyError, Passage, Protocol, Rule, Standing, Subject,
};
pub use assessment::Assessment;
pub use assessor::{Assessor, Finding};
pub use case::{Case, WINDOW};
pub use claim::{Arithmetic, Claim};
pub use class::Class;
pub use config::{DetectorConfig, Part, Without};
pub use counters::DetectorCounters;
pub use detector::{Detector, ScoredFlow};
pub use docket::Docket;
pub use evidence::{Contribution, Detail, Evidence, Of};
pub use explain::{Reason, reason};
pub use flow_ref::FlowRef;
pub use incident::{Cause, Episode, Incident, IncidentState};
pub use knowledge::Knowledge;
pub use memory::{Lately, Memory, Remembered};
pub use notice::Notice;
pub use rank::HostRank;
pub use score::{Score, Term};
pub use share::share_of;
pub use story::JOINS_WITHIN;
pub use submission::Submission;
pub use surprise::Surprise;

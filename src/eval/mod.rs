//! Scores against ground truth: how well flow scores tell attacks apart, and what the alerts found and cost.
//!
//! The definitions are those of `docs/measures.md`; `tools/score_flows.py` and `tools/score_alerts.py` compute the same
//! independently, and a test compares. Pure: no file is read here.

mod alerts;
mod episode;
mod flows;
mod hosts;
mod table;

pub use alerts::{AlertLine, AlertScores, Judged, episodes};
pub use flows::{AttackScore, FlowScores, flow_auc};
pub use hosts::{HostsError, addresses_in};

/// Why nothing can be scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// One side of the comparison is empty.
    #[error("nothing to score: {benign} benign flows, {attacks} attacks, {left_out} flows left out; wanted some of both")]
    NothingToScore {
        /// Benign flows in the judged span.
        benign: usize,
        /// Attacks with a flow in the judged span.
        attacks: usize,
        /// Flows that count for neither side.
        left_out: usize,
    },
}

//! Ground truth for captures: label files, and which label a flow takes.
//!
//! The format is one CSV row per conversation or per pattern of conversations; `docs/measures.md` defines how a flow takes
//! its label, and `tools/score_flows.py` does the same independently.

mod csv;
mod error;
mod index;
mod open;
mod row;
mod truth;

pub use error::TruthError;
pub use open::open;
pub use row::{Kind, Row};
pub use truth::{FlowTuple, Label, Truth};

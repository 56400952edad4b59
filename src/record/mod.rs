//! Flow records that were made elsewhere: the other way into the seam between packets and flows. Reads EVE flow events (our
//! own, and Suricata's), Zeek's conn logs (TSV and JSON), tables with a header (CSV and, with the feature `parquet`, Parquet),
//! and hands the same records and observations to the same consumers as [`crate::pipeline::run`] does.
//!
//! Architecture invariants: what a file holds is told by its content, never by its name; a line that cannot be read is counted
//! and told with its place, and ends nothing; memory is bounded by the longest line and by the records held for their order;
//! nothing here asks for the time.

mod account;
mod draft;
mod error;
mod eve;
mod field;
mod files;
mod format;
mod kind;
mod line;
#[cfg(feature = "parquet")]
mod parquet;
mod reader;
mod restore;
mod row;
mod run;
mod zeek;

pub use account::RecordAccount;
pub use error::{RecordError, Wrong};
pub use files::{MAX_OPEN, RecordFiles, open};
pub use format::{Format, recognise};
pub use kind::RecordKind;
pub use line::{Lines, MAX_LINE_BYTES};
#[cfg(feature = "parquet")]
pub use parquet::parquet_starts;
pub use run::{MAX_HELD, RecordConfig, run};

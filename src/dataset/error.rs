//! What can be wrong with a label file.

use std::io;

/// Why a label file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// The bytes could not be read.
    #[error("{file}, line {line}: cannot read: {source}")]
    Read {
        /// The label file.
        file: String,
        /// The line being read, from 1.
        line: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The text is no CSV (RFC 4180).
    #[error("{file}, line {line}: wanted {wanted}, got {got}")]
    Syntax {
        /// The label file.
        file: String,
        /// The line on which the record begins, from 1.
        line: u64,
        /// What should be there.
        wanted: &'static str,
        /// What is there.
        got: &'static str,
    },
    /// The header lacks a column.
    #[error("{file}, line 1: wanted a column {column:?}, got {got:?}")]
    Column {
        /// The label file.
        file: String,
        /// The column that is missing.
        column: &'static str,
        /// The header as it is.
        got: String,
    },
    /// A field does not hold what its column should.
    #[error("{file}, line {line}, column {column:?}: wanted {wanted}, got {got:?}")]
    Field {
        /// The label file.
        file: String,
        /// The line on which the record begins, from 1.
        line: u64,
        /// The column.
        column: &'static str,
        /// What should be there.
        wanted: &'static str,
        /// What is there.
        got: String,
    },
}

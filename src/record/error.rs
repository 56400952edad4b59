//! What can be wrong with a file of flow records, and where.

use core::fmt;
use std::borrow::Cow;
use std::io;

use crate::capture::{CaptureError, Input};

/// What a message quotes at the most, in characters.
const MOST_QUOTED: usize = 80;

/// A field that does not hold what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The field, as the file names it.
    pub field: Cow<'static, str>,
    /// What should be there.
    pub wanted: &'static str,
    /// What is there, cut to 80 characters; nothing when there is nothing.
    pub got: Option<String>,
}

impl Wrong {
    /// A field with this in it.
    pub(super) fn new(field: impl Into<Cow<'static, str>>, wanted: &'static str, got: &str) -> Self {
        Self { field: field.into(), wanted, got: Some(got.chars().take(MOST_QUOTED).collect()) }
    }

    /// A field that is not there, or empty.
    pub(super) fn missing(field: impl Into<Cow<'static, str>>, wanted: &'static str) -> Self {
        Self { field: field.into(), wanted, got: None }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "field {:?}: wanted {}, got ", self.field, self.wanted)?;
        match &self.got {
            Some(got) => write!(f, "{got:?}"),
            None => f.write_str("nothing"),
        }
    }
}

/// Why records were not read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file could not be opened.
    #[error(transparent)]
    Open(#[from] CaptureError),
    /// A folder was named.
    #[error("{file}: a folder; name the files with flow records")]
    Folder {
        /// The folder.
        file: Input,
    },
    /// It is a capture.
    #[error("{file}: a capture, no flow records; auscult replay judges captures")]
    Capture {
        /// The file.
        file: Input,
    },
    /// It is something else.
    #[error(
        "{file}: no flow records: begins with {seen:?}; wanted EVE flow events or a Zeek conn log as JSON Lines, a Zeek log with #fields, a \
         table (CSV) with addresses, ports and times of flows in its header, or Parquet"
    )]
    Unrecognised {
        /// The file.
        file: Input,
        /// Its first characters.
        seen: String,
    },
    /// The bytes could not be read further.
    #[error("{file}, line {line}: cannot be read: {source}")]
    Read {
        /// The file.
        file: Input,
        /// The line that could not be read whole, from 1.
        line: u64,
        /// What the system or the decompressor said.
        source: io::Error,
    },
    /// A header names columns in a way that cannot be read.
    #[error("{file}, line {line}: {wrong}")]
    Header {
        /// The file.
        file: Input,
        /// The header's line, from 1.
        line: u64,
        /// What is wrong.
        wrong: Wrong,
    },
    /// Parquet that cannot be read.
    #[error("{file}: {reason}")]
    Parquet {
        /// The file.
        file: Input,
        /// Why not.
        reason: String,
    },
    /// More files overlap in time than may be open at once. The one named was not read.
    #[error("{file}: not read: it overlaps in time with {limit} other files; read fewer at once")]
    TooManyAtOnce {
        /// The file that was left out.
        file: Input,
        /// Files that may be open at once.
        limit: usize,
    },
    /// Lines (rows of Parquet) that hold no record that can be read. The others were.
    #[error("{file}, line {line}: {wrong}{}", others(*.more))]
    Bad {
        /// The file with the first of them.
        file: Input,
        /// Its line, from 1; of Parquet, its row.
        line: u64,
        /// What is wrong with it.
        wrong: Wrong,
        /// How many more there were, in all files.
        more: u64,
        /// Was it the one such line, the last of its file, without an end: a file that was cut?
        is_cut: bool,
    },
}

fn others(more: u64) -> String {
    match more {
        0 => String::new(),
        1 => String::from(" (and 1 more line that could not be read)"),
        more => format!(" (and {more} more lines that could not be read)"),
    }
}

impl RecordError {
    /// Did a file merely end too early (exit status 4), with all records before the cut read? Otherwise it is a failure
    /// (exit status 1).
    #[must_use]
    pub fn is_truncation(&self) -> bool {
        match self {
            Self::Open(error) => error.is_truncation(),
            Self::Read { source, .. } => source.kind() == io::ErrorKind::UnexpectedEof,
            Self::Bad { is_cut, more, .. } => *is_cut && *more == 0,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_what_was_wanted_and_what_was_found() {
        let wrong = Wrong::new("id.resp_p", "a port from 0 to 65535", "99999");
        let file = || Input::Path("conn.log".into());
        let bad = RecordError::Bad { file: file(), line: 9, wrong, more: 0, is_cut: false };
        assert_eq!(bad.to_string(), r#"conn.log, line 9: field "id.resp_p": wanted a port from 0 to 65535, got "99999""#);
        let missing = Wrong::missing("ts", "epoch seconds");
        assert_eq!(missing.to_string(), r#"field "ts": wanted epoch seconds, got nothing"#);
        let cut = RecordError::Bad { file: file(), line: 9, wrong: missing, more: 0, is_cut: true };
        assert!(cut.is_truncation() && !bad.is_truncation());
    }

    #[test]
    fn a_long_field_is_not_quoted_whole() {
        assert_eq!(Wrong::new("uid", "text", &"x".repeat(5000)).got.map(|got| got.len()), Some(MOST_QUOTED));
    }
}

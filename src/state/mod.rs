//! What is remembered over a crash: a checkpoint that is written now and then, and a journal of what was told since.
//!
//! ```text
//! judging thread                                thread of its own
//! state, now and then ─▶ bytes in memory ─────▶ checkpoint.new ─▶ disk ─▶ checkpoint
//! what is told ────────▶ journal.N at once      older journals are removed
//! ```
//!
//! A checkpoint names the journal that goes on behind it, so whenever the program dies, a checkpoint and all journals from there on are
//! whole. Both carry digests. The first checkpoint is due at once, as a journal without one is worth nothing. What is damaged, or of
//! another version of the program, is set aside and told; it never keeps anybody from starting.

mod desk;
mod folder;
mod journal;
mod keeper;

pub use desk::Desk;
pub use folder::{FORMAT, Folder, Found};
pub use keeper::{Fault, Keeper};

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Told in a sentence what happens to the folder.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refused.
    #[error("{path}: {doing}: {source}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody else remembers there.
    #[error("{path}: in use by another auscult; give each a folder of its own")]
    InUse {
        /// Which folder.
        path: PathBuf,
    },
    /// It has no form as bytes.
    #[error("{path}: {source}")]
    Form {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: postcard::Error,
    },
}

impl StateError {
    fn io(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, doing, source }
    }
}

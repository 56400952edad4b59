//! What the process may still do once it has begun: a user without rights, the few paths and ports that it needs (Landlock), and the
//! system calls that it needs (seccomp). What is given up never comes back.
//!
//! All of it is taken before the first thread is started, since the kernel keeps most of it per thread and threads inherit it.
//! Nothing here knows what it is for: `cli` says what is needed (docs/decisions/0023-privileges.md).

mod calls;
mod fence;
mod identity;

pub use calls::{Capture, filter_calls};
pub use fence::{Allowed, fence};
pub use identity::{Keep, User, is_root, keep_only, runs_as};

/// What holds from now on of what was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// How much of it.
    pub how: Enforced,
    /// The same in words, with the reason where it is not all.
    pub in_words: String,
}

/// How much the kernel enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Enforced {
    /// Nothing.
    Not,
    /// What it knows of it.
    InPart,
    /// All of it.
    Whole,
}

/// Why a right was not given up.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// There is no such user.
    #[error("there is no user {0}")]
    NoSuchUser(String),
    /// The system refused.
    #[error("{action}: {source}")]
    System {
        /// What was being done.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl GuardError {
    fn system<E: Into<std::io::Error>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System { action, source: source.into() }
    }
}

/// From now on no program that is started brings rights of its own, such as one that is set-user-ID (`PR_SET_NO_NEW_PRIVS`). Without it
/// neither Landlock nor seccomp is open to a process without rights.
///
/// # Errors
/// When the system refuses.
pub fn no_new_privileges() -> Result<(), GuardError> {
    rustix::thread::set_no_new_privs(true).map_err(GuardError::system("no new privileges"))
}

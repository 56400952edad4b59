//! Why something was not done.

/// Why a server did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NatsError {
    /// What the command line says cannot be.
    #[error("{0}")]
    Usage(String),
    /// The server is there, and it will not have it: credentials, certificates.
    #[error("{server}: {what}")]
    Refused {
        /// Which server.
        server: String,
        /// What it said.
        what: String,
    },
    /// It cannot be done now; it may be done later.
    #[error("{server}: {what}")]
    Later {
        /// Which server.
        server: String,
        /// What was wrong.
        what: String,
    },
}

impl NatsError {
    /// May it be done later, by the same call?
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Later { .. })
    }
}

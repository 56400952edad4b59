//! Where alerts go: stdout, files that rotate, syslog over UDP, TCP and TLS, web hooks and Splunk's HTTP Event Collector.
//!
//! ```text
//! judging thread                                   one thread for each target on the network
//! alert line ──▶ Writer ──▶ file, stdout
//!                     └───▶ spool on disk ═════════▶ batch ──▶ format ──▶ Sender ──▶ target
//!                           (oldest go when full)    └─ only what the target confirmed leaves the spool
//! ```
//!
//! Every alert for the network is on disk before it is sent, in a [`Spool`] of EVE lines, so judging waits for the local disk alone,
//! order is that of the spool, and what a target did not take is there after a restart.

use std::io::ErrorKind;

mod deliver;
mod file;
mod gauge;
#[cfg(feature = "tls")]
mod http;
#[cfg(feature = "nats")]
mod jetstream;
mod retention;
mod send;
mod spool;
mod stdout;
mod syslog;
mod target;
#[cfg(feature = "tls")]
mod tls;
mod writer;

pub use deliver::{Delivery, Report, Tell};
pub use file::Rotation;
pub use gauge::{SinkGauge, SinkState};
#[cfg(feature = "tls")]
pub use http::proxy_port;
pub use retention::Retention;
pub use spool::{Batch, Spool};
pub use stdout::Stdout;
pub use syslog::{escape_parameter, frame};
pub use target::{Endpoint, Place, Target, TargetOptions};
#[cfg(feature = "tls")]
pub use tls::{certificates, private_key};
pub use writer::{Opened, SinkOptions, Writer, open};

/// What to do about a file or folder that cannot be written, by what the system said.
#[must_use]
pub const fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => "make room on its disk",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "give write access to it",
        _ => "see to its disk",
    }
}

/// Why a target is not opened or does not work.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// What the command line says of it cannot be.
    #[error("{0}")]
    Usage(String),
    /// A file or folder.
    #[error("{place}: {error}")]
    Io {
        /// Which.
        place: String,
        /// What the system said.
        error: std::io::Error,
    },
}

impl SinkError {
    fn io(place: impl ToString, error: std::io::Error) -> Self {
        Self::Io { place: place.to_string(), error }
    }
}

//! Beyond one machine: the seam between packets and flows, stretched over NATS JetStream. A sensor publishes its flow records, a detector
//! judges those of many sensors as one process would that had seen all their packets.
//!
//! ```text
//! sensor:   consumer ──▶ batches by partition ──▶ spool on disk ══▶ thread ──▶ PREFIX.flows.SITE.PARTITION
//!                                                                              PREFIX.flows.SITE.clock
//! detector: stream ──▶ doubles out ──▶ one order by all sensors' clocks ──▶ consumer ──▶ confirmed
//! ```
//!
//! Architecture invariants: what crosses has a version and is read within bounds; a record that was accepted by the spool arrives or is
//! counted; a detector confirms a message only when its records were judged.

mod account;
mod batch;
mod envelope;
mod form;
mod group;
mod merge;
mod publish;
mod run;
mod seen;
mod send;
mod skew;
mod spool;
#[cfg(test)]
mod testing;
mod training;

pub use account::MergeAccount;
pub use batch::{Clock, Content, Message, Origin, VERSION, read, write_clock};
pub use envelope::MOST_BYTES;
pub use form::{Received, Side};
pub use group::{Filing, Group, GroupAccount, GroupConfig, Letters, Share, run as run_in_group};
pub use merge::MergeConfig;
pub use publish::{Batching, MOST_PARTITIONS, Outbox, PARTITIONS, Pace, Published, PublishedAccount};
pub use run::{Source, StreamAccount, StreamConfig, run};
pub use send::{Outgoing, OutgoingConfig, OutgoingState};
pub use spool::Spool;
pub use training::{Part, Terms, Training, TrainingConfig};

/// Why a message cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// It is something else.
    #[error("no message of auscult's sensors")]
    Foreign,
    /// Of another version of the form.
    #[error("a message of version {got}; this program reads version {wanted}: sensors and detectors must be of one version")]
    Version {
        /// Its version.
        got: u16,
        /// The one that is read.
        wanted: u16,
    },
    /// Cut or changed on its way.
    #[error("a message that is cut or damaged: {0}")]
    Damaged(String),
    /// More than a message may hold.
    #[error("a message of {bytes} bytes; at most {most} are allowed")]
    TooLong {
        /// Its bytes.
        bytes: usize,
        /// The most.
        most: usize,
    },
}

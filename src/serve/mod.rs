//! The live page, its API and what monitors ask for, over HTTP. The only user of hyper and tokio.
//!
//! ```text
//! judge's thread --events, bounded--> board's thread --> Board (behind a lock) <-- server's thread <-- browsers
//! ```
//!
//! Architecture invariants: the judge's thread never takes the lock and never waits while capturing live ([`Overload::Drop`]); what is
//! kept is bounded ([`Board`]); text from outside leaves as JSON or through `maud`, never as script; nothing that is asked changes
//! anything but by [`Answering`].

mod address;
mod answer;
mod api;
mod board;
mod body;
mod guard;
mod health;
mod histogram;
mod kept;
mod listen;
mod metrics;
mod minutes;
mod page;
mod patient;
mod reply;
mod route;
mod stream;
mod tap;

pub use address::{ServeError, ServeOptions, Tokens};
pub use answer::Answering;
pub use board::{Board, BoardConfig};
pub use health::Vitals;
pub use histogram::Histogram;
pub use listen::Server;
pub use tap::{Overload, Tap};

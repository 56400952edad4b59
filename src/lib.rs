//! `auscult` listens to a network passively, learns what is normal for each device, and explains what is not.
//!
//! The modules are the way of the data; `docs/architecture.md` shows the whole on one page.

pub mod alert;
pub mod app;
pub mod capture;
pub mod cli;
pub mod dataset;
pub mod detect;
pub mod eval;
pub mod evidence;
pub mod feature;
#[cfg(feature = "nats")]
pub mod fleet;
pub mod flow;
pub mod guard;
pub mod inventory;
#[cfg(feature = "parquet")]
pub mod lake;
pub mod model;
#[cfg(feature = "nats")]
pub mod nats;
pub mod pipeline;
pub mod pseudonym;
pub mod record;
pub mod replay;
pub mod report;
#[cfg(feature = "http")]
pub mod serve;
pub mod sighting;
pub mod sink;
pub mod state;
pub mod time;
pub mod train;
pub mod wire;

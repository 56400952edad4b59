//! The threads: a reader that decodes and deals out packets, workers that own shards of the flow table, and the merge that
//! puts their records into an order that does not depend on them. The only user of crossbeam, and the only place that may
//! ask the system for the time.
//!
//! ```text
//! reader --batches--> worker 0..N --records by tick--> merge (caller's thread) --> consumer
//!   |    <--recycled--                                  ^
//!   +-------------------------------sightings by tick---+
//! ```
//!
//! Overload: every channel is bounded and blocks, and a replay never drops a packet. Live, the kernel's ring takes a burst; when it
//! drops frames because the workers are behind, whole flows are shed, and counted.

mod accounting;
mod batch;
mod beats;
mod capture_clock;
mod clock;
mod gate;
mod gauges;
mod loss;
mod merge;
mod mirror;
mod pin;
mod reader;
mod run;
mod shed;
mod sightings;
mod spare;
mod worker;

pub use accounting::Accounting;
pub use batch::{Emitted, Spent};
pub use clock::{Stopwatch, now};
pub use gauges::{Gauges, PublishGauge};
pub use loss::{Condition, TcpAccount};
pub use pin::{hold_to, usable_cores};
pub use run::{Consumer, PipelineConfig, Progress, run};

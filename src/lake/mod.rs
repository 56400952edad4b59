//! A folder of flow records in many Parquet files, by site, day and hour: what `--flows DIR/` writes and `train DIR/` reads.
//!
//! ```text
//! DIR/site=NAME/date=YYYY-MM-DD/hour=HH/part-000000.parquet     whole, and never changed again
//!                                      .part-000001.parquet.tmp  being written
//! ```
//!
//! The hour is the one, in UTC, in which a record ends. A record is told when it has ended, so an hour fills while it is the current
//! one and is then left alone; by their beginnings long conversations would go to hours that were closed long ago.
//!
//! Architecture invariants: a file has its name when it is whole, and not before; what is in which file depends on the records and
//! their order alone, not on the time of the day; few files are open at once; what cannot be written waits or is counted, and ends
//! nothing.

mod hour;
mod part;
mod parts;
mod sweep;
mod writer;

pub use hour::Hour;
pub use parts::{LakeError, Parts, is_lake, parts};
pub use writer::{Lake, LakeOptions, MAX_OPEN_PARTS};

//! From packets to bidirectional flows: key, direction, TCP state, statistics in constant memory, table and timers.
//!
//! Architecture invariants: a flow's limits depend only on its own packets and on ticks that every shard sees at the same
//! place of the capture; nothing here knows how many workers there are.

mod community_id;
mod direction;
mod flow_state;
mod history;
mod index;
mod key;
mod limits;
mod net;
mod record;
mod records;
mod shard;
mod slots;
mod stats;
mod tally;
mod tcp;
mod wheel;

pub use community_id::community_id;
pub use direction::{DirectionBasis, HomeNets, is_group, is_own_group};
pub use flow_state::Flow;
pub use history::{HISTORY_LETTERS, History};
pub use key::{FlowKey, SHARDS, Service};
pub use limits::{CheckedLimits, FlowLimits, LimitsError};
pub use net::{Net, ParseNetError};
pub use record::{EndReason, FlowRecord, Fragments, IcmpError, Sight};
pub use records::Records;
pub use shard::{Shard, ShardCounters};
pub use stats::{FIRST_SIZES, SideStats};
pub use tcp::{ConnState, TcpTracker};

#[cfg(test)]
pub(crate) use stats::testing;

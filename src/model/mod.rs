//! What is normal: scaled features in clusters (behaviours), what each device does (baselines), and how often scores occur
//! (calibration). The only user of linfa.
//!
//! Architecture invariants: a model is made of counts and sums, so that it can be read by a person and merged; the same
//! observations and seed give the same bytes.

mod baseline;
mod behaviour;
mod calibration;
mod card;
mod commons;
mod counts;
mod difference;
mod exchanges;
mod family;
mod file;
mod histogram;
mod home;
mod host;
mod hour;
mod hours;
mod identity;
mod keys;
mod kmeans;
mod lasting;
mod measured;
mod order;
mod packed;
mod plane;
mod pooled;
mod rarity;
mod repeats;
mod role;
mod sample;
mod scaler;
mod seen;
mod sending;
mod steady;
mod stood_out;
mod stored_host;
mod sums;
mod tail;
mod text;
mod window;

pub use baseline::{Baselines, BaselinesBuilder, RULES, ServedBaseline, ServiceBaseline};
pub use behaviour::{Behaviour, MIN_FLOWS, Match, TRIMMED_SHARE, Vocabulary};
pub use calibration::{Budget, Calibration, EXTRAORDINARY, OrdinaryBits, Regard, UNNAMED_BITS};
pub use card::{card, card_json};
pub use commons::{Commons, Kind, KnownTo, Roles, value_key};
pub use counts::{Counts, Life, Unseen, Value};
pub use difference::{DeviceChange, Difference};
pub use exchanges::{Exchanges, Side};
pub use family::Family;
pub use file::{Adapted, FORMAT, Model, ModelError, Provenance, Source};
pub use histogram::Histogram;
pub(crate) use histogram::bucket;
pub(crate) use histogram::upper_edge;
pub use host::{FEW_BYTES, FEW_EXCHANGES, HostBaseline};
pub use hour::{Hour, HourOfDevice};
pub use hours::{Days, ENOUGH_WEEKEND_DAYS, ENOUGH_WORKING_DAYS, Hours};
pub use identity::{Identities, IdentitiesBuilder, Names};
pub use kmeans::ClusterError;
pub use measured::{ServiceServed, ServiceUse};
pub use order::Order;
pub use packed::Packed;
pub use plane::{Axis, Plane};
pub use pooled::{NewRate, Newness, Pooled};
pub use repeats::{Repeated, Repeats};
pub use role::Role;
pub use sample::FlowSample;
pub use scaler::{Scaled, Scaler, transform};
pub use sending::Sending;
pub use steady::{DEAF_MINUTES, Steady};
pub use stood_out::{MOST_STOOD_OUT, StoodOut};
pub use tail::{bits, tail_probability};
pub use text::ParseKeyError;
pub use window::{
    CARRIER_NAME_BYTES, Carried, Conversation, Counted, Edge, Initiated, Map, Minute, ODD_SHARE, Served, Shape, TUNNEL_NAME_BYTES,
};

//! NATS JetStream, for whoever wants to publish, to read on from where it was, or to keep a file: the only user of async-nats, and nothing
//! of it is seen outside. All calls wait; one thread of its own does what the connection needs.
//!
//! It knows nothing of what it carries. Only what nats-server 2.9 knows is used.

mod address;
mod connection;
mod error;
mod follow;
mod store;
mod stream;
mod subject;

pub use address::{Access, Address, name_of};
pub use connection::{Nats, Parcel, Sent};
pub use error::NatsError;
pub use follow::{Bell, Followed, Follower};
pub use stream::{Delivered, Keeping, Reading, ReadingConfig};
pub use subject::Listening;

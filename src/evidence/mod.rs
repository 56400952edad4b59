//! The packets of incidents, as pcapng files in a folder.
//!
//! The detector never sees a packet. Where evidence is wanted of what cannot be read twice, the reader hands on what is kept of each
//! packet ([`Slices`]) as it does with sightings, and a ring holds the latest of them until a notice tells which
//! conversations they are wanted of. Files are read a second time instead ([`Evidence::read_again`]).
//!
//! Architecture invariants: nothing here changes what is judged; what is written depends on the packets and the notices alone; every
//! packet of a conversation that is followed is written or counted with the reason.

mod account;
mod file;
mod folder;
mod followed;
mod keeper;
mod ring;
mod slice;

pub use account::{EvidenceAccount, LeftOut};
pub use file::{MOST_BYTES, MOST_PACKETS};
pub use folder::FolderError;
pub use keeper::{Evidence, EvidenceConfig};
pub use slice::{Cut, Slice, Slices, Subject};

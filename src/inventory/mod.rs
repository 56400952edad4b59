//! The inventory: which devices are there, told from what was seen of them.
//!
//! It takes sightings (what single frames say of a device itself) and flow records, and keeps what they say apart by interface
//! and address. Which of these belong to one device is decided at the end, when it is known which MAC addresses are a device's
//! own and which are a router's in front of others (`group.rs`): what was once poured together could not be parted again.
//!
//! Nothing here knows of the detector, nor the detector of this.

mod device;
mod group;
mod holding;
mod keep;
mod known;
mod learn;
mod role;
mod station;
mod usage;
mod vendor;
mod write;

pub use device::{Address, AeTitle, Announced, Device, Dhcp, Hl7Application, Name, Role, Software};
pub use keep::{Inventory, InventoryCounters};
pub use known::{NameSource, Part, SoftwareKind};
pub use usage::ServiceUse;
pub use vendor::{VendorError, Vendors};
pub use write::{write_csv, write_json};

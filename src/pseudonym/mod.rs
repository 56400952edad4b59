//! Pseudonyms for addresses, MAC addresses and names, made with a key (`docs/privacy.md`, `docs/decisions/0019-pseudonyms.md`).
//!
//! Records and sightings get theirs where they leave the pipeline, before anything judges, learns or writes: what comes behind
//! never sees an address. Addresses keep their prefixes (Crypto-PAn) and their kind; they, MAC addresses and flow identifiers are
//! permuted, so the key turns them back. Names are hashed, and turned back by what [`Seal`] sealed.

mod address;
mod frame;
mod key;
mod name;
mod permute;
mod pseudonyms;
mod seal;
mod text;

pub use frame::frame;
pub use key::{KEY_BYTES, Key, KeyError};
pub use name::Label;
pub use pseudonyms::Pseudonyms;
pub use seal::{Dictionary, Seal, SealError};
pub use text::{Revealed, Revealer};

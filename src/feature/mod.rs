//! What a flow looks like as numbers: one static schema, and the extraction into an array.
//!
//! Architecture invariant: no feature carries an address, a port, an absolute time or a place in the capture, so that no
//! feature can carry the answer.

mod controller;
mod extract;
mod fact;
mod observation;
pub(crate) mod packing;
mod schema;
mod tool;

pub use extract::extract;
pub use fact::{
    Fact, FactKind, HALTING_REQUESTS, POLICY_CHANGE, ParseFactError, READ_REQUEST, SUBSCRIBE_ALL, UPLOAD_REQUEST, WEAK_TICKETS,
    fact_texts, names_service,
};
pub use observation::{
    BYTES_ORIG, BYTES_RESP, DNS_NAME_BYTES, DNS_ODD_TYPES, DNS_QUERIES, DURATION, Host, NamesAsked, Observation, PACKETS_ORIG,
    PACKETS_RESP, TURNS,
};
pub use packing::{pack, unpack};
pub use schema::{COUNT, Feature, SCHEMA, Scale, hex, markdown, schema_hash};
pub use tool::{attacks_servers, injects, labels_of_tool};

/// The features of one flow, in the order and units of [`SCHEMA`]. Every value is finite.
pub type Vector = [f64; COUNT];

/// A number of bytes for people: `0 bytes`, `950 bytes`, `41 kB`, `1.2 GB`.
#[must_use]
pub fn size_in_words(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (bytes.max(0.0), 0);
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if unit > 0 && value < 9.95 { 1 } else { 0 };
    format!("{value:.digits$} {}", UNITS[unit])
}

//! The one step of the hashes of keys and packets.

/// Multiplies to 128 bits and folds the halves: every input bit reaches every output bit.
#[must_use]
pub const fn mix(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

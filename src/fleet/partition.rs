//! Which part of all devices a device belongs to.

use crate::feature::Host;

/// Partitions where nobody says otherwise.
pub const PARTITIONS: u16 = 64;
/// Partitions at the most.
pub const MOST_PARTITIONS: u16 = 1024;

/// The partition of a device, of so many: FNV-1a of the 16 bytes of its address, mixed as in MurmurHash3, modulo their number. The same in
/// every version of the program and on every machine; sensors and detectors of one stream agree on the number.
#[must_use]
pub fn partition(host: Host, partitions: u16) -> u16 {
    let bytes = host.0.bits().to_be_bytes();
    let hash =
        bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    ((mixed ^ mixed >> 33) % u64::from(partitions.max(1))) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_changes() {
        let of = |text: &str| partition(text.parse().unwrap(), PARTITIONS);
        assert_eq!(["10.0.0.1", "10.0.0.2", "192.168.1.77", "fe80::1"].map(of), [44, 17, 62, 55]);
    }

    #[test]
    fn devices_are_spread_evenly() {
        let mut counts = [0_u32; PARTITIONS as usize];
        for device in 0..6400_u32 {
            let host = format!("10.1.{}.{}", device / 250, device % 250 + 1);
            counts[usize::from(partition(host.parse().unwrap(), PARTITIONS))] += 1;
        }
        assert!(counts.iter().all(|count| (60..145).contains(count)), "{counts:?}");
    }
}

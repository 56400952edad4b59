//! The attacks, one after the other with at least five quiet minutes between: all rows that are malicious.

mod medical;
mod network;
mod outward;

use super::clock::MINUTE;
use super::net::Net;

/// The split: the first attack begins here, 60 % into the capture.
pub const SPLIT: i64 = 216 * MINUTE;

/// Lets everything happen.
pub fn strike(net: &mut Net) {
    network::port_scan(net, SPLIT);
    network::brute_force(net, 224 * MINUTE);
    outward::beacon(net, 234 * MINUTE, 274 * MINUTE);
    outward::dns_tunnel(net, 280 * MINUTE);
    medical::dicom_reconnaissance(net, 292 * MINUTE);
    medical::dicom_bulk_retrieval(net, 299 * MINUTE);
    medical::hl7_injection(net, 307 * MINUTE);
    outward::exfiltration(net, 314 * MINUTE);
    network::ransomware(net, 323 * MINUTE);
    network::syn_flood(net, 332 * MINUTE);
    network::rogue_device(net, 340 * MINUTE);
}

//! Devices that scan as a matter of habit.

use super::range::{BYTES_ORIG, BYTES_RESP};
use crate::feature::Observation;
use crate::model::HostBaseline;

/// Attempts that fail within a minute of scanning.
const SCANNER_FAILURES: f64 = 30.0;
/// Minutes of learning in which a device that scans as a matter of habit did so.
const SCANNER_MINUTES: u32 = 3;
/// Payload of a probe at the most, in bytes: a certificate or a banner, no work done.
const PROBE_BYTES: f32 = 8192.0;

/// Is it one of the probes of a device that scans as a matter of habit? Which port comes next is no news; how many it tries still counts,
/// and so does what comes of it.
pub(super) fn is_probe_of_scanner(seen: &Observation, orig: Option<&HostBaseline>) -> bool {
    let payload = seen.vector[BYTES_ORIG] + seen.vector[BYTES_RESP];
    (seen.failed || payload <= PROBE_BYTES) && orig.is_some_and(scans_by_habit)
}

/// Did a device scan again and again while it was learned?
pub(super) fn scans_by_habit(host: &HostBaseline) -> bool {
    host.failed_per_min().at_least(SCANNER_FAILURES) >= SCANNER_MINUTES
}

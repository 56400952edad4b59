//! A small fleet: its attackers are found and nobody else, and a device takes few bytes.
#![allow(dead_code, reason = "the example uses the rest")]

#[path = "../support/fleet.rs"]
#[expect(clippy::module_inception, reason = "the example has it at its root")]
mod fleet;
#[path = "../support/fleet_roles.rs"]
mod fleet_roles;
#[path = "../support/fleet_run.rs"]
mod fleet_run;

use fleet_run::{Meter, Run};

/// Bytes of a device's baseline at the most, on average; in a large fleet, which shares the outside, it is a tenth less. 1.5 million
/// devices of 780 bytes, with what the allocator adds, just fit 2 GiB.
const MOST_BYTES: u64 = 900;

struct Nothing;

impl Meter for Nothing {
    fn cpu_s(&self) -> f64 {
        0.0
    }

    fn resident_mib(&self) -> f64 {
        0.0
    }
}

#[test]
fn attackers_are_found_and_nobody_else() {
    let run = Run::of(2_000, 6_000, 1, &Nothing);
    assert_eq!(run.missed().count(), 0, "{:?}", run.missed().collect::<Vec<_>>());
    assert_eq!(run.others().count(), 0, "{:?}", run.others().collect::<Vec<_>>());
    let bytes = run.baseline_bytes / run.devices;
    assert!((200..MOST_BYTES).contains(&bytes), "{bytes} bytes a device");
    assert!(run.learned.records > 12 * run.devices && run.judged.records >= 6_000 && run.threshold > 0.0);
}

//! What the kernel tells of this process.

use std::fs::read_to_string;

use super::fleet_run::Meter;

/// Processor time of this thread, as the kernel counts it.
pub struct Kernel;

impl Meter for Kernel {
    fn cpu_s(&self) -> f64 {
        // What this thread has used is brought up to date when it yields, else only every four milliseconds.
        std::thread::yield_now();
        let nanos = read_to_string("/proc/thread-self/schedstat").ok().and_then(|text| text.split(' ').next()?.parse().ok());
        nanos.unwrap_or(0.0) / 1e9
    }

    fn resident_mib(&self) -> f64 {
        status("VmRSS:")
    }
}

/// A line of the process's status, in MiB.
pub fn status(name: &str) -> f64 {
    let text = read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}

//! One hour of the network: what is too slow to be seen in a minute.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use super::window::Map;
use crate::feature::{Host, Observation};
use crate::time::{Span, Timestamp};

/// Its length.
const LENGTH: Span = Span::from_secs(3600);
/// The least of it that must have passed for it to be learned from.
const ENOUGH: Span = Span::from_secs(3000);
/// Devices followed within one hour; those beyond are not. 80 bytes each.
const MAX_DEVICES: usize = 1_000_000;

/// What one device began within the hour.
#[derive(Clone, Copy, Debug, Default)]
pub struct HourOfDevice {
    /// Different targets (device and service).
    targets: Distinct<4>,
    /// Different devices.
    peers: Distinct<2>,
    /// Attempts to connect or to log in that failed.
    pub failed: u32,
}

impl HourOfDevice {
    /// Different targets (device and service), about.
    #[must_use]
    pub fn targets(&self) -> f64 {
        self.targets.estimate()
    }

    /// Different devices, about.
    #[must_use]
    pub fn peers(&self) -> f64 {
        self.peers.estimate()
    }
}

/// Hours one after the other, counted from the first observation.
#[derive(Clone, Debug, Default)]
pub struct Hour {
    start: Option<Timestamp>,
    devices: Map<Host, HourOfDevice>,
}

impl Hour {
    /// Counts an observation. Returns what the hour before held, when a new one begins with it and that one was whole.
    pub fn add(&mut self, seen: &Observation) -> Option<Map<Host, HourOfDevice>> {
        let start = *self.start.get_or_insert(seen.seen);
        let mut ended = None;
        if seen.seen.since(start) >= LENGTH {
            let hours = seen.seen.since(start).nanos() / LENGTH.nanos();
            self.start = Some(start + Span::from_nanos(hours * LENGTH.nanos()));
            ended = Some(std::mem::take(&mut self.devices));
        }
        let fails = u32::from(seen.failed) + seen.events.login_failures;
        if !seen.is_first_sight() && fails == 0 || self.devices.len() >= MAX_DEVICES && !self.devices.contains_key(&seen.orig) {
            return ended;
        }
        let device = self.devices.entry(seen.orig).or_default();
        if seen.is_first_sight() {
            device.targets.add(hash((seen.resp, seen.service)));
            device.peers.add(hash(seen.resp));
        }
        if seen.is_complete() {
            device.failed = device.failed.saturating_add(fails);
        }
        ended
    }

    /// What is left at the end, if that was nearly an hour by `last`.
    #[must_use]
    pub fn finish(self, last: Timestamp) -> Option<Map<Host, HourOfDevice>> {
        self.start.filter(|&start| last.since(start) >= ENOUGH).map(|_| self.devices)
    }

    /// What a device has begun so far in this hour.
    #[must_use]
    pub fn of(&self, device: Host) -> HourOfDevice {
        self.devices.get(&device).copied().unwrap_or_default()
    }
}

fn hash<V: std::hash::Hash>(value: V) -> u64 {
    FixedState::default().hash_one(value)
}

/// A count of different values in 64·W bits: linear counting (Whang, Vander-Zanden, Taylor 1990). Within a tenth up to as many
/// values as bits; it ends at some five times as many.
#[derive(Clone, Copy, Debug)]
struct Distinct<const W: usize> {
    bits: [u64; W],
}

impl<const W: usize> Default for Distinct<W> {
    fn default() -> Self {
        Self { bits: [0; W] }
    }
}

impl<const W: usize> Distinct<W> {
    const BITS: u64 = 64 * W as u64;

    const fn add(&mut self, hash: u64) {
        let place = (hash >> 20) % Self::BITS;
        self.bits[(place / 64) as usize] |= 1 << (place % 64);
    }

    fn estimate(&self) -> f64 {
        let all = Self::BITS as f64;
        let unset = self.bits.iter().map(|word| word.count_zeros()).sum::<u32>();
        if unset == Self::BITS as u32 { 0.0 } else { -all * (f64::from(unset).max(1.0) / all).ln() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_within_a_tenth_and_a_half() {
        for n in [0_u64, 1, 5, 40, 200] {
            let mut distinct = Distinct::<4>::default();
            (0..n).chain(0..n).for_each(|value| distinct.add(hash(value)));
            let (told, n) = (distinct.estimate(), n as f64);
            assert!((told - n).abs() <= 0.1 * n + 0.5, "{n}: {told}");
        }
    }

    #[test]
    fn more_than_it_can_hold_is_many() {
        let mut distinct = Distinct::<2>::default();
        (0..100_000_u64).for_each(|value| distinct.add(hash(value)));
        assert!(distinct.estimate() > 400.0);
    }
}

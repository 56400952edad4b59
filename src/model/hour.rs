//! One hour of the network: what is too slow to be seen in a minute.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::exchanges::{Exchanges, Side};
use super::sending::Sending;
use super::window::Map;
use crate::feature::{Host, Observation};
use crate::time::{Span, Timestamp};

/// Its length.
const LENGTH: Span = Span::from_secs(3600);
/// The least of it that must have passed for it to be learned from.
const ENOUGH: Span = Span::from_secs(3000);
/// Devices followed within one hour; those beyond are not. 37 bytes each.
const MAX_DEVICES: usize = 1_800_000;
/// Devices of which log-ins fail that are followed within one hour; those beyond are not.
const MAX_REFUSED: usize = 65_536;
/// Targets and peers of a device that are kept one by one; of more there is a bit for each.
const FEW: usize = 13;

/// What one device began within the hour.
#[derive(Clone, Copy, Debug, Default)]
pub struct HourOfDevice {
    /// Different targets (device and service).
    targets: Distinct<4>,
    /// Different devices.
    peers: Distinct<2>,
    /// Attempts to connect or to log in that failed.
    pub failed: u32,
    /// Accounts of which a log-in failed, and none succeeded in the hour from the device's first that failed on: a bit of 32 for each.
    kept_out: u32,
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

    /// Different accounts of which a log-in failed and none succeeded, about; up to 111.
    #[must_use]
    pub fn kept_out(&self) -> f64 {
        linear_count(self.kept_out.count_zeros(), u32::BITS)
    }
}

/// The same in fewer bytes: most devices have a few targets.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Begun {
    /// The bits that are set: of targets from the front, of peers from the back.
    Few { targets: u8, peers: u8, places: [u8; FEW] },
    /// The place of all bits.
    Many(u32),
}

/// All devices of one hour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Devices {
    devices: Map<Host, (Begun, u32)>,
    many: Vec<(Distinct<4>, Distinct<2>)>,
    /// Accounts that were refused and admitted, of devices of which one was refused.
    accounts: Map<Host, [u32; 2]>,
}

impl Devices {
    /// The entry of a device: what it began, and its failures; none where too many are followed.
    fn entry(&mut self, host: Host) -> Option<&mut (Begun, u32)> {
        if self.devices.len() >= MAX_DEVICES && !self.devices.contains_key(&host) {
            return None;
        }
        let nothing = Begun::Few { targets: 0, peers: 0, places: [0; FEW] };
        Some(self.devices.entry(host).or_insert((nothing, 0)))
    }

    /// Counts a target and its device by the places of their bits.
    fn begin(&mut self, host: Host, target: u8, peer: u8) {
        let next = self.many.len() as u32;
        let Some((begun, _)) = self.entry(host) else { return };
        let full = match begun {
            Begun::Few { targets, peers, places } => {
                let (of_targets, of_peers) = (usize::from(*targets), usize::from(*peers));
                let is_new_target = !places[..of_targets].contains(&target);
                let is_new_peer = !places[FEW - of_peers..].contains(&peer);
                if of_targets + of_peers + usize::from(is_new_target) + usize::from(is_new_peer) <= FEW {
                    if is_new_target {
                        places[of_targets] = target;
                        *targets += 1;
                    }
                    if is_new_peer {
                        places[FEW - 1 - of_peers] = peer;
                        *peers += 1;
                    }
                    return;
                }
                let full = of_few(places, of_targets, of_peers);
                *begun = Begun::Many(next);
                Some(full)
            }
            Begun::Many(_) => None,
        };
        let place = if let Begun::Many(place) = *begun { place as usize } else { return };
        self.many.extend(full);
        let (targets, peers) = &mut self.many[place];
        targets.set(target);
        peers.set(peer);
    }

    /// Counts log-ins of a device of which one failed.
    fn log_in(&mut self, host: Host, [refused, admitted]: [u32; 2]) {
        if let Some(own) = self.accounts.get_mut(&host) {
            *own = [own[0] | refused, own[1] | admitted];
        } else if refused > 0 && self.accounts.len() < MAX_REFUSED {
            self.accounts.insert(host, [refused, admitted]);
        }
    }

    /// What a device has begun.
    #[must_use]
    pub fn of(&self, host: Host) -> HourOfDevice {
        let kept_out = self.accounts.get(&host).map_or(0, |[refused, admitted]| refused & !admitted);
        let Some(&(begun, failed)) = self.devices.get(&host) else {
            return HourOfDevice { kept_out, ..HourOfDevice::default() };
        };
        let (targets, peers) = match begun {
            Begun::Few { targets, peers, places } => of_few(&places, targets.into(), peers.into()),
            Begun::Many(place) => self.many[place as usize],
        };
        HourOfDevice { targets, peers, failed, kept_out }
    }

    /// All devices, in order.
    pub fn in_order(&self) -> impl Iterator<Item = (Host, HourOfDevice)> {
        let mut hosts: Vec<Host> = self.devices.keys().copied().collect();
        hosts.sort_unstable();
        hosts.into_iter().map(|host| (host, self.of(host)))
    }
}

fn of_few(places: &[u8; FEW], targets: usize, peers: usize) -> (Distinct<4>, Distinct<2>) {
    let mut all = (Distinct::default(), Distinct::default());
    places[..targets].iter().for_each(|&place| all.0.set(place));
    places[FEW - peers..].iter().for_each(|&place| all.1.set(place));
    all
}

/// Hours one after the other, counted from the first observation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Hour {
    start: Option<Timestamp>,
    counts: HourCounts,
}

/// What was counted of one hour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HourCounts {
    /// What devices began.
    pub devices: Devices,
    /// What they asked, and were asked.
    pub exchanges: Exchanges,
    /// What they sent out of the network.
    pub sending: Sending,
}

impl Hour {
    /// Begins at `at` where it has not begun.
    pub fn begin(&mut self, at: Timestamp) {
        self.start.get_or_insert(at);
    }

    /// Counts an observation. Returns what the hour before held, when a new one begins with it and that one was whole.
    pub fn add(&mut self, seen: &Observation) -> Option<HourCounts> {
        let ended = self.begin_next(seen.seen);
        if let Some(side) = Side::of(seen).filter(|_| seen.is_complete()) {
            self.counts.exchanges.add(seen, side);
        }
        self.counts.sending.add(seen);
        let devices = &mut self.counts.devices;
        let login_failures = if seen.counts_events() { seen.events.login_failures } else { 0 };
        let accounts = seen.events.accounts;
        if seen.counts_events() && seen.orig_local && accounts.refused | accounts.admitted != 0 {
            devices.log_in(seen.orig, [accounts.refused, accounts.admitted]);
        }
        let fails = u32::from(seen.failed && seen.is_complete()) + login_failures;
        if seen.is_first_sight() {
            let target = Distinct::<4>::place(hash((seen.resp, seen.service)));
            devices.begin(seen.orig, target, Distinct::<2>::place(hash(seen.resp)));
        }
        if fails > 0
            && let Some((_, failed)) = devices.entry(seen.orig)
        {
            *failed = failed.saturating_add(fails);
        }
        ended
    }

    /// Counts what its responder is asked, where its initiator is looked after elsewhere.
    pub fn add_asked(&mut self, seen: &Observation) {
        self.begin_next(seen.seen);
        if seen.is_complete() && Side::of(seen) == Some(Side::Asked) {
            self.counts.exchanges.add(seen, Side::Asked);
        }
    }

    /// Begins the hour of `at`. Returns what the one before held, where `at` is no longer in it.
    fn begin_next(&mut self, at: Timestamp) -> Option<HourCounts> {
        let start = *self.start.get_or_insert(at);
        if at.since(start) < LENGTH {
            return None;
        }
        let hours = at.since(start).nanos() / LENGTH.nanos();
        self.start = Some(start + Span::from_nanos(hours * LENGTH.nanos()));
        Some(std::mem::take(&mut self.counts))
    }

    /// What is left at the end, if that was nearly an hour by `last`.
    #[must_use]
    pub fn finish(self, last: Timestamp) -> Option<HourCounts> {
        self.start.filter(|&start| last.since(start) >= ENOUGH).map(|_| self.counts)
    }

    /// What a device has begun so far in this hour.
    #[must_use]
    pub fn of(&self, device: Host) -> HourOfDevice {
        self.counts.devices.of(device)
    }

    /// What was sent out of the network so far in this hour.
    #[must_use]
    pub const fn sending(&self) -> &Sending {
        &self.counts.sending
    }

    /// What was asked so far in this hour.
    #[must_use]
    pub const fn exchanges(&self) -> &Exchanges {
        &self.counts.exchanges
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

impl<const W: usize> Serialize for Distinct<W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bits.as_slice().serialize(serializer)
    }
}

impl<'de, const W: usize> Deserialize<'de> for Distinct<W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bits = Vec::<u64>::deserialize(deserializer)?;
        let wrong = |bits: Vec<u64>| serde::de::Error::invalid_length(bits.len(), &"as many words as are counted in");
        bits.try_into().map(|bits| Self { bits }).map_err(wrong)
    }
}

impl<const W: usize> Distinct<W> {
    const BITS: u64 = 64 * W as u64;

    /// The place of a value's bit; there are 256 at the most.
    const fn place(hash: u64) -> u8 {
        ((hash >> 20) % Self::BITS) as u8
    }

    const fn set(&mut self, place: u8) {
        self.bits[(place / 64) as usize] |= 1 << (place % 64);
    }

    fn estimate(&self) -> f64 {
        linear_count(self.bits.iter().map(|word| word.count_zeros()).sum(), Self::BITS as u32)
    }
}

/// About how many values leave so many of all bits unset.
fn linear_count(unset: u32, all: u32) -> f64 {
    let (unset, all) = (f64::from(unset), f64::from(all));
    if unset == all { 0.0 } else { -all * (unset.max(1.0) / all).ln() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_within_a_tenth_and_a_half() {
        for n in [0_u64, 1, 5, 40, 200] {
            let mut distinct = Distinct::<4>::default();
            (0..n).chain(0..n).for_each(|value| distinct.set(Distinct::<4>::place(hash(value))));
            let (told, n) = (distinct.estimate(), n as f64);
            assert!((told - n).abs() <= 0.1 * n + 0.5, "{n}: {told}");
        }
    }

    #[test]
    fn more_than_it_can_hold_is_many() {
        let mut distinct = Distinct::<2>::default();
        (0..100_000_u64).for_each(|value| distinct.set(Distinct::<2>::place(hash(value))));
        assert!(distinct.estimate() > 400.0);
    }

    #[test]
    fn whoever_gets_in_at_last_was_not_kept_out() {
        let host: Host = "10.0.0.1".parse().unwrap();
        let mut devices = Devices::default();
        devices.log_in(host, [0, 0b1]);
        assert!(devices.accounts.is_empty(), "nobody failed");
        [[0b110, 0], [0b1000, 0], [0, 0b10], [0b110, 0]].into_iter().for_each(|accounts| devices.log_in(host, accounts));
        assert_eq!(devices.of(host).kept_out().round(), 2.0);
        devices.log_in(host, [u32::MAX, 0]);
        assert!(devices.of(host).kept_out() > 80.0, "more than can be counted");
    }

    #[test]
    fn few_and_many_tell_the_same() {
        let host: Host = "10.0.0.1".parse().unwrap();
        let mut devices = Devices::default();
        let (mut targets, mut peers) = (Distinct::<4>::default(), Distinct::<2>::default());
        for n in 0..40_u64 {
            let (target, peer) = (Distinct::<4>::place(hash(n % 30)), Distinct::<2>::place(hash(n / 3)));
            devices.begin(host, target, peer);
            targets.set(target);
            peers.set(peer);
            let told = devices.of(host);
            assert_eq!((told.targets(), told.peers()), (targets.estimate(), peers.estimate()), "{n}");
        }
        assert_eq!((devices.many.len(), size_of::<(Host, (Begun, u32))>()), (1, 36));
    }
}

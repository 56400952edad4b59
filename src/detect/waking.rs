//! Devices that have just been switched on: what they begin then is more than they begin all day.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use crate::feature::{Host, Observation};
use crate::model::Map;
use crate::time::Timestamp;

/// A device that began nothing for so many minutes, and of which nothing went on, was switched off, or asleep.
const SILENCE: u16 = 60;
/// How many minutes it takes to start and to log in.
const STARTING: u16 = 5;
/// Devices followed at the most, by a hash: some 12 bytes each. Those beyond never count as starting.
const MAX_DEVICES: usize = 1_800_000;

/// When a device did anything: minutes, of which 65,536 are a round.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Active {
    /// After silence.
    woke: u16,
    last: u16,
}

/// Since when the devices at home are active. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Waking {
    devices: Map<u32, Active>,
    /// The minute since when it is listened.
    since: Option<i64>,
    /// When those that are silent were forgotten.
    pruned: i64,
}

const fn minute_of(at: Timestamp) -> i64 {
    at.seconds().div_euclid(60)
}

fn key(device: Host) -> u32 {
    FixedState::default().hash_one(device) as u32
}

impl Waking {
    /// Listens from `at` on, where it did not yet: the same for all shares of the devices.
    pub fn begin(&mut self, at: Timestamp) {
        self.since.get_or_insert(minute_of(at));
    }

    /// Begins again: nobody listened for a while, and who was active then is not known.
    pub fn begin_again(&mut self, at: Timestamp) {
        *self = Self { since: Some(minute_of(at)), ..Self::default() };
    }

    /// Takes what a device at home does. Has it just been switched on?
    pub fn observe(&mut self, seen: &Observation) -> bool {
        if !seen.orig_local {
            return false;
        }
        let minute = minute_of(seen.seen);
        let since = *self.since.get_or_insert(minute);
        if minute - self.pruned >= i64::from(SILENCE) {
            self.devices.retain(|_, active| (minute as u16).wrapping_sub(active.last) < SILENCE);
            self.pruned = minute;
        }
        let key = key(seen.orig);
        if self.devices.len() >= MAX_DEVICES && !self.devices.contains_key(&key) {
            return false;
        }
        // Before it was listened for long nobody knows who was silent.
        let is_known_silent = minute - since >= i64::from(SILENCE);
        let now = minute as u16;
        let woke = if is_known_silent { now } else { now.wrapping_sub(STARTING) };
        let active = self.devices.entry(key).or_insert(Active { woke, last: now });
        if now.wrapping_sub(active.last) >= SILENCE {
            active.woke = now;
        }
        active.last = now;
        now.wrapping_sub(active.woke) < STARTING
    }

    /// The same of one that was taken.
    pub fn is_starting(&self, seen: &Observation) -> bool {
        let now = minute_of(seen.seen) as u16;
        self.devices.get(&key(seen.orig)).is_some_and(|active| now.wrapping_sub(active.woke) < STARTING)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::flow;
    use super::*;

    fn starts(waking: &mut Waking, device: u8, minute: i64) -> bool {
        let seen = Observation { seen: Timestamp::from_parts(minute * 60, 0), ..flow(minute * 60_000, device, 100, 80, true).1 };
        let starts = waking.observe(&seen);
        assert_eq!(waking.is_starting(&seen), starts);
        starts
    }

    #[test]
    fn a_device_starts_after_an_hour_of_silence_and_for_five_minutes() {
        let mut waking = Waking::default();
        waking.begin(Timestamp::from_parts(0, 0));
        assert!(!starts(&mut waking, 1, 0) && !starts(&mut waking, 2, 59), "nobody knows what was before");
        let minutes = [60, 64, 65, 119, 120, 179, 239, 243, 244];
        let told = minutes.map(|minute| starts(&mut waking, 3, minute));
        assert_eq!(told, [true, true, false, false, false, false, true, true, false]);
        assert!(starts(&mut waking, 1, 245), "as one that was heard before");
        waking.begin_again(Timestamp::from_parts(400 * 60, 0));
        assert!(!starts(&mut waking, 1, 400) && !starts(&mut waking, 4, 459) && starts(&mut waking, 5, 460), "after a pause");
    }

    #[test]
    fn a_round_of_minutes_changes_nothing() {
        let mut waking = Waking::default();
        waking.begin(Timestamp::from_parts(0, 0));
        assert!(starts(&mut waking, 1, 65_530) && !starts(&mut waking, 1, 65_540) && !starts(&mut waking, 1, 65_590));
        assert!(starts(&mut waking, 1, 65_660));
    }
}

//! Devices that have just been switched on: what they begin then is more than they begin all day.

use serde::{Deserialize, Serialize};

use crate::feature::{Host, Observation};
use crate::model::Map;
use crate::time::{Span, Timestamp};

/// A device that began nothing for so long was switched off, or asleep.
const SILENCE: Span = Span::from_secs(3600);
/// How long it takes to start and to log in.
const STARTING: Span = Span::from_secs(300);
/// Devices followed at the most, 32 bytes each. Of a fleet with more that are active within an hour none counts as starting.
const MAX_DEVICES: usize = 200_000;

/// When a device began anything.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Active {
    /// After silence.
    woke: Timestamp,
    last: Timestamp,
}

/// Since when the devices at home are active. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Waking {
    devices: Map<Host, Active>,
    /// Since when all that is begun was heard.
    since: Option<Timestamp>,
    /// When those that are silent were forgotten.
    pruned: Timestamp,
}

impl Waking {
    /// Takes a flow that was just begun. Has its initiator just been switched on?
    pub fn observe(&mut self, seen: &Observation) -> bool {
        let at = seen.first_seen;
        let since = *self.since.get_or_insert(at);
        if !seen.orig_local {
            return false;
        }
        if at.since(self.pruned) >= SILENCE {
            self.devices.retain(|_, active| at.since(active.last) < SILENCE);
            self.pruned = at;
        }
        if self.devices.len() >= MAX_DEVICES && !self.devices.contains_key(&seen.orig) {
            self.since = Some(at);
            return false;
        }
        // Before so much was heard nobody knows who was silent.
        let long_ago = Timestamp::MIN;
        let woke = if at.since(since) >= SILENCE { at } else { long_ago };
        let active = self.devices.entry(seen.orig).or_insert(Active { woke, last: at });
        if at.since(active.last) >= SILENCE {
            active.woke = at;
        }
        active.last = active.last.max(at);
        self.is_starting(seen)
    }

    /// The same of one that was taken.
    pub fn is_starting(&self, seen: &Observation) -> bool {
        self.devices.get(&seen.orig).is_some_and(|active| seen.first_seen.since(active.woke) < STARTING)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::flow;
    use super::*;

    fn starts(waking: &mut Waking, device: u8, minute: i64) -> bool {
        waking.observe(&flow(minute * 60_000, device, 100, 80, true).1)
    }

    #[test]
    fn a_device_starts_after_an_hour_of_silence_and_for_five_minutes() {
        let mut waking = Waking::default();
        assert!(!starts(&mut waking, 1, 0) && !starts(&mut waking, 2, 59), "nobody knows what was before");
        let minutes = [60, 64, 65, 119, 120, 179, 239, 243, 244];
        let told = minutes.map(|minute| starts(&mut waking, 3, minute));
        assert_eq!(told, [true, true, false, false, false, false, true, true, false]);
        assert!(starts(&mut waking, 1, 245), "as one that was heard before");
    }

    #[test]
    fn who_was_not_followed_may_have_been_active() {
        let mut waking = Waking::default();
        assert!(!starts(&mut waking, 1, 0));
        let seen = |minute: i64, n: u32| Observation {
            orig: Host(crate::wire::Addr::v4((0x0a00_0000 + n).to_be_bytes())),
            ..flow(minute * 60_000, 1, 100, 80, true).1
        };
        (0..=MAX_DEVICES as u32).for_each(|n| _ = waking.observe(&seen(70, n)));
        assert_eq!(waking.devices.len(), MAX_DEVICES);
        assert!(!starts(&mut waking, 250, 129), "too little is known since then");
        assert!(starts(&mut waking, 251, 140));
    }
}

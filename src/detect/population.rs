//! The same new thing in many devices at once: an update, a server that moved, a new agent. One incident, not one for each.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::evidence::{Contribution, Evidence, Of};
use super::pruning::Pruning;
use crate::feature::Host;
use crate::model::{Map, bits};
use crate::time::{Span, Timestamp};

/// How long a new thing is followed.
const WINDOW: Span = Span::from_secs(86_400);
/// New things followed at the most; some 200 bytes each.
const MAX_VALUES: usize = 100_000;
/// Devices told apart that have one.
const MAX_DEVICES: usize = 256;
/// Devices that make a change of the population: so many, and this share of those at home, of a large home no more than the last.
const MIN_DEVICES: usize = 5;
const SHARE: f64 = 0.1;
const ENOUGH_DEVICES: usize = 16;
/// Bits of a change for every doubling of the devices that take part.
const BITS_PER_DOUBLING: f64 = 4.0;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Change {
    since: Timestamp,
    devices: BTreeSet<Host>,
    /// Devices when it was last told.
    told: usize,
}

/// Follows what is new to devices that the model knows. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Changes {
    by_value: Map<u64, Change>,
    #[serde(skip)]
    pruning: Pruning,
}

/// A new thing that many have.
#[derive(Clone, Debug)]
pub(super) struct Population {
    /// Bits that it is still worth in one more device: how few have it.
    pub bits: f64,
    /// What is to be told, and of which devices, where it is odd and has grown by half since it was told.
    pub news: Option<(Contribution, Vec<Host>)>,
}

impl Changes {
    /// Counts that `host`, one of so many devices at home, shows the new thing `about` at `now`; is it so odd that it would be told of one?
    pub fn observe(&mut self, about: u64, host: Host, at_home: usize, is_odd: bool, now: Timestamp) -> Option<Population> {
        if self.by_value.len() >= MAX_VALUES && !self.by_value.contains_key(&about) {
            if self.pruning.is_due(now) {
                self.by_value.retain(|_, change| now.since(change.since) < WINDOW);
            }
            if self.by_value.len() >= MAX_VALUES {
                return None;
            }
        }
        let change = self.by_value.entry(about).or_insert(Change { since: now, devices: BTreeSet::new(), told: 0 });
        if now.since(change.since) >= WINDOW {
            *change = Change { since: now, devices: BTreeSet::new(), told: 0 };
        }
        if change.devices.len() < MAX_DEVICES {
            change.devices.insert(host);
        }
        let devices = change.devices.len();
        if devices < ((SHARE * at_home as f64) as usize).clamp(MIN_DEVICES, ENOUGH_DEVICES) {
            return None;
        }
        let is_news = is_odd && devices * 2 >= change.told * 3;
        change.told = if is_news { devices } else { change.told };
        let count = devices as f64;
        let part = Contribution {
            usual: (0.0, 1.0),
            of: Of::Network,
            about,
            ..Contribution::of(Evidence::Population, count, BITS_PER_DOUBLING * count.log2())
        };
        let news = is_news.then(|| (part, change.devices.iter().copied().collect()));
        Some(Population { bits: bits(count / (at_home as f64 + 1.0)), news })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::host;
    use super::*;

    #[test]
    fn the_fifth_device_makes_a_change_and_growth_is_told() {
        let mut changes = Changes::default();
        let mut show = |n: u8, second: i64| changes.observe(7, host(n), 30, true, Timestamp::from_parts(second, 0));
        assert!((1..5).all(|n| show(n, i64::from(n)).is_none()));
        let change = show(5, 6).unwrap();
        assert!(change.news.is_some_and(|(part, devices)| part.bits > 8.0 && devices.len() == 5) && change.bits < 3.0);
        assert!(show(6, 7).unwrap().news.is_none() && show(7, 8).unwrap().news.is_none());
        assert!(show(8, 9).unwrap().news.is_some(), "grown by half");
        assert!(show(9, 200_000).is_none(), "a day later it is another");
    }

    #[test]
    fn what_would_be_told_of_none_is_not_told_of_many() {
        let mut changes = Changes::default();
        let mut show = |n: u8, is_odd: bool| changes.observe(7, host(n), 30, is_odd, Timestamp::from_parts(i64::from(n), 0));
        assert!((1..9).all(|n| show(n, false).is_none_or(|change| change.news.is_none() && change.bits < 3.0)));
        assert!(show(9, true).is_some_and(|change| change.news.is_some()));
    }

    #[test]
    fn sixteen_devices_are_enough_in_a_large_home() {
        let mut changes = Changes::default();
        let mut show = |n: u8| changes.observe(7, host(n), 5000, true, Timestamp::from_parts(i64::from(n), 0));
        assert!((1..16).all(|n| show(n).is_none()));
        assert!(show(16).is_some_and(|change| change.news.is_some() && change.bits < 9.0));
    }
}

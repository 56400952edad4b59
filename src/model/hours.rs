//! At which hours a device is at work.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Working days that must have been heard before their hours say anything.
pub const ENOUGH_WORKING_DAYS: u32 = 5;
/// The same of Saturdays and Sundays.
pub const ENOUGH_WEEKEND_DAYS: u32 = 4;

/// Days told apart at the most, eleven years; a capture with wild times brings no more.
const MOST_DAYS: usize = 4_000;

/// Hours of the day (UTC) at which a device began anything, a bit for each: on working days and on Saturdays and Sundays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    working: u32,
    weekend: u32,
}

/// The days that were heard, as days since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Days(BTreeSet<i64>);

/// Day since the epoch, whether it is a Saturday or Sunday, and hour of it.
fn parts(at: Timestamp) -> (i64, bool, u32) {
    let day = at.seconds().div_euclid(86_400);
    // The epoch was a Thursday.
    let is_weekend = (day + 3).rem_euclid(7) >= 5;
    (day, is_weekend, (at.seconds().rem_euclid(86_400) / 3600) as u32)
}

impl Hours {
    /// Notes that the device began something.
    pub(super) fn add(&mut self, at: Timestamp) {
        let (_, is_weekend, hour) = parts(at);
        *(if is_weekend { &mut self.weekend } else { &mut self.working }) |= 1 << hour;
    }

    pub(super) const fn merge(&mut self, other: Self) {
        self.working |= other.working;
        self.weekend |= other.weekend;
    }

    /// Was nothing noted?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.working == 0 && self.weekend == 0
    }

    /// Was the device at work at this hour, or at the one before or behind it, on such days? A clock may have changed.
    fn knows(self, at: Timestamp) -> bool {
        let (_, is_weekend, hour) = parts(at);
        let hours = if is_weekend { self.weekend } else { self.working };
        [23, 0, 1].into_iter().any(|step| hours & 1 << ((hour + step) % 24) != 0)
    }
}

impl Days {
    pub(super) fn add(&mut self, at: Timestamp) {
        self.insert(parts(at).0);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|&day| self.insert(day));
    }

    fn insert(&mut self, day: i64) {
        if self.0.len() < MOST_DAYS {
            self.0.insert(day);
        }
    }

    /// Were none heard?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Working days, and Saturdays and Sundays.
    #[must_use]
    pub fn counts(&self) -> (u32, u32) {
        let weekend = self.0.iter().filter(|&&day| (day + 3).rem_euclid(7) >= 5).count() as u32;
        (self.0.len() as u32 - weekend, weekend)
    }

    /// Days of the kind of this one on which a device was never at work at such an hour; none where it was, or where too few were
    /// heard to say so.
    #[must_use]
    pub fn without(&self, hours: Hours, at: Timestamp) -> Option<u32> {
        let (working, weekend) = self.counts();
        let (days, enough) = if parts(at).1 { (weekend, ENOUGH_WEEKEND_DAYS) } else { (working, ENOUGH_WORKING_DAYS) };
        (days >= enough && !hours.knows(at)).then_some(days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days after Monday, 1 June 2026, 00:00, and an hour.
    fn at(day: i64, hour: i64) -> Timestamp {
        Timestamp::from_parts(1_780_272_000 + day * 86_400 + hour * 3600, 0)
    }

    /// So many days, on all of which the device is at work from 8 to 16, on Saturdays and Sundays at noon.
    fn heard(count: i64) -> (Days, Hours) {
        let (mut days, mut hours) = (Days::default(), Hours::default());
        for day in 0..count {
            let is_weekend = day % 7 >= 5;
            (8..=16).filter(|&hour| !is_weekend || hour == 12).for_each(|hour| hours.add(at(day, hour)));
            days.add(at(day, 0));
        }
        (days, hours)
    }

    #[test]
    fn hours_say_something_after_enough_days_of_a_kind() {
        let without = |count: i64, day: i64, hour: i64| {
            let (days, hours) = heard(count);
            days.without(hours, at(day, hour))
        };
        assert_eq!((without(4, 21, 3), without(5, 21, 3), without(5, 26, 3)), (None, Some(5), None));
        assert_eq!((without(14, 26, 3), without(14, 26, 12), without(14, 26, 16)), (Some(4), None, Some(4)));
        assert_eq!((without(14, 21, 7), without(14, 21, 17), without(14, 21, 18)), (None, None, Some(10)));
        assert_eq!(heard(14).0.counts(), (10, 4));
    }

    #[test]
    fn wild_times_bring_no_more_days_than_there_is_room_for() {
        let mut days = Days::default();
        (0..2 * MOST_DAYS as i64).for_each(|day| days.add(at(day, 0)));
        let mut twice = days.clone();
        twice.merge(&days);
        assert_eq!((days.0.len(), twice), (MOST_DAYS, days));
    }

    #[test]
    fn midnight_has_an_hour_before_it() {
        let (mut days, mut hours) = (Days::default(), Hours::default());
        (0..5).for_each(|day| days.add(at(day, 0)));
        hours.add(at(0, 23));
        assert_eq!((days.without(hours, at(7, 0)), days.without(hours, at(7, 1))), (None, Some(5)));
    }
}

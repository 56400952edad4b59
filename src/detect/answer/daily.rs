//! Hours of the day.

use core::fmt;
use core::str::FromStr;

use crate::time::{Span, Timestamp};

const MINUTE_NS: i64 = 60_000_000_000;
const DAY_NS: i64 = 86_400_000_000_000;

/// A part of every day in UTC, from one minute to another; over midnight where the second is earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Daily {
    from_minute: u16,
    to_minute: u16,
}

impl Daily {
    /// Do both moments lie within the same occurrence?
    #[must_use]
    pub fn holds(self, first: Timestamp, last: Timestamp) -> bool {
        let minutes = (i64::from(self.to_minute) - i64::from(self.from_minute)).rem_euclid(1440);
        let since = (first.nanos() - i64::from(self.from_minute) * MINUTE_NS).rem_euclid(DAY_NS);
        let left = Span::from_nanos(minutes * MINUTE_NS - since);
        last >= first && last.since(first) < left
    }
}

impl fmt::Display for Daily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from_minute: from, to_minute: to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

/// A text that is no part of a day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no part of a day such as 22:00-06:00 (UTC)")]
pub struct ParseDailyError(String);

impl FromStr for Daily {
    type Err = ParseDailyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let is_two = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            let two = |text: &str, most: u16| Some(text).filter(|text| is_two(text))?.parse().ok().filter(|&n: &u16| n < most);
            Some(two(hour, 24)? * 60 + two(minute, 60)?)
        };
        let both = text.split_once('-').and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
        let (from_minute, to_minute) = both.filter(|(from, to)| from != to).ok_or_else(|| ParseDailyError(text.to_owned()))?;
        Ok(Self { from_minute, to_minute })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_day_may_go_over_midnight() {
        let at = |text: &str| crate::time::parse(text).unwrap();
        let night: Daily = "22:00-06:00".parse().unwrap();
        let evening = at("2026-06-03T22:00:00Z");
        assert!(night.holds(evening, at("2026-06-04T05:59:59Z")));
        assert!(!night.holds(evening, at("2026-06-04T06:00:00Z")));
        assert!(!night.holds(at("2026-06-03T21:59:59Z"), evening));
        assert!(!night.holds(evening, at("2026-06-05T01:00:00Z")), "another night");
        let noon: Daily = "12:00-12:30".parse().unwrap();
        assert!(noon.holds(at("2026-06-03T12:10:00Z"), at("2026-06-03T12:10:00Z")));
        assert!(!noon.holds(at("2026-06-03T12:30:00Z"), at("2026-06-03T12:30:00Z")));
    }

    #[test]
    fn text_is_hours_and_minutes() {
        assert_eq!("09:05-17:30".parse::<Daily>().unwrap().to_string(), "09:05-17:30");
        for text in ["", "9:05-17:30", "09:05", "24:00-01:00", "09:60-10:00", "10:00-10:00", "+1:00-02:00"] {
            assert!(text.parse::<Daily>().is_err(), "{text}");
        }
    }
}

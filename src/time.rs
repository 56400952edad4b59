//! Time as the capture tells it: nanoseconds since the Unix epoch, and lengths of time.
//!
//! Architecture invariant: nothing here, nor anything that imports only this, asks the system for the time.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A moment: nanoseconds since 1970-01-01T00:00:00Z, from the capture. Range: the years 1677 to 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest moment that can be told.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest moment that can be told.
    pub const MAX: Self = Self(i64::MAX);

    /// The moment `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The moment `seconds` and `nanos` after the epoch; saturates at the ends of the range.
    #[must_use]
    pub const fn from_parts(seconds: i64, nanos: i64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(nanos))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SECOND)
    }

    /// Seconds since the epoch as a float (about 100 ns of precision today).
    #[must_use]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND as f64
    }

    /// The time since `earlier`, negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Span {
    type Output = Self;

    /// Saturates.
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

/// A length of time in nanoseconds; may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `nanos` nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// A span of whole seconds; saturates.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND))
    }

    /// Nanoseconds.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Seconds as a float.
    #[must_use]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND as f64
    }
}

/// RFC 3339 in UTC to the microsecond, as EVE writes it: `2026-01-31T09:12:03.417201+0000`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.div_euclid(1000);
        let (days, rest) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
        let (year, month, day) = civil_from_days(days);
        let (second, micro) = (rest / 1_000_000, rest % 1_000_000);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        // Every line and row holds some, and the formatter takes long for so many numbers. The years are 1677 to 2262.
        let mut text = *b"0000-00-00T00:00:00.000000+0000";
        let mut put = |end: usize, digits: usize, mut value: i64| {
            for place in (end - digits..end).rev() {
                text[place] = b'0' + (value % 10) as u8;
                value /= 10;
            }
        };
        put(4, 4, year);
        put(7, 2, month);
        put(10, 2, day);
        put(13, 2, hour);
        put(16, 2, minute);
        put(19, 2, second % 60);
        put(26, 6, micro);
        f.write_str(core::str::from_utf8(&text).unwrap_or_default())
    }
}

/// Year, month and day of a count of days since the epoch, in the proleptic Gregorian calendar.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01 so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// What [`parse`] refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no time: wanted epoch seconds (1615367520 or 1615367520.25) or RFC 3339 (2021-03-10T09:12:00Z)")]
pub struct ParseTimeError {
    text: String,
}

/// Reads epoch seconds, with or without a fraction, or RFC 3339, also with the offset's colon left out as EVE writes it.
///
/// # Errors
/// When the text is neither, or lies outside the range of [`Timestamp`].
pub fn parse(text: &str) -> Result<Timestamp, ParseTimeError> {
    parse_epoch(text).or_else(|| parse_rfc3339(text)).ok_or_else(|| ParseTimeError { text: text.to_owned() })
}

/// Reads a length of time: a whole number and its unit, `90s`, `30m`, `12h` or `7d`.
///
/// # Errors
/// Says what was wanted.
pub fn parse_span(text: &str) -> Result<Span, ParseSpanError> {
    let wrong = || ParseSpanError { text: text.to_owned() };
    let unit = text.bytes().last().ok_or_else(wrong)?;
    let seconds: u32 = match unit {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let nanos = i64::from(number).checked_mul(i64::from(seconds)).and_then(|all| all.checked_mul(NANOS_PER_SECOND));
    nanos.filter(|&nanos| nanos > 0).map(Span).ok_or_else(wrong)
}

/// A text that is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no length of time such as 90s, 30m, 12h or 7d")]
pub struct ParseSpanError {
    text: String,
}

fn parse_epoch(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let seconds: i64 = whole.parse().ok()?;
    (seconds < i64::MAX / NANOS_PER_SECOND).then(|| Timestamp::from_parts(seconds, nanos))
}

fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let with_colon = match text.as_bytes().last_chunk::<5>() {
        Some([b'+' | b'-', offset @ ..]) if offset.is_ascii() => {
            let (before, minutes) = text.split_at(text.len() - 2);
            format!("{before}:{minutes}")
        }
        _ => text.to_owned(),
    };
    let moment = ::time::OffsetDateTime::parse(&with_colon, &::time::format_description::well_known::Rfc3339).ok()?;
    i64::try_from(moment.unix_timestamp_nanos()).ok().map(Timestamp::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_eve_writes() {
        let at = Timestamp::from_parts(1_769_850_723, 417_201_999);
        assert_eq!(at.to_string(), "2026-01-31T09:12:03.417201+0000");
        assert_eq!(Timestamp::from_parts(951_782_400, 0).to_string(), "2000-02-29T00:00:00.000000+0000");
        assert_eq!(Timestamp::from_nanos(-1000).to_string(), "1969-12-31T23:59:59.999999+0000");
        assert_eq!(Timestamp::MIN.to_string(), "1677-09-21T00:12:43.145224+0000");
    }

    #[test]
    fn reads_epoch_seconds_and_rfc_3339() {
        let want = Timestamp::from_parts(1_615_367_520, 250_000_000);
        assert_eq!(parse("1615367520.25"), Ok(want));
        assert_eq!(parse("2021-03-10T09:12:00.25Z"), Ok(want));
        assert_eq!(parse("2021-03-10T10:12:00.25+01:00"), Ok(want));
        assert_eq!(parse(&want.to_string()), Ok(want), "as it is written");
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in ["", "noon", "12.5.1", "-4", "99999999999999999999", "2021-03-10"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_have_a_unit() {
        assert_eq!(parse_span("90s"), Ok(Span::from_secs(90)));
        assert_eq!(parse_span("7d"), Ok(Span::from_secs(7 * 86_400)));
        for wrong in ["", "7", "d", "-1h", "0m", "1.5h", "7w", "9999999999d", "4294967295d", "7 d", "7é"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn differences_saturate() {
        assert_eq!(Timestamp::MAX.since(Timestamp::MIN), Span::from_nanos(i64::MAX));
        assert_eq!(Timestamp::MAX + Span::from_secs(1), Timestamp::MAX);
    }
}

//! Text for people: what came from the network made harmless to the eye, numbers and times in words.

use std::fmt;

use serde::{Deserialize, Deserializer};

use crate::feature::size_in_words;
use crate::time::{Span, Timestamp};

/// Characters that are shown of one text from outside.
const MOST_CHARS: usize = 400;

/// Text from outside, as it may be shown: without characters that cannot be seen, that turn the direction of what follows or that
/// look like a new line, and not longer than 400 characters. It is plain text: what writes it into a page escapes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shown(String);

impl Shown {
    /// Makes a text harmless. What cannot be seen is shown by its number, `\u{202e}`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut shown = String::with_capacity(text.len().min(4 * MOST_CHARS));
        for (place, character) in text.chars().enumerate() {
            if place == MOST_CHARS {
                shown.push('…');
                break;
            }
            if is_unseen(character) {
                shown.extend(character.escape_unicode());
            } else {
                shown.push(character);
            }
        }
        Self(shown)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is there nothing to show?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Shown;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E>(self, text: &str) -> Result<Shown, E> {
                Ok(Shown::new(text))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Controls, directions, joiners, separators of lines, tags, and what is no character.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
        || (character as u32) & 0xfffe == 0xfffe
}

/// `1 incident`, `2 incidents`, `12,400 addresses`.
#[must_use]
pub fn counted(count: u64, noun: &str) -> String {
    let ending = match (count, noun.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{} {noun}{ending}", grouped(count))
}

/// A whole number with its thousands apart: `12,400`.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number as exact as a person needs it: three digits, `0.042`, `3.36`, `1,940`.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return String::from("unknown");
    }
    let sign = if value < 0.0 { "−" } else { "" };
    let size = value.abs();
    if size >= 99.5 {
        return format!("{sign}{}", grouped(size.round() as u64));
    }
    let text = if size >= 9.95 {
        format!("{size:.1}")
    } else if size >= 0.1 {
        format!("{size:.2}")
    } else {
        format!("{size:.4}")
    };
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if short == "0" { String::from("0") } else { format!("{sign}{short}") }
}

/// A value in its unit.
#[must_use]
pub fn value(value: f64, unit: &str) -> String {
    match unit {
        "bytes" => size_in_words(value),
        "s" => span(Span::from_nanos((value * 1e9) as i64)),
        "share" => format!("{}\u{a0}%", number(100.0 * value)),
        "0 or 1" => String::from(if value > 0.5 { "yes" } else { "no" }),
        "minutes known without it" => format!("{} min known without it", number(value)),
        _ => format!("{} {unit}", number(value)),
    }
}

/// A length of time: `40 s`, `12 min`, `5 h 25 min`, `3 d 4 h`.
#[must_use]
pub fn span(length: Span) -> String {
    let seconds = length.as_seconds().abs();
    if seconds < 9.95 {
        return format!("{} s", number(seconds));
    }
    let whole = seconds.round() as u64;
    let two = |big: u64, big_name: &str, small: u64, small_name: &str| {
        if small == 0 { format!("{big} {big_name}") } else { format!("{big} {big_name} {small} {small_name}") }
    };
    match whole {
        ..120 => format!("{whole} s"),
        120..7200 => format!("{} min", whole.div_ceil(60)),
        7200..172_800 => two(whole / 3600, "h", whole % 3600 / 60, "min"),
        _ => two(whole / 86_400, "d", whole % 86_400 / 3600, "h"),
    }
}

/// A day: `3 June 2026`. All times of a report are UTC.
#[must_use]
pub fn day(at: Timestamp) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let text = at.to_string();
    let part = |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse::<usize>().ok());
    match (part(0..4), part(5..7), part(8..10)) {
        (Some(year), Some(month @ 1..=12), Some(day)) => format!("{day} {} {year}", MONTHS[month - 1]),
        _ => text,
    }
}

/// A time of day: `09:08:12`.
#[must_use]
pub fn clock(at: Timestamp) -> String {
    at.to_string().get(11..19).unwrap_or_default().to_owned()
}

/// A time of day without its seconds: `09:08`.
#[must_use]
pub fn clock_short(at: Timestamp) -> String {
    at.to_string().get(11..16).unwrap_or_default().to_owned()
}

/// A moment as machines write it, to the second: `2026-06-03T09:08:12Z`.
#[must_use]
pub fn machine(at: Timestamp) -> String {
    format!("{}Z", at.to_string().get(..19).unwrap_or_default())
}

/// From when to when, the day once when it is the same.
#[must_use]
pub fn period(from: Timestamp, to: Timestamp) -> String {
    if day(from) == day(to) {
        if clock_short(from) == clock_short(to) {
            return format!("{}, {}", day(from), clock(from));
        }
        return format!("{}, {} to {}", day(from), clock_short(from), clock_short(to));
    }
    format!("{}, {} to {}, {}", day(from), clock_short(from), day(to), clock_short(to))
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown_and_what_is_long_is_cut() {
        assert_eq!(Shown::new("CT\u{202e}gpj\0\u{200b}é").as_str(), "CT\\u{202e}gpj\\u{0}\\u{200b}é");
        let long = Shown::new(&"x".repeat(10_000));
        assert_eq!(long.as_str().chars().count(), MOST_CHARS + 1);
        assert!(serde_json::from_str::<Shown>("7").is_err());
    }

    #[test]
    fn numbers_are_as_exact_as_needed() {
        for (value, text) in [(0.0, "0"), (3.364, "3.36"), (512.0, "512"), (-0.25, "−0.25"), (12_345.6, "12,346"), (20.04, "20")]
        {
            assert_eq!(number(value), text);
        }
        assert_eq!((number(f64::NAN), number(0.000_01)), ("unknown".into(), "0".into()));
        assert_eq!(value(601_611.0, "bytes"), "602 kB");
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let at = Timestamp::from_parts(1_780_477_692, 0);
        assert_eq!((day(at), clock(at)), ("3 June 2026".into(), "09:08:12".into()));
        assert_eq!(period(at, at + Span::from_secs(3600)), "3 June 2026, 09:08 to 10:08");
        for (seconds, text) in [(0, "0 s"), (40, "40 s"), (600, "10 min"), (19_500, "5 h 25 min"), (273_600, "3 d 4 h")] {
            assert_eq!(span(Span::from_secs(seconds)), text);
        }
        assert_eq!(counted(1, "address"), "1 address");
        assert_eq!(counted(12_400, "device"), "12,400 devices");
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}

//! Conversations that never stop for long, so that their silence can be told.

use serde::{Deserialize, Serialize};

/// Minutes in which one must have been heard …
const MIN_MINUTES: u32 = 30;
/// … and fewer of one that was followed for as long as this and never silent for longer than that, in minutes: of a connection that stays open every fifth minute
/// tells of it.
const MIN_MINUTES_OPEN: u32 = 20;
const OPEN_MINUTES: i64 = 95;
const MOST_GAP_OPEN: u16 = 10;
/// It must have gone on for this many times its longest silence.
const MIN_TIMES: i64 = 12;

/// One of which nobody knows what it speaks must have gone on for as long, in minutes: two days, of which an hour may lack at either end …
const LONG_MINUTES: i64 = 2 * 1440 - 120;
/// … and was never silent for longer.
const MOST_GAP: u16 = 30;
/// One that was known for as long and never silent for longer than that, in minutes, goes on closely: every fifth minute tells of it.
const CLOSE_MINUTES: i64 = 60;
const MOST_GAP_CLOSE: u16 = 6;

/// When a conversation was heard: minutes since the epoch. A silence is what whoever waits for it sees: from what was known to be said last to when more becomes
/// known, which for a flow that has ended may be long after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steady {
    first: i32,
    last: i32,
    /// Its longest silence so far, 45 days at the most.
    #[serde(deserialize_with = "at_most")]
    longest_gap: u16,
    /// Minutes in which it was heard.
    minutes: u32,
    /// Is it clinical or control? So were all in models of earlier versions.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    is_critical: bool,
    /// Of a kind that nobody knows, do others of it pause, or is it not known for long? So were none in models of earlier versions.
    #[serde(default, skip_serializing_if = "is_no")]
    is_alone: bool,
}

/// Models of earlier versions may have longer ones.
fn at_most<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    i64::deserialize(deserializer).map(gap)
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_no(value: &bool) -> bool {
    !*value
}

impl Steady {
    /// One that was heard until then, as became known in this minute.
    pub(super) const fn new(minute: i64, until: i64, is_critical: bool) -> Self {
        // Times have nanoseconds: their minutes have 28 bits.
        Self { first: minute as i32, last: until as i32, longest_gap: 0, minutes: 1, is_critical, is_alone: false }
    }

    /// Adds what was heard at another time, `deaf` saying when nothing at all was.
    pub(super) fn follow(&mut self, other: &Self, deaf: &Deaf) {
        let (from, to) = if self.first <= other.first { (self.last, other.first) } else { (other.last, self.first) };
        let between = i64::from(to) - i64::from(from) - deaf.within(from.into(), to.into());
        self.longest_gap = self.longest_gap.max(other.longest_gap).max(gap(between));
        (self.first, self.last) = (self.first.min(other.first), self.last.max(other.last));
        self.minutes = self.minutes.saturating_add(other.minutes);
        self.is_critical |= other.is_critical;
    }

    /// It was listened to for as long as `deaf` tells: before its first minute and after its last it was silent, too.
    pub(super) fn within(&mut self, deaf: &Deaf) {
        let Some((start, end)) = deaf.heard else { return };
        for (from, to) in [(start, self.first.into()), (self.last.into(), end)] {
            let silent = (to - from).max(0) - deaf.within(from, to);
            self.longest_gap = self.longest_gap.max(gap(silent));
        }
    }

    /// Did it go on all the time that it was known, but for short silences?
    #[must_use]
    pub fn is_steady(&self) -> bool {
        let known = self.known_minutes();
        let is_close = known >= CLOSE_MINUTES && self.longest_gap <= MOST_GAP_CLOSE;
        (self.is_well_known() || is_close) && known >= MIN_TIMES * i64::from(self.longest_gap)
    }

    /// Was it heard often enough, and for as long as what it is asks for, to be missed whatever else its device does?
    pub(super) fn is_well_known(&self) -> bool {
        let known = self.known_minutes();
        let least = if known >= OPEN_MINUTES && self.longest_gap <= MOST_GAP_OPEN { MIN_MINUTES_OPEN } else { MIN_MINUTES };
        (self.is_critical || known >= LONG_MINUTES && self.longest_gap <= MOST_GAP) && self.minutes >= least
    }

    fn known_minutes(&self) -> i64 {
        i64::from(self.last) - i64::from(self.first)
    }

    /// Says whether others of its kind pause, or it is not known for long, where nobody knows that kind.
    pub(super) const fn stand_alone(&mut self, is_alone: bool) {
        self.is_alone = is_alone && !self.is_critical;
    }

    /// Is it missed only while its device itself goes on?
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.is_alone || !self.is_well_known()
    }

    /// Is it clinical or control, rather than of a kind that nobody knows?
    #[must_use]
    pub const fn is_critical(&self) -> bool {
        self.is_critical
    }

    /// Was it silent for too long by the time another was first heard?
    pub(super) fn stopped_before(&self, other: &Self) -> bool {
        i64::from(other.first) - i64::from(self.last) > i64::from(MOST_GAP)
    }

    /// Its longest silence, in minutes.
    #[must_use]
    pub const fn longest_gap(&self) -> u32 {
        self.longest_gap as u32
    }

    /// Minutes in which it was heard.
    #[must_use]
    pub const fn minutes(&self) -> u32 {
        self.minutes
    }
}

/// A silence of so many minutes.
fn gap(minutes: i64) -> u16 {
    minutes.clamp(0, u16::MAX.into()) as u16
}

/// As long without anything heard of anybody, in minutes, nobody listened or everybody was away: it is no silence of one.
pub const DEAF_MINUTES: i64 = 60;
/// Such times remembered at the most; beyond, they count as silence.
const MOST_DEAF: usize = 4096;

/// When nothing at all was heard, as minutes since the epoch: between captures that are learned from together, or while a site is closed.
#[derive(Clone, Debug, Default)]
pub(super) struct Deaf {
    /// The first and the last minute in which anything was heard.
    heard: Option<(i64, i64)>,
    /// Between minutes in which something was.
    times: Vec<(i64, i64)>,
}

impl Deaf {
    /// Something was heard in this minute, no earlier than what was heard before.
    pub(super) fn hear(&mut self, minute: i64) {
        self.merge(&Self { heard: Some((minute, minute)), times: Vec::new() });
    }

    /// Adds another part of the time: captures may be given in any order.
    pub(super) fn merge(&mut self, other: &Self) {
        let Some((first, last)) = other.heard else { return };
        if let Some((start, end)) = self.heard {
            let between = [(end, first), (last, start)];
            self.times.extend(between.into_iter().filter(|(from, to)| to - from >= DEAF_MINUTES));
        }
        self.times.extend(&other.times);
        self.times.truncate(MOST_DEAF);
        self.heard = Some(self.heard.map_or((first, last), |(start, end)| (start.min(first), end.max(last))));
    }

    /// Adds what was heard elsewhere of the same time: what either heard was heard.
    pub(super) fn join(&mut self, other: &Self) {
        let (Some((start, end)), Some((first, last))) = (self.heard, other.heard) else {
            // Of one of them it is not known.
            return *self = Self::default();
        };
        let both = |&(from, to): &(i64, i64)| other.times.iter().map(move |&(a, b)| (from.max(a), to.min(b)));
        let both: Vec<_> = self.times.iter().flat_map(both).filter(|(from, to)| to - from >= DEAF_MINUTES).collect();
        (self.times, self.heard) = (both, Some((start.min(first), end.max(last))));
    }

    /// Minutes between these two in which nothing was heard.
    fn within(&self, from: i64, to: i64) -> i64 {
        self.times.iter().map(|&(start, end)| (end.min(to) - start.max(from)).max(0)).sum()
    }
}

/// It serves learning alone: what was learned is the same without it.
impl PartialEq for Deaf {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(steady: &mut Steady, minute: i64) {
        steady.follow(&Steady::new(minute, minute, true), &Deaf::default());
    }

    #[test]
    fn while_nothing_is_heard_nobody_is_silent() {
        let mut deaf = Deaf::default();
        let mut steady = Steady::new(0, 0, true);
        // Two hours of one day, two of the next one, another capture a week later; the conversation comes every five minutes.
        let days = [0, 1440].map(|day| (0..24).map(move |n| day + n * 5));
        for minute in days.into_iter().flatten().skip(1) {
            deaf.hear(minute);
            steady.follow(&Steady::new(minute, minute, true), &deaf);
        }
        let mut later = (Deaf::default(), Steady::new(10_080, 10_080, true));
        later.0.hear(10_080);
        deaf.merge(&later.0);
        steady.follow(&later.1, &deaf);
        assert_eq!((steady.longest_gap(), steady.minutes()), (5, 49));
        // Elsewhere somebody was heard in between.
        let mut elsewhere = Deaf::default();
        [0, 700, 10_080].iter().for_each(|&minute| elsewhere.hear(minute));
        let mut both = deaf.clone();
        both.join(&elsewhere);
        assert_eq!((deaf.within(0, 10_080), both.within(0, 10_080)), (1440 - 115 + 10_080 - 1555, 1440 - 115 + 10_080 - 1555));
        elsewhere.hear(10_100);
        both.join(&Deaf::default());
        assert_eq!(both.within(0, 10_080), 0, "of the other nothing is known");
    }

    #[test]
    fn a_long_silence_makes_it_unsteady() {
        let mut steady = Steady::new(0, 0, true);
        (1..60).for_each(|n| follow(&mut steady, n * 5));
        assert!(steady.is_steady() && steady.longest_gap() == 5 && steady.minutes() == 60);
        let mut broken = steady;
        follow(&mut broken, 295 + 120);
        assert!(!broken.is_steady());
        let mut both = steady;
        follow(&mut both, 300);
        assert_eq!((both.longest_gap(), both.minutes()), (5, 61));
    }

    #[test]
    fn a_silence_lasts_until_more_becomes_known() {
        // A question every seven minutes, of which one is left out; each is known at once, and five minutes later that it is over.
        let mut steady = Steady::new(0, 0, true);
        let minutes = (0..40).filter(|n| *n != 20).flat_map(|n| [(n * 7, n * 7), (n * 7 + 5, n * 7)]);
        minutes.skip(1).for_each(|(minute, until)| steady.follow(&Steady::new(minute, until, true), &Deaf::default()));
        assert_eq!(steady.longest_gap(), 14);
    }

    #[test]
    fn who_is_away_at_either_end_is_not_steady() {
        // Every five minutes from the second hour on, for eight hours.
        let heard_within = |start: i64, end: i64| {
            let (mut steady, mut deaf) = (Steady::new(120, 120, true), Deaf::default());
            (1..=96).for_each(|n| follow(&mut steady, 120 + n * 5));
            [start, end].iter().for_each(|&minute| deaf.merge(&Deaf { heard: Some((minute, minute)), times: Vec::new() }));
            deaf.times.clear();
            steady.within(&deaf);
            steady
        };
        assert!(heard_within(110, 610).is_steady() && heard_within(110, 610).longest_gap() == 10);
        assert!(!heard_within(0, 610).is_steady(), "it began late");
        assert!(!heard_within(110, 720).is_steady() && heard_within(110, 720).longest_gap() == 120, "it went home");
        let mut steady = heard_within(120, 600);
        steady.within(&Deaf::default());
        assert_eq!(steady.longest_gap(), 5, "nothing is known of the time");
    }

    #[test]
    fn a_few_minutes_show_nothing() {
        let after = |times: i64, every: i64| {
            let mut steady = Steady::new(0, 0, true);
            (1..times).for_each(|n| follow(&mut steady, every * n));
            steady.is_steady().then(|| steady.is_alone())
        };
        assert_eq!([after(29, 1), after(30, 1)], [None, Some(false)]);
        assert_eq!([after(12, 5), after(13, 5)], [None, Some(true)], "an hour is enough while its device goes on");
        assert_eq!([after(19, 5), after(20, 5)], [Some(true), Some(false)], "it stays open");
        assert_eq!(after(29, 11), None, "it is silent for longer");
    }

    #[test]
    fn a_model_of_an_earlier_version_is_read() {
        let told = |gap: u32| format!(r#"{{"first":0,"last":200000,"longest_gap":{gap},"minutes":40}}"#);
        let read = |gap: u32| serde_json::from_str::<Steady>(&told(gap)).unwrap();
        assert!(read(9).is_critical() && read(9).longest_gap() == 9);
        assert_eq!(read(100_000).longest_gap(), u32::from(u16::MAX));
    }
}

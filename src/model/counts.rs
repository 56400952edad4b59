//! How often each value of something was seen, and how probable a new one is.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::seen::Seen;
use super::sums::{Sums, Together};

/// Values kept of one variable; further new ones only add to the count of values seen once.
const MAX_VALUES: usize = 4096;

/// A value that is counted, and its short form: what most values of its kind can be kept as.
pub trait Value: Ord + Copy {
    /// The short form, in the order of the values.
    type Short: Ord + Copy + std::fmt::Debug;
    /// It in its short form, where it has one.
    fn short(self) -> Option<Self::Short>;
    /// What the short form stands for.
    fn of(short: Self::Short) -> Self;
}

/// In how many minutes each value was seen. A minute counts once however often the value occurred in it, so that a burst
/// does not make itself normal.
///
/// A fleet has some hundred million of these values: they lie in order in slices that are never longer than needed, and what few
/// devices have is kept apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts<K: Value> {
    /// Values with a short form.
    values: Box<[(K::Short, Seen)]>,
    rest: Option<Box<Rest<K>>>,
}

/// What few devices have.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rest<K> {
    /// Values without a short form.
    values: Box<[(K, Seen)]>,
    /// Minutes with values beyond [`MAX_VALUES`].
    overflow: u32,
    /// Of the values with a short form, once prepared.
    sums: Sums,
}

impl<K: Value> Default for Counts<K> {
    fn default() -> Self {
        Self { values: Box::default(), rest: None }
    }
}

impl<K> Default for Rest<K> {
    fn default() -> Self {
        Self { values: Box::default(), overflow: 0, sums: Sums::default() }
    }
}

/// Where a value is kept, or would be.
enum Place {
    Short(Result<usize, usize>),
    Long(Result<usize, usize>),
}

/// Puts an entry at its place. As long as needed, not longer: most tables are never touched again.
fn insert<T>(slice: &mut Box<[T]>, place: usize, entry: T) {
    let mut entries = std::mem::take(slice).into_vec();
    entries.reserve_exact(1);
    entries.insert(place, entry);
    *slice = entries.into_boxed_slice();
}

/// The entries of both, in order: those of a later part of the time where the device `was_known` before.
fn together<K: Ord + Copy>(mine: &[(K, Seen)], theirs: &[(K, Seen)], was_known: bool) -> Box<[(K, Seen)]> {
    let mut entries = Vec::with_capacity(mine.len() + theirs.len());
    let mut mine = mine.iter().copied().peekable();
    for &(value, seen) in theirs {
        entries.extend(std::iter::from_fn(|| mine.next_if(|&(known, _)| known < value)));
        entries.push(match mine.next_if(|&(known, _)| known == value) {
            Some((_, mut known)) => {
                known.add(seen.minutes());
                (value, known)
            }
            None => (value, if was_known { seen.come_late() } else { seen }),
        });
    }
    entries.extend(mine);
    entries.into_boxed_slice()
}

/// The entries with a value in the range.
fn within<T, K: Ord>(entries: &[T], value: impl Fn(&T) -> K, range: &RangeInclusive<K>) -> std::ops::Range<usize> {
    let first = entries.partition_point(|entry| value(entry) < *range.start());
    first..first + entries[first..].partition_point(|entry| value(entry) <= *range.end())
}

/// How a device that has been known for so long meets values that are new to it.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// Minutes in which it could have shown any.
    pub minutes: f64,
    /// Those of them in later parts of the time than its first.
    pub late_minutes: f64,
}

impl<K: Value> Counts<K> {
    /// Counts minutes in which `value` was seen.
    pub fn add(&mut self, value: K, minutes: u32) {
        self.add_seen(value, Seen::in_minutes(minutes));
    }

    /// Adds up ahead what [`unseen`](Self::unseen) asks for, until the next value is counted.
    pub(super) fn prepare(&mut self) {
        if let Some(sums) = Sums::of(&self.values, |&(_, seen)| seen) {
            self.rest.get_or_insert_default().sums = sums;
        }
    }

    fn add_seen(&mut self, value: K, new: Seen) {
        self.rest.iter_mut().for_each(|rest| rest.sums = Sums::default());
        let place = self.place(value);
        if let Some(seen) = self.at(&place).map(|seen| &mut *seen) {
            seen.add(new.minutes());
            return;
        }
        if self.distinct() >= MAX_VALUES {
            let rest = self.rest.get_or_insert_default();
            rest.overflow = rest.overflow.saturating_add(new.minutes());
            return;
        }
        match (place, value.short()) {
            (Place::Short(Err(place)), Some(short)) => insert(&mut self.values, place, (short, new)),
            (Place::Long(Err(place)), _) => insert(&mut self.rest.get_or_insert_default().values, place, (value, new)),
            _ => {}
        }
    }

    fn place(&self, value: K) -> Place {
        match value.short() {
            Some(short) => Place::Short(self.values.binary_search_by_key(&short, |&(short, _)| short)),
            None => Place::Long(self.long().binary_search_by_key(&value, |&(value, _)| value)),
        }
    }

    fn at(&mut self, place: &Place) -> Option<&mut Seen> {
        match *place {
            Place::Short(Ok(place)) => Some(&mut self.values[place].1),
            Place::Long(Ok(place)) => self.rest.as_mut().map(|rest| &mut rest.values[place].1),
            _ => None,
        }
    }

    fn long(&self) -> &[(K, Seen)] {
        self.rest.as_ref().map_or(&[], |rest| &rest.values)
    }

    fn overflow(&self) -> u32 {
        self.rest.as_ref().map_or(0, |rest| rest.overflow)
    }

    fn seen(&self, value: K) -> Option<Seen> {
        match self.place(value) {
            Place::Short(Ok(place)) => Some(self.values[place].1),
            Place::Long(Ok(place)) => Some(self.long()[place].1),
            _ => None,
        }
    }

    /// All of what was seen within a range, those with a short form first.
    fn seen_within(&self, range: &RangeInclusive<K>) -> impl Iterator<Item = (K, Seen)> + '_ {
        let short = &self.values[within(&self.values, |&(short, _)| K::of(short), range)];
        let long = &self.long()[within(self.long(), |&(value, _)| value, range)];
        short.iter().map(|&(short, seen)| (K::of(short), seen)).chain(long.iter().copied())
    }

    /// The sum over all of what was seen within a range.
    fn together(&self, range: &RangeInclusive<K>) -> Together {
        let short = within(&self.values, |&(short, _)| K::of(short), range);
        let Some(rest) = &self.rest else { return Sums::default().within(&self.values, short, |&(_, seen)| seen) };
        let long = &rest.values[within(&rest.values, |&(value, _)| value, range)];
        rest.sums.within(&self.values, short, |&(_, seen)| seen) + long.iter().map(|&(_, seen)| Together::from(seen)).sum()
    }

    /// All of what was seen, in the order of the values.
    fn in_order(&self) -> impl Iterator<Item = (K, Seen)> + '_ {
        let mut short = self.values.iter().map(|&(short, seen)| (K::of(short), seen)).peekable();
        let mut long = self.long().iter().copied().peekable();
        std::iter::from_fn(move || match (short.peek(), long.peek()) {
            (Some(&(a, _)), Some(&(b, _))) if b < a => long.next(),
            (None, _) => long.next(),
            _ => short.next(),
        })
    }

    /// Adds the counts of another, of a later part of the time where the device `was_known` before.
    pub fn merge(&mut self, other: &Self, was_known: bool) {
        if self.distinct() + other.distinct() <= MAX_VALUES {
            self.rest.iter_mut().for_each(|rest| rest.sums = Sums::default());
            self.values = together(&self.values, &other.values, was_known);
            if !other.long().is_empty() {
                let rest = self.rest.get_or_insert_default();
                rest.values = together(&rest.values, other.long(), was_known);
            }
        } else {
            for (value, seen) in other.in_order() {
                self.add_seen(value, if was_known && !self.contains(value) { seen.come_late() } else { seen });
            }
        }
        self.add_overflow(other.overflow());
    }

    fn add_overflow(&mut self, minutes: u32) {
        if minutes > 0 {
            let rest = self.rest.get_or_insert_default();
            rest.overflow = rest.overflow.saturating_add(minutes);
        }
    }

    /// Minutes in which a value was seen.
    #[must_use]
    pub fn get(&self, value: K) -> u32 {
        self.seen(value).map_or(0, Seen::minutes)
    }

    /// Minutes counted, over all values.
    #[must_use]
    pub fn total(&self) -> f64 {
        let of_values = self.iter().fold(0_u32, |total, (_, minutes)| total.saturating_add(minutes));
        f64::from(of_values.saturating_add(self.overflow()))
    }

    /// Values that were seen in one minute only: they estimate how often something new comes (Good 1953).
    #[must_use]
    pub fn singletons(&self) -> f64 {
        f64::from(self.overflow()) + self.iter().filter(|&(_, minutes)| minutes == 1).count() as f64
    }

    /// Was it ever seen?
    #[must_use]
    pub fn contains(&self, value: K) -> bool {
        self.seen(value).is_some()
    }

    /// Different values seen.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.values.len() + self.long().len()
    }

    /// Bytes that the values take behind their place in a device's baseline.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let rest =
            self.rest.as_ref().map_or(0, |rest| size_of::<Rest<K>>() + size_of_val(&*rest.values) + rest.sums.heap_bytes());
        size_of_val(&*self.values) + rest
    }

    /// The values within a range and their minutes.
    pub fn range(&self, values: &RangeInclusive<K>) -> impl Iterator<Item = (K, u32)> + '_ {
        self.seen_within(values).map(|(value, seen)| (value, seen.minutes()))
    }

    /// Values and their minutes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (K, u32)> + '_ {
        self.in_order().map(|(value, seen)| (value, seen.minutes()))
    }

    /// The probability of a value that was never seen, among the values of its `families` (the peers of one service, the names of
    /// one kind).
    ///
    /// It is the Good–Turing estimate of all unseen values together, drawn towards `prior` (the rate of new values among devices
    /// like this one) with the weight of `weight` minutes, and never below half a minute of all that were seen: n minutes
    /// without it cannot show that it comes less often than about once in n (Krichevsky and Trofimov 1981). Two habits make a new
    /// value more probable: new ones came late in its life (a cloud that moves), or a family is rarely used, but with another
    /// value most times (servers of the time out of a pool).
    #[must_use]
    pub fn unseen(&self, families: impl Iterator<Item = RangeInclusive<K>>, prior: f64, weight: f64, life: Life) -> Unseen {
        let together = families.map(|family| self.together(&family)).sum();
        let (overflow, Together { once, late, minutes }) = (f64::from(self.overflow()), together);
        let (once, late, total) = (overflow + f64::from(once), f64::from(late), overflow + minutes as f64);
        Unseen { once, late, total, prior, weight, life }
    }
}

/// What the probability of a value that was never seen is made of: see [`Counts::unseen`].
#[derive(Clone, Copy, Debug)]
pub struct Unseen {
    /// Values of the family that were seen in one minute only.
    pub once: f64,
    /// Values of the family that came late.
    pub late: f64,
    /// Minutes of all values of the family.
    pub total: f64,
    /// The rate of new values among devices like this one.
    pub prior: f64,
    /// Its weight, in minutes.
    pub weight: f64,
    /// How long the device was known.
    pub life: Life,
}

impl Unseen {
    /// The estimate over the life of the device.
    #[must_use]
    pub fn in_life(&self) -> f64 {
        (self.once + 0.5 + self.prior * self.weight) / (self.total.max(self.life.minutes) + self.weight + 1.0)
    }

    /// How often the family's use brings another value. One value seen once is no habit of changing.
    #[must_use]
    pub fn in_use(&self) -> f64 {
        (self.once - 1.0) / (self.total + 1.0)
    }

    /// How often new values came late in its life. One that came late is no habit either.
    #[must_use]
    pub fn in_late_life(&self) -> f64 {
        (self.late - 0.5) / (self.life.late_minutes + 1.0)
    }

    /// The probability: the largest of the three, 1 at the most.
    #[must_use]
    pub fn p(&self) -> f64 {
        self.in_life().max(self.in_use()).max(self.in_late_life()).min(1.0)
    }
}

impl<K: Value> FromIterator<(K, u32)> for Counts<K> {
    fn from_iter<I: IntoIterator<Item = (K, u32)>>(pairs: I) -> Self {
        let mut counts = Self::default();
        pairs.into_iter().for_each(|(value, minutes)| counts.add(value, minutes));
        counts
    }
}

/// As a model holds it: minutes by value, those that came late apart.
#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "K: Ord + Display", deserialize = "K: Ord + FromStr"))]
struct Stored<K: Ord> {
    #[serde(with = "super::keys")]
    seen: BTreeMap<K, u32>,
    #[serde(with = "super::keys", default = "BTreeMap::new", skip_serializing_if = "BTreeMap::is_empty")]
    late: BTreeMap<K, u32>,
    #[serde(default, skip_serializing_if = "is_zero")]
    more: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(value: &u32) -> bool {
    *value == 0
}

impl<K: Value + Display> Serialize for Counts<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (mut stored, more) = (Stored { seen: BTreeMap::new(), late: BTreeMap::new(), more: 0 }, self.overflow());
        for (value, seen) in self.in_order() {
            let part = if seen.is_late() { &mut stored.late } else { &mut stored.seen };
            part.insert(value, seen.minutes());
        }
        stored.more = more;
        stored.serialize(serializer)
    }
}

impl<'de, K: Value + FromStr> Deserialize<'de> for Counts<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::<K>::deserialize(deserializer)?;
        let mut counts = Self::default();
        stored.seen.into_iter().for_each(|(value, minutes)| counts.add_seen(value, Seen::in_minutes(minutes)));
        stored.late.into_iter().for_each(|(value, minutes)| counts.add_seen(value, Seen::in_minutes(minutes).come_late()));
        counts.add_overflow(stored.more);
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use std::iter::once;

    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Even numbers have a short form.
    impl Value for u32 {
        type Short = u16;
        fn short(self) -> Option<u16> {
            if self.is_multiple_of(2) { u16::try_from(self / 2).ok() } else { None }
        }
        fn of(short: u16) -> Self {
            Self::from(short) * 2
        }
    }

    fn of(pairs: &[(u32, u32)]) -> Counts<u32> {
        pairs.iter().copied().collect()
    }

    const ALL: RangeInclusive<u32> = 0..=u32::MAX;

    fn life(minutes: f64) -> Life {
        Life { minutes, late_minutes: minutes / 2.0 }
    }

    #[test]
    fn new_values_surprise_a_settled_device_more() {
        let settled = of(&[(1, 50), (2, 50)]);
        let roaming = (0..100).map(|n| (n, 1)).collect::<Counts<u32>>();
        assert!(settled.unseen(once(ALL), 0.1, 5.0, life(0.0)).p() < 0.01);
        assert!(roaming.unseen(once(ALL), 0.1, 5.0, life(0.0)).p() > 0.9);
    }

    #[test]
    fn what_was_added_up_ahead_is_what_the_values_say() {
        let mut counts = Counts::default();
        counts.merge(&(0..1500).map(|n| (n, 1 + n % 3)).collect(), false);
        counts.merge(&(1000..3000).map(|n| (n, 1 + n % 2)).collect(), true);
        let ranges = [0..=u32::MAX, 0..=0, 1..=130, 128..=255, 127..=2049, 2900..=9999, 5000..=6000];
        let told = |counts: &Counts<u32>| {
            let sum = |range: &RangeInclusive<u32>| {
                let Unseen { once, late, total, .. } = counts.unseen(once(range.clone()), 0.0, 0.0, life(0.0));
                (once, late, total)
            };
            ranges.iter().map(sum).collect::<Vec<_>>()
        };
        let (plain, mut ahead) = (told(&counts), counts.clone());
        ahead.prepare();
        assert!(ahead.heap_bytes() > counts.heap_bytes(), "something was added up");
        assert_eq!((told(&ahead), &ahead), (plain, &counts));
        [&mut ahead, &mut counts].into_iter().for_each(|counts| counts.add(7, 5));
        assert_eq!(told(&ahead), told(&counts), "and what comes later counts too");
    }

    #[test]
    fn a_family_is_judged_by_its_own_values() {
        let mixed = (0..50).map(|n| (n, 1)).chain([(99, 50)]).collect::<Counts<u32>>();
        assert!(mixed.unseen(once(90..=99), 0.0, 0.0, life(100.0)).p() < 0.01);
        assert!(mixed.unseen(once(0..=50), 0.0, 0.0, life(100.0)).p() > 0.4);
    }

    #[test]
    fn what_changes_with_every_rare_use_is_no_surprise() {
        let pool = (0..6).map(|n| (n, 1)).collect::<Counts<u32>>();
        assert!(pool.unseen(once(ALL), 0.0, 0.0, life(600.0)).p() > 0.7);
        assert!(of(&[(1, 1)]).unseen(once(ALL), 0.0, 0.0, life(600.0)).p() < 0.01, "one use shows nothing");
    }

    #[test]
    fn what_came_late_may_come_again() {
        let mut known = of(&[(1, 300)]);
        (2..6).for_each(|later| known.merge(&of(&[(later, 100)]), true));
        assert!(known.unseen(once(ALL), 0.0, 0.0, life(700.0)).p() > 3.0 / 351.0);
        let mut first = Counts::default();
        first.merge(&of(&[(1, 300), (2, 100)]), false);
        assert!(first.unseen(once(ALL), 0.0, 0.0, life(700.0)).p() < 1.0 / 700.0);
        let json = serde_json::to_string(&known).unwrap();
        assert_eq!(json, r#"{"seen":{"1":300},"late":{"2":100,"3":100,"4":100,"5":100}}"#);
        assert_eq!(serde_json::from_str::<Counts<u32>>(&json).unwrap(), known);
    }

    #[test]
    fn an_unknown_device_is_judged_by_the_network() {
        assert!((of(&[]).unseen(once(ALL), 0.125, 5.0, life(0.0)).p() - 1.125 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn values_are_in_order_whatever_their_form() {
        let counts = of(&[(7, 1), (2, 5), (3, 1), (1_000_000, 2), (4, 1), (2, 1)]);
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(2, 6), (3, 1), (4, 1), (7, 1), (1_000_000, 2)]);
        assert_eq!(counts.range(&(3..=7)).map(|(_, minutes)| minutes).sum::<u32>(), 3);
        assert_eq!((counts.get(3), counts.get(5), counts.contains(4), counts.distinct()), (1, 0, true, 5));
        assert_eq!((counts.total(), counts.singletons()), (11.0, 3.0));
    }

    #[test]
    fn memory_is_bounded_and_overflow_counts_as_new() {
        let many = (0..10_000).map(|n| (n, 1)).collect::<Counts<u32>>();
        assert_eq!(many.distinct(), MAX_VALUES);
        assert_eq!((many.total(), many.singletons()), (10_000.0, 10_000.0));
        let json = serde_json::to_string(&many).unwrap();
        assert_eq!(serde_json::from_str::<Counts<u32>>(&json).unwrap(), many);
    }

    proptest! {
        #[test]
        fn merging_is_counting_one_after_the_other(
            mine in vec((0..40_u32, 1..9_u32), 0..30), theirs in vec((0..40_u32, 1..9_u32), 0..30), was_known: bool,
        ) {
            let (mut merged, mut counted, other) = (of(&mine), of(&mine), of(&theirs));
            merged.merge(&other, was_known);
            for (value, seen) in other.in_order() {
                let is_late = was_known && !counted.contains(value);
                counted.add_seen(value, if is_late { seen.come_late() } else { seen });
            }
            prop_assert_eq!(merged, counted);
        }
    }
}

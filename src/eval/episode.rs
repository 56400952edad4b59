//! Which alert finds which attack.

use std::collections::{BTreeMap, BTreeSet};

use super::AlertLine;
use crate::dataset::{Kind, Row, Truth};
use crate::time::{Span, Timestamp};
use crate::wire::Addr;

/// An episode with more counterparts than this is found by its subject alone.
const COUNTERPARTS_MAX: usize = 64;
/// An incident that lasts longer can find one episode only.
const LONG: Span = Span::from_secs(600);

/// One attack: its rows, and whom each end dealt with in them.
pub(super) struct Episode<'a> {
    pub name: &'a str,
    rows: Vec<&'a Row>,
    counterparts: BTreeMap<Addr, BTreeSet<Option<Addr>>>,
}

impl<'a> Episode<'a> {
    /// The attacks of these rows in the order of their first rows.
    pub fn of(rows: &[&'a Row], truth: &'a Truth) -> Vec<Self> {
        let mut episodes: Vec<Self> = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.kind == Kind::Malicious) {
            let name = truth.detail(row);
            let place = *places.entry(name).or_insert(episodes.len());
            if place == episodes.len() {
                episodes.push(Self { name, rows: Vec::new(), counterparts: BTreeMap::new() });
            }
            let Some(episode) = episodes.get_mut(place) else { continue };
            episode.rows.push(row);
            for (one, other) in both_ways(row) {
                one.map(|one| episode.counterparts.entry(one).or_default().insert(other));
            }
        }
        episodes
    }

    /// When its first row begins.
    pub fn start(&self) -> Timestamp {
        self.rows.iter().map(|row| row.start).min().unwrap_or(Timestamp::MIN)
    }

    /// Does a line find the attack by this row?
    fn found_by(&self, row: &Row, line: &AlertLine, slack: Span) -> bool {
        let late = row.end + slack;
        if line.raised > late || line.first > late || line.last < row.start - slack {
            return false;
        }
        let many = |one: Option<Addr>| {
            one.and_then(|one| self.counterparts.get(&one)).is_some_and(|others| others.len() > COUNTERPARTS_MAX)
        };
        both_ways(row).into_iter().any(|(one, other)| {
            let subject = one.is_none_or(|one| line.subjects.contains(&one));
            let named = other.is_none_or(|other| line.others.contains(&other) || one.is_some() && line.subjects.contains(&other));
            subject && (named || many(one))
        })
    }
}

fn both_ways(row: &Row) -> [(Option<Addr>, Option<Addr>); 2] {
    [(row.src, row.dst), (row.dst, row.src)]
}

/// Which attacks the lines of one incident find, each with the moment of the first line that does.
pub(super) fn found<'a>(lines: &[&AlertLine], attacks: &[Episode<'a>], slack: Span) -> Vec<(&'a str, Timestamp)> {
    let mut found: Vec<(&str, Timestamp)> = Vec::new();
    for attack in attacks {
        let finds = |line: &&&AlertLine| attack.rows.iter().any(|row| attack.found_by(row, line, slack));
        found.extend(lines.iter().filter(finds).map(|line| line.raised).min().map(|when| (attack.name, when)));
    }
    let first = lines.iter().map(|line| line.first).min();
    let last = lines.iter().map(|line| line.last).max();
    if first.zip(last).is_some_and(|(first, last)| last.since(first) > LONG) {
        // A stable sort: of two that were found at once, the one whose rows come first.
        found.sort_by_key(|&(_, when)| when);
        found.truncate(1);
    }
    found
}

/// Does a line overlap a row in time and name one of its ends? A row without addresses is everybody's.
pub(super) fn touches(row: &Row, line: &AlertLine, slack: Span) -> bool {
    let named = |end: Addr| line.subjects.contains(&end) || line.others.contains(&end);
    let open = row.src.is_none() && row.dst.is_none();
    line.first <= row.end + slack
        && line.last >= row.start - slack
        && (open || row.src.is_some_and(named) || row.dst.is_some_and(named))
}

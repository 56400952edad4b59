//! What was read, and where the rest went.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::kind::RecordKind;

/// Kinds of other events that are told apart; further ones count together.
const MOST_KINDS: usize = 64;

/// Counters of a run over flow records: lines = records + other events + unreadable + outside the time asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecordAccount {
    /// Lines (rows of Parquet) that hold something: no blank ones, no headers, no comments.
    pub lines: u64,
    /// Records that were judged or learned from.
    pub records: u64,
    /// Events of other kinds that were passed over, by kind.
    pub skipped: BTreeMap<String, u64>,
    /// Lines that could not be read.
    pub unreadable: u64,
    /// Records that begin outside the time asked for.
    pub outside_time: u64,
    /// Records that came so much out of order that they were judged after later ones.
    pub late: u64,
    /// Records by what they can know.
    #[serde(serialize_with = "by_name")]
    pub kinds: BTreeMap<RecordKind, u64>,
    /// Flows to begin with: records that are no later segments of a long flow.
    pub flows: u64,
}

fn by_name<S: serde::Serializer>(kinds: &BTreeMap<RecordKind, u64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(kinds.iter().map(|(kind, count)| (kind.name(), count)))
}

impl RecordAccount {
    /// Counts an event of another kind.
    pub(super) fn skip(&mut self, kind: &str) {
        let kind = if self.skipped.len() < MOST_KINDS || self.skipped.contains_key(kind) { kind } else { "others" };
        *self.skipped.entry(kind.to_owned()).or_default() += 1;
    }

    /// Does every line have its place?
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.lines == self.records + self.skipped.values().sum::<u64>() + self.unreadable + self.outside_time
    }
}

/// A few aligned lines for people.
impl fmt::Display for RecordAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lines    {} = {} flow records", self.lines, self.records)?;
        for (kind, count) in &self.skipped {
            write!(f, " + {count} {kind}")?;
        }
        for (count, what) in [(self.unreadable, "unreadable"), (self.outside_time, "outside_time")] {
            if count > 0 {
                write!(f, " + {count} {what}")?;
            }
        }
        write!(f, "\nflows    {} in {} records", self.flows, self.records)?;
        for (place, (kind, count)) in self.kinds.iter().enumerate() {
            write!(f, "{} {count} {}", if place == 0 { ":" } else { "," }, kind.name())?;
        }
        if self.late > 0 {
            write!(f, "\nwarning  {} records came too late for the order of their ends and were judged as they came", self.late)?;
        }
        if !self.balanced() {
            write!(f, "\nwarning  the account does not balance; please report this")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_events_cannot_fill_the_memory() {
        let mut account = RecordAccount::default();
        (0..1000).for_each(|n| account.skip(&format!("event {n}")));
        account.lines = 1000;
        assert!(account.balanced() && account.skipped.len() == MOST_KINDS + 1);
        assert_eq!(account.skipped["others"], 1000 - MOST_KINDS as u64);
        account.lines += 1;
        assert!(!account.balanced() && account.to_string().contains("does not balance"));
    }
}

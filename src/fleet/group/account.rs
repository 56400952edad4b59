//! What a member of a group counts.

use std::fmt;

use serde::Serialize;

use crate::fleet::MergeAccount;

/// What a member did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GroupAccount {
    /// What came of sensors.
    #[serde(flatten)]
    pub merge: MergeAccount,
    /// Partitions in all.
    pub partitions: u16,
    /// Those of this member, at the end.
    pub owned: u64,
    /// How often it was another share.
    pub moves: u64,
    /// Records that were judged here, once for each end's partition.
    pub judged: u64,
    /// Messages of findings that were published.
    pub published: u64,
    /// Their bytes.
    pub published_bytes: u64,
    /// Findings that found no room.
    pub lost_findings: u64,
    /// Did it file, at any time?
    pub has_filed: bool,
    /// Ticks that were filed here.
    pub ticks: u64,
    /// Messages of findings that came.
    pub findings_messages: u64,
    /// Findings of these, each once: by tick, of all observations, devices and silences together.
    pub findings: u64,
    /// Records that they are of.
    pub records_found: u64,
    /// Messages whose findings were there before.
    pub findings_doubles: u64,
    /// Messages of findings that could not be read.
    pub findings_unreadable: u64,
    /// Messages before which others are missing.
    pub gaps: u64,
    /// Messages by another model than that of who files.
    pub foreign: u64,
    /// How often the server was away.
    pub outages: u64,
}

impl GroupAccount {
    /// Is something lost?
    #[must_use]
    pub const fn has_lost(&self) -> bool {
        let of_sensors = self.merge.missing + self.merge.lost + self.merge.unreadable;
        of_sensors + self.findings_unreadable + self.lost_findings + self.gaps > 0
    }

    /// Adds what another share of the partitions had of sensors.
    pub(super) fn add(&mut self, more: &MergeAccount) {
        let sum = &mut self.merge;
        let MergeAccount { messages, records, copies, doubles, late, missing, unreadable, other_version, hurried, .. } = *more;
        sum.messages += messages;
        sum.records += records;
        sum.copies += copies;
        sum.doubles += doubles;
        sum.late += late;
        sum.missing += missing;
        sum.unreadable += unreadable;
        sum.other_version += other_version;
        sum.hurried += hurried;
        sum.ahead += more.ahead;
        sum.lost = sum.lost.max(more.lost);
        sum.runs = sum.runs.max(more.runs);
        sum.off = sum.off.max(more.off);
    }
}

/// A few aligned lines for people.
impl fmt::Display for GroupAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { merge, owned, partitions, judged, published, published_bytes, .. } = self;
        write!(
            f,
            "messages {} of {} runs of sensors; {judged} records judged for {owned} of {partitions} partitions\nfound    {published} messages of {published_bytes} bytes were published",
            merge.messages, merge.runs
        )?;
        if self.has_filed {
            write!(f, "; {} messages of {} findings were filed in {} ticks", self.findings_messages, self.findings, self.ticks)?;
        }
        let warnings = [
            (merge.missing, "messages that sensors published did not come"),
            (merge.lost, "copies of records were not published: the spool of a sensor was full"),
            (merge.late, "records came after their time was judged"),
            (merge.off, "sensors have another clock than the server"),
            (merge.ahead, "records were of a time to come; they were judged when they came"),
            (merge.hurried, "ticks were judged before all sensors were there: too much was held"),
            (merge.unreadable + self.findings_unreadable, "messages could not be read"),
            (self.lost_findings, "findings found no room"),
            (self.gaps, "times findings were let go before they were filed"),
            (self.foreign, "messages of findings are by another model"),
        ];
        for (count, what) in warnings.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "\nwarning  {count} {what}")?;
        }
        if self.outages > 0 {
            write!(f, "\nnote     the server was away {} times", self.outages)?;
        }
        Ok(())
    }
}

//! What a detector counts of sensors.

use serde::Serialize;

/// What came, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MergeAccount {
    /// Messages that came.
    pub messages: u64,
    /// Records that were judged.
    pub records: u64,
    /// Copies for the responder's partition, whose initiator's is read here too.
    pub copies: u64,
    /// Messages that came again.
    pub doubles: u64,
    /// Records that came after their tick was judged; they were judged at the next.
    pub late: u64,
    /// Messages that sensors published and that did not come.
    pub missing: u64,
    /// Messages that could not be read.
    pub unreadable: u64,
    /// Of these, messages of another version.
    pub other_version: u64,
    /// Ticks that were judged before all sensors were there, since too much was held.
    pub hurried: u64,
    /// Copies that sensors could not publish: their spool was full.
    pub lost: u64,
    /// Runs of sensors that were heard.
    pub runs: u64,
    /// Of these, runs whose clock is more than five seconds from the server's.
    pub off: u64,
    /// Records of a time more than a minute ahead of the server's, which were judged at the second when they came.
    pub ahead: u64,
}

//! What became of the packets of incidents.

use serde::Serialize;

/// What was written, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EvidenceAccount {
    /// Files begun.
    pub files: u64,
    /// Packets written to them; a packet of two incidents counts twice.
    pub packets: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Files removed to make room, those of earlier runs included.
    pub removed_files: u64,
    /// Packets of incidents that were not written, by reason.
    pub left_out: LeftOut,
    /// Incidents of which packets had left the ring before they were told: how many, nobody knows.
    pub begun_before_ring: u64,
    /// Incidents, or conversations of them, that were more than can be followed.
    pub not_followed: u64,
    /// Frames that a second reading of the captures did not find.
    pub not_read_again: u64,
}

/// Packets that were not written, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The incident had as many as are written of one.
    pub incident_full: u64,
    /// The folder had as many bytes as it may.
    pub folder_full: u64,
    /// The file could not be written.
    pub unwritable: u64,
    /// Too much came within a second for the ring; whether they belonged to an incident is not known.
    pub too_much_at_once: u64,
}

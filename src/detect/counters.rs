//! What a detector counts.

/// What the detector has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DetectorCounters {
    /// Observations judged, first looks included.
    pub observations: u64,
    /// Incidents opened.
    pub incidents: u64,
    /// Those of them that only say that something is unusual or new.
    pub vague_incidents: u64,
    /// Lines told about incidents.
    pub notices: u64,
    /// Flows whose surprise was told of their conversation within the last day.
    pub repeats: u64,
    /// Looks at devices that the model does not know whose incident was held back, because it does not fit.
    pub held_back: u64,
    /// Evidence not kept because too many devices had a case.
    pub cases_refused: u64,
    /// Stories, and devices in them, that were not remembered because there were too many.
    pub stories_refused: u64,
    /// Flows scored before their time because too many were held.
    pub released_early: u64,
}

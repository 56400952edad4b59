//! What was found of a partition, on its way from who owns it to who files it.

use serde::{Deserialize, Serialize};

use crate::detect::Submission;
use crate::fleet::envelope::Envelope;
use crate::time::Timestamp;

pub(super) const FORM: Envelope = Envelope::of_message(*b"AUSN", 10);

/// Findings of some ticks of a partition. Whoever owns the partition finds the same, so what comes twice is told by its ticks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Findings {
    /// Which partition, and of how many.
    pub partition: (u16, u16),
    /// The tick through which all was in the messages before.
    pub after: Option<Timestamp>,
    /// The tick through which all is in this one and those before.
    pub through: Timestamp,
    /// By tick, and which part of the tick's it is.
    pub found: Vec<(Timestamp, u32, Submission)>,
    /// Records that were judged since the message before.
    pub records: u64,
    /// Digest of the model that judged them.
    pub model: String,
    /// Was all judged that there is, by who ends then?
    pub is_last: bool,
}

impl Findings {
    /// What tells it from all others.
    pub fn id(&self, group: &str, part: usize) -> String {
        let Self { partition: (partition, of), after, through, is_last, .. } = self;
        let after = after.map_or(0, |after| after.nanos());
        format!("{group}.{partition}.{of}.{after}.{}.{part}.{is_last}", through.nanos())
    }
}

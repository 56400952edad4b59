//! An incident at the moment when it was told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::incident::{Incident, IncidentState};
use crate::feature::Host;
use crate::time::Timestamp;

/// An incident at the moment when it was told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// When.
    pub raised: Timestamp,
    /// Where in its life.
    pub state: IncidentState,
    /// What was known then.
    pub incident: Incident,
    /// Was so much of the traffic lost then that this may be wrong for it? Who raises it does not know; who hands it on says so.
    pub is_degraded: bool,
    /// The present addresses of those that it names and that are known by something else: an earlier address, or their interface.
    pub present: BTreeMap<Host, Host>,
}

impl Notice {
    /// What a device is told as: its present address.
    #[must_use]
    pub fn shown(&self, device: Host) -> Host {
        self.present.get(&device).copied().unwrap_or(device)
    }
}

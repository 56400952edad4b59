//! Does the model fit the network that it judges?

use std::collections::HashSet;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use crate::feature::Host;
use crate::time::{Span, Timestamp};

/// How long devices are counted.
const SPAN: Span = Span::from_secs(3600);
/// Unknown devices at home that it takes to doubt the model.
const MIN_UNKNOWN: usize = 5;
/// Devices counted at the most.
const MAX_DEVICES: usize = 100_000;
/// What an incident of an unknown device must have beyond the threshold while the model does not fit: what is new to the model is
/// then no news.
pub(super) const DOUBT_BITS: f64 = 20.0;

/// Devices at home of this hour and the last, by whether the model knows them. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Fit {
    start: Option<Timestamp>,
    known: HashSet<Host, FixedState>,
    unknown: HashSet<Host, FixedState>,
    /// Known and unknown devices of the last hour.
    last: (usize, usize),
}

impl Fit {
    /// Counts a device at home that began a flow.
    pub fn observe(&mut self, host: Host, is_known: bool, now: Timestamp) {
        let start = *self.start.get_or_insert(now);
        if now.since(start) >= SPAN {
            self.last = (self.known.len(), self.unknown.len());
            self.known.clear();
            self.unknown.clear();
            self.start = Some(now);
        }
        let devices = if is_known { &mut self.known } else { &mut self.unknown };
        if devices.len() < MAX_DEVICES {
            devices.insert(host);
        }
    }

    /// Are the devices at home those of the model, by and large? New ones may come, but not more than there are old ones.
    #[must_use]
    pub fn holds(&self) -> bool {
        let (known, unknown) = self.counts();
        unknown < MIN_UNKNOWN || unknown <= known
    }

    /// Known and unknown devices of the fuller of both hours.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let now = (self.known.len(), self.unknown.len());
        if now.0 + now.1 >= self.last.0 + self.last.1 { now } else { self.last }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::host;
    use super::*;

    fn after(known: u8, unknown: u8) -> Fit {
        let mut fit = Fit::default();
        (0..known).for_each(|n| fit.observe(host(n), true, Timestamp::from_parts(n.into(), 0)));
        (0..unknown).for_each(|n| fit.observe(host(100 + n), false, Timestamp::from_parts(n.into(), 0)));
        fit
    }

    #[test]
    fn a_few_new_devices_are_no_other_network() {
        assert!(after(0, 4).holds() && after(20, 20).holds());
        assert!(!after(3, 8).holds());
    }

    #[test]
    fn an_hour_that_begins_does_not_change_what_is_known() {
        let mut fit = after(3, 8);
        fit.observe(host(1), true, Timestamp::from_parts(4000, 0));
        assert_eq!((fit.counts(), fit.holds()), ((3, 8), false));
    }
}

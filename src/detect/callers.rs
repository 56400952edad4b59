//! Strangers that called a device at home. A server answers them and has no reason to call them back; what made it do so may be theirs: a shell that was
//! opened through it (MITRE ATT&CK T1505.003, T1059).

use serde::{Deserialize, Serialize};

use super::latest::Latest;
use crate::feature::{Host, Observation};
use crate::model::Conversation;

/// Pairs remembered at the most; the one that was first goes.
const MAX_PAIRS: usize = 50_000;
const TCP: u8 = 6;

/// Whom devices at home served lately who is outside. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Callers {
    served: Latest<(Host, Host), MAX_PAIRS>,
    /// By which service: by the same, as mail, both sides call.
    by: Latest<Conversation, MAX_PAIRS>,
}

impl Callers {
    /// Takes an observation.
    pub fn observe(&mut self, seen: &Observation) {
        if seen.comes_in() && seen.service.protocol == TCP && seen.answered() {
            self.served.insert((seen.resp, seen.orig));
            self.by.insert((seen.resp, seen.orig, seen.service));
        }
    }

    /// Does a device at home call one outside that it served by another service?
    #[must_use]
    pub fn has(&self, seen: &Observation) -> bool {
        let is_back = seen.goes_out() && seen.service.protocol == TCP && seen.answered();
        let is_served = is_back && self.served.contains((seen.orig, seen.resp));
        is_served && !self.by.contains((seen.orig, seen.resp, seen.service))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::flow;
    use super::*;

    #[test]
    fn whom_a_device_served_it_calls_back() {
        let between = |from: u8, to: u8, comes_in: bool, answered: bool| {
            let (_, mut seen) = flow(0, from, to, if comes_in { 80 } else { 4444 }, answered);
            (seen.orig_local, seen.resp_local) = (!comes_in, comes_in);
            seen
        };
        let mut callers = Callers::default();
        let calls = |callers: &Callers, to: u8| callers.has(&between(1, to, false, true));
        callers.observe(&between(200, 1, true, false));
        assert!(!calls(&callers, 200), "it was not served");
        callers.observe(&between(200, 1, true, true));
        assert!(calls(&callers, 200) && !calls(&callers, 201) && !callers.has(&between(2, 200, false, true)));
        assert!(!callers.has(&between(1, 200, false, false)), "nobody is there");
        let same = Observation { service: between(200, 1, true, true).service, ..between(1, 200, false, true) };
        assert!(!callers.has(&same), "as mail goes both ways");
        callers.observe(&between(1, 201, false, true));
        assert!(!calls(&callers, 201), "whom it calls itself");
    }
}

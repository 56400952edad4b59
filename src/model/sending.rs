//! How much devices send out of the network within one hour, and to whom most of it.
//!
//! Only what carries more away than it brings counts: pages are asked for with few bytes, and talk goes both ways. Pieces that are small for a
//! flow add up here (MITRE ATT&CK T1030).

use serde::{Deserialize, Serialize};

use super::window::Map;
use crate::feature::{Host, Observation};

/// Devices followed within one hour; those beyond are not. Some 90 bytes each; seven eighths of a table.
const MAX_DEVICES: usize = 458_752;

/// No flow sends more than its share of so many.
const PIECES: f32 = 4.0;

/// Bytes that one device sent, and who got most of them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Sent {
    all: f32,
    /// Of the flow with the most.
    largest: f32,
    to: Host,
    /// What is left of its bytes when those of others are taken off, at most as many as it got (Boyer and Moore 1991, majority vote).
    ahead: f32,
}

/// What devices send out within one hour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sending {
    devices: Map<Host, Sent>,
}

impl Sending {
    /// Counts what an observation carries away.
    pub fn add(&mut self, seen: &Observation) {
        let Some(bytes) = seen.carries_out() else { return };
        if self.devices.len() >= MAX_DEVICES && !self.devices.contains_key(&seen.orig) {
            return;
        }
        let sent = self.devices.entry(seen.orig).or_insert(Sent { all: 0.0, largest: 0.0, to: seen.resp, ahead: 0.0 });
        sent.all += bytes;
        sent.largest = sent.largest.max(bytes);
        sent.ahead += if sent.to == seen.resp { bytes } else { -bytes };
        if sent.ahead < 0.0 {
            (sent.to, sent.ahead) = (seen.resp, -sent.ahead);
        }
    }

    /// Bytes that the initiator of an observation has sent out so far, where most went where the observation goes, in pieces: of what one flow sends
    /// most of, its own volume tells.
    #[must_use]
    pub fn of(&self, seen: &Observation) -> Option<f64> {
        seen.carries_out()?;
        let sent = self.devices.get(&seen.orig).filter(|sent| sent.to == seen.resp && sent.ahead >= sent.all / 2.0)?;
        (PIECES * sent.largest <= sent.all).then_some(f64::from(sent.all))
    }

    /// Bytes sent out by each, in order.
    #[must_use]
    pub fn in_order(&self) -> Vec<(Host, f64)> {
        let mut all: Vec<(Host, f64)> = self.devices.iter().map(|(&device, sent)| (device, f64::from(sent.all))).collect();
        all.sort_unstable_by_key(|&(device, _)| device);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;
    use crate::detect::testing::{flow, host};
    use crate::feature::{BYTES_ORIG, BYTES_RESP};

    fn carries(device: u8, to: u8, sent: f32, got: f32) -> Observation {
        let (_, mut seen) = flow(0, device, to, 443, true);
        seen.resp_local = false;
        (seen.vector[BYTES_ORIG], seen.vector[BYTES_RESP]) = (sent, got);
        seen
    }

    #[test]
    fn pieces_add_up_and_are_told_of_who_gets_most() {
        let mut hour = Sending::default();
        let piece = carries(1, 200, 1000.0, 100.0);
        for n in 0..30 {
            hour.add(&piece);
            hour.add(&carries(1, 201 + n % 5, 50.0, 0.0));
            hour.add(&carries(1, 210, 400.0, 9000.0));
        }
        assert_eq!((hour.of(&piece), hour.in_order()), (Some(31_500.0), vec![(host(1), 31_500.0)]));
        assert_eq!(hour.of(&carries(1, 201, 50.0, 0.0)), None, "it got little");
        assert_eq!(hour.of(&carries(1, 200, 400.0, 9000.0)), None, "it brings more than it carries away");
        assert_eq!(hour.of(&carries(2, 200, 400.0, 0.0)), None);
        let large = carries(2, 200, 5e7, 0.0);
        [&large, &carries(2, 200, 700.0, 0.0)].into_iter().for_each(|seen| hour.add(seen));
        assert_eq!(hour.of(&large), None, "its own volume tells");
    }

    #[test]
    fn where_many_get_a_little_nobody_is_told_of() {
        let mut hour = Sending::default();
        (0..60).for_each(|n| hour.add(&carries(1, 200 + n % 6, 1000.0, 0.0)));
        assert!((200..206).all(|to| hour.of(&carries(1, to, 1000.0, 0.0)).is_none()));
        let talk = Observation { app: App::Stun, ..carries(1, 200, 1000.0, 0.0) };
        let talk = Observation { service: crate::flow::Service { protocol: 17, port: 3478 }, ..talk };
        hour.add(&talk);
        let inside = Observation { resp_local: true, ..carries(1, 100, 1000.0, 0.0) };
        hour.add(&inside);
        assert_eq!((hour.of(&inside), hour.in_order()), (None, vec![(host(1), 60_000.0)]));
    }
}

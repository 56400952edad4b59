//! Sensors whose clock is not that of the servers.
//!
//! What a live sensor tells is kept by a server within moments, so the server's time says by how much the sensor's clock is off, also to a
//! detector that reads it hours later. Of replays it says nothing.

use std::collections::BTreeSet;

use super::batch::Origin;
use crate::time::{Span, Timestamp};

/// Seconds that a clock may be off: what the way from a sensor takes is less.
const MOST_OFF_S: f64 = 5.0;
/// So many seconds it has to be off by the same, within so many: what waited in a spool comes ever faster.
const STEADY_S: f64 = 10.0;
const SAME_S: f64 = 2.0;
/// A time that is so far ahead of when a server took it is not believed.
const MOST_AHEAD: Span = Span::from_secs(60);
/// Sensors that are told of by name; of more it is the server whose clock is off, or the list is no help.
const MOST_NAMED: usize = 100;

/// How far a sensor's clock is off.
#[derive(Debug, Default)]
pub(super) struct Offset {
    /// Since when it is off by seconds within these two.
    since: Option<(Timestamp, [f64; 2])>,
    is_told: bool,
}

impl Offset {
    /// Takes the latest tick of a message and when a server took it. Returns by how many seconds the clock is ahead, once, when that is known.
    pub fn hear(&mut self, tick: Timestamp, stored: Timestamp) -> Option<f64> {
        let off_s = tick.since(stored).as_seconds();
        if off_s.abs() <= MOST_OFF_S {
            self.since = None;
            return None;
        }
        let (since, [least, most]) = self.since.unwrap_or((stored, [off_s; 2]));
        let range = [least.min(off_s), most.max(off_s)];
        if range[1] - range[0] > SAME_S {
            self.since = Some((stored, [off_s; 2]));
            return None;
        }
        self.since = Some((since, range));
        let is_known = !self.is_told && stored.since(since).as_seconds() >= STEADY_S;
        self.is_told |= is_known;
        is_known.then_some(off_s)
    }
}

/// What is told of clocks: of each sensor once.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    named: BTreeSet<(String, String)>,
    waiting: Vec<String>,
}

impl Remarks {
    /// Notes that a sensor's clock is so many seconds ahead.
    pub fn note(&mut self, Origin { site, sensor, .. }: &Origin, off_s: f64) {
        if self.named.len() >= MOST_NAMED || !self.named.insert((site.clone(), sensor.clone())) {
            return;
        }
        let which = if off_s > 0.0 { "ahead of" } else { "behind" };
        let last = if self.named.len() == MOST_NAMED { "; further sensors are only counted" } else { "" };
        let off_s = off_s.abs();
        self.waiting.push(format!("the clock of sensor {sensor} of {site} is {off_s:.1} s {which} that of the server{last}"));
    }

    /// What is to be told.
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.waiting)
    }
}

/// The time that is believed: where a clock is far ahead, the full second after a server took it. Says whether it is another one.
pub(super) fn believed(tick: Timestamp, stored: Timestamp) -> (Timestamp, bool) {
    if tick <= stored + MOST_AHEAD {
        return (tick, false);
    }
    (Timestamp::from_parts(stored.seconds() + 1, 0), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hears a clock that is so many seconds ahead at each second, and says when it is known.
    fn known(off_s: impl Fn(f64) -> f64) -> Option<(u32, f64)> {
        let mut offset = Offset::default();
        let at = |seconds: f64| Timestamp::from_nanos((seconds * 1e9) as i64);
        let told: Vec<(u32, f64)> = (0..200)
            .filter_map(|second| {
                let now = f64::from(second);
                Some((second, offset.hear(at(now + off_s(now)), at(now))?.round()))
            })
            .collect();
        assert!(told.len() <= 1, "{told:?}");
        told.first().copied()
    }

    #[test]
    fn what_is_off_by_the_same_for_a_while_is_a_clock() {
        assert_eq!(known(|_| 4.9), None);
        assert_eq!(known(|_| -1.5), None);
        assert_eq!(known(|_| 7.0), Some((10, 7.0)));
        assert_eq!(known(|now| -300.0 + now % 2.0), Some((10, -300.0)));
        assert_eq!(known(|now| -300.0 + 20.0 * now), None, "a spool is sent");
        assert_eq!(known(|now| if now < 50.0 { 0.0 } else { -9.0 }), Some((60, -9.0)), "it was set");
        assert_eq!(known(|now| -6.0 - 5.0 * (now % 3.0)), None, "the way takes long");
    }

    #[test]
    fn each_is_told_of_once_and_not_all() {
        let mut remarks = Remarks::default();
        let sensor = |n: u64, epoch| Origin { site: "north".to_owned(), sensor: format!("s{n}"), epoch };
        remarks.note(&sensor(1, 1), -7.04);
        remarks.note(&sensor(1, 2), -7.04);
        assert_eq!(remarks.take(), ["the clock of sensor s1 of north is 7.0 s behind that of the server"]);
        (0..3000).for_each(|n| remarks.note(&sensor(n, 1), 60.0));
        let told = remarks.take();
        assert_eq!(told.len(), MOST_NAMED - 1);
        assert!(
            told[98].ends_with("s99 of north is 60.0 s ahead of that of the server; further sensors are only counted"),
            "{}",
            told[98]
        );
    }

    #[test]
    fn a_time_far_ahead_is_not_believed() {
        let at = |seconds, nanos| Timestamp::from_parts(seconds, nanos);
        assert_eq!(believed(at(160, 0), at(100, 1)), (at(160, 0), false));
        assert_eq!(believed(at(10, 0), at(100, 1)), (at(10, 0), false));
        assert_eq!(believed(at(161, 0), at(100, 1)), (at(101, 0), true));
    }
}

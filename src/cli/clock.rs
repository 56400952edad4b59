//! Somebody sets the clock.

use crate::pipeline::{Stopwatch, now};
use crate::time::{Span, Timestamp};

/// Smaller steps are the clock's own corrections.
const MOST_STEP: Span = Span::from_secs(5);

/// Compares the wall clock with one that nobody sets.
pub struct ClockWatch {
    watch: Stopwatch,
    /// What the wall clock was when the other one began.
    origin: Timestamp,
}

impl ClockWatch {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { watch: Stopwatch::start(), origin: now() }
    }

    /// Was the clock set since the last look? Says what that means.
    pub fn look(&mut self) -> Option<String> {
        let elapsed_s = self.watch.seconds();
        self.compare(now(), elapsed_s)
    }

    fn compare(&mut self, wall: Timestamp, elapsed_s: f64) -> Option<String> {
        let origin = Timestamp::from_nanos(wall.nanos().saturating_sub((elapsed_s * 1e9) as i64));
        let step = origin.since(self.origin);
        if step.nanos().abs() <= MOST_STEP.nanos() {
            return None;
        }
        self.origin = origin;
        let seconds = step.as_seconds().abs();
        Some(if step.nanos() > 0 {
            format!("the clock was set forward by {seconds:.0} s: that time counts as nobody's silence; flows that are open end")
        } else {
            format!(
                "the clock was set back by {seconds:.0} s: time goes on here as before, so times in alerts are that far ahead until the next \
                 start; let NTP keep the clock"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_both_ways_are_told_once_and_drift_is_not() {
        let at = |second: i64| Timestamp::from_parts(second, 0);
        let mut clock = ClockWatch { watch: Stopwatch::start(), origin: at(1000) };
        let mut told = |wall: i64, elapsed_s: f64| clock.compare(at(wall), elapsed_s).unwrap_or_default();
        assert_eq!(told(1010, 10.0), "");
        assert_eq!(told(1024, 20.0), "", "the clock's own corrections");
        assert!(told(4630, 30.0).starts_with("the clock was set forward by 3600 s"));
        assert_eq!(told(4640, 40.0), "");
        assert!(told(1050, 50.0).starts_with("the clock was set back by 3600 s"));
    }
}

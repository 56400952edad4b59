//! The capture's clock.

use crate::time::{Span, Timestamp};

/// A packet this much later than the one before moves the clock only when the next one agrees: one damaged timestamp must
/// not end every flow.
const LEAP: Span = Span::from_secs(3600);

/// The capture's clock: the latest time that was not a lone leap.
#[derive(Debug, Default)]
pub(super) struct CaptureClock {
    now: Option<Timestamp>,
    /// Where the next second begins: no time before it need be divided.
    next_second: Timestamp,
    leaped_to: Option<Timestamp>,
}

impl CaptureClock {
    /// Takes a packet's time; a new second is a tick.
    #[inline]
    pub(super) fn advance(&mut self, at: Timestamp) -> Option<Timestamp> {
        let Some(now) = self.now else {
            self.now = Some(at);
            self.next_second = Timestamp::from_parts(at.seconds() + 1, 0);
            return Some(at);
        };
        if at <= now {
            self.leaped_to = None;
            return None;
        }
        if at.since(now) > LEAP && self.leaped_to.is_none_or(|leap| at.since(leap) > LEAP || leap > at) {
            self.leaped_to = Some(at);
            return None;
        }
        self.leaped_to = None;
        self.now = Some(at);
        if at < self.next_second {
            return None;
        }
        self.next_second = Timestamp::from_parts(at.seconds() + 1, 0);
        (at.seconds() > now.seconds()).then_some(at)
    }

    pub(super) const fn now(&self) -> Option<Timestamp> {
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    #[test]
    fn every_new_second_ticks_once() {
        let mut clock = CaptureClock::default();
        assert_eq!(clock.advance(at(5)), Some(at(5)));
        assert_eq!(clock.advance(at(5) + Span::from_nanos(9)), None);
        assert_eq!(clock.advance(at(4)), None);
        assert_eq!(clock.advance(at(7)), Some(at(7)));
    }

    #[test]
    fn one_damaged_time_does_not_move_the_clock() {
        let mut clock = CaptureClock::default();
        clock.advance(at(5));
        assert_eq!(clock.advance(at(1_000_000)), None);
        assert_eq!(clock.advance(at(6)), Some(at(6)));
        assert_eq!(clock.now(), Some(at(6)));
    }

    #[test]
    fn a_night_without_packets_does() {
        let mut clock = CaptureClock::default();
        clock.advance(at(5));
        clock.advance(at(50_000));
        assert_eq!(clock.advance(at(50_001)), Some(at(50_001)));
    }
}

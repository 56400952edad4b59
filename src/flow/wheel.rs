//! A timer wheel with buckets of one second: it decides only when to look at a flow, never when the flow ends.

use crate::time::Timestamp;

/// Buckets of the wheel; a look further ahead than this many seconds comes early and is put off again.
const BUCKETS: usize = 512;
/// An empty bucket keeps room for this many timers; after a flood, 512 buckets of every shard would hold gigabytes.
const KEPT: usize = 32;

/// A slot to be looked at, and the mark of the time for which that was asked. The slot's owner remembers the time, so that an
/// outdated timer can be told: but for one in four thousand million, which brings a look that finds nothing to do.
pub type Timer = (u32, u32);

/// What a timer keeps of its time.
#[must_use]
pub const fn timer_mark(at: Timestamp) -> u32 {
    at.nanos() as u32
}

/// Timers by second.
#[derive(Debug)]
pub struct Wheel {
    buckets: Vec<Vec<Timer>>,
    /// The last second that was worked off; none before the first advance.
    now: Option<i64>,
}

impl Default for Wheel {
    fn default() -> Self {
        Self { buckets: vec![Vec::new(); BUCKETS], now: None }
    }
}

impl Wheel {
    /// Asks for a look at `slot` when `at` has passed.
    pub fn schedule(&mut self, slot: u32, at: Timestamp) {
        let mut second = at.seconds() + 1;
        if let Some(now) = self.now {
            second = second.clamp(now + 1, now + BUCKETS as i64);
        }
        self.buckets[second.rem_euclid(BUCKETS as i64) as usize].push((slot, timer_mark(at)));
    }

    /// Moves on to `to` and puts the timers that are due into `due`, which is cleared first. One that was set further
    /// ahead than the wheel reaches comes early.
    pub fn advance(&mut self, to: Timestamp, due: &mut Vec<Timer>) {
        due.clear();
        let to = to.seconds();
        let from = self.now.map_or(to - BUCKETS as i64, |now| now.max(to - BUCKETS as i64));
        for second in from + 1..=to {
            let bucket = &mut self.buckets[second.rem_euclid(BUCKETS as i64) as usize];
            due.append(bucket);
            bucket.shrink_to(KEPT);
        }
        self.now = Some(self.now.map_or(to, |now| now.max(to)));
    }

    /// Takes a timer out of the earliest bucket that holds any.
    pub fn pop_earliest(&mut self) -> Option<Timer> {
        let from = self.now.map_or(0, |now| now + 1);
        (from..from + BUCKETS as i64).find_map(|second| self.buckets[second.rem_euclid(BUCKETS as i64) as usize].pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    #[test]
    fn a_slot_comes_when_its_time_has_passed() {
        let (mut wheel, mut due) = (Wheel::default(), Vec::new());
        wheel.advance(at(100), &mut due);
        wheel.schedule(7, at(103));
        wheel.advance(at(103), &mut due);
        assert!(due.is_empty());
        wheel.advance(at(104), &mut due);
        assert_eq!(due, [(7, timer_mark(at(103)))]);
        wheel.advance(at(900), &mut due);
        assert!(due.is_empty());
    }

    #[test]
    fn a_leap_in_time_misses_nothing() {
        let (mut wheel, mut due) = (Wheel::default(), Vec::new());
        wheel.advance(at(0), &mut due);
        for slot in 0..600 {
            wheel.schedule(slot, at(i64::from(slot)));
        }
        wheel.advance(at(1_000_000), &mut due);
        due.sort_unstable();
        assert_eq!(due, (0..600).map(|slot| (slot, timer_mark(at(i64::from(slot))))).collect::<Vec<_>>());
    }

    #[test]
    fn a_flood_leaves_no_room_behind() {
        let (mut wheel, mut due) = (Wheel::default(), Vec::new());
        wheel.advance(at(0), &mut due);
        for second in 0..300 {
            (0..10_000).for_each(|slot| wheel.schedule(slot, at(second)));
            wheel.advance(at(second + 1), &mut due);
        }
        let room: usize = wheel.buckets.iter().map(Vec::capacity).sum();
        assert!(room <= BUCKETS * KEPT, "room for {room} timers");
    }

    #[test]
    fn the_earliest_comes_first() {
        let (mut wheel, mut due) = (Wheel::default(), Vec::new());
        wheel.advance(at(10), &mut due);
        wheel.schedule(1, at(50));
        wheel.schedule(2, at(20));
        assert_eq!(wheel.pop_earliest(), Some((2, timer_mark(at(20)))));
        assert_eq!(wheel.pop_earliest(), Some((1, timer_mark(at(50)))));
        assert_eq!(wheel.pop_earliest(), None);
    }
}

//! Which flows are let go when there is more than can be judged. Live only: a replay waits.

use crate::time::Timestamp;

/// Parts of all flows, by the hash of their key.
const PARTS: u64 = 16;
/// Seconds without loss after which a part is taken in again.
const CALM_S: u64 = 5;

/// Lets go of whole flows, in the order of their key's hash, instead of leaving it to the kernel to drop frames of all of them: what
/// is judged then was heard whole. The last part is never let go.
#[derive(Debug, Default)]
pub(super) struct Shed {
    /// Parts that are let go.
    parts: u64,
    /// Was a worker's queue full since the last look?
    pub was_full: bool,
    dropped: u64,
    changed_at: i64,
}

impl Shed {
    /// Is the flow with a key of this hash let go?
    pub(super) const fn takes(&self, hash: u64) -> bool {
        // The low bits choose the worker.
        (hash >> 32) % PARTS < self.parts
    }

    pub(super) const fn is_idle(&self) -> bool {
        self.parts == 0
    }

    /// Once a second, with the frames that the kernel has dropped so far. More is let go only where frames are dropped because workers
    /// are behind: for a burst the kernel's ring is room enough.
    pub(super) fn look(&mut self, now: Timestamp, dropped: u64) {
        let lost = dropped > self.dropped;
        let was_full = std::mem::take(&mut self.was_full);
        self.dropped = dropped;
        if lost && was_full {
            self.parts = (2 * self.parts).clamp(1, PARTS - 1);
            self.changed_at = now.seconds();
        } else if !lost && self.parts > 0 && now.seconds().abs_diff(self.changed_at) >= CALM_S {
            self.parts -= 1;
            self.changed_at = now.seconds();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(shed: &Shed) -> usize {
        (0..1600_u64).filter(|n| shed.takes(n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).count()
    }

    #[test]
    fn more_is_let_go_while_frames_are_lost_and_less_when_it_is_calm() {
        let mut shed = Shed::default();
        let mut second = 0;
        let mut look = |shed: &mut Shed, was_full, dropped| {
            second += 1;
            shed.was_full = was_full;
            shed.look(Timestamp::from_parts(second, 0), dropped);
            shed.parts
        };
        assert_eq!((look(&mut shed, true, 0), look(&mut shed, false, 9)), (0, 0), "neither alone");
        let parts: Vec<u64> = (10..17).map(|dropped| look(&mut shed, true, dropped)).collect();
        assert_eq!(parts, [1, 2, 4, 8, 15, 15, 15]);
        assert!(share(&shed) > 1400 && share(&shed) < 1600, "{}", share(&shed));
        let parts: Vec<u64> = (0..11).map(|_| look(&mut shed, true, 16)).collect();
        assert_eq!(parts, [15, 15, 15, 15, 14, 14, 14, 14, 14, 13, 13]);
    }

    #[test]
    fn who_is_let_go_first_stays_so() {
        let (few, many) = (Shed { parts: 2, ..Shed::default() }, Shed { parts: 8, ..Shed::default() });
        assert!((0..5000_u64).map(|n| n << 30).all(|hash| !few.takes(hash) || many.takes(hash)));
        assert_eq!(share(&Shed::default()), 0);
    }
}

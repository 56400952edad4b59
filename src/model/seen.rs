//! How often a value was seen, and whether it came late.

/// What is kept of a value: in how many minutes it was seen, and, in the highest bit, whether it came late, that is, in a later
/// part of the time than the device itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen(u32);

const LATE: u32 = 1 << 31;

impl Seen {
    /// In so many minutes.
    pub(super) fn in_minutes(minutes: u32) -> Self {
        Self(minutes.min(LATE - 1))
    }

    /// Minutes in which it was seen.
    pub(super) const fn minutes(self) -> u32 {
        self.0 & !LATE
    }

    /// Did it come late?
    pub(super) const fn is_late(self) -> bool {
        self.0 & LATE != 0
    }

    /// The same of a value that came late.
    pub(super) const fn come_late(self) -> Self {
        Self(self.0 | LATE)
    }

    /// Counts more minutes.
    pub(super) fn add(&mut self, minutes: u32) {
        self.0 = self.0 & LATE | self.minutes().saturating_add(minutes).min(LATE - 1);
    }
}

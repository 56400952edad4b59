//! From where on messages of a stream are still needed.

use std::collections::BTreeMap;

use crate::fleet::batch::Origin;
use crate::fleet::merge::Came;

/// Messages that came and are not done with, and what is behind them.
#[derive(Debug, Default)]
pub(super) struct Positions {
    /// From the first that is not done with on: whose each is and its number, and whether it is done with.
    held: BTreeMap<u64, (Option<(Origin, u64)>, bool)>,
    /// The first number of the stream that has not come.
    next: u64,
    /// How many came of each run before the first that is held.
    came: Came,
}

impl Positions {
    /// Nothing came from this number on, before it so many.
    pub const fn from(next: u64, came: Came) -> Self {
        Self { held: BTreeMap::new(), next, came }
    }

    /// A message of this number came.
    pub fn came(&mut self, sequence: u64, about: Option<(Origin, u64)>) {
        self.held.insert(sequence, (about, false));
        self.next = self.next.max(sequence + 1);
    }

    /// It is done with.
    pub fn done(&mut self, sequence: u64) {
        if let Some((_, is_done)) = self.held.get_mut(&sequence) {
            *is_done = true;
        }
        while let Some(first) = self.held.first_entry().filter(|first| first.get().1) {
            if let (Some((origin, number)), _) = first.remove() {
                let is_earlier =
                    |other: &Origin| other.site == origin.site && other.sensor == origin.sensor && other.epoch < origin.epoch;
                // Nothing of an earlier run comes any more.
                if !self.came.contains_key(&origin) {
                    self.came.retain(|other, _| !is_earlier(other));
                }
                let came = self.came.entry(origin).or_default();
                *came = (*came).max(number + 1);
            }
        }
    }

    /// The first number that is still needed, and how many came of each run before it.
    pub fn first(&self) -> (u64, &Came) {
        (self.held.first_key_value().map_or(self.next, |(first, _)| *first), &self.came)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(epoch: u64) -> Origin {
        Origin { site: "main".to_owned(), sensor: "a".to_owned(), epoch }
    }

    #[test]
    fn the_first_that_is_not_done_with_is_needed() {
        let mut positions = Positions::from(7, Came::new());
        assert_eq!(positions.first().0, 7);
        for (sequence, number) in [(9, 4), (12, 5), (13, 6)] {
            positions.came(sequence, Some((run(1), number)));
        }
        positions.done(12);
        assert_eq!(positions.first(), (9, &Came::new()));
        positions.done(9);
        assert_eq!(positions.first(), (13, &Came::from([(run(1), 6)])));
        positions.came(14, Some((run(2), 0)));
        positions.done(13);
        positions.done(14);
        assert_eq!(positions.first(), (15, &Came::from([(run(2), 1)])), "the earlier run is over");
    }
}

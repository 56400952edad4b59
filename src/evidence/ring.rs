//! The packets of the latest past, until an incident asks for them.

use std::collections::VecDeque;

use super::slice::{Slice, Slices};
use crate::time::Timestamp;

/// The latest packets, bounded by the memory that they take. The oldest go first.
#[derive(Debug)]
pub(super) struct Ring {
    most_bytes: usize,
    weight: usize,
    /// What came between two ticks, and the latest time in it.
    batches: VecDeque<(Timestamp, Slices)>,
    /// Packets of the first batch that are gone.
    gone: usize,
    /// The latest time of a packet that is gone.
    lost_until: Option<Timestamp>,
}

impl Ring {
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, weight: 0, batches: VecDeque::new(), gone: 0, lost_until: None }
    }

    /// Takes packets, and lets the oldest go for them.
    pub fn push(&mut self, mut slices: Slices) {
        if slices.is_empty() {
            return;
        }
        slices.shrink();
        self.weight += slices.iter_from(0).map(|slice| slice.weight()).sum::<usize>();
        let latest = slices.iter_from(0).map(|slice| slice.frame.time).max().unwrap_or(Timestamp::MIN);
        self.batches.push_back((latest, slices));
        while self.weight > self.most_bytes {
            let Some((_, first)) = self.batches.front() else { break };
            if let Some(slice) = first.get(self.gone) {
                self.weight -= slice.weight();
                self.lost_until = self.lost_until.max(Some(slice.frame.time));
                self.gone += 1;
            }
            if self.gone >= first.len() {
                self.batches.pop_front();
                self.gone = 0;
            }
        }
    }

    /// The packets that are there and came at this time or later, the oldest first.
    pub fn since(&self, first: Timestamp) -> impl Iterator<Item = Slice<'_>> {
        let from = |place| if place == 0 { self.gone } else { 0 };
        let batches = self.batches.iter().enumerate().filter(move |(_, (latest, _))| *latest >= first);
        let slices = batches.flat_map(move |(place, (_, batch))| batch.iter_from(from(place)));
        slices.filter(move |slice| slice.frame.time >= first)
    }

    /// Are packets of this time, or later ones, gone?
    pub fn has_lost(&self, since: Timestamp) -> bool {
        self.lost_until.is_some_and(|lost| lost >= since)
    }
}

#[cfg(test)]
mod tests {
    use super::super::slice::Subject;
    use super::*;
    use crate::wire::{Addr, Frame, LinkType};

    fn batch(numbers: std::ops::Range<u8>) -> Slices {
        let mut slices = Slices::default();
        for number in numbers {
            let time = Timestamp::from_parts(i64::from(number), 0);
            let data = [number; 100];
            let frame = Frame { time, link: LinkType::ETHERNET, wire_bytes: 1500, data: &data };
            slices.push(&Slice { frame, subject: Subject::Claim([Addr::default(); 2]), also: None });
        }
        slices
    }

    fn numbers(ring: &Ring) -> Vec<u8> {
        ring.since(Timestamp::MIN).map(|slice| slice.frame.data[0]).collect()
    }

    #[test]
    fn the_oldest_go_first_within_a_batch_and_over_batches() {
        let each = batch(0..1).get(0).unwrap().weight();
        let mut ring = Ring::new(10 * each);
        ring.push(batch(0..6));
        ring.push(batch(6..10));
        assert_eq!((numbers(&ring), ring.has_lost(Timestamp::MIN)), ((0..10).collect(), false));
        ring.push(batch(10..14));
        assert_eq!(numbers(&ring), (4..14).collect::<Vec<u8>>());
        assert_eq!(ring.since(Timestamp::from_parts(12, 0)).count(), 2);
        assert!(ring.has_lost(Timestamp::from_parts(3, 0)) && !ring.has_lost(Timestamp::from_parts(4, 0)));
        ring.push(batch(14..40));
        assert_eq!((numbers(&ring), ring.batches.len()), ((30..40).collect(), 1), "one batch that is longer than the ring");
        ring.push(Slices::default());
        assert_eq!(ring.batches.len(), 1);
    }

    #[test]
    fn a_packet_that_is_longer_than_the_ring_leaves_it_empty() {
        let mut ring = Ring::new(1);
        ring.push(batch(0..3));
        assert_eq!((numbers(&ring), ring.weight), (vec![], 0));
    }
}

//! A vector in chunks: what is in it never moves while it grows.

use std::ops::{Index, IndexMut};

/// Elements of a chunk.
const CHUNK: usize = 128;

/// Elements by their number. A vector that doubles copies all of them each time, and has both copies in memory meanwhile.
#[derive(Debug)]
pub(super) struct Slots<T> {
    chunks: Vec<Vec<T>>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    /// Adds one; returns its number.
    pub(super) fn push(&mut self, element: T) -> u32 {
        let number = self.len() as u32;
        match self.chunks.last_mut().filter(|last| last.len() < CHUNK) {
            Some(last) => last.push(element),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(element);
                self.chunks.push(chunk);
            }
        }
        number
    }

    /// The one of this number, where there is one.
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.chunks.get(number as usize / CHUNK)?.get(number as usize % CHUNK)
    }

    /// All, in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

impl<T> Index<u32> for Slots<T> {
    type Output = T;

    #[inline]
    fn index(&self, number: u32) -> &T {
        &self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }
}

impl<T> IndexMut<u32> for Slots<T> {
    #[inline]
    fn index_mut(&mut self, number: u32) -> &mut T {
        &mut self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_a_vector_and_nothing_moves() {
        let mut slots = Slots::default();
        assert_eq!((slots.len(), slots.get(0)), (0, None));
        let numbers: Vec<u32> = (0..1000_u64).map(|n| slots.push(n)).collect();
        let at = std::ptr::from_ref(&slots[5]);
        slots[999] = 7;
        (0..1000).for_each(|n| _ = slots.push(n));
        assert!(numbers.into_iter().eq(0..1000) && at == std::ptr::from_ref(&slots[5]));
        assert_eq!(
            (slots.len(), slots.iter().count(), slots[999], slots.get(1999), slots.get(2000)),
            (2000, 2000, 7, Some(&999), None)
        );
    }
}

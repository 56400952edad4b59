//! Where the flows of a shard are.

use hashbrown::HashTable;

/// A flow in the index: with a part of its hash, so that the flow itself is read neither to find where it is nor when the index
/// grows.
#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u32,
    slot: u32,
}

/// Slots of flows by their tags.
#[derive(Debug, Default)]
pub(super) struct Index(HashTable<Entry>);

/// The part of a hash that is kept: not the one that chooses the shard.
pub(super) const fn tag(hash: u64) -> u32 {
    (hash >> 24) as u32
}

/// What chooses the place in the table, and is told from others there, by Fibonacci hashing (Knuth, The Art of Computer
/// Programming 3, 6.4).
const fn place(tag: u32) -> u64 {
    (tag as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Index {
    /// Flows in it.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The slot of the flow with this tag for which `is_it` holds.
    #[inline]
    pub(super) fn find(&self, tag: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.0.find(place(tag), |entry| entry.tag == tag && is_it(entry.slot)).map(|entry| entry.slot)
    }

    /// Adds a flow that is not in it.
    pub(super) fn insert(&mut self, tag: u32, slot: u32) {
        self.0.insert_unique(place(tag), Entry { tag, slot }, |entry| place(entry.tag));
    }

    /// Takes out the flow with this tag in this slot.
    pub(super) fn remove(&mut self, tag: u32, slot: u32) {
        if let Ok(found) = self.0.find_entry(place(tag), |other| other.slot == slot) {
            found.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_of_one_tag_are_told_apart_by_their_slots() {
        let mut index = Index::default();
        (0..1000).for_each(|slot| index.insert(slot % 10, slot));
        assert_eq!((index.len(), index.find(7, |slot| slot == 507), index.find(7, |slot| slot == 508)), (1000, Some(507), None));
        index.remove(7, 508);
        index.remove(7, 507);
        assert_eq!((index.len(), index.find(7, |slot| slot == 507)), (999, None));
        assert!(index.find(7, |_| true).is_some_and(|slot| slot % 10 == 7));
    }
}

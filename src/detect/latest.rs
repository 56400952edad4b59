//! A set that remembers the latest.

use std::collections::VecDeque;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::model::Map;

/// The last values that were new, so many at the most; the one that was first goes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "K: Deserialize<'de> + Eq + Hash", serialize = "K: Serialize + Eq + Hash"))]
pub struct Latest<K, const MOST: usize> {
    known: Map<K, ()>,
    order: VecDeque<K>,
}

impl<K, const MOST: usize> Default for Latest<K, MOST> {
    fn default() -> Self {
        Self { known: Map::default(), order: VecDeque::new() }
    }
}

impl<K: Copy + Eq + Hash, const MOST: usize> Latest<K, MOST> {
    /// Remembers a value.
    pub fn insert(&mut self, value: K) {
        if self.known.insert(value, ()).is_some() {
            return;
        }
        self.order.push_back(value);
        if self.order.len() > MOST
            && let Some(first) = self.order.pop_front()
        {
            self.known.remove(&first);
        }
    }

    /// Is it remembered?
    #[must_use]
    pub fn contains(&self, value: K) -> bool {
        // In most networks there are none: no hash is worked out for nothing.
        !self.known.is_empty() && self.known.contains_key(&value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_forgotten_where_there_are_too_many() {
        let mut latest = Latest::<u8, 3>::default();
        [1, 2, 1, 3, 4, 4].into_iter().for_each(|value| latest.insert(value));
        assert_eq!([1, 2, 3, 4].map(|value| latest.contains(value)), [false, true, true, true]);
        assert_eq!((latest.known.len(), latest.order.len()), (3, 3));
    }
}

//! Short lists of what was seen.

/// Adds what is not yet in the list, up to `most` of them.
pub(super) fn note<T: PartialEq>(list: &mut Vec<T>, value: T, most: usize) {
    if list.len() < most && !list.contains(&value) {
        list.push(value);
    }
}

/// One more.
pub(super) const fn count(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}

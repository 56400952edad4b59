//! When a full table may be looked through again for what is over: a flood of new entries would have it looked through for each.

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

/// Tables are looked through at most this often.
const EVERY: Span = Span::from_secs(10);

/// When a table was looked through last.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Pruning(Option<Timestamp>);

impl Pruning {
    /// May it be looked through now? Then it counts as looked through.
    pub fn is_due(&mut self, now: Timestamp) -> bool {
        let is_due = self.0.is_none_or(|latest| now.since(latest) >= EVERY);
        if is_due {
            self.0 = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_in_ten_seconds() {
        let mut pruning = Pruning::default();
        let due = [0, 1, 9, 10, 19, 20, 20].map(|second| pruning.is_due(Timestamp::from_parts(second, 0)));
        assert_eq!(due, [true, false, false, true, false, true, false]);
    }
}

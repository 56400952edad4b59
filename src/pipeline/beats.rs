//! When there are ticks.

use crate::time::Timestamp;

/// Seconds without packets that have a tick each, where every second has one.
const MOST_BEATS: i64 = 3600;

/// The ticks that stand for a moment: it alone, or all full seconds since the latest.
#[derive(Debug)]
pub(super) struct Beats {
    every_second: bool,
    latest: Option<i64>,
}

impl Beats {
    pub(super) const fn new(every_second: bool) -> Self {
        Self { every_second, latest: None }
    }

    /// The ticks until `now`. A second tick within a second is `now` itself; of a long night only the end is told by the second.
    pub(super) fn until(&mut self, now: Timestamp) -> impl Iterator<Item = Timestamp> + use<> {
        let second = now.seconds();
        let full = match self.latest.replace(second) {
            _ if !self.every_second => None,
            Some(latest) if latest >= second => None,
            Some(latest) => Some((latest + 1).max(second - MOST_BEATS)),
            None => Some(second),
        };
        let seconds = full.into_iter().flat_map(move |first| first..=second).map(|second| Timestamp::from_parts(second, 0));
        seconds.chain(full.is_none().then_some(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    #[test]
    fn every_second_has_one_where_that_is_asked_for() {
        let at = |millis: i64| Timestamp::from_nanos(millis * 1_000_000);
        let millis = |beats: &mut Beats, now| beats.until(at(now)).map(|tick| tick.nanos() / 1_000_000).collect::<Vec<_>>();
        let mut every = Beats::new(true);
        assert_eq!(millis(&mut every, 5300), [5000]);
        assert_eq!(millis(&mut every, 5900), [5900], "many packets");
        assert_eq!(millis(&mut every, 8100), [6000, 7000, 8000]);
        let night = every.until(at(8100) + Span::from_secs(50_000)).collect::<Vec<_>>();
        assert_eq!((night.len(), night[3600]), (3601, at(50_008_000)));
        let mut some = Beats::new(false);
        assert_eq!([millis(&mut some, 5300), millis(&mut some, 8100)], [[5300], [8100]]);
    }
}

//! What is usual: a device's own values, drawn towards those of its role, and these towards those of the network.

use super::evidence::Of;
use crate::model::{Baselines, Histogram, HostBaseline, Pooled};

/// The weight of what is drawn towards, in values: this many of its own count as much as all of the others'.
const PRIOR_VALUES: f64 = 20.0;

/// Values at least this probable are never told.
const STANDS_OUT: f64 = 0.25;

/// Values that a device showed, that devices of its role showed, and that all did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range<'h> {
    own: Option<&'h Histogram>,
    role: &'h Histogram,
    network: &'h Histogram,
    /// Minutes of the device, of its role and of the network, where minutes without any were not counted as values.
    minutes: [f64; 3],
}

impl<'h> Range<'h> {
    /// The range of what `pick` takes from devices together, for a device with values of its `own`.
    pub(super) fn of(
        own: Option<&'h Histogram>,
        host: Option<&HostBaseline>,
        baselines: &'h Baselines,
        pick: impl Fn(&'h Pooled) -> &'h Histogram,
    ) -> Self {
        Self { own, role: pick(baselines.like(host)), network: pick(&baselines.pooled), minutes: [0.0; 3] }
    }

    /// The same for what is counted only in minutes that have any: those without are values too.
    pub(super) fn among_minutes(mut self, host: Option<&HostBaseline>, baselines: &Baselines) -> Self {
        self.minutes = [host.map_or(0.0, |host| f64::from(host.minutes)), baselines.like(host).minutes, baselines.pooled.minutes];
        self
    }

    /// The probability of a value at least this large, where it is small enough to be told.
    pub(super) fn rare(&self, value: f64) -> Option<f64> {
        // Most values end here: whatever the others do, it is usual for the device itself.
        if let Some(own) = self.own {
            let n = f64::from(own.total()).max(self.minutes[0]);
            if n * own.tail(value, self.minutes[0]) > STANDS_OUT * (n + PRIOR_VALUES) {
                return None;
            }
        }
        Some(self.tail(value)).filter(|&p| p <= STANDS_OUT)
    }

    /// The probability of a value at least this large.
    fn tail(&self, value: f64) -> f64 {
        let [own, role, network] = self.minutes;
        // Of what nobody was looked at for nothing is known.
        let is_known = self.network.total() > 0 || network > 0.0;
        let network = if is_known { self.network.tail(value, network) } else { 1.0 };
        let role = drawn(self.role, value, role, network);
        self.own.map_or(role, |histogram| drawn(histogram, value, own, role))
    }

    /// The range from the fifth to the ninety-fifth of a hundred values: the device's own where it has shown enough, else its
    /// role's, else the network's; none where nothing was shown at all.
    pub(super) fn usual(&self) -> Option<(f64, f64)> {
        let is_enough = |histogram: &&Histogram| f64::from(histogram.total()) >= PRIOR_VALUES;
        let from = self.own.filter(is_enough).or_else(|| Some(self.role).filter(is_enough)).unwrap_or(self.network);
        Some((from.quantile(0.05)?, from.quantile(0.95)?))
    }

    /// Whose range [`usual`](Self::usual) gives.
    pub(super) fn whose(&self) -> Of {
        if self.own.is_some_and(|own| f64::from(own.total()) >= PRIOR_VALUES) { Of::Device } else { Of::Network }
    }
}

fn drawn(values: &Histogram, value: f64, minutes: f64, towards: f64) -> f64 {
    let n = f64::from(values.total()).max(minutes);
    if n == 0.0 { towards } else { (n * values.tail(value, minutes) + PRIOR_VALUES * towards) / (n + PRIOR_VALUES) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: f64, times: usize) -> Histogram {
        let mut histogram = Histogram::default();
        (0..times).for_each(|_| histogram.add(value));
        histogram
    }

    fn range<'h>(own: Option<&'h Histogram>, role: &'h Histogram, network: &'h Histogram) -> Range<'h> {
        Range { own, role, network, minutes: [0.0; 3] }
    }

    #[test]
    fn what_others_do_all_day_is_less_odd_than_what_nobody_does() {
        let (own, busy, quiet) = (of(2.0, 200), of(50.0, 1000), of(2.0, 1000));
        let p = |role, network| range(Some(&own), role, network).tail(50.0);
        assert!(p(&busy, &busy) > 0.09 && p(&quiet, &quiet) < 0.001, "{} {}", p(&busy, &busy), p(&quiet, &quiet));
        assert!(p(&quiet, &quiet) < p(&quiet, &busy) && p(&quiet, &busy) < p(&busy, &busy));
    }

    #[test]
    fn few_values_of_its_own_say_little() {
        let (few, many, like) = (of(2.0, 3), of(2.0, 3000), of(5.0, 1000));
        assert_eq!(
            (range(Some(&few), &like, &like).whose(), range(Some(&many), &like, &like).whose()),
            (Of::Network, Of::Device)
        );
        assert!(range(Some(&few), &like, &like).tail(5.0) > 0.8 && range(Some(&many), &like, &like).tail(5.0) < 0.01);
        let nothing = Histogram::default();
        let quiet = Range { minutes: [600.0, 6000.0, 9000.0], ..range(Some(&nothing), &nothing, &nothing) };
        assert!(quiet.tail(3.0) < 0.01, "what never happened in all minutes is rare");
        assert!(range(Some(&nothing), &nothing, &nothing).tail(3.0) == 1.0, "of what was never looked for nothing is known");
        assert!(range(None, &nothing, &nothing).usual().is_none());
        assert_eq!(range(None, &nothing, &like).usual(), range(None, &like, &like).usual());
    }
}

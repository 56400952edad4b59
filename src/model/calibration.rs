//! From scores to alerts a day: how high scores go in normal time.

use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

use crate::feature::Observation;
use crate::flow::Service;

/// Default: incidents per day and local device.
const PER_HOST_DAY: f64 = 0.02;
/// Default: incidents per day at the most, for the whole network.
const MOST_PER_DAY: f64 = 10.0;
/// The least that a doubling of rarity costs, in bits: scores are bits, so an honest one costs 1.
const MIN_BITS_PER_DOUBLING: f64 = 1.0;
/// No score below this is worth a person's time, however quiet the learning time was.
const MIN_THRESHOLD_BITS: f64 = 9.0;
/// Bits beyond the threshold of what has no name, at the least: eight times as improbable, and twice over.
pub const UNNAMED_BITS: f64 = 5.0;
/// Halvings of the rate by which the tail is extended at the most: a time that is shorter than a sixteenth of what the budget asks for says nothing of what
/// that promises.
const MOST_HALVINGS: f64 = 4.0;
/// Scores of each kind that are kept, the highest.
const MOST_SCORES: usize = 1000;
/// Scores of one class that are kept, the highest.
const MOST_OF_CLASS: usize = 100;
/// Bits that the threshold of all other classes must fall where one has a threshold of its own: it is chosen among some eight after the scores were seen.
const LOUD_BITS: f64 = 3.0;
/// The share of conversations in a window whose bits count at all: those above the ordinary.
pub const EXTRAORDINARY: f64 = 0.01;
/// The share of the highest scores that shows how the tail falls.
const TAIL_SHARE: f64 = 0.2;
/// Scores that are needed to show it.
const MIN_TAIL: usize = 20;

/// How many incidents a day of normal time may bring.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Incidents per day for the whole network.
    pub per_day: f64,
}

impl Budget {
    /// The default for so many local devices: 0.02 per device, 10 at the most.
    #[must_use]
    pub fn for_hosts(local_hosts: usize) -> Self {
        Self { per_day: (PER_HOST_DAY * local_hosts.max(1) as f64).min(MOST_PER_DAY) }
    }
}

/// Scores of devices in windows of normal time, and the threshold that keeps a budget.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The highest scores of devices and windows that were held out, of what has a name, in bits; quiet windows have none.
    pub scores: Vec<f64>,
    /// The same of what is merely unusual; none in models of earlier versions, which did not tell them apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unnamed_scores: Vec<f64>,
    /// The highest of those that have a name by their class, from one bit on; none in models of earlier versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_class: BTreeMap<String, Vec<f64>>,
    /// The span held out, in days.
    pub days: f64,
    /// p-values come from these: device windows held out, quiet ones included.
    pub windows: f64,
    /// Conversations in windows of five minutes that were held out.
    pub conversations: f64,
    /// What of these all but one in a hundred do not exceed, in bits; it adds nothing to a score.
    #[serde(flatten)]
    pub ordinary: OrdinaryBits,
    /// Bits by which the threshold of vague incidents was raised since, because more came than the budget allows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub raised_bits: f64,
}

/// What conversations of ordinary time do not exceed, in bits, apart by whether they stay at home: people bring new sites every day, and that is
/// no measure for what devices do with each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OrdinaryBits {
    /// All of them.
    #[serde(rename = "ordinary_bits")]
    pub any: f64,
    /// Those between devices at home that ask for no name, at most as much; none in models of earlier versions, which did not tell them apart.
    #[serde(rename = "ordinary_bits_at_home", default, skip_serializing_if = "Option::is_none")]
    pub at_home: Option<f64>,
    /// Those of them that are care of patients or control of machines, at most as much: machines that speak to machines do the same all day.
    #[serde(rename = "ordinary_bits_critical", default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<f64>,
    /// Those that come from outside, which may be more: each of them is a stranger.
    #[serde(rename = "ordinary_bits_inward", default, skip_serializing_if = "Option::is_none")]
    pub inward: Option<f64>,
    /// Those at home of devices that scan by habit, at least as much as those of the others; none in models of earlier versions, where they had no bits of
    /// their own.
    #[serde(rename = "ordinary_bits_of_scanners", default, skip_serializing_if = "Option::is_none")]
    pub scanners: Option<f64>,
    /// Those at home that are neither, of devices of which nothing was known, with those of all others: at least as much as those of known devices, at most as much as any; none in
    /// models of earlier versions, where these were one.
    #[serde(rename = "ordinary_bits_of_newcomers", default, skip_serializing_if = "Option::is_none")]
    pub newcomers: Option<f64>,
    /// Those that ask for a name, or of which that is new, where they are merely unusual: at least as much as any; none in models of earlier versions.
    #[serde(rename = "ordinary_bits_named", default, skip_serializing_if = "Option::is_none")]
    pub named: Option<f64>,
    /// Those that leave home where what is new about them is no name, at most as much as any.
    #[serde(rename = "ordinary_bits_out", default, skip_serializing_if = "Option::is_none")]
    pub out: Option<f64>,
    /// The same of services with many conversations, each by itself.
    #[serde(rename = "ordinary_bits_out_by_service", with = "super::keys", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<Service, f64>,
}

/// What is known of an observation that matters for what is ordinary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Regard {
    /// Is the strongest thing that is new about it a name?
    pub is_named: bool,
    /// Has what it shows no name that a person could look for?
    pub is_unusual: bool,
    /// Is its initiator a device that scans by habit?
    pub is_scanner: bool,
    /// Is nothing known of its initiator?
    pub is_newcomer: bool,
}

impl OrdinaryBits {
    /// The same for all.
    #[must_use]
    pub const fn of_all(bits: f64) -> Self {
        Self {
            any: bits,
            at_home: Some(bits),
            critical: Some(bits),
            inward: Some(bits),
            named: Some(bits),
            scanners: Some(bits),
            newcomers: Some(bits),
            out: Some(bits),
            services: BTreeMap::new(),
        }
    }

    /// Those for an observation, in bits, regarded like this; where none of its kind are known, those of any.
    #[must_use]
    pub fn of(&self, seen: &Observation, regard: Regard) -> f64 {
        let Regard { is_named, is_unusual, is_scanner, is_newcomer } = regard;
        let apart = if seen.stays_home() {
            let scanners = self.scanners.filter(|_| is_scanner);
            let critical = || self.critical.filter(|_| seen.is_critical());
            scanners.or_else(critical).or(self.newcomers.filter(|_| is_newcomer)).or(self.at_home)
        } else if seen.leads_out(is_named) {
            self.services.get(&seen.service).copied().or(self.out)
        } else if seen.comes_in() {
            self.inward
        } else {
            self.named.filter(|_| is_unusual)
        };
        apart.unwrap_or(self.any)
    }

    /// The least that they may be for an observation of which that is not known yet.
    #[must_use]
    pub fn at_least(&self, seen: &Observation) -> f64 {
        self.of(seen, Regard::default())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// Bits that the threshold of vague incidents rises for each that came beyond the budget, and falls for each that did not come.
const BITS_PER_INCIDENT: f64 = 0.5;
/// Bits by which it is raised at the most.
const MOST_RAISED_BITS: f64 = 4.0;

/// A class of which held-out time brought so much that it has a threshold of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loud<'c> {
    /// Its name.
    pub class: &'c str,
    /// Score at which its incidents open, in bits.
    pub threshold: f64,
    /// That of all others.
    of_others: f64,
}

impl Calibration {
    /// Keeps the highest scores only, with a name and without; sorts them.
    #[must_use]
    pub fn new(
        [scores, unnamed_scores]: [Vec<f64>; 2],
        days: f64,
        windows: f64,
        (conversations, ordinary): (f64, OrdinaryBits),
    ) -> Self {
        let (scores, unnamed_scores) = (highest(scores, MOST_SCORES), highest(unnamed_scores, MOST_SCORES));
        let rounded = |bits: f64| (bits * 1000.0).round() / 1000.0;
        let ordinary = OrdinaryBits {
            any: rounded(ordinary.any),
            at_home: ordinary.at_home.map(rounded),
            critical: ordinary.critical.map(rounded),
            inward: ordinary.inward.map(rounded),
            named: ordinary.named.map(rounded),
            scanners: ordinary.scanners.map(rounded),
            newcomers: ordinary.newcomers.map(rounded),
            out: ordinary.out.map(rounded),
            services: ordinary.services.into_iter().map(|(service, bits)| (service, rounded(bits))).collect(),
        };
        let by_class = BTreeMap::new();
        Self { scores, unnamed_scores, by_class, days, windows, conversations, ordinary, raised_bits: 0.0 }
    }

    /// The same, knowing which of the scores with a name are of which class.
    #[must_use]
    pub fn with_classes(mut self, scores: impl IntoIterator<Item = (String, Vec<f64>)>) -> Self {
        let kept = scores.into_iter().map(|(class, mut scores)| {
            scores.retain(|&score| score >= 1.0);
            (class, highest(scores, MOST_OF_CLASS))
        });
        self.by_class = kept.filter(|(_, scores)| !scores.is_empty()).collect();
        self
    }

    /// Learns from so many vague incidents within so many days: the threshold follows the budget (adaptive conformal inference,
    /// Gibbs and Candès 2021), within bounds.
    pub fn adapt(&mut self, incidents: u64, days: f64, budget: Budget) {
        let beyond = incidents as f64 - budget.per_day * days;
        let raised = (self.raised_bits + BITS_PER_INCIDENT * beyond).clamp(0.0, MOST_RAISED_BITS);
        self.raised_bits = (raised * 1000.0).round() / 1000.0;
    }

    /// The score above which windows come at most `budget` times a day.
    ///
    /// Where the held-out span shows that many, it is the score at that rank (split conformal, Vovk et al. 2005). Where it is
    /// too short, the tail is extended: every halving of the rate costs as many bits as the highest fifth of the scores
    /// show, at least one, for four halvings at the most. Never below what bits promise by themselves: a score of b bits beyond the ordinary comes in about one
    /// conversation in 100 · 2^b (1.5 at the most, where some are looked at apart); and never below nine bits.
    ///
    /// It holds for all classes but a [loud](Self::loud) one.
    #[must_use]
    pub fn threshold(&self, budget: Budget) -> f64 {
        let of_others = self.loud(budget).map(|loud| loud.of_others);
        of_others.unwrap_or_else(|| self.at_least(self.budget_threshold(&self.scores, budget), budget))
    }

    /// The class that has a threshold of its own, if any: where one alone brought most of the highest scores, each half of the budget is kept by itself,
    /// so that it does not deafen the others (Mondrian conformal prediction; Vovk et al. 2005, 4.5).
    #[must_use]
    pub fn loud(&self, budget: Budget) -> Option<Loud<'_>> {
        let half = Budget { per_day: budget.per_day / 2.0 };
        let without = |class: &str| {
            let others = self.by_class.iter().filter(|(other, _)| *other != class).flat_map(|(_, scores)| scores).copied();
            self.at_least(self.budget_threshold(&highest(others.collect(), MOST_SCORES), half), budget)
        };
        let all = self.at_least(self.budget_threshold(&self.scores, budget), budget);
        let apart = self.by_class.iter().map(|(class, scores)| {
            let of_others = without(class);
            Loud { class, threshold: self.budget_threshold(scores, half).max(of_others), of_others }
        });
        apart.filter(|loud| loud.of_others <= all - LOUD_BITS).min_by(|a, b| a.of_others.total_cmp(&b.of_others))
    }

    /// The score above which incidents of the class of this name open, without a margin.
    #[must_use]
    pub fn threshold_of(&self, class: &str, budget: Budget) -> f64 {
        let loud = self.loud(budget).filter(|loud| loud.class == class);
        loud.map_or_else(|| self.threshold(budget), |loud| loud.threshold)
    }

    /// A threshold that is neither below what bits promise nor below the least.
    fn at_least(&self, threshold: f64, budget: Budget) -> f64 {
        let extraordinary_per_day = EXTRAORDINARY * self.conversations / self.days.max(1e-9);
        let promised = (extraordinary_per_day / budget.per_day.max(1e-9)).max(1.0).log2();
        threshold.max(promised).max(MIN_THRESHOLD_BITS)
    }

    /// Bits beyond that threshold that what has no name needs: as many as its own scores in held-out time ask for, and never fewer than five. It names
    /// nothing that a person could look for.
    #[must_use]
    pub fn unnamed_bits(&self, budget: Budget) -> f64 {
        (self.budget_threshold(&self.unnamed_scores, budget) - self.threshold(budget)).max(UNNAMED_BITS)
    }

    fn budget_threshold(&self, scores: &[f64], budget: Budget) -> f64 {
        let allowed = budget.per_day * self.days;
        let rank = allowed.floor() as usize;
        if rank > scores.len() {
            return 0.0;
        }
        if rank >= 1 {
            return scores[rank - 1];
        }
        let halvings = (1.0 / allowed.max(1e-9)).log2().max(0.0);
        scores.first().map_or(0.0, |highest| highest + halvings.min(MOST_HALVINGS) * bits_per_doubling(scores))
    }

    /// Can the held-out span tell the budget, or had the tail to be extended?
    #[must_use]
    pub fn resolves(&self, budget: Budget) -> bool {
        budget.per_day * self.days >= 1.0
    }

    /// How often a device's window of normal time scores at least this, by what has a name or by what has none: the conformal p-value, extended beyond
    /// the highest score as [`Self::threshold`] does.
    #[must_use]
    pub fn p_value(&self, score: f64, is_unnamed: bool) -> f64 {
        // A model of an earlier version has both in one.
        let scores = if is_unnamed && !self.unnamed_scores.is_empty() { &self.unnamed_scores } else { &self.scores };
        let inside = (scores.partition_point(|&other| other >= score) as f64 + 1.0) / (self.windows + 1.0);
        let highest = scores.first().copied().unwrap_or(0.0);
        if score > highest { inside * (-(score - highest) / bits_per_doubling(scores)).exp2() } else { inside }
    }
}

/// The highest of scores, in order.
fn highest(mut scores: Vec<f64>, most: usize) -> Vec<f64> {
    scores.sort_unstable_by(|a, b| b.total_cmp(a));
    scores.truncate(most);
    scores.iter_mut().for_each(|score| *score = (*score * 1000.0).round() / 1000.0);
    scores
}

/// Bits that scores rise when their rate halves: the median excess of the highest fifth of them over the lowest of these (for an exponential tail
/// that is its half-life, and one odd score does not move it). Fewer than [`MIN_TAIL`] cannot show it; then one bit is taken, since scores are bits.
fn bits_per_doubling(scores: &[f64]) -> f64 {
    let tail = (scores.len() as f64 * TAIL_SHARE).ceil() as usize;
    match scores[..tail].split_last() {
        Some((base, above)) if tail >= MIN_TAIL => (above[above.len() / 2] - base).max(MIN_BITS_PER_DOUBLING),
        _ => MIN_BITS_PER_DOUBLING,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scores: &[f64], days: f64) -> Calibration {
        Calibration::new([scores.to_vec(), Vec::new()], days, 1000.0, (0.0, OrdinaryBits::default()))
    }

    #[test]
    fn a_long_span_gives_the_rank() {
        let c = of(&[11.0, 19.0, 14.0, 17.0], 1.0);
        assert_eq!(c.threshold(Budget { per_day: 2.0 }), 17.0);
        assert_eq!(c.threshold(Budget { per_day: 100.0 }), MIN_THRESHOLD_BITS);
        assert!(c.resolves(Budget { per_day: 2.0 }));
    }

    #[test]
    fn a_short_span_is_extended_and_says_so() {
        let c = of(&[10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], 1.0 / 64.0);
        let budget = Budget { per_day: 1.0 };
        assert_eq!(c.threshold(budget), 10.0 + MOST_HALVINGS, "not six");
        assert!((of(&[10.0], 1.0 / 8.0).threshold(budget) - 13.0).abs() < 1e-9);
        assert!(!c.resolves(budget));
    }

    #[test]
    fn a_quiet_span_promises_no_more_than_bits_do() {
        let busy = Calibration::new([vec![1.0], Vec::new()], 1.0, 1000.0, (10_000_000.0, OrdinaryBits::of_all(5.0)));
        assert!((busy.threshold(Budget { per_day: 1.0 }) - 100_000_f64.log2()).abs() < 1e-9);
        assert_eq!(of(&[1.0], 1.0).threshold(Budget { per_day: 1.0 }), MIN_THRESHOLD_BITS);
    }

    #[test]
    fn the_threshold_follows_the_budget_within_bounds() {
        let (mut c, budget) = (of(&[11.0], 1.0), Budget { per_day: 2.0 });
        c.adapt(4, 1.0, budget);
        assert_eq!(c.raised_bits, 1.0);
        c.adapt(0, 1.0, budget);
        assert_eq!(c.raised_bits, 0.0);
        (0..10).for_each(|_| c.adapt(100, 1.0, budget));
        assert_eq!(c.raised_bits, MOST_RAISED_BITS);
        (0..10).for_each(|_| c.adapt(0, 1.0, budget));
        assert_eq!(c.raised_bits, 0.0, "never below what was learned");
    }

    #[test]
    fn a_smaller_budget_never_lowers_the_threshold() {
        let c = of(&[12.0, 6.0, 5.0, 2.0], 0.5);
        let thresholds: Vec<f64> = [20.0, 8.0, 4.0, 1.0, 0.1].map(|per_day| c.threshold(Budget { per_day })).to_vec();
        assert!(thresholds.windows(2).all(|pair| pair[0] <= pair[1]), "{thresholds:?}");
    }

    #[test]
    fn a_loud_class_has_a_threshold_of_its_own() {
        let classes = [("beaconing", vec![30.0, 29.0, 22.0, 20.0, 19.0]), ("new_device", vec![10.5, 9.5, 9.0])];
        let all = classes.iter().flat_map(|(_, scores)| scores.clone()).collect();
        let c = Calibration::new([all, Vec::new()], 4.0, 1000.0, (0.0, OrdinaryBits::default()));
        let budget = Budget { per_day: 1.0 };
        assert_eq!((c.threshold(budget), c.loud(budget)), (20.0, None), "of which class they are is not known");
        let c = c.with_classes(classes.map(|(class, scores)| (class.to_owned(), scores)));
        let loud = c.loud(budget).unwrap();
        assert_eq!((c.threshold(budget), loud.class, loud.threshold), (9.5, "beaconing", 29.0), "half of the budget each");
        let even = [("beaconing", vec![20.0, 18.0]), ("new_device", vec![21.0, 19.0])];
        let c = c.with_classes(even.map(|(class, scores)| (class.to_owned(), scores)));
        assert_eq!(c.loud(budget), None, "without it the others are as loud");
    }

    #[test]
    fn what_has_no_name_needs_as_much_as_held_out_time_shows() {
        let (budget, ordinary) = (Budget { per_day: 2.0 }, || (0.0, OrdinaryBits::default()));
        let with = |unnamed: &[f64]| Calibration::new([vec![11.0, 10.0], unnamed.to_vec()], 1.0, 1000.0, ordinary());
        assert_eq!(with(&[19.0, 17.0, 14.0]).unnamed_bits(budget), 7.0, "the second of them, beyond ten");
        assert_eq!(with(&[19.0, 12.0]).unnamed_bits(budget), UNNAMED_BITS);
        assert_eq!(with(&[]).unnamed_bits(budget), UNNAMED_BITS);
        let p = |is_unnamed| with(&[19.0, 17.0]).p_value(18.0, is_unnamed);
        assert!(p(true) > p(false), "each by its own");
    }

    #[test]
    fn p_values_fall_with_the_score() {
        let c = of(&[12.0, 6.0, 5.0, 2.0], 0.5);
        assert!(c.p_value(3.0, false) > c.p_value(7.0, false) && c.p_value(12.0, false) > c.p_value(30.0, false));
        assert!(c.p_value(0.0, false) <= 1.0);
    }

    #[test]
    fn the_default_budget_is_small_for_small_networks() {
        assert_eq!(Budget::for_hosts(5).per_day, 0.1);
        assert_eq!(Budget::for_hosts(1_500_000).per_day, 10.0);
    }
}

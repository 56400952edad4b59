//! From "how often was something like this seen" to a probability and to bits.

/// Surprise in bits of an event of probability `p`: −log₂ p, 0 to 64. A shorthand throughout.
#[must_use]
pub fn bits(p: f64) -> f64 {
    if p.is_nan() { 0.0 } else { (-p.clamp(2f64.powi(-64), 1.0).log2()).max(0.0) }
}

/// The probability that a value is at least as large as `value`, from `at_least` of `total` earlier values that were, and
/// the largest of them.
///
/// Inside the range seen it is the conformal estimate (at_least + 1) / (total + 1) (Vovk et al. 2005). Beyond the largest a
/// Pareto tail with exponent `alpha` goes on from 1 / (total + 1), so that ten times the most ever seen is less probable
/// than twice.
#[must_use]
pub fn tail_probability(value: f64, at_least: f64, total: f64, largest: f64, alpha: f64) -> f64 {
    let inside = (at_least + 1.0) / (total + 1.0);
    if value <= largest || largest <= 0.0 || at_least > 0.0 {
        return inside;
    }
    inside * (largest / value).powf(alpha)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_seen_before_is_not_impossible() {
        assert_eq!(tail_probability(5.0, 0.0, 99.0, 5.0, 2.0), 0.01);
        assert_eq!(tail_probability(1.0, 0.0, 0.0, 0.0, 2.0), 1.0);
    }

    #[test]
    fn further_out_is_less_probable() {
        let p = |value| tail_probability(value, 0.0, 9.0, 10.0, 2.0);
        assert!((p(20.0) - 0.025).abs() < 1e-12);
        assert!(p(1000.0) < p(20.0));
    }

    #[test]
    fn bits_are_finite() {
        assert_eq!((bits(1.0), bits(0.25), bits(0.0), bits(f64::NAN), bits(7.0)), (0.0, 2.0, 64.0, 0.0, 0.0));
    }
}

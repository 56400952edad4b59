//! Log and robust scaling of feature vectors.

use serde::{Deserialize, Serialize};

use crate::feature::{COUNT, SCHEMA, Scale};

/// A scaled vector.
pub type Scaled = [f32; COUNT];

/// Centre and spread of every feature after its own scale (log, signed log or linear) was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    /// Medians.
    pub centre: Vec<f32>,
    /// Spreads: standard deviation without the outermost percents, at least the feature's floor.
    pub spread: Vec<f32>,
}

/// Takes a feature's own scale.
#[must_use]
pub fn transform(raw: &Scaled) -> Scaled {
    let mut out = *raw;
    // Most are 0, which stays what it is on every scale.
    for (value, feature) in out.iter_mut().zip(&SCHEMA).filter(|(value, _)| **value != 0.0) {
        *value = match feature.scale {
            Scale::Log => value.max(0.0).ln_1p(),
            Scale::SignedLog => value.signum() * value.abs().ln_1p(),
            Scale::Linear => *value,
        };
    }
    out
}

/// Takes the scale back: the raw value of a transformed one.
#[must_use]
pub fn untransform(index: usize, value: f32) -> f64 {
    let value = f64::from(value);
    match SCHEMA[index].scale {
        Scale::Log => value.exp_m1().max(0.0),
        Scale::SignedLog => value.signum() * value.abs().exp_m1(),
        Scale::Linear => value,
    }
}

impl Scaler {
    /// Fits centre and spread to transformed vectors. Robust: the outermost percent on either side has no part.
    #[must_use]
    pub fn fit(transformed: &[Scaled]) -> Self {
        let mut centre = Vec::with_capacity(COUNT);
        let mut spread = Vec::with_capacity(COUNT);
        for (index, feature) in SCHEMA.iter().enumerate() {
            let mut column: Vec<f32> = transformed.iter().map(|vector| vector[index]).collect();
            let (middle, std) = centre_and_spread(&mut column);
            centre.push(middle);
            spread.push(std.max(feature.floor as f32));
        }
        Self { centre, spread }
    }

    /// Puts a transformed vector on the common scale.
    #[must_use]
    pub fn scale(&self, transformed: &Scaled) -> Scaled {
        let mut out = *transformed;
        for (value, (centre, spread)) in out.iter_mut().zip(self.centre.iter().zip(&self.spread)) {
            *value = (*value - centre) / spread;
        }
        out
    }
}

/// Sorts numbers by [`f32::total_cmp`], as integers in that order: they are compared in one step.
fn sort(column: &mut [f32]) {
    // The bits of numbers below 0 but for the sign are in the reverse order.
    let turned = |bits: i32| bits ^ ((bits >> 31) as u32 >> 1) as i32;
    let mut numbers: Vec<i32> = column.iter().map(|value| turned(value.to_bits() as i32)).collect();
    numbers.sort_unstable();
    column.iter_mut().zip(numbers).for_each(|(value, number)| *value = f32::from_bits(turned(number) as u32));
}

/// Median and trimmed standard deviation (1 % off either end); zeros for no values.
pub fn centre_and_spread(column: &mut [f32]) -> (f32, f32) {
    sort(column);
    let Some(&median) = column.get(column.len() / 2) else { return (0.0, 0.0) };
    let trim = column.len() / 100;
    let kept = &column[trim..column.len() - trim];
    let n = kept.len() as f64;
    let mean = kept.iter().map(|&value| f64::from(value)).sum::<f64>() / n;
    let variance = kept.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / n;
    (median, variance.sqrt() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sorted_as_all_of_them_compare() {
        let mut numbers = [3.5, -0.0, f32::NAN, 0.0, -7.0, f32::INFINITY, -f32::NAN, 1e-40, -1e-40, f32::NEG_INFINITY, 3.5];
        let mut wanted = numbers;
        wanted.sort_by(f32::total_cmp);
        sort(&mut numbers);
        assert_eq!(numbers.map(f32::to_bits), wanted.map(f32::to_bits));
    }

    #[test]
    fn a_feature_that_never_varies_keeps_its_floor() {
        let scaler = Scaler::fit(&vec![[1.0; COUNT]; 10]);
        for (spread, feature) in scaler.spread.iter().zip(&SCHEMA) {
            assert_eq!(*spread, feature.floor as f32);
        }
        assert_eq!(scaler.scale(&[1.0; COUNT]), [0.0; COUNT]);
    }

    #[test]
    fn a_few_wild_values_do_not_move_the_scale() {
        let mut vectors: Vec<Scaled> = (0..1000).map(|n| [(n % 10) as f32; COUNT]).collect();
        let calm = Scaler::fit(&vectors);
        vectors.iter_mut().take(5).for_each(|vector| *vector = [1e9; COUNT]);
        let wild = Scaler::fit(&vectors);
        assert!((calm.spread[0] - wild.spread[0]).abs() < 0.2);
    }

    #[test]
    fn transforming_back_gives_the_value() {
        let raw = [1234.0_f32; COUNT];
        let there = transform(&raw);
        for (index, &value) in there.iter().enumerate() {
            assert!((untransform(index, value) - 1234.0).abs() < 0.01);
        }
    }
}

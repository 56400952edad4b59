//! The plane in which behaviours differ most, so that they can be drawn.

use linfa_linalg::eigh::{EigSort as _, Eigh as _};
use ndarray::Array2;

use super::behaviour::Vocabulary;
use super::scaler::{Scaled, Scaler, transform};
use crate::feature::{COUNT, Feature, SCHEMA};

/// One direction of the plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// How much each feature counts, in the order of the schema; of length 1.
    pub weights: Vec<f64>,
    /// Share of the centres' variance that lies along it, 0 to 1.
    pub share: f64,
}

impl Axis {
    /// The features that count most, with the sign of what they count: what grows along the axis, and what shrinks.
    #[must_use]
    pub fn strongest(&self, most: usize) -> Vec<(&'static Feature, bool)> {
        let mut ranked: Vec<usize> = (0..self.weights.len().min(COUNT)).collect();
        ranked.sort_by(|&a, &b| self.weights[b].abs().total_cmp(&self.weights[a].abs()).then(a.cmp(&b)));
        ranked.into_iter().take(most).map(|index| (&SCHEMA[index], self.weights[index] > 0.0)).collect()
    }
}

/// The first two principal components of the centres of behaviours, each centre counted once (Jolliffe 2002, section 2).
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    scaler: Scaler,
    mean: Vec<f64>,
    /// To the right, and up.
    pub axes: [Axis; 2],
    /// Where the behaviours lie, in their order.
    pub centres: Vec<[f64; 2]>,
}

impl Plane {
    /// The plane of a vocabulary; none where it has fewer than three behaviours, which need no plane.
    #[must_use]
    pub fn of(vocabulary: &Vocabulary) -> Option<Self> {
        let centres: Vec<Scaled> = vocabulary
            .behaviours
            .iter()
            .filter_map(|behaviour| Scaled::try_from(behaviour.centre.as_slice()).ok())
            .map(|centre| vocabulary.scaler.scale(&centre))
            .collect();
        let count = centres.len();
        if count < 3 || count != vocabulary.behaviours.len() {
            return None;
        }
        let mean: Vec<f64> =
            (0..COUNT).map(|n| centres.iter().map(|centre| f64::from(centre[n])).sum::<f64>() / count as f64).collect();
        let off = Array2::from_shape_fn((count, COUNT), |(row, n)| f64::from(centres[row][n]) - mean[n]);
        let covariance = off.t().dot(&off) / count as f64;
        if !covariance.iter().all(|value| value.is_finite()) {
            return None;
        }
        let (values, vectors) = covariance.eigh().ok()?.sort_eig_desc();
        let total: f64 = values.iter().map(|value| value.max(0.0)).sum();
        let axis = |n: usize| {
            let mut weights: Vec<f64> = vectors.column(n).to_vec();
            // Either sign is an eigenvector: the heaviest weight is made positive, so that a map looks the same every time.
            let heaviest = weights.iter().copied().reduce(|a, b| if b.abs() > a.abs() { b } else { a }).unwrap_or(0.0);
            if heaviest < 0.0 {
                weights.iter_mut().for_each(|weight| *weight = -*weight);
            }
            Axis { weights, share: if total > 0.0 { values[n].max(0.0) / total } else { 0.0 } }
        };
        let mut plane = Self { scaler: vocabulary.scaler.clone(), mean, axes: [axis(0), axis(1)], centres: Vec::new() };
        plane.centres = centres.iter().map(|centre| plane.place_scaled(centre)).collect();
        Some(plane)
    }

    /// Where a flow lies, by its features in their own units.
    #[must_use]
    pub fn place(&self, raw: &Scaled) -> [f64; 2] {
        self.place_scaled(&self.scaler.scale(&transform(raw)))
    }

    fn place_scaled(&self, scaled: &Scaled) -> [f64; 2] {
        [0, 1].map(|axis| {
            let weights = self.axes[axis].weights.iter();
            weights.zip(scaled.iter().zip(&self.mean)).map(|(weight, (&value, mean))| weight * (f64::from(value) - mean)).sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::behaviour::Behaviour;
    use super::super::histogram::Histogram;
    use super::*;

    /// Behaviours at these places of two features, on a scale that changes nothing.
    fn vocabulary(places: &[[f32; 2]]) -> Vocabulary {
        let behaviour = |&[a, b]: &[f32; 2]| {
            let mut centre = vec![0.0; COUNT];
            (centre[20], centre[24]) = (a, b);
            Behaviour { name: String::new(), flows: 1, centre, spread: vec![1.0; COUNT], radius: 1.0 }
        };
        let text = serde_json::json!({
            "scaler": Scaler { centre: vec![0.0; COUNT], spread: vec![1.0; COUNT] },
            "behaviours": places.iter().map(behaviour).collect::<Vec<_>>(), "ratios": Histogram::default(),
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn the_longest_way_is_to_the_right_and_distances_are_kept() {
        let plane = Plane::of(&vocabulary(&[[0.0, 0.0], [9.0, 1.0], [3.0, 4.0], [6.0, -2.0]])).unwrap();
        assert_eq!(plane.axes[0].strongest(1)[0].0.name, "resp_share");
        assert!(plane.axes[0].share > plane.axes[1].share);
        assert!((plane.axes[0].share + plane.axes[1].share - 1.0).abs() < 1e-9, "two features differ: two axes hold it all");
        let distance = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
        assert!((distance(plane.centres[0], plane.centres[1]) - 82f64.sqrt()).abs() < 1e-5);
        assert!((distance(plane.centres[2], plane.centres[3]) - 45f64.sqrt()).abs() < 1e-5);
    }

    #[test]
    fn a_flow_at_a_centre_lies_there() {
        let plane = Plane::of(&vocabulary(&[[0.0, 0.0], [0.9, 0.1], [0.3, 0.4]])).unwrap();
        let mut flow = [0.0; COUNT];
        (flow[20], flow[24]) = (0.9, 0.1);
        let place = plane.place(&flow);
        assert!((place[0] - plane.centres[1][0]).abs() < 1e-6 && (place[1] - plane.centres[1][1]).abs() < 1e-6);
    }

    #[test]
    fn two_behaviours_need_no_plane() {
        assert_eq!(Plane::of(&vocabulary(&[[0.0, 0.0], [9.0, 1.0]])), None);
    }
}

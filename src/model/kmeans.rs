//! Clustering by linfa: k-means with k-means++ start (Arthur and Vassilvitskii 2007).

use std::iter::Sum;

use linfa::traits::Fit;
use linfa::{DatasetBase, Float};
use linfa_clustering::{KMeans, KMeansInit};
use linfa_nn::distance::Distance;
use ndarray::{Array2, ArrayView, Dimension};
use rand::distributions::{Distribution, WeightedIndex};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

use super::scaler::Scaled;
use crate::feature::COUNT;

/// Vectors used for the clustering at the most: an even sample of more. Bounds time and memory.
const MAX_SAMPLE: usize = 8_000;
/// Scaled values are held within this for the clustering, so that one wild flow does not become a cluster of its own.
const CLIP: f32 = 8.0;
/// Starts, of which the best counts; one for a large sample, which needs no luck, and many for a small one, which depends on it.
const RUNS: usize = 4;
const LARGE_SAMPLE: usize = 4_000;
const SMALL_SAMPLE: usize = 500;
const RUNS_OF_SMALL: usize = 32;
const MAX_ITERATIONS: u64 = 40;
const TOLERANCE: f64 = 1e-3;

/// What clustering refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// Nothing to learn from.
    #[error("{got} flows to learn from: wanted at least {wanted}")]
    TooFew {
        /// Flows given.
        got: usize,
        /// The least that works.
        wanted: usize,
    },
    /// The clustering library failed.
    #[error("clustering {flows} flows into {behaviours} behaviours: {reason}")]
    Failed {
        /// Flows given.
        flows: usize,
        /// Clusters wanted.
        behaviours: usize,
        /// What the library said.
        reason: String,
    },
}

/// Scaled vectors to be clustered.
pub type TrainingSet<'a> = &'a [Scaled];

/// How many clusters for `n` vectors: √n/2, 2 to `most`.
#[must_use]
pub fn cluster_count(n: usize, most: usize) -> usize {
    (((n as f64).sqrt() / 2.0).round() as usize).clamp(2, most.max(2)).min(n)
}

/// Centres of `k` clusters of the vectors, in no particular order. The same input and seed give the same centres.
///
/// # Errors
/// When the library fails; it does not for finite input and `k` ≤ the number of vectors.
pub fn fit(vectors: TrainingSet<'_>, k: usize, seed: u64) -> Result<Vec<Scaled>, ClusterError> {
    let centre = |row: &[f64]| {
        let mut centre = [0.0; COUNT];
        centre.iter_mut().zip(row).for_each(|(to, &from)| *to = from as f32);
        centre
    };
    let clipped = |vector: &Scaled| vector.map(|value| f64::from(value.clamp(-CLIP, CLIP)));
    let centres = centres(vectors.iter().map(clipped), COUNT, k, seed)?;
    Ok(centres.iter().map(|row| centre(row)).collect())
}

/// The same for rows of any width.
pub(super) fn centres<R: AsRef<[f64]>>(
    rows: impl ExactSizeIterator<Item = R>,
    width: usize,
    k: usize,
    seed: u64,
) -> Result<Vec<Vec<f64>>, ClusterError> {
    let all = rows.len();
    let step = all.div_ceil(MAX_SAMPLE).max(1);
    let mut flat = Vec::with_capacity(all.div_ceil(step) * width);
    rows.step_by(step).for_each(|row| flat.extend_from_slice(row.as_ref()));
    let failed = |reason: String| ClusterError::Failed { flows: all, behaviours: k, reason };
    let sample = Array2::from_shape_vec((all.div_ceil(step), width), flat).map_err(|error| failed(error.to_string()))?;
    let rows = sample.nrows();
    let sample = DatasetBase::from(sample);
    let mut random = Xoshiro256Plus::seed_from_u64(seed);
    let mut best: Option<KMeans<f64, Euclidean>> = None;
    for _ in 0..runs(rows) {
        let start = start(sample.records(), k.min(rows), &mut random);
        let found = KMeans::params_with(start.nrows(), random.clone(), Euclidean)
            .init_method(KMeansInit::Precomputed(start))
            .n_runs(1)
            .max_n_iterations(MAX_ITERATIONS)
            .tolerance(TOLERANCE)
            .fit(&sample)
            .map_err(|error| failed(error.to_string()))?;
        if best.as_ref().is_none_or(|best| found.inertia() < best.inertia()) {
            best = Some(found);
        }
    }
    let best = best.iter().flat_map(|best| best.centroids().rows());
    Ok(best.map(|row| row.to_vec()).collect())
}

/// k-means++ (Arthur and Vassilvitskii 2007): `k` rows, each drawn by the square of its distance from those before. The library's own start asks
/// each time how far all of them are, this one only the newest; it draws the same.
fn start(sample: &Array2<f64>, k: usize, random: &mut Xoshiro256Plus) -> Array2<f64> {
    let mut centres = Array2::zeros((k, sample.ncols()));
    let mut squares = vec![1.0; sample.nrows()];
    for place in 0..k {
        // Where all are as near as can be, each is as good.
        let drawn = WeightedIndex::new(&squares).map_or(0, |weights| weights.sample(random));
        centres.row_mut(place).assign(&sample.row(drawn));
        for (square, row) in squares.iter_mut().zip(sample.rows()) {
            let newest = Euclidean.rdistance(row, sample.row(drawn));
            *square = if place == 0 { newest } else { square.min(newest) };
        }
    }
    centres
}

/// Sums that are added up side by side.
const LANES: usize = 8;

/// The Euclidean distance, as the library's own but in several sums, none of which waits for the one before.
#[derive(Clone, Debug, PartialEq)]
struct Euclidean;

impl Distance<f64> for Euclidean {
    fn distance<D: Dimension>(&self, a: ArrayView<'_, f64, D>, b: ArrayView<'_, f64, D>) -> f64 {
        self.rdistance(a, b).sqrt()
    }

    fn rdistance<D: Dimension>(&self, a: ArrayView<'_, f64, D>, b: ArrayView<'_, f64, D>) -> f64 {
        // Rows, and whole tables of centres, lie in one piece.
        match (a.as_slice(), b.as_slice()) {
            (Some(a), Some(b)) => square_of_distance(a, b),
            _ => a.iter().zip(b.iter()).map(|(a, b)| (a - b) * (a - b)).sum(),
        }
    }

    fn rdist_to_dist(&self, rdist: f64) -> f64 {
        rdist.sqrt()
    }

    fn dist_to_rdist(&self, dist: f64) -> f64 {
        dist * dist
    }
}

/// The square of the distance of two vectors as wide.
fn square_of_distance<T: Float + Sum>(a: &[T], b: &[T]) -> T {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [T::zero(); LANES];
    for (a, b) in a.iter().zip(b) {
        sums = added(sums, a, b);
    }
    let rest: T = a_rest.iter().zip(b_rest).map(|(&a, &b)| (a - b) * (a - b)).sum();
    sums.into_iter().fold(rest, |all, sum| all + sum)
}

/// The sums, each with the square of a difference.
#[inline(always)]
fn added<T: Float>(sums: [T; LANES], a: &[T; LANES], b: &[T; LANES]) -> [T; LANES] {
    std::array::from_fn(|lane| {
        let difference = a[lane] - b[lane];
        sums[lane] + difference * difference
    })
}

/// The place of the centre that is nearest to a vector, the first of those that are as near; 0 without centres.
pub(super) fn nearest<T: Float + Sum>(centres: impl Iterator<Item = impl AsRef<[T]>>, vector: &[T]) -> usize {
    let squares = centres.map(|centre| square_of_distance(centre.as_ref(), vector));
    let nearer = |least: (usize, T), next: (usize, T)| if next.1 < least.1 { next } else { least };
    squares.enumerate().reduce(nearer).map_or(0, |(place, _)| place)
}

const fn runs(rows: usize) -> usize {
    if rows <= SMALL_SAMPLE {
        RUNS_OF_SMALL
    } else if rows <= LARGE_SAMPLE {
        RUNS
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_groups_and_repeats_itself() {
        let vectors: Vec<Scaled> =
            (0..300).map(|n| [if n % 3 == 0 { 5.0 } else { -5.0 } + (n % 7) as f32 * 0.01; COUNT]).collect();
        let mut centres = fit(&vectors, 2, 1).unwrap();
        centres.sort_by(|a, b| a[0].total_cmp(&b[0]));
        assert!((centres[0][0] + 5.0).abs() < 0.1 && (centres[1][0] - 5.0).abs() < 0.1);
        assert_eq!(fit(&vectors, 2, 1).unwrap(), fit(&vectors, 2, 1).unwrap());
    }

    #[test]
    fn centres_are_those_of_the_library_s_own_start_and_distance() {
        let mut state = 7_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / 1e6
        };
        for (rows, width, k) in [(60, 3, 4), (700, 13, 9), (4_500, 44, 12)] {
            let table: Vec<Vec<f64>> = (0..rows).map(|_| (0..width).map(|_| random()).collect()).collect();
            let found = centres(table.iter(), width, k, 5).unwrap();
            let sample = Array2::from_shape_vec((rows, width), table.concat()).unwrap();
            let own = KMeans::params_with_rng(k, Xoshiro256Plus::seed_from_u64(5))
                .init_method(KMeansInit::KMeansPlusPlus)
                .n_runs(runs(rows))
                .max_n_iterations(MAX_ITERATIONS)
                .tolerance(TOLERANCE)
                .fit(&DatasetBase::from(sample))
                .unwrap();
            for (found, own) in found.iter().zip(own.centroids().rows()) {
                let apart = found.iter().zip(own).map(|(found, own)| (found - own).abs()).fold(0.0, f64::max);
                assert!(apart < 1e-9, "{rows} rows: {apart}");
            }
            assert_eq!(found.len(), k);
        }
    }

    #[test]
    fn more_flows_make_more_behaviours_up_to_a_limit() {
        assert_eq!([4, 400, 1_000_000].map(|n| cluster_count(n, 32)), [2, 10, 32]);
    }
}

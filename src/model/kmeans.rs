//! Clustering by linfa: k-means with k-means++ start (Arthur and Vassilvitskii 2007).

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::{KMeans, KMeansInit};
use ndarray::Array2;
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
    let model = KMeans::params_with_rng(k.min(rows), Xoshiro256Plus::seed_from_u64(seed))
        .init_method(KMeansInit::KMeansPlusPlus)
        .n_runs(runs(rows))
        .max_n_iterations(MAX_ITERATIONS)
        .tolerance(TOLERANCE)
        .fit(&DatasetBase::from(sample))
        .map_err(|error| failed(error.to_string()))?;
    Ok(model.centroids().rows().into_iter().map(|row| row.to_vec()).collect())
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
    fn more_flows_make_more_behaviours_up_to_a_limit() {
        assert_eq!([4, 400, 1_000_000].map(|n| cluster_count(n, 32)), [2, 10, 32]);
    }
}

//! Clusters of flows by linfa, and what flow belongs to which.

use anyhow::Context as _;
use auscult::feature::COUNT;
use auscult::model::Scaled;
use linfa::DatasetBase;
use linfa::ParamGuard as _;
use linfa::traits::{FitWith as _, Transformer as _};
use linfa_clustering::{Dbscan, IncrKMeansError, KMeans, KMeansInit, Optics};
use ndarray::Array2;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng as _;

use super::mixture::Mixture;
use super::neighbours::{FEW, nearest};
use super::sample::{Sample, clip, shuffled};

/// Flows of a batch of k-means, and how often it sees all of them.
const BATCH: usize = 500;
const ROUNDS: usize = 10;
/// The share of flows whose eighth neighbour is nearer than DBSCAN's radius; and of OPTICS's reachabilities below its cut.
const WITHIN: f64 = 0.95;
const REACHED: f64 = 0.9;

/// A way of clustering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clustering {
    MiniBatch,
    Mixture,
    Dbscan,
    Optics,
}

/// What it found.
pub struct Found {
    how: How,
    clusters: usize,
    /// The share of flows that belong to no cluster.
    noise: f64,
}

enum How {
    /// A flow belongs to the cluster of the nearest of these within the reach.
    Nearest {
        points: Vec<Scaled>,
        clusters: Vec<usize>,
        reach: f32,
        centres: Vec<Scaled>,
    },
    Mixture(Mixture),
}

/// As many as auscult's own behaviours: √n/2, 2 to 32.
pub fn count(flows: usize) -> usize {
    (((flows as f64).sqrt() / 2.0).round() as usize).clamp(2, 32)
}

/// Rows for linfa.
pub fn rows<'f>(flows: impl ExactSizeIterator<Item = &'f Scaled>) -> anyhow::Result<Array2<f64>> {
    let n = flows.len();
    let flat = flows.flat_map(|flow| flow.iter().map(|&value| f64::from(value))).collect();
    Ok(Array2::from_shape_vec((n, COUNT), flat)?)
}

impl Clustering {
    pub const ALL: [Self; 4] = [Self::MiniBatch, Self::Mixture, Self::Dbscan, Self::Optics];

    pub const fn name(self) -> &'static str {
        match self {
            Self::MiniBatch => "mini-batch k-means",
            Self::Mixture => "Gaussian mixture",
            Self::Dbscan => "DBSCAN",
            Self::Optics => "OPTICS",
        }
    }

    pub fn fit(self, sample: &Sample, seed: u64) -> anyhow::Result<Found> {
        let flows = &sample.learned;
        match self {
            Self::MiniBatch => mini_batch(flows, seed),
            Self::Mixture => {
                let mixture = Mixture::fit(sample, seed)?;
                Ok(Found { clusters: mixture.components(), how: How::Mixture(mixture), noise: 0.0 })
            }
            Self::Dbscan => dbscan(flows),
            Self::Optics => optics(flows),
        }
    }
}

fn mini_batch(flows: &[Scaled], seed: u64) -> anyhow::Result<Found> {
    let mut random = Xoshiro256Plus::seed_from_u64(seed);
    let wanted = count(flows.len());
    let params = KMeans::params_with_rng(wanted, random.clone()).init_method(KMeansInit::KMeansPlusPlus).tolerance(1e-3);
    let params = params.check()?;
    let mut model: Option<KMeans<f64, _>> = None;
    for _ in 0..ROUNDS {
        let order = shuffled(flows.len(), &mut random);
        // The first batch gives the starts: it must hold enough flows.
        for batch in order.chunks(BATCH.max(4 * wanted)).filter(|batch| batch.len() >= wanted) {
            let batch = DatasetBase::from(rows(batch.iter().map(|&place| &flows[place]))?);
            model = match params.fit_with(model.take(), &batch) {
                Ok(model) | Err(IncrKMeansError::NotConverged(model)) => Some(model),
                Err(error) => anyhow::bail!("mini-batch k-means: {error}"),
            };
        }
    }
    let model = model.context("mini-batch k-means: too few flows")?;
    let points = model.centroids().rows().into_iter().map(|row| core::array::from_fn(|at| row[at] as f32));
    let points: Vec<Scaled> = points.collect();
    let (clusters, centres) = ((0..points.len()).collect(), points.clone());
    Ok(Found { clusters: points.len(), how: How::Nearest { points, clusters, reach: f32::INFINITY, centres }, noise: 0.0 })
}

/// The distance within which so many flows have their eighth neighbour.
fn radius(flows: &[Scaled]) -> f32 {
    let eighth = |(place, flow): (usize, &Scaled)| nearest(flows, flow, FEW, Some(place)).last().map_or(0.0, |last| last.0);
    quantile(flows.iter().enumerate().map(eighth).collect(), WITHIN).max(1e-3)
}

fn quantile(mut values: Vec<f32>, share: f64) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    values.get(((values.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(0.0)
}

fn dbscan(flows: &[Scaled]) -> anyhow::Result<Found> {
    let reach = radius(flows);
    let members = Dbscan::params(FEW).tolerance(f64::from(reach)).transform(&rows(flows.iter())?)?;
    Ok(Found::of(flows, members.as_slice().context("DBSCAN: members")?, reach))
}

fn optics(flows: &[Scaled]) -> anyhow::Result<Found> {
    let all = rows(flows.iter())?;
    let analysis = Optics::params(FEW).tolerance(2.0 * f64::from(radius(flows))).transform(all.view())?;
    let reached = analysis.iter().filter_map(|point| *point.reachability_distance()).map(|reach| reach as f32);
    let cut = quantile(reached.collect(), REACHED).max(1e-3);
    let is_within = |reach: &Option<f64>| reach.is_some_and(|reach| reach as f32 <= cut);
    let (mut members, mut clusters, mut is_open) = (vec![None; flows.len()], 0, false);
    for point in analysis.iter() {
        if !is_within(point.reachability_distance()) {
            is_open = is_within(point.core_distance());
            clusters += usize::from(is_open);
        }
        members[point.index()] = is_open.then(|| clusters - 1);
    }
    Ok(Found::of(flows, &members, cut))
}

impl Found {
    fn of(flows: &[Scaled], members: &[Option<usize>], reach: f32) -> Self {
        let inside = || flows.iter().zip(members).filter_map(|(flow, cluster)| cluster.map(|cluster| (flow, cluster)));
        let clusters: Vec<usize> = inside().map(|(_, cluster)| cluster).collect();
        let points: Vec<Scaled> = inside().map(|(flow, _)| *flow).collect();
        let count = clusters.iter().max().map_or(0, |most| most + 1);
        let (mut centres, mut sizes) = (vec![[0.0; COUNT]; count], vec![0.0_f32; count]);
        for (flow, &cluster) in points.iter().zip(&clusters) {
            sizes[cluster] += 1.0;
            centres[cluster].iter_mut().zip(flow).for_each(|(sum, value)| *sum += value);
        }
        for (centre, size) in centres.iter_mut().zip(&sizes) {
            centre.iter_mut().for_each(|sum| *sum /= size.max(1.0));
        }
        let noise = 1.0 - points.len() as f64 / flows.len().max(1) as f64;
        Self { how: How::Nearest { points, clusters, reach, centres }, clusters: count, noise }
    }

    /// The cluster of every flow; none for noise.
    pub fn assign(&self, flows: &[Scaled]) -> Vec<Option<usize>> {
        let of = |flow: &Scaled| match &self.how {
            How::Nearest { points, clusters, reach, .. } => {
                let near = nearest(points, &clip(flow), 1, None);
                near.first().filter(|(distance, _)| distance <= reach).map(|&(_, place)| clusters[place])
            }
            How::Mixture(mixture) => Some(mixture.component(&clip(flow))),
        };
        flows.iter().map(of).collect()
    }

    /// The distance to the nearest flow of a cluster.
    pub fn distances(&self, flows: &[Scaled]) -> Vec<f64> {
        let of = |flow: &Scaled| match &self.how {
            How::Nearest { points, .. } => nearest(points, flow, 1, None).first().map_or(f64::INFINITY, |near| near.0.into()),
            How::Mixture(mixture) => mixture.bits(flow),
        };
        flows.iter().map(of).collect()
    }

    /// The distance to the nearest centre of a cluster.
    pub fn distances_to_centres(&self, flows: &[Scaled]) -> Vec<f64> {
        let of = |flow: &Scaled| match &self.how {
            How::Nearest { centres, .. } => nearest(centres, flow, 1, None).first().map_or(f64::INFINITY, |near| near.0.into()),
            How::Mixture(mixture) => mixture.bits(flow),
        };
        flows.iter().map(of).collect()
    }

    pub fn note(&self) -> String {
        match &self.how {
            How::Nearest { reach, .. } if reach.is_finite() => {
                format!("{} clusters, {:.1} % noise, reach {reach:.2}", self.clusters, 100.0 * self.noise)
            }
            _ => format!("{} clusters", self.clusters),
        }
    }
}

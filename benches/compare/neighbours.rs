//! Distances to neighbours: plain, and relative to the neighbours' own (LOF, Breunig et al. 2000).

use auscult::model::Scaled;

use super::sample::{Sample, square};

/// Neighbours that make a point one of many.
pub const FEW: usize = 8;
/// Neighbours of LOF.
const MANY: usize = 20;

/// The `k` nearest of `points` with their distances, the nearest first; without the point at `but`.
pub fn nearest(points: &[Scaled], of: &Scaled, k: usize, but: Option<usize>) -> Vec<(f32, usize)> {
    let mut found: Vec<(f32, usize)> = Vec::with_capacity(k + 1);
    for (place, point) in points.iter().enumerate() {
        let enough = if found.len() == k { found.last().map_or(f32::INFINITY, |last| last.0) } else { f32::INFINITY };
        let distance = square(point, of, enough);
        if distance >= enough || but == Some(place) {
            continue;
        }
        let at = found.partition_point(|other| other.0 <= distance);
        found.insert(at, (distance, place));
        found.truncate(k);
    }
    found.iter_mut().for_each(|(distance, _)| *distance = distance.sqrt());
    found
}

/// The distance to the eighth neighbour of the learning time.
pub fn distances(sample: &Sample) -> Vec<f64> {
    let farthest = |flow: &Scaled| nearest(&sample.learned, flow, FEW, None).last().map_or(0.0, |last| f64::from(last.0));
    sample.judged.iter().map(farthest).collect()
}

/// Local outlier factors.
pub struct Lof {
    /// Distance of every point's last neighbour.
    reach: Vec<f64>,
    density: Vec<f64>,
}

impl Lof {
    pub fn fit(points: &[Scaled]) -> Self {
        let near: Vec<_> = points.iter().enumerate().map(|(place, point)| nearest(points, point, MANY, Some(place))).collect();
        let reach = near.iter().map(|near| near.last().map_or(0.0, |last| f64::from(last.0))).collect();
        let mut lof = Self { reach, density: Vec::new() };
        lof.density = near.iter().map(|near| lof.density_of(near)).collect();
        lof
    }

    fn density_of(&self, near: &[(f32, usize)]) -> f64 {
        let sum: f64 = near.iter().map(|&(distance, place)| f64::from(distance).max(self.reach[place])).sum();
        near.len() as f64 / (sum + 1e-9)
    }

    pub fn scores(&self, sample: &Sample) -> Vec<f64> {
        let factor = |flow: &Scaled| {
            let near = nearest(&sample.learned, flow, MANY, None);
            let theirs = near.iter().map(|&(_, place)| self.density[place]).sum::<f64>() / near.len().max(1) as f64;
            theirs / self.density_of(&near)
        };
        sample.judged.iter().map(factor).collect()
    }
}

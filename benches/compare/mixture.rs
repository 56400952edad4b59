//! A Gaussian mixture by linfa: how unlikely a flow is, and of which component it is.

use auscult::feature::COUNT;
use auscult::model::Scaled;
use linfa::DatasetBase;
use linfa::traits::Fit as _;
use linfa_clustering::GaussianMixtureModel;
use ndarray::ArrayView2;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng as _;

use super::clusters::{count, rows};
use super::sample::Sample;

/// Added to every variance, in squared spreads: features that never vary would else decide alone.
const FLOOR: f64 = 0.01;
const MAX_ITERATIONS: u64 = 50;

struct Component {
    mean: Vec<f64>,
    /// Rows of the lower triangle of the covariance's Cholesky factor.
    factor: Vec<Vec<f64>>,
    /// ln of weight and normalisation.
    height: f64,
}

/// Components with full covariances.
pub struct Mixture(Vec<Component>);

fn cholesky(matrix: ArrayView2<'_, f64>) -> Vec<Vec<f64>> {
    let mut factor: Vec<Vec<f64>> = Vec::with_capacity(matrix.nrows());
    for row in 0..matrix.nrows() {
        let mut line: Vec<f64> = Vec::with_capacity(row + 1);
        for column in 0..row {
            let known: f64 = line.iter().zip(&factor[column]).map(|(a, b)| a * b).take(column).sum();
            line.push((matrix[[row, column]] - known) / factor[column][column]);
        }
        let known: f64 = line.iter().map(|value| value * value).sum();
        line.push((matrix[[row, row]] - known).max(FLOOR * FLOOR).sqrt());
        factor.push(line);
    }
    factor
}

impl Component {
    fn ln_density(&self, flow: &Scaled) -> f64 {
        let mut solved: Vec<f64> = Vec::with_capacity(COUNT);
        let mut square = 0.0;
        for ((line, &value), mean) in self.factor.iter().zip(flow).zip(&self.mean) {
            let known: f64 = solved.iter().zip(line).map(|(a, b)| a * b).sum();
            let next = (f64::from(value) - mean - known) / line[solved.len()];
            square += next * next;
            solved.push(next);
        }
        self.height - 0.5 * square
    }
}

impl Mixture {
    /// With as many components as auscult has behaviours, or fewer where one would be left without flows.
    pub fn fit(sample: &Sample, seed: u64) -> anyhow::Result<Self> {
        let data = DatasetBase::from(rows(sample.learned.iter())?);
        let mut wanted = count(sample.learned.len());
        loop {
            let params = GaussianMixtureModel::params_with_rng(wanted, Xoshiro256Plus::seed_from_u64(seed));
            let fitted = params.reg_covariance(FLOOR).max_n_iterations(MAX_ITERATIONS).fit(&data);
            match fitted {
                Ok(model) => return Ok(Self::of(&model)),
                Err(error) if wanted <= 2 => anyhow::bail!("Gaussian mixture: {error}"),
                Err(_) => wanted = wanted * 3 / 4,
            }
        }
    }

    fn of(model: &GaussianMixtureModel<f64>) -> Self {
        let parts = model.weights().iter().zip(model.means().rows()).zip(model.covariances().outer_iter());
        let component = |((weight, mean), covariance): ((&f64, ndarray::ArrayView1<'_, f64>), ArrayView2<'_, f64>)| {
            let factor = cholesky(covariance);
            let ln_root: f64 = factor.iter().filter_map(|line| line.last()).map(|value| value.ln()).sum();
            let height = weight.ln() - ln_root - 0.5 * COUNT as f64 * core::f64::consts::TAU.ln();
            Component { mean: mean.to_vec(), factor, height }
        };
        Self(parts.map(component).collect())
    }

    pub fn components(&self) -> usize {
        self.0.len()
    }

    pub fn component(&self, flow: &Scaled) -> usize {
        let density = |place: usize| self.0[place].ln_density(flow);
        (0..self.0.len()).map(|place| (place, density(place))).max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |best| best.0)
    }

    /// −log2 of the density.
    pub fn bits(&self, flow: &Scaled) -> f64 {
        let densities: Vec<f64> = self.0.iter().map(|component| component.ln_density(flow)).collect();
        let most = densities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        -(most + densities.iter().map(|density| (density - most).exp()).sum::<f64>().ln()) / core::f64::consts::LN_2
    }
}

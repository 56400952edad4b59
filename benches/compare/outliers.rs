//! Learners that look at features, not at distances: isolation forest (Liu et al. 2008) and ECOD (Li et al. 2022).

use auscult::feature::COUNT;
use auscult::model::Scaled;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng as _;

use super::sample::{Sample, below, shuffled};

const TREES: usize = 200;
/// Flows that a tree is grown from.
const SUBSAMPLE: usize = 256;
const DEPTH: u32 = 8;

enum Tree {
    Leaf(usize),
    Split { feature: usize, at: f32, sides: Box<[Tree; 2]> },
}

/// Trees that cut flows off at random: what is cut off early is rare.
pub struct Forest {
    trees: Vec<Tree>,
    flows: usize,
}

/// The mean depth of a search that fails among `n`.
fn mean_depth(n: usize) -> f64 {
    let n = n as f64;
    if n < 2.0 { 0.0 } else { 2.0 * ((n - 1.0).ln() + 0.577_215_664_9) - 2.0 * (n - 1.0) / n }
}

fn grow(flows: &[&Scaled], depth: u32, random: &mut Xoshiro256Plus) -> Tree {
    let range = |feature: usize| {
        let values = flows.iter().map(|flow| flow[feature]);
        values.fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), value| (least.min(value), most.max(value)))
    };
    let varying: Vec<(usize, f32, f32)> =
        (0..COUNT).map(|feature| (feature, range(feature).0, range(feature).1)).filter(|(_, least, most)| least < most).collect();
    if depth == 0 || flows.len() < 2 || varying.is_empty() {
        return Tree::Leaf(flows.len());
    }
    let (feature, least, most) = varying[below(varying.len(), random)];
    let at = least + (most - least) * (below(1 << 24, random) as f32 / (1 << 24) as f32);
    let (low, high): (Vec<&Scaled>, Vec<&Scaled>) = flows.iter().partition(|flow| flow[feature] <= at);
    Tree::Split { feature, at, sides: Box::new([grow(&low, depth - 1, random), grow(&high, depth - 1, random)]) }
}

impl Forest {
    pub fn fit(flows: &[Scaled], seed: u64) -> Self {
        let mut random = Xoshiro256Plus::seed_from_u64(seed);
        let tree = |_| {
            let chosen: Vec<&Scaled> =
                shuffled(flows.len(), &mut random).iter().take(SUBSAMPLE).map(|&place| &flows[place]).collect();
            grow(&chosen, DEPTH, &mut random)
        };
        Self { trees: (0..TREES).map(tree).collect(), flows: flows.len().min(SUBSAMPLE) }
    }

    pub fn scores(&self, sample: &Sample) -> Vec<f64> {
        let depth = |tree: &Tree, flow: &Scaled| {
            let (mut tree, mut depth) = (tree, 0.0);
            loop {
                match tree {
                    Tree::Leaf(flows) => return depth + mean_depth(*flows),
                    Tree::Split { feature, at, sides } => tree = &sides[usize::from(flow[*feature] > *at)],
                }
                depth += 1.0;
            }
        };
        let score = |flow: &Scaled| {
            let mean = self.trees.iter().map(|tree| depth(tree, flow)).sum::<f64>() / self.trees.len() as f64;
            2_f64.powf(-mean / mean_depth(self.flows))
        };
        sample.judged.iter().map(score).collect()
    }
}

/// How far out a flow is in every feature, by the share of flows beyond it.
pub struct Ecod {
    columns: Vec<Vec<f32>>,
    /// Has the feature its long tail below?
    leans_low: Vec<bool>,
}

impl Ecod {
    pub fn fit(flows: &[Scaled]) -> Self {
        let column = |feature: usize| {
            let mut column: Vec<f32> = flows.iter().map(|flow| flow[feature]).collect();
            column.sort_unstable_by(f32::total_cmp);
            column
        };
        let columns: Vec<Vec<f32>> = (0..COUNT).map(column).collect();
        let leans_low = columns.iter().map(|column| {
            let mean = column.iter().map(|&value| f64::from(value)).sum::<f64>() / column.len() as f64;
            column.iter().map(|&value| (f64::from(value) - mean).powi(3)).sum::<f64>() < 0.0
        });
        Self { leans_low: leans_low.collect(), columns }
    }

    pub fn scores(&self, sample: &Sample) -> Vec<f64> {
        let score = |flow: &Scaled| {
            let (mut low, mut high, mut skewed) = (0.0, 0.0, 0.0);
            for ((column, &value), &leans_low) in self.columns.iter().zip(flow).zip(&self.leans_low) {
                let n = column.len() as f64 + 1.0;
                let below = column.partition_point(|&other| other <= value) as f64 + 1.0;
                let above = (column.len() - column.partition_point(|&other| other < value)) as f64 + 1.0;
                let bits = (-(below / n).log2(), -(above / n).log2());
                low += bits.0;
                high += bits.1;
                skewed += if leans_low { bits.0 } else { bits.1 };
            }
            low.max(high).max(skewed)
        };
        sample.judged.iter().map(score).collect()
    }
}

//! Flows as the alternatives see them.

use auscult::feature::{COUNT, Observation, SCHEMA};
use auscult::model::{Scaled, Scaler, transform};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::{RngCore as _, SeedableRng as _};

use super::Options;
use super::recording::Recording;

/// Scaled values are held within this.
const CLIP: f32 = 12.0;
/// Index of the payload that the initiator sent.
pub const BYTES_SENT: usize = 3;

/// Scaled flows.
pub struct Sample {
    /// Of the learning time: all, or a sample.
    pub learned: Vec<Scaled>,
    /// All of the judged time that are scored.
    pub judged: Vec<Scaled>,
}

/// Indices below `n` in a random order.
pub fn shuffled(n: usize, random: &mut Xoshiro256Plus) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..n).collect();
    for place in (1..n).rev() {
        indices.swap(place, below(place + 1, random));
    }
    indices
}

/// A random number below `n`.
pub fn below(n: usize, random: &mut Xoshiro256Plus) -> usize {
    (random.next_u64() % n.max(1) as u64) as usize
}

impl Sample {
    pub fn of(recording: &Recording, options: &Options) -> anyhow::Result<Self> {
        anyhow::ensure!(SCHEMA[BYTES_SENT].name == "payload_bytes_orig", "the schema has changed");
        let complete = recording.complete();
        anyhow::ensure!(complete.len() >= 100, "{} flows to learn from: wanted at least 100", complete.len());
        let transformed: Vec<Scaled> = complete.iter().map(|seen| transform(&seen.vector)).collect();
        let scaler = Scaler::fit(&transformed);
        let mut kept = shuffled(complete.len(), &mut Xoshiro256Plus::seed_from_u64(options.seed));
        kept.truncate(options.sample);
        // In the order of time, as all of them would be.
        kept.sort_unstable();
        let scale = |vector: &Scaled| clip(&scaler.scale(vector));
        let judged = |seen: &Observation| scale(&transform(&seen.vector));
        Ok(Self {
            learned: kept.iter().map(|&place| scale(&transformed[place])).collect(),
            judged: recording.judged().map(|(_, seen)| judged(seen)).collect(),
        })
    }
}

/// Holds a scaled vector within what counts.
pub fn clip(vector: &Scaled) -> Scaled {
    vector.map(|value| value.clamp(-CLIP, CLIP))
}

/// Features that are added up before it is looked whether the sum is enough.
const STRIDE: usize = 11;
const _: () = assert!(COUNT.is_multiple_of(STRIDE));

/// The square of the distance of two vectors; at least `enough` once it is known to be that.
pub fn square(a: &Scaled, b: &Scaled, enough: f32) -> f32 {
    let mut sum = 0.0;
    for (a, b) in a.as_chunks::<STRIDE>().0.iter().zip(b.as_chunks::<STRIDE>().0) {
        sum += core::array::from_fn::<f32, STRIDE, _>(|at| (a[at] - b[at]) * (a[at] - b[at])).iter().sum::<f32>();
        if sum >= enough {
            break;
        }
    }
    sum
}

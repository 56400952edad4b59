//! Random numbers that are the same on every machine: only integer steps and the exactly rounded operations of IEEE 754.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

/// A stream of random numbers of one actor. Streams of different names do not disturb each other, so that a change in one
/// actor's script leaves the others' traffic as it was.
#[derive(Clone)]
pub struct Rng(Xoshiro256PlusPlus);

impl Rng {
    /// The stream of `name` in the data set of `seed`.
    pub fn of(seed: u64, name: &str) -> Self {
        let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(name).finalize();
        Self(Xoshiro256PlusPlus::from_seed(digest.into()))
    }

    /// A stream that goes on from here on its own.
    pub fn fork(&mut self) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(self.0.next_u64()))
    }

    /// Uniform in (0, 1), both ends excluded.
    pub fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform among the whole numbers from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.unit() * (high - low + 1) as f64) as i64
    }

    /// Like [`Rng::between`], for sizes.
    pub fn size(&mut self, low: usize, high: usize) -> usize {
        self.between(low as i64, high as i64) as usize
    }

    /// Uniform within `share` of `value`: 0.1 is ± 10 %.
    pub fn around(&mut self, value: i64, share: f64) -> i64 {
        value + (value as f64 * share * (2.0 * self.unit() - 1.0)) as i64
    }

    /// Exponential with this mean: the time between events that know nothing of each other.
    pub fn exponential(&mut self, mean: i64) -> i64 {
        (-ln(self.unit()) * mean as f64) as i64
    }

    /// Log-logistic with shape 2 around `median`: mostly near it, now and then far above; held between a twentieth and
    /// twenty times the median.
    pub fn heavy(&mut self, median: usize) -> usize {
        let u = self.unit();
        let factor = (u / (1.0 - u)).sqrt().clamp(0.05, 20.0);
        (median as f64 * factor) as usize
    }

    /// One of `choices`, each as likely as the others. `choices` must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.size(0, choices.len() - 1)]
    }

    /// `n` random bytes.
    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// `n` bytes that look random, of which only the first four are: what is encrypted on the wire, and need not make the
    /// capture larger.
    pub fn cipher_bytes(&mut self, n: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..n).map(|i| (i as u32).wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
        let first = self.bytes(n.min(4));
        bytes.splice(..first.len(), first);
        bytes
    }

    /// 16 random bits.
    pub fn word(&mut self) -> u16 {
        self.0.next_u32() as u16
    }

    /// 32 random bits.
    pub fn long(&mut self) -> u32 {
        self.0.next_u32()
    }
}

/// Natural logarithm of a positive normal number, by the series of the inverse hyperbolic tangent. The standard library's
/// may differ in the last bit from one platform to the next, and with it every byte that follows.
fn ln(x: f64) -> f64 {
    const FRACTION: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    let mantissa = f64::from_bits(bits & FRACTION | 1.0f64.to_bits());
    let z = (mantissa - 1.0) / (mantissa + 1.0);
    let (mut power, mut sum) = (z, 0.0);
    for k in 0..20 {
        sum += power / f64::from(2 * k + 1);
        power *= z * z;
    }
    2.0 * sum + exponent as f64 * core::f64::consts::LN_2
}

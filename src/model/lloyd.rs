//! k-means: Lloyd's steps (1982) from a k-means++ start, as linfa takes them, to the last bit: a test compares both.
//!
//! The centres lie side by side, so that distances to eight are found at once, and the start asks only how far the newest centre is.

use core::ops::{AddAssign, Mul, Sub};

use ndarray::ArrayView1;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::{RngCore as _, SeedableRng as _};

/// Centres whose distances are found at once.
const LANES: usize = 8;

/// How often, how long and how exactly the centres are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    /// Starts, of which the best counts.
    pub runs: usize,
    /// Steps of one start at the most.
    pub steps: u64,
    /// It is over when all centres together move less than this.
    pub tolerance: f64,
}

/// Centres as distances need them: of every column the values of eight centres side by side. Lanes without a centre are nowhere near.
#[derive(Clone, Debug)]
pub(super) struct Centres<T> {
    columns: Vec<[T; LANES]>,
    width: usize,
}

impl<T: Copy + Default + PartialOrd + AddAssign + Sub<Output = T> + Mul<Output = T>> Centres<T> {
    /// Of rows that are so wide; `nowhere` is infinitely far.
    pub(super) fn of<'r>(rows: impl ExactSizeIterator<Item = &'r [T]>, width: usize, nowhere: T) -> Self
    where
        T: 'r,
    {
        let mut columns = vec![[nowhere; LANES]; rows.len().div_ceil(LANES) * width];
        for (place, row) in rows.enumerate() {
            let block = &mut columns[place / LANES * width..][..width];
            block.iter_mut().zip(row).for_each(|(column, &value)| column[place % LANES] = value);
        }
        Self { columns, width }
    }

    /// The nearest centre, and the square of its distance: the first of those that are as near, and of those that are as far as `nowhere`.
    pub(super) fn nearest(&self, row: &[T], nowhere: T) -> (usize, T) {
        let (mut nearest, mut least) = (0, nowhere);
        for (block, columns) in self.columns.chunks_exact(self.width.max(1)).enumerate() {
            for (lane, square) in squares(row, columns).into_iter().enumerate() {
                if square < least {
                    (nearest, least) = (block * LANES + lane, square);
                }
            }
        }
        (nearest, least)
    }
}

/// The squares of the distances of a row from eight centres. By itself, so that the compiler sees nothing but lanes.
#[inline(never)]
fn squares<T: Copy + Default + AddAssign + Sub<Output = T> + Mul<Output = T>>(row: &[T], columns: &[[T; LANES]]) -> [T; LANES] {
    let mut sums = [T::default(); LANES];
    for (&value, centres) in row.iter().zip(columns) {
        for lane in 0..LANES {
            let apart = centres[lane] - value;
            sums[lane] += apart * apart;
        }
    }
    sums
}

fn square(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + (a - b) * (a - b))
}

/// So many centres of the rows in `flat`, each so wide, one after the other. None where no start leads anywhere, as with numbers that are none.
pub(super) fn centres(flat: &[f64], width: usize, k: usize, seed: u64, course: Course) -> Option<Vec<f64>> {
    let mut random = Xoshiro256Plus::seed_from_u64(seed);
    let rows = || flat.chunks_exact(width);
    let mut found = vec![(0, 0.0); rows().len()];
    let (mut best, mut least) = (None, f64::INFINITY);
    for _ in 0..course.runs {
        let mut centres = start(flat, width, k, &mut random);
        let mut steps = 0;
        loop {
            let lanes = Centres::of(centres.chunks_exact(width), width, f64::INFINITY);
            found.iter_mut().zip(rows()).for_each(|(found, row)| *found = lanes.nearest(row, f64::INFINITY));
            let moved = means(rows().zip(found.iter().map(|&(nearest, _)| nearest)), &centres, width);
            let apart = square(&centres, &moved).sqrt();
            centres = moved;
            steps += 1;
            if apart < course.tolerance || steps == course.steps {
                break;
            }
        }
        // Added up as linfa does: so it decides between starts that are as good.
        let squares: Vec<f64> = found.iter().map(|&(_, square)| square).collect();
        let inertia = ArrayView1::from(&squares).sum();
        if inertia < least {
            (best, least) = (Some(centres), inertia);
        }
    }
    best
}

/// The means of rows by their centres, each of which counts as one more row.
fn means<'r>(rows: impl Iterator<Item = (&'r [f64], usize)>, centres: &[f64], width: usize) -> Vec<f64> {
    let (mut sums, mut counts) = (vec![0.0; centres.len()], vec![1_usize; centres.len() / width]);
    for (row, nearest) in rows {
        sums[nearest * width..][..width].iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        counts[nearest] += 1;
    }
    sums.iter_mut().zip(centres).for_each(|(sum, centre)| *sum += centre);
    for (sums, &count) in sums.chunks_exact_mut(width).zip(&counts) {
        sums.iter_mut().for_each(|sum| *sum /= count as f64);
    }
    sums
}

/// The start of k-means++ (Arthur and Vassilvitskii 2007): rows that are drawn one after the other, each the more probably the farther it is from those
/// before.
fn start(flat: &[f64], width: usize, k: usize, random: &mut Xoshiro256Plus) -> Vec<f64> {
    let row = |place: usize| &flat[place * width..][..width];
    let mut apart = vec![1.0; flat.len() / width];
    let mut centres = Vec::with_capacity(k * width);
    centres.extend_from_slice(row(draw(&apart, random).unwrap_or(0)));
    apart.fill(f64::INFINITY);
    for _ in 1..k {
        let newest = &centres[centres.len() - width..];
        for (apart, row) in apart.iter_mut().zip(flat.chunks_exact(width)) {
            let square = square(newest, row);
            *apart = if square < *apart { square } else { *apart };
        }
        // Where every row is a centre already, any may be another.
        centres.extend_from_slice(row(draw(&apart, random).unwrap_or(0)));
    }
    centres
}

/// The place of one of these weights, each drawn as probably as it is large: with the numbers and the roundings of `WeightedIndex` of rand 0.8. None where all are 0.
fn draw(weights: &[f64], random: &mut Xoshiro256Plus) -> Option<usize> {
    let mut total = 0.0;
    let sums: Vec<f64> = weights
        .iter()
        .map(|weight| {
            total += weight;
            total
        })
        .collect();
    if !(total > 0.0 && total.is_finite()) {
        return None;
    }
    // A fraction of 52 bits below 1, and a scale with which even the largest stays below the total.
    let fraction = |bits: u64| f64::from_bits(1.0_f64.to_bits() | bits >> 12) - 1.0;
    let mut scale = total;
    while scale * fraction(u64::MAX) >= total {
        scale = f64::from_bits(scale.to_bits() - 1);
    }
    let chosen = fraction(random.next_u64()) * scale;
    Some(sums[..sums.len() - 1].partition_point(|&sum| sum <= chosen))
}

#[cfg(test)]
mod tests {
    use linfa::DatasetBase;
    use linfa::traits::Fit as _;
    use linfa_clustering::{KMeans, KMeansInit};
    use ndarray::Array2;

    use super::*;

    /// Numbers of which few are alike, or most.
    fn rows(count: usize, width: usize, seed: u64, coarse: bool) -> Vec<f64> {
        let mut random = Xoshiro256Plus::seed_from_u64(seed);
        let mut next = || (random.next_u64() >> 40) as f64 / (1 << 20) as f64 - 8.0;
        let group: Vec<f64> = (0..5 * width).map(|_| next()).collect();
        let value = |n: usize| group[(n / width * 7 % 5) * width + n % width] + next() / 16.0;
        (0..count * width).map(value).map(|value| if coarse { (value / 4.0).round() } else { value }).collect()
    }

    #[test]
    fn the_centres_are_those_of_linfa_to_the_bit() {
        for (count, width, k, runs, coarse) in [
            (300, 44, 9, 1, false),
            (300, 44, 9, 4, false),
            (120, 7, 16, 4, true),
            (40, 1, 3, 4, true),
            (9, 3, 9, 4, false),
            (5, 2, 4, 2, true),
        ] {
            for seed in 0..4 {
                let flat = rows(count, width, seed, coarse);
                let course = Course { runs, steps: 40, tolerance: 1e-3 };
                let sample = Array2::from_shape_vec((count, width), flat.clone()).unwrap();
                let model = KMeans::params_with_rng(k, Xoshiro256Plus::seed_from_u64(seed))
                    .init_method(KMeansInit::KMeansPlusPlus)
                    .n_runs(runs)
                    .max_n_iterations(course.steps)
                    .tolerance(course.tolerance)
                    .fit(&DatasetBase::from(sample))
                    .unwrap();
                let wanted: Vec<f64> = model.centroids().iter().copied().collect();
                let found = centres(&flat, width, k, seed, course).unwrap();
                let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&found), bits(&wanted), "{count} {width} {k} {runs} {coarse} {seed}");
            }
        }
    }

    #[test]
    fn the_first_of_those_that_are_as_near_is_the_nearest() {
        let rows: Vec<[f32; 2]> = (0..19).map(|n| [(n % 10) as f32, 0.0]).collect();
        let centres = Centres::of(rows.iter().map(<[f32; 2]>::as_slice), 2, f32::INFINITY);
        assert_eq!(centres.nearest(&[3.2, 1.0], f32::INFINITY).0, 3);
        assert_eq!(centres.nearest(&[8.5, 0.0], f32::INFINITY), (8, 0.25));
        assert_eq!(Centres::<f32>::of(std::iter::empty(), 2, f32::INFINITY).nearest(&[1.0, 1.0], f32::INFINITY).0, 0);
    }
}

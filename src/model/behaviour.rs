//! The vocabulary of behaviours: clusters of flows that look alike, each with a centre, a spread per feature and a radius.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use super::kmeans::{self, ClusterError};
use super::scaler::{Scaled, Scaler, centre_and_spread, transform, untransform};
use crate::feature::{COUNT, Observation, SCHEMA, Scale};

/// Behaviours at the most.
const MAX_BEHAVIOURS: usize = 32;
/// Fewer flows than this teach nothing.
pub const MIN_FLOWS: usize = 8;
/// Deviations count up to this many spreads, so that one feature does not decide alone.
const MAX_DEVIATION: f32 = 12.0;
/// A behaviour's spread is drawn towards the network's with the weight of this many flows.
const SPREAD_PRIOR: f32 = 4.0;
/// The share of a behaviour's flows that lie within its radius.
const WITHIN_RADIUS: f64 = 0.95;
/// The least radius, in spreads.
const MIN_RADIUS: f32 = 0.5;
/// The share of training flows left out of every spread: half of it on either side.
pub const TRIMMED_SHARE: f64 = 0.02;

/// A kind of flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Behaviour {
    /// What it is, in words.
    pub name: String,
    /// Training flows that showed it.
    pub flows: u32,
    /// Median of every feature, on the feature's own scale.
    pub centre: Vec<f32>,
    /// Spread of every feature, on the feature's own scale.
    pub spread: Vec<f32>,
    /// The distance within which 95 % of its flows lie.
    pub radius: f32,
}

/// How a flow fits the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// Index of the nearest behaviour.
    pub behaviour: u16,
    /// Distance over the behaviour's radius: 1 is the edge.
    pub ratio: f32,
}

/// All behaviours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vocabulary {
    /// The common scale on which flows were clustered.
    pub scaler: Scaler,
    /// The behaviours, most frequent first.
    pub behaviours: Vec<Behaviour>,
    /// Ratios of training flows: how far out a flow usually is.
    pub ratios: Histogram,
    /// The behaviours again, laid out for distances.
    #[serde(skip)]
    tables: Vec<Table>,
}

/// Behaviours whose distances are found at once.
const LANES: usize = 8;
/// Tables for all of them.
const TABLES: usize = MAX_BEHAVIOURS / LANES;

/// Some behaviours as the distance needs them: of every feature the values of all of them, side by side. A lane without a behaviour is
/// nowhere near: infinitely far, in radii that are next to nothing.
#[derive(Clone, Debug, PartialEq)]
struct Table {
    centre: [[f32; LANES]; COUNT],
    /// One over the spread.
    scale: [[f32; LANES]; COUNT],
    /// The square of the radius, times the number of features.
    radius_square: [f32; LANES],
}

impl Table {
    fn of(behaviours: &[Behaviour]) -> Self {
        let (centre, scale) = ([[f32::INFINITY; LANES]; COUNT], [[1.0; LANES]; COUNT]);
        let mut table = Self { centre, scale, radius_square: [f32::MIN_POSITIVE; LANES] };
        for (lane, behaviour) in behaviours.iter().take(LANES).enumerate() {
            table.centre.iter_mut().zip(&behaviour.centre).for_each(|(to, &from)| to[lane] = from);
            table.scale.iter_mut().zip(&behaviour.spread).for_each(|(to, &from)| to[lane] = 1.0 / from);
            table.radius_square[lane] = behaviour.radius * behaviour.radius * COUNT as f32;
        }
        table
    }

    /// For each behaviour the sum of the squares of the deviations.
    fn squares(&self, transformed: &Scaled) -> [f32; LANES] {
        let mut partial = Partial::default();
        while partial.is_open() {
            partial.go_on(self, transformed);
        }
        partial.sums
    }
}

/// How far the distances to the behaviours of a table are found.
#[derive(Clone, Copy, Debug, Default)]
struct Partial {
    /// Of the features so far.
    sums: [f32; LANES],
    /// Strides so far.
    strides: usize,
}

impl Partial {
    /// Are there more features?
    const fn is_open(&self) -> bool {
        self.strides < COUNT / STRIDE
    }

    /// Adds the next features. Returns the least of the ratios so far, than which none will be less: sums only grow.
    fn go_on(&mut self, table: &Table, transformed: &Scaled) -> f32 {
        let [centres, scales] = [&table.centre, &table.scale].map(|rows| rows.as_chunks::<STRIDE>().0);
        let next = self.strides;
        let parts = parts(&transformed.as_chunks::<STRIDE>().0[next], &centres[next], &scales[next]);
        self.sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
        self.strides += 1;
        let ratios = self.ratios(table);
        // Half of the lanes with the other half, as the processor compares them.
        let lesser = |a: f32, b: f32| if b < a { b } else { a };
        let [mut halves, mut quarters] = [[0.0; LANES / 2]; 2];
        for lane in 0..LANES / 2 {
            halves[lane] = lesser(ratios[lane], ratios[lane + LANES / 2]);
        }
        for lane in 0..LANES / 4 {
            quarters[lane] = lesser(halves[lane], halves[lane + LANES / 4]);
        }
        lesser(quarters[0], quarters[1])
    }

    /// The sums over the squares of the radii.
    fn ratios(&self, table: &Table) -> [f32; LANES] {
        let mut ratios = self.sums;
        ratios.iter_mut().zip(&table.radius_square).for_each(|(ratio, radius)| *ratio /= radius);
        ratios
    }
}

/// The sums of the squares of the deviations of some features. By itself, so that the compiler sees nothing but lanes.
#[inline(never)]
fn parts(values: &[f32; STRIDE], centres: &[[f32; LANES]; STRIDE], scales: &[[f32; LANES]; STRIDE]) -> [f32; LANES] {
    const MOST: f32 = MAX_DEVIATION * MAX_DEVIATION;
    let mut parts = [0.0; LANES];
    for ((value, centres), scales) in values.iter().zip(centres).zip(scales) {
        for lane in 0..LANES {
            let deviation = (value - centres[lane]) * scales[lane];
            let square = deviation * deviation;
            // Not `min`, which looks for values that are no numbers.
            parts[lane] += if square < MOST { square } else { MOST };
        }
    }
    parts
}

/// Features that are added up before they are added to the sum: the order of the additions is part of the result.
const STRIDE: usize = 11;
const _: () = assert!(COUNT.is_multiple_of(STRIDE) && COUNT > STRIDE);

impl Vocabulary {
    /// No behaviours, for a network of which nothing is known.
    #[must_use]
    pub fn none() -> Self {
        let scaler = Scaler { centre: vec![0.0; COUNT], spread: vec![1.0; COUNT] };
        Self { scaler, behaviours: Vec::new(), ratios: Histogram::default(), tables: Vec::new() }
    }

    /// Learns behaviours from flows, of many from a [`FlowSample`](super::FlowSample) of them.
    ///
    /// # Errors
    /// When there are fewer than eight flows, or the clustering fails.
    pub fn fit(flows: &[&Observation], seed: u64) -> Result<Self, ClusterError> {
        Self::of_assignments(flows, |scaled| {
            let centres = kmeans::fit(scaled, kmeans::cluster_count(scaled.len(), MAX_BEHAVIOURS), seed)?;
            Ok(scaled.iter().map(|vector| Some(kmeans::nearest(centres.iter(), vector))).collect())
        })
    }

    /// Describes behaviours that were found in another way: `cluster` says of every scaled flow to which cluster it belongs; one
    /// of none is part of no behaviour. Of more than 32 clusters the largest count.
    ///
    /// # Errors
    /// When there are fewer than eight flows, the clustering fails, or no flow belongs to a cluster.
    pub fn of_assignments(
        flows: &[&Observation],
        cluster: impl FnOnce(&[Scaled]) -> Result<Vec<Option<usize>>, ClusterError>,
    ) -> Result<Self, ClusterError> {
        if flows.len() < MIN_FLOWS {
            return Err(ClusterError::TooFew { got: flows.len(), wanted: MIN_FLOWS });
        }
        let transformed: Vec<Scaled> = flows.iter().map(|flow| transform(&flow.vector)).collect();
        let scaler = Scaler::fit(&transformed);
        let scaled: Vec<Scaled> = transformed.iter().map(|vector| scaler.scale(vector)).collect();
        let mut members = BTreeMap::<usize, Vec<usize>>::new();
        for (index, cluster) in cluster(&scaled)?.into_iter().enumerate().take(flows.len()) {
            if let Some(cluster) = cluster {
                members.entry(cluster).or_default().push(index);
            }
        }
        let mut members: Vec<Vec<usize>> = members.into_values().collect();
        if members.is_empty() {
            return Err(ClusterError::TooFew { got: 0, wanted: MIN_FLOWS });
        }
        // Most frequent first; ties by the first member, so that the order does not depend on the clustering's.
        members.sort_by_key(|cluster| (std::cmp::Reverse(cluster.len()), cluster.first().copied()));
        members.truncate(MAX_BEHAVIOURS);
        let behaviours = members.iter().map(|cluster| describe(cluster, flows, &transformed, &scaler)).collect();
        let mut vocabulary = Self { scaler, behaviours, ratios: Histogram::default(), tables: Vec::new() };
        vocabulary.prepare();
        for vector in &transformed {
            let ratio = vocabulary.nearest(vector).ratio;
            vocabulary.ratios.add(f64::from(ratio));
        }
        Ok(vocabulary)
    }

    /// The behaviour that a flow resembles most; the first, at no distance, for one that is still open: it has no shape yet.
    #[must_use]
    pub fn matches(&self, flow: &Observation) -> Match {
        if !flow.is_complete() {
            return Match { behaviour: 0, ratio: 0.0 };
        }
        self.nearest(&transform(&flow.vector))
    }

    /// Lays the behaviours out for distances: after loading.
    pub(super) fn prepare(&mut self) {
        self.tables = self.behaviours.chunks(LANES).map(Table::of).collect();
    }

    /// The first features of all, then always the next ones of those that may be the nearest yet: most are left before their last.
    fn nearest(&self, transformed: &Scaled) -> Match {
        let (mut nearest, mut least) = (0, f32::INFINITY);
        for (round, tables) in self.tables.chunks(TABLES).enumerate() {
            // Of each table how near one of its behaviours may be; nowhere near once that is known of all of them.
            let (mut partial, mut bounds) = ([Partial::default(); TABLES], [f32::INFINITY; TABLES]);
            for ((partial, bound), table) in partial.iter_mut().zip(&mut bounds).zip(tables) {
                *bound = partial.go_on(table, transformed);
            }
            loop {
                let (mut place, mut bound) = (0, bounds[0]);
                for (other, &of_other) in bounds.iter().enumerate().skip(1) {
                    (place, bound) = if of_other < bound { (other, of_other) } else { (place, bound) };
                }
                // As near is near enough to go on: of those that tie the first counts.
                if bound > least || bound == f32::INFINITY {
                    break;
                }
                let (partial, table) = (&mut partial[place], &tables[place]);
                let bound = partial.go_on(table, transformed);
                bounds[place] = if partial.is_open() { bound } else { f32::INFINITY };
                if partial.is_open() || bound > least {
                    continue;
                }
                for (lane, ratio) in partial.ratios(table).into_iter().enumerate() {
                    let behaviour = ((round * TABLES + place) * LANES + lane) as u16;
                    if ratio < least || ratio == least && behaviour < nearest {
                        (nearest, least) = (behaviour, ratio);
                    }
                }
            }
        }
        Match { behaviour: nearest, ratio: least.sqrt() }
    }

    /// The probability that a flow of the network is at least this far from its behaviour.
    #[must_use]
    pub fn tail(&self, ratio: f32) -> f64 {
        self.ratios.tail(f64::from(ratio), 0.0)
    }

    /// The feature in which a flow deviates most from its behaviour: its index and the usual range (low, high) in the
    /// feature's own unit.
    #[must_use]
    pub fn most_unusual(&self, flow: &Observation, found: Match) -> Option<(usize, f64, f64)> {
        let behaviour = self.behaviours.get(usize::from(found.behaviour))?;
        let transformed = transform(&flow.vector);
        let [centres, spreads] = [&behaviour.centre, &behaviour.spread].map(|all| <&Scaled>::try_from(all.as_slice()));
        let (centres, spreads) = (centres.ok()?, spreads.ok()?);
        // The bits of numbers that are not negative are in their order.
        let deviations: [u32; COUNT] =
            std::array::from_fn(|index| ((transformed[index] - centres[index]) / spreads[index]).abs().to_bits());
        let (index, _) = deviations.iter().enumerate().max_by_key(|&(_, deviation)| deviation)?;
        let (centre, spread) = (behaviour.centre[index], behaviour.spread[index]);
        let (least, most) = match (SCHEMA[index].unit, SCHEMA[index].scale) {
            ("share" | "0 or 1", _) => (0.0, 1.0),
            (_, Scale::SignedLog) => (f64::NEG_INFINITY, f64::INFINITY),
            _ => (0.0, f64::INFINITY),
        };
        let edge = |spreads: f32| untransform(index, centre + spreads * spread).clamp(least, most);
        Some((index, edge(-2.0), edge(2.0)))
    }
}

fn describe(cluster: &[usize], flows: &[&Observation], transformed: &[Scaled], scaler: &Scaler) -> Behaviour {
    let n = cluster.len() as f32;
    let (mut centre, mut spread) = (Vec::with_capacity(COUNT), Vec::with_capacity(COUNT));
    for (index, feature) in SCHEMA.iter().enumerate() {
        let mut column: Vec<f32> = cluster.iter().map(|&flow| transformed[flow][index]).collect();
        let (middle, own) = centre_and_spread(&mut column);
        // The network's spread is that of many behaviours: half of it is a wide prior for one.
        let prior = 0.5 * scaler.spread[index];
        let drawn = ((n * own * own + SPREAD_PRIOR * prior * prior) / (n + SPREAD_PRIOR)).sqrt();
        centre.push(middle);
        spread.push(if own == 0.0 && n > 2.0 * SPREAD_PRIOR { feature.floor as f32 } else { drawn.max(feature.floor as f32) });
    }
    let mut behaviour = Behaviour { name: name(cluster, flows), flows: cluster.len() as u32, centre, spread, radius: 1.0 };
    let table = Table::of(std::slice::from_ref(&behaviour));
    let distance = |&flow: &usize| (table.squares(&transformed[flow])[0] / COUNT as f32).sqrt();
    let mut distances: Vec<f32> = cluster.iter().map(distance).collect();
    distances.sort_unstable_by(f32::total_cmp);
    let at = ((distances.len() - 1) as f64 * WITHIN_RADIUS).ceil() as usize;
    behaviour.radius = distances[at].max(MIN_RADIUS);
    behaviour
}

/// A name from what most of the flows are: application, outcome and size.
fn name(cluster: &[usize], flows: &[&Observation]) -> String {
    let mut kinds = BTreeMap::<String, usize>::new();
    for &flow in cluster {
        *kinds.entry(kind(flows[flow])).or_default() += 1;
    }
    let most = kinds.into_iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0))).map(|(kind, _)| kind).unwrap_or_default();
    let failed = cluster.iter().filter(|&&flow| flows[flow].failed).count() * 2 > cluster.len();
    let mut bytes: Vec<f32> = cluster.iter().map(|&flow| flows[flow].vector[3] + flows[flow].vector[4]).collect();
    bytes.sort_unstable_by(f32::total_cmp);
    let size = crate::feature::size_in_words(f64::from(bytes[bytes.len() / 2]));
    if failed { format!("failed {most}") } else { format!("{most}, about {size}") }
}

fn kind(flow: &Observation) -> String {
    match flow.app.name() {
        "unknown" | "failed" => flow.service.to_string(),
        app => app.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_the_first_of_those_at_the_least_distance() {
        let mut state = 11_u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % below) as f32
        };
        for behaviours in [0, 1, 7, 8, 30, 32, 45] {
            // Few values, so that some are as near as others.
            let behaviour = |_| Behaviour {
                name: String::new(),
                flows: 1,
                centre: (0..COUNT).map(|_| next(2)).collect(),
                spread: (0..COUNT).map(|_| 1.0 + next(2)).collect(),
                radius: 1.0 + next(2),
            };
            let mut vocabulary = Vocabulary { behaviours: (0..behaviours).map(behaviour).collect(), ..Vocabulary::none() };
            vocabulary.prepare();
            for _ in 0..50 {
                let flow: Scaled = std::array::from_fn(|_| next(3) * 6.0);
                let distance = |behaviour: &Behaviour| {
                    let table = Table::of(std::slice::from_ref(behaviour));
                    table.squares(&flow)[0] / table.radius_square[0]
                };
                let distances: Vec<f32> = vocabulary.behaviours.iter().map(distance).collect();
                let least = distances.iter().copied().fold(f32::INFINITY, f32::min);
                let first = distances.iter().position(|&distance| distance == least).unwrap_or(0);
                assert_eq!(vocabulary.nearest(&flow), Match { behaviour: first as u16, ratio: least.sqrt() });
            }
        }
    }
}

//! From observations to behaviours, baselines and a calibration.
//!
//! The time is cut into parts. Each part is judged by baselines of the others, so every score of the calibration is of time
//! that its baselines did not see (cross-conformal, Vovk 2015), in blocks, because neighbours in time are alike. The same
//! baselines judge a capture that has no model: what happened in one part only is new to the others.

use std::borrow::{Borrow, BorrowMut};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::detect::{Assessment, Detector, DetectorConfig, HostRank, Knowledge, Part, Without};
use crate::feature::{Host, Observation};
use crate::model::{
    Baselines, BaselinesBuilder, Budget, Calibration, ClusterError, EXTRAORDINARY, Identities, MOST_STOOD_OUT, Match, Model,
    Provenance, StoodOut, Vocabulary,
};
use crate::time::{Span, Timestamp};

/// Parts of the time.
const PARTS: usize = 4;
/// Length of the windows whose scores calibrate.
const WINDOW: Span = crate::detect::WINDOW;

/// What has fewer bits did not stand out.
const MIN_NOTABLE_BITS: f64 = 4.0;

/// The share of device windows with the highest scores that has no part in the calibration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trim {
    /// Of a capture that was meant as normal: 0.5 %.
    Training,
    /// Of a capture that is to be judged by itself: 5 %.
    SelfTaught,
}

impl Trim {
    const fn share(self) -> f64 {
        match self {
            Self::Training => 0.005,
            Self::SelfTaught => 0.05,
        }
    }
}

/// What was learned.
pub struct Taught {
    /// Behaviours.
    pub vocabulary: Arc<Vocabulary>,
    /// For each part of the time: its end, and baselines of the other parts.
    parts: Vec<(Timestamp, Arc<Baselines>)>,
    /// Baselines of all the time.
    pub baselines: Arc<Baselines>,
    /// Scores of time that was held out.
    pub calibration: Calibration,
    /// What each observation resembles, in their order.
    pub matches: Vec<Match>,
    /// What baselines of other time say of each observation, in their order.
    pub assessments: Vec<Assessment>,
    /// Who said so, as it was after the last of them.
    pub assessor: Detector,
    config: DetectorConfig,
    stood_out: Vec<StoodOut>,
}

/// Learns from observations in the order in which they were seen, and puts devices in the place of their addresses. The same
/// input and seed give the same result.
///
/// # Errors
/// When there is too little to learn from.
pub fn teach<O: BorrowMut<Observation>>(observations: &mut [O], seed: u64, trim: Trim) -> Result<Taught, ClusterError> {
    teach_by(observations, seed, trim, Without::default(), |flows| Vocabulary::fit(flows, seed))
}

/// The same with behaviours that `fit` learns from complete flows, and without some parts, for measurements. A detector that goes
/// on by what was learned is to leave out the same.
///
/// # Errors
/// When there is too little to learn from, and as `fit`.
pub fn teach_by<O: BorrowMut<Observation>>(
    observations: &mut [O],
    seed: u64,
    trim: Trim,
    left_out: Without,
    fit: impl FnOnce(&[&Observation]) -> Result<Vocabulary, ClusterError>,
) -> Result<Taught, ClusterError> {
    let identities = Identities::learn(observations.iter().map(Borrow::borrow));
    observations.iter_mut().for_each(|seen| identities.apply(seen.borrow_mut(), |_| true));
    let observations: Vec<&Observation> = observations.iter().map(Borrow::borrow).collect();
    let observations = observations.as_slice();
    let complete: Vec<&Observation> = observations.iter().copied().filter(|seen| seen.is_complete()).collect();
    let vocabulary = Arc::new(fit(&complete)?);
    let matches: Vec<Match> = observations.iter().map(|seen| vocabulary.matches(seen)).collect();
    let ends = part_ends(observations);
    let mut builders: Vec<BaselinesBuilder> = ends.iter().map(|_| BaselinesBuilder::default()).collect();
    for (seen, found) in observations.iter().zip(&matches) {
        builders[part_of(&ends, seen.seen)].add(seen, found.behaviour);
    }
    let learned: Vec<Baselines> = builders.into_iter().map(BaselinesBuilder::finish).collect();
    let newcomers_per_minute = newcomers_per_minute(&learned);
    let merged = |without: Option<usize>| {
        let mut sum = Baselines::default();
        sum.newcomers_per_minute = newcomers_per_minute;
        sum.identities = identities.clone();
        learned.iter().enumerate().filter(|&(part, _)| without != Some(part)).for_each(|(_, part)| sum.merge(part));
        if left_out.has(Part::Roles) {
            sum.pool_as_one()
        } else {
            sum.pool(seed)
        }
        Arc::new(sum)
    };
    let baselines = merged(None);
    let mut parts: Vec<_> = ends.iter().enumerate().map(|(part, &end)| (end, merged(Some(part)))).collect();
    // What comes after all that was learned from is judged by all of it.
    parts.push((Timestamp::MAX, Arc::clone(&baselines)));
    let silent = Knowledge::by_parts(Arc::clone(&vocabulary), Vec::clone(&parts), Calibration::default(), f64::INFINITY);
    let config = DetectorConfig { without: left_out, ..DetectorConfig::default() };
    let mut assessor = Detector::new(Arc::new(silent), config);
    let assessments = observations.iter().zip(&matches).map(|(seen, &found)| assessor.assess(seen, found)).collect();
    let calibration = Calibration::default();
    let mut taught =
        Taught { vocabulary, parts, baselines, calibration, matches, assessments, assessor, config, stood_out: Vec::new() };
    (taught.calibration.conversations, taught.calibration.ordinary_bits) = taught.ordinary_bits(observations);
    taught.calibrate(observations, trim);
    Ok(taught)
}

/// The ends of equal parts of the time; the last is just behind the last observation.
fn part_ends(observations: &[&Observation]) -> Vec<Timestamp> {
    let first = observations.first().map_or(Timestamp::MIN, |seen| seen.seen);
    let last = observations.last().map_or(Timestamp::MAX, |seen| seen.seen);
    let step = last.since(first).nanos() / PARTS as i64;
    let behind = last + Span::from_nanos(1);
    (1..=PARTS as i64).map(|n| if n == PARTS as i64 { behind } else { first + Span::from_nanos(step * n) }).collect()
}

/// How often a device at home appeared that the parts before had not seen; of the first part nothing can be told.
fn newcomers_per_minute(parts: &[Baselines]) -> f64 {
    let mut known = BTreeSet::new();
    let (mut newcomers, mut minutes) = (0_u32, 0.0);
    for (place, part) in parts.iter().enumerate() {
        let home = part.hosts.iter().filter(|(address, host)| host.local && address.is_device());
        let new: Vec<Host> = home.map(|(&address, _)| address).filter(|address| known.insert(*address)).collect();
        if place > 0 {
            newcomers += new.len() as u32;
            minutes += part.span_minutes;
        }
    }
    (f64::from(newcomers) + 0.5) / f64::max(minutes, 1.0)
}

fn part_of(ends: &[Timestamp], at: Timestamp) -> usize {
    ends.partition_point(|&end| end <= at).min(PARTS - 1)
}

impl Taught {
    /// What judges the capture that was learned from.
    #[must_use]
    pub fn self_knowledge(&self, budget: Budget) -> Knowledge {
        let threshold = self.calibration.threshold(budget);
        Knowledge::by_parts(Arc::clone(&self.vocabulary), self.parts.clone(), self.calibration.clone(), threshold)
    }

    /// Devices at home.
    #[must_use]
    pub fn local_hosts(&self) -> usize {
        self.baselines.hosts.iter().filter(|(host, baseline)| baseline.local && host.is_device()).count()
    }

    /// The model for other captures.
    #[must_use]
    pub fn into_model(self, mut provenance: Provenance, budget: Budget) -> Model {
        // So that what they share is not copied.
        drop((self.parts, self.assessor));
        provenance.stood_out = self.stood_out;
        Model {
            provenance,
            budget,
            calibration: self.calibration,
            vocabulary: Arc::unwrap_or_clone(self.vocabulary),
            baselines: Arc::unwrap_or_clone(self.baselines),
        }
    }

    fn detector(&self) -> Detector {
        Detector::new(Arc::new(self.silent_knowledge()), self.config)
    }

    /// Knowledge that opens no incident.
    fn silent_knowledge(&self) -> Knowledge {
        let mut knowledge = self.self_knowledge(Budget { per_day: 1.0 });
        knowledge.threshold = f64::INFINITY;
        knowledge
    }

    /// What the strongest flow of a conversation in a window of held-out time does not exceed, in bits, but for one in a hundred:
    /// repeats within a window are one event. With it the number of these.
    fn ordinary_bits(&self, observations: &[&Observation]) -> (f64, f64) {
        let mut bits = Vec::new();
        let mut window: BTreeMap<_, f64> = BTreeMap::new();
        let mut end = Timestamp::MIN;
        for (seen, assessment) in observations.iter().zip(&self.assessments) {
            if seen.seen >= end {
                bits.extend(std::mem::take(&mut window).into_values());
                end = seen.seen + WINDOW;
            }
            let own = assessment.own_bits();
            let strongest = window.entry((seen.orig, seen.resp, seen.service)).or_default();
            *strongest = strongest.max(own);
        }
        bits.extend(window.into_values());
        bits.sort_unstable_by(f64::total_cmp);
        let ordinary = bits.len() - (bits.len() as f64 * EXTRAORDINARY).ceil() as usize;
        (bits.len() as f64, bits.get(ordinary.saturating_sub(1)).copied().unwrap_or(0.0))
    }

    /// The highest score of every device in every window of held-out time, where it does not speak of the same conversation again.
    fn calibrate(&mut self, observations: &[&Observation], trim: Trim) {
        let (Some(first), Some(last)) = (observations.first(), observations.last()) else { return };
        let mut detector = self.detector();
        let mut scores = Vec::new();
        let mut now = first.seen;
        let mut window_end = first.seen + WINDOW;
        for (seen, assessment) in observations.iter().zip(&self.assessments) {
            if seen.seen > now {
                detector.tick(now, &mut Vec::new(), &mut Vec::new());
                now = seen.seen;
            }
            if now >= window_end {
                scores.extend(detector.take_ranks().map(|rank| (now, rank)));
                window_end = now + WINDOW;
            }
            detector.file(seen, assessment, None);
        }
        detector.tick(now, &mut Vec::new(), &mut Vec::new());
        scores.extend(detector.take_ranks().map(|rank| (now, rank)));
        let scores = distinct(scores);
        let span = last.seen.since(first.seen).max(Span::from_secs(1));
        let windows = (span.as_seconds() / WINDOW.as_seconds()).max(1.0) * self.local_hosts().max(1) as f64;
        let kept = calibrating(&scores, (windows * trim.share()) as usize);
        let days = span.as_seconds() / 86_400.0;
        let ordinary = (self.calibration.conversations, self.calibration.ordinary_bits);
        self.calibration = Calibration::new(kept, days, windows, ordinary);
        self.stood_out = stood_out(&scores);
    }
}

/// The highest first, and what comes again once: it is told once.
fn distinct(mut ranks: Vec<(Timestamp, HostRank)>) -> Vec<(Timestamp, HostRank)> {
    ranks.sort_by(|(_, a), (_, b)| b.bits.total_cmp(&a.bits));
    let mut told = BTreeSet::new();
    ranks.retain(|(_, rank)| told.insert((rank.host, rank.with)));
    ranks
}

/// What a person should know of.
fn stood_out(ranks: &[(Timestamp, HostRank)]) -> Vec<StoodOut> {
    let notable = ranks.iter().take(MOST_STOOD_OUT).take_while(|(_, rank)| rank.bits >= MIN_NOTABLE_BITS);
    let told = |(at, rank): &(Timestamp, HostRank)| StoodOut {
        at: at.to_string(),
        host: rank.host,
        class: rank.class.info().name.to_owned(),
        peer: rank.with.0,
        service: rank.with.1.to_string(),
        bits: (rank.bits * 1000.0).round() / 1000.0,
    };
    notable.map(told).collect()
}

/// The scores that calibrate, of the [`distinct`] ones, without so many of the highest.
fn calibrating(ranks: &[(Timestamp, HostRank)], trimmed: usize) -> Vec<f64> {
    // Never more than half of the windows that had any score: those that remain show how the tail falls.
    let trimmed = trimmed.min(ranks.len() / 2);
    // What ordinary life does not do is told whenever it comes: an attack in the learning time must not raise the threshold.
    let ordinary_life = ranks.iter().skip(trimmed).filter(|(_, rank)| !rank.class.recurs());
    ordinary_life.map(|(_, rank)| rank.bits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Class;
    use crate::flow::Service;
    use crate::flow::testing::{packet, payload};
    use crate::flow::{FlowKey, FlowLimits, FlowRecord, HomeNets, Shard};
    use crate::wire::Addr;
    use crate::wire::Packet;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    /// What a look-up at this second looks like, of so many bytes.
    fn look_up(second: i64, client: u32, bytes: u32) -> Observation {
        let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::parse(&["0.0.0.0/24"]).unwrap());
        let (mut shard, mut out) = (Shard::default(), Vec::<Box<FlowRecord>>::new());
        let port = 4000 + (second % 1000) as u16;
        let ask: Packet = payload(packet(second * 1000, client, port, 9, 53, 17), bytes);
        let answer = payload(packet(second * 1000 + 3, 9, 53, client, port, 17), 2 * bytes);
        for packet in [&ask, &answer] {
            let (key, from_low) = FlowKey::of(packet);
            shard.packet((key, from_low, key.hash()), packet, &[], (&limits, &home), &mut out);
        }
        shard.finish(&limits, at(second + 60), &mut out);
        Observation::of(&out[0], at(second + 60), &home)
    }

    /// An hour of three clients that ask once a minute each.
    fn hour() -> Vec<Observation> {
        (0..60)
            .flat_map(|minute| (1..=3).map(move |client| look_up(minute * 60 + i64::from(client), client, 30 + client)))
            .collect()
    }

    #[test]
    fn parts_share_the_time_and_the_last_holds_the_last() {
        let hour = hour();
        let ends = part_ends(&hour.iter().collect::<Vec<_>>());
        assert_eq!((ends.len(), ends[PARTS - 1] - Span::from_nanos(1)), (PARTS, hour[hour.len() - 1].seen));
        assert!(ends.is_sorted());
        assert_eq!((part_of(&ends, at(0)), part_of(&ends, ends[0]), part_of(&ends, Timestamp::MAX)), (0, 1, PARTS - 1));
    }

    #[test]
    fn the_same_lesson_teaches_the_same_model() {
        let model = |seed| {
            let taught = teach(&mut hour(), seed, Trim::Training).unwrap();
            taught.into_model(Provenance::default(), Budget { per_day: 1.0 })
        };
        assert_eq!(model(1), model(1));
        let (mut bytes, mut again) = (Vec::new(), Vec::new());
        model(1).save(&mut bytes).unwrap();
        Model::load(bytes.as_slice()).unwrap().save(&mut again).unwrap();
        assert!(bytes == again, "what is loaded is what was saved");
    }

    #[test]
    fn every_observation_is_matched_and_devices_at_home_are_counted() {
        let mut observations = hour();
        let taught = teach(&mut observations, 1, Trim::Training).unwrap();
        assert_eq!(taught.matches.len(), observations.len());
        assert_eq!(taught.local_hosts(), 4, "three clients and their server");
        assert!(taught.calibration.windows >= 4.0 && taught.calibration.days > 0.03);
    }

    #[test]
    fn too_little_is_refused() {
        for count in [0, 1, 7] {
            assert!(teach(&mut hour()[..count], 1, Trim::SelfTaught).is_err(), "{count} flows");
        }
    }

    #[test]
    fn neither_an_attack_nor_the_oddest_window_sets_the_threshold() {
        let rank = |bits: f64, class: Class| {
            let host = Host(Addr::v4([10, 0, 0, bits as u8]));
            (at(0), HostRank { host, bits, class, with: (host, Service { protocol: 6, port: 80 }) })
        };
        // The oddest goes although the scans, which never count, are few beside it.
        let ranks = vec![rank(15.0, Class::Unusual), rank(5.0, Class::Scan), rank(1.0, Class::Unusual)];
        assert_eq!(calibrating(&distinct(ranks.clone()), 1), [1.0]);
        let twice = [ranks, vec![rank(1.0, Class::Unusual)]].concat();
        assert_eq!(calibrating(&distinct(twice), 0), [15.0, 1.0], "what comes again counts once");
        let scans = (10..60).map(|n| rank(f64::from(n), Class::Scan)).chain([rank(2.0, Class::Unusual)]);
        assert_eq!(calibrating(&distinct(scans.collect()), 3), [2.0]);
    }

    #[test]
    fn what_stood_out_is_kept_once_and_highest_first() {
        let rank = |minute: i64, bits: f64, n: u8| {
            let (host, service) = (Host(Addr::v4([10, 0, 0, n])), Service { protocol: 6, port: 80 });
            (at(60 * minute), HostRank { host, bits, class: Class::Unusual, with: (host, service) })
        };
        let kept = stood_out(&distinct(vec![rank(1, 5.0, 1), rank(2, 9.0, 1), rank(3, 3.9, 2), rank(4, 7.0, 3)]));
        let told: Vec<_> = kept.iter().map(|it| (it.bits, &it.at[14..16], it.service.as_str())).collect();
        assert_eq!(told, [(9.0, "02", "tcp/80"), (7.0, "04", "tcp/80")]);
    }

    #[test]
    fn what_is_judged_by_itself_is_trimmed_more() {
        assert!(Trim::SelfTaught.share() > Trim::Training.share());
    }
}

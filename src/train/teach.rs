//! From observations to behaviours, baselines and a calibration.
//!
//! The time is cut into parts. Each part is judged by baselines of the others, so every score of the calibration is of time
//! that its baselines did not see (cross-conformal, Vovk 2015), in blocks, because neighbours in time are alike. The same
//! baselines judge a capture that has no model: what happened in one part only is new to the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::material::{Material, Note, Phase, Tally};
use super::ordinary::Ordinary;
use crate::detect::{Detector, DetectorConfig, HostRank, Knowledge, Part, Without};
use crate::feature::{Host, Observation};
use crate::model::{
    Baselines, BaselinesBuilder, Budget, Calibration, ClusterError, Identities, IdentitiesBuilder, MOST_STOOD_OUT, Match, Model,
    Provenance, StoodOut, Vocabulary,
};
use crate::time::{Span, Timestamp};

/// Parts of the time.
const PARTS: usize = 4;
/// Length of the windows whose scores calibrate.
pub(super) const WINDOW: Span = crate::detect::WINDOW;
/// Scores kept while they are gathered, the highest of them; twice as many at times, some 50 bytes each.
const MOST_SCORES: usize = 500_000;

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
    /// Who judged each part by the others, as it was after the last observation.
    pub assessor: Detector,
    config: DetectorConfig,
    trim: Trim,
    stood_out: Vec<StoodOut>,
}

/// Learns from observations in the order in which they were seen, and puts devices in the place of their addresses. The same
/// input and seed give the same result. What it holds in memory is a sample of 40,000 flows and what it learns of the devices.
///
/// # Errors
/// When there is too little to learn from, or it cannot be read again.
pub fn teach<M: Material>(material: &mut M, seed: u64, trim: Trim) -> Result<Taught, M::Error> {
    teach_by(material, seed, trim, Without::default(), |flows| Vocabulary::fit(flows, seed))
}

/// The same with behaviours that `fit` learns from a sample of complete flows, and without some parts, for measurements. A
/// detector that goes on by what was learned is to leave out the same.
///
/// # Errors
/// When there is too little to learn from, or it cannot be read again, and as `fit`.
pub fn teach_by<M: Material>(
    material: &mut M,
    seed: u64,
    trim: Trim,
    left_out: Without,
    fit: impl FnOnce(&[&Observation]) -> Result<Vocabulary, ClusterError>,
) -> Result<Taught, M::Error> {
    let tally = material.tally();
    let Survey { identities, sample, first, last } = survey(material, &tally)?;
    let vocabulary = Arc::new(fit(&sample.iter().collect::<Vec<_>>())?);
    drop(sample);
    material.identify(&identities);
    let ends = part_ends(first, last);
    let mut builders: Vec<BaselinesBuilder> = ends.iter().map(|_| BaselinesBuilder::default()).collect();
    material.each(Phase::Baselines, &mut |seen, note| {
        builders[part_of(&ends, seen.seen)].add(seen, found(note, seen, &vocabulary).behaviour);
    })?;
    let learned: Vec<Baselines> = builders.into_iter().map(BaselinesBuilder::finish).collect();
    let newcomers_per_minute = newcomers_per_minute(&learned);
    let order = material.order();
    let merged = |without: Option<usize>| {
        let mut sum = Baselines::default();
        sum.order = order.clone();
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
    drop(learned);
    // What comes after all that was learned from is judged by all of it.
    parts.push((Timestamp::MAX, Arc::clone(&baselines)));
    let mut silent = Knowledge::by_parts(Arc::clone(&vocabulary), Vec::clone(&parts), Calibration::default(), f64::INFINITY);
    silent.judges_itself = trim == Trim::SelfTaught;
    let config = DetectorConfig { without: left_out, ..DetectorConfig::default() };
    let mut assessor = Detector::new(Arc::new(silent), config);
    let mut ordinary = Ordinary::of_at_most(tally.observations);
    material.each(Phase::Judging, &mut |seen, note| {
        let found = found(note, seen, &vocabulary);
        let assessment = note.assessment.get_or_insert_with(|| assessor.assess(seen, found));
        ordinary.add(seen, assessment.own_bits());
    })?;
    let calibration = Calibration::default();
    let mut taught = Taught { vocabulary, parts, baselines, calibration, assessor, config, trim, stood_out: Vec::new() };
    (taught.calibration.conversations, taught.calibration.ordinary_bits) = ordinary.finish();
    taught.calibrate(material, (first, last))?;
    Ok(taught)
}

/// What an observation resembles, looked up where it is not known yet.
fn found(note: &mut Note, seen: &Observation, vocabulary: &Vocabulary) -> Match {
    *note.found.get_or_insert_with(|| vocabulary.matches(seen))
}

/// What has to be known before behaviours and baselines can be learned.
struct Survey {
    identities: Identities,
    /// An even sample of the complete flows, as large as behaviours are learned from.
    sample: Vec<Observation>,
    /// When the first and the last observation were seen; none where there is none.
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

fn survey<M: Material>(material: &mut M, tally: &Tally) -> Result<Survey, M::Error> {
    let mut identities = IdentitiesBuilder::default();
    let (mut sample, mut first, mut last) = (Vec::new(), None, None);
    let (step, mut flows) = (Vocabulary::sampled(tally.flows), 0_u64);
    material.each(Phase::Behaviours, &mut |seen, _| {
        identities.add(seen);
        first.get_or_insert(seen.seen);
        last = Some(seen.seen);
        if seen.is_complete() {
            if flows.is_multiple_of(step) {
                sample.push(seen.clone());
            }
            flows += 1;
        }
    })?;
    Ok(Survey { identities: identities.finish(), sample, first, last })
}

/// The ends of equal parts of the time; the last is just behind the last observation.
fn part_ends(first: Option<Timestamp>, last: Option<Timestamp>) -> Vec<Timestamp> {
    let (first, last) = (first.unwrap_or(Timestamp::MIN), last.unwrap_or(Timestamp::MAX));
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
        let (vocabulary, calibration) = (Arc::clone(&self.vocabulary), self.calibration.clone());
        let mut knowledge = Knowledge::by_parts(vocabulary, self.parts.clone(), calibration, threshold);
        knowledge.judges_itself = self.trim == Trim::SelfTaught;
        knowledge
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
        // The threshold tells ordinary life from what is not; an attack on any network needs none.
        knowledge.judges_itself = false;
        knowledge
    }

    /// The highest score of every device in every window of held-out time, where it does not speak of the same conversation again.
    fn calibrate<M: Material>(&mut self, material: &mut M, span: (Option<Timestamp>, Option<Timestamp>)) -> Result<(), M::Error> {
        let (Some(first), Some(last)) = span else { return Ok(()) };
        let mut detector = self.detector();
        let mut scores = Vec::new();
        let mut now = first;
        let mut window_end = first + WINDOW;
        material.each(Phase::Calibrating, &mut |seen, note| {
            if seen.seen > now {
                detector.tick(now, &mut Vec::new(), &mut Vec::new());
                now = seen.seen;
            }
            if now >= window_end {
                scores.extend(detector.take_ranks().map(|rank| (now, rank)));
                if scores.len() >= 2 * MOST_SCORES {
                    tell_once(&mut scores);
                    scores.truncate(MOST_SCORES);
                }
                window_end = now + WINDOW;
            }
            let found = found(note, seen, &self.vocabulary);
            match &note.assessment {
                Some(assessment) => detector.file(seen, assessment, None),
                None => {
                    let assessment = detector.assess(seen, found);
                    detector.file(seen, &assessment, None);
                }
            }
        })?;
        detector.tick(now, &mut Vec::new(), &mut Vec::new());
        scores.extend(detector.take_ranks().map(|rank| (now, rank)));
        tell_once(&mut scores);
        let span = last.since(first).max(Span::from_secs(1));
        let windows = (span.as_seconds() / WINDOW.as_seconds()).max(1.0) * self.local_hosts().max(1) as f64;
        let kept = calibrating(&scores, (windows * self.trim.share()) as usize);
        let days = span.as_seconds() / 86_400.0;
        let ordinary = (self.calibration.conversations, self.calibration.ordinary_bits);
        self.calibration = Calibration::new(kept, days, windows, ordinary);
        self.stood_out = stood_out(&scores);
        Ok(())
    }
}

/// Highest first, and what comes again is told once.
fn tell_once(ranks: &mut Vec<(Timestamp, HostRank)>) {
    ranks.sort_by(|(_, a), (_, b)| b.bits.total_cmp(&a.bits));
    let mut told = BTreeSet::new();
    ranks.retain(|(_, rank)| told.insert((rank.host, rank.with)));
}

/// What a person should know of, of what was told once.
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

/// The scores that calibrate, of what was told once, without so many of the highest.
fn calibrating(ranks: &[(Timestamp, HostRank)], trimmed: usize) -> Vec<f64> {
    // Never more than half of the windows that had any score: those that remain show how the tail falls.
    let trimmed = trimmed.min(ranks.len() / 2);
    // What ordinary life does not do is told whenever it comes: an attack in the learning time must not raise the threshold.
    let ordinary_life = ranks.iter().skip(trimmed).filter(|(_, rank)| !rank.class.recurs());
    ordinary_life.map(|(_, rank)| rank.bits).collect()
}

#[cfg(test)]
mod tests {
    use super::super::material::InMemory;
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
        let ends = part_ends(Some(hour[0].seen), Some(hour[hour.len() - 1].seen));
        assert_eq!((ends.len(), ends[PARTS - 1] - Span::from_nanos(1)), (PARTS, hour[hour.len() - 1].seen));
        assert!(ends.is_sorted());
        assert_eq!((part_of(&ends, at(0)), part_of(&ends, ends[0]), part_of(&ends, Timestamp::MAX)), (0, 1, PARTS - 1));
    }

    #[test]
    fn the_same_lesson_teaches_the_same_model() {
        let model = |seed| {
            let taught = teach(&mut InMemory::of(&mut hour()), seed, Trim::Training).unwrap();
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
        let mut material = InMemory::of(&mut observations);
        let taught = teach(&mut material, 1, Trim::Training).unwrap();
        let notes = material.into_notes();
        assert!(notes.len() == 180 && notes.iter().all(|note| note.found.is_some() && note.assessment.is_some()));
        assert_eq!(taught.local_hosts(), 4, "three clients and their server");
        assert!(taught.calibration.windows >= 4.0 && taught.calibration.days > 0.03);
    }

    #[test]
    fn too_little_is_refused() {
        for count in [0, 1, 7] {
            assert!(teach(&mut InMemory::of(&mut hour()[..count]), 1, Trim::SelfTaught).is_err(), "{count} flows");
        }
    }

    /// What is told once.
    fn once(mut ranks: Vec<(Timestamp, HostRank)>) -> Vec<(Timestamp, HostRank)> {
        tell_once(&mut ranks);
        ranks
    }

    #[test]
    fn neither_an_attack_nor_the_oddest_window_sets_the_threshold() {
        let rank = |bits: f64, class: Class| {
            let host = Host(Addr::v4([10, 0, 0, bits as u8]));
            (at(0), HostRank { host, bits, class, with: (host, Service { protocol: 6, port: 80 }) })
        };
        // The oddest goes although the scans, which never count, are few beside it.
        let ranks = vec![rank(15.0, Class::Unusual), rank(5.0, Class::Scan), rank(1.0, Class::Unusual)];
        assert_eq!(calibrating(&once(ranks.clone()), 1), [1.0]);
        let twice = [ranks, vec![rank(1.0, Class::Unusual)]].concat();
        assert_eq!(calibrating(&once(twice), 0), [15.0, 1.0], "what comes again counts once");
        let scans = (10..60).map(|n| rank(f64::from(n), Class::Scan)).chain([rank(2.0, Class::Unusual)]);
        assert_eq!(calibrating(&once(scans.collect()), 3), [2.0]);
    }

    #[test]
    fn what_stood_out_is_kept_once_and_highest_first() {
        let rank = |minute: i64, bits: f64, n: u8| {
            let (host, service) = (Host(Addr::v4([10, 0, 0, n])), Service { protocol: 6, port: 80 });
            (at(60 * minute), HostRank { host, bits, class: Class::Unusual, with: (host, service) })
        };
        let kept = stood_out(&once(vec![rank(1, 5.0, 1), rank(2, 9.0, 1), rank(3, 3.9, 2), rank(4, 7.0, 3)]));
        let told: Vec<_> = kept.iter().map(|it| (it.bits, &it.at[14..16], it.service.as_str())).collect();
        assert_eq!(told, [(9.0, "02", "tcp/80"), (7.0, "04", "tcp/80")]);
    }

    #[test]
    fn scores_that_were_told_once_on_the_way_calibrate_the_same() {
        let rank = |n: u32| {
            let host = Host(Addr::v4([10, 0, 0, (n % 50) as u8]));
            let class = if n.is_multiple_of(3) { Class::Scan } else { Class::Unusual };
            let with = (host, Service { protocol: 6, port: (n % 4) as u16 });
            (at(0), HostRank { host, bits: f64::from(n * 7919 % 97), class, with })
        };
        let ranks: Vec<_> = (0..1000).map(rank).collect();
        let mut on_the_way = Vec::new();
        for part in ranks.chunks(130) {
            on_the_way.extend_from_slice(part);
            tell_once(&mut on_the_way);
        }
        assert_eq!(calibrating(&on_the_way, 5), calibrating(&once(ranks), 5));
    }

    #[test]
    fn what_is_judged_by_itself_is_trimmed_more() {
        assert!(Trim::SelfTaught.share() > Trim::Training.share());
    }
}

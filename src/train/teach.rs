//! From observations to behaviours, baselines and a calibration.
//!
//! The time is cut into parts. Each part is judged by baselines of the others, so every score of the calibration is of time
//! that its baselines did not see (cross-conformal, Vovk 2015), in blocks, because neighbours in time are alike. The same
//! baselines judge a capture that has no model: what happened in one part only is new to the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::counts::Counts;
use super::material::{Material, Note, Phase};
use super::ordinary::Ordinary;
use super::scores::Scores;
use super::survey::Survey;
use crate::detect::{Detector, DetectorConfig, Knowledge, Part, Without};
use crate::feature::{Host, Observation};
use crate::model::{
    Baselines, BaselinesBuilder, Budget, Calibration, ClusterError, Match, Model, Provenance, StoodOut, Vocabulary,
};
use crate::time::{Span, Timestamp};

/// Parts of the time.
const PARTS: usize = 4;
/// Length of the windows whose scores calibrate.
pub(super) const WINDOW: Span = crate::detect::WINDOW;

/// The share of the devices at home whose scores, the highest, have no part in the calibration, one device at the least: an attack while it learned is
/// of few.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trim {
    /// Of a capture that was meant as normal: 2 %.
    Training,
    /// Of a capture that is to be judged by itself: 5 %.
    SelfTaught,
}

impl Trim {
    const fn share(self) -> f64 {
        match self {
            Self::Training => 0.02,
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
    let Survey { mut identities, sample, span } = Survey::of(material)?;
    if material.home_is_named() {
        identities.home_is_named();
    }
    let identities = identities.finish();
    let vocabulary = {
        let flows = sample.into_flows();
        Arc::new(fit(&flows.iter().collect::<Vec<_>>())?)
    };
    material.identify(&identities);
    let ends = part_ends(span);
    let mut builders: Vec<BaselinesBuilder> = ends.iter().map(|_| BaselinesBuilder::default()).collect();
    material.each(Phase::Baselines, &mut |seen, note| {
        builders[part_of(&ends, seen.seen)].add(seen, found(note, seen, &vocabulary).behaviour);
    })?;
    let learned = material.sum(Counts::of(builders))?.into_parts();
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
    let mut ordinary = Ordinary::default();
    material.each(Phase::Judging, &mut |seen, note| {
        let found = found(note, seen, &vocabulary);
        let assessment = note.assessment.get_or_insert_with(|| assessor.assess(seen, found));
        ordinary.add(seen, assessment.own_bits(), assessment.regard(baselines.host(seen.orig)));
    })?;
    let calibration = Calibration::default();
    let mut taught = Taught { vocabulary, parts, baselines, calibration, assessor, config, trim, stood_out: Vec::new() };
    (taught.calibration.conversations, taught.calibration.ordinary) = material.sum(ordinary.finish())?.ordinary();
    taught.calibrate(material, span)?;
    Ok(taught)
}

/// What an observation resembles, looked up where it is not known yet.
fn found(note: &mut Note, seen: &Observation, vocabulary: &Vocabulary) -> Match {
    *note.found.get_or_insert_with(|| vocabulary.matches(seen))
}

/// The ends of equal parts of the time; the last is just behind the last observation.
fn part_ends(span: Option<(Timestamp, Timestamp)>) -> Vec<Timestamp> {
    let (first, last) = span.unwrap_or((Timestamp::MIN, Timestamp::MAX));
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
        let (vocabulary, calibration) = (Arc::clone(&self.vocabulary), self.calibration.clone());
        let mut knowledge = Knowledge::by_parts(vocabulary, self.parts.clone(), calibration, f64::INFINITY).within(budget);
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
    fn calibrate<M: Material>(&mut self, material: &mut M, span: Option<(Timestamp, Timestamp)>) -> Result<(), M::Error> {
        let Some((first, last)) = span else { return Ok(()) };
        let mut detector = self.detector();
        let mut scores = Scores::default();
        let mut now = first;
        let mut window_end = first + WINDOW;
        material.each(Phase::Calibrating, &mut |seen, note| {
            if seen.seen > now {
                detector.tick(now, &mut Vec::new(), &mut Vec::new());
                now = seen.seen;
            }
            if now >= window_end {
                scores.add(now, detector.take_ranks());
                window_end = now + WINDOW;
            }
            let found = found(note, seen, &self.vocabulary);
            match &note.assessment {
                Some(assessment) => detector.file(seen, found, assessment, None),
                None => {
                    let assessment = detector.assess(seen, found);
                    detector.file(seen, found, &assessment, None);
                }
            }
        })?;
        detector.tick(now, &mut Vec::new(), &mut Vec::new());
        scores.add(now, detector.take_ranks());
        let scores = material.sum(scores.once())?;
        let span = last.since(first).max(Span::from_secs(1));
        let windows = (span.as_seconds() / WINDOW.as_seconds()).max(1.0) * self.local_hosts().max(1) as f64;
        let trimmed = (self.local_hosts() as f64 * self.trim.share()).ceil() as usize;
        let kept = scores.calibrating(trimmed.min(self.local_hosts() / 2));
        let days = span.as_seconds() / 86_400.0;
        let ordinary = (self.calibration.conversations, std::mem::take(&mut self.calibration.ordinary));
        self.calibration = Calibration::new(kept, days, windows, ordinary);
        self.stood_out = scores.stood_out();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::material::InMemory;
    use super::*;
    use crate::flow::testing::{packet, payload};
    use crate::flow::{FlowKey, FlowLimits, FlowRecord, HomeNets, Shard};
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
        let ends = part_ends(Some((hour[0].seen, hour[hour.len() - 1].seen)));
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

    #[test]
    fn what_is_judged_by_itself_is_trimmed_more() {
        assert!(Trim::SelfTaught.share() > Trim::Training.share());
    }
}

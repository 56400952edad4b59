//! From observations to behaviours, baselines and a calibration.
//!
//! The time is cut into parts. Each part is judged by baselines of the others, so every score of the calibration is of time
//! that its baselines did not see (cross-conformal, Vovk 2015), in [blocks](super::blocks), because neighbours in time are alike. The
//! same baselines judge a capture that has no model: what happened in one part only is new to the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::blocks::{Blocks, Cut, PARTS};
use super::counts::Counts;
use super::left_out::{CountsAgain, LeftOut};
use super::material::{Material, Note, Phase};
use super::ordinary::Ordinary;
use super::scores::{AllScores, Scores};
use super::survey::Survey;
use crate::detect::{Assessment, Detector, DetectorConfig, Knowledge, Part, Without};
use crate::feature::{Host, Observation};
use crate::model::{
    Baselines, BaselinesBuilder, Budget, Calibration, ClusterError, Match, Model, Provenance, StoodOut, Vocabulary,
};
use crate::time::{Span, Timestamp};

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

/// For each block of the time its end, and baselines of the parts to which it does not belong.
type HeldOut = Vec<(Timestamp, Arc<Baselines>)>;

/// What was learned.
pub struct Taught {
    /// Behaviours.
    pub vocabulary: Arc<Vocabulary>,
    /// For each block of the time, in stretches: its end, and baselines of the other parts.
    parts: HeldOut,
    /// The same of parts whose blocks lie apart, where the time is cut in that way, too.
    apart: Option<HeldOut>,
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
    parts_left_out: Without,
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
    let blocks = Blocks::of(span, trim == Trim::SelfTaught);
    let counts = count(material, Phase::Baselines, &blocks, &vocabulary, &LeftOut::default())?;
    let learned = material.sum(counts)?.into_blocks();
    let newcomers_per_minute = newcomers_per_minute(&learned);
    let order = material.order();
    let merged = |learned: &[Baselines], without: Option<(usize, Cut)>| {
        let mut sum = Baselines::default();
        sum.order = order.clone();
        sum.newcomers_per_minute = newcomers_per_minute;
        sum.identities = identities.clone();
        let is_held_out = |block: usize| without.is_some_and(|(part, cut)| blocks.part(block, cut) == part);
        learned.iter().enumerate().filter(|&(block, _)| !is_held_out(block)).for_each(|(_, block)| sum.merge(block));
        if parts_left_out.has(Part::Roles) {
            sum.pool_as_one()
        } else {
            sum.pool(seed)
        }
        Arc::new(sum)
    };
    let baselines = merged(&learned, None);
    let held_out = |&cut: &Cut| {
        let others: Vec<_> = (0..PARTS).map(|part| merged(&learned, Some((part, cut)))).collect();
        let of_block = |(block, &end)| (end, Arc::clone(&others[blocks.part(block, cut)]));
        let mut held_out: HeldOut = blocks.ends().iter().enumerate().map(of_block).collect();
        // What comes after all that was learned from is judged by all of it.
        held_out.push((Timestamp::MAX, Arc::clone(&baselines)));
        held_out
    };
    let mut cuts = blocks.cuts().iter().map(held_out);
    let (parts, apart) = (cuts.next().unwrap_or_default(), cuts.next());
    drop(learned);
    let mut silent = Knowledge::by_parts(Arc::clone(&vocabulary), Vec::clone(&parts), Calibration::default(), f64::INFINITY);
    silent.judges_itself = trim == Trim::SelfTaught;
    let config = DetectorConfig { without: parts_left_out, ..DetectorConfig::default() };
    let silent = Arc::new(silent);
    let mut assessor = Detector::new(Arc::clone(&silent), config);
    let mut ordinary = Ordinary::default();
    material.each(Phase::Judging, &mut |seen, note| {
        let found = found(note, seen, &vocabulary);
        let assessment = note.assessment.get_or_insert_with(|| assessor.assess(seen, found));
        ordinary.add(seen, assessment.own_bits(), assessment.regard(seen, &silent));
    })?;
    let calibration = Calibration::default();
    let mut taught = Taught { vocabulary, parts, apart, baselines, calibration, assessor, config, trim, stood_out: Vec::new() };
    (taught.calibration.conversations, taught.calibration.ordinary) = material.sum(ordinary.finish())?.ordinary();
    let left_out = taught.calibrate(material, span)?;
    if trim == Trim::Training && !left_out.is_empty() {
        let counts = CountsAgain(count(material, Phase::LeavingOut, &blocks, &taught.vocabulary, &left_out)?);
        taught.baselines = merged(&material.sum(counts)?.0.into_blocks(), None);
    }
    Ok(taught)
}

/// What devices did in each block of the time, but for what is left out.
fn count<M: Material>(
    material: &mut M,
    phase: Phase,
    blocks: &Blocks,
    vocabulary: &Vocabulary,
    left_out: &LeftOut,
) -> Result<Counts, M::Error> {
    let mut builders: Vec<BaselinesBuilder> = blocks.ends().iter().map(|_| BaselinesBuilder::default()).collect();
    material.each(phase, &mut |seen, note| {
        let behaviour = found(note, seen, vocabulary).behaviour;
        if !left_out.has(seen) {
            builders[blocks.at(seen.seen)].add(seen, behaviour);
        }
    })?;
    Ok(Counts::of(builders))
}

/// What an observation resembles, looked up where it is not known yet.
fn found(note: &mut Note, seen: &Observation, vocabulary: &Vocabulary) -> Match {
    *note.found.get_or_insert_with(|| vocabulary.matches(seen))
}

/// Devices that come to a network within a day, of those that it has, before any was seen to come.
const NEWCOMERS_A_DAY: f64 = 0.02;
/// How much of a day that counts as.
const PRIOR_DAYS: f64 = 0.25;

/// How often a device at home appeared that the blocks before had not seen; of the first block nothing can be told. An hour in which none came says
/// little of a day: it is drawn towards what is usual for so many devices.
fn newcomers_per_minute(blocks: &[Baselines]) -> f64 {
    let mut known = BTreeSet::new();
    let (mut newcomers, mut minutes) = (0_u32, 0.0);
    for (place, block) in blocks.iter().enumerate() {
        let home = block.hosts.iter().filter(|(address, host)| host.local && address.is_device());
        let new: Vec<Host> = home.map(|(&address, _)| address).filter(|address| known.insert(*address)).collect();
        if place > 0 {
            newcomers += new.len() as u32;
            minutes += block.span_minutes;
        }
    }
    (f64::from(newcomers) + NEWCOMERS_A_DAY * PRIOR_DAYS * known.len() as f64) / (minutes + PRIOR_DAYS * 1440.0)
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

    /// Judges the time by baselines of other parts, and opens no incident.
    fn detector(&self, parts: HeldOut) -> Detector {
        // The threshold tells ordinary life from what is not; an attack on any network needs none.
        let (vocabulary, calibration) = (Arc::clone(&self.vocabulary), self.calibration.clone());
        Detector::new(Arc::new(Knowledge::by_parts(vocabulary, parts, calibration, f64::INFINITY)), self.config)
    }

    /// The highest score of every device in every window of held-out time, where it does not speak of the same conversation again; tells what should
    /// not have been learned.
    fn calibrate<M: Material>(&mut self, material: &mut M, span: Option<(Timestamp, Timestamp)>) -> Result<LeftOut, M::Error> {
        let Some((first, last)) = span else { return Ok(LeftOut::default()) };
        let mut stretches = Windows::new(self.detector(self.parts.clone()), first);
        // Nothing else asks for them. What is ordinary of conversations is that of the stretches for both.
        let mut apart = self.apart.take().map(|parts| Windows::new(self.detector(parts), first));
        material.each(Phase::Calibrating, &mut |seen, note| {
            let found = found(note, seen, &self.vocabulary);
            stretches.take(seen, found, note.assessment.as_ref());
            apart.iter_mut().for_each(|windows| windows.take(seen, found, None));
        })?;
        let (stretches, left_out) = stretches.finish();
        let apart = apart.map(|windows| windows.finish().0);
        let scores = material.sum(AllScores { stretches, apart, left_out })?;
        let span = last.since(first).max(Span::from_secs(1));
        let windows = (span.as_seconds() / WINDOW.as_seconds()).max(1.0) * self.local_hosts().max(1) as f64;
        let trimmed = (self.local_hosts() as f64 * self.trim.share()).ceil() as usize;
        let kept = scores.calibrating(trimmed.min(self.local_hosts() / 2));
        let days = span.as_seconds() / 86_400.0;
        let ordinary = (self.calibration.conversations, std::mem::take(&mut self.calibration.ordinary));
        let by_class = kept.by_class.into_iter().map(|(class, scores)| (class.info().name.to_owned(), scores));
        self.calibration = Calibration::new([kept.named, kept.unnamed], days, windows, ordinary).with_classes(by_class);
        self.stood_out = scores.stood_out();
        Ok(scores.left_out)
    }
}

/// A detector that goes through the time, and the scores of its windows.
struct Windows {
    detector: Detector,
    scores: Scores,
    left_out: LeftOut,
    now: Timestamp,
    end: Timestamp,
}

impl Windows {
    fn new(detector: Detector, first: Timestamp) -> Self {
        Self { detector, scores: Scores::default(), left_out: LeftOut::default(), now: first, end: first + WINDOW }
    }

    /// Takes an observation, assessed by the same baselines or not yet.
    fn take(&mut self, seen: &Observation, found: Match, assessment: Option<&Assessment>) {
        if seen.seen > self.now {
            self.detector.tick(self.now, &mut Vec::new(), &mut Vec::new());
            self.now = seen.seen;
        }
        if self.now >= self.end {
            self.note(self.end);
            self.end = self.now + WINDOW;
        }
        match assessment {
            Some(assessment) => self.detector.file(seen, found, assessment, None),
            None => {
                let assessment = self.detector.assess(seen, found);
                self.detector.file(seen, found, &assessment, None);
            }
        }
    }

    /// Notes the scores of the window that ends then.
    fn note(&mut self, end: Timestamp) {
        let ranks: Vec<_> = self.detector.take_ranks().collect();
        ranks.iter().for_each(|rank| self.left_out.add(end, rank));
        self.scores.add(end, ranks);
    }

    fn finish(mut self) -> (Scores, LeftOut) {
        self.detector.tick(self.now, &mut Vec::new(), &mut Vec::new());
        self.note(self.now);
        (self.scores.once(), self.left_out)
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

    #[test]
    fn newcomers_are_counted_and_few_hours_without_any_say_little() {
        let block = |from: i64, clients: u32| {
            let mut builder = BaselinesBuilder::default();
            for (minute, client) in (0..60).flat_map(|minute| (1..=clients).map(move |client| (minute, client))) {
                builder.add(&look_up((from + minute) * 60 + i64::from(client), client, 30), 0);
            }
            builder.finish()
        };
        let a_day = |clients: [u32; 3]| {
            let blocks: Vec<Baselines> = (0..3).map(|n| block(n * 60, clients[n as usize])).collect();
            newcomers_per_minute(&blocks) * 1440.0
        };
        let (none, one) = (a_day([10, 10, 10]), a_day([10, 10, 11]));
        // Ten clients and their resolver, of whom a fiftieth comes a day, which counts as six hours.
        assert!((none - 11.0 * 0.02 * 0.25 / (0.25 + 2.0 / 24.0)).abs() < 0.02, "{none}");
        assert!((one - none - 3.0).abs() < 0.1, "one in the third of a day that eight hours are: {one}");
    }

    /// An hour of three clients that ask once a minute each.
    fn hour() -> Vec<Observation> {
        (0..60)
            .flat_map(|minute| (1..=3).map(move |client| look_up(minute * 60 + i64::from(client), client, 30 + client)))
            .collect()
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

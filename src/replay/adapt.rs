//! Learning on from what was judged ordinary.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::detect::{Detector, Knowledge};
use crate::feature::Observation;
use crate::model::{Adapted, BaselinesBuilder, Match, Model, ModelError};
use crate::time::{Span, Timestamp};

/// One minute in so many is learned from: a model moves at a quarter of the speed of what it watches.
const MINUTES_PER_LESSON: i64 = 4;
/// How long an observation waits before it is learned: an incident may still come to speak of its devices.
const PATIENCE: Span = Span::from_secs(600);
/// Observations that wait at the most, some 350 bytes each; those beyond are left out.
const MAX_WAITING: usize = 100_000;

/// How a model learns on.
#[derive(Clone, Copy, Debug)]
pub struct Adapt {
    /// A new version is made after this long, of the capture's time.
    pub every: Span,
    /// The number of the next version.
    pub next_version: u32,
}

/// Gathers what a model may learn on from: of devices that no incident speaks of, one minute in four, and only what would open no
/// incident by itself in the eyes of the model that people trained, and touches nothing clinical that is new. So an attacker who
/// is patient can move the model no further than to the edge of what that model lets pass, however long it takes.
pub(super) struct Adaptation {
    adapt: Adapt,
    seed: u64,
    /// What was trained, and judges what may be learned.
    anchor: Knowledge,
    anchor_digest: String,
    builder: BaselinesBuilder,
    waiting: VecDeque<(Observation, u16)>,
    next: Option<Timestamp>,
    learned: u64,
    left_out: [u64; 2],
    incidents_before: u64,
}

/// What learns on, from one minute in so many.
fn lesson() -> BaselinesBuilder {
    BaselinesBuilder::of_sample(MINUTES_PER_LESSON as u32)
}

impl Adaptation {
    /// One that begins with a model; `anchor` is the one that was trained, where the model has learned on already.
    pub(super) fn new(adapt: Adapt, anchor: &Model) -> Result<Self, ModelError> {
        let (vocabulary, baselines) = (Arc::new(anchor.vocabulary.clone()), Arc::new(anchor.baselines.clone()));
        let threshold = anchor.calibration.threshold(anchor.budget);
        Ok(Self {
            adapt,
            seed: anchor.provenance.seed,
            anchor: Knowledge::new(vocabulary, baselines, anchor.calibration.clone(), threshold),
            anchor_digest: anchor.digest()?,
            builder: lesson(),
            waiting: VecDeque::new(),
            next: None,
            learned: 0,
            left_out: [0; 2],
            incidents_before: 0,
        })
    }

    /// Learns an observation that was judged, where it may.
    pub(super) fn observe(&mut self, seen: &Observation, found: Match, detector: &Detector) {
        self.next.get_or_insert(seen.seen + self.adapt.every);
        if seen.seen.seconds().div_euclid(60) % MINUTES_PER_LESSON != 0 {
            return;
        }
        let (surprise, regard, bits) = detector.surprise_by(seen, found, &self.anchor);
        if bits > self.anchor.calibration.ordinary.of(seen, regard) + self.anchor.threshold || surprise.is_critical() {
            self.left_out[1] += 1;
            return;
        }
        if self.waiting.len() >= MAX_WAITING {
            self.left_out[1] += 1;
            return;
        }
        self.waiting.push_back((seen.clone(), found.behaviour));
        self.learn_what_waited(seen.seen, detector);
    }

    fn learn_what_waited(&mut self, now: Timestamp, detector: &Detector) {
        let waited = self.waiting.partition_point(|(seen, _)| now.since(seen.seen) >= PATIENCE);
        for (seen, behaviour) in self.waiting.drain(..waited) {
            if detector.is_suspect(seen.orig, now) || detector.is_suspect(seen.resp, now) {
                self.left_out[0] += 1;
            } else {
                self.learned += 1;
                self.builder.add(&seen, behaviour);
            }
        }
    }

    /// The next version of `model`, when its time has come.
    pub(super) fn turn(&mut self, now: Timestamp, model: &Model, detector: &Detector) -> Result<Option<Model>, ModelError> {
        if self.next.is_none_or(|next| now < next) {
            return Ok(None);
        }
        self.next = Some(now + self.adapt.every);
        self.learn_what_waited(now, detector);
        let vague = detector.counters().vague_incidents;
        let incidents = vague - std::mem::replace(&mut self.incidents_before, vague);
        let mut model = model.clone();
        let parent = model.digest()?;
        model.baselines.merge(&std::mem::replace(&mut self.builder, lesson()).finish());
        model.baselines.pool(self.seed);
        model.calibration.adapt(incidents, self.adapt.every.as_seconds() / 86_400.0, model.budget);
        model.provenance.adapted = Some(Adapted {
            version: self.adapt.next_version,
            parent,
            anchor: self.anchor_digest.clone(),
            until: now.to_string(),
            learned: std::mem::take(&mut self.learned),
            left_out: std::mem::take(&mut self.left_out),
        });
        self.adapt.next_version += 1;
        Ok(Some(model))
    }
}

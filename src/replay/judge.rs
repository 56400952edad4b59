//! The consumer that judges.

use std::sync::Arc;

use super::adapt::{Adapt, Adaptation};
use super::kept::{MAX_KEPT, MAX_STEPS, Step};
use super::mode::Mode;
use super::output::Output;
use super::state::State;
use super::verdict::{JudgeError, Verdict};
use crate::alert::AlertContext;
use crate::detect::{
    Assessment, Class, Detector, DetectorConfig, DetectorCounters, Knowledge, Memory, Notice, ScoredFlow, Submission,
};
use crate::evidence::Slices;
use crate::feature::Host;
use crate::flow::EndReason;
use crate::model::{Budget, ClusterError, Match, Model, Order};
use crate::pipeline::{Condition, Consumer, Emitted, Progress, Spent};
use crate::sighting::Sighting;
use crate::time::Timestamp;
use crate::train::{Holders, InMemory, InOrder, Lesson, Note, Trim, teach};

/// Records between two ticks whose places are used again; those beyond are freed.
const MOST_SPENT: usize = 1024;

/// Judges records as they come, or keeps them until the capture has taught itself.
pub struct Judge<'a> {
    output: &'a mut dyn Output,
    config: DetectorConfig,
    mode: Mode,
    detector: Option<Detector>,
    /// What judges, where it is a model.
    model: Option<Arc<Model>>,
    adapt: Option<Adapt>,
    adaptation: Option<Adaptation>,
    /// What is learned before it is judged, and until when.
    learning: Option<(Option<Timestamp>, Lesson)>,
    kept: Vec<Step>,
    /// Who has which address, while it is learned.
    holders: Holders,
    records_kept: usize,
    verdict: Verdict,
    /// The key of the pseudonyms that records come with.
    pseudonyms: Option<String>,
    order: Order,
    /// Is so much lost that what is told may be wrong for it?
    is_degraded: bool,
    now: Timestamp,
    /// Do records resemble behaviours of another model than the one that judges?
    matches_are_foreign: bool,
    /// Records that were judged since the latest tick.
    spent: Vec<Spent>,
    failed: Option<JudgeError>,
}

impl<'a> Judge<'a> {
    /// A judge of this mode.
    ///
    /// # Errors
    /// When the model cannot be digested.
    pub fn new(mode: Mode, config: DetectorConfig, output: &'a mut dyn Output) -> Result<Self, JudgeError> {
        let mut judge = Self {
            output,
            config,
            mode,
            detector: None,
            model: None,
            adapt: None,
            adaptation: None,
            learning: None,
            kept: Vec::new(),
            holders: Holders::default(),
            records_kept: 0,
            verdict: Verdict::default(),
            pseudonyms: None,
            order: Order::default(),
            is_degraded: false,
            now: Timestamp::MIN,
            matches_are_foreign: false,
            spent: Vec::new(),
            failed: None,
        };
        match &judge.mode {
            Mode::Model(model, _) => judge.begin_with_model(Arc::clone(model))?,
            Mode::Learn { .. } => judge.learning = Some((None, Lesson::default())),
            Mode::SelfTaught { .. } => {}
        }
        Ok(judge)
    }

    /// Lets the model learn on from what is judged ordinary; `anchor` is the one that was trained, where it is another.
    ///
    /// # Errors
    /// When the anchor cannot be digested.
    pub fn adapting(mut self, adapt: Adapt, anchor: Option<&Model>) -> Result<Self, JudgeError> {
        self.adapt = Some(adapt);
        let anchor = anchor.or(self.model.as_deref());
        self.adaptation = anchor.map(|anchor| Adaptation::new(adapt, anchor)).transpose()?;
        Ok(self)
    }

    /// Judges by another model from now on, with this budget where it is not the model's own. What is remembered of devices stays. Nothing
    /// changes while it is still learned.
    pub fn judge_by(&mut self, model: Arc<Model>, budget: Option<Budget>) {
        let (Some(old), Some(detector)) = (&self.model, &mut self.detector) else { return };
        self.matches_are_foreign |= old.vocabulary != model.vocabulary;
        let mut flows = Vec::new();
        // They are told by the names that their behaviours have.
        detector.let_go(&mut flows);
        for flow in &flows {
            self.output.flow(flow, behaviour_name(detector, flow));
        }
        self.mode = Mode::Model(Arc::clone(&model), budget);
        match self.begin_with_model(Arc::clone(&model)) {
            Ok(()) => self.output.reloaded(&model),
            Err(error) => self.failed = Some(error),
        }
    }

    /// Goes on from what another judge remembered, where there is a model to judge by, and tells what that one did not get to tell.
    pub fn go_on(&mut self, memory: Memory, untold: &[Notice]) {
        let Some(detector) = &mut self.detector else { return };
        detector.remember(memory);
        untold.iter().for_each(|notice| self.output.notice(notice));
        if let Some(last) = untold.last() {
            self.output.tick(last.raised);
        }
    }

    /// Goes on learning from what another judge had learned, until the same time.
    pub fn learn_from(&mut self, until: Option<Timestamp>, lesson: Lesson) {
        if self.learning.is_some() {
            self.learning = Some((until, lesson));
        }
    }

    /// Hands out what is remembered, where that is wanted by now.
    pub fn tell_state_if_wanted(&mut self) {
        if self.output.wants_state() {
            self.tell_state(false);
        }
    }

    /// Hands out what is remembered.
    fn tell_state(&mut self, is_last: bool) {
        let memory = self.detector.as_ref().map(Detector::memory);
        let learning = self.learning.as_ref().map(|(until, lesson)| (*until, lesson));
        self.output.state(&State { memory, learning, is_last });
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> DetectorCounters {
        self.detector.as_ref().map(Detector::counters).unwrap_or_default()
    }

    /// Says in alerts that addresses and names are pseudonyms of the key of this fingerprint, and learns of devices in this order.
    #[must_use]
    pub fn hidden_by(mut self, key: Option<String>, order: Order) -> Self {
        (self.pseudonyms, self.order) = (key, order);
        self
    }

    fn begin_with_model(&mut self, model: Arc<Model>) -> Result<(), JudgeError> {
        let budget = match &self.mode {
            Mode::Model(_, Some(budget)) => *budget,
            _ => model.budget,
        };
        let knowledge = Knowledge::of_model(&model, budget);
        let context = AlertContext {
            model_digest: Some(model.digest()?),
            trained_until: model.provenance.until().to_owned(),
            pseudonyms: model.provenance.pseudonyms.clone(),
            calibration: model.calibration.clone(),
        };
        self.verdict.trained_until = Some(model.provenance.until().to_owned());
        self.model = Some(model);
        self.begin(knowledge, &context, budget);
        Ok(())
    }

    /// Learns until it is enough; then the model judges.
    fn learn_on(&mut self, now: Timestamp) {
        let (Mode::Learn { span, course }, Some((until, _))) = (&self.mode, &mut self.learning) else { return };
        if now < *until.get_or_insert(now + *span) {
            return;
        }
        let Some((_, lesson)) = self.learning.take() else { return };
        self.verdict.learned = Some((lesson.observations.len(), lesson.not_kept));
        let learned = lesson.into_model(course).map_err(JudgeError::from).and_then(|model| {
            let model = Arc::new(model);
            self.output.model(&model);
            self.begin_with_model(Arc::clone(&model))?;
            self.adaptation = self.adapt.map(|adapt| Adaptation::new(adapt, &model)).transpose()?;
            Ok(())
        });
        self.failed = learned.err();
    }

    /// What was learned so far is handed out where it may serve another time; a model that is to learn on begins with all of it.
    fn still_learning(&mut self, lesson: Lesson) -> JudgeError {
        let observations = lesson.observations.len();
        if let (Mode::Learn { course, .. }, None) = (&self.mode, self.adapt)
            && let Ok(model) = lesson.into_model(course)
        {
            self.output.partial(&Arc::new(model));
        }
        JudgeError::StillLearning(observations)
    }

    /// Judges by what was learned on, when there is a new version.
    fn turn(&mut self, now: Timestamp) {
        let (Some(adaptation), Some(model), Some(detector)) = (&mut self.adaptation, &self.model, &self.detector) else { return };
        match adaptation.turn(now, model, detector) {
            Ok(None) => {}
            Ok(Some(model)) => {
                self.verdict.versions += 1;
                let model = Arc::new(model);
                self.output.model(&model);
                self.failed = self.begin_with_model(model).err();
            }
            Err(error) => self.failed = Some(error.into()),
        }
    }

    fn begin(&mut self, knowledge: Knowledge, context: &AlertContext, budget: Budget) {
        self.verdict.threshold = Some(knowledge.threshold);
        self.verdict.unusual_threshold = Some(knowledge.threshold_of(Class::Unusual));
        self.verdict.loud = knowledge.loud;
        self.verdict.resolved = knowledge.calibration.resolves(budget);
        self.verdict.budget_per_day = budget.per_day;
        self.output.begin(context);
        self.output.vocabulary(&knowledge.vocabulary);
        match &mut self.detector {
            Some(detector) => detector.judge_by(Arc::new(knowledge)),
            None => self.detector = Some(Detector::new(Arc::new(knowledge), self.config)),
        }
    }

    /// The capture is over: judges what was kept, closes what is open.
    ///
    /// # Errors
    /// When the capture was to teach itself and holds too little.
    pub fn finish(mut self) -> Result<Verdict, JudgeError> {
        if self.learning.is_some() {
            self.tell_state(true);
        }
        if let Some((_, lesson)) = self.learning.take() {
            return Err(self.still_learning(lesson));
        }
        if self.detector.is_none() && self.failed.is_none() {
            self.learn_from_kept();
        }
        if let Some(error) = self.failed {
            return Err(error);
        }
        let Some(mut detector) = self.detector.take() else { return Ok(self.verdict) };
        let (mut notices, mut flows) = (Vec::new(), Vec::new());
        detector.finish(self.now, &mut notices, &mut flows);
        self.hand_out(&detector, &notices, &flows);
        self.output.state(&State { memory: Some(detector.memory()), learning: None, is_last: true });
        self.verdict.counters = detector.counters();
        self.verdict.ranks = detector.ranks();
        self.verdict.misfit = detector.misfit();
        Ok(self.verdict)
    }

    /// Ends where another judge goes on: nothing is closed.
    #[must_use]
    pub fn leave(mut self) -> Verdict {
        if let Some(detector) = self.detector.take() {
            (self.verdict.counters, self.verdict.ranks) = (detector.counters(), detector.ranks());
            self.verdict.misfit = detector.misfit();
        }
        self.verdict
    }

    fn learn_from_kept(&mut self) {
        let Mode::SelfTaught { budget, seed } = self.mode else { return };
        let mut steps = std::mem::take(&mut self.kept);
        let mut observations: Vec<_> = steps
            .iter_mut()
            .filter_map(|step| match step {
                Step::Record(emitted) => Some(&mut *emitted.observation),
                Step::Tick(_) | Step::Sighting(_) | Step::Degraded(_) => None,
            })
            .collect();
        let last = observations.last().map_or(Timestamp::MIN, |seen| seen.end);
        let mut material = InMemory::of(&mut observations);
        let mut in_order = InOrder { material: &mut material, order: self.order.clone(), home_is_named: false };
        let taught = match teach(&mut in_order, seed, Trim::SelfTaught) {
            Ok(taught) => taught,
            Err(error) => {
                self.judge_knowing_nothing(steps, error);
                return;
            }
        };
        let budget = budget.unwrap_or_else(|| Budget::for_hosts(taught.local_hosts()));
        let mut notes = material.into_notes().into_iter();
        let context = AlertContext {
            model_digest: None,
            trained_until: last.to_string(),
            pseudonyms: self.pseudonyms.clone(),
            calibration: taught.calibration.clone(),
        };
        self.verdict.self_taught_flows = Some(self.records_kept);
        self.begin(taught.self_knowledge(budget), &context, budget);
        for step in steps {
            match step {
                Step::Record(emitted) => {
                    self.tell_aliases(&emitted);
                    if let Some(Note { found, assessment: Some(assessment) }) = notes.next() {
                        self.judge_again(Emitted { found, ..emitted }, &assessment);
                    }
                }
                Step::Sighting(sighting) => self.sighting(*sighting),
                Step::Degraded(is_degraded) => self.is_degraded = is_degraded,
                Step::Tick(now) => self.beat(now),
            }
        }
        if let Some(detector) = self.detector.as_mut().filter(|_| !self.config.score_flows) {
            detector.continue_from(taught.assessor);
        }
    }

    /// Looks for what is an attack on any network; flows get no bits.
    fn judge_knowing_nothing(&mut self, steps: Vec<Step>, why: ClusterError) {
        self.verdict.too_little = Some(why);
        self.output.begin(&AlertContext { pseudonyms: self.pseudonyms.clone(), ..AlertContext::default() });
        let config = DetectorConfig { score_flows: false, ..self.config };
        self.detector = Some(Detector::new(Arc::new(Knowledge::of_nothing()), config));
        for step in steps {
            match step {
                Step::Record(emitted) => {
                    self.hand_out_unjudged(&emitted);
                    self.judge(emitted);
                }
                Step::Sighting(sighting) => self.sighting(*sighting),
                Step::Degraded(is_degraded) => self.is_degraded = is_degraded,
                Step::Tick(now) => self.beat(now),
            }
        }
    }

    /// Judges what was assessed while learning; only flows that are to be scored need it once more.
    fn judge_again(&mut self, emitted: Emitted, assessment: &Assessment) {
        if self.config.score_flows {
            self.judge(emitted);
        } else if let Some(detector) = &mut self.detector {
            let found = emitted.found.unwrap_or_else(|| detector.knowledge().vocabulary.matches(&emitted.observation));
            detector.file(&emitted.observation, found, assessment, Some(&emitted.record));
        }
    }

    fn hand_out_unjudged(&mut self, emitted: &Emitted) {
        if self.config.score_flows && emitted.record.reason != EndReason::FirstLook {
            self.output.unjudged(&emitted.record);
        }
    }

    fn judge(&mut self, mut emitted: Emitted) {
        let Some(detector) = &mut self.detector else { return };
        detector.identify(&mut emitted.observation);
        self.tell_aliases(&emitted);
        let Some(detector) = &mut self.detector else { return };
        let told = emitted.found.filter(|_| !self.matches_are_foreign);
        let found: Match = told.unwrap_or_else(|| detector.knowledge().vocabulary.matches(&emitted.observation));
        let mut flows = Vec::new();
        let record = detector.observe(&emitted.observation, found, emitted.record, &mut flows);
        if let Some(adaptation) = &mut self.adaptation {
            adaptation.observe(&emitted.observation, found, detector);
        }
        for flow in &flows {
            self.output.flow(flow, behaviour_name(detector, flow));
        }
        if let Some(mut record) = record.filter(|_| self.spent.len() < MOST_SPENT) {
            // What was said in it is not kept.
            record.facts = None;
            self.spent.push(Spent { record, observation: emitted.observation });
        }
    }

    fn tell_aliases(&mut self, emitted: &Emitted) {
        let (record, seen) = (&emitted.record, &emitted.observation);
        for (address, device) in [(record.orig_addr(), seen.orig), (record.resp_addr(), seen.resp)] {
            if let Some(detector) = &mut self.detector {
                detector.is_at(device, Host(address));
            }
            if Host(address) != device {
                self.output.alias(address, device);
            }
        }
    }

    fn beat(&mut self, now: Timestamp) {
        let Some(mut detector) = self.detector.take() else { return };
        let (mut notices, mut flows) = (Vec::new(), Vec::new());
        detector.tick(now, &mut notices, &mut flows);
        self.hand_out(&detector, &notices, &flows);
        self.detector = Some(detector);
    }

    fn hand_out(&mut self, detector: &Detector, notices: &[Notice], flows: &[ScoredFlow]) {
        for notice in notices {
            let present = detector.present(&notice.incident);
            self.output.notice(&Notice { is_degraded: self.is_degraded, present, ..notice.clone() });
        }
        for flow in flows {
            self.output.flow(flow, behaviour_name(detector, flow));
        }
    }
}

fn behaviour_name<'d>(detector: &'d Detector, flow: &ScoredFlow) -> &'d str {
    detector.knowledge().vocabulary.behaviours.get(usize::from(flow.behaviour)).map_or("", |behaviour| &behaviour.name)
}

impl Consumer for Judge<'_> {
    fn sighting(&mut self, sighting: Sighting) {
        if let Some(detector) = &mut self.detector {
            detector.sighting(&sighting);
            return;
        }
        self.holders.observe(&sighting);
        if self.learning.is_none() && self.failed.is_none() && self.kept.len() < MAX_STEPS {
            self.kept.push(Step::Sighting(Box::new(sighting)));
        }
    }

    fn record(&mut self, mut emitted: Emitted) {
        if self.detector.is_none() {
            self.holders.apply(&mut emitted.observation);
        }
        if self.detector.is_some() {
            if self.verdict.too_little.is_some() {
                self.hand_out_unjudged(&emitted);
            }
            self.judge(emitted);
        } else if let Some((_, lesson)) = &mut self.learning {
            lesson.add(*emitted.observation.clone());
            self.hand_out_unjudged(&emitted);
        } else if self.failed.is_none() {
            self.kept.push(Step::Record(emitted));
            self.records_kept += 1;
        } else {
            self.hand_out_unjudged(&emitted);
        }
    }

    fn condition(&mut self, condition: Condition) {
        self.output.condition(condition);
        if self.detector.is_some() || self.learning.is_some() || self.failed.is_some() {
            self.is_degraded = condition.is_degraded;
        } else {
            self.kept.push(Step::Degraded(condition.is_degraded));
        }
    }

    fn findings(&mut self, found: Vec<Submission>, now: Timestamp) {
        if let Some(detector) = &mut self.detector {
            detector.take(found, now);
        }
    }

    fn packets(&mut self, packets: Slices) {
        self.output.packets(packets);
    }

    fn give_back(&mut self, to: &mut Vec<Spent>) {
        to.append(&mut self.spent);
    }

    fn tick(&mut self, now: Timestamp) {
        self.now = now;
        if self.detector.is_some() {
            self.beat(now);
            self.turn(now);
        } else if self.learning.is_some() {
            self.learn_on(now);
        } else if self.failed.is_none() {
            self.kept.push(Step::Tick(now));
            if self.records_kept >= MAX_KEPT || self.kept.len() >= MAX_STEPS {
                self.learn_from_kept();
            }
        }
        self.output.tick(now);
        self.tell_state_if_wanted();
    }

    fn progress(&mut self, progress: Progress) {
        self.output.progress(progress);
    }
}

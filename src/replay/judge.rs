//! The consumer that judges.

use std::sync::Arc;

use crate::alert::AlertContext;
use crate::detect::{Assessment, Detector, DetectorConfig, DetectorCounters, HostRank, Knowledge, Notice, ScoredFlow};
use crate::flow::{EndReason, FlowRecord};
use crate::model::{Budget, ClusterError, Match, Model, ModelError};
use crate::pipeline::{Consumer, Emitted, Progress};
use crate::sighting::Sighting;
use crate::time::Timestamp;
use crate::train::{Trim, teach};

/// Records kept of a capture that teaches itself, some 1.1 kB each; flows beyond are judged by what these taught.
const MAX_KEPT: usize = 120_000;

/// Records and ticks kept together: the ticks of a month come before the records.
const MAX_STEPS: usize = 4_000_000;

/// What judges.
#[derive(Clone, Debug)]
pub enum Mode {
    /// A model, and the budget when it is not the model's own.
    Model(Arc<Model>, Option<Budget>),
    /// The capture itself; the budget when it is not the default.
    SelfTaught {
        /// Incidents per day.
        budget: Option<Budget>,
        /// Seed of the clustering.
        seed: u64,
    },
}

/// Takes what was found, in order.
pub trait Output {
    /// Before the first notice: what alerts say of their model.
    fn begin(&mut self, context: &AlertContext);
    /// An incident was opened, grew or was closed.
    fn notice(&mut self, notice: &Notice);
    /// A flow and its bits; only when flows were asked for.
    fn flow(&mut self, flow: &ScoredFlow, behaviour: &str);
    /// A flow of a capture that held too little to judge it; only when flows were asked for.
    fn unjudged(&mut self, _record: &FlowRecord) {}
    /// Called a few times a second while reading.
    fn progress(&mut self, _progress: Progress) {}
}

/// How a run went.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What the detector counted.
    pub counters: DetectorCounters,
    /// Devices by score, highest first.
    pub ranks: Vec<HostRank>,
    /// Score at which an incident opens, in bits; none when nothing could be judged.
    pub threshold: Option<f64>,
    /// Could the learning time resolve the budget?
    pub resolved: bool,
    /// Budget kept, in incidents per day.
    pub budget_per_day: f64,
    /// Devices at home that the model knows and does not know, at the end, where these are too many for it to fit.
    pub misfit: Option<(usize, usize)>,
    /// Flow records that taught, when the capture taught itself.
    pub self_taught_flows: Option<usize>,
}

/// Why nothing was judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The capture holds too little to learn from.
    #[error("the capture cannot teach itself; give a model with --model")]
    TooLittle(#[from] ClusterError),
}

enum Step {
    Sighting(Sighting),
    Record(Emitted),
    Tick(Timestamp),
}

/// Judges records as they come, or keeps them until the capture has taught itself.
pub struct Judge<'a> {
    output: &'a mut dyn Output,
    config: DetectorConfig,
    mode: Mode,
    detector: Option<Detector>,
    kept: Vec<Step>,
    records_kept: usize,
    verdict: Verdict,
    now: Timestamp,
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
            kept: Vec::new(),
            records_kept: 0,
            verdict: Verdict::default(),
            now: Timestamp::MIN,
            failed: None,
        };
        if let Mode::Model(model, budget) = &judge.mode {
            let (model, budget) = (Arc::clone(model), budget.unwrap_or(model.budget));
            judge.begin_with_model(&model, budget)?;
        }
        Ok(judge)
    }

    fn begin_with_model(&mut self, model: &Model, budget: Budget) -> Result<(), JudgeError> {
        let threshold = model.calibration.threshold(budget);
        let knowledge = Knowledge::new(
            Arc::new(model.vocabulary.clone()),
            Arc::new(model.baselines.clone()),
            model.calibration.clone(),
            threshold,
        );
        let context = AlertContext {
            model_digest: Some(model.digest()?),
            trained_until: model.provenance.trained_until.clone(),
            calibration: model.calibration.clone(),
        };
        self.begin(knowledge, &context, budget);
        Ok(())
    }

    fn begin(&mut self, knowledge: Knowledge, context: &AlertContext, budget: Budget) {
        self.verdict.threshold = Some(knowledge.threshold);
        self.verdict.resolved = knowledge.calibration.resolves(budget);
        self.verdict.budget_per_day = budget.per_day;
        self.output.begin(context);
        self.detector = Some(Detector::new(Arc::new(knowledge), self.config));
    }

    /// The capture is over: judges what was kept, closes what is open.
    ///
    /// # Errors
    /// When the capture was to teach itself and holds too little.
    pub fn finish(mut self) -> Result<Verdict, JudgeError> {
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
        self.verdict.counters = detector.counters();
        self.verdict.ranks = detector.ranks();
        self.verdict.misfit = detector.misfit();
        Ok(self.verdict)
    }

    fn learn_from_kept(&mut self) {
        let Mode::SelfTaught { budget, seed } = self.mode else { return };
        let mut steps = std::mem::take(&mut self.kept);
        let mut observations: Vec<_> = steps
            .iter_mut()
            .filter_map(|step| match step {
                Step::Record(emitted) => Some(&mut *emitted.observation),
                Step::Tick(_) | Step::Sighting(_) => None,
            })
            .collect();
        let taught = match teach(&mut observations, seed, Trim::SelfTaught) {
            Ok(taught) => taught,
            Err(error) => {
                self.failed = Some(error.into());
                self.hand_out_unjudged(&steps);
                return;
            }
        };
        let budget = budget.unwrap_or_else(|| Budget::for_hosts(taught.local_hosts()));
        let last = observations.last().map_or(Timestamp::MIN, |seen| seen.end);
        drop(observations);
        let context =
            AlertContext { model_digest: None, trained_until: last.to_string(), calibration: taught.calibration.clone() };
        self.verdict.self_taught_flows = Some(self.records_kept);
        self.begin(taught.self_knowledge(budget), &context, budget);
        let mut assessed = taught.matches.into_iter().zip(taught.assessments);
        for step in steps {
            match step {
                Step::Record(emitted) => {
                    if let Some((found, assessment)) = assessed.next() {
                        self.judge_again(Emitted { found: Some(found), ..emitted }, &assessment);
                    }
                }
                Step::Sighting(sighting) => self.sighting(sighting),
                Step::Tick(now) => self.beat(now),
            }
        }
        if let Some(detector) = self.detector.as_mut().filter(|_| !self.config.score_flows) {
            detector.continue_from(taught.assessor);
        }
    }

    /// Judges what was assessed while learning; only flows that are to be scored need it once more.
    fn judge_again(&mut self, emitted: Emitted, assessment: &Assessment) {
        if self.config.score_flows {
            self.judge(emitted);
        } else if let Some(detector) = &mut self.detector {
            detector.file(&emitted.observation, assessment, Some(&emitted.record));
        }
    }

    fn hand_out_unjudged(&mut self, steps: &[Step]) {
        for step in steps {
            if let Step::Record(emitted) = step
                && self.config.score_flows
                && emitted.record.reason != EndReason::FirstLook
            {
                self.output.unjudged(&emitted.record);
            }
        }
    }

    fn judge(&mut self, mut emitted: Emitted) {
        let Some(detector) = &mut self.detector else { return };
        detector.knowledge().baselines(emitted.observation.seen).identify(&mut emitted.observation);
        let found: Match = emitted.found.unwrap_or_else(|| detector.knowledge().vocabulary.matches(&emitted.observation));
        let mut flows = Vec::new();
        detector.observe(&emitted.observation, found, emitted.record, &mut flows);
        for flow in &flows {
            self.output.flow(flow, behaviour_name(detector, flow));
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
        notices.iter().for_each(|notice| self.output.notice(notice));
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
        } else if self.failed.is_none() && self.kept.len() < MAX_STEPS {
            self.kept.push(Step::Sighting(sighting));
        }
    }

    fn record(&mut self, emitted: Emitted) {
        if self.detector.is_some() {
            self.judge(emitted);
        } else if self.failed.is_none() {
            self.kept.push(Step::Record(emitted));
            self.records_kept += 1;
        } else {
            self.hand_out_unjudged(&[Step::Record(emitted)]);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        self.now = now;
        if self.detector.is_some() {
            self.beat(now);
        } else if self.failed.is_none() {
            self.kept.push(Step::Tick(now));
            if self.records_kept >= MAX_KEPT || self.kept.len() >= MAX_STEPS {
                self.learn_from_kept();
            }
        }
    }

    fn progress(&mut self, progress: Progress) {
        self.output.progress(progress);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::capture::{Block, CaptureError, FrameSpan, Source};
    use crate::flow::{FlowLimits, HomeNets};
    use crate::model::Provenance;
    use crate::pipeline::{PipelineConfig, run};
    use crate::train::Lesson;
    use crate::wire::LinkType;

    /// UDP questions of three clients to one server, a minute apart, as Ethernet frames.
    struct Questions {
        left: u32,
    }

    impl Source for Questions {
        fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
            block.clear();
            if self.left == 0 {
                return Ok(false);
            }
            self.left -= 1;
            let client = (self.left % 3 + 1) as u8;
            let mut frame = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, client, 8, 0];
            frame.extend([0x45, 0, 0, 48, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, client, 10, 0, 0, 9]);
            frame.extend([0x10, client, 0, 123, 0, 28, 0, 0]);
            frame.extend([7; 20]);
            let time = Timestamp::from_parts(i64::from(1_000_000 - self.left) * 60, 0);
            let bytes = 0..frame.len() as u32;
            block.bytes = frame;
            block.frames.push(FrameSpan { time, link: LinkType::ETHERNET, wire_bytes: bytes.end, bytes });
            Ok(true)
        }

        fn progress(&self) -> Option<(u64, u64)> {
            None
        }
    }

    #[derive(Default)]
    struct Seen {
        begun: Vec<AlertContext>,
        judged: usize,
        unjudged: usize,
    }

    impl Output for Seen {
        fn begin(&mut self, context: &AlertContext) {
            self.begun.push(context.clone());
        }
        fn notice(&mut self, _notice: &Notice) {
            assert!(!self.begun.is_empty(), "an alert before its context");
        }
        fn flow(&mut self, flow: &ScoredFlow, _behaviour: &str) {
            assert!(flow.bits >= 0.0);
            self.judged += 1;
        }
        fn unjudged(&mut self, _record: &FlowRecord) {
            self.unjudged += 1;
        }
    }

    fn config() -> PipelineConfig {
        let limits = FlowLimits::default().check().unwrap();
        PipelineConfig::new(2, limits, HomeNets::default())
    }

    fn judged(questions: u32, mode: Mode, score_flows: bool) -> (Seen, Result<Verdict, JudgeError>) {
        let mut seen = Seen::default();
        let mut judge = Judge::new(mode, DetectorConfig { score_flows, ..DetectorConfig::default() }, &mut seen).unwrap();
        run(&mut Questions { left: questions }, &config(), None, &mut judge, &AtomicBool::new(false));
        let verdict = judge.finish();
        (seen, verdict)
    }

    const SELF_TAUGHT: Mode = Mode::SelfTaught { budget: None, seed: 1 };

    #[test]
    fn a_capture_that_teaches_itself_is_judged_whole() {
        let (seen, verdict) = judged(90, SELF_TAUGHT, true);
        let verdict = verdict.unwrap();
        assert_eq!((seen.judged, seen.unjudged, seen.begun.len()), (90, 0, 1));
        assert!(seen.begun[0].model_digest.is_none() && verdict.self_taught_flows.is_some() && verdict.threshold.is_some());
    }

    #[test]
    fn too_little_is_told_and_its_flows_are_handed_out() {
        let (seen, verdict) = judged(5, SELF_TAUGHT, true);
        assert!(matches!(verdict, Err(JudgeError::TooLittle(_))));
        assert_eq!((seen.judged, seen.unjudged, seen.begun.len()), (0, 5, 0));
        assert_eq!(judged(5, SELF_TAUGHT, false).0.unjudged, 0, "nobody asked for flows");
    }

    #[test]
    fn a_model_judges_even_one_flow_and_is_named() {
        let mut on_progress = |_| ();
        let mut lesson = Lesson::new(&mut on_progress);
        run(&mut Questions { left: 90 }, &config(), None, &mut lesson, &AtomicBool::new(false));
        let taught = teach(&mut lesson.observations, 1, Trim::Training).unwrap();
        let model = Arc::new(taught.into_model(Provenance::default(), Budget { per_day: 1.0 }));
        let (seen, verdict) = judged(1, Mode::Model(Arc::clone(&model), None), true);
        assert_eq!((seen.judged, seen.begun[0].model_digest.clone()), (1, Some(model.digest().unwrap())));
        assert_eq!(verdict.unwrap().budget_per_day, 1.0);
        let (_, verdict) = judged(1, Mode::Model(model, Some(Budget { per_day: 5.0 })), true);
        assert_eq!(verdict.unwrap().budget_per_day, 5.0, "the budget that was asked for comes first");
    }
}

//! Judges at work, from the first record to the verdict.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::judge::Judge;
use super::mode::Mode;
use super::output::Output;
use super::verdict::{JudgeError, Verdict};
use crate::alert::AlertContext;
use crate::capture::{Block, CaptureError, FrameSpan, Source};
use crate::detect::{DetectorConfig, Notice, ScoredFlow};
use crate::flow::{FlowLimits, FlowRecord, HomeNets};
use crate::model::Budget;
use crate::pipeline::{PipelineConfig, run};
use crate::time::Timestamp;
use crate::train::{Course, Lesson};
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
    assert!(verdict.unwrap().too_little.is_some());
    assert_eq!((seen.judged, seen.unjudged, seen.begun.len()), (0, 5, 1));
    assert_eq!(judged(5, SELF_TAUGHT, false).0.unjudged, 0, "nobody asked for flows");
}

#[test]
fn a_model_judges_even_one_flow_and_is_named() {
    let mut lesson = Lesson::default();
    run(&mut Questions { left: 90 }, &config(), None, &mut lesson, &AtomicBool::new(false));
    let course = Course { seed: 1, budget: Some(Budget { per_day: 1.0 }), ..Course::default() };
    let model = Arc::new(lesson.into_model(&course).unwrap());
    let (seen, verdict) = judged(1, Mode::Model(Arc::clone(&model), None), true);
    assert_eq!((seen.judged, seen.begun[0].model_digest.clone()), (1, Some(model.digest().unwrap())));
    assert_eq!(verdict.unwrap().budget_per_day, 1.0);
    let (_, verdict) = judged(1, Mode::Model(model, Some(Budget { per_day: 5.0 })), true);
    assert_eq!(verdict.unwrap().budget_per_day, 5.0, "the budget that was asked for comes first");
}

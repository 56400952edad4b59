//! Somebody sets the clock while it is listened to: recordings of the lab come as frames of an interface, stamped by a wall clock that jumps.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::BufReader;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use auscult::alert::AlertContext;
use auscult::capture::{Block, CaptureError, FrameSpan, Source, open};
use auscult::detect::{DetectorConfig, IncidentState, Notice, ScoredFlow};
use auscult::flow::{FlowLimits, HomeNets};
use auscult::model::Model;
use auscult::pipeline::{PipelineConfig, run};
use auscult::replay::{Judge, Mode, Output};
use auscult::time::{Span, Timestamp};

use crate::support::project;

const HOUR: Span = Span::from_secs(3600);
const DAY: Span = Span::from_secs(86_400);

thread_local! {
    /// What the wall clock is for the thread that reads.
    static WALL: Cell<Timestamp> = const { Cell::new(Timestamp::MIN) };
}

/// A recording as it comes live, a second in each block, and by how much the clock is off after so many seconds of it.
struct Played<'s> {
    frames: Vec<(FrameSpan, Vec<u8>)>,
    next: usize,
    /// The second that comes next, as it would be.
    second: Timestamp,
    start: Timestamp,
    set: &'s [(i64, Span)],
}

impl<'s> Played<'s> {
    fn read(name: &str, set: &'s [(i64, Span)]) -> Self {
        let path = project(&format!("datasets/hospital/{name}/capture.pcap.zst"));
        let (mut source, mut block, mut frames) = (open(&[path.into()]).unwrap(), Block::default(), Vec::new());
        while source.fill(&mut block).unwrap() || !block.frames.is_empty() {
            frames.extend(std::mem::take(&mut block.frames).into_iter().map(|span| {
                let bytes = block.frame(&span).data.to_vec();
                (span, bytes)
            }));
        }
        let start = frames[0].0.time;
        Self { frames, next: 0, second: start, start, set }
    }
}

impl Source for Played<'_> {
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.clear();
        let since = self.second.since(self.start).as_seconds() as i64;
        let off = self.set.iter().rfind(|(from, _)| *from <= since).map_or(Span::ZERO, |(_, off)| *off);
        let end = self.second + Span::from_secs(1);
        while let Some((span, bytes)) = self.frames.get(self.next).filter(|(span, _)| span.time < end) {
            let begin = block.bytes.len() as u32;
            block.bytes.extend(bytes);
            block.frames.push(FrameSpan { time: span.time + off, bytes: begin..block.bytes.len() as u32, ..span.clone() });
            self.next += 1;
        }
        WALL.set(end + off);
        self.second = end;
        Ok(self.next < self.frames.len())
    }
}

/// What was told: class and device of each incident, and the lines that opened and closed some.
#[derive(Default, Debug)]
struct Told {
    incidents: BTreeSet<(&'static str, String)>,
    opened: Vec<u64>,
    closed: Vec<u64>,
}

impl Output for Told {
    fn begin(&mut self, _context: &AlertContext) {}

    fn notice(&mut self, notice: &Notice) {
        let incident = &notice.incident;
        self.incidents.insert((incident.class.info().name, incident.host.to_string()));
        match notice.state {
            IncidentState::Open => self.opened.push(incident.id),
            IncidentState::Closed => self.closed.push(incident.id),
            IncidentState::Update => {}
        }
    }

    fn flow(&mut self, _flow: &ScoredFlow, _behaviour: &str) {}
}

/// Judges a recording as `watch` does, with a clock that is set, where it is known that it may be.
fn judged(name: &str, set: &[(i64, Span)], most_pause: Option<Span>) -> Told {
    let file = std::fs::File::open(project("models/hospital.json")).unwrap();
    let model = Arc::new(Model::load(BufReader::new(file)).unwrap());
    let vocabulary = Arc::new(model.vocabulary.clone());
    let mut config = PipelineConfig::new(1, FlowLimits::default().check().unwrap(), HomeNets::default());
    config.idle_clock = Some(|| WALL.get());
    let detector = DetectorConfig { most_pause, ..DetectorConfig::default() };
    let mut told = Told::default();
    let mut judge = Judge::new(Mode::Model(model, None), detector, &mut told).unwrap();
    let mut played = Played::read(name, set);
    let (account, errors) = run(&mut played, &config, Some(&vocabulary), &mut judge, &AtomicBool::new(false));
    judge.finish().unwrap();
    assert!(errors.is_empty() && account.balanced() && account.frames == played.frames.len() as u64, "{account}");
    // Nothing is opened or closed twice by it.
    for ids in [&told.opened, &told.closed] {
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{told:?}");
    }
    told
}

const MOST_PAUSE: Option<Span> = Some(Span::from_secs(30));

#[test]
fn a_clock_that_is_set_changes_nothing_that_is_found() {
    let wanted = judged("intrusion-loud", &[], MOST_PAUSE);
    assert!(wanted.incidents.len() > 5, "{wanted:?}");
    // Back before the attacks and in the midst of them; then right again.
    let set: &[(i64, Span)] =
        &[(1800, Span::from_nanos(-HOUR.nanos())), (6000, Span::from_nanos(-2 * HOUR.nanos())), (8000, Span::ZERO)];
    let back = judged("intrusion-loud", set, MOST_PAUSE);
    assert_eq!(back.incidents, wanted.incidents);
    assert_eq!((back.opened.len(), back.closed.len()), (wanted.opened.len(), wanted.closed.len()));
    let forward = judged("intrusion-loud", &[(5000, DAY)], MOST_PAUSE);
    println!("{:?}\n{:?}", forward.incidents.difference(&wanted.incidents), wanted.incidents.difference(&forward.incidents));
    assert_eq!(forward.incidents, wanted.incidents);
}

#[test]
fn a_clock_that_is_set_makes_nobody_silent() {
    let set: &[(i64, Span)] = &[(2400, Span::from_nanos(-HOUR.nanos())), (4800, DAY)];
    let wanted = judged("clean", &[], MOST_PAUSE);
    let told = judged("clean", set, MOST_PAUSE);
    assert_eq!(told.incidents, wanted.incidents);
    let is_silent = |told: &Told| told.incidents.iter().any(|(class, _)| *class == "silent_channel");
    assert!(!is_silent(&told), "{told:?}");
    // A day without anybody is none of silence, whether or not it is known that the clock may be set; less than an hour is, where it is not.
    assert!(!is_silent(&judged("clean", &[(4800, DAY)], None)));
    assert!(is_silent(&judged("clean", &[(4800, Span::from_secs(3000))], None)));
}

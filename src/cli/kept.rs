//! `--state`: what is remembered over a crash.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::answered::Answered;
use super::args::{JudgeArgs, LearnArgs};
use super::exit::{Usage, in_one_line};
use super::judge::load_file;
use super::plan::Plan;
use super::train::save_as;
use crate::alert::AlertContext;
use crate::detect::{Lives, Memory, Notice, Remembered, ScoredFlow};
use crate::evidence::Slices;
use crate::feature::Host;
use crate::flow::FlowRecord;
use crate::model::{Model, Vocabulary};
use crate::pipeline::{Condition, Progress, Stopwatch};
use crate::replay::{Judge, Mode, Output, State};
use crate::sink::Retention;
use crate::state::{Desk, Fault, Folder, Found, Keeper, Tell};
use crate::time::{Span, Timestamp};
use crate::train::{Lesson, Spool};
use crate::wire::Addr;

/// What `--learn` has learned so far, as training keeps it, and the model that it learned in the end.
const LESSON: &str = "lesson";
const LEARNED: &str = "learned.json";

/// What is remembered, and how often.
#[derive(Debug, Args)]
#[command(next_help_heading = "Staying up")]
pub struct StateArgs {
    /// Remember in this folder what was seen, told and learned, so that a program that was killed goes on from there [default of
    /// watch: state in STATE_DIRECTORY, where systemd gives one]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Do so this often; what was told is remembered at once
    #[arg(long, value_name = "SPAN", value_parser = crate::time::parse_span, default_value = "1m")]
    pub state_every: Span,
}

impl StateArgs {
    /// Takes the folder that systemd gives, where none is named and there is a model to go on with.
    #[must_use]
    pub fn or_of_service(&self, judge: &JudgeArgs, learn: &LearnArgs) -> Self {
        let has_model = judge.model.is_some() || learn.learn.is_some() || learn.adapt.is_some();
        let of_service = || Some(super::sinks::of_service().filter(|_| has_model)?.join("state"));
        Self { state: self.state.clone().or_else(of_service), state_every: self.state_every }
    }
}

/// What is kept.
#[derive(Deserialize)]
struct Stored {
    /// Digest of the model that judges, or of the one that was trained where it learns on; none while it is still learned.
    anchor: Option<String>,
    /// Fingerprint of the key of pseudonyms.
    key: Option<String>,
    learning: Option<Learning>,
    memory: Option<Memory>,
    lives: Lives,
}

/// What it begins with: what was learned outlives a new version of the program, whose memory may be another.
type Outliving = (Option<String>, Option<String>, Option<Learning>);

/// How long it is learned in all, until when, how many bytes of the lesson are whole, and how many observations were too many.
type Learning = (Span, Option<Timestamp>, u64, u64);

/// The same, to be written. The order of the fields is their form.
#[derive(Serialize)]
struct Storing<'a> {
    anchor: Option<&'a str>,
    key: Option<&'a str>,
    learning: Option<Learning>,
    memory: Option<Remembered<'a>>,
    lives: &'a Lives,
}

/// What is noted at once.
#[derive(Deserialize)]
enum Entry {
    /// This is about to be told.
    Notice(Box<Notice>),
    /// All that was noted before was told.
    Told,
}

/// The same, to be written.
#[derive(Serialize)]
enum Noting<'a> {
    Notice(&'a Notice),
    Told,
}

/// A folder and what was found in it.
pub struct Remembering {
    folder: Arc<Folder>,
    found: Found<Stored, Entry, Outliving>,
    every: Span,
    anchor: Option<String>,
    key: Option<String>,
    learn: Option<Span>,
    /// When what was set aside goes.
    retention: Option<Retention>,
}

impl Remembering {
    /// Looks what is remembered; a plan that was to learn goes on with what was learned. Nothing where no folder is named.
    ///
    /// # Errors
    /// Wrong usage; a folder that cannot be used.
    pub fn open(args: &StateArgs, plan: &mut Plan, retention: Option<Retention>) -> anyhow::Result<Option<Self>> {
        let Some(path) = &args.state else { return Ok(None) };
        if matches!(plan.mode, Mode::SelfTaught { .. }) {
            return Err(Usage(format!(
                "--state {}: there is nothing to go on from without a model: give --model or --learn",
                path.display()
            ))
            .into());
        }
        let folder = Arc::new(Folder::open(path)?);
        if let Mode::Learn { course, .. } = &plan.mode
            && folder.file(LEARNED).exists()
        {
            let (learned, budget) = (folder.file(LEARNED), course.budget);
            // As a checkpoint, it keeps nobody from starting.
            match load_file(&learned).and_then(|model| plan.judge_by(model, budget)) {
                Ok(()) => {
                    tell!("auscult: {}: --learn has learned before and judges; remove this file to learn anew", learned.display())
                }
                Err(error) => {
                    folder.set_aside(LEARNED)?;
                    tell!("auscult: {}; set aside as {LEARNED}.aside, and it is learned anew", in_one_line(&error));
                }
            }
        }
        let learn = if let Mode::Learn { span, .. } = &plan.mode { Some(*span) } else { None };
        let model = match (&plan.anchor, &plan.mode) {
            (Some(anchor), _) => Some(anchor),
            (None, Mode::Model(model, _)) => Some(&**model),
            _ => None,
        };
        let (anchor, key) = (model.map(Model::digest).transpose()?, plan.fitting().key);
        let found = folder.find(|stored: &Stored| stored.fits((anchor.as_deref(), key.as_deref(), learn)))?;
        if let Some(remark) = &found.remark {
            tell!("auscult: {remark}");
        }
        Ok(Some(Self { folder, found, every: args.state_every, anchor, key, learn, retention }))
    }
}

impl Stored {
    /// Is it of what judges now?
    fn fits(&self, (anchor, key, learn): (Option<&str>, Option<&str>, Option<Span>)) -> Result<(), String> {
        if self.key.as_deref() != key {
            return Err("of other pseudonyms".to_owned());
        }
        if self.anchor.as_deref() != anchor {
            let named = |digest: Option<&str>| digest.unwrap_or("none yet").to_owned();
            return Err(format!("of another model ({}; this one is {})", named(self.anchor.as_deref()), named(anchor)));
        }
        if self.learning.map(|(span, ..)| span) != learn {
            return Err("of another --learn".to_owned());
        }
        Ok(())
    }
}

/// Hands everything on, having noted what is told, where that is wanted.
pub struct Kept<'a, 'o> {
    to: &'a mut Answered<'o>,
    keeping: Option<Keeping>,
    desk: Option<Desk>,
}

/// What is kept, and where.
struct Keeping {
    keeper: Keeper,
    folder: Arc<Folder>,
    every_s: f64,
    watch: Stopwatch,
    last_s: f64,
    /// Was something told since the journal said that all was?
    is_telling: bool,
    anchor: Option<String>,
    /// Does the anchor stay, as of a model that learns on?
    is_anchored: bool,
    key: Option<String>,
    learn: Option<Span>,
    /// The lesson on disk, and how many observations it holds.
    lesson: Option<(Spool, usize)>,
    keeping_lesson: Fault,
    retention: Option<Retention>,
    /// When it was looked last for what is too old.
    swept_s: f64,
}

/// What a judge goes on from.
#[derive(Default)]
pub struct GoesOn {
    memory: Option<Memory>,
    untold: Vec<Notice>,
    learning: Option<(Option<Timestamp>, Lesson)>,
}

impl GoesOn {
    /// Lets a judge go on.
    pub fn hand_to(self, judge: &mut Judge<'_>) {
        if let Some(memory) = self.memory {
            judge.go_on(memory, &self.untold);
        }
        if let Some((until, lesson)) = self.learning {
            judge.learn_from(until, lesson);
        }
        judge.tell_state_if_wanted();
    }
}

impl<'a, 'o> Kept<'a, 'o> {
    /// Keeps what is told to another, where a folder is given; returns what there is to go on from.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(
        (remembering, desk): (Option<Remembering>, Option<Desk>),
        is_anchored: bool,
        to: &'a mut Answered<'o>,
    ) -> anyhow::Result<(Self, GoesOn)> {
        let mut goes_on = GoesOn::default();
        let Some(Remembering { folder, mut found, every, anchor, key, learn, retention }) = remembering else {
            return Ok((Self { to, keeping: None, desk }, goes_on));
        };
        let tell: Tell = Arc::new(|text| tell!("auscult: {text}"));
        let keeper = Keeper::start(Arc::clone(&folder), &found, Arc::clone(&tell))?;
        let keeping_lesson = Fault::new(tell, "learning");
        let (watch, every_s) = (Stopwatch::start(), every.as_seconds());
        // The first checkpoint is due at once: without one, a journal is worth nothing.
        let (last_s, is_telling, lesson) = (f64::NEG_INFINITY, false, None);
        let mut keeping = Keeping {
            keeper,
            folder,
            every_s,
            watch,
            last_s,
            is_telling,
            anchor,
            is_anchored,
            key,
            learn,
            lesson,
            keeping_lesson,
            retention,
            swept_s: f64::NEG_INFINITY,
        };
        if let Some((None, of_key, Some(learning))) = found.outlived.take().filter(|_| keeping.learn.is_some())
            && of_key == keeping.key
            && Some(learning.0) == keeping.learn
        {
            tell!("auscult: {}: what was learned goes on", keeping.folder.file(LESSON).display());
            goes_on.learning = keeping.open_lesson_or_anew(Some(learning));
        }
        if let Some((stored, entries)) = found.remembered.take() {
            let Stored { learning, memory, lives, .. } = stored;
            let gate = to.gate_mut();
            gate.take_up(lives);
            let mut memory = memory.unwrap_or_default();
            for entry in entries {
                match entry {
                    Entry::Notice(notice) => {
                        memory.take_up(&notice);
                        goes_on.untold.push(*notice);
                    }
                    Entry::Told => goes_on.untold.drain(..).for_each(|notice| gate.passed(&notice)),
                }
            }
            let (folder, open) = (keeping.folder.file(""), memory.open_incidents());
            tell!("auscult: {}: goes on from there; open incidents: {open}", folder.display());
            goes_on.memory = Some(memory);
            goes_on.learning = keeping.open_lesson_or_anew(learning);
        }
        Ok((Self { to, keeping: Some(keeping), desk }, goes_on))
    }
}

impl Keeping {
    fn open_lesson_or_anew(&mut self, learning: Option<Learning>) -> Option<(Option<Timestamp>, Lesson)> {
        self.open_lesson(learning).unwrap_or_else(|error| {
            tell!("auscult: {}; it is learned anew", in_one_line(&error));
            None
        })
    }

    /// What was learned before.
    fn open_lesson(&mut self, learning: Option<Learning>) -> anyhow::Result<Option<(Option<Timestamp>, Lesson)>> {
        let Some((_, until, bytes, not_kept)) = learning else { return Ok(None) };
        let path = self.folder.file(LESSON);
        let place = || path.display().to_string();
        let file = OpenOptions::new().read(true).write(true).open(&path).with_context(place)?;
        anyhow::ensure!(file.metadata().with_context(place)?.len() >= bytes, "{}: shorter than it was", path.display());
        // What came after the checkpoint is not known to be whole.
        file.set_len(bytes).with_context(place)?;
        let mut spool = Spool::named(file, &path);
        spool.take_up()?;
        let mut lesson = Lesson::default();
        lesson.not_kept = not_kept;
        spool.each(&mut |seen, _| {
            lesson.add(seen.clone());
            Ok(())
        })?;
        self.lesson = Some((spool, lesson.observations.len()));
        Ok(Some((until, lesson)))
    }

    /// Writes what was learned since the last time.
    fn keep_lesson(&mut self, lesson: &Lesson) -> anyhow::Result<()> {
        let path = self.folder.file(LESSON);
        if self.lesson.is_none() {
            let open = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path);
            self.lesson = Some((Spool::named(open.with_context(|| path.display().to_string())?, &path), 0));
        }
        let Some((spool, known)) = &mut self.lesson else { return Ok(()) };
        // What found no room the last time goes first, so that it does not grow without end.
        spool.flush()?;
        for seen in lesson.observations.get(*known..).unwrap_or_default() {
            // The spool has it even if it finds no room for it now.
            *known += 1;
            spool.push(seen)?;
        }
        Ok(spool.flush()?)
    }

    fn keep(&mut self, state: &State<'_>, lives: &Lives) {
        if let Some((_, lesson)) = state.learning {
            let kept = self.keep_lesson(lesson).map_err(|error| in_one_line(&error));
            self.keeping_lesson.note("what is learned", kept);
        }
        self.sweep();
        // What was whole before stays whole.
        let bytes = self.lesson.as_ref().map_or(0, |(spool, _)| spool.bytes());
        self.last_s = self.watch.seconds();
        let learning = state.learning.zip(self.learn).map(|((until, lesson), span)| (span, until, bytes, lesson.not_kept));
        let anchor = if learning.is_some() { None } else { self.anchor.as_deref() };
        let storing = Storing { anchor, key: self.key.as_deref(), learning, memory: state.memory, lives };
        self.keeper.keep(&storing, state.is_last);
    }

    /// Once an hour: what was set aside, and a lesson that nobody goes on with, is kept no longer than other records.
    fn sweep(&mut self) {
        let now_s = self.watch.seconds();
        if let Some(retention) = self.retention.as_ref().filter(|_| now_s - self.swept_s >= 3600.0) {
            self.swept_s = now_s;
            let unused: &[&str] = if self.learn.is_none() { &[LESSON] } else { &[] };
            self.folder.forget(unused, |path| {
                let is_over = retention.is_over(path).unwrap_or(false);
                if is_over {
                    (retention.tell)(&format!("{}: removed, as it is older than --keep", path.display()));
                }
                is_over
            });
        }
    }

    /// The model that was learned is to judge after a crash, too.
    fn keep_model(&mut self, model: &Model) {
        if self.learn.is_none() || model.provenance.adapted.is_some() {
            return;
        }
        let saved = save_as(model, &self.folder.file(LEARNED), 0o600).and_then(|()| Ok(self.folder.sync()?));
        if let Err(error) = saved {
            tell!("auscult: {}; judging goes on, but a crash now would begin to learn anew", in_one_line(&error));
        }
        // What was learned is in the model.
        let _ = std::fs::remove_file(self.folder.file(LESSON));
        (self.lesson, self.learn, self.last_s) = (None, None, f64::NEG_INFINITY);
    }
}

impl Output for Kept<'_, '_> {
    fn begin(&mut self, context: &AlertContext) {
        if let Some(keeping) = self.keeping.as_mut().filter(|it| !it.is_anchored || it.anchor.is_none()) {
            keeping.anchor.clone_from(&context.model_digest);
        }
        self.to.begin(context);
    }

    fn model(&mut self, model: &Arc<Model>) {
        if let Some(keeping) = &mut self.keeping {
            keeping.keep_model(model);
        }
        self.to.model(model);
    }

    fn partial(&mut self, model: &Arc<Model>) {
        // The lesson stays: the next start goes on with it.
        self.to.partial(model);
    }

    fn reloaded(&mut self, model: &Arc<Model>) {
        if let Some(keeping) = &mut self.keeping {
            // The state is of this model from now on.
            keeping.last_s = f64::NEG_INFINITY;
        }
        self.to.reloaded(model);
    }

    fn vocabulary(&mut self, vocabulary: &Vocabulary) {
        self.to.vocabulary(vocabulary);
    }

    fn notice(&mut self, notice: &Notice) {
        if let Some(keeping) = &mut self.keeping {
            keeping.keeper.note(&Noting::Notice(notice));
            keeping.is_telling = true;
        }
        self.desk.iter().for_each(Desk::note_told);
        self.to.notice(notice);
    }

    fn tick(&mut self, now: Timestamp) {
        self.to.tick(now);
        if let Some(keeping) = self.keeping.as_mut().filter(|keeping| keeping.is_telling && !self.to.waits()) {
            keeping.keeper.note(&Noting::Told);
            keeping.is_telling = false;
        }
    }

    fn wants_state(&mut self) -> bool {
        // What waits is in the journal alone, which ends with the next checkpoint.
        let is_due = self.keeping.as_ref().is_some_and(|keeping| keeping.watch.seconds() - keeping.last_s >= keeping.every_s);
        (is_due || self.desk.as_ref().is_some_and(Desk::is_asked)) && !self.to.waits()
    }

    fn state(&mut self, state: &State<'_>) {
        self.to.state(state);
        if let (Some(desk), Some(memory)) = (self.desk.as_ref().filter(|_| !self.to.waits()), state.memory)
            && let Err(error) = desk.store(&memory, self.to.gate().lives())
        {
            tell!("auscult: what is filed has no form as bytes: {error}");
        }
        // The last state, too, would end a journal whose alerts wait.
        if let Some(keeping) = self.keeping.as_mut().filter(|_| !self.to.waits()) {
            keeping.keep(state, self.to.gate().lives());
        }
    }

    fn packets(&mut self, packets: Slices) {
        self.to.packets(packets);
    }

    fn alias(&mut self, address: Addr, device: Host) {
        self.to.alias(address, device);
    }

    fn flow(&mut self, flow: &ScoredFlow, behaviour: &str) {
        self.to.flow(flow, behaviour);
    }

    fn unjudged(&mut self, record: &FlowRecord) {
        self.to.unjudged(record);
    }

    fn condition(&mut self, condition: Condition) {
        self.to.condition(condition);
    }

    fn progress(&mut self, progress: Progress) {
        match self.desk.as_ref().map(Desk::take_as_writer) {
            Some(Ok(Some(lives))) => self.to.gate_mut().take_up(lives),
            Some(Err(error)) => tell!("auscult: what answers hid before cannot be read: {error}; it is begun anew"),
            Some(Ok(None)) | None => {}
        }
        self.to.progress(progress);
    }
}

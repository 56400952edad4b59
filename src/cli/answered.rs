//! Answers between the detector and what is written.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::answer_args::AnswersArgs;
use super::answer_file::{Stand, Watcher, standing};
use super::output::chained;
use super::patient::Patient;
use crate::alert::{AlertContext, AlertLines, Chain};
use crate::detect::{AnsweredBy, Answers, Gate, Notice, Passage, ScoredFlow, Subject};
use crate::evidence::Slices;
use crate::feature::Host;
use crate::flow::FlowRecord;
use crate::model::{Model, Vocabulary};
use crate::pipeline::{Condition, Progress};
use crate::replay::{Output, State};
use crate::time::Timestamp;
use crate::wire::Addr;

/// Is told when other answers stand.
pub type OnAnswers = Box<dyn Fn(Arc<Answers>) + Send>;

type Target = Patient<Box<dyn Write + Send>>;

/// Hands on what answers do not hide.
pub struct Answered<'a> {
    to: &'a mut dyn Output,
    gate: Gate,
    watcher: Option<Watcher>,
    hidden: Option<Hidden>,
    failed: Option<anyhow::Error>,
}

/// Where what is hidden is written.
struct Hidden {
    path: PathBuf,
    target: Option<(Target, Chain)>,
    lines: Option<AlertLines<Target>>,
}

impl<'a> Answered<'a> {
    /// Reads the answers, where there are any; `live` reads them again when they change, and goes on with a file of what is
    /// hidden. Where somebody is to be told of changes, they are read again too.
    ///
    /// # Errors
    /// When answers cannot be read, or the file of what they hide cannot be created.
    pub fn open(args: &AnswersArgs, live: bool, tell: Option<OnAnswers>, to: &'a mut dyn Output) -> anyhow::Result<Self> {
        args.check()?;
        let (answers, watcher) = if live || tell.is_some() && args.answers.is_some() {
            let (watcher, answers) = Watcher::start(args.answers.clone(), args.mutes.clone(), tell)?;
            (answers, Some(watcher))
        } else {
            (standing(args.answers.as_deref(), &args.mutes)?, None)
        };
        let hidden = args.hidden.as_ref().map(|path| Hidden::open(path, live)).transpose()?;
        Ok(Self { to, gate: Gate::new(Arc::new(answers)), watcher, hidden, failed: None })
    }

    /// What decides what is told.
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The same, to let it go on.
    pub const fn gate_mut(&mut self) -> &mut Gate {
        &mut self.gate
    }

    /// What stands, where it may change.
    pub fn stand(&self) -> Option<Arc<Stand>> {
        self.watcher.as_ref().map(Watcher::stand)
    }

    /// What was told and what was hidden, and what goes on telling of other answers as long as it is held.
    ///
    /// # Errors
    /// The first line that could not be written.
    pub fn finish(mut self) -> anyhow::Result<(Gate, Option<Watcher>)> {
        if let Some(Hidden { path, lines: Some(lines), .. }) = &mut self.hidden
            && let Err(error) = lines.inner_mut().finish()
        {
            let place = format!("{}: cannot be written", path.display());
            self.failed.get_or_insert_with(|| anyhow::Error::new(error).context(place));
        }
        self.failed.map_or(Ok((self.gate, self.watcher)), Err)
    }

    /// Applies answers that were given meanwhile.
    fn look(&mut self, now: Timestamp) {
        if let Some(answers) = self.watcher.as_ref().and_then(Watcher::changed) {
            self.to.answered(&answers, now);
            self.gate.replace(answers);
        }
    }

    fn hide(&mut self, notice: &Notice, by: AnsweredBy) {
        let notice = answered(notice, by);
        self.to.hidden(&notice);
        let Some(Hidden { path, lines: Some(lines), .. }) = &mut self.hidden else { return };
        if let Err(error) = lines.write(&notice)
            && self.failed.is_none()
        {
            self.failed = Some(anyhow::Error::new(error).context(format!("{}: cannot be written", path.display())));
        }
    }
}

impl Hidden {
    fn open(path: &Path, live: bool) -> anyhow::Result<Self> {
        let (target, chain) = chained(path, live)?;
        Ok(Self { path: path.to_path_buf(), target: Some((Patient::new(path, target), chain)), lines: None })
    }
}

/// The same notice, saying which answer it has.
fn answered(notice: &Notice, by: AnsweredBy) -> Notice {
    let mut notice = notice.clone();
    notice.incident.answered_by = Some(Arc::new(by));
    notice
}

impl Output for Answered<'_> {
    fn begin(&mut self, context: &AlertContext) {
        if let Some(hidden) = &mut self.hidden {
            if let Some(lines) = &mut hidden.lines {
                lines.continue_with(context.clone());
            }
            if let Some((target, chain)) = hidden.target.take() {
                hidden.lines = Some(AlertLines::after(chain, target, context.clone()));
            }
        }
        self.to.begin(context);
    }

    fn model(&mut self, model: &Arc<Model>) {
        self.to.model(model);
    }

    fn partial(&mut self, model: &Arc<Model>) {
        self.to.partial(model);
    }

    fn reloaded(&mut self, model: &Arc<Model>) {
        self.to.reloaded(model);
    }

    fn vocabulary(&mut self, vocabulary: &Vocabulary) {
        self.to.vocabulary(vocabulary);
    }

    fn condition(&mut self, condition: Condition) {
        self.to.condition(condition);
    }

    fn notice(&mut self, notice: &Notice) {
        self.look(notice.raised);
        match self.gate.pass(&Subject::of(notice), notice.state) {
            Passage::Told(state) if state == notice.state => self.to.notice(notice),
            Passage::Told(state) => self.to.notice(&Notice { state, ..notice.clone() }),
            Passage::End(by) => self.to.notice(&answered(notice, by)),
            Passage::Hidden(by) => self.hide(notice, by),
        }
    }

    fn packets(&mut self, packets: Slices) {
        self.to.packets(packets);
    }

    fn alias(&mut self, address: Addr, device: Host) {
        self.to.alias(address, device);
    }

    fn tick(&mut self, now: Timestamp) {
        if let Some(Hidden { lines: Some(lines), .. }) = &mut self.hidden {
            // A reader that went away reads no more.
            let _ = lines.inner_mut().catch_up();
        }
        self.look(now);
        self.to.tick(now);
    }

    fn waits(&mut self) -> bool {
        let lines = self.hidden.as_mut().and_then(|hidden| hidden.lines.as_mut());
        lines.is_some_and(|lines| lines.inner_mut().waits()) || self.to.waits()
    }

    fn state(&mut self, state: &State<'_>) {
        self.to.state(state);
    }

    fn flow(&mut self, flow: &ScoredFlow, behaviour: &str) {
        self.to.flow(flow, behaviour);
    }

    fn unjudged(&mut self, record: &FlowRecord) {
        self.to.unjudged(record);
    }

    fn progress(&mut self, progress: Progress) {
        self.to.progress(progress);
    }
}

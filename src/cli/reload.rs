//! HUP: the configuration and the model are read again, on a thread of their own, while judging goes on.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
#[cfg(feature = "nats")]
use std::time::Duration;

use anyhow::Context as _;
use signal_hook::consts::SIGHUP;
use signal_hook::iterator::{Handle, Signals};

use super::answer_file::Stand;
use super::args::{Command, WatchArgs};
use super::config::{self, Flags, Refused, Said};
use super::exit::in_one_line;
use super::fleet::in_store;
use super::hidden::fits;
use super::judge::load;
use super::versions::Versions;
use crate::model::{Budget, Model, Order};

/// Flags that change while judging goes on, where a model judges; the version in use of one that learns on is no flag.
const LIVE: [&str; 2] = ["model", "alert_budget"];

/// What judges from now on.
pub struct Reload {
    /// The model.
    pub model: Arc<Model>,
    /// The budget, where it is not the model's own.
    pub budget: Option<Budget>,
}

/// What a model that comes later must fit.
pub struct Fitting {
    /// Fingerprint of the key of pseudonyms.
    pub key: Option<String>,
    /// The order of the addresses that they stand for.
    pub order: Option<Order>,
}

/// Digest of the model that judges, and the budget a day where it is not the model's own.
pub type Judging = (String, Option<f64>);

/// Takes HUP from now on: what comes before anybody waits for it is kept.
///
/// # Errors
/// When the system refuses the handler.
pub fn hangups() -> anyhow::Result<Signals> {
    Signals::new([SIGHUP]).context("setting a signal handler")
}

/// How often it is looked whether something else is to judge.
#[cfg(feature = "nats")]
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Waits for HUP, those that come while one is at work being one, or looks elsewhere for what is to judge.
pub struct Reloader {
    newest: Arc<Mutex<Option<Reload>>>,
    handle: Option<Handle>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reloader {
    /// Begins to wait; answers are renewed where `stand` says that there may be some. Where no model judges by now, none can take its place.
    ///
    /// # Errors
    /// When the system refuses the thread.
    pub fn start(
        mut signals: Signals,
        mut flags: Flags,
        (fitting, mut judging): (Fitting, Option<Judging>),
        stand: Option<Arc<Stand>>,
    ) -> anyhow::Result<Self> {
        let (handle, newest) = (signals.handle(), Arc::new(Mutex::new(None)));
        let slot = Arc::clone(&newest);
        let argv: Vec<OsString> = std::env::args_os().collect();
        let wait = move || {
            for _ in signals.forever() {
                match again(&argv, &mut flags, (&fitting, &mut judging), stand.as_deref()) {
                    Ok(Some(reload)) => *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(reload),
                    Ok(None) => {}
                    Err(error) => tell!("auscult: HUP: {}; what was read before still holds", in_one_line(&error)),
                }
            }
        };
        let thread = thread::Builder::new().name("reload".to_owned()).spawn(wait).context("starting a thread")?;
        Ok(Self { newest, handle: Some(handle), stop: Arc::default(), thread: Some(thread) })
    }

    /// Looks now and then; what cannot be read is told, once as long as it stays so, and what judges still holds.
    ///
    /// # Errors
    /// When the system refuses the thread.
    #[cfg(feature = "nats")]
    pub fn looking(mut look: impl FnMut() -> anyhow::Result<Option<Reload>> + Send + 'static) -> anyhow::Result<Self> {
        let (newest, stop) = (Arc::new(Mutex::new(None)), Arc::<AtomicBool>::default());
        let (slot, over) = (Arc::clone(&newest), Arc::clone(&stop));
        let wait = move || {
            let mut told = None;
            while !over.load(Ordering::Relaxed) {
                match look() {
                    Ok(Some(reload)) => *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(reload),
                    Ok(None) => told = None,
                    Err(error) => {
                        let error = in_one_line(&error);
                        if told.as_ref() != Some(&error) {
                            tell!("auscult: the model: {error}; the one before still judges");
                        }
                        told = Some(error);
                    }
                }
                thread::sleep(LOOK_EVERY);
            }
        };
        let thread = thread::Builder::new().name("models".to_owned()).spawn(wait).context("starting a thread")?;
        Ok(Self { newest, handle: None, stop, thread: Some(thread) })
    }

    /// What judges from now on, when that has changed.
    pub fn changed(&self) -> Option<Reload> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Reloader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.handle.iter().for_each(Handle::close);
        if let Some(thread) = self.thread.take() {
            // It only ends with a panic, which was told.
            let _ = thread.join();
        }
    }
}

fn said(argv: &[OsString]) -> anyhow::Result<Said> {
    config::parse(argv).map_err(|refused| match refused {
        Refused::Usage(error) => anyhow::anyhow!("{}", config::first_words(&error)),
        Refused::File(text) => anyhow::anyhow!(text),
    })
}

/// Reads everything again. Nothing changes where a part of it is wrong.
fn again(
    argv: &[OsString],
    flags: &mut Flags,
    (fitting, judging): (&Fitting, &mut Option<Judging>),
    stand: Option<&Stand>,
) -> anyhow::Result<Option<Reload>> {
    let said = said(argv)?;
    let Command::Watch(mut args) = said.cli.command else { return Ok(None) };
    let mutes = std::mem::take(&mut args.answers.mutes);
    let model = if judging.is_some() { model(&args)? } else { None };
    let live: &[&str] = match (&model, &args.learn.adapt) {
        (None, _) => &[],
        (Some(_), None) => &LIVE,
        (Some(_), Some(_)) => &LIVE[1..],
    };
    let answers = stand.map(|stand| stand.read(mutes)).transpose()?;
    let reload = match model {
        Some(model) => judges(model, &args, fitting, judging)?,
        None => {
            tell!("auscult: HUP: read again");
            None
        }
    };
    let waiting = said.flags.symmetric_difference(flags).map(|(id, _)| id.as_str()).filter(|id| !live.contains(id));
    let waiting: BTreeSet<String> = waiting.map(|id| id.replace('_', "-")).collect();
    // Without a file the command line is all there is, and it cannot change.
    if !waiting.is_empty() && args.config.config.is_some() {
        let named: Vec<String> = waiting.into_iter().collect();
        tell!("auscult: HUP: this changes with the next start only: {}", named.join(", "));
    }
    flags.retain(|(id, _)| !live.contains(&id.as_str()));
    flags.extend(said.flags.into_iter().filter(|(id, _)| live.contains(&id.as_str())));
    if let (Some(stand), Some(read)) = (stand, answers) {
        stand.take(read);
    }
    Ok(reload)
}

/// Says which model judges from now on; none where it is the same with the same budget.
fn judges(
    mut model: Model,
    args: &WatchArgs,
    fitting: &Fitting,
    judging: &mut Option<Judging>,
) -> anyhow::Result<Option<Reload>> {
    fits(&model, fitting.key.clone())?;
    let per_day = args.judge.alert_budget;
    let digest = model.digest()?;
    if judging.as_ref().is_some_and(|(old, budget)| (old, budget) == (&digest, &per_day)) {
        tell!("auscult: HUP: read again; model and budget are the same");
        return Ok(None);
    }
    if let Some(order) = &fitting.order {
        model.baselines.order = order.clone();
    }
    tell!("auscult: HUP: read again; the model is {digest}");
    *judging = Some((digest, per_day));
    Ok(Some(Reload { model: Arc::new(model), budget: per_day.map(|per_day| Budget { per_day }) }))
}

/// The model that is to judge: the version in use where it learns on. None where it is learned on the job.
fn model(args: &WatchArgs) -> anyhow::Result<Option<Model>> {
    if let Some(folder) = &args.learn.adapt {
        let versions = Versions::open(folder)?;
        return if versions.is_empty() { Ok(None) } else { versions.current().map(Some) };
    }
    // What others put in use is looked after by itself.
    args.judge.model.as_deref().filter(|_| in_store(&args.judge).is_none()).map(load).transpose()
}

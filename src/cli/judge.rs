//! `auscult replay` and `auscult watch`.

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::args::{FlowArgs, JudgeArgs, LearnArgs, OutputArgs, ReplayArgs, WatchArgs};
use super::exit::{ALERTS, FINISHED, Outcome, TRUNCATED, Usage, in_one_line};
use super::inventory::{InventoryOutput, Watched};
use super::output::{Outputs, create};
use super::progress::Bar;
use super::versions::Versions;
use super::{setup, stop, summary};
use crate::capture::{CaptureError, Live, LiveOptions, Source};
use crate::detect::DetectorConfig;
use crate::model::{self, Budget, Model};
use crate::pipeline::{Accounting, PipelineConfig, Stopwatch, now, run};
use crate::replay::{Adapt, Judge, Mode, Output, Verdict};
use crate::time::Span;
use crate::train::Course;

/// Judges captures.
///
/// # Errors
/// Wrong usage, captures or a model that cannot be opened, output that cannot be written.
pub fn replay(args: &ReplayArgs) -> anyhow::Result<Outcome> {
    let config = setup::pipeline(&args.flow, Some(&args.time))?;
    let mut source = setup::captures(&args.inputs)?;
    let names = source.files().iter().map(|file| file.input.name()).collect();
    let plan = Plan::of(&args.judge, &args.learn, names, &args.flow)?;
    let outputs = Outputs::open(&args.output, Bar::of(&source))?;
    judge_and_report(&mut source, &config, plan, outputs, &args.output)
}

/// Judges live traffic until INT or TERM.
///
/// # Errors
/// As [`replay`]; and when the interface cannot be opened.
pub fn watch(args: &WatchArgs) -> anyhow::Result<Outcome> {
    let mut config = setup::pipeline(&args.flow, None)?;
    config.idle_clock = Some(now);
    let plan = Plan::of(&args.judge, &args.learn, vec![args.interface.clone()], &args.flow)?;
    let options = LiveOptions { snap_bytes: args.snap, ..LiveOptions::default() };
    let mut source = Live::open(&args.interface, &options)?;
    eprintln!("auscult: listening on {}; INT or TERM ends", args.interface);
    match &plan.mode {
        Mode::SelfTaught { .. } => eprintln!(
            "auscult: state: learning - no model was given, so nothing is judged before the end or 120,000 flow records; see --learn and auscult train"
        ),
        Mode::Learn { span, .. } => eprintln!("auscult: state: learning - nothing is judged for {:.0} s", span.as_seconds()),
        Mode::Model(..) => {}
    }
    let outputs = Outputs::open(&args.output, Bar::none())?;
    judge_and_report(&mut source, &config, plan, outputs, &args.output)
}

/// What judges, by the arguments.
pub fn mode(args: &JudgeArgs) -> anyhow::Result<Mode> {
    let budget = args.alert_budget.map(|per_day| Budget { per_day });
    Ok(match &args.model {
        Some(path) => Mode::Model(Arc::new(load(path)?), budget),
        None => Mode::SelfTaught { budget, seed: args.seed },
    })
}

/// What judges, and what is learned meanwhile.
struct Plan {
    mode: Mode,
    adapt: Option<Adapt>,
    /// The model that was trained, where one judges that has learned on.
    anchor: Option<Model>,
    versions: Option<Versions>,
    save_model: Option<PathBuf>,
}

impl Plan {
    fn of(judge: &JudgeArgs, learn: &LearnArgs, names: Vec<String>, flow: &FlowArgs) -> anyhow::Result<Self> {
        let save_model = learn.save_model.clone();
        let mut plan = Self { mode: mode(judge)?, adapt: None, anchor: None, versions: None, save_model };
        if let Some(span) = learn.learn {
            let sources = names.into_iter().map(|name| model::Source { name, bytes: 0, sha256: None }).collect();
            let budget = judge.alert_budget.map(|per_day| Budget { per_day });
            let course = Course { seed: judge.seed, budget, sources, home_nets: flow.home_net.clone() };
            plan.mode = Mode::Learn { span, course };
        }
        if let Some(folder) = &learn.adapt {
            plan.adapt_in(folder, learn.adapt_every)?;
        }
        Ok(plan)
    }

    /// Goes on where a folder of versions stands, or begins one.
    fn adapt_in(&mut self, folder: &Path, every: Span) -> anyhow::Result<()> {
        let versions = Versions::open(folder)?;
        if !versions.is_empty() {
            let anchor = versions.anchor()?;
            let digest = anchor.digest()?;
            let place = folder.display();
            match &mut self.mode {
                Mode::Learn { .. } => {
                    return Err(Usage(format!("--adapt {place}: it holds versions of a model already; leave out --learn")).into());
                }
                Mode::Model(model, _) if model.digest()? != digest && model.digest()? != versions.current()?.digest()? => {
                    return Err(Usage(format!("--adapt {place}: it holds versions of another model, {digest}")).into());
                }
                Mode::Model(model, _) => *model = Arc::new(versions.current()?),
                Mode::SelfTaught { budget, .. } => self.mode = Mode::Model(Arc::new(versions.current()?), *budget),
            }
            self.anchor = Some(anchor);
        } else if let Mode::Model(model, _) = &self.mode {
            versions.add(model)?;
        } else if matches!(self.mode, Mode::SelfTaught { .. }) {
            return Err(Usage(String::from("--adapt needs a model to begin with: give --model or --learn")).into());
        }
        self.adapt = Some(Adapt { every, next_version: versions.next_number()?.max(1) });
        self.versions = Some(versions);
        Ok(())
    }
}

/// Loads a model: a file, or the version in use of a folder.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn load(path: &Path) -> anyhow::Result<Model> {
    if path.is_dir() { Versions::open(path)?.current() } else { load_file(path) }
}

/// Loads a model from a file.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn load_file(path: &Path) -> anyhow::Result<Model> {
    let place = || path.display().to_string();
    let file = File::open(path).with_context(place)?;
    Model::load(BufReader::new(file)).with_context(place)
}

/// Judges a source into an output, and shows it to an inventory.
///
/// # Errors
/// When the model cannot be used, or a capture is to teach itself and holds too little.
pub fn judge(
    source: &mut dyn Source,
    config: &PipelineConfig,
    mode: Mode,
    detector: DetectorConfig,
    (output, inventory): (&mut dyn Output, Option<&mut InventoryOutput>),
) -> anyhow::Result<(Accounting, Vec<CaptureError>, anyhow::Result<Verdict>)> {
    let plan = Plan { mode, adapt: None, anchor: None, versions: None, save_model: None };
    carry_out(source, config, &plan, detector, (output, inventory))
}

fn carry_out(
    source: &mut dyn Source,
    config: &PipelineConfig,
    plan: &Plan,
    detector: DetectorConfig,
    (output, inventory): (&mut dyn Output, Option<&mut InventoryOutput>),
) -> anyhow::Result<(Accounting, Vec<CaptureError>, anyhow::Result<Verdict>)> {
    let vocabulary = match &plan.mode {
        Mode::Model(model, _) => Some(Arc::new(model.vocabulary.clone())),
        Mode::SelfTaught { .. } | Mode::Learn { .. } => None,
    };
    let stop = stop::on_signals()?;
    let mut judge = Judge::new(plan.mode.clone(), detector, output)?;
    if let Some(adapt) = plan.adapt {
        judge = judge.adapting(adapt, plan.anchor.as_ref())?;
    }
    let mut watched = Watched { consumer: &mut judge, output: inventory };
    let (accounting, damage) = run(source, config, vocabulary.as_ref(), &mut watched, &stop);
    Ok((accounting, damage, judge.finish().map_err(Into::into)))
}

fn judge_and_report(
    source: &mut dyn Source,
    config: &PipelineConfig,
    plan: Plan,
    mut outputs: Outputs,
    args: &OutputArgs,
) -> anyhow::Result<Outcome> {
    let watch = Stopwatch::start();
    outputs.keep_models(plan.versions.clone(), plan.save_model.clone());
    let detector = DetectorConfig { score_flows: args.flows.is_some() };
    let mut inventory = InventoryOutput::open(&args.inventory, &config.home)?;
    let (accounting, damage, verdict) = carry_out(source, config, &plan, detector, (&mut outputs, inventory.as_mut()))?;
    let incidents = outputs.finish()?;
    inventory.map_or(Ok(()), InventoryOutput::finish)?;
    let mut outcome = Outcome::default();
    outcome.add_damage(&damage);
    let verdict = verdict.unwrap_or_else(|error| {
        // A capture of a few packets is no failure: there is just nothing to be said about it.
        eprintln!("auscult: nothing was judged: {}", in_one_line(&error));
        Verdict::default()
    });
    eprint!("{}", summary::text(&accounting, &verdict, &incidents, watch.seconds()));
    write_reports(args, &accounting, &verdict)?;
    let lost = accounting.dropped > 0;
    if outcome.status == FINISHED && lost {
        outcome.status = TRUNCATED;
    }
    if outcome.status == FINISHED && args.fail_on_alert && verdict.counters.incidents > 0 {
        outcome.status = ALERTS;
    }
    Ok(outcome)
}

fn write_reports(args: &OutputArgs, accounting: &Accounting, verdict: &Verdict) -> anyhow::Result<()> {
    if let Some(path) = &args.stats {
        let mut to = create(path)?;
        serde_json::to_writer_pretty(&mut to, &summary::stats(accounting, verdict))?;
        writeln!(to)?;
        to.flush().with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    if let Some(path) = &args.hosts {
        let mut to = create(path)?;
        for rank in &verdict.ranks {
            let line = serde_json::json!({"host": rank.host.to_string(), "bits": rank.bits, "class": rank.class.info().name});
            writeln!(to, "{line}")?;
        }
        to.flush().with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    Ok(())
}

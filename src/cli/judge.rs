//! `auscult replay` and `auscult watch`.

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use super::args::{JudgeArgs, OutputArgs, ReplayArgs, WatchArgs};
use super::exit::{ALERTS, FINISHED, Outcome, TRUNCATED, in_one_line};
use super::inventory::{InventoryOutput, Watched};
use super::output::{Outputs, create};
use super::progress::Bar;
use super::{setup, stop, summary};
use crate::capture::{CaptureError, Live, LiveOptions, Source};
use crate::detect::DetectorConfig;
use crate::model::{Budget, Model};
use crate::pipeline::{Accounting, PipelineConfig, Stopwatch, now, run};
use crate::replay::{Judge, Mode, Output, Verdict};

/// Judges captures.
///
/// # Errors
/// Wrong usage, captures or a model that cannot be opened, output that cannot be written.
pub fn replay(args: &ReplayArgs) -> anyhow::Result<Outcome> {
    let config = setup::pipeline(&args.flow, Some(&args.time))?;
    let mode = mode(&args.judge)?;
    let mut source = setup::captures(&args.inputs)?;
    let outputs = Outputs::open(&args.output, Bar::of(&source))?;
    judge_and_report(&mut source, &config, mode, outputs, &args.output)
}

/// Judges live traffic until INT or TERM.
///
/// # Errors
/// As [`replay`]; and when the interface cannot be opened.
pub fn watch(args: &WatchArgs) -> anyhow::Result<Outcome> {
    let mut config = setup::pipeline(&args.flow, None)?;
    config.idle_clock = Some(now);
    let mode = mode(&args.judge)?;
    let options = LiveOptions { snap_bytes: args.snap, ..LiveOptions::default() };
    let mut source = Live::open(&args.interface, &options)?;
    eprintln!("auscult: listening on {}; INT or TERM ends", args.interface);
    if matches!(mode, Mode::SelfTaught { .. }) {
        eprintln!(
            "auscult: state: learning - no model was given, so nothing is judged before the end or 120,000 flow records; see auscult train"
        );
    }
    let outputs = Outputs::open(&args.output, Bar::none())?;
    judge_and_report(&mut source, &config, mode, outputs, &args.output)
}

/// What judges, by the arguments.
pub fn mode(args: &JudgeArgs) -> anyhow::Result<Mode> {
    let budget = args.alert_budget.map(|per_day| Budget { per_day });
    Ok(match &args.model {
        Some(path) => Mode::Model(Arc::new(load(path)?), budget),
        None => Mode::SelfTaught { budget, seed: args.seed },
    })
}

/// Loads a model.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn load(path: &Path) -> anyhow::Result<Model> {
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
    let vocabulary = match &mode {
        Mode::Model(model, _) => Some(Arc::new(model.vocabulary.clone())),
        Mode::SelfTaught { .. } => None,
    };
    let stop = stop::on_signals()?;
    let mut judge = Judge::new(mode, detector, output)?;
    let mut watched = Watched { consumer: &mut judge, output: inventory };
    let (accounting, damage) = run(source, config, vocabulary.as_ref(), &mut watched, &stop);
    Ok((accounting, damage, judge.finish().map_err(Into::into)))
}

fn judge_and_report(
    source: &mut dyn Source,
    config: &PipelineConfig,
    mode: Mode,
    mut outputs: Outputs,
    args: &OutputArgs,
) -> anyhow::Result<Outcome> {
    let watch = Stopwatch::start();
    let trained = match &mode {
        Mode::Model(model, _) => Some(model.provenance.trained_until.clone()),
        Mode::SelfTaught { .. } => None,
    };
    let detector = DetectorConfig { score_flows: args.flows.is_some(), ..DetectorConfig::default() };
    let mut inventory = InventoryOutput::open(&args.inventory, &config.home)?;
    let (accounting, damage, verdict) = judge(source, config, mode, detector, (&mut outputs, inventory.as_mut()))?;
    let incidents = outputs.finish()?;
    inventory.map_or(Ok(()), InventoryOutput::finish)?;
    let mut outcome = Outcome::default();
    outcome.add_damage(&damage);
    let verdict = verdict.unwrap_or_else(|error| {
        // A capture of a few packets is no failure: there is just nothing to be said about it.
        eprintln!("auscult: nothing was judged: {}", in_one_line(&error));
        Verdict::default()
    });
    eprint!("{}", summary::text(&accounting, &verdict, &incidents, trained.as_deref(), watch.seconds()));
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

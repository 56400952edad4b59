//! `auscult replay`, `auscult watch` and `auscult detect`.

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;

use super::answer_args::AnswersArgs;
use super::answered::Answered;
use super::args::{DetectArgs, OutputArgs, ReplayArgs, WatchArgs};
use super::exit::{ALERTS, FINISHED, Outcome, TRUNCATED, in_one_line};
use super::feed::{Account, Damage, Feed};
use super::hidden::{Hidden, Veiled};
use super::inventory::{InventoryOutput, Watched};
use super::output::{Outputs, Written, create};
use super::page::{About, Page, PageArgs};
use super::plan::Plan;
use super::progress::Bar;
use super::versions::Versions;
use super::{recheck, setup, stop, summary};
use crate::capture::{Input, Source as _};
use crate::detect::{DetectorConfig, Gate};
use crate::flow::HomeNets;
use crate::model::Model;
use crate::pipeline::{Consumer, Gauges, PipelineConfig, Stopwatch, now};
use crate::replay::{Judge, Mode, Output, Verdict};

/// Judges captures.
///
/// # Errors
/// Wrong usage, captures or a model that cannot be opened, output that cannot be written.
pub fn replay(args: &ReplayArgs) -> anyhow::Result<Outcome> {
    if !args.recheck.is_empty() {
        return recheck::run(args);
    }
    let mut config = setup::pipeline(&args.flow, Some(&args.time))?;
    let mut source = setup::captures(&args.inputs)?;
    let names = source.files().iter().map(|file| file.input.name()).collect();
    let plan = Plan::of(&args.judge, (&args.learn, &args.hide), names, &args.flow.home_net)?;
    let kept = (plan.hidden.as_ref(), args.output.sinks.retention());
    let evidence = args.evidence.open(Some(&source), &mut config, kept)?;
    let mut outputs = Outputs::open(&args.output, Bar::of(source.progress().map(|(_, size)| size)), false)?;
    outputs.keep_evidence(evidence);
    let page = page(&args.page, &mut config, (&plan, None), (&args.answers, &args.output))?;
    judge_and_report(Feed::Packets(&mut source, &config), (&config.home, page), plan, (outputs, &args.output), &args.answers)
}

/// Judges flow records that were made elsewhere.
///
/// # Errors
/// As [`replay`].
pub fn detect(args: &DetectArgs) -> anyhow::Result<Outcome> {
    let config = setup::records(&args.home_net, &args.time)?;
    let mut files = setup::record_files(&args.inputs)?;
    let names = files.inputs().iter().map(Input::name).collect();
    let mut plan = Plan::of(&args.judge, (&args.learn, &args.hide), names, &args.home_net)?;
    if let Mode::Learn { course, .. } = &mut plan.mode {
        course.records = files.kinds().iter().map(|kind| kind.name().to_owned()).collect();
    }
    let outputs = Outputs::open(&args.output, Bar::of(files.size()), false)?;
    judge_and_report(Feed::Records(&mut files, &config), (&config.home, None), plan, (outputs, &args.output), &args.answers)
}

/// Judges live traffic until INT or TERM.
///
/// # Errors
/// As [`replay`]; and when the interface cannot be opened.
pub fn watch(args: &WatchArgs) -> anyhow::Result<Outcome> {
    let mut config = setup::pipeline(&args.flow, None)?;
    config.idle_clock = Some(now);
    config.loss_limit = args.listen.loss_limit / 100.0;
    let names = args.listen.names()?;
    let plan = Plan::of(&args.judge, (&args.learn, &args.hide), names.to_vec(), &args.flow.home_net)?;
    let evidence = args.evidence.open(None, &mut config, (plan.hidden.as_ref(), args.output.sinks.retention()))?;
    let mut source = args.listen.open()?;
    eprintln!("auscult: listening on {}; INT or TERM ends", names.join(", "));
    match &plan.mode {
        Mode::SelfTaught { .. } => eprintln!(
            "auscult: state: learning - no model was given, so nothing is judged before the end or 120,000 flow records; see --learn and auscult train"
        ),
        Mode::Learn { span, .. } => eprintln!("auscult: state: learning - nothing is judged for {:.0} s", span.as_seconds()),
        Mode::Model(..) => {}
    }
    let mut outputs = Outputs::open(&args.output, Bar::none(), true)?;
    outputs.keep_evidence(evidence);
    let heard = Some(names.join(", "));
    let page = page(&args.page, &mut config, (&plan, heard), (&args.answers, &args.output))?;
    judge_and_report(Feed::Packets(&mut source, &config), (&config.home, page), plan, (outputs, &args.output), &args.answers)
}

/// The live page, where one is wanted.
fn page(
    args: &PageArgs,
    config: &mut PipelineConfig,
    (plan, interface): (&Plan, Option<String>),
    (answers, output): (&AnswersArgs, &OutputArgs),
) -> anyhow::Result<Option<Page>> {
    if !args.is_wanted() {
        return Ok(None);
    }
    let gauges = Arc::<Gauges>::default();
    config.gauges = Some(Arc::clone(&gauges));
    let model = match &plan.mode {
        Mode::Model(model, _) => Some(Arc::clone(model)),
        Mode::SelfTaught { .. } | Mode::Learn { .. } => None,
    };
    let (answers, oui) = (answers.answers.clone(), output.inventory.oui.clone());
    Page::open(args, About { interface, home: &config.home, hidden: plan.hidden.as_ref(), model, answers, oui, gauges })
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

/// Judges what is fed into an output, and shows it to an inventory.
///
/// # Errors
/// When the model cannot be used, or a capture is to teach itself and holds too little.
pub fn judge(
    feed: Feed<'_>,
    plan: &mut Plan,
    detector: DetectorConfig,
    (output, inventory): (&mut dyn Output, Option<&mut InventoryOutput>),
) -> anyhow::Result<(Account, Vec<Damage>, anyhow::Result<Verdict>)> {
    carry_out(feed, plan, detector, (output, inventory), (None, &*stop::on_signals()?))
}

fn carry_out(
    feed: Feed<'_>,
    plan: &mut Plan,
    detector: DetectorConfig,
    (output, inventory): (&mut dyn Output, Option<&mut InventoryOutput>),
    (page, stop): (Option<&Page>, &AtomicBool),
) -> anyhow::Result<(Account, Vec<Damage>, anyhow::Result<Verdict>)> {
    let vocabulary = match &plan.mode {
        Mode::Model(model, _) => {
            feed.warn_of_misfit(model);
            Some(Arc::new(model.vocabulary.clone()))
        }
        Mode::SelfTaught { .. } | Mode::Learn { .. } => None,
    };
    let (key, order) = plan.hidden.as_ref().map(|hidden| (hidden.fingerprint(), hidden.order())).unzip();
    let mut judge = Judge::new(plan.mode.clone(), detector, output)?.hidden_by(key, order.unwrap_or_default());
    if let Some(adapt) = plan.adapt {
        judge = judge.adapting(adapt, plan.anchor.as_ref())?;
    }
    let mut watched = Watched { consumer: &mut judge, output: inventory };
    let run =
        |consumer: &mut dyn Consumer| feed.run(vocabulary.as_ref(), &mut Veiled { consumer, hidden: plan.hidden.as_mut() }, stop);
    let (accounting, damage) = match page {
        Some(page) => run(&mut *page.watching(&mut watched)),
        None => run(&mut watched),
    };
    Ok((accounting, damage, judge.finish().map_err(Into::into)))
}

fn judge_and_report(
    feed: Feed<'_>,
    (home, page): (&HomeNets, Option<Page>),
    mut plan: Plan,
    (mut outputs, args): (Outputs, &OutputArgs),
    answers: &AnswersArgs,
) -> anyhow::Result<Outcome> {
    let watch = Stopwatch::start();
    // Watching alone has a clock for when no packet comes.
    let live = matches!(&feed, Feed::Packets(_, config) if config.idle_clock.is_some());
    outputs.keep_models(plan.versions.clone(), plan.save_model.clone());
    let detector = DetectorConfig { score_flows: args.flows.is_some() || page.is_some(), ..DetectorConfig::default() };
    let mut inventory = InventoryOutput::open(&args.inventory, home, plan.hidden.as_ref())?;
    if let Some(page) = &page {
        outputs.repeat_to(page.output());
    }
    let stop = stop::on_signals()?;
    let mut answered = Answered::open(answers, live, page.as_ref().map(Page::on_answers), &mut outputs)?;
    let (accounting, damage, verdict) =
        carry_out(feed, &mut plan, detector, (&mut answered, inventory.as_mut()), (page.as_ref(), &*stop))?;
    // Each is ended although another may have failed: what is known is written.
    let gate = answered.finish();
    if let Account::Packets(account) = &accounting {
        outputs.read_again(account.frames);
    }
    let written = outputs.finish();
    inventory.map_or(Ok(()), InventoryOutput::finish)?;
    plan.hidden.map_or(Ok(()), Hidden::finish)?;
    let (written, (gate, watcher)) = (written?, gate?);
    let mut outcome = Outcome::default();
    outcome.add_damage(&damage);
    let verdict = verdict.unwrap_or_else(|error| {
        // A capture of a few packets is no failure: there is just nothing to be said about it.
        eprintln!("auscult: nothing was judged: {}", in_one_line(&error));
        Verdict::default()
    });
    eprint!("{}", summary::text(&accounting, &verdict, (&written, &gate), watch.seconds()));
    write_reports(args, &accounting, &verdict, (&gate, &written))?;
    if let Some(page) = page {
        page.finish(&stop);
    }
    drop(watcher);
    let lost = (live && accounting.lost()) || written.has_lost();
    if outcome.status == FINISHED && lost {
        outcome.status = TRUNCATED;
    }
    if outcome.status == FINISHED && args.fail_on_alert && gate.told.incidents > 0 {
        outcome.status = ALERTS;
    }
    Ok(outcome)
}

fn write_reports(
    args: &OutputArgs,
    accounting: &Account,
    verdict: &Verdict,
    (gate, written): (&Gate, &Written),
) -> anyhow::Result<()> {
    if let Some(path) = &args.stats {
        let mut to = create(path)?;
        serde_json::to_writer_pretty(&mut to, &summary::stats(accounting, verdict, gate, written))?;
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

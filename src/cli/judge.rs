//! `auscult replay`, `auscult watch` and `auscult detect`.

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use serde_json::Value;
use signal_hook::iterator::Signals;

use super::answer_args::AnswersArgs;
use super::answered::Answered;
use super::args::{DetectArgs, OutputArgs, ReplayArgs, WatchArgs};
use super::attend::{Asks, Attended, Unjudged};
use super::clock::ClockWatch;
use super::config::Flags;
use super::exit::{ALERTS, FINISHED, Outcome, TRUNCATED, in_one_line};
use super::feed::{Account, Damage, Feed};
#[cfg(feature = "nats")]
use super::fleet::Following;
use super::fleet::{PublishReport, Publishing, StreamArgs};
use super::hidden::{Hidden, Veiled};
use super::inventory::{InventoryOutput, Watched};
use super::kept::{GoesOn, Kept, Remembering};
use super::output::{Outputs, Written, create};
use super::page::{About, Page, PageArgs};
use super::plan::Plan;
use super::progress::Bar;
#[cfg(feature = "nats")]
use super::reload::Fitting;
use super::reload::{Reloader, hangups};
use super::service::Service;
use super::told::told_before;
use super::versions::Versions;
use super::{guard, recheck, setup, stop, summary};
use crate::capture::{Input, Source};
use crate::detect::{DetectorConfig, Gate};
use crate::flow::HomeNets;
#[cfg(feature = "nats")]
use crate::model::Budget;
use crate::model::Model;
use crate::pipeline::{Consumer, Gauges, PipelineConfig, Stopwatch, now};
use crate::replay::{Judge, Mode, Output, Verdict};
use crate::sink::SinkGauge;
use crate::state::Desk;
use crate::time::Span;

/// Judges captures.
///
/// # Errors
/// Wrong usage, captures or a model that cannot be opened, output that cannot be written.
pub fn replay(args: &ReplayArgs) -> anyhow::Result<Outcome> {
    guard::of_replay(args)?;
    if !args.recheck.is_empty() {
        return recheck::run(args);
    }
    let mut config = setup::pipeline(&args.flow, Some(&args.time))?;
    let mut source = setup::captures(&args.inputs)?;
    config.every_second = args.publish.is_wanted();
    let others = [("--evidence", args.evidence.evidence.is_some()), ("--http", args.page.is_wanted())];
    let publishes_alone = args.publish.is_all(&args.judge, &args.learn, &args.output, &others)?;
    let publishing = args.publish.open(&args.output, true, stop::on_signals()?)?;
    if publishes_alone {
        let hidden = Hidden::open(&args.hide)?;
        return publish_alone((&mut source, &mut config), hidden, (publishing, &args.output));
    }
    let names = source.files().iter().map(|file| file.input.name()).collect();
    let goes_on = args.state.state.is_some();
    let ready = args.publish.followed(&args.judge, &args.learn)?.map(|(model, _)| model);
    let mut plan = Plan::of((&args.judge, ready), (&args.learn, &args.hide), names, &args.flow.home_net, goes_on)?;
    let remembering = Remembering::open(&args.state, &mut plan, args.output.sinks.retention())?;
    let kept = (plan.hidden.as_ref(), args.output.sinks.retention());
    let evidence = args.evidence.open(Some(&source), &mut config, kept)?;
    let mut outputs = Outputs::open(&args.output, Bar::of(source.progress().map(|(_, size)| size)), goes_on)?;
    outputs.keep_evidence(evidence);
    let told = (Vec::new(), outputs.gauges());
    let page = page(&args.page, &mut config, (&plan, None), (&args.answers, &args.output), told)?;
    let about = Beside { publishing, ..Beside::of(&config.home, page, remembering) };
    judge_and_report(Feed::Packets(&mut source, &config), about, plan, (outputs, &args.output), &args.answers)
}

/// Judges flow records that were made elsewhere.
///
/// # Errors
/// As [`replay`].
pub fn detect(args: &DetectArgs) -> anyhow::Result<Outcome> {
    guard::of_detect(args)?;
    if let Some(address) = StreamArgs::address(&args.inputs)? {
        return detect_stream(args, address);
    }
    let config = setup::records(&args.home_net, &args.time)?;
    let mut files = setup::record_files(&args.inputs, &args.time)?;
    let names = files.inputs().iter().map(Input::name).collect();
    let mut plan = Plan::of((&args.judge, None), (&args.learn, &args.hide), names, &args.home_net, false)?;
    if let Mode::Learn { course, .. } = &mut plan.mode {
        course.records = files.kinds().iter().map(|kind| kind.name().to_owned()).collect();
    }
    let outputs = Outputs::open(&args.output, Bar::of(files.size()), false)?;
    judge_and_report(
        Feed::Records(&mut files, &config),
        Beside::of(&config.home, None, None),
        plan,
        (outputs, &args.output),
        &args.answers,
    )
}

/// Judges what sensors publish.
#[cfg(feature = "nats")]
fn detect_stream(args: &DetectArgs, address: &str) -> anyhow::Result<Outcome> {
    super::fleet::check(args)?;
    let config = setup::records(&args.home_net, &args.time)?;
    let budget = args.judge.alert_budget.map(|per_day| Budget { per_day });
    let (model, following) = match Following::of(&args.judge, &args.stream.nats)? {
        Some((model, following)) => (model, Some(following)),
        None => (load(args.judge.model.as_deref().unwrap_or(Path::new("")))?, None),
    };
    let fitting = Fitting { key: model.provenance.pseudonyms.clone(), order: None };
    // Whose pseudonyms records come with is the sensors' business.
    let plan = Plan::only(Mode::Model(Arc::new(model), budget), None);
    if args.stream.group.group.is_some() {
        return detect_in_group(args, address, (plan, config.home), following.map(|following| (following, fitting)));
    }
    let mut source = args.stream.open(address)?;
    let reloader = following.map(|following| following.begin(fitting)).transpose()?;
    let outputs = Outputs::open(&args.output, Bar::none(), !args.stream.until_caught_up)?;
    judge_and_report(
        Feed::Stream(&mut source),
        Beside { reloader, ..Beside::of(&config.home, None, None) },
        plan,
        (outputs, &args.output),
        &args.answers,
    )
}

/// Judges its share of what sensors publish, with others.
#[cfg(feature = "nats")]
fn detect_in_group(
    args: &DetectArgs,
    address: &str,
    (plan, home): (Plan, HomeNets),
    models: Option<(Following, Fitting)>,
) -> anyhow::Result<Outcome> {
    let Mode::Model(model, budget) = &plan.mode else { return Ok(Outcome::default()) };
    let desk = Desk::default();
    let looking = models.map(|(following, fitting)| following.begin(fitting)).transpose()?;
    let mut group = super::group::open(&args.stream, &args.judge, address, (model, *budget), desk.clone())?;
    let outputs = Outputs::open(&args.output, Bar::none(), !args.stream.until_caught_up)?;
    judge_and_report(
        Feed::Group(&mut group),
        Beside { reloader: looking, desk: Some(desk), ..Beside::of(&home, None, None) },
        plan,
        (outputs, &args.output),
        &args.answers,
    )
}

/// A program that was built without NATS has refused the address.
#[cfg(not(feature = "nats"))]
fn detect_stream(_args: &DetectArgs, _address: &str) -> anyhow::Result<Outcome> {
    Ok(Outcome::default())
}

/// Makes flow records of packets, and publishes them; nothing is judged.
#[cfg_attr(not(feature = "nats"), expect(unreachable_code, unused_variables, reason = "nothing is published"))]
fn publish_alone(
    (source, config): (&mut dyn Source, &mut PipelineConfig),
    mut hidden: Option<Hidden>,
    (publishing, output): (Option<Publishing>, &OutputArgs),
) -> anyhow::Result<Outcome> {
    let watch = Stopwatch::start();
    let Some(mut publishing) = publishing else { return Ok(Outcome::default()) };
    let mut inventory = InventoryOutput::open(&output.inventory, &config.home, hidden.as_ref())?;
    let (account, damage) = {
        let live = config.idle_clock.is_some();
        let gauges = Arc::<Gauges>::default();
        config.gauges = Some(Arc::clone(&gauges));
        publishing.show_in(Some(Arc::clone(&gauges)));
        let (service, clock) = (live.then(Service::of_environment), live.then(ClockWatch::start));
        service.iter().for_each(|service| service.tell("READY=1"));
        let asks =
            Asks { counters: stop::on_question()?, gauges: Some(gauges), reloaders: Vec::new(), service, clock, desk: None };
        let mut nobody = Unjudged { asks };
        let mut published = publishing.watching(&mut nobody);
        let mut watched = Watched { consumer: &mut *published, output: inventory.as_mut() };
        let mut veiled = Veiled { consumer: &mut watched, hidden: hidden.as_mut() };
        Feed::Packets(source, config).run(None, &mut veiled, &*stop::on_signals()?)
    };
    let report = publishing.finish();
    inventory.map_or(Ok(()), InventoryOutput::finish)?;
    hidden.map_or(Ok(()), Hidden::finish)?;
    let mut outcome = Outcome::default();
    outcome.add_damage(&damage);
    let seconds = watch.seconds();
    tell!("{account}\n{}took     {seconds:.2} s ({})", report.text(), account.rate(seconds));
    if let Some(path) = &output.stats {
        write_stats(path, &serde_json::json!({account.noun(): account.json(), "published": report.json()}))?;
    }
    if outcome.status == FINISHED && (report.has_lost() || account.lost_some(config.idle_clock.is_some())) {
        outcome.status = TRUNCATED;
    }
    Ok(outcome)
}

/// Live there is a tick every second. The system may let the program wait for a while; a longer time was no time of listening.
const MOST_PAUSE: Span = Span::from_secs(30);

/// Judges live traffic until INT or TERM.
///
/// # Errors
/// As [`replay`]; and when the interface cannot be opened.
pub fn watch(args: &WatchArgs) -> anyhow::Result<Outcome> {
    let hangups = hangups()?;
    let state = args.state.or_of_service(&args.judge, &args.learn);
    let names = args.listen.names()?;
    let guarded = guard::of_watch(args, state.state.as_deref())?;
    let mut config = setup::pipeline(&args.flow, None)?;
    config.idle_clock = Some(now);
    config.loss_limit = args.listen.loss_limit / 100.0;
    config.cores = args.listen.cores()?.to_vec();
    config.every_second = args.publish.is_wanted();
    let others = [("--evidence", args.evidence.evidence.is_some()), ("--http", args.page.is_wanted())];
    let publishes_alone = args.publish.is_all(&args.judge, &args.learn, &args.output, &others)?;
    let publishing = args.publish.open(&args.output, false, stop::on_signals()?)?;
    if publishes_alone {
        let hidden = Hidden::open(&args.hide)?;
        let mut source = args.listen.open(config.workers)?;
        tell!("auscult: listening on {}; INT or TERM ends", names.join(", "));
        tell!("auscult: {guarded}");
        return publish_alone((&mut source, &mut config), hidden, (publishing, &args.output));
    }
    let (ready, following) = args.publish.followed(&args.judge, &args.learn)?.unzip();
    let (judge, learn) = ((&args.judge, ready), (&args.learn, &args.hide));
    let mut plan = Plan::of(judge, learn, names.to_vec(), &args.flow.home_net, state.state.is_some())?;
    let remembering = Remembering::open(&state, &mut plan, args.output.sinks.retention())?;
    let evidence = args.evidence.open(None, &mut config, (plan.hidden.as_ref(), args.output.sinks.retention()))?;
    let mut source = args.listen.open(config.workers)?;
    tell!("auscult: listening on {}; INT or TERM ends", names.join(", "));
    tell!("auscult: {guarded}");
    match &plan.mode {
        Mode::SelfTaught { .. } => tell!(
            "auscult: state: learning - no model was given, so nothing is judged before the end or 60,000 flow records; see --learn and auscult train"
        ),
        Mode::Learn { span, .. } => tell!("auscult: state: learning - nothing is judged for {:.0} s", span.as_seconds()),
        Mode::Model(..) => {}
    }
    let mut outputs = Outputs::open(&args.output, Bar::none(), true)?;
    outputs.keep_evidence(evidence);
    let heard = Some(names.join(", "));
    let told = (if args.page.is_wanted() { told_before(&args.output)? } else { Vec::new() }, outputs.gauges());
    let page = page(&args.page, &mut config, (&plan, heard), (&args.answers, &args.output), told)?;
    let hangups = Some((hangups, args.config.flags.clone()));
    let reloader = following.map(|following| following.begin(plan.fitting())).transpose()?;
    let about = Beside { hangups, publishing, reloader, ..Beside::of(&config.home, page, remembering) };
    judge_and_report(Feed::Packets(&mut source, &config), about, plan, (outputs, &args.output), &args.answers)
}

/// The live page, where one is wanted.
fn page(
    args: &PageArgs,
    config: &mut PipelineConfig,
    (plan, interface): (&Plan, Option<String>),
    (answers, output): (&AnswersArgs, &OutputArgs),
    (told, sinks): (Vec<String>, Vec<SinkGauge>),
) -> anyhow::Result<Option<Page>> {
    // USR1 asks for them too.
    let gauges = Arc::<Gauges>::default();
    config.gauges = Some(Arc::clone(&gauges));
    if !args.is_wanted() {
        return Ok(None);
    }
    let model = match &plan.mode {
        Mode::Model(model, _) => Some(Arc::clone(model)),
        Mode::SelfTaught { .. } | Mode::Learn { .. } => None,
    };
    let (answers, mutes, oui) = (answers.answers.clone(), answers.mutes.clone(), output.inventory.oui.clone());
    let hidden = plan.hidden.as_ref();
    Page::open(args, About { interface, home: &config.home, hidden, model, answers, mutes, oui, sinks, told, gauges })
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
    carry_out(
        feed,
        plan,
        detector,
        (output, inventory),
        (None, None),
        (&mut Asks::default(), &*stop::on_signals()?),
        GoesOn::default(),
    )
}

fn carry_out(
    feed: Feed<'_>,
    plan: &mut Plan,
    detector: DetectorConfig,
    (output, inventory): (&mut dyn Output, Option<&mut InventoryOutput>),
    (page, publishing): (Option<&Page>, Option<&mut Publishing>),
    (asks, stop): (&mut Asks, &AtomicBool),
    goes_on: GoesOn,
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
    goes_on.hand_to(&mut judge);
    let (accounting, damage) = {
        let mut attended = Attended { judge: &mut judge, asks };
        let mut publisher;
        let published: &mut dyn Consumer = match publishing {
            Some(publishing) => {
                publisher = publishing.watching(&mut attended);
                &mut *publisher
            }
            None => &mut attended,
        };
        let mut watched = Watched { consumer: published, output: inventory };
        let run = |consumer: &mut dyn Consumer| {
            feed.run(vocabulary.as_ref(), &mut Veiled { consumer, hidden: plan.hidden.as_mut() }, stop)
        };
        match page {
            Some(page) => run(&mut *page.watching(&mut watched)),
            None => run(&mut watched),
        }
    };
    let is_left = asks.desk.as_ref().is_some_and(|desk| !desk.has_ended());
    let verdict = if is_left { Ok(judge.leave()) } else { judge.finish().map_err(Into::into) };
    Ok((accounting, damage, verdict))
}

/// What a run has beside what is judged and written.
struct Beside<'a> {
    home: &'a HomeNets,
    page: Option<Page>,
    remembering: Option<Remembering>,
    /// Of a program that watches, which reads again what it was told.
    hangups: Option<(Signals, Flags)>,
    publishing: Option<Publishing>,
    /// What looks whether another model is to judge.
    reloader: Option<Reloader>,
    /// Where others take and give what is remembered.
    desk: Option<Desk>,
}

impl<'a> Beside<'a> {
    /// Of a program that reads what there is, and publishes nothing.
    const fn of(home: &'a HomeNets, page: Option<Page>, remembering: Option<Remembering>) -> Self {
        Self { home, page, remembering, hangups: None, publishing: None, reloader: None, desk: None }
    }
}

fn judge_and_report(
    feed: Feed<'_>,
    Beside { home, page, remembering, hangups, mut publishing, reloader, desk }: Beside<'_>,
    mut plan: Plan,
    (mut outputs, args): (Outputs, &OutputArgs),
    answers: &AnswersArgs,
) -> anyhow::Result<Outcome> {
    let watch = Stopwatch::start();
    let live = hangups.is_some();
    outputs.keep_models(plan.versions.clone(), plan.save_model.clone());
    let score_flows = args.flows.is_some() || page.is_some();
    let detector = DetectorConfig { score_flows, most_pause: live.then_some(MOST_PAUSE), ..DetectorConfig::default() };
    let mut inventory = InventoryOutput::open(&args.inventory, home, plan.hidden.as_ref())?;
    if let Some(page) = &page {
        outputs.repeat_to(page.output());
    }
    let stop = stop::on_signals()?;
    let mut answered = Answered::open(answers, live, page.as_ref().map(Page::on_answers), &mut outputs)?;
    let gauges = if let Feed::Packets(_, config) = &feed { config.gauges.clone() } else { None };
    publishing.iter_mut().for_each(|publishing| publishing.show_in(gauges.clone()));
    let judging = plan.judging()?;
    let of_hangups = hangups.map(|(signals, flags)| Reloader::start(signals, flags, (plan.fitting(), judging), answered.stand()));
    let (reloaders, clock) = (of_hangups.transpose()?.into_iter().chain(reloader).collect(), live.then(ClockWatch::start));
    let service = live.then(Service::of_environment);
    let mut asks = Asks { counters: stop::on_question()?, gauges, reloaders, service, clock, desk: desk.clone() };
    let (mut kept, goes_on) = Kept::open((remembering, desk), plan.adapt.is_some(), &mut answered)?;
    asks.service.iter().for_each(|service| service.tell("READY=1"));
    let (accounting, damage, verdict) = carry_out(
        feed,
        &mut plan,
        detector,
        (&mut kept, inventory.as_mut()),
        (page.as_ref(), publishing.as_mut()),
        (&mut asks, &*stop),
        goes_on,
    )?;
    drop((asks, kept));
    let published = publishing.map(Publishing::finish);
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
        tell!("auscult: nothing was judged: {}", in_one_line(&error));
        Verdict::default()
    });
    tell!("{}", summary::text(&accounting, &verdict, (&written, &gate), watch.seconds()).trim_end());
    if let Some(published) = &published {
        tell!("{}", published.text().trim_end());
    }
    write_reports(args, &accounting, &verdict, (&gate, &written, published.as_ref()))?;
    if let Some(page) = page {
        page.finish(&stop);
    }
    drop(watcher);
    let lost = accounting.lost_some(live) || written.has_lost() || published.is_some_and(|published| published.has_lost());
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
    (gate, written, published): (&Gate, &Written, Option<&PublishReport>),
) -> anyhow::Result<()> {
    if let Some(path) = &args.stats {
        let mut stats = summary::stats(accounting, verdict, gate, written);
        if let Some(published) = published {
            stats["published"] = published.json();
        }
        write_stats(path, &stats)?;
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

fn write_stats(path: &Path, stats: &Value) -> anyhow::Result<()> {
    let mut to = create(path)?;
    serde_json::to_writer_pretty(&mut to, stats)?;
    writeln!(to)?;
    to.flush().with_context(|| format!("{}: cannot be written", path.display()))
}

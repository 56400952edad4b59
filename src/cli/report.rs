//! `auscult report`.

use std::fs::File;
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::answer_file;
use super::args::{FlowArgs, JudgeArgs, TimeArgs};
use super::exit::{FAILED, FINISHED, Outcome, TRUNCATED, Usage, in_one_line};
use super::feed::Feed;
use super::hidden::{Hidden, HideArgs};
use super::inventory::InventoryOutput;
use super::judge::{judge, load};
use super::output::{Written, create};
use super::{plan, setup, summary, train};
use crate::capture::{Content, Input};
use crate::detect::{DetectorConfig, Gate};
use crate::record::{self, Format};
use crate::replay::Mode;
use crate::report::text::{Shown, counted};
use crate::report::{Account, Device, Devices, Gather, KnownModel, Report, SourceFile, Wanted, write};

/// `auscult report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Alerts as JSON Lines, in the order in which they were written; or captures, which are judged as replay does
    #[arg(required = true, value_name = "ALERTS|CAPTURE")]
    pub inputs: Vec<PathBuf>,
    /// Write the page here (- for stdout)
    #[arg(long, value_name = "PATH")]
    pub out: PathBuf,
    /// What stands above it
    #[arg(long, value_name = "TEXT", default_value = "Network report")]
    pub title: String,
    /// With alerts: flow events with their bits, as --flows of replay, watch or detect wrote them; may be repeated
    #[arg(long, value_name = "FILE")]
    pub flows: Vec<PathBuf>,
    /// With alerts: the list of devices, as --inventory wrote it, in JSON
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// With alerts: the accounting, as --stats wrote it
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,
    /// With alerts: the answers to them, for how soon they came
    #[arg(long, value_name = "FILE")]
    pub answers: Option<PathBuf>,
    /// With captures: registry of the makers of MAC addresses, as for --inventory of replay
    #[arg(long, value_name = "FILE")]
    pub oui: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub judge: JudgeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub time: TimeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub flow: FlowArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub hide: HideArgs,
}

/// Bytes that are looked at to tell alerts from captures.
const HEAD_BYTES: u64 = 64 << 10;

/// Writes a page for people, from alert files or from captures that are judged for it.
///
/// # Errors
/// Wrong usage, files that cannot be read, a page that cannot be written.
pub fn run(args: &ReportArgs) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let report = if hold_captures(&args.inputs)? { of_captures(args, &mut outcome)? } else { of_alerts(args)? };
    let passed = &report.gather.passed_over;
    if let Some((file, line, what)) = passed.told.first() {
        outcome.status = FAILED;
        outcome
            .errors
            .push(format!("{} could not be read; the first: {file}, line {line}: {what}", counted(passed.unreadable, "line")));
    }
    if outcome.status == FAILED && holds_nothing(&report) {
        outcome.errors.push(format!("{}: not written, as there is nothing to report", args.out.display()));
        return Ok(outcome);
    }
    let mut page = Vec::new();
    write(&report, &mut page)?;
    let mut to = create(&args.out)?;
    to.write_all(&page).and_then(|()| to.flush()).with_context(|| format!("{}: cannot be written", args.out.display()))?;
    let incidents = &report.gather.incidents;
    tell!(
        "report   {} in {}, {}",
        counted(incidents.count(), "incident"),
        counted(incidents.lines, "line"),
        counted(report.gather.flows, "flow record")
    );
    if args.out.as_os_str() != "-" {
        tell!("written  {} ({} kB)", args.out.display(), page.len().div_ceil(1000));
    }
    Ok(outcome)
}

/// Was nothing read that could be told?
fn holds_nothing(report: &Report) -> bool {
    let frames = report.account.as_ref().map_or(0, |account| account.read);
    report.gather.incidents.lines == 0 && report.gather.flows == 0 && (frames == 0 || !report.of_captures)
}

/// What the inputs hold: captures, rather than alerts.
fn hold_captures(inputs: &[PathBuf]) -> anyhow::Result<bool> {
    let (mut captures, mut alerts) = (None, None);
    for path in inputs {
        let head = head(path);
        let begin = head.iter().find(|byte| !byte.is_ascii_whitespace() && !matches!(byte, 0xef | 0xbb | 0xbf));
        match (begin, record::recognise(&head)) {
            (Some(b'{'), _) | (_, Some(Format::Json)) => alerts = Some(path),
            (_, Some(_)) => {
                return Err(Usage(format!(
                    "{}: it holds flow records; judge them with auscult detect --alerts ALERTS --flows FLOWS and report on these",
                    path.display()
                ))
                .into());
            }
            // A record without a single alert is empty, and a capture never is.
            (None, None) if path.is_file() => alerts = Some(path),
            _ => captures = Some(path),
        }
    }
    match (captures, alerts) {
        (Some(capture), Some(alert)) => Err(Usage(format!(
            "captures and alerts in one call: {} holds alerts, {} does not; give one kind at a time",
            alert.display(),
            capture.display()
        ))
        .into()),
        (captures, _) => Ok(captures.is_some()),
    }
}

/// The first bytes of a file, uncompressed; none of a folder, or of what cannot be read, which is told when it is read.
fn head(path: &Path) -> Vec<u8> {
    let input = Input::from(path.to_path_buf());
    match &input {
        Input::Stdin => Content::peek_stdin(HEAD_BYTES as usize).unwrap_or_default(),
        Input::Path(path) if path.is_file() => {
            let mut head = Vec::new();
            if let Ok(content) = Content::open(&input) {
                let _ = content.take(HEAD_BYTES).read_to_end(&mut head);
            }
            head
        }
        Input::Path(_) => Vec::new(),
    }
}

/// From alert files, and what else was named.
fn of_alerts(args: &ReportArgs) -> anyhow::Result<Report> {
    let named = [
        ("--from", args.time.from.is_some()),
        ("--to", args.time.to.is_some()),
        ("--oui", args.oui.is_some()),
        ("--alert-budget", args.judge.alert_budget.is_some()),
        ("--pseudonyms", args.hide.pseudonyms.is_some()),
    ];
    if let Some((option, _)) = named.into_iter().find(|(_, is_given)| *is_given) {
        return Err(Usage(format!("{option} goes with captures; alerts are taken as they are")).into());
    }
    let mut report = Report { title: Shown::new(&args.title), ..Report::default() };
    if let Some(path) = &args.judge.model {
        let model = load(path)?;
        report.gather.know(&model.vocabulary);
        report.model = Some(KnownModel::new(Arc::new(model))?);
    }
    for (paths, role, wanted) in [(&args.inputs, "alerts", Wanted::Alerts), (&args.flows, "flow events", Wanted::Flows)] {
        for path in paths {
            read_lines(&mut report, path, role, wanted)?;
        }
    }
    report.gather.finish();
    if report.gather.incidents.lines == 0 && report.gather.passed_over.others > 0 {
        tell!("auscult: warning: no alert of this program was found; flow events are read with --flows");
    }
    if let Some(path) = &args.inventory {
        let place = || path.display().to_string();
        let mut devices = Devices::with(Report::named_hosts(&report.gather));
        devices.read(BufReader::new(File::open(path).with_context(place)?)).with_context(place)?;
        devices.finish();
        report.devices = Some(devices);
        report.sources.push(source(&Input::from(path.clone()), "inventory")?);
    }
    if let Some(path) = &args.stats {
        let place = || path.display().to_string();
        let stats = serde_json::from_reader(BufReader::new(File::open(path).with_context(place)?)).with_context(place)?;
        let account = Account::of(&stats).with_context(|| format!("{}: no accounting as --stats writes it", path.display()))?;
        report.account = Some(account);
        report.sources.push(source(&Input::from(path.clone()), "accounting")?);
    }
    if let Some(path) = &args.answers {
        let loaded = answer_file::load(path)?;
        loaded.tell_faults();
        report.answers = Some(Arc::new(loaded.answers));
        report.sources.push(source(&Input::from(path.clone()), "answers")?);
    }
    model_source(&mut report, args)?;
    Ok(report)
}

fn read_lines(report: &mut Report, path: &Path, role: &'static str, wanted: Wanted) -> anyhow::Result<()> {
    let input = Input::from(path.to_path_buf());
    // Content refuses what is empty, and an empty record of alerts is one.
    let is_empty = path.is_file() && std::fs::metadata(path).is_ok_and(|file| file.len() == 0);
    let name = input.name();
    if is_empty {
        report.gather.read(&b""[..], &name, wanted)?;
    } else {
        let content = Content::open(&input)?;
        report.gather.read(BufReader::with_capacity(1 << 16, content), &name, wanted).with_context(|| name.clone())?;
    }
    report.sources.push(source(&input, role)?);
    Ok(())
}

/// Judges captures as `replay` does.
fn of_captures(args: &ReportArgs, outcome: &mut Outcome) -> anyhow::Result<Report> {
    let named = [
        ("--flows", !args.flows.is_empty()),
        ("--inventory", args.inventory.is_some()),
        ("--stats", args.stats.is_some()),
        ("--answers", args.answers.is_some()),
    ];
    if let Some((option, _)) = named.into_iter().find(|(_, is_given)| *is_given) {
        return Err(Usage(format!("{option} goes with alerts; captures are judged for the page and bring it themselves")).into());
    }
    let config = setup::pipeline(&args.flow, Some(&args.time))?;
    let mut files = setup::captures(&args.inputs)?;
    let mut report = Report { title: Shown::new(&args.title), of_captures: true, ..Report::default() };
    for file in files.files() {
        report.sources.push(source(&file.input, "capture")?);
    }
    let hidden = Hidden::open(&args.hide)?;
    let mode = plan::mode(&args.judge, hidden.as_ref())?;
    if let Mode::Model(model, _) = &mode {
        report.model = Some(KnownModel::new(Arc::clone(model))?);
    }
    let mut gather = Gather::default();
    let mut inventory = InventoryOutput::in_memory(args.oui.as_deref(), &config.home, hidden.as_ref())?;
    let detector = DetectorConfig { score_flows: true, ..DetectorConfig::default() };
    let feed = Feed::Packets(&mut files, &config);
    let mut plan = plan::Plan::only(mode, hidden);
    let (account, damage, verdict) = judge(feed, &mut plan, detector, (&mut gather, Some(&mut inventory)))?;
    plan.hidden.map_or(Ok(()), Hidden::finish)?;
    gather.finish();
    outcome.add_damage(&damage);
    if outcome.status == FINISHED && account.lost_some(true) {
        outcome.status = TRUNCATED;
    }
    tell!("{account}");
    let verdict = verdict.unwrap_or_else(|error| {
        tell!("auscult: nothing was judged: {}", in_one_line(&error));
        crate::replay::Verdict::default()
    });
    if let Some(why) = &verdict.too_little {
        tell!("auscult: judged by what is an attack on any network alone: {why}");
    }
    report.account = Account::of(&summary::stats(&account, &verdict, &Gate::default(), &Written::default()));
    let mut devices = Devices::with(Report::named_hosts(&gather));
    for device in inventory.devices() {
        devices.add(serde_json::from_value::<Device>(serde_json::to_value(device)?)?);
    }
    devices.finish();
    (report.devices, report.gather) = (Some(devices), gather);
    model_source(&mut report, args)?;
    Ok(report)
}

fn model_source(report: &mut Report, args: &ReportArgs) -> anyhow::Result<()> {
    if let Some(path) = args.judge.model.as_ref().filter(|path| path.is_file()) {
        report.sources.push(source(&Input::from(path.clone()), "model")?);
    }
    Ok(())
}

fn source(input: &Input, role: &'static str) -> anyhow::Result<SourceFile> {
    let crate::model::Source { name, bytes, sha256 } = train::source(input)?;
    Ok(SourceFile { role, name: Shown::new(&name), bytes, sha256 })
}

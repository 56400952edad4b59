//! Files and stdout.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::args::OutputArgs;
use super::evidence::{EvidenceOutput, EvidenceReport};
use super::flow_output::FlowOutput;
use super::line_file::LineFile;
use super::listen::in_words;
use super::patient::Patient;
use super::progress::Bar;
use super::record_lines::go_on;
use super::sinks::{Begun, Deliveries, open_all};
use super::train::save;
use super::versions::Versions;
use crate::alert::{AlertContext, AlertLines, Chain};
use crate::detect::{Answers, IncidentState, Notice, ScoredFlow};
use crate::evidence::Slices;
use crate::feature::Host;
use crate::flow::FlowRecord;
use crate::model::{Model, Vocabulary};
use crate::pipeline::{Condition, Progress};
use crate::replay::{Output, State};
use crate::sink::{Report, Retention, SinkGauge, Writer};
use crate::time::Timestamp;
use crate::wire::Addr;

/// Opens a file for writing; `-` is stdout.
///
/// # Errors
/// When it cannot be created.
pub fn create(path: &Path) -> anyhow::Result<Box<dyn Write + Send>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufWriter::new(io::stdout())));
    }
    let file = File::create(path).with_context(|| format!("{}: cannot be written", path.display()))?;
    Ok(Box::new(BufWriter::with_capacity(1 << 16, file)))
}

/// Opens a file for lines that form a chain: anew, or behind the lines that are there. `-` is stdout.
///
/// # Errors
/// When it cannot be created, or read where it goes on.
pub fn chained(path: &Path, goes_on: bool) -> anyhow::Result<(Box<dyn Write + Send>, Chain)> {
    // Pipes and devices hold nothing to go on from.
    if goes_on && path.as_os_str() != "-" && (path.is_file() || !path.exists()) {
        let (file, chain) = go_on(path)?;
        return Ok((Box::new(LineFile::over(path, file)?), chain));
    }
    Ok((Box::new(LineFile::open(path, false)?), Chain::default()))
}

/// Everything that `replay` and `watch` write.
pub struct Outputs {
    targets: Vec<Begun>,
    alerts: Vec<(PathBuf, AlertLines<Patient<Writer>>)>,
    deliveries: Deliveries,
    flows: Option<FlowOutput>,
    bar: Bar,
    /// Is somebody there to be told how the network is heard?
    watches: bool,
    /// What takes all of it too.
    also: Option<Box<dyn Output>>,
    /// What matters first of the incidents that were told, for the summary.
    foremost: Vec<Notice>,
    /// Where models are kept that were learned meanwhile.
    versions: Option<Versions>,
    save_model: Option<PathBuf>,
    /// When old versions go.
    retention: Option<Retention>,
    evidence: Option<EvidenceOutput>,
    /// The first thing that could not be written.
    failed: Option<anyhow::Error>,
}

/// What was written, for the summary.
#[derive(Default)]
pub struct Written {
    /// Incidents, as they were when they closed: the most severe, then those with the most bits.
    pub foremost: Vec<Notice>,
    /// What went to targets on the network.
    pub deliveries: Vec<Report>,
    /// Packets of incidents, where they were wanted.
    pub evidence: Option<EvidenceReport>,
}

impl Written {
    /// Is something missing that was to be written?
    pub fn has_lost(&self) -> bool {
        self.deliveries.iter().any(|delivery| delivery.dropped + delivery.refused > 0)
            || self.evidence.as_ref().is_some_and(EvidenceReport::has_lost)
    }
}

/// Incidents kept for the summary.
const MOST_FOREMOST: usize = 10;

impl Outputs {
    /// Opens what the arguments name; a program that `watches` goes on behind what stands in files, and opens them again on HUP.
    ///
    /// # Errors
    /// Wrong usage, or a file that cannot be created.
    pub fn open(args: &OutputArgs, bar: Bar, watches: bool) -> anyhow::Result<Self> {
        let names: &[String] = if args.alerts.is_empty() { &["-".to_owned()] } else { &args.alerts };
        let (targets, deliveries) = open_all(names, &args.sinks, watches)?;
        // Lines of alerts would stand in the middle of it.
        let shares_terminal = io::stdout().is_terminal() && deliveries.gauges.iter().any(|gauge| gauge.kind == "stdout");
        let bar = if shares_terminal { Bar::none() } else { bar };
        let open_flows = |path: &PathBuf| FlowOutput::open(path, watches, &args.lake, args.sinks.retention());
        let flows = args.flows.as_ref().map(open_flows).transpose()?;
        let (alerts, foremost, versions, save_model, evidence) = (Vec::new(), Vec::new(), None, None, None);
        let (retention, also, failed) = (args.sinks.retention(), None, None);
        Ok(Self {
            targets,
            alerts,
            deliveries,
            flows,
            bar,
            watches,
            also,
            foremost,
            versions,
            save_model,
            retention,
            evidence,
            failed,
        })
    }

    /// Keeps models that are learned meanwhile: as versions in a folder, and the one of `--learn` in a file.
    pub fn keep_models(&mut self, versions: Option<Versions>, save_model: Option<PathBuf>) {
        (self.versions, self.save_model) = (versions, save_model);
    }

    /// Keeps the packets of incidents that are told.
    pub fn keep_evidence(&mut self, evidence: Option<EvidenceOutput>) {
        self.evidence = evidence;
    }

    /// Reads so many frames again for their packets, where they are wanted and were not kept.
    pub fn read_again(&mut self, frames: u64) {
        let read = self.evidence.as_mut().map_or(Ok(()), |evidence| evidence.read_again(frames, &self.bar));
        self.failed = self.failed.take().or(read.err());
    }

    /// Looks at each target of alerts while it is in use.
    pub fn gauges(&self) -> Vec<SinkGauge> {
        self.deliveries.gauges.clone()
    }

    /// Lets another take all of it too.
    pub fn repeat_to(&mut self, other: Box<dyn Output>) {
        self.also = Some(other);
    }

    /// Flushes everything, and waits a while for targets on the network.
    ///
    /// # Errors
    /// The first thing that could not be written.
    pub fn finish(mut self) -> anyhow::Result<Written> {
        let evidence = self.evidence.map(EvidenceOutput::finish);
        for (_, lines) in &mut self.alerts {
            // Where flows go to stdout, too, they wait for the end of a line; whether all was written is told below.
            let _ = lines.inner_mut().catch_up();
        }
        if let Some(flows) = &mut self.flows {
            let finished = flows.finish();
            keep(&mut self.failed, flows.path(), finished);
        }
        for (path, lines) in &mut self.alerts {
            let finished = lines.inner_mut().finish();
            keep(&mut self.failed, path, finished);
        }
        let reports = self.deliveries.finish();
        match self.failed {
            Some(error) => Err(error),
            None => Ok(Written { foremost: self.foremost, deliveries: reports, evidence }),
        }
    }

    fn write_flow(&mut self, record: &FlowRecord, judged: Option<(f64, &str)>) {
        if let Some(flows) = &mut self.flows {
            let written = flows.write(record, judged);
            keep(&mut self.failed, flows.path(), written);
        }
    }
}

/// Remembers the first failure. A reader that went away is none: the other outputs are still wanted.
fn keep(failed: &mut Option<anyhow::Error>, path: &Path, result: io::Result<()>) {
    if let Err(error) = result
        && error.kind() != io::ErrorKind::BrokenPipe
        && failed.is_none()
    {
        *failed = Some(anyhow::Error::new(error).context(format!("{}: cannot be written", path.display())));
    }
}

impl Output for Outputs {
    fn begin(&mut self, context: &AlertContext) {
        if let Some(also) = &mut self.also {
            also.begin(context);
        }
        self.alerts.iter_mut().for_each(|(_, lines)| lines.continue_with(context.clone()));
        let targets = std::mem::take(&mut self.targets);
        if targets.is_empty() {
            return;
        }
        let begin = |(path, target, chain): Begun| {
            let target = Patient::new(&path, target);
            (path, AlertLines::after(chain, target, context.clone()))
        };
        self.alerts = targets.into_iter().map(begin).collect();
    }

    fn vocabulary(&mut self, vocabulary: &Vocabulary) {
        if let Some(also) = &mut self.also {
            also.vocabulary(vocabulary);
        }
    }

    fn model(&mut self, model: &Arc<Model>) {
        if let Some(also) = &mut self.also {
            also.model(model);
        }
        let trained = self.save_model.take_if(|_| model.provenance.adapted.is_none());
        let saved = trained.map_or(Ok(()), |path| save(model, &path));
        let kept = self.versions.as_ref().map_or(Ok(()), |versions| {
            versions.add(model)?;
            self.retention.as_ref().map_or(Ok(()), |retention| versions.sweep(retention))
        });
        self.failed = self.failed.take().or(saved.and(kept).err());
    }

    fn partial(&mut self, model: &Arc<Model>) {
        if let Some(also) = &mut self.also {
            also.model(model);
        }
        let saved = self.save_model.take().map_or(Ok(()), |path| save(model, &path));
        self.failed = self.failed.take().or(saved.err());
    }

    fn packets(&mut self, packets: Slices) {
        if let Some(evidence) = &mut self.evidence {
            evidence.packets(packets);
        }
    }

    fn alias(&mut self, address: Addr, device: Host) {
        if let Some(evidence) = &mut self.evidence {
            evidence.alias(address, device);
        }
    }

    fn condition(&mut self, condition: Condition) {
        if self.watches {
            tell!("auscult: {}", in_words(&condition));
        }
    }

    fn answered(&mut self, answers: &Answers, now: Timestamp) {
        if let Some(evidence) = &mut self.evidence {
            evidence.answered(answers, now);
        }
    }

    fn reloaded(&mut self, model: &Arc<Model>) {
        if let Some(also) = &mut self.also {
            also.model(model);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        for (path, lines) in &mut self.alerts {
            let written = lines.inner_mut().catch_up();
            keep(&mut self.failed, path, written);
        }
        if let Some(flows) = &mut self.flows {
            let written = flows.tick(now);
            keep(&mut self.failed, flows.path(), written);
        }
        if let Some(evidence) = &mut self.evidence {
            evidence.tick();
        }
    }

    fn waits(&mut self) -> bool {
        self.alerts.iter_mut().any(|(_, lines)| lines.inner_mut().waits())
    }

    fn state(&mut self, _state: &State<'_>) {
        // What is remembered as told is out.
        if let Some(flows) = &mut self.flows {
            let flushed = flows.flush();
            keep(&mut self.failed, flows.path(), flushed);
        }
    }

    fn notice(&mut self, notice: &Notice) {
        let named = self.evidence.as_mut().map(|evidence| evidence.notice(notice));
        let notice = named.as_ref().unwrap_or(notice);
        if let Some(also) = &mut self.also {
            also.notice(notice);
        }
        for (path, lines) in &mut self.alerts {
            let written = lines.write(notice);
            keep(&mut self.failed, path, written);
        }
        if notice.state == IncidentState::Closed {
            let rank = |notice: &Notice| (notice.incident.class.info().severity, -notice.incident.bits);
            let (severity, bits) = rank(notice);
            let place = self.foremost.partition_point(|other| {
                let (other_severity, other_bits) = rank(other);
                other_severity.cmp(&severity).then(other_bits.total_cmp(&bits)).is_le()
            });
            if place < MOST_FOREMOST {
                self.foremost.truncate(MOST_FOREMOST - 1);
                self.foremost.insert(place, notice.clone());
            }
        }
    }

    fn hidden(&mut self, notice: &Notice) {
        if let Some(also) = &mut self.also {
            also.hidden(notice);
        }
        if let Some(evidence) = &mut self.evidence {
            evidence.hidden(notice);
        }
    }

    fn flow(&mut self, flow: &ScoredFlow, behaviour: &str) {
        if let Some(also) = &mut self.also {
            also.flow(flow, behaviour);
        }
        self.write_flow(&flow.record, Some((flow.bits, behaviour)));
    }

    fn unjudged(&mut self, record: &FlowRecord) {
        if let Some(also) = &mut self.also {
            also.unjudged(record);
        }
        self.write_flow(record, None);
    }

    fn progress(&mut self, progress: Progress) {
        if let Some(also) = &mut self.also {
            also.progress(progress);
        }
        self.bar.set(progress);
    }
}

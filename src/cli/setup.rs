//! From arguments to a pipeline.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;

use super::args::{FlowArgs, TimeArgs};
use super::exit::Usage;
use super::feed::Opened;
use super::lake_use::expanded;
use crate::capture::{Content, Files, Input, open};
use crate::flow::{FlowLimits, HomeNets, LimitsError};
use crate::pipeline::PipelineConfig;
use crate::record::{self, RecordConfig, RecordFiles};
use crate::time::Timestamp;

/// Bytes that are looked at to tell flow records from captures.
const HEAD_BYTES: u64 = 64 << 10;

/// The pipeline that the arguments ask for.
///
/// # Errors
/// Wrong usage.
pub fn pipeline(flow: &FlowArgs, time: Option<&TimeArgs>) -> anyhow::Result<PipelineConfig> {
    let limits = FlowLimits {
        tcp_idle_s: flow.tcp_idle,
        udp_idle_s: flow.udp_idle,
        active_s: flow.active,
        max_flows: flow.max_flows,
        ..FlowLimits::default()
    };
    let (from, to) = time.map_or(Ok((None, None)), span)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = flow.workers.map_or(cores.min(64), usize::from);
    let limits = limits.check().map_err(|error| Usage(in_flags(&error)))?;
    let (vlan_key, deduplicate) = (flow.vlan_key, !flow.keep_duplicates);
    Ok(PipelineConfig { vlan_key, deduplicate, from, to, ..PipelineConfig::new(workers, limits, home(&flow.home_net)?) })
}

/// What is wrong with limits, by the flags that give them.
fn in_flags(error: &LimitsError) -> String {
    match error {
        LimitsError::Timeout { name, got } => {
            format!("--{}: {got} s: wanted 1 to 86400", name.trim_end_matches("_s").replace('_', "-"))
        }
        LimitsError::Flows { got, wanted } => format!("--max-flows: {got}: wanted at least {wanted}"),
    }
}

/// How flow records are read, as the arguments ask for.
///
/// # Errors
/// Wrong usage.
pub fn records(home_net: &[String], time: &TimeArgs) -> anyhow::Result<RecordConfig> {
    let (from, to) = span(time)?;
    Ok(RecordConfig { home: home(home_net)?, from, to })
}

fn home(nets: &[String]) -> anyhow::Result<HomeNets> {
    Ok(HomeNets::parse(nets).map_err(|error| Usage(format!("--home-net: {error}")))?)
}

fn span(time: &TimeArgs) -> anyhow::Result<(Option<Timestamp>, Option<Timestamp>)> {
    if let (Some(from), Some(to)) = (time.from, time.to)
        && from >= to
    {
        return Err(Usage(format!("--from {from} is not before --to {to}")).into());
    }
    Ok((time.from, time.to))
}

/// Opens the captures.
///
/// # Errors
/// When one cannot be opened.
pub fn captures(inputs: &[PathBuf]) -> anyhow::Result<Files> {
    open(&named(inputs)).context("nothing was read")
}

/// Opens files of flow records, or folders of such.
///
/// # Errors
/// When one cannot be opened, or holds something else.
pub fn record_files(inputs: &[PathBuf], time: &TimeArgs) -> anyhow::Result<RecordFiles> {
    expanded(inputs, time).and_then(|inputs| Ok(record::open(&named(&inputs))?)).context("nothing was read")
}

/// Opens captures or files of flow records, whichever they hold.
///
/// # Errors
/// Wrong usage, or when one cannot be opened, or when both are named.
pub fn opened(inputs: &[PathBuf], flow: &FlowArgs, time: &TimeArgs) -> anyhow::Result<Opened> {
    let config = pipeline(flow, Some(time))?;
    let inputs = expanded(inputs, time).context("nothing was read")?;
    let all = named(&inputs);
    let (of_records, others): (Vec<&Input>, Vec<&Input>) = all.iter().partition(|input| holds_records(input));
    match (of_records.as_slice(), others.as_slice()) {
        ([], _) => Ok(Opened::Captures(captures(&inputs)?, config)),
        (_, []) => {
            let files = record::open(&all).context("nothing was read")?;
            Ok(Opened::Records(files, records(&flow.home_net, time)?))
        }
        ([records, ..], [other, ..]) => Err(Usage(format!(
            "captures and flow records in one call: {records} holds flow records, {other} does not; give one kind at a time"
        ))
        .into()),
    }
}

fn named(inputs: &[PathBuf]) -> Vec<Input> {
    inputs.iter().cloned().map(Input::from).collect()
}

/// Folders and pipes stand for captures, and so does what cannot be opened: it is told when it is read.
fn holds_records(input: &Input) -> bool {
    let head = match input {
        Input::Stdin => Content::peek_stdin(HEAD_BYTES as usize).unwrap_or_default(),
        Input::Path(path) if path.is_file() => {
            let mut head = Vec::new();
            if let Ok(content) = Content::open(input) {
                // Damage further on is told when it is read.
                let _ = content.take(HEAD_BYTES).read_to_end(&mut head);
            }
            head
        }
        Input::Path(_) => Vec::new(),
    };
    record::recognise(&head).is_some()
}

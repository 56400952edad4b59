//! From arguments to a pipeline.

use std::path::PathBuf;

use anyhow::Context as _;

use super::args::{FlowArgs, TimeArgs};
use super::exit::Usage;
use crate::capture::{Files, Input, open};
use crate::flow::{FlowLimits, HomeNets};
use crate::pipeline::PipelineConfig;

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
    let (from, to) = time.map_or((None, None), |time| (time.from, time.to));
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(Usage(format!("--from {from} is not before --to {to}")).into());
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = flow.workers.map_or(cores.min(64), usize::from);
    let limits = limits.check().map_err(|error| Usage(error.to_string()))?;
    let home = HomeNets::parse(&flow.home_net).map_err(|error| Usage(format!("--home-net: {error}")))?;
    let (vlan_key, deduplicate) = (flow.vlan_key, !flow.keep_duplicates);
    Ok(PipelineConfig { vlan_key, deduplicate, from, to, ..PipelineConfig::new(workers, limits, home) })
}

/// Opens the captures.
///
/// # Errors
/// When one cannot be opened.
pub fn captures(inputs: &[PathBuf]) -> anyhow::Result<Files> {
    let inputs: Vec<Input> = inputs.iter().cloned().map(Input::from).collect();
    open(&inputs).context("nothing was read")
}

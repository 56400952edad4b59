//! `detect nats://… --group`: detectors that share the work.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::args::{DetectArgs, JudgeArgs};
use super::exit::Usage;
use super::fleet::{StreamArgs, duration, told};
use super::model_store::{Following, ModelStore};
use super::reload::{Fitting, Reload};
use super::sinks::sensor;
use crate::detect::Knowledge;
use crate::fleet::{Group, GroupConfig, MOST_PARTITIONS, PARTITIONS};
use crate::model::{Budget, Model};
use crate::nats::{Address, Keeping, name_of};
use crate::state::Desk;
use crate::time::{Span, parse_span};

/// Bytes of findings that are kept for who files, where the stream is made.
const MOST_FINDINGS_BYTES: u64 = 1 << 30;
/// How long they are kept then.
const FINDINGS_AGE: Span = Span::from_secs(86_400);

/// How work is shared.
#[derive(Debug, Args)]
#[command(next_help_heading = "NATS")]
pub struct GroupArgs {
    /// Share a stream with all detectors of this group: each judges a part of the devices, and one of them writes the alerts
    #[arg(long, value_name = "NAME", value_parser = name_of, conflicts_with = "detector")]
    pub group: Option<String>,
    /// The name of this detector in its group [default: this machine's and the process's number]
    #[arg(long, value_name = "NAME", value_parser = name_of, requires = "group")]
    pub member: Option<String>,
    /// Parts of all devices, as the sensors publish into
    #[arg(long, value_name = "N", default_value_t = PARTITIONS, value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_PARTITIONS)))]
    pub partitions: u16,
    /// Keep for other detectors of the group how far this one is, this often
    #[arg(long, value_name = "SPAN", value_parser = parse_span, default_value = "1m")]
    pub checkpoint_every: Span,
    /// Where the group has no stores yet: on so many servers of a cluster
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub stream_replicas: u8,
}

/// Refuses what nobody in a group can do.
///
/// # Errors
/// Wrong usage.
pub fn check(args: &DetectArgs) -> anyhow::Result<()> {
    if args.stream.group.group.is_some() && args.output.flows.is_some() {
        return Err(Usage("--flows is not for a group: no detector of it has all bits of a flow".to_owned()).into());
    }
    Ok(())
}

/// Comes into a group.
///
/// # Errors
/// Wrong usage; a server that is away or refuses.
pub fn open(
    args: &StreamArgs,
    judge: &JudgeArgs,
    address: &str,
    (model, budget): (&Arc<Model>, Option<Budget>),
    desk: Desk,
) -> anyhow::Result<Group> {
    let GroupArgs { group, member, partitions, checkpoint_every, stream_replicas } = &args.group;
    let fit = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let usual = || format!("{}-{}", sensor().chars().map(fit).take(48).collect::<String>(), std::process::id());
    let config = GroupConfig {
        address: Address::parse(address).map_err(told)?,
        access: args.nats.access(),
        group: group.clone().context("no group")?,
        member: member.clone().unwrap_or_else(usual),
        partitions: *partitions,
        merge: args.merge(),
        checkpoint_every: duration(*checkpoint_every),
        keeping: Keeping { age: duration(FINDINGS_AGE), bytes: MOST_FINDINGS_BYTES, replicas: usize::from(*stream_replicas) },
        until_caught_up: args.until_caught_up,
        tell: Arc::new(|text| tell!("auscult: {text}")),
    };
    let known = |model: &Model, budget: Option<Budget>| Arc::new(Knowledge::of_model(model, budget.unwrap_or(model.budget)));
    let fitting = || Fitting { key: model.provenance.pseudonyms.clone(), order: None };
    let looking = ModelStore::of(judge, &args.nats)?;
    let looking = looking.map(|store| Following::from(store, model, judge)?.begin(fitting())).transpose()?;
    let newest = move || {
        let Reload { model, budget } = looking.as_ref()?.changed()?;
        // A model whose digest cannot be worked out was refused when it was loaded.
        let digest = model.digest().unwrap_or_default();
        Some((known(&model, budget), digest))
    };
    let knowledge = (known(model, budget), model.digest()?);
    Group::open(config, knowledge, Box::new(newest), desk).map_err(told)
}

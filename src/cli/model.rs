//! `auscult model`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::exit::Outcome;
use super::fleet::{ModelStore, NatsArgs, StreamArgs};
use super::judge::load;
use super::versions::Versions;
use crate::model::Difference;

/// `auscult model`.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ModelCommand,
}

/// What `auscult model` does.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// What changed from one model to another, device by device
    Diff {
        /// The older model: a file, or a folder of versions
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The newer one
        #[arg(value_name = "NEW")]
        new: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a model to all detectors of a system of NATS: they judge by it from the next tick on
    #[cfg(feature = "nats")]
    Publish {
        /// The system
        #[arg(value_name = "nats://HOST:PORT[/PREFIX]")]
        address: String,
        /// The model: a file, or a folder of versions
        #[arg(value_name = "MODEL")]
        model: PathBuf,
        #[command(flatten)]
        #[allow(missing_docs)]
        nats: NatsArgs,
    },
    /// Put an earlier version in use, of a model that learned on with --adapt or was published
    Rollback {
        /// The folder of its versions, or nats://HOST:PORT[/PREFIX]
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Its number [default: the one before the version in use]
        #[arg(long, value_name = "N")]
        to: Option<u32>,
        #[command(flatten)]
        #[allow(missing_docs)]
        nats: NatsArgs,
    },
}

/// Compares models, or puts an earlier version of one in use.
///
/// # Errors
/// Models that cannot be loaded, a folder without such a version.
pub fn run(args: &ModelArgs) -> anyhow::Result<Outcome> {
    let page = match &args.command {
        ModelCommand::Diff { old, new, json } => {
            let difference = Difference::between(&load(old)?, &load(new)?)?;
            if *json { format!("{:#}\n", serde_json::to_value(&difference)?) } else { difference.to_string() }
        }
        #[cfg(feature = "nats")]
        ModelCommand::Publish { address, model, nats } => {
            let digest = ModelStore::open(address, nats)?.publish(&load(model)?)?;
            format!("{digest} is in use; nothing was deleted\n")
        }
        ModelCommand::Rollback { folder, nats, .. } if StreamArgs::address(std::slice::from_ref(folder))?.is_some() => {
            let (from, to) = ModelStore::open(&folder.to_string_lossy(), nats)?.roll_back()?;
            format!("{to} is in use instead of {from}; nothing was deleted\n")
        }
        ModelCommand::Rollback { folder, to, .. } => {
            let (from, to) = Versions::open(folder)?.rollback(*to)?;
            format!("version {to} is in use instead of {from}; nothing was deleted\n")
        }
    };
    std::io::stdout().write_all(page.as_bytes()).context("standard output")?;
    Ok(Outcome::default())
}

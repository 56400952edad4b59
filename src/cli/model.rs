//! `auscult model`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::exit::Outcome;
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
    /// Put an earlier version in use, of a model that learned on with --adapt
    Rollback {
        /// The folder of its versions
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Its number [default: the one before the version in use]
        #[arg(long, value_name = "N")]
        to: Option<u32>,
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
        ModelCommand::Rollback { folder, to } => {
            let (from, to) = Versions::open(folder)?.rollback(*to)?;
            format!("version {to} is in use instead of {from}; nothing was deleted\n")
        }
    };
    std::io::stdout().write_all(page.as_bytes()).context("standard output")?;
    Ok(Outcome::default())
}

//! `auscult model`.

use std::io::Write as _;

use anyhow::Context as _;

use super::args::{ModelArgs, ModelCommand};
use super::exit::Outcome;
use super::judge::load;
use super::versions::Versions;
use crate::model::Difference;

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

//! `auscult inspect`.

use std::io::Write as _;

use anyhow::Context as _;

use super::args::InspectArgs;
use super::exit::{Outcome, Usage};
use super::judge::load;
use crate::model::{card, card_json};

/// Prints a model's card, or the table of features.
///
/// # Errors
/// A model that cannot be loaded.
pub fn run(args: &InspectArgs) -> anyhow::Result<Outcome> {
    let page = if args.features {
        crate::feature::markdown()
    } else {
        let path = args.model.as_ref().ok_or_else(|| Usage(String::from("name a model")))?;
        let model = load(path)?;
        if args.json { format!("{:#}\n", card_json(&model)?) } else { card(&model) }
    };
    std::io::stdout().write_all(page.as_bytes()).context("standard output")?;
    Ok(Outcome::default())
}

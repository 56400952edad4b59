//! What other ways of telling attacks apart reach on the same flows, and what each part of the evidence is worth.
//!
//! `cargo run --release --example compare -- CAPTURE --split TIME --truth LABELS.csv`, or `--train CAPTURE CAPTURE` for
//! separate files (several may be judged); `--ablation` for the parts; `--without-host-context` for everything without what flows of a device share.

#[path = "compare/mod.rs"]
mod compare;

use std::io::Write as _;

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    let options = compare::Options::parse();
    let pages: Vec<String> = if options.ablation {
        compare::ablation(&options)?.iter().map(ToString::to_string).collect()
    } else if let Some(seeds) = options.seeds {
        compare::seeds(&options, seeds)?.iter().map(ToString::to_string).collect()
    } else {
        compare::compare(&options)?.iter().map(ToString::to_string).collect()
    };
    Ok(std::io::stdout().write_all(pages.join("\n").as_bytes())?)
}

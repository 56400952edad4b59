//! What other ways of telling attacks apart reach on the same flows, and what each part of the evidence is worth.
//!
//! `cargo run --release --example compare -- CAPTURE --split TIME --truth LABELS.csv`, or `--train CAPTURE CAPTURE` for
//! separate files; `--ablation` for the parts; `--without-host-context` for everything without what flows of a device share.

#[path = "compare/mod.rs"]
mod compare;

use std::io::Write as _;

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    let options = compare::Options::parse();
    let page = if options.ablation { compare::ablation(&options)?.to_string() } else { compare::compare(&options)?.to_string() };
    Ok(std::io::stdout().write_all(page.as_bytes())?)
}

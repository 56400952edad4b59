//! `auscult completions` and `auscult manual`: for who packages the program.

use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::args::Cli;
use super::exit::Outcome;

/// `auscult completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `auscult manual`.
#[derive(Debug, Args)]
pub struct ManualArgs {
    /// The folder for the pages
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// Prints what completes commands and flags in a shell.
///
/// # Errors
/// Standard output that cannot be written.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "auscult", &mut script);
    io::Write::write_all(&mut io::stdout(), &script).context("standard output")?;
    Ok(Outcome::default())
}

/// Writes manual pages: one of the program and one of each command.
///
/// # Errors
/// A folder that cannot be written to.
pub fn manual(args: &ManualArgs) -> anyhow::Result<Outcome> {
    let place = || format!("{}: cannot be written", args.folder.display());
    fs::create_dir_all(&args.folder).with_context(place)?;
    clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), &args.folder).with_context(place)?;
    Ok(Outcome::default())
}

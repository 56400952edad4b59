//! The command line: arguments, output files, progress, exit status.

#![allow(clippy::print_stderr, reason = "the one module that talks to people")]

mod alerts;
mod answer;
mod answer_args;
mod answer_file;
mod answered;
mod args;
mod eval;
mod evidence;
mod exit;
mod explain;
mod feed;
mod filter;
mod flows;
mod follow;
mod hidden;
mod inspect;
mod inventory;
mod judge;
mod listen;
mod model;
mod output;
#[cfg_attr(not(feature = "http"), path = "page_off.rs")]
mod page;
mod page_about;
mod plan;
mod progress;
mod recheck;
mod record_lines;
mod report;
mod reveal;
mod setup;
mod sinks;
mod stop;
mod summary;
mod train;
mod verify;
mod versions;

use std::process::ExitCode;

use clap::Parser as _;

pub use args::{Cli, Command};
use exit::Outcome;

use crate::detect::AnswerKind;

/// Runs the program with the process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked = !error.use_stderr();
            // A closed pipe is no error.
            let _ = error.print();
            return ExitCode::from(if asked { exit::FINISHED } else { exit::USAGE });
        }
    };
    let result = match cli.command {
        Command::Replay(args) => judge::replay(&args),
        Command::Watch(args) => judge::watch(&args),
        Command::Detect(args) => judge::detect(&args),
        Command::Train(args) => train::run_train(&args),
        Command::Flows(args) => flows::run_flows(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Model(args) => model::run(&args),
        Command::Alerts(args) => alerts::run(&args),
        Command::Learn(args) => answer::learn(&args),
        Command::Mute(args) => answer::mute(&args),
        Command::Close(args) => answer::close(&args),
        Command::Unlearn(args) => answer::take_back(&args, AnswerKind::Unlearn),
        Command::Unmute(args) => answer::take_back(&args, AnswerKind::Unmute),
        Command::Verify(args) => verify::run(&args),
        Command::Pseudonyms(args) => reveal::pseudonyms(&args),
        Command::Reveal(args) => reveal::reveal(&args),
    };
    result.unwrap_or_else(|error| Outcome::of_error(&error)).report()
}

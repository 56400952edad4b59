//! The command line: arguments, output files, progress, exit status.

#[macro_use]
mod tell;

mod alerts;
mod answer;
mod answer_args;
mod answer_file;
mod answered;
mod args;
mod attend;
mod clock;
mod config;
mod eval;
mod evidence;
mod exit;
mod explain;
mod feed;
mod filter;
#[cfg_attr(not(feature = "nats"), path = "fleet_off.rs")]
mod fleet;
mod flow_output;
mod flows;
mod follow;
#[cfg(feature = "nats")]
mod group;
mod guard;
mod hidden;
mod inspect;
mod inventory;
mod judge;
mod kept;
mod lake;
#[cfg_attr(not(feature = "parquet"), path = "lake_off.rs")]
mod lake_use;
mod line_file;
mod listen;
mod model;
#[cfg(feature = "nats")]
mod model_store;
mod output;
#[cfg_attr(not(feature = "http"), path = "page_off.rs")]
mod page;
mod page_about;
mod patient;
mod plan;
mod progress;
mod recheck;
mod record_lines;
mod reload;
mod report;
mod reveal;
mod service;
mod setup;
mod shell;
mod sinks;
mod site;
mod stop;
mod summary;
#[cfg(feature = "nats")]
mod together;
mod told;
mod train;
mod verify;
mod versions;

use std::process::ExitCode;

pub use args::{Cli, Command};
use config::Refused;
use exit::Outcome;

use crate::detect::AnswerKind;

/// Runs the program with the process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    let argv: Vec<_> = std::env::args_os().collect();
    let (cli, places) = match config::parse(&argv) {
        Ok(said) => (said.cli, said.places),
        Err(Refused::Usage(error)) => {
            let asked = !error.use_stderr();
            // A closed pipe is no error.
            let _ = error.print();
            return ExitCode::from(if asked { exit::FINISHED } else { exit::USAGE });
        }
        Err(Refused::File(text)) => {
            tell!("auscult: {text}");
            return ExitCode::from(exit::USAGE);
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
        Command::Completions(args) => shell::completions(&args),
        Command::Manual(args) => shell::manual(&args),
    };
    result.unwrap_or_else(|error| Outcome::of_error(&places.locate(error))).report()
}

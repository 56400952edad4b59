//! The `auscult` program: see [`auscult::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    auscult::cli::run()
}

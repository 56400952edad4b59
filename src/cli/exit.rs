//! Exit status.

use std::process::ExitCode;

use super::feed::Damage;

/// Finished.
pub const FINISHED: u8 = 0;
/// Failed.
pub const FAILED: u8 = 1;
/// Wrong usage or configuration.
pub const USAGE: u8 = 2;
/// Alerts were raised and `--fail-on-alert` was given.
pub const ALERTS: u8 = 3;
/// Finished, but a file ended inside a record, or frames were lost.
pub const TRUNCATED: u8 = 4;

/// Something about the arguments that only shows when they are used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// An error and its causes. A cause that the error before it has quoted is not said again.
pub fn in_one_line(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |line, cause| match line.as_str() {
        "" => cause,
        said if said.contains(&cause) => line,
        said => format!("{said}: {cause}"),
    })
}

/// How a command ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Lines for stderr, each an error.
    pub errors: Vec<String>,
    /// Exit status.
    pub status: u8,
}

impl Outcome {
    /// The outcome of an error: its whole chain in one line.
    pub fn of_error(error: &anyhow::Error) -> Self {
        let closed = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
        if closed.into_iter().any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe) {
            return Self::default();
        }
        let status = if error.is::<Usage>() { USAGE } else { FAILED };
        Self { errors: vec![in_one_line(error)], status }
    }

    /// Adds what was damaged while reading: a file that was cut is status 4, anything else 1.
    pub fn add_damage(&mut self, damage: &[Damage]) {
        damage.iter().for_each(|error| self.add_error(error.to_string(), error.is_truncation()));
    }

    /// Adds one thing that was damaged, in words.
    pub fn add_error(&mut self, error: String, is_truncation: bool) {
        let status = if is_truncation { TRUNCATED } else { FAILED };
        self.errors.push(error);
        self.status = if self.status == FINISHED || status == FAILED { status } else { self.status };
    }

    /// Prints the errors; the process ends with the status.
    pub fn report(self) -> ExitCode {
        for error in &self.errors {
            tell!("auscult: {error}");
        }
        ExitCode::from(self.status)
    }
}

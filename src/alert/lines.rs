//! Alerts as lines that form a chain.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::eve::{AlertContext, alert_event};
use crate::detect::Notice;
use crate::model::hex;

/// Writes alerts as JSON Lines; each carries the SHA-256 of the line before, so that a record can be shown to be whole. The
/// first carries 64 zeros.
#[derive(Debug)]
pub struct AlertLines<W> {
    to: W,
    context: AlertContext,
    written: u64,
    before: String,
}

impl<W: Write> AlertLines<W> {
    /// A chain that begins here.
    pub fn new(to: W, context: AlertContext) -> Self {
        Self { to, context, written: 0, before: format!("sha256:{}", "0".repeat(64)) }
    }

    /// Writes a line and flushes it: an alert is not held back.
    ///
    /// # Errors
    /// When the target cannot be written.
    pub fn write(&mut self, notice: &Notice) -> io::Result<()> {
        let mut line = serde_json::to_vec(&alert_event(notice, &self.context, (self.written, &self.before)))?;
        self.before = format!("sha256:{}", hex(&Sha256::digest(&line)));
        self.written += 1;
        line.push(b'\n');
        self.to.write_all(&line)?;
        self.to.flush()
    }

    /// Lines written.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }
}

//! Alerts as lines that form a chain.

use std::io::{self, Write};

use super::chain::Chain;
use super::eve::{AlertContext, alert_event};
use crate::detect::Notice;

/// Writes alerts as JSON Lines; each carries the SHA-256 of the line before, so that a record can be shown to be whole. The
/// first carries 64 zeros.
#[derive(Debug)]
pub struct AlertLines<W> {
    to: W,
    context: AlertContext,
    written: u64,
    chain: Chain,
}

impl<W: Write> AlertLines<W> {
    /// A chain that begins here.
    pub fn new(to: W, context: AlertContext) -> Self {
        Self::after(Chain::default(), to, context)
    }

    /// Goes on with a chain that others wrote.
    pub const fn after(chain: Chain, to: W, context: AlertContext) -> Self {
        Self { to, context, written: 0, chain }
    }

    /// Another model judges from now on; the chain goes on.
    pub fn continue_with(&mut self, context: AlertContext) {
        self.context = context;
    }

    /// Writes a line and flushes it: an alert is not held back.
    ///
    /// # Errors
    /// When the target cannot be written.
    pub fn write(&mut self, notice: &Notice) -> io::Result<()> {
        let link = self.chain.next();
        let mut line = serde_json::to_vec(&alert_event(notice, &self.context, (link.seq, &link.prev)))?;
        self.chain.take(&line);
        self.written += 1;
        line.push(b'\n');
        self.to.write_all(&line)?;
        self.to.flush()
    }

    /// What takes the lines.
    pub const fn inner_mut(&mut self) -> &mut W {
        &mut self.to
    }

    /// Lines written.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::super::flow_event::tests::record;
    use super::*;
    use crate::detect::{Class, FlowRef, Incident, IncidentState};
    use crate::feature::{Host, hex};
    use crate::flow::testing::packet;
    use crate::model::Calibration;

    fn notice() -> Notice {
        let record = record(&[packet(0, 1, 4000, 2, 53, 17)]);
        let incident = Incident::new(Class::Scan, Host(record.orig_addr()), FlowRef::of(&record), record.start);
        Notice {
            raised: record.end,
            state: IncidentState::Open,
            incident,
            is_degraded: false,
            present: std::collections::BTreeMap::new(),
        }
    }

    fn context() -> AlertContext {
        AlertContext { model_digest: None, trained_until: String::new(), pseudonyms: None, calibration: Calibration::default() }
    }

    #[test]
    fn each_line_carries_the_digest_of_the_one_before() {
        let mut bytes = Vec::new();
        let mut lines = AlertLines::new(&mut bytes, context());
        (0..3).for_each(|_| lines.write(&notice()).unwrap());
        assert_eq!(lines.written(), 3);
        let mut before = format!("sha256:{}", "0".repeat(64));
        for (number, line) in bytes.split(|&byte| byte == b'\n').take(3).enumerate() {
            let event: serde_json::Value = serde_json::from_slice(line).unwrap();
            assert_eq!(event["auscult"]["chain"], serde_json::json!({"seq": number, "prev": before}));
            before = format!("sha256:{}", hex(&Sha256::digest(line)));
        }
    }

    /// Counts how often it was flushed.
    #[derive(Default)]
    struct Flushed(usize);

    impl Write for Flushed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            self.0 += 1;
            Ok(())
        }
    }

    #[test]
    fn an_alert_is_not_held_back() {
        let mut lines = AlertLines::new(Flushed::default(), context());
        lines.write(&notice()).unwrap();
        assert_eq!(lines.to.0, 1);
    }
}

//! How targets are doing, for those who look while the program runs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::deliver::Shared;
use super::target::Target;

/// What became of a target's alerts by now. It names no address: a web hook's may be a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkState {
    /// Alerts that it took: written where it is a file or stdout, else confirmed by it.
    pub sent: u64,
    /// Alerts in its spool.
    pub waiting: u64,
    /// Bytes of its spool.
    pub spool_bytes: u64,
    /// Alerts that went unsent to make room in the spool.
    pub dropped: u64,
    /// Alerts that it will never take.
    pub refused: u64,
    /// How often writing or sending failed.
    pub failures: u64,
    /// Did it fail the last time?
    pub is_away: bool,
}

/// What a target on this machine did.
#[derive(Debug, Default)]
pub(super) struct Local {
    written: AtomicU64,
    failures: AtomicU64,
    is_away: AtomicBool,
}

impl Local {
    /// Counts a line that was written, or was not.
    pub fn count(&self, written: &io::Result<()>) {
        let count = if written.is_ok() { &self.written } else { &self.failures };
        count.fetch_add(1, Ordering::Relaxed);
        self.is_away.store(written.is_err(), Ordering::Relaxed);
    }
}

#[derive(Clone)]
enum Of {
    Local(Arc<Local>),
    Remote(Arc<Shared>),
}

/// Looks at a target while it is in use.
#[derive(Clone)]
pub struct SinkGauge {
    /// The format that it gets, as it is named on the command line.
    pub format: &'static str,
    /// The kind of target: `stdout`, `file`, `udp`, `tcp`, `tls`, `http` or `hec`.
    pub kind: &'static str,
    of: Of,
}

impl std::fmt::Debug for SinkGauge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SinkGauge").field("format", &self.format).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl SinkGauge {
    pub(super) fn local(target: &Target, of: Arc<Local>) -> Self {
        Self { format: target.format.name(), kind: target.place.kind(), of: Of::Local(of) }
    }

    pub(super) fn remote(target: &Target, of: Arc<Shared>) -> Self {
        Self { format: target.format.name(), kind: target.place.kind(), of: Of::Remote(of) }
    }

    /// How it is doing now.
    #[must_use]
    pub fn state(&self) -> SinkState {
        match &self.of {
            Of::Local(local) => SinkState {
                sent: local.written.load(Ordering::Relaxed),
                failures: local.failures.load(Ordering::Relaxed),
                is_away: local.is_away.load(Ordering::Relaxed),
                ..SinkState::default()
            },
            Of::Remote(shared) => shared.state(),
        }
    }
}

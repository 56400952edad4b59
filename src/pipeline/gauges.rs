//! How a run is going, for who asks from another thread.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::accounting::Accounting;
use super::loss::{Condition, TcpAccount};
use crate::flow::ShardCounters;
use crate::time::Timestamp;

/// Counters of a run that goes on, renewed with the capture's clock: once a second at the most. Who reads them delays nobody: they
/// are locked for the time of a copy.
#[derive(Debug, Default)]
pub struct Gauges {
    reads: AtomicU64,
    is_over: AtomicBool,
    account: Mutex<(Accounting, Option<Timestamp>)>,
    hearing: Mutex<(Condition, TcpAccount)>,
    /// By worker.
    flows: Mutex<Vec<ShardCounters>>,
    published: Mutex<Option<PublishGauge>>,
}

impl Gauges {
    /// How often the source was asked for frames; it grows all the time, frames or not, as long as the reader lives.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Did the reader come to its end?
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// The account as of the latest tick, and the capture's time by then; none before the first packet.
    pub fn account(&self) -> (Accounting, Option<Timestamp>) {
        let (mut account, now) = lock(&self.account).clone();
        lock(&self.flows).iter().for_each(|counters| account.flows.add(*counters));
        account.tcp = lock(&self.hearing).1;
        (account, now)
    }

    /// How the network is heard, as of the latest tick that was handed on.
    pub fn condition(&self) -> Condition {
        lock(&self.hearing).0
    }

    /// How publishing goes, as of the latest tick; none where nothing is published.
    pub fn published(&self) -> Option<PublishGauge> {
        *lock(&self.published)
    }

    /// Publishing goes so.
    pub fn renew_published(&self, published: PublishGauge) {
        *lock(&self.published) = Some(published);
    }

    pub(super) fn has_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn renew(&self, account: &Accounting, now: Option<Timestamp>) {
        *lock(&self.account) = (account.clone(), now);
    }

    pub(super) fn renew_condition(&self, condition: Condition, tcp: TcpAccount) {
        *lock(&self.hearing) = (condition, tcp);
    }

    pub(super) fn renew_flows(&self, worker: usize, counters: ShardCounters) {
        let mut flows = lock(&self.flows);
        if flows.len() <= worker {
            flows.resize(worker + 1, ShardCounters::default());
        }
        flows[worker] = counters;
    }
}

/// What became of the flow records that are published. It names no address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublishGauge {
    /// Records that came.
    pub records: u64,
    /// Copies of them that went into messages: one or two each.
    pub copies: u64,
    /// Copies that were not taken, since the spool was full.
    pub lost: u64,
    /// Messages that the spool took, those of the clock included.
    pub messages: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Messages that a stream keeps, those of earlier runs included.
    pub acknowledged: u64,
    /// Messages in the spool.
    pub waiting: u64,
    /// Bytes of the spool.
    pub spool_bytes: u64,
    /// How often a server did not take them.
    pub failures: u64,
    /// Did it not take the last ones?
    pub is_away: bool,
}

impl fmt::Display for PublishGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, copies, lost, messages, bytes, acknowledged, waiting, failures, is_away, .. } = *self;
        write!(
            f,
            "published {records} records in {copies} copies, {messages} messages of {bytes} bytes: {acknowledged} acknowledged, {waiting} wait in the spool"
        )?;
        if failures > 0 || is_away {
            write!(f, "; {failures} tries failed{}", if is_away { ", the last one too" } else { "" })?;
        }
        if lost > 0 {
            write!(f, "; {lost} copies were lost: the spool was full (--spool-size)")?;
        }
        Ok(())
    }
}

/// Whoever panicked while holding it left counters, which are whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_of_all_workers_add_up_and_the_latest_counts() {
        let gauges = Gauges::default();
        let open = |open| ShardCounters { opened: open, open, ..ShardCounters::default() };
        [(1, 5), (0, 2), (1, 7)].into_iter().for_each(|(worker, count)| gauges.renew_flows(worker, open(count)));
        gauges.renew(&Accounting { frames: 9, ..Accounting::default() }, Some(Timestamp::from_parts(5, 0)));
        let (account, now) = gauges.account();
        assert_eq!((account.frames, account.flows.open, now), (9, 9, Some(Timestamp::from_parts(5, 0))));
    }
}

//! Runs a source through the threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::channel::{RecvTimeoutError, bounded, unbounded};

use super::accounting::Accounting;
use super::batch::{Emitted, Spent};
use super::gate::Gate;
use super::gauges::Gauges;
use super::loss::{Condition, share};
use super::merge::Merge;
use super::pin::hold_to;
use super::reader::Reader;
use super::sightings::Sightings;
use super::spare::Spares;
use super::worker::Worker;
use crate::capture::{CaptureError, Source};
use crate::detect::Submission;
use crate::evidence::{Cut, Slices};
use crate::flow::{CheckedLimits, FlowKey, HomeNets};
use crate::model::Vocabulary;
use crate::sighting::Sighting;
use crate::time::Timestamp;
use crate::wire::Packet;

/// Batches waiting for a worker at the most; then the reader waits.
const BATCHES_PER_WORKER: usize = 4;
/// Live, where the reader is not to wait for a worker that the system lets wait for a while.
const BATCHES_PER_WORKER_LIVE: usize = 32;
/// Messages waiting for the merge at the most; then workers wait.
const MESSAGES: usize = 64;

/// How a run is set up.
#[derive(Clone, Debug)]
pub struct PipelineConfig {
    /// Worker threads, 1 to 64.
    pub workers: usize,
    /// Flow limits.
    pub limits: CheckedLimits,
    /// Home networks.
    pub home: HomeNets,
    /// Do VLANs tell flows apart that are alike otherwise?
    pub vlan_key: bool,
    /// Is a packet that was captured twice counted once?
    pub deduplicate: bool,
    /// Packets before this are not read.
    pub from: Option<Timestamp>,
    /// Packets at or after this are not read.
    pub to: Option<Timestamp>,
    /// How much of every packet is handed to the consumer; nothing of any by default.
    pub packets: Option<Cut>,
    /// Is there a tick at every full second that the capture's time passes, whether a packet came in it or not, so that several listeners
    /// have the same ticks? Else at the first packet of a new second.
    pub every_second: bool,
    /// Live only: the wall clock, for when no packet moves the time.
    pub idle_clock: Option<fn() -> Timestamp>,
    /// The share of frames, or of TCP's bytes, that may be lost in a minute before results are degraded, 0 to 1; default 0.01.
    pub loss_limit: f64,
    /// Where it is told how the run is going, if anybody asks.
    pub gauges: Option<Arc<Gauges>>,
    /// Cores that threads are held to, in turn: the reader, the workers, who judges; none by default.
    pub cores: Vec<usize>,
}

impl PipelineConfig {
    /// For captures of any time, each packet counted once, VLANs apart from the key, no packets for the consumer.
    #[must_use]
    pub const fn new(workers: usize, limits: CheckedLimits, home: HomeNets) -> Self {
        let (vlan_key, deduplicate, from, to, packets, idle_clock, gauges) = (false, true, None, None, None, None, None);
        let every_second = false;
        let cores = Vec::new();
        Self {
            workers,
            limits,
            home,
            vlan_key,
            deduplicate,
            from,
            to,
            packets,
            every_second,
            idle_clock,
            loss_limit: 0.01,
            gauges,
            cores,
        }
    }

    /// The key of a packet's flow, and whether the packet came from the key's low end.
    #[must_use]
    pub fn key(&self, packet: &Packet) -> (FlowKey, bool) {
        if self.vlan_key { FlowKey::with_vlans(packet) } else { FlowKey::of(packet) }
    }
}

/// What takes records in their order. Runs in the thread that called [`run`].
pub trait Consumer {
    /// The next record of the coming tick.
    fn record(&mut self, emitted: Emitted);

    /// What a frame before the coming tick said of a device; called before the records of the same tick, in the capture's order.
    fn sighting(&mut self, _sighting: Sighting) {}

    /// What is kept of the packets before the coming tick, copies included, where that was asked for ([`PipelineConfig::packets`]);
    /// called before the records of the same tick, in the capture's order.
    fn packets(&mut self, _packets: Slices) {}

    /// The network is heard otherwise from the coming tick on: better or worse.
    fn condition(&mut self, _condition: Condition) {}

    /// What assessors elsewhere found of the records of the coming tick, in place of these.
    fn findings(&mut self, _found: Vec<Submission>, _now: Timestamp) {}

    /// All records known at `now` were handed over.
    fn tick(&mut self, now: Timestamp);

    /// Adds records that it took and does not need any more, called after each tick: so their memory is used again. By default none; it frees them.
    fn give_back(&mut self, _to: &mut Vec<Spent>) {}

    /// Called a few times a second.
    fn progress(&mut self, _progress: Progress) {}
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes of the capture read.
    pub read_bytes: u64,
}

/// Reads `source` to its end or until `stop`, and hands every record to `consumer` in the order (tick, end, start, key,
/// segment). With a vocabulary, records carry the behaviour that they resemble. Returns the account and what was damaged.
///
/// Memory: blocks of 256 KiB, at most four batches of them waiting per worker, live 32; the flow tables as [`CheckedLimits`] says; the
/// records of some ticks, in each of which at most 16,384 packets have come; of packets for the consumer, where they were asked for,
/// 32 MiB and what came between two ticks, at most 64 MiB.
pub fn run(
    source: &mut dyn Source,
    config: &PipelineConfig,
    vocabulary: Option<&Arc<Vocabulary>>,
    consumer: &mut dyn Consumer,
    stop: &AtomicBool,
) -> (Accounting, Vec<CaptureError>) {
    let read_bytes = AtomicU64::new(0);
    let (recycle, recycled) = unbounded();
    let (tell, told) = bounded(MESSAGES);
    let waiting = if config.idle_clock.is_some() { BATCHES_PER_WORKER_LIVE } else { BATCHES_PER_WORKER };
    let (to_workers, from_reader): (Vec<_>, Vec<_>) = (0..config.workers).map(|_| bounded(waiting)).unzip();
    let (gate, spares) = (Gate::default(), Spares::default());
    let sightings = Sightings::new((tell.clone(), config.workers), config.packets, &gate);
    let reader = Reader::new(config, (stop, &read_bytes), (to_workers, recycled), sightings);
    std::thread::scope(|scope| {
        for (index, batches) in from_reader.into_iter().enumerate() {
            let worker = Worker::new(index, config, vocabulary.cloned(), (&gate, &spares));
            let (recycle, tell) = (recycle.clone(), tell.clone());
            scope.spawn(move || {
                hold_to(&config.cores, 1 + index);
                worker.run(&batches, &recycle, &tell);
            });
        }
        drop((recycle, tell));
        let reading = scope.spawn(move || {
            hold_to(&config.cores, 0);
            // Hanging up ends the workers.
            reader.run(source)
        });
        hold_to(&config.cores, 1 + config.workers);
        let mut merge = Merge::new(config.workers, (&gate, &spares), config.loss_limit);
        loop {
            match told.recv_timeout(Duration::from_millis(200)) {
                Ok(message) => {
                    merge.take(message, consumer);
                    if let Some(gauges) = &config.gauges {
                        gauges.renew_condition(merge.loss.condition(), merge.loss.total);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            consumer.progress(Progress { read_bytes: read_bytes.load(Ordering::Relaxed) });
        }
        merge.loss.finish();
        // A panic is the end of the process (release) or of the test: there is nothing to join after it.
        let (mut accounting, errors) = reading.join().unwrap_or_default();
        accounting.flows = merge.flows;
        accounting.tcp = merge.loss.total;
        let in_all = share(accounting.dropped + accounting.shed, accounting.frames - accounting.shed);
        accounting.is_loss_exceeded = merge.loss.is_exceeded || in_all > config.loss_limit;
        (accounting, errors)
    })
}

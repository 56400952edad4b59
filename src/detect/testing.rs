//! A small network that was learned, for tests of the detector.

use std::sync::Arc;

use super::{Detector, DetectorConfig, Knowledge, Notice};
use crate::app::{App, Basis};
use crate::feature::{Host, Observation};
use crate::flow::testing::{packet, tcp};
use crate::flow::{FlowKey, FlowLimits, FlowRecord, HomeNets, Shard};
use crate::model::{BaselinesBuilder, Budget, Calibration, Match, OrdinaryBits, Vocabulary};
use crate::time::{Span, Timestamp};
use crate::wire::Addr;

/// The device 10.0.0.`n`.
pub fn host(n: u8) -> Host {
    Host(Addr::v4([10, 0, 0, n]))
}

/// A flow of two packets that began at `ms` and was told at the next full minute after its idle time.
pub fn flow(ms: i64, from: u8, to: u8, port: u16, answered: bool) -> (Box<FlowRecord>, Observation) {
    let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
    let (mut shard, mut out) = (Shard::default(), Vec::new());
    let source_port = 40_000 + (ms / 7 % 20_000) as u16;
    let mut packets = vec![tcp(packet(ms, 0, source_port, 0, port, 6), 1, 0, 0x02)];
    (packets[0].src, packets[0].dst) = (host(from).0, host(to).0);
    if answered {
        let mut answer = tcp(packet(ms + 1, 0, port, 0, source_port, 6), 1, 2, 0x12);
        (answer.src, answer.dst) = (host(to).0, host(from).0);
        packets.push(answer);
    }
    for packet in &packets {
        let (key, from_low) = FlowKey::of(packet);
        shard.packet((key, from_low, key.hash()), packet, &[], (&limits, &home), &mut out);
    }
    shard.finish(&limits, packets[0].time, &mut out);
    let mut record = out.remove(0);
    // Nothing was said, so that nothing tells that it is not what the port is for.
    record.app = (App::Unknown, Basis::Port);
    let seen = Observation::of(&record, Timestamp::from_nanos((ms / 1000 + 11) * 1_000_000_000), &home);
    (record, seen)
}

/// What two hours teach in which ten devices ask device 100 on port 80 once a minute each.
pub fn taught() -> Arc<Knowledge> {
    let minutes = (0..120).flat_map(|minute| (1..=10).map(move |n| (minute * 60_000 + i64::from(n) * 3001, n)));
    taught_by(minutes.map(|(at_ms, n)| flow(at_ms, n, 100, 80, true).1).collect(), 0.5 / 120.0)
}

/// What flows of two hours teach, with so many new devices a minute.
pub fn taught_by(flows: Vec<Observation>, newcomers_per_minute: f64) -> Arc<Knowledge> {
    let vocabulary = Arc::new(Vocabulary::fit(&flows.iter().collect::<Vec<_>>(), 1).unwrap());
    let mut builder = BaselinesBuilder::default();
    flows.iter().for_each(|seen| builder.add(seen, vocabulary.matches(seen).behaviour));
    let mut baselines = builder.finish();
    baselines.pool(1);
    baselines.newcomers_per_minute = newcomers_per_minute;
    let baselines = Arc::new(baselines);
    let silent = Knowledge::new(Arc::clone(&vocabulary), Arc::clone(&baselines), Calibration::default(), f64::INFINITY);
    let mut assessor = Detector::new(Arc::new(silent), DetectorConfig::default());
    let mut bits: Vec<f64> = flows.iter().map(|seen| assessor.assess(seen, vocabulary.matches(seen)).own_bits()).collect();
    bits.sort_unstable_by(f64::total_cmp);
    let ordinary = (bits.len() as f64, OrdinaryBits::of_all(bits[bits.len() * 99 / 100]));
    let calibration = Calibration::new([Vec::new(), Vec::new()], 2.0 / 24.0, 240.0, ordinary);
    Arc::new(Knowledge::new(vocabulary, baselines, calibration, f64::INFINITY).within(Budget { per_day: 1.0 }))
}

/// Begins an hour after what was learned.
pub const LATER_MS: i64 = 3 * 3_600_000;

/// A detector that judges by this.
pub fn detector(knowledge: &Arc<Knowledge>) -> Detector {
    Detector::new(Arc::clone(knowledge), DetectorConfig::default())
}

/// Shows flows to a detector, a tick at every new second, and returns what it told.
pub fn show(detector: &mut Detector, flows: Vec<(Box<FlowRecord>, Observation)>) -> Vec<Notice> {
    let (mut notices, mut scored) = (Vec::new(), Vec::new());
    let mut now = Timestamp::MIN;
    for (record, seen) in flows {
        if seen.seen > now {
            // What is over by then is closed first, as by the ticks between two flows.
            detector.tick(now.max(seen.seen - Span::from_secs(1)), &mut notices, &mut scored);
        }
        now = seen.seen;
        let found: Match = detector.knowledge().vocabulary.matches(&seen);
        detector.observe(&seen, found, record, &mut scored);
    }
    detector.tick(now, &mut notices, &mut scored);
    notices
}

//! What each stage costs, on the synthetic clinic's capture: `cargo bench --bench stages`.
//!
//! Times are of one thread with everything in memory and the caches warm: compare them with each other and with an earlier run on the
//! same machine. Items are frames, packets, records or alert lines; nothing is read from or written to a disk.
#![allow(clippy::unwrap_used, reason = "a bench without its capture has nothing to measure")]

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use auscult::alert::{AlertContext, AlertLines};
use auscult::capture::{Block, Input, Source, open};
use auscult::detect::{Detector, DetectorConfig, Knowledge, Notice};
use auscult::feature::Observation;
use auscult::flow::{CheckedLimits, FlowKey, FlowLimits, FlowRecord, HomeNets, SHARDS, Shard};
use auscult::model::Model;
use auscult::time::Timestamp;
use auscult::wire::{Packet, checksum, decode};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

/// As the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

fn in_repository(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The capture's frames.
static BLOCKS: LazyLock<Vec<Block>> = LazyLock::new(|| {
    let mut source = open(&[Input::Path(in_repository("datasets/clinic/clinic.pcap.zst"))]).unwrap();
    let mut blocks = Vec::new();
    loop {
        let mut block = Block::default();
        let more = source.fill(&mut block).unwrap();
        blocks.push(block);
        if !more {
            return blocks;
        }
    }
});

/// Its packets, each with the payload that was captured.
static PACKETS: LazyLock<Vec<(Packet, Vec<u8>)>> = LazyLock::new(|| {
    let frames = BLOCKS.iter().flat_map(|block| block.frames.iter().map(|span| block.frame(span)));
    frames
        .filter_map(|frame| decode(&frame).ok().map(|packet| (frame, packet)))
        .map(|(frame, packet)| {
            let payload = frame.payload(&packet).to_vec();
            (packet, payload)
        })
        .collect()
});

static MODEL: LazyLock<Model> = LazyLock::new(|| Model::load(File::open(in_repository("models/clinic.json")).unwrap()).unwrap());

/// What becomes known at a second, and the second.
type Ticks = Vec<(Timestamp, Vec<Box<FlowRecord>>)>;

/// The same with their observations.
type Seen = Vec<(Timestamp, Vec<(Observation, Box<FlowRecord>)>)>;

fn limits() -> CheckedLimits {
    FlowLimits::default().check().unwrap()
}

/// Packets to records, as one worker does it.
fn table(limits: &CheckedLimits, home: &HomeNets) -> Ticks {
    let mut shards: Vec<Shard> = (0..SHARDS).map(|_| Shard::default()).collect();
    let (mut ticks, mut fresh, mut now) = (Ticks::new(), Vec::new(), Timestamp::MIN);
    for (packet, payload) in &*PACKETS {
        if packet.time.seconds() > now.seconds() {
            now = packet.time;
            shards.iter_mut().for_each(|shard| shard.tick(now, limits, &mut fresh));
            ticks.push((now, std::mem::take(&mut fresh)));
        }
        let (key, from_low) = FlowKey::of(packet);
        let hash = key.hash();
        shards[FlowKey::shard(hash)].packet((key, from_low, hash), packet, payload, (limits, home), &mut fresh);
    }
    shards.iter_mut().for_each(|shard| shard.finish(limits, now, &mut fresh));
    ticks.push((now, fresh));
    ticks
}

static RECORDS: LazyLock<Ticks> = LazyLock::new(|| table(&limits(), &HomeNets::default()));

fn records() -> usize {
    RECORDS.iter().map(|(_, records)| records.len()).sum()
}

static KNOWLEDGE: LazyLock<Arc<Knowledge>> = LazyLock::new(|| {
    let calibration = MODEL.calibration.clone();
    let threshold = calibration.threshold(MODEL.budget);
    Arc::new(Knowledge::new(Arc::new(MODEL.vocabulary.clone()), Arc::new(MODEL.baselines.clone()), calibration, threshold))
});

/// Records to notices, as the caller does it.
fn judge(seen: Seen) -> Vec<Notice> {
    let mut detector = Detector::new(Arc::clone(&KNOWLEDGE), DetectorConfig::default());
    let (mut notices, mut flows, mut last) = (Vec::new(), Vec::new(), Timestamp::MIN);
    for (now, seen) in seen {
        for (observation, record) in seen {
            let found = KNOWLEDGE.vocabulary.matches(&observation);
            detector.observe(&observation, found, record, &mut flows);
        }
        detector.tick(now, &mut notices, &mut flows);
        last = now;
    }
    detector.finish(last, &mut notices, &mut flows);
    notices
}

fn observed() -> Seen {
    let home = HomeNets::default();
    let observe = |now: Timestamp, record: &FlowRecord| (Observation::of(record, now, &home), Box::new(record.clone()));
    RECORDS.iter().map(|(now, records)| (*now, records.iter().map(|record| observe(*now, record)).collect())).collect()
}

/// Frame to packet, its checksums and the hash of its key.
#[divan::bench]
fn decode_frames(bencher: Bencher<'_, '_>) {
    let frames: Vec<_> = BLOCKS.iter().flat_map(|block| block.frames.iter().map(|span| block.frame(span))).collect();
    bencher.counter(ItemsCount::new(frames.len())).bench_local(|| {
        for frame in &frames {
            if let Ok(packet) = decode(black_box(frame)) {
                black_box((checksum(frame, &packet), FlowKey::of(&packet).0.hash()));
            }
        }
    });
}

/// Packets to records: table, TCP state, applications, timers.
#[divan::bench]
fn table_of_flows(bencher: Bencher<'_, '_>) {
    let (limits, home) = (limits(), HomeNets::default());
    bencher.counter(ItemsCount::new(PACKETS.len())).bench_local(|| black_box(table(&limits, &home)));
}

/// Records to observations and the behaviours that they resemble.
#[divan::bench]
fn features_of_records(bencher: Bencher<'_, '_>) {
    let home = HomeNets::default();
    bencher.counter(ItemsCount::new(records())).bench_local(|| {
        for (now, records) in &*RECORDS {
            for record in records {
                let observation = Observation::of(black_box(record), *now, &home);
                black_box(MODEL.vocabulary.matches(&observation));
                black_box(observation);
            }
        }
    });
}

/// Observations to notices, behaviours included.
#[divan::bench]
fn judge_observations(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(records())).with_inputs(observed).bench_local_values(|seen| black_box(judge(seen)));
}

/// Notices to alert lines, chained.
#[divan::bench]
fn sink_of_alerts(bencher: Bencher<'_, '_>) {
    let notices = judge(observed());
    bencher.counter(ItemsCount::new(notices.len())).bench_local(|| {
        let mut lines = AlertLines::new(std::io::sink(), AlertContext::default());
        notices.iter().try_for_each(|notice| lines.write(black_box(notice)))
    });
}

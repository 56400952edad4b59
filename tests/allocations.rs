//! After warm-up the way of a packet allocates nothing: what twice as many packets of the same conversations allocate more is some vectors a
//! second and a block, not some a packet. And an open flow takes no more memory than is promised, with all that the table holds for it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use auscult::capture::{Block, CaptureError, FrameSpan, Source};
use auscult::flow::{CheckedLimits, FlowKey, FlowLimits, HomeNets, SHARDS, Shard};
use auscult::pipeline::{Consumer, Emitted, PipelineConfig, run};
use auscult::time::Timestamp;
use auscult::wire::{Frame, LinkType, decode};

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/packets.rs"]
mod packets;

/// The system's allocator, which counts.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static HELD_BYTES: AtomicU64 = AtomicU64::new(0);

/// Held by the test that counts: the counters are of all threads.
static COUNTS: Mutex<()> = Mutex::new(());

// SAFETY: every call is the system's own; a counter beside it changes nothing that it relies on.
#[expect(unsafe_code, reason = "there is no other way to count allocations")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        HELD_BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD_BYTES.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        HELD_BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
        HELD_BYTES.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Conversations over TCP and UDP that go on and on, a packet a millisecond.
struct GoingOn {
    packets: u32,
    sent: u32,
}

const CONVERSATIONS: u32 = 50;
const PER_BLOCK: u32 = 500;
const PAYLOAD: [u8; 60] = [0xa5; 60];

impl GoingOn {
    /// Packet `n`: of a conversation, in turns from either end.
    fn frame(n: u32, to: &mut Vec<u8>) {
        let (conversation, turn) = (n % CONVERSATIONS, n / CONVERSATIONS);
        let is_tcp = conversation.is_multiple_of(2);
        let (mut ends, mut ports) = ([[10, 0, 0, 1], [10, 0, 1, conversation as u8]], [40_000 + conversation as u16, 9_999_u16]);
        if turn % 2 == 1 {
            ends.reverse();
            ports.reverse();
        }
        let header = if is_tcp { 20 } else { 8 };
        let bytes = (20 + header + PAYLOAD.len()) as u16;
        to.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0]);
        to.extend(bytes.to_be_bytes());
        to.extend((n as u16).to_be_bytes());
        to.extend([0x40, 0, 64, if is_tcp { 6 } else { 17 }, 0, 0]);
        ends.iter().for_each(|end| to.extend(end));
        ports.iter().for_each(|port| to.extend(port.to_be_bytes()));
        if is_tcp {
            to.extend((turn / 2 * PAYLOAD.len() as u32).to_be_bytes());
            to.extend((turn.div_ceil(2) * PAYLOAD.len() as u32).to_be_bytes());
            to.extend([0x50, 0x18, 4, 0, 0, 0, 0, 0]);
        } else {
            to.extend((8 + PAYLOAD.len() as u16).to_be_bytes());
            to.extend([0, 0]);
        }
        to.extend(PAYLOAD);
    }
}

impl Source for GoingOn {
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.clear();
        for n in self.sent..self.packets.min(self.sent + PER_BLOCK) {
            let start = block.bytes.len() as u32;
            Self::frame(n, &mut block.bytes);
            let end = block.bytes.len() as u32;
            let time = Timestamp::from_nanos(1_000_000_000_000 + i64::from(n) * 1_000_000);
            block.frames.push(FrameSpan { time, link: LinkType::ETHERNET, wire_bytes: end - start, bytes: start..end });
        }
        self.sent += PER_BLOCK;
        Ok(self.sent < self.packets)
    }
}

#[derive(Default)]
struct Counter {
    records: u64,
    packets: u64,
}

impl Consumer for Counter {
    fn record(&mut self, emitted: Emitted) {
        if emitted.record.reason != auscult::flow::EndReason::FirstLook {
            self.records += 1;
            self.packets += emitted.record.orig.packets + emitted.record.resp.packets;
        }
    }

    fn tick(&mut self, _now: Timestamp) {}
}

fn allocations(packets: u32, limits: CheckedLimits) -> u64 {
    let config = PipelineConfig::new(1, limits, HomeNets::default());
    let (mut source, mut counter) = (GoingOn { packets, sent: 0 }, Counter::default());
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let (account, errors) = run(&mut source, &config, None, &mut counter, &AtomicBool::new(false));
    let after = ALLOCATIONS.load(Ordering::Relaxed);
    assert!(errors.is_empty() && account.balanced());
    assert_eq!((account.packets, counter.packets), (u64::from(packets), u64::from(packets)));
    assert_eq!(counter.records, u64::from(CONVERSATIONS), "one record a conversation, so that none is counted among the packets");
    after - before
}

#[test]
fn packets_of_open_flows_allocate_nothing() {
    let _counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    let (few, many) = (60_000, 180_000);
    let limits = FlowLimits::default().check().unwrap();
    let more = allocations(many, limits.clone()).saturating_sub(allocations(few, limits));
    let per_packet = more as f64 / f64::from(many - few);
    println!("{more} allocations for {} further packets, {per_packet:.4} a packet", many - few);
    assert!(per_packet < 0.05, "{per_packet} allocations a packet");
}

/// A frame of conversation `n`, without payload: from its client or from the server.
fn handshake(n: u32, from_client: bool) -> Vec<u8> {
    let (client, server) = (((0x0a00_0000 + n).to_be_bytes(), 40_000), ([192, 168, 0, 1], 443));
    if from_client {
        packets::tcp(client, server, 7, 0, packets::SYN, &[])
    } else {
        packets::tcp(server, client, 9, 8, packets::SYN | packets::ACK, &[])
    }
}

#[test]
fn an_open_flow_takes_half_a_kilobyte() {
    let _counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    // Right after the index has grown it has the most room for each.
    for (flows, answered) in [(60_000, true), (60_000, false), (100_000, true)] {
        let limits = FlowLimits { max_flows: SHARDS as u32 * flows, ..FlowLimits::default() }.check().unwrap();
        let (home, mut out) = (HomeNets::default(), Vec::new());
        let before = HELD_BYTES.load(Ordering::Relaxed);
        let mut shard = Shard::default();
        for n in 0..flows {
            let time = Timestamp::from_parts(i64::from(n / (flows / 100)), 0);
            for from_client in [true, false].into_iter().take(1 + usize::from(answered)) {
                let data = handshake(n, from_client);
                let frame = Frame { time, link: LinkType::ETHERNET, wire_bytes: data.len() as u32, data: &data };
                let packet = decode(&frame).unwrap();
                let (key, from_low) = FlowKey::of(&packet);
                shard.packet((key, from_low, key.hash()), &packet, &[], (&limits, &home), &mut out);
            }
            if n % (flows / 100) == 0 {
                shard.tick(time, &limits, &mut out);
                drop(std::mem::take(&mut out));
            }
        }
        drop(std::mem::take(&mut out));
        let held_bytes = HELD_BYTES.load(Ordering::Relaxed) - before;
        assert_eq!(shard.counters().open, u64::from(flows));
        let per_flow = held_bytes as f64 / f64::from(flows);
        println!("{flows} open flows, answered: {answered}: {per_flow:.0} bytes a flow");
        assert!(per_flow <= 512.0, "{per_flow} bytes");
    }
}

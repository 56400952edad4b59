//! More comes than can be judged: whole flows are let go, always the same ones, and every packet is accounted for.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use auscult::capture::{Block, CaptureError, FrameSpan, InterfaceAccount, Source};
use auscult::flow::{EndReason, FlowLimits, HomeNets};
use auscult::pipeline::{Condition, Consumer, Emitted, PipelineConfig, run};
use auscult::time::Timestamp;
use auscult::wire::LinkType;

/// Conversations, each of which sends a datagram in every block.
const FLOWS: u16 = 400;
/// Conversations of one datagram that begin in every block: their records wait for whoever takes them, and hold the workers back.
const FRESH: u16 = 2000;
/// The port that those come from.
const FRESH_PORT: u16 = 50_000;
/// Conversations that send a datagram in two fragments in every block.
const FRAGMENTED: u8 = 60;
/// The port that those come from.
const FRAGMENTED_PORT: u16 = 51_000;
/// Blocks, a second of the capture each.
const BLOCKS: u64 = 150;
/// Until then the kernel drops a frame for each block.
const CALM_AFTER: u64 = 100;

struct Flood {
    blocks: u64,
}

impl Source for Flood {
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.clear();
        self.blocks += 1;
        let time = Timestamp::from_parts(1_000_000 + self.blocks as i64, 0);
        (0..FLOWS).for_each(|flow| push(block, time, (self.blocks as u16, [10, 0, 0, 1]), 20_000 + flow));
        for flow in 0..FRESH {
            let [block_high, block_low] = (self.blocks as u16).to_be_bytes();
            let [high, low] = flow.to_be_bytes();
            push(block, time, (0, [128 + block_high, block_low, high, low]), FRESH_PORT);
        }
        for client in 0..FRAGMENTED {
            push_fragments(block, time, self.blocks as u16, client);
        }
        Ok(self.blocks < BLOCKS)
    }

    fn interfaces(&mut self) -> Vec<InterfaceAccount> {
        let mut account = InterfaceAccount { interface: "eth9".to_owned(), ..InterfaceAccount::default() };
        account.kernel.dropped_kernel = self.blocks.min(CALM_AFTER);
        vec![account]
    }
}

/// A datagram with this identification and source.
fn push(block: &mut Block, time: Timestamp, (id, src): (u16, [u8; 4]), port: u16) {
    let (start, [id, port]) = (block.bytes.len() as u32, [id, port].map(u16::to_be_bytes));
    block.bytes.extend([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0]);
    block.bytes.extend([0x45, 0, 0, 48, id[0], id[1], 0, 0, 64, 17, 0, 0, src[0], src[1], src[2], src[3], 10, 0, 0, 9]);
    block.bytes.extend([port[0], port[1], 0x27, 0x0f, 0, 28, 0, 0]);
    block.bytes.extend([7; 20]);
    let bytes = start..block.bytes.len() as u32;
    block.frames.push(FrameSpan { time, link: LinkType::ETHERNET, wire_bytes: bytes.end - bytes.start, bytes });
}

/// A datagram with this identification in two fragments, from a client of its own.
fn push_fragments(block: &mut Block, time: Timestamp, id: u16, client: u8) {
    let ([high, low], [port_high, port_low]) = (id.to_be_bytes(), FRAGMENTED_PORT.to_be_bytes());
    for (length, offset, payload) in
        [(44, [0x20, 0], [&[port_high, port_low, 0x27, 0x0f, 0, 32, 0, 0][..], &[7; 16]].concat()), (28, [0, 3], vec![7; 8])]
    {
        let start = block.bytes.len() as u32;
        block.bytes.extend([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0]);
        block.bytes.extend([0x45, 0, 0, length, high, low, offset[0], offset[1], 64, 17, 0, 0, 10, 7, 0, client, 10, 0, 0, 9]);
        block.bytes.extend(payload);
        let bytes = start..block.bytes.len() as u32;
        block.frames.push(FrameSpan { time, link: LinkType::ETHERNET, wire_bytes: bytes.end - bytes.start, bytes });
    }
}

/// Takes its time over every second.
#[derive(Default)]
struct Slow {
    packets: BTreeMap<u16, u64>,
    fresh: u64,
    /// Packets of each client that fragments.
    fragments: BTreeMap<String, u64>,
    conditions: Vec<Condition>,
}

impl Consumer for Slow {
    fn record(&mut self, emitted: Emitted) {
        if emitted.record.reason == EndReason::FirstLook {
            return;
        }
        if emitted.record.orig.packets > 0 && emitted.record.orig_addr().to_string().starts_with("10.7.") {
            assert_eq!(emitted.record.orig_port(), FRAGMENTED_PORT, "a fragment apart from its flow");
            *self.fragments.entry(emitted.record.orig_addr().to_string()).or_default() += emitted.record.orig.packets;
        } else if emitted.record.orig_port() == FRESH_PORT {
            self.fresh += emitted.record.orig.packets;
        } else {
            *self.packets.entry(emitted.record.orig_port()).or_default() += emitted.record.orig.packets;
        }
    }

    fn condition(&mut self, condition: Condition) {
        self.conditions.push(condition);
    }

    fn tick(&mut self, _now: Timestamp) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn play(is_live: bool) -> (auscult::pipeline::Accounting, Slow) {
    let mut config = PipelineConfig::new(2, FlowLimits::default().check().unwrap(), HomeNets::default());
    // Later than all packets; never asked, since something always comes.
    config.idle_clock = is_live.then_some(|| Timestamp::from_parts(2_000_000, 0));
    let mut slow = Slow::default();
    let (account, errors) = run(&mut Flood { blocks: 0 }, &config, None, &mut slow, &AtomicBool::new(false));
    assert!(errors.is_empty() && account.balanced(), "{account}");
    assert_eq!(account.frames, BLOCKS * (u64::from(FLOWS + FRESH) + 2 * u64::from(FRAGMENTED)));
    // Both fragments of a datagram are let go, or neither.
    assert!(slow.fragments.values().all(|packets| packets % 2 == 0), "{:?}", slow.fragments);
    (account, slow)
}

#[test]
fn live_whole_flows_are_let_go_and_a_replay_waits() {
    let (account, slow) = play(false);
    assert_eq!((account.shed, slow.packets.values().all(|&packets| packets == BLOCKS)), (0, true), "{account}");
    assert_eq!(slow.fragments.values().filter(|&&packets| packets == 2 * BLOCKS).count(), usize::from(FRAGMENTED));

    let (account, slow) = play(true);
    assert!(account.shed > 0 && account.packets + account.shed == account.frames, "{account}");
    assert_eq!(slow.packets.values().chain(slow.fragments.values()).sum::<u64>() + slow.fresh, account.packets);
    let whole = slow.packets.values().filter(|&&packets| packets == BLOCKS).count();
    assert!(whole > 0 && whole < usize::from(FLOWS), "{whole} flows were never let go");
    assert!(slow.conditions.iter().any(|condition| condition.is_degraded && condition.lost > 0.01), "{:?}", slow.conditions);
    assert!(account.is_loss_exceeded && account.to_string().contains(" shed"), "{account}");
}

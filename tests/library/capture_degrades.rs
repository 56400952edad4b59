//! Real captures through a source with faults: nothing panics, the account balances, and results change by as much as the faults.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use auscult::capture::{Faults, Faulty, Input, open};
use auscult::flow::{EndReason, FlowLimits, HomeNets};
use auscult::pipeline::{Accounting, Consumer, Emitted, PipelineConfig, run};
use auscult::time::Timestamp;

use crate::support::{clinic, data};

/// What came out of a capture.
#[derive(Default)]
struct Out {
    account: Accounting,
    /// Flow records, and packets in them.
    records: u64,
    packets: u64,
    retransmitted: u64,
    out_of_order: u64,
    missing_bytes: u64,
}

impl Consumer for Out {
    fn record(&mut self, emitted: Emitted) {
        let record = &emitted.record;
        if record.reason == EndReason::FirstLook {
            return;
        }
        self.records += 1;
        for side in [&record.orig, &record.resp] {
            self.packets += side.packets;
            self.retransmitted += u64::from(side.retransmitted);
            self.out_of_order += u64::from(side.out_of_order);
            self.missing_bytes += side.missing_bytes;
        }
    }

    fn tick(&mut self, _now: Timestamp) {}
}

fn through(capture: &Path, faults: Faults, seed: u64) -> Out {
    let limits = FlowLimits::default().check().unwrap();
    let config = PipelineConfig::new(2, limits, HomeNets::default());
    let mut source = Faulty::new(open(&[Input::Path(capture.into())]).unwrap(), faults, seed);
    let mut out = Out::default();
    let (account, _) = run(&mut source, &config, None, &mut out, &AtomicBool::new(false));
    assert!(account.balanced() && account.flows.open == 0, "{faults:?}: {account}");
    assert_eq!(out.packets, account.packets, "{faults:?}: every packet is in a record");
    assert_eq!(out.records, account.flows.ended + account.flows.evicted + account.flows.partial, "{faults:?}");
    out.account = account;
    out
}

/// The clinic, and every capture of another kind: whole ones, some cut by the snap length, scans, tunnels over DNS.
fn captures() -> Vec<PathBuf> {
    let names = [
        "iot-lan/iot-lan.pcap.gz",
        "slips/test7-malicious.pcap",
        "slips/test-cc-capture-1.pcap",
        "slips/malicious-ssh-bruteforce.pcap",
        "esnet-scans/tcp_0_1000_20190821.pcap",
        "dns-c2/saitama/saitama_handshake-fakenet_240223.pcapng",
        "iot-devices/blink-cam-01.pcap.gz",
    ];
    std::iter::once(clinic()).chain(names.into_iter().filter_map(data)).collect()
}

/// Is `n` what this share of `of` gives, but for chance (five standard deviations)?
fn is_share(n: u64, share: f64, of: u64) -> bool {
    let of = of as f64;
    (n as f64 - share * of).abs() <= 5.0 * (share * (1.0 - share) * of).sqrt() + 1.0
}

#[test]
fn every_fault_at_every_strength_balances() {
    for (seed, capture) in captures().iter().enumerate() {
        for p in [0.01, 0.3, 1.0] {
            for faults in [
                Faults { drop: p, ..Faults::default() },
                Faults { truncate: p, ..Faults::default() },
                Faults { flip: p, ..Faults::default() },
                Faults { duplicate: p, ..Faults::default() },
                Faults { reorder: p, ..Faults::default() },
                Faults { drop: p / 2.0, truncate: p, flip: p, duplicate: p, reorder: p },
            ] {
                through(capture, faults, seed as u64);
            }
        }
    }
}

#[test]
fn what_is_dropped_is_missing_and_nothing_else() {
    for capture in captures() {
        let whole = through(&capture, Faults::default(), 1);
        let mut before = whole.account.flows.opened;
        for share in [0.01, 0.1, 0.3, 0.6] {
            let out = through(&capture, Faults { drop: share, ..Faults::default() }, 1);
            let lost = whole.account.frames - out.account.frames;
            assert!(is_share(lost, share, whole.account.frames), "{}: {lost} of {}", capture.display(), whole.account.frames);
            // A flow is lost only with its last packet; one that is quiet for long may fall into two.
            let flows = out.account.flows.opened;
            let least = (whole.account.flows.opened as f64 * (1.0 - share) * 0.95) as u64;
            assert!(flows >= least && flows <= before + before / 20 + 2, "{}: {share}: {before} to {flows}", capture.display());
            before = flows;
        }
    }
}

#[test]
fn a_drop_tears_holes_and_none_without() {
    let whole = through(&clinic(), Faults::default(), 1);
    let mut before = whole.missing_bytes;
    for share in [0.01, 0.05, 0.2] {
        let holes = through(&clinic(), Faults { drop: share, ..Faults::default() }, 1).missing_bytes;
        assert!(holes > before + before / 2, "{share}: {before} to {holes} bytes are missing");
        before = holes;
    }
}

#[test]
fn a_truncated_frame_is_cut_or_skipped_and_its_flow_keeps_its_bytes() {
    let whole = through(&clinic(), Faults::default(), 1).account;
    let out = through(&clinic(), Faults { truncate: 0.1, ..Faults::default() }, 1).account;
    assert_eq!(out.frames, whole.frames);
    let lost = whole.packets - out.packets;
    assert!(lost > 0 && lost < whole.frames / 10, "cut inside the headers: {lost}");
    assert_eq!(out.skipped_in_all() - whole.skipped_in_all(), lost, "each is counted with its reason");
    assert!(out.cut > whole.cut);
    // What is left of a packet says how long it was: bytes go with the packets that are lost, and those are the short ones.
    let (bytes, packets) = (whole.wire_bytes - out.wire_bytes, lost as f64 / whole.packets as f64);
    assert!(bytes > 0 && (bytes as f64) < packets * whole.wire_bytes as f64, "{bytes} of {}", whole.wire_bytes);
}

#[test]
fn a_flipped_bit_touches_its_own_packet() {
    let whole = through(&clinic(), Faults::default(), 1).account;
    let out = through(&clinic(), Faults { flip: 0.01, ..Faults::default() }, 1).account;
    assert_eq!(out.frames, whole.frames);
    let flipped = whole.frames / 100;
    assert!(whole.packets - out.packets < flipped, "{} of {flipped} are no packets any more", whole.packets - out.packets);
    // A bit of an address or a port makes a flow of its own, and at most one more.
    assert!(out.flows.opened > whole.flows.opened && out.flows.opened < whole.flows.opened + 2 * flipped, "{out}");
}

#[test]
fn a_packet_that_was_captured_twice_counts_once() {
    let whole = through(&clinic(), Faults::default(), 1);
    let out = through(&clinic(), Faults { duplicate: 0.1, ..Faults::default() }, 1);
    assert!(is_share(out.account.frames - whole.account.frames, 0.1, whole.account.frames));
    assert!(out.account.duplicates > 0 && out.account.duplicates <= out.account.frames - whole.account.frames);
    assert_eq!((out.account.packets, out.account.flows), (whole.account.packets, whole.account.flows));
    assert_eq!(out.retransmitted, whole.retransmitted);
}

#[test]
fn reordering_loses_nothing() {
    let whole = through(&clinic(), Faults::default(), 1);
    let out = through(&clinic(), Faults { reorder: 0.1, ..Faults::default() }, 1);
    assert_eq!((out.account.frames, out.account.packets), (whole.account.frames, whole.account.packets));
    assert_eq!(out.account.wire_bytes, whole.account.wire_bytes);
    let (a, b) = (out.account.flows.opened, whole.account.flows.opened);
    // A refusal that overtakes its SYN is a flow of its own: it closes a connection that has not begun.
    assert!(a >= b && a - b <= b / 40, "{a} flows, {b} in order");
    assert!(out.missing_bytes <= whole.missing_bytes + whole.missing_bytes / 10, "{} missing", out.missing_bytes);
}

//! The least that any flow meter must do, as a yardstick: map the file, read the five-tuple of every IPv4 and IPv6 packet of
//! an Ethernet pcap, add to some twenty counters of its flow in one hash table.
//!
//! `cargo run --release --example bare_loop -- FILE.pcap`

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

#[derive(Default)]
struct Counters {
    packets: [u64; 2],
    bytes: [u64; 2],
    payload: [u64; 2],
    smallest: [u32; 2],
    largest: [u32; 2],
    squares: [u64; 2],
    first_ns: u64,
    last_ns: u64,
    gaps_ns: [u64; 2],
    longest_gap_ns: u64,
    flags: [u8; 2],
    syn: u32,
    fin: u32,
    rst: u32,
}

#[derive(PartialEq, Eq, Hash, Clone, Copy)]
struct Key {
    addresses: [u128; 2],
    ports: [u16; 2],
    protocol: u8,
}

/// One multiplication per word: as fast as a hash can be that still spreads.
#[derive(Default)]
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let product = u128::from(self.0 ^ u64::from_le_bytes(word)) * 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
            self.0 = product as u64 ^ (product >> 64) as u64;
        }
    }
}

type Table = HashMap<Key, Counters, BuildHasherDefault<Fold>>;

#[expect(clippy::print_stdout, reason = "what it counted is its result")]
fn main() -> std::io::Result<()> {
    let path = std::env::args().nth(1).ok_or_else(|| std::io::Error::other("usage: bare_loop FILE.pcap"))?;
    let file = std::fs::File::open(&path)?;
    // SAFETY: a yardstick on a file that nobody changes meanwhile.
    #[expect(unsafe_code, reason = "the yardstick is a memory map")]
    let bytes = unsafe { memmap2::Mmap::map(&file) }?;
    let mut table = Table::default();
    let (mut at, mut frames, mut packets) = (24, 0_u64, 0_u64);
    while let Some(header) = bytes.get(at..at + 16) {
        let word = |place: usize| u32::from_le_bytes([header[place], header[place + 1], header[place + 2], header[place + 3]]);
        let captured = word(8) as usize;
        let Some(frame) = bytes.get(at + 16..at + 16 + captured) else { break };
        let time_ns = u64::from(word(0)) * 1_000_000_000 + u64::from(word(4)) * 1000;
        frames += 1;
        packets += u64::from(count(&mut table, frame, time_ns).is_some());
        at += 16 + captured;
    }
    let bytes_in_flows: u64 = table.values().map(|flow| flow.bytes[0] + flow.bytes[1]).sum();
    let seconds = table.values().map(|flow| flow.last_ns - flow.first_ns).sum::<u64>() / 1_000_000_000;
    println!("{frames} frames, {packets} packets, {} flows, {bytes_in_flows} bytes, {seconds} s in all", table.len());
    Ok(())
}

fn be16(frame: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?))
}

fn count(table: &mut Table, frame: &[u8], time_ns: u64) -> Option<()> {
    let (key, transport, total, forward) = key(frame)?;
    let side = usize::from(!forward);
    let flow = table.entry(key).or_insert_with(|| Counters { first_ns: time_ns, last_ns: time_ns, ..Counters::default() });
    let gap = time_ns.saturating_sub(flow.last_ns);
    flow.packets[side] += 1;
    flow.bytes[side] += u64::from(total);
    flow.squares[side] += u64::from(total) * u64::from(total);
    flow.smallest[side] = flow.smallest[side].min(total);
    flow.largest[side] = flow.largest[side].max(total);
    flow.gaps_ns[side] += gap;
    flow.longest_gap_ns = flow.longest_gap_ns.max(gap);
    flow.last_ns = time_ns;
    if key.protocol == 6
        && let Some(&flags) = frame.get(transport + 13)
    {
        flow.flags[side] |= flags;
        flow.fin += u32::from(flags & 1);
        flow.syn += u32::from(flags >> 1 & 1);
        flow.rst += u32::from(flags >> 2 & 1);
        flow.payload[side] += u64::from(total).saturating_sub(u64::from(frame.get(transport + 12)? >> 4) * 4 + 20);
    }
    Some(())
}

/// The flow's key, where its transport header begins, the packet's length, and whether it came from the key's first end.
fn key(frame: &[u8]) -> Option<(Key, usize, u32, bool)> {
    let (src, dst, protocol, transport, total) = match be16(frame, 12)? {
        0x0800 => {
            let address = |at: usize| Some(u128::from(u32::from_be_bytes(frame.get(at..at + 4)?.try_into().ok()?)));
            let header = usize::from(frame.get(14)? & 15) * 4;
            (address(26)?, address(30)?, *frame.get(23)?, 14 + header, u32::from(be16(frame, 16)?))
        }
        0x86dd => {
            let address = |at: usize| Some(u128::from_be_bytes(frame.get(at..at + 16)?.try_into().ok()?));
            (address(22)?, address(38)?, *frame.get(20)?, 54, u32::from(be16(frame, 18)?) + 40)
        }
        _ => return None,
    };
    let (sport, dport) = match protocol {
        6 | 17 => (be16(frame, transport)?, be16(frame, transport + 2)?),
        _ => (0, 0),
    };
    let forward = (src, sport) <= (dst, dport);
    let (addresses, ports) = if forward { ([src, dst], [sport, dport]) } else { ([dst, src], [dport, sport]) };
    Some((Key { addresses, ports, protocol }, transport, total, forward))
}

//! Writes a capture to standard output: a flood of one-packet flows from spoofed senders outside or, with `home`, at home, and hosts that
//! behave; with `open FLOWS`, short conversations of which so many are open at a time.
//!
//! `cargo run --release --example flood -- 10000000 | auscult flows - --out /dev/null`

#![allow(dead_code, reason = "the tests use the rest")]

#[path = "../tests/support/flood.rs"]
mod flood;
#[path = "../tests/support/packets.rs"]
mod packets;

use std::io::{self, Write};

/// Packets of each conversation of [`many_open`], a second apart.
const PACKETS: u64 = 4;
/// Seconds after which a conversation without a packet is over, by default.
const IDLE_S: u64 = 60;

/// Writes nearly `count` packets of conversations of four packets each, that begin so often that some `open` of them are open at a time.
fn many_open(to: &mut impl Write, count: u64, open: u64) -> io::Result<()> {
    to.write_all(&packets::pcap(&[]))?;
    // Those that are open began within the last three seconds of packets and the time of silence.
    let apart_ns = (PACKETS - 1 + IDLE_S) * 1_000_000_000 / open;
    let a_second = 1_000_000_000 / apart_ns;
    let client = |n: u64| {
        let [a, b, c, d] = (n as u32).to_be_bytes();
        ([10 + a, b, c, d], 20_000)
    };
    for n in 0..count / PACKETS {
        let talking = (0..PACKETS).filter_map(|packet| Some((packet, n.checked_sub(packet * a_second)?)));
        let micros = flood::EPOCH + n * apart_ns / 1000;
        let say = |(packet, flow)| packets::udp(client(flow), ([192, 168, 0, 1], 4000), &[packet as u8; 60]);
        let shots: Vec<_> = talking.map(|packet| packets::Shot { micros, data: say(packet) }).collect();
        to.write_all(&packets::pcap(&shots)[24..])?;
    }
    to.flush()
}

fn main() -> io::Result<()> {
    let wanted = || io::Error::other("usage: flood COUNT (at least 20000) [home | open FLOWS (10000 to 10000000)]");
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<u64>().map_err(|_| wanted());
    let count = number(words.first().ok_or_else(wanted)?)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    match &words[1..] {
        _ if count < 20_000 => Err(wanted()),
        [] => flood::write(&mut out, count, flood::from_outside).map(drop),
        ["home"] => flood::write(&mut out, count, flood::from_home).map(drop),
        ["open", flows] => match number(flows)? {
            open @ 10_000..=10_000_000 => many_open(&mut out, count, open),
            _ => Err(wanted()),
        },
        _ => Err(wanted()),
    }
}

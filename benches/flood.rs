//! Writes a capture to standard output: a spoofed flood of one-packet flows, and hosts that behave.
//!
//! `cargo run --release --example flood -- 10000000 | auscult flows - --out /dev/null`

#![allow(dead_code, reason = "the tests use the rest")]

#[path = "../tests/support/flood.rs"]
mod flood;
#[path = "../tests/support/packets.rs"]
mod packets;

fn main() -> std::io::Result<()> {
    let wanted = || std::io::Error::other("usage: flood COUNT (at least 20000)");
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).filter(|&n| n >= 20_000).ok_or_else(wanted)?;
    flood::write(&mut std::io::BufWriter::new(std::io::stdout().lock()), count).map(drop)
}

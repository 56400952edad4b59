//! Writes a capture to standard output: a flood of one-packet flows from spoofed senders outside or, with `home`, at home, and hosts that
//! behave.
//!
//! `cargo run --release --example flood -- 10000000 | auscult flows - --out /dev/null`

#![allow(dead_code, reason = "the tests use the rest")]

#[path = "../tests/support/flood.rs"]
mod flood;
#[path = "../tests/support/packets.rs"]
mod packets;

fn main() -> std::io::Result<()> {
    let wanted = || std::io::Error::other("usage: flood COUNT (at least 20000) [home]");
    let mut words = std::env::args().skip(1);
    let count = words.next().and_then(|text| text.parse().ok()).filter(|&n| n >= 20_000).ok_or_else(wanted)?;
    let ends: flood::Ends = match words.next().as_deref() {
        None => flood::from_outside,
        Some("home") => flood::from_home,
        Some(_) => return Err(wanted()),
    };
    flood::write(&mut std::io::BufWriter::new(std::io::stdout().lock()), count, ends).map(drop)
}

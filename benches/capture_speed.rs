//! How fast the reader is, against a memory map and against libpcap, on the same file in turns.
//!
//! `cargo run --release --example capture_speed -- FILE.pcap [TURNS]`: a little-endian pcap file of microseconds. Every way
//! finds all frames and touches the first 34 bytes of each (Ethernet and IPv4 headers) or, in a second table, all bytes. The
//! figures are medians; `map / read` above 1 says that the map took longer.

use std::fs::File;
use std::hint::black_box;
use std::time::Instant;

use auscult::capture::{Block, Input, Source, open};

const HEADERS_BYTES: usize = 34;

/// Frames, and a sum over the bytes that were touched, so that the ways can be compared and nothing is left out.
type Outcome = (u64, u64);
type Way = fn(&str, usize) -> anyhow::Result<Outcome>;

fn touch(data: &[u8], bytes: usize) -> u64 {
    let (words, rest) = data[..data.len().min(bytes)].as_chunks::<8>();
    let words = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    rest.iter().fold(words, |sum, byte| sum.wrapping_add(u64::from(*byte)))
}

fn read(path: &str, bytes: usize) -> anyhow::Result<Outcome> {
    let (mut source, mut block) = (open(&[Input::Path(path.into())])?, Block::default());
    let (mut frames, mut sum) = (0, 0_u64);
    loop {
        let more = source.fill(&mut block)?;
        for span in &block.frames {
            sum = sum.wrapping_add(touch(block.frame(span).data, bytes));
        }
        frames += block.frames.len() as u64;
        if !more {
            return Ok((frames, sum));
        }
    }
}

/// The plainest loop over a map: what no reader of maps can be faster than.
#[expect(unsafe_code, reason = "the other side of the comparison; the file is not changed meanwhile")]
fn map(path: &str, bytes: usize) -> anyhow::Result<Outcome> {
    // SAFETY: a benchmark's own file, which nobody shortens while it runs.
    let map = unsafe { memmap2::Mmap::map(&File::open(path)?)? };
    map.advise(memmap2::Advice::Sequential)?;
    let (mut frames, mut sum, mut rest) = (0, 0_u64, &map[24..]);
    while let Some(header) = rest.first_chunk::<16>() {
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let Some(data) = rest.get(16..16 + length) else { break };
        sum = sum.wrapping_add(touch(data, bytes));
        rest = &rest[16 + length..];
        frames += 1;
    }
    Ok((frames, sum))
}

fn libpcap(path: &str, bytes: usize) -> anyhow::Result<Outcome> {
    let mut capture = pcap::Capture::from_file(path)?;
    let (mut frames, mut sum) = (0, 0_u64);
    capture.for_each(None, |packet| {
        sum = sum.wrapping_add(touch(packet.data, bytes));
        frames += 1;
    })?;
    Ok((frames, sum))
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn seconds(way: Way, path: &str, bytes: usize) -> anyhow::Result<(f64, Outcome)> {
    let start = Instant::now();
    let outcome = black_box(way(path, bytes)?);
    Ok((start.elapsed().as_secs_f64(), outcome))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::print_stdout, reason = "a program that reports")]
fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or_else(|| anyhow::anyhow!("usage: capture_speed FILE.pcap [TURNS]"))?;
    let turns: usize = arguments.next().map_or(Ok(11), |turns| turns.parse())?;
    let ways: [(&str, Way); 3] = [("read", read), ("map", map), ("libpcap", libpcap)];
    for (what, bytes) in [("headers touched", HEADERS_BYTES), ("all bytes touched", usize::MAX)] {
        let (_, want) = seconds(read, &path, bytes)?;
        let mut times = [const { Vec::new() }; 3];
        for turn in 0..turns {
            // Each way goes first in its turn.
            for i in (0..3).map(|i| (i + turn) % 3) {
                let (time, outcome) = seconds(ways[i].1, &path, bytes)?;
                anyhow::ensure!(outcome == want, "{} found {outcome:?}, wanted {want:?}", ways[i].0);
                times[i].push(time);
            }
        }
        println!("{what}, {} frames, {turns} turns", want.0);
        for (i, (name, _)) in ways.iter().enumerate() {
            let ratios = times[i].iter().zip(&times[0]).map(|(time, read)| time / read).collect();
            let (time, ratio) = (median(times[i].clone()), median(ratios));
            println!("  {name:8} {:6.1} million frames/s   {name} / read {ratio:.2}", want.0 as f64 / time / 1e6);
        }
    }
    Ok(())
}

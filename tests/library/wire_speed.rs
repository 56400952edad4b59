//! How long a decode takes. Measured on demand: `cargo test --release --test library wire_speed -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Duration;

use auscult::wire::{Frame, Skip, decode};

use crate::wire_support::{data_file, read_pcap};

const ROUNDS: u32 = 200;

/// Nanoseconds per frame: the least over five runs, since whatever else the machine does only adds.
fn nanos_per_frame(frames: &[Frame<'_>]) -> f64 {
    let run = || {
        #[expect(clippy::disallowed_methods, reason = "the wall clock is what is measured")]
        let start = std::time::Instant::now();
        for _ in 0..ROUNDS {
            for frame in frames {
                let _ = black_box(decode(black_box(frame)));
            }
        }
        start.elapsed()
    };
    let best = (0..5).map(|_| run()).min().unwrap_or(Duration::ZERO);
    best.as_secs_f64() * 1e9 / f64::from(ROUNDS) / frames.len() as f64
}

#[test]
#[ignore = "a measurement"]
fn decode_of_captures_in_memory() {
    for name in ["hospital-lab/hospital-lab.pcap.gz", "iot-lan/iot-lan.pcap.gz"] {
        let Some(path) = data_file(name) else { continue };
        let capture = read_pcap(&path);
        let frames: Vec<_> = capture.frames().collect();
        let tcp: Vec<_> = frames.iter().filter(|f| decode(f).is_ok_and(|p| p.tcp.is_some() && p.src.is_v4())).copied().collect();
        let mut skipped = [0u64; Skip::COUNT];
        frames.iter().filter_map(|f| decode(f).err()).for_each(|skip| skipped[skip.index()] += 1);
        println!("{name}: {} frames, {:.1} ns per decode", frames.len(), nanos_per_frame(&frames));
        println!("  IPv4/TCP: {} frames, {:.1} ns per decode", tcp.len(), nanos_per_frame(&tcp));
        for skip in Skip::ALL.into_iter().filter(|skip| skipped[skip.index()] > 0) {
            println!("  {skip}: {}", skipped[skip.index()]);
        }
    }
}

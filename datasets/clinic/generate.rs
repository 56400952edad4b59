//! Writes the clinic data set: `cargo run --release --example clinic -- --seed 7 --out datasets/clinic`.

mod generator;

use std::io;
use std::path::PathBuf;

use clap::Parser;

/// Makes the clinic data set from a seed.
#[derive(Parser)]
struct Arguments {
    /// Decides every random choice; the committed data set has 7.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Folder for clinic.pcap.zst, clinic.labels.csv and manifest.json; made when it is missing.
    #[arg(long, default_value = "datasets/clinic")]
    out: PathBuf,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let data_set = generator::generate(arguments.seed)?;
    std::fs::create_dir_all(&arguments.out)?;
    generator::write(&data_set, &arguments.out)
}

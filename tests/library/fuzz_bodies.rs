//! The bodies of the fuzz targets with their seeds, with damaged seeds and with random bytes: nothing panics, and what a body
//! asserts holds. The same numbers in every run.

#[path = "../../fuzz/bodies.rs"]
mod bodies;

use std::collections::BTreeSet;
use std::path::Path;

use bodies::TARGETS;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore as _, SeedableRng as _};

use crate::support::project;

/// Damaged copies of each seed, and of random bytes.
const ROUNDS: usize = 5000;
/// Damages to a copy at the most.
const MOST_DAMAGES: usize = 8;

struct Damage(Xoshiro256PlusPlus);

impl Damage {
    fn below(&mut self, most: usize) -> usize {
        (self.0.next_u64() % most.max(1) as u64) as usize
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.below(most)];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// What fuzzers do: bits, bytes that are often special, cuts, pieces said twice or moved, pieces of another seed.
    fn strike(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(bytes.len() + 1);
        let to = (at + self.below(40)).min(bytes.len());
        match self.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..to)),
            4 => {
                let piece = bytes[at..to].to_vec();
                let place = self.below(bytes.len() + 1);
                bytes.splice(place..place, piece);
            }
            5 => {
                let from = self.below(other.len() + 1);
                let piece = other[from..(from + self.below(40)).min(other.len())].to_vec();
                bytes.splice(at..to, piece);
            }
            _ => {
                let piece = self.bytes(9);
                bytes.splice(at..to, piece);
            }
        }
    }
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<_> =
        std::fs::read_dir(project("fuzz/seeds").join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| std::fs::read(path).unwrap();
    let seeds: Vec<Vec<u8>> = files.iter().map(read).collect();
    assert!(!seeds.is_empty() && seeds.iter().all(|seed| seed.len() <= 4096), "{name}: small seeds, and some");
    seeds
}

/// Everything for one target, which is named when it panics.
fn run(name: &str, body: fn(&[u8]), rounds: usize) {
    let (seeds, mut damage) = (seeds(name), Damage(Xoshiro256PlusPlus::seed_from_u64(1)));
    let attempt = |bytes: &[u8]| {
        let outcome = std::panic::catch_unwind(|| body(bytes));
        assert!(outcome.is_ok(), "{name} panicked on {bytes:02x?}");
    };
    for seed in &seeds {
        attempt(seed);
        for _ in 0..rounds {
            let mut bytes = seed.clone();
            let other = &seeds[damage.below(seeds.len())];
            (0..=damage.below(MOST_DAMAGES)).for_each(|_| damage.strike(&mut bytes, other));
            attempt(&bytes);
        }
    }
    (0..rounds).for_each(|_| attempt(&damage.bytes(400)));
}

#[test]
fn any_bytes_are_fit_for_every_target() {
    for (name, body) in TARGETS {
        run(name, body, ROUNDS);
    }
}

/// The committed model is too large for a seed; a byte of it that is another must be found, and most damage is no JSON.
#[test]
fn a_damaged_model_is_refused() {
    let whole = std::fs::read(project("models/clinic.json")).unwrap();
    bodies::model(&whole);
    let mut damage = Damage(Xoshiro256PlusPlus::seed_from_u64(2));
    for _ in 0..60 {
        let mut bytes = whole.clone();
        damage.strike(&mut bytes, &whole[..4096]);
        bodies::model(&bytes);
    }
}

#[test]
fn every_target_has_its_file_its_seeds_and_its_name_in_the_manifest() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stems = |folder: &Path| -> BTreeSet<String> {
        let stem = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().path().file_stem().unwrap().display().to_string();
        std::fs::read_dir(folder).unwrap().map(stem).collect()
    };
    assert_eq!(stems(&project("fuzz/fuzz_targets")), names);
    assert_eq!(stems(&project("fuzz/seeds")), names);
    let manifest = std::fs::read_to_string(project("fuzz/Cargo.toml")).unwrap();
    for name in &names {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        let target = std::fs::read_to_string(project("fuzz/fuzz_targets").join(format!("{name}.rs"))).unwrap();
        assert!(target.contains(&format!("bodies::run(\"{name}\", data)")), "{name}");
    }
    bodies::run("decode", &[]);
}

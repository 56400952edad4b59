//! The model that the project ships is what `models/make.sh` makes, byte for byte, whatever the number of workers and the
//! profile of the build.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const AGAIN: &str = "run: sh models/make.sh";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn auscult(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_auscult")).args(args).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "auscult {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
    output
}

/// The moment of the first attack, whole seconds, from the data set's manifest.
fn split() -> String {
    let manifest = fs::read(root().join("datasets/clinic/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    manifest["split"].as_str().unwrap().split('.').next().unwrap().to_owned()
}

fn train(out: &Path, workers: &str) -> Vec<u8> {
    let (split, out_text) = (split(), out.to_str().unwrap());
    let capture = "datasets/clinic/clinic.pcap.zst";
    auscult(&["train", capture, "--to", &split, "--seed", "1", "--workers", workers, "--out", out_text]);
    fs::read(out).unwrap()
}

#[test]
fn the_model_is_what_its_command_makes() {
    let committed = fs::read(root().join("models/clinic.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for workers in ["1", "3"] {
        let made = train(&folder.path().join("model.json"), workers);
        let first_difference = made.iter().zip(&committed).position(|(a, b)| a != b);
        assert!(made == committed, "models/clinic.json is outdated (byte {first_difference:?}, {workers} workers); {AGAIN}");
    }
}

#[test]
fn the_card_is_the_models() {
    let committed = fs::read_to_string(root().join("models/clinic.card.txt")).unwrap();
    let card = String::from_utf8(auscult(&["inspect", "models/clinic.json"]).stdout).unwrap();
    assert_eq!(card, committed, "models/clinic.card.txt is outdated; {AGAIN}");
}

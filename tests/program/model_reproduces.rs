//! The models that the project ships are what `models/make.sh` makes, byte for byte, whatever the number of workers and the
//! profile of the build.

use std::fs;
use std::path::PathBuf;
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

/// The moment of the clinic's first attack, whole seconds, from its manifest.
fn split() -> String {
    let manifest = fs::read(root().join("datasets/clinic/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    manifest["split"].as_str().unwrap().split('.').next().unwrap().to_owned()
}

/// Every model by name, and what its command is given.
fn models() -> [(&'static str, Vec<String>); 2] {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect();
    [
        ("hospital", words("datasets/hospital/clean-long/capture.pcap.zst")),
        ("clinic", words(&format!("datasets/clinic/clinic.pcap.zst --to {}", split()))),
    ]
}

#[test]
fn each_model_is_what_its_command_makes() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model.json");
    for (name, given) in models() {
        let committed = fs::read(root().join(format!("models/{name}.json"))).unwrap();
        for workers in ["1", "3"] {
            let mut args: Vec<&str> = vec!["train"];
            args.extend(given.iter().map(String::as_str));
            args.extend(["--seed", "1", "--workers", workers, "--out", out.to_str().unwrap()]);
            auscult(&args);
            let made = fs::read(&out).unwrap();
            let first_difference = made.iter().zip(&committed).position(|(a, b)| a != b);
            assert!(made == committed, "models/{name}.json is outdated (byte {first_difference:?}, {workers} workers); {AGAIN}");
        }
    }
}

#[test]
fn each_card_is_its_models() {
    for (name, _) in models() {
        let committed = fs::read_to_string(root().join(format!("models/{name}.card.txt"))).unwrap();
        let card = String::from_utf8(auscult(&["inspect", &format!("models/{name}.json")]).stdout).unwrap();
        assert_eq!(card, committed, "models/{name}.card.txt is outdated; {AGAIN}");
    }
}

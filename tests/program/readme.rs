//! The README tells the truth: its commands run, its alert has the fields of a real one, its links lead somewhere.
//!
//! Blocks of commands that begin with ```` ```sh runnable ```` run in order, in one scratch folder that has the project's
//! `datasets` and `models`.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The contents of all blocks that open with this line.
fn blocks(page: &str, opening: &str) -> Vec<String> {
    let mut found: Vec<Vec<&str>> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match (inside, line) {
            (false, line) if line == opening => {
                inside = true;
                found.push(Vec::new());
            }
            (true, "```") => inside = false,
            (true, line) => found.last_mut().unwrap().push(line),
            _ => {}
        }
    }
    found.into_iter().map(|lines| lines.join("\n")).collect()
}

/// A folder in which the README's relative paths hold.
fn scratch() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["datasets", "models"] {
        symlink(root().join(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn shell(folder: &Path, script: &str) -> Output {
    let programs = Path::new(env!("CARGO_BIN_EXE_auscult")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-eu", "-c", script]).current_dir(folder).env("PATH", path).stdin(Stdio::null());
    command.output().unwrap()
}

/// What the README says it writes, in scripts that are already known to have succeeded.
fn files_named(script: &str) -> BTreeSet<&str> {
    let words: Vec<&str> = script.split_whitespace().collect();
    let flags = ["--out", "--alerts", "--flows", "--hosts", "--stats", ">"];
    // `--alerts` may name a format before the file.
    let named = words
        .windows(2)
        .filter(|pair| flags.contains(&pair[0]))
        .map(|pair| pair[1].split_once(':').map_or(pair[1], |(_, name)| name));
    named.filter(|name| *name != "-").collect()
}

#[test]
fn the_commands_run() {
    let scripts = blocks(&readme(), "```sh runnable");
    assert!(scripts.len() >= 4, "the README has only {} blocks of commands to run", scripts.len());
    let folder = scratch();
    for script in scripts {
        let output = shell(folder.path(), &script);
        assert!(output.status.success(), "{script}\n{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        for name in files_named(&script) {
            let written = fs::metadata(folder.path().join(name)).unwrap_or_else(|error| panic!("{script}\n{name}: {error}"));
            assert!(written.len() > 0, "{script}\n{name} is empty");
        }
    }
}

/// Every field, as a path such as `auscult.why.usual.high`.
fn fields(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                found.insert(path.clone());
                fields(inner, &path, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, at, found)),
        _ => {}
    }
}

/// The demo's run.
fn demo() -> Output {
    let replay = "auscult replay datasets/hospital/intrusion-loud/capture.pcap.zst --model models/hospital.json";
    shell(scratch().path(), replay)
}

#[test]
fn the_terminal_shown_is_the_demo_s() {
    let shown = blocks(&readme(), "```text").into_iter().find(|block| block.starts_with("frames ")).unwrap();
    let told = String::from_utf8(demo().stderr).unwrap();
    let told: BTreeSet<&str> = told.lines().collect();
    // How long it took differs, and a line of dots stands for more devices.
    let lines: Vec<&str> = shown.lines().filter(|line| !line.starts_with("took ") && line.trim() != "…").collect();
    let others: Vec<&&str> = lines.iter().filter(|line| !told.contains(**line)).collect();
    assert!(lines.len() > 20 && others.is_empty(), "{others:#?} of {told:#?}");
}

#[test]
fn the_alert_shown_is_a_real_one_and_has_all_fields() {
    let shown = blocks(&readme(), "```json").into_iter().find(|block| block.contains(r#""event_type": "alert""#)).unwrap();
    let mut shown: Value = serde_json::from_str(&shown).unwrap();
    let alerts = String::from_utf8(demo().stdout).unwrap();
    let (mut told, mut real) = (BTreeSet::new(), BTreeSet::new());
    fields(&shown, "", &mut told);
    let mut lines: Vec<Value> = alerts.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.iter().for_each(|line| fields(line, "", &mut real));
    let of_chain = |line: &Value| line["auscult"]["chain"]["seq"].clone();
    let same = lines.iter_mut().find(|line| of_chain(line) == of_chain(&shown)).unwrap();
    // Shortened to one earlier incident.
    for line in [&mut shown, &mut *same] {
        let incident = line["auscult"]["incident"].as_object_mut().unwrap();
        let (earlier, left_out) = (incident.remove("earlier").unwrap(), incident.remove("earlier_left_out").unwrap());
        let number = earlier.as_array().unwrap().len() as u64 + left_out.as_u64().unwrap();
        incident.insert("earlier".to_owned(), number.into());
    }
    assert_eq!(&shown, same);
    // Of an ICMP flow, or of reasons of another kind than the one shown.
    let others = ["behaviour", "distance", "later"].map(|name| format!("auscult.why.about.{name}"));
    real.retain(|field| !field.starts_with("icmp_") && field != "auscult.why.prior_bits" && !others.contains(field));
    assert_eq!(told, real);
}

#[test]
fn links_lead_somewhere() {
    for page in [
        "README.md",
        "CONTRIBUTING.md",
        "docs/architecture.md",
        "docs/measures.md",
        "datasets/README.md",
        "datasets/lab/README.md",
    ] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            let is_local = !file.is_empty() && !file.contains("://");
            let folder = root().join(page).parent().unwrap().to_owned();
            assert!(!is_local || folder.join(file).exists(), "{page} links to {target}, which is not there");
        }
    }
}

#[test]
fn scripts_are_sound() {
    let lab = ["run", "enter", "small", "stretch"].map(|name| format!("datasets/lab/{name}"));
    let others = ["setup.sh", "datasets/demo.sh", "models/make.sh", "tests/run.sh", ".ci/run"].map(str::to_owned);
    for script in others.iter().chain(&lab) {
        let output = Command::new("sh").arg("-n").arg(root().join(script)).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

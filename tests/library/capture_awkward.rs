//! The awkward captures of the development data: no panic, no hang, and as many packets as Wireshark's `capinfos` counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use auscult::capture::{Block, Input, Source, open};

fn folder() -> Option<PathBuf> {
    let fallback = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("AUSCULT_DATA").map_or_else(fallback, PathBuf::from).join("awkward");
    if !folder.is_dir() {
        eprintln!("skipped: {} is missing", folder.display());
        return None;
    }
    Some(folder)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 500, "{} files", files.len());
    files
}

/// Frames, and what was wrong.
fn count(path: &Path) -> (usize, String) {
    let mut source = match open(&[Input::Path(path.into())]) {
        Ok(source) => source,
        Err(error) => return (0, error.to_string()),
    };
    let (mut block, mut frames) = (Block::default(), 0);
    loop {
        let result = source.fill(&mut block);
        frames += block.frames.len();
        match result {
            Ok(true) => {}
            Ok(false) => return (frames, String::new()),
            Err(error) => return (frames, error.to_string()),
        }
    }
}

/// Where the counts differ, and why: name, ours, theirs, reason.
const DIFFER: [(&str, usize, usize, &str); 1] = [(
    "suricata-verify__bug-6875-01__fuzz.pcap",
    1,
    2,
    "the second record is garbage (1.4 GB long); Wireshark then tries a pcap variant of the nineties, in which it has one byte",
)];

/// What `capinfos -c` says of a file.
#[derive(Debug, PartialEq)]
enum Theirs {
    Packets(usize),
    /// It does not know the link type and reads nothing.
    Unsupported,
}

/// Path to count. A file that is cut or damaged is told of on stderr, with the packets before that.
fn capinfos(files: &[PathBuf]) -> Option<BTreeMap<String, Theirs>> {
    let output = Command::new("capinfos").args(["-c", "-T", "-M", "-r"]).args(files).output().ok()?;
    let (rows, words) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let mut all = BTreeMap::new();
    for line in words.lines() {
        let Some(name) = line.split('"').nth(1).map(str::to_owned) else { continue };
        if let Some(after) = line.split("after reading ").nth(1) {
            all.insert(name, Theirs::Packets(after.split(' ').next()?.parse().ok()?));
        } else if line.contains("doesn't support") {
            all.insert(name, Theirs::Unsupported);
        }
    }
    let row = |line: &str| Some((line.split('\t').next()?.to_owned(), Theirs::Packets(line.split('\t').nth(1)?.parse().ok()?)));
    all.extend(rows.lines().filter_map(row));
    Some(all)
}

#[test]
fn every_awkward_capture_is_read_to_its_end() {
    let Some(folder) = folder() else { return };
    let files = files(&folder);
    let frames: usize = files.iter().map(|path| count(path).0).sum();
    assert!(frames > 10_000, "{frames}");
}

#[test]
fn counts_agree_with_capinfos() {
    let Some(folder) = folder() else { return };
    let files = files(&folder);
    let Some(theirs) = capinfos(&files) else {
        eprintln!("skipped: capinfos is missing");
        return;
    };
    let (mut differ, mut agree, mut unsupported) = (Vec::new(), 0, 0);
    for path in &files {
        let (ours, error) = count(path);
        let name = path.file_name().unwrap().display().to_string();
        let theirs = theirs.get(&path.display().to_string());
        match theirs {
            Some(Theirs::Packets(theirs)) if *theirs == ours => agree += 1,
            Some(Theirs::Packets(theirs)) if DIFFER.iter().any(|row| (row.0, row.1, row.2) == (&*name, ours, *theirs)) => {}
            Some(Theirs::Unsupported) if ours > 0 => unsupported += 1,
            _ => differ.push(format!("{name}: ours {ours}, theirs {theirs:?}, {error}")),
        }
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    eprintln!("{agree} agree, {} differ with a reason, {unsupported} have a link type that capinfos does not know", DIFFER.len());
    assert!(agree > 690 && unsupported < 20);
}

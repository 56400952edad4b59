//! What tshark says of the frames of many captures. It takes a third of a second to start, in which it reads thousands of frames; so
//! small captures are laid end to end and read at once.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Folder, have};

/// Captures up to this size are laid end to end, bytes.
const SMALL: u64 = 1 << 20;

/// What is asked of tshark: options beside `-n`, fields, and what lies between those.
pub struct Asked<'a> {
    pub options: &'a [&'a str],
    pub fields: &'a [&'a str],
    pub separator: char,
}

impl Asked<'_> {
    /// The lines of each of these captures, one a frame. A conversation that is in several of them is one to tshark, so that what it
    /// says above TCP may differ from what it says of a capture [alone](Self::rows).
    ///
    /// # Panics
    ///
    /// Where tshark, mergecap or capinfos cannot be run, or where they do not agree on the frames.
    pub fn rows_of_each(&self, captures: &[PathBuf]) -> Vec<Vec<String>> {
        let small: Vec<_> = captures.iter().filter(|path| path.metadata().unwrap().len() <= SMALL).collect();
        let frames = frames(&small);
        let mut all = self.merged(captures.iter().filter(|path| frames.contains_key(*path))).into_iter();
        let rows = captures.iter().map(|path| match frames.get(path) {
            Some(&frames) => all.by_ref().take(frames).collect(),
            None => self.rows(path),
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let fit = captures.iter().zip(&rows).all(|(path, rows)| frames.get(path).is_none_or(|frames| *frames == rows.len()));
        assert!(fit && all.next().is_none(), "tshark and capinfos count other frames");
        rows
    }

    /// The lines of one capture, one a frame.
    ///
    /// # Panics
    ///
    /// Where tshark cannot be run.
    pub fn rows(&self, capture: &Path) -> Vec<String> {
        self.read(capture, self.fields.iter().copied())
    }

    /// The lines of all frames of these captures, one capture behind the other.
    fn merged<'c>(&self, captures: impl Iterator<Item = &'c PathBuf>) -> Vec<String> {
        let (folder, mut captures) = (Folder::new(), captures.peekable());
        if captures.peek().is_none() {
            return Vec::new();
        }
        let merged = folder.path("merged.pcapng");
        // Interfaces stay apart, so that link layers do.
        let mut merge = Command::new("mergecap");
        merge.args(["-a", "-I", "none", "-F", "pcapng", "-w"]).arg(&merged).args(captures);
        let merge = merge.output().unwrap();
        assert!(merge.status.success(), "{}", String::from_utf8_lossy(&merge.stderr));
        let lines = self.read(&merged, self.fields.iter().copied().chain(["frame.interface_id"]));
        let cells = lines.iter().filter_map(|line| line.rsplit_once(self.separator));
        // What is no frame, such as a block of a log between the frames, came in by no interface.
        cells.filter(|(_, interface)| !interface.is_empty()).map(|(row, _)| row.to_owned()).collect()
    }

    fn read<'f>(&self, capture: &Path, fields: impl Iterator<Item = &'f str>) -> Vec<String> {
        let mut command = Command::new("tshark");
        command.arg("-n").arg("-r").arg(capture).args(self.options);
        command.args(["-T", "fields", "-E", &format!("separator={}", self.separator)]);
        fields.for_each(|field| {
            command.args(["-e", field]);
        });
        String::from_utf8_lossy(&command.output().unwrap().stdout).lines().map(str::to_owned).collect()
    }
}

/// How many frames those of these captures have that can be read to their end.
fn frames(captures: &[&PathBuf]) -> HashMap<PathBuf, usize> {
    if captures.is_empty() {
        return HashMap::new();
    }
    let told = Command::new("capinfos").args(["-c", "-M", "-T", "-r"]).args(captures).output().unwrap();
    let (lines, troubles) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    let counts =
        lines.lines().filter_map(|line| line.split_once('\t')).filter_map(|(name, count)| Some((name, count.parse().ok()?)));
    let whole = counts.filter(|(name, _)| !troubles.contains(name));
    whole.map(|(name, count)| (PathBuf::from(name), count)).collect()
}

/// How often tshark finds each value in each of these fields, over the frames that pass the filter; nothing without tshark.
pub fn values<const N: usize>(capture: &Path, filter: &str, fields: [&str; N]) -> Option<[BTreeMap<String, u64>; N]> {
    if !have("tshark", "--version") {
        return None;
    }
    let asked = Asked { options: &["-Y", filter, "-E", "aggregator=;"], fields: &fields, separator: '|' };
    let mut counts = [const { BTreeMap::new() }; N];
    for row in asked.rows(capture) {
        for (counts, cell) in counts.iter_mut().zip(row.split('|')) {
            cell.split(';').filter(|value| !value.is_empty()).for_each(|value| *counts.entry(value.to_owned()).or_default() += 1);
        }
    }
    Some(counts)
}

//! What earlier runs told, for a page that begins.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::args::OutputArgs;
use crate::alert::Format;
use crate::sink::{Place, Target};

/// Bytes read of a record at the most: its end, over as many of its parts as that takes.
const MOST_BYTES: u64 = 32 << 20;

/// The latest lines of the first file of EVE that alerts go to, the oldest first. Other formats, and strict EVE, do not hold all that a
/// page shows.
///
/// # Errors
/// When a file that is there cannot be read.
pub fn told_before(args: &OutputArgs) -> anyhow::Result<Vec<String>> {
    let targets = args.alerts.iter().filter_map(|name| Target::parse(name).ok());
    let files = targets.filter(|target| target.format == Format::Eve && !args.sinks.strict_eve);
    let mut files = files.filter_map(|target| match target.place {
        Place::File(path) => Some(path),
        _ => None,
    });
    let Some(path) = files.next() else { return Ok(Vec::new()) };
    lines_at_the_end(&path, MOST_BYTES).with_context(|| format!("{}: cannot be read", path.display()))
}

/// Whole lines at the end of a file and of its older parts, `PATH.1` and on.
fn lines_at_the_end(path: &Path, most_bytes: u64) -> io::Result<Vec<String>> {
    let older = (1..).map(|number: u32| {
        let mut part = path.to_path_buf().into_os_string();
        part.push(format!(".{number}"));
        PathBuf::from(part)
    });
    let (mut left, mut parts) = (most_bytes, Vec::new());
    for part in std::iter::once(path.to_path_buf()).chain(older) {
        // What is written now may have been put aside a moment ago, but of older parts none is missing between others.
        if left == 0 || !part.is_file() && part != path {
            break;
        }
        if part.is_file() {
            let (bytes, is_whole) = end_of(&part, left)?;
            left = if is_whole { left.saturating_sub(bytes.len() as u64) } else { 0 };
            parts.push(bytes);
        }
    }
    let lines = parts.iter().rev().flat_map(|bytes| bytes.split(|&byte| byte == b'\n')).filter(|line| !line.is_empty());
    Ok(lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect())
}

/// Up to so many bytes at the end of a file, from the beginning of a line, and whether that is all of it.
fn end_of(path: &Path, most_bytes: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(most_bytes);
    // One byte more tells whether a line begins there.
    file.seek(SeekFrom::Start(from.saturating_sub(1)))?;
    let mut bytes = Vec::new();
    file.take(most_bytes + 1).read_to_end(&mut bytes)?;
    if from > 0 {
        let begin = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| end + 1);
        bytes.drain(..begin);
    }
    Ok((bytes, from == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_read_from_the_end_over_the_parts_of_a_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        let read = |most| lines_at_the_end(&path, most).unwrap().join(" ");
        assert_eq!(read(100), "");
        std::fs::write(folder.path().join("alerts.jsonl.2"), "a1\na2\n").unwrap();
        std::fs::write(folder.path().join("alerts.jsonl.4"), "not of it\n").unwrap();
        assert_eq!(read(100), "", "a part between is missing");
        std::fs::write(folder.path().join("alerts.jsonl.1"), "b1\nb2\n").unwrap();
        assert_eq!(read(100), "a1 a2 b1 b2", "the newest part was just put aside");
        std::fs::write(&path, "c1\nc2\nc3").unwrap();
        assert_eq!(read(100), "a1 a2 b1 b2 c1 c2 c3");
        assert_eq!(
            [14, 13, 11, 8, 7, 5, 4, 1].map(read),
            ["b1 b2 c1 c2 c3", "b2 c1 c2 c3", "b2 c1 c2 c3", "c1 c2 c3", "c2 c3", "c2 c3", "c3", ""]
        );
    }
}

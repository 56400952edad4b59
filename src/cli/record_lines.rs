//! The lines of alert files and answer files, byte by byte as they were written, and how such a file goes on.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::alert::{Chain, Link};
use crate::capture::{Content, Input};

/// The longest line that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 2 << 20;

/// A line and where it stands.
pub struct RecordLine {
    /// Its number in its file, from 1.
    pub number: u64,
    /// Without its end.
    pub bytes: Vec<u8>,
    /// Was there an end?
    pub is_ended: bool,
}

/// The lines of one file.
pub struct RecordLines {
    name: String,
    reader: Box<dyn BufRead>,
    number: u64,
}

impl RecordLines {
    /// Opens a file, plain or compressed; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let input = Input::from(path.to_path_buf());
        Ok(Self { name: input.to_string(), reader: Box::new(BufReader::new(Content::open(&input)?)), number: 0 })
    }

    /// The next line that is not empty; none at the end.
    ///
    /// # Errors
    /// When it cannot be read, or is longer than 2 MiB.
    pub fn next(&mut self) -> anyhow::Result<Option<RecordLine>> {
        loop {
            let mut bytes = Vec::new();
            let most = MAX_LINE_BYTES as u64 + 1;
            let read = self.reader.by_ref().take(most).read_until(b'\n', &mut bytes).with_context(|| self.place())?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let is_ended = bytes.pop_if(|&mut last| last == b'\n').is_some();
            if bytes.len() > MAX_LINE_BYTES {
                bail!("{}: longer than 2 MiB, which no alert is", self.place());
            }
            if !bytes.is_empty() {
                return Ok(Some(RecordLine { number: self.number, bytes, is_ended }));
            }
        }
    }

    /// File and line, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}, line {}", self.name, self.number)
    }
}

/// Puts the parts of a rotated record into their order, that of the numbers of their first lines. A part whose first line has
/// none stays where it was named.
///
/// # Errors
/// When one cannot be read.
pub fn in_order(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    if paths.len() < 2 || paths.iter().any(|path| path.as_os_str() == "-") {
        return Ok(paths.to_vec());
    }
    let mut parts = Vec::new();
    let mut latest = 0;
    for path in paths {
        let first = RecordLines::open(path)?.next()?;
        latest = first.and_then(|line| Link::of(&line.bytes).ok()).map_or(latest, |link| link.seq);
        parts.push((latest, path.clone()));
    }
    parts.sort_by_key(|&(seq, _)| seq);
    Ok(parts.into_iter().map(|(_, path)| path).collect())
}

/// Opens a record to write on: the file, and the chain that goes on behind its last line. A last line that was cut off, as by a
/// loss of power, is removed, and where the last line carries no link, the chain begins anew; both are told on stderr.
///
/// # Errors
/// When it cannot be opened, read or repaired.
pub fn go_on(path: &Path) -> anyhow::Result<(File, Chain)> {
    let opened = || format!("{}: cannot be written", path.display());
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).with_context(opened)?;
    let chain = chain_of(&mut file, path).with_context(opened)?;
    Ok((file, chain))
}

/// The chain behind the last line of a file that is open for reading and appending.
///
/// # Errors
/// When it cannot be read or repaired.
pub fn chain_of(file: &mut File, path: &Path) -> io::Result<Chain> {
    let about = file.metadata()?;
    if !about.is_file() || about.len() == 0 {
        return Ok(Chain::default());
    }
    let size = about.len();
    let from = size.saturating_sub(2 * MAX_LINE_BYTES as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    (&*file).take(size - from).read_to_end(&mut tail)?;
    let ended = tail.iter().rposition(|&byte| byte == b'\n').map_or(0, |place| place + 1);
    if let Some(cut @ [_, ..]) = tail.get(ended..) {
        if let Ok(chain) = Chain::after(cut) {
            file.write_all(b"\n")?;
            return Ok(chain);
        }
        tell!("auscult: {}: its last line was cut off and is removed ({} bytes)", path.display(), cut.len());
        file.set_len(from + ended as u64)?;
    }
    let whole = tail.get(..ended).unwrap_or_default().trim_ascii_end();
    let last = whole.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    if last.is_empty() {
        return Ok(Chain::default());
    }
    Ok(Chain::after(last).unwrap_or_else(|error| {
        tell!("auscult: {}: its last line is {error}; a new chain begins", path.display());
        Chain::anew(last)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(chain: &Chain) -> String {
        let Link { seq, prev } = chain.next();
        serde_json::json!({"chain": {"seq": seq, "prev": prev}}).to_string()
    }

    #[test]
    fn a_record_goes_on_behind_its_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let first = line(&Chain::default());
        let after = Chain::after(first.as_bytes()).unwrap();
        for (held, wanted, left) in [
            (String::new(), Chain::default(), String::new()),
            (format!("{first}\n"), after.clone(), format!("{first}\n")),
            (first.clone(), after.clone(), format!("{first}\n")),
            (format!("{first}\n{{\"chain\":{{\"se"), after, format!("{first}\n")),
            ("{\"cut".to_owned(), Chain::default(), String::new()),
            (format!("{first}\nnot ours\n"), Chain::anew(b"not ours"), format!("{first}\nnot ours\n")),
        ] {
            std::fs::write(&path, &held).unwrap();
            assert_eq!(go_on(&path).unwrap().1, wanted, "{held}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), left, "{held}");
        }
    }

    #[test]
    fn parts_are_put_in_order_by_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let part = |name: &str, seq: u64| {
            let path = folder.path().join(name);
            std::fs::write(&path, serde_json::json!({"chain": {"seq": seq, "prev": ""}}).to_string()).unwrap();
            path
        };
        let named = [part("a", 20), part("a.1", 10), part("a.10", 0), part("a.2", 5)];
        let names: Vec<_> = in_order(&named).unwrap().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.10", "a.2", "a.1", "a"]);
    }
}

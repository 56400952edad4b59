//! Files of lines that are opened again on HUP.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use super::hidden::remove_cut_line;
use super::stop;
use crate::sink::{Stdout, advice};

/// Whole lines for a file, which somebody may move away: after a HUP they go to the file that then has the name. `-` is stdout. A
/// file takes all of a write or nothing; stdout, pipes and devices take what they have room for and tell how much.
pub struct LineFile {
    path: PathBuf,
    to: To,
    reopen: Option<Arc<AtomicBool>>,
}

enum To {
    Stdout(Stdout),
    File(File),
}

impl LineFile {
    /// Opens it anew, or, in a program that `goes_on`, behind the whole lines that stand there.
    ///
    /// # Errors
    /// When it cannot be created or repaired.
    pub fn open(path: &Path, goes_on: bool) -> anyhow::Result<Self> {
        let place = || format!("{}: cannot be written", path.display());
        if path.as_os_str() == "-" {
            return Ok(Self { path: path.to_owned(), to: To::Stdout(Stdout::open().with_context(place)?), reopen: None });
        }
        // Pipes and devices hold nothing to go on from.
        if goes_on && (path.is_file() || !path.exists()) {
            let file = append_to(path).with_context(place)?;
            remove_cut_line(&file).with_context(place)?;
            return Self::over(path, file);
        }
        let file = File::create(path).with_context(place)?;
        Ok(Self { path: path.to_owned(), to: To::File(file), reopen: None })
    }

    /// The same, for a file that is open for appending already.
    ///
    /// # Errors
    /// When the system refuses the handler.
    pub fn over(path: &Path, file: File) -> anyhow::Result<Self> {
        Ok(Self { path: path.to_owned(), to: To::File(file), reopen: Some(stop::on_hangup()?) })
    }

    /// Is it asked for to be opened again?
    pub fn is_to_turn(&self) -> bool {
        self.reopen.as_ref().is_some_and(|reopen| reopen.load(Ordering::Relaxed))
    }

    /// Opens it again, where that was asked for.
    pub fn turn(&mut self) {
        if self.reopen.as_ref().is_some_and(|reopen| reopen.swap(false, Ordering::Relaxed)) {
            match append_to(&self.path) {
                Ok(file) => self.to = To::File(file),
                Err(error) => tell!(
                    "auscult: HUP: {}: cannot be opened again ({error}); what comes goes to the file that was open: {}",
                    self.path.display(),
                    advice(error.kind())
                ),
            }
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).open(path)
}

impl Write for LineFile {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.turn();
        match &mut self.to {
            To::Stdout(stdout) => stdout.write(lines),
            To::File(file) => {
                let before = file.metadata()?;
                if !before.is_file() {
                    return file.write(lines);
                }
                if let Err(error) = file.write_all(lines) {
                    // A disk that is full must not leave half a line before the next, nor a hole.
                    file.set_len(before.len())?;
                    file.seek(SeekFrom::End(0))?;
                    return Err(error);
                }
                Ok(lines.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_follow_the_name_and_are_never_torn() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("flows"), folder.path().join("flows.1"));
        std::fs::write(&path, "old\ncut o").unwrap();
        let mut file = LineFile::open(&path, true).unwrap();
        file.write_all(b"one\n").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        file.write_all(b"two\n").unwrap();
        let hang_up = |file: &LineFile| file.reopen.as_ref().unwrap().store(true, Ordering::Relaxed);
        hang_up(&file);
        assert!(file.is_to_turn());
        file.write_all(b"three\n").unwrap();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert_eq!((read(&moved), read(&path)), ("old\none\ntwo\n".to_owned(), "three\n".to_owned()));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        hang_up(&file);
        file.write_all(b"four\n").expect("the old file goes on");
    }
}

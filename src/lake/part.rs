//! A file of a lake while it is written.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What the name of a whole part begins and ends with; a number of six digits or more stands between.
const NAME: (&str, &str) = ("part-", ".parquet");
/// The same while it is written: hidden, and with an ending that no reader looks for.
const UNFINISHED: (&str, &str) = (".part-", ".parquet.tmp");

/// The number of a part by its name.
pub(super) fn number(name: &str) -> Option<u64> {
    between(name, NAME)
}

/// The number of an unfinished part by its name.
pub(super) fn unfinished_number(name: &str) -> Option<u64> {
    between(name, UNFINISHED)
}

fn between(name: &str, (front, back): (&str, &str)) -> Option<u64> {
    let digits = name.strip_prefix(front)?.strip_suffix(back)?;
    (digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

fn named(number: u64, (front, back): (&str, &str)) -> String {
    format!("{front}{number:06}{back}")
}

/// A part that is written under a temporary name. What the disk does not take waits in memory, in its order.
pub(super) struct PartFile {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    waiting: Vec<u8>,
    /// What the system said last.
    failed: Option<io::Error>,
}

impl PartFile {
    /// Begins the next part of a folder, which is made; says whether parts were there before.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn create(folder: &Path) -> io::Result<(Self, bool)> {
        std::fs::create_dir_all(folder)?;
        let mut taken = None;
        for entry in folder.read_dir()? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            taken = taken.max(number(&name).or_else(|| unfinished_number(&name)));
        }
        let mut next = taken.map_or(0, |taken| taken.saturating_add(1));
        loop {
            let (temporary, path) = (folder.join(named(next, UNFINISHED)), folder.join(named(next, NAME)));
            match File::options().read(true).write(true).create_new(true).open(&temporary) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                // Another program may have ended the part of this number in between.
                Ok(_) if path.exists() => std::fs::remove_file(&temporary)?,
                Ok(file) => {
                    // Tells others that somebody is at it; where the file system has no locks nobody can be told.
                    let _ = file.try_lock();
                    return Ok((Self { file, temporary, path, waiting: Vec::new(), failed: None }, taken.is_some()));
                }
            }
            next += 1;
        }
    }

    /// Bytes that the disk did not take yet.
    pub const fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Why something waits, once.
    pub const fn take_failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// When the disk does not take all of it.
    pub fn catch_up(&mut self) -> io::Result<()> {
        let (done, written) = put(&mut self.file, &self.waiting);
        self.waiting.drain(..done);
        written
    }

    /// Gives it its name, with all that was written on the disk; may be tried again.
    ///
    /// # Errors
    /// When the disk does not take all of it, or the name cannot be given.
    pub fn publish(&mut self) -> io::Result<()> {
        self.catch_up()?;
        self.file.sync_data()?;
        std::fs::rename(&self.temporary, &self.path)
    }

    /// Removes it.
    pub fn abandon(self) {
        // It has no name that anybody reads.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

/// Writes as much as there is room for: how many bytes that was, and why it was not all.
fn put(to: &mut File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match to.write(rest) {
            Ok(0) => return (done, Err(ErrorKind::WriteZero.into())),
            Ok(written) => done += written,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}

/// Never fails: what is not written waits.
impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        if self.waiting.is_empty() {
            let (done, written) = put(&mut self.file, bytes);
            rest = bytes.get(done..).unwrap_or_default();
            self.failed = written.err();
        }
        self.waiting.extend_from_slice(rest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Removes the unfinished parts below these folders that nobody writes to any more; how many there were.
pub(super) fn remove_left_over(folders: &[PathBuf]) -> u64 {
    let unfinished = |name: &Path| name.file_name().and_then(|name| unfinished_number(name.to_str()?)).is_some();
    let files = folders.iter().filter_map(|folder| folder.read_dir().ok()).flatten().flatten().map(|entry| entry.path());
    let is_left = |path: &PathBuf| match File::open(path).map(|file| file.try_lock()) {
        Ok(Ok(())) => true,
        // Somebody is at it, or it cannot be known.
        Ok(Err(TryLockError::WouldBlock | TryLockError::Error(_))) | Err(_) => false,
    };
    let left = files.filter(|path| unfinished(path)).filter(is_left);
    left.filter(|path| std::fs::remove_file(path).is_ok()).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_its_name_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let hour = folder.path().join("hour=08");
        let (mut first, joins) = PartFile::create(&hour).unwrap();
        let (second, _) = PartFile::create(&hour).unwrap();
        assert!(!joins);
        first.write_all(b"whole").unwrap();
        let names = || {
            let mut names: Vec<_> = hour.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(), [".part-000000.parquet.tmp", ".part-000001.parquet.tmp"]);
        first.publish().unwrap();
        assert_eq!(names(), [".part-000001.parquet.tmp", "part-000000.parquet"]);
        assert_eq!(std::fs::read(hour.join("part-000000.parquet")).unwrap(), b"whole");
        second.abandon();
        let (third, joins) = PartFile::create(&hour).unwrap();
        assert!(joins && third.path.ends_with("part-000001.parquet"));
    }

    #[test]
    fn what_is_written_to_is_not_left_over() {
        let folder = tempfile::tempdir().unwrap();
        let (part, _) = PartFile::create(folder.path()).unwrap();
        std::fs::write(folder.path().join(".part-000007.parquet.tmp"), "of a program that was killed").unwrap();
        std::fs::write(folder.path().join("part-000003.parquet"), "whole").unwrap();
        std::fs::write(folder.path().join(".part-x.parquet.tmp"), "not ours").unwrap();
        assert_eq!(remove_left_over(&[folder.path().to_owned()]), 1);
        assert!(part.temporary.exists() && folder.path().join("part-000003.parquet").exists());
        assert!(folder.path().join(".part-x.parquet.tmp").exists());
    }

    #[test]
    fn names_have_numbers() {
        assert_eq!((number("part-000012.parquet"), number("part-1000000.parquet")), (Some(12), Some(1_000_000)));
        for name in ["part-12.parquet", "part-00001x.parquet", "part-.parquet", ".part-000001.parquet.tmp", "part-+00001.parquet"]
        {
            assert_eq!(number(name), None, "{name}");
        }
        assert_eq!(unfinished_number(".part-000001.parquet.tmp"), Some(1));
    }
}

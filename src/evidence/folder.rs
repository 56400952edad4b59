//! The folder of the files, bounded.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::capture::in_order_of_time;
use crate::time::Timestamp;

/// Owner alone: what is captured is nobody else's business.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

const ENDING: &str = ".pcapng";

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: evidence cannot be written there", path.display())]
pub struct FolderError {
    path: PathBuf,
    source: io::Error,
}

/// The name of an incident's file: sorted by name, files are sorted by time.
pub(super) fn file_name(id: u64, first: Timestamp) -> String {
    let digits: String = first.to_string().chars().take(19).filter(char::is_ascii_alphanumeric).collect();
    format!("{digits}Z-{id:016x}{ENDING}")
}

/// Is it such a name?
fn is_ours(name: &str) -> bool {
    let id = name.strip_suffix(ENDING).and_then(|stem| stem.split_once("Z-"));
    id.is_some_and(|(time, id)| {
        time.len() == 15
            && time.starts_with(|c: char| c.is_ascii_digit())
            && id.len() == 16
            && id.bytes().all(|c| c.is_ascii_hexdigit())
    })
}

/// What could not be appended.
#[derive(Debug)]
pub(super) enum Refused {
    /// The folder is full of what may not go.
    Full,
    /// The file could not be written.
    Unwritable(io::Error),
}

/// Files of this and of earlier runs, and their sizes. Other files are left alone and not counted.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    most_bytes: u64,
    files: BTreeMap<String, u64>,
    bytes: u64,
}

impl Folder {
    /// Opens or makes the folder, and looks what is there.
    pub fn open(path: &Path, most_bytes: u64) -> Result<Self, FolderError> {
        let wrong = |source| FolderError { path: path.to_owned(), source };
        if !path.is_dir() {
            DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path).map_err(wrong)?;
        }
        let probe = beside(path);
        create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(wrong)?;
        let mut folder = Self { path: path.to_owned(), most_bytes, files: BTreeMap::new(), bytes: 0 };
        for entry in fs::read_dir(path).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            let (Ok(name), Ok(about)) = (entry.file_name().into_string(), entry.metadata()) else { continue };
            if is_ours(&name) && about.is_file() {
                folder.bytes += about.len();
                folder.files.insert(name, about.len());
            }
        }
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a file anew where one of its name lies from an earlier run.
    pub fn begin(&mut self, name: &str) -> io::Result<()> {
        if self.files.contains_key(name) { self.remove(name) } else { Ok(()) }
    }

    /// Appends whole blocks, in one piece or not at all, having removed the oldest files where there is no room: first those that
    /// `is_open` does not name, then those older than this one. Returns the files removed.
    pub fn append(&mut self, name: &str, blocks: &[u8], is_open: impl Fn(&str) -> bool) -> (Vec<String>, Result<(), Refused>) {
        let needed = blocks.len() as u64;
        let mut removed = Vec::new();
        while self.bytes + needed > self.most_bytes {
            let closed = self.files.keys().find(|other| *other != name && !is_open(other));
            let oldest = closed.or_else(|| self.files.keys().next().filter(|&oldest| **oldest < *name)).cloned();
            let Some(oldest) = oldest else { return (removed, Err(Refused::Full)) };
            if let Err(error) = self.remove(&oldest) {
                return (removed, Err(Refused::Unwritable(error)));
            }
            removed.push(oldest);
        }
        let length = self.files.get(name).copied().unwrap_or(0);
        let written = write(&self.path.join(name), length, blocks);
        if written.is_ok() {
            self.bytes += needed;
            *self.files.entry(name.to_owned()).or_default() += needed;
        }
        (removed, written.map_err(Refused::Unwritable))
    }

    /// Puts the packets of a file in the order of their time. The file is as it was until it is as it should be.
    pub fn put_in_order(&self, name: &str) -> io::Result<()> {
        let path = self.path.join(name);
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it was changed by someone else");
        let sorted = in_order_of_time(&fs::read(&path)?).ok_or_else(damaged)?;
        let beside = beside(&self.path);
        let written = create(&beside).and_then(|mut file| file.write_all(&sorted)).and_then(|()| fs::rename(&beside, &path));
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        written
    }

    /// Removes files that `is_open` does not name and `is_over` says are old enough. Returns how many.
    pub fn forget(&mut self, is_open: impl Fn(&str) -> bool, is_over: impl Fn(&Path) -> bool) -> io::Result<usize> {
        let is_old = |name: &&String| !is_open(name) && is_over(&self.path.join(name));
        let old: Vec<String> = self.files.keys().filter(is_old).cloned().collect();
        old.iter().try_for_each(|name| self.remove(name)).map(|()| old.len())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            // Someone else made room.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.bytes -= self.files.remove(name).unwrap_or(0);
        Ok(())
    }
}

/// The name of a file that is there for a moment alone.
fn beside(folder: &Path) -> PathBuf {
    folder.join(format!(".auscult-{}", std::process::id()))
}

/// A new file that only its owner may read; no link is followed.
fn create(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Appends to a file of this length, or makes it where that is 0.
fn write(path: &Path, length: u64, blocks: &[u8]) -> io::Result<()> {
    let mut file = if length == 0 { create(path)? } else { OpenOptions::new().append(true).open(path)? };
    let written = file.write_all(blocks);
    if written.is_err() {
        // A disk that is full must not leave half a block before the next.
        let _ = if length == 0 { fs::remove_file(path) } else { file.set_len(length) };
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn name(hour: i64) -> String {
        file_name(hour as u64, Timestamp::from_parts(1_700_000_000 + hour * 3600, 5))
    }

    fn names(folder: &Folder) -> Vec<String> {
        let entries = fs::read_dir(&folder.path).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn names_sort_by_time_and_are_told_from_others() {
        let first = name(0);
        assert_eq!(first, "20231114T221320Z-0000000000000000.pcapng");
        assert!(name(1) > first && is_ours(&first));
        for other in ["notes.txt", "20231114T221320Z-0000.pcapng", "capture.pcapng", "-0000000000000000.pcapng", ""] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn the_oldest_closed_file_goes_first_and_open_ones_last() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let mut folder = Folder::open(&path, 100).unwrap();
        fs::write(path.join("notes.txt"), [0; 5000]).unwrap();
        let nothing_open = |_: &str| false;
        for hour in 0..4 {
            assert!(folder.append(&name(hour), &[1; 25], nothing_open).1.is_ok());
        }
        assert_eq!(fs::metadata(path.join(name(0))).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        // A run that comes later counts what lies there.
        let mut folder = Folder::open(&path, 100).unwrap();
        let first_is_open = |other: &str| other == name(0);
        let (removed, written) = folder.append(&name(9), &[1; 50], first_is_open);
        assert!(written.is_ok());
        assert_eq!(removed, [name(1), name(2)]);
        let all_open = |_: &str| true;
        assert_eq!(folder.append(&name(9), &[1; 50], all_open).0, [name(0), name(3)]);
        assert!(matches!(folder.append(&name(9), &[1; 1], all_open), (removed, Err(Refused::Full)) if removed.is_empty()));
        assert!(matches!(folder.append(&name(8), &[1; 1], all_open), (removed, Err(Refused::Full)) if removed.is_empty()));
        assert_eq!((names(&folder), folder.bytes), (vec![name(9), "notes.txt".to_owned()], 100));
    }

    #[test]
    fn what_cannot_be_written_leaves_no_half_and_counts_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(parent.path(), 1000).unwrap();
        folder.append(&name(0), &[1; 10], |_| false).1.unwrap();
        // Someone takes the file away: it cannot go on.
        fs::remove_file(parent.path().join(name(0))).unwrap();
        assert!(matches!(folder.append(&name(0), &[1; 10], |_| false).1, Err(Refused::Unwritable(_))));
        assert_eq!((names(&folder), folder.bytes), (vec![], 10));
        // It begins anew.
        folder.begin(&name(0)).unwrap();
        folder.append(&name(0), &[1; 10], |_| false).1.unwrap();
        assert_eq!(folder.bytes, 10);
    }

    #[test]
    fn a_folder_that_is_a_file_is_an_error_that_names_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Folder::open(file.path(), 1000).unwrap_err();
        assert!(error.to_string().starts_with(&file.path().display().to_string()), "{error}");
    }
}

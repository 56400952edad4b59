//! The folder: who uses it, and what is found in it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{StateError, journal};
use crate::feature::{hex, schema_hash};

const CHECKPOINT: &str = "checkpoint";
const LOCK: &str = "lock";
/// What is set aside gets this behind its name; what was set aside before is lost.
const ASIDE: &str = "aside";
/// The form of what is remembered: to be raised with every change of a type in it, and of what a lesson holds.
pub const FORMAT: u32 = 27;
/// Which word of a checkpoint's first line is the program's version.
const VERSION_WORD: usize = 2;
/// Bytes of a checkpoint that is read, at the most.
const MOST_BYTES: u64 = 4 << 30;
/// Addresses are in it: its owner alone may read it.
const OWNER_ALONE: u32 = 0o600;

/// A folder in use. Another program that asks for it is refused.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

/// What was found.
pub struct Found<T, E, P> {
    /// What was remembered at the latest checkpoint, and what was noted since.
    pub remembered: Option<(T, Vec<E>)>,
    /// What a checkpoint of another version of the program, that is set aside, begins with.
    pub outlived: Option<P>,
    /// Why nothing is, where there was something, or what is missing of it.
    pub remark: Option<String>,
    /// The number of the next journal.
    pub(super) next: u64,
}

impl Folder {
    /// Opens a folder, which is made where there is none.
    ///
    /// # Errors
    /// When it cannot be made or written to, or another program uses it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(StateError::io(path, "making the folder"))?;
        if is_ours_alone(path) {
            // Its files are closed to others anyway: where this may not be done, that is enough.
            let _ = fs::set_permissions(path, Permissions::from_mode(0o700));
        }
        let lock_path = path.join(LOCK);
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(OWNER_ALONE).open(&lock_path);
        let lock = lock.map_err(StateError::io(&lock_path, "opening"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(StateError::io(&lock_path, "locking")(source)),
        }
    }

    /// Where a file of this name lies.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Reads what was remembered, if `fits` says nothing against it; else it is set aside. `P` is what a `T` begins with and what holds for
    /// any version of the program.
    ///
    /// # Errors
    /// When what does not fit cannot be set aside.
    pub fn find<T: DeserializeOwned, E: DeserializeOwned, P: DeserializeOwned>(
        &self,
        fits: impl FnOnce(&T) -> Result<(), String>,
    ) -> Result<Found<T, E, P>, StateError> {
        let numbers = journal::numbers(&self.path).map_err(StateError::io(&self.path, "reading"))?;
        let next = numbers.last().map_or(0, |last| last + 1);
        let read = self.read_checkpoint::<T>().and_then(|read| match read {
            Some((number, state)) => fits(&state).map(|()| Some((number, state))),
            None => Ok(None),
        });
        let why = match read {
            Ok(Some((number, state))) => {
                let (entries, remark) = self.read_journals(numbers.into_iter().filter(|it| *it >= number));
                let (remembered, next) = (Some((state, entries)), next.max(number + 1));
                return Ok(Found { remembered, outlived: None, remark, next });
            }
            Ok(None) if numbers.is_empty() => return Ok(Found { remembered: None, outlived: None, remark: None, next }),
            Ok(None) => None,
            Err(why) => Some(why),
        };
        let outlived = why.as_ref().and_then(|_| self.outlived());
        journal::forget_set_aside(&self.path).map_err(StateError::io(&self.path, "removing what was set aside before"))?;
        let (first, last) = (numbers.first().copied(), numbers.last().copied());
        let checkpoint = why.iter().map(|_| CHECKPOINT.to_owned());
        checkpoint.chain(numbers.into_iter().map(journal::name)).try_for_each(|name| self.set_aside(&name))?;
        let remark = match (why, first.zip(last)) {
            (Some(why), _) => format!(
                "{}: {why}; set aside as {CHECKPOINT}.{ASIDE}, and nothing is remembered",
                self.file(CHECKPOINT).display()
            ),
            (None, range) => {
                let (first, last) = range.unwrap_or_default();
                format!(
                    "{}: journals {first} to {last} without the checkpoint that they go on from; set aside as {}.{ASIDE}, and nothing is remembered",
                    self.file("").display(),
                    journal::name(last)
                )
            }
        };
        Ok(Found { remembered: None, outlived, remark: Some(remark), next })
    }

    /// What a whole checkpoint of another version of the program, of the same form, begins with.
    fn outlived<P: DeserializeOwned>(&self) -> Option<P> {
        let path = self.file(CHECKPOINT);
        if fs::metadata(&path).ok()?.len() > MOST_BYTES {
            return None;
        }
        let bytes = fs::read(&path).ok()?;
        let (head, content) = bytes.split_at(bytes.iter().take(200).position(|&byte| byte == b'\n')?);
        let content = content.get(1..)?;
        let (ours, head) = (header(content), std::str::from_utf8(head).ok()?);
        let is_alike = |(place, (one, other)): (usize, (&str, &str))| place == VERSION_WORD || one == other;
        let is_of_other_version = head != ours && head.split(' ').count() == ours.split(' ').count();
        if !is_of_other_version || !head.split(' ').zip(ours.split(' ')).enumerate().all(is_alike) {
            return None;
        }
        postcard::take_from_bytes::<(u64, P)>(content).ok().map(|((_, beginning), _)| beginning)
    }

    /// Removes what was set aside, and files of these names, where `is_over` says that they were kept long enough. What cannot be removed
    /// stays for the next time.
    pub fn forget(&self, names: &[&str], is_over: impl Fn(&Path) -> bool) {
        let goes = |name: &str| names.contains(&name) || name.strip_suffix(ASIDE).is_some_and(|rest| rest.ends_with('.'));
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(goes) && is_over(&entry.path()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Puts names in the folder on the disk, so that they outlive a loss of power.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn sync(&self) -> Result<(), StateError> {
        let synced = File::open(&self.path).and_then(|folder| folder.sync_all());
        synced.map_err(StateError::io(&self.path, "writing"))
    }

    /// Moves a file out of the way, to be looked at.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn set_aside(&self, name: &str) -> Result<(), StateError> {
        let from = self.file(name);
        fs::rename(&from, self.file(&format!("{name}.{ASIDE}"))).map_err(StateError::io(&from, "setting it aside"))
    }

    /// The entries of these journals, and what is wrong with them. What is damaged is set aside beside its place.
    fn read_journals<E: DeserializeOwned>(&self, numbers: impl Iterator<Item = u64>) -> (Vec<E>, Option<String>) {
        let (mut entries, mut remarks) = (Vec::new(), Vec::new());
        for number in numbers {
            let (some, remark) = journal::read(&self.path, number);
            entries.extend(some);
            let Some(remark) = remark else { continue };
            let (name, place) = (journal::name(number), self.file(&journal::name(number)));
            if remarks.is_empty() {
                let _ = journal::forget_set_aside(&self.path);
            }
            // Its own name stays until the next checkpoint: what is sound in it is still needed.
            let is_aside = fs::hard_link(&place, self.file(&format!("{name}.{ASIDE}"))).is_ok();
            let aside = if is_aside { format!("; set aside as {name}.{ASIDE}") } else { String::new() };
            remarks.push(format!("{}: {remark}{aside}", place.display()));
        }
        (entries, Some(remarks.join("; ")).filter(|text| !text.is_empty()))
    }

    /// The number of the journal that goes on behind the checkpoint, and what it holds; else what is wrong with it.
    fn read_checkpoint<T: DeserializeOwned>(&self) -> Result<Option<(u64, T)>, String> {
        let path = self.file(CHECKPOINT);
        let cannot = |error| format!("cannot be read ({error})");
        match fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot(error)),
            Ok(about) if about.len() > MOST_BYTES => return Err("longer than 4 GiB, which none is".to_owned()),
            Ok(_) => {}
        }
        let bytes = fs::read(&path).map_err(cannot)?;
        let end = bytes.iter().take(200).position(|&byte| byte == b'\n').ok_or("damaged: it has no first line")?;
        let (head, content) = bytes.split_at(end);
        let content = content.get(1..).unwrap_or_default();
        if head != header(content).as_bytes() {
            let ours = format!("{} ", kind());
            let is_ours = head.starts_with(ours.as_bytes());
            let why = if is_ours { "damaged: its digest does not fit" } else { "of another version of the program" };
            return Err(why.to_owned());
        }
        postcard::from_bytes(content).map(Some).map_err(|error| format!("damaged: {error}"))
    }

    /// A checkpoint as bytes.
    pub(super) fn pack<T: Serialize>(&self, journal: u64, state: &T) -> Result<Vec<u8>, StateError> {
        let form = |source| StateError::Form { path: self.file(CHECKPOINT), source };
        postcard::to_stdvec(&(journal, state)).map_err(form)
    }

    /// Puts a checkpoint in the place of the one before, so that a reader never sees half of one, even after a loss of power.
    pub(super) fn replace(&self, content: &[u8], journal: u64) -> Result<(), StateError> {
        let (path, beside) = (self.file(CHECKPOINT), self.file("checkpoint.new"));
        let writing = || StateError::io(&path, "writing");
        let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ALONE).open(&beside);
        let mut file = opened.map_err(writing())?;
        let written = file.write_all(header(content).as_bytes()).and_then(|()| file.write_all(b"\n"));
        written.and_then(|()| file.write_all(content)).and_then(|()| file.sync_all()).map_err(writing())?;
        fs::rename(&beside, &path).map_err(writing())?;
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(writing())?;
        for number in journal::numbers(&self.path).map_err(StateError::io(&self.path, "reading"))? {
            if number < journal {
                let old = self.file(&journal::name(number));
                fs::remove_file(&old).map_err(StateError::io(&old, "removing"))?;
            }
        }
        Ok(())
    }

    /// A new journal of this number.
    pub(super) fn journal(&self, number: u64) -> Result<File, StateError> {
        let path = self.file(&journal::name(number));
        // A leftover of this number would have been read: it can only be one that failed.
        let opened = OpenOptions::new().append(true).create(true).mode(OWNER_ALONE).open(&path);
        opened.and_then(|file| file.set_len(0).map(|()| file)).map_err(StateError::io(&path, "writing"))
    }
}

/// Does a folder hold nothing but what is remembered? A folder that has other things, as `/tmp`, may be for others, too.
fn is_ours_alone(path: &Path) -> bool {
    const OURS: [&str; 5] = [LOCK, CHECKPOINT, "journal", "lesson", "learned"];
    let is_shared = fs::metadata(path).map_or(true, |about| about.permissions().mode() & 0o1000 != 0);
    let is_ours = |name: &str| OURS.contains(&name.split('.').next().unwrap_or_default());
    !is_shared
        && fs::read_dir(path)
            .is_ok_and(|mut all| all.all(|entry| entry.is_ok_and(|it| it.file_name().to_str().is_some_and(is_ours))))
}

fn kind() -> String {
    format!("auscult-state {FORMAT} {} {}", env!("CARGO_PKG_VERSION"), schema_hash())
}

fn header(content: &[u8]) -> String {
    format!("{} sha256:{}", kind(), hex(&Sha256::digest(content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_journals_are_told_and_set_aside_under_their_numbers() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().join("state")).unwrap();
        let find = |fits: Result<(), String>| folder.find::<String, String, ()>(|_| fits).unwrap();
        folder.replace(&folder.pack(3, &"state").unwrap(), 3).unwrap();
        for number in [3, 4] {
            let entries = ["one", "two"].map(|text| journal::pack(&text).unwrap()).concat();
            let whole = if number == 3 { entries.len() - 1 } else { entries.len() };
            fs::write(folder.file(&journal::name(number)), &entries[..whole]).unwrap();
        }
        let found = find(Ok(()));
        assert_eq!(found.remembered.unwrap().1, ["one", "one", "two"]);
        assert!(
            found
                .remark
                .unwrap()
                .ends_with("journal.3: damaged at byte 16: what was noted from there on is lost; set aside as journal.3.aside")
        );
        assert!(folder.file("journal.3").exists() && folder.file("journal.3.aside").exists());
        assert!(find(Err("of another".to_owned())).remark.is_some());
        let all = ["checkpoint.aside", "journal.3.aside", "journal.4.aside"];
        assert!(all.iter().all(|name| folder.file(name).exists()));
        assert_eq!(find(Ok(())).remark, None, "all of it is out of the way");
    }

    #[test]
    fn what_was_set_aside_goes_when_it_was_kept_long_enough() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().join("state")).unwrap();
        let names = ["checkpoint.aside", "journal.3.aside", "learned.json.aside", "aside", "lesson", "learned.json", "journal.4"];
        names.iter().for_each(|name| fs::write(folder.file(name), "x").unwrap());
        folder.forget(&["lesson"], |path| !path.ends_with("journal.3.aside"));
        let left: Vec<&str> = names.into_iter().filter(|name| folder.file(name).exists()).collect();
        assert_eq!(left, ["journal.3.aside", "aside", "learned.json", "journal.4"]);
    }

    #[test]
    fn of_another_version_the_beginning_holds_and_nothing_of_another_form() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().join("state")).unwrap();
        let content = folder.pack(3, &("learned", 7_u64)).unwrap();
        let found = |head: &str| {
            fs::write(folder.file(CHECKPOINT), [head.as_bytes(), b"\n", &content].concat()).unwrap();
            folder.find::<(String, u64), String, String>(|_| Ok(())).unwrap().outlived
        };
        let ours = header(&content);
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(found(&ours), None);
        assert_eq!(found(&ours.replace(version, "99.0.0")).as_deref(), Some("learned"));
        assert_eq!(found(&ours.replace(version, "99.0.0").replace("sha256:", "sha256:0")), None);
        assert_eq!(found(&ours.replace(&format!("state {FORMAT} {version}"), "state 1 99.0.0")), None);
        assert_eq!(found(&format!("{ours} 99")), None);
    }
}

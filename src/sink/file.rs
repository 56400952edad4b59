//! Files that rotate.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::deliver::Tell;
use super::retention::Retention;
use super::{SinkError, advice};
use crate::alert::{Formatter, Message};
use crate::time::{Span, Timestamp};

/// When a file of alerts makes room for a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Before it would be longer than this, in bytes; 0: never.
    pub size: u64,
    /// At multiples of this since the epoch, by the time of the alerts, so a replay rotates as the day did.
    pub every: Option<Span>,
    /// How many old files are kept: `PATH.1` is the newest of them.
    pub keep: u32,
}

impl Rotation {
    const fn is_wanted(&self) -> bool {
        self.size > 0 || self.every.is_some()
    }

    fn period(&self, at: Timestamp) -> i64 {
        self.every.map_or(0, |every| at.nanos().div_euclid(every.nanos().max(1)))
    }
}

/// A file of alerts. A line is written in one piece, or not at all.
pub(super) struct AlertFile {
    path: PathBuf,
    file: File,
    /// Bytes in it.
    length: u64,
    /// Time of the last alert that was written to it.
    last: Option<Timestamp>,
    rotation: Rotation,
    /// When old files go.
    retention: Option<Retention>,
    /// Set by HUP: someone may have moved the file away.
    reopen: Arc<AtomicBool>,
    formatter: Formatter,
    /// Told what fails beside writing.
    tell: Tell,
    /// Was it told that no new file can be begun?
    is_told: bool,
}

impl AlertFile {
    /// Opens the file. What stands in it stays before what comes where it `goes_on`; else it is kept as an old file where files rotate, and
    /// overwritten where not.
    pub fn open(
        path: &Path,
        formatter: Formatter,
        (rotation, retention): (Rotation, Option<Retention>),
        (goes_on, reopen): (bool, Arc<AtomicBool>),
        tell: Tell,
    ) -> Result<Self, SinkError> {
        let place = |error| SinkError::io(format!("{}: cannot be written", path.display()), error);
        let length = std::fs::metadata(path).map_or(0, |data| data.len());
        if !goes_on && rotation.is_wanted() && length > 0 {
            shift(path, rotation.keep).map_err(place)?;
        }
        if let Some(retention) = &retention {
            retention.sweep(path, &formatter).map_err(place)?;
        }
        let file = if goes_on { append_to(path) } else { File::create(path) }.map_err(place)?;
        let length = if goes_on { length } else { 0 };
        Ok(Self { path: path.to_owned(), file, length, last: None, rotation, retention, reopen, formatter, tell, is_told: false })
    }

    /// Writes an alert.
    ///
    /// # Errors
    /// When it could not be written. That no new file could be made is told, and the line stands in the file as it is.
    pub fn put(&mut self, message: &Message) -> io::Result<()> {
        let mut turned = None;
        if self.reopen.swap(false, Ordering::Relaxed) {
            // Whoever asked is told, although it was told before.
            self.is_told = false;
            turned = Some(self.open_again());
        }
        if self.is_full(message) {
            turned = Some(turned.unwrap_or(Ok(())).and(self.rotate()));
        }
        let mut text = String::new();
        if self.length == 0
            && let Some(head) = self.formatter.head(message.raised)
        {
            text = head + "\n";
        }
        text.push_str(&message.text);
        text.push('\n');
        self.write(text.as_bytes())?;
        self.last = Some(message.raised);
        turned.into_iter().for_each(|turned| self.note(turned));
        Ok(())
    }

    /// Tells that no new file can be begun, once until one can, and of that.
    fn note(&mut self, turned: io::Result<()>) {
        let path = self.path.display();
        match turned {
            Err(_) if self.is_told => {}
            Err(error) => {
                let advice = advice(error.kind());
                (self.tell)(&format!("{path}: no new file can be begun ({error}); the old one goes on: {advice}"));
                self.is_told = true;
            }
            Ok(()) if std::mem::take(&mut self.is_told) => (self.tell)(&format!("{path}: new files can be begun again")),
            Ok(()) => {}
        }
    }

    fn is_full(&self, message: &Message) -> bool {
        if self.length == 0 {
            return false;
        }
        let beyond = self.rotation.size > 0 && self.length + message.text.len() as u64 + 1 > self.rotation.size;
        beyond || self.last.is_some_and(|last| self.rotation.period(message.raised) != self.rotation.period(last))
    }

    /// All of it or nothing: a disk that is full must not leave half a line before the next.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.file.write_all(bytes) {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // A device or a pipe has no length to go back to.
                let _ = self.file.set_len(self.length);
                let _ = io::Seek::seek(&mut self.file, io::SeekFrom::Start(self.length));
                Err(error)
            }
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        shift(&self.path, self.rotation.keep)?;
        let file = append_to(&self.path)?;
        // Not before: where no new one can be begun, this is not the end of it.
        let ended = self.end();
        let swept = self.retention.as_ref().map_or(Ok(()), |retention| retention.sweep(&self.path, &self.formatter));
        self.turn_to(file).and(swept).and(ended)
    }

    /// The file of this name, which is another one where it was moved away.
    fn open_again(&mut self) -> io::Result<()> {
        self.turn_to(append_to(&self.path)?)
    }

    fn turn_to(&mut self, file: File) -> io::Result<()> {
        self.file = file;
        self.length = self.file.metadata()?.len();
        self.last = self.last.filter(|_| self.length > 0);
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let foot = self.last.and_then(|last| self.formatter.foot(last));
        foot.map_or(Ok(()), |foot| self.write(format!("{foot}\n").as_bytes()))
    }
}

impl Drop for AlertFile {
    fn drop(&mut self) {
        // A file without its last line is whole to its readers.
        let _ = self.end();
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// `PATH` to `PATH.1`, `PATH.1` to `PATH.2` and so on; the oldest goes. None where `PATH` is not there: they were, and the new file could not be
/// begun, or somebody moved it away.
fn shift(path: &Path, keep: u32) -> io::Result<()> {
    if !path.try_exists()? {
        return Ok(());
    }
    let name = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        if number > 0 {
            name.push(format!(".{number}"));
        }
        PathBuf::from(name)
    };
    for number in (0..keep).rev() {
        match std::fs::rename(name(number), name(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Format;

    fn message(second: i64, text: &str) -> Message {
        let raised = Timestamp::from_parts(second, 0);
        Message { raised, severity: 1, id: String::new(), class: "scan".into(), text: text.into() }
    }

    fn file(path: &Path, format: Format, rotation: Rotation) -> (AlertFile, Arc<AtomicBool>) {
        let reopen = Arc::new(AtomicBool::new(false));
        let opened = AlertFile::open(
            path,
            Formatter::new(format, "sensor"),
            (rotation, None),
            (false, Arc::clone(&reopen)),
            Arc::new(|_| {}),
        );
        (opened.unwrap(), reopen)
    }

    fn read(path: &Path, ending: &str) -> String {
        std::fs::read_to_string(format!("{}{ending}", path.display())).unwrap_or_default()
    }

    #[test]
    fn a_file_that_would_be_too_long_makes_room_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let (mut file, _) = file(&path, Format::Eve, Rotation { size: 12, every: None, keep: 2 });
        for number in 0..7 {
            file.put(&message(0, &format!("line{number}"))).unwrap();
        }
        assert_eq!(["", ".1", ".2", ".3"].map(|ending| read(&path, ending)), ["line6\n", "line4\nline5\n", "line2\nline3\n", ""]);
    }

    #[test]
    fn time_turns_the_page_by_the_alerts_own_clock_and_each_file_has_its_head() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let (mut file, _) = file(&path, Format::Csv, Rotation { size: 0, every: Some(Span::from_secs(60)), keep: 3 });
        for second in [10, 59, 60, 200] {
            file.put(&message(second, &format!("{second}"))).unwrap();
        }
        drop(file);
        let head = Formatter::new(Format::Csv, "").head(Timestamp::MIN).unwrap();
        let want = ["200", "60", "10\n59"].map(|rows| format!("{head}\n{rows}\n"));
        assert_eq!(["", ".1", ".2"].map(|ending| read(&path, ending)), want);
    }

    #[test]
    fn after_hang_up_lines_go_to_the_file_of_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let (mut file, reopen) = file(&path, Format::Eve, Rotation::default());
        file.put(&message(0, "before")).unwrap();
        std::fs::rename(&path, folder.path().join("a.moved")).unwrap();
        file.put(&message(0, "moved")).unwrap();
        reopen.store(true, Ordering::Relaxed);
        file.put(&message(0, "after")).unwrap();
        // Nothing was moved this time: nothing is lost.
        reopen.store(true, Ordering::Relaxed);
        file.put(&message(0, "again")).unwrap();
        assert_eq!((read(&path, ".moved"), read(&path, "")), ("before\nmoved\n".to_owned(), "after\nagain\n".to_owned()));
    }

    #[test]
    fn that_no_new_file_can_be_begun_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("in/a"), folder.path().join("away"));
        std::fs::create_dir(folder.path().join("in")).unwrap();
        let (mut file, reopen) = file(&path, Format::Eve, Rotation { size: 5, every: None, keep: 1 });
        let said = Arc::new(std::sync::Mutex::new(Vec::new()));
        let told = Arc::clone(&said);
        file.tell = Arc::new(move |text| told.lock().unwrap().push(text.to_owned()));
        let mut put = |count: usize, begins: &[&str]| {
            (0..count).for_each(|_| file.put(&message(0, "line")).unwrap());
            let said = std::mem::take(&mut *said.lock().unwrap());
            assert_eq!(said.len(), begins.len(), "{said:?}");
            assert!(said.iter().zip(begins).all(|(text, begin)| text.contains(begin)), "{said:?}");
        };
        put(2, &[]);
        std::fs::rename(folder.path().join("in"), &moved).unwrap();
        put(3, &["no new file can be begun (No such file or directory (os error 2)); the old one goes on: see to its disk"]);
        reopen.store(true, Ordering::Relaxed);
        put(3, &["no new file can be begun"]);
        std::fs::rename(&moved, folder.path().join("in")).unwrap();
        put(3, &["new files can be begun again"]);
        assert_eq!(read(&path, ""), "line\n");
    }

    #[test]
    fn old_files_stay_until_a_new_one_was_begun() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for ending in ["", ".1", ".2"] {
            std::fs::write(folder.path().join(format!("a{ending}")), ending).unwrap();
        }
        // As when the second cannot open the file: the next line tries again.
        (0..3).for_each(|_| shift(&path, 3).unwrap());
        assert!(!path.exists());
        assert_eq!([".1", ".2", ".3"].map(|ending| read(&path, ending)), ["", ".1", ".2"]);
    }

    #[test]
    fn a_file_that_goes_on_has_no_end_in_the_middle() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, moved) = (folder.path().join("in"), folder.path().join("away"));
        std::fs::create_dir(&inside).unwrap();
        let (mut file, _) = file(&inside.join("a"), Format::Zeek, Rotation { size: 5, every: None, keep: 1 });
        let mut put = |second| file.put(&message(second, "line")).unwrap();
        put(0);
        std::fs::rename(&inside, &moved).unwrap();
        (1..4).for_each(&mut put);
        std::fs::rename(&moved, &inside).unwrap();
        put(4);
        let of = |ending: &str, words: &str| read(&inside.join("a"), ending).matches(words).count();
        assert_eq!([of(".1", "line\n"), of(".1", "#close"), of("", "line\n"), of("", "#close")], [4, 1, 1, 0]);
    }

    #[test]
    fn what_stood_there_is_kept_where_files_rotate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "old\n").unwrap();
        let (mut file, _) = file(&path, Format::Eve, Rotation { size: 100, every: None, keep: 1 });
        file.put(&message(0, "new")).unwrap();
        assert_eq!((read(&path, ""), read(&path, ".1")), ("new\n".to_owned(), "old\n".to_owned()));
    }

    #[test]
    fn what_goes_on_stands_behind_what_stood_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        for text in ["one", "two", "three"] {
            let (rotation, formatter) = (Rotation { size: 220, every: None, keep: 1 }, Formatter::new(Format::Csv, "sensor"));
            let mut file = AlertFile::open(&path, formatter, (rotation, None), (true, Arc::default()), Arc::new(|_| {})).unwrap();
            file.put(&message(0, text)).unwrap();
        }
        let head = Formatter::new(Format::Csv, "").head(Timestamp::MIN).unwrap();
        let most = 220 - head.len() - 1;
        assert!((8..14).contains(&most), "the limit of this test fits two lines: {most}");
        assert_eq!((read(&path, ""), read(&path, ".1")), (format!("{head}\nthree\n"), format!("{head}\none\ntwo\n")));
    }

    #[test]
    fn a_line_that_finds_no_room_leaves_nothing() {
        let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else { return };
        let folder = tempfile::tempdir().unwrap();
        let (mut file, _) = file(&folder.path().join("a"), Format::Eve, Rotation::default());
        let file_of_disk = std::mem::replace(&mut file.file, full);
        let error = file.put(&message(0, "lost")).unwrap_err();
        assert_eq!((error.kind(), file.length), (io::ErrorKind::StorageFull, 0));
        file.file = file_of_disk;
        file.put(&message(0, "whole")).unwrap();
        assert_eq!(read(&folder.path().join("a"), ""), "whole\n");
    }
}

//! Alerts on disk that a target has not confirmed yet.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::SinkError;

/// A bounded queue on disk, of EVE lines in files `00000001.jsonl` and on, oldest first. When it would be larger than its limit, the oldest
/// file goes, and what was still waiting in it is counted. `position` says up to where lines were confirmed; should it be lost, lines are
/// sent again rather than never. The folder is locked: two programs never send from one spool.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    /// Held while it is open.
    _lock: File,
    limit: u64,
    segments: VecDeque<Segment>,
    /// The newest segment, open for appending.
    newest: File,
    /// Bytes of the oldest segment that were confirmed.
    position: u64,
    dropped: u64,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    bytes: u64,
    /// Lines that wait.
    waiting: u64,
}

/// The oldest lines that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The lines, without their ends.
    pub lines: Vec<String>,
    segment: u64,
    /// Where each of them ends in the segment.
    ends: Vec<u64>,
}

impl Batch {
    /// Some of its lines.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        Self { lines: self.lines[range.clone()].to_vec(), segment: self.segment, ends: self.ends[range].to_vec() }
    }
}

/// A spool of this many files at the least: dropping the oldest loses an eighth of it.
const SEGMENTS: u64 = 8;

impl Spool {
    /// Opens a spool, making its folder where there is none. `limit` is in bytes.
    ///
    /// # Errors
    /// When the folder cannot be used, or another program sends from it.
    pub fn open(folder: &Path, limit: u64) -> Result<Self, SinkError> {
        let place = |error| SinkError::io(format!("spool {}", folder.display()), error);
        std::fs::create_dir_all(folder).map_err(place)?;
        keep_private(folder).map_err(place)?;
        let lock = OpenOptions::new().create(true).append(true).open(folder.join("lock")).map_err(place)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let what = "another auscult sends to this target from it; give one of them another folder with --spool";
                return Err(place(io::Error::new(io::ErrorKind::ResourceBusy, what)));
            }
            Err(TryLockError::Error(error)) => return Err(place(error)),
        }
        Self::restore(folder, lock, limit).map_err(place)
    }

    fn restore(folder: &Path, lock: File, limit: u64) -> io::Result<Self> {
        let mut numbers: Vec<u64> = std::fs::read_dir(folder)?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".jsonl")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        let (at, confirmed) = position(folder).unwrap_or_default();
        let mut segments = VecDeque::new();
        let mut begin = 0;
        for number in numbers {
            if number < at {
                std::fs::remove_file(path(folder, number))?;
                continue;
            }
            let text = std::fs::read(path(folder, number))?;
            // A line that a crash cut was never acknowledged to anyone.
            let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
            if whole < text.len() {
                OpenOptions::new().write(true).open(path(folder, number))?.set_len(whole as u64)?;
            }
            let from = if number == at && confirmed <= whole as u64 { confirmed as usize } else { 0 };
            if number == at {
                begin = from as u64;
            }
            let waiting = text[from..whole].iter().filter(|&&byte| byte == b'\n').count() as u64;
            segments.push_back(Segment { number, bytes: whole as u64, waiting });
        }
        if segments.is_empty() {
            segments.push_back(Segment { number: at.max(1), bytes: 0, waiting: 0 });
        }
        let newest = append_to(folder, segments.back().map_or(1, |segment| segment.number))?;
        Ok(Self { folder: folder.to_owned(), _lock: lock, limit, segments, newest, position: begin, dropped: 0 })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Lines that wait.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.segments.iter().map(|segment| segment.waiting).sum()
    }

    /// Bytes of its files, those confirmed but not yet removed included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Lines that went unsent to make room, since it was opened.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adds a line (without its end) behind all others.
    ///
    /// # Errors
    /// When the disk does not take it; then nothing of it is left.
    pub fn append(&mut self, line: &str) -> io::Result<()> {
        let bytes = line.len() as u64 + 1;
        if self.last().bytes > 0 && self.last().bytes + bytes > self.limit / SEGMENTS {
            let number = self.last().number + 1;
            self.newest = append_to(&self.folder, number)?;
            self.segments.push_back(Segment { number, bytes: 0, waiting: 0 });
        }
        while self.segments.len() > 1 && self.bytes() + bytes > self.limit {
            self.drop_oldest()?;
        }
        if let Err(error) = self.newest.write_all(format!("{line}\n").as_bytes()) {
            let whole = self.last().bytes;
            self.newest.set_len(whole)?;
            return Err(error);
        }
        let last = self.last();
        last.bytes += bytes;
        last.waiting += 1;
        Ok(())
    }

    fn last(&mut self) -> &mut Segment {
        if self.segments.is_empty() {
            self.segments.push_back(Segment { number: 1, bytes: 0, waiting: 0 });
        }
        let last = self.segments.len() - 1;
        &mut self.segments[last]
    }

    fn drop_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.segments.pop_front() else { return Ok(()) };
        self.dropped += oldest.waiting;
        self.position = 0;
        self.remember()?;
        std::fs::remove_file(path(&self.folder, oldest.number))
    }

    /// The oldest lines that wait, at most `lines` of them and, beyond the first, `bytes`. They wait until they are confirmed.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn batch(&mut self, lines: usize, bytes: u64) -> io::Result<Batch> {
        while self.segments.len() > 1 && self.segments[0].waiting == 0 {
            self.drop_oldest()?;
        }
        let Segment { number, bytes: length, .. } = self.segments[0];
        let mut file = File::open(path(&self.folder, number))?;
        file.seek(SeekFrom::Start(self.position))?;
        // One line may be longer than all that was asked for.
        let mut text = Vec::new();
        (&file).take(bytes.min(length - self.position)).read_to_end(&mut text)?;
        let mut most = lines;
        if !text.contains(&b'\n') {
            file.take(length - self.position - text.len() as u64).read_to_end(&mut text)?;
            most = 1;
        }
        let mut batch = Batch { lines: Vec::new(), segment: number, ends: Vec::new() };
        let mut end = self.position;
        for line in text.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n")).take(most) {
            end += line.len() as u64;
            batch.ends.push(end);
            batch.lines.push(String::from_utf8_lossy(&line[..line.len() - 1]).into_owned());
        }
        Ok(batch)
    }

    /// The first `lines` of a batch need not be sent any more: they are forgotten.
    ///
    /// # Errors
    /// When the disk does not take it; they may be sent again then.
    pub fn confirm(&mut self, batch: &Batch, lines: usize) -> io::Result<()> {
        let Some(&end) = batch.ends.get(..lines).unwrap_or(&batch.ends).last() else { return Ok(()) };
        let confirmed = lines.min(batch.lines.len()) as u64;
        if self.segments[0].number != batch.segment {
            // It went to make room while it was on its way.
            self.dropped -= confirmed.min(self.dropped);
            return Ok(());
        }
        self.position = end;
        self.segments[0].waiting -= confirmed.min(self.segments[0].waiting);
        if self.segments.len() == 1 && self.segments[0].waiting == 0 {
            // Nothing of what was sent stays. In this order a crash between the two sends again instead of skipping.
            self.position = 0;
            self.remember()?;
            self.segments[0].bytes = 0;
            return self.newest.set_len(0);
        }
        self.remember()
    }

    /// What is in it outlives a loss of power.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn sync(&self) -> io::Result<()> {
        self.newest.sync_data()
    }

    fn remember(&self) -> io::Result<()> {
        let number = self.segments.front().map_or(0, |segment| segment.number);
        let next = self.folder.join("position.new");
        std::fs::write(&next, format!("{number} {}\n", self.position))?;
        std::fs::rename(next, self.folder.join("position"))
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.jsonl"))
}

fn append_to(folder: &Path, number: u64) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path(folder, number))
}

/// Segment and offset up to where lines were confirmed.
fn position(folder: &Path) -> Option<(u64, u64)> {
    let text = std::fs::read_to_string(folder.join("position")).ok()?;
    let (number, offset) = text.trim().split_once(' ')?;
    Some((number.parse().ok()?, offset.parse().ok()?))
}

/// Alerts name devices and people's habits: nobody else on the machine reads them.
fn keep_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spool(folder: &Path, limit: u64) -> Spool {
        Spool::open(folder, limit).unwrap()
    }

    #[test]
    fn lines_come_out_in_order_and_wait_until_they_are_confirmed() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = spool(folder.path(), 1 << 20);
        (0..5).for_each(|number| spool.append(&format!("line {number}")).unwrap());
        let batch = spool.batch(3, 1 << 20).unwrap();
        assert_eq!(batch.lines, ["line 0", "line 1", "line 2"]);
        assert_eq!(spool.batch(3, 1 << 20).unwrap(), batch, "nothing was confirmed");
        spool.confirm(&batch, 2).unwrap();
        assert_eq!((spool.batch(9, 1 << 20).unwrap().lines.len(), spool.waiting()), (3, 3));
    }

    #[test]
    fn what_waits_outlives_a_restart_and_what_a_crash_cut_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = spool(folder.path(), 1 << 20);
        (0..3).for_each(|number| first.append(&format!("line {number}")).unwrap());
        let batch = first.batch(1, 1 << 20).unwrap();
        first.confirm(&batch, 1).unwrap();
        drop(first);
        let mut cut = append_to(folder.path(), 1).unwrap();
        cut.write_all(b"{\"half").unwrap();
        let mut second = spool(folder.path(), 1 << 20);
        second.append("line 3").unwrap();
        assert_eq!(
            (second.batch(9, 1 << 20).unwrap().lines, second.waiting()),
            (["line 1", "line 2", "line 3"].map(String::from).to_vec(), 3)
        );
        drop(second);
        std::fs::remove_file(folder.path().join("position")).unwrap();
        assert_eq!(spool(folder.path(), 1 << 20).batch(9, 1 << 20).unwrap().lines.len(), 4, "again rather than never");
    }

    #[test]
    fn the_oldest_go_when_it_is_full_and_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = spool(folder.path(), 800);
        let before = spool.batch(1, 100).unwrap();
        assert!(before.lines.is_empty());
        (0..100).for_each(|number| spool.append(&format!("{number:09}")).unwrap());
        let bytes: u64 = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(bytes <= 800 + 32, "{bytes}");
        let mut left = Vec::new();
        while spool.waiting() > 0 {
            let batch = spool.batch(7, 1 << 20).unwrap();
            spool.confirm(&batch, batch.lines.len()).unwrap();
            left.extend(batch.lines);
        }
        assert_eq!(spool.dropped() as usize + left.len(), 100);
        let want: Vec<String> = (spool.dropped()..100).map(|number| format!("{number:09}")).collect();
        assert!(left.len() >= 70 && left == want, "{left:?}");
    }

    #[test]
    fn what_was_on_its_way_when_it_was_dropped_is_not_counted_as_lost() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = spool(folder.path(), 80);
        spool.append("123456789").unwrap();
        let batch = spool.batch(9, 100).unwrap();
        (0..8).for_each(|_| spool.append("123456789").unwrap());
        assert_eq!(spool.dropped(), 1);
        spool.confirm(&batch, 1).unwrap();
        assert_eq!((spool.dropped(), spool.waiting()), (0, 8));
    }

    #[test]
    fn nothing_of_what_was_sent_stays_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = spool(folder.path(), 1 << 20);
        spool.append("a secret habit").unwrap();
        let batch = spool.batch(9, 100).unwrap();
        spool.confirm(&batch, 1).unwrap();
        assert_eq!(std::fs::read(path(folder.path(), 1)).unwrap(), b"");
        spool.append("next").unwrap();
        assert_eq!(spool.batch(9, 100).unwrap().lines, ["next"]);
    }

    #[test]
    fn a_line_longer_than_a_batch_is_a_batch() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = spool(folder.path(), 8000);
        let long = "x".repeat(300);
        spool.append(&long).unwrap();
        spool.append("y").unwrap();
        assert_eq!(spool.batch(9, 10).unwrap().lines, [long]);
    }

    #[test]
    fn two_never_send_from_one_spool() {
        let folder = tempfile::tempdir().unwrap();
        let _one = spool(folder.path(), 80);
        let error = Spool::open(folder.path(), 80).unwrap_err().to_string();
        assert!(error.contains("another auscult") && error.contains("--spool"), "{error}");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Append(usize),
        Send(usize, usize),
        Restart,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1usize..200).prop_map(Step::Append),
            (1usize..9, 0usize..9).prop_map(|(asked, taken)| Step::Send(asked, taken)),
            Just(Step::Restart),
        ];
        proptest::collection::vec(step, 1..120)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_is_lost_but_what_is_counted_and_order_stays(steps in steps()) {
            let folder = tempfile::tempdir().unwrap();
            let mut spool = Some(spool(folder.path(), 2000));
            let (mut appended, mut taken, mut dropped) = (0u64, Vec::new(), 0);
            for step in steps {
                let open = spool.as_mut().unwrap();
                match step {
                    Step::Append(length) => {
                        open.append(&format!("{appended} {}", "x".repeat(length))).unwrap();
                        appended += 1;
                    }
                    Step::Send(asked, confirmed) => {
                        let batch = open.batch(asked, 500).unwrap();
                        let numbers = batch.lines.iter().take(confirmed).map(|line| line.split(' ').next().unwrap().parse::<u64>().unwrap());
                        taken.extend(numbers);
                        open.confirm(&batch, confirmed).unwrap();
                    }
                    Step::Restart => {
                        dropped += open.dropped();
                        drop(spool.take());
                        spool = Some(self::spool(folder.path(), 2000));
                    }
                }
                let open = spool.as_ref().unwrap();
                prop_assert_eq!(appended, taken.len() as u64 + open.waiting() + open.dropped() + dropped);
                prop_assert!(taken.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", taken);
            }
        }
    }
}

//! Puts flow records into the parts of a lake.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::hour::Hour;
use super::part::{PartFile, remove_left_over};
use super::sweep::{hours, sweep};
use crate::alert::{FlowTable, ParquetTable, TableError};
use crate::flow::FlowRecord;
use crate::sink::{Retention, Tell, advice};
use crate::time::{Span, Timestamp};

/// Parts that are written at the same time at the most; each holds up to 16,384 rows in memory, some 1 kB each.
pub const MAX_OPEN_PARTS: usize = 8;
/// Bytes that wait for the disk at the most, and one group of rows more; what comes then is lost, and counted.
const MOST_WAITING_BYTES: usize = 16 << 20;
/// Whole parts that wait for their names at the most.
const MOST_UNNAMED: usize = 16;
/// Hours that are remembered at the most, to know which parts are another run's.
const MOST_OWN: usize = 1024;
/// A record is told when its flow has been silent for long enough, by default 300 s after its end, and handed out with its bits 300 s
/// later; so long, and some more, a part waits for those of its time.
const GRACE: Span = Span::from_secs(660);

/// How a lake is written.
#[derive(Clone)]
pub struct LakeOptions {
    /// The name of the network that was heard.
    pub site: String,
    /// A part that is at least so long is ended.
    pub part_bytes: u64,
    /// A part holds records that end within so long, and within an hour.
    pub part_every: Span,
    /// Records of earlier runs are there as a matter of course, and not told of.
    pub goes_on: bool,
    /// When old parts go.
    pub retention: Option<Retention>,
    /// Told what is odd.
    pub tell: Tell,
}

/// The hour, and the part of the hour, in which a record ends.
type Slot = (Hour, i64);

struct Open {
    table: ParquetTable<PartFile>,
    rows: u64,
    /// When nothing is waited for any more.
    until: Timestamp,
}

/// A lake that is written to. See [`super`] for its folders.
///
/// Records are expected by their ends, roughly. What comes when the part of its time has been ended goes to a further part of that
/// time, which is then open as long as another. At most [`MAX_OPEN_PARTS`] are open; for one more the one of the earliest time is
/// ended.
pub struct Lake {
    folder: PathBuf,
    site: PathBuf,
    options: LakeOptions,
    open: BTreeMap<Slot, Open>,
    unnamed: Vec<(PartFile, u64)>,
    /// The latest end of a record.
    clock: Timestamp,
    /// Records that were lost.
    lost: u64,
    /// A part could not be begun, and no time has passed since.
    is_blocked: bool,
    is_told: bool,
    /// Hours that this run wrote to, the latest ones.
    own: BTreeSet<Hour>,
    /// Hours in which there were parts before.
    shared_hours: u64,
    /// What the system said last.
    failure: Option<io::Error>,
}

impl Lake {
    /// Opens a lake; its folders are made. Unfinished parts of the site that a program left behind are removed.
    ///
    /// # Errors
    /// When the folder of the site cannot be made.
    pub fn open(folder: &Path, options: LakeOptions) -> io::Result<Self> {
        let site = folder.join(format!("site={}", options.site));
        std::fs::create_dir_all(&site)?;
        let lake = Self {
            folder: folder.to_owned(),
            site,
            options,
            open: BTreeMap::new(),
            unnamed: Vec::new(),
            clock: Timestamp::MIN,
            lost: 0,
            is_blocked: false,
            is_told: false,
            own: BTreeSet::new(),
            shared_hours: 0,
            failure: None,
        };
        let left_over = remove_left_over(&hours(&lake.site));
        if left_over > 0 {
            lake.tell(&format!("removed {left_over} unfinished parts of a run that was cut short"));
        }
        lake.sweep();
        Ok(lake)
    }

    /// Adds a record; `judged` is (bits, behaviour). What cannot be written is told, once, and counted.
    pub fn add(&mut self, record: &FlowRecord, judged: Option<(f64, &str)>) {
        self.clock = self.clock.max(record.end);
        self.end_due(self.clock);
        let slot = (Hour::of(record.end), record.end.nanos().div_euclid(self.options.part_every.nanos().max(1)));
        if self.is_full() || !self.open.contains_key(&slot) && !self.begin(slot) {
            self.lost += 1;
            return;
        }
        let Some(open) = self.open.get_mut(&slot) else { return };
        open.rows += 1;
        let added = open.table.add(record, judged);
        let failure = open.table.target_mut().take_failure();
        let is_long = open.table.bytes() >= self.options.part_bytes;
        self.failed(failure);
        match added {
            Err(error) => self.give_up(slot, error),
            Ok(()) if is_long => self.end(slot),
            Ok(()) => {}
        }
    }

    /// It is that late by the clock of the capture: ends parts that nothing is waited for, and writes what waits.
    pub fn tick(&mut self, now: Timestamp) {
        self.is_blocked = false;
        self.end_due(now);
        self.settle();
    }

    /// Ends all parts; what comes then goes to further ones.
    pub fn end_all(&mut self) {
        for slot in self.open.keys().copied().collect::<Vec<_>>() {
            self.end(slot);
        }
    }

    /// Ends all parts, and writes what waits a last time.
    ///
    /// # Errors
    /// Says how many records were not written, and why.
    pub fn finish(&mut self) -> io::Result<()> {
        self.end_all();
        self.settle();
        for (file, rows) in std::mem::take(&mut self.unnamed) {
            self.lost += rows;
            file.abandon();
        }
        if self.shared_hours > 0 && !self.options.goes_on {
            self.tell(&format!(
                "hours that held records before: {}; what was of the same capture is there twice now",
                self.shared_hours
            ));
        }
        let lost = std::mem::take(&mut self.lost);
        let why = self.failure.take().map_or_else(String::new, |failure| format!(" ({failure})"));
        if lost == 0 { Ok(()) } else { Err(io::Error::other(format!("{lost} flow records were not written{why}"))) }
    }

    fn tell(&self, text: &str) {
        (self.options.tell)(&format!("{}: {text}", self.folder.display()));
    }

    fn is_full(&mut self) -> bool {
        let of_open = self.open.values_mut().map(|open| open.table.target_mut().waiting()).sum::<usize>();
        let waiting = of_open + self.unnamed.iter().map(|(file, _)| file.waiting()).sum::<usize>();
        waiting > MOST_WAITING_BYTES || self.unnamed.len() >= MOST_UNNAMED
    }

    /// Begins the part of a time, unless that failed just now.
    fn begin(&mut self, slot: Slot) -> bool {
        if self.is_blocked {
            return false;
        }
        if self.open.len() >= MAX_OPEN_PARTS
            && let Some(first) = self.open.keys().next().copied()
        {
            self.end(first);
        }
        let (hour, number) = slot;
        let created = PartFile::create(&self.site.join(hour.folder()));
        let created = created.map_err(TableError::Io).and_then(|(file, joins)| Ok((ParquetTable::new(file)?, joins)));
        match created {
            Ok((table, joins)) => {
                let every = self.options.part_every;
                let end = hour.end().min(Timestamp::from_nanos(number.saturating_add(1).saturating_mul(every.nanos())));
                let until = (end + GRACE).max(self.clock + every);
                self.open.insert(slot, Open { table, rows: 0, until });
                if self.own.insert(hour) {
                    self.shared_hours += u64::from(joins);
                    if self.own.len() > MOST_OWN {
                        self.own.pop_first();
                    }
                }
                self.recovered();
                true
            }
            Err(error) => {
                self.is_blocked = true;
                self.failed(Some(io_error(error)));
                false
            }
        }
    }

    fn end_due(&mut self, now: Timestamp) {
        while let Some(slot) = self.open.iter().find(|(_, open)| open.until <= now).map(|(slot, _)| *slot) {
            self.end(slot);
        }
    }

    fn end(&mut self, slot: Slot) {
        let Some(Open { table, rows, .. }) = self.open.remove(&slot) else { return };
        match table.into_target() {
            Ok(file) => self.unnamed.push((file, rows)),
            Err(error) => {
                self.lost += rows;
                self.failed(Some(io_error(error)));
            }
        }
        self.settle();
        self.sweep();
    }

    /// What the library could not encode is lost as a whole.
    fn give_up(&mut self, slot: Slot, error: TableError) {
        self.lost += self.open.remove(&slot).map_or(0, |open| open.rows);
        self.failed(Some(io_error(error)));
    }

    /// Writes what waits, and gives whole parts their names.
    fn settle(&mut self) {
        let mut failure = None;
        let waited = self.waits();
        for open in self.open.values_mut() {
            failure = open.table.target_mut().catch_up().err().or(failure);
        }
        let lost = &mut self.lost;
        self.unnamed.retain_mut(|(file, rows)| {
            let Err(error) = file.publish() else { return false };
            // Somebody removed its folder: nothing to wait for.
            let is_gone = error.kind() == io::ErrorKind::NotFound;
            *lost += if is_gone { *rows } else { 0 };
            failure = Some(error);
            !is_gone
        });
        if failure.is_some() {
            self.failed(failure);
        } else if waited {
            self.recovered();
        }
    }

    /// Tells once what fails, and what to do.
    fn failed(&mut self, failure: Option<io::Error>) {
        let Some(error) = failure else { return };
        if !std::mem::replace(&mut self.is_told, true) {
            self.tell(&format!(
                "cannot be written ({error}); judging goes on and up to {} MiB of flow records wait: {}",
                MOST_WAITING_BYTES >> 20,
                advice(error.kind())
            ));
        }
        self.failure = Some(error);
    }

    fn recovered(&mut self) {
        if !self.waits() && std::mem::take(&mut self.is_told) {
            self.tell(&format!("written to again; flow records lost meanwhile: {}", self.lost));
        }
    }

    /// Is there something that will be written when there is room?
    fn waits(&mut self) -> bool {
        !self.unnamed.is_empty() || self.open.values_mut().any(|open| open.table.target_mut().waiting() > 0)
    }

    fn sweep(&self) {
        let removed = self.options.retention.as_ref().map_or(0, |retention| sweep(&self.site, retention));
        if removed > 0 {
            self.tell(&format!("{removed} parts removed, as they are older than --keep"));
        }
    }
}

fn io_error(error: TableError) -> io::Error {
    match error {
        TableError::Io(error) => error,
        TableError::Parquet(reason) => io::Error::other(reason),
    }
}

impl FlowTable for Lake {
    fn write(&mut self, record: &FlowRecord) -> Result<(), TableError> {
        self.add(record, None);
        Ok(())
    }

    fn tick(&mut self, now: Timestamp) {
        Self::tick(self, now);
    }

    fn finish(mut self: Box<Self>) -> Result<(), TableError> {
        Ok(Self::finish(&mut self)?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::flow::testing::packet;
    use crate::flow::{FlowKey, FlowLimits, HomeNets, Shard};

    /// The record of one packet at this second.
    fn record(second: i64) -> FlowRecord {
        let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
        let (mut shard, mut out) = (Shard::default(), Vec::new());
        let packet = packet(second * 1000, 1, 4000, 2, 53, 17);
        let (key, from_low) = FlowKey::of(&packet);
        shard.packet((key, from_low, key.hash()), &packet, &[], (&limits, &home), &mut out);
        shard.finish(&limits, packet.time, &mut out);
        *out.remove(0)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_nanos(second * 1_000_000_000)
    }

    struct Test {
        folder: tempfile::TempDir,
        lake: Lake,
        told: Arc<Mutex<Vec<String>>>,
    }

    impl Test {
        fn new(part_bytes: u64) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let told = Arc::new(Mutex::new(Vec::new()));
            let telling = Arc::clone(&told);
            let options = LakeOptions {
                site: "a".to_owned(),
                part_bytes,
                part_every: Span::from_secs(900),
                goes_on: true,
                retention: None,
                tell: Arc::new(move |text| telling.lock().unwrap().push(text.to_owned())),
            };
            let lake = Lake::open(folder.path(), options).unwrap();
            Self { folder, lake, told }
        }

        fn hour(&self, hour: u32) -> PathBuf {
            self.folder.path().join(format!("site=a/date=1970-01-01/hour={hour:02}"))
        }

        /// Parts of an hour: whole ones and open ones.
        fn parts(&self, hour: u32) -> (usize, usize) {
            let names: Vec<_> = self.hour(hour).read_dir().into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
            let open = names.iter().filter(|path| path.extension().unwrap() == "tmp").count();
            (names.len() - open, open)
        }
    }

    #[test]
    fn a_part_waits_for_records_that_are_told_late_and_then_ends() {
        let mut test = Test::new(1 << 30);
        test.lake.add(&record(100), None);
        test.lake.add(&record(950), None);
        test.lake.add(&record(890), None);
        assert_eq!(test.parts(0), (0, 2), "two quarters of the hour");
        test.lake.add(&record(900 + 660), None);
        assert_eq!(test.parts(0), (1, 1));
        // Too late for its part: a further one, which is open as long as another.
        test.lake.add(&record(899), None);
        test.lake.add(&record(898), None);
        assert_eq!(test.parts(0), (1, 2));
        test.lake.tick(at(1560 + 899));
        assert_eq!(test.parts(0), (1, 2));
        test.lake.tick(at(1560 + 900));
        assert_eq!(test.parts(0), (3, 0), "the second quarter is over, too");
        test.lake.add(&record(3599), None);
        test.lake.add(&record(3600), None);
        test.lake.end_all();
        assert_eq!((test.parts(0), test.parts(1)), ((4, 0), (1, 0)));
        test.lake.finish().unwrap();
        assert!(test.told.lock().unwrap().is_empty());
    }

    #[test]
    fn parts_end_by_their_size() {
        let mut test = Test::new(1000);
        // A part has whole groups of rows.
        let record = record(100);
        (0..40_000).for_each(|_| test.lake.add(&record, Some((1.5, "look-up"))));
        assert_eq!(test.parts(0), (2, 1));
        test.lake.finish().unwrap();
        assert_eq!(test.parts(0), (3, 0));
    }

    #[test]
    fn few_parts_are_open_however_wild_the_order() {
        let mut test = Test::new(1 << 30);
        for quarter in [31, 1, 5, 3, 6, 2, 4, 0, 7, 8, 9, 10] {
            test.lake.add(&record(quarter * 900), None);
            assert!(test.lake.open.len() <= MAX_OPEN_PARTS);
        }
        test.lake.finish().unwrap();
        assert_eq!((0..8).map(|hour| test.parts(hour).0).sum::<usize>(), 12);
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_tried_again() {
        let mut test = Test::new(1 << 30);
        let day = test.folder.path().join("site=a/date=1970-01-01");
        std::fs::write(&day, "in the way").unwrap();
        (0..3).for_each(|second| test.lake.add(&record(second), None));
        std::fs::remove_file(&day).unwrap();
        test.lake.add(&record(3), None);
        assert!(!day.exists(), "not tried again at once");
        test.lake.tick(at(10));
        test.lake.add(&record(11), None);
        assert_eq!(test.parts(0), (0, 1));
        // Somebody removes the folder under it.
        std::fs::remove_dir_all(&day).unwrap();
        let error = test.lake.finish().unwrap_err().to_string();
        assert!(error.starts_with("5 flow records were not written ("), "{error}");
        let told = test.told.lock().unwrap();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("cannot be written") && told[1].ends_with("written to again; flow records lost meanwhile: 4"));
    }
}

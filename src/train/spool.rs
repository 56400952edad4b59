//! Observations in a temporary file, gone through from its beginning as often as needed.
//!
//! The file is a row of blocks: length in bytes (4 bytes), observations (4), a hash of the content (8), and the content. What
//! was damaged on its way is told by its place, never learned from.

use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use foldhash::quality::FixedState;
use tempfile::SpooledTempFile;

use super::material::Tally;
use crate::feature::{Observation, pack, unpack};

/// Length of a block when it is written out.
const BLOCK_BYTES: usize = 256 << 10;
/// No block is longer: one observation has at most some 600 kB of facts, and those of real flows have some hundred bytes.
const MOST_BLOCK_BYTES: usize = 2 << 20;
const HEADER_BYTES: usize = 16;
/// A file without a name is held in memory up to this length, so that a short lesson needs no disk.
const MOST_IN_MEMORY_BYTES: usize = 64 << 20;

/// Why observations could not be spooled or read again.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The system refused.
    #[error("{place}: {doing}: {source}")]
    Io {
        /// Which file.
        place: String,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// What is read is not what was written.
    #[error("{place}: damaged: {what} in the block at byte {at}")]
    Damaged {
        /// Which file.
        place: String,
        /// Where the block begins, in bytes.
        at: u64,
        /// What is wrong.
        what: &'static str,
    },
}

trait Storage: Read + Write + Seek {
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Storage for File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

impl Storage for SpooledTempFile {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// Observations in a file. Memory: a block.
pub struct Spool {
    storage: Box<dyn Storage>,
    place: String,
    block: Vec<u8>,
    in_block: u32,
    bytes: u64,
    tally: Tally,
}

impl Spool {
    /// In a file without a name in this folder, which is gone with the program however it ends; up to 64 MiB stay in memory.
    #[must_use]
    pub fn nameless(folder: &Path) -> Self {
        let place = format!("{}: temporary file", folder.display());
        Self::over(Box::new(tempfile::spooled_tempfile_in(MOST_IN_MEMORY_BYTES, folder)), place)
    }

    /// In this file, which is empty, or whose content [`Self::take_up`] takes up.
    #[must_use]
    pub fn named(file: File, path: &Path) -> Self {
        Self::over(Box::new(file), path.display().to_string())
    }

    fn over(storage: Box<dyn Storage>, place: String) -> Self {
        Self { storage, place, block: Vec::new(), in_block: 0, bytes: 0, tally: Tally::default() }
    }

    /// How many observations it holds.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Length of what was written, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends an observation.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn push(&mut self, seen: &Observation) -> Result<(), SpoolError> {
        self.tally.add(seen);
        pack(seen, &mut self.block);
        self.in_block += 1;
        if self.block.len() >= BLOCK_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what is in hand.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> Result<(), SpoolError> {
        if self.in_block > 0 {
            let mut header = Vec::with_capacity(HEADER_BYTES);
            header.extend((self.block.len() as u32).to_le_bytes());
            header.extend(self.in_block.to_le_bytes());
            header.extend(hash(&self.block).to_le_bytes());
            let written = self.storage.write_all(&header).and_then(|()| self.storage.write_all(&self.block));
            if let Err(source) = written {
                // A part of it may be there: it is written again, and not behind that. Where this fails too, the disk is gone.
                let _ = self.storage.cut(self.bytes).and_then(|()| self.storage.seek(SeekFrom::Start(self.bytes)));
                return Err(self.failed("writing", source));
            }
            self.bytes += (HEADER_BYTES + self.block.len()) as u64;
            self.block.clear();
            self.in_block = 0;
        }
        self.storage.flush().map_err(|source| self.failed("writing", source))
    }

    /// Takes up what the file holds already, all of it sound.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn take_up(&mut self) -> Result<(), SpoolError> {
        let end = self.storage.seek(SeekFrom::End(0)).map_err(|source| self.failed("reading", source))?;
        self.bytes = end;
        let mut tally = Tally::default();
        self.each(&mut |seen, _| {
            tally.add(seen);
            Ok(())
        })?;
        self.tally = tally;
        Ok(())
    }

    /// Hands out all observations in their order, each with the bytes read so far; ends with the first error of `take`.
    ///
    /// # Errors
    /// When they cannot be read, or are damaged, and as `take`.
    pub fn each(&mut self, take: &mut dyn FnMut(&mut Observation, u64) -> io::Result<()>) -> Result<(), SpoolError> {
        self.flush()?;
        self.storage.rewind().map_err(|source| self.failed("reading", source))?;
        let (mut at, mut block) = (0, Vec::new());
        while at < self.bytes {
            let count = self.read_block(at, &mut block)?;
            let mut rest = block.as_slice();
            let next = at + (HEADER_BYTES + block.len()) as u64;
            for _ in 0..count {
                let mut seen = unpack(&mut rest).ok_or_else(|| self.damaged(at, "no observation"))?;
                take(&mut seen, next).map_err(|source| self.failed("keeping what was found", source))?;
            }
            if !rest.is_empty() {
                return Err(self.damaged(at, "more than its observations"));
            }
            at = next;
        }
        Ok(())
    }

    /// Reads the block at `at`, and returns how many observations it holds.
    fn read_block(&mut self, at: u64, block: &mut Vec<u8>) -> Result<u32, SpoolError> {
        let mut header = [0; HEADER_BYTES];
        self.fill(at, &mut header)?;
        let word = |place: usize| u32::from_le_bytes(std::array::from_fn(|byte| header[place + byte]));
        let length = word(0) as usize;
        if length > MOST_BLOCK_BYTES {
            return Err(self.damaged(at, "a length that none has"));
        }
        block.resize(length, 0);
        self.fill(at, block)?;
        let told = u64::from(word(8)) | u64::from(word(12)) << 32;
        if hash(block) == told { Ok(word(4)) } else { Err(self.damaged(at, "another hash")) }
    }

    fn fill(&mut self, at: u64, bytes: &mut [u8]) -> Result<(), SpoolError> {
        self.storage.read_exact(bytes).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged(at, "an early end"),
            _ => self.failed("reading", source),
        })
    }

    /// That the system refused something.
    pub(super) fn failed(&self, doing: &'static str, source: io::Error) -> SpoolError {
        SpoolError::Io { place: self.place.clone(), doing, source }
    }

    fn damaged(&self, at: u64, what: &'static str) -> SpoolError {
        SpoolError::Damaged { place: self.place.clone(), at, what }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    FixedState::default().hash_one(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use proptest::prelude::*;
    use proptest::strategy::ValueTree as _;

    use super::*;
    use crate::feature::packing::tests::{observation, told};

    fn filled(observations: &[Observation]) -> Spool {
        let mut spool = Spool::nameless(Path::new("."));
        observations.iter().for_each(|seen| spool.push(seen).unwrap());
        spool
    }

    fn all(spool: &mut Spool) -> Vec<String> {
        let mut all = Vec::new();
        spool
            .each(&mut |seen, _| {
                all.push(told(seen));
                Ok(())
            })
            .unwrap();
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn it_gives_back_what_it_was_given_as_often_as_asked(some in prop::collection::vec(observation(), 0..40), times in 1..60_usize) {
            // Enough for several blocks, at times.
            let observations: Vec<Observation> = std::iter::repeat_n(some, times).flatten().collect();
            let mut spool = filled(&observations);
            let want: Vec<String> = observations.iter().map(told).collect();
            prop_assert_eq!(&all(&mut spool), &want);
            prop_assert_eq!(&all(&mut spool), &want);
            let mut tally = Tally::default();
            observations.iter().for_each(|seen| tally.add(seen));
            prop_assert_eq!(spool.tally(), tally);
        }

        #[test]
        fn no_change_of_a_byte_goes_unnoticed(some in prop::collection::vec(observation(), 1..20), place in any::<u64>(), bit in 0..8_u32) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("spool");
            let open = || File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
            let mut spool = Spool::named(open(), &path);
            some.iter().for_each(|seen| spool.push(seen).unwrap());
            spool.flush().unwrap();
            let mut again = Spool::named(open(), &path);
            again.take_up().unwrap();
            prop_assert_eq!((again.tally(), again.bytes()), (spool.tally(), spool.bytes()));
            let mut bytes = std::fs::read(&path).unwrap();
            let place = (place % bytes.len() as u64) as usize;
            bytes[place] ^= 1_u8 << bit;
            std::fs::write(&path, &bytes).unwrap();
            let error = Spool::named(open(), &path).take_up().unwrap_err().to_string();
            prop_assert!(error.contains("damaged") && error.contains("byte 0"), "{error}");
            bytes.truncate(place);
            std::fs::write(&path, &bytes).unwrap();
            prop_assert_eq!(Spool::named(open(), &path).take_up().is_err(), place > 0, "cut at {}", place);
        }
    }

    /// A file on a disk that has room for so many bytes.
    struct Small {
        file: File,
        room: Arc<AtomicU64>,
    }

    impl Read for Small {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            self.file.read(to)
        }
    }

    impl Seek for Small {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.file.seek(to)
        }
    }

    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let left = self.room.load(Ordering::Relaxed).saturating_sub(self.file.stream_position()?) as usize;
            if left == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.file.write(&bytes[..bytes.len().min(left)])
        }

        fn flush(&mut self) -> io::Result<()> {
            self.file.flush()
        }
    }

    impl Storage for Small {
        fn cut(&mut self, length: u64) -> io::Result<()> {
            self.file.set_len(length)
        }
    }

    #[test]
    fn what_found_no_room_is_written_whole_when_there_is_room_again() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let seen = observation().new_tree(&mut runner).unwrap().current();
        let room = Arc::new(AtomicU64::new(u64::MAX));
        let small = Small { file: tempfile::tempfile().unwrap(), room: Arc::clone(&room) };
        let mut spool = Spool::over(Box::new(small), "small".to_owned());
        spool.push(&seen).unwrap();
        spool.flush().unwrap();
        room.store(spool.bytes() + HEADER_BYTES as u64 + 2, Ordering::Relaxed);
        spool.push(&seen).unwrap();
        spool.flush().unwrap_err();
        spool.flush().unwrap_err();
        room.store(u64::MAX, Ordering::Relaxed);
        assert_eq!(all(&mut spool), [told(&seen), told(&seen)]);
    }

    #[test]
    fn a_full_disk_is_told_with_its_place() {
        let path = Path::new("/dev/full");
        let Ok(full) = File::options().read(true).write(true).open(path) else { return };
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let seen = observation().new_tree(&mut runner).unwrap().current();
        let mut spool = Spool::named(full, path);
        spool.push(&seen).unwrap();
        let error = spool.flush().unwrap_err().to_string();
        assert!(error.starts_with("/dev/full: writing: No space left on device"), "{error}");
    }
}

//! Messages on disk that no stream has confirmed yet.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::envelope::MOST_BYTES;
use crate::nats::Parcel;

/// A spool of this many files: what was confirmed goes by the file.
const SEGMENTS: u64 = 8;
const HEAD_BYTES: u64 = 8;
/// Bytes of a parcel on disk at the most: a message, its subject and its identifier.
const MOST_PARCEL_BYTES: u64 = MOST_BYTES as u64 + 1024;

/// A bounded queue on disk of messages, oldest first, in files `00000001.spool` and on; what does not fit is not taken. Each message
/// stands behind its length and its check sum. `position` says up to where they were confirmed; should it be lost, they are sent again
/// rather than never. The folder is locked: two programs never send from one spool.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    /// Held while it is open.
    _lock: File,
    limit: u64,
    segments: VecDeque<Segment>,
    newest: File,
    /// Bytes of the oldest segment that were confirmed.
    position: u64,
    waiting: u64,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    bytes: u64,
}

impl Spool {
    /// Opens a spool, making its folder where there is none. `limit` is in bytes.
    ///
    /// # Errors
    /// When the folder cannot be used, or another program sends from it.
    pub fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let what = "another auscult publishes from it; give one of them another name with --sensor, or another folder with --spool";
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, what));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let names = fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut numbers: Vec<u64> = names.filter_map(|name| name.strip_suffix(".spool")?.parse().ok()).collect();
        numbers.sort_unstable();
        let (at, confirmed) = position(folder).unwrap_or_default();
        let (mut segments, mut begin, mut waiting) = (VecDeque::new(), 0, 0);
        for number in numbers {
            let path = path(folder, number);
            if number < at {
                fs::remove_file(path)?;
                continue;
            }
            let from = if number == at { confirmed } else { 0 };
            let (bytes, whole, count) = whole_parcels(&path, from)?;
            if whole < bytes {
                // What a crash cut was never taken.
                OpenOptions::new().write(true).open(&path)?.set_len(whole)?;
            }
            begin = if number == at { from.min(whole) } else { begin };
            waiting += count;
            segments.push_back(Segment { number, bytes: whole });
        }
        if segments.is_empty() {
            segments.push_back(Segment { number: at.max(1), bytes: 0 });
        }
        let newest = append_to(folder, segments.back().map_or(1, |segment| segment.number))?;
        Ok(Self { folder: folder.to_owned(), _lock: lock, limit, segments, newest, position: begin, waiting })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Messages that wait.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Bytes of its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Adds a message behind all others. Says whether there was room.
    ///
    /// # Errors
    /// When the disk does not take it; then nothing of it is left.
    pub fn append(&mut self, parcel: &Parcel) -> io::Result<bool> {
        let body = postcard::to_stdvec(parcel).map_err(io::Error::other)?;
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        let frame = [&length.to_le_bytes()[..], &check_sum(&body).to_le_bytes(), &body].concat();
        let bytes = frame.len() as u64;
        // A message alone always fits.
        if self.waiting > 0 && self.bytes() - self.position + bytes > self.limit {
            return Ok(false);
        }
        let last = self.segments.back().map_or(0, |segment| segment.bytes);
        if last > 0 && last + bytes > self.limit / SEGMENTS {
            let number = self.segments.back().map_or(1, |segment| segment.number + 1);
            self.newest = append_to(&self.folder, number)?;
            self.segments.push_back(Segment { number, bytes: 0 });
        }
        let Some(last) = self.segments.back_mut() else { return Ok(false) };
        if let Err(error) = self.newest.write_all(&frame) {
            self.newest.set_len(last.bytes)?;
            return Err(error);
        }
        last.bytes += bytes;
        self.waiting += 1;
        Ok(true)
    }

    /// The oldest messages that wait, at most so many and, beyond the first, so many bytes.
    ///
    /// # Errors
    /// When the disk cannot be read, or holds something else by now.
    pub fn oldest(&mut self, most: usize, most_bytes: usize) -> io::Result<Vec<Parcel>> {
        while self.segments.len() > 1 && self.segments.front().is_some_and(|segment| self.position >= segment.bytes) {
            self.drop_oldest()?;
        }
        let Some(Segment { number, bytes }) = self.segments.front() else { return Ok(Vec::new()) };
        let mut file = io::BufReader::new(File::open(path(&self.folder, *number))?);
        file.seek(SeekFrom::Start(self.position))?;
        let (mut parcels, mut at, mut size) = (Vec::new(), self.position, 0);
        while at < *bytes && parcels.len() < most && size < most_bytes {
            let Some(body) = read_parcel(&mut file)? else {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the spool was changed by someone else"));
            };
            at += HEAD_BYTES + body.len() as u64;
            size += body.len();
            parcels.push(postcard::from_bytes(&body).map_err(io::Error::other)?);
        }
        Ok(parcels)
    }

    /// These, the first of the oldest, need not be sent any more.
    ///
    /// # Errors
    /// When the disk does not take it; they may be sent again then.
    pub fn confirm(&mut self, parcels: &[Parcel]) -> io::Result<()> {
        for parcel in parcels {
            let body = postcard::experimental::serialized_size(parcel).map_err(io::Error::other)?;
            self.position += HEAD_BYTES + body as u64;
            self.waiting = self.waiting.saturating_sub(1);
        }
        if self.waiting == 0 && self.segments.len() == 1 {
            // Nothing of what was sent stays. In this order a crash between the two sends again instead of skipping.
            self.position = 0;
            self.remember()?;
            self.segments.iter_mut().for_each(|segment| segment.bytes = 0);
            return self.newest.set_len(0);
        }
        self.remember()
    }

    fn drop_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.segments.pop_front() else { return Ok(()) };
        self.position = 0;
        self.remember()?;
        fs::remove_file(path(&self.folder, oldest.number))
    }

    fn remember(&self) -> io::Result<()> {
        let number = self.segments.front().map_or(0, |segment| segment.number);
        let next = self.folder.join("position.new");
        fs::write(&next, format!("{number} {}\n", self.position))?;
        fs::rename(next, self.folder.join("position"))
    }
}

/// The next parcel as it stands; none at the end, or where it is cut or damaged.
fn read_parcel(from: &mut impl io::Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; HEAD_BYTES as usize];
    if let Err(error) = from.read_exact(&mut head) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let [a, b, c, d, e, f, g, h] = head;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if length > MOST_PARCEL_BYTES {
        return Ok(None);
    }
    let mut body = Vec::with_capacity(length as usize);
    from.take(length).read_to_end(&mut body)?;
    Ok((body.len() as u64 == length && check_sum(&body) == u32::from_le_bytes([e, f, g, h])).then_some(body))
}

/// Bytes of a segment, those of its whole parcels, and how many of these begin at `from` or behind.
fn whole_parcels(path: &Path, from: u64) -> io::Result<(u64, u64, u64)> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut file = io::BufReader::new(file);
    let (mut at, mut count) = (0, 0);
    while let Some(body) = read_parcel(&mut file)? {
        count += u64::from(at >= from);
        at += HEAD_BYTES + body.len() as u64;
    }
    Ok((bytes, at, count))
}

/// FNV-1a, 32 bits: it tells a torn write, not a forger.
fn check_sum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, &byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.spool"))
}

fn append_to(folder: &Path, number: u64) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path(folder, number))
}

fn position(folder: &Path) -> Option<(u64, u64)> {
    let text = fs::read_to_string(folder.join("position")).ok()?;
    let (number, offset) = text.trim().split_once(' ')?;
    Some((number.parse().ok()?, offset.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(number: usize) -> Parcel {
        Parcel { subject: "s".to_owned(), id: number.to_string(), payload: vec![number as u8; 90] }
    }

    fn ids(parcels: &[Parcel]) -> Vec<usize> {
        parcels.iter().map(|parcel| parcel.id.parse().unwrap()).collect()
    }

    #[test]
    fn messages_come_out_in_order_and_wait_until_they_are_confirmed() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path(), 1 << 20).unwrap();
        (0..5).for_each(|number| assert!(spool.append(&parcel(number)).unwrap()));
        let first = spool.oldest(3, 1 << 20).unwrap();
        assert_eq!((ids(&first), first[2].clone()), (vec![0, 1, 2], parcel(2)));
        spool.confirm(&first[..2]).unwrap();
        assert!(Spool::open(folder.path(), 1 << 20).is_err(), "it is in use");
        drop(spool);
        let mut again = Spool::open(folder.path(), 1 << 20).unwrap();
        assert_eq!((ids(&again.oldest(9, 1 << 20).unwrap()), again.waiting()), (vec![2, 3, 4], 3));
        let rest = again.oldest(9, 1 << 20).unwrap();
        again.confirm(&rest).unwrap();
        assert_eq!((again.bytes(), again.waiting()), (0, 0));
    }

    #[test]
    fn it_is_never_larger_than_its_limit_and_takes_more_when_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path(), 2000).unwrap();
        let (mut taken, mut out) = (Vec::new(), Vec::new());
        for number in 0..200 {
            if spool.append(&parcel(number)).unwrap() {
                taken.push(number);
            }
            if number % 3 == 0 {
                let oldest = spool.oldest(2, 1 << 20).unwrap();
                spool.confirm(&oldest).unwrap();
                out.extend(ids(&oldest));
            }
            // What was confirmed goes by the file.
            assert!(spool.bytes() <= 2000 + 2000 / SEGMENTS + 200, "{}", spool.bytes());
        }
        while spool.waiting() > 0 {
            let oldest = spool.oldest(7, 1 << 20).unwrap();
            spool.confirm(&oldest).unwrap();
            out.extend(ids(&oldest));
        }
        assert!(taken.len() > 100 && taken.len() < 200 && out == taken, "{taken:?}\n{out:?}");
    }

    #[test]
    fn what_a_crash_cut_is_left_out_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path(), 1 << 20).unwrap();
        (0..3).for_each(|number| assert!(spool.append(&parcel(number)).unwrap()));
        let whole = spool.bytes();
        drop(spool);
        OpenOptions::new().write(true).open(path(folder.path(), 1)).unwrap().set_len(whole - 5).unwrap();
        let mut again = Spool::open(folder.path(), 1 << 20).unwrap();
        assert!(again.append(&parcel(7)).unwrap());
        assert_eq!(ids(&again.oldest(9, 1 << 20).unwrap()), [0, 1, 7]);
    }
}

//! Outputs that wait for room: what cannot be written now is written when it can.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Bytes that wait for an output at the most; beyond, the newest are lost, so that what is written stays whole up to there.
const MOST_WAITING_BYTES: usize = 16 << 20;

/// Lines for a file that may be full, read-only or gone for a while. Each write is one line, or some whole ones.
pub struct Patient<W> {
    path: PathBuf,
    to: W,
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
    /// Lines that were lost.
    lost: u64,
    is_told: bool,
}

impl<W: Write> Patient<W> {
    /// Lines for this, which is named so.
    pub fn new(path: &Path, to: W) -> Self {
        Self { path: path.to_owned(), to, waiting: VecDeque::new(), waiting_bytes: 0, lost: 0, is_told: false }
    }

    /// What takes the lines.
    pub const fn inner_mut(&mut self) -> &mut W {
        &mut self.to
    }

    /// Writes what waits, as far as that is possible.
    ///
    /// # Errors
    /// A reader that went away: nothing will be read any more.
    pub fn catch_up(&mut self) -> io::Result<()> {
        while let Some(line) = self.waiting.front() {
            let written = self.to.write_all(line).and_then(|()| self.to.flush());
            if self.has_failed(written)? {
                return Ok(());
            }
            self.waiting_bytes -= self.waiting.pop_front().map_or(0, |line| line.len());
        }
        if std::mem::take(&mut self.is_told) {
            tell!("auscult: {}: written to again; lines lost meanwhile: {}", self.path.display(), self.lost);
        }
        Ok(())
    }

    /// Tells once what fails, and what to do.
    fn has_failed(&mut self, written: io::Result<()>) -> io::Result<bool> {
        let Err(error) = written else { return Ok(false) };
        if error.kind() == ErrorKind::BrokenPipe {
            return Err(error);
        }
        if !std::mem::replace(&mut self.is_told, true) {
            let what_to_do = match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => "make room on its disk",
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "give write access to it",
                _ => "see to its disk",
            };
            tell!(
                "auscult: {}: cannot be written ({error}); judging goes on and up to {} MiB of lines wait: {what_to_do}",
                self.path.display(),
                MOST_WAITING_BYTES >> 20
            );
        }
        Ok(true)
    }

    /// Writes what waits, a last time.
    ///
    /// # Errors
    /// Says how many lines were not written.
    pub fn finish(&mut self) -> io::Result<()> {
        self.catch_up()?;
        match self.lost + self.waiting.len() as u64 {
            0 => Ok(()),
            missing => Err(io::Error::other(format!("{missing} lines were not written"))),
        }
    }
}

impl<W: Write> Write for Patient<W> {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        if !self.waiting.is_empty() {
            self.catch_up()?;
        }
        if self.waiting.is_empty() {
            let written = self.to.write_all(lines).and_then(|()| self.to.flush());
            if !self.has_failed(written)? {
                return Ok(lines.len());
            }
        }
        if self.waiting_bytes + lines.len() <= MOST_WAITING_BYTES {
            self.waiting_bytes += lines.len();
            self.waiting.push_back(lines.to_vec());
        } else {
            self.lost += 1;
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has room for so many bytes; writes all of a line or nothing, as a file of alerts does.
    #[derive(Default)]
    struct Disk {
        room: usize,
        bytes: Vec<u8>,
        is_closed: bool,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.is_closed {
                return Err(ErrorKind::BrokenPipe.into());
            }
            self.room = self.room.checked_sub(bytes.len()).ok_or(ErrorKind::StorageFull)?;
            self.bytes.extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_finds_no_room_is_written_later_in_its_order() {
        let mut to = Patient::new(Path::new("alerts"), Disk { room: 4, ..Disk::default() });
        for line in ["one\n", "two\n", "three\n"] {
            to.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!((to.to.bytes.as_slice(), to.waiting.len()), (b"one\n".as_slice(), 2));
        to.to.room = 5;
        to.catch_up().unwrap();
        assert_eq!(to.to.bytes, b"one\ntwo\n");
        assert_eq!(to.finish().unwrap_err().to_string(), "1 lines were not written");
        to.to.room = 100;
        to.write_all(b"four\n").unwrap();
        assert_eq!(to.to.bytes, b"one\ntwo\nthree\nfour\n");
        to.finish().unwrap();
    }

    #[test]
    fn memory_is_bounded_and_what_is_lost_is_counted() {
        let mut to = Patient::new(Path::new("alerts"), Disk::default());
        let line = vec![b'x'; 1 << 20];
        (0..20).for_each(|_| to.write_all(&line).unwrap());
        assert_eq!((to.waiting.len(), to.lost), (16, 4));
    }

    #[test]
    fn a_reader_that_went_away_is_an_error() {
        let mut to = Patient::new(Path::new("-"), Disk { is_closed: true, ..Disk::default() });
        assert_eq!(to.write_all(b"one\n").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}

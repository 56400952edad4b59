//! Outputs that wait for room: what cannot be written now is written when it can.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::sink::advice;

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
    /// Its reader went away.
    is_gone: bool,
}

impl<W: Write> Patient<W> {
    /// Lines for this, which is named so.
    pub fn new(path: &Path, to: W) -> Self {
        Self { path: path.to_owned(), to, waiting: VecDeque::new(), waiting_bytes: 0, lost: 0, is_told: false, is_gone: false }
    }

    /// What takes the lines.
    pub const fn inner_mut(&mut self) -> &mut W {
        &mut self.to
    }

    /// Is there something that will be written when there is room?
    pub fn waits(&self) -> bool {
        !self.waiting.is_empty() && !self.is_gone
    }

    /// Writes what waits, as far as that is possible.
    ///
    /// # Errors
    /// A reader that went away: nothing will be read any more.
    pub fn catch_up(&mut self) -> io::Result<()> {
        while let Some(lines) = self.waiting.front_mut() {
            let (done, written) = put(&mut self.to, lines);
            self.waiting_bytes -= done;
            lines.drain(..done);
            if lines.is_empty() {
                self.waiting.pop_front();
            }
            if self.has_failed(written)? {
                return Ok(());
            }
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
            self.is_gone = true;
            return Err(error);
        }
        if !std::mem::replace(&mut self.is_told, true) {
            tell!(
                "auscult: {}: cannot be written ({error}); judging goes on and up to {} MiB of lines wait: {}",
                self.path.display(),
                MOST_WAITING_BYTES >> 20,
                advice(error.kind())
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
        match self.lost + self.waiting.iter().map(|lines| count(lines)).sum::<u64>() {
            0 => Ok(()),
            missing => Err(io::Error::other(format!("{missing} lines were not written"))),
        }
    }
}

/// Writes as much as there is room for: how many bytes that was, and why it was not all.
fn put(to: &mut impl Write, lines: &[u8]) -> (usize, io::Result<()>) {
    let mut done = 0;
    while done < lines.len() {
        match to.write(&lines[done..]) {
            Ok(0) => return (done, Err(ErrorKind::WriteZero.into())),
            Ok(written) => done += written,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, to.flush())
}

/// How many lines end there.
fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|&&byte| byte == b'\n').count() as u64
}

impl<W: Write> Write for Patient<W> {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        if !self.waiting.is_empty() {
            self.catch_up()?;
        }
        let mut rest = lines;
        if self.waiting.is_empty() {
            let (done, written) = put(&mut self.to, lines);
            rest = &lines[done..];
            if !self.has_failed(written)? {
                return Ok(lines.len());
            }
        }
        // What has begun to go out is never lost: the next line would go on behind half of one.
        if rest.len() < lines.len() || self.waiting_bytes + rest.len() <= MOST_WAITING_BYTES {
            self.waiting_bytes += rest.len();
            self.waiting.extend((!rest.is_empty()).then(|| rest.to_vec()));
        } else {
            self.lost += count(rest);
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

    /// Has room for so many bytes; writes all of a line or nothing, as a file of alerts does, or what there is room for, as stdout does.
    #[derive(Default)]
    struct Disk {
        room: usize,
        takes_parts: bool,
        bytes: Vec<u8>,
        is_closed: bool,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.is_closed {
                return Err(ErrorKind::BrokenPipe.into());
            }
            let bytes = if self.takes_parts && self.room > 0 { &bytes[..bytes.len().min(self.room)] } else { bytes };
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
        assert_eq!((to.to.bytes.as_slice(), to.waiting.len(), to.waits()), (b"one\n".as_slice(), 2, true));
        to.to.room = 5;
        to.catch_up().unwrap();
        assert_eq!(to.to.bytes, b"one\ntwo\n");
        assert_eq!(to.finish().unwrap_err().to_string(), "1 lines were not written");
        to.to.room = 100;
        to.write_all(b"four\n").unwrap();
        assert_eq!((to.to.bytes.as_slice(), to.waits()), (b"one\ntwo\nthree\nfour\n".as_slice(), false));
        to.finish().unwrap();
        to.to.room = 0;
        to.write_all(b"five\n").unwrap();
        to.to.is_closed = true;
        assert!(to.waits() && to.catch_up().is_err() && !to.waits(), "nobody will read it any more");
    }

    #[test]
    fn memory_is_bounded_and_what_is_lost_is_counted() {
        let mut to = Patient::new(Path::new("alerts"), Disk::default());
        let mut lines = vec![b'x'; 1 << 20];
        (lines[1000], lines[(1 << 20) - 1]) = (b'\n', b'\n');
        (0..20).for_each(|_| to.write_all(&lines).unwrap());
        assert_eq!((to.waiting.len(), to.lost), (16, 8));
        assert_eq!(to.finish().unwrap_err().to_string(), "40 lines were not written");
    }

    #[test]
    fn a_line_that_was_written_in_part_goes_on_where_it_stopped() {
        let mut to = Patient::new(Path::new("-"), Disk { room: 6, takes_parts: true, ..Disk::default() });
        for line in ["one\n", "two\n", "three\n"] {
            to.write_all(line.as_bytes()).unwrap();
        }
        for room in [0, 1, 3, 100] {
            to.to.room = room;
            to.catch_up().unwrap();
        }
        assert_eq!((to.to.bytes.as_slice(), to.waiting_bytes), (b"one\ntwo\nthree\n".as_slice(), 0));
    }

    #[test]
    fn a_reader_that_went_away_is_an_error() {
        let mut to = Patient::new(Path::new("-"), Disk { is_closed: true, ..Disk::default() });
        assert_eq!(to.write_all(b"one\n").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}

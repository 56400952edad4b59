//! The bytes of a capture, decompressed where they are compressed.

use std::io::{self, Read};

use super::inflate::Inflate;
use super::magic::{Compression, MAGIC_BYTES, Magic};

/// Why a stream gave no more bytes.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The system said no.
    Io(io::Error),
    /// The compressed data end before their end mark.
    Cut,
    /// The compressed data are damaged.
    Corrupt(String),
}

/// Bytes as they are stored. Counts them, and gives the magic back that was looked at.
pub(super) struct Raw {
    reader: Box<dyn Read + Send>,
    head: [u8; MAGIC_BYTES],
    head_at: usize,
    head_end: usize,
    taken: u64,
}

impl Raw {
    fn new(mut reader: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut head = [0; MAGIC_BYTES];
        let mut head_end = 0;
        while let Some(room) = head.get_mut(head_end..).filter(|room| !room.is_empty()) {
            match read_some(&mut *reader, room)? {
                0 => break,
                n => head_end += n,
            }
        }
        Ok(Self { reader, head, head_at: 0, head_end, taken: 0 })
    }

    fn head(&self) -> &[u8] {
        self.head.get(..self.head_end).unwrap_or_default()
    }

    /// As [`Read::read`], but an interrupted call is made again.
    pub(super) fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let kept = self.head.get(self.head_at..self.head_end).unwrap_or_default();
        let n = kept.len().min(out.len());
        let n = if n > 0 {
            out.iter_mut().zip(kept).for_each(|(to, from)| *to = *from);
            self.head_at += n;
            n
        } else {
            read_some(&mut *self.reader, out)?
        };
        self.taken += n as u64;
        Ok(n)
    }
}

fn read_some(reader: &mut dyn Read, out: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// A capture's bytes after decompression.
pub(super) struct Stream {
    raw: Raw,
    inflate: Option<(Compression, Inflate)>,
}

impl Stream {
    /// Reads the magic and sees how the rest is to be read.
    pub(super) fn new(reader: Box<dyn Read + Send>) -> io::Result<Self> {
        let raw = Raw::new(reader)?;
        let inflate = match Magic::of(raw.head()) {
            Magic::Compressed(compression) => Some((compression, Inflate::new(compression)?)),
            _ => None,
        };
        Ok(Self { raw, inflate })
    }

    /// How it is compressed.
    pub(super) fn compression(&self) -> Option<Compression> {
        self.inflate.as_ref().map(|(compression, _)| *compression)
    }

    /// Bytes taken so far, as they are stored.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.raw.taken
    }

    /// Fills the beginning of `out`, which is not empty; `Ok(0)` at the end.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, ReadError> {
        match &mut self.inflate {
            None => self.raw.read(out).map_err(ReadError::Io),
            Some((_, inflate)) => inflate.read(&mut self.raw, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Text that compresses into several blocks of both formats.
    fn text() -> Vec<u8> {
        (0..60_000_u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 12).to_string().into_bytes()).collect()
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn read_all(stored: Vec<u8>, piece: usize) -> (Vec<u8>, Result<(), ReadError>) {
        let mut stream = Stream::new(Box::new(io::Cursor::new(stored))).unwrap();
        let (mut all, mut buffer) = (Vec::new(), vec![0; piece]);
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return (all, Ok(())),
                Ok(n) => all.extend_from_slice(&buffer[..n]),
                Err(error) => return (all, Err(error)),
            }
        }
    }

    #[test]
    fn reads_members_and_frames_one_behind_the_other() {
        let text = text();
        for pack in [gzip, zstd] {
            let (front, back) = text.split_at(text.len() / 3);
            let stored = [pack(front), pack(b""), pack(back)].concat();
            for piece in [1, 4096, 1 << 20] {
                let (all, end) = read_all(stored.clone(), piece);
                assert!(all == text && end.is_ok(), "{piece}: {} bytes, {end:?}", all.len());
            }
        }
    }

    #[test]
    fn plain_bytes_pass_whole() {
        for stored in [&b""[..], b"\x1f", b"\x1f\x8b\x09\x00 not gzip"] {
            assert_eq!(read_all(stored.to_vec(), 3).0, stored);
        }
    }

    #[test]
    fn a_cut_gives_what_was_before_it() {
        let text = text();
        for pack in [gzip, zstd] {
            let stored = pack(&text);
            let mut longest = 0;
            for cut in (5..stored.len()).step_by(997) {
                let (all, end) = read_all(stored[..cut].to_vec(), 1 << 16);
                assert!(matches!(end, Err(ReadError::Cut)), "{cut}: {end:?}");
                assert!(text.starts_with(&all) && all.len() >= longest, "{cut}");
                longest = all.len();
            }
            assert!(longest > text.len() / 2, "{longest}");
        }
    }

    #[test]
    fn damage_gives_what_was_before_it_whatever_the_buffer() {
        let text = text();
        for pack in [gzip, zstd] {
            let mut stored = pack(&text);
            let middle = stored.len() / 2;
            stored[middle..middle + 8].fill(0xff);
            let (all, end) = read_all(stored.clone(), 1 << 20);
            assert!(matches!(end, Err(ReadError::Corrupt(_) | ReadError::Cut)), "{end:?}");
            // Garbage decompresses to garbage for a little while before it is noticed.
            let same = all.iter().zip(&text).take_while(|(a, b)| a == b).count();
            assert!(same > text.len() / 8, "{same} of {}", text.len());
            assert_eq!(read_all(stored, 777).0.len(), all.len());
        }
    }
}

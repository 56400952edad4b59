//! The bytes of a file of any kind, read and decompressed as captures are.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::sync::{Mutex, PoisonError};

use super::error::CaptureError;
use super::magic::{MAGIC_BYTES, Magic};
use super::stream::{ReadError, Stream};
use super::{Compression, Input};

/// Bytes of compressed data that are looked at: more than a block of zstd has (128 KiB at the most, RFC 8878, 3.1.1.2.4).
const PEEK_BYTES: usize = 256 << 10;
/// Bytes read in one go.
const PIECE_BYTES: usize = 8 << 10;

/// What was read of standard input to see how it begins; there is one standard input, and this is its beginning.
static PEEKED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Standard input, from what was looked at on.
pub(super) fn stdin() -> Box<dyn Read + Send> {
    let peeked = std::mem::take(&mut *PEEKED.lock().unwrap_or_else(PoisonError::into_inner));
    Box::new(Cursor::new(peeked).chain(io::stdin()))
}

/// What a file or standard input holds, decompressed where it is compressed with gzip or zstd. What was decompressed before
/// damage is given out before the error: [`io::ErrorKind::UnexpectedEof`] where the compressed data end early,
/// [`io::ErrorKind::InvalidData`] where they are damaged.
pub struct Content {
    stream: Stream,
    size: Option<u64>,
}

impl Content {
    /// Opens what `input` names.
    ///
    /// # Errors
    /// When it is not there or may not be read.
    pub fn open(input: &Input) -> Result<Self, CaptureError> {
        let unreadable = |source| CaptureError::Unreadable { input: input.clone(), source };
        let (reader, size): (Box<dyn Read + Send>, _) = match input {
            Input::Stdin => (stdin(), None),
            Input::Path(path) => {
                let file = File::open(path).map_err(|source| match source.kind() {
                    io::ErrorKind::NotFound => CaptureError::NoSuchFile { path: path.clone() },
                    _ => unreadable(source),
                })?;
                let about = file.metadata().map_err(unreadable)?;
                (Box::new(file), about.is_file().then_some(about.len()))
            }
        };
        Ok(Self { stream: Stream::new(reader).map_err(unreadable)?, size })
    }

    /// The first bytes of standard input, decompressed, without taking them: whoever opens it next gets them again. Waits for
    /// 256 KiB or the end where it is compressed, since a block of zstd shows nothing before it is whole; else takes what comes
    /// first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn peek_stdin(most: usize) -> io::Result<Vec<u8>> {
        let mut peeked = PEEKED.lock().unwrap_or_else(PoisonError::into_inner);
        let mut piece = vec![0; PIECE_BYTES];
        while peeked.len() < PEEK_BYTES && (peeked.len() < MAGIC_BYTES || matches!(Magic::of(&peeked), Magic::Compressed(_))) {
            match io::stdin().read(&mut piece) {
                Ok(0) => break,
                Ok(read) => peeked.extend_from_slice(piece.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut stream = Stream::new(Box::new(Cursor::new(peeked.clone())))?;
        let mut head = Vec::new();
        // It ends early, in the middle of compressed data too: all that is wanted is how it begins.
        while let Ok(read @ 1..) = stream.read(&mut piece) {
            head.extend_from_slice(piece.get(..read).unwrap_or_default());
            if head.len() >= most {
                break;
            }
        }
        head.truncate(most);
        Ok(head)
    }

    /// Size as it is stored, of a regular file.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Bytes taken so far, as they are stored.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.stream.stored_bytes()
    }

    /// How it is compressed.
    #[must_use]
    pub fn compression(&self) -> Option<Compression> {
        self.stream.compression()
    }
}

impl Read for Content {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        self.stream.read(out).map_err(|error| match error {
            ReadError::Io(error) => error,
            ReadError::Cut => io::Error::new(io::ErrorKind::UnexpectedEof, "the compressed data end early"),
            ReadError::Corrupt(reason) => io::Error::new(io::ErrorKind::InvalidData, format!("damaged compression: {reason}")),
        })
    }
}

/// Do these bytes begin a capture (pcap or pcapng)?
#[must_use]
pub fn begins_capture(head: &[u8]) -> bool {
    matches!(Magic::of(head), Magic::Pcap | Magic::Pcapng)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_decompressed_and_a_cut_is_told_after_what_came_before() {
        let text = b"ts\tuid\n".repeat(5000);
        let packed = zstd::encode_all(text.as_slice(), 1).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let mut content = Content::open(&Input::Path(path)).unwrap();
            let mut all = Vec::new();
            let end = content.read_to_end(&mut all).map_err(|error| error.kind());
            (all, end.map(|_| ()), content.size(), content.stored_bytes())
        };
        let size = packed.len() as u64;
        assert_eq!(read("whole", &packed), (text.clone(), Ok(()), Some(size), size));
        let (all, end, ..) = read("cut", &packed[..packed.len() - 3]);
        assert!(text.starts_with(&all) && end == Err(io::ErrorKind::UnexpectedEof), "{end:?}");
        assert!(begins_capture(&[0xd4, 0xc3, 0xb2, 0xa1]) && !begins_capture(b"ts\tu"));
    }
}

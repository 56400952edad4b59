//! Reads one capture into blocks and finds the frames in place.

use std::fs::File;
use std::io::{self, Read};

use super::error::{CaptureError, Place};
use super::magic::MAGIC_BYTES;
use super::parse::{Parser, Stop};
use super::stream::{ReadError, Stream};
use super::{Block, Input, Source};

/// Bytes that are read in one go: 256 KiB, the size from which on a larger one made reading slower, not faster
/// (docs/decisions/0002). A record that is longer makes its block grow, up to 16 MiB.
pub const BLOCK_BYTES: usize = 256 << 10;

/// Memory that a block keeps although it was needed for one long record only.
const KEPT_BYTES: usize = 4 * BLOCK_BYTES;

/// One capture: a file, a pipe, or anything that can be read. [`super::open`] reads several.
pub struct Reader {
    input: Input,
    stream: Stream,
    parser: Parser,
    block_bytes: usize,
    /// The beginning of a record whose rest was not read yet.
    carry: Vec<u8>,
    /// Bytes that the record in `carry` has, as far as is known.
    wanted: usize,
    /// Where `carry` begins, counted after decompression.
    offset: u64,
    frames: u64,
    /// Of a regular file, when it was opened.
    size: Option<u64>,
    finished: bool,
}

/// Why reading stopped, in front of the judgement of what is left over.
enum End {
    /// There is more.
    Open,
    /// All bytes were read.
    Eof,
    Failed(ReadError),
}

impl Reader {
    /// Opens what `input` names; a folder cannot be read so.
    ///
    /// # Errors
    /// When it is not there or may not be read.
    pub fn open(input: &Input) -> Result<Self, CaptureError> {
        let unreadable = |source| CaptureError::Unreadable { input: input.clone(), source };
        let path = match input {
            Input::Stdin => return Self::new(input.clone(), super::content::stdin()),
            Input::Path(path) => path,
        };
        let file = File::open(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => CaptureError::NoSuchFile { path: path.clone() },
            _ => unreadable(source),
        })?;
        let metadata = file.metadata().map_err(unreadable)?;
        let mut reader = Self::new(input.clone(), Box::new(file))?;
        reader.size = metadata.is_file().then_some(metadata.len());
        Ok(reader)
    }

    /// Reads from anything, as from a pipe: a block ends where a call of `reader` does. `input` is what errors call it.
    ///
    /// # Errors
    /// When the first bytes cannot be read.
    pub fn new(input: Input, reader: Box<dyn Read + Send>) -> Result<Self, CaptureError> {
        let stream = match Stream::new(reader) {
            Ok(stream) => stream,
            Err(source) => return Err(CaptureError::Unreadable { input, source }),
        };
        Ok(Self {
            input,
            stream,
            parser: Parser::default(),
            block_bytes: BLOCK_BYTES,
            carry: Vec::new(),
            wanted: 0,
            offset: 0,
            frames: 0,
            size: None,
            finished: false,
        })
    }

    /// Reads so many bytes at a time instead of [`BLOCK_BYTES`].
    pub(super) fn set_block_bytes(&mut self, bytes: usize) {
        self.block_bytes = bytes;
    }

    /// The size of the regular file that is read, in bytes.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Bytes read so far as they are stored.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.stream.stored_bytes()
    }

    /// Puts what was left over at the start of the block; tells how much that is.
    fn start_block(&mut self, bytes: &mut Vec<u8>) -> usize {
        let length = self.block_bytes.max(self.wanted);
        for memory in [&mut *bytes, &mut self.carry] {
            if memory.capacity() > KEPT_BYTES && length <= KEPT_BYTES {
                memory.truncate(length);
                memory.shrink_to(length);
            }
        }
        // Not cleared first: what is overwritten anyway need not be zeroed.
        bytes.resize(length, 0);
        let filled = self.carry.len();
        if let Some(start) = bytes.get_mut(..filled) {
            start.copy_from_slice(&self.carry);
        }
        self.carry.clear();
        filled
    }

    /// Fills the block. From a pipe only what one call gives, so that frames do not wait for others.
    fn read(&mut self, bytes: &mut [u8], filled: &mut usize) -> End {
        while let Some(room) = bytes.get_mut(*filled..).filter(|room| !room.is_empty()) {
            match self.stream.read(room) {
                Ok(0) => return End::Eof,
                Ok(n) => *filled += n,
                Err(error) => return End::Failed(error),
            }
            if self.size.is_none() {
                break;
            }
        }
        End::Open
    }

    /// Judges what stopped the reading; `left` is what was read and not understood.
    fn finish(&mut self, end: End, stop: Stop, left: &[u8]) -> Result<bool, CaptureError> {
        if let (End::Open, Stop::Wants(wanted)) = (&end, &stop) {
            self.carry.extend_from_slice(left);
            self.wanted = *wanted;
            return Ok(true);
        }
        self.finished = true;
        let (place, input, compression) = (self.place(), self.input.clone(), self.stream.compression());
        let (had, stored) = (left.len() as u64, self.stored_bytes());
        Err(match (stop, end) {
            (Stop::Damage(damage), _) => CaptureError::Damaged { place, damage },
            (Stop::Foreign, _) => {
                CaptureError::NotACapture { input, seen: left.iter().take(MAGIC_BYTES).copied().collect(), compression }
            }
            (_, End::Failed(ReadError::Io(source))) => CaptureError::Unreadable { input, source },
            (_, End::Failed(ReadError::Cut)) => CaptureError::CutCompression { place },
            (_, End::Failed(ReadError::Corrupt(reason))) => CaptureError::Compression { place, reason },
            (Stop::Wants(wanted), _) => match self.size {
                Some(size) if size > stored && compression.is_none() => CaptureError::Shrank { place, wanted: size, had: stored },
                _ if had > 0 => CaptureError::Truncated { place, wanted: wanted as u64, had },
                _ if self.offset == 0 => CaptureError::Empty { input, compression },
                _ => return Ok(false),
            },
        })
    }

    fn place(&self) -> Place {
        let compression = self.stream.compression();
        Place { input: self.input.clone(), record: self.frames + 1, offset: self.offset, compression }
    }
}

impl Source for Reader {
    /// `Ok(true)` comes with at least one frame.
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.frames.clear();
        if self.finished {
            block.bytes.clear();
            return Ok(false);
        }
        let mut filled = self.start_block(&mut block.bytes);
        let mut pos = 0;
        let (end, stop) = loop {
            let end = self.read(&mut block.bytes, &mut filled);
            // What lies behind `filled` is from an earlier use of the block.
            let bytes = block.bytes.get(..filled).unwrap_or_default();
            let parsed = self.parser.parse(bytes, pos, &mut block.frames);
            pos = parsed.pos;
            match parsed.stop {
                Stop::Wants(wanted) if matches!(end, End::Open) && block.frames.is_empty() => {
                    self.offset += pos as u64;
                    make_room(&mut block.bytes, pos, &mut filled, wanted);
                    pos = 0;
                }
                stop => break (end, stop),
            }
        };
        block.bytes.truncate(filled);
        self.offset += pos as u64;
        self.frames += block.frames.len() as u64;
        self.finish(end, stop, block.bytes.get(pos..).unwrap_or_default())
    }

    fn progress(&self) -> Option<(u64, u64)> {
        self.size.map(|size| (self.stored_bytes().min(size), size))
    }
}

/// Moves what was not understood to the front and makes the block long enough for the record there.
fn make_room(bytes: &mut Vec<u8>, pos: usize, filled: &mut usize, wanted: usize) {
    bytes.copy_within(pos..*filled, 0);
    *filled -= pos;
    if wanted > bytes.len() {
        bytes.resize(wanted, 0);
    }
}

//! Decompression that loses nothing: what was decompressed before the damage is given out before the error.

use std::io;

use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{self, InBuffer, Operation, OutBuffer};

use super::magic::Compression;
use super::stream::{Raw, ReadError};

const INPUT_BYTES: usize = 64 << 10;
const GZIP_WINDOW_BITS: u8 = 15;
/// Bytes of a zstd block header (RFC 8878, 3.1.1.2).
const ZSTD_BLOCK_HEADER_BYTES: usize = 3;

/// Decompresses a stream of members or frames, one behind the other.
pub(super) struct Inflate {
    codec: Codec,
    input: Box<[u8]>,
    start: usize,
    end: usize,
    /// Is the position inside a member, so that the data may not end here?
    inside: bool,
    /// Kept back because there was output in front of it.
    failed: Option<ReadError>,
}

enum Codec {
    Gzip(Box<Decompress>),
    Zstd {
        decoder: raw::Decoder<'static>,
        /// Input that the next call may have.
        feed: usize,
    },
}

/// What one call of a decompressor did.
struct Step {
    taken: usize,
    given: usize,
    /// Was this the end of a member?
    ended: bool,
    error: Option<String>,
}

impl Inflate {
    pub(super) fn new(compression: Compression) -> io::Result<Self> {
        let codec = match compression {
            Compression::Gzip => Codec::Gzip(Box::new(Decompress::new_gzip(GZIP_WINDOW_BITS))),
            Compression::Zstd => Codec::Zstd { decoder: raw::Decoder::new()?, feed: 0 },
        };
        Ok(Self { codec, input: vec![0; INPUT_BYTES].into(), start: 0, end: 0, inside: false, failed: None })
    }

    /// Fills the beginning of `out`, which is not empty; `Ok(0)` at the end of the data.
    pub(super) fn read(&mut self, raw: &mut Raw, out: &mut [u8]) -> Result<usize, ReadError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        loop {
            let mut at_end = false;
            if self.start == self.end {
                self.start = 0;
                self.end = raw.read(&mut self.input).map_err(ReadError::Io)?;
                at_end = self.end == 0;
                if at_end && !self.inside {
                    return Ok(0);
                }
            }
            let input = self.input.get(self.start..self.end).unwrap_or_default();
            let step = self.codec.step(input, out);
            self.start += step.taken;
            self.inside = !step.ended && (self.inside || step.taken > 0);
            let error = step.error.map(ReadError::Corrupt);
            match error {
                Some(error) if step.given == 0 => return Err(error),
                error => self.failed = error,
            }
            if step.given > 0 {
                return Ok(step.given);
            }
            if at_end {
                return Err(ReadError::Cut);
            }
        }
    }
}

impl Codec {
    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Step {
        match self {
            Self::Gzip(decompress) => {
                let (taken, given) = (decompress.total_in(), decompress.total_out());
                let result = decompress.decompress(input, out, FlushDecompress::None);
                let taken = (decompress.total_in() - taken) as usize;
                let given = (decompress.total_out() - given) as usize;
                let ended = matches!(result, Ok(Status::StreamEnd));
                if ended {
                    **decompress = Decompress::new_gzip(GZIP_WINDOW_BITS);
                }
                Step { taken, given, ended, error: result.err().map(|error| error.to_string()) }
            }
            Self::Zstd { decoder, feed } => zstd_step(decoder, feed, input, out),
        }
    }
}

/// A call that fails does not say what it decompressed before, so each is fed so little that it can either give output or
/// meet the next block, not both.
fn zstd_step(decoder: &mut raw::Decoder<'static>, feed: &mut usize, input: &[u8], out: &mut [u8]) -> Step {
    let fed = input.get(..*feed).unwrap_or(input);
    let mut from = InBuffer::around(fed);
    let mut to = OutBuffer::around(out);
    let result = decoder.run(&mut from, &mut to);
    let (taken, given) = (from.pos(), to.pos());
    let full = given == to.capacity();
    match result {
        Ok(wants) => {
            *feed = if full { 0 } else { wants.saturating_sub(ZSTD_BLOCK_HEADER_BYTES).max(1) };
            Step { taken, given, ended: wants == 0, error: None }
        }
        Err(error) => Step { taken: 0, given: 0, ended: false, error: Some(error.to_string()) },
    }
}

//! How messages and checkpoints are written: what it is in four letters, the form's version in two bytes, little endian, and postcard in a
//! zstd frame.

use std::cell::RefCell;
use std::io::{self, Read as _};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zstd::bulk::Compressor;
use zstd::stream::Decoder;
use zstd::zstd_safe::DCtx;

use super::FormError;

/// Bytes of a message, as it came and unpacked, at the most.
pub const MOST_BYTES: usize = 1 << 20;
const MOST_UNPACKED_BYTES: usize = 8 << 20;
const HEAD_BYTES: usize = 6;
const ZSTD_LEVEL: i32 = 3;

thread_local! {
    // Messages are small and many, and to make what packs and unpacks them takes longer than to do it.
    static PACKING: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKING: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

fn packed(plain: &[u8]) -> io::Result<Vec<u8>> {
    PACKING.with_borrow_mut(|kept| {
        let packing = match kept {
            Some(packing) => packing,
            None => kept.insert(Compressor::new(ZSTD_LEVEL)?),
        };
        packing.compress(plain)
    })
}

/// So many bytes at the most of what was packed.
fn unpacked(packed: &[u8], most: u64) -> io::Result<Vec<u8>> {
    UNPACKING.with_borrow_mut(|context| {
        let mut plain = Vec::new();
        Decoder::with_context(packed, context).take(most).read_to_end(&mut plain)?;
        Ok(plain)
    })
}

/// A kind of message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope {
    /// What it is.
    pub magic: [u8; 4],
    /// To be raised with every change of a type that crosses.
    pub version: u16,
    /// Bytes at the most, packed.
    pub most_bytes: usize,
    /// The same, unpacked.
    pub most_unpacked_bytes: usize,
}

impl Envelope {
    /// One of a message that a server carries.
    pub const fn of_message(magic: [u8; 4], version: u16) -> Self {
        Self { magic, version, most_bytes: MOST_BYTES, most_unpacked_bytes: MOST_UNPACKED_BYTES }
    }

    /// Writes.
    ///
    /// # Errors
    /// When it is too much.
    pub fn write(&self, content: &impl Serialize) -> Result<Vec<u8>, FormError> {
        let plain = postcard::to_stdvec(content).map_err(|error| FormError::Damaged(error.to_string()))?;
        if plain.len() > self.most_unpacked_bytes {
            return Err(FormError::TooLong { bytes: plain.len(), most: self.most_unpacked_bytes });
        }
        let packed = packed(&plain).map_err(|error| FormError::Damaged(error.to_string()))?;
        if HEAD_BYTES + packed.len() > self.most_bytes {
            return Err(FormError::TooLong { bytes: HEAD_BYTES + packed.len(), most: self.most_bytes });
        }
        Ok([&self.magic[..], &self.version.to_le_bytes(), &packed].concat())
    }

    /// Reads, within bounds however it was packed.
    ///
    /// # Errors
    /// Says what it is instead: something else, another version, cut or damaged.
    pub fn read<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, FormError> {
        let Some((head, packed)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return Err(FormError::Foreign) };
        let [m0, m1, m2, m3, low, high] = *head;
        if [m0, m1, m2, m3] != self.magic {
            return Err(FormError::Foreign);
        }
        let got = u16::from_le_bytes([low, high]);
        if got != self.version {
            return Err(FormError::Version { got, wanted: self.version });
        }
        if bytes.len() > self.most_bytes {
            return Err(FormError::TooLong { bytes: bytes.len(), most: self.most_bytes });
        }
        let damaged = |error: String| FormError::Damaged(error);
        let plain = unpacked(packed, self.most_unpacked_bytes as u64 + 1).map_err(|error| damaged(error.to_string()))?;
        if plain.len() > self.most_unpacked_bytes {
            return Err(damaged(format!("more than {} bytes unpacked", self.most_unpacked_bytes)));
        }
        let (content, rest) = postcard::take_from_bytes(&plain).map_err(|error| damaged(error.to_string()))?;
        if !rest.is_empty() {
            return Err(damaged(format!("{} bytes behind its end", rest.len())));
        }
        Ok(content)
    }
}

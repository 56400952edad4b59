//! A buffer of frames and what fills it.

use core::ops::Range;

use super::{CaptureError, InterfaceAccount};
use crate::time::Timestamp;
use crate::wire::{Frame, LinkType};

/// A frame's place in a [`Block`] and what the file said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameSpan {
    /// When it was captured.
    pub time: Timestamp,
    /// What its first header is.
    pub link: LinkType,
    /// Bytes that it had on the wire.
    pub wire_bytes: u32,
    /// Where its captured bytes lie in the block.
    pub bytes: Range<u32>,
}

/// Frames read in one go. Recycled: [`Block::clear`] keeps what was allocated.
#[derive(Debug, Default)]
pub struct Block {
    /// Raw bytes as they were read.
    pub bytes: Vec<u8>,
    /// The frames in them, in the order of the capture.
    pub frames: Vec<FrameSpan>,
}

impl Block {
    /// Forgets the frames, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
    }

    /// The frame at `span`.
    #[must_use]
    pub fn frame(&self, span: &FrameSpan) -> Frame<'_> {
        let data = self.bytes.get(span.bytes.start as usize..span.bytes.end as usize).unwrap_or_default();
        Frame { time: span.time, link: span.link, wire_bytes: span.wire_bytes, data }
    }
}

/// What frames can be read from.
pub trait Source: Send {
    /// Replaces what `block` held by the next frames, in capture order; clearing it first only costs time. `Ok(true)`: there may be more (a live source
    /// returns an empty block when nothing came for a while). `Ok(false)`: this was the last; the block may still hold
    /// frames.
    ///
    /// # Errors
    /// What went wrong and where. The block holds what was read before the damage. After an error a source is finished
    /// unless it reads several files: then it goes on with the next one at the next call, and ends with `Ok(false)`.
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError>;

    /// How far it is, for a progress bar: (bytes read, bytes in all), where known.
    fn progress(&self) -> Option<(u64, u64)> {
        None
    }

    /// Replaces what `block` held by frames that were read and held back: nobody will ask for more. None by default.
    fn rest(&mut self, block: &mut Block) {
        block.clear();
    }

    /// What became of the frames of each interface so far; nothing for files.
    fn interfaces(&mut self) -> Vec<InterfaceAccount> {
        Vec::new()
    }
}

//! Frames that were read from a ring and wait for older ones of another.

use std::collections::VecDeque;

use super::live::MAX_FRAMES;
use super::reader::BLOCK_BYTES;
use super::{Block, FrameSpan};
use crate::time::Timestamp;

/// Blocks that are kept for what is read next.
const SPARE: usize = 4;

/// Blocks of frames in the order of their coming; of the first one some may have been given out.
#[derive(Debug, Default)]
pub(super) struct Held {
    blocks: VecDeque<Block>,
    /// Frames of the first block that were given out.
    given: usize,
    frames: usize,
    bytes: usize,
    spare: Vec<Block>,
}

impl Held {
    /// Holds these frames behind those before them.
    pub(super) fn push(&mut self, block: Block) {
        if block.frames.is_empty() {
            return self.keep(block);
        }
        self.frames += block.frames.len();
        self.bytes += block.bytes.len();
        self.blocks.push_back(block);
    }

    /// A block to read into.
    pub(super) fn spare(&mut self) -> Block {
        let mut block = self.spare.pop().unwrap_or_default();
        block.clear();
        block
    }

    fn keep(&mut self, block: Block) {
        if self.spare.len() < SPARE {
            self.spare.push(block);
        }
    }

    /// There is no room for more.
    pub(super) fn is_full(&self) -> bool {
        self.frames >= MAX_FRAMES || self.bytes >= BLOCK_BYTES
    }

    /// When the next frame was captured.
    pub(super) fn first(&self) -> Option<Timestamp> {
        Some(self.blocks.front()?.frames.get(self.given)?.time)
    }

    /// When the last frame was captured.
    pub(super) fn last(&self) -> Option<Timestamp> {
        Some(self.blocks.back()?.frames.last()?.time)
    }

    /// The latest time of a frame: behind a clock that was set back older frames stand after newer ones.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.blocks.iter().flat_map(|block| &block.frames).map(|frame| frame.time).max()
    }

    /// Gives the next frame out.
    pub(super) fn give(&mut self, out: &mut Block) {
        let Some(block) = self.blocks.front() else { return };
        let Some(span) = block.frames.get(self.given) else { return };
        let start = out.bytes.len() as u32;
        out.bytes.extend_from_slice(block.frame(span).data);
        out.frames.push(FrameSpan { bytes: start..out.bytes.len() as u32, ..span.clone() });
        self.given += 1;
        if self.given == block.frames.len() {
            self.drop_first();
        }
    }

    /// Gives all frames of the first block out, in place of what `out` held.
    pub(super) fn give_block(&mut self, out: &mut Block) {
        if self.given > 0 {
            let (first, count) = (self.given, self.blocks.front().map_or(0, |block| block.frames.len()));
            return (first..count).for_each(|_| self.give(out));
        }
        if let Some(block) = self.blocks.front_mut() {
            core::mem::swap(block, out);
            self.frames -= out.frames.len();
            self.bytes -= out.bytes.len();
            if let Some(block) = self.blocks.pop_front() {
                self.keep(block);
            }
        }
    }

    fn drop_first(&mut self) {
        self.given = 0;
        if let Some(block) = self.blocks.pop_front() {
            self.frames -= block.frames.len();
            self.bytes -= block.bytes.len();
            self.keep(block);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::wire::LinkType;

    /// A block with frames of these times in milliseconds, each with its time as its one byte.
    pub(in crate::capture) fn block(times: &[u8]) -> Block {
        let mut block = Block::default();
        for (place, &time) in (0..).zip(times) {
            block.bytes.push(time);
            let (time, bytes) = (Timestamp::from_nanos(i64::from(time) * 1_000_000), place..place + 1);
            block.frames.push(FrameSpan { time, link: LinkType::ETHERNET, wire_bytes: 1, bytes });
        }
        block
    }

    #[test]
    fn frames_come_out_as_they_went_in_one_by_one_or_as_blocks() {
        let mut held = Held::default();
        for times in [&[1, 2, 3][..], &[], &[4], &[5, 6]] {
            held.push(block(times));
        }
        let mut out = Block::default();
        held.give(&mut out);
        held.give_block(&mut out);
        assert_eq!(out.bytes, [1, 2, 3]);
        held.give(&mut out);
        assert_eq!((out.bytes.as_slice(), held.first()), (&[1, 2, 3, 4][..], Some(block(&[5]).frames[0].time)));
        held.give_block(&mut out);
        assert_eq!((out.bytes.as_slice(), held.first(), held.frames, held.bytes), (&[5, 6][..], None, 0, 0));
        assert!(held.spare.len() <= SPARE);
    }

    #[test]
    fn it_is_full_when_a_block_would_be() {
        let mut held = Held::default();
        held.push(block(&[1; MAX_FRAMES - 1]));
        assert!(!held.is_full());
        held.push(block(&[9, 2]));
        assert!(held.is_full());
        assert_eq!((held.latest(), held.last()), (Some(block(&[9]).frames[0].time), Some(block(&[2]).frames[0].time)));
    }
}

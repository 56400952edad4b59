//! Several captures as one, in the order of time.

use core::mem;
use std::collections::VecDeque;

use super::error::CaptureError;
use super::files::CaptureFile;
use super::reader::{BLOCK_BYTES, Reader};
use super::{Block, FrameSpan, Input, Source};
use crate::time::Timestamp;

/// Captures that may be open at once.
pub const MAX_OPEN: usize = 64;

/// Frames of a block that was merged.
const MAX_MERGED_FRAMES: usize = 16_384;

/// A frame's place in the order of all: its time, then the rank of its capture.
type Key = (Timestamp, usize);

/// A capture that is not read yet.
pub(super) struct Waiting {
    input: Input,
    bytes: Option<u64>,
    first: Option<Timestamp>,
    rank: usize,
    /// Of what cannot be opened again.
    opened: Option<Active>,
}

impl Waiting {
    /// To be opened at its turn.
    pub(super) fn closed(input: Input, bytes: u64, first: Option<Timestamp>, rank: usize) -> Self {
        Self { input, bytes: Some(bytes), first, rank, opened: None }
    }

    /// Open already.
    pub(super) fn opened(input: Input, reader: Reader, rank: usize) -> Self {
        let bytes = reader.size();
        Self { input, bytes, first: None, rank, opened: Some(Active::new(reader, Block::default(), rank)) }
    }

    /// Its first frames were read, and perhaps an error behind them.
    pub(super) fn begun(mut self, block: Block, failed: Option<CaptureError>) -> Self {
        self.first = block.frames.first().map(|frame| frame.time);
        if let Some(active) = &mut self.opened {
            (active.block, active.failed) = (block, failed);
        }
        self
    }

    /// Where it comes in; first of all, where no packet was seen.
    pub(super) fn key(&self) -> Key {
        (self.first.unwrap_or(Timestamp::MIN), self.rank)
    }

    /// For the list of captures.
    pub(super) fn describe(&self) -> CaptureFile {
        CaptureFile { input: self.input.clone(), bytes: self.bytes, first: self.first }
    }
}

/// A capture that is being read.
struct Active {
    reader: Reader,
    block: Block,
    /// The first frame of the block that was not given out.
    next: usize,
    rank: usize,
    /// Kept back until the frames in front of it were given out.
    failed: Option<CaptureError>,
}

impl Active {
    fn new(reader: Reader, block: Block, rank: usize) -> Self {
        Self { reader, block, next: 0, rank, failed: None }
    }

    fn key(&self) -> Option<Key> {
        self.block.frames.get(self.next).map(|frame| (frame.time, self.rank))
    }

    /// Reads on when all frames were given out. `Ok(false)` when there are no more.
    fn ready(&mut self) -> Result<bool, CaptureError> {
        if self.key().is_some() {
            return Ok(true);
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.next = 0;
        let result = self.reader.fill(&mut self.block);
        let any = !self.block.frames.is_empty();
        match result {
            Err(error) if any => self.failed = Some(error),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        Ok(any)
    }

    /// The latest time in what was not given out.
    fn latest(&self) -> Option<Timestamp> {
        self.block.frames.get(self.next..)?.iter().map(|frame| frame.time).max()
    }

    /// Gives out a whole block without copying it, and takes the other's memory in exchange.
    fn pass(&mut self, out: &mut Block) -> Result<bool, CaptureError> {
        mem::swap(out, &mut self.block);
        out.frames.drain(..self.next);
        self.next = 0;
        self.block.frames.clear();
        self.failed.take().map_or(Ok(true), Err)
    }

    /// Copies frames until `limit` comes before them, the block ends or `out` is full.
    fn copy(&mut self, limit: Option<Key>, out: &mut Block) {
        while let Some(span) = self.block.frames.get(self.next)
            && limit.is_none_or(|limit| (span.time, self.rank) < limit)
            && !is_full(out)
        {
            let start = out.bytes.len() as u32;
            out.bytes.extend_from_slice(self.block.frame(span).data);
            let bytes = start..out.bytes.len() as u32;
            out.frames.push(FrameSpan { bytes, ..span.clone() });
            self.next += 1;
        }
    }
}

fn is_full(block: &Block) -> bool {
    block.bytes.len() >= BLOCK_BYTES || block.frames.len() >= MAX_MERGED_FRAMES
}

/// Gives frames out in the order of their keys.
pub(super) struct Merge {
    waiting: VecDeque<Waiting>,
    active: Vec<Active>,
    /// The memory of a capture that is done with, for the next one.
    spare: Block,
    /// Stored bytes of the captures that are done with.
    done_bytes: u64,
}

impl Merge {
    /// `waiting` is sorted by [`Waiting::key`].
    pub(super) fn new(waiting: Vec<Waiting>) -> Self {
        Self { waiting: waiting.into(), active: Vec::new(), spare: Block::default(), done_bytes: 0 }
    }

    /// Bytes read so far as they are stored; of a capture that is done with, all.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.active.iter().fold(self.done_bytes, |sum, active| sum + active.reader.stored_bytes())
    }

    /// As [`super::Source::fill`].
    pub(super) fn fill(&mut self, out: &mut Block) -> Result<bool, CaptureError> {
        out.frames.clear();
        let mut merging = false;
        loop {
            self.read_on()?;
            if self.open_due()? {
                continue;
            }
            let limit = self.waiting.front().map(Waiting::key);
            match self.active.as_mut_slice() {
                [] => {
                    out.clear();
                    return Ok(false);
                }
                [only] if limit.is_none_or(|(time, _)| only.latest().is_none_or(|latest| latest < time)) => {
                    return if merging { Ok(true) } else { only.pass(out) };
                }
                _ => {}
            }
            if !merging {
                out.bytes.clear();
                merging = true;
            }
            self.merge_run(limit, out);
            if is_full(out) {
                return Ok(true);
            }
        }
    }

    /// Sees to it that every capture that is being read has a frame to give, and lets go of those that have none left.
    fn read_on(&mut self) -> Result<(), CaptureError> {
        let mut at = 0;
        while let Some(active) = self.active.get_mut(at) {
            if active.ready()? {
                at += 1;
                continue;
            }
            let done = self.active.remove(at);
            self.done_bytes += done.reader.size().unwrap_or_else(|| done.reader.stored_bytes());
            self.spare = done.block;
        }
        Ok(())
    }

    /// Opens the next capture if its first frame is next, or if nothing else is open.
    fn open_due(&mut self) -> Result<bool, CaptureError> {
        let head = self.active.iter().filter_map(Active::key).min();
        let due = self.waiting.front().is_some_and(|waiting| head.is_none_or(|head| waiting.key() < head));
        let Some(waiting) = due.then(|| self.waiting.pop_front()).flatten() else { return Ok(false) };
        if self.active.len() == MAX_OPEN {
            self.done_bytes += waiting.bytes.unwrap_or_default();
            return Err(CaptureError::TooManyAtOnce { input: waiting.input, limit: MAX_OPEN });
        }
        let mut active = match waiting.opened {
            Some(active) => active,
            None => Active::new(Reader::open(&waiting.input)?, mem::take(&mut self.spare), waiting.rank),
        };
        active.reader.set_block_bytes(BLOCK_BYTES);
        self.active.push(active);
        Ok(true)
    }

    /// Copies the run of frames of one capture that comes before all others.
    fn merge_run(&mut self, waiting: Option<Key>, out: &mut Block) {
        let keys = self.active.iter().enumerate().filter_map(|(at, active)| Some((active.key()?, at)));
        let Some((_, lead)) = keys.clone().min() else { return };
        let others = keys.filter(|(_, at)| *at != lead).map(|(key, _)| key);
        let limit = others.chain(waiting).min();
        if let Some(active) = self.active.get_mut(lead) {
            active.copy(limit, out);
        }
    }
}

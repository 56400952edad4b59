//! A source with faults, for tests: what a bad link or a bad tap does to a capture.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use super::{Block, CaptureError, FrameSpan, Source};

/// How often each fault befalls a frame: probabilities from 0 (never, the default) to 1 (always).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// It is lost.
    pub drop: f64,
    /// It is cut at a random place; its length on the wire stays.
    pub truncate: f64,
    /// One random bit of it is flipped.
    pub flip: f64,
    /// It comes twice.
    pub duplicate: f64,
    /// It changes places with the one before it.
    pub reorder: f64,
}

/// Wraps a source and does [`Faults`] to its frames. The same seed and the same frames give the same faults, however the
/// frames are cut into blocks, except that frames never change places across blocks.
#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    faults: Faults,
    random: Xoshiro256PlusPlus,
    spans: Vec<FrameSpan>,
}

impl<S: Source> Faulty<S> {
    /// Faults on top of `inner`.
    pub fn new(inner: S, faults: Faults, seed: u64) -> Self {
        Self { inner, faults, random: Xoshiro256PlusPlus::seed_from_u64(seed), spans: Vec::new() }
    }

    fn happens(&mut self, probability: f64) -> bool {
        // 53 bits are a double's precision.
        ((self.random.next_u64() >> 11) as f64) < probability * (1_u64 << 53) as f64
    }

    fn befall(&mut self, mut span: FrameSpan, bytes: &mut [u8]) {
        // Every die is cast for every frame, so that one probability does not shift the others' course.
        let drop = self.happens(self.faults.drop);
        let truncate = self.happens(self.faults.truncate);
        let flip = self.happens(self.faults.flip);
        let duplicate = self.happens(self.faults.duplicate);
        let reorder = self.happens(self.faults.reorder);
        let (cut, bit) = (self.random.next_u32(), self.random.next_u32());
        if drop {
            return;
        }
        let length = span.bytes.end - span.bytes.start;
        if truncate && length > 0 {
            span.bytes.end = span.bytes.start + cut % length;
        }
        let hit = span.bytes.start + (bit >> 3) % (span.bytes.end - span.bytes.start).max(1);
        if flip
            && !span.bytes.is_empty()
            && let Some(byte) = bytes.get_mut(hit as usize)
        {
            *byte ^= 1 << (bit & 7);
        }
        if duplicate {
            self.spans.push(span.clone());
        }
        self.spans.push(span);
        let count = self.spans.len();
        if reorder && count > 1 {
            self.spans.swap(count - 2, count - 1);
        }
    }
}

impl<S: Source> Source for Faulty<S> {
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        let result = self.inner.fill(block);
        self.spans.clear();
        let mut frames = core::mem::take(&mut block.frames);
        for span in frames.drain(..) {
            self.befall(span, &mut block.bytes);
        }
        frames.append(&mut self.spans);
        block.frames = frames;
        result
    }

    fn progress(&self) -> Option<(u64, u64)> {
        self.inner.progress()
    }
}

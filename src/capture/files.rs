//! Capture files, pipes and folders of them as one source, in the order of time.

use super::error::CaptureError;
use super::folder::{Candidate, Folder, expand};
use super::merge::{Merge, Waiting};
use super::reader::Reader;
use super::{Block, Input, Source};
use crate::time::Timestamp;

/// Bytes that are read of a file to find its first packet.
const PROBE_BYTES: usize = 64 << 10;

/// A capture that is read, or will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureFile {
    /// Its name.
    pub input: Input,
    /// Its size in bytes as it is stored; `None` for a pipe.
    pub bytes: Option<u64>,
    /// When its first packet was captured. `None` where there is no packet, and where nobody looked because it is the only
    /// input.
    pub first: Option<Timestamp>,
}

/// Captures from files, folders and standard input. See [`open`].
pub struct Files {
    files: Vec<CaptureFile>,
    ignored: usize,
    merge: Merge,
}

/// Opens captures: pcap (µs, ns and Kuznetzov's, either byte order) and pcapng, plain or compressed with gzip or zstd, told
/// apart by their first bytes.
///
/// A folder stands for those files in it and in its subfolders (no deeper) that begin as a capture does; its other files
/// are passed over. A file that is named twice is read once. With more than one file, the first packet of each is looked at
/// here, and frames come in the order of time: files that do not overlap one after the other, others merged frame by frame,
/// of equal times the one that was named first. Times within one file are left in its own order. At most 64 files are open
/// at once; a file that overlaps with 64 others is left out with an error. Each takes about 256 KiB, more for long records
/// (up to 16 MiB), and the window of its compression: 32 KiB for gzip, 128 MiB at most for zstd, 8 MiB up to level 19.
///
/// # Errors
/// When something named is not there or may not be read, or when a folder holds no capture. What is wrong inside a file is
/// told by [`Source::fill`], once, and the other files are read on.
pub fn open(inputs: &[Input]) -> Result<Files, CaptureError> {
    let all = expand(inputs)?;
    let mut found = Found { folders: all.folders, ..Found::default() };
    match all.candidates.as_slice() {
        [Candidate { input, folder: None }] => found.only(input)?,
        candidates => candidates.iter().try_for_each(|candidate| found.look(candidate))?,
    }
    found.finish()
}

impl Files {
    /// The captures, in the order in which they are begun.
    #[must_use]
    pub fn files(&self) -> &[CaptureFile] {
        &self.files
    }

    /// Files in folders that were passed over since they are no captures.
    #[must_use]
    pub fn ignored(&self) -> usize {
        self.ignored
    }
}

impl Source for Files {
    fn fill(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        self.merge.fill(block)
    }

    fn progress(&self) -> Option<(u64, u64)> {
        let total = self.files.iter().map(|file| file.bytes).sum::<Option<u64>>()?;
        Some((self.merge.stored_bytes().min(total), total))
    }
}

/// What was found so far.
#[derive(Default)]
struct Found {
    waiting: Vec<Waiting>,
    folders: Vec<Folder>,
    ignored: usize,
    block: Block,
}

impl Found {
    /// A single input needs no order, so nothing but its magic is read here.
    fn only(&mut self, input: &Input) -> Result<(), CaptureError> {
        self.waiting.push(Waiting::opened(input.clone(), Reader::open(input)?, 0));
        Ok(())
    }

    /// Reads up to the first packet.
    fn look(&mut self, candidate: &Candidate) -> Result<(), CaptureError> {
        let (input, rank) = (candidate.input.clone(), self.waiting.len());
        let mut folder = candidate.folder.and_then(|number| self.folders.get_mut(number));
        let mut reader = match (Reader::open(&input), &mut folder) {
            (Ok(reader), _) => reader,
            (Err(error), None) => return Err(error),
            // Told when its turn comes, so that the others are read.
            (Err(_), Some(folder)) => {
                folder.captures += 1;
                self.waiting.push(Waiting::closed(input, 0, None, rank));
                return Ok(());
            }
        };
        reader.set_block_bytes(PROBE_BYTES);
        let result = reader.fill(&mut self.block);
        if let Some(folder) = folder {
            if matches!(result, Err(CaptureError::NotACapture { .. } | CaptureError::Empty { .. })) {
                self.ignored += 1;
                return Ok(());
            }
            folder.captures += 1;
        }
        let first = self.block.frames.first().map(|frame| frame.time);
        self.waiting.push(match reader.size() {
            Some(bytes) => Waiting::closed(input, bytes, first, rank),
            // A pipe cannot be opened again, so what was read is kept.
            None => Waiting::opened(input, reader, rank).begun(core::mem::take(&mut self.block), result.err()),
        });
        Ok(())
    }

    fn finish(mut self) -> Result<Files, CaptureError> {
        if let Some(folder) = self.folders.into_iter().find(|folder| folder.captures == 0) {
            return Err(CaptureError::NoCaptures { path: folder.path, files: folder.files });
        }
        self.waiting.sort_by_key(Waiting::key);
        let files = self.waiting.iter().map(Waiting::describe).collect();
        Ok(Files { files, ignored: self.ignored, merge: Merge::new(self.waiting) })
    }
}

//! Files of flow records as one stream, in the order of their first records.

use std::collections::VecDeque;

use super::account::RecordAccount;
use super::draft::Draft;
use super::error::RecordError;
use super::kind::RecordKind;
use super::reader::{BadLine, Reader};
use crate::capture::Input;
use crate::time::Timestamp;

/// Files that are open at the same time at the most.
pub const MAX_OPEN: usize = 64;

/// Flow records from files and standard input. See [`open`].
pub struct RecordFiles {
    inputs: Vec<Input>,
    kinds: Vec<RecordKind>,
    waiting: VecDeque<Waiting>,
    open: Vec<Open>,
    /// Bytes read of files that were read to their end.
    read_bytes: u64,
    size: Option<u64>,
    pub(super) account: RecordAccount,
    first_bad: Option<(Input, BadLine)>,
    pub(super) damage: Vec<RecordError>,
}

/// A file that is read when its time comes.
struct Waiting {
    first: Timestamp,
    input: Input,
    /// What cannot be opened again, already begun.
    begun: Option<Open>,
}

struct Open {
    reader: Reader,
    /// The next record; none when it was not looked for yet.
    head: Option<Box<Draft>>,
    /// Its place among the inputs.
    rank: usize,
}

/// Opens files of flow records, plain or compressed with gzip or zstd; the format of each is told by its content. Files are begun
/// in the order of the ends of their first records, and records of files that overlap in time are taken by the ends of those that
/// are next in each, of equal ends from the file that was named first. At most 64 files are open at once.
///
/// # Errors
/// When one cannot be opened, is a folder or a capture, or is nothing that can be read here.
pub fn open(inputs: &[Input]) -> Result<RecordFiles, RecordError> {
    let mut files = RecordFiles {
        inputs: inputs.to_vec(),
        kinds: Vec::new(),
        waiting: VecDeque::new(),
        open: Vec::new(),
        read_bytes: 0,
        size: Some(0),
        account: RecordAccount::default(),
        first_bad: None,
        damage: Vec::new(),
    };
    let mut waiting = Vec::new();
    for (rank, input) in inputs.iter().enumerate() {
        waiting.push((rank, files.look(rank, input)?));
    }
    waiting.sort_by_key(|(rank, file)| (file.first, *rank));
    files.waiting = waiting.into_iter().map(|(_, file)| file).collect();
    Ok(files)
}

impl RecordFiles {
    /// The files as they were named.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Kinds of the first records of the files.
    #[must_use]
    pub fn kinds(&self) -> &[RecordKind] {
        &self.kinds
    }

    /// Size of all files as they are stored; nothing when one is a pipe.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Bytes read, as they are stored.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.read_bytes + self.open.iter().map(|open| open.reader.stored_bytes()).sum::<u64>()
    }

    /// Reads up to the first record of a file.
    fn look(&mut self, rank: usize, input: &Input) -> Result<Waiting, RecordError> {
        let mut open = Open { reader: Reader::open(input)?, head: None, rank };
        let size = open.reader.size();
        self.size = self.size.zip(size).map(|(sum, size)| sum + size);
        let keeps = self.inputs.len() == 1 || size.is_none();
        // What is read again is counted then.
        let (mut account, mut first_bad, mut damage) = (RecordAccount::default(), None, Vec::new());
        open.advance(&mut account, &mut first_bad, &mut damage);
        let first = open.head.as_ref().map_or(Timestamp::MIN, |draft| draft.record.end);
        self.kinds.extend(open.head.as_ref().map(|draft| draft.kind));
        self.kinds.sort_unstable();
        self.kinds.dedup();
        if !keeps {
            return Ok(Waiting { first, input: input.clone(), begun: None });
        }
        self.account.lines += account.lines;
        self.account.unreadable += account.unreadable;
        for (kind, count) in account.skipped {
            *self.account.skipped.entry(kind).or_default() += count;
        }
        self.first_bad = self.first_bad.take().or(first_bad);
        self.damage.extend(damage);
        Ok(Waiting { first, input: input.clone(), begun: Some(open) })
    }

    /// The next record of the file whose next record ends first; `None` at the end of all.
    pub(super) fn next(&mut self) -> Option<Box<Draft>> {
        self.begin_what_is_due();
        let next = self.open.iter_mut().min_by_key(|open| (open.end(), open.rank))?;
        let draft = next.head.take();
        next.advance(&mut self.account, &mut self.first_bad, &mut self.damage);
        let read_bytes = &mut self.read_bytes;
        self.open.retain(|open| {
            *read_bytes += if open.head.is_none() { open.reader.stored_bytes() } else { 0 };
            open.head.is_some()
        });
        draft
    }

    /// Opens files whose first record is not behind the next of those that are open.
    fn begin_what_is_due(&mut self) {
        loop {
            let next = self.open.iter().map(Open::end).min();
            let is_due = self.waiting.front().is_some_and(|waiting| next.is_none_or(|next| waiting.first <= next));
            if !is_due {
                return;
            }
            let Some(waiting) = self.waiting.pop_front() else { return };
            let opened = match waiting.begun {
                Some(open) => Ok(open),
                None if self.open.len() >= MAX_OPEN => Err(RecordError::TooManyAtOnce { file: waiting.input, limit: MAX_OPEN }),
                None => {
                    let rank = self.inputs.iter().position(|input| *input == waiting.input).unwrap_or_default();
                    Reader::open(&waiting.input).map(|reader| Open { reader, head: None, rank })
                }
            };
            match opened {
                Ok(mut open) => {
                    if open.head.is_none() {
                        open.advance(&mut self.account, &mut self.first_bad, &mut self.damage);
                    }
                    if open.head.is_some() {
                        self.open.push(open);
                    }
                }
                Err(error) => self.damage.push(error),
            }
        }
    }

    /// What was wrong with all that was read, unreadable lines as one.
    pub(super) fn take_damage(&mut self) -> Vec<RecordError> {
        let mut damage = std::mem::take(&mut self.damage);
        if let Some((file, BadLine { line, wrong, is_cut })) = self.first_bad.take() {
            let more = self.account.unreadable.saturating_sub(1);
            damage.insert(0, RecordError::Bad { file, line, wrong, more, is_cut });
        }
        damage
    }
}

impl Open {
    /// The end of the next record.
    fn end(&self) -> Timestamp {
        self.head.as_ref().map_or(Timestamp::MAX, |draft| draft.record.end)
    }

    /// Looks for the next record.
    fn advance(&mut self, account: &mut RecordAccount, first_bad: &mut Option<(Input, BadLine)>, damage: &mut Vec<RecordError>) {
        let mut bad = None;
        let next = self.reader.next(account, &mut |line| _ = bad.get_or_insert(line));
        self.head = next.unwrap_or_else(|error| {
            damage.push(error);
            None
        });
        if let Some(bad) = bad {
            first_bad.get_or_insert_with(|| (self.reader.input().clone(), bad));
        }
    }
}

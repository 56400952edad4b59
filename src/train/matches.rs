//! What each observation resembles, kept from one pass over a spool to the next: finding it is half of the work of a pass.

use std::io::{BufReader, BufWriter, Read as _, Result, Seek as _, Write as _};
use std::path::Path;

use tempfile::SpooledTempFile;

use crate::model::Match;

/// Held in memory up to this length, then in a file without a name.
const MOST_IN_MEMORY_BYTES: usize = 16 << 20;
/// Length of a behaviour's number and of the distance from it.
const ENTRY_BYTES: usize = 6;

/// Matches in the order of their observations, 6 bytes each. They are written whole before they are read.
pub struct Matches {
    file: SpooledTempFile,
    is_whole: bool,
}

impl Matches {
    /// None yet; they go to this folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self { file: tempfile::spooled_tempfile_in(MOST_IN_MEMORY_BYTES, folder), is_whole: false }
    }

    /// Begins a pass: reads what was kept, or keeps what is found.
    pub fn pass(&mut self) -> Result<Pass<'_>> {
        self.file.rewind()?;
        Ok(if self.is_whole {
            Pass::Reading(BufReader::new(&mut self.file))
        } else {
            Pass::Writing(BufWriter::new(&mut self.file), &mut self.is_whole)
        })
    }
}

/// One pass over the observations.
pub enum Pass<'m> {
    Reading(BufReader<&'m mut SpooledTempFile>),
    Writing(BufWriter<&'m mut SpooledTempFile>, &'m mut bool),
}

impl Pass<'_> {
    /// That of the next observation, where it was kept.
    pub fn next(&mut self) -> Result<Option<Match>> {
        let Self::Reading(file) = self else { return Ok(None) };
        let mut entry = [0; ENTRY_BYTES];
        file.read_exact(&mut entry)?;
        let [a, b, ratio @ ..] = entry;
        Ok(Some(Match { behaviour: u16::from_le_bytes([a, b]), ratio: f32::from_le_bytes(ratio) }))
    }

    /// Keeps that of an observation, where it was not kept yet.
    pub fn keep(&mut self, found: Match) -> Result<()> {
        let Self::Writing(file, _) = self else { return Ok(()) };
        let ([a, b], [c, d, e, f]) = (found.behaviour.to_le_bytes(), found.ratio.to_le_bytes());
        file.write_all(&[a, b, c, d, e, f])
    }

    /// The pass is over, having met every observation.
    pub fn finish(self) -> Result<()> {
        if let Self::Writing(mut file, is_whole) = self {
            file.flush()?;
            *is_whole = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_in_its_order() {
        let mut matches = Matches::in_folder(Path::new("."));
        let all: Vec<Match> = (0..10_000_u16).map(|n| Match { behaviour: n, ratio: f32::from(n) / 7.0 }).collect();
        let mut pass = matches.pass().unwrap();
        for &found in &all {
            assert_eq!(pass.next().unwrap(), None);
            pass.keep(found).unwrap();
        }
        pass.finish().unwrap();
        for _ in 0..2 {
            let mut pass = matches.pass().unwrap();
            for &found in &all {
                assert_eq!(pass.next().unwrap(), Some(found));
            }
            assert!(pass.next().is_err(), "no more than were kept");
        }
    }
}

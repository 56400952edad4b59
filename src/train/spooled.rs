//! Learning from a spool.

use std::path::Path;

use super::matches::Matches;
use super::material::{Material, Note, Phase, Tally};
use super::spool::{Spool, SpoolError};
use super::together::TogetherError;
use crate::feature::Observation;
use crate::model::{ClusterError, Identities};

/// Why nothing was learned.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// There is too little to learn from.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// What is learned from cannot be written or read again.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Others who learn the same model cannot be learned with.
    #[error(transparent)]
    Together(#[from] TogetherError),
}

/// How far a phase is.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Which.
    pub phase: Phase,
    /// Bytes gone through.
    pub done: u64,
    /// Bytes to go through; none where that is not known.
    pub of: Option<u64>,
}

/// A spool to learn from. Memory: its block, and 16 MiB of what was found.
pub struct Spooled<'a> {
    spool: Spool,
    matches: Matches,
    identities: Identities,
    on_step: &'a mut dyn FnMut(Step),
}

impl<'a> Spooled<'a> {
    /// All of `spool`; what is found on the way goes to `folder`, in a file without a name. `on_step` is called with every block
    /// that was gone through.
    pub fn new(spool: Spool, folder: &Path, on_step: &'a mut dyn FnMut(Step)) -> Self {
        Self { spool, matches: Matches::in_folder(folder), identities: Identities::default(), on_step }
    }
}

impl Material for Spooled<'_> {
    type Error = TrainError;

    fn tally(&self) -> Tally {
        self.spool.tally()
    }

    fn each(&mut self, phase: Phase, take: &mut dyn FnMut(&Observation, &mut Note)) -> Result<(), TrainError> {
        let Self { spool, matches, identities, on_step } = self;
        let (of, mut told) = (Some(spool.bytes()), 0);
        let keeps = phase >= Phase::Baselines;
        let mut pass = matches.pass().map_err(|source| spool.failed("keeping what was found", source))?;
        spool.each(&mut |seen, done| {
            identities.apply(seen, |_| true);
            let mut note = Note { found: pass.next()?, assessment: None };
            take(seen, &mut note);
            note.found.map_or(Ok(()), |found| pass.keep(found))?;
            if done != told {
                told = done;
                on_step(Step { phase, done, of });
            }
            Ok(())
        })?;
        if keeps {
            pass.finish().map_err(|source| spool.failed("keeping what was found", source))?;
        }
        Ok(())
    }

    fn identify(&mut self, identities: &Identities) {
        self.identities = identities.clone();
    }
}

//! Several learn one model, each from flows of its own: what each counts adds, and all go on with the sum.
//!
//! Learning goes through its material five times or six, and what one time finds decides what the next looks for. So there are rounds:
//! in each, everybody tells what he counted and is told the sum of all. What crosses is counts, a sample of flows and the highest
//! scores, never all flows; and who learned from nothing ends with the same model as the others.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::lesson::Course;
use super::material::{Material, Note, Phase, Tally};
use super::spooled::TrainError;
use crate::feature::Observation;
use crate::model::{Identities, Order, Source};

/// What is counted in a round, and adds.
pub trait Statistic: Serialize + DeserializeOwned {
    /// The round, by a name that no other has.
    const ROUND: &'static str;

    /// Adds what another counted in the same round.
    fn join(&mut self, other: Self);
}

/// The rounds, in their order. The last is only where something is left out.
pub const ROUNDS: [&str; 6] = ["tally", "survey", "counts", "bits", "scores", "again"];

/// Why others could not be learned with.
#[derive(Debug, thiserror::Error)]
#[error("learning together: {0}")]
pub struct TogetherError(pub String);

/// Those who learn the same model.
pub trait Colleagues {
    /// Tells them what was counted here, and gives the sum of all.
    ///
    /// # Errors
    /// When they cannot be reached, or one of them does not answer.
    fn sum<S: Statistic>(&mut self, own: S) -> Result<S, TogetherError>;
}

/// What there is to learn from, before it is looked at.
#[derive(Serialize, Deserialize)]
struct Beginning {
    tally: Tally,
    sources: Vec<Source>,
    records: Vec<String>,
    home_nets: Vec<String>,
}

impl Statistic for Beginning {
    const ROUND: &'static str = ROUNDS[0];

    fn join(&mut self, other: Self) {
        let Tally { observations, flows, first, last } = other.tally;
        self.tally.observations += observations;
        self.tally.flows += flows;
        self.tally.first = self.tally.first.min(first);
        self.tally.last = self.tally.last.max(last);
        self.sources.extend(other.sources);
        for (mine, theirs) in [(&mut self.records, other.records), (&mut self.home_nets, other.home_nets)] {
            mine.extend(theirs);
            mine.sort_unstable();
            mine.dedup();
        }
    }
}

/// Material of one's own, learned from with others.
pub struct Together<'m, M, C> {
    material: &'m mut M,
    colleagues: &'m mut C,
    tally: Tally,
}

impl<'m, M: Material<Error = TrainError>, C: Colleagues> Together<'m, M, C> {
    /// Tells the others what this course has to learn from here, and hears what there is in all: the course for it.
    ///
    /// # Errors
    /// As [`Colleagues::sum`].
    pub fn begin(material: &'m mut M, colleagues: &'m mut C, course: Course) -> Result<(Self, Course), TrainError> {
        let Course { sources, records, home_nets, .. } = course;
        let Beginning { tally, sources, records, home_nets } =
            colleagues.sum(Beginning { tally: material.tally(), sources, records, home_nets })?;
        Ok((Self { material, colleagues, tally }, Course { sources, records, home_nets, ..course }))
    }
}

impl<M: Material<Error = TrainError>, C: Colleagues> Material for Together<'_, M, C> {
    type Error = TrainError;

    fn tally(&self) -> Tally {
        self.tally
    }

    fn each(&mut self, phase: Phase, take: &mut dyn FnMut(&Observation, &mut Note)) -> Result<(), TrainError> {
        self.material.each(phase, take)
    }

    fn identify(&mut self, identities: &Identities) {
        self.material.identify(identities);
    }

    fn order(&self) -> Order {
        self.material.order()
    }

    fn sum<S: Statistic>(&mut self, own: S) -> Result<S, TrainError> {
        Ok(self.colleagues.sum(own)?)
    }
}

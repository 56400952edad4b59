//! What is learned from: observations that can be gone through again and again.

use std::borrow::BorrowMut;

use serde::{Deserialize, Serialize};

use super::together::Statistic;
use crate::detect::Assessment;
use crate::feature::Observation;
use crate::model::{ClusterError, Identities, Match, Order};
use crate::time::Timestamp;

/// What is done while the input or the observations are gone through, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Reads captures or records.
    Reading,
    /// Draws the sample of flows that are clustered, and learns which addresses are one device.
    Behaviours,
    /// Counts what each device does.
    Baselines,
    /// Judges each part of the time by the others.
    Judging,
    /// Takes the highest scores.
    Calibrating,
    /// Counts what each device does again, without what was an attack by them. Only where there was one.
    LeavingOut,
}

impl Phase {
    /// All that there are each time.
    pub const ALL: [Self; 5] = [Self::Reading, Self::Behaviours, Self::Baselines, Self::Judging, Self::Calibrating];

    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Behaviours => "finding behaviours",
            Self::Baselines => "learning baselines",
            Self::Judging => "judging held-out time",
            Self::Calibrating => "calibrating",
            Self::LeavingOut => "leaving out attacks",
        }
    }
}

/// How many observations there are, and of what time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Observations: flow records and first looks at open flows.
    pub observations: u64,
    /// Flow records among them.
    pub flows: u64,
    /// First packet.
    pub first: Timestamp,
    /// Last packet.
    pub last: Timestamp,
}

impl Default for Tally {
    fn default() -> Self {
        Self { observations: 0, flows: 0, first: Timestamp::MAX, last: Timestamp::MIN }
    }
}

impl Tally {
    /// Counts an observation.
    pub fn add(&mut self, seen: &Observation) {
        self.observations += 1;
        self.flows += u64::from(seen.is_complete());
        self.first = self.first.min(seen.start);
        self.last = self.last.max(seen.end);
    }
}

/// What was found out about an observation, where that is kept for the next time.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// What it resembles.
    pub found: Option<Match>,
    /// What baselines of other time say of it.
    pub assessment: Option<Assessment>,
}

/// Observations that can be gone through several times, always in the order in which they were seen.
pub trait Material {
    /// Why that may fail.
    type Error: From<ClusterError>;

    /// How many there are.
    fn tally(&self) -> Tally;

    /// Hands out all, each with what is kept about it.
    ///
    /// # Errors
    /// When they cannot be read again.
    fn each(&mut self, phase: Phase, take: &mut dyn FnMut(&Observation, &mut Note)) -> Result<(), Self::Error>;

    /// Puts devices in the place of addresses from now on.
    fn identify(&mut self, identities: &Identities);

    /// Were the networks at home named?
    fn home_is_named(&self) -> bool {
        false
    }

    /// The order in which what devices have in common is learned.
    fn order(&self) -> Order {
        Order::default()
    }

    /// What was counted here and by all others who learn the same model; there are none, unless it is said otherwise.
    ///
    /// # Errors
    /// When the others cannot be asked.
    fn sum<S: Statistic>(&mut self, own: S) -> Result<S, Self::Error> {
        Ok(own)
    }
}

/// Material whose devices have another order than that of their addresses, and whose networks at home may have been named.
pub struct InOrder<'m, M> {
    /// The material.
    pub material: &'m mut M,
    /// The order.
    pub order: Order,
    /// Were the networks at home named?
    pub home_is_named: bool,
}

impl<M: Material> Material for InOrder<'_, M> {
    type Error = M::Error;

    fn tally(&self) -> Tally {
        self.material.tally()
    }

    fn each(&mut self, phase: Phase, take: &mut dyn FnMut(&Observation, &mut Note)) -> Result<(), Self::Error> {
        self.material.each(phase, take)
    }

    fn identify(&mut self, identities: &Identities) {
        self.material.identify(identities);
    }

    fn home_is_named(&self) -> bool {
        self.home_is_named
    }

    fn order(&self) -> Order {
        self.order.clone()
    }

    fn sum<S: Statistic>(&mut self, own: S) -> Result<S, Self::Error> {
        self.material.sum(own)
    }
}

/// Observations in memory.
pub struct InMemory<'o, O> {
    observations: &'o mut [O],
    notes: Vec<Note>,
}

impl<'o, O: BorrowMut<Observation>> InMemory<'o, O> {
    /// All of these.
    pub fn of(observations: &'o mut [O]) -> Self {
        let notes = observations.iter().map(|_| Note::default()).collect();
        Self { observations, notes }
    }

    /// What was found out about each.
    #[must_use]
    pub fn into_notes(self) -> Vec<Note> {
        self.notes
    }
}

impl<O: BorrowMut<Observation>> Material for InMemory<'_, O> {
    type Error = ClusterError;

    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        self.observations.iter().for_each(|seen| tally.add(seen.borrow()));
        tally
    }

    fn each(&mut self, _phase: Phase, take: &mut dyn FnMut(&Observation, &mut Note)) -> Result<(), ClusterError> {
        self.observations.iter().zip(&mut self.notes).for_each(|(seen, note)| take(seen.borrow(), note));
        Ok(())
    }

    fn identify(&mut self, identities: &Identities) {
        self.observations.iter_mut().for_each(|seen| identities.apply(seen.borrow_mut(), |_| true));
    }
}

//! What was found about one observation.

use super::anywhere::Attack;
use super::class::Class;
use super::evidence::Contribution;
use super::knowledge::Knowledge;
use super::surprise::Surprise;
use crate::feature::{Host, Observation};
use crate::model::Regard;

/// How much each part of what a flow shows by itself counts; nothing where it is shared. Parts depend on each other: beside the
/// strongest the others count half. What is new about a flow and what is odd about its shape do most (a new program talks in
/// its own way): the weaker of the two counts half again. A rhythm is shown by many flows, and depends on nothing that is new about one: beside it the
/// strongest counts whole, as it does itself.
pub(super) fn weights<const N: usize>(parts: &[Option<Contribution>; N]) -> [f64; N] {
    let mut weights = [0.5; N];
    // The places of the strongest, and of the strongest of the flow, and their bits as integers of the same order, for they are never negative:
    // the first of those that tie.
    let (mut all, mut of_flow) = ((N, i64::MIN), (N, i64::MIN));
    let (mut is_strongest_shared, mut has_rhythm) = (true, false);
    for (place, (part, weight)) in parts.iter().zip(&mut weights).enumerate() {
        let Some(Contribution { evidence, bits, .. }) = part else { continue };
        let (is_shared, is_of_flow) = (evidence.is_shared(), evidence.is_of_flow());
        let bits = if is_shared { 0 } else { bits.to_bits() as i64 };
        *weight = if is_shared { 0.0 } else { *weight };
        if evidence.is_rhythm() {
            (*weight, has_rhythm) = (1.0, true);
        }
        if is_of_flow {
            *weight = 0.25;
            of_flow = if of_flow.0 == N || bits > of_flow.1 { (place, bits) } else { of_flow };
        }
        if all.0 == N || bits > all.1 {
            (all, is_strongest_shared) = ((place, bits), is_shared);
        }
    }
    for (place, weight) in weights.iter_mut().enumerate() {
        if place == of_flow.0 {
            *weight = if has_rhythm { 1.0 } else { 0.5 };
        }
        if place == all.0 && !is_strongest_shared {
            *weight = 1.0;
        }
    }
    weights
}

/// Bits of what a flow shows by itself, each part with its weight.
pub(super) fn own_bits<const N: usize>(parts: &[Option<Contribution>; N]) -> f64 {
    parts.iter().zip(weights(parts)).map(|(part, weight)| part.map_or(0.0, |part| part.bits) * weight).sum()
}

/// Those of the rate or rhythm at which it comes, counted alone.
pub(super) fn rate_bits<const N: usize>(parts: &[Option<Contribution>; N]) -> f64 {
    let own = parts.iter().flatten().filter(|part| !part.evidence.is_of_flow() && !part.evidence.is_shared());
    own.map(|part| part.bits).fold(0.0, f64::max)
}

/// What was found about one observation. Of a capture that teaches itself many are kept: what is rare is boxed.
#[derive(Clone, Debug)]
pub struct Assessment {
    pub(super) surprise: Surprise,
    pub(super) context: Option<Contribution>,
    pub(super) class: Class,
    /// What is an attack on any network, where a capture judges itself.
    pub(super) anywhere: Option<Box<Attack>>,
    /// What is new to many devices, and to which.
    pub(super) population: Option<Box<(Contribution, Vec<Host>)>>,
}

impl Assessment {
    /// What matters for what is ordinary, by what is known of the observation.
    #[must_use]
    pub fn regard(&self, seen: &Observation, knowledge: &Knowledge) -> Regard {
        knowledge.regard(seen, self.surprise.is_named(), self.class == Class::Unusual)
    }

    /// Bits of the initiator's own doing, without those that the flow shares with its whole minute.
    #[must_use]
    pub fn own_bits(&self) -> f64 {
        let own_context = self.context.filter(|part| !part.evidence.is_shared());
        own_bits(&[self.surprise.own_new(), self.surprise.shape, own_context])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::evidence::Evidence;
    use super::*;

    /// The weight of a part as it is described.
    fn described(parts: &[Option<Contribution>; 3], place: usize) -> f64 {
        let has_rhythm = parts.iter().flatten().any(|part| part.evidence.is_rhythm());
        let bits = |part: &Contribution| if part.evidence.is_shared() { 0.0 } else { part.bits };
        let first_of_most = |counts: &dyn Fn(&Contribution) -> bool| {
            let places = (0..3).filter_map(|place| Some((place, parts[place].as_ref().filter(|part| counts(part))?)));
            places.reduce(|most, next| if bits(next.1) > bits(most.1) { next } else { most }).map(|(place, _)| place)
        };
        match &parts[place] {
            Some(part) if part.evidence.is_shared() => 0.0,
            Some(_) if first_of_most(&|_| true) == Some(place) => 1.0,
            Some(part) if part.evidence.is_rhythm() => 1.0,
            Some(part)
                if has_rhythm
                    && part.evidence.is_of_flow()
                    && first_of_most(&|part| part.evidence.is_of_flow()) == Some(place) =>
            {
                1.0
            }
            Some(part) if part.evidence.is_of_flow() && first_of_most(&|part| part.evidence.is_of_flow()) != Some(place) => 0.25,
            _ => 0.5,
        }
    }

    proptest! {
        #[test]
        fn the_strongest_counts_whole_and_the_others_half_or_less(choices: [(u8, u8); 3]) {
            // Of the flow, of the rate or rhythm at which it comes, shared by its minute.
            let kinds = [Evidence::NewPeer, Evidence::OddShape(1), Evidence::FlowRate, Evidence::TargetRate, Evidence::Rhythm];
            let parts = choices.map(|(kind, bits)| {
                let evidence = *kinds.get(usize::from(kind % 6))?;
                Some(Contribution::of(evidence, 1.0, f64::from(bits % 4)))
            });
            prop_assert_eq!(weights(&parts), [0, 1, 2].map(|place| described(&parts, place)));
        }
    }
}

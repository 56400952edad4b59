//! What was found about one observation.

use super::anywhere::Attack;
use super::class::Class;
use super::evidence::Contribution;
use super::surprise::Surprise;
use crate::feature::Host;

/// How much each part of what a flow shows by itself counts; nothing where it is shared. Parts depend on each other: beside the
/// strongest the others count half. What is new about a flow and what is odd about its shape do most (a new program talks in
/// its own way): the weaker of the two counts half again.
pub(super) fn weights<const N: usize>(parts: &[Option<Contribution>; N]) -> [f64; N] {
    let mut weights = [0.5; N];
    // The places of the strongest, and of the strongest of the flow, and their bits as integers of the same order, for they are never negative:
    // the first of those that tie.
    let (mut all, mut of_flow) = ((N, i64::MIN), (N, i64::MIN));
    let mut is_strongest_shared = true;
    for (place, (part, weight)) in parts.iter().zip(&mut weights).enumerate() {
        let Some(Contribution { evidence, bits, .. }) = part else { continue };
        let (is_shared, is_of_flow) = (evidence.is_shared(), evidence.is_of_flow());
        let bits = if is_shared { 0 } else { bits.to_bits() as i64 };
        *weight = if is_shared { 0.0 } else { *weight };
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
            *weight = 0.5;
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
    /// Bits of the initiator's own doing, without those that the flow shares with its whole minute.
    #[must_use]
    pub fn own_bits(&self) -> f64 {
        let own_context = self.context.filter(|part| !part.evidence.is_shared());
        own_bits(&[self.surprise.own_new(), self.surprise.shape, own_context])
    }
}

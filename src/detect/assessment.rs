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
    // The place of the strongest, and of the strongest of the flow, and their bits: the first of those that tie.
    let (mut all, mut of_flow) = ((N, 0.0), (N, 0.0));
    let mut weights = [0.5; N];
    for (place, part) in parts.iter().enumerate() {
        let Some(Contribution { evidence, bits, .. }) = part else { continue };
        let is_shared = evidence.is_shared();
        let bits = if is_shared { 0.0 } else { *bits };
        let is_stronger = |(strongest, most): (usize, f64)| strongest == N || bits.total_cmp(&most).is_gt();
        if is_stronger(all) {
            all = (place, bits);
        }
        if is_shared {
            weights[place] = 0.0;
        } else if evidence.is_of_flow() {
            weights[place] = 0.25;
            if is_stronger(of_flow) {
                of_flow = (place, bits);
            }
        }
    }
    if let Some(weight) = weights.get_mut(of_flow.0) {
        *weight = 0.5;
    }
    if let Some((weight, Some(part))) = weights.get_mut(all.0).zip(parts.get(all.0))
        && !part.evidence.is_shared()
    {
        *weight = 1.0;
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

//! What was found about one observation.

use super::anywhere::Attack;
use super::class::Class;
use super::evidence::{Contribution, Evidence};
use super::surprise::Surprise;
use crate::feature::Host;

/// How much each part of what a flow shows by itself counts; nothing where it is shared. Parts depend on each other: beside the
/// strongest the others count half. What is new about a flow and what is odd about its shape do most (a new program talks in
/// its own way): the weaker of the two counts half again.
pub(super) fn weights<const N: usize>(parts: &[Option<Contribution>; N]) -> [f64; N] {
    let bits = |part: &Option<Contribution>| part.filter(|part| !part.evidence.is_shared()).map_or(0.0, |part| part.bits);
    let strongest = |is_of: fn(Evidence) -> bool| {
        let of = |place: &usize| parts[*place].is_some_and(|part| is_of(part.evidence));
        (0..N).filter(of).max_by(|&a, &b| bits(&parts[a]).total_cmp(&bits(&parts[b])).then(b.cmp(&a)))
    };
    let (all, of_flow) = (strongest(|_| true), strongest(Evidence::is_of_flow));
    std::array::from_fn(|place| match parts[place] {
        Some(part) if part.evidence.is_shared() => 0.0,
        _ if Some(place) == all => 1.0,
        Some(part) if part.evidence.is_of_flow() && Some(place) != of_flow => 0.25,
        _ => 0.5,
    })
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

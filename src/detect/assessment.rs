//! What was found about one observation.

use super::class::Class;
use super::evidence::Contribution;
use super::surprise::Surprise;
use crate::feature::Host;

/// Bits of what a flow shows by itself. Its parts depend on each other: beside the strongest the others count half.
pub(super) fn own_bits(parts: &[Option<Contribution>]) -> f64 {
    let own = parts.iter().flatten().filter(|part| !part.evidence.is_shared()).map(|part| part.bits);
    let (most, sum) = own.fold((0.0_f64, 0.0), |(most, sum), bits| (most.max(bits), sum + bits));
    most + (sum - most) / 2.0
}

/// What was found about one observation.
#[derive(Clone, Debug)]
pub struct Assessment {
    pub(super) surprise: Surprise,
    pub(super) context: Option<Contribution>,
    pub(super) class: Class,
    /// What is new to many devices, and to which.
    pub(super) population: Option<(Contribution, Vec<Host>)>,
}

impl Assessment {
    /// Bits of the initiator's own doing, without those that the flow shares with its whole minute.
    #[must_use]
    pub fn own_bits(&self) -> f64 {
        let own_context = self.context.filter(|part| !part.evidence.is_shared());
        own_bits(&[self.surprise.own_new(), self.surprise.shape, own_context])
    }
}

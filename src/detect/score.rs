//! How the bits of conversations make a score.

use serde::{Deserialize, Serialize};

use super::assessment::weights;
use super::case::Exhibit;
use super::evidence::{Contribution, Evidence};
use crate::feature::Host;
use crate::flow::Service;

/// New things told apart within one score.
const MAX_TOLD: usize = 64;
/// Conversations kept of a score; those with the most bits.
const MAX_TERMS: usize = 8;

/// A score and what it is made of: the strongest conversation counts whole, the next half, the third a third … so that a chatty
/// device does not collect bits by talking much; odd flows in a row add to their conversation; what conversations share, and what is new in several of them (a name, a
/// protocol), counts once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Bits that its conversations share.
    pub shared_bits: f64,
    /// The conversations with the most own bits, eight at the most.
    pub terms: Vec<Term>,
    /// What the other conversations add.
    pub other_bits: f64,
}

/// A conversation in a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// With whom.
    pub peer: Host,
    /// What.
    pub service: Service,
    /// Its own bits beyond what ordinary flows have, without what a stronger conversation has told already.
    pub bits: f64,
    /// Those that ordinary conversations have too.
    pub ordinary_bits: f64,
    /// Those that a stronger conversation has told already.
    pub repeated_bits: f64,
    /// What its own bits are made of: each part's bits and how much they count.
    pub parts: Vec<(Evidence, f64, f64)>,
}

/// The parts of a conversation's own bits and how much each counts.
fn weighted(exhibit: &Exhibit) -> impl Iterator<Item = (Contribution, f64)> {
    let parts = exhibit.parts.into_iter().zip(weights(&exhibit.parts));
    parts.filter_map(|(part, weight)| part.filter(|part| !part.evidence.is_shared()).map(|part| (part, weight)))
}

/// The evidence of one conversation: with whom, what, and what it shows.
pub type Shown<'e> = ((Host, Service), &'e Exhibit);

impl Score {
    /// The score of conversations of one class.
    pub fn of<'e>(exhibits: impl IntoIterator<Item = Shown<'e>>) -> Self {
        let mut exhibits: Vec<_> = exhibits.into_iter().collect();
        exhibits.sort_by(|a, b| b.1.own_bits.total_cmp(&a.1.own_bits));
        let shared_bits = exhibits.iter().map(|(_, exhibit)| exhibit.shared_bits).fold(0.0, f64::max);
        let mut told: Vec<u64> = Vec::new();
        let mut own: Vec<(f64, f64, usize)> = Vec::with_capacity(exhibits.len());
        for (place, (_, exhibit)) in exhibits.iter().enumerate() {
            let about = |part: &Contribution| (part.about != 0).then_some(part.about);
            let is_told = |part: &Contribution| about(part).is_some_and(|about| told.contains(&about));
            let repeated: f64 =
                weighted(exhibit).filter(|(part, _)| is_told(part)).fold(0.0, |sum, (part, weight)| sum + part.bits * weight);
            let row_bits = exhibit.row().map_or(0.0, |row| row.bits);
            own.push(((exhibit.own_bits - repeated).max(0.0) + row_bits, repeated, place));
            if told.len() < MAX_TOLD {
                told.extend(exhibit.parts.iter().flatten().filter_map(about));
            }
        }
        own.sort_by(|a, b| b.0.total_cmp(&a.0));
        let term = |&(bits, repeated_bits, place): &(f64, f64, usize)| {
            let ((peer, service), exhibit) = exhibits[place];
            let counted = weighted(exhibit).chain(exhibit.row().map(|row| (row, 1.0)));
            let parts = counted.map(|(part, weight)| (part.evidence, part.bits, weight)).collect();
            Term { peer, service, bits, ordinary_bits: exhibit.ordinary_bits, repeated_bits, parts }
        };
        let others = own.iter().enumerate().skip(MAX_TERMS);
        let other_bits = others.fold(0.0, |sum, (rank, (bits, ..))| sum + bits / (rank + 1) as f64);
        let terms = own.iter().take(MAX_TERMS).filter(|(bits, ..)| *bits > 0.0).map(term).collect();
        Self { shared_bits, terms, other_bits }
    }

    /// The score, in bits.
    #[must_use]
    pub fn bits(&self) -> f64 {
        let own = self.terms.iter().enumerate().map(|(rank, term)| term.bits / (rank + 1) as f64);
        self.shared_bits + own.sum::<f64>() + self.other_bits
    }
}

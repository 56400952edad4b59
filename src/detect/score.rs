//! How the bits of conversations make a score.

use serde::{Deserialize, Serialize};

use super::assessment::weights;
use super::class::Class;
use super::evidence::{Contribution, Evidence};
use super::exhibit::Exhibit;
use super::exhibits::Exhibits;
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
        let mut exhibits: Vec<Shown<'e>> = exhibits.into_iter().collect();
        exhibits.sort_by(|a, b| b.1.own_bits.total_cmp(&a.1.own_bits));
        // What each adds, what stronger ones have told already, and its place.
        let mut own: Vec<(f64, f64, usize)> = Vec::with_capacity(exhibits.len());
        let shown = exhibits.iter().map(|&(_, exhibit)| exhibit);
        let take = |bits: f64, repeated_bits: f64| own.push((bits, repeated_bits, own.len()));
        let shared_bits = ToldAlready::default().own_bits(shown, take);
        own.sort_by(|a, b| b.0.total_cmp(&a.0));
        let term = |&(bits, repeated_bits, place): &(f64, f64, usize)| {
            let ((peer, service), exhibit) = exhibits[place];
            let counted = weighted(exhibit).chain(exhibit.row().map(|row| (row, 1.0)));
            let parts = counted.map(|(part, weight)| (part.evidence, part.bits, weight)).collect();
            Term { peer, service, bits, ordinary_bits: exhibit.ordinary_bits, repeated_bits, parts }
        };
        let terms = own.iter().take(MAX_TERMS).filter(|(bits, ..)| *bits > 0.0).map(term).collect();
        Self { shared_bits, terms, other_bits: other_bits(own.iter().map(|&(bits, ..)| bits)) }
    }

    /// The bits of the scores of all classes, in the order of the classes: `classes` says what each conversation speaks of.
    pub(super) fn bits_of(exhibits: &Exhibits, classes: &[Class]) -> Vec<(Class, f64)> {
        // By class, those with the most own bits first, in their order where they have as many: one number for all of it.
        let key = |(place, (exhibit, &class)): (usize, (&Exhibit, &Class))| {
            (class as u128) << 96 | u128::from(!exhibit.own_bits.to_bits()) << 32 | place as u128
        };
        let place = |key: u128| key as u32 as usize;
        let mut order: Vec<u128> = exhibits.values().zip(classes).enumerate().map(key).collect();
        order.sort_unstable();
        let (mut told, mut own) = (ToldAlready::default(), Vec::<f64>::with_capacity(order.len()));
        let mut scores = Vec::new();
        for of_class in order.chunk_by(|a, b| a >> 96 == b >> 96) {
            told.clear();
            own.clear();
            let shown = of_class.iter().map(|&key| exhibits.at(place(key)));
            let shared_bits = told.own_bits(shown, |bits, _| own.push(bits));
            // Most are in order still.
            if !own.is_sorted_by(|a, b| a >= b) {
                own.sort_unstable_by(|a, b| b.total_cmp(a));
            }
            let terms = own.iter().take(MAX_TERMS).copied().filter(|bits| *bits > 0.0);
            scores.push((classes[place(of_class[0])], bits(shared_bits, terms, other_bits(own.iter().copied()))));
        }
        scores
    }

    /// The score, in bits.
    #[must_use]
    pub fn bits(&self) -> f64 {
        bits(self.shared_bits, self.terms.iter().map(|term| term.bits), self.other_bits)
    }
}

/// New things that stronger conversations have told, by their hashes.
#[derive(Default)]
struct ToldAlready {
    hashes: Vec<u64>,
    /// A bit for each, by its lowest eight: most that are asked for are not among them.
    seen: [u64; 4],
}

impl ToldAlready {
    /// Gives `take` what each of these conversations adds, those with the most own bits first, and what stronger ones have told already.
    /// Returns the bits that they share.
    fn own_bits<'e>(&mut self, exhibits: impl Iterator<Item = &'e Exhibit>, mut take: impl FnMut(f64, f64)) -> f64 {
        let mut shared_bits = 0.0_f64;
        let about = |part: &Contribution| (part.about != 0).then_some(part.about);
        for exhibit in exhibits {
            shared_bits = shared_bits.max(exhibit.shared_bits);
            let is_told = |part: &Contribution| about(part).is_some_and(|about| self.contains(about));
            // Few repeat anything: weights are only for those.
            let mut repeated = 0.0;
            if exhibit.parts.iter().flatten().any(is_told) {
                let weighted = exhibit.parts.iter().zip(weights(&exhibit.parts));
                let told = weighted.filter_map(|(part, weight)| Some((part.as_ref().filter(|part| is_told(part))?, weight)));
                let own = told.filter(|(part, _)| !part.evidence.is_shared());
                repeated = own.fold(repeated, |sum, (part, weight)| sum + part.bits * weight);
            }
            let row_bits = exhibit.row().map_or(0.0, |row| row.bits);
            take((exhibit.own_bits - repeated).max(0.0) + row_bits, repeated);
            if self.hashes.len() < MAX_TOLD {
                exhibit.parts.iter().flatten().filter_map(about).for_each(|about| self.add(about));
            }
        }
        shared_bits
    }

    fn clear(&mut self) {
        self.hashes.clear();
        self.seen = [0; 4];
    }

    const fn bit(hash: u64) -> (usize, u64) {
        ((hash >> 6 & 3) as usize, 1 << (hash & 63))
    }

    fn contains(&self, hash: u64) -> bool {
        let (word, bit) = Self::bit(hash);
        self.seen[word] & bit != 0 && self.hashes.contains(&hash)
    }

    fn add(&mut self, hash: u64) {
        let (word, bit) = Self::bit(hash);
        self.seen[word] |= bit;
        self.hashes.push(hash);
    }
}

fn other_bits(own: impl Iterator<Item = f64>) -> f64 {
    own.enumerate().skip(MAX_TERMS).fold(0.0, |sum, (rank, bits)| sum + bits / (rank + 1) as f64)
}

fn bits(shared_bits: f64, terms: impl Iterator<Item = f64>, other_bits: f64) -> f64 {
    let own = terms.enumerate().map(|(rank, bits)| bits / (rank + 1) as f64);
    shared_bits + own.sum::<f64>() + other_bits
}

#[cfg(test)]
mod tests {
    use super::super::flow_ref::FlowRef;
    use super::super::testing::host;
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn bits_of_all_classes_at_once_are_those_of_each_by_itself() {
        let (mut exhibits, mut state) = (Exhibits::default(), 5_u64);
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for port in 0..200 {
            // Few values, so that many are alike and repeat each other.
            let part = |evidence, about, bits: u64| Some(Contribution { about, ..Contribution::of(evidence, 1.0, bits as f64) });
            let (new, shape) = (part(Evidence::NewService, next(4), next(9)), part(Evidence::OddShape(1), 0, next(9)));
            let (context, flow) = (part(Evidence::TargetRate, 0, next(9)), FlowRef::of_link(host(1), host(2)));
            let class = [Class::Scan, Class::CriticalAccess, Class::Unusual][next(3) as usize];
            let times = (Timestamp::MIN, Timestamp::MIN, Timestamp::MIN);
            let exhibit = Exhibit {
                own_bits: next(12) as f64,
                shared_bits: next(6) as f64,
                parts: [new, shape, context],
                odd_flows: next(5) as u32,
                ..Exhibit::of_itself(class, Contribution::of(Evidence::NewPeer, 1.0, 1.0), flow, times)
            };
            exhibits.insert((host(next(9) as u8), Service { protocol: 6, port }), exhibit);
        }
        let classes = exhibits.classes();
        let all = Score::bits_of(&exhibits, &classes);
        assert!(all.len() >= 2 && all.is_sorted_by_key(|&(class, _)| class));
        for (class, bits) in all {
            let of_class = exhibits.iter().zip(&classes).filter(|&(_, &of)| of == class).map(|(shown, _)| shown);
            assert_eq!(bits, Score::of(of_class).bits(), "{class:?}");
        }
    }
}

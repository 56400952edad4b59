//! Odd flows in a row: each within the window of something odd before it, whatever ordinary flows there are in between.
//!
//! Bits of the flows of one conversation do not add: they depend on each other. Yet one odd flow happens, and thirty in a row are a
//! change. How often oddities come in rows is heavy-tailed, so it counts as a power law: each doubling brings the same bits. What is
//! common in a network raises its threshold, since held-out time is judged in the same way.

use super::class::Class;
use super::evidence::{Contribution, Evidence};

/// A flow is odd whose shape alone has so many bits.
const ODD_BITS: f64 = 4.0;
/// Bits that each doubling of their number brings.
const BITS_PER_DOUBLING: f64 = 1.5;
/// Bits at the most.
const MOST_BITS: f64 = 8.0;

/// Is the shape of a flow odd?
pub(super) fn is_odd(shape: Option<Contribution>) -> bool {
    shape.is_some_and(|shape| shape.bits >= ODD_BITS)
}

/// What so many odd flows in a row add to the strongest of them. A beacon's flows are alike, so that all are odd or none is, and what has
/// no name would have one only for coming often: neither counts.
pub(super) fn row(odd_flows: u32, class: Class) -> Option<Contribution> {
    let counts = odd_flows > 1 && !class.is_vague() && class != Class::Beaconing;
    counts.then(|| Contribution::of(Evidence::OddFlows, f64::from(odd_flows), row_bits(f64::from(odd_flows))))
}

/// Bits of so many odd flows in a row.
pub(super) fn row_bits(odd_flows: f64) -> f64 {
    (BITS_PER_DOUBLING * odd_flows.max(1.0).log2()).min(MOST_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_doubling_counts_the_same_up_to_a_bound() {
        let bits = |flows| row(flows, Class::CriticalAccess).map(|part| part.bits);
        assert_eq!([bits(0), bits(1)], [None, None]);
        assert_eq!([bits(2), bits(16), bits(1000)], [Some(1.5), Some(6.0), Some(MOST_BITS)]);
        assert_eq!([row(16, Class::Unusual), row(16, Class::Beaconing)], [None, None]);
    }
}

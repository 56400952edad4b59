//! An even sample of flows in which no flow's place depends on the others, nor on the order in which they come.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use crate::feature::{BYTES_ORIG, BYTES_RESP, DURATION, Observation};

/// The complete flows of the least hashes, as many as behaviours are learned from (bottom-k sampling; Cohen and Kaplan 2007,
/// "Summarizing data using bottom-k sketches"). Samples of parts together hold the sample of the whole.
#[derive(Clone, Debug, Default)]
pub struct FlowSample {
    /// Each with its hash, in no order: up to a quarter more than are wanted.
    kept: Vec<(u64, Observation)>,
    /// The greatest hash that may still belong to it, once there were more flows than are wanted.
    bound: Option<u64>,
}

impl FlowSample {
    /// Flows that behaviours are learned from at the most.
    pub const MOST: usize = 40_000;

    /// The sample of some flows.
    #[must_use]
    pub fn of<'f>(flows: impl IntoIterator<Item = &'f Observation>) -> Self {
        let mut sample = Self::default();
        flows.into_iter().for_each(|flow| sample.add(flow));
        sample
    }

    /// Takes a flow, unless it is still open or others go before it.
    pub fn add(&mut self, flow: &Observation) {
        if !flow.is_complete() {
            return;
        }
        let place = place(flow);
        if self.bound.is_some_and(|bound| place > bound) {
            return;
        }
        self.kept.push((place, flow.clone()));
        if self.kept.len() >= Self::MOST + Self::MOST / 4 {
            self.shrink();
        }
    }

    /// What is kept, in no order.
    pub fn flows(&self) -> impl Iterator<Item = &Observation> {
        self.kept.iter().map(|(_, flow)| flow)
    }

    /// The flows in the order of their hashes.
    #[must_use]
    pub fn into_flows(mut self) -> Vec<Observation> {
        self.shrink();
        // Flows are large: each is moved once.
        self.kept.sort_by_cached_key(|(place, flow)| (*place, flow.end));
        self.kept.into_iter().map(|(_, flow)| flow).collect()
    }

    /// Leaves those of the least hashes.
    fn shrink(&mut self) {
        if self.kept.len() > Self::MOST {
            let (_, &mut (bound, _), _) = self.kept.select_nth_unstable_by_key(Self::MOST - 1, |&(place, _)| place);
            self.bound = Some(bound);
            self.kept.truncate(Self::MOST);
        }
    }
}

/// A hash of when and how long a flow was, what it asked for and how much it moved: not of whose it was, so that devices under pseudonyms
/// teach the same.
fn place(flow: &Observation) -> u64 {
    let shape = [DURATION, BYTES_ORIG, BYTES_RESP].map(|feature| flow.vector[feature].to_bits());
    FixedState::default().hash_one((flow.start.nanos(), flow.service, shape))
}

#[cfg(test)]
mod tests {
    use proptest::strategy::{Strategy as _, ValueTree as _};

    use super::*;
    use crate::feature::packing::tests::observation;
    use crate::flow::Sight;
    use crate::time::Timestamp;

    /// So many flows, each of its own second.
    fn flows(count: usize) -> Vec<Observation> {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let drawn = observation().new_tree(&mut runner).unwrap().current();
        let mut flows = vec![Observation { sight: Sight::Whole, facts: Vec::new(), ..drawn }; count];
        flows.iter_mut().zip(0..).for_each(|(flow, second)| flow.start = Timestamp::from_parts(second, 0));
        flows
    }

    fn starts(sample: FlowSample) -> Vec<Timestamp> {
        sample.into_flows().iter().map(|flow| flow.start).collect()
    }

    #[test]
    fn all_of_a_few_flows_are_the_sample() {
        assert_eq!(starts(FlowSample::of(&flows(500))).len(), 500);
    }

    #[test]
    fn neither_order_nor_parts_change_the_sample_and_one_flow_less_changes_one() {
        let all = flows(3 * FlowSample::MOST);
        let sample = starts(FlowSample::of(&all));
        assert_eq!(sample.len(), FlowSample::MOST);
        assert_eq!(sample, starts(FlowSample::of(all.iter().rev())));
        let (one, other) = all.split_at(FlowSample::MOST);
        let mut parts = FlowSample::of(one);
        FlowSample::of(other).into_flows().iter().for_each(|flow| parts.add(flow));
        assert_eq!(sample, starts(parts));
        let fewer = starts(FlowSample::of(all.iter().filter(|flow| flow.start != sample[7])));
        let (gone, came) = (sample.iter().filter(|start| !fewer.contains(start)), fewer.last());
        assert_eq!(gone.collect::<Vec<_>>(), [&sample[7]]);
        assert!(!sample.contains(came.unwrap()));
        // Drawn evenly over the time.
        let early = sample.iter().filter(|&&start| start < Timestamp::from_parts(FlowSample::MOST as i64, 0)).count();
        assert!(early.abs_diff(FlowSample::MOST / 3) < 600, "{early}");
    }
}

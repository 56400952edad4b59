//! Area under the ROC curve of flow scores, per attack.

use std::collections::BTreeMap;

use serde::Serialize;

use super::EvalError;
use crate::dataset::{FlowTuple, Label, Truth};
use crate::time::Timestamp;

/// How well the scores of one attack's flows stand above the benign flows'.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AttackScore {
    /// Probability that a flow of the attack scores above a benign flow, ties counted half; 0 to 1, 0.5 is chance.
    pub auc: f64,
    /// Flows of the attack.
    pub flows: usize,
}

/// The flow scores of a capture. As JSON: the object that `score_flows.py --json` writes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlowScores {
    /// Plain mean of the attacks' AUC: a flood of easy flows does not hide a missed beacon.
    pub macro_auc: f64,
    /// The lowest AUC.
    pub worst_auc: f64,
    /// Benign flows in the judged span.
    pub benign_flows: usize,
    /// Flows in the judged span that count for neither side.
    pub left_out: usize,
    /// Each attack by its `detail`.
    pub attacks: BTreeMap<String, AttackScore>,
}

/// Scores flows with their bits (0 or more; what is no number counts as 0). Judged are the flows that start at `since` or
/// later; by default since the first attack's start, and all where no attack has one.
///
/// # Errors
/// When no benign flow or no flow of an attack is judged.
pub fn flow_auc(
    flows: impl Iterator<Item = (FlowTuple, f64)>,
    truth: &Truth,
    since: Option<Timestamp>,
) -> Result<FlowScores, EvalError> {
    let since = since.or_else(|| truth.first_attack()).unwrap_or_default();
    let (mut benign, mut attacks, mut left_out) = (Vec::new(), BTreeMap::<&str, Vec<f64>>::new(), 0);
    for (flow, bits) in flows.filter(|(flow, _)| flow.start >= since) {
        let bits = if bits.is_nan() { 0.0 } else { bits };
        match truth.label(&flow) {
            Some(Label::Malicious(detail)) => attacks.entry(detail).or_default().push(bits),
            Some(Label::Benign) => benign.push(bits),
            Some(Label::Neither) | None => left_out += 1,
        }
    }
    if benign.is_empty() || attacks.is_empty() {
        return Err(EvalError::NothingToScore { benign: benign.len(), attacks: attacks.len(), left_out });
    }
    benign.sort_unstable_by(f64::total_cmp);
    let score = |bits: &[f64]| AttackScore { auc: auc(&benign, bits), flows: bits.len() };
    let attacks: BTreeMap<String, AttackScore> = attacks.iter().map(|(name, bits)| ((*name).to_owned(), score(bits))).collect();
    let aucs = attacks.values().map(|attack| attack.auc);
    let macro_auc = aucs.clone().sum::<f64>() / attacks.len() as f64;
    Ok(FlowScores { macro_auc, worst_auc: aucs.fold(1.0, f64::min), benign_flows: benign.len(), left_out, attacks })
}

/// P(positive > negative) + P(equal) / 2 (Mann and Whitney 1947). `negatives` is sorted; neither is empty.
fn auc(negatives: &[f64], positives: &[f64]) -> f64 {
    let twice_below: usize = positives
        .iter()
        .map(|score| negatives.partition_point(|other| other < score) + negatives.partition_point(|other| other <= score))
        .sum();
    twice_below as f64 / 2.0 / (negatives.len() as f64 * positives.len() as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRUTH: &str = "src_ip,dst_ip,src_port,dst_port,proto,start,end,label,detail\n\
        10.0.0.1,,,,,100,900,malicious,scan\n10.0.0.2,,,,,100,900,malicious,beacon\n10.0.0.3,,,,,,,benign,\n10.0.0.4,,,,,,,background,\n";

    fn flow(host: u8, start: i64) -> FlowTuple {
        let start = Timestamp::from_parts(start, 0);
        FlowTuple {
            src: crate::wire::Addr::v4([10, 0, 0, host]),
            dst: crate::wire::Addr::v4([10, 0, 0, 99]),
            src_port: 1,
            dst_port: 2,
            protocol: 6,
            start,
            end: start,
        }
    }

    fn score(flows: &[(u8, i64, f64)], since: Option<i64>) -> Result<FlowScores, EvalError> {
        let truth = Truth::read(TRUTH.as_bytes(), "t").unwrap();
        let flows = flows.iter().map(|&(host, start, bits)| (flow(host, start), bits));
        flow_auc(flows, &truth, since.map(|s| Timestamp::from_parts(s, 0)))
    }

    #[test]
    fn ties_count_half_and_attacks_count_alike() {
        // Benign 1, 2, 3. The scan's 2 beats one and ties one: 1.5 of 3. The beacon's 9 beats all, its 0 none: 3 of 6.
        let flows = [(3, 100, 1.0), (3, 100, 2.0), (3, 100, 3.0), (1, 100, 2.0), (2, 200, 9.0), (2, 200, 0.0), (4, 200, 9.0)];
        let scores = score(&flows, None).unwrap();
        assert_eq!(scores.attacks["scan"], AttackScore { auc: 0.5, flows: 1 });
        assert_eq!(scores.attacks["beacon"], AttackScore { auc: 0.5, flows: 2 });
        assert_eq!((scores.benign_flows, scores.left_out), (3, 1));
        assert_eq!((scores.macro_auc, scores.worst_auc), (0.5, 0.5));
    }

    #[test]
    fn the_judged_span_begins_with_the_first_attack_unless_told() {
        let flows = [(3, 99, 5.0), (3, 100, 1.0), (1, 150, 2.0)];
        assert_eq!(score(&flows, None).unwrap().benign_flows, 1);
        assert_eq!(score(&flows, Some(0)).unwrap().attacks["scan"].auc, 0.5);
        let empty = EvalError::NothingToScore { benign: 0, attacks: 1, left_out: 0 };
        assert_eq!(score(&flows, Some(101)), Err(empty));
    }

    #[test]
    fn what_is_no_number_is_no_surprise() {
        let scores = score(&[(3, 100, 0.0), (1, 100, f64::NAN), (2, 100, f64::INFINITY)], None).unwrap();
        assert_eq!((scores.attacks["scan"].auc, scores.attacks["beacon"].auc), (0.5, 1.0));
    }

    proptest! {
        #[test]
        fn equals_counting_all_pairs(mut negatives in prop::collection::vec(0..9u8, 1..30), positives in prop::collection::vec(0..9u8, 1..30)) {
            negatives.sort_unstable();
            let pairs = positives.iter().flat_map(|p| negatives.iter().map(move |n| (p, n)));
            let half_points: usize = pairs.map(|(p, n)| usize::from(p > n) + usize::from(p >= n)).sum();
            let want = half_points as f64 / 2.0 / (negatives.len() * positives.len()) as f64;
            let floats = |v: &[u8]| v.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
            prop_assert!((auc(&floats(&negatives), &floats(&positives)) - want).abs() < 1e-12);
        }
    }
}

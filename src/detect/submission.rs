//! What an assessor hands to the docket at a tick.

use serde::{Deserialize, Serialize};

use super::assessor::Finding;
use super::flow_ref::FlowRef;
use super::silence::Silent;
use crate::feature::{Host, Observation};
use crate::flow::FlowKey;
use crate::time::Timestamp;

/// An observation that bears on what is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Submitted {
    /// Its place among those of the tick: the order of judging, a first look before what it was a look at.
    pub(super) order: (Timestamp, Timestamp, FlowKey, u32, bool),
    pub(super) seen: Observation,
    pub(super) finding: Finding,
    pub(super) flow: FlowRef,
    /// Was it found by whoever looks after its initiator? Else it is a crowd around its responder.
    pub(super) is_of_initiator: bool,
}

/// What was found of one share of the devices at one tick.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Submission {
    /// In the order of judging.
    pub(super) found: Vec<Submitted>,
    /// Devices at home that began a flow, and whether the model knows them.
    pub(super) heard: Vec<(Host, bool, Timestamp)>,
    pub(super) silent: Vec<Silent>,
}

impl Submission {
    /// Was nothing found?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much was found: observations, devices that were heard and conversations that stopped.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len() + self.heard.len() + self.silent.len()
    }

    /// Pieces of at most so many, which say the same together, in whatever order.
    #[must_use]
    pub fn split(mut self, most: usize) -> Vec<Self> {
        let mut pieces = Vec::new();
        let most = most.max(1);
        while self.len() > most {
            let found: Vec<_> = self.found.drain(..self.found.len().min(most)).collect();
            let heard: Vec<_> = self.heard.drain(..self.heard.len().min(most - found.len())).collect();
            let silent: Vec<_> = self.silent.drain(..self.silent.len().min(most - found.len() - heard.len())).collect();
            pieces.push(Self { found, heard, silent });
        }
        pieces.push(self);
        pieces
    }

    /// Puts those of all shares together: in the order of judging, and one finding where both ends of a conversation gave one.
    pub(super) fn join(submissions: Vec<Self>) -> Self {
        let mut all = Self::default();
        for Self { found, heard, silent } in submissions {
            all.found.extend(found);
            all.heard.extend(heard);
            all.silent.extend(silent);
        }
        // Stable: of a flow that is told twice at one tick the share's own order holds.
        all.found.sort_by_key(|submitted| (submitted.order, !submitted.is_of_initiator));
        all.found.dedup_by(|responder, initiator| {
            let is_same = responder.order == initiator.order && !responder.is_of_initiator && initiator.is_of_initiator;
            if is_same {
                initiator.finding = initiator.finding.with_crowd_of(&responder.finding);
            }
            is_same
        });
        all.silent.sort_by_key(|silent| (silent.host, silent.edge));
        all
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing::{LATER_MS, detector, flow, host, show, taught};
    use super::super::{Assessor, DetectorConfig, Docket, Notice, share_of};
    use super::*;
    use crate::flow::FlowRecord;

    type Flows = Vec<(Box<FlowRecord>, Observation)>;

    /// A device scans; a crowd of others, from home and from outside, turns to another; many begin the same new thing; one asks the other far more than
    /// ever, and so do some from outside.
    fn busy_hour() -> Flows {
        let scan = (0..200_u16).map(|n| flow(LATER_MS + i64::from(n) * 10, 1, 100, 1000 + n, false));
        let crowd = (0..400_u16).map(|n| flow(LATER_MS + 60_000 + i64::from(n) * 40, 120 + (n % 120) as u8, 100, 80, n % 3 == 0));
        let change = (1..=10_u8).flat_map(|n| (0..2).map(move |k| (LATER_MS + 200_000 + i64::from(n) * 20_000 + k * 900, n)));
        let change = change.map(|(ms, n)| flow(ms, n, 200, 8443, true));
        let asks = |(n, from): (i64, u8), exchanges: u16| {
            let (record, mut seen) = flow(LATER_MS + 600_000 + n * 1700, from, 100, 80, true);
            seen.vector[crate::feature::TURNS] = f32::from(2 * exchanges);
            (record, seen)
        };
        let reads = (0..9).map(|n| asks((n, 3), 150));
        let guesses = (0..60).map(|n| asks((n * 4, 125 + n as u8), 20));
        let mut flows: Flows = scan.chain(crowd).chain(change).chain(reads).chain(guesses).collect();
        flows.iter_mut().for_each(|(_, seen)| {
            seen.orig_local = !(123..=239).any(|n| seen.orig == host(n));
        });
        flows.sort_by_key(|(record, seen)| (seen.seen, record.order()));
        flows
    }

    /// The same shown to assessors of so many shares, whose findings one docket takes.
    fn show_shared(shares: u16, flows: &Flows) -> Vec<Notice> {
        let (knowledge, config) = (taught(), DetectorConfig::default());
        let mut assessors: Vec<Assessor> = (0..shares).map(|_| Assessor::new(Arc::clone(&knowledge), config)).collect();
        let (mut docket, mut notices) = (Docket::new(Arc::clone(&knowledge), config), Vec::new());
        let mut tick = |assessors: &mut Vec<Assessor>, now| {
            // Those who are done first come first: whose turn it is must not matter.
            let across = |submission: Submission| {
                let bytes = postcard::to_stdvec(&submission).unwrap();
                postcard::from_bytes::<Submission>(&bytes).unwrap()
            };
            // Nor into how many pieces it was cut on its way.
            let submissions =
                assessors.iter_mut().rev().flat_map(|assessor| across(assessor.submit(now, false)).split(3)).collect();
            docket.take(submissions, now, &mut notices);
        };
        let mut now = Timestamp::MIN;
        for (record, seen) in flows {
            if seen.seen > now {
                tick(&mut assessors, now.max(seen.seen - crate::time::Span::from_secs(1)));
            }
            now = seen.seen;
            let found = knowledge.vocabulary.matches(seen);
            for (place, assessor) in (0..).zip(&mut assessors) {
                assessor.observe(
                    seen,
                    found,
                    record,
                    (share_of(seen.orig, shares) == place, share_of(seen.resp, shares) == place),
                );
            }
        }
        tick(&mut assessors, now);
        notices
    }

    #[test]
    fn shares_tell_together_what_one_detector_tells() {
        let flows = busy_hour();
        let text = |notices: Vec<Notice>| notices.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>();
        let whole = text(show(&mut detector(&taught()), flows.clone()));
        for class in ["Scan", "Flood", "PopulationChange", "Collection"] {
            assert!(whole.iter().any(|notice| notice.contains(&format!("class: {class},"))), "no {class} in {whole:#?}");
        }
        let of_server =
            |notice: &&String| notice.contains("class: Collection,") && notice.contains(&format!("host: {:?}", host(100)));
        assert!(whole.iter().filter(of_server).count() > 0, "{whole:#?}");
        for shares in [1, 3, 64] {
            assert_eq!(text(show_shared(shares, &flows)), whole, "{shares} shares");
        }
    }
}

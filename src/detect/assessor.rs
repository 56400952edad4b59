//! The first half of judging: what each observation shows, by what is known and by what happened lately.
//!
//! It needs no device but the two of the conversation. So the devices can be shared out over several assessors, each of which takes all
//! conversations of its own; what they find is put together by one [`Docket`](super::Docket).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::anywhere::Attack;
use super::classify::Around;
use super::config::{DetectorConfig, Part};
use super::evidence::Contribution;
use super::flow_ref::FlowRef;
use super::knowledge::Knowledge;
use super::memory::{Earlier, Lately};
use super::recent::Context;
use super::silence::{LOOK_EVERY, Silent};
use super::submission::{Submission, Submitted};
use super::surprise::{Surprise, knows_client};
use crate::feature::Observation;
use crate::flow::FlowRecord;
use crate::model::Match;
use crate::time::Timestamp;

/// What was found about one observation, before it is known what others show.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Finding {
    pub(super) surprise: Surprise,
    pub(super) context: Context,
    /// Worked out only where there is more than what is ordinary.
    pub(super) around: Around,
    /// What is an attack on any network, where a capture judges itself.
    pub(super) anywhere: Option<Attack>,
    /// Is the initiator a device that the model knows?
    pub(super) is_known: bool,
}

impl Finding {
    /// All its bits, before it is known what others show.
    #[must_use]
    pub fn bits(&self) -> f64 {
        self.surprise.bits() + self.context.bits()
    }

    /// The same observation, found by whoever looks after its initiator and by whoever looks after its responder.
    #[must_use]
    pub(super) const fn with_crowd_of(mut self, responder: &Self) -> Self {
        self.context.crowd = responder.context.crowd;
        // What leaves or stays at home is its own; of what comes in only the responder's is known.
        if self.context.hour.is_none() {
            self.context.hour = responder.context.hour;
        }
        self
    }

    /// Does it bear on what is judged, where ordinary flows have so many bits?
    #[must_use]
    pub fn tells(&self, ordinary_bits: f64) -> bool {
        let is_news = self.is_known && self.surprise.new.is_some_and(|new| new.is_news());
        is_news || self.anywhere.is_some() || self.surprise.is_of_tool() || self.bits() > ordinary_bits
    }
}

/// Judges each observation by itself and by the last minutes of its devices. Bounded in memory.
pub struct Assessor {
    knowledge: Arc<Knowledge>,
    config: DetectorConfig,
    lately: Lately,
    observations: u64,
    submission: Submission,
}

impl Assessor {
    /// One that has seen nothing yet.
    #[must_use]
    pub fn new(knowledge: Arc<Knowledge>, config: DetectorConfig) -> Self {
        Self { knowledge, config, lately: Lately::default(), observations: 0, submission: Submission::default() }
    }

    /// Judges an observation that looks like `found`; what an incident would be named after is worked out only beyond `least_bits`, and
    /// not yet which feature of an odd shape stands out.
    pub fn assess(&mut self, seen: &Observation, found: Match, least_bits: f64) -> Finding {
        self.assess_one(seen, found, least_bits, true)
    }

    /// The same; a crowd around the responder is seen only by who looks after it.
    fn assess_one(&mut self, seen: &Observation, found: Match, least_bits: f64, is_of_responder: bool) -> Finding {
        self.observations += 1;
        let (knowledge, without) = (&*self.knowledge, self.config.without);
        let ends = knowledge.ends(seen);
        let earlier = self.lately.earlier(seen, ends.orig);
        let surprise = Surprise::unnamed((seen, earlier), found, (&knowledge.vocabulary, &ends), without);
        if surprise.unknown_edge {
            self.lately.reaches.observe(seen, ends.orig);
        }
        let (context, targets) = self.lately.recent.observe(seen, &surprise, &ends, without, is_of_responder);
        let is_known = ends.orig.is_some();
        let anywhere = self.anywhere(seen);
        let mut around = Around::default();
        let bits = surprise.bits() + context.bits();
        if anywhere.is_some() || surprise.is_of_tool() || bits > least_bits {
            let (minute, hour) = (self.lately.recent.last_minute(), || self.lately.recent.hour(seen.orig));
            around = Around::of((seen, earlier), (&surprise, &context), (minute, targets), hour);
        }
        Finding { surprise, context, around, anywhere, is_known }
    }

    /// Takes an observation and keeps what is to be submitted of it; does it look after the initiator, and the responder?
    pub fn observe(
        &mut self,
        seen: &Observation,
        found: Match,
        record: &FlowRecord,
        (is_of_initiator, is_of_responder): (bool, bool),
    ) {
        let ordinary_bits = self.knowledge.calibration.ordinary.at_least(seen);
        let finding = if is_of_initiator {
            self.hear(seen, record);
            let mut finding = self.assess_one(seen, found, ordinary_bits, is_of_responder);
            if finding.anywhere.is_some() || finding.bits() > ordinary_bits {
                finding.surprise.name(seen, found, &self.knowledge.vocabulary);
            }
            if seen.orig_local && seen.orig.is_device() {
                self.submission.heard.push((seen.orig, finding.is_known, seen.seen));
            }
            Some(finding).filter(|finding| finding.tells(ordinary_bits))
        } else if is_of_responder {
            self.assess_served(seen, found)
        } else {
            None
        };
        if let Some(finding) = finding {
            let (end, start, key, segment) = record.order();
            let order = (end, start, key, segment, seen.is_complete());
            let flow = FlowRef::of(record);
            self.submission.found.push(Submitted { order, seen: seen.clone(), finding, flow, is_of_initiator });
        }
    }

    /// All that was known at `now` was observed. Gives what was found.
    pub fn submit(&mut self, now: Timestamp, is_first: bool) -> Submission {
        self.submission.silent = self.tick(now, is_first);
        // Of a device it counts only that it was heard.
        self.submission.heard.sort_unstable();
        self.submission.heard.dedup();
        std::mem::take(&mut self.submission)
    }

    /// Takes an observation of which only the responder is one of its devices. Tells when it is one of a crowd.
    fn assess_served(&mut self, seen: &Observation, found: Match) -> Option<Finding> {
        self.observations += 1;
        let (knowledge, without) = (&*self.knowledge, self.config.without);
        self.lately.serve(seen);
        self.lately.recent.observe_served(seen);
        self.lately.recent.observe_asked(seen, || knows_client(seen, &knowledge.ends(seen)));
        let crowd = self.lately.recent.crowd(seen, knowledge, without);
        crowd.strongest()?;
        let ends = knowledge.ends(seen);
        let surprise = Surprise::unnamed((seen, Earlier::default()), found, (&knowledge.vocabulary, &ends), without);
        let context = if surprise.unknown_client { crowd } else { Context::default() };
        let is_known = ends.orig.is_some();
        let finding = Finding { surprise, context, around: Around::default(), anywhere: None, is_known };
        context.strongest().map(|_| finding)
    }

    /// Somebody was heard, where all are heard here.
    pub(super) fn hear_anybody(&mut self, at: Timestamp) {
        self.lately.silences.anybody(at);
    }

    /// Takes what a flow says of conversations that go on all the time.
    pub fn hear(&mut self, seen: &Observation, record: &FlowRecord) {
        self.lately.silences.observe(seen, record, self.knowledge.baselines(seen.seen));
    }

    /// All that was known at `now` was assessed; `is_first` says that nobody listened since the tick before. Tells which conversations have
    /// stopped.
    pub(super) fn tick(&mut self, now: Timestamp, is_first: bool) -> Vec<Silent> {
        self.lately.listen(now, is_first, self.config.most_pause);
        let is_time = now >= self.lately.looked_for_silence + LOOK_EVERY && !self.config.without.has(Part::Silence);
        if !is_time {
            return Vec::new();
        }
        self.lately.looked_for_silence = now;
        self.lately.silences.look(now)
    }

    /// What the minutes and the hour around an observation show by now.
    pub(super) fn context(&self, seen: &Observation, surprise: &Surprise, knowledge: &Knowledge) -> Option<Contribution> {
        self.lately.recent.context(seen, surprise, &knowledge.ends(seen), self.config.without).strongest()
    }

    /// What is an attack on any network, where a capture judges itself.
    pub(super) fn anywhere(&self, seen: &Observation) -> Option<Attack> {
        let baselines = || self.knowledge.baselines(seen.seen);
        self.knowledge.judges_itself.then(|| self.lately.recent.anywhere(seen, baselines())).flatten()
    }

    /// Observations assessed.
    #[must_use]
    pub const fn observations(&self) -> u64 {
        self.observations
    }

    /// Judges by other knowledge from now on.
    pub fn judge_by(&mut self, knowledge: Arc<Knowledge>) {
        self.knowledge = knowledge;
    }

    /// What happened lately: another one goes on from there.
    #[must_use]
    pub const fn lately(&self) -> &Lately {
        &self.lately
    }

    /// Goes on from the minutes and hours that `other` saw.
    pub(super) fn continue_from(&mut self, other: Self) {
        self.lately.recent = other.lately.recent;
    }

    /// Goes on from what another one remembered.
    pub fn remember(&mut self, lately: Lately) {
        self.lately = lately;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Class;
    use super::super::testing::{LATER_MS, detector, flow, taught};
    use crate::app::App;

    #[test]
    fn who_is_turned_down_everywhere_scans_and_who_has_many_servers_does_not() {
        // Device 1 tries ports of device 100; every so often one of a clinical service answers and is asked nothing.
        let classes = |answered_too: bool| {
            let mut detector = detector(&taught());
            let class = |n: i64| {
                let is_clinical = n % 5 == 4;
                let port = if is_clinical { 104 } else { 2000 + n as u16 };
                let peer = if is_clinical { 100 + (n / 5) as u8 } else { 100 };
                let (_, mut seen) = flow(LATER_MS + n * 20, 1, peer, port, is_clinical || answered_too);
                (seen.app, seen.resp_local) = (if is_clinical { App::Dicom } else { App::Unknown }, true);
                seen.vector[3..=4].fill(0.0);
                let found = detector.knowledge().vocabulary.matches(&seen);
                is_clinical.then(|| detector.assess(&seen, found).class).or_else(|| {
                    detector.assess(&seen, found);
                    None
                })
            };
            (0..45).filter_map(class).collect::<Vec<_>>()
        };
        assert!(classes(false)[3..].iter().all(|&class| class == Class::Scan), "{:?}", classes(false));
        assert!(classes(true)[..2].iter().all(|&class| class == Class::CriticalAccess), "{:?}", classes(true));
    }
}

//! Conversations that stop: clinical and control ones, and of devices that do little else those in a language of their maker.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::evidence::{Contribution, Detail, Evidence};
use super::flow_ref::FlowRef;
use super::prior::BITS;
use crate::feature::{Host, Observation};
use crate::flow::FlowRecord;
use crate::model::{Baselines, DEAF_MINUTES, Edge, Map, bits, tail_probability};
use crate::time::{Span, Timestamp};

/// Conversations followed at the most: devices in a fleet have a few each. Some 250 bytes each.
const MAX_CONVERSATIONS: usize = 200_000;
/// A silence is told when it is so many times the longest before …
const TIMES: f64 = 3.0;
/// … and longer than it by this many minutes.
const MORE_MINUTES: f64 = 10.0;
/// … or this many where nobody knows what they speak: what is started anew may take that long.
const MORE_MINUTES_UNKNOWN: f64 = 20.0;
/// How fast longer silences become improbable: as the tails of histograms.
pub(super) const ALPHA: f64 = 2.0;
const MOST_BITS: f64 = 30.0;
/// A device goes on that is heard so long after what it no longer says.
const GOES_ON: Span = Span::from_secs(300);
/// After as long without anything heard of anybody nobody is looked for …
const QUIET: Span = Span::from_secs(600);
/// … and as long a time is none of silence, in learning as here.
const DEAF: Span = Span::from_secs(60 * DEAF_MINUTES);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Heard {
    last: Timestamp,
    longest_gap: u32,
    minutes: u32,
    is_critical: bool,
    /// Is it missed only while the device itself goes on?
    is_alone: bool,
    /// Was its silence told?
    told: bool,
    flow: FlowRef,
}

impl Heard {
    fn minutes_silent(&self, now: Timestamp) -> f64 {
        now.since(self.last).as_seconds() / 60.0
    }

    /// Is it silent for so long that it is told?
    fn is_silent(&self, now: Timestamp) -> bool {
        let longest = f64::from(self.longest_gap);
        let more = if self.is_critical || self.is_alone { MORE_MINUTES } else { MORE_MINUTES_UNKNOWN };
        self.minutes_silent(now) >= (longest * TIMES).max(longest + more)
    }

    /// How surprising that is.
    fn part(&self, now: Timestamp) -> Contribution {
        let (minutes, longest) = (self.minutes_silent(now), f64::from(self.longest_gap));
        let (prior_bits, detail) = match () {
            () if self.is_critical => (BITS, Detail::Nothing),
            () if self.is_alone => (BITS, Detail::GoesOn),
            () => (0.0, Detail::Nothing),
        };
        let bits = bits(tail_probability(minutes, 0.0, f64::from(self.minutes), longest, ALPHA)) + prior_bits;
        let usual = (0.0, longest);
        Contribution { usual, prior_bits, detail, ..Contribution::of(Evidence::Silence, minutes, bits.min(MOST_BITS)) }
    }
}

/// When a device was heard in two of its conversations: the latest one, and any other.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Signs {
    latest: Option<(Edge, Timestamp)>,
    other: Option<Timestamp>,
}

impl Signs {
    fn add(&mut self, edge: Edge, at: Timestamp) {
        match &mut self.latest {
            Some((latest, until)) if *latest == edge => *until = at.max(*until),
            latest => self.other = latest.replace((edge, at)).map(|(_, until)| until).max(self.other),
        }
    }

    /// Was it heard after that, but in this conversation?
    fn beside(&self, edge: Edge, after: Timestamp) -> bool {
        let latest = self.latest.and_then(|(latest, until)| if latest == edge { self.other } else { Some(until) });
        latest.is_some_and(|until| until >= after)
    }
}

/// A conversation that has stopped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Silent {
    /// Who began it.
    pub host: Host,
    /// With whom, and what.
    pub edge: Edge,
    /// Its last flow.
    pub flow: FlowRef,
    /// When it was heard last.
    pub last: Timestamp,
    /// Surprise.
    pub part: Contribution,
}

/// Follows conversations that the model knows as steady. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Silences {
    heard: BTreeMap<(Host, Edge), Heard>,
    /// When devices were heard of which one is missed only while they go on.
    signs: Map<Host, Signs>,
    /// When anything was heard last, of anybody, where all are heard.
    #[serde(skip)]
    any: Option<Timestamp>,
}

impl Silences {
    /// Somebody is heard, whoever it is. One that hears its share of the devices alone does not know that.
    pub fn anybody(&mut self, at: Timestamp) {
        let before = self.any.replace(self.any.map_or(at, |any| any.max(at)));
        if let Some(before) = before.filter(|&before| at.since(before) >= DEAF) {
            self.skip(before, at);
        }
    }

    /// Hears a conversation.
    pub fn observe(&mut self, seen: &Observation, record: &FlowRecord, baselines: &Baselines) {
        if !self.signs.is_empty() {
            self.go_on(seen);
        }
        // Its other end may go on for a while with what is not heard; servers outside come and go.
        if !(seen.is_critical() || seen.is_of_unknown_kind()) || !seen.resp_local || !seen.is_heard_of_initiator() {
            return;
        }
        // Who only tries, or holds a connection open, gets nothing through.
        if baselines.silent_when_kept_alive && seen.is_only_kept_alive() || baselines.silent_when_failed && seen.failed {
            return;
        }
        let edge = Edge { service: seen.service, peer: seen.resp };
        let turned = seen.turned.map(|service| (seen.resp, Edge { service, peer: seen.orig }));
        let key = turned.filter(|turned| self.heard.contains_key(turned)).unwrap_or((seen.orig, edge));
        if let Some(heard) = self.heard.get_mut(&key) {
            heard.last = heard.last.max(seen.end);
            heard.told = false;
            return;
        }
        let known = baselines.host(seen.orig).and_then(|host| host.steady(edge));
        let Some(steady) = known.filter(|steady| steady.is_steady()) else { return };
        if self.heard.len() < MAX_CONVERSATIONS {
            let (longest_gap, minutes, is_critical) = (steady.longest_gap().max(1), steady.minutes(), steady.is_critical());
            let (is_alone, flow) = (steady.is_alone(), FlowRef::of(record));
            self.heard.insert(key, Heard { last: seen.end, longest_gap, minutes, is_critical, is_alone, told: false, flow });
            if is_alone {
                self.signs.entry(seen.orig).or_default().add(edge, seen.start);
            }
        }
    }

    /// Notes signs of life of devices of which a conversation is missed only while they go on: what they begin themselves, but what the card of one that
    /// sleeps does, too.
    fn go_on(&mut self, seen: &Observation) {
        if seen.service.maintains_link() || !seen.is_heard_of_initiator() {
            return;
        }
        if let Some(signs) = self.signs.get_mut(&seen.orig) {
            // What its other end repeats without an answer may last for long after it.
            signs.add(Edge { service: seen.service, peer: seen.resp }, seen.start);
        }
    }

    /// Nobody listened from `from` to `now`: that is no silence of anybody.
    pub fn skip(&mut self, from: Timestamp, now: Timestamp) {
        let away = now.since(from);
        if away <= Span::default() {
            return;
        }
        // Who was heard since then is not moved into the future.
        self.heard.values_mut().for_each(|heard| heard.last = (heard.last + away).min(now));
    }

    /// Conversations that have been silent for too long by `now`; each is told once.
    pub fn look(&mut self, now: Timestamp) -> Vec<Silent> {
        let mut silent = Vec::new();
        // While nobody is heard it is no silence of one: they are all away, or nothing comes to be listened to.
        if self.any.is_some_and(|any| now.since(any) >= QUIET) {
            return silent;
        }
        let signs = &self.signs;
        // Where all of it stops at once, something of it may be known to go on for a little longer.
        let goes_on = |host: &Host, edge: Edge, heard: &Heard| {
            !heard.is_alone || signs.get(host).is_some_and(|signs| signs.beside(edge, heard.last + GOES_ON))
        };
        for (&(host, edge), heard) in &mut self.heard {
            if !heard.told && heard.is_silent(now) && goes_on(&host, edge, heard) {
                heard.told = true;
                silent.push(Silent { host, edge, flow: heard.flow.clone(), last: heard.last, part: heard.part(now) });
            }
        }
        silent
    }
}

/// How often it is looked for silence.
pub(super) const LOOK_EVERY: Span = Span::from_secs(60);

#[cfg(test)]
mod tests {
    use super::super::testing::{flow, host};
    use super::*;
    use crate::app::App;
    use crate::flow::Service;
    use crate::model::BaselinesBuilder;

    const HL7: Service = Service { protocol: 6, port: 2575 };

    fn minute(n: i64) -> Timestamp {
        Timestamp::from_parts(n * 60, 0)
    }

    /// Device `from` sends results to device 2.
    fn channel(ms: i64, from: u8) -> (Box<FlowRecord>, Observation) {
        let (record, mut seen) = flow(ms, from, 2, HL7.port, true);
        (seen.app, seen.resp_local) = (App::Hl7, true);
        (record, seen)
    }

    /// Two hours in which device 1 sends results to device 2 every two minutes.
    fn taught() -> Baselines {
        let mut builder = BaselinesBuilder::default();
        for n in 0..60 {
            let (_, seen) = channel(n * 120_000, 1);
            builder.add(&seen, 0);
        }
        builder.finish()
    }

    /// Device 1 sends a result in this minute.
    fn hear(silences: &mut Silences, baselines: &Baselines, at: i64) {
        let (record, seen) = channel(at * 60_000, 1);
        silences.anybody(seen.seen);
        silences.observe(&seen, &record, baselines);
    }

    /// What is silent by this minute, in which somebody else is heard.
    fn look(silences: &mut Silences, at: i64) -> Vec<Silent> {
        silences.anybody(minute(at));
        silences.look(minute(at))
    }

    #[test]
    fn a_channel_that_stops_is_told_once_and_again_after_it_was_heard() {
        let baselines = taught();
        let mut silences = Silences::default();
        (200..220).step_by(2).for_each(|at| hear(&mut silences, &baselines, at));
        assert!(look(&mut silences, 225).is_empty());
        let told = look(&mut silences, 240);
        assert_eq!((told.len(), told[0].host, told[0].edge), (1, host(1), Edge { service: HL7, peer: host(2) }));
        assert!(told[0].part.bits > 10.0 && told[0].part.usual.1 <= 3.0, "{:?}", told[0].part);
        assert!(look(&mut silences, 300).is_empty(), "once");
        hear(&mut silences, &baselines, 301);
        assert_eq!(look(&mut silences, 330).len(), 1, "again");
    }

    #[test]
    fn what_is_refused_is_silent_where_it_was_learned_so() {
        let told = |learned_so: bool| {
            let mut baselines = taught();
            assert!(std::mem::replace(&mut baselines.silent_when_failed, learned_so), "a model of this version");
            let mut silences = Silences::default();
            (200..220).step_by(2).for_each(|at| hear(&mut silences, &baselines, at));
            for at in (220..240).step_by(2) {
                let (record, mut seen) = channel(at * 60_000, 1);
                seen.failed = true;
                silences.anybody(seen.seen);
                silences.observe(&seen, &record, &baselines);
            }
            look(&mut silences, 240).len()
        };
        assert_eq!([told(true), told(false)], [1, 0]);
    }

    #[test]
    fn what_is_only_kept_alive_is_silent_where_it_was_learned_so() {
        let told = |learned_so: bool| {
            let mut baselines = taught();
            baselines.silent_when_kept_alive = learned_so;
            let mut silences = Silences::default();
            (200..220).step_by(2).for_each(|at| hear(&mut silences, &baselines, at));
            for at in (220..240).step_by(2) {
                let (record, mut seen) = channel(at * 60_000, 1);
                (seen.continued, seen.vector[1], seen.vector[2], seen.vector[3], seen.vector[4]) = (true, 2.0, 2.0, 2.0, 0.0);
                silences.anybody(seen.seen);
                silences.observe(&seen, &record, &baselines);
            }
            look(&mut silences, 240).len()
        };
        assert_eq!([told(true), told(false)], [1, 0]);
    }

    /// Whether device 1 is missed that told device 2 something every five minutes for three days, as did device 3, but for a pause of so many minutes, in a
    /// language of their own.
    fn is_missed(pause: i64, services: u16) -> bool {
        let (mut builder, end) = (BaselinesBuilder::default(), 3 * 1440);
        let tells = |at: i64, from: u8| {
            let (record, mut seen) = flow(at * 60_000, from, 2, 7100, true);
            seen.resp_local = true;
            (record, seen)
        };
        for at in (0..end).step_by(5) {
            builder.add(&tells(at, 1).1, 0);
            if !(2000..2000 + pause).contains(&at) {
                builder.add(&tells(at, 3).1, 0);
            }
            if at < 5 * i64::from(services) {
                builder.add(&flow(at * 60_000 + 7, 1, 2, 9000 + (at / 5) as u16, true).1, 0);
            }
        }
        let mut baselines = builder.finish();
        baselines.pool_as_one();
        let mut silences = Silences::default();
        let (record, seen) = tells(end + 5, 1);
        silences.anybody(seen.seen);
        silences.observe(&seen, &record, &baselines);
        let before = look(&mut silences, end + 5 + 20);
        assert!(before.is_empty(), "it may have been started anew");
        let told = look(&mut silences, end + 5 + 26);
        assert!(told.iter().all(|silent| silent.part.prior_bits == 0.0 && silent.part.bits > 9.0));
        told.len() == 1
    }

    #[test]
    fn what_nobody_knows_is_missed_where_all_of_its_kind_go_on_and_do_little_else() {
        assert!(is_missed(0, 0));
        assert!(!is_missed(60, 0), "another of its server pauses");
        assert!(!is_missed(0, 20), "it does much");
    }

    /// What is told of device 1 after it told device 2 something each minute for 80 minutes, and ten more, of a kind; it asks the time later or not.
    fn told_after_an_hour(app: App, goes_on: bool) -> Vec<Silent> {
        let tells = |at: i64| {
            let (record, mut seen) = flow(at * 60_000, 1, 2, 7100, true);
            (seen.app, seen.resp_local) = (app, true);
            (record, seen)
        };
        let mut builder = BaselinesBuilder::default();
        (0..80).step_by(5).for_each(|at| builder.add(&tells(at).1, 0));
        let mut baselines = builder.finish();
        baselines.pool_as_one();
        let mut silences = Silences::default();
        let asks = |at: i64| flow(at * 60_000, 1, 100, 123, true);
        // As the last of it ends: that it goes on shows later.
        let heard = [tells(80), tells(85), tells(90), asks(91)].into_iter().chain(goes_on.then(|| asks(96)));
        heard.for_each(|(record, seen)| silences.observe(&seen, &record, &baselines));
        assert!(look(&mut silences, 104).is_empty(), "not for long");
        look(&mut silences, 107)
    }

    #[test]
    fn what_was_known_for_an_hour_is_missed_while_its_device_goes_on() {
        for (app, detail) in [(App::Unknown, Detail::GoesOn), (App::Hl7, Detail::Nothing)] {
            let told = told_after_an_hour(app, true);
            assert_eq!(told.len(), 1, "{app:?}");
            assert_eq!((told[0].part.detail, told[0].part.prior_bits), (detail, BITS));
            assert!(told_after_an_hour(app, false).is_empty(), "it may have been switched off");
        }
        assert!(told_after_an_hour(App::Http, true).is_empty());
    }

    #[test]
    fn signs_are_those_beside_a_conversation() {
        let edge = |port| Edge { service: Service { protocol: 6, port }, peer: host(2) };
        let mut signs = Signs::default();
        let beside = |signs: &Signs, port| [10, 20, 30].map(|at| signs.beside(edge(port), minute(at)));
        assert_eq!(beside(&signs, 1), [false; 3]);
        signs.add(edge(1), minute(10));
        assert_eq!((beside(&signs, 1), beside(&signs, 2)), ([false; 3], [true, false, false]));
        signs.add(edge(2), minute(20));
        signs.add(edge(1), minute(30));
        assert_eq!((beside(&signs, 1), beside(&signs, 2)), ([true, true, false], [true; 3]));
    }

    #[test]
    fn what_nobody_could_hear_is_no_silence() {
        let baselines = taught();
        let mut silences = Silences::default();
        hear(&mut silences, &baselines, 200);
        silences.skip(minute(201), minute(230));
        assert!(look(&mut silences, 230).is_empty());
        assert_eq!(look(&mut silences, 245).len(), 1, "it stays away");
        hear(&mut silences, &baselines, 250);
        silences.skip(minute(240), minute(251));
        assert!(look(&mut silences, 252).is_empty());
        assert_eq!(look(&mut silences, 265).len(), 1, "it was heard before the first tick");
    }

    #[test]
    fn what_was_not_heard_yet_is_not_missed() {
        let mut silences = Silences::default();
        let (record, seen) = channel(0, 3);
        silences.observe(&seen, &record, &taught());
        assert!(look(&mut silences, 10_000).is_empty());
    }

    #[test]
    fn while_nobody_is_heard_nobody_is_silent() {
        let baselines = taught();
        let mut silences = Silences::default();
        hear(&mut silences, &baselines, 200);
        assert!(silences.look(minute(215)).is_empty() && silences.look(minute(700)).is_empty(), "the site is closed");
        assert!(look(&mut silences, 702).is_empty(), "others are heard first");
        assert_eq!(look(&mut silences, 716).len(), 1, "it alone stays away");
    }
}

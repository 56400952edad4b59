//! The last minutes of the network, and how they compare with what is usual.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::anywhere::{Attack, anywhere};
use super::classify::administers_by;
use super::config::{Part, Without};
use super::crowd::repeats;
use super::evidence::{Contribution, Evidence};
use super::knowledge::{Ends, Knowledge};
use super::newcomer::follows_others;
use super::rhythm::{self, Beaten, Beats, Rhythm, Rhythms};
use super::strongest::Strongest;
use super::surprise::{DNS, Surprise, knows_client};
use super::waking::Waking;
use crate::app::{App, Events};
use crate::feature::{BYTES_ORIG, BYTES_RESP, Fact, FactKind, Host, Observation};
use crate::flow::Service;
use crate::model::{
    Baselines, Counted, Edge, Family as _, HostBaseline, Hour, HourOfDevice, Kind, KnownTo, Minute, Repeats, Roles, Shape, Side,
};
use crate::time::Timestamp;

/// Minutes kept, so that a flow can be judged with what came after it.
const MINUTES: i64 = 7;
/// Payload of a flow that is too much for a call home, in bytes.
const MOST_CALL_BYTES: f64 = 65_535.0;
/// How much more often than learned is still as often.
const HABIT_TIMES: f64 = 1.25;
/// Devices that are asked for the same service, so that one more of them is no news.
const MANY_ASKED: usize = 3;

/// What the servers of a directory offer: Kerberos and LDAP.
const DIRECTORY: [Service; 3] =
    [Service { protocol: 6, port: 88 }, Service { protocol: 17, port: 88 }, Service { protocol: 6, port: 389 }];

/// What happened lately.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Recent {
    hour: Hour,
    repeats: Repeats,
    minutes: VecDeque<(i64, Minute)>,
    waking: Waking,
    rhythms: Rhythms,
}

fn minute_of(seen: &Observation) -> i64 {
    seen.first_seen.seconds().div_euclid(60)
}

/// What the minutes and the hour around a flow add to its surprise: the strongest of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Context {
    /// What its initiator is or does in this minute.
    pub now: Option<Contribution>,
    /// What its responder gets.
    pub crowd: Option<Contribution>,
    /// What its initiator does too slowly for a minute to show.
    pub slow: Option<Contribution>,
    /// What the hour holds far too much of.
    pub hour: Option<Contribution>,
}

impl Context {
    /// The strongest.
    pub(super) fn strongest(&self) -> Option<Contribution> {
        self.most().copied()
    }

    /// Its bits.
    pub(super) fn bits(&self) -> f64 {
        self.most().map_or(0.0, |part| part.bits)
    }

    fn most(&self) -> Option<&Contribution> {
        let parts = [&self.now, &self.crowd, &self.slow, &self.hour].into_iter().flatten();
        parts.reduce(|most, part| if part.bits > most.bits { part } else { most })
    }
}

impl Recent {
    /// Counts hours from `at`, the first tick, where none was counted yet: the same for all shares of the devices.
    pub(super) fn begin(&mut self, at: Timestamp) {
        self.hour.begin(at);
        self.waking.begin(at);
    }

    /// Notes that nobody listened until `at`.
    pub(super) fn resume(&mut self, at: Timestamp) {
        self.waking.begin_again(at);
    }

    /// Counts an observation. Returns what the minute around it adds to its surprise by then, and how many targets its initiator has in the
    /// minute in which it was seen, where that was counted. What is counted is asked at once, not looked up again.
    pub(super) fn observe(
        &mut self,
        seen: &Observation,
        surprise: &Surprise,
        ends: &Ends<'_>,
        without: Without,
        with_crowd: bool,
    ) -> (Context, Option<u32>) {
        self.hour.add(seen);
        if with_crowd {
            self.repeats.add(seen, || knows_client(seen, ends));
        }
        let counted = self.observe_served(seen);
        let around = match counted {
            Some((counted, true)) => Some(counted),
            _ => self.counted_around(seen, counted.map(|(counted, _)| counted).filter(|_| has_events(seen))),
        };
        let is_followed = seen.is_first_sight() && !seen.service.maintains_link();
        let is_starting = !seen.service.maintains_link() && self.waking.observe(seen);
        let beaten = Beaten::of(seen, surprise, ends.orig);
        let beats = beaten
            .and_then(|key| if is_followed { Some(self.rhythms.observe(seen, key)) } else { self.rhythms.go_on(seen, key) });
        let beats = beaten.zip(beats);
        let beside = Beside { hour: &self.hour, repeats: &self.repeats, counted: around.as_ref(), beats, is_starting };
        let context = context((seen, surprise), ends, without, &beside, with_crowd);
        (context, counted.map(|(counted, _)| counted.initiated.targets))
    }

    /// Counts what the responder of an observation is asked within the hour, where its initiator is looked after elsewhere.
    pub(super) fn observe_asked(&mut self, seen: &Observation, is_known: impl FnOnce() -> bool) {
        self.hour.add_asked(seen);
        self.repeats.add(seen, is_known);
    }

    /// Counts an observation as one that its responder gets. Returns what its minute counted, and whether that is the one around it.
    pub(super) fn observe_served(&mut self, seen: &Observation) -> Option<(Counted, bool)> {
        let minute = seen.seen.seconds().div_euclid(60);
        if self.minutes.back().is_none_or(|&(last, _)| last < minute) {
            let mut over = Minute::default();
            while self.minutes.front().is_some_and(|&(first, _)| first + MINUTES <= minute) {
                over = self.minutes.pop_front().map_or(over, |(_, first)| first);
            }
            let next = self.minutes.back_mut().map_or_else(Minute::default, |(_, last)| last.end(over));
            self.minutes.push_back((minute, next));
        }
        let (last, window) = self.minutes.back_mut()?;
        let is_around = *last == minute_of(seen);
        window.count(seen).map(|counted| (counted, is_around))
    }

    /// What the minutes and the hour around a flow add to its surprise by now, but for what is left out.
    #[must_use]
    pub(super) fn context(&self, seen: &Observation, surprise: &Surprise, ends: &Ends<'_>, without: Without) -> Context {
        let at_end = || self.minute(seen.seen.seconds().div_euclid(60)).map(|window| window.counted(seen));
        let counted = self.counted_around(seen, if has_events(seen) { at_end() } else { None });
        let followed = Beaten::of(seen, surprise, ends.orig).and_then(|key| Some((key, self.rhythms.of(&key)?)));
        let is_starting = self.waking.is_starting(seen);
        let beside = Beside { hour: &self.hour, repeats: &self.repeats, counted: counted.as_ref(), beats: followed, is_starting };
        context((seen, surprise), ends, without, &beside, true)
    }

    /// What the responder of a flow gets in its minute, and from outside in the hour, too much of it for what is usual.
    pub(super) fn crowd(&self, seen: &Observation, knowledge: &Knowledge, without: Without) -> Context {
        let baselines = knowledge.baselines(seen.seen);
        let host = baselines.host(seen.resp);
        let of = |count: &dyn Fn(&mut Strongest<'_>)| {
            let mut found = Strongest::new(baselines, without, false, false);
            count(&mut found);
            found.part
        };
        let served = || self.minute_around(seen).map(|window| window.counted(seen).served);
        let crowd = of(&|found| served().into_iter().for_each(|served| found.served(seen, served, host)));
        let asked = Some(Side::Asked).filter(|&side| Side::of(seen) == Some(side));
        let hour = of(&|found| asked.into_iter().for_each(|side| found.asked(seen, side, self.hour.exchanges(), host)));
        let crowd = stronger(crowd, of_strangers(seen, &self.repeats, &knowledge.ends(seen), without));
        Context { crowd, hour, ..Context::default() }
    }

    /// What the minute around a flow shows that is an attack on any network.
    #[must_use]
    pub fn anywhere(&self, seen: &Observation, baselines: &Baselines) -> Option<Attack> {
        let serves_directory =
            || baselines.host(seen.orig).is_some_and(|host| DIRECTORY.iter().any(|&it| host.offers().contains(it)));
        self.minute_around(seen).and_then(|window| anywhere(seen, (window, &self.hour), serves_directory))
    }

    fn minute_around(&self, seen: &Observation) -> Option<&Minute> {
        self.minute(minute_of(seen))
    }

    fn minute(&self, wanted: i64) -> Option<&Minute> {
        self.minutes.iter().rev().find(|&&(minute, _)| minute == wanted).map(|(_, window)| window)
    }

    /// What was counted in the minute around a flow, and of what happened within flows in the minute of its end, too.
    fn counted_around(&self, seen: &Observation, at_end: Option<Counted>) -> Option<Counted> {
        let around = self.minute_around(seen)?.counted(seen);
        Some(at_end.map_or(around, |at_end| around.with_events_of(&at_end)))
    }

    /// What a device began in this hour.
    #[must_use]
    pub fn hour(&self, device: Host) -> HourOfDevice {
        self.hour.of(device)
    }

    /// The current minute.
    #[must_use]
    pub fn last_minute(&self) -> Option<&Minute> {
        self.minutes.back().map(|(_, window)| window)
    }
}

/// Did anything happen within its application that is counted at its end?
fn has_events(seen: &Observation) -> bool {
    seen.events != Events::default()
}

/// What happened around a flow.
struct Beside<'r> {
    hour: &'r Hour,
    repeats: &'r Repeats,
    counted: Option<&'r Counted>,
    beats: Option<(Beaten, &'r Beats)>,
    /// Has its initiator just been switched on?
    is_starting: bool,
}

/// What the minute and the hour around a flow and the beats of its conversation add to its surprise, but for what is left out: the strongest,
/// by itself. What its responder gets is looked at only `with_crowd`.
fn context(
    (seen, surprise): (&Observation, &Surprise),
    ends: &Ends<'_>,
    without: Without,
    &Beside { hour, repeats, counted, beats, is_starting }: &Beside<'_>,
    with_crowd: bool,
) -> Context {
    let &Ends { baselines, orig, resp } = ends;
    // One page asks many servers, and the resolver for each.
    let is_of_page =
        seen.orig_local && !seen.failed && if seen.resp_local { DNS.contains(&seen.service) } else { seen.service.is_web() };
    let mut found = Strongest::new(baselines, without, is_starting, is_of_page);
    if orig.is_none() && !without.has(Part::NewDevice) {
        found.newcomer(seen);
    }
    if let Some(counted) = counted {
        found.initiated(seen, surprise, counted, orig);
        // Only clients that are new share the blame for a crowd.
        if with_crowd && surprise.unknown_client {
            found.served(seen, counted.served, resp);
        }
    }
    found.slow(seen, surprise, hour, orig);
    // One client more of a server at home is no news, however regular, nor is one device more that is asked as others are: clocks, monitoring
    // and backups do so.
    let asks_many = || seen.resp_local && orig.is_some_and(|host| asks_many(host, seen, baselines));
    let established = || {
        let is_offered = resp.is_some_and(|host| host.local && host.offers().contains(seen.service));
        is_offered || asks_many() || orig.is_none_or(HostBaseline::is_hardly_known) && follows_others(seen, baselines)
    };
    if let Some((beaten, beats)) = beats
        && !without.has(Part::Rhythm)
        && found.bits() < rhythm::MOST_BITS
    {
        let evidence = if matches!(beaten, Beaten::Conversation(_)) { Evidence::Rhythm } else { Evidence::NameRhythm };
        let rhythm = beats.rhythm();
        let regular = rhythm.and_then(|rhythm| regular(seen, rhythm, evidence));
        let is_habit =
            || orig.zip(rhythm).is_some_and(|(orig, rhythm)| is_habit(seen, surprise.behaviour, rhythm, orig, baselines));
        // What stands before a name, a proxy or a resolver, offers that to all; whoever watches many asks each by its name.
        let is_usual = || match evidence {
            Evidence::NameRhythm => seen.app != App::Dns && asks_many(),
            _ => established() || is_habit(),
        };
        let is_stronger = |part: &Contribution| part.bits > found.bits() && !is_usual();
        found.part = regular.filter(is_stronger).or(found.part);
        let held = held(seen, (beaten, beats), orig, baselines).filter(|part| part.bits > found.bits());
        found.part = held.or(found.part);
    }
    let hour = of_hour(seen, surprise, (hour, with_crowd), ends, without);
    let strangers = if with_crowd && surprise.unknown_client { of_strangers(seen, repeats, ends, without) } else { None };
    let context = found.context();
    Context { hour, crowd: stronger(context.crowd, strangers), ..context }
}

/// How often strangers come to the responder of a flow with the same again.
fn of_strangers(
    seen: &Observation,
    repeated: &Repeats,
    &Ends { baselines, resp, .. }: &Ends<'_>,
    without: Without,
) -> Option<Contribution> {
    let repeated = repeated.of(seen).filter(|_| !without.has_kind(Evidence::Repeats))?;
    repeats(seen, repeated, resp, baselines)
}

fn stronger(one: Option<Contribution>, other: Option<Contribution>) -> Option<Contribution> {
    one.into_iter().chain(other).reduce(|one, other| if other.bits > one.bits { other } else { one })
}

/// What the hour around a flow holds far too much of: asked by its initiator, carried out by it, or asked of its responder, which is looked at only
/// `with_crowd`.
fn of_hour(
    seen: &Observation,
    surprise: &Surprise,
    (hour, with_crowd): (&Hour, bool),
    &Ends { baselines, orig, resp }: &Ends<'_>,
    without: Without,
) -> Option<Contribution> {
    let mut found = Strongest::new(baselines, without, false, false);
    match Side::of(seen) {
        Some(Side::Asking) => found.asked(seen, Side::Asking, hour.exchanges(), orig),
        Some(Side::Asked) if with_crowd && surprise.unknown_client => found.asked(seen, Side::Asked, hour.exchanges(), resp),
        Some(Side::Asked) => {}
        None => found.sent_out(seen, hour.sending(), orig),
    }
    // The bytes of a flow are among those of its hour: only the stronger of both counts.
    let of_flow = surprise.shape.filter(Contribution::is_of_bytes_sent).map_or(0.0, |part| part.bits);
    found.part.filter(|part| part.evidence != Evidence::SentOut || part.bits > of_flow)
}

/// Did a device ask several others at home for the service of a flow while it was learned?
pub(super) fn asks_many(host: &HostBaseline, seen: &Observation, baselines: &Baselines) -> bool {
    let of_any = Edge { service: seen.service, peer: seen.resp }.family();
    let at_home = host.edges.range(&of_any).filter(|(edge, _)| baselines.host(edge.peer).is_some_and(|peer| peer.local));
    at_home.take(MANY_ASKED).count() == MANY_ASKED
}

/// Does a device call one outside by a service as it called another outside by it, with flows of the same kind and no more often? A service has many addresses, and
/// its client may keep in touch with several of them. Over the web everything goes, and names tell; by what one logs in to everything can be done.
fn is_habit(seen: &Observation, behaviour: u16, rhythm: Rhythm, orig: &HostBaseline, baselines: &Baselines) -> bool {
    let service = seen.service;
    let is_call = seen.goes_out() && !service.is_web() && !administers_by(seen);
    if !is_call || orig.is_hardly_known() || !orig.shapes.contains(Shape { service, behaviour }) {
        return false;
    }
    let of_service = Edge { service, peer: seen.resp }.family();
    let is_outside = |edge: &Edge| !baselines.host(edge.peer).is_some_and(|peer| peer.local);
    let outside = orig.edges.range(&of_service).filter(|(edge, _)| is_outside(edge));
    let minutes = outside.map(|(_, minutes)| minutes).max().unwrap_or(0);
    60.0 / rhythm.period_s <= HABIT_TIMES * f64::from(minutes) / f64::from(orig.minutes)
}

/// A connection for hours of a device that is known to one outside of which nobody at home knows anything, over which little is said: through such ones devices are
/// commanded. What plays or fetches for hours says much.
fn held(
    seen: &Observation,
    (beaten, beats): (Beaten, &Beats),
    orig: Option<&HostBaseline>,
    baselines: &Baselines,
) -> Option<Contribution> {
    let is_outward = seen.continued && seen.service.protocol == 6 && seen.goes_out();
    // Who holds such connections every day meets another address of the same service; over the web everything goes, and names tell.
    let is_habit = |host: &HostBaseline| {
        let is_known_name = |fact: &Fact| matches!(fact.kind, FactKind::Domain | FactKind::Name) && host.facts.contains(*fact);
        seen.facts.iter().any(is_known_name) || !seen.service.is_web() && host.continued(seen.service).is_some()
    };
    let is_news = orig.is_some_and(|host| !host.is_hardly_known() && !is_habit(host));
    let (hours, bits) = beats.long().filter(|_| is_outward && is_news)?;
    let known = match beaten {
        Beaten::Name(_, name) => baselines.commons.known_to(Kind::Fact(name.kind), name, Roles::NONE),
        _ => baselines.commons.known_to(Kind::Edge, Edge { service: seen.service, peer: seen.resp }, Roles::NONE),
    };
    let bits = bits * smallness(seen);
    (known == KnownTo::Nobody && bits > 1.0).then(|| Contribution::of(Evidence::LongConnection, hours, bits))
}

fn regular(seen: &Observation, rhythm: Rhythm, evidence: Evidence) -> Option<Contribution> {
    let usual = (rhythm.jitter_s, rhythm.jitter_s);
    let bits = rhythm.bits * smallness(seen);
    (bits > 1.0).then(|| Contribution { usual, ..Contribution::of(evidence, rhythm.period_s, bits) })
}

/// How much of a rhythm counts: what calls home says little, what plays a film in pieces receives much each time (1 − bytes / 65,535, as in
/// the data score of RITA's beacons).
fn smallness(seen: &Observation) -> f64 {
    let payload = f64::from(seen.vector[BYTES_ORIG] + seen.vector[BYTES_RESP]);
    (1.0 - payload / MOST_CALL_BYTES).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_small_and_a_film_is_not() {
        let weight = |bytes: f32| {
            let (_, mut seen) = super::super::testing::flow(0, 1, 100, 443, true);
            (seen.vector[BYTES_ORIG], seen.vector[BYTES_RESP]) = (100.0, bytes);
            smallness(&seen)
        };
        assert!(weight(400.0) > 0.99 && weight(61_000.0) < 0.1);
        assert_eq!(weight(1e6), 0.0);
    }

    #[test]
    fn a_clock_of_a_service_that_is_used_like_one_is_a_habit() {
        use super::super::testing::{flow, taught_by};
        let outside = |at, to: u8, port| Observation { resp_local: false, ..flow(at, 1, to, port, true).1 };
        let learned = (0..480_i64).flat_map(|minute| {
            let home = [53, 1883].map(|port| flow(minute * 60_000 + i64::from(port), 1, 50, port, true).1);
            let calls = (minute % 5 == 0).then(|| [8883, 22].map(|port| outside(minute * 60_000 + i64::from(port), 100, port)));
            home.into_iter().chain(calls.into_iter().flatten()).chain([outside(minute * 60_000, 100, 443)])
        });
        let taught = taught_by(learned.collect(), 1e-6);
        let is_habit = |every_s: f64, seen: &Observation, behaviour: u16| {
            let rhythm = Rhythm { period_s: every_s, jitter_s: 1.0, bits: 20.0 };
            is_habit(seen, behaviour, rhythm, taught.host(seen.orig).unwrap(), taught.baselines(seen.seen))
        };
        let of_kind = |seen: &Observation| taught.vocabulary.matches(seen).behaviour;
        let found = |every_s: f64, seen: Observation| is_habit(every_s, &seen, of_kind(&seen));
        assert!(found(300.0, outside(0, 101, 8883)), "one more address");
        assert!(!found(60.0, outside(0, 101, 8883)), "more often than the other");
        assert!(!is_habit(300.0, &outside(0, 101, 8883), 9999), "flows of another kind");
        assert!(!found(300.0, outside(0, 101, 8884)) && !found(300.0, outside(0, 101, 443)), "another service, and the web");
        assert!(!found(300.0, outside(0, 101, 1883)) && !found(300.0, outside(0, 101, 22)), "what it does at home, and log-ins");
        assert!(!found(300.0, flow(0, 1, 101, 8883, true).1), "at home");
    }

    #[test]
    fn a_connection_for_hours_is_told_of_whom_nobody_knows_unless_it_is_a_habit() {
        use super::super::testing::{LATER_MS, flow, host, taught_by};
        let (known, unknown) = (Fact::new(FactKind::Name, "known.example"), Fact::new(FactKind::Name, "new.example"));
        let to = |peer: u8, ms: i64, continued: bool, fact: Fact| {
            let (_, seen) = flow(ms, 1, peer, 443, true);
            let service = Service { protocol: 6, port: if peer < 150 { 443 } else { 8883 } };
            Observation { service, continued, resp_local: false, facts: vec![fact], ..seen }
        };
        // Device 1 reads pages of device 100 and holds connections to port 8883 of device 200.
        let flows = (0..120).flat_map(|n| [to(100, n * 60_000, false, known), to(200, n * 60_000 + 9, n % 5 > 0, known)]);
        let knowledge = taught_by(flows.collect(), 1e-6);
        let baselines = knowledge.baselines(crate::time::Timestamp::from_parts(LATER_MS / 1000, 0));
        let told = |peer: u8, fact: Fact, hours: i64| {
            let first = to(peer, LATER_MS, false, fact);
            let key = Beaten::Conversation((first.orig, first.resp, first.service));
            let mut rhythms = Rhythms::default();
            rhythms.observe(&first, key);
            let end = first.start + crate::time::Span::from_secs(hours * 3600);
            let later = Observation { continued: true, end, ..first };
            let beats = rhythms.go_on(&later, key)?;
            held(&later, (key, beats), baselines.host(host(1)), baselines).map(|part| part.observed)
        };
        assert_eq!([told(101, unknown, 4), told(101, unknown, 0), told(101, known, 4)], [Some(4.0), None, None]);
        assert_eq!(
            [told(100, unknown, 4), told(201, unknown, 4)],
            [None, None],
            "whom it knows, and another of the same service"
        );
    }

    #[test]
    fn what_happened_within_a_flow_counts_in_the_minute_in_which_it_was_looked_at_first() {
        use super::super::testing::{LATER_MS, detector, flow, show, taught};
        use crate::flow::Sight;
        use crate::time::Span;
        let changes = |last_s: i64| {
            let (record, mut early) = flow(LATER_MS, 1, 100, 445, true);
            let mut whole = early.clone();
            early.sight = Sight::Early;
            (whole.sight, whole.seen, whole.events.file_changes) = (Sight::Again, early.seen + Span::from_secs(last_s), 260);
            let told = show(&mut detector(&taught()), vec![(record.clone(), early), (record, whole)]);
            told.iter().any(|notice| notice.incident.class == super::super::Class::FileActivity)
        };
        assert!(changes(10), "within its minute");
        assert!(changes(200), "some minutes long");
    }
    #[test]
    fn what_was_told_while_a_flow_was_open_counts_then_and_of_a_first_look_nothing() {
        use super::super::testing::flow;
        use crate::flow::Sight;
        let mut minute = Minute::default();
        let counted = [(Sight::Early, 9), (Sight::Between, 20), (Sight::Again, 5)].map(|(sight, files)| {
            let (_, mut seen) = flow(0, 1, 2, 445, true);
            (seen.sight, seen.events.file_changes) = (sight, files);
            minute.add(&seen, 0);
            minute.counted(&seen).initiated.file_changes
        });
        assert_eq!(counted, [0, 20, 25]);
    }
}

//! The last minutes of the network, and how they compare with what is usual.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::anywhere::{Attack, anywhere};
use super::case::WINDOW;
use super::config::{Part, Without};
use super::evidence::{Contribution, Evidence, Of, strongest};
use super::knowledge::{Ends, Knowledge};
use super::range::{BYTES_ORIG, BYTES_RESP, Range};
use super::rhythm::{Rhythm, Rhythms};
use super::surprise::Surprise;
use crate::feature::{Host, Observation};
use crate::flow::Service;
use crate::model::{Baselines, Counted, HostBaseline, Hour, HourOfDevice, Minute, Served, bits};
use crate::time::Timestamp;

/// Minutes kept, so that a flow can be judged with what came after it.
const MINUTES: i64 = 7;
/// Different targets within a minute below which their number says nothing: a name, the time and a page are three.
const MANY_TARGETS: u32 = 5;
/// Files changed within a minute below which their number says nothing: saving one document creates, renames and deletes.
const MANY_CHANGES: u32 = 8;
/// Payload of a flow that is too much for a call home, in bytes.
const MOST_CALL_BYTES: f64 = 65_535.0;
/// Bits that the context can bring at the most.
const MOST_BITS: f64 = 30.0;

/// What the servers of a directory offer: Kerberos and LDAP.
const DIRECTORY: [Service; 3] =
    [Service { protocol: 6, port: 88 }, Service { protocol: 17, port: 88 }, Service { protocol: 6, port: 389 }];

/// What happened lately.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Recent {
    hour: Hour,
    minutes: VecDeque<(i64, Minute)>,
    rhythms: Rhythms,
}

fn minute_of(seen: &Observation) -> i64 {
    seen.first_seen.seconds().div_euclid(60)
}

/// What the minutes and the hour around a flow add to its surprise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Context {
    /// What its initiator is or does in this minute.
    pub now: Option<Contribution>,
    /// What its responder gets.
    pub crowd: Option<Contribution>,
    /// What its initiator does too slowly for a minute to show.
    pub slow: Option<Contribution>,
}

impl Context {
    /// The strongest.
    pub(super) fn strongest(&self) -> Option<Contribution> {
        strongest(strongest(self.now, self.crowd), self.slow)
    }
}

/// What came of counting an observation, so that it need not be looked up again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Noted {
    /// What its minute counted, where that is the one around it.
    counted: Option<Counted>,
    /// The rhythm of its conversation, where that was followed.
    rhythm: Option<Option<Rhythm>>,
}

impl Recent {
    /// Counts hours from `at`, the first tick, where none was counted yet: the same for all shares of the devices.
    pub(super) fn begin(&mut self, at: Timestamp) {
        self.hour.begin(at);
    }

    /// Counts an observation.
    pub(super) fn observe(&mut self, seen: &Observation, surprise: &Surprise) -> Noted {
        self.hour.add(seen);
        let counted = self.observe_served(seen);
        let is_followed = seen.is_first_sight() && surprise.unknown_edge && !seen.service.maintains_link();
        Noted { counted, rhythm: is_followed.then(|| self.rhythms.observe(seen)) }
    }

    /// Counts an observation as one that its responder gets. Returns what its minute counted, where that is the one around it.
    pub(super) fn observe_served(&mut self, seen: &Observation) -> Option<Counted> {
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
        window.count(seen).filter(|_| is_around)
    }

    /// What the minute around a flow adds to its surprise, but for what is left out. `noted` is what came of counting it just now.
    #[must_use]
    pub(super) fn context(
        &self,
        seen: &Observation,
        surprise: &Surprise,
        ends: &Ends<'_>,
        without: Without,
        noted: Noted,
    ) -> Context {
        let &Ends { baselines, orig, resp } = ends;
        let counted = noted.counted.or_else(|| self.minute_around(seen).map(|window| window.counted(seen)));
        let new = if without.has(Part::NewDevice) || orig.is_some() { None } else { new_device(seen, baselines) };
        let rates = counted.and_then(|counted| initiated_rate(seen, surprise, &counted, (orig, baselines), without));
        // Only clients that are new share the blame for a crowd.
        let crowded = counted.filter(|_| surprise.unknown_client);
        let crowd = crowded.and_then(|counted| served_rate(seen, counted.served, (resp, baselines), without));
        // One client more of a server at home is no news, however regular: clocks, monitoring and backups are.
        let established = || resp.is_some_and(|host| host.local && host.offers().contains(seen.service));
        let may_have_rhythm = surprise.unknown_edge && !without.has(Part::Rhythm);
        let rhythm = || noted.rhythm.unwrap_or_else(|| self.rhythms.of(&(seen.orig, seen.resp, seen.service)));
        let rhythm = if may_have_rhythm { rhythm().and_then(|it| regular(seen, it)).filter(|_| !established()) } else { None };
        let slow = strongest(slow(seen, surprise, &self.hour, (orig, baselines), without), rhythm);
        Context { now: strongest(new, rates), crowd, slow }
    }

    /// What the responder of a flow gets in its minute, too much of it for what is usual.
    pub(super) fn crowd(&self, seen: &Observation, knowledge: &Knowledge, without: Without) -> Option<Contribution> {
        let baselines = knowledge.baselines(seen.seen);
        let served = self.minute_around(seen)?.counted(seen).served;
        served_rate(seen, served, (baselines.host(seen.resp), baselines), without)
    }

    /// What the minute around a flow shows that is an attack on any network.
    #[must_use]
    pub fn anywhere(&self, seen: &Observation, baselines: &Baselines) -> Option<Attack> {
        let serves_directory =
            || baselines.host(seen.orig).is_some_and(|host| DIRECTORY.iter().any(|&it| host.offers().contains(it)));
        self.minute_around(seen).and_then(|window| anywhere(seen, window, serves_directory))
    }

    fn minute_around(&self, seen: &Observation) -> Option<&Minute> {
        self.minutes.iter().rev().find(|&&(minute, _)| minute == minute_of(seen)).map(|(_, window)| window)
    }

    /// What a device began in this hour.
    #[must_use]
    pub fn hour(&self, device: Host) -> HourOfDevice {
        self.hour.of(device)
    }

    /// The current minute.
    #[must_use]
    pub fn minute(&self) -> Option<&Minute> {
        self.minutes.back().map(|(_, window)| window)
    }
}

fn regular(seen: &Observation, rhythm: Rhythm) -> Option<Contribution> {
    let usual = (rhythm.jitter_s, rhythm.jitter_s);
    let bits = rhythm.bits * smallness(seen);
    (bits > 1.0).then(|| Contribution { usual, ..Contribution::of(Evidence::Rhythm, rhythm.period_s, bits) })
}

/// How much of a rhythm counts: what calls home says little, what plays a film in pieces receives much each time (1 − bytes / 65,535, as in
/// the data score of RITA's beacons).
fn smallness(seen: &Observation) -> f64 {
    let payload = f64::from(seen.vector[BYTES_ORIG] + seen.vector[BYTES_RESP]);
    (1.0 - payload / MOST_CALL_BYTES).max(0.0)
}

/// That a device at home of which nothing is known was never seen: as surprising as such devices are rare, among windows of a case's length.
fn new_device(seen: &Observation, baselines: &Baselines) -> Option<Contribution> {
    // Errors answer somebody else's packet: routers on its way are met when something did not arrive.
    let speaks = seen.orig_local && seen.orig.is_device() && !seen.service.is_icmp_error();
    if !speaks {
        return None;
    }
    let (per_minute, p) = newcomer(baselines);
    let part = Contribution::of(Evidence::NewDevice, per_minute * 1440.0, bits(p).min(MOST_BITS));
    Some(Contribution { of: Of::Network, ..part })
}

/// New devices per minute while learning, and the probability of one within a window.
pub(super) fn newcomer(baselines: &Baselines) -> (f64, f64) {
    let per_minute = baselines.newcomers_per_minute;
    (per_minute, 1.0 - (-per_minute * WINDOW.as_seconds() / 60.0).exp())
}

fn initiated_rate(
    seen: &Observation,
    surprise: &Surprise,
    counted: &Counted,
    (host, baselines): (Option<&HostBaseline>, &Baselines),
    without: Without,
) -> Option<Contribution> {
    let (initiated, flows) = (&counted.initiated, f64::from(counted.flows));
    let rate = |evidence, observed| rate(evidence, observed, (host, seen.service), (baselines, without));
    let mut found = rate(Evidence::FlowRate, flows);
    if surprise.unknown_edge && initiated.targets >= MANY_TARGETS {
        found = strongest(found, rate(Evidence::TargetRate, f64::from(initiated.targets)));
    }
    if seen.failed {
        found = strongest(found, rate(Evidence::FailedRate, f64::from(initiated.failed)));
    }
    if seen.events.login_failures > 0 {
        found = strongest(found, rate(Evidence::LoginFailures, f64::from(initiated.login_failures)));
    }
    if seen.events.file_changes > 0 && initiated.file_changes >= MANY_CHANGES {
        found = strongest(found, rate(Evidence::FileChanges, f64::from(initiated.file_changes)));
    }
    found
}

/// What a device does too slowly for a minute to show.
fn slow(
    seen: &Observation,
    surprise: &Surprise,
    hour: &Hour,
    (host, baselines): (Option<&HostBaseline>, &Baselines),
    without: Without,
) -> Option<Contribution> {
    let fails = seen.failed || seen.events.login_failures > 0;
    if !surprise.unknown_edge && !fails {
        return None;
    }
    let hour = hour.of(seen.orig);
    let rate = |evidence, observed| rate(evidence, observed, (host, seen.service), (baselines, without));
    let mut found = None;
    let targets = if surprise.unknown_edge { hour.targets() } else { 0.0 };
    if targets >= f64::from(MANY_TARGETS) {
        found = rate(Evidence::SlowTargets, targets);
    }
    if fails {
        found = strongest(found, rate(Evidence::SlowFailures, f64::from(hour.failed)));
    }
    found
}

fn served_rate(
    seen: &Observation,
    Served { flows, clients, .. }: Served,
    (host, baselines): (Option<&HostBaseline>, &Baselines),
    without: Without,
) -> Option<Contribution> {
    let rate = |evidence, observed| rate(evidence, f64::from(observed), (host, seen.service), (baselines, without));
    strongest(rate(Evidence::ServedRate, flows), rate(Evidence::ClientRate, clients))
}

/// Surprise about a count per minute or hour; none for a count that is usual or below three.
fn rate(
    evidence: Evidence,
    observed: f64,
    (host, service): (Option<&HostBaseline>, Service),
    (baselines, without): (&Baselines, Without),
) -> Option<Contribution> {
    if observed < 3.0 || without.has_kind(evidence) {
        return None;
    }
    let range = Range::of_count(evidence, host, service, baselines)?;
    let p = range.rare(observed)?;
    let usual = range.usual().unwrap_or_default();
    let part = Contribution::of(evidence, observed, bits(p).min(MOST_BITS));
    (observed > usual.1).then_some(Contribution { usual, of: range.whose(), ..part })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Histogram;

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

    const HTTP: Service = Service { protocol: 6, port: 80 };

    #[test]
    fn a_usual_rate_is_no_surprise() {
        let mut own = Histogram::default();
        (0..60).for_each(|_| own.add(10.0));
        let mut baselines = Baselines::default();
        let host = HostBaseline::with_targets_per_min(&own);
        baselines.pooled.targets_per_min = own;
        let rate = |observed| rate(Evidence::TargetRate, observed, (Some(&host), HTTP), (&baselines, Without::default()));
        assert!(rate(10.0).is_none());
        let burst = rate(1000.0).unwrap();
        assert!(burst.bits > 15.0 && burst.of == Of::Device);
    }

    #[test]
    fn an_unknown_device_is_compared_with_the_network() {
        let mut baselines = Baselines::default();
        (0..1000).for_each(|_| baselines.pooled.targets_per_min.add(50.0));
        let rate = |without| rate(Evidence::TargetRate, 500.0, (None, HTTP), (&baselines, without));
        let found = rate(Without::default()).unwrap();
        assert_eq!(found.of, Of::Network);
        assert!(rate(Without::parts(&[Part::Minute])).is_none());
    }
}

//! Conversations, and calls for new names, that come like a clock or are held for hours.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::surprise::Surprise;
use crate::app::App;
use crate::feature::{Fact, FactKind, Host, Observation};
use crate::model::{Conversation, HostBaseline, Map};
use crate::time::{Span, Timestamp};

/// Conversations and names followed at the most; what began to be followed first goes.
const MAX_CONVERSATIONS: usize = 50_000;
/// Latest gaps kept of one conversation.
const GAPS: usize = 16;
/// Gaps needed before a rhythm is told.
const MIN_GAPS: usize = 5;
/// Shorter gaps than this, in seconds, are one burst, not a rhythm.
const MIN_PERIOD_S: f64 = 0.5;
/// A gap of so many times the lower quartile is a pause …
const PAUSE_TIMES: f32 = 10.0;
/// … and where one in so many gaps is, flows come in bursts: what comes like a clock, if anything does, are the bursts.
const PAUSE_SHARE: usize = 4;
/// A connection of which nothing is said for this long, in seconds, …
const SHORT_S: f64 = 1800.0;
/// … and one that is told for how long it lasts.
const LONG_S: f64 = 3600.0;
/// Longer than this between two parts nothing was held.
const PAUSE: Span = Span::from_secs(600);
/// Bits that each doubling brings, and at the most.
const LONG_BITS_PER_DOUBLING: f64 = 3.0;
const MOST_LONG_BITS: f64 = 12.0;
/// The port of clocks (RFC 5905, 7.2).
const NTP: u16 = 123;
/// Bits at the most.
pub(super) const MOST_BITS: f64 = 20.0;

/// What may come like a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Beaten {
    /// A conversation between ends that never had it.
    Conversation(Conversation),
    /// What a device does about a name that it never used, whatever stands between: a proxy, a resolver, the changing addresses of a service for content.
    Name(Host, Fact),
    /// Look-ups of names of a domain of which it never asked for one. Apart, since a film in pieces is looked up as often as it is fetched, and is no small call.
    LookUp(Host, Fact),
}

impl Beaten {
    /// What is followed of an observation.
    #[must_use]
    pub fn of(seen: &Observation, surprise: &Surprise, orig: Option<&HostBaseline>) -> Option<Self> {
        // Clocks are asked for the time like clocks, what proxies are asked for is no one conversation, and what is said to all calls nobody.
        let is_followed = surprise.unknown_edge && !asks_one_more(seen, orig) && !seen.passed_on && !seen.is_to_group();
        let conversation = || is_followed.then_some(Self::Conversation((seen.orig, seen.resp, seen.service)));
        // To a device of which nothing is known every name is new, and a resolver asks for others.
        let Some(orig) = orig.filter(|_| surprise.is_named() && !surprise.on_behalf && seen.orig_local) else {
            return conversation();
        };
        // An address in the place of a name names nothing else than the conversation does.
        if seen.facts.contains(&Fact::new(FactKind::Name, &seen.resp.to_string())) {
            return conversation();
        }
        let new = |kind| seen.facts.iter().find(|fact| fact.kind == kind && !orig.facts.contains(**fact));
        let named = match seen.app {
            App::Dns => new(FactKind::Domain).map(|&domain| Self::LookUp(seen.orig, domain)),
            _ => new(FactKind::Domain).or_else(|| new(FactKind::Name)).map(|&name| Self::Name(seen.orig, name)),
        };
        named.or_else(conversation)
    }
}

/// Does a device ask one clock more for the time (RFC 5905), or one resolver more at home for names, having asked others? Of one of which nothing is known that
/// is what is expected first, at home.
fn asks_one_more(seen: &Observation, orig: Option<&HostBaseline>) -> bool {
    let is_asked_by_all = (seen.app == App::Ntp && seen.service.port == NTP) || seen.app == App::Dns && seen.resp_local;
    let is_unknown = || seen.resp_local && orig.is_none_or(HostBaseline::is_hardly_known);
    is_asked_by_all && (is_unknown() || orig.is_some_and(|host| host.services.contains(seen.service)))
}

/// When the flows of one conversation, or about one name, began.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Beats {
    last: Option<Timestamp>,
    /// The whole name that was asked for last.
    asked: Option<Fact>,
    gaps_s: VecDeque<f32>,
    /// Since when one connection or another has been held without a pause, and until when.
    held: Option<(Timestamp, Timestamp)>,
}

/// A rhythm that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rhythm {
    /// Median time between flows, in seconds.
    pub period_s: f64,
    /// Median deviation from it, in seconds.
    pub jitter_s: f64,
    /// Surprise in bits: how much better a clock explains the gaps than chance does.
    pub bits: f64,
}

/// Follows when conversations begin their flows. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Rhythms {
    beats: Map<Beaten, Beats>,
    order: VecDeque<Beaten>,
}

impl Rhythms {
    /// Takes the start of a flow. Returns the beats of its conversation or name.
    pub fn observe(&mut self, seen: &Observation, key: Beaten) -> &Beats {
        if self.beats.len() >= MAX_CONVERSATIONS
            && !self.beats.contains_key(&key)
            && let Some(oldest) = self.order.pop_front()
        {
            self.beats.remove(&oldest);
        }
        let beats = self.beats.entry(key).or_insert_with(|| {
            self.order.push_back(key);
            Beats::default()
        });
        // The same name is looked up again when its time to live is over; what calls home by look-ups asks for another each time.
        if matches!(key, Beaten::LookUp(..)) {
            let asked = seen.facts.iter().find(|fact| fact.kind == FactKind::Name).copied();
            if std::mem::replace(&mut beats.asked, asked) == asked {
                return beats;
            }
        }
        let gap_s = beats.last.map(|last| seen.start.since(last).as_seconds());
        // Flows that begin together (a page and its parts) are one beat.
        if gap_s.is_some_and(|gap| gap < MIN_PERIOD_S) {
            return beats;
        }
        beats.last = Some(seen.start);
        if let Some(gap) = gap_s {
            if beats.gaps_s.len() == GAPS {
                beats.gaps_s.pop_front();
            }
            beats.gaps_s.push_back(gap as f32);
        }
        beats
    }

    /// Takes a further part of a long flow. Returns the beats of its conversation or name.
    pub fn go_on(&mut self, seen: &Observation, key: Beaten) -> Option<&Beats> {
        let beats = self.beats.get_mut(&key)?;
        if seen.continued
            && let Some(last) = beats.last
        {
            // Beside a long connection short ones come and go.
            let going_on = beats.held.filter(|(_, until)| seen.start.since(*until) < PAUSE);
            beats.held = Some((going_on.map_or(last.min(seen.start), |(since, _)| since), seen.end));
        }
        Some(beats)
    }

    /// The beats of what is followed.
    #[must_use]
    pub fn of(&self, key: &Beaten) -> Option<&Beats> {
        self.beats.get(key)
    }
}

impl Beats {
    /// For how long connections have been held, in hours, and the bits of that, where it is long.
    ///
    /// How long connections last is heavy-tailed, so it counts as a power law: each doubling beyond half an hour brings the same bits.
    #[must_use]
    pub fn long(&self) -> Option<(f64, f64)> {
        let lasts_s = self.held.map_or(0.0, |(since, until)| until.since(since).as_seconds());
        let bits = LONG_BITS_PER_DOUBLING * (lasts_s / SHORT_S).log2();
        (lasts_s >= LONG_S).then(|| (lasts_s / 3600.0, bits.min(MOST_LONG_BITS)))
    }

    /// The rhythm, if there is one.
    ///
    /// Under chance (Poisson arrivals) a gap falls within ±d of the median m with probability about e^(−ln 2)·2d/m = d/m;
    /// under a clock every gap does. Each gap beyond the first brings −log₂ of that, with d the median absolute deviation
    /// (at least 1 % of the period).
    #[must_use]
    pub fn rhythm(&self) -> Option<Rhythm> {
        if self.gaps_s.len() < MIN_GAPS {
            return None;
        }
        let short_s = quantile(self.gaps_s.iter().copied(), 1);
        let is_pause = |gap: f32| gap > PAUSE_TIMES * short_s;
        let pauses = self.gaps_s.iter().filter(|&&gap| is_pause(gap)).count();
        let bursts = (pauses * PAUSE_SHARE >= self.gaps_s.len()).then(|| between_bursts(&self.gaps_s, is_pause));
        let gaps = bursts.as_ref().unwrap_or(&self.gaps_s);
        if gaps.len() < MIN_GAPS {
            return None;
        }
        let period_s = median(gaps.iter().copied());
        let jitter_s = median(gaps.iter().map(|gap| (gap - period_s).abs()));
        // Half of the gaps lie within the median deviation by definition: the same share under chance would too for the
        // spread of Poisson gaps (about 0.7 of the median), so only what is tighter than that counts.
        let tightness = f64::from(jitter_s / period_s).max(0.01) / 0.7;
        let bits = (gaps.len() - 1) as f64 * 0.5 * -tightness.min(1.0).log2();
        (bits > 1.0).then(|| Rhythm { period_s: f64::from(period_s), jitter_s: f64::from(jitter_s), bits: bits.min(MOST_BITS) })
    }
}

/// The gaps between beginnings of bursts, each of which ends with a pause; what was under way at first or is at last is none.
fn between_bursts(gaps: &VecDeque<f32>, is_pause: impl Fn(f32) -> bool) -> VecDeque<f32> {
    let (mut bursts, mut since) = (VecDeque::new(), None);
    for &gap in gaps {
        since = since.map(|since| since + gap);
        if is_pause(gap) {
            bursts.extend(since);
            since = Some(0.0);
        }
    }
    bursts
}

fn median(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    quantile(values, 2)
}

/// The value behind so many quarters of at most [`GAPS`] values, one at least and none below 0: their bits are in their order.
fn quantile(values: impl ExactSizeIterator<Item = f32>, quarters: usize) -> f32 {
    let (mut sorted, many) = ([u32::MAX; GAPS], values.len().min(GAPS));
    sorted.iter_mut().zip(values).for_each(|(place, value)| *place = value.to_bits());
    sorted[..many].sort_unstable();
    f32::from_bits(sorted[many * quarters / 4])
}

#[cfg(test)]
mod tests {
    use super::super::evidence::{Contribution, Evidence};
    use super::super::testing::{flow, host};
    use super::*;
    use crate::flow::Service;

    fn rhythm(starts_ms: &[i64]) -> Option<Rhythm> {
        let (mut rhythms, service) = (Rhythms::default(), Service { protocol: 6, port: 443 });
        let key = Beaten::Conversation((host(1), host(2), service));
        for &ms in starts_ms {
            rhythms.observe(&flow(ms, 1, 2, 443, true).1, key);
        }
        rhythms.of(&key)?.rhythm()
    }

    #[test]
    fn a_clock_is_told_with_its_period() {
        let found = rhythm(&(0..12).map(|n| n * 60_000 + n % 3 * 900).collect::<Vec<_>>()).unwrap();
        assert!((found.period_s - 60.0).abs() < 2.0 && found.bits > 10.0, "{found:?}");
    }

    #[test]
    fn chance_is_no_clock() {
        // Gaps of an exponential distribution, by inversion of evenly spread shares in a mixed order.
        let mut at = 0.0;
        let starts: Vec<i64> = (0..16)
            .map(|n| {
                at += -(1.0 - (f64::from(n * 7 % 16) + 0.5) / 16.0).ln() * 60_000.0;
                at as i64
            })
            .collect();
        assert!(rhythm(&starts).is_none_or(|found| found.bits < 4.0));
    }

    #[test]
    fn bursts_are_beats_of_their_own() {
        // Three look-ups 800 ms apart for every page, and pages whenever somebody likes.
        let pages = [0, 70, 550, 640, 1400, 1500, 1590, 2900].map(|second| second * 1000);
        let looked_up = |page: &i64| [0, 800, 1600].map(|ms| page + ms);
        assert_eq!(rhythm(&pages.iter().flat_map(looked_up).collect::<Vec<_>>()), None);
        let twice = (0..12).map(|n| n * 60_000 + n % 3 * 900).flat_map(|ms| [ms, ms + 800]);
        let found = rhythm(&twice.collect::<Vec<_>>()).unwrap();
        assert!((found.period_s - 60.0).abs() < 2.0 && found.bits > 8.0, "{found:?}");
        // A clock that was away for a night is one still.
        let away = |n: i64| n * 60_000 + if n > 8 { 40_000_000 } else { 0 };
        assert!(rhythm(&(0..16).map(away).collect::<Vec<_>>()).is_some_and(|found| (found.period_s - 60.0).abs() < 1.0));
    }

    #[test]
    fn flows_that_begin_together_are_one_beat() {
        let starts: Vec<i64> = (0..12).flat_map(|n| [n * 30_000, n * 30_000 + 40, n * 30_000 + 90]).collect();
        assert!((rhythm(&starts).unwrap().period_s - 30.0).abs() < 0.1);
    }

    #[test]
    fn a_new_name_is_followed_whatever_stands_between() {
        let client = HostBaseline::default();
        let named = |to: u8, names: &[(FactKind, &str)], app: App| {
            let (_, mut seen) = flow(0, 1, to, 443, true);
            (seen.app, seen.orig_local) = (app, true);
            seen.facts = names.iter().map(|&(kind, name)| Fact::new(kind, name)).collect();
            seen
        };
        let followed = |seen: &Observation, on_behalf: bool, orig: Option<&HostBaseline>| {
            let new = Some(Contribution::of(Evidence::NewFact(FactKind::Domain), 0.0, 9.0));
            let surprise = Surprise { new, on_behalf, unknown_edge: seen.resp == host(7), ..Surprise::default() };
            Beaten::of(seen, &surprise, orig)
        };
        let domain = (FactKind::Domain, "new.example");
        let of_domain = Some(Beaten::Name(host(1), Fact::new(domain.0, domain.1)));
        let through = |to: u8| named(to, &[domain, (FactKind::Name, "c2.new.example")], App::Http);
        assert_eq!([2, 7].map(|to| followed(&through(to), false, Some(&client))), [of_domain; 2]);
        let conversation = Some(Beaten::Conversation((host(1), host(7), through(7).service)));
        let by_address = named(7, &[domain, (FactKind::Name, &host(7).to_string())], App::Http);
        assert_eq!(followed(&by_address, false, Some(&client)), conversation);
        assert_eq!(followed(&through(7), false, None), conversation, "all names are new to a stranger");
        let proxied = Observation { passed_on: true, ..through(7) };
        assert_eq!(followed(&proxied, false, None), None, "many names are asked of one proxy");
        assert_eq!(followed(&proxied, false, Some(&client)), of_domain);
        assert_eq!(
            (followed(&through(7), true, Some(&client)), followed(&through(2), true, Some(&client))),
            (conversation, None)
        );
        let asked = named(2, &[domain, (FactKind::Name, "c2.new.example")], App::Dns);
        let looked_up = Some(Beaten::LookUp(host(1), Fact::new(domain.0, domain.1)));
        assert_eq!(followed(&asked, false, Some(&client)), looked_up);
        let mut client = client;
        client.facts.add(Fact::new(domain.0, domain.1), 1);
        let of_name = Some(Beaten::Name(host(1), Fact::new(FactKind::Name, "c2.new.example")));
        assert_eq!(followed(&through(2), false, Some(&client)), of_name);
        assert_eq!(followed(&asked, false, Some(&client)), None, "another name of a domain that it asks for");
    }

    #[test]
    fn one_clock_more_is_no_rhythm() {
        let ntp = Service { protocol: 17, port: 123 };
        let mut client = HostBaseline::default();
        let followed = |client: &HostBaseline, app: App| {
            let (_, mut seen) = flow(0, 1, 2, 123, true);
            (seen.app, seen.service, seen.orig_local) = (app, ntp, true);
            Beaten::of(&seen, &Surprise { unknown_edge: true, ..Surprise::default() }, Some(client)).is_some()
        };
        assert!(followed(&client, App::Ntp), "it never asked for the time");
        client.services.add(ntp, 10);
        assert!(!followed(&client, App::Ntp) && followed(&client, App::Unknown), "something else on its port");
        let asks = |resp_local: bool| {
            let (_, mut seen) = flow(0, 1, 2, 53, true);
            (seen.app, seen.orig_local, seen.resp_local) = (App::Dns, true, resp_local);
            let mut client = HostBaseline::default();
            (0..10).for_each(|_| client.services.add(seen.service, 10));
            Beaten::of(&seen, &Surprise { unknown_edge: true, ..Surprise::default() }, Some(&client)).is_some()
        };
        assert!(!asks(true) && asks(false), "a resolver at home");
    }

    #[test]
    fn what_is_said_to_all_of_a_link_calls_nobody() {
        let followed = |mac: [u8; 6]| {
            let (_, mut seen) = flow(0, 1, 7, 138, true);
            seen.macs[1] = crate::wire::Mac(mac);
            Beaten::of(&seen, &Surprise { unknown_edge: true, ..Surprise::default() }, None).is_some()
        };
        assert!(followed([2, 0, 0, 0, 0, 7]) && !followed([0xff; 6]));
    }

    #[test]
    fn a_name_that_is_looked_up_again_is_no_beat_and_another_of_its_domain_is() {
        let domain = Fact::new(FactKind::Domain, "new.example");
        let rhythm = |name_of: &dyn Fn(i64) -> String, key: Beaten| {
            let mut rhythms = Rhythms::default();
            for n in 0..12 {
                let (_, mut seen) = flow(n * 300_000, 1, 2, 53, true);
                seen.facts = vec![Fact::new(FactKind::Name, &name_of(n))];
                rhythms.observe(&seen, key);
            }
            rhythms.of(&key)?.rhythm()
        };
        let (looked_up, used) = (Beaten::LookUp(host(1), domain), Beaten::Name(host(1), domain));
        assert_eq!(rhythm(&|_| "www.new.example".to_owned(), looked_up), None);
        let period_s = |found: Option<Rhythm>| found.map(|found| found.period_s);
        assert_eq!(period_s(rhythm(&|n| format!("{n}.new.example"), looked_up)), Some(300.0));
        assert_eq!(period_s(rhythm(&|_| "www.new.example".to_owned(), used)), Some(300.0));
    }

    #[test]
    fn a_connection_that_lasts_for_hours_counts_by_each_doubling() {
        let key = Beaten::Conversation((host(1), host(2), Service { protocol: 6, port: 443 }));
        let lasts = |minutes: i64| {
            let (mut rhythms, first) = (Rhythms::default(), flow(0, 1, 2, 443, true).1);
            rhythms.observe(&first, key);
            let end = first.start + Span::from_secs(minutes * 60);
            rhythms.go_on(&Observation { continued: true, end, ..first }, key)?.long()
        };
        assert_eq!([59, 60, 240, 6000].map(lasts), [None, Some((1.0, 3.0)), Some((4.0, 9.0)), Some((100.0, 12.0))]);
        assert!(Rhythms::default().go_on(&flow(0, 1, 2, 443, true).1, key).is_none(), "its beginning was not heard");
        let with_another = |pause_s: i64| {
            let (mut rhythms, first) = (Rhythms::default(), flow(0, 1, 2, 443, true).1);
            let part = |from_s: i64| {
                let [start, end] = [from_s, from_s + 300].map(|second| first.start + Span::from_secs(second));
                Observation { continued: true, start, end, ..first.clone() }
            };
            rhythms.observe(&first, key);
            (0..24).for_each(|n| _ = rhythms.go_on(&part(n * 300), key));
            rhythms.observe(&flow(7_100_000, 1, 2, 443, true).1, key);
            rhythms.go_on(&part(6900 + pause_s), key)?.long().map(|(hours, _)| hours)
        };
        assert_eq!(
            [300, 600, 1200].map(with_another),
            [Some(2.0 + 1.0 / 12.0), Some(2.0 + 1.0 / 6.0), None],
            "a short one beside it"
        );
    }

    #[test]
    fn a_few_flows_are_no_rhythm() {
        assert_eq!(rhythm(&[0, 1000, 2000]), None);
    }
}

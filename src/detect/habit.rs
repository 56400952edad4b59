//! What was told already.

use serde::{Deserialize, Serialize};

use super::class::Class;
use super::evidence::{Contribution, Evidence};
use super::incident::{Cause, Incident};
use crate::app::App;
use crate::feature::{Fact, FactKind, Host, Observation};
use crate::flow::Service;
use crate::model::Map;
use crate::time::{Span, Timestamp};

/// How long a conversation that was told is not told again for the same surprise: at the most, and at first where it was told as
/// what only attacks do; then twice as long every time.
const LONGEST: Span = Span::from_secs(86_400);
const FIRST: Span = Span::from_secs(600);
/// The same of data that was moved and left home, where each time more is lost, yet people also copy twice. From one device at home to another it is
/// not lost for being copied again; but what is moved to and from a share may be its encryption.
const FIRST_OF_TRANSFER: Span = Span::from_secs(3600);
/// What the hour of a device holds is no news for so long, unless it is so much more.
const HOUR: Span = Span::from_secs(3600);
const MORE_OF_HOUR: f64 = 1.5;
/// What is told twice with at least this time between comes again after as long: a nightly job, a weekly backup, a month's end.
const SHORTEST_PERIOD: Span = Span::from_secs(12 * 3600);
/// How much earlier or later than that it may come, as a part of the time between: a tenth, for months are not alike.
const PUNCTUALITY: i64 = 10;
/// Conversations remembered for that at the most; beyond, they may be told again.
const MAX_CONVERSATIONS: usize = 100_000;

/// What is told once a day, with whomever it is done next: that a device is new; an application that hides traffic or works for others, or a tool that does, of its device;
/// a service that is new, of who offers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum News {
    Device(Host),
    Application(Host, App),
    Tool(Host, Fact),
    Service(Host, Service),
}

impl News {
    fn of(class: Class, host: Host, (peer, service): (Host, Service), (app, tool): (App, Option<Fact>)) -> Option<Self> {
        match class {
            Class::NewDevice => Some(Self::Device(host)),
            Class::CovertApplication => Some(tool.map_or(Self::Application(host, app), |tool| Self::Tool(host, tool))),
            Class::NewService => Some(Self::Service(peer, service)),
            _ => None,
        }
    }
}

/// Who was told about, with whom.
type Told = (Host, Host, Service);

/// What was told of a conversation.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Habit {
    /// As what: classes that tell more are told anew.
    class: Class,
    own_bits: f64,
    shared_bits: f64,
    /// How long it holds, and until when.
    holds: Span,
    until: Timestamp,
    /// When it came last.
    last: Timestamp,
    /// The time between the last two, where it came twice.
    period: Option<Span>,
}

impl Habit {
    /// Was it told as this class, or as one that tells more? That a service was looked for tells nothing of what is done with it next.
    fn covers(&self, class: Class) -> bool {
        class >= self.class && (!self.class.is_search() || class.is_search() || class.is_vague())
    }

    /// Holds for a day where this is one more copy between devices at home.
    fn hold(&mut self, seen: &Observation) {
        if self.class == Class::Exfiltration && seen.stays_home() && !matches!(seen.app, App::Smb | App::Nfs) {
            (self.until, self.holds) = (self.until - self.holds + LONGEST, LONGEST);
        }
    }

    /// Does it come about now if it is regular?
    fn is_due(&self, now: Timestamp) -> bool {
        self.period.is_some_and(|period| {
            let off = now.since(self.last).nanos() - period.nanos();
            off.abs() <= period.nanos() / PUNCTUALITY
        })
    }
}

/// Conversations told in incidents that are closed. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Habits {
    told: Map<Told, Habit>,
    /// Own and shared bits with which news was told, and until when it holds.
    news: Map<News, (f64, f64, Timestamp)>,
    /// What was told of an hour: the count, and until when that is no news.
    hours: Map<HourTold, (f64, Timestamp)>,
    /// Devices of which an incident was told, and until when they are watched for it.
    suspects: Map<Host, Timestamp>,
    /// Devices of which something was told that ordinary life does not bring, for a day.
    did: Map<Host, Timestamp>,
}

impl Habits {
    /// Own and shared bits of a conversation of a device that were told as this class, or as one that tells more, and still hold, or that it
    /// has again when they were due. What only attacks do is never due.
    pub fn told(&mut self, host: Host, peer: Host, seen: &Observation, class: Class) -> Option<(f64, f64)> {
        self.told_of((host, peer), seen, class).or_else(|| {
            let tool = seen.facts.iter().copied().find(|fact| fact.kind == FactKind::Tool);
            let news = News::of(class, host, (peer, seen.service), (seen.app, tool))?;
            let &(own_bits, shared_bits, until) = self.news.get(&news)?;
            (seen.seen < until).then_some((own_bits, shared_bits))
        })
    }

    fn told_of(&mut self, (host, peer): (Host, Host), seen: &Observation, class: Class) -> Option<(f64, f64)> {
        let now = seen.seen;
        let habit = self.told.get_mut(&(host, peer, seen.service)).filter(|habit| habit.covers(class))?;
        habit.hold(seen);
        if now >= habit.until {
            if class.recurs() || !habit.is_due(now) {
                return None;
            }
            (habit.last, habit.until) = (now, now + habit.holds);
        }
        Some((habit.own_bits, habit.shared_bits))
    }

    /// Was told within the day that a device at home reaches another by this service? That it does so like a clock is no other thing.
    pub fn has_told_of(&self, host: Host, peer: Host, seen: &Observation) -> bool {
        let told = self.told.get(&(host, peer, seen.service));
        seen.stays_home() && told.is_some_and(|habit| !habit.class.is_search() && seen.seen < habit.until)
    }

    /// Was so much of an hour of a device, and of its conversation where it is about one, told in an incident that is closed, or nearly?
    pub fn has_told_hour(&self, seen: &Observation, part: &Contribution) -> bool {
        let (host, peer) = if part.evidence.is_crowd() { (seen.resp, seen.orig) } else { (seen.orig, seen.resp) };
        let told = HourTold::of(part.evidence, host, (peer, seen.service)).and_then(|told| self.hours.get(&told));
        told.is_some_and(|&(count, until)| seen.seen < until && part.observed < MORE_OF_HOUR * count)
    }

    fn remember_hours(&mut self, incident: &Incident, now: Timestamp) {
        for Cause { part, peer, service, .. } in &incident.reasons {
            let Some(told) = HourTold::of(part.evidence, incident.host, (*peer, *service)) else { continue };
            if self.hours.len() >= MAX_CONVERSATIONS {
                self.hours.retain(|_, (_, until)| now < *until);
            }
            if self.hours.len() < MAX_CONVERSATIONS {
                let (count, until) = self.hours.entry(told).or_insert((0.0, now));
                *count = if now < *until { count.max(part.observed) } else { part.observed };
                *until = now + told.holds();
            }
        }
    }

    fn remember_news(&mut self, incident: &Incident, now: Timestamp) {
        if self.news.len() >= MAX_CONVERSATIONS {
            self.news.retain(|_, (.., until)| now < *until);
        }
        let tool = incident.flow.said(FactKind::Tool).map(|tool| Fact::new(FactKind::Tool, tool));
        for (&with, &(own_bits, shared_bits)) in &incident.conversations {
            let news = News::of(incident.class, incident.host, with, (incident.flow.app, tool));
            let Some(news) = news.filter(|_| self.news.len() < MAX_CONVERSATIONS) else { return };
            let told = self.news.entry(news).or_insert((0.0, 0.0, now));
            *told = (told.0.max(own_bits), told.1.max(shared_bits), now + LONGEST);
        }
    }

    /// Was an incident of this device closed within the last day?
    pub fn is_suspect(&self, host: Host, now: Timestamp) -> bool {
        self.suspects.get(&host).is_some_and(|&until| now < until)
    }

    /// Watches a device for a day: an incident speaks of it.
    pub fn suspect(&mut self, host: Host, now: Timestamp) {
        watch(&mut self.suspects, host, now);
    }

    /// Was something told of this device within the last day that ordinary life does not bring?
    pub fn did(&self, host: Host, now: Timestamp) -> bool {
        self.did.get(&host).is_some_and(|&until| now < until)
    }

    /// An incident tells of devices what they did: for a day it counts. What is done to one, or what one no longer does, is no deed of its own.
    pub fn note(&mut self, incident: &Incident, now: Timestamp) {
        let is_done_to_it = matches!(incident.class, Class::Flood | Class::WebAttack | Class::SilentChannel)
            || incident.reasons.first().is_some_and(|reason| reason.part.evidence.is_crowd());
        if !incident.class.is_vague() && !is_done_to_it {
            std::iter::once(incident.host).chain(incident.also.iter().copied()).for_each(|host| watch(&mut self.did, host, now));
        }
    }

    /// Remembers what was told in an incident.
    pub fn remember(&mut self, incident: &Incident, now: Timestamp) {
        self.suspect(incident.host, now);
        self.remember_hours(incident, now);
        self.remember_news(incident, now);
        if self.told.len() + incident.conversations.len() > MAX_CONVERSATIONS {
            // How long it held decides how long the next one holds.
            self.told.retain(|_, habit| now < habit.until + habit.holds);
        }
        for (&(peer, service), &(own_bits, shared_bits)) in &incident.conversations {
            let key = (incident.host, peer, service);
            if self.told.len() >= MAX_CONVERSATIONS && !self.told.contains_key(&key) {
                continue;
            }
            let last = self.told.get(&key);
            let first = match incident.class {
                Class::Exfiltration => FIRST_OF_TRANSFER,
                // Whoever may go where it never was goes there again.
                Class::CriticalAccess | Class::LateralMovement => LONGEST,
                class if class.recurs() => FIRST,
                _ => LONGEST,
            };
            let same = last.filter(|habit| habit.class == incident.class);
            let holds = same.map_or(first, |habit| Span::from_nanos(habit.holds.nanos() * 2).min(LONGEST)).max(first);
            // What is told now came on top of what was told before.
            let old = last.filter(|habit| now < habit.until && habit.covers(incident.class));
            let (own, shared) = old.map_or((0.0, 0.0), |old| (old.own_bits, old.shared_bits));
            let class = old.map_or(incident.class, |old| old.class);
            let (own_bits, shared_bits) = (own + own_bits, shared + shared_bits);
            let since = last.map(|habit| incident.first.since(habit.last));
            let (last, period) = match (last, since) {
                // More of the same.
                (Some(habit), Some(since)) if since < SHORTEST_PERIOD => (habit.last, habit.period),
                _ => (incident.first, since),
            };
            self.told.insert(key, Habit { class, own_bits, shared_bits, holds, until: now + holds, last, period });
        }
    }
}

/// Watches a device for a day, where there is room for it.
fn watch(devices: &mut Map<Host, Timestamp>, host: Host, now: Timestamp) {
    if devices.len() >= MAX_CONVERSATIONS && !devices.contains_key(&host) {
        devices.retain(|_, until| now < *until);
    }
    if devices.len() < MAX_CONVERSATIONS || devices.contains_key(&host) {
        devices.insert(host, now + LONGEST);
    }
}

/// What was told of an hour: of a device, of what it does with a service of a peer, or of a service of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct HourTold {
    evidence: Evidence,
    host: Host,
    with: Option<(Option<Host>, Service)>,
}

impl HourTold {
    fn of(evidence: Evidence, host: Host, (peer, service): (Host, Service)) -> Option<Self> {
        let with = match evidence {
            Evidence::SlowTargets | Evidence::SlowFailures | Evidence::AccountsRefused => None,
            Evidence::SentOut | Evidence::Asking => Some((Some(peer), service)),
            Evidence::Asked | Evidence::Repeats => Some((None, service)),
            _ => return None,
        };
        Some(Self { evidence, host, with })
    }

    /// For how long it is no news: what a device does with one service goes on for hours.
    const fn holds(self) -> Span {
        if self.with.is_some() || matches!(self.evidence, Evidence::AccountsRefused) { LONGEST } else { HOUR }
    }
}

#[cfg(test)]
mod tests {
    use super::super::incident::Cause;
    use super::super::testing::{LATER_MS, detector, flow, host, show, taught};
    use super::super::{FlowRef, IncidentState, Notice};
    use super::*;
    use crate::flow::FlowRecord;

    #[test]
    fn what_an_hour_holds_is_told_once_and_again_when_it_is_much_more() {
        let (now, flow) = (Timestamp::from_parts(0, 0), FlowRef::of_link(host(1), host(2)));
        let mut incident = Incident::new(Class::Scan, host(1), flow.clone(), now);
        let of_hour = |observed| Contribution::of(Evidence::SlowTargets, observed, 17.0);
        let (peer, service) = (host(2), Service::ARP);
        incident.reasons.push(Cause { part: of_hour(100.0), host: host(1), peer, service, flow });
        let mut habits = Habits::default();
        habits.remember(&incident, now);
        let (_, seen) = super::super::testing::flow(0, 1, 9, 443, true);
        let at = |later: i64, resp: Host, service: Service| Observation {
            seen: now + Span::from_secs(later),
            resp,
            service,
            ..seen.clone()
        };
        let has_told = |observed, later| habits.has_told_hour(&at(later, host(9), seen.service), &of_hour(observed));
        assert_eq!([has_told(149.0, 3599), has_told(150.0, 3599), has_told(100.0, 3600)], [true, false, false]);
        let carried = Contribution::of(Evidence::SentOut, 1e6, 12.0);
        let reason = Cause { part: carried, ..incident.reasons[0].clone() };
        incident.reasons.push(reason);
        habits.remember(&incident, now);
        let has_told = |to: Host, service: Service, hours: i64| habits.has_told_hour(&at(hours * 3600, to, service), &carried);
        assert_eq!([has_told(peer, service, 23), has_told(peer, service, 24)], [true, false], "it goes on for hours");
        assert_eq!(
            [has_told(host(8), service, 1), has_told(peer, seen.service, 1)],
            [false; 2],
            "another peer, or another service"
        );
        let kept_out = Contribution::of(Evidence::AccountsRefused, 8.0, 21.0);
        let reason = Cause { part: kept_out, ..incident.reasons[0].clone() };
        incident.reasons.push(reason);
        habits.remember(&incident, now);
        let has_told = |hours: i64| habits.has_told_hour(&at(hours * 3600, host(9), seen.service), &kept_out);
        assert_eq!([has_told(23), has_told(24)], [true, false], "with whomever, once a day");
    }

    #[test]
    fn that_a_told_conversation_at_home_comes_like_a_clock_is_no_other_thing() {
        let (record, seen) = flow(LATER_MS, 1, 100, 6514, true);
        let has_told = |class: Class, resp_local: bool, hours: i64| {
            let mut incident = Incident::new(class, seen.orig, FlowRef::of(&record), seen.start);
            incident.conversations.insert((seen.resp, seen.service), (12.0, 0.0));
            let mut habits = Habits::default();
            habits.remember(&incident, seen.seen);
            let later = Observation { resp_local, seen: seen.seen + Span::from_secs(hours * 3600), ..seen.clone() };
            habits.has_told_of(seen.orig, seen.resp, &later)
        };
        assert!(has_told(Class::Unusual, true, 23) && has_told(Class::CriticalAccess, true, 23));
        assert!(!has_told(Class::Unusual, true, 25) && !has_told(Class::Unusual, false, 1) && !has_told(Class::Sweep, true, 0));
    }

    #[test]
    fn the_same_is_told_once_a_day_and_more_of_it_again() {
        let taught = taught();
        let mut detector = detector(&taught);
        let burst = |at_ms: i64, flows: i64| (0..flows).map(|n| flow(at_ms + n * 20, 1, 100, 2222, true)).collect::<Vec<_>>();
        let opened = |notices: &[Notice]| notices.iter().filter(|notice| notice.state == IncidentState::Open).count();
        assert_eq!(opened(&show(&mut detector, burst(LATER_MS, 300))), 1);
        assert_eq!(opened(&show(&mut detector, burst(LATER_MS + 3_600_000, 300))), 0, "an hour later");
        assert!(detector.counters().repeats > 0);
        assert_eq!(opened(&show(&mut detector, burst(LATER_MS + 2 * 86_400_000, 300))), 1, "two days later");
    }

    #[test]
    fn what_holds_shorter_is_told_again_and_then_half_as_often() {
        let (record, seen) = flow(0, 1, 100, 445, true);
        let at = |minute: i64| Timestamp::from_parts(minute * 60, 0);
        let leaves_home = |minute: i64| Observation { seen: at(minute), resp_local: false, ..seen.clone() };
        let of_class = |class: Class| {
            let mut incident = Incident::new(class, seen.orig, FlowRef::of(&record), seen.start);
            incident.conversations.insert((seen.resp, seen.service), (12.0, 0.0));
            incident
        };
        let told_until_after = |before: Class, class: Class| {
            let mut habits = Habits::default();
            [before, class].into_iter().for_each(|class| habits.remember(&of_class(class), at(0)));
            let is_new = |minute: &i64| habits.told(seen.orig, seen.resp, &leaves_home(*minute), class).is_none();
            (0..2000).find(is_new).unwrap()
        };
        let told_until = |class: Class| {
            let (incident, mut habits, mut now) = (of_class(class), Habits::default(), 0);
            [(); 3].map(|()| {
                habits.remember(&incident, at(now));
                let is_new = |minute: &i64| habits.told(seen.orig, seen.resp, &leaves_home(*minute), class).is_none();
                now = (now..now + 2000).find(is_new).unwrap();
                now
            })
        };
        assert_eq!(told_until(Class::BruteForce), [10, 30, 70]);
        assert_eq!(told_until(Class::Exfiltration), [60, 180, 420]);
        assert_eq!(told_until_after(Class::Unusual, Class::Exfiltration), 60, "what it was told as before holds by itself");
        assert_eq!([Class::LateralMovement, Class::CovertApplication].map(told_until), [[1440, 2880, 4320]; 2]);
    }

    #[test]
    fn what_is_copied_again_at_home_is_told_once_a_day() {
        let (record, seen) = flow(0, 1, 100, 445, true);
        let at = |minute: i64| Timestamp::from_parts(minute * 60, 0);
        let mut incident = Incident::new(Class::Exfiltration, seen.orig, FlowRef::of(&record), seen.start);
        incident.conversations.insert((seen.resp, seen.service), (12.0, 0.0));
        let mut habits = Habits::default();
        habits.remember(&incident, at(0));
        let mut is_told = |minute: i64, app: App, resp_local: bool| {
            let seen = Observation { seen: at(minute), app, resp_local, orig_local: true, ..seen.clone() };
            habits.told(seen.orig, seen.resp, &seen, Class::Exfiltration).is_some()
        };
        assert_eq!([59, 60].map(|minute| is_told(minute, App::Dicom, false)), [true, false], "it left home");
        assert_eq!([59, 60].map(|minute| is_told(minute, App::Smb, true)), [true, false], "of a share");
        assert_eq!([1, 60, 1439, 1440].map(|minute| is_told(minute, App::Dicom, true)), [true, true, true, false]);
    }

    #[test]
    fn another_tool_is_told_though_one_was() {
        let (record, seen) = flow(0, 1, 100, 443, true);
        let with = |tool: &str| Observation { facts: vec![Fact::new(FactKind::Tool, tool)], ..seen.clone() };
        let mut incident = Incident::new(Class::CovertApplication, host(1), FlowRef::of(&record), seen.start);
        incident.flow.facts = vec![(FactKind::Tool, "AnyDesk".into())];
        incident.conversations.insert((host(100), seen.service), (12.0, 1.0));
        let mut habits = Habits::default();
        habits.remember(&incident, seen.start);
        let mut is_told = |tool| habits.told(host(1), host(101), &with(tool), Class::CovertApplication).is_some();
        assert_eq!([is_told("AnyDesk"), is_told("ngrok")], [true, false], "with another server");
    }

    #[test]
    fn an_application_of_a_device_and_a_service_of_a_server_are_told_once_a_day_with_whomever() {
        let (record, seen) = flow(0, 1, 100, 445, true);
        let told = |class: Class, host_after: u8, peer_after: u8, app: App, day: i64| {
            let mut incident = Incident::new(class, host(1), FlowRef::of(&record), seen.start);
            incident.conversations.insert((host(100), seen.service), (12.0, 1.0));
            let mut habits = Habits::default();
            habits.remember(&incident, seen.start);
            let now = seen.start + Span::from_secs(day * 86_400 - 1);
            habits.told(host(host_after), host(peer_after), &Observation { seen: now, app, ..seen.clone() }, class)
        };
        let (same, app) = (Some((12.0, 1.0)), seen.app);
        assert_eq!(told(Class::CovertApplication, 1, 101, app, 1), same, "with another");
        assert_eq!(told(Class::CovertApplication, 1, 101, app, 2), None, "the next day");
        assert_eq!(told(Class::CovertApplication, 2, 101, app, 1), None, "another device");
        assert_eq!(told(Class::CovertApplication, 1, 101, App::Stratum, 1), None, "another application");
        assert_eq!(told(Class::NewService, 2, 100, app, 1), same, "another client of the same");
        assert_eq!(told(Class::NewService, 2, 101, app, 1), None, "another server");
        assert_eq!([told(Class::NewDevice, 1, 101, App::Stratum, 1), told(Class::NewDevice, 2, 100, app, 1)], [same, None]);
        assert_eq!(told(Class::LateralMovement, 2, 100, app, 1), None);
    }

    #[test]
    fn what_came_twice_is_expected_when_it_is_due() {
        let taught = taught();
        let burst =
            |hour: i64| (0..300).map(|n| flow(LATER_MS + hour * 3_600_000 + n * 20, 1, 100, 2222, true)).collect::<Vec<_>>();
        let told = |hours: &[i64], flows: &dyn Fn(i64) -> Vec<(Box<FlowRecord>, Observation)>| {
            let mut detector = detector(&taught);
            let opened = |notices: Vec<Notice>| notices.iter().filter(|notice| notice.state == IncidentState::Open).count();
            let mut burst_at = |&hour: &i64| {
                let mut notices = show(&mut detector, flows(hour));
                // Quiet comes, and the incident is closed.
                detector.tick(
                    Timestamp::from_nanos((LATER_MS + (hour + 1) * 3_600_000) * 1_000_000),
                    &mut notices,
                    &mut Vec::new(),
                );
                opened(notices)
            };
            hours.iter().map(&mut burst_at).collect::<Vec<_>>()
        };
        let scan =
            |hour: i64| (0..200).map(|n| flow(LATER_MS + hour * 3_600_000 + n * 10, 1, 100, 1000 + n as u16, false)).collect();
        let week = 7 * 24;
        let weekly = [0, week, 2 * week, 3 * week + 5];
        assert_eq!(told(&weekly, &burst), [1, 1, 0, 0], "a weekly job, the last time five hours late");
        assert_eq!(told(&[0, week, 2 * week, 2 * week + 80], &burst), [1, 1, 0, 1], "and what comes out of its turn");
        assert_eq!(told(&weekly, &scan), [1; 4], "a weekly scan is told every week");
    }

    #[test]
    fn what_ordinary_life_does_not_bring_is_remembered_of_a_device_for_a_day() {
        let (mut habits, start) = (Habits::default(), Timestamp::from_parts(0, 0));
        let mut note = |device: u8, class: Class, evidence: Evidence| {
            let flow = FlowRef::of_link(host(device), host(100));
            let mut incident = Incident::new(class, host(device), flow.clone(), start);
            let (part, with) = (Contribution::of(evidence, 1.0, 12.0), (host(100), Service { protocol: 6, port: 22 }));
            incident.reasons.push(Cause { part, host: host(device), peer: with.0, service: with.1, flow });
            habits.note(&incident, start);
        };
        note(1, Class::BruteForce, Evidence::LoginFailures);
        note(2, Class::NewService, Evidence::NewOffer);
        note(3, Class::BruteForce, Evidence::Repeats);
        note(4, Class::SilentChannel, Evidence::Silence);
        let did = |device: u8, second: i64| habits.did(host(device), Timestamp::from_parts(second, 0));
        assert_eq!([did(1, 86_399), did(1, 86_400)], [true, false]);
        assert_eq!([2, 3, 4].map(|device| did(device, 1)), [false; 3], "what is new, or done to it");
    }
}

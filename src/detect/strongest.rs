//! What a minute or an hour holds too much of, compared with what is usual.

use std::cell::OnceCell;

use super::accounts::kept_out;
use super::config::Without;
use super::evidence::{Contribution, Detail, Evidence, Of};
use super::newcomer::newcomer;
use super::range::Range;
use super::recent::Context;
use super::scanner::is_usual_scan;
use super::surprise::Surprise;
use crate::feature::Observation;
use crate::flow::Service;
use crate::model::{Baselines, Counted, Exchanges, HostBaseline, Hour, Roles, Sending, Served, Side, bits};

/// Different targets within a minute below which their number says nothing: a name, the time and a page are three.
const MANY_TARGETS: u32 = 5;
/// Files changed within a minute below which their number says nothing: saving one document creates, renames and deletes.
const MANY_CHANGES: u32 = 8;
/// Log-ins that failed within a minute below which their number says nothing: somebody does not remember a password.
const MANY_LOGINS: u32 = 5;
/// Requests turned down within a minute below which their number says nothing: a value that is not there is asked for again.
const MANY_REFUSALS: u32 = 10;
/// Names that do not exist, asked for within a minute, below which they say nothing: a browser's start and a list of suffixes ask for some.
const MANY_NAMES: u32 = 8;
/// Flows that a device gets within a minute below which they are no flood, however little it had before.
const MANY_SERVED: u32 = 30;
/// The same of a server at home that is new, which has its first clients: one a second.
const MANY_SERVED_AT_FIRST: u32 = 60;
/// Clients and their flows within a minute, what is asked for them, and files that are changed, are told from so many standard deviations of chance (Poisson) above the
/// most that is usual on: three more than three are a busy minute, no flood.
const CHANCE_DEVIATIONS: f64 = 4.0;
/// Bits that a burst of pages can bring at the most, as long as others of its kind had such.
pub(super) const MOST_PAGES_BITS: f64 = 6.0;
/// Exchanges within an hour below which their number says nothing: one in a minute and a half.
const MANY_EXCHANGES: u32 = 40;
/// Bytes carried out of the network within an hour below which their number says nothing.
const MANY_BYTES: f64 = 128_000.0;
/// So many times the most of its own hours are many more.
pub(super) const MUCH_MORE: f64 = 3.0;
/// Bits that the context can bring at the most.
const MOST_BITS: f64 = 30.0;

/// The strongest that was found so far, and the probability that its bits are drawn from: of what is no rarer, nothing more is asked.
pub(super) struct Strongest<'k> {
    pub part: Option<Contribution>,
    p: f64,
    baselines: &'k Baselines,
    without: Without,
    /// Has the initiator just been switched on?
    is_starting: bool,
    /// Is the flow one by which pages are read?
    is_of_page: bool,
    /// The roles of which several devices use the service, once that was asked.
    roles: OnceCell<Roles>,
}

impl<'k> Strongest<'k> {
    /// Nothing so far, of an initiator that has just been switched on or not, and a flow by which pages are read or another.
    pub const fn new(baselines: &'k Baselines, without: Without, is_starting: bool, is_of_page: bool) -> Self {
        Self { part: None, p: f64::INFINITY, baselines, without, is_starting, is_of_page, roles: OnceCell::new() }
    }

    /// Its bits.
    pub fn bits(&self) -> f64 {
        self.part.map_or(0.0, |part| part.bits)
    }

    /// As what it is told.
    pub fn context(self) -> Context {
        let (mut context, part) = (Context::default(), self.part);
        match part.map(|part| part.evidence) {
            Some(Evidence::SlowTargets | Evidence::SlowFailures | Evidence::AccountsRefused) => context.slow = part,
            Some(evidence) if evidence.is_rhythm() => context.slow = part,
            Some(evidence) if evidence.is_crowd() => context.crowd = part,
            _ => context.now = part,
        }
        context
    }

    /// That a device at home of which nothing is known was never seen.
    pub fn newcomer(&mut self, seen: &Observation) {
        if let Some((part, p)) = newcomer(seen, self.baselines) {
            (self.part, self.p) = (Some(part), p);
        }
    }

    /// What its initiator does in this minute.
    pub fn initiated(&mut self, seen: &Observation, surprise: &Surprise, counted: &Counted, host: Option<&HostBaseline>) {
        let initiated = &counted.initiated;
        let mut rate = |evidence, observed: u32| self.rate(evidence, observed.into(), (host, seen.service));
        rate(Evidence::FlowRate, counted.flows);
        if surprise.unknown_edge && initiated.targets >= MANY_TARGETS {
            rate(Evidence::TargetRate, initiated.targets);
        }
        // Whom it knows has refused or not answered it: that tells of the other.
        if seen.failed && surprise.unknown_edge {
            rate(Evidence::FailedRate, initiated.failed);
        }
        if seen.events.login_failures > 0 && initiated.login_failures >= MANY_LOGINS {
            rate(Evidence::LoginFailures, initiated.login_failures);
        }
        if seen.events.refusals > 0 && initiated.refusals >= MANY_REFUSALS {
            rate(Evidence::Refusals, initiated.refusals);
        }
        if seen.events.file_changes > 0 && initiated.file_changes >= MANY_CHANGES {
            rate(Evidence::FileChanges, initiated.file_changes);
        }
        if seen.events.names_missing > 0 && initiated.names_missing >= MANY_NAMES {
            rate(Evidence::NamesMissing, initiated.names_missing);
        }
    }

    /// What a device does too slowly for a minute to show.
    pub fn slow(&mut self, seen: &Observation, surprise: &Surprise, hour: &Hour, host: Option<&HostBaseline>) {
        let is_kept_out = seen.events.accounts.refused > 0 && seen.orig_local;
        let fails = surprise.unknown_edge && seen.failed || seen.events.login_failures > 0;
        if !surprise.unknown_edge && !fails && !is_kept_out {
            return;
        }
        let hour = hour.of(seen.orig);
        if is_kept_out && !self.without.has_kind(Evidence::AccountsRefused) {
            self.accounts(kept_out(hour.kept_out(), host));
        }
        let mut rate = |evidence, observed| self.rate(evidence, observed, (host, seen.service));
        let targets = if surprise.unknown_edge { hour.targets() } else { 0.0 };
        if targets >= f64::from(MANY_TARGETS) {
            rate(Evidence::SlowTargets, targets);
        }
        if fails {
            rate(Evidence::SlowFailures, f64::from(hour.failed));
        }
    }

    /// For how many accounts its log-ins failed, of which the bits are no probability that was counted.
    fn accounts(&mut self, part: Option<Contribution>) {
        if let Some(part) = part.filter(|part| part.bits > self.bits()) {
            (self.part, self.p) = (Some(part), (-part.bits).exp2());
        }
    }

    /// What its initiator carries out of the network within the hour, where most of it goes where the flow does.
    pub fn sent_out(&mut self, seen: &Observation, sending: &Sending, host: Option<&HostBaseline>) {
        // What a proxy or a resolver is asked to carry is its clients'.
        let is_known = |host: &&HostBaseline| !host.is_hardly_known() && !host.asks_for_others();
        let (Some(observed), Some(host)) = (sending.of(seen), host.filter(is_known)) else { return };
        if observed < MANY_BYTES || self.without.has_kind(Evidence::SentOut) {
            return;
        }
        let range = Range::of_count(Evidence::SentOut, Some(host), seen.service, (self.baselines, || Roles::NONE));
        let Some((range, p)) = range.and_then(|range| Some((range, range.rarer(observed, self.p)?))) else { return };
        self.much_more(Evidence::SentOut, observed, (&range, p));
    }

    /// What an hour holds, where that is far more than any of the device's own did.
    fn much_more(&mut self, evidence: Evidence, observed: f64, (range, p): (&Range<'_>, f64)) {
        let usual = (0.0, range.most_of_its_own());
        if observed > MUCH_MORE * usual.1 {
            let part = Contribution { usual, ..Contribution::of(evidence, observed, bits(p).min(MOST_BITS)) };
            (self.part, self.p) = (Some(part), p);
        }
    }

    /// What is asked within the hour in its conversation, or of its responder.
    pub fn asked(&mut self, seen: &Observation, side: Side, exchanges: &Exchanges, host: Option<&HostBaseline>) {
        let observed = exchanges.of(seen, side);
        let evidence = if side == Side::Asking { Evidence::Asking } else { Evidence::Asked };
        if observed < MANY_EXCHANGES || self.without.has_kind(evidence) {
            return;
        }
        let Some(range) = Range::of_count(evidence, host, seen.service, (self.baselines, || Roles::NONE)) else { return };
        let Some(p) = range.rarer(observed.into(), self.p) else { return };
        self.much_more(evidence, observed.into(), (&range, p));
    }

    /// What its responder gets in this minute.
    pub fn served(&mut self, seen: &Observation, Served { flows, clients, .. }: Served, host: Option<&HostBaseline>) {
        let is_new = seen.resp_local && host.is_none_or(HostBaseline::is_hardly_known);
        if flows >= if is_new { MANY_SERVED_AT_FIRST } else { MANY_SERVED } {
            self.rate(Evidence::ServedRate, flows.into(), (host, seen.service));
            self.rate(Evidence::ClientRate, clients.into(), (host, seen.service));
        }
    }

    /// Surprise about a count per minute or hour; none for a count that is usual or below three, as most are.
    #[inline]
    fn rate(&mut self, evidence: Evidence, observed: f64, of: (Option<&HostBaseline>, Service)) {
        if observed >= 3.0 && !self.without.has_kind(evidence) {
            self.rate_of_many(evidence, observed, of);
        }
    }

    fn rate_of_many(&mut self, evidence: Evidence, observed: f64, (host, service): (Option<&HostBaseline>, Service)) {
        if host.is_some_and(|host| is_usual_scan(evidence, observed, host)) {
            return;
        }
        // All that is asked of one flow is asked of its service.
        let roles = || *self.roles.get_or_init(|| Range::roles_that_use(service, self.baselines));
        let Some(mut range) = Range::of_count(evidence, host, service, (self.baselines, roles)) else { return };
        let Some(mut p) = range.rarer(observed, self.p) else { return };
        // Whoever has just been switched on is as busy as it gets, and so is who reads pages: that alone is nothing to tell of, but goes with what is.
        let mut detail = Detail::Nothing;
        if let Some(busiest) = Range::of_busiest(evidence, host, self.baselines)
            .filter(|_| range.whose() != Of::Busiest && (self.is_starting || self.is_of_page))
        {
            match busiest.rarer(observed, self.p) {
                Some(of_busiest) if of_busiest <= p => {}
                Some(of_busiest) if self.is_starting || bits(of_busiest) > MOST_PAGES_BITS => (range, p) = (busiest, of_busiest),
                _ if self.is_starting => return,
                _ => (p, detail) = (p.max((-MOST_PAGES_BITS).exp2()), Detail::Pages),
            }
        }
        let bits = bits(p).min(MOST_BITS);
        // Both may have the most.
        if self.part.is_some_and(|part| bits <= part.bits) {
            return;
        }
        let usual = range.usual().unwrap_or_default();
        // Clients come by themselves, with what they have a resolver or a proxy ask, and so does work on files: of the most that is usual chance alone makes
        // somewhat more.
        let asks_for_others = || host.is_some_and(HostBaseline::asks_for_others);
        let comes_by_itself = evidence.is_crowd() || evidence == Evidence::FileChanges || asks_for_others();
        let chance = if comes_by_itself { CHANCE_DEVIATIONS * usual.1.max(1.0).sqrt() } else { 0.0 };
        if observed > usual.1 + chance {
            let part = Contribution { usual, of: range.whose(), detail, ..Contribution::of(evidence, observed, bits) };
            (self.part, self.p) = (Some(part), p);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Part;
    use super::*;
    use crate::app::Events;
    use crate::model::{Histogram, Initiated, RULES};

    const HTTP: Service = Service { protocol: 6, port: 80 };

    #[test]
    fn a_usual_rate_is_no_surprise() {
        let mut own = Histogram::default();
        (0..60).for_each(|_| own.add(10.0));
        let mut baselines = Baselines::default();
        let host = HostBaseline::with_targets_per_min(&own);
        baselines.pooled.targets_per_min = own;
        let rate = |host, observed| {
            let mut found = Strongest::new(&baselines, Without::default(), false, false);
            found.rate(Evidence::TargetRate, observed, (Some(host), HTTP));
            found.part
        };
        assert!(rate(&host, 10.0).is_none());
        let burst = rate(&host, 1000.0).unwrap();
        assert!(burst.bits > 15.0 && burst.of == Of::Device);
        let mut proxy = host.clone();
        proxy.learn_passing_on();
        assert!(rate(&host, 20.0).is_some() && rate(&proxy, 20.0).is_none(), "its clients have a busy minute");
        assert_eq!(rate(&proxy, 1000.0).map(|part| part.bits), Some(burst.bits));
    }

    #[test]
    fn an_unknown_device_is_compared_with_the_busiest_of_the_network() {
        let mut baselines = Baselines::default();
        (0..1000).for_each(|_| baselines.pooled.busiest.targets_per_min.add(50.0));
        let rate = |without| {
            let mut found = Strongest::new(&baselines, without, false, false);
            found.rate(Evidence::TargetRate, 500.0, (None, HTTP));
            found.part
        };
        let found = rate(Without::default()).unwrap();
        assert_eq!(found.of, Of::Busiest);
        assert!(rate(Without::parts(&[Part::Minute])).is_none());
    }

    #[test]
    fn whoever_has_just_been_switched_on_is_compared_with_the_busiest_and_where_few_are_known_nobody_is() {
        let mut own = Histogram::default();
        (0..600).for_each(|_| own.add(3.0));
        let host = HostBaseline::with_targets_per_min(&own);
        let rate = |devices: usize, is_starting: bool, host: Option<&HostBaseline>, observed: f64| {
            let mut baselines = Baselines::default();
            baselines.pooled.targets_per_min = own.clone();
            (0..devices).for_each(|_| baselines.pooled.busiest.targets_per_min.add(50.0));
            let mut found = Strongest::new(&baselines, Without::default(), is_starting, false);
            found.rate(Evidence::TargetRate, observed, (host, HTTP));
            found.part.map(|part| part.of)
        };
        let known = Some(&host);
        assert_eq!([rate(30, false, known, 40.0), rate(30, true, known, 40.0)], [Some(Of::Device), None]);
        assert_eq!(rate(30, true, known, 5000.0), Some(Of::Busiest), "more than any ever did");
        assert_eq!([rate(19, true, known, 40.0), rate(19, false, None, 40.0)], [Some(Of::Device), Some(Of::Network)]);
        assert_eq!(rate(20, false, None, 40.0), None, "a stranger");
    }

    #[test]
    fn a_few_clients_more_are_chance_and_a_crowd_is_none() {
        let mut baselines = Baselines::default();
        (0..1000).for_each(|n| baselines.pooled.any_served.clients_per_min.add(f64::from(n % 3 + 1)));
        let bits = |clients| {
            let mut found = Strongest::new(&baselines, Without::default(), false, false);
            found.rate(Evidence::ClientRate, clients, (None, HTTP));
            found.bits()
        };
        assert!(bits(6.0) == 0.0 && bits(9.0) == 0.0, "a busy minute");
        assert!(bits(50.0) > 10.0, "{}", bits(50.0));
        let (_, mut seen) = super::super::testing::flow(0, 1, 2, 80, true);
        seen.resp_local = true;
        let outside = HostBaseline::default();
        let served = |flows, host| {
            let mut found = Strongest::new(&baselines, Without::default(), false, false);
            found.served(&seen, Served { flows, clients: 25, ..Served::default() }, host);
            found.bits()
        };
        assert!(served(29, Some(&outside)) == 0.0 && served(30, Some(&outside)) > 3.0);
        assert!(served(59, None) == 0.0 && served(60, None) > 3.0, "the first clients of a new server are no flood");
    }

    /// Bits of a device's minute in a network where nobody fails at anything, and nothing is turned down.
    fn bits_of_minute(rules: u32, events: Events, initiated: Initiated) -> f64 {
        let mut baselines = Baselines::default();
        (baselines.rules, baselines.pooled.minutes) = (rules, 10_000.0);
        let (_, mut seen) = super::super::testing::flow(0, 1, 100, 88, true);
        seen.events = events;
        let mut found = Strongest::new(&baselines, Without::default(), false, false);
        found.initiated(&seen, &Surprise::default(), &Counted { initiated, ..Counted::default() }, None);
        found.bits()
    }

    #[test]
    fn who_comes_through_a_gateway_is_not_told_of_as_new() {
        use crate::model::IdentitiesBuilder;
        use crate::wire::Mac;
        let [gateway, other] = [1, 2].map(|last| Mac([2, 0, 0, 0, 0, last]));
        let (_, own) = super::super::testing::flow(0, 1, 100, 80, true);
        let mut identities = IdentitiesBuilder::default();
        for outside in [None, Some("198.51.100.1"), Some("203.0.113.1"), Some("192.0.2.1")] {
            let orig = outside.map_or(own.orig, |text| text.parse().unwrap());
            identities.add(&Observation { orig, orig_local: outside.is_none(), macs: [gateway, other], ..own.clone() });
        }
        let mut baselines = Baselines::default();
        (baselines.identities, baselines.newcomers_per_minute) = (identities.finish(), 1e-6);
        let bits = |mac| {
            let mut found = Strongest::new(&baselines, Without::default(), false, false);
            found.newcomer(&Observation { macs: [mac, other], ..super::super::testing::flow(0, 77, 100, 80, true).1 });
            found.bits()
        };
        assert!(bits(gateway) == 0.0 && bits(other) > 6.0, "{} {}", bits(gateway), bits(other));
    }

    #[test]
    fn a_password_that_was_forgotten_is_no_guessing() {
        let event = Events { login_failures: 1, ..Events::default() };
        let bits = |login_failures| bits_of_minute(0, event, Initiated { login_failures, ..Initiated::default() });
        assert!(bits(4) == 0.0 && bits(5) > 9.0, "{}", bits(5));
    }

    #[test]
    fn what_is_turned_down_counts_where_it_was_counted_while_learning() {
        let event = Events { refusals: 1, ..Events::default() };
        let bits = |rules, refusals| bits_of_minute(rules, event, Initiated { refusals, ..Initiated::default() });
        assert_eq!(bits(0, 500), 0.0, "a model of an earlier version");
        assert!(bits(RULES, 9) == 0.0 && bits(RULES, 10) > 9.0, "{}", bits(RULES, 10));
    }

    #[test]
    fn what_is_less_rare_than_what_was_found_is_not_looked_at() {
        let mut baselines = Baselines::default();
        (0..1000).for_each(|_| baselines.pooled.busiest.targets_per_min.add(50.0));
        (0..1000).for_each(|_| baselines.pooled.failed_per_min.add(5.0));
        let found = |counts: &[(Evidence, f64)]| {
            let mut found = Strongest::new(&baselines, Without::default(), false, false);
            for &(evidence, observed) in counts {
                found.rate(evidence, observed, (None, HTTP));
            }
            found.part.map(|part| part.evidence)
        };
        let (targets, failed) = (Evidence::TargetRate, Evidence::FailedRate);
        assert_eq!(found(&[(targets, 100.0), (failed, 80.0)]), Some(failed));
        assert_eq!(found(&[(failed, 80.0), (targets, 100.0)]), Some(failed));
        assert_eq!(found(&[(failed, 1e30), (targets, 1e30)]), Some(failed), "of those with the most bits the first");
        assert_eq!(found(&[(targets, 1e30), (failed, 1e30)]), Some(targets));
    }

    #[test]
    fn a_burst_of_pages_alone_is_nothing_to_tell_of_where_others_have_such() {
        let mut own = Histogram::default();
        (0..2000).for_each(|_| own.add(2.0));
        let host = HostBaseline::with_targets_per_min(&own);
        let mut baselines = Baselines::default();
        baselines.pooled.targets_per_min = own;
        // Each of forty devices had a minute with twenty.
        (0..40).for_each(|_| baselines.pooled.busiest.targets_per_min.add(20.0));
        let burst = |observed: f64, is_of_page: bool| {
            let mut found = Strongest::new(&baselines, Without::default(), false, is_of_page);
            found.rate(Evidence::TargetRate, observed, (Some(&host), HTTP));
            found.part.unwrap()
        };
        let (page, other, sweep) = (burst(18.0, true), burst(18.0, false), burst(5000.0, true));
        assert!((page.bits - MOST_PAGES_BITS).abs() < 1e-9 && page.detail == Detail::Pages, "{page:?}");
        assert!(other.bits > 10.0 && other.detail == Detail::Nothing && other.of == Of::Device, "{other:?}");
        assert!(sweep.bits > MOST_PAGES_BITS && sweep.detail == Detail::Nothing, "{sweep:?}");
    }

    /// A flow at this minute in which so many exchanges happen, or so many bytes are sent.
    fn busy(minute: i64, (from, to): (u8, u8), exchanges: u32, bytes: f32) -> Observation {
        let (_, mut seen) = super::super::testing::flow(minute * 60_000, from, to, 80, true);
        seen.vector[crate::feature::TURNS] = 2.0 * exchanges as f32;
        seen.vector[crate::feature::BYTES_ORIG] = bytes;
        seen.vector[crate::feature::BYTES_RESP] = if to < 200 { 9.0 * bytes } else { 0.0 };
        (seen.orig_local, seen.resp_local) = (from < 200, to < 200);
        seen
    }

    /// What was learned of two days: devices 1 to 5 ask device 100 in every hour twenty times, strangers ask it thirty times, and device 1 sends out
    /// three times 30 kB.
    fn two_days() -> Baselines {
        learned(2880)
    }

    /// The same of so many minutes.
    fn learned(minutes: i64) -> Baselines {
        let mut builder = crate::model::BaselinesBuilder::default();
        for minute in 0..minutes {
            for device in (1..=5).filter(|device| minute % 60 == i64::from(*device)) {
                builder.add(&busy(minute, (device, 100), 20, 100.0), 0);
            }
            if (7..10).contains(&(minute % 60)) {
                builder.add(&busy(minute, (1, 250), 1, 30_000.0), 0);
            }
            if minute % 2 == 0 {
                builder.add(&busy(minute, (200 + (minute % 50) as u8, 100), 1, 100.0), 0);
            }
        }
        let mut baselines = builder.finish();
        baselines.pool(1);
        baselines
    }

    /// The evidence of the last of these flows, all of one hour.
    fn last_of(baselines: &Baselines, flows: &[Observation]) -> Option<Contribution> {
        let mut hour = Hour::default();
        flows.iter().for_each(|seen| _ = hour.add(seen));
        let seen = flows.last()?;
        let side = Side::of(seen);
        let mut found = Strongest::new(baselines, Without::default(), false, false);
        let host = baselines.host(if side == Some(Side::Asked) { seen.resp } else { seen.orig });
        side.into_iter().for_each(|side| found.asked(seen, side, hour.exchanges(), host));
        found.sent_out(seen, hour.sending(), host);
        found.part
    }

    #[test]
    fn who_reads_far_more_of_a_server_than_it_ever_did_is_told_and_a_busy_day_is_not() {
        let baselines = two_days();
        let asks = |pieces: u32, each: u32| {
            let flows: Vec<_> = (0..pieces).map(|n| busy(n.into(), (1, 100), each, 100.0)).collect();
            last_of(&baselines, &flows).map(|part| (part.evidence, part.observed))
        };
        assert_eq!([asks(12, 9), asks(1, 108)], [Some((Evidence::Asking, 108.0)); 2], "in twelve connections, or in one");
        assert_eq!([asks(6, 10), asks(1, 60)], [None; 2], "three times the usual");
        let part = last_of(&baselines, &[busy(0, (1, 100), 108, 100.0)]).unwrap();
        assert!(part.bits > 9.0 && part.bits < 20.0 && part.usual.1 > 19.0 && part.usual.1 < 24.0, "{part:?}");
        assert_eq!(last_of(&baselines, &[busy(0, (9, 100), 108, 100.0)]), None, "nothing is known of it");
    }

    #[test]
    fn many_strangers_that_ask_a_server_are_told_of_it_and_one_is_not_told_of_the_others() {
        let baselines = two_days();
        let crowd: Vec<_> = (0..40_u8).map(|n| busy(0, (200 + n, 100), 8, 100.0)).collect();
        let part = last_of(&baselines, &crowd).unwrap();
        assert!(part.evidence == Evidence::Asked && part.observed >= 200.0 && part.bits > 9.0, "{part:?}");
        let one: Vec<_> = [busy(0, (201, 100), 400, 100.0), busy(1, (202, 100), 1, 100.0)].into();
        assert_eq!(last_of(&baselines, &one), None);
    }

    #[test]
    fn pieces_that_leave_add_up_over_the_hour() {
        let baselines = two_days();
        let sends = |pieces: i64, each: f32| {
            let flows: Vec<_> = (0..pieces).map(|n| busy(n, (1, 240), 1, each)).collect();
            last_of(&baselines, &flows).map(|part| (part.evidence, part.observed, part.bits > 8.0))
        };
        assert_eq!(sends(40, 25_000.0), Some((Evidence::SentOut, 1e6, true)));
        assert_eq!(sends(8, 25_000.0), None, "three times the usual");
        let mut of_earlier_version = baselines.clone();
        of_earlier_version.whole_hours = 0;
        assert_eq!(sends(1, 1e6), None, "its own volume tells");
        let sends: Vec<_> = (0..40).map(|n| busy(n, (1, 240), 1, 25_000.0)).collect();
        let asks = [busy(0, (1, 100), 108, 100.0)];
        assert!(last_of(&baselines, &sends).is_some() && last_of(&baselines, &asks).is_some());
        let of_no_whole_hour = learned(45);
        for baselines in [&of_earlier_version, &of_no_whole_hour] {
            assert_eq!([last_of(baselines, &sends), last_of(baselines, &asks)], [None; 2]);
        }
    }
}

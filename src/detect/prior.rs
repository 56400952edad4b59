//! What weighs more than its rarity says: prior odds.
//!
//! Bits of rarity ask how seldom something is. Whether it is an attack depends also on what it touches: a program that nobody used and that exists to hide
//! traffic, a clinical system that is spoken to by a device whose kind never does, administrative access at an hour at which the device is never at work,
//! [deeds](super::deed), names asked for past the resolver at home, the name of another device, a log-in from outside, a [flood](super::flooding), or a tool.

use super::administrator::is_its_work;
use super::calls_out::calls_out;
use super::classify::{administers_by, carries_data};
use super::config::{Part, Without};
use super::deed::asked_bits;
use super::domain::asks_directory;
use super::evidence::{Contribution, Detail, Evidence};
use super::flooding::{amplifies, floods};
use super::memory::Earlier;
use super::name_of_another::takes_name_of_another;
use super::newcomer::changes_machine;
use super::reaches::reach_bits;
use super::surprise::{DNS, MOST_BITS};
use crate::app::{AT_HOME, App, Family, UPLOADED};
use crate::feature::{Fact, FactKind, Observation};
use crate::model::{Baselines, Edge, Family as _, HostBaseline, Kind, KnownTo, Roles, value_key};

/// Odds of 64 to 1.
pub(super) const BITS: f64 = 6.0;
/// Clients that make a server one for whoever comes.
const SEVERAL: usize = 3;
/// Odds of 256 to 1.
pub(super) const MORE_BITS: f64 = 8.0;
/// Odds of 4096 to 1 of a tool that nobody at home uses: as of one that hands out addresses and never did.
pub(super) const TOOL_BITS: f64 = 12.0;

/// Days on which a device that begins something new with another at home was never at work at such an hour; none where that does not
/// count: what is neither log-in nor clinical nor control nor a call abroad, or where too few days were heard.
fn odd_hour(
    seen: &Observation,
    orig: Option<&HostBaseline>,
    (evidence, about): (Evidence, u64),
    baselines: &Baselines,
) -> Option<u32> {
    let is_edge = matches!(evidence, Evidence::NewService | Evidence::NewPeer | Evidence::NewClient);
    let is_touched = || is_edge && seen.orig_local && seen.resp_local && (administers_by(seen) || seen.is_critical());
    let at_home = Fact::new(FactKind::CountryCalled, AT_HOME);
    let calls_abroad = evidence == Evidence::NewFact(at_home.kind) && about != value_key(Kind::Fact(at_home.kind), at_home);
    let touches = calls_abroad && seen.orig_local || is_touched();
    orig.filter(|_| touches).and_then(|host| baselines.days.without(host.hours, seen.seen))
}

/// Bits of an hour at which a device was never at work on so many days: −log₂ of half a day in all of them, at most odds of 64 to 1.
pub(super) fn hour_bits(days: u32) -> f64 {
    (2.0 * (f64::from(days) + 1.0)).log2().min(BITS)
}

/// Gives something new the bits that it has more for what it touches and when.
pub(super) fn weigh(
    part: &mut Contribution,
    (seen, earlier): (&Observation, Earlier),
    orig: Option<&HostBaseline>,
    (baselines, without): (&Baselines, Without),
) {
    if without.has(Part::Prior) {
        return;
    }
    let days = odd_hour(seen, orig, (part.evidence, part.about), baselines);
    let hour = days.map_or(0.0, hour_bits);
    part.prior_bits = prior_bits((seen, earlier), orig, (part.evidence, part.about), baselines) + hour;
    part.detail = days.map_or(part.detail, Detail::OddHour);
    if matches!(part.evidence, Evidence::NewService | Evidence::NewPeer) {
        if earlier.is_call_back {
            (part.prior_bits, part.detail) = (part.prior_bits + BITS, Detail::CallBack);
        } else if calls_out(seen, orig, baselines) {
            (part.prior_bits, part.detail) = (part.prior_bits + TOOL_BITS, Detail::CallsOut);
        } else if reach_bits(earlier.reached) > hour && !orig.is_some_and(|orig| is_its_work(seen, orig, baselines)) {
            part.prior_bits += reach_bits(earlier.reached) - hour;
            part.detail = Detail::Reaches(earlier.reached);
        }
    }
    if part.evidence == Evidence::NewOffer && amplifies(seen) {
        (part.prior_bits, part.detail) = (part.prior_bits + MORE_BITS, Detail::Amplified);
    }
    if matches!(part.evidence, Evidence::NewService | Evidence::NewPeer | Evidence::NewClient | Evidence::NewOffer)
        && floods(seen)
    {
        (part.prior_bits, part.detail) = (part.prior_bits + MORE_BITS, Detail::Flooding);
    }
    if takes_name_of_another(seen, orig, (part.evidence, part.about), baselines) {
        (part.prior_bits, part.detail) = (part.prior_bits + MORE_BITS, Detail::NameOfAnother);
    }
    part.bits = (part.bits + part.prior_bits).min(MOST_BITS);
}

/// Bits that something new about a flow counts more for what it touches.
fn prior_bits(
    (seen, earlier): (&Observation, Earlier),
    orig: Option<&HostBaseline>,
    (evidence, about): (Evidence, u64),
    baselines: &Baselines,
) -> f64 {
    let edge = Edge { service: seen.service, peer: seen.resp };
    // Most of what is new weighs no more, and is not looked up.
    let roles = || if seen.orig_local { baselines.roles_for(orig, edge) } else { Roles::NONE };
    let commons = &baselines.commons;
    if evidence == Evidence::NewFact(FactKind::Domain) && earlier.carries {
        let domain = seen.facts.iter().find(|fact| fact.kind == FactKind::Domain);
        return domain.map_or(0.0, |&domain| tool_bits(commons.known_to(Kind::Fact(domain.kind), domain, roles())));
    }
    if matches!(evidence, Evidence::NewFact(FactKind::Domain) | Evidence::NewPeer) && carries_data(seen) {
        let domain = seen.facts.iter().find(|fact| fact.kind == FactKind::Domain);
        return domain.map_or(BITS, |&domain| hostile_bits(commons.known_to(Kind::Fact(domain.kind), domain, roles())));
    }
    if evidence == Evidence::NewFact(FactKind::Tool) {
        // A site elsewhere may be built as it likes.
        let is_elsewhere = |tool: &Fact| !seen.resp_local && *tool == Fact::new(FactKind::Tool, UPLOADED);
        let tool = tool_of(seen, about).filter(|tool| !is_elsewhere(tool));
        return tool.map_or(0.0, |tool| tool_bits(commons.known_to_several(Kind::Fact(tool.kind), tool, roles())));
    }
    if !matters(evidence) {
        return 0.0;
    }
    if asks_outside(seen, orig, evidence, baselines) {
        return if commons.known_to(Kind::Edge, edge, roles()) == KnownTo::Nobody { MORE_BITS } else { 0.0 };
    }
    if let Evidence::NewFact(kind) = evidence
        && let Some(bits) = asked_bits(seen, orig, kind, (baselines, roles()))
    {
        return bits;
    }
    if evidence == Evidence::NewFact(FactKind::Application) {
        let speaks = seen.facts.iter().find(|fact| fact.kind == FactKind::Application);
        // Who can log in through the port of another application tunnels what he likes, and a command line that is given away has no other use.
        let is_way_in = seen.app == App::Shell || seen.app.family() == Family::Access && seen.goes_out();
        let bits = if is_way_in { tool_bits } else { hostile_bits };
        return speaks.map_or(0.0, |&fact| bits(commons.known_to(Kind::Fact(fact.kind), fact, roles())));
    }
    // A device that cares for patients or controls machines is built for what it offers: nobody puts something else on it. Consoles weigh by who sits at them.
    let is_other = evidence == Evidence::NewOffer && !seen.is_critical() && !administers_by(seen);
    if is_other && seen.answered() && baselines.is_critical(seen.resp) {
        return BITS;
    }
    // Who logs in from outside, where nobody did, came in.
    if evidence == Evidence::NewOffer && seen.comes_in() && administers_by(seen) && seen.answered() {
        return hostile_bits(commons.known_to(Kind::Offer, seen.service, Roles::NONE));
    }
    match seen.app.family() {
        Family::Clinical | Family::Industrial => {
            // To a place to which the device never sent any, it may not come back.
            let is_new = || !orig.is_some_and(|host| host.edges.contains(edge));
            match seen.goes_out() {
                true if is_new() => MORE_BITS,
                true => BITS,
                // That one of its kind does so says nothing of the rest. Who also changes what it does is no mere reader.
                false if commons.known_to_several(Kind::Service, seen.service, roles()) != KnownTo::Role => {
                    if changes_machine(seen) { TOOL_BITS } else { BITS }
                }
                false => 0.0,
            }
        }
        // Who dials in to a server that offers that is one more.
        Family::Covert if seen.app != App::Shell && seen.comes_in() && evidence == Evidence::NewClient => 0.0,
        Family::Covert if !seen.orig_local && serves_several(seen, baselines) => 0.0,
        Family::Covert => program_bits(seen, orig, (baselines, roles())),
        // Somebody with valid credentials is not told apart by what he does. That one device of its kind administers others says nothing of the rest.
        // What one does of whom nothing is known is seldom news; that he logs in elsewhere from here is.
        Family::Access if seen.goes_out() && !seen.failed && orig.is_none_or(HostBaseline::is_hardly_known) => BITS,
        _ if administers_by(seen) && !asks_directory(seen, baselines) && !seen.failed && seen.orig_local && seen.resp_local => {
            login_bits(seen, orig, (baselines, roles()))
        }
        _ => 0.0,
    }
}

/// Bits of access for log-in and administration between devices at home.
fn login_bits(seen: &Observation, orig: Option<&HostBaseline>, (baselines, roles): (&Baselines, Roles)) -> f64 {
    let known = baselines.commons.known_to_several(Kind::Service, seen.service, roles);
    let towards = if baselines.is_critical(seen.resp) { BITS / 2.0 } else { 0.0 };
    // To go to one more is what an administrator's device is there for.
    let of_kind = if orig.is_some_and(|orig| is_its_work(seen, orig, baselines)) { 0.0 } else { hostile_bits(known) / 2.0 };
    of_kind + towards
}

/// Did several use this service of the responder while it was learned? The address by which a network lets its people in from outside is none of those at home.
fn serves_several(seen: &Observation, baselines: &Baselines) -> bool {
    let clients = Edge { service: seen.service, peer: seen.orig }.family();
    baselines.host(seen.resp).is_some_and(|host| host.clients().range(&clients).count() >= SEVERAL)
}

/// Does a device that asks a resolver at home for names, and never asked one elsewhere, ask one outside?
fn asks_outside(seen: &Observation, orig: Option<&HostBaseline>, evidence: Evidence, baselines: &Baselines) -> bool {
    let is_edge = matches!(evidence, Evidence::NewService | Evidence::NewPeer);
    if !is_edge || !seen.goes_out() || seen.failed || seen.app != App::Dns || !DNS.contains(&seen.service) {
        return false;
    }
    let is_at_home = |edge: Edge| baselines.host(edge.peer).is_some_and(|peer| peer.local);
    let asked = |host: &HostBaseline, at_home: bool| {
        DNS.iter().any(|&service| {
            let resolvers = Edge { service, peer: seen.resp }.family();
            host.edges.range(&resolvers).any(|(edge, _)| is_at_home(edge) == at_home)
        })
    };
    orig.is_some_and(|host| asked(host, true) && !asked(host, false))
}

/// Bits of such a program, on whichever port; none of one that its user used before. Where only the port told it, and by a model of an earlier version, the port
/// tells who else uses it.
fn program_bits(seen: &Observation, orig: Option<&HostBaseline>, (baselines, roles): (&Baselines, Roles)) -> f64 {
    let commons = &baselines.commons;
    match seen.facts.iter().find(|fact| fact.kind == FactKind::Program) {
        Some(&program) if baselines.rules > 0 => {
            let is_used = orig.is_some_and(|host| host.facts.contains(program));
            if is_used { 0.0 } else { covert_bits(seen.app, commons.known_to(Kind::Fact(program.kind), program, roles)) }
        }
        _ => covert_bits(seen.app, commons.known_to(Kind::Service, seen.service, roles)),
    }
}

/// Bits of programs that hide traffic or work for others. A command line that is given away has no other use, and work for miners none at a workplace.
const fn covert_bits(app: App, known: KnownTo) -> f64 {
    if matches!(app, App::Shell | App::Stratum) { tool_bits(known) } else { hostile_bits(known) }
}

/// Bits of what exists to take control or to hide.
pub(super) const fn hostile_bits(known: KnownTo) -> f64 {
    match known {
        KnownTo::Role => 0.0,
        KnownTo::Network => BITS,
        KnownTo::Nobody => MORE_BITS,
    }
}

/// The same of tools that do nothing else.
pub(super) const fn tool_bits(known: KnownTo) -> f64 {
    match known {
        KnownTo::Role => 0.0,
        KnownTo::Network => BITS,
        KnownTo::Nobody => TOOL_BITS,
    }
}

/// The tool whose hash among values is `about`: one may be used by another.
pub(super) fn tool_of(seen: &Observation, about: u64) -> Option<Fact> {
    let mut tools = seen.facts.iter().copied().filter(|fact| fact.kind == FactKind::Tool);
    tools.find(|&tool| value_key(Kind::Fact(tool.kind), tool) == about)
}

/// Is it new who speaks to whom, or what is asked for; rather than a name or a way of speaking?
const fn matters(evidence: Evidence) -> bool {
    match evidence {
        Evidence::NewService | Evidence::NewPeer | Evidence::NewClient | Evidence::NewOffer => true,
        Evidence::NewFact(kind) => kind.is_asked() || matches!(kind, FactKind::CallingAe | FactKind::Application),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::flow;
    use super::*;
    use crate::model::BaselinesBuilder;

    #[test]
    fn a_program_that_hides_weighs_on_any_port_and_only_for_who_never_used_it() {
        let uses = |at_ms: i64, from: u8, port: u16, app: App| {
            let (_, mut seen) = flow(at_ms, from, 200, port, true);
            (seen.app, seen.resp_local, seen.facts) = (app, false, vec![Fact::new(FactKind::Program, app.name())]);
            seen
        };
        let mut builder = BaselinesBuilder::default();
        for minute in 0..60 {
            builder.add(&uses(minute * 60_000, 1, 20_000 + minute as u16, App::BitTorrent), 0);
            builder.add(&flow(minute * 60_000 + 7, 2, 100, 80, true).1, 0);
        }
        let mut baselines = builder.finish();
        baselines.pool(1);
        let bits = |baselines: &Baselines, from: u8, app: App| {
            let seen = uses(7_200_000, from, 33_333, app);
            prior_bits((&seen, Earlier::default()), baselines.host(seen.orig), (Evidence::NewService, 0), baselines)
        };
        assert_eq!([1, 77].map(|from| bits(&baselines, from, App::BitTorrent)), [0.0, BITS], "another device uses it");
        assert_eq!([App::Irc, App::Shell, App::Stratum].map(|app| bits(&baselines, 1, app)), [MORE_BITS, TOOL_BITS, TOOL_BITS]);
        let seen = Observation { facts: Vec::new(), ..uses(7_200_000, 1, 33_333, App::BitTorrent) };
        let by_port = prior_bits((&seen, Earlier::default()), baselines.host(seen.orig), (Evidence::NewService, 0), &baselines);
        assert_eq!(by_port, MORE_BITS, "told by its port alone");
        baselines.rules = 0;
        assert_eq!(bits(&baselines, 1, App::BitTorrent), MORE_BITS, "a model of an earlier version knows ports alone");
    }

    const HOUR_MS: i64 = 3_600_000;

    /// Ten days from a Thursday on, in which device 1 asks device 100 for pages from nine to five.
    fn ten_days() -> Baselines {
        let mut builder = BaselinesBuilder::default();
        for hour in (0..240).filter(|hour| (9..17).contains(&(hour % 24))) {
            builder.add(&flow(hour * HOUR_MS, 1, 100, 80, true).1, 0);
        }
        builder.finish()
    }

    #[test]
    fn administration_at_night_by_a_device_that_works_by_day_counts_more() {
        let baselines = ten_days();
        let of = |day: i64, hour: i64, device: u8, port: u16, (evidence, about): (Evidence, u64)| {
            let (_, seen) = flow((day * 24 + hour) * HOUR_MS, device, 101, port, true);
            odd_hour(&seen, baselines.host(seen.orig), (evidence, about), &baselines)
        };
        let days = |day: i64, hour: i64, device: u8, port: u16, evidence| of(day, hour, device, port, (evidence, 0));
        let new_peer = Evidence::NewPeer;
        assert_eq!((days(11, 3, 1, 22, new_peer), days(11, 11, 1, 22, new_peer)), (Some(7), None));
        assert_eq!(days(11, 3, 1, 80, new_peer), None, "no page of the intranet");
        assert_eq!(days(11, 3, 1, 22, Evidence::NewShape), None, "a known pair may meet at any hour");
        assert_eq!(days(11, 3, 2, 22, new_peer), None, "nothing is known of the device");
        assert_eq!(days(16, 3, 1, 22, new_peer), None, "one weekend says nothing");
        let call = |hour: i64, to: &str| {
            let country = Fact::new(FactKind::CountryCalled, to);
            of(11, hour, 1, 5060, (Evidence::NewFact(country.kind), value_key(Kind::Fact(country.kind), country)))
        };
        assert_eq!([call(3, "+252 (Somalia)"), call(11, "+252 (Somalia)"), call(3, AT_HOME)], [Some(7), None, None]);
    }

    #[test]
    fn who_logs_in_from_outside_where_nobody_did_counts_more() {
        let bits = |offered: bool, port: u16, comes_in: bool, answered: bool| {
            let mut builder = BaselinesBuilder::default();
            for minute in 0..60 {
                builder.add(&flow(minute * 60_000, 1, 100, 80, true).1, 0);
                if offered {
                    builder.add(&flow(minute * 60_000 + 9, 2, 101, port, true).1, 0);
                }
            }
            let mut baselines = builder.finish();
            baselines.pool_as_one();
            let (_, mut seen) = flow(HOUR_MS * 2, 200, 100, port, answered);
            (seen.orig_local, seen.failed) = (!comes_in, !answered);
            prior_bits((&seen, Earlier::default()), baselines.host(seen.orig), (Evidence::NewOffer, 0), &baselines)
        };
        assert_eq!([bits(false, 23, true, true), bits(true, 23, true, true)], [MORE_BITS, BITS]);
        assert_eq!([bits(false, 23, true, false), bits(false, 8080, true, true)], [0.0; 2], "an attempt, and no log-in");
    }

    #[test]
    fn a_tool_that_lets_others_in_counts_more_where_its_kind_uses_none() {
        let tool = Fact::new(FactKind::Tool, "AnyDesk");
        let bits = |users: u8| {
            let mut builder = BaselinesBuilder::default();
            for (minute, n) in (0..60).flat_map(|minute| (1..=9).map(move |n| (minute, n))) {
                let (_, mut seen) = flow(minute * 60_000 + i64::from(n), n, 100, 443, true);
                seen.facts = if n <= users { vec![tool] } else { Vec::new() };
                builder.add(&seen, 0);
            }
            let mut baselines = builder.finish();
            baselines.pool_as_one();
            let (_, mut seen) = flow(HOUR_MS * 2, 9, 101, 443, true);
            seen.facts = vec![tool];
            let about = value_key(Kind::Fact(FactKind::Tool), tool);
            let new = (Evidence::NewFact(FactKind::Tool), about);
            prior_bits((&seen, Earlier::default()), baselines.host(seen.orig), new, &baselines)
        };
        assert_eq!([bits(0), bits(1), bits(3)], [TOOL_BITS, BITS, 0.0]);
    }

    #[test]
    fn a_script_among_uploads_counts_more_on_a_server_at_home_alone() {
        let script = Fact::new(FactKind::Tool, UPLOADED);
        let mut builder = BaselinesBuilder::default();
        (0..120).for_each(|minute| builder.add(&flow(minute * 60_000, 1, 100, 80, true).1, 0));
        let mut baselines = builder.finish();
        baselines.pool_as_one();
        let bits = |resp_local: bool| {
            let (_, mut seen) = flow(HOUR_MS * 3, 1, 100, 80, true);
            (seen.resp_local, seen.facts) = (resp_local, vec![script]);
            let new = (Evidence::NewFact(script.kind), value_key(Kind::Fact(script.kind), script));
            prior_bits((&seen, Earlier::default()), baselines.host(seen.orig), new, &baselines)
        };
        assert_eq!([true, false].map(bits), [TOOL_BITS, 0.0]);
    }

    #[test]
    fn a_log_in_that_leaves_home_counts_more_by_whom_nobody_knows() {
        let mut builder = BaselinesBuilder::default();
        (0..120).for_each(|minute| builder.add(&flow(minute * 60_000, 1, 100, 443, true).1, 0));
        let mut baselines = builder.finish();
        baselines.pool_as_one();
        let bits = |from: u8, answered: bool| {
            let (_, mut seen) = flow(HOUR_MS * 3, from, 200, 22, answered);
            (seen.app, seen.resp_local, seen.failed) = (crate::app::App::Ssh, false, !answered);
            prior_bits((&seen, Earlier::default()), baselines.host(seen.orig), (Evidence::NewService, 0), &baselines)
        };
        assert_eq!([bits(9, true), bits(9, false), bits(1, true)], [BITS, 0.0, 0.0]);
    }

    #[test]
    fn administration_counts_more_where_few_do_it_and_towards_care() {
        use crate::app::App;
        let ssh = |to: u8, n: u8| flow(HOUR_MS * 2, n, to, 22, true).1;
        let baselines = |administrators: u8| {
            let mut builder = BaselinesBuilder::default();
            for minute in 0..60 {
                for n in 1..=9 {
                    builder.add(&flow(minute * 60_000 + i64::from(n), n, 100, 80, true).1, 0);
                }
                (1..=administrators).for_each(|n| builder.add(&flow(minute * 60_000 + 500, n, 101, 22, true).1, 0));
                let (_, mut seen) = flow(minute * 60_000 + 900, 50, 51, 2575, true);
                seen.app = App::Hl7;
                builder.add(&seen, 0);
            }
            let mut baselines = builder.finish();
            baselines.pool_as_one();
            baselines
        };
        let bits = |administrators: u8, to: u8| {
            let (baselines, seen) = (baselines(administrators), ssh(to, 9));
            prior_bits((&seen, Earlier::default()), baselines.host(seen.orig), (Evidence::NewPeer, 0), &baselines)
        };
        assert_eq!([bits(0, 100), bits(1, 100), bits(3, 100)], [MORE_BITS / 2.0, BITS / 2.0, 0.0]);
        let asks = |facts: Vec<Fact>| {
            let (known, (_, seen)) = (baselines(0), flow(HOUR_MS * 2, 9, 100, 4840, true));
            let seen = Observation { app: App::OpcUa, facts, ..seen };
            prior_bits((&seen, Earlier::default()), known.host(seen.orig), (Evidence::NewPeer, 0), &known)
        };
        let asked = [vec![], vec![Fact::new(FactKind::ControllerChange, "write")]].map(asks);
        assert_eq!(asked, [BITS, TOOL_BITS], "who changes a controller is no mere reader");
        assert_eq!([bits(3, 50), bits(3, 51)], [BITS / 2.0; 2], "one that treats patients, and whom it speaks to");
        let offers = |to: u8, port: u16, answered: bool| {
            let (baselines, (_, seen)) = (baselines(0), flow(HOUR_MS * 2, 9, to, port, answered));
            prior_bits((&seen, Earlier::default()), baselines.host(seen.orig), (Evidence::NewOffer, 0), &baselines)
        };
        assert_eq!([offers(50, 8080, true), offers(50, 8080, false), offers(100, 8080, true)], [BITS, 0.0, 0.0]);
        assert_eq!(offers(50, 22, true), bits(0, 50), "a console weighs by who sits at it");
    }

    #[test]
    fn to_go_to_one_more_is_an_administrator_s_work() {
        // Device 1 sits at so many, devices 2 to 9 read pages.
        let bits = |devices: u8, from: u8| {
            let mut builder = BaselinesBuilder::default();
            for minute in 0..60 {
                let at = |n: u8| minute * 60_000 + i64::from(n);
                (101..101 + devices).for_each(|to| builder.add(&flow(at(to), 1, to, 22, true).1, 0));
                (2..=9).for_each(|n| builder.add(&flow(at(n), n, 100, 80, true).1, 0));
            }
            let mut baselines = builder.finish();
            baselines.pool_as_one();
            let (_, seen) = flow(HOUR_MS * 2, from, 120, 22, true);
            prior_bits((&seen, Earlier::default()), baselines.host(seen.orig), (Evidence::NewPeer, 0), &baselines)
        };
        assert_eq!([bits(3, 1), bits(2, 1), bits(4, 2)], [0.0, BITS / 2.0, BITS / 2.0]);
    }

    #[test]
    fn more_days_bring_more_bits_up_to_a_bound() {
        assert!((hour_bits(7) - 4.0).abs() < 1e-9 && hour_bits(8) > hour_bits(7));
        assert_eq!(hour_bits(1000), BITS);
    }

    #[test]
    fn names_that_carry_data_and_log_in_by_the_port_of_another_are_tools() {
        let domain = Fact::new(FactKind::Domain, "carrier.example");
        let application = Fact::new(FactKind::Application, "ssh");
        let baselines = |users: u8| {
            let mut builder = BaselinesBuilder::default();
            for (minute, n) in (0..60).flat_map(|minute| (1..=9).map(move |n| (minute, n))) {
                let (_, mut seen) = flow(minute * 60_000 + i64::from(n), n, 100, 443, true);
                seen.facts = if n <= users { vec![domain, application] } else { Vec::new() };
                builder.add(&seen, 0);
            }
            let mut baselines = builder.finish();
            baselines.pool_as_one();
            baselines
        };
        let bits = |users: u8, kind: FactKind, carries: bool, leads_out: bool| {
            let (_, mut seen) = flow(HOUR_MS * 2, 9, 101, 443, true);
            (seen.app, seen.orig_local, seen.resp_local) = (App::Ssh, true, !leads_out);
            seen.facts = vec![domain, application];
            let (earlier, baselines) = (Earlier { carries, ..Earlier::default() }, baselines(users));
            prior_bits((&seen, earlier), baselines.host(seen.orig), (Evidence::NewFact(kind), 0), &baselines)
        };
        assert_eq!([bits(0, FactKind::Domain, true, false), bits(3, FactKind::Domain, true, false)], [TOOL_BITS, 0.0]);
        assert_eq!(bits(0, FactKind::Domain, false, false), 0.0, "any new domain");
        let of_application = [true, false].map(|leads_out| bits(0, FactKind::Application, false, leads_out));
        assert_eq!(of_application, [TOOL_BITS, MORE_BITS], "out of the network");
    }

    #[test]
    fn who_dials_in_where_several_do_is_one_more() {
        let bits = |clients: u8| {
            let dials = |from: u8, ms: i64| {
                let (_, mut seen) = flow(ms, from, 250, 1194, true);
                (seen.app, seen.orig_local, seen.resp_local) = (App::OpenVpn, false, false);
                seen
            };
            let mut builder = BaselinesBuilder::default();
            (0..60)
                .flat_map(|minute| (1..=clients).map(move |n| (n, minute * 60_000)))
                .for_each(|(n, ms)| builder.add(&dials(n, ms), 0));
            let baselines = builder.finish();
            let seen = dials(99, HOUR_MS * 2);
            prior_bits((&seen, Earlier::default()), None, (Evidence::NewService, 0), &baselines)
        };
        assert!(bits(2) > 0.0 && bits(3) == 0.0, "{} {}", bits(2), bits(3));
    }
}

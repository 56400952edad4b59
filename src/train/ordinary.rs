//! What the conversations of ordinary time do not exceed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::teach::WINDOW;
use super::together::{ROUNDS, Statistic};
use crate::app::Family;
use crate::feature::Observation;
use crate::flow::Service;
use crate::model::{Conversation, EXTRAORDINARY, OrdinaryBits, Regard};
use crate::time::Timestamp;

/// Conversations of one window at the most; where there are more it ends early.
const MOST_CONVERSATIONS: usize = 1_000_000;
/// Services by which conversations lead out told apart at the most; further ones are one.
const MOST_SERVICES: usize = 10_000;
/// Stands for those.
const OTHERS: Service = Service { protocol: 0, port: 0 };
/// The share of conversations whose bits count, where these are looked at apart.
const EXTRAORDINARY_APART: f64 = EXTRAORDINARY / 2.0;
/// Conversations below which they are not looked at apart.
const ENOUGH: u64 = 1000;
/// Bits are counted in steps of a 64th.
const STEPS_PER_BIT: f64 = 64.0;

/// Where a conversation leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Way {
    /// It stays at home and is care of patients or control of machines.
    Critical,
    /// It stays at home.
    Home,
    /// It stays at home, and is of a device that scans by habit.
    Scanner,
    /// It stays at home, is none of these, and of a device of which nothing was known.
    Newcomer,
    /// It comes from outside.
    In,
    /// It leaves or comes in, and is of a program that hides its traffic or works for others.
    Covert,
    /// Out, and what is new about it is a name, and nothing has one that a person could look for; or it asks for a name.
    Name,
    /// The same where it has one.
    Other,
    /// Out otherwise, by this service.
    Out(Service),
}

impl Way {
    const fn of(seen: &Observation, Regard { is_named, is_unusual, is_scanner, is_newcomer }: Regard) -> Self {
        match (seen.stays_home(), seen.leads_out(is_named)) {
            (true, _) if is_scanner => Self::Scanner,
            (true, _) if seen.is_critical() => Self::Critical,
            (true, _) if is_newcomer => Self::Newcomer,
            (true, _) => Self::Home,
            _ if matches!(seen.app.family(), Family::Covert) => Self::Covert,
            (false, true) => Self::Out(seen.service),
            (false, false) if seen.comes_in() => Self::In,
            (false, false) if is_unusual => Self::Name,
            (false, false) => Self::Other,
        }
    }
}

/// Gathers the strongest flow of each conversation in each window of held-out time: repeats within a window are one event.
#[derive(Default)]
pub struct Ordinary {
    window: BTreeMap<Conversation, (f64, Way)>,
    end: Option<Timestamp>,
    bits: Bits,
}

impl Ordinary {
    /// Takes the bits of an observation's own; is the strongest thing that is new about it a name?
    pub fn add(&mut self, seen: &Observation, bits: f64, regard: Regard) {
        if self.end.is_none_or(|end| seen.seen >= end) || self.window.len() >= MOST_CONVERSATIONS {
            self.close();
            self.end = Some(seen.seen + WINDOW);
        }
        let new = (bits, Way::of(seen, regard));
        let strongest = self.window.entry((seen.orig, seen.resp, seen.service)).or_insert(new);
        if bits > strongest.0 {
            *strongest = new;
        }
    }

    fn close(&mut self) {
        let ways = &mut self.bits.0;
        for (bits, way) in std::mem::take(&mut self.window).into_values() {
            let is_one_too_many = ways.len() >= MOST_SERVICES && !ways.contains_key(&way);
            ways.entry(if is_one_too_many { Way::Out(OTHERS) } else { way }).or_default().add(bits);
        }
    }

    /// What was gathered.
    pub fn finish(mut self) -> Bits {
        self.close();
        self.bits
    }
}

/// How many conversations had so many bits, in steps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Counted(BTreeMap<u32, u64>);

impl Counted {
    fn add(&mut self, bits: f64) {
        *self.0.entry((bits * STEPS_PER_BIT).ceil() as u32).or_default() += 1;
    }

    fn join(&mut self, other: &Self) {
        other.0.iter().for_each(|(&step, count)| *self.0.entry(step).or_default() += count);
    }

    fn conversations(&self) -> u64 {
        self.0.values().sum()
    }

    /// The bits that all but this share of them do not exceed; those of one alone are its own.
    fn exceeded_by(&self, share: f64) -> f64 {
        let conversations = self.conversations();
        let mut above = ((conversations as f64 * share).ceil() as u64).min(conversations.saturating_sub(1));
        let reached = self.0.iter().rev().find(|&(_, &count)| {
            let is_reached = count > above;
            above = above.saturating_sub(count);
            is_reached
        });
        reached.map_or(0.0, |(&step, _)| f64::from(step) / STEPS_PER_BIT)
    }
}

/// Bits of conversations in windows, by where they lead.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(Way, Counted)>", into = "Vec<(Way, Counted)>")]
pub struct Bits(BTreeMap<Way, Counted>);

impl From<Vec<(Way, Counted)>> for Bits {
    fn from(ways: Vec<(Way, Counted)>) -> Self {
        Self(ways.into_iter().collect())
    }
}

impl From<Bits> for Vec<(Way, Counted)> {
    fn from(bits: Bits) -> Self {
        bits.0.into_iter().collect()
    }
}

impl Bits {
    /// How many conversations in windows there were, and the bits that all but one in a hundred do not exceed; where there are enough of them and that is
    /// less, those that all but one in two hundred do not exceed: of those at home, of those that are care or control, and of those that lead out without
    /// a new name, apart by services. Of new names that are merely unusual, and of devices at home that scan by habit, those that all but one in a hundred of
    /// these do not exceed, where that is more. Who comes from outside is a stranger each time, and says nothing of the devices at home; nor do scanners, nor
    /// one device that shares files with half the world.
    pub fn ordinary(&self) -> (f64, OrdinaryBits) {
        let all = self.together(|_| true);
        let others = self.together(|way| way != Way::Covert);
        let of_all = if 2 * others.conversations() >= all.conversations() { &others } else { &all }.exceeded_by(EXTRAORDINARY);
        let one_in_a_hundred =
            |counted: &Counted| if counted.conversations() >= ENOUGH { counted.exceeded_by(EXTRAORDINARY) } else { of_all };
        let any = one_in_a_hundred(&self.together(|way| !matches!(way, Way::In | Way::Scanner | Way::Covert)));
        let apart =
            |counted: &Counted| (counted.conversations() >= ENOUGH).then(|| counted.exceeded_by(EXTRAORDINARY_APART).min(any));
        let (mut out, mut services) = (Counted::default(), BTreeMap::new());
        for (&way, counted) in &self.0 {
            let Way::Out(service) = way else { continue };
            let bits = apart(counted);
            bits.into_iter().for_each(|bits| _ = services.insert(service, bits));
            // A service of which much is as odd as anything says nothing of the others.
            if bits.is_none_or(|bits| bits < any) {
                out.join(counted);
            }
        }
        let at_home = apart(&self.together(|way| matches!(way, Way::Home | Way::Critical))).unwrap_or(any);
        let newcomers =
            apart(&self.together(|way| matches!(way, Way::Home | Way::Critical | Way::Newcomer))).unwrap_or(any).max(at_home);
        let of_scanners = self.together(|way| way == Way::Scanner);
        let scanners = of_scanners.exceeded_by(EXTRAORDINARY).max(at_home);
        let critical = apart(&self.together(|way| way == Way::Critical)).map_or(at_home, |bits| bits.min(at_home));
        let inward = one_in_a_hundred(&self.together(|way| way == Way::In));
        let named = one_in_a_hundred(&self.together(|way| way == Way::Name)).max(any);
        let out = apart(&out).unwrap_or(any);
        let ordinary = OrdinaryBits {
            any,
            at_home: Some(at_home),
            critical: Some(critical),
            inward: Some(inward),
            named: Some(named),
            scanners: Some(scanners),
            newcomers: Some(newcomers),
            out: Some(out),
            services,
        };
        (all.conversations() as f64, ordinary)
    }

    /// Those that lead some ways.
    fn together(&self, is_one: impl Fn(Way) -> bool) -> Counted {
        let mut together = Counted::default();
        self.0.iter().filter(|(way, _)| is_one(**way)).for_each(|(_, counted)| together.join(counted));
        together
    }
}

impl Statistic for Bits {
    const ROUND: &'static str = ROUNDS[3];

    fn join(&mut self, other: Self) {
        for (way, counted) in other.0 {
            self.0.entry(way).or_default().join(&counted);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::strategy::{Strategy as _, ValueTree as _};

    use super::*;
    use crate::feature::packing::tests::observation;
    use crate::time::Span;

    /// As it is defined: all are kept and put in order, in steps.
    fn by_sorting(mut all: Vec<f64>) -> (f64, f64) {
        all.sort_unstable_by(f64::total_cmp);
        let ordinary = all.len() - (all.len() as f64 * EXTRAORDINARY).ceil() as usize;
        let bits = all.get(ordinary.saturating_sub(1)).copied().unwrap_or(0.0);
        (all.len() as f64, (bits * STEPS_PER_BIT).ceil() / STEPS_PER_BIT)
    }

    fn observation_now() -> Observation {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        Observation { seen: Timestamp::from_parts(0, 0), ..observation().new_tree(&mut runner).unwrap().current() }
    }

    #[test]
    fn all_but_one_in_a_hundred_do_not_exceed_it() {
        for count in [0_u64, 1, 2, 99, 100, 101, 999, 12_345] {
            let mut seen = observation_now();
            seen.app = crate::app::App::Dns;
            let (mut ordinary, mut all) = (Ordinary::default(), Vec::new());
            for n in 0..count {
                let bits = (n * 7919 % 1009) as f64 / 10.0;
                all.push(bits);
                // Its repeat in the same window is no event of its own; the window is over after five minutes.
                ordinary.add(&seen, bits, Regard::default());
                ordinary.add(&seen, bits / 2.0, Regard::default());
                seen.seen = seen.seen + WINDOW + Span::from_secs(1);
            }
            let (conversations, bits) = by_sorting(all);
            let (counted, found) = ordinary.finish().ordinary();
            assert_eq!((counted, found), (conversations, OrdinaryBits::of_all(bits)), "{count}");
        }
    }

    /// What is ordinary where so many conversations with these bits lead there: at home, out by ports, out with a new name.
    fn ordinary_of(parts: &[(i64, f64, Option<u16>, bool)]) -> OrdinaryBits {
        let (mut ordinary, mut seen) = (Ordinary::default(), observation_now());
        (seen.app, seen.orig_local) = (crate::app::App::Http, true);
        for &(count, bits, out_by, is_named) in parts {
            (seen.resp_local, seen.service) = (out_by.is_none(), Service { protocol: 6, port: out_by.unwrap_or(80) });
            for _ in 0..count {
                ordinary.add(&seen, bits, Regard { is_named, ..Regard::default() });
                seen.seen = seen.seen + WINDOW + Span::from_secs(1);
            }
        }
        ordinary.finish().ordinary().1
    }

    #[test]
    fn who_shares_files_with_half_the_world_says_nothing_of_the_others() {
        let any = |app: crate::app::App| {
            let (mut ordinary, mut seen) = (Ordinary::default(), observation_now());
            (seen.orig_local, seen.resp_local) = (true, false);
            for n in 0..1200 {
                let shares = n % 30 == 0;
                seen.app = if shares { app } else { crate::app::App::Http };
                ordinary.add(&seen, if shares { 25.0 } else { 5.0 }, Regard::default());
                seen.seen = seen.seen + WINDOW + Span::from_secs(1);
            }
            ordinary.finish().ordinary().1.any
        };
        assert_eq!([any(crate::app::App::BitTorrent), any(crate::app::App::Tls)], [5.0, 25.0]);
    }

    #[test]
    fn what_is_ordinary_depends_on_where_a_conversation_leads() {
        let (push, web) = (Service { protocol: 6, port: 5223 }, Service { protocol: 6, port: 443 });
        let services = BTreeMap::from([(push, 17.0)]);
        let ordinary = OrdinaryBits {
            any: 18.0,
            at_home: Some(9.0),
            critical: Some(5.0),
            inward: Some(20.0),
            named: Some(19.0),
            scanners: Some(12.0),
            newcomers: Some(11.0),
            out: Some(10.0),
            services,
        };
        let mut seen = observation_now();
        (seen.app, seen.orig_local) = (crate::app::App::Http, true);
        let mut of = |service, resp_local, is_named| {
            (seen.service, seen.resp_local) = (service, resp_local);
            ordinary.of(&seen, Regard { is_named, ..Regard::default() })
        };
        assert_eq!(
            [of(web, true, true), of(web, false, true), of(web, false, false), of(push, false, false)],
            [9.0, 18.0, 10.0, 17.0]
        );
        let named = |is_unusual| ordinary.of(&seen, Regard { is_named: true, is_unusual, ..Regard::default() });
        assert_eq!((named(false), named(true)), (18.0, 19.0));
        (seen.resp_local, seen.app) = (true, crate::app::App::Hl7);
        let by = |is_scanner, is_newcomer| {
            ordinary.of(&seen, Regard { is_unusual: true, is_scanner, is_newcomer, ..Regard::default() })
        };
        assert_eq!([by(false, false), by(true, false), by(false, true), by(true, true)], [5.0, 12.0, 5.0, 12.0]);
        seen.app = crate::app::App::Http;
        assert_eq!(ordinary.of(&seen, Regard { is_newcomer: true, ..Regard::default() }), 11.0);
        seen.orig_local = false;
        assert_eq!(ordinary.of(&seen, Regard { is_unusual: true, ..Regard::default() }), 20.0);
    }

    #[test]
    fn machines_and_strangers_are_looked_at_apart() {
        let (mut ordinary, mut seen) = (Ordinary::default(), observation_now());
        seen.resp_local = true;
        for (orig_local, app, bits) in
            [(true, crate::app::App::Hl7, 2.0), (true, crate::app::App::Http, 7.0), (false, crate::app::App::Http, 21.0)]
        {
            (seen.orig_local, seen.app) = (orig_local, app);
            for _ in 0..2000 {
                ordinary.add(&seen, bits, Regard::default());
                seen.seen = seen.seen + WINDOW + Span::from_secs(1);
            }
        }
        let found = ordinary.finish().ordinary().1;
        assert_eq!((found.any, found.at_home, found.critical, found.inward), (7.0, Some(7.0), Some(2.0), Some(21.0)));
    }

    #[test]
    fn a_newcomer_says_what_is_ordinary_of_newcomers() {
        let ordinary_with = |newcomer_bits: f64| {
            let (mut ordinary, mut seen) = (Ordinary::default(), observation_now());
            (seen.app, seen.orig_local, seen.resp_local) = (crate::app::App::Http, true, true);
            for n in 0..3000 {
                let is_newcomer = n % 100 == 0;
                let bits = if is_newcomer { newcomer_bits } else { 7.0 };
                ordinary.add(&seen, bits, Regard { is_newcomer, ..Regard::default() });
                seen.seen = seen.seen + WINDOW + Span::from_secs(1);
            }
            let found = ordinary.finish().ordinary().1;
            (found.at_home, found.newcomers)
        };
        // At most as much as what one in a hundred of all exceeds.
        assert_eq!(ordinary_with(20.0), (Some(7.0), Some(7.0)));
        assert_eq!(ordinary_with(2.0), (Some(7.0), Some(7.0)), "never less");
    }

    #[test]
    fn a_scanner_says_what_is_ordinary_of_scanners_only() {
        let ordinary_with = |scanner_bits: f64| {
            let (mut ordinary, mut seen) = (Ordinary::default(), observation_now());
            (seen.app, seen.orig_local, seen.resp_local) = (crate::app::App::Http, true, true);
            for n in 0..3000 {
                let is_scanner = n % 2 == 0;
                let bits = if is_scanner { scanner_bits } else { 7.0 };
                ordinary.add(&seen, bits, Regard { is_scanner, ..Regard::default() });
                seen.seen = seen.seen + WINDOW + Span::from_secs(1);
            }
            let found = ordinary.finish().ordinary().1;
            (found.any, found.at_home, found.scanners)
        };
        assert_eq!(ordinary_with(20.0), (7.0, Some(7.0), Some(20.0)));
        assert_eq!(ordinary_with(2.0), (7.0, Some(7.0), Some(7.0)), "at least what is ordinary of the others");
    }

    #[test]
    fn who_stays_home_is_looked_at_apart_where_there_are_enough() {
        let bits = |away: i64, at_home: i64| {
            let found = ordinary_of(&[(away, 20.0, Some(443), true), (at_home, 3.0, None, false)]);
            (found.any, found.at_home)
        };
        assert_eq!(
            [bits(2000, 2000), bits(2000, 900), bits(10, 2000)],
            [(20.0, Some(3.0)), (20.0, Some(20.0)), (3.0, Some(3.0))]
        );
    }

    #[test]
    fn a_service_that_is_odd_all_day_hides_nothing_of_the_others() {
        let (push, web) = (Service { protocol: 6, port: 5223 }, Service { protocol: 6, port: 443 });
        let found = ordinary_of(&[
            (2000, 18.0, Some(push.port), false),
            (2000, 4.0, Some(web.port), false),
            (2000, 25.0, Some(web.port), true),
            (50, 5.0, Some(8443), false),
        ]);
        assert_eq!((found.any, found.out), (25.0, Some(18.0)));
        let found = ordinary_of(&[
            (2000, 18.0, Some(push.port), false),
            (2000, 4.0, Some(web.port), false),
            (50, 5.0, Some(8443), false),
        ]);
        assert_eq!((found.any, found.out), (18.0, Some(5.0)));
        assert_eq!(found.services.into_iter().collect::<Vec<_>>(), [(web, 4.0), (push, 18.0)]);
    }

    #[test]
    fn a_new_name_that_is_merely_unusual_is_looked_at_apart() {
        // So many such names, some of them odd, among three thousand conversations with names that are more than unusual.
        let named_of = |names: i64, odd: i64| {
            let (mut ordinary, mut seen) = (Ordinary::default(), observation_now());
            (seen.app, seen.orig_local, seen.resp_local) = (crate::app::App::Tls, true, false);
            for n in 0..names + 3000 {
                ordinary.add(
                    &seen,
                    if n < odd { 17.0 } else { 7.0 },
                    Regard { is_named: true, is_unusual: n < names, ..Regard::default() },
                );
                seen.seen = seen.seen + WINDOW + Span::from_secs(1);
            }
            let found = ordinary.finish().ordinary().1;
            (found.any, found.named)
        };
        assert_eq!([named_of(1000, 20), named_of(1000, 5)], [(7.0, Some(17.0)), (7.0, Some(7.0))]);
        assert_eq!(named_of(900, 20), (7.0, Some(7.0)), "too few to be looked at apart");
    }

    #[test]
    fn one_device_that_shares_files_sets_no_measure_for_few_others() {
        let any_of = |others: i64| {
            let (mut ordinary, mut seen) = (Ordinary::default(), observation_now());
            (seen.orig_local, seen.resp_local) = (true, false);
            for n in 0..others + 100 {
                (seen.app, seen.service.port) =
                    if n < 100 { (crate::app::App::BitTorrent, 6881) } else { (crate::app::App::Tls, 443) };
                ordinary.add(&seen, if n < 100 { 22.0 } else { 6.0 }, Regard::default());
                seen.seen = seen.seen + WINDOW + Span::from_secs(1);
            }
            ordinary.finish().ordinary().1.any
        };
        assert_eq!(any_of(300), 6.0);
        assert_eq!(any_of(90), 22.0, "where it is most of what there is, that is what is ordinary");
    }

    #[test]
    fn services_are_bounded() {
        let (mut ordinary, mut seen) = (Ordinary::default(), observation_now());
        (seen.app, seen.orig_local, seen.resp_local) = (crate::app::App::Unknown, true, false);
        for port in 0..MOST_SERVICES as u16 + 100 {
            seen.service = Service { protocol: 6, port };
            ordinary.add(&seen, 1.0, Regard::default());
        }
        let bits = ordinary.finish();
        assert!(bits.0.len() <= MOST_SERVICES + 1 && bits.0[&Way::Out(OTHERS)].conversations() == 100);
    }

    #[test]
    fn parts_of_a_fleet_add() {
        let of = |count: usize| {
            let (mut ordinary, mut seen) = (Ordinary::default(), observation_now());
            for n in 0..count {
                ordinary.add(&seen, n as f64, Regard::default());
                seen.seen = seen.seen + WINDOW + Span::from_secs(1);
            }
            ordinary.finish()
        };
        let mut joined = of(150);
        joined.join(of(50));
        assert_eq!(joined.ordinary().0, 200.0);
        assert_eq!(joined.ordinary().1.any, 147.0, "the two highest of both are beyond");
    }
}

//! How surprising a value is that a device never showed.

use super::config::{Part, Without};
use super::evidence::{Contribution, Evidence, Of};
use super::surprise::MOST_BITS;
use crate::model::{Baselines, Counts, Family, HostBaseline, Kind, KnownTo, NewRate, Roles, Unseen, bits, value_key};

/// The weight of the network's rate of new things, in minutes of a device's life.
const PRIOR_MINUTES: f64 = 5.0;

/// Judges values that a device never showed.
pub(super) struct Newness<'b> {
    pub host: Option<&'b HostBaseline>,
    pub baselines: &'b Baselines,
    pub without: Without,
}

/// How the probability of a new value comes about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Odds {
    /// How often the device meets anything new of the value's family; none of a device that is hardly known, or not at all.
    pub unseen: Option<Unseen>,
    /// How often devices like it do.
    pub like: f64,
    /// Who else knows the value.
    pub known: KnownTo,
    /// The share of new values that are known to these.
    pub share: f64,
    /// The share of devices that have the value.
    pub devices: f64,
    /// Minutes that the device was known.
    pub minutes: f64,
}

impl Odds {
    /// The probability.
    pub(super) fn p(&self) -> f64 {
        match &self.unseen {
            Some(unseen) => unseen.p() * self.share,
            None => self.devices.max(self.like * self.share),
        }
    }
}

impl Newness<'_> {
    /// Surprise about a value; none when the device has shown it.
    ///
    /// A known device shows something new with its own rate, drawn towards that of its role; who else has shown the value
    /// divides that: what all others of the role use is less of a surprise than what nobody does. A device that is hardly
    /// known shows a value with the share of devices that do, or, where that is more, as a device of this network shows
    /// something new.
    pub(super) fn of<K: Family>(
        &self,
        evidence: Evidence,
        kind: Kind,
        counts: impl Fn(&HostBaseline) -> &Counts<K>,
        value: K,
    ) -> Option<Contribution> {
        if self.without.has_kind(evidence) {
            return None;
        }
        if self.is_known(&counts, value) {
            return None;
        }
        if !self.baselines.pooled.newness.knows(kind) {
            return None;
        }
        let about = value_key(kind, value);
        let odds = self.odds_of_new(kind, counts, value, about);
        let of = if odds.minutes > PRIOR_MINUTES { Of::Device } else { Of::Network };
        let part = Contribution::of(evidence, odds.minutes, bits(odds.p()).min(MOST_BITS));
        Some(Contribution { of, about, ..part })
    }

    /// How the probability of a value comes about; none when the device has shown it.
    pub(super) fn odds<K: Family>(&self, kind: Kind, counts: impl Fn(&HostBaseline) -> &Counts<K>, value: K) -> Option<Odds> {
        (!self.is_known(&counts, value)).then(|| self.odds_of_new(kind, counts, value, value_key(kind, value)))
    }

    /// Has the device shown it?
    fn is_known<K: Family>(&self, counts: impl Fn(&HostBaseline) -> &Counts<K>, value: K) -> bool {
        self.host.is_some_and(|host| counts(host).contains(value))
    }

    /// The odds of a value that it has not, with this hash.
    fn odds_of_new<K: Family>(&self, kind: Kind, counts: impl Fn(&HostBaseline) -> &Counts<K>, value: K, key: u64) -> Odds {
        let host = self.host.filter(|host| !host.is_hardly_known());
        let rate = self.baselines.like(host).newness.of(kind);
        let roles = host.filter(|host| host.local).map_or(Roles::NONE, |host| Roles::of(host.role));
        let (known, devices) = self.baselines.commons.known_and_share(key, roles);
        let is_shared = !self.without.has(Part::Shares);
        let unseen = |host: &HostBaseline| counts(host).unseen(value.families(), rate.any, PRIOR_MINUTES, host.life());
        Odds {
            unseen: host.map(unseen),
            like: rate.any,
            known,
            share: if is_shared { share(&rate, kind, known) } else { 1.0 },
            devices: if host.is_none() && is_shared { devices } else { 0.0 },
            minutes: self.host.map_or(0.0, |host| f64::from(host.minutes)),
        }
    }
}

/// The share of new values that are known to these. A name, a word or a way of speaking that others have is no more of a surprise than one that nobody has;
/// whom a device of another kind meets, or what it offers, may be.
fn share(rate: &NewRate, kind: Kind, known: KnownTo) -> f64 {
    match kind {
        Kind::Fact(_) | Kind::Shape => rate.share_of_fewer(known),
        Kind::Service | Kind::Edge | Kind::Offer | Kind::Client => rate.share(known),
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Without;
    use super::super::memory::Earlier;
    use super::super::surprise::Surprise;
    use super::super::testing::{LATER_MS, flow, host, taught_by};
    use super::super::{Evidence, Knowledge};
    use super::*;
    use crate::feature::{FactKind, Observation};
    use crate::flow::Service;

    /// Two hours in which ten devices ask device 100 on port 80 once a minute each and it refuses each port 23; device 11 did so for three minutes.
    fn knowledge() -> std::sync::Arc<Knowledge> {
        let mut flows = Vec::new();
        for minute in 0..120 {
            let at = |n: u8| minute * 60_000 + i64::from(n) * 3001;
            flows.extend((1..=10).map(|n| flow(at(n), n, 100, 80, true).1));
            flows.extend((1..=10).map(|n| Observation { failed: true, ..flow(at(n) + 7, n, 100, 23, true).1 }));
            flows.extend((minute < 3).then(|| flow(at(11), 11, 101, 9, true).1));
        }
        taught_by(flows, 1e-6)
    }

    fn new(knowledge: &Knowledge, seen: &Observation) -> Option<Contribution> {
        Surprise::of((seen, Earlier::default()), knowledge.vocabulary.matches(seen), knowledge, Without::default()).new
    }

    #[test]
    fn a_device_that_was_off_while_others_were_learned_may_do_what_they_do() {
        let knowledge = knowledge();
        let known = |n| knowledge.host(host(n)).map(HostBaseline::is_hardly_known);
        assert_eq!([known(1), known(11), known(77)], [Some(false), Some(true), None]);
        let bits = |from: u8, port: u16| new(&knowledge, &flow(LATER_MS, from, 100, port, true).1).map_or(0.0, |part| part.bits);
        assert!(bits(11, 80) < 2.0 && bits(11, 4444) > 3.0, "{} {}", bits(11, 80), bits(11, 4444));
        assert!((bits(11, 80) - bits(77, 80)).abs() < 1e-9, "as of one of which nothing is known");
    }

    #[test]
    fn a_name_that_others_know_is_no_more_of_a_surprise_than_one_that_nobody_does() {
        let rate = NewRate { any: 0.1, known_to_role: 0.9, known_to_network: 0.001, known_to_nobody: 0.099 };
        let of = |kind| [KnownTo::Role, KnownTo::Network, KnownTo::Nobody].map(|known| share(&rate, kind, known));
        let close = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(close(of(Kind::Fact(FactKind::Name)), [1.0, 0.1, 0.099]));
        assert!(close(of(Kind::Offer), [0.9, 0.001, 0.099]), "what one of another kind offers is");
    }

    #[test]
    fn what_is_refused_is_no_offer_and_news_where_nobody_asks_for_it() {
        let knowledge = knowledge();
        let asks = |port: u16, failed: bool| Observation { failed, ..flow(LATER_MS, 1, 100, port, true).1 };
        let offered = |seen: &Observation| new(&knowledge, seen).is_some_and(|part| part.evidence == Evidence::NewOffer);
        assert!(offered(&asks(23, false)), "it refused that before");
        assert!(!offered(&asks(23, true)) && !offered(&asks(80, false)));
        assert!(new(&knowledge, &asks(5900, true)).is_some() && asks(5900, true).refused() && !asks(5900, true).answered());
    }

    #[test]
    fn an_address_that_is_handed_out_to_another_client_is_no_news() {
        let hands_out = |port: u16, known: bool| {
            let dhcp = |(_, seen): (_, Observation)| Observation { service: Service { protocol: 17, port }, ..seen };
            let used = move |at: i64| dhcp(flow(at, 100, if known { 1 } else { 2 }, port, true));
            let knowledge = taught_by((0..120).map(|minute| used(minute * 60_000)).collect(), 1e-6);
            new(&knowledge, &dhcp(flow(LATER_MS, if known { 100 } else { 3 }, 7, port, true))).is_some()
        };
        assert_eq!([hands_out(68, true), hands_out(68, false), hands_out(4444, true)], [false, true, true]);
    }

    #[test]
    fn a_device_that_only_kept_its_link_up_is_hardly_known() {
        let only = |protocol, port: u16| {
            let seen =
                |minute: i64| Observation { service: Service { protocol, port }, ..flow(minute * 60_000, 1, 100, 80, true).1 };
            let knowledge = taught_by((0..120).map(seen).collect(), 1e-6);
            [1, 100].map(|n| knowledge.host(host(n)).map(|host| (host.minutes, host.is_hardly_known())))
        };
        assert_eq!(only(58, 136), [Some((0, true)); 2], "neighbour discovery");
        assert_eq!(only(6, 80), [Some((120, false)); 2]);
    }
}

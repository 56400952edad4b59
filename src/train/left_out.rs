//! What is not learned: conversations that did, while a model learned, what ordinary life does not do.
//!
//! An attack under way would be normal to the model. Held-out time tells some of them by name, those that other time does not hold, too. A backup or an
//! administrator at night is not told from an attack so, and is learned.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::together::{ROUNDS, Statistic};
use crate::detect::{Class, HostRank};
use crate::feature::{Host, Observation};
use crate::flow::Service;
use crate::time::{Span, Timestamp};

/// Bits from which it is left out: what is merely unusual needs as many at the least.
const LEAST_BITS: f64 = 14.0;
/// Before it had so many bits it was under way, and behind it what began then goes on.
const AROUND: Span = Span::from_secs(3600);
/// Stretches kept at the most, some 100 bytes each; further ones are learned.
const MOST: usize = 100_000;

/// A conversation, and from when until when it is left out: the loudest of a device in five minutes. What a scan tried beside it is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Stretch {
    /// The lower of its ends.
    low: Host,
    /// The higher.
    high: Host,
    service: Service,
    from: Timestamp,
    to: Timestamp,
}

impl Stretch {
    /// What is left out for the score of a window that ended then.
    fn of(rank: &HostRank, at: Timestamp) -> Self {
        Self { from: at - AROUND, to: at + AROUND, ..Self::always((rank.host, rank.with.0), rank.with.1) }
    }

    /// All of the time of a conversation.
    fn always((a, b): (Host, Host), service: Service) -> Self {
        Self { low: a.min(b), high: a.max(b), service, from: Timestamp::MIN, to: Timestamp::MAX }
    }

    fn has(&self, at: Timestamp) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

/// Conversations, each with the stretches of time in which it is not learned.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct LeftOut(BTreeSet<Stretch>);

impl LeftOut {
    /// Takes the highest score of a device in a window that ended then, if it is one to be left out.
    pub fn add(&mut self, at: Timestamp, rank: &HostRank) {
        // Where no conversation speaks of it, there is none to leave out.
        if is_deed(rank.class) && rank.bits >= LEAST_BITS && rank.with.0 != rank.host {
            self.insert(Stretch::of(rank, at));
        }
    }

    /// Is it of a conversation that is left out then?
    pub fn has(&self, seen: &Observation) -> bool {
        let of_any = !self.0.is_empty();
        of_any && self.stretches((seen.orig, seen.resp), seen.service).any(|it| it.has(seen.seen))
    }

    /// Is the conversation that this score of a window which ended then speaks of left out at that time?
    pub fn has_told(&self, at: Timestamp, rank: &HostRank) -> bool {
        self.stretches((rank.host, rank.with.0), rank.with.1).any(|it| it.has(at))
    }

    /// Is nothing left out?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what another found.
    pub fn join(&mut self, other: Self) {
        other.0.into_iter().for_each(|stretch| self.insert(stretch));
    }

    /// Joins it with those that it touches.
    fn insert(&mut self, mut new: Stretch) {
        let of_same = self.stretches((new.low, new.high), new.service);
        let touched: Vec<Stretch> = of_same.filter(|it| it.from <= new.to && it.to >= new.from).copied().collect();
        for stretch in touched {
            self.0.remove(&stretch);
            (new.from, new.to) = (new.from.min(stretch.from), new.to.max(stretch.to));
        }
        if self.0.len() < MOST {
            self.0.insert(new);
        }
    }

    fn stretches(&self, ends: (Host, Host), service: Service) -> impl Iterator<Item = &Stretch> {
        let always = Stretch::always(ends, service);
        self.0.range(Stretch { to: Timestamp::MIN, ..always }..=Stretch { from: Timestamp::MAX, ..always })
    }
}

/// Is it named as something that hardly any network does of itself? Data that is moved and files that are changed may be a backup, access that is new an
/// administrator's, and what is new or unusual alone is most often nothing.
const fn is_deed(class: Class) -> bool {
    matches!(
        class,
        Class::Scan
            | Class::Sweep
            | Class::BruteForce
            | Class::Tunnel
            | Class::Dga
            | Class::Flood
            | Class::ArpSpoofing
            | Class::WebAttack
            | Class::CovertApplication
            | Class::Beaconing
            | Class::CredentialAccess
    )
}

/// What devices did but for what is left out: counted again, in a round of its own.
#[derive(Serialize, Deserialize)]
pub(super) struct CountsAgain(pub Counts);

impl Statistic for CountsAgain {
    const ROUND: &'static str = ROUNDS[5];

    fn join(&mut self, other: Self) {
        self.0.join(other.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Addr;

    fn host(n: u8) -> Host {
        Host(Addr::v4([10, 0, 0, n]))
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_parts(60 * minute, 0)
    }

    const SSH: Service = Service { protocol: 6, port: 22 };

    fn rank(class: Class, bits: f64) -> HostRank {
        HostRank { host: host(9), bits, class, with: (host(1), SSH) }
    }

    #[test]
    fn an_attack_is_left_out_and_what_may_be_none_is_not() {
        let is_left_out = |class, bits| {
            let mut left_out = LeftOut::default();
            left_out.add(at(600), &rank(class, bits));
            !left_out.is_empty()
        };
        assert!(is_left_out(Class::BruteForce, 14.0) && !is_left_out(Class::BruteForce, 13.9));
        let others = [Class::Exfiltration, Class::LateralMovement, Class::NewDevice, Class::Unusual];
        assert!(others.iter().all(|&class| !is_left_out(class, 40.0)));
    }

    #[test]
    fn it_is_left_out_from_an_hour_before_until_an_hour_behind_in_either_direction_and_at_no_other_time() {
        let mut left_out = LeftOut::default();
        left_out.add(at(600), &rank(Class::BruteForce, 20.0));
        left_out.add(at(605), &rank(Class::BruteForce, 20.0));
        left_out.add(at(900), &rank(Class::BruteForce, 20.0));
        assert_eq!(left_out.0.len(), 2, "what touches is one: {left_out:?}");
        let has = |minute, from: u8, to: u8, service| {
            let (_, mut seen) = crate::detect::testing::flow(0, from, to, 22, true);
            (seen.seen, seen.service) = (at(minute), service);
            left_out.has(&seen)
        };
        assert_eq!([539, 540, 665, 666, 839, 899].map(|minute| has(minute, 9, 1, SSH)), [false, true, true, false, false, true]);
        assert!(has(600, 1, 9, SSH) && !has(600, 9, 2, SSH) && !has(600, 9, 1, Service { port: 23, ..SSH }));
        let known: LeftOut = serde_json::from_str(&serde_json::to_string(&left_out).unwrap()).unwrap();
        let mut joined = LeftOut::default();
        joined.join(known);
        assert_eq!(joined.0, left_out.0, "as others are told");
        let mut of_another = LeftOut::default();
        of_another.add(at(700), &rank(Class::Tunnel, 20.0));
        of_another.add(at(600), &HostRank { host: host(8), ..rank(Class::Tunnel, 20.0) });
        joined.join(of_another);
        assert_eq!(joined.0.len(), 3, "one more of a device that another heard, one that goes on: {joined:?}");
        assert!(joined.has_told(at(760), &rank(Class::Tunnel, 20.0)) && !joined.has_told(at(761), &rank(Class::Tunnel, 20.0)));
    }

    #[test]
    fn it_is_bounded() {
        let mut left_out = LeftOut::default();
        for n in 0..MOST as u32 + 5 {
            let with = (Host(Addr::v4((n + (11 << 24)).to_be_bytes())), SSH);
            left_out.add(at(600), &HostRank { with, ..rank(Class::Scan, 20.0) });
        }
        assert_eq!(left_out.0.len(), MOST);
    }
}

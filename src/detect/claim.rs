//! What a reason claims, and how its bits come about by a model: the arithmetic that a person can do again.

use super::accounts;
use super::config::Without;
use super::crowd::rarity_of_repeats;
use super::evidence::{Contribution, Detail, Evidence, Of};
use super::incident::Cause;
use super::newcomer::rate_of_newcomers;
use super::newness::{Newness, Odds};
use super::range::{PRIOR_VALUES, Range, VOLUMES};
use super::row::row_bits;
use super::shape::MOST_LINGERING_BITS;
use super::silence::ALPHA;
use super::strongest::MOST_PAGES_BITS;
use super::surprise::MOST_BITS;
use crate::feature::{Fact, Host};
use crate::flow::Service;
use crate::model::{Baselines, Edge, HostBaseline, Kind, KnownTo, Shape, Unseen, Vocabulary, bits, tail_probability};

/// A reason in the terms of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// What was surprising.
    pub evidence: Evidence,
    /// The device that the incident is about.
    pub host: Host,
    /// The other end.
    pub peer: Host,
    /// The service.
    pub service: Service,
    /// The name, title or command that is new.
    pub fact: Option<Fact>,
    /// What else the bits were drawn from.
    pub detail: Detail,
    /// What was observed, in the evidence's own unit.
    pub observed: f64,
    /// With whose usual range it was compared.
    pub whose: Of,
    /// Those of the bits that are prior odds.
    pub prior_bits: f64,
    /// The bits told.
    pub bits: f64,
}

impl Claim {
    /// What a cause claims.
    #[must_use]
    pub fn of(cause: &Cause) -> Self {
        let Cause { part, host, peer, service, flow } = cause;
        let fact = match part.evidence {
            Evidence::NewFact(kind) => flow.fact(kind, part.about).map(|text| flow.fact_of(kind, text)),
            _ => None,
        };
        let (host, peer, service) = (*host, *peer, *service);
        let &Contribution { evidence, detail, observed, of: whose, prior_bits, bits, .. } = part;
        Self { evidence, host, peer, service, fact, detail, observed, whose, prior_bits, bits }
    }

    /// Does it claim that the model has never seen something?
    fn is_of_something_new(&self) -> bool {
        self.evidence.is_by_initiator() || matches!(self.evidence, Evidence::NewClient | Evidence::NewOffer | Evidence::NewShape)
    }

    /// May it count less than the model says, because many devices did the same within the day?
    #[must_use]
    pub fn may_be_shared(&self) -> bool {
        self.evidence.is_by_initiator()
    }
}

/// How bits come about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arithmetic {
    /// One step a line.
    pub steps: Vec<String>,
    /// What they give; none where the bits do not come from the model.
    pub bits: Option<f64>,
}

impl Arithmetic {
    /// The arithmetic of a claim by what a model holds.
    #[must_use]
    pub fn of(claim: &Claim, vocabulary: &Vocabulary, baselines: &Baselines) -> Self {
        let mut sum = Self::default();
        // Of a crowd, the device is the one that serves; else a client or an offer that is new is the peer's.
        let host = baselines.host(claim.host);
        let peer = baselines.host(claim.peer);
        let edge = Edge { service: claim.service, peer: claim.peer };
        let without = Without::default();
        let by_host = Newness { host, baselines, without };
        let by_peer = Newness { host: peer, baselines, without };
        let odds = match (claim.evidence, claim.detail) {
            (Evidence::NewService, _) => by_host.odds(Kind::Service, |host| &host.services, claim.service),
            (Evidence::NewPeer, _) => by_host.odds(Kind::Edge, |host| &host.edges, edge),
            (Evidence::NewFact(kind), _) => claim.fact.and_then(|fact| by_host.odds(Kind::Fact(kind), |host| &host.facts, fact)),
            (Evidence::NewClient, _) => {
                by_peer.odds(Kind::Client, HostBaseline::clients, Edge { service: claim.service, peer: claim.host })
            }
            (Evidence::NewOffer, _) => by_peer.odds(Kind::Offer, HostBaseline::offers, claim.service),
            (Evidence::NewShape, Detail::Behaviour(behaviour)) => {
                by_host.odds(Kind::Shape, |host| &host.shapes, Shape { service: claim.service, behaviour })
            }
            _ => None,
        };
        match odds {
            Some(odds) => sum.of_new(&odds, matches!(claim.evidence, Evidence::NewFact(_) | Evidence::NewShape)),
            None if claim.is_of_something_new() => sum.known(),
            None => sum.of_other(claim, host, vocabulary, baselines),
        }
        if let Some(bits) = &mut sum.bits
            && claim.prior_bits > 0.0
        {
            *bits = (*bits + claim.prior_bits).min(MOST_BITS);
            let odds = claim.prior_bits.exp2();
            let hour = match claim.detail {
                Detail::OddHour(_) => " and the hour",
                Detail::CallBack => " and who called before",
                Detail::Amplified => " and how much it answers",
                Detail::Flooding => " and how much it sends",
                Detail::NameOfAnother => " and whose name it is",
                Detail::CallsOut => " and who calls out",
                Detail::Reaches(_) => " and how many it reaches",
                Detail::Hides => " and what is behind it",
                Detail::GoesOn => " and what goes on beside it",
                _ => "",
            };
            sum.steps.push(format!("prior odds of {odds:.0} to 1 for what it touches{hour}: {:.1} bits more", claim.prior_bits));
        }
        sum
    }

    fn known(&mut self) {
        self.say("the model has seen it: it is not new".to_owned());
        self.bits = Some(0.0);
    }

    fn say(&mut self, step: String) {
        self.steps.push(step);
    }

    fn of_new(&mut self, odds: &Odds, of_fewer: bool) {
        let known = match odds.known {
            KnownTo::Role => "another device of its role",
            KnownTo::Network => "only devices of other roles",
            KnownTo::Nobody => "no other device",
        };
        match &odds.unseen {
            Some(unseen) => self.say(rate_of_new(unseen)),
            None => {
                self.say(format!(
                    "a share of {:.4} of the devices has this; of the device itself nothing is known",
                    odds.devices
                ));
                self.say(format!("how often devices of this network meet anything new: {:.6}", odds.like));
            }
        }
        let fewer = if of_fewer { ", or to fewer" } else { "" };
        self.say(format!("{:.4} of what is new here is known to {known}{fewer}, as this is", odds.share));
        let p = odds.p();
        match odds.unseen {
            Some(unseen) => self.say(format!("p = {:.6} x {:.4} = {}", unseen.p(), odds.share, small(p))),
            None => {
                self.say(format!("p = the larger of {:.4} and {:.6} x {:.4} = {}", odds.devices, odds.like, odds.share, small(p)))
            }
        }
        self.surprise(p, MOST_BITS);
    }

    fn of_other(&mut self, claim: &Claim, host: Option<&HostBaseline>, vocabulary: &Vocabulary, baselines: &Baselines) {
        match (claim.evidence, claim.detail) {
            (Evidence::NewDevice, _) => {
                let (per_minute, p) = rate_of_newcomers(baselines);
                self.say(format!(
                    "new devices while learning: {:.5} a minute, so p = 1 - e^(-5 x that) = {}",
                    per_minute,
                    small(p)
                ));
                self.surprise(p, MOST_BITS);
            }
            (Evidence::OddFlows, _) => {
                self.say(format!("{:.0} in a row; each doubling counts the same, up to a bound", claim.observed));
                self.bits = Some(row_bits(claim.observed));
            }
            (Evidence::OddShape(_), Detail::Distance(ratio)) => {
                let p = vocabulary.tail(ratio);
                self.say(format!("the flow lies {ratio:.3} radii from its behaviour; p = {} of flows lie as far", small(p)));
                self.surprise(p, MOST_BITS);
            }
            (Evidence::Volume(feature), detail) => {
                self.of_volume(claim, usize::from(feature), detail == Detail::Later, host, baselines)
            }
            (Evidence::Silence, _) => {
                let edge = Edge { service: claim.service, peer: claim.peer };
                let Some(steady) = host.and_then(|host| host.steady(edge)) else { return };
                let (minutes, longest) = (f64::from(steady.minutes()), f64::from(steady.longest_gap().max(1)));
                self.say(format!("heard in {minutes:.0} minutes, never silent for more than {longest:.0}"));
                self.surprise(tail_probability(claim.observed, 0.0, minutes, longest, ALPHA), MOST_BITS);
            }
            (Evidence::AccountsRefused, _) => {
                let usual = accounts::usual(host);
                let per_account = accounts::BITS_PER_ACCOUNT;
                self.say(format!("{per_account} bits for each account beyond {usual:.1}, the most attempts that failed in an hour of learning where log-ins did, or one"));
                self.bits = Some(accounts::bits(claim.observed, usual));
            }
            (Evidence::Repeats, _) => {
                let rarity = |host| rarity_of_repeats(claim.observed as u32, host, claim.service, baselines);
                let Some((usual, p)) = host.and_then(rarity) else { return };
                self.say(format!(
                    "no more than {usual:.1} an hour in the mean of {:.1} hours of learning",
                    baselines.span_minutes / 60.0
                ));
                self.surprise(p, MOST_BITS);
            }
            (evidence, _) => {
                let roles = || Range::roles_that_use(claim.service, baselines);
                let range = Range::of_count(evidence, host, claim.service, (baselines, roles));
                // A known device that has just been switched on is compared with the busiest, too.
                let range = match range {
                    Some(range) if claim.whose == Of::Busiest && range.whose() != Of::Busiest => {
                        Range::of_busiest(evidence, host, baselines)
                    }
                    range => range,
                };
                let most = if claim.detail == Detail::Pages { MOST_PAGES_BITS } else { MOST_BITS };
                if let Some(range) = range {
                    self.of_range(&range, claim.observed, most);
                }
            }
        }
    }

    fn of_volume(&mut self, claim: &Claim, feature: usize, later: bool, host: Option<&HostBaseline>, baselines: &Baselines) {
        let edge = Edge { service: claim.service, peer: claim.peer };
        let is_known = host.is_some_and(|host| host.edges.contains(edge));
        let is_duration = feature == VOLUMES[0];
        let value = claim.observed * if is_duration { 1e3 } else { 1.0 };
        let own = Range::own_use(host, claim.service, later);
        let range = Range::of_volume(
            (feature, value),
            later,
            (host, claim.service, own),
            (baselines, Range::roles_by_volume(host, edge, baselines)),
        );
        if range.has_own() && own.is_none() {
            self.say(
                "it never held a connection of this service for long: a part of one is compared with its whole flows".to_owned(),
            );
        }
        let most = if is_duration && is_known { MOST_LINGERING_BITS } else { MOST_BITS };
        self.of_range(&range, value, most);
    }

    fn of_range(&mut self, range: &Range<'_>, value: f64, most: f64) {
        if range.whose() == Of::Busiest {
            self.say(
                "little is known of the device, it had just been switched on, or it reads pages: a value is the most of each device, in its busiest minute or hour".to_owned(),
            );
        }
        let (own, role, network) = range.steps(value);
        self.say(format!("network: {} of {:.0} values are as large", small(network.tail), network.values));
        let drawn = |whose: &str, tail: f64, values: f64, towards: f64, p: f64| {
            format!(
                "{whose}: {} of {values:.0}; with {PRIOR_VALUES:.0} values' weight of the line before: ({values:.0} x {} + {PRIOR_VALUES:.0} x {}) / {:.0} = {}",
                small(tail),
                small(tail),
                small(towards),
                values + PRIOR_VALUES,
                small(p)
            )
        };
        self.say(drawn("its role", role.tail, role.values, network.p, role.p));
        if let Some(own) = own {
            self.say(drawn("the device", own.tail, own.values, role.p, own.p));
        }
        self.surprise(own.unwrap_or(role).p, most);
    }

    fn surprise(&mut self, p: f64, most: f64) {
        let found = bits(p);
        let capped = if found > most { format!(", of which {most:.0} count") } else { String::new() };
        self.say(format!("-log2 {} = {found:.1} bits{capped}", small(p)));
        self.bits = Some(found.min(most));
    }
}

fn rate_of_new(unseen: &Unseen) -> String {
    let (p, life) = (unseen.p(), &unseen.life);
    if p <= unseen.in_life() {
        return format!(
            "how often it meets anything new of this kind: ({:.0} seen in one minute only + 0.5 + {:.5} x {:.0}) / ({:.0} minutes + {:.0} + 1) = {p:.6}",
            unseen.once,
            unseen.prior,
            unseen.weight,
            unseen.total.max(life.minutes),
            unseen.weight
        );
    }
    if p <= unseen.in_use() {
        return format!(
            "its use brings another value often: ({:.0} seen in one minute only - 1) / ({:.0} minutes + 1) = {p:.6}",
            unseen.once, unseen.total
        );
    }
    format!(
        "new values came late in its life: ({:.0} - 0.5) / ({:.0} later minutes + 1) = {p:.6}",
        unseen.late, life.late_minutes
    )
}

fn small(p: f64) -> String {
    if p >= 0.001 { format!("{p:.4}") } else { format!("{p:.2e}") }
}

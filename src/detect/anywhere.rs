//! What is an attack on any network.
//!
//! A capture that teaches itself may hold nothing but an attack. That is then all that it knows, and nothing stands out. A few things
//! can be told without knowing the network, as signatures do: what ordinary devices do not do so often within a minute. They count only
//! where a capture judges itself, and once for each device; a model knows better, for example that a scanner is allowed.

use serde::{Deserialize, Serialize};

use super::class::{Class, DNS_ODD_TYPES, DNS_QUERIES, is_login, is_tunnel};
use super::evidence::{Contribution, Evidence, Of, strongest};
use crate::app::{App, REPLICATES};
use crate::feature::{Fact, FactKind, Observation};
use crate::model::{Kind, Minute, value_key};

/// Targets tried within a minute, most of them in vain.
const TARGETS: f64 = 60.0;
/// Log-ins that failed within a minute.
const LOGIN_FAILURES: f64 = 20.0;
/// Conversations for remote control with one device within a minute; as many wrong passwords as Zeek's policy for SSH takes for guessing.
const REMOTE_CONTROL: f64 = 30.0;
/// Conversations for log-in, administration or remote calls with one service of one device within a minute.
const ACCESS: f64 = 300.0;
/// Questions for long names and records that clients do not ask for, to one resolver within a minute.
const TUNNEL_QUERIES: f64 = 60.0;
/// Failed flows to one service within a minute.
const SERVED: f64 = 3000.0;
/// Bits at the limit: more than any other part of a score.
pub(super) const LIMIT_BITS: f64 = 32.0;
/// Bits that doubling it brings.
const BITS_PER_DOUBLING: f64 = 2.0;
/// Bits at the most.
const MOST_BITS: f64 = 40.0;

/// An attack on any network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attack {
    /// What kind.
    pub class: Class,
    /// What shows it.
    pub part: Contribution,
}

/// What a flow and the minute around it show that is an attack on any network. Servers of a directory replicate it among each other.
pub(super) fn anywhere(seen: &Observation, minute: &Minute, serves_directory: impl Fn() -> bool) -> Option<Attack> {
    let initiated = minute.initiated.get(&seen.orig).copied().unwrap_or_default();
    let flows = minute.conversations.get(&(seen.orig, seen.resp, seen.service)).map_or(0.0, |&flows| f64::from(flows));
    let mut found = None;
    let mut note = |evidence, observed: f64, limit: f64| found = strongest(found, beyond(evidence, observed, limit));
    if seen.failed && 2 * initiated.failed >= initiated.targets {
        note(Evidence::TargetRate, f64::from(initiated.targets), TARGETS);
    }
    if seen.failed {
        let served = minute.served.get(&(seen.resp, seen.service)).map_or(0, |served| served.flows);
        note(Evidence::ServedRate, f64::from(served), SERVED);
    }
    if seen.events.login_failures > 0 {
        note(Evidence::LoginFailures, f64::from(initiated.login_failures), LOGIN_FAILURES);
    }
    // Each begins with a log-in.
    if matches!(seen.app, App::Ssh | App::Telnet | App::Rdp | App::Rfb | App::Ftp) {
        note(Evidence::FlowRate, flows, REMOTE_CONTROL);
    }
    if is_login(seen) || seen.app == App::DceRpc {
        note(Evidence::FlowRate, flows, ACCESS);
    }
    if is_tunnel(seen, Some(minute)) && seen.vector[DNS_ODD_TYPES] > 0.5 {
        let minutes = (seen.end.since(seen.start).as_seconds() / 60.0).max(1.0);
        note(Evidence::FlowRate, flows, TUNNEL_QUERIES);
        note(Evidence::Volume(DNS_QUERIES as u8), f64::from(seen.vector[DNS_QUERIES]) / minutes, TUNNEL_QUERIES);
    }
    for fact in seen.facts.iter().filter(|fact| fact.kind == FactKind::RemoteControl) {
        if *fact != Fact::new(FactKind::RemoteControl, REPLICATES) || !serves_directory() {
            found = control(found, fact);
        }
    }
    found.map(|part| Attack { class: class(seen, part.evidence, minute), part })
}

fn control(found: Option<Contribution>, &fact: &Fact) -> Option<Contribution> {
    let about = value_key(Kind::Fact(fact.kind), fact);
    strongest(found, beyond(Evidence::RemoteControl, 1.0, 1.0).map(|part| Contribution { usual: (0.0, 0.0), about, ..part }))
}

fn beyond(evidence: Evidence, observed: f64, limit: f64) -> Option<Contribution> {
    let bits = (LIMIT_BITS + BITS_PER_DOUBLING * (observed / limit).log2()).min(MOST_BITS);
    let part = Contribution { usual: (0.0, limit), of: Of::AnyNetwork, ..Contribution::of(evidence, observed, bits) };
    (observed >= limit).then_some(part)
}

fn class(seen: &Observation, evidence: Evidence, minute: &Minute) -> Class {
    let targets = minute.initiated.get(&seen.orig).map_or(0, |initiated| initiated.targets);
    let peers = minute.peers_by_service.get(&(seen.orig, seen.service)).copied().unwrap_or(0);
    match evidence {
        // Most of the targets are one service of different devices.
        Evidence::TargetRate if 2 * peers >= targets => Class::Sweep,
        Evidence::TargetRate => Class::Scan,
        Evidence::ServedRate => Class::Flood,
        Evidence::RemoteControl => Class::LateralMovement,
        _ if seen.app == App::Dns => Class::Tunnel,
        _ => Class::BruteForce,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::flow;
    use super::*;

    /// The last of so many flows from device 1 within a minute, each to the next peer and port, and the minute.
    fn minute(flows: u16, answered: bool, target: impl Fn(u16) -> (u8, u16)) -> Option<Attack> {
        let mut minute = Minute::default();
        let mut last = None;
        for n in 0..flows {
            let (peer, port) = target(n);
            let (_, seen) = flow(i64::from(n) * 10, 1, peer, port, answered);
            minute.count(&seen);
            last = Some(seen);
        }
        anywhere(&last.unwrap(), &minute, || false)
    }

    #[test]
    fn a_call_that_takes_control_is_an_attack_unless_a_directory_replicates() {
        let class = |call: &str, serves_directory| {
            let (_, mut seen) = flow(0, 1, 9, 445, true);
            seen.facts = vec![Fact::new(FactKind::RemoteControl, call)];
            anywhere(&seen, &Minute::default(), || serves_directory).map(|attack| attack.class)
        };
        let movement = Some(Class::LateralMovement);
        assert_eq!((class(REPLICATES, false), class(REPLICATES, true)), (movement, None));
        assert_eq!(class("svcctl.CreateServiceW", true), movement, "no part of replication");
    }

    #[test]
    fn a_scan_and_a_sweep_are_attacks_and_many_that_answer_are_not() {
        let scan = |flows, answered| minute(flows, answered, |n| (9, 1000 + n));
        let attack = scan(240, false).unwrap();
        assert_eq!((attack.class, attack.part.bits, attack.part.of), (Class::Scan, LIMIT_BITS + 4.0, Of::AnyNetwork));
        assert_eq!((scan(59, false), scan(240, true)), (None, None));
        assert_eq!(minute(100, false, |n| (2 + n as u8, 445)).unwrap().class, Class::Sweep);
    }

    #[test]
    fn logging_in_without_end_is_an_attack_and_to_a_page_it_is_not() {
        let port = |port| minute(300, true, move |_| (9, port)).map(|attack| attack.class);
        assert_eq!((port(445), port(443)), (Some(Class::BruteForce), None));
        assert_eq!(minute(299, true, |_| (9, 445)), None);
    }
}

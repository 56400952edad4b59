//! What is an attack on any network.
//!
//! A capture that teaches itself may hold nothing but an attack. That is then all that it knows, and nothing stands out. A few things
//! can be told without knowing the network, as signatures do: what ordinary devices do not do so often within a minute. They count only
//! where a capture judges itself, and once for each device; a model knows better, for example that a scanner is allowed.

use serde::{Deserialize, Serialize};

use super::class::Class;
use super::classify::is_login;
use super::evidence::{Contribution, Evidence, Of, keep};
use crate::app::{App, REPLICATES};
use crate::feature::{Fact, FactKind, Observation};
use crate::model::{Hour, Kind, Minute, value_key};

/// Targets tried within a minute, most of them in vain.
const TARGETS: f64 = 60.0;
/// Log-ins that failed within a minute.
const LOGIN_FAILURES: f64 = 20.0;
/// Accounts that log-ins failed for within an hour.
const ACCOUNTS: f64 = 6.0;
/// Conversations for remote control with one device within a minute; as many wrong passwords as Zeek's policy for SSH takes for guessing.
const REMOTE_CONTROL: f64 = 30.0;
/// Conversations for log-in, administration or remote calls with one service of one device within a minute.
const ACCESS: f64 = 300.0;
/// Different devices pinged within a minute, a third of them in vain: who sweeps a link finds most of those that it knows of already.
const PINGED: f64 = 12.0;
/// Bytes of names of 25 bytes and more that were asked for in one domain within a minute, with records that clients do not ask for: some fourteen
/// of the names under which keys for mail are found.
const ODD_NAME_BYTES: f64 = 400.0;
/// Bytes of names of 50 bytes and more that were asked for in one domain within a minute, with any record.
const NAME_BYTES: f64 = 4000.0;
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
pub(super) fn anywhere(
    seen: &Observation,
    (minute, hour): (&Minute, &Hour),
    serves_directory: impl Fn() -> bool,
) -> Option<Attack> {
    let initiated = minute.initiated.get(&seen.orig).copied().unwrap_or_default();
    let flows = minute.conversations.get(&(seen.orig, seen.resp, seen.service)).map_or(0.0, |&flows| f64::from(flows));
    let mut found = None;
    let mut note = |evidence, observed: f64, limit: f64| keep(&mut found, beyond(evidence, observed, limit));
    if seen.failed && 2 * initiated.failed >= initiated.targets {
        note(Evidence::TargetRate, f64::from(initiated.targets), TARGETS);
    }
    let pinged = peers(seen, minute);
    if seen.service.is_ping() && !seen.answered() && 3 * initiated.unanswered_pings >= pinged {
        note(Evidence::TargetRate, f64::from(pinged), PINGED);
    }
    if seen.failed {
        let served = minute.served.get(&(seen.resp, seen.service)).map_or(0, |served| served.flows);
        note(Evidence::ServedRate, f64::from(served), SERVED);
    }
    // Who asks a server of RADIUS asks for all that log in to it.
    if seen.events.login_failures > 0 && seen.app != App::Radius {
        note(Evidence::LoginFailures, f64::from(initiated.login_failures), LOGIN_FAILURES);
    }
    if seen.events.accounts.refused > 0 && seen.orig_local {
        note(Evidence::AccountsRefused, hour.of(seen.orig).kept_out().round(), ACCOUNTS);
    }
    // Each begins with a log-in.
    if matches!(seen.app, App::Ssh | App::Telnet | App::Rdp | App::Rfb | App::Ftp) {
        note(Evidence::FlowRate, flows, REMOTE_CONTROL);
    }
    if is_login(seen) || seen.app == App::DceRpc {
        note(Evidence::FlowRate, flows, ACCESS);
    }
    if let Some(carried) = seen.names_asked().and_then(|asked| minute.carried.get(&(seen.orig, asked.domain))) {
        note(Evidence::NameBytes, carried.odd_bytes, ODD_NAME_BYTES);
        note(Evidence::NameBytes, carried.bytes, NAME_BYTES);
    }
    for fact in seen.facts.iter().filter(|fact| fact.kind == FactKind::RemoteControl) {
        if *fact != Fact::new(FactKind::RemoteControl, REPLICATES) || !serves_directory() {
            keep(&mut found, control(fact));
        }
    }
    found.map(|part| Attack { class: class(seen, part.evidence, minute), part })
}

fn control(&fact: &Fact) -> Option<Contribution> {
    let about = value_key(Kind::Fact(fact.kind), fact);
    beyond(Evidence::RemoteControl, 1.0, 1.0).map(|part| Contribution { usual: (0.0, 0.0), about, ..part })
}

pub(super) fn beyond(evidence: Evidence, observed: f64, limit: f64) -> Option<Contribution> {
    let bits = (LIMIT_BITS + BITS_PER_DOUBLING * (observed / limit).log2()).min(MOST_BITS);
    let part = Contribution { usual: (0.0, limit), of: Of::AnyNetwork, ..Contribution::of(evidence, observed, bits) };
    (observed >= limit).then_some(part)
}

/// Different devices to which the initiator turned for this service.
fn peers(seen: &Observation, minute: &Minute) -> u32 {
    minute.peers_by_service.get(&(seen.orig, seen.service)).copied().unwrap_or(0)
}

fn class(seen: &Observation, evidence: Evidence, minute: &Minute) -> Class {
    let initiated = minute.initiated.get(&seen.orig).copied().unwrap_or_default();
    match evidence {
        // Most of the targets are different devices.
        Evidence::TargetRate if 2 * initiated.peers >= initiated.targets => Class::Sweep,
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
    use crate::feature::{DNS_NAME_BYTES, DNS_ODD_TYPES, DNS_QUERIES};
    use crate::flow::Service;

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
        anywhere(&last.unwrap(), (&minute, &Hour::default()), || false)
    }

    #[test]
    fn a_call_that_takes_control_is_an_attack_unless_a_directory_replicates() {
        let class = |call: &str, serves_directory| {
            let (_, mut seen) = flow(0, 1, 9, 445, true);
            seen.facts = vec![Fact::new(FactKind::RemoteControl, call)];
            anywhere(&seen, (&Minute::default(), &Hour::default()), || serves_directory).map(|attack| attack.class)
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
        let ports_of_many = |ports| minute(200, false, |n| (2 + (n / ports) as u8, 23 + n % ports)).unwrap().class;
        assert_eq!((ports_of_many(2), ports_of_many(3)), (Class::Sweep, Class::Scan));
    }

    #[test]
    fn many_accounts_that_are_refused_are_guessed_by_devices_at_home() {
        let told = |accounts: u32, orig_local: bool| {
            let mut hour = Hour::default();
            let mut last = None;
            for account in 0..accounts {
                let (_, mut seen) = flow(i64::from(account) * 60_000, 1, 2, 88, true);
                seen.orig_local = orig_local;
                seen.events.accounts.refused = 1 << account;
                hour.add(&seen);
                last = Some(seen);
            }
            anywhere(&last.unwrap(), (&Minute::default(), &hour), || false).map(|attack| (attack.class, attack.part.evidence))
        };
        assert_eq!(told(8, true), Some((Class::BruteForce, Evidence::AccountsRefused)));
        assert_eq!((told(4, true), told(8, false)), (None, None));
    }

    #[test]
    fn a_few_devices_pinged_in_vain_are_swept() {
        let sent = |port, devices, answered| {
            let mut minute = Minute::default();
            let mut last = None;
            for n in 0..devices {
                let (_, mut seen) = flow(i64::from(n) * 10, 1, 2 + n, 0, answered);
                seen.service = Service { protocol: 1, port };
                minute.count(&seen);
                last = Some(seen);
            }
            anywhere(&last.unwrap(), (&minute, &Hour::default()), || false).map(|attack| attack.class)
        };
        assert_eq!((sent(8, 12, false), sent(8, 11, false), sent(8, 12, true)), (Some(Class::Sweep), None, None));
        assert_eq!(sent(3, 50, false), None, "errors answer others");
    }

    #[test]
    fn names_of_one_domain_that_carry_data_are_a_tunnel_and_other_look_ups_around_are_none() {
        let asked = |names: &[(&str, f32, f32)]| {
            let mut minute = Minute::default();
            let mut last = None;
            for (n, &(domain, name_bytes, odd)) in names.iter().enumerate() {
                let (_, mut seen) = flow(n as i64 * 10, 1, 2, 53, true);
                seen.app = App::Dns;
                seen.facts = vec![Fact::new(FactKind::Domain, domain)];
                (seen.vector[DNS_QUERIES], seen.vector[DNS_NAME_BYTES], seen.vector[DNS_ODD_TYPES]) = (1.0, name_bytes, odd);
                minute.count(&seen);
                last = Some(seen);
            }
            anywhere(&last.unwrap(), (&minute, &Hour::default()), || false)
        };
        let found = asked(&[("evil.example", 100.0, 1.0); 4]).unwrap();
        assert_eq!((found.class, found.part.evidence, found.part.observed), (Class::Tunnel, Evidence::NameBytes, 400.0));
        assert_eq!(asked(&[("evil.example", 100.0, 1.0); 3]), None);
        assert_eq!(asked(&[("example.org", 20.0, 1.0); 200]), None, "a server for mail looks up who may send");
        let several = ["a.example", "b.example", "c.example"].map(|domain| [(domain, 60.0, 1.0); 5]).concat();
        assert_eq!(asked(&several), None, "keys of several domains");
        assert_eq!(asked(&[("cdn.example", 60.0, 0.0); 60]), None);
        assert_eq!(asked(&[("evil.example", 93.0, 0.0); 44]).map(|attack| attack.class), Some(Class::Tunnel));
    }

    #[test]
    fn logging_in_without_end_is_an_attack_and_to_a_page_it_is_not() {
        let port = |port| minute(300, true, move |_| (9, port)).map(|attack| attack.class);
        assert_eq!((port(445), port(443)), (Some(Class::BruteForce), None));
        assert_eq!(minute(299, true, |_| (9, 445)), None);
    }
}

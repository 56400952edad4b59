//! What belongs to a log-on to a domain (Active Directory): its controllers are asked by all of its computers, when they start if not before.

use super::surprise::used_by_its_kind;
use crate::app::App;
use crate::feature::{BYTES_ORIG, Fact, FactKind, Observation};
use crate::flow::Service;
use crate::model::{Baselines, Edge, HostBaseline, Kind};

/// Kerberos: what makes a server the controller of a domain. Log-in and shares alone are common to computers that are none of each other.
pub(super) const KERBEROS: Service = Service { protocol: 6, port: KERBEROS_PORT };
pub(super) const KERBEROS_PORT: u16 = 88;
pub(super) const LDAP_PORT: u16 = 389;
pub(super) const SMB_PORT: u16 = 445;
pub(super) const ENDPOINT_MAPPER: u16 = 135;
/// By datagram it is asked only where a controller is (MS-ADTS, 6.3.3).
const FINDS_CONTROLLER: Service = Service { protocol: 17, port: LDAP_PORT };
/// Interfaces by which a computer logs on to its domain: it asks where they are, logs on, and asks for names.
const LOG_ON: [&str; 3] = ["epmapper", "netlogon", "lsarpc"];
/// A log-on takes no more; guessing at it does.
const MOST_BYTES: f32 = 20_000.0;
/// Devices that do what belongs to a start before one more is expected to.
pub(super) const SEVERAL: u32 = 3;

/// Does it ask a directory that several devices ask (Kerberos, LDAP)? That is part of every log-in, and none at the directory itself.
pub(super) fn asks_directory(seen: &Observation, baselines: &Baselines) -> bool {
    let edge = Edge { service: seen.service, peer: seen.resp };
    matches!(seen.service.port, KERBEROS_PORT | LDAP_PORT) && !baselines.commons.roles_of_several(Kind::Edge, edge).is_empty()
}

/// Does a device open the shares of a directory, or ask what it offers, as several of its kind do? That is part of a log-in, too, but for calls
/// that take control; how it goes on there may not be.
pub(super) fn opens_directory(seen: &Observation, orig: Option<&HostBaseline>, baselines: &Baselines) -> bool {
    let edge = Edge { service: seen.service, peer: seen.resp };
    matches!(seen.service.port, SMB_PORT | ENDPOINT_MAPPER)
        && !seen.facts.iter().any(|fact| fact.kind == FactKind::RemoteControl)
        && orig.is_some_and(|host| used_by_its_kind(host, edge, baselines))
        && baselines.host(seen.resp).is_some_and(is_controller)
}

/// Does a device that is known to ask for tickets of a domain do no more with a controller than log on, as others did while they were learned? A server that was not
/// restarted then never did.
pub(super) fn logs_on(
    seen: &Observation,
    (orig, resp): (Option<&HostBaseline>, Option<&HostBaseline>),
    baselines: &Baselines,
) -> bool {
    let is_member = || orig.is_some_and(|host| host.services.contains(KERBEROS));
    let is_log_on = || {
        let calls = |kind| seen.facts.iter().filter(move |fact| fact.kind == kind);
        let is_usual = |fact: &Fact| {
            LOG_ON.iter().any(|name| *fact == Fact::new(FactKind::RemoteInterface, name))
                && baselines.commons.devices_with(Kind::Fact(FactKind::RemoteInterface), *fact) >= SEVERAL
        };
        match seen.app {
            App::Ldap => {
                let edge = Edge { service: seen.service, peer: seen.resp };
                seen.service == FINDS_CONTROLLER && baselines.commons.devices_with(Kind::Edge, edge) >= SEVERAL
            }
            App::DceRpc => {
                calls(FactKind::RemoteControl).next().is_none()
                    && calls(FactKind::RemoteInterface).next().is_some()
                    && calls(FactKind::RemoteInterface).all(is_usual)
            }
            _ => false,
        }
    };
    seen.orig_local
        && seen.answered()
        && seen.vector[BYTES_ORIG] <= MOST_BYTES
        && resp.is_some_and(is_controller)
        && is_member()
        && is_log_on()
}

/// Is a device the controller of a domain?
pub(super) fn is_controller(host: &HostBaseline) -> bool {
    host.local && host.offers().contains(KERBEROS)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LATER_MS, flow, host, taught_by};
    use super::*;

    #[test]
    fn a_directory_is_whom_several_ask() {
        let minutes = (0..120).flat_map(|minute| (1..=4).map(move |n| (minute * 60_000 + i64::from(n) * 3001, n)));
        let mut learned: Vec<_> = minutes.map(|(at_ms, n)| flow(at_ms, n, 100, KERBEROS_PORT, true).1).collect();
        learned.extend((0..120).map(|minute| flow(minute * 60_000, 1, 101, KERBEROS_PORT, true).1));
        let taught = taught_by(learned, 0.5 / 120.0);
        let asks = |to: u8, port: u16| {
            let (_, seen) = flow(LATER_MS, 9, to, port, true);
            asks_directory(&seen, taught.baselines(seen.seen))
        };
        assert_eq!([asks(100, KERBEROS_PORT), asks(101, KERBEROS_PORT), asks(100, 445)], [true, false, false]);
    }

    #[test]
    fn the_shares_of_a_directory_are_opened_by_whose_kind_opens_them() {
        // Four computers log in at device 100, two of them open its shares; they open those of device 101, too, which is no directory.
        let minutes = (0..120).flat_map(|minute| (1..=4).map(move |n| (minute * 60_000 + i64::from(n) * 3001, n)));
        let learned = minutes.flat_map(|(at_ms, n)| {
            let shares = [100, 101].map(|to| flow(at_ms + 40, n, to, SMB_PORT, true).1);
            std::iter::once(flow(at_ms, n, 100, KERBEROS_PORT, true).1).chain(shares.into_iter().filter(move |_| n < 3))
        });
        let taught = taught_by(learned.collect(), 0.5 / 120.0);
        let opens = |from: u8, to: u8, port: u16| {
            let (_, seen) = flow(LATER_MS, from, to, port, true);
            let baselines = taught.baselines(seen.seen);
            opens_directory(&seen, baselines.host(seen.orig), baselines)
        };
        assert_eq!(
            [opens(1, 100, SMB_PORT), opens(1, 101, SMB_PORT), opens(1, 100, 22), opens(9, 100, SMB_PORT)],
            [true, false, false, false]
        );
    }

    #[test]
    fn one_more_logs_on_to_a_domain_as_others_do() {
        // Four computers ask device 100 for tickets, three of them log on.
        let calls = |at_ms, from: u8, port: u16, interface: &str| {
            let (_, mut seen) = flow(at_ms, from, 100, port, true);
            seen.app = App::DceRpc;
            seen.facts = vec![Fact::new(FactKind::RemoteInterface, interface)];
            seen
        };
        let minutes = (0..120).flat_map(|minute| (1..=4).map(move |n| (minute * 60_000 + i64::from(n) * 3001, n)));
        let learned = minutes.flat_map(|(at_ms, n)| {
            let calls = (n < 4).then(|| calls(at_ms + 7, n, 49_672, "netlogon"));
            std::iter::once(flow(at_ms, n, 100, KERBEROS_PORT, true).1).chain(calls)
        });
        let taught = taught_by(learned.collect(), 0.5 / 120.0);
        let logs_on = |seen: &Observation| {
            let baselines = taught.baselines(seen.seen);
            logs_on(seen, (baselines.host(seen.orig), baselines.host(seen.resp)), baselines)
        };
        let of = |interface| calls(LATER_MS, 4, 49_999, interface);
        assert_eq!(
            [logs_on(&of("netlogon")), logs_on(&of("samr")), logs_on(&of("lsarpc"))],
            [true, false, false],
            "nobody asks so"
        );
        let mut takes_control = of("netlogon");
        takes_control.facts.push(Fact::new(FactKind::RemoteControl, "drsuapi.GetNCChanges"));
        assert!(!logs_on(&takes_control) && !logs_on(&Observation { resp: host(3), ..of("netlogon") }), "at no controller");
        let mut guesses = of("netlogon");
        guesses.vector[BYTES_ORIG] = 5e5;
        assert!(!logs_on(&guesses) && !logs_on(&calls(LATER_MS, 9, 49_999, "netlogon")), "by whom nobody knows");
    }
}

//! What remote calls weigh more than their rarity says: those that administer another device, and those that take control of it or of a domain.

use super::domain::is_controller;
use super::prior::{BITS, TOOL_BITS, tool_bits};
use crate::app::REPLICATES;
use crate::feature::{Fact, FactKind, Observation};
use crate::model::{Baselines, HostBaseline, Kind, KnownTo, Roles};

/// Interfaces, and shares, by which devices are administered from afar: services, tasks, accounts, registry, logs, the directory, files of the system. What
/// ordinary computers ask for all day (shares, names, printing, log-in) is not among them.
const ADMINISTRATION: [&str; 23] = [
    "svcctl",
    "atsvc",
    "ITaskSchedulerService",
    "sasec",
    "samr",
    "winreg",
    "eventlog",
    "IEventService",
    "initshutdown",
    "drsuapi",
    "DnsServer",
    "BackupKey",
    "efsrpc",
    "FileServerVssAgent",
    "IRemoteSCMActivator",
    "IActivation",
    "IWbemServices",
    "IWbemLevel1Login",
    "psexesvc",
    "paexec",
    "remcom_communication",
    "ADMIN$",
    "C$",
];
/// Bits of remote calls that take control, by a device that never made such.
pub(super) fn call_bits(seen: &Observation, orig: Option<&HostBaseline>, (baselines, roles): (&Baselines, Roles)) -> f64 {
    let is_new = |fact: &Fact| !orig.is_some_and(|host| host.facts.contains(*fact));
    let calls = seen.facts.iter().filter(|fact| fact.kind == FactKind::RemoteControl && is_new(fact));
    let of_call = |&call: &Fact| {
        let known = baselines.commons.known_to(Kind::Fact(call.kind), call, roles);
        let is = |name: &str| call == Fact::new(FactKind::RemoteControl, name);
        // By these everything in the domain is reached at once; controllers ask each other, and nobody else is like them in that.
        match known {
            _ if is(REPLICATES) && !orig.is_some_and(is_controller) => TOOL_BITS,
            known => tool_bits(known),
        }
    };
    calls.map(of_call).fold(0.0, f64::max)
}

/// Bits of remote calls that administer, by a device that never made such and of whose kind none does.
pub(super) fn interface_bits(seen: &Observation, orig: Option<&HostBaseline>, (baselines, roles): (&Baselines, Roles)) -> f64 {
    let is_new = |fact: &Fact| !orig.is_some_and(|host| host.facts.contains(*fact));
    let administers = |fact: &Fact| ADMINISTRATION.iter().any(|name| *fact == Fact::new(FactKind::RemoteInterface, name));
    let of_others = |fact: &Fact| baselines.commons.known_to(Kind::Fact(fact.kind), *fact, roles) != KnownTo::Role;
    let counts = seen.facts.iter().any(|fact| is_new(fact) && administers(fact) && of_others(fact));
    if counts { BITS } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{LATER_MS, flow, taught_by};
    use super::*;

    #[test]
    fn a_directory_is_replicated_by_its_controllers_alone() {
        let replicates = |at_ms, from: u8| {
            let (_, mut seen) = flow(at_ms, from, 100, 49_671, true);
            seen.facts = vec![Fact::new(FactKind::RemoteControl, REPLICATES)];
            seen
        };
        // Devices 100 and 101 are controllers, 101 replicates from 100; all are of one role.
        let minutes = (0..120).map(|minute| minute * 60_000);
        let learned = minutes.flat_map(|at| {
            [
                flow(at, 1, 100, 88, true).1,
                flow(at + 7, 1, 101, 88, true).1,
                flow(at + 9, 2, 101, 88, true).1,
                replicates(at + 14, 101),
            ]
        });
        let taught = taught_by(learned.collect(), 0.5 / 120.0);
        let bits = |from: u8| {
            let seen = replicates(LATER_MS, from);
            let baselines = taught.baselines(seen.seen);
            call_bits(&seen, baselines.host(seen.orig), (baselines, Roles::of(0)))
        };
        assert_eq!([bits(2), bits(9), bits(101)], [TOOL_BITS, TOOL_BITS, 0.0]);
    }
}

//! Deeds that count more than their rarity says, by a device that never did such: listening to all that is published, calls that administer or take
//! control, commands to controllers, tickets that give passwords away, calls to other countries.

use super::prior::{hostile_bits, tool_bits};
use super::remote::{call_bits, interface_bits};
use crate::app::AT_HOME;
use crate::feature::{Fact, FactKind, HALTING_REQUESTS, Observation, READ_REQUEST, SUBSCRIBE_ALL, UPLOAD_REQUEST, WEAK_TICKETS};
use crate::model::{Baselines, HostBaseline, Kind, Roles};

/// How often something new of a kind comes of which nothing was learned, at the least: half a value in one.
const NEVER_MET: f64 = 0.5;

/// Bits of what is asked for, where what it is tells: all that is published, calls that administer or take control, deeds.
pub(super) fn asked_bits(
    seen: &Observation,
    orig: Option<&HostBaseline>,
    kind: FactKind,
    (baselines, roles): (&Baselines, Roles),
) -> Option<f64> {
    match kind {
        // Whoever outside tries numbers calls nobody.
        FactKind::CountryCalled if !seen.orig_local => None,
        FactKind::MqttPacket => {
            let all = Fact::new(FactKind::MqttPacket, SUBSCRIBE_ALL);
            let is_new = seen.facts.contains(&all) && !orig.is_some_and(|host| host.facts.contains(all));
            is_new.then(|| hostile_bits(baselines.commons.known_to(Kind::Fact(all.kind), all, roles)))
        }
        FactKind::RemoteControl => Some(call_bits(seen, orig, (baselines, roles))),
        FactKind::RemoteInterface => Some(interface_bits(seen, orig, (baselines, roles))),
        FactKind::ControllerRequest | FactKind::ControllerChange | FactKind::Ticket | FactKind::CountryCalled => {
            Some(deed_bits(seen, orig, kind, (baselines, roles)))
        }
        _ => None,
    }
}

/// Bits of a request that changes a controller, by a device that never made such, or not of this one; of one for a ticket that gives a password
/// away; and of a call to another country. Where none of its kind was learned (a model of an earlier version, or of a network without controllers) that says nothing.
fn deed_bits(seen: &Observation, orig: Option<&HostBaseline>, kind: FactKind, (baselines, roles): (&Baselines, Roles)) -> f64 {
    if baselines.pooled.newness.of(Kind::Fact(kind)).any >= NEVER_MET {
        return 0.0;
    }
    // What others of a role command, a device of which nothing is known does not.
    let commands = !matches!(kind, FactKind::Ticket | FactKind::CountryCalled);
    let roles = if orig.is_some() || !commands { roles } else { Roles::NONE };
    let is_new = |fact: &Fact| !orig.is_some_and(|host| host.facts.contains(*fact));
    let counts = |fact: &Fact| match kind {
        FactKind::Ticket => WEAK_TICKETS.iter().any(|text| *fact == Fact::new(kind, text)),
        FactKind::CountryCalled => *fact != Fact::new(kind, AT_HOME),
        _ if *fact == Fact::new(FactKind::ControllerRequest, UPLOAD_REQUEST) => baselines.silent_when_failed,
        _ => *fact != Fact::new(FactKind::ControllerRequest, READ_REQUEST),
    };
    let deeds = seen.facts.iter().filter(|&fact| fact.kind == kind && is_new(fact) && counts(fact));
    let bits = |request: &Fact| {
        let known = baselines.commons.known_to(Kind::Fact(kind), *request, roles);
        if commands && halts(seen, request) { tool_bits(known) } else { hostile_bits(known) }
    };
    deeds.map(bits).fold(0.0, f64::max)
}

/// Does a request stop what a controller does, or make it begin anew? In ordinary work nobody does.
fn halts(seen: &Observation, request: &Fact) -> bool {
    let to = (seen.resp.0, seen.service);
    HALTING_REQUESTS.iter().any(|text| *request == Fact::of(request.kind, text, to))
}

#[cfg(test)]
mod tests {
    use super::super::prior::{BITS, MORE_BITS, TOOL_BITS};
    use super::super::testing::{flow, host};
    use super::*;
    use crate::flow::Service;
    use crate::model::{BaselinesBuilder, Edge};

    const HOUR_MS: i64 = 3_600_000;

    /// Bits of what an observation asks.
    fn bits_of(baselines: &Baselines, seen: &Observation, kind: FactKind) -> f64 {
        let orig = baselines.host(seen.orig);
        let edge = Edge { service: seen.service, peer: seen.resp };
        asked_bits(seen, orig, kind, (baselines, baselines.roles_for(orig, edge))).unwrap_or(0.0)
    }

    #[test]
    fn a_request_that_changes_a_controller_counts_more_where_requests_are_known() {
        const AT: [u8; 2] = [100, 101];
        let to = |last| (host(last).0, Service { protocol: 6, port: 102 });
        let request = |text: &str| Fact::new(FactKind::ControllerRequest, text);
        let change = |at, text: &str| Fact::of(FactKind::ControllerChange, text, to(at));
        let baselines = |asks: &[&str]| {
            let mut builder = BaselinesBuilder::default();
            for minute in 0..60 {
                let (_, mut seen) = flow(minute * 60_000, 1, 100, 102, true);
                seen.facts = asks.iter().map(|text| request(text)).collect();
                seen.facts.extend(asks.iter().filter(|text| **text != READ_REQUEST).map(|text| change(AT[0], text)));
                builder.add(&seen, 0);
            }
            let mut baselines = builder.finish();
            baselines.pool(1);
            baselines
        };
        let bits = |asks: &[&str], asked: &str| {
            let (_, mut seen) = flow(HOUR_MS * 2, 1, 100, 102, true);
            seen.facts = vec![request(READ_REQUEST), request(asked)];
            let baselines = baselines(asks);
            bits_of(&baselines, &seen, FactKind::ControllerRequest)
        };
        assert_eq!(["write", "stop", READ_REQUEST].map(|asked| bits(&[READ_REQUEST], asked)), [MORE_BITS, TOOL_BITS, 0.0]);
        assert_eq!(bits(&[READ_REQUEST, "stop"], "stop"), 0.0, "it does so every day");
        assert_eq!(bits(&[], "stop"), 0.0, "a model that knows of no requests");
        let bits_at = |at: u8| {
            let (_, mut seen) = flow(HOUR_MS * 2, 1, at, 102, true);
            seen.facts = vec![request("write"), change(at, "write")];
            let baselines = baselines(&[READ_REQUEST, "write"]);
            bits_of(&baselines, &seen, FactKind::ControllerChange)
        };
        assert_eq!(AT.map(bits_at), [0.0, MORE_BITS], "one that it never changed");
    }

    #[test]
    fn a_ticket_that_gives_a_password_away_counts_more_where_tickets_are_known() {
        let ticket = |text: &str| Fact::new(FactKind::Ticket, text);
        let [weak, bare] = WEAK_TICKETS;
        let bits = |usual: &[&str], asked: &str| {
            let mut builder = BaselinesBuilder::default();
            for minute in 0..60 {
                for n in 1..=3 {
                    let (_, mut seen) = flow(minute * 60_000 + i64::from(n), n, 100, 88, true);
                    seen.facts = usual.iter().map(|text| ticket(text)).collect();
                    builder.add(&seen, 0);
                }
            }
            let mut baselines = builder.finish();
            baselines.pool(1);
            let (_, mut seen) = flow(HOUR_MS * 2, 1, 100, 88, true);
            seen.facts = vec![ticket("usual"), ticket(asked)];
            bits_of(&baselines, &seen, FactKind::Ticket)
        };
        assert_eq!([bits(&["usual"], weak), bits(&["usual"], bare), bits(&[bare], "usual")], [MORE_BITS, MORE_BITS, 0.0]);
        assert_eq!(bits(&["usual", weak], weak), 0.0, "it does so every day");
        assert_eq!(bits(&[], weak), 0.0, "a model that knows of no tickets");
    }

    #[test]
    fn a_call_abroad_counts_more_where_calls_are_known() {
        let country = |text: &str| Fact::new(FactKind::CountryCalled, text);
        let baselines = |called: &[&str]| {
            let mut builder = BaselinesBuilder::default();
            for (minute, n) in (0..60).flat_map(|minute| (1..=3).map(move |n| (minute, n))) {
                let (_, mut seen) = flow(minute * 60_000 + i64::from(n), n, 100, 5060, true);
                seen.facts = called.iter().map(|text| country(text)).collect();
                builder.add(&seen, 0);
            }
            let mut baselines = builder.finish();
            baselines.pool_as_one();
            baselines
        };
        let bits = |called: &[&str], now: &str| {
            let (baselines, (_, mut seen)) = (baselines(called), flow(HOUR_MS * 2, 1, 100, 5060, true));
            seen.facts = vec![country(now)];
            bits_of(&baselines, &seen, FactKind::CountryCalled)
        };
        assert_eq!(bits(&[AT_HOME], "+252 (Somalia)"), MORE_BITS);
        assert_eq!(bits(&[AT_HOME], AT_HOME), 0.0, "a call within the country");
        assert_eq!(bits(&[], "+252 (Somalia)"), 0.0, "a model that knows of no calls");
    }

    #[test]
    fn what_others_command_a_device_of_which_nothing_is_known_does_not() {
        let change = || Fact::of(FactKind::ControllerChange, "write", (host(100).0, Service { protocol: 6, port: 502 }));
        let mut builder = BaselinesBuilder::default();
        for (minute, n) in (0..60).flat_map(|minute| (1..=3).map(move |n| (minute, n))) {
            let (_, mut seen) = flow(minute * 60_000 + i64::from(n), n, 100, 502, true);
            seen.facts = vec![change()];
            builder.add(&seen, 0);
        }
        let mut baselines = builder.finish();
        baselines.pool_as_one();
        let bits = |from: u8| {
            let (_, mut seen) = flow(HOUR_MS * 2, from, 100, 502, true);
            seen.facts = vec![change()];
            bits_of(&baselines, &seen, FactKind::ControllerChange)
        };
        assert_eq!([bits(1), bits(77)], [0.0, BITS]);
    }
}

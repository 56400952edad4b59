//! What those who come to a server are together: too many at once, or the same again and again.

use super::class::Class;
use super::classify::is_login;
use super::evidence::{Contribution, Evidence};
use super::silence::ALPHA;
use super::strongest::MUCH_MORE;
use super::surprise::MOST_BITS;
use crate::feature::Observation;
use crate::flow::Service;
use crate::model::{Baselines, HostBaseline, Repeated, bits, tail_probability};

/// Connections of strangers within an hour that are as long as one before, below which they say nothing, where several have such …
const MANY_REPEATS: u32 = 20;
const SEVERAL_CLIENTS: u32 = 3;
/// … and where one or two do: who begins to use an interface, or watches whether it answers, comes once a minute.
const MANY_REPEATS_OF_FEW: u32 = 100;
/// The rules of counting since which they are learned.
const REPEATS_SINCE: u32 = 5;

/// What is told of a device of whom too much is asked.
pub(super) fn class_of_crowd(seen: &Observation, evidence: Evidence) -> Class {
    match evidence {
        Evidence::Repeats if is_login(seen) || is_mailbox(seen) => Class::BruteForce,
        Evidence::Asked | Evidence::Repeats => Class::Collection,
        _ => Class::Flood,
    }
}

/// Is it a mailbox's service, or one to which mail is handed in: does nobody come to it without a password?
const fn is_mailbox(seen: &Observation) -> bool {
    seen.service.protocol == 6 && matches!(seen.service.port, 110 | 143 | 465 | 587 | 993 | 995)
}

/// How often strangers came to a device at home within the hour with a connection as long as one of theirs before, where that is too often; nothing of a device
/// that is hardly known, or where it was not learned.
pub(super) fn repeats(
    seen: &Observation,
    repeated: Repeated,
    host: Option<&HostBaseline>,
    baselines: &Baselines,
) -> Option<Contribution> {
    let many = if repeated.clients >= SEVERAL_CLIENTS { MANY_REPEATS } else { MANY_REPEATS_OF_FEW };
    let host = host.filter(|host| repeated.repeats >= many && !host.is_hardly_known())?;
    let (usual, p) = rarity_of_repeats(repeated.repeats, host, seen.service, baselines)?;
    let observed = f64::from(repeated.repeats);
    let part = || Contribution { usual: (0.0, usual), ..Contribution::of(Evidence::Repeats, observed, bits(p).min(MOST_BITS)) };
    (observed > MUCH_MORE * usual).then(part)
}

/// How many connections of strangers were as long as one before in an hour of learning, in the mean, one at the least, and how probable so many more are; nothing
/// where that was not learned.
pub(super) fn rarity_of_repeats(
    repeats: u32,
    host: &HostBaseline,
    service: Service,
    baselines: &Baselines,
) -> Option<(f64, f64)> {
    if baselines.rules < REPEATS_SINCE {
        return None;
    }
    let hours = baselines.span_minutes / 60.0;
    let usual = (f64::from(host.repeats(service)) / hours).max(1.0);
    Some((usual, tail_probability(repeats.into(), 0.0, hours, usual, ALPHA)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{flow, host};
    use super::*;
    use crate::app::App;
    use crate::feature::BYTES_ORIG;
    use crate::model::{BaselinesBuilder, Repeats};

    /// A connection by TLS of a client outside to a device at home.
    fn comes(second: i64, client: u8, port: u16) -> Observation {
        let (_, mut seen) = flow(second * 1000, client, 100, port, true);
        (seen.app, seen.orig_local, seen.resp_local) = (App::Tls, false, true);
        seen.vector[BYTES_ORIG] = 979.0;
        seen
    }

    /// What is found of the last of so many connections by so many strangers in turn, after two hours in which each of `clients` came so often.
    fn found(port: u16, clients: &[u8], times: i64, (strangers, count): (u8, i64)) -> Option<Contribution> {
        let mut builder = BaselinesBuilder::default();
        for minute in 0..120 {
            builder.add(&Observation { orig_local: true, ..comes(minute * 60, 90, port) }, 0);
            for (&client, nth) in clients.iter().flat_map(|client| (0..times).map(move |nth| (client, nth))) {
                builder.add(&comes(minute * 60 + nth, client, port), 0);
            }
        }
        let mut baselines = builder.finish();
        baselines.pool_as_one();
        let mut hour = Repeats::default();
        let all = (0..count).map(|n| comes(8000 + n, 150 + (n % i64::from(strangers)) as u8, port));
        all.filter(|seen| hour.add(seen, || false))
            .last()
            .and_then(|seen| repeats(&seen, hour.of(&seen)?, baselines.host(host(100)), &baselines))
    }

    #[test]
    fn strangers_who_say_the_same_again_and_again_are_told_where_few_do() {
        let sprayed = found(443, &[], 0, (6, 60)).unwrap();
        assert!(sprayed.observed == 54.0 && sprayed.bits > 9.0 && sprayed.evidence == Evidence::Repeats, "{sprayed:?}");
        assert!(found(443, &[], 0, (6, 25)).is_none(), "few");
        assert!(found(443, &[], 0, (1, 90)).is_none() && found(443, &[], 0, (1, 120)).is_some(), "one alone");
        // Four clients had 1799 each in the hour in which they were strangers.
        assert!(found(443, &[1, 2, 3, 4], 30, (6, 60)).is_none(), "it is used so");
    }

    #[test]
    fn what_nobody_reaches_without_a_password_is_guessing() {
        let class = |app, port| class_of_crowd(&Observation { app, ..comes(0, 1, port) }, Evidence::Repeats);
        assert_eq!(
            [class(App::Ssh, 22), class(App::Tls, 993), class(App::Tls, 443)],
            [Class::BruteForce, Class::BruteForce, Class::Collection]
        );
        assert_eq!(class_of_crowd(&comes(0, 1, 22), Evidence::ClientRate), Class::Flood);
    }
}

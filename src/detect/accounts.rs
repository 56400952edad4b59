//! Log-ins that fail for one account after the other: passwords that are sprayed, and names that are looked for.
//!
//! People mistype the password of their own account and then get in; who tries a few passwords for each of many accounts fails for all of them, as seldom as it
//! likes. Who comes from outside is not counted: every mail server of the Internet is tried so all day.

use super::evidence::{Contribution, Evidence, Of};
use super::surprise::MOST_BITS;
use crate::model::{HostBaseline, upper_edge};

/// Accounts within an hour, below which they say nothing.
const MANY: f64 = 4.0;
/// What is usual at the least.
const USUAL: f64 = 1.0;
/// Bits of each account beyond what is usual: of eight devices whose log-ins fail for one account more, one goes on to the next.
pub(super) const BITS_PER_ACCOUNT: f64 = 3.0;

/// The accounts that the device, of which `host` is known, was kept out of within the hour, where they are too many.
pub(super) fn kept_out(accounts: f64, host: Option<&HostBaseline>) -> Option<Contribution> {
    let (observed, usual) = (accounts.round(), usual(host));
    let bits = bits(observed, usual);
    // Who is asked to log in for others fails for all of them.
    if host.is_some_and(HostBaseline::asks_for_others) {
        return None;
    }
    let of = if usual > USUAL { Of::Device } else { Of::AnyNetwork };
    let part = || Contribution { usual: (0.0, usual), of, ..Contribution::of(Evidence::AccountsRefused, observed, bits) };
    (observed >= MANY && bits > 0.0).then(part)
}

/// The most attempts of a device that failed within an hour of learning, where log-ins were among them: no more accounts can have been refused. One at the least.
pub(super) fn usual(host: Option<&HostBaseline>) -> f64 {
    let failed = host.filter(|host| host.login_failures_per_min().most().is_some()).and_then(|host| {
        let most = [host.login_failures_per_min().most(), host.failed_per_hour().most()];
        most.into_iter().flatten().max()
    });
    failed.map_or(USUAL, upper_edge).max(USUAL)
}

/// Bits of so many accounts, where so many are usual.
pub(super) const fn bits(observed: f64, usual: f64) -> f64 {
    (BITS_PER_ACCOUNT * (observed - usual)).clamp(0.0, MOST_BITS)
}

#[cfg(test)]
mod tests {
    use super::super::Notice;
    use super::super::class::Class;
    use super::super::testing::{LATER_MS, detector, flow, show, taught, taught_by};
    use super::*;
    use crate::app::{Accounts, App};
    use crate::feature::Observation;
    use crate::flow::FlowRecord;

    const KERBEROS: u16 = 88;

    /// A log-in of device 1 in a minute of its own, for an account by its number, from 0 to 31.
    fn log_in(minute: i64, account: u32, succeeds: bool) -> (Box<FlowRecord>, Observation) {
        let (record, mut seen) = flow(LATER_MS + minute * 60_000, 1, 100, KERBEROS, true);
        seen.app = App::Kerberos;
        let bit = 1 << account;
        seen.events.login_failures = u32::from(!succeeds);
        seen.events.accounts =
            if succeeds { Accounts { refused: 0, admitted: bit } } else { Accounts { refused: bit, admitted: 0 } };
        (record, seen)
    }

    /// How many accounts are told of where passwords are guessed.
    fn told(notices: &[Notice]) -> Option<f64> {
        let guessed = notices.iter().filter(|notice| notice.incident.class == Class::BruteForce);
        let parts = guessed.flat_map(|notice| &notice.incident.reasons).map(|reason| reason.part);
        parts.filter(|part| part.evidence == Evidence::AccountsRefused).map(|part| part.observed).reduce(f64::max)
    }

    #[test]
    fn a_password_for_each_of_many_accounts_is_guessing_however_slowly() {
        let tried = |accounts: u32, every: i64| {
            let flows = (0..accounts).map(|account| log_in(i64::from(account) * every, account, false)).collect();
            told(&show(&mut detector(&taught()), flows))
        };
        assert_eq!((tried(3, 5), tried(8, 30)), (None, None), "few within the hour");
        assert!(tried(8, 6).is_some_and(|accounts| accounts >= MANY));
    }

    #[test]
    fn who_mistypes_and_gets_in_does_not_count() {
        let tried = |admitted: u32| {
            let failures = (0..8).map(|account| log_in(i64::from(account) * 4, account, false));
            let successes = (0..admitted).map(|account| log_in(i64::from(account) * 4 + 1, account, true));
            let mut flows: Vec<_> = failures.chain(successes).collect();
            flows.sort_by_key(|(_, seen)| seen.seen);
            told(&show(&mut detector(&taught()), flows)).is_some()
        };
        assert_eq!([tried(0), tried(8), tried(5)], [true, false, false]);
        let many = kept_out(5.4, None).unwrap();
        assert_eq!((many.observed, many.usual, many.of, many.bits), (5.0, (0.0, 1.0), Of::AnyNetwork, 12.0));
    }

    #[test]
    fn of_whom_many_failed_while_learning_as_many_are_usual() {
        let minute = |minute: i64| {
            let (_, mut seen) = log_in(minute - 180, 0, false);
            seen.events.login_failures = u32::from(minute % 12 == 0);
            seen
        };
        let knowledge = taught_by((0..120).map(minute).collect(), 0.0);
        let (_, seen) = log_in(0, 0, false);
        let host = knowledge.baselines(seen.seen).host(seen.orig);
        let tried = |accounts: f64| kept_out(accounts, host);
        assert!(tried(4.0).is_none());
        let mut proxy = host.unwrap().clone();
        proxy.learn_passing_on();
        assert!(kept_out(12.0, Some(&proxy)).is_none(), "its clients log in through it");
        let many = tried(12.0).unwrap();
        assert!(many.of == Of::Device && many.usual.1 >= 5.0 && many.bits < 30.0, "{many:?}");
    }
}

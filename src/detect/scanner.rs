//! Devices that scan as a matter of habit.

use super::evidence::Evidence;
use crate::feature::{BYTES_ORIG, BYTES_RESP, Observation};
use crate::model::HostBaseline;

/// Attempts that fail within a minute of scanning.
const SCANNER_FAILURES: f64 = 30.0;
/// Minutes of learning in which a device that scans as a matter of habit did so: a nightly look at some twenty devices takes no longer.
const SCANNER_MINUTES: u32 = 2;
/// A scan is as large as others up to this part of the largest: devices and ports come and go.
const USUAL_SHARE: f64 = 1.5;
/// Payload of a probe at the most, in bytes: a certificate or a banner, no work done.
const PROBE_BYTES: f32 = 8192.0;

/// Is it one of the probes of a device that scans as a matter of habit? Which port comes next is no news; how many it tries still counts,
/// and so does what comes of it.
pub(super) fn is_probe_of_scanner(seen: &Observation, orig: Option<&HostBaseline>) -> bool {
    let payload = seen.vector[BYTES_ORIG] + seen.vector[BYTES_RESP];
    (seen.failed || payload <= PROBE_BYTES) && orig.is_some_and(scans_by_habit)
}

/// Is it about as much as such a device tried, or failed at, when it scanned before? How seldom it scans says nothing.
pub(super) fn is_usual_scan(evidence: Evidence, observed: f64, host: &HostBaseline) -> bool {
    let before = match evidence {
        Evidence::TargetRate => host.targets_per_min(),
        Evidence::FailedRate => host.failed_per_min(),
        Evidence::SlowTargets => host.targets_per_hour(),
        Evidence::SlowFailures => host.failed_per_hour(),
        _ => return false,
    };
    before.quantile(1.0).is_some_and(|most| observed <= USUAL_SHARE * most) && scans_by_habit(host)
}

/// Did a device scan again and again while it was learned?
pub(super) fn scans_by_habit(host: &HostBaseline) -> bool {
    host.failed_per_min().at_least(SCANNER_FAILURES) >= SCANNER_MINUTES
}

#[cfg(test)]
mod tests {
    use super::super::config::Without;
    use super::super::knowledge::Knowledge;
    use super::super::memory::Earlier;
    use super::super::surprise::Surprise;
    use super::super::testing::{LATER_MS, flow, host, taught_by};
    use super::*;

    /// Two hours in which devices 50 and 51 try forty ports of device 100, one of them in two minutes, the other in one, and device 1 asks it once a minute.
    fn knowledge() -> std::sync::Arc<Knowledge> {
        let minutes = (0..120).flat_map(|minute| (0..40_u16).map(move |n| (minute, n)));
        let flows = minutes.flat_map(|(minute, n)| {
            let at = minute * 60_000 + i64::from(n) * 10;
            let scans = [(50, minute % 60 == 0), (51, minute == 0)];
            let busy = scans.into_iter().filter(|&(_, scans)| scans);
            let probes = busy.map(move |(device, _)| flow(at, device, 100, 1000 + n, false).1);
            probes.chain((n == 0).then(|| flow(at, 1, 100, 80, true).1)).collect::<Vec<_>>()
        });
        taught_by(flows.collect(), 1e-6)
    }

    #[test]
    fn the_next_port_of_a_scanner_is_no_news_and_what_it_does_there_is() {
        let knowledge = knowledge();
        let news = |device: u8, payload: f32| {
            let (_, mut seen) = flow(LATER_MS, device, 100, 4444, true);
            seen.vector[BYTES_RESP] = payload;
            let found = knowledge.vocabulary.matches(&seen);
            Surprise::of((&seen, Earlier::default()), found, &knowledge, Without::default()).new.is_some()
        };
        assert_eq!((news(50, 100.0), news(50, 100_000.0), news(51, 100.0)), (false, true, true));
    }

    #[test]
    fn as_many_ports_as_it_tried_before_are_its_habit_however_short_it_takes() {
        let knowledge = knowledge();
        let (_, seen) = flow(LATER_MS, 50, 100, 4444, true);
        let baselines = knowledge.baselines(seen.seen);
        let is_usual = |device: u8, evidence, observed| {
            let scanner = baselines.host(host(device)).unwrap();
            assert!(scanner.is_hardly_known());
            is_usual_scan(evidence, observed, scanner)
        };
        for evidence in [Evidence::TargetRate, Evidence::FailedRate] {
            assert_eq!([40.0, 55.0, 90.0].map(|observed| is_usual(50, evidence, observed)), [true, true, false]);
            assert!(!is_usual(51, evidence, 40.0), "it scanned once");
        }
        assert!(!is_usual(50, Evidence::FlowRate, 40.0));
    }
}

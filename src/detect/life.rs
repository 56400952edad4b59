//! The life of incidents, as the detector brings it about: one of a kind for a device and a burst, told at a bounded rate, closed
//! when it is quiet, linked to what came before.

use std::collections::BTreeMap;

use super::testing::{LATER_MS, detector, flow, host, show, taught};
use super::{Class, IncidentState, Notice};
use crate::feature::Observation;
use crate::flow::FlowRecord;
use crate::time::{Span, Timestamp};

/// Beyond the ports of log-in, each of which may speak of more than of a scan.
const FIRST_PORT: u16 = 10_000;

type Flows = Vec<(Box<FlowRecord>, Observation)>;

/// Device `from` tries so many ports of device `to`, one every so many milliseconds; none answers.
fn scan(at_ms: i64, (from, to): (u8, u8), attempts: i64, every_ms: i64) -> Flows {
    (0..attempts).map(|n| flow(at_ms + n * every_ms, from, to, FIRST_PORT + n as u16, false)).collect()
}

fn states(notices: &[Notice]) -> BTreeMap<u64, Vec<IncidentState>> {
    let mut states: BTreeMap<u64, Vec<IncidentState>> = BTreeMap::new();
    notices.iter().for_each(|notice| states.entry(notice.incident.id).or_default().push(notice.state));
    states
}

#[test]
fn ten_thousand_flows_of_one_scan_are_one_incident_and_few_lines() {
    let taught = taught();
    let mut detector = detector(&taught);
    let mut notices = show(&mut detector, scan(LATER_MS, (1, 100), 10_000, 360));
    detector.finish(notices[notices.len() - 1].raised + Span::from_secs(600), &mut notices, &mut Vec::new());
    let scans: Vec<&Notice> = notices.iter().filter(|notice| notice.incident.class == Class::Scan).collect();
    let states = states(&notices);
    assert_eq!(states.len(), 1, "{:?}", notices.iter().map(|it| (it.incident.class, it.state)).collect::<Vec<_>>());
    let of_scan = &states[&scans[0].incident.id];
    let (first, last) = (of_scan[0], of_scan[of_scan.len() - 1]);
    assert_eq!((first, last), (IncidentState::Open, IncidentState::Closed));
    assert!(of_scan[1..of_scan.len() - 1].iter().all(|&state| state == IncidentState::Update));
    // It grows by half from line to line: an hour of it is at most 1 + log(10,000) / log(1.5) lines for its flows and fewer for
    // bits and peers.
    assert!(of_scan.len() <= 30, "{} lines", of_scan.len());
    let far_apart = scans.windows(2).filter(|pair| pair[1].state == IncidentState::Update);
    far_apart.for_each(|pair| assert!(pair[1].raised.since(pair[0].raised) >= Span::from_secs(60)));
    assert!(scans[scans.len() - 1].incident.flows >= 9_000, "{}", scans[scans.len() - 1].incident.flows);
}

#[test]
fn after_a_quarter_of_an_hour_it_is_closed_and_another_burst_is_another_incident_of_the_same_story() {
    let taught = taught();
    let mut detector = detector(&taught);
    let pause_ms = 1_200_000;
    let mut notices = show(&mut detector, scan(LATER_MS, (1, 100), 300, 10));
    for second in 20..1_000 {
        let now = Timestamp::from_nanos(LATER_MS * 1_000_000) + Span::from_secs(second);
        detector.tick(now, &mut notices, &mut Vec::new());
    }
    notices.extend(show(&mut detector, scan(LATER_MS + pause_ms, (1, 101), 300, 10)));
    let scans: Vec<&Notice> = notices.iter().filter(|notice| notice.incident.class == Class::Scan).collect();
    let opened: Vec<&&Notice> = scans.iter().filter(|notice| notice.state == IncidentState::Open).collect();
    let closed: Vec<&&Notice> = scans.iter().filter(|notice| notice.state == IncidentState::Closed).collect();
    assert_eq!((opened.len(), closed.len()), (2, 1));
    let end = Timestamp::from_nanos((LATER_MS + 3_000) * 1_000_000);
    let quiet = closed[0].raised.since(end);
    assert!((Span::from_secs(900)..Span::from_secs(930)).contains(&quiet), "{} s", quiet.as_seconds());
    let (first, second) = (&opened[0].incident, &opened[1].incident);
    assert_ne!(first.id, second.id);
    assert_eq!((first.story, second.story), (first.id, first.id));
    assert_eq!(second.earlier.iter().map(|episode| (episode.id, episode.class)).collect::<Vec<_>>(), [(first.id, Class::Scan)]);
}

#[test]
fn what_a_target_does_next_belongs_to_the_story_of_who_turned_to_it() {
    let taught = taught();
    let mut detector = detector(&taught);
    let mut flows = scan(LATER_MS, (1, 2), 300, 10);
    flows.extend(scan(LATER_MS + 900_000, (2, 3), 300, 10));
    flows.extend(scan(LATER_MS + 1_800_000, (7, 8), 300, 10));
    let notices = show(&mut detector, flows);
    let story = |n: u8| {
        let opened = |notice: &&Notice| notice.incident.host == host(n) && notice.state == IncidentState::Open;
        let incident = &notices.iter().find(opened).unwrap().incident;
        (incident.id, incident.story)
    };
    let (attacker, target, other) = (story(1), story(2), story(7));
    assert_eq!(attacker.0, attacker.1);
    assert_eq!(target.1, attacker.0);
    assert_eq!(other.0, other.1, "somebody else's");
}

#[test]
fn scans_of_many_devices_at_once_are_one_incident_each() {
    let taught = taught();
    let mut detector = detector(&taught);
    let each = |n: i64| (1..=5).map(move |from| flow(LATER_MS + n * 50 + i64::from(from), from, 100, 1000 + n as u16, false));
    let notices = show(&mut detector, (0..200).flat_map(each).collect());
    let opened: Vec<_> = notices.iter().filter(|notice| notice.state == IncidentState::Open).collect();
    let hosts: Vec<_> = opened.iter().map(|notice| (notice.incident.host, notice.incident.class)).collect();
    for n in 1..=5 {
        assert_eq!(hosts.iter().filter(|(of, class)| (*of, *class) == (host(n), Class::Scan)).count(), 1, "{hosts:?}");
    }
}

//! What the alerts found, and what they cost.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::episode::{Episode, found, touches};
use super::hosts::is_private;
use crate::dataset::{Kind, Row, Truth};
use crate::detect::Notice;
use crate::time::{Span, Timestamp};
use crate::wire::Addr;

/// One line about an incident: alert lines with the same incident are one alert, told over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertLine {
    /// The incident's identity; a line without one needs one of its own.
    pub incident: String,
    /// When the line was raised, in capture time.
    pub raised: Timestamp,
    /// When the incident's first flow began; `raised` where the line does not say.
    pub first: Timestamp,
    /// When its last flow ended; `raised` where the line does not say.
    pub last: Timestamp,
    /// Whose behaviour it is: the source and the incident's hosts.
    pub subjects: Vec<Addr>,
    /// The others involved: the destination and the incident's peers.
    pub others: Vec<Addr>,
}

impl AlertLine {
    /// What the detector told.
    #[must_use]
    pub fn of(notice: &Notice) -> Self {
        let incident = &notice.incident;
        let hosts = incident.also.iter().map(|host| host.0);
        let subjects: BTreeSet<Addr> = [incident.flow.orig.0, incident.host.0].into_iter().chain(hosts).collect();
        let others: BTreeSet<Addr> = incident.peers.keys().map(|peer| peer.0).chain([incident.flow.resp.0]).collect();
        Self {
            incident: format!("{:016x}", incident.id),
            raised: notice.raised,
            first: incident.first,
            last: incident.last,
            subjects: subjects.into_iter().collect(),
            others: others.into_iter().collect(),
        }
    }
}

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Beginning of the judged span; the labels' first time where not given.
    pub from: Option<Timestamp>,
    /// End of the judged span; the labels' last time where not given.
    pub to: Option<Timestamp>,
    /// Number of local hosts; the private ends of benign rows where not given. See [`super::addresses_in`].
    pub hosts: Option<u128>,
    /// How far an alert's times and a row's may miss each other; 60 s by default.
    pub slack: Span,
}

impl Default for Judged {
    fn default() -> Self {
        Self { from: None, to: None, hosts: None, slack: Span::from_secs(60) }
    }
}

/// The alerts' scores. As JSON: the object that `score_alerts.py --json` writes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlertScores {
    /// Attacks in the judged span: malicious rows by their `detail`.
    pub episodes: usize,
    /// Attacks that a line found in time, with its subject and its counterpart.
    pub detected: usize,
    /// The share of them, 0 to 1; absent without attacks.
    pub recall: Option<f64>,
    /// Incidents in the judged span.
    pub alerts: usize,
    /// Incidents that overlap no row of an attack, and none that counts for neither side, of any address that they name.
    pub false_alerts: usize,
    /// Local hosts, where known.
    pub local_hosts: Option<u128>,
    /// The judged span in days, where known.
    pub days: Option<f64>,
    /// False alerts per local host and day, where both are known.
    pub false_alerts_per_host_day: Option<f64>,
    /// Attacks that no line found.
    pub missed: Vec<String>,
    /// From an attack's first packet to the first line that found it, in seconds, at least 0; absent where the labels give
    /// no time.
    pub seconds_to_detect: BTreeMap<String, Option<f64>>,
}

/// Scores alert lines. An attack is found by a line that was raised no later than a row's end, whose incident overlaps that
/// row in time, and that names one end of the row as a subject and the other end too; times may miss by the slack. An
/// incident of more than ten minutes finds one attack only, the one that it found first.
#[must_use]
pub fn episodes<'a>(lines: impl IntoIterator<Item = &'a AlertLine>, truth: &Truth, judged: &Judged) -> AlertScores {
    let since = judged.from.unwrap_or(Timestamp::MIN);
    let until = judged.to.unwrap_or(Timestamp::MAX);
    let rows: Vec<&Row> = truth.rows().iter().filter(|row| row.start <= until && row.end >= since).collect();
    let attacks = Episode::of(&rows, truth);
    let mut incidents: BTreeMap<&str, Vec<&AlertLine>> = BTreeMap::new();
    for line in lines.into_iter().filter(|line| line.last >= since && line.first <= until) {
        incidents.entry(&line.incident).or_default().push(line);
    }
    let mut detected: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let mut false_alerts = 0;
    for lines in incidents.values() {
        let found = found(lines, &attacks, judged.slack);
        if found.is_empty() {
            let counts = |row: &&&Row| row.kind != Kind::Benign;
            let excused = rows.iter().filter(counts).any(|row| lines.iter().any(|line| touches(row, line, judged.slack)));
            false_alerts += usize::from(!excused);
        }
        for (name, when) in found {
            let known = detected.entry(name).or_insert(when);
            *known = when.min(*known);
        }
    }
    let local_hosts = Some(judged.hosts.unwrap_or_else(|| private_ends(&rows))).filter(|&hosts| hosts > 0);
    let days = days(&rows, judged);
    let seconds = |attack: &Episode<'_>| {
        let start = attack.start();
        (start > Timestamp::MIN).then(|| detected.get(attack.name).map_or(0.0, |when| when.since(start).as_seconds().max(0.0)))
    };
    let (seen, missed): (Vec<_>, Vec<_>) = attacks.iter().partition(|attack| detected.contains_key(attack.name));
    let mut missed: Vec<String> = missed.iter().map(|attack| attack.name.to_owned()).collect();
    missed.sort();
    AlertScores {
        episodes: attacks.len(),
        detected: seen.len(),
        recall: (!attacks.is_empty()).then(|| seen.len() as f64 / attacks.len() as f64),
        alerts: incidents.len(),
        false_alerts,
        local_hosts,
        days,
        false_alerts_per_host_day: local_hosts.zip(days).map(|(hosts, days)| false_alerts as f64 / (hosts as f64 * days)),
        missed,
        seconds_to_detect: seen.iter().map(|attack| (attack.name.to_owned(), seconds(attack))).collect(),
    }
}

/// Private addresses that have a benign row.
fn private_ends(rows: &[&Row]) -> u128 {
    let benign = rows.iter().filter(|row| row.kind == Kind::Benign);
    let ends: BTreeSet<Addr> = benign.flat_map(|row| [row.src, row.dst]).flatten().filter(|end| is_private(*end)).collect();
    ends.len() as u128
}

/// The judged span in days; its ends are the rows' where not given.
fn days(rows: &[&Row], judged: &Judged) -> Option<f64> {
    let told = |time: &Timestamp| *time > Timestamp::MIN && *time < Timestamp::MAX;
    let times = || rows.iter().flat_map(|row| [row.start, row.end]).filter(told);
    let span = judged.to.or_else(|| times().max())?.since(judged.from.or_else(|| times().min())?);
    (span > Span::ZERO).then(|| span.as_seconds() / 86_400.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCAN: &str = "10.0.0.1,10.0.0.2,1000,2000,malicious,scan\n";

    fn truth(rows: &str) -> Truth {
        let text = format!("src_ip,dst_ip,start,end,label,detail\n{rows}");
        Truth::read(text.as_bytes(), "t").unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    fn host(number: u8) -> Addr {
        Addr::v4([10, 0, 0, number])
    }

    fn line(incident: &str, raised: i64, span: (i64, i64), subject: u8, other: Option<u8>) -> AlertLine {
        let (first, last) = (at(span.0), at(span.1));
        let others = other.map(host).into_iter().collect();
        AlertLine { incident: incident.to_owned(), raised: at(raised), first, last, subjects: vec![host(subject)], others }
    }

    fn score(rows: &str, lines: &[AlertLine]) -> AlertScores {
        episodes(lines, &truth(rows), &Judged::default())
    }

    #[test]
    fn a_line_finds_an_attack_in_time_with_both_ends() {
        let found = |line: AlertLine| score(SCAN, &[line]).detected == 1;
        assert!(found(line("a", 1500, (1400, 1500), 1, Some(2))));
        assert!(found(line("a", 1500, (1400, 1500), 2, Some(1))), "either end may be the subject");
        assert!(found(line("a", 2060, (1400, 1500), 1, Some(2))), "raised within the slack");
        assert!(!found(line("a", 2061, (1400, 1500), 1, Some(2))), "raised too late");
        assert!(!found(line("a", 1500, (900, 939), 1, Some(2))), "it ended before");
        assert!(!found(line("a", 1500, (2061, 2070), 1, Some(2))), "it began after");
        assert!(!found(line("a", 1500, (1400, 1500), 1, None)), "no counterpart");
        assert!(!found(line("a", 1500, (1400, 1500), 1, Some(3))), "another counterpart");
        assert!(!found(line("a", 1500, (1400, 1500), 3, Some(2))), "another subject");
    }

    #[test]
    fn the_subject_is_enough_where_it_has_many_counterparts() {
        let rows = |n: u8| (1..=n).map(|i| format!("10.0.0.200,10.0.0.{i},1000,2000,malicious,sweep\n")).collect::<String>();
        let alert = [line("a", 1500, (1400, 1500), 200, None)];
        assert_eq!(score(&rows(64), &alert).detected, 0);
        assert_eq!(score(&rows(65), &alert).detected, 1);
    }

    #[test]
    fn a_long_incident_finds_one_attack_only() {
        let rows = format!("{SCAN}10.0.0.1,10.0.0.2,1100,1200,malicious,beacon\n");
        let short = [line("a", 1150, (1000, 1600), 1, Some(2))];
        assert_eq!(score(&rows, &short).detected, 2);
        let long = [line("a", 1900, (1000, 1601), 1, Some(2)), line("a", 1150, (1100, 1150), 1, Some(2))];
        let scores = score(&rows, &long);
        assert_eq!((scores.detected, scores.missed), (1, vec!["beacon".to_owned()]), "of two at once the first in the file");
        assert_eq!(scores.seconds_to_detect, BTreeMap::from([("scan".to_owned(), Some(150.0))]));
    }

    #[test]
    fn an_alert_is_false_when_it_touches_nothing_that_is_not_benign() {
        let rows = format!("{SCAN}10.0.0.7,10.0.0.8,1000,2000,background,\n10.0.0.5,10.0.0.6,0,9000,benign,\n");
        let false_alerts = |line: AlertLine| score(&rows, &[line]).false_alerts;
        assert_eq!(false_alerts(line("a", 1500, (1400, 1500), 5, Some(6))), 1);
        assert_eq!(false_alerts(line("a", 1500, (1400, 1500), 1, Some(9))), 0, "it names an end of the attack");
        assert_eq!(false_alerts(line("a", 1500, (1400, 1500), 5, Some(8))), 0, "it names an end of what counts for neither");
        assert_eq!(false_alerts(line("a", 1500, (2061, 2090), 1, Some(2))), 1, "the attack was over");
        let twice = [line("a", 1500, (1400, 1500), 5, None), line("a", 1510, (1400, 1510), 5, None)];
        let scores = score(&rows, &twice);
        assert_eq!((scores.alerts, scores.false_alerts), (1, 1), "lines of one incident are one alert");
        // Two benign private ends over 9000 s.
        assert_eq!((scores.local_hosts, scores.days), (Some(2), Some(9000.0 / 86_400.0)));
        let rate = scores.false_alerts_per_host_day.unwrap();
        assert!((rate - 4.8).abs() < 1e-9, "{rate}");
    }

    #[test]
    fn the_judged_span_limits_rows_and_alerts() {
        let judged = Judged { from: Some(at(3000)), to: Some(at(4000)), hosts: Some(256), ..Judged::default() };
        let lines = [line("a", 1500, (1400, 1500), 1, Some(2)), line("b", 3500, (3400, 3500), 1, Some(2))];
        let scores = episodes(&lines, &truth(SCAN), &judged);
        assert_eq!((scores.episodes, scores.recall, scores.alerts, scores.false_alerts), (0, None, 1, 1));
        assert_eq!((scores.local_hosts, scores.days), (Some(256), Some(1000.0 / 86_400.0)));
    }

    #[test]
    fn nothing_is_made_up_where_the_labels_have_no_times() {
        let scores = score("10.0.0.1,10.0.0.2,,,malicious,scan\n", &[line("a", 5, (4, 5), 1, Some(2))]);
        assert_eq!(scores.seconds_to_detect, BTreeMap::from([("scan".to_owned(), None)]));
        assert_eq!((scores.local_hosts, scores.days, scores.false_alerts_per_host_day), (None, None, None));
    }

    #[test]
    fn all_that_an_alert_is_about_are_its_subjects() {
        use crate::detect::{Class, FlowRef, Incident, IncidentState};
        use crate::feature::Host;
        let ends = (Host(host(9)), Host(host(2)));
        let mut incident = Incident::new(Class::ArpSpoofing, ends.0, FlowRef::of_link(ends.0, ends.1), at(1));
        incident.add_subject(Host(host(1)));
        let notice = Notice { raised: at(1), state: IncidentState::Open, incident, is_degraded: false, present: BTreeMap::new() };
        assert_eq!(AlertLine::of(&notice).subjects, [host(1), host(9)]);
    }
}

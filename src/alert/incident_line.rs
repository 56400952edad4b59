//! Alert lines read back, as far as answers and lists of incidents need them.

use serde::Deserialize;

use super::told::ToldError;
use crate::detect::{Class, Direction, IncidentState, Subject};
use crate::feature::Host;
use crate::flow::Service;
use crate::time::Timestamp;

/// As many peers and services as a line names; a line of an earlier version does not say whether there were more.
const MOST_NAMED: usize = 64;

/// A line about an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentLine {
    /// What a rule looks at.
    pub subject: Subject,
    /// Where in its life.
    pub state: IncidentState,
    /// Flows with evidence.
    pub flows: u64,
    /// Identifier of the first incident of its story; its own in a line of an earlier version.
    pub story: u64,
    /// Identifiers and classes of the earlier incidents of its story.
    pub earlier: Vec<(String, String)>,
    /// Its strongest reason, in words.
    pub reason: String,
    /// The answer that it carries: number, kind, and whether it hid the line.
    pub answer: Option<(u64, String, bool)>,
}

#[derive(Deserialize)]
struct Line {
    event_type: String,
    #[serde(default)]
    timestamp: String,
    src_ip: Option<Host>,
    auscult: Option<Product>,
}

#[derive(Deserialize)]
struct Product {
    incident: Incident,
    bits: f64,
    #[serde(default)]
    why: Vec<Why>,
    answer: Option<AnswerPart>,
}

#[derive(Deserialize)]
struct Why {
    text: String,
}

#[derive(Deserialize)]
struct AnswerPart {
    number: u64,
    answer: String,
    hidden: bool,
}

#[derive(Deserialize)]
struct Incident {
    id: String,
    class: String,
    state: String,
    hosts: Vec<Host>,
    #[serde(default)]
    peers: Vec<Host>,
    #[serde(default)]
    services: Vec<String>,
    #[serde(default)]
    names: Vec<Vec<Box<str>>>,
    complete: Option<bool>,
    first: String,
    last: String,
    #[serde(default)]
    flows: u64,
    story: Option<String>,
    #[serde(default)]
    earlier: Vec<EarlierPart>,
}

#[derive(Deserialize)]
struct EarlierPart {
    id: String,
    class: String,
}

impl IncidentLine {
    /// Reads a line; none where it is another event than an alert.
    ///
    /// # Errors
    /// Says what is not in its form.
    pub fn read(line: &[u8]) -> Result<Option<Self>, ToldError> {
        let Line { event_type, timestamp, src_ip, auscult } = serde_json::from_slice(line)?;
        let Some(product) = auscult.filter(|_| event_type == "alert") else { return Ok(None) };
        let Product { incident, bits, why, answer } = product;
        let named = [incident.peers.len(), incident.services.len()];
        let host = *incident.hosts.first().ok_or(ToldError::Value { what: "hosts", got: "none".to_owned() })?;
        let services = incident.services.into_iter();
        let subject = Subject {
            id: identifier(incident.id)?,
            class: Class::named(&incident.class).ok_or(ToldError::Value { what: "class", got: incident.class })?,
            hosts: incident.hosts,
            peers: incident.peers,
            services: services.map(service).collect::<Result<_, _>>()?,
            names: incident.names,
            is_complete: incident.complete.unwrap_or_else(|| named.iter().all(|&len| len < MOST_NAMED)),
            direction: if src_ip.is_none_or(|src| src == host) { Direction::Out } else { Direction::In },
            bits,
            first: moment(incident.first)?,
            last: moment(incident.last)?,
            raised: moment(timestamp)?,
        };
        Ok(Some(Self {
            state: state(incident.state)?,
            flows: incident.flows,
            story: incident.story.map_or(Ok(subject.id), identifier)?,
            earlier: incident.earlier.into_iter().map(|earlier| (earlier.id, earlier.class)).collect(),
            reason: why.into_iter().next().map(|why| why.text).unwrap_or_default(),
            answer: answer.map(|answer| (answer.number, answer.answer, answer.hidden)),
            subject,
        }))
    }

    /// The incident's identifier as written.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{:016x}", self.subject.id)
    }
}

fn identifier(got: String) -> Result<u64, ToldError> {
    u64::from_str_radix(&got, 16).map_err(|_| ToldError::Value { what: "incident", got })
}

fn service(got: String) -> Result<Service, ToldError> {
    got.parse().map_err(|_| ToldError::Value { what: "service", got })
}

fn moment(got: String) -> Result<Timestamp, ToldError> {
    crate::time::parse(&got).map_err(|_| ToldError::Value { what: "time", got })
}

fn state(got: String) -> Result<IncidentState, ToldError> {
    let all = [IncidentState::Open, IncidentState::Update, IncidentState::Closed];
    all.into_iter().find(|state| state.name() == got).ok_or(ToldError::Value { what: "state", got })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::eve::{AlertContext, alert_event};
    use super::super::flow_event::tests::record;
    use super::*;
    use crate::detect::{AnsweredBy, FlowRef, Incident, Notice};
    use crate::flow::testing::packet;
    use crate::model::Calibration;

    fn notice() -> Notice {
        let record = record(&[packet(0, 1, 4000, 2, 53, 17)]);
        let mut incident = Incident::new(Class::Scan, Host(record.orig_addr()), FlowRef::of(&record), record.start);
        incident.add_peer(Host(record.resp_addr()), 3.0);
        incident.add_service(record.service(), Some(&FlowRef::of(&record)));
        (incident.flows, incident.bits) = (17, 12.5);
        Notice {
            raised: Timestamp::from_parts(60, 0),
            state: IncidentState::Open,
            incident,
            is_degraded: false,
            present: std::collections::BTreeMap::new(),
        }
    }

    fn written(notice: &Notice) -> Vec<u8> {
        let context = AlertContext {
            model_digest: None,
            trained_until: String::new(),
            pseudonyms: None,
            calibration: Calibration::default(),
        };
        serde_json::to_vec(&alert_event(notice, &context, (0, "sha256:0"))).unwrap()
    }

    #[test]
    fn a_line_says_to_a_rule_what_its_notice_says() {
        let mut notice = notice();
        let line = IncidentLine::read(&written(&notice)).unwrap().unwrap();
        assert_eq!(line.subject, Subject::of(&notice));
        assert_eq!((line.state, line.flows, line.story, line.answer), (IncidentState::Open, 17, notice.incident.id, None));
        let by = AnsweredBy {
            number: 4,
            kind: crate::detect::AnswerKind::Mute,
            by: "ada".into(),
            reason: "known".into(),
            hides: true,
        };
        notice.incident.answered_by = Some(Arc::new(by));
        let line = IncidentLine::read(&written(&notice)).unwrap().unwrap();
        assert_eq!(line.answer, Some((4, "mute".to_owned(), true)));
    }

    #[test]
    fn other_events_are_passed_over_and_odd_values_are_told() {
        assert_eq!(IncidentLine::read(br#"{"event_type": "flow"}"#).unwrap(), None);
        let line = String::from_utf8(written(&notice())).unwrap();
        for (is, becomes, what) in
            [("\"open\"", "\"ajar\"", "state"), ("\"scan\"", "\"scam\"", "class"), ("udp/53", "53", "service")]
        {
            let error = IncidentLine::read(line.replace(is, becomes).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(&format!("unexpected {what}")), "{error}");
        }
        assert!(IncidentLine::read(b"{").is_err());
    }
}

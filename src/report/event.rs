//! Events read back from EVE lines: alerts of this program and flow events of any.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use super::text::Shown;
use crate::alert::Link;
use crate::feature::Host;
use crate::time::Timestamp;

/// Hosts, peers, services, reasons and questions kept of one incident.
const MOST_LISTED: usize = 64;

/// A line of an EVE file, as far as a report needs it.
#[derive(Debug, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    pub event_type: Cow<'a, str>,
    #[serde(borrow)]
    pub timestamp: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub src_ip: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub dest_ip: Option<Cow<'a, str>>,
    pub dest_port: Option<u16>,
    pub icmp_type: Option<u16>,
    #[serde(borrow)]
    pub proto: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub app_proto: Option<Cow<'a, str>>,
    pub alert: Option<AlertPart>,
    pub flow: Option<FlowPart>,
    pub auscult: Option<Product>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AlertPart {
    #[serde(default)]
    pub signature: Shown,
    #[serde(default = "lowest")]
    pub severity: u8,
}

const fn lowest() -> u8 {
    3
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct FlowPart {
    #[serde(default)]
    pub pkts_toserver: u64,
    #[serde(default)]
    pub pkts_toclient: u64,
    #[serde(default)]
    pub bytes_toserver: u64,
    #[serde(default)]
    pub bytes_toclient: u64,
    pub start: Option<String>,
    pub end: Option<String>,
}

/// The object `auscult` of alerts and of flow events.
#[derive(Debug, Deserialize)]
pub(super) struct Product {
    pub incident: Option<IncidentPart>,
    pub bits: Option<f64>,
    pub p_value: Option<f64>,
    #[serde(default)]
    pub why: Vec<Why>,
    #[serde(default)]
    pub check: Vec<Shown>,
    #[serde(default)]
    pub attack: Vec<Attack>,
    pub model: Option<ModelPart>,
    #[serde(default)]
    pub degraded: bool,
    pub chain: Option<Link>,
    pub behaviour: Option<Shown>,
    pub orig: Option<Side>,
    pub resp: Option<Side>,
    pub features: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct IncidentPart {
    pub id: Shown,
    pub class: Shown,
    #[serde(default)]
    pub state: Shown,
    pub hosts: Vec<Host>,
    #[serde(default)]
    pub peers: Vec<Host>,
    #[serde(default)]
    pub services: Vec<Shown>,
    pub first: String,
    pub last: String,
    #[serde(default)]
    pub flows: u64,
}

/// What one side of a flow lost.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Side {
    #[serde(default)]
    pub missing_bytes: u64,
}

/// What judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct ModelPart {
    /// Digest of the model; none where the capture taught itself.
    pub digest: Option<Shown>,
    /// Until when it had learned.
    #[serde(default)]
    pub trained_until: Shown,
}

/// A technique of MITRE ATT&CK and its tactic, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Attack {
    /// Technique, as in `T1046`.
    pub technique: Shown,
    /// Tactic, as in `TA0007`.
    #[serde(default)]
    pub tactic: Shown,
}

/// A reason.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Why {
    /// What was looked at.
    #[serde(default)]
    pub feature: Shown,
    /// What was observed.
    #[serde(default, deserialize_with = "nullable")]
    pub observed: f64,
    /// What is usual.
    pub usual: Option<Usual>,
    /// Unit of both.
    #[serde(default)]
    pub unit: Shown,
    /// Surprise, in bits.
    #[serde(default, deserialize_with = "nullable")]
    pub bits: f64,
    /// In words.
    #[serde(default)]
    pub text: Shown,
}

/// A usual range; without ends where nothing like it was ever seen.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Usual {
    /// Its low end.
    pub low: Option<f64>,
    /// Its high end.
    pub high: Option<f64>,
    /// Of whom.
    #[serde(default)]
    pub of: Shown,
}

/// JSON has no infinity: what writes one writes `null`.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(0.0))
}

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// More may come.
    Open,
    /// Nothing more came.
    Closed,
}

/// An incident as its latest line tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Its identifier.
    pub id: Shown,
    /// Its class, as in `lateral_movement`.
    pub class: Shown,
    /// Its class in words.
    pub title: Shown,
    /// 1 is the highest, 3 the lowest.
    pub severity: u8,
    /// Open or closed.
    pub stage: Stage,
    /// Devices that it is about, the first above all; never empty.
    pub hosts: Vec<Host>,
    /// The other ends, strongest first; 64 at most.
    pub peers: Vec<Host>,
    /// What they were asked for.
    pub services: Vec<Shown>,
    /// First packet.
    pub first: Timestamp,
    /// Last packet.
    pub last: Timestamp,
    /// When it was told first, as far as the lines go.
    pub raised: Timestamp,
    /// Flows with evidence.
    pub flows: u64,
    /// Score.
    pub bits: f64,
    /// How often a window of normal time scores as high.
    pub p_value: Option<f64>,
    /// Reasons, strongest first.
    pub why: Vec<Why>,
    /// What to check.
    pub check: Vec<Shown>,
    /// Techniques of ATT&CK.
    pub attack: Vec<Attack>,
    /// What judged.
    pub model: ModelPart,
    /// Was it judged in a state in which something was missing?
    pub degraded: bool,
}

impl Told {
    /// The incident of an alert line; says what is missing where it is not one of this program.
    pub(super) fn of(line: Line<'_>) -> Result<Self, String> {
        let raised = moment("timestamp", line.timestamp.as_deref())?;
        let alert = line.alert.ok_or("field \"alert\" is missing")?;
        let product = line.auscult.ok_or("field \"auscult\" is missing")?;
        let mut incident = product.incident.ok_or("field \"auscult.incident\" is missing")?;
        let (first, last) =
            (moment("auscult.incident.first", Some(&incident.first))?, moment("auscult.incident.last", Some(&incident.last))?);
        if incident.hosts.is_empty() {
            return Err(String::from("field \"auscult.incident.hosts\" names no device"));
        }
        let (mut why, mut check, mut attack) = (product.why, product.check, product.attack);
        incident.hosts.truncate(MOST_LISTED);
        incident.peers.truncate(MOST_LISTED);
        incident.services.truncate(MOST_LISTED);
        why.truncate(MOST_LISTED);
        check.truncate(MOST_LISTED);
        attack.truncate(MOST_LISTED);
        let title = alert.signature.as_str();
        Ok(Self {
            id: incident.id,
            title: Shown::new(title.strip_prefix("auscult: ").unwrap_or(title)),
            class: incident.class,
            severity: alert.severity.clamp(1, 3),
            stage: if incident.state.as_str() == "closed" { Stage::Closed } else { Stage::Open },
            hosts: incident.hosts,
            peers: incident.peers,
            services: incident.services,
            first,
            last: last.max(first),
            raised,
            flows: incident.flows,
            bits: product.bits.unwrap_or(0.0),
            p_value: product.p_value,
            why,
            check,
            attack,
            model: product.model.unwrap_or_default(),
            degraded: product.degraded,
        })
    }

    /// The device that it is about.
    #[must_use]
    pub fn host(&self) -> Host {
        self.hosts[0]
    }
}

/// A time of a line.
pub(super) fn moment(field: &str, text: Option<&str>) -> Result<Timestamp, String> {
    let text = text.ok_or_else(|| format!("field {field:?} is missing"))?;
    crate::time::parse(text).map_err(|error| format!("field {field:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"timestamp":"2026-06-03T09:08:12.225184+0000","event_type":"alert","src_ip":"10.0.0.1",
        "alert":{"signature":"auscult: host sweep","severity":0},
        "auscult":{"incident":{"id":"7","class":"sweep","state":"closed","hosts":["10.0.0.1"],
        "first":"2026-06-03T09:08:01.284915+0000","last":"2026-06-03T09:08:01.688367+0000","flows":3},"bits":37.1,
        "why":[{"feature":"x","observed":null,"usual":{"low":null,"high":null,"of":"this device"},"bits":1,"text":"t"}]}}"#;

    #[test]
    fn an_alert_line_is_read_with_what_it_has() {
        let told = Told::of(serde_json::from_str(LINE).unwrap()).unwrap();
        assert_eq!((told.title.as_str(), told.severity, told.stage, told.flows), ("host sweep", 1, Stage::Closed, 3));
        assert_eq!(told.host().to_string(), "10.0.0.1");
        assert_eq!((told.why[0].observed, told.model.digest), (0.0, None));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (have, want, words) in [
            ("\"hosts\":[\"10.0.0.1\"]", "\"hosts\":[]", "hosts"),
            ("2026-06-03T09:08:01.284915+0000", "soon", "first"),
            ("\"incident\"", "\"accident\"", "auscult.incident"),
        ] {
            let line = LINE.replace(have, want);
            let error = Told::of(serde_json::from_str(&line).unwrap()).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}

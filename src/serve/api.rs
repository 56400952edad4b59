//! What programs read (docs/api.md).

use std::collections::HashMap;

use serde_json::{Value, json};

use super::answer::as_json;
use super::board::Board;
use super::health::Pulse;
use super::kept::{Kept, MOST_INCIDENTS};
use crate::detect::{Class, IncidentState};
use crate::feature::Host;
use crate::pipeline::PublishGauge;
use crate::report::text::Shown;
use crate::sink::SinkState;

/// Incidents and devices in one answer.
const MOST_LISTED: usize = 2000;
const USUALLY_LISTED: usize = 200;

/// What stands behind the question mark of an address.
pub(super) type Query = HashMap<String, String>;

/// Reads a query.
///
/// # Errors
/// Names a parameter that is not among `known`, or comes twice.
pub(super) fn query(text: Option<&str>, known: &[&str]) -> Result<Query, String> {
    let mut query = Query::new();
    for (name, value) in text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).map(pair) {
        if !known.contains(&name.as_str()) {
            return Err(format!("unknown parameter {name:?}: wanted some of {}", known.join(", ")));
        }
        if query.insert(name.clone(), value).is_some() {
            return Err(format!("parameter {name:?} comes twice"));
        }
    }
    Ok(query)
}

/// A name and its value, with `+` and `%xx` as they are meant.
pub(super) fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (decoded(name), decoded(value))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let hex = more.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let code = hex.filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(code.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if code.is_some() { &more[2..] } else { more };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn number<T: std::str::FromStr>(query: &Query, name: &str, otherwise: T) -> Result<T, String> {
    query.get(name).map_or(Ok(otherwise), |text| text.parse().map_err(|_| format!("{name}={text:?}: wanted a number")))
}

pub(super) const INCIDENT_PARAMETERS: [&str; 8] = ["state", "class", "severity", "host", "text", "answered", "before", "limit"];

/// Which incidents are asked for.
struct Filter {
    is_open: Option<bool>,
    class: Option<Class>,
    severity: Option<u8>,
    host: Option<Host>,
    text: Option<String>,
    answered: Option<bool>,
}

impl Filter {
    fn of(query: &Query) -> Result<Self, String> {
        let choice = |name: &str, yes: &str, no: &str| match query.get(name).map(String::as_str) {
            None => Ok(None),
            Some(value) if value == yes => Ok(Some(true)),
            Some(value) if value == no => Ok(Some(false)),
            Some(value) => Err(format!("{name}={value:?}: wanted {yes} or {no}")),
        };
        let class = |text: &String| Class::named(text).ok_or_else(|| format!("class={text:?}: no such class"));
        let host = |text: &String| text.parse().map_err(|_| format!("host={text:?}: wanted an address"));
        let severity = |text: &String| match text.as_str() {
            "1" => Ok(1),
            "2" => Ok(2),
            "3" => Ok(3),
            _ => Err(format!("severity={text:?}: wanted 1, 2 or 3")),
        };
        Ok(Self {
            is_open: choice("state", "open", "closed")?,
            class: query.get("class").map(class).transpose()?,
            severity: query.get("severity").map(severity).transpose()?,
            host: query.get("host").map(host).transpose()?,
            text: query.get("text").map(|text| text.to_lowercase()),
            answered: choice("answered", "yes", "no")?,
        })
    }

    fn wants(&self, kept: &Kept, board: &Board) -> bool {
        let it = &kept.subject;
        self.is_open.is_none_or(|open| open == (kept.state != IncidentState::Closed))
            && self.class.is_none_or(|class| class == it.class)
            && self.severity.is_none_or(|severity| severity == it.class.info().severity)
            && self.host.is_none_or(|host| it.hosts.contains(&host) || it.peers.contains(&host))
            && self.answered.is_none_or(|answered| answered == kept.answer.is_some())
            && self.text.as_ref().is_none_or(|text| row(board, kept).to_string().to_lowercase().contains(text))
    }
}

/// `GET /api/v1/incidents`: newest first, and where to go on.
///
/// # Errors
/// Says which parameter is wrong.
pub(super) fn incidents(board: &mut Board, query: &Query) -> Result<Value, String> {
    // Their names come with the devices.
    board.devices();
    let board = &*board;
    let filter = Filter::of(query)?;
    let limit = number(query, "limit", USUALLY_LISTED)?.clamp(1, MOST_LISTED);
    let before = number(query, "before", u64::MAX)?;
    let mut wanted = board.incidents.before(before).filter(|kept| filter.wants(kept, board));
    let listed: Vec<&Kept> = wanted.by_ref().take(limit).collect();
    let next = wanted.next().and(listed.last()).map(|kept| kept.number);
    let rows: Vec<Value> = listed.into_iter().map(|kept| row(board, kept)).collect();
    Ok(json!({
        "version": board.incidents.version(), "kept": board.incidents.len(), "most": MOST_INCIDENTS, "gone": board.incidents.gone,
        "next_before": next, "incidents": rows,
    }))
}

/// An incident in one line of a list.
pub(super) fn row(board: &Board, kept: &Kept) -> Value {
    let it = &kept.subject;
    let info = it.class.info();
    let answer = kept.answer.and_then(|number| board.incidents.answers().get(number)).map(|standing| {
        let answer = &standing.answer;
        json!({
            "number": standing.number, "answer": answer.answer.name(), "by": Shown::new(&answer.by).as_str(),
            "reason": Shown::new(&answer.reason).as_str(),
        })
    });
    let name = |host: &Host| board.name_of(*host).map(Shown::as_str);
    json!({
        "id": format!("{:016x}", it.id), "number": kept.number, "version": kept.version, "class": info.name, "title": info.title,
        "severity": info.severity, "state": kept.state.name(), "hidden": kept.is_hidden, "earlier_run": kept.is_recalled,
        "host": it.hosts.first().map(ToString::to_string), "name": it.hosts.first().and_then(name), "hosts": it.hosts.len(),
        "peer": kept.peer.map(|peer| peer.to_string()), "peer_name": kept.peer.as_ref().and_then(name), "peers": it.peers.len(),
        "complete": it.is_complete, "first": it.first.to_string(), "last": it.last.to_string(), "raised": kept.first_raised.to_string(),
        "bits": (it.bits * 10.0).round() / 10.0, "flows": kept.flows, "reason": kept.reason.as_str(),
        "story": format!("{:016x}", kept.story), "answer": answer,
    })
}

/// `GET /api/v1/incidents/ID`: all that its alert says, its lines, its answers and its story.
pub(super) fn incident(board: &Board, id: u64) -> Option<Value> {
    let kept = board.incidents.get(id)?;
    let past: Vec<Value> = kept
        .past
        .iter()
        .map(|moment| {
            json!({
                "raised": moment.raised.to_string(), "state": moment.state.name(), "bits": moment.bits, "flows": moment.flows,
                "hidden": moment.is_hidden,
            })
        })
        .collect();
    let answers = board.incidents.answers();
    let is_about = |about: &crate::detect::About| u64::from_str_radix(&about.incident, 16) == Ok(id);
    let given: Vec<Value> = answers
        .iter()
        .filter(|it| it.answer.about.as_ref().is_some_and(is_about) || kept.answer == Some(it.number))
        .map(as_json)
        .collect();
    let story: Vec<Value> = board
        .incidents
        .before(u64::MAX)
        .filter(|other| other.story == kept.story && other.number != kept.number)
        .take(USUALLY_LISTED)
        .map(|other| row(board, other))
        .collect();
    let mut alert: Value = serde_json::from_str(&kept.line).unwrap_or_default();
    // It belongs to no chain here: that of the record is in the record.
    if let Some(product) = alert.get_mut("auscult").and_then(Value::as_object_mut) {
        product.remove("chain");
    }
    Some(json!({"incident": row(board, kept), "alert": alert, "lines": past, "answers": given, "story": story}))
}

/// `GET /api/v1/answers`: newest first.
pub(super) fn answers(board: &Board, can_answer: bool) -> Value {
    let all: Vec<&crate::detect::Standing> = board.incidents.answers().iter().collect();
    let listed: Vec<Value> = all.iter().rev().take(MOST_LISTED).map(|standing| as_json(standing)).collect();
    json!({"count": all.len(), "can_answer": can_answer, "answers": listed})
}

/// `GET /api/v1/devices`.
///
/// # Errors
/// Says which parameter is wrong.
pub(super) fn devices(board: &mut Board, query: &Query) -> Result<Value, String> {
    let limit = number(query, "limit", USUALLY_LISTED)?.clamp(1, MOST_LISTED);
    let offset = number(query, "offset", 0usize)?;
    let devices = board.devices();
    let listed = devices.get(offset..).unwrap_or_default();
    let page = &listed[..limit.min(listed.len())];
    Ok(json!({"count": devices.len(), "offset": offset, "devices": page}))
}

/// `GET /api/v1/traffic`: minutes with traffic of the last two days.
pub(super) fn traffic(board: &Board) -> Value {
    let minutes = board.minutes.iter().map(|(at, step)| {
        json!({
            "at": at.to_string(), "bytes": step.bytes.round(), "missing_bytes": step.missing_bytes.round(), "flows": step.flows,
            "unusual": step.unusual,
        })
    });
    json!({"minutes": minutes.collect::<Vec<Value>>()})
}

/// `GET /api/v1/model`: the card as `auscult inspect --json` gives it; none where no model judges.
pub(super) fn model(board: &Board) -> Option<Value> {
    let known = board.report.model.as_ref()?;
    crate::model::card_json(known.model()).ok()
}

/// `GET /api/v1/status`.
pub(super) fn status(board: &Board, pulse: &Pulse) -> Value {
    let vitals = pulse.vitals();
    let (account, now) = vitals.gauges.account();
    let by_class = |counts: &std::collections::BTreeMap<Class, u64>| -> Value {
        counts.iter().map(|(class, count)| (class.info().name.to_owned(), json!(count))).collect::<serde_json::Map<_, _>>().into()
    };
    let [high, medium, low] = board.open_by_severity();
    json!({
        "program": "auscult", "version": env!("CARGO_PKG_VERSION"), "up_s": pulse.up_s().round(),
        "state": if board.is_judging() { "judging" } else { "learning" },
        "illness": pulse.illness(), "is_over": vitals.gauges.is_over(), "interface": vitals.interface,
        "capture": account, "capture_time": now.map(|now| now.to_string()),
        "model": board.context.as_ref().map(|context| json!({"digest": context.model_digest, "trained_until": context.trained_until})),
        "incidents": {"version": board.incidents.version(), "kept": board.incidents.len(), "gone": board.incidents.gone,
                      "from_earlier_runs": board.incidents.recalled(), "open": {"high": high, "medium": medium, "low": low}},
        "alert_lines": {"told": by_class(&board.told), "hidden": by_class(&board.hidden)},
        "sinks": sinks(pulse),
        "published": vitals.gauges.published().map(published),
        "guard": vitals.guarded.iter().map(|(part, holds)| ((*part).to_owned(), json!(holds))).collect::<serde_json::Map<_, _>>(),
        "missed_by_the_page": board.missed(),
    })
}

/// How publishing flow records goes.
fn published(gauge: PublishGauge) -> Value {
    let PublishGauge { records, copies, lost, messages, bytes, acknowledged, waiting, spool_bytes, failures, is_away } = gauge;
    json!({
        "records": records, "copies": copies, "lost": lost, "messages": messages, "bytes": bytes, "acknowledged": acknowledged,
        "waiting": waiting, "spool_bytes": spool_bytes, "failures": failures, "away": is_away,
    })
}

/// Where alerts go and how each target is doing.
fn sinks(pulse: &Pulse) -> Vec<Value> {
    let sinks = (1..).zip(&pulse.vitals().sinks).map(|(number, gauge): (usize, _)| {
        let SinkState { sent, waiting, spool_bytes, dropped, refused, failures, is_away } = gauge.state();
        json!({
            "number": number, "format": gauge.format, "kind": gauge.kind, "sent": sent, "waiting": waiting, "spool_bytes": spool_bytes,
            "dropped": dropped, "refused": refused, "failures": failures, "away": is_away,
        })
    });
    sinks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_and_checked() {
        let read = query(Some("text=a+b%20%3Cscript%3E&limit=5"), &["text", "limit"]).unwrap();
        assert_eq!((read["text"].as_str(), number(&read, "limit", 1)), ("a b <script>", Ok(5)));
        assert!(query(Some("x=1"), &["text"]).unwrap_err().contains("unknown parameter"));
        assert!(query(Some("text=1&text=2"), &["text"]).unwrap_err().contains("twice"));
        assert_eq!(pair("a=%zz%4"), ("a".to_owned(), "%zz%4".to_owned()));
        assert!(Filter::of(&query(Some("state=ajar"), &INCIDENT_PARAMETERS).unwrap()).is_err());
    }
}

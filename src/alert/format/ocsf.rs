//! OCSF Detection Finding (class 2004 of category 2).

use serde_json::{Value, json};

use super::view::{Level, View, Why, millis};
use super::{PRODUCT, VERSION};

/// Version of the schema whose attributes are used.
const SCHEMA: &str = "1.6.0";

pub(super) fn event(view: &View) -> Value {
    let (product, incident) = (&view.auscult, &view.auscult.incident);
    let (activity_id, activity, status_id, status) = match incident.state.as_str() {
        "open" => (1, "Create", 1, "New"),
        "closed" => (3, "Close", 99, "Quiet"),
        _ => (2, "Update", 1, "New"),
    };
    let (severity_id, severity) = match view.level() {
        Level::High => (4, "High"),
        Level::Medium => (3, "Medium"),
        Level::Low => (2, "Low"),
    };
    let mut event = json!({
        "activity_id": activity_id, "activity_name": activity,
        "category_uid": 2, "category_name": "Findings",
        "class_uid": 2004, "class_name": "Detection Finding",
        "type_uid": 200_400 + activity_id, "type_name": format!("Detection Finding: {activity}"),
        "time": millis(view.raised()), "start_time": millis(view.first()), "end_time": millis(view.last()),
        "count": incident.flows,
        "severity_id": severity_id, "severity": severity,
        "status_id": status_id, "status": status,
        "is_alert": true,
        "message": format!("{}: {}", view.title(), view.reason()),
        "risk_score": view.risk(),
        "metadata": {
            "version": SCHEMA, "uid": view.id(), "sequence": product.chain.seq,
            "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": VERSION},
        },
        "finding_info": finding(view),
        "evidences": [evidence(view)],
        "resources": incident.hosts.iter().map(|host| json!({"uid": host, "name": host, "type": "Device"})).collect::<Vec<_>>(),
        "anomaly_analyses": [analysis(view)],
        "unmapped": {
            "class": incident.class, "bits": product.bits, "p_value": product.p_value, "peers": incident.peers, "services": incident.services,
            "baseline": product.baseline, "model_digest": product.model.digest,
        },
    });
    if !product.check.is_empty() {
        event["remediation"] = json!({"desc": product.check.join(" ")});
    }
    event
}

fn finding(view: &View) -> Value {
    let (product, incident) = (&view.auscult, &view.auscult.incident);
    let attacks: Vec<Value> = product
        .attack
        .iter()
        .map(|attack| json!({"technique": {"uid": attack.technique}, "tactic": {"uid": attack.tactic}}))
        .collect();
    json!({
        "uid": incident.id, "title": view.title(), "desc": view.reasons(), "types": [incident.class],
        "first_seen_time": millis(view.first()), "last_seen_time": millis(view.last()), "related_events_count": incident.flows,
        // What is learned is what is usual; the score is a tail probability of it.
        "analytic": {"type_id": 2, "type": "Behavioral", "uid": view.alert.signature_id.to_string(), "name": view.alert.signature, "version": view.alert.rev.to_string()},
        "attacks": attacks,
    })
}

/// The flow that shows the incident best, and the file with the incident's packets.
fn evidence(view: &View) -> Value {
    let end = |address: &str, port: Option<u16>| match port {
        Some(port) => json!({"ip": address, "port": port}),
        None => json!({"ip": address}),
    };
    let mut connection = json!({
        "direction_id": 0, "protocol_name": view.proto.to_lowercase(), "protocol_ver_id": if view.is_v6() { 6 } else { 4 },
    });
    if let Some(number) = view.protocol_number() {
        connection["protocol_num"] = json!(number);
    }
    if let Some(id) = &view.community_id {
        connection["community_uid"] = json!(id);
    }
    let mut evidence = json!({
        "src_endpoint": end(&view.src_ip, view.src_port), "dst_endpoint": end(&view.dest_ip, view.dest_port), "connection_info": connection,
    });
    if let Some(file) = &view.auscult.evidence {
        evidence["file"] = json!({"name": file, "type_id": 1, "type": "Regular File"});
    }
    evidence
}

/// What was observed of the device against what is usual.
fn analysis(view: &View) -> Value {
    let why = &view.auscult.why;
    json!({
        "analysis_targets": view.auscult.incident.hosts.iter().map(|host| json!({"name": host, "type": "Device"})).collect::<Vec<_>>(),
        "anomalies": why.iter().map(anomaly).collect::<Vec<_>>(),
        "baselines": why.iter().filter_map(baseline).collect::<Vec<_>>(),
    })
}

fn anomaly(why: &Why) -> Value {
    json!({"observation_parameter": why.feature, "observations": [{"value": format!("{} {}", why.observed, why.unit)}]})
}

/// None for what was never seen: it has no usual range.
fn baseline(why: &Why) -> Option<Value> {
    let (low, high) = (why.usual.low.as_f64()?, why.usual.high.as_f64()?);
    let value = format!("{low} to {high} {} ({})", why.unit, why.usual.of);
    Some(json!({"observation_parameter": why.feature, "observations": [{"value": value}]}))
}

//! Elastic Common Schema; `auscult` holds what it has no field for.

use core::net::IpAddr;

use serde_json::{Value, json};

use super::view::{Level, View, zulu};
use super::{PRODUCT, VERSION};

/// Version of the schema whose fields are used.
const ECS: &str = "8.11.0";

pub(super) fn event(view: &View, sensor: &str) -> Value {
    let (product, incident) = (&view.auscult, &view.auscult.incident);
    let mut event = json!({
        "@timestamp": zulu(view.raised()),
        "ecs": {"version": ECS},
        "message": format!("{}: {}", view.title(), view.reason()),
        "tags": [PRODUCT],
        "labels": {"incident_id": incident.id, "incident_state": incident.state, "incident_class": incident.class},
        "event": {
            "kind": "alert", "category": ["network", "intrusion_detection"], "type": [kind(&incident.state)], "action": incident.class,
            "module": PRODUCT, "dataset": "auscult.alert", "id": view.id(), "sequence": product.chain.seq,
            "start": zulu(view.first()), "end": zulu(view.last()), "duration": view.lasted().nanos(),
            "severity": severity(view.level()), "risk_score": product.bits.clamp(0.0, 100.0), "reason": view.reasons(),
        },
        "observer": {"vendor": PRODUCT, "product": PRODUCT, "version": VERSION, "type": "ids", "name": sensor},
        "network": network(view),
        "source": end(&view.src_ip, view.src_port),
        "destination": end(&view.dest_ip, view.dest_port),
        "related": {"ip": related(view)},
        "rule": {
            "id": view.alert.signature_id.to_string(), "name": view.alert.signature, "category": view.alert.category,
            "version": view.alert.rev.to_string(),
        },
        PRODUCT: {
            "bits": product.bits, "p_value": product.p_value, "flows": incident.flows, "hosts": incident.hosts, "peers": incident.peers,
            "services": incident.services, "check": product.check, "baseline": product.baseline, "model": {"digest": product.model.digest},
        },
    });
    if let Some(file) = &product.evidence {
        event[PRODUCT]["evidence"] = json!(file);
    }
    if !product.attack.is_empty() {
        let of = |name: fn(&super::view::Attack) -> &str| -> Vec<&str> { product.attack.iter().map(name).collect() };
        event["threat"] = json!({
            "framework": "MITRE ATT&CK", "technique": {"id": of(|attack| &attack.technique)}, "tactic": {"id": of(|attack| &attack.tactic)},
        });
    }
    event
}

fn kind(state: &str) -> &'static str {
    match state {
        "open" => "start",
        "closed" => "end",
        _ => "info",
    }
}

/// The numbers that Elastic Security's own rules give to high, medium and low.
const fn severity(level: Level) -> u8 {
    match level {
        Level::High => 73,
        Level::Medium => 47,
        Level::Low => 21,
    }
}

fn network(view: &View) -> Value {
    let mut network = json!({"type": if view.is_v6() { "ipv6" } else { "ipv4" }, "transport": view.proto.to_lowercase()});
    if let Some(number) = view.protocol_number() {
        network["iana_number"] = json!(number.to_string());
    }
    if let Some(app) = view.app() {
        network["protocol"] = json!(app);
    }
    if let Some(id) = &view.community_id {
        network["community_id"] = json!(id);
    }
    network
}

fn end(address: &str, port: Option<u16>) -> Value {
    port.map_or_else(|| json!({"ip": address}), |port| json!({"ip": address, "port": port}))
}

/// Every address once, the incident's device first; not the interfaces of devices whose present addresses are not known.
fn related(view: &View) -> Vec<&str> {
    let incident = &view.auscult.incident;
    let all = incident.hosts.iter().chain(&incident.peers).chain([&view.src_ip, &view.dest_ip]);
    let mut once: Vec<&str> = Vec::new();
    all.map(String::as_str).filter(|host| host.parse::<IpAddr>().is_ok()).for_each(|address| {
        if !once.contains(&address) {
            once.push(address);
        }
    });
    once
}

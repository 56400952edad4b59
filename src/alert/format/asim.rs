//! Microsoft Sentinel's ASIM schema `NetworkSession` with `EventType` `IDS`.

use serde_json::{Value, json};

use super::view::{View, zulu};
use super::{PRODUCT, VERSION};

/// Version of the schema whose fields are used.
const SCHEMA: &str = "0.2.6";

pub(super) fn event(view: &View, sensor: &str) -> Value {
    let incident = &view.auscult.incident;
    let mut event = json!({
        "TimeGenerated": zulu(view.raised()),
        "EventCount": 1,
        "EventStartTime": zulu(view.first()),
        "EventEndTime": zulu(view.last()),
        "EventType": "IDS",
        // Nothing is blocked: the traffic went where it was sent.
        "EventResult": "Success",
        "DvcAction": "Allow",
        "EventProduct": PRODUCT,
        "EventVendor": PRODUCT,
        "EventProductVersion": VERSION,
        "EventSchema": "NetworkSession",
        "EventSchemaVersion": SCHEMA,
        "EventSeverity": view.level().name(),
        "EventOriginalSeverity": view.alert.severity.to_string(),
        "EventUid": view.id(),
        "EventOriginalUid": incident.id,
        "EventOriginalType": view.alert.signature_id.to_string(),
        "EventMessage": view.reasons(),
        "Dvc": sensor,
        "DvcHostname": sensor,
    });
    if let (Value::Object(members), Value::Object(others)) = (&mut event, network_and_threat(view)) {
        members.extend(others);
    }
    event
}

/// The conversation, what is wrong with it, and what the schema has no field for.
fn network_and_threat(view: &View) -> Value {
    let (product, incident) = (&view.auscult, &view.auscult.incident);
    let mut event = json!({
        "SrcIpAddr": view.src_ip,
        "DstIpAddr": view.dest_ip,
        "Src": view.src_ip,
        "Dst": view.dest_ip,
        "NetworkProtocol": view.proto,
        "NetworkProtocolVersion": if view.is_v6() { "IPv6" } else { "IPv4" },
        "NetworkDuration": view.lasted().nanos() / 1_000_000,
        "NetworkRuleName": view.alert.signature,
        "ThreatId": view.alert.signature_id.to_string(),
        "ThreatName": view.title(),
        "ThreatCategory": view.alert.category,
        "ThreatRiskLevel": view.risk(),
        "ThreatIpAddr": view.host(),
        "AdditionalFields": {
            "IncidentClass": incident.class, "IncidentState": incident.state, "Flows": incident.flows, "Hosts": incident.hosts,
            "Peers": incident.peers, "Bits": product.bits, "PValue": product.p_value, "Check": product.check,
            "Techniques": product.attack.iter().map(|attack| attack.technique.as_str()).collect::<Vec<_>>(),
            "Tactics": product.attack.iter().map(|attack| attack.tactic.as_str()).collect::<Vec<_>>(),
            "CommunityId": view.community_id, "ModelDigest": product.model.digest, "Baseline": product.baseline,
        },
    });
    if let Some(file) = &product.evidence {
        event["AdditionalFields"]["Evidence"] = json!(file);
    }
    let threat = [("SrcIpAddr", &view.src_ip), ("DstIpAddr", &view.dest_ip)];
    if let Some((field, _)) = threat.into_iter().find(|(_, address)| address.as_str() == view.host()) {
        event["ThreatField"] = json!(field);
    }
    let ports = [("SrcPortNumber", view.src_port), ("DstPortNumber", view.dest_port)];
    ports.into_iter().for_each(|(name, port)| {
        if let Some(port) = port {
            event[name] = json!(port);
        }
    });
    if let Some(app) = view.app() {
        event["NetworkApplicationProtocol"] = json!(app.to_uppercase());
    }
    if let Some(flow) = view.flow_id {
        event["NetworkSessionId"] = json!(flow.to_string());
    }
    event
}

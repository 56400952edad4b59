//! EVE without the object `auscult`: what a reader that knows Suricata's schema alone accepts. What such a reader can still use is
//! in `alert.metadata`, whose values are lists of texts.

use serde_json::{Map, Value, json};

use super::view::View;

pub(super) fn line(view: &View, mut event: Map<String, Value>) -> String {
    event.remove("auscult");
    let product = &view.auscult;
    let mut metadata = json!({
        "auscult_id": [view.id()], "auscult_incident": [product.incident.id], "auscult_class": [product.incident.class],
        "auscult_state": [product.incident.state], "auscult_bits": [format!("{}", product.bits)],
        "signature_severity": [view.level().name()],
    });
    if !product.attack.is_empty() {
        metadata["mitre_technique_id"] = product.attack.iter().map(|attack| attack.technique.as_str()).collect();
        metadata["mitre_tactic_id"] = product.attack.iter().map(|attack| attack.tactic.as_str()).collect();
    }
    if let Some(file) = &product.evidence {
        metadata["auscult_evidence"] = json!([file]);
    }
    if let Some(alert) = event.get_mut("alert") {
        alert["metadata"] = metadata;
    }
    Value::Object(event).to_string()
}

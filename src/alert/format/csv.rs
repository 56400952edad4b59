//! Comma-separated values with a header (RFC 4180, but for lines that end in `\n` alone).

use super::view::View;

const COLUMNS: [&str; 28] = [
    "timestamp",
    "id",
    "incident",
    "state",
    "class",
    "severity",
    "bits",
    "p_value",
    "signature",
    "host",
    "peers",
    "services",
    "src_ip",
    "src_port",
    "dest_ip",
    "dest_port",
    "proto",
    "app_proto",
    "community_id",
    "first",
    "last",
    "flows",
    "technique",
    "tactic",
    "why",
    "check",
    "model",
    "evidence",
];

pub(super) fn head() -> String {
    COLUMNS.join(",")
}

pub(super) fn row(view: &View) -> String {
    let (product, incident) = (&view.auscult, &view.auscult.incident);
    let number = |port: Option<u16>| port.map(|port| port.to_string()).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let listed = |list: &[String]| list.join(" ");
    let techniques: Vec<&str> = product.attack.iter().map(|attack| attack.technique.as_str()).collect();
    let tactics: Vec<&str> = product.attack.iter().map(|attack| attack.tactic.as_str()).collect();
    let cells: [String; COLUMNS.len()] = [
        view.timestamp.clone(),
        view.id(),
        incident.id.clone(),
        incident.state.clone(),
        incident.class.clone(),
        view.alert.severity.to_string(),
        product.bits.to_string(),
        product.p_value.to_string(),
        view.title().to_owned(),
        listed(&incident.hosts),
        listed(&incident.peers),
        listed(&incident.services),
        view.src_ip.clone(),
        number(view.src_port),
        view.dest_ip.clone(),
        number(view.dest_port),
        view.proto.clone(),
        text(&view.app_proto),
        text(&view.community_id),
        incident.first.clone(),
        incident.last.clone(),
        incident.flows.to_string(),
        techniques.join(" "),
        tactics.join(" "),
        view.reasons(),
        listed(&product.check),
        text(&product.model.digest),
        text(&product.evidence),
    ];
    cells.map(|cell| quoted(&cell)).join(",")
}

/// In quotes where it holds what would end a field or a row.
fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

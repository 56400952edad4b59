//! Zeek's notice.log, as tab-separated values and as JSON. Behind Zeek's own columns stand five more; Zeek's logs tell their columns
//! in their head, so readers take them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::PRODUCT;
use super::view::View;
use crate::time::Timestamp;

/// The columns and their types. What a notice of ours never has (files, mail, places) is left out; `uid` stays, unset, since readers
/// look for it: it is Zeek's own number of a connection, and `community_id` is what both know it by.
const COLUMNS: [(&str, &str); 23] = [
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("proto", "enum"),
    ("note", "enum"),
    ("msg", "string"),
    ("sub", "string"),
    ("src", "addr"),
    ("dst", "addr"),
    ("p", "port"),
    ("n", "count"),
    ("peer_descr", "string"),
    ("actions", "set[enum]"),
    ("suppress_for", "interval"),
    ("community_id", "string"),
    ("incident_id", "string"),
    ("incident_state", "string"),
    ("alert_id", "string"),
    ("bits", "double"),
    ("evidence", "string"),
];

/// The head of a file.
pub(super) fn head(at: Timestamp) -> String {
    let columns =
        |which: fn(&(&'static str, &'static str)) -> &'static str| COLUMNS.iter().map(which).collect::<Vec<_>>().join("\t");
    format!(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tnotice\n#open\t{}\n#fields\t{}\n#types\t{}",
        stamp(at),
        columns(|(name, _)| name),
        columns(|(_, kind)| kind),
    )
}

/// The last line of a file.
pub(super) fn foot(at: Timestamp) -> String {
    format!("#close\t{}", stamp(at))
}

/// `2026-01-31-09-12-03`.
pub(in super::super) fn stamp(at: Timestamp) -> String {
    at.to_string().chars().take(19).map(|c| if matches!(c, 'T' | ':') { '-' } else { c }).collect()
}

/// Epoch seconds to the microsecond.
pub(in super::super) fn epoch(at: Timestamp) -> String {
    let micros = at.nanos().div_euclid(1000);
    format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
}

/// `covert_application` as `Auscult::Covert_Application`.
fn note(class: &str) -> String {
    let words: Vec<String> = class
        .split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        })
        .collect();
    format!("Auscult::{}", words.join("_"))
}

pub(super) fn object(view: &View) -> Value {
    let (product, incident) = (&view.auscult, &view.auscult.incident);
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| {
        object.insert(name.to_owned(), value);
    };
    // A number that keeps its microseconds: they fit the 53 bits of a double until the year 2255.
    put("ts", epoch(view.raised()).parse().map_or(Value::Null, |seconds: f64| json!(seconds)));
    put("id.orig_h", json!(view.src_ip));
    put("id.orig_p", json!(view.src_port.or(view.icmp_type)));
    put("id.resp_h", json!(view.dest_ip));
    put("id.resp_p", json!(view.dest_port.or(view.icmp_code)));
    put("proto", json!(proto(view)));
    put("note", json!(note(&incident.class)));
    put("msg", json!(format!("{}: {}", view.title(), view.reason())));
    let others: Vec<&str> = product.why.iter().skip(1).map(|why| why.text.as_str()).collect();
    put("sub", if others.is_empty() { Value::Null } else { json!(others.join("; ")) });
    put("src", json!(view.host()));
    put("dst", json!(incident.peers.first()));
    put("p", json!(view.dest_port));
    put("n", json!(incident.flows));
    put("peer_descr", json!(PRODUCT));
    put("actions", json!(["Notice::ACTION_LOG"]));
    put("suppress_for", json!(0.0));
    put("community_id", json!(view.community_id));
    put("incident_id", json!(incident.id));
    put("incident_state", json!(incident.state));
    put("alert_id", json!(view.id()));
    put("bits", json!(product.bits));
    put("evidence", json!(product.evidence));
    object.retain(|_, value| !value.is_null());
    Value::Object(object)
}

/// Zeek knows four transports.
fn proto(view: &View) -> &'static str {
    match view.proto.as_str() {
        "TCP" => "tcp",
        "UDP" => "udp",
        "ICMP" | "IPv6-ICMP" => "icmp",
        _ => "unknown_transport",
    }
}

pub(super) fn row(view: &View) -> String {
    let object = object(view);
    let cell = |(name, _): &(&str, &str)| match object.get(*name) {
        _ if *name == "ts" => epoch(view.raised()),
        None => "-".to_owned(),
        Some(Value::String(text)) => escaped(text),
        Some(Value::Array(set)) => set.iter().filter_map(Value::as_str).map(escaped).collect::<Vec<_>>().join(","),
        Some(Value::Number(number)) if *name == "suppress_for" => format!("{:.6}", number.as_f64().unwrap_or_default()),
        Some(number) => number.to_string(),
    };
    COLUMNS.iter().map(cell).collect::<Vec<_>>().join("\t")
}

/// As Zeek writes a text: what would end a field or a line, and the backslash, as `\xHH`; a text that would mean unset or empty too.
fn escaped(text: &str) -> String {
    match text {
        "" => return "(empty)".to_owned(),
        "-" => return "\\x2d".to_owned(),
        "(empty)" => return "\\x28empty)".to_owned(),
        _ => {}
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\\' || c.is_ascii_control() {
            let _ = write!(escaped, "\\x{:02x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

//! ArcSight Common Event Format 0. What stands in which key is what Sentinel's `CommonSecurityLog` maps (`docs/siem/sentinel.md`).

use core::net::IpAddr;
use std::fmt::Write as _;

use super::view::{Level, View, millis};
use super::{PRODUCT, VERSION};

pub(super) fn line(view: &View, sensor: &str) -> String {
    let severity = match view.level() {
        Level::High => 8,
        Level::Medium => 5,
        Level::Low => 3,
    };
    let (number, title) = (view.alert.signature_id, header(view.title()));
    let mut text = format!("CEF:0|{PRODUCT}|{PRODUCT}|{}|{number}|{title}|{severity}|", header(VERSION));
    for (place, (key, value)) in extension(view, sensor).iter().enumerate() {
        let space = if place == 0 { "" } else { " " };
        let _ = write!(text, "{space}{key}={}", escaped(value));
    }
    text
}

type Pairs = Vec<(&'static str, String)>;

fn extension(view: &View, sensor: &str) -> Pairs {
    let (product, incident) = (&view.auscult, &view.auscult.incident);
    let mut pairs: Pairs = vec![
        ("rt", millis(view.raised()).to_string()),
        ("start", millis(view.first()).to_string()),
        ("end", millis(view.last()).to_string()),
        ("cat", view.alert.category.clone()),
        ("act", "allowed".to_owned()),
        ("cnt", incident.flows.to_string()),
        ("dvchost", sensor.to_owned()),
        ("externalId", view.id()),
    ];
    ends(view, &mut pairs);
    pairs.push(("proto", view.proto.clone()));
    pairs.extend(view.app().map(|app| ("app", app.to_owned())));
    pairs.extend(product.evidence.iter().map(|file| ("fname", file.clone())));
    pairs.push(("msg", view.reason().to_owned()));
    let techniques: Vec<&str> = product.attack.iter().map(|attack| attack.technique.as_str()).collect();
    let labelled = [
        (["cs1Label", "cs1"], "communityId", view.community_id.clone().unwrap_or_default()),
        (["cs2Label", "cs2"], "explanation", view.reasons()),
        (["cs3Label", "cs3"], "attackTechnique", techniques.join(" ")),
        (["cs4Label", "cs4"], "modelVersion", product.model.digest.clone().unwrap_or_default()),
        (["cs6Label", "cs6"], "incidentId", incident.id.clone()),
        (["flexString1Label", "flexString1"], "incidentState", incident.state.clone()),
        (["flexString2Label", "flexString2"], "incidentClass", incident.class.clone()),
        (["cn1Label", "cn1"], "flows", incident.flows.to_string()),
        (["cn2Label", "cn2"], "windowSeconds", (view.lasted().as_seconds().ceil() as i64).to_string()),
        (["cfp1Label", "cfp1"], "score", product.bits.to_string()),
        (["cfp2Label", "cfp2"], "pValue", product.p_value.to_string()),
    ];
    for ([label, key], name, value) in labelled {
        // A label without its value would name nothing.
        if !value.is_empty() {
            pairs.extend([(label, name.to_owned()), (key, value)]);
        }
    }
    pairs
}

/// `src` and `dst` hold IPv4 addresses alone.
fn ends(view: &View, pairs: &mut Pairs) {
    let is_v4 = |text: &str| text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4());
    let mut end = |address: &str, key, [six_label, six]: [&'static str; 2], name: &str| {
        if is_v4(address) {
            pairs.push((key, address.to_owned()));
        } else {
            pairs.extend([(six_label, name.to_owned()), (six, address.to_owned())]);
        }
    };
    end(&view.src_ip, "src", ["c6a2Label", "c6a2"], "Source IPv6 Address");
    end(&view.dest_ip, "dst", ["c6a3Label", "c6a3"], "Destination IPv6 Address");
    pairs.extend(view.src_port.map(|port| ("spt", port.to_string())));
    pairs.extend(view.dest_port.map(|port| ("dpt", port.to_string())));
}

/// A field of the header: `\` and `|` are escaped, and it is one line.
fn header(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '|' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A value of the extension: `\` and `=` are escaped, line ends are written `\n` and `\r`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '=' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

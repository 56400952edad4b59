//! Every line of alerts and flows is EVE, with the product's object, and the alerts form a chain.

use std::collections::BTreeMap;
use std::net::IpAddr;

use auscult::time::{Timestamp, parse};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::{CLINIC_SPLIT, Folder, Run, auscult, clinic, clinic_model, lines, text};

/// What a member must be.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    /// A whole number from 0.
    Count,
    Number,
    Flag,
    List,
    Object,
    /// RFC 3339 to the microsecond with `+0000`.
    Time,
    /// An address as RFC 5952 says.
    Address,
    /// `sha256:` and 64 digits.
    Digest,
    /// A number or null.
    Maybe,
}

fn is_time(text: &str) -> bool {
    let form = "0000-00-00T00:00:00.000000+0000";
    let same = |(c, f): (char, char)| if f == '0' { c.is_ascii_digit() } else { c == f };
    text.len() == form.len() && text.chars().zip(form.chars()).all(same)
}

fn time(value: &Value) -> Timestamp {
    let text = value.as_str().unwrap();
    assert!(is_time(text), "{text}");
    parse(&text.replace("+0000", "Z")).unwrap()
}

fn is_address(text: &str) -> bool {
    // The standard library writes as RFC 5952 says; what differs from it is another form of the same address.
    text.parse::<IpAddr>().is_ok_and(|ip| ip.to_string() == text)
}

fn is_digest(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or_default();
    digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Self::Text => text.is_some_and(|text| !text.is_empty()),
            Self::Count => value.is_u64(),
            Self::Number => value.as_f64().is_some_and(f64::is_finite),
            Self::Flag => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
            Self::Time => text.is_some_and(is_time),
            Self::Address => text.is_some_and(is_address),
            Self::Digest => text.is_some_and(is_digest),
            Self::Maybe => value.is_null() || value.is_number(),
        }
    }
}

/// Every member named by its path is there and of its kind.
fn check(line: &Value, members: &[(&str, Kind)]) {
    for (path, kind) in members {
        let value = path.split('.').try_fold(line, |value, name| value.get(name));
        let value = value.unwrap_or_else(|| panic!("{path} is missing in {line}"));
        assert!(kind.fits(value), "{path} is {value}, wanted {kind:?}: {line}");
    }
}

use Kind::{Address, Count, Digest, Flag, List, Maybe, Number, Object, Text, Time};

const COMMON: [(&str, Kind); 5] =
    [("timestamp", Time), ("event_type", Text), ("src_ip", Address), ("dest_ip", Address), ("proto", Text)];

/// What is below IP has no flow.
const OF_A_FLOW: [(&str, Kind); 3] = [("app_proto", Text), ("flow_id", Count), ("community_id", Text)];

const ALERT: [(&str, Kind); 35] = [
    ("alert.action", Text),
    ("alert.gid", Count),
    ("alert.signature_id", Count),
    ("alert.rev", Count),
    ("alert.signature", Text),
    ("alert.category", Text),
    ("alert.severity", Count),
    ("auscult.incident.id", Text),
    ("auscult.incident.class", Text),
    ("auscult.incident.state", Text),
    ("auscult.incident.hosts", List),
    ("auscult.incident.peers", List),
    ("auscult.incident.first", Time),
    ("auscult.incident.last", Time),
    ("auscult.incident.flows", Count),
    ("auscult.incident.names", List),
    ("auscult.incident.complete", Flag),
    ("auscult.incident.story", Text),
    ("auscult.incident.earlier", List),
    ("auscult.incident.earlier_left_out", Count),
    ("auscult.bits", Number),
    ("auscult.p_value", Number),
    ("auscult.score.shared", Number),
    ("auscult.score.conversations", List),
    ("auscult.score.others", Number),
    ("auscult.why", List),
    ("auscult.check", List),
    ("auscult.attack", List),
    ("auscult.model", Object),
    ("auscult.model.trained_until", Time),
    ("auscult.baseline", Text),
    ("auscult.state", Text),
    ("auscult.degraded", Flag),
    ("auscult.chain.seq", Count),
    ("auscult.chain.prev", Digest),
];

const WHY: [(&str, Kind); 11] = [
    ("feature", Text),
    ("observed", Number),
    ("usual.low", Maybe),
    ("usual.high", Maybe),
    ("usual.of", Text),
    ("unit", Text),
    ("bits", Number),
    ("text", Text),
    ("about.host", Address),
    ("about.peer", Address),
    ("about.service", Text),
];

const FLOW: [(&str, Kind); 19] = [
    ("community_id", Text),
    ("ip_v", Count),
    ("flow.pkts_toserver", Count),
    ("flow.pkts_toclient", Count),
    ("flow.bytes_toserver", Count),
    ("flow.bytes_toclient", Count),
    ("flow.start", Time),
    ("flow.end", Time),
    ("flow.age", Count),
    ("flow.state", Text),
    ("flow.reason", Text),
    ("flow.alerted", Flag),
    ("auscult.partial", Flag),
    ("auscult.segment", Count),
    ("auscult.bits", Number),
    ("auscult.behaviour", Text),
    ("auscult.direction", Text),
    ("auscult.conn_state", Text),
    ("auscult.under_way", Flag),
];

const TCP: [(&str, Kind); 12] = [
    ("tcp.tcp_flags", Text),
    ("tcp.tcp_flags_ts", Text),
    ("tcp.tcp_flags_tc", Text),
    ("tcp.syn", Flag),
    ("tcp.fin", Flag),
    ("tcp.rst", Flag),
    ("tcp.psh", Flag),
    ("tcp.ack", Flag),
    ("tcp.urg", Flag),
    ("tcp.ecn", Flag),
    ("tcp.cwr", Flag),
    ("auscult.history", Text),
];

/// What EVE's schema knows at the top; it refuses all else.
const TOP: [&str; 19] = [
    "timestamp",
    "flow_id",
    "event_type",
    "vlan",
    "ether",
    "src_ip",
    "src_port",
    "dest_ip",
    "dest_port",
    "proto",
    "ip_v",
    "app_proto",
    "community_id",
    "icmp_type",
    "icmp_code",
    "alert",
    "flow",
    "tcp",
    "auscult",
];

fn check_common(line: &Value, event_type: &str) {
    check(line, &COMMON);
    assert_eq!(line["event_type"], event_type);
    for name in line.as_object().unwrap().keys() {
        assert!(TOP.contains(&name.as_str()), "{name} is not in EVE's schema: {line}");
    }
    match line["proto"].as_str().unwrap() {
        "TCP" | "UDP" => check(line, &[("src_port", Count), ("dest_port", Count)]),
        "ICMP" | "IPv6-ICMP" => check(line, &[("icmp_type", Count), ("icmp_code", Count)]),
        _ => {}
    }
    if line["proto"] == "ARP" {
        assert!(OF_A_FLOW.iter().all(|(name, _)| line.get(name).is_none()), "{line}");
        return;
    }
    check(line, &OF_A_FLOW);
    let id = line["community_id"].as_str().unwrap();
    assert!(id.starts_with("1:") && id.len() == 30 && id.ends_with('='), "{id}");
    assert!(line["flow_id"].as_u64().unwrap() < 1 << 53, "JSON numbers are exact up to 53 bits");
}

/// The clinic after its split, judged by its past: alerts on stdout, flows in the folder.
fn judged(folder: &Folder) -> (Run, Vec<Value>) {
    let model = clinic_model(folder);
    let flows = folder.name("flows");
    let run = auscult(&["replay", text(&clinic()), "--from", CLINIC_SPLIT, "--model", &model, "--flows", &flows]).ended(0);
    let flows = lines(&folder.read("flows"));
    (run, flows)
}

fn check_alert(line: &Value) {
    check_common(line, "alert");
    check(line, &ALERT);
    let product = &line["auscult"];
    assert!((1..=3).contains(&line["alert"]["severity"].as_u64().unwrap()), "1 is the highest: {line}");
    assert_eq!(line["alert"]["action"], "allowed");
    assert!(line["alert"]["signature"].as_str().unwrap().starts_with("auscult: "));
    assert!(["open", "update", "closed"].contains(&product["incident"]["state"].as_str().unwrap()));
    for list in ["hosts", "peers"] {
        let list = product["incident"][list].as_array().unwrap();
        assert!(!list.is_empty() && list.iter().all(|address| Address.fits(address)), "{line}");
    }
    let why = product["why"].as_array().unwrap();
    assert!(!why.is_empty(), "an alert without a reason: {line}");
    for reason in why {
        check(reason, &WHY);
        assert!(reason["bits"].as_f64().unwrap() > 0.0, "a reason without bits: {line}");
        assert!(reason["text"].as_str().unwrap().len() > 10, "{line}");
    }
    // What makes it an incident of its class comes first, then the others; of each the strongest first.
    let stronger_after = why.windows(2).filter(|pair| pair[0]["bits"].as_f64() < pair[1]["bits"].as_f64()).count();
    assert!(stronger_after <= 1, "the strongest first: {line}");
    let check_list = product["check"].as_array().unwrap();
    assert!(!check_list.is_empty() && check_list.iter().all(|question| Text.fits(question)), "{line}");
    for attack in product["attack"].as_array().unwrap() {
        let (technique, tactic) = (attack["technique"].as_str().unwrap(), attack["tactic"].as_str().unwrap());
        assert!(technique.starts_with('T') && tactic.starts_with("TA00"), "{line}");
    }
    let p = product["p_value"].as_f64().unwrap();
    assert!(p > 0.0 && p <= 1.0, "no p-value of conformal calibration is 0: {line}");
    assert!(product["bits"].as_f64().unwrap() > 0.0);
    assert_eq!((&product["state"], &product["degraded"]), (&Value::from("judging"), &Value::from(false)));
}

#[test]
fn every_alert_is_eve_with_the_product_object() {
    let folder = Folder::new();
    let (run, _) = judged(&folder);
    let alerts = run.lines();
    assert!(alerts.len() > 5, "{} alerts", alerts.len());
    let model: Value = serde_json::from_slice(&folder.read("clinic.model.json")).unwrap();
    for line in &alerts {
        check_alert(line);
        assert_eq!((&line["auscult"]["model"]["digest"], &line["auscult"]["baseline"]), (&model["digest"], &"model".into()));
    }
}

#[test]
fn a_capture_that_taught_itself_says_so_in_every_alert() {
    let alerts = auscult(&["replay", text(&clinic())]).ended(0).lines();
    assert!(!alerts.is_empty());
    for line in &alerts {
        check_alert(line);
        assert_eq!((&line["auscult"]["baseline"], &line["auscult"]["model"]["digest"]), (&"self".into(), &Value::Null));
    }
}

#[test]
fn alerts_form_a_chain_that_shows_what_was_changed() {
    let (run, _) = judged(&Folder::new());
    let mut before = format!("sha256:{}", "0".repeat(64));
    let mut count = 0;
    for (number, line) in run.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        let event: Value = serde_json::from_slice(line).unwrap();
        assert_eq!(event["auscult"]["chain"]["seq"], number);
        assert_eq!(event["auscult"]["chain"]["prev"], before.as_str(), "line {number}");
        before = format!("sha256:{}", auscult::feature::hex(&Sha256::digest(line)));
        count += 1;
    }
    assert!(count > 5);
}

#[test]
fn alerts_are_told_in_the_order_of_time_and_each_incident_lives_once() {
    let (run, _) = judged(&Folder::new());
    let alerts = run.lines();
    let raised: Vec<Timestamp> = alerts.iter().map(|line| time(&line["timestamp"])).collect();
    assert!(raised.is_sorted(), "timestamps go back");
    let mut lives: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (line, raised) in alerts.iter().zip(&raised) {
        let incident = &line["auscult"]["incident"];
        let (first, last) = (time(&incident["first"]), time(&incident["last"]));
        assert!(first <= last && first <= *raised, "{line}");
        lives.entry(incident["id"].as_str().unwrap()).or_default().push(incident["state"].as_str().unwrap());
    }
    for (id, states) in &lives {
        let [first, middle @ .., last] = states.as_slice() else { panic!("{id}: {states:?}") };
        assert_eq!((*first, *last), ("open", "closed"), "{id}: {states:?}");
        assert!(middle.iter().all(|state| *state == "update"), "{id}: {states:?}");
    }
}

#[test]
fn every_flow_is_eve_with_its_bits() {
    let (run, flows) = judged(&Folder::new());
    assert!(flows.len() > 1000);
    let (mut v6, mut icmp) = (0, 0);
    for line in &flows {
        check_common(line, "flow");
        check(line, &FLOW);
        if line["proto"] == "TCP" {
            check(line, &TCP);
        }
        let flow = &line["flow"];
        assert!(line["auscult"]["bits"].as_f64().unwrap() >= 0.0);
        assert!(["new", "established", "closed"].contains(&flow["state"].as_str().unwrap()), "{line}");
        assert!(["timeout", "forced", "shutdown"].contains(&flow["reason"].as_str().unwrap()), "{line}");
        let (start, end) = (time(&flow["start"]), time(&flow["end"]));
        assert!(start <= end && flow["age"].as_f64().unwrap() <= end.since(start).as_seconds() + 1e-6, "{line}");
        assert!(flow["pkts_toserver"].as_u64().unwrap() + flow["pkts_toclient"].as_u64().unwrap() > 0, "{line}");
        assert_eq!(line["ip_v"] == 6, line["src_ip"].as_str().unwrap().contains(':'), "{line}");
        v6 += usize::from(line["ip_v"] == 6);
        icmp += usize::from(line["icmp_type"].is_u64());
    }
    assert!(v6 > 10 && icmp > 5, "{v6} over IPv6, {icmp} ICMP: the capture says too little");
    // The flow that an alert shows is among the flows.
    let ids: std::collections::BTreeSet<u64> = flows.iter().map(|flow| flow["flow_id"].as_u64().unwrap()).collect();
    for alert in run.lines().iter().filter(|alert| alert["proto"] != "ARP") {
        assert!(ids.contains(&alert["flow_id"].as_u64().unwrap()), "{alert}");
    }
}

/// The segments of a flow that goes on are told by one identifier and numbered from 0, all but the last partial.
#[test]
fn segments_are_numbered_and_all_but_the_last_are_partial() {
    let (_, flows) = judged(&Folder::new());
    let mut segments: BTreeMap<u64, Vec<(u64, bool)>> = BTreeMap::new();
    for line in &flows {
        let segment = (line["auscult"]["segment"].as_u64().unwrap(), line["auscult"]["partial"].as_bool().unwrap());
        assert!(!segment.1 || line["flow"]["reason"] == "timeout");
        segments.entry(line["flow_id"].as_u64().unwrap()).or_default().push(segment);
    }
    let mut long = 0;
    for (id, mut segments) in segments {
        segments.sort_unstable();
        let count = segments.len() as u64;
        long += usize::from(count > 1);
        let wanted: Vec<(u64, bool)> = (0..count).map(|n| (n, n + 1 < count)).collect();
        assert_eq!(segments, wanted, "flow {id}");
    }
    assert!(long > 10, "only {long} long flows");
}

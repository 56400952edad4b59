//! What kind of thing an incident is, and what the field calls it.

use super::evidence::{Contribution, Evidence};
use super::surprise::Surprise;
use crate::app::App;
use crate::feature::Observation;
use crate::model::Minute;

/// A kind of incident; what tells more comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Many services of one device tried.
    Scan,
    /// Many devices tried for one service.
    Sweep,
    /// Many log-ins to one device.
    BruteForce,
    /// Names or packets that carry other data.
    Tunnel,
    /// Too many flows or clients at once.
    Flood,
    /// A new conversation that comes like a clock.
    Beaconing,
    /// Far more data moved than usual.
    Exfiltration,
    /// New administrative access from device to device.
    LateralMovement,
    /// A device offers what it never offered.
    NewService,
    /// A device that was never seen.
    NewDevice,
    /// Unusual, with its reasons.
    Unusual,
}

/// Everything fixed about a class.
#[derive(Clone, Copy, Debug)]
pub struct ClassInfo {
    /// `auscult.incident.class`.
    pub name: &'static str,
    /// Signature text after `auscult: `.
    pub title: &'static str,
    /// EVE `alert.category`, as in Suricata's classification.config where one fits.
    pub category: &'static str,
    /// EVE `alert.signature_id`; stable for ever.
    pub signature_id: u32,
    /// 1 (highest) to 3.
    pub severity: u8,
    /// MITRE ATT&CK technique and tactic, where one fits.
    pub attack: Option<(&'static str, &'static str)>,
    /// What to check next.
    pub check: &'static [&'static str],
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Scan,
        Self::Sweep,
        Self::BruteForce,
        Self::Tunnel,
        Self::Flood,
        Self::Beaconing,
        Self::Exfiltration,
        Self::LateralMovement,
        Self::NewService,
        Self::NewDevice,
        Self::Unusual,
    ];

    /// Everything fixed about it.
    #[must_use]
    pub const fn info(self) -> &'static ClassInfo {
        &INFOS[self as usize]
    }
}

const SCAN_CATEGORY: &str = "Detection of a Network Scan";
const UNKNOWN_CATEGORY: &str = "Unknown Traffic";

static INFOS: [ClassInfo; 11] = [
    ClassInfo {
        name: "scan",
        title: "port scan",
        category: SCAN_CATEGORY,
        signature_id: 1,
        severity: 2,
        attack: Some(("T1046", "TA0007")),
        check: &["Is this device an approved vulnerability scanner?", "Which of the ports answered, and what listens there?"],
    },
    ClassInfo {
        name: "sweep",
        title: "host sweep",
        category: SCAN_CATEGORY,
        signature_id: 2,
        severity: 2,
        attack: Some(("T1018", "TA0007")),
        check: &["Is this device meant to look for others (inventory, discovery)?", "Which devices answered?"],
    },
    ClassInfo {
        name: "brute_force",
        title: "password guessing",
        category: "Attempted User Privilege Gain",
        signature_id: 3,
        severity: 1,
        attack: Some(("T1110", "TA0006")),
        check: &[
            "Did a log-in succeed after the attempts? Look at the target's log.",
            "Is a service account's password expired?",
        ],
    },
    ClassInfo {
        name: "tunnel",
        title: "data hidden in another protocol",
        category: "A Network Trojan was detected",
        signature_id: 5,
        severity: 1,
        attack: Some(("T1071.004", "TA0011")),
        check: &["Who owns the domain that is asked for?", "Which program on the device sends these requests?"],
    },
    ClassInfo {
        name: "flood",
        title: "flood of connections",
        category: "Attempted Denial of Service",
        signature_id: 4,
        severity: 2,
        attack: Some(("T1499", "TA0040")),
        check: &["Does the target still serve its users?", "Is a client retrying in a loop after a fault?"],
    },
    ClassInfo {
        name: "beaconing",
        title: "clock-like new conversation",
        category: "A Network Trojan was detected",
        signature_id: 6,
        severity: 1,
        attack: Some(("T1071.001", "TA0011")),
        check: &["Who owns the address that is called?", "Was software with an update or telemetry service installed?"],
    },
    ClassInfo {
        name: "exfiltration",
        title: "unusual amount of data moved",
        category: "Potential Corporate Privacy Violation",
        signature_id: 7,
        severity: 1,
        attack: Some(("T1041", "TA0010")),
        check: &["Was this transfer started by a person or a planned job?", "What data does the source hold?"],
    },
    ClassInfo {
        name: "lateral_movement",
        title: "new administrative access between devices",
        category: "Potentially Bad Traffic",
        signature_id: 8,
        severity: 1,
        attack: Some(("T1021", "TA0008")),
        check: &["Is there a change or maintenance ticket for this access?", "Whose account was used?"],
    },
    ClassInfo {
        name: "new_service",
        title: "new service on a known device",
        category: "Potentially Bad Traffic",
        signature_id: 9,
        severity: 2,
        attack: Some(("T1571", "TA0011")),
        check: &["Was the device updated or reconfigured?", "What listens on this port?"],
    },
    ClassInfo {
        name: "new_device",
        title: "unusual conversations of a device never seen before",
        category: UNKNOWN_CATEGORY,
        signature_id: 10,
        severity: 2,
        attack: Some(("T1200", "TA0001")),
        check: &["Is this device in the asset register?", "Which switch port and which person does it belong to?"],
    },
    ClassInfo {
        name: "unusual",
        title: "unusual behaviour",
        category: UNKNOWN_CATEGORY,
        signature_id: 11,
        severity: 3,
        attack: None,
        check: &["Does the reason below match a known change on this device?"],
    },
];

/// Different services of one peer within a minute that make a scan.
const SCAN_SERVICES: u32 = 15;
/// Different peers of one service within a minute that make a sweep.
const SWEEP_PEERS: u32 = 10;
/// Flows to one log-in service within a minute that make password guessing.
const LOGIN_FLOWS: u32 = 10;
/// Flows to one target within a minute that make a flood.
const FLOOD_FLOWS: f64 = 30.0;
/// Payload of a flow that makes a transfer worth its name, in bytes.
const TRANSFER_BYTES: f64 = 100_000.0;
/// Mean length of names that can carry data, in bytes.
const TUNNEL_NAME_BYTES: f32 = 25.0;
/// The same told by the size of queries, where the capture cut the names.
const TUNNEL_QUERY_BYTES: f32 = 80.0;
/// DNS queries within a minute, in one flow or in many, that can carry data worth its name.
const TUNNEL_QUERIES: f32 = 15.0;
/// TCP ports of log-in and administration.
const LOGIN_PORTS: [u16; 14] = [21, 22, 23, 88, 135, 139, 389, 445, 1433, 3306, 3389, 5432, 5900, 5985];

/// What one flow's surprise speaks of.
#[must_use]
pub fn classify(
    seen: &Observation,
    surprise: &Surprise,
    context: Option<Contribution>,
    window: Option<&Minute>,
    known_device: bool,
) -> Class {
    let evidence = context.map(|part| part.evidence);
    if let Some(class) = window.and_then(|window| by_count(seen, surprise, window)) {
        return class;
    }
    let strongest = [surprise.new, surprise.shape, context].into_iter().flatten().reduce(|a, b| a.stronger(Some(b)));
    match strongest.map(|part| (part.evidence, part.observed)) {
        _ if is_tunnel(seen, window) => Class::Tunnel,
        Some((Evidence::FlowRate, flows)) if flows >= FLOOD_FLOWS => Class::Flood,
        _ if evidence == Some(Evidence::Rhythm) => Class::Beaconing,
        _ if is_transfer(seen, surprise) => Class::Exfiltration,
        Some((Evidence::NewOffer, _)) => Class::NewService,
        _ if surprise.unknown_edge && is_login(seen) && seen.resp_local && seen.orig_local => Class::LateralMovement,
        _ if !known_device && seen.orig_local => Class::NewDevice,
        _ => Class::Unusual,
    }
}

fn by_count(seen: &Observation, surprise: &Surprise, window: &Minute) -> Option<Class> {
    let count = |value: Option<&u32>| value.copied().unwrap_or(0);
    if surprise.unknown_edge && count(window.services_by_peer.get(&(seen.orig, seen.resp))) >= SCAN_SERVICES {
        return Some(Class::Scan);
    }
    if surprise.unknown_edge && count(window.peers_by_service.get(&(seen.orig, seen.service))) >= SWEEP_PEERS {
        return Some(Class::Sweep);
    }
    let flows = count(window.conversations.get(&(seen.orig, seen.resp, seen.service)));
    (is_login(seen) && flows >= LOGIN_FLOWS).then_some(Class::BruteForce)
}

fn is_tunnel(seen: &Observation, window: Option<&Minute>) -> bool {
    let target = (seen.orig, seen.resp, seen.service);
    let flows = window.and_then(|window| window.conversations.get(&target)).copied().unwrap_or(0) as f32;
    let long = seen.vector[DNS_NAME_BYTES] >= TUNNEL_NAME_BYTES || seen.vector[PAYLOAD_MEAN_ORIG] >= TUNNEL_QUERY_BYTES;
    let odd = long || seen.vector[DNS_ODD_TYPES] > 0.5;
    seen.app == App::Dns && odd && seen.vector[DNS_QUERIES].max(flows) >= TUNNEL_QUERIES
}

fn is_login(seen: &Observation) -> bool {
    let by_content = matches!(seen.app, App::Ssh | App::Smb | App::Rdp | App::Ftp | App::Telnet | App::Ldap | App::Kerberos);
    by_content || seen.service.protocol == 6 && LOGIN_PORTS.contains(&seen.service.port)
}

fn is_transfer(seen: &Observation, surprise: &Surprise) -> bool {
    let volume = surprise.shape.is_some_and(|part| matches!(part.evidence, Evidence::Volume(3 | 4) | Evidence::OddShape(1..=12)));
    let sent = f64::from(seen.vector[3]) >= TRANSFER_BYTES;
    let fetched = f64::from(seen.vector[4]) >= TRANSFER_BYTES && seen.resp_local;
    volume && (sent || fetched)
}

/// Indices of features.
const PAYLOAD_MEAN_ORIG: usize = 7;
const DNS_QUERIES: usize = 39;
const DNS_NAME_BYTES: usize = 40;
const DNS_ODD_TYPES: usize = 43;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_own_number_and_name() {
        let ids: std::collections::BTreeSet<_> = Class::ALL.iter().map(|class| class.info().signature_id).collect();
        let names: std::collections::BTreeSet<_> = Class::ALL.iter().map(|class| class.info().name).collect();
        assert_eq!((ids.len(), names.len()), (Class::ALL.len(), Class::ALL.len()));
        assert_eq!([Class::Flood, Class::Tunnel, Class::Unusual].map(|class| class.info().name), ["flood", "tunnel", "unusual"]);
        let names =
            [PAYLOAD_MEAN_ORIG, DNS_QUERIES, DNS_NAME_BYTES, DNS_ODD_TYPES].map(|index| crate::feature::SCHEMA[index].name);
        assert_eq!(names, ["payload_mean_orig", "dns_queries", "dns_name_mean_bytes", "dns_odd_type_share"]);
    }
}

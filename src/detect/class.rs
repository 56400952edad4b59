//! What kind of thing an incident is, and what the field calls it.

use serde::{Deserialize, Serialize};

use super::evidence::{Contribution, Evidence};
use super::recent::Context;
use super::surprise::Surprise;
use crate::app::{App, Family};
use crate::feature::{DNS_NAME_BYTES, DNS_ODD_TYPES, DNS_QUERIES, FactKind, Observation};
use crate::model::{CARRIER_NAME_BYTES, Calibration, HourOfDevice, Minute, TUNNEL_NAME_BYTES};

/// A kind of incident; what tells more comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// An address that two devices claim, so that one gets the other's traffic.
    ArpSpoofing,
    /// Many files changed on shares, as ransomware does.
    FileActivity,
    /// A program that hides traffic or works for others.
    CovertApplication,
    /// A new conversation that comes like a clock.
    Beaconing,
    /// Far more data moved than usual.
    Exfiltration,
    /// New access to a clinical or control system.
    CriticalAccess,
    /// New administrative access from device to device.
    LateralMovement,
    /// A clinical or control conversation has stopped.
    SilentChannel,
    /// Many devices do the same new thing.
    PopulationChange,
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
    pub const ALL: [Self; 17] = [
        Self::Scan,
        Self::Sweep,
        Self::BruteForce,
        Self::Tunnel,
        Self::Flood,
        Self::ArpSpoofing,
        Self::FileActivity,
        Self::CovertApplication,
        Self::Beaconing,
        Self::Exfiltration,
        Self::CriticalAccess,
        Self::LateralMovement,
        Self::SilentChannel,
        Self::PopulationChange,
        Self::NewService,
        Self::NewDevice,
        Self::Unusual,
    ];

    /// Is it what ordinary life does not do, so that it is worth telling again when it comes again?
    #[must_use]
    pub const fn recurs(self) -> bool {
        matches!(
            self,
            Self::Scan
                | Self::Sweep
                | Self::BruteForce
                | Self::Tunnel
                | Self::Flood
                | Self::ArpSpoofing
                | Self::FileActivity
                | Self::CriticalAccess
                | Self::LateralMovement
        )
    }

    /// The class of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.info().name == name)
    }

    /// Bits beyond the threshold that it needs. What is merely unusual names nothing that a person could look for, so it must be
    /// eight times as improbable as what has a name. What drift has raised is raised for the vague ones alone, so that a flood of
    /// alerts hides no attack.
    #[must_use]
    pub fn margin_bits(self, calibration: &Calibration) -> f64 {
        let unnamed = if matches!(self, Self::Unusual) { UNNAMED_BITS } else { 0.0 };
        unnamed + if self.is_vague() { calibration.raised_bits } else { 0.0 }
    }

    /// Does it only say that something is unusual or new? Ordinary life brings these when it drifts.
    #[must_use]
    pub const fn is_vague(self) -> bool {
        matches!(self, Self::PopulationChange | Self::NewService | Self::NewDevice | Self::Unusual)
    }

    /// Does it speak of a way out of the network, of which the name that was asked for is part?
    #[must_use]
    pub const fn leads_out(self) -> bool {
        matches!(self, Self::Tunnel | Self::CovertApplication | Self::Beaconing | Self::Exfiltration)
    }

    /// Is it such evidence that makes an incident one of this class, so that a person wants to read it first?
    #[must_use]
    pub const fn is_told_by(self, evidence: Evidence) -> bool {
        match self {
            Self::Scan | Self::Sweep => matches!(
                evidence,
                Evidence::TargetRate
                    | Evidence::SlowTargets
                    | Evidence::FailedRate
                    | Evidence::SlowFailures
                    | Evidence::AddressesAsked
            ),
            Self::BruteForce => matches!(evidence, Evidence::LoginFailures | Evidence::FlowRate | Evidence::FailedRate),
            Self::Tunnel => matches!(evidence, Evidence::NameBytes | Evidence::FlowRate | Evidence::Volume(_)),
            Self::Flood => matches!(evidence, Evidence::ServedRate | Evidence::ClientRate | Evidence::FlowRate),
            Self::ArpSpoofing => matches!(evidence, Evidence::AddressDispute),
            Self::FileActivity => matches!(evidence, Evidence::FileChanges),
            Self::CovertApplication => matches!(evidence, Evidence::NewFact(_) | Evidence::NewService),
            Self::Beaconing => matches!(evidence, Evidence::Rhythm),
            Self::Exfiltration => matches!(evidence, Evidence::Volume(_)),
            Self::CriticalAccess | Self::LateralMovement => {
                evidence.is_by_initiator() || matches!(evidence, Evidence::RemoteControl)
            }
            Self::SilentChannel => matches!(evidence, Evidence::Silence),
            Self::PopulationChange => matches!(evidence, Evidence::Population),
            Self::NewService => matches!(evidence, Evidence::NewOffer),
            Self::NewDevice => matches!(evidence, Evidence::NewDevice),
            Self::Unusual => true,
        }
    }

    /// Everything fixed about it.
    #[must_use]
    pub const fn info(self) -> &'static ClassInfo {
        &INFOS[self as usize]
    }
}

/// Bits beyond the threshold of what has no name.
const UNNAMED_BITS: f64 = 5.0;

const SCAN_CATEGORY: &str = "Detection of a Network Scan";
const UNKNOWN_CATEGORY: &str = "Unknown Traffic";

static INFOS: [ClassInfo; 17] = [
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
        name: "arp_spoofing",
        title: "address claimed by two devices",
        category: "Misc Attack",
        signature_id: 15,
        severity: 1,
        attack: Some(("T1557.002", "TA0006")),
        check: &["Which switch port does the second claimant sit on?", "Is it a pair of devices that fail over to each other?"],
    },
    ClassInfo {
        name: "file_activity",
        title: "many files changed on shares",
        category: "Potentially Bad Traffic",
        signature_id: 12,
        severity: 1,
        attack: Some(("T1486", "TA0040")),
        check: &["Which files were changed, and can they still be opened?", "Is it a planned move, clean-up or backup?"],
    },
    ClassInfo {
        name: "covert_application",
        title: "program that hides traffic or works for others",
        category: "Potential Corporate Privacy Violation",
        signature_id: 13,
        severity: 2,
        attack: Some(("T1496", "TA0040")),
        check: &["Who installed the program, and is it allowed here?", "What else does the device do since?"],
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
        name: "critical_access",
        title: "new access to a clinical or control system",
        category: "Potentially Bad Traffic",
        signature_id: 14,
        severity: 1,
        attack: Some(("T1210", "TA0008")),
        check: &["Is this device meant to speak to the system?", "Which patients, studies or orders were asked for or changed?"],
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
        name: "silent_channel",
        title: "clinical or control conversation has stopped",
        category: "Potentially Bad Traffic",
        signature_id: 16,
        severity: 2,
        attack: Some(("T1489", "TA0040")),
        check: &["Is the device switched off or moved, with the ward knowing?", "Does its other end still hear from others?"],
    },
    ClassInfo {
        name: "population_change",
        title: "many devices do the same new thing",
        category: UNKNOWN_CATEGORY,
        signature_id: 17,
        severity: 3,
        attack: None,
        check: &["Is it a planned update or move?", "Should the model learn it?"],
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
/// Bits with which something new names what it is.
const TELLING_BITS: f64 = 4.0;
/// Targets per peer within an hour that make a scan.
const SCAN_SERVICES_PER_PEER: f64 = 5.0;
/// Flows to one log-in service within a minute that make password guessing.
const LOGIN_FLOWS: u32 = 10;
/// Flows to one target within a minute that make a flood.
const FLOOD_FLOWS: f64 = 30.0;
/// Payload of a flow that makes a transfer worth its name, in bytes.
const TRANSFER_BYTES: f64 = 100_000.0;
/// The same told by the size of queries, where the capture cut the names.
const TUNNEL_QUERY_BYTES: f32 = 80.0;
/// DNS queries within a minute, in one flow or in many, that can carry data worth its name.
const TUNNEL_QUERIES: f32 = 15.0;
/// Questions for such names, and for records that clients do not ask for.
const CARRIER_QUERIES: f32 = 4.0;
/// Is it a TCP port of log-in and administration?
const fn is_login_port(port: u16) -> bool {
    matches!(port, 21 | 22 | 23 | 88 | 135 | 139 | 389 | 445 | 1433 | 3306 | 3389 | 5432 | 5900 | 5985)
}

/// What the minute and the hour around a flow say of what it is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Around {
    /// What the minute's counts make it.
    counted: Option<Class>,
    is_tunnel: bool,
    /// Targets and peers of the initiator in the hour, where they are too many.
    targets: f64,
    peers: f64,
}

impl Around {
    /// Looks at the minute, and at the hour where it is what was found.
    pub(super) fn of(
        seen: &Observation,
        (surprise, context): (&Surprise, &Context),
        minute: Option<&Minute>,
        hour: impl Fn() -> HourOfDevice,
    ) -> Self {
        let counted = minute.and_then(|minute| by_count(seen, surprise, minute));
        let hour = context.slow.filter(|slow| slow.evidence == Evidence::SlowTargets).map(|_| hour()).unwrap_or_default();
        Self { counted, is_tunnel: is_tunnel(seen, minute), targets: hour.targets(), peers: hour.peers() }
    }
}

/// What one flow's surprise speaks of.
#[must_use]
pub(super) fn classify(
    seen: &Observation,
    surprise: &Surprise,
    context: Option<Contribution>,
    around: &Around,
    known_device: bool,
) -> Class {
    let evidence = context.map(|part| part.evidence);
    if let Some(class) = around.counted {
        return class;
    }
    let family = seen.app.family();
    let is_new = surprise.new.is_some_and(|part| part.bits >= TELLING_BITS);
    let strongest = [surprise.new, surprise.shape, context].into_iter().flatten().reduce(|a, b| a.stronger(Some(b)));
    match strongest.map(|part| (part.evidence, part.observed)) {
        _ if around.is_tunnel => Class::Tunnel,
        Some((Evidence::FileChanges, _)) => Class::FileActivity,
        Some((Evidence::LoginFailures, _)) => Class::BruteForce,
        Some((Evidence::SlowFailures, _)) if seen.events.login_failures > 0 => Class::BruteForce,
        Some((Evidence::SlowTargets, _)) if around.peers >= f64::from(SWEEP_PEERS) => Class::Sweep,
        Some((Evidence::SlowTargets, _)) if around.targets >= SCAN_SERVICES_PER_PEER * around.peers => Class::Scan,
        _ if is_new && family == Family::Covert => Class::CovertApplication,
        Some((Evidence::NewFact(FactKind::RemoteControl | FactKind::RemoteInterface), _)) => Class::LateralMovement,
        Some((Evidence::FlowRate, flows)) if flows >= FLOOD_FLOWS => Class::Flood,
        _ if evidence == Some(Evidence::Rhythm) => Class::Beaconing,
        _ if is_transfer(seen, surprise) => Class::Exfiltration,
        _ if is_new && matches!(family, Family::Clinical | Family::Industrial) => Class::CriticalAccess,
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
    let flows = || count(window.conversations.get(&(seen.orig, seen.resp, seen.service)));
    (is_login(seen) && flows() >= LOGIN_FLOWS).then_some(Class::BruteForce)
}

pub(super) fn is_tunnel(seen: &Observation, window: Option<&Minute>) -> bool {
    if seen.app != App::Dns {
        return false;
    }
    let target = (seen.orig, seen.resp, seen.service);
    let flows = window.and_then(|window| window.conversations.get(&target)).copied().unwrap_or(0) as f32;
    let is_odd = seen.vector[DNS_ODD_TYPES] > 0.5;
    let long = seen.vector[DNS_NAME_BYTES] >= TUNNEL_NAME_BYTES || seen.vector[PAYLOAD_MEAN_ORIG] >= TUNNEL_QUERY_BYTES;
    let carries = is_odd && seen.vector[DNS_NAME_BYTES] >= CARRIER_NAME_BYTES;
    let enough = if carries { CARRIER_QUERIES } else { TUNNEL_QUERIES };
    (long || is_odd) && seen.vector[DNS_QUERIES].max(flows) >= enough
}

/// Do the names that a flow asks for carry data, whatever else happens around it? A very long one is enough.
pub(super) fn carries_data(seen: &Observation) -> bool {
    let (name_bytes, queries) = (seen.vector[DNS_NAME_BYTES], seen.vector[DNS_QUERIES]);
    let is_long = name_bytes >= 2.0 * CARRIER_NAME_BYTES || name_bytes >= CARRIER_NAME_BYTES && queries >= CARRIER_QUERIES;
    seen.app == App::Dns && seen.vector[DNS_ODD_TYPES] > 0.5 && is_long
}

pub(super) fn is_login(seen: &Observation) -> bool {
    seen.app.family() == Family::Access || seen.service.protocol == 6 && is_login_port(seen.service.port)
}

fn is_transfer(seen: &Observation, surprise: &Surprise) -> bool {
    let volume = surprise.shape.is_some_and(|part| matches!(part.evidence, Evidence::Volume(3 | 4) | Evidence::OddShape(1..=12)));
    volume && moves_much(seen)
}

/// Does it move so much that it matters which feature of it stands out?
pub(super) fn moves_much(seen: &Observation) -> bool {
    let sent = f64::from(seen.vector[3]) >= TRANSFER_BYTES;
    let fetched = f64::from(seen.vector[4]) >= TRANSFER_BYTES && seen.resp_local;
    sent || fetched
}

/// Indices of features.
const PAYLOAD_MEAN_ORIG: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_long_names_make_a_tunnel_and_a_few_short_ones_do_not() {
        let asks = |queries: f32, name_bytes: f32, odd: f32| {
            let (_, mut seen) = super::super::testing::flow(0, 1, 2, 53, true);
            seen.app = App::Dns;
            (seen.vector[DNS_QUERIES], seen.vector[DNS_NAME_BYTES], seen.vector[DNS_ODD_TYPES]) = (queries, name_bytes, odd);
            is_tunnel(&seen, None)
        };
        assert!(asks(5.0, 90.0, 1.0) && asks(15.0, 30.0, 0.0) && asks(15.0, 10.0, 1.0));
        assert!(!asks(3.0, 90.0, 1.0) && !asks(5.0, 90.0, 0.0) && !asks(5.0, 30.0, 1.0));
    }

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

//! What kind of thing an incident is, and what the field calls it.

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use crate::feature::FactKind;

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
    /// Many names asked for that do not exist, as programs do that look for their masters under made-up names.
    Dga,
    /// Too many flows or clients at once.
    Flood,
    /// An address that two devices claim, so that one gets the other's traffic.
    ArpSpoofing,
    /// Many files changed on shares, as ransomware does.
    FileActivity,
    /// Requests that try to have a server of pages run commands, scripts or SQL, or give away its files or what is in its memory.
    WebAttack,
    /// A program that hides traffic or works for others.
    CovertApplication,
    /// A new conversation that comes like a clock.
    Beaconing,
    /// Far more data moved than usual.
    Exfiltration,
    /// Far more is asked of a server than usual: records read one after the other, or accounts tried.
    Collection,
    /// Tickets asked for in a way that lets passwords be guessed from them.
    CredentialAccess,
    /// New access to a clinical or control system.
    CriticalAccess,
    /// New administrative access from device to device.
    LateralMovement,
    /// A service over TCP by which a device never reached the outside.
    NewWayOut,
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
    pub const ALL: [Self; 22] = [
        Self::Scan,
        Self::Sweep,
        Self::BruteForce,
        Self::Tunnel,
        Self::Dga,
        Self::Flood,
        Self::ArpSpoofing,
        Self::FileActivity,
        Self::WebAttack,
        Self::CovertApplication,
        Self::Beaconing,
        Self::Exfiltration,
        Self::Collection,
        Self::CredentialAccess,
        Self::CriticalAccess,
        Self::LateralMovement,
        Self::NewWayOut,
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
                | Self::Dga
                | Self::Flood
                | Self::ArpSpoofing
                | Self::FileActivity
                | Self::WebAttack
                | Self::CredentialAccess
                | Self::CriticalAccess
                | Self::LateralMovement
        )
    }

    /// Is it a search for devices or services?
    #[must_use]
    pub const fn is_search(self) -> bool {
        matches!(self, Self::Scan | Self::Sweep)
    }

    /// Is it that a device reaches a service which it never did: to administer another, or one that was never offered?
    #[must_use]
    pub const fn is_access(self) -> bool {
        matches!(self, Self::LateralMovement | Self::NewService)
    }

    /// The same, or access to a clinical or control system?
    #[must_use]
    pub const fn is_new_access(self) -> bool {
        self.is_access() || matches!(self, Self::CriticalAccess)
    }

    /// Is it what is done with a service once it is found, which neither the search for it nor new access tells?
    #[must_use]
    pub const fn is_deed(self) -> bool {
        matches!(
            self,
            Self::BruteForce
                | Self::Tunnel
                | Self::Dga
                | Self::FileActivity
                | Self::WebAttack
                | Self::CovertApplication
                | Self::Beaconing
                | Self::Exfiltration
                | Self::Collection
                | Self::CredentialAccess
        )
    }

    /// The one of both that tells more of one conversation: what is done with a service rather than that it was looked for, else the first.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self.is_search() && other.is_deed(), other.is_search() && self.is_deed()) {
            (true, _) => other,
            (_, true) => self,
            _ => self.min(other),
        }
    }

    /// The class of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.info().name == name)
    }

    /// Bits beyond the threshold that it needs, where what is merely unusual needs so many: that names nothing that a person could look for. What drift
    /// has raised is raised for the vague ones alone, so that a flood of alerts hides no attack.
    #[must_use]
    pub const fn margin_bits(self, unnamed_bits: f64, raised_bits: f64) -> f64 {
        let unnamed = if matches!(self, Self::Unusual) { unnamed_bits } else { 0.0 };
        unnamed + if self.is_vague() { raised_bits } else { 0.0 }
    }

    /// Does it only say that something is unusual or new? Ordinary life brings these when it drifts.
    #[must_use]
    pub const fn is_vague(self) -> bool {
        matches!(self, Self::NewWayOut | Self::PopulationChange | Self::NewService | Self::NewDevice | Self::Unusual)
    }

    /// Does it speak of a way out of the network, of which the name that was asked for is part?
    #[must_use]
    pub const fn leads_out(self) -> bool {
        matches!(
            self,
            Self::Tunnel | Self::Dga | Self::CovertApplication | Self::Beaconing | Self::Exfiltration | Self::NewWayOut
        )
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
            Self::BruteForce => evidence.is_of_trying(),
            Self::Tunnel => {
                matches!(
                    evidence,
                    Evidence::NameBytes
                        | Evidence::FlowRate
                        | Evidence::Rhythm
                        | Evidence::NameRhythm
                        | Evidence::NewFact(FactKind::Tool)
                )
            }
            Self::Dga => matches!(evidence, Evidence::NamesMissing),
            Self::Flood => matches!(
                evidence,
                Evidence::ServedRate | Evidence::ClientRate | Evidence::FlowRate | Evidence::NewFact(FactKind::Tool)
            ),
            Self::ArpSpoofing => matches!(evidence, Evidence::AddressDispute),
            Self::FileActivity => {
                matches!(evidence, Evidence::FileChanges | Evidence::Asking | Evidence::NewFact(FactKind::Tool))
            }
            Self::WebAttack => matches!(evidence, Evidence::NewFact(FactKind::Tool)),
            Self::CovertApplication => matches!(evidence, Evidence::NewFact(_) | Evidence::NewService),
            Self::Beaconing => matches!(evidence, Evidence::Rhythm | Evidence::NameRhythm | Evidence::LongConnection),
            Self::Exfiltration => matches!(evidence, Evidence::Volume(_) | Evidence::SentOut),
            Self::Collection => matches!(evidence, Evidence::Asking | Evidence::Asked | Evidence::Repeats),
            Self::CredentialAccess => matches!(evidence, Evidence::NewFact(_)),
            Self::CriticalAccess | Self::LateralMovement => {
                evidence.is_by_initiator() || matches!(evidence, Evidence::RemoteControl | Evidence::Refusals)
            }
            Self::NewWayOut => matches!(evidence, Evidence::NewService),
            Self::SilentChannel => matches!(evidence, Evidence::Silence),
            Self::PopulationChange => matches!(evidence, Evidence::Population),
            Self::NewService => {
                matches!(
                    evidence,
                    Evidence::NewOffer | Evidence::NewService | Evidence::Leases | Evidence::Routes | Evidence::NamesGiven
                )
            }
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

const SCAN_CATEGORY: &str = "Detection of a Network Scan";
const UNKNOWN_CATEGORY: &str = "Unknown Traffic";

static INFOS: [ClassInfo; 22] = [
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
        name: "dga",
        title: "many names that do not exist",
        category: "A Network Trojan was detected",
        signature_id: 18,
        severity: 1,
        attack: Some(("T1568.002", "TA0011")),
        check: &["Do the names look made up, and did one of them answer?", "Is a domain gone that a program of yours asks for?"],
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
        name: "web_attack",
        title: "attack on a server of web pages",
        category: "Web Application Attack",
        signature_id: 21,
        severity: 1,
        attack: Some(("T1190", "TA0001")),
        check: &[
            "What did the server answer, and did it begin anything new since (processes, connections, files)?",
            "Is a test of the server's security announced?",
        ],
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
        name: "collection",
        title: "far more asked of a server than usual",
        category: "Potential Corporate Privacy Violation",
        signature_id: 22,
        severity: 2,
        attack: Some(("T1213", "TA0009")),
        check: &[
            "Whose records or accounts were asked for? The server's log tells, and whether one person had reason to.",
            "Is it a report, an import or a test that somebody started?",
        ],
    },
    ClassInfo {
        name: "credential_access",
        title: "tickets from which passwords can be guessed",
        category: "Attempted User Privilege Gain",
        signature_id: 19,
        severity: 1,
        attack: Some(("T1558", "TA0006")),
        check: &[
            "Which accounts were the tickets of, and are their passwords long and AES keys set?",
            "Which program on the device asked for them?",
        ],
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
        name: "new_way_out",
        title: "new kind of connection to the outside",
        category: "Detection of a Non-Standard Protocol or Event",
        signature_id: 20,
        severity: 2,
        attack: Some(("T1571", "TA0011")),
        check: &[
            "Which program on the device opened the connection: remote support, a shell, a file transfer?",
            "Whose is the address outside, and is it meant to be reached from here?",
        ],
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
        title: "new service offered by a device",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_tells_more_than_the_search_for_it() {
        let of = |a: Class, b: Class| (a.or(b), b.or(a));
        assert_eq!(of(Class::Scan, Class::BruteForce), (Class::BruteForce, Class::BruteForce));
        assert_eq!(of(Class::Scan, Class::LateralMovement), (Class::Scan, Class::Scan));
        assert_eq!(of(Class::Tunnel, Class::Flood), (Class::Tunnel, Class::Tunnel));
    }

    #[test]
    fn every_class_has_its_own_number_and_name() {
        let ids: std::collections::BTreeSet<_> = Class::ALL.iter().map(|class| class.info().signature_id).collect();
        let names: std::collections::BTreeSet<_> = Class::ALL.iter().map(|class| class.info().name).collect();
        assert_eq!((ids.len(), names.len()), (Class::ALL.len(), Class::ALL.len()));
        assert_eq!([Class::Flood, Class::Tunnel, Class::Unusual].map(|class| class.info().name), ["flood", "tunnel", "unusual"]);
    }
}

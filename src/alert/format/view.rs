//! What an alert line says, typed.

use core::net::IpAddr;

use serde::Deserialize;
use serde_json::Value;

use crate::time::{Span, Timestamp, parse};

#[derive(Deserialize)]
pub(super) struct View {
    pub timestamp: String,
    pub src_ip: String,
    pub dest_ip: String,
    pub src_port: Option<u16>,
    pub dest_port: Option<u16>,
    pub icmp_type: Option<u16>,
    pub icmp_code: Option<u16>,
    pub proto: String,
    pub app_proto: Option<String>,
    pub community_id: Option<String>,
    pub flow_id: Option<u64>,
    pub alert: Signature,
    pub auscult: Product,
}

#[derive(Deserialize)]
pub(super) struct Signature {
    pub signature_id: u32,
    pub rev: u32,
    pub signature: String,
    pub category: String,
    pub severity: u8,
}

#[derive(Deserialize)]
pub(super) struct Product {
    pub incident: Incident,
    pub bits: f64,
    pub p_value: f64,
    #[serde(default)]
    pub why: Vec<Why>,
    #[serde(default)]
    pub check: Vec<String>,
    #[serde(default)]
    pub attack: Vec<Attack>,
    /// Name of the file with the incident's packets.
    pub evidence: Option<String>,
    pub model: Model,
    pub baseline: String,
    pub chain: Chain,
}

#[derive(Deserialize)]
pub(super) struct Incident {
    pub id: String,
    pub class: String,
    pub state: String,
    pub hosts: Vec<String>,
    pub peers: Vec<String>,
    #[serde(default)]
    pub services: Vec<String>,
    pub first: String,
    pub last: String,
    pub flows: u64,
}

#[derive(Deserialize)]
pub(super) struct Why {
    pub feature: String,
    pub observed: f64,
    pub usual: Usual,
    pub unit: String,
    pub text: String,
}

#[derive(Deserialize)]
pub(super) struct Usual {
    pub low: Value,
    pub high: Value,
    pub of: String,
}

#[derive(Deserialize)]
pub(super) struct Attack {
    pub technique: String,
    pub tactic: String,
}

#[derive(Deserialize)]
pub(super) struct Model {
    pub digest: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Chain {
    pub seq: u64,
}

/// EVE's severity in words; what is neither 1 nor 2 is low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    High,
    Medium,
    Low,
}

impl Level {
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "High",
            Self::Medium => "Medium",
            Self::Low => "Low",
        }
    }
}

impl View {
    pub fn id(&self) -> String {
        format!("{}-{}", self.auscult.incident.id, self.auscult.chain.seq)
    }

    pub fn level(&self) -> Level {
        match self.alert.severity {
            1 => Level::High,
            2 => Level::Medium,
            _ => Level::Low,
        }
    }

    /// The class in words.
    pub fn title(&self) -> &str {
        self.alert.signature.strip_prefix("auscult: ").unwrap_or(&self.alert.signature)
    }

    /// The bits as a risk from 0 to 100.
    pub fn risk(&self) -> u8 {
        self.auscult.bits.round().clamp(0.0, 100.0) as u8
    }

    pub fn raised(&self) -> Timestamp {
        parse(&self.timestamp).unwrap_or_default()
    }

    pub fn first(&self) -> Timestamp {
        parse(&self.auscult.incident.first).unwrap_or_default()
    }

    pub fn last(&self) -> Timestamp {
        parse(&self.auscult.incident.last).unwrap_or_default()
    }

    pub fn lasted(&self) -> Span {
        self.last().since(self.first())
    }

    pub fn host(&self) -> &str {
        self.auscult.incident.hosts.first().map_or("", String::as_str)
    }

    /// The strongest reason, or the class where there is none.
    pub fn reason(&self) -> &str {
        self.auscult.why.first().map_or_else(|| self.title(), |why| why.text.as_str())
    }

    /// All reasons, the strongest first.
    pub fn reasons(&self) -> String {
        let texts: Vec<&str> = self.auscult.why.iter().map(|why| why.text.as_str()).collect();
        texts.join("; ")
    }

    pub fn is_v6(&self) -> bool {
        self.src_ip.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6())
    }

    /// IANA's number of the protocol; none of what is no protocol above IP.
    pub fn protocol_number(&self) -> Option<u8> {
        match self.proto.as_str() {
            "ICMP" => Some(1),
            "IGMP" => Some(2),
            "TCP" => Some(6),
            "UDP" => Some(17),
            "GRE" => Some(47),
            "ESP" => Some(50),
            "AH" => Some(51),
            "IPv6-ICMP" => Some(58),
            "SCTP" => Some(132),
            other => other.parse().ok(),
        }
    }

    /// The application where it was recognised.
    pub fn app(&self) -> Option<&str> {
        self.app_proto.as_deref().filter(|name| !matches!(*name, "unknown" | "failed"))
    }
}

/// Milliseconds since the epoch.
pub(super) fn millis(time: Timestamp) -> i64 {
    time.nanos().div_euclid(1_000_000)
}

/// RFC 3339 with `Z`.
pub(super) fn zulu(time: Timestamp) -> String {
    time.to_string().replace("+0000", "Z")
}

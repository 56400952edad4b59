//! What records can know of a flow.

use core::fmt;

use crate::feature::{COUNT, SCHEMA};

/// Kinds of flow records, by which features they can have. A model fits records of the kinds that it learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// With all features, as they are measured from packets: what `auscult` makes of a capture, or wrote of one.
    Whole,
    /// EVE flow events without features: packets and bytes of both sides, times, TCP flags.
    Eve,
    /// Zeek's connections: packets and payload of both sides, times, state, history, service.
    Conn,
}

/// Features that packets, bytes, times and the state of a connection tell. All others are 0 where only these are known.
const COUNTED: [&str; 16] = [
    "duration_s",
    "packets_orig",
    "packets_resp",
    "payload_bytes_orig",
    "payload_bytes_resp",
    "resp_share",
    "syn_count",
    "fin_count",
    "rst_count",
    "answered",
    "established",
    "refused",
    "reset",
    "is_tcp",
    "is_udp",
    "to_group",
];

impl RecordKind {
    const ALL: [Self; 3] = [Self::Whole, Self::Eve, Self::Conn];

    /// Its name in a model's provenance.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole => "flow records with features",
            Self::Eve => "EVE flow events without features",
            Self::Conn => "Zeek conn records",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Names of the features that such records cannot have.
    #[must_use]
    pub fn missing(self) -> Vec<&'static str> {
        let known = |name: &&str| self == Self::Whole || COUNTED.contains(name);
        SCHEMA.iter().map(|feature| feature.name).filter(|name| !known(name)).collect()
    }

    /// What is to be said when records of this kind are judged by a model that learned from `taught` (names of kinds; none
    /// stands for captures); nothing where the two fit.
    #[must_use]
    pub fn misfit(self, taught: &[String]) -> Option<String> {
        let whole = taught.is_empty() || taught.iter().any(|name| name == Self::Whole.name());
        if self == Self::Whole && whole || taught.iter().any(|name| name == self.name()) {
            return None;
        }
        let by = if taught.is_empty() { "captures".to_owned() } else { taught.join(" and ") };
        let lacking = |kind: Self| format!("{} of {COUNT} features are missing in {}", kind.missing().len(), kind.name());
        let why = match taught.iter().filter_map(|name| Self::from_name(name)).find(|&kind| kind != Self::Whole) {
            _ if self != Self::Whole => lacking(self),
            Some(poorer) => lacking(poorer),
            None => String::from("their features differ"),
        };
        Some(format!(
            "the model learned from {by} and judges {self}: {why}, so the shape of a flow means little here; train a model from \
             records of the same kind"
        ))
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "captures or flow records with features",
            other => other.name(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_a_feature() {
        assert!(COUNTED.iter().all(|name| SCHEMA.iter().any(|feature| feature.name == *name)));
        assert_eq!((RecordKind::Whole.missing().len(), RecordKind::Conn.missing().len()), (0, COUNT - COUNTED.len()));
    }

    #[test]
    fn names_lead_back() {
        for kind in RecordKind::ALL {
            assert_eq!(RecordKind::from_name(kind.name()), Some(kind));
        }
    }

    #[test]
    fn only_kinds_that_were_not_learned_from_are_told() {
        let zeek = [RecordKind::Conn.name().to_owned()];
        let own = [RecordKind::Whole.name().to_owned()];
        assert_eq!(RecordKind::Whole.misfit(&[]), None);
        assert_eq!(RecordKind::Whole.misfit(&own), None);
        assert_eq!(RecordKind::Conn.misfit(&zeek), None);
        let text = RecordKind::Conn.misfit(&[]).unwrap();
        assert!(text.contains("from captures") && text.contains("28 of 44 features are missing in Zeek conn records"), "{text}");
        assert!(RecordKind::Whole.misfit(&zeek).unwrap().contains("Zeek conn records"));
        assert!(RecordKind::Eve.misfit(&zeek).is_some());
    }
}

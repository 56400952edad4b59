//! The one table of features: the documentation, the CSV header and the model's schema hash are made from it.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// How a feature is made ready for distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// ln(1 + x): sizes, counts and times that range over orders of magnitude.
    Log,
    /// Sign kept, ln(1 + |x|): sizes with a direction.
    SignedLog,
    /// As it is: shares and yes/no.
    Linear,
}

/// One feature of a flow.
#[derive(Clone, Copy, Debug)]
pub struct Feature {
    /// Column name; units and qualifiers last.
    pub name: &'static str,
    /// Unit of the value.
    pub unit: &'static str,
    /// How it is scaled before distances are taken.
    pub scale: Scale,
    /// The smallest spread that counts, after scaling: differences below it are never unusual.
    pub floor: f64,
    /// What it is, in words for the analyst ("sent", "received" from the initiator's view).
    pub phrase: &'static str,
    /// Exact definition.
    pub definition: &'static str,
    /// Who else uses it.
    pub source: &'static str,
}

/// Features of a flow.
pub const COUNT: usize = 44;

const fn f(
    name: &'static str,
    unit: &'static str,
    scale: Scale,
    floor: f64,
    phrase: &'static str,
    definition: &'static str,
    source: &'static str,
) -> Feature {
    Feature { name, unit, scale, floor, phrase, definition, source }
}

use Scale::{Linear, Log, SignedLog};

const MOORE: &str = "Moore et al. 2005, discriminators for flow classification";
const ZEEK: &str = "Zeek conn.log";
const BERNAILLE: &str = "Bernaille et al. 2006, first packets of a TCP flow";
const DNS: &str = "Ahmed et al. 2019, DNS exfiltration by name statistics";

/// All features, in the order of the vector.
pub static SCHEMA: [Feature; COUNT] = [
    f("duration_s", "s", Log, 0.3, "duration", "last packet minus first packet of the record", ZEEK),
    f("packets_orig", "packets", Log, 0.2, "packets sent", "packets of the initiator", ZEEK),
    f("packets_resp", "packets", Log, 0.2, "packets received", "packets of the responder", ZEEK),
    f("payload_bytes_orig", "bytes", Log, 0.25, "data sent", "bytes behind the transport header, initiator", ZEEK),
    f("payload_bytes_resp", "bytes", Log, 0.25, "data received", "bytes behind the transport header, responder", ZEEK),
    f("data_packets_orig", "packets", Log, 0.25, "data packets sent", "packets with payload, initiator", MOORE),
    f("data_packets_resp", "packets", Log, 0.25, "data packets received", "packets with payload, responder", MOORE),
    f(
        "payload_mean_orig",
        "bytes",
        Log,
        0.2,
        "mean packet payload sent",
        "mean payload of packets that have one, initiator",
        MOORE,
    ),
    f(
        "payload_mean_resp",
        "bytes",
        Log,
        0.2,
        "mean packet payload received",
        "mean payload of packets that have one, responder",
        MOORE,
    ),
    f("payload_std_orig", "bytes", Log, 0.5, "spread of payloads sent", "standard deviation of the same, initiator", MOORE),
    f("payload_std_resp", "bytes", Log, 0.5, "spread of payloads received", "standard deviation of the same, responder", MOORE),
    f("payload_max_orig", "bytes", Log, 0.2, "largest payload sent", "largest payload of a packet, initiator", MOORE),
    f("payload_max_resp", "bytes", Log, 0.2, "largest payload received", "largest payload of a packet, responder", MOORE),
    f(
        "gap_mean_orig_ms",
        "ms",
        Log,
        0.5,
        "mean time between packets sent",
        "mean time between packets, initiator; 0 below two",
        MOORE,
    ),
    f(
        "gap_mean_resp_ms",
        "ms",
        Log,
        0.5,
        "mean time between packets received",
        "mean time between packets, responder; 0 below two",
        MOORE,
    ),
    f(
        "gap_std_orig_ms",
        "ms",
        Log,
        0.6,
        "spread of times between packets sent",
        "standard deviation of the same, initiator",
        MOORE,
    ),
    f(
        "gap_std_resp_ms",
        "ms",
        Log,
        0.6,
        "spread of times between packets received",
        "standard deviation of the same, responder",
        MOORE,
    ),
    f("silence_max_s", "s", Log, 0.4, "longest silence", "longest time between two packets of one side", MOORE),
    f(
        "response_delay_ms",
        "ms",
        Log,
        0.5,
        "time to the first answer",
        "responder's first packet minus initiator's; 0 without one",
        MOORE,
    ),
    f("turns", "turns", Log, 0.25, "turns of the conversation", "how often the side that sends data changed", "RITA"),
    f(
        "resp_share",
        "share",
        Linear,
        0.1,
        "share of data received",
        "responder's payload over all payload; 0 without payload",
        "ratio of the above",
    ),
    f("syn_count", "packets", Log, 0.3, "SYN packets", "packets with SYN, both sides", MOORE),
    f("fin_count", "packets", Log, 0.4, "FIN packets", "packets with FIN, both sides", MOORE),
    f("rst_count", "packets", Log, 0.4, "RST packets", "packets with RST, both sides", MOORE),
    f("push_share", "share", Linear, 0.2, "share of pushed packets", "packets with PSH over packets", MOORE),
    f("retransmitted", "packets", Log, 0.7, "repeated packets", "TCP packets that repeat bytes already seen, both sides", MOORE),
    f("answered", "0 or 1", Linear, 0.1, "answered", "1 when the responder sent a packet", ZEEK),
    f("established", "0 or 1", Linear, 0.1, "connection established", "1 when both sides sent SYN", ZEEK),
    f("refused", "0 or 1", Linear, 0.1, "connection refused or unanswered", "1 for S0, REJ, RSTOS0 and SH", ZEEK),
    f("reset", "0 or 1", Linear, 0.2, "reset", "1 when either side sent RST", ZEEK),
    f("is_tcp", "0 or 1", Linear, 0.05, "TCP", "1 for protocol 6", ZEEK),
    f("is_udp", "0 or 1", Linear, 0.05, "UDP", "1 for protocol 17", ZEEK),
    f(
        "to_group",
        "0 or 1",
        Linear,
        0.05,
        "to a multicast or broadcast address",
        "1 when the responder is a group address",
        "RFC 1112",
    ),
    f(
        "first_size_1",
        "bytes",
        SignedLog,
        0.25,
        "first payload",
        "payload of the first packet that has one; negative from the responder",
        BERNAILLE,
    ),
    f("first_size_2", "bytes", SignedLog, 0.25, "second payload", "the same, second", BERNAILLE),
    f("first_size_3", "bytes", SignedLog, 0.3, "third payload", "the same, third", BERNAILLE),
    f("first_size_4", "bytes", SignedLog, 0.3, "fourth payload", "the same, fourth", BERNAILLE),
    f("first_size_5", "bytes", SignedLog, 0.4, "fifth payload", "the same, fifth", BERNAILLE),
    f("first_size_6", "bytes", SignedLog, 0.4, "sixth payload", "the same, sixth", BERNAILLE),
    f("dns_queries", "queries", Log, 0.4, "DNS queries", "DNS questions in the flow", DNS),
    f("dns_name_mean_bytes", "bytes", Log, 0.2, "mean length of DNS names", "mean length of the names asked for", DNS),
    f("dns_label_entropy", "bits/char", Linear, 0.5, "randomness of DNS names", "mean Shannon entropy of the first label", DNS),
    f("dns_error_share", "share", Linear, 0.2, "share of failed DNS look-ups", "answers with an error code over answers", DNS),
    f("dns_odd_type_share", "share", Linear, 0.2, "share of TXT, NULL, CNAME and MX questions", "those over questions", DNS),
];

/// SHA-256 over names, units, scales, floors and definitions, as `sha256:…`: a model fits only the schema that it was
/// trained with.
#[must_use]
pub fn schema_hash() -> String {
    let mut sha = Sha256::new();
    for feature in &SCHEMA {
        let line =
            format!("{}\t{}\t{:?}\t{}\t{}\n", feature.name, feature.unit, feature.scale, feature.floor, feature.definition);
        sha.update(line.as_bytes());
    }
    format!("sha256:{}", hex(&sha.finalize()))
}

/// Hexadecimal, lower case.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The page `docs/features.md`.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# Features\n\nMade from `src/feature/schema.rs` by `auscult inspect --features`; a test compares the two. *Scale* says how \
         a value is made ready for distances; differences below the *floor* (after scaling) are never unusual. None carries an \
         address, a port, an absolute time or a place in the capture.\n\n| # | name | unit | scale | floor | definition | source |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (n, feature) in SCHEMA.iter().enumerate() {
        let Feature { name, unit, scale, floor, definition, source, .. } = feature;
        let _ = writeln!(page, "| {n} | `{name}` | {unit} | {scale:?} | {floor} | {definition} | {source} |");
    }
    let _ = write!(page, "\nSchema hash: `{}`\n", schema_hash());
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_floors_positive() {
        let names: BTreeSet<_> = SCHEMA.iter().map(|feature| feature.name).collect();
        assert_eq!(names.len(), COUNT);
        assert!(SCHEMA.iter().all(|feature| feature.floor > 0.0));
    }

    #[test]
    fn the_page_in_docs_is_this_schema() {
        let page = include_str!("../../docs/features.md");
        assert_eq!(page, markdown(), "run: auscult inspect --features > docs/features.md");
    }
}

//! Statistics of a flow back from its features, so that what is written again is what was read.

use crate::app::Facts;
use crate::feature::{COUNT, SCHEMA};
use crate::flow::{FlowRecord, SideStats};
use crate::time::Span;

/// Features by their names. What was not told is 0.
struct Told<'a>(&'a [Option<f32>; COUNT]);

impl Told<'_> {
    fn of(&self, name: &str) -> f64 {
        let place = SCHEMA.iter().position(|feature| feature.name == name);
        let value = place.and_then(|place| self.0.get(place).copied().flatten());
        value.map_or(0.0, f64::from).max(0.0)
    }

    fn count(&self, name: &str) -> u32 {
        self.of(name).round() as u32
    }

    fn seconds(&self, name: &str, per_second: f64) -> Span {
        Span::from_nanos((self.of(name) / per_second * 1e9).round() as i64)
    }
}

/// Puts into a record what its features say of its packets.
pub(super) fn restore(record: &mut FlowRecord, features: &[Option<f32>; COUNT]) {
    let told = Told(features);
    record.turns = told.count("turns");
    record.response_delay = (record.resp.packets > 0 && record.orig.packets > 0).then(|| told.seconds("response_delay_ms", 1e3));
    for (n, size) in (1_u8..).zip(record.first_sizes.iter_mut()) {
        let name = format!("first_size_{n}");
        let place = SCHEMA.iter().position(|feature| feature.name == name);
        *size = place.and_then(|place| features.get(place).copied().flatten()).map_or(0, |value| value.round() as i16);
    }
    side(&mut record.orig, &told, ["data_packets_orig", "payload_mean_orig", "payload_std_orig", "payload_max_orig"]);
    side(&mut record.resp, &told, ["data_packets_resp", "payload_mean_resp", "payload_std_resp", "payload_max_resp"]);
    gaps(&mut record.orig, &told, ["gap_mean_orig_ms", "gap_std_orig_ms"]);
    gaps(&mut record.resp, &told, ["gap_mean_resp_ms", "gap_std_resp_ms"]);
    record.orig.gap_max = told.seconds("silence_max_s", 1.0);
    let packets = (record.orig.packets.saturating_add(record.resp.packets)) as f64;
    record.orig.psh = (told.of("push_share") * packets).round() as u32;
    // Which side repeated is told by the event itself, where it is.
    let repeated = told.count("retransmitted");
    if record.orig.retransmitted.saturating_add(record.resp.retransmitted) != repeated {
        (record.orig.retransmitted, record.resp.retransmitted) = (repeated, 0);
    }
    let split = |total: u32, of_resp: u32| (total.saturating_sub(of_resp.min(total)), of_resp.min(total));
    (record.orig.syn, record.resp.syn) = split(told.count("syn_count"), record.resp.syn);
    (record.orig.fin, record.resp.fin) = split(told.count("fin_count"), record.resp.fin);
    (record.orig.rst, record.resp.rst) = split(told.count("rst_count"), record.resp.rst);
    if let Some(Facts::Dns(dns)) = record.facts.as_deref_mut() {
        let names = f64::from(dns.queries);
        dns.names = dns.queries;
        dns.qname_chars = (told.of("dns_name_mean_bytes") * names).round() as u64;
        dns.label_entropy_bits = told.of("dns_label_entropy") * names;
    }
}

fn side(side: &mut SideStats, told: &Told<'_>, [packets, mean, std, max]: [&str; 4]) {
    side.data_packets = told.count(packets);
    side.payload_max = told.count(max);
    let (mean, std) = (told.of(mean), told.of(std));
    side.payload_square_sum = (std * std + mean * mean) * f64::from(side.data_packets);
}

fn gaps(side: &mut SideStats, told: &Told<'_>, [mean, std]: [&str; 2]) {
    let gaps = side.packets.saturating_sub(1) as f64;
    let (mean, std) = (told.of(mean) / 1e3, told.of(std) / 1e3);
    side.last = side.first + Span::from_nanos((mean * gaps * 1e9).round() as i64);
    side.gap_square_sum = (std * std + mean * mean) * gaps;
}

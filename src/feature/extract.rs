//! From a flow record to its features.

use super::{COUNT, Vector};
use crate::app::{Facts, QueryTypes};
use crate::flow::{FlowRecord, SideStats, is_group};

/// The features of a flow, in the order of [`super::SCHEMA`]. All finite, also for empty and zero-length flows.
#[must_use]
pub fn extract(record: &FlowRecord) -> Vector {
    let mut vector = [0.0; COUNT];
    let (shape, rest) = vector.split_at_mut(21);
    shape.copy_from_slice(&shape_of(record));
    let (outcome, rest) = rest.split_at_mut(12);
    outcome.copy_from_slice(&outcome_of(record));
    let (sizes, dns) = rest.split_at_mut(6);
    for (feature, &size) in sizes.iter_mut().zip(&record.first_sizes) {
        *feature = f64::from(size);
    }
    dns.copy_from_slice(&dns_of(record.facts.as_deref()));
    vector
}

fn shape_of(record: &FlowRecord) -> [f64; 21] {
    let (orig, resp) = (&record.orig, &record.resp);
    let (mean_orig, std_orig) = orig.payload_mean_std();
    let (mean_resp, std_resp) = resp.payload_mean_std();
    let (gap_orig, gap_std_orig) = orig.gap_mean_std();
    let (gap_resp, gap_std_resp) = resp.gap_mean_std();
    let payload = (orig.payload_bytes + resp.payload_bytes) as f64;
    [
        record.duration_s(),
        orig.packets as f64,
        resp.packets as f64,
        orig.payload_bytes as f64,
        resp.payload_bytes as f64,
        f64::from(orig.data_packets),
        f64::from(resp.data_packets),
        mean_orig,
        mean_resp,
        std_orig,
        std_resp,
        f64::from(orig.payload_max),
        f64::from(resp.payload_max),
        gap_orig * 1e3,
        gap_resp * 1e3,
        gap_std_orig * 1e3,
        gap_std_resp * 1e3,
        orig.gap_max.max(resp.gap_max).as_seconds(),
        record.response_delay.map_or(0.0, |delay| delay.as_seconds().max(0.0) * 1e3),
        f64::from(record.turns),
        share(resp.payload_bytes as f64, payload),
    ]
}

fn outcome_of(record: &FlowRecord) -> [f64; 12] {
    let both = |count: fn(&SideStats) -> u32| f64::from(count(&record.orig)) + f64::from(count(&record.resp));
    let flag = |yes: bool| f64::from(u8::from(yes));
    let packets = (record.orig.packets + record.resp.packets) as f64;
    let (syn, rst) = (both(|side| side.syn), both(|side| side.rst));
    [
        syn,
        both(|side| side.fin),
        rst,
        share(both(|side| side.psh), packets),
        both(|side| side.retransmitted),
        flag(record.resp.packets > 0),
        flag(record.orig.syn > 0 && record.resp.syn > 0),
        flag(record.state.failed()),
        flag(rst > 0.0),
        flag(record.key.protocol == 6),
        flag(record.key.protocol == 17),
        flag(is_group(record.resp_addr())),
    ]
}

fn dns_of(facts: Option<&Facts>) -> [f64; 5] {
    let Some(Facts::Dns(dns)) = facts else { return [0.0; 5] };
    let (queries, names) = (f64::from(dns.queries), f64::from(dns.names));
    let QueryTypes { txt, null, cname, mx, .. } = dns.types;
    let odd = [txt, null, cname, mx].map(f64::from).iter().sum();
    [
        queries,
        share(dns.qname_chars as f64, names),
        share(dns.label_entropy_bits, names),
        share(f64::from(dns.nxdomain) + f64::from(dns.errors), f64::from(dns.responses)),
        share(odd, queries),
    ]
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

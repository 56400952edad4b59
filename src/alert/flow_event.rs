//! Flow records as EVE `flow` events.

use serde_json::{Map, Value, json};

use super::eve::rounded;
use super::fact_event::fact_object;
use crate::app::Events;
use crate::feature::{SCHEMA, extract};
use crate::flow::{EndReason, FlowKey, FlowRecord, SideStats, community_id};
use crate::wire::{Mac, Quoted, TcpFlags, Tunnel};

/// The event of a flow record. `judged` is (bits, behaviour); without it the event carries `auscult.features` instead.
#[must_use]
pub fn flow_event(record: &FlowRecord, judged: Option<(f64, &str)>) -> Value {
    let mut event = Map::new();
    event.insert("timestamp".into(), json!(record.end.to_string()));
    event.insert("flow_id".into(), json!(record.id));
    event.insert("event_type".into(), json!("flow"));
    if record.vlans[0] != 0 {
        let vlans: Vec<u16> = record.vlans.into_iter().filter(|&vlan| vlan != 0).collect();
        event.insert("vlan".into(), json!(vlans));
    }
    if let Some(tunnel) = &record.tunnel {
        event.insert("tunnel".into(), carrier(tunnel));
    }
    if record.macs != [[0; 6]; 2] {
        event.insert("ether".into(), interfaces(record));
    }
    event.insert("src_ip".into(), json!(record.orig_addr().to_string()));
    event.insert("dest_ip".into(), json!(record.resp_addr().to_string()));
    if matches!(record.key.protocol, 1 | 58) {
        event.insert("icmp_type".into(), json!(record.orig_port()));
        event.insert("icmp_code".into(), json!(if record.key.one_way { record.resp_port() } else { 0 }));
    } else {
        event.insert("src_port".into(), json!(record.orig_port()));
        event.insert("dest_port".into(), json!(record.resp_port()));
    }
    event.insert("proto".into(), json!(protocol_name(record.key.protocol)));
    event.insert("ip_v".into(), json!(if record.key.low.is_v4() { 4 } else { 6 }));
    event.insert("app_proto".into(), json!(record.app.0.name()));
    event.insert("community_id".into(), json!(community_id(&record.key, 0)));
    event.insert("flow".into(), counts(record));
    if record.key.protocol == 6 {
        event.insert("tcp".into(), tcp(record));
    }
    event.insert("auscult".into(), product(record, judged));
    Value::Object(event)
}

/// The outermost packet that carried the flow's first.
fn carrier(tunnel: &Tunnel) -> Value {
    json!({
        "src_ip": tunnel.src.to_string(), "src_port": tunnel.src_port,
        "dest_ip": tunnel.dst.to_string(), "dest_port": tunnel.dst_port,
        "proto": protocol_name(tunnel.protocol), "depth": tunnel.depth,
    })
}

/// The interfaces of both ends, or of the routers before them, as EVE's flow events list them.
fn interfaces(record: &FlowRecord) -> Value {
    let mut ether = Map::new();
    for (name, mac) in [("src_macs", record.macs[0]), ("dest_macs", record.macs[1])] {
        if mac != [0; 6] {
            ether.insert(name.into(), json!([Mac(mac).to_string()]));
        }
    }
    Value::Object(ether)
}

fn counts(record: &FlowRecord) -> Value {
    json!({
        "pkts_toserver": record.orig.packets, "pkts_toclient": record.resp.packets,
        "bytes_toserver": record.orig.wire_bytes, "bytes_toclient": record.resp.wire_bytes,
        "start": record.start.to_string(), "end": record.end.to_string(),
        "age": record.end.since(record.start).as_seconds() as i64,
        "state": state(record), "reason": record.reason.eve(), "alerted": false,
    })
}

/// EVE's three states. A later segment of a connection in which one side was silent is established all the same, and one that
/// was closed is closed however its record came about.
pub(super) fn state(record: &FlowRecord) -> &'static str {
    if matches!(record.reason, EndReason::Closed | EndReason::Reused) || record.state.ended() {
        "closed"
    } else if record.state.open() || record.orig.packets > 0 && record.resp.packets > 0 {
        "established"
    } else {
        "new"
    }
}

fn tcp(record: &FlowRecord) -> Value {
    let (orig, resp) = (&record.orig, &record.resp);
    let both = orig.flags | resp.flags;
    let has = |flag: TcpFlags| TcpFlags(both).has(flag);
    json!({
        "tcp_flags": format!("{both:02x}"), "tcp_flags_ts": format!("{:02x}", orig.flags), "tcp_flags_tc": format!("{:02x}", resp.flags),
        "syn": has(TcpFlags::SYN), "fin": has(TcpFlags::FIN), "rst": has(TcpFlags::RST), "psh": has(TcpFlags::PSH),
        "ack": has(TcpFlags::ACK), "urg": has(TcpFlags::URG), "ecn": has(TcpFlags(0x40)), "cwr": has(TcpFlags(0x80)),
        "state": state(record), "ts_gap": orig.missing_bytes > 0, "tc_gap": resp.missing_bytes > 0,
    })
}

fn product(record: &FlowRecord, judged: Option<(f64, &str)>) -> Value {
    let mut product = json!({
        "segment": record.segment, "partial": record.partial(), "reason": record.reason.name(),
        "conn_state": record.state.name(), "direction": record.direction.name(), "under_way": record.under_way,
        "app_by": format!("{:?}", record.app.1).to_lowercase(),
        "orig": side(&record.orig), "resp": side(&record.resp),
    });
    if record.key.protocol == 6 {
        product["history"] = json!(record.history.as_str());
    }
    if let Some(facts) = record.facts.as_deref().and_then(fact_object) {
        product["facts"] = facts;
    }
    if record.events != Events::default() {
        let Events { login_failures, file_changes } = record.events;
        product["events"] = json!({"login_failures": login_failures, "file_changes": file_changes});
    }
    if record.fragments.packets > 0 {
        product["fragments"] = json!({"packets": record.fragments.packets, "odd": record.fragments.odd});
    }
    if let Some(error) = record.icmp_error {
        product["icmp_error"] = json!({"type": error.kind, "code": error.code, "count": error.count});
    }
    if let Some(quoted) = record.quoted.as_deref() {
        product["about"] = about(quoted);
    }
    if let Some(tunnel) = &record.tunnel {
        product["tunnel"] = json!(tunnel.kind.name());
    }
    match judged {
        Some((bits, behaviour)) => {
            product["bits"] = json!(rounded(bits));
            product["behaviour"] = json!(behaviour);
        }
        None => {
            let vector = extract(record);
            let features: Map<String, Value> =
                SCHEMA.iter().zip(vector).map(|(feature, value)| (feature.name.to_owned(), json!(value))).collect();
            product["features"] = Value::Object(features);
        }
    }
    product
}

/// The flow that an ICMP error is about, as its own record names it.
fn about(quoted: &Quoted) -> Value {
    json!({
        "src_ip": quoted.src.to_string(), "src_port": quoted.src_port,
        "dest_ip": quoted.dst.to_string(), "dest_port": quoted.dst_port,
        "proto": protocol_name(quoted.protocol), "community_id": community_id(&FlowKey::of_quoted(quoted), 0),
    })
}

fn side(side: &SideStats) -> Value {
    json!({
        "ip_bytes": side.ip_bytes, "payload_bytes": side.payload_bytes, "retransmitted": side.retransmitted,
        "out_of_order": side.out_of_order, "missing_bytes": side.missing_bytes, "zero_window": side.zero_window, "bad_checksums": side.bad_checksums,
    })
}

/// The protocol as EVE spells it.
#[must_use]
pub(super) fn protocol_name(protocol: u8) -> String {
    match protocol {
        1 => "ICMP".to_owned(),
        2 => "IGMP".to_owned(),
        6 => "TCP".to_owned(),
        17 => "UDP".to_owned(),
        47 => "GRE".to_owned(),
        50 => "ESP".to_owned(),
        51 => "AH".to_owned(),
        58 => "IPv6-ICMP".to_owned(),
        132 => "SCTP".to_owned(),
        other => format!("{other:03}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::flow::testing::{packet, tcp};
    use crate::flow::{FlowKey, FlowLimits, HomeNets, Shard};
    use crate::wire::Packet;

    /// The record of these packets at the end of their capture.
    pub fn record(packets: &[Packet]) -> FlowRecord {
        let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
        let (mut shard, mut out) = (Shard::default(), Vec::new());
        for packet in packets {
            let (key, from_low) = FlowKey::of(packet);
            shard.packet((key, from_low, key.hash()), packet, &[], (&limits, &home), &mut out);
        }
        shard.finish(&limits, packets[packets.len() - 1].time, &mut out);
        assert_eq!(out.len(), 1);
        *out.remove(0)
    }

    #[test]
    fn a_judged_flow_has_bits_and_one_that_was_not_has_features() {
        let record = record(&[packet(0, 1, 4000, 2, 53, 17)]);
        let judged = flow_event(&record, Some((1.234_56, "look-up")));
        assert_eq!((&judged["auscult"]["bits"], &judged["auscult"]["behaviour"]), (&json!(1.235), &json!("look-up")));
        assert!(judged["auscult"].get("features").is_none());
        let plain = flow_event(&record, None);
        assert!(plain["auscult"].get("bits").is_none());
        assert_eq!(plain["auscult"]["features"].as_object().unwrap().len(), SCHEMA.len());
    }

    #[test]
    fn icmp_has_a_type_and_no_ports() {
        let event = flow_event(&record(&[packet(0, 1, 8, 2, 0, 1)]), None);
        assert_eq!((&event["icmp_type"], &event["icmp_code"], &event["proto"]), (&json!(8), &json!(0), &json!("ICMP")));
        assert!(event.get("src_port").is_none() && event.get("tcp").is_none());
    }

    #[test]
    fn vlans_are_written_only_where_there_are_any() {
        let mut tagged = packet(0, 1, 4000, 2, 53, 17);
        assert!(flow_event(&record(std::slice::from_ref(&tagged)), None).get("vlan").is_none());
        tagged.vlans = [20, 0];
        assert_eq!(flow_event(&record(&[tagged]), None)["vlan"], json!([20]));
    }

    #[test]
    fn states_are_told_by_the_connection_and_not_by_the_capture() {
        let syn = tcp(packet(0, 1, 4000, 2, 80, 6), 100, 0, 0x02);
        let answer = tcp(packet(1, 2, 80, 1, 4000, 6), 500, 101, 0x12);
        let refusal = tcp(packet(1, 2, 80, 1, 4000, 6), 0, 101, 0x14);
        let state_of = |packets: &[Packet]| state(&record(packets));
        assert_eq!(state_of(std::slice::from_ref(&syn)), "new");
        assert_eq!(state_of(&[syn.clone(), answer]), "established");
        assert_eq!(state_of(&[syn, refusal]), "closed");
    }

    #[test]
    fn unnamed_protocols_are_three_digits() {
        assert_eq!((protocol_name(6), protocol_name(88)), ("TCP".to_owned(), "088".to_owned()));
    }
}

//! Flow records as EVE `flow` events.

use std::borrow::Cow;
use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::eve::rounded;
use super::fact_event::fact_object;
use crate::app::{Basis, Events};
use crate::feature::{COUNT, SCHEMA, extract};
use crate::flow::{EndReason, FlowKey, FlowRecord, SideStats, community_id};
use crate::time::Timestamp;
use crate::wire::{Addr, Mac, Quoted, TcpFlags, Tunnel};

/// The event of a flow record, whose fields are in the order in which they are written. It is no [`Value`]: a hundred of them for each flow took
/// two fifths of the time of `auscult flows`.
#[derive(Serialize)]
pub struct FlowEvent<'r> {
    timestamp: Shown<Timestamp>,
    flow_id: u64,
    event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<Vec<u16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel: Option<Carrier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ether: Option<Interfaces>,
    src_ip: Shown<Addr>,
    dest_ip: Shown<Addr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    proto: Cow<'static, str>,
    ip_v: u8,
    app_proto: &'static str,
    community_id: String,
    flow: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<Tcp>,
    auscult: Product<'r>,
}

/// What is written as it is shown.
struct Shown<T>(T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// TCP flags as EVE writes them.
struct Hex(u8);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

/// The outermost packet that carried the flow's first.
#[derive(Serialize)]
struct Carrier {
    src_ip: Shown<Addr>,
    src_port: u16,
    dest_ip: Shown<Addr>,
    dest_port: u16,
    proto: Cow<'static, str>,
    depth: u8,
}

/// The interfaces of both ends, or of the routers before them, as EVE's flow events list them.
#[derive(Serialize)]
struct Interfaces {
    #[serde(skip_serializing_if = "Option::is_none")]
    src_macs: Option<[Shown<Mac>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_macs: Option<[Shown<Mac>; 1]>,
}

#[derive(Serialize)]
struct Counts {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    start: Shown<Timestamp>,
    end: Shown<Timestamp>,
    age: i64,
    state: &'static str,
    reason: &'static str,
    alerted: bool,
}

#[derive(Serialize)]
struct Tcp {
    tcp_flags: Shown<Hex>,
    tcp_flags_ts: Shown<Hex>,
    tcp_flags_tc: Shown<Hex>,
    syn: bool,
    fin: bool,
    rst: bool,
    psh: bool,
    ack: bool,
    urg: bool,
    ecn: bool,
    cwr: bool,
    state: &'static str,
    ts_gap: bool,
    tc_gap: bool,
}

#[derive(Serialize)]
struct Product<'r> {
    segment: u32,
    partial: bool,
    reason: &'static str,
    conn_state: &'static str,
    direction: &'static str,
    under_way: bool,
    app_by: &'static str,
    orig: Side,
    resp: Side,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Happened>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fragments: Option<InFragments>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_error: Option<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<About>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bits: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    behaviour: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<Features>,
}

#[derive(Serialize)]
struct Side {
    ip_bytes: u64,
    payload_bytes: u64,
    retransmitted: u32,
    out_of_order: u32,
    missing_bytes: u64,
    zero_window: u32,
    bad_checksums: u16,
}

#[derive(Serialize)]
struct Happened {
    login_failures: u32,
    file_changes: u32,
    names_missing: u32,
    refusals: u32,
    accounts_refused: u32,
    accounts_admitted: u32,
}

#[derive(Serialize)]
struct InFragments {
    packets: u32,
    odd: u32,
}

#[derive(Serialize)]
struct Refusal {
    r#type: u8,
    code: u8,
    count: u32,
}

/// The flow that an ICMP error is about, as its own record names it.
#[derive(Serialize)]
struct About {
    src_ip: Shown<Addr>,
    src_port: u16,
    dest_ip: Shown<Addr>,
    dest_port: u16,
    proto: Cow<'static, str>,
    community_id: String,
}

/// Features by their names.
struct Features([f64; COUNT]);

impl Serialize for Features {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(COUNT))?;
        SCHEMA.iter().zip(&self.0).try_for_each(|(feature, value)| map.serialize_entry(feature.name, value))?;
        map.end()
    }
}

/// The event of a flow record. `judged` is (bits, behaviour); without it the event carries `auscult.features` instead.
#[must_use]
pub fn flow_event<'r>(record: &'r FlowRecord, judged: Option<(f64, &'r str)>) -> FlowEvent<'r> {
    let is_icmp = matches!(record.key.protocol, 1 | 58);
    let code = if record.key.one_way { record.resp_port() } else { 0 };
    let vlans = || record.vlans.into_iter().filter(|&vlan| vlan != 0).collect();
    FlowEvent {
        timestamp: Shown(record.end),
        flow_id: record.id,
        event_type: "flow",
        vlan: (record.vlans[0] != 0).then(vlans),
        tunnel: record.tunnel.as_deref().map(carrier),
        ether: (record.macs != [[0; 6]; 2]).then(|| interfaces(record)),
        src_ip: Shown(record.orig_addr()),
        dest_ip: Shown(record.resp_addr()),
        icmp_type: is_icmp.then(|| record.orig_port()),
        icmp_code: is_icmp.then_some(code),
        src_port: (!is_icmp).then(|| record.orig_port()),
        dest_port: (!is_icmp).then(|| record.resp_port()),
        proto: protocol_name(record.key.protocol),
        ip_v: if record.key.low.is_v4() { 4 } else { 6 },
        app_proto: record.app.0.name(),
        community_id: community_id(&record.key, 0),
        flow: counts(record),
        tcp: (record.key.protocol == 6).then(|| tcp(record)),
        auscult: product(record, judged),
    }
}

fn carrier(tunnel: &Tunnel) -> Carrier {
    Carrier {
        src_ip: Shown(tunnel.src),
        src_port: tunnel.src_port,
        dest_ip: Shown(tunnel.dst),
        dest_port: tunnel.dst_port,
        proto: protocol_name(tunnel.protocol),
        depth: tunnel.depth,
    }
}

fn interfaces(record: &FlowRecord) -> Interfaces {
    let [src_macs, dest_macs] = record.macs.map(|mac| (mac != [0; 6]).then_some([Shown(Mac(mac))]));
    Interfaces { src_macs, dest_macs }
}

fn counts(record: &FlowRecord) -> Counts {
    Counts {
        pkts_toserver: record.orig.packets,
        pkts_toclient: record.resp.packets,
        bytes_toserver: record.orig.wire_bytes,
        bytes_toclient: record.resp.wire_bytes,
        start: Shown(record.start),
        end: Shown(record.end),
        age: record.end.since(record.start).as_seconds() as i64,
        state: state(record),
        reason: record.reason.eve(),
        alerted: false,
    }
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

fn tcp(record: &FlowRecord) -> Tcp {
    let (orig, resp) = (&record.orig, &record.resp);
    let both = orig.flags | resp.flags;
    let has = |flag: TcpFlags| TcpFlags(both).has(flag);
    let [tcp_flags, tcp_flags_ts, tcp_flags_tc] = [both, orig.flags, resp.flags].map(|flags| Shown(Hex(flags)));
    Tcp {
        tcp_flags,
        tcp_flags_ts,
        tcp_flags_tc,
        syn: has(TcpFlags::SYN),
        fin: has(TcpFlags::FIN),
        rst: has(TcpFlags::RST),
        psh: has(TcpFlags::PSH),
        ack: has(TcpFlags::ACK),
        urg: has(TcpFlags::URG),
        ecn: has(TcpFlags(0x40)),
        cwr: has(TcpFlags(0x80)),
        state: state(record),
        ts_gap: orig.missing_bytes > 0,
        tc_gap: resp.missing_bytes > 0,
    }
}

fn product<'r>(record: &'r FlowRecord, judged: Option<(f64, &'r str)>) -> Product<'r> {
    let Events { login_failures, file_changes, names_missing, refusals, accounts } = record.events;
    let fragments = InFragments { packets: record.fragments.packets, odd: record.fragments.odd };
    Product {
        segment: record.segment,
        partial: record.partial(),
        reason: record.reason.name(),
        conn_state: record.state.name(),
        direction: record.direction.name(),
        under_way: record.under_way,
        app_by: match record.app.1 {
            Basis::None => "none",
            Basis::Port => "port",
            Basis::Content => "content",
        },
        orig: side(&record.orig),
        resp: side(&record.resp),
        history: (record.key.protocol == 6).then(|| record.history.as_str()),
        facts: record.facts.as_deref().and_then(fact_object),
        events: (record.events != Events::default()).then_some(Happened {
            login_failures,
            file_changes,
            names_missing,
            refusals,
            accounts_refused: accounts.refused,
            accounts_admitted: accounts.admitted,
        }),
        fragments: (fragments.packets > 0).then_some(fragments),
        icmp_error: record.icmp_error.map(|error| Refusal { r#type: error.kind, code: error.code, count: error.count }),
        about: record.quoted.as_deref().map(about),
        tunnel: record.tunnel.as_deref().map(|tunnel| tunnel.kind.name()),
        bits: judged.map(|(bits, _)| rounded(bits)),
        behaviour: judged.map(|(_, behaviour)| behaviour),
        features: judged.is_none().then(|| Features(extract(record))),
    }
}

fn about(quoted: &Quoted) -> About {
    About {
        src_ip: Shown(quoted.src),
        src_port: quoted.src_port,
        dest_ip: Shown(quoted.dst),
        dest_port: quoted.dst_port,
        proto: protocol_name(quoted.protocol),
        community_id: community_id(&FlowKey::of_quoted(quoted), 0),
    }
}

fn side(side: &SideStats) -> Side {
    Side {
        ip_bytes: side.ip_bytes,
        payload_bytes: side.payload_bytes,
        retransmitted: side.retransmitted,
        out_of_order: side.out_of_order,
        missing_bytes: side.missing_bytes,
        zero_window: side.zero_window,
        bad_checksums: side.bad_checksums,
    }
}

/// The protocol as EVE spells it.
#[must_use]
pub(super) fn protocol_name(protocol: u8) -> Cow<'static, str> {
    Cow::Borrowed(match protocol {
        1 => "ICMP",
        2 => "IGMP",
        6 => "TCP",
        17 => "UDP",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "IPv6-ICMP",
        132 => "SCTP",
        other => return Cow::Owned(format!("{other:03}")),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::flow::testing::{packet, tcp};
    use crate::flow::{FlowKey, FlowLimits, HomeNets, Shard};
    use crate::wire::Packet;
    use serde_json::json;

    /// The event, to be looked into.
    fn event_of(record: &FlowRecord, judged: Option<(f64, &str)>) -> Value {
        serde_json::to_value(flow_event(record, judged)).unwrap()
    }

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
        let judged = event_of(&record, Some((1.234_56, "look-up")));
        assert_eq!((&judged["auscult"]["bits"], &judged["auscult"]["behaviour"]), (&json!(1.235), &json!("look-up")));
        assert!(judged["auscult"].get("features").is_none());
        let plain = event_of(&record, None);
        assert!(plain["auscult"].get("bits").is_none());
        assert_eq!(plain["auscult"]["features"].as_object().unwrap().len(), SCHEMA.len());
    }

    #[test]
    fn icmp_has_a_type_and_no_ports() {
        let event = event_of(&record(&[packet(0, 1, 8, 2, 0, 1)]), None);
        assert_eq!((&event["icmp_type"], &event["icmp_code"], &event["proto"]), (&json!(8), &json!(0), &json!("ICMP")));
        assert!(event.get("src_port").is_none() && event.get("tcp").is_none());
    }

    #[test]
    fn vlans_are_written_only_where_there_are_any() {
        let mut tagged = packet(0, 1, 4000, 2, 53, 17);
        assert!(event_of(&record(std::slice::from_ref(&tagged)), None).get("vlan").is_none());
        tagged.vlans = [20, 0];
        assert_eq!(event_of(&record(&[tagged]), None)["vlan"], json!([20]));
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
        assert_eq!((protocol_name(6), protocol_name(88)), ("TCP".into(), "088".into()));
    }
}

//! EVE's flow events, our own and Suricata's, and tables of our own.

use super::draft::{Draft, Ends, TCP, flags, identifier, state_of};
use super::error::Wrong;
use super::field::{count, count32, number, port};
use super::kind::RecordKind;
use super::restore::restore;
use super::row::Row;
use crate::app::{Accounts, Events, Facts};
use crate::feature::{COUNT, SCHEMA};
use crate::flow::{ConnState, DirectionBasis, EndReason, FlowRecord, Fragments, History, IcmpError, SideStats};
use crate::wire::{Mac, TcpFlags};

const PORTS: [&[&str]; 2] = [&["icmp_type", "src_port"], &["icmp_code", "dest_port"]];
/// Bytes of an Ethernet header.
const LINK_BYTES: u64 = 14;

/// Reads a flow event. What it does not say is 0, but for the payload, which is reckoned from the bytes on the wire.
pub(super) fn read(row: &dyn Row) -> Result<Draft, Wrong> {
    let ends = Ends::read(row, PORTS, &["flow.end", "timestamp"], None)?;
    let mut record = ends.record();
    let features = features(row)?;
    let is_v4 = record.key.low.is_v4();
    let header = header_bytes(ends.protocol, is_v4);
    record.orig = side(row, record.orig, SideNames::ORIG, header)?;
    record.resp = side(row, record.resp, SideNames::RESP, header)?;
    if ends.protocol == TCP {
        flags(&mut record.orig, tcp_flags(row, ["tcp.tcp_flags_ts", "tcp_flags_ts"])?);
        flags(&mut record.resp, tcp_flags(row, ["tcp.tcp_flags_tc", "tcp_flags_tc"])?);
        record.state = state_of(&record.orig, &record.resp);
    }
    record.reason = reason(row, record.state)?;
    record.app = ends.app(row.text("app_proto").as_deref());
    let told = row.facts();
    record.facts = told.and_then(|told| Facts::from_told(record.app.0, &told)).map(Box::new);
    record.vlans = [port(row, &["vlan.0", "vlan"])?, port(row, &["vlan.1", "vlan_inner"])?];
    record.macs = [mac(row, &["ether.src_macs.0", "ether.src_mac"])?, mac(row, &["ether.dest_macs.0", "ether.dest_mac"])?];
    own(row, &mut record)?;
    record.id = match count(row, &["flow_id"])? {
        0 => identifier(&record, ""),
        id => id,
    };
    if let Some(features) = &features {
        restore(&mut record, features);
    }
    let is_whole = features.as_ref().is_some_and(|features| features.iter().all(Option::is_some));
    Ok(Draft { record, kind: if is_whole { RecordKind::Whole } else { RecordKind::Eve }, features })
}

struct SideNames {
    packets: &'static [&'static str],
    wire_bytes: &'static [&'static str],
    ip_bytes: &'static [&'static str],
    payload_bytes: &'static [&'static str],
    payload_feature: &'static str,
    retransmitted: &'static [&'static str],
}

impl SideNames {
    const ORIG: Self = Self {
        packets: &["flow.pkts_toserver"],
        wire_bytes: &["flow.bytes_toserver"],
        ip_bytes: &["auscult.orig.ip_bytes"],
        payload_bytes: &["auscult.orig.payload_bytes"],
        payload_feature: "payload_bytes_orig",
        retransmitted: &["auscult.orig.retransmitted"],
    };
    const RESP: Self = Self {
        packets: &["flow.pkts_toclient"],
        wire_bytes: &["flow.bytes_toclient"],
        ip_bytes: &["auscult.resp.ip_bytes"],
        payload_bytes: &["auscult.resp.payload_bytes"],
        payload_feature: "payload_bytes_resp",
        retransmitted: &["auscult.resp.retransmitted"],
    };
}

fn side(row: &dyn Row, side: SideStats, names: SideNames, header: u64) -> Result<SideStats, Wrong> {
    let (packets, wire_bytes) = (count(row, names.packets)?, count(row, names.wire_bytes)?);
    let told = match row.feature(names.payload_feature) {
        _ if row.text(names.payload_bytes[0]).is_some() => Some(count(row, names.payload_bytes)?),
        Some(text) => Some(number(names.payload_feature, &text)?.clamp(0.0, wire_bytes as f64) as u64),
        None => None,
    };
    let links = packets.saturating_mul(LINK_BYTES);
    let reckoned = wire_bytes.saturating_sub(links).saturating_sub(packets.saturating_mul(header));
    let ip_bytes = match count(row, names.ip_bytes)? {
        0 => wire_bytes.saturating_sub(links),
        told => told,
    };
    let retransmitted = count32(row, names.retransmitted)?;
    Ok(SideStats { packets, wire_bytes, ip_bytes, payload_bytes: told.unwrap_or(reckoned), retransmitted, ..side })
}

/// Bytes of the headers of IP and of the transport, without options.
const fn header_bytes(protocol: u8, is_v4: bool) -> u64 {
    let network = if is_v4 { 20 } else { 40 };
    let transport = match protocol {
        6 => 20,
        17 | 1 | 58 => 8,
        132 => 12,
        _ => 0,
    };
    network + transport
}

/// All flags of a side: hexadecimal in an event, a number in a table.
fn tcp_flags(row: &dyn Row, [in_event, in_table]: [&'static str; 2]) -> Result<u8, Wrong> {
    if let Some(text) = row.text(in_event) {
        return u8::from_str_radix(&text, 16).map_err(|_| Wrong::new(in_event, "TCP flags in hexadecimal", &text));
    }
    let bits = port(row, &[in_table])?;
    u8::try_from(bits).map_err(|_| Wrong::new(in_table, "TCP flags, 0 to 255", &bits.to_string()))
}

fn reason(row: &dyn Row, state: ConnState) -> Result<EndReason, Wrong> {
    if let Some(text) = row.text("auscult.reason") {
        let reason = EndReason::from_name(&text).filter(|reason| *reason != EndReason::FirstLook);
        return reason.ok_or_else(|| Wrong::new("auscult.reason", "why the record was written, such as idle", &text));
    }
    Ok(match row.text("flow.reason").as_deref() {
        Some("forced") => EndReason::Evicted,
        Some("shutdown") => EndReason::Shutdown,
        _ if state.ended() => EndReason::Closed,
        _ => EndReason::Idle,
    })
}

fn mac(row: &dyn Row, names: &[&'static str]) -> Result<[u8; 6], Wrong> {
    let Some((name, text)) = super::field::any(row, names) else { return Ok([0; 6]) };
    text.parse::<Mac>().map(|mac| mac.0).map_err(|_| Wrong::new(name, "a MAC address", &text))
}

/// What only our own events say.
fn own(row: &dyn Row, record: &mut FlowRecord) -> Result<(), Wrong> {
    record.segment = count32(row, &["auscult.segment"])?;
    record.history = History::of_letters(row.text("auscult.history").as_deref().unwrap_or_default());
    if let Some(text) = row.text("auscult.conn_state") {
        let state = ConnState::from_name(&text);
        record.state = state.ok_or_else(|| Wrong::new("auscult.conn_state", "a state of Zeek such as S0 or SF", &text))?;
    }
    let is_syn = (record.orig.flags | record.resp.flags) & TcpFlags::SYN.0 != 0;
    if let Some(text) = row.text("auscult.direction") {
        let basis = DirectionBasis::from_name(&text);
        record.direction =
            basis.ok_or_else(|| Wrong::new("auscult.direction", "how the initiator was told, such as syn", &text))?;
    } else if is_syn {
        record.direction = DirectionBasis::Syn;
    }
    record.under_way = match row.text("auscult.under_way").as_deref() {
        Some(told) => told == "1",
        None => record.key.protocol == TCP && record.direction != DirectionBasis::Syn && record.segment == 0,
    };
    record.events = Events {
        login_failures: count32(row, &["auscult.events.login_failures"])?,
        file_changes: count32(row, &["auscult.events.file_changes"])?,
        names_missing: count32(row, &["auscult.events.names_missing"])?,
        refusals: count32(row, &["auscult.events.refusals"])?,
        accounts: Accounts {
            refused: count32(row, &["auscult.events.accounts_refused"])?,
            admitted: count32(row, &["auscult.events.accounts_admitted"])?,
        },
    };
    record.fragments =
        Fragments { packets: count32(row, &["auscult.fragments.packets"])?, odd: count32(row, &["auscult.fragments.odd"])? };
    let errors = count32(row, &["auscult.icmp_error.count"])?;
    let byte = |name: &'static str| port(row, &[name]).map(|value| u8::try_from(value).unwrap_or(u8::MAX));
    if errors > 0 {
        let (kind, code) = (byte("auscult.icmp_error.type")?, byte("auscult.icmp_error.code")?);
        record.icmp_error = Some(IcmpError { kind, code, count: errors });
    }
    Ok(())
}

fn features(row: &dyn Row) -> Result<Option<Box<[Option<f32>; COUNT]>>, Wrong> {
    let mut told = Box::new([None; COUNT]);
    for (place, feature) in told.iter_mut().zip(&SCHEMA) {
        let Some(text) = row.feature(feature.name) else { continue };
        let value = number(feature.name, &text)? as f32;
        *place = if value.is_finite() { Some(value) } else { return Err(Wrong::new(feature.name, "a finite number", &text)) };
    }
    Ok(told.iter().any(Option::is_some).then_some(told))
}

#[cfg(test)]
mod tests {
    use super::super::row::JsonRow;
    use super::*;
    use crate::alert::flow_event;
    use crate::app::{App, Basis};
    use crate::feature::{Observation, extract};
    use crate::flow::HomeNets;
    use crate::flow::testing::{packet, payload, tcp};
    use crate::flow::{FlowKey, FlowLimits, Shard};
    use crate::time::Timestamp;
    use crate::wire::Packet;

    fn record(packets: &[Packet]) -> FlowRecord {
        let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
        let (mut shard, mut out) = (Shard::default(), Vec::new());
        for packet in packets {
            let (key, from_low) = FlowKey::of(packet);
            shard.packet((key, from_low, key.hash()), packet, &[], (&limits, &home), &mut out);
        }
        shard.finish(&limits, packets[packets.len() - 1].time, &mut out);
        *out.remove(0)
    }

    fn exchange() -> Vec<Packet> {
        let mut syn = tcp(packet(0, 9, 40_000, 2, 445, 6), 100, 0, 0x02);
        syn.src_mac = [2, 0, 0, 0, 0, 1];
        vec![
            syn,
            tcp(packet(20, 2, 445, 9, 40_000, 6), 500, 101, 0x12),
            payload(tcp(packet(40, 9, 40_000, 2, 445, 6), 101, 501, 0x18), 700),
            payload(tcp(packet(90, 2, 445, 9, 40_000, 6), 501, 801, 0x18), 90),
            payload(tcp(packet(300, 9, 40_000, 2, 445, 6), 801, 591, 0x18), 30),
        ]
    }

    fn again(line: &serde_json::Value) -> Draft {
        read(&JsonRow::read(&line.to_string()).unwrap()).unwrap()
    }

    #[test]
    fn our_own_event_is_seen_as_the_flow_was() {
        let mut flow = record(&exchange());
        let accounts = Accounts { refused: 1 << 31, admitted: 6 };
        flow.events = Events { login_failures: 3, file_changes: 0, names_missing: 2, refusals: 4, accounts };
        let seen = Timestamp::from_parts(9, 0);
        let want = Observation::of(&flow, seen, &HomeNets::default());
        let draft = again(&serde_json::to_value(flow_event(&flow, None)).unwrap());
        assert_eq!((draft.kind, draft.record.key, draft.record.id), (RecordKind::Whole, flow.key, flow.id));
        assert_eq!((draft.record.state, draft.record.history, draft.record.reason), (flow.state, flow.history, flow.reason));
        // What is written again is what was read.
        for ((feature, a), b) in SCHEMA.iter().zip(extract(&draft.record)).zip(extract(&flow)) {
            assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "{}: {a}, wanted {b}", feature.name);
        }
        let got = draft.emit(seen, &HomeNets::default()).observation;
        assert_eq!((got.vector, got.service, got.macs), (want.vector, want.service, want.macs));
        assert_eq!((got.orig, got.resp, got.app, got.events), (want.orig, want.resp, want.app, want.events));
        assert_eq!((got.failed, got.under_way, got.continued), (want.failed, want.under_way, want.continued));
    }

    #[test]
    fn without_features_the_counts_tell() {
        let flow = record(&exchange());
        let draft = again(&serde_json::to_value(flow_event(&flow, Some((1.0, "any")))).unwrap());
        assert_eq!((draft.kind, draft.record.orig.payload_bytes), (RecordKind::Eve, 730));
        let (got, want) = (extract(&draft.record), extract(&flow));
        for name in ["duration_s", "packets_orig", "payload_bytes_resp", "resp_share", "established", "answered", "is_tcp"] {
            let place = SCHEMA.iter().position(|feature| feature.name == name).unwrap();
            assert!((got[place] - want[place]).abs() < 1e-6, "{name}");
        }
    }

    #[test]
    fn a_flow_of_suricata_is_reckoned_from_its_bytes() {
        let event = serde_json::json!({
            "timestamp": "2023-11-14T22:13:22.000000+0000", "flow_id": 77, "event_type": "flow", "src_ip": "10.0.0.5", "src_port": 40000,
            "dest_ip": "10.0.0.1", "dest_port": 443, "proto": "TCP", "app_proto": "failed",
            "flow": {"pkts_toserver": 4, "pkts_toclient": 3, "bytes_toserver": 716, "bytes_toclient": 162,
                "start": "2023-11-14T22:13:20.000000+0000", "end": "2023-11-14T22:13:21.500000+0000", "state": "closed", "reason": "timeout"},
            "tcp": {"tcp_flags": "1b", "tcp_flags_ts": "1b", "tcp_flags_tc": "16"},
        });
        let record = again(&event).record;
        assert_eq!((record.orig.payload_bytes, record.resp.payload_bytes, record.state), (500, 0, ConnState::Rstr));
        assert_eq!((record.app, record.id, record.duration_s()), ((App::Tls, Basis::Port), 77, 1.5));
    }

    #[test]
    fn a_feature_that_is_no_number_is_told() {
        let mut event = serde_json::to_value(flow_event(&record(&exchange()), None)).unwrap();
        event["auscult"]["features"]["turns"] = serde_json::json!("many");
        let wrong = read(&JsonRow::read(&event.to_string()).unwrap()).unwrap_err();
        assert_eq!((wrong.field.as_ref(), wrong.wanted), ("turns", "a finite number"));
    }
}

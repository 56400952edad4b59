//! Zeek's connections, and tables with columns like theirs.

use super::draft::{Draft, Ends, TCP, flags, identifier};
use super::error::Wrong;
use super::field::{any, count, duration, port};
use super::kind::RecordKind;
use super::row::Row;
use crate::flow::{ConnState, DirectionBasis, EndReason, FlowRecord, History, SideStats};
use crate::wire::{Mac, TcpFlags};

const PORTS: [&[&str]; 2] = [&["src_port", "id.orig_p", "orig_p"], &["dst_port", "dest_port", "id.resp_p", "resp_p"]];
/// Bytes of an IPv4 and a TCP header.
const HEADER_BYTES: u64 = 40;
/// Bytes of an Ethernet header.
const LINK_BYTES: u64 = 14;
/// The longest payload of one packet.
const MOST_PAYLOAD_BYTES: u64 = 65_535;

/// Reads a record of a conn log. What it does not say is 0: a Zeek log knows no sizes and times of single packets.
pub(super) fn read(row: &dyn Row) -> Result<Draft, Wrong> {
    let ends = Ends::read(row, PORTS, &["end", "flow_end"], duration(row, &["duration", "dur"])?)?;
    let mut record = ends.record();
    record.orig = side(row, record.orig, [&["orig_bytes"], &["orig_pkts"], &["orig_ip_bytes"]])?;
    record.resp = side(row, record.resp, [&["resp_bytes"], &["resp_pkts"], &["resp_ip_bytes"]])?;
    let history = row.text("history");
    record.history = History::of_letters(history.as_deref().unwrap_or_default());
    let state = state(row)?;
    if ends.protocol == TCP {
        connection(&mut record, state);
        if matches!(state, Some(state) if state.ended()) {
            record.reason = EndReason::Closed;
        }
    }
    record.app = ends.app(any(row, &["service", "app_proto"]).map(|(_, text)| text).as_deref());
    record.vlans = [port(row, &["vlan"])?, port(row, &["inner_vlan"])?];
    record.macs = [mac(row, "orig_l2_addr")?, mac(row, "resp_l2_addr")?];
    record.id = identifier(&record, row.text("uid").as_deref().unwrap_or_default());
    Ok(Draft { record, kind: RecordKind::Conn, features: None })
}

fn state(row: &dyn Row) -> Result<Option<ConnState>, Wrong> {
    let Some(text) = row.text("conn_state") else { return Ok(None) };
    let state = ConnState::from_name(&text);
    state.map(Some).ok_or_else(|| Wrong::new("conn_state", "a state of Zeek such as S0, SF or REJ", &text))
}

fn mac(row: &dyn Row, name: &'static str) -> Result<[u8; 6], Wrong> {
    let Some(text) = row.text(name) else { return Ok([0; 6]) };
    text.parse::<Mac>().map(|mac| mac.0).map_err(|_| Wrong::new(name, "a MAC address", &text))
}

/// Payload, packets and bytes of IP packets of one side.
fn side(row: &dyn Row, side: SideStats, names: [&[&'static str]; 3]) -> Result<SideStats, Wrong> {
    let [payload, packets, ip_bytes] = [count(row, names[0])?, count(row, names[1])?, count(row, names[2])?];
    // Bytes came in at least one packet, also where nobody counted these.
    let packets = packets.max(u64::from(payload > 0 || ip_bytes > 0));
    // Zeek takes the payload of TCP from sequence numbers, of which a stray one makes gigabytes.
    let most = if ip_bytes > 0 { ip_bytes } else { packets.saturating_mul(MOST_PAYLOAD_BYTES) };
    let payload_bytes = payload.min(most);
    let ip_bytes = if ip_bytes > 0 { ip_bytes } else { payload_bytes + packets.saturating_mul(HEADER_BYTES) };
    let wire_bytes = ip_bytes.saturating_add(packets.saturating_mul(LINK_BYTES));
    Ok(SideStats { packets, ip_bytes, wire_bytes, payload_bytes, ..side })
}

/// What state and history tell of a TCP connection.
fn connection(record: &mut FlowRecord, state: Option<ConnState>) {
    let told = if record.history.as_str().is_empty() { flags_of_state(state) } else { flags_of_history(record.history) };
    flags(&mut record.orig, told[0]);
    flags(&mut record.resp, told[1]);
    record.state = state.unwrap_or_else(|| super::draft::state_of(&record.orig, &record.resp));
    let began = record.orig.syn + record.resp.syn > 0;
    if began {
        record.direction = DirectionBasis::Syn;
    }
    // Where the state is unknown too, nothing says that anything was missed.
    record.under_way = !began && (state.is_some() || !record.history.as_str().is_empty());
}

fn flags_of_history(history: History) -> [u8; 2] {
    let mut both = [0; 2];
    for letter in history.as_str().bytes() {
        let bits = match letter.to_ascii_lowercase() {
            b's' => TcpFlags::SYN.0,
            b'h' => TcpFlags::SYN.0 | TcpFlags::ACK.0,
            b'a' | b'd' => TcpFlags::ACK.0,
            b'f' => TcpFlags::FIN.0,
            b'r' => TcpFlags::RST.0,
            b'i' => TcpFlags::FIN.0 | TcpFlags::RST.0,
            b'q' => TcpFlags::SYN.0 | TcpFlags::RST.0,
            _ => 0,
        };
        both[usize::from(letter.is_ascii_lowercase())] |= bits;
    }
    both
}

const fn flags_of_state(state: Option<ConnState>) -> [u8; 2] {
    const S: u8 = TcpFlags::SYN.0;
    const A: u8 = TcpFlags::ACK.0;
    const F: u8 = TcpFlags::FIN.0;
    const R: u8 = TcpFlags::RST.0;
    match state {
        Some(ConnState::S0) => [S, 0],
        Some(ConnState::S1) => [S | A, S | A],
        Some(ConnState::Sf) => [S | A | F, S | A | F],
        Some(ConnState::Rej) => [S, R | A],
        Some(ConnState::S2) => [S | A | F, S | A],
        Some(ConnState::S3) => [S | A, S | A | F],
        Some(ConnState::Rsto) => [S | A | R, S | A],
        Some(ConnState::Rstr) => [S | A, S | A | R],
        Some(ConnState::Rstos0) => [S | R, 0],
        Some(ConnState::Rstrh) => [0, S | A | R],
        Some(ConnState::Sh) => [S | F, 0],
        Some(ConnState::Shr) => [0, S | A | F],
        Some(ConnState::Oth) | None => [0, 0],
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::testing::row;
    use super::*;
    use crate::app::{App, Basis};
    use crate::feature::extract;
    use crate::time::Timestamp;

    const CONN: [(&str, &str); 8] = [
        ("ts", "1700000000.25"),
        ("id.orig_h", "10.0.0.5"),
        ("id.orig_p", "50000"),
        ("id.resp_h", "10.0.0.1"),
        ("id.resp_p", "22"),
        ("proto", "tcp"),
        ("duration", "1.5"),
        ("conn_state", "SF"),
    ];

    fn conn(more: &[(&str, &str)]) -> Result<FlowRecord, Wrong> {
        read(&row(&[&CONN[..], more].concat())).map(|draft| *draft.record)
    }

    #[test]
    fn a_connection_is_what_its_fields_say() {
        let record =
            conn(&[("service", "-"), ("orig_bytes", "300"), ("orig_pkts", "4"), ("resp_pkts", "3"), ("history", "ShADadFf")]);
        let record = record.unwrap();
        assert_eq!((record.orig_port(), record.resp_port(), record.state), (50000, 22, ConnState::Sf));
        assert_eq!((record.app, record.direction), ((App::Ssh, Basis::Port), DirectionBasis::Syn));
        assert_eq!((record.end, record.orig.payload_bytes), (Timestamp::from_parts(1_700_000_001, 750_000_000), 300));
        assert!(!record.failed() && !record.under_way && extract(&record).iter().all(|value| value.is_finite()));
    }

    #[test]
    fn failed_attempts_come_from_the_state() {
        for (state, failed) in [("S0", true), ("REJ", true), ("RSTOS0", true), ("SH", true), ("SF", false), ("OTH", false)] {
            assert_eq!(conn(&[("conn_state", state)]).unwrap().failed(), failed, "{state}");
        }
        assert!(conn(&[("conn_state", "OTH")]).unwrap().under_way);
        assert_eq!(conn(&[("conn_state", "S9")]).unwrap_err().field, "conn_state");
        // Zeek gives UDP states too, which say nothing of a connection.
        assert!(!conn(&[("proto", "udp"), ("conn_state", "S0")]).unwrap().failed());
    }

    #[test]
    fn every_state_is_what_its_flags_tell() {
        for name in ["S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH"] {
            let state = ConnState::from_name(name).unwrap();
            let (mut orig, mut resp) = (SideStats::default(), SideStats::default());
            let [of_orig, of_resp] = flags_of_state(Some(state));
            flags(&mut orig, of_orig);
            flags(&mut resp, of_resp);
            assert_eq!(super::super::draft::state_of(&orig, &resp), state, "{name}");
        }
    }

    #[test]
    fn sequence_numbers_make_no_gigabytes() {
        let stray = [("orig_bytes", "4294967295"), ("orig_pkts", "2")];
        assert_eq!(conn(&[&stray[..], &[("orig_ip_bytes", "104")]].concat()).unwrap().orig.payload_bytes, 104);
        assert_eq!(conn(&stray).unwrap().orig.payload_bytes, 131_070);
    }

    #[test]
    fn of_several_services_the_first_that_is_known_counts() {
        assert_eq!(conn(&[("service", "gssapi,smb,ntlm")]).unwrap().app, (App::Smb, Basis::Content));
        assert_eq!(
            conn(&[("id.resp_h", "")]).unwrap_err().to_string(),
            r#"field "src_ip": wanted an IPv4 or IPv6 address, got nothing"#.replace("src_ip", "dest_ip")
        );
    }
}

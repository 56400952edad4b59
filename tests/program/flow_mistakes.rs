//! Mistakes that flow meters are known to have made, CICFlowMeter above all: each has a test that fails where it is made.
//! After G. Engelen et al., "Troubleshooting an intrusion detection dataset", 2021, A. Rosay et al. (LycoSTand), 2021,
//! M. Lanvin et al., 2022, and the issues of CICFlowMeter (numbers with #).

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::packets::{ACK, End, FIN, PSH, RST, SYN, Shot, ipv4, pcap, tcp, udp};
use crate::support::{Folder, auscult, lines, program};

/// The initiator; its address sorts above the responder's.
const CLIENT: End = ([10, 0, 0, 5], 40_000);
/// The responder.
const SERVER: End = ([10, 0, 0, 1], 80);
const DNS: End = ([10, 0, 0, 1], 53);
/// 2023-11-14T22:13:20Z in microseconds.
const EPOCH: u64 = 1_700_000_000_000_000;

/// A frame this many milliseconds after the epoch.
fn shot(ms: u64, data: Vec<u8>) -> Shot {
    Shot { micros: EPOCH + ms * 1000, data }
}

fn there(ms: u64, seq: u32, ack: u32, flags: u8, payload: usize) -> Shot {
    shot(ms, tcp(CLIENT, SERVER, seq, ack, flags, &vec![b'x'; payload]))
}

fn back(ms: u64, seq: u32, ack: u32, flags: u8, payload: usize) -> Shot {
    shot(ms, tcp(SERVER, CLIENT, seq, ack, flags, &vec![b'x'; payload]))
}

/// SYN, SYN-ACK, ACK from 0 to 2 ms; the client goes on with 101, the server with 501.
fn handshake() -> Vec<Shot> {
    vec![there(0, 100, 0, SYN, 0), back(1, 500, 101, SYN | ACK, 0), there(2, 101, 501, ACK, 0)]
}

fn after_handshake(rest: Vec<Shot>) -> Vec<Shot> {
    [handshake(), rest].concat()
}

fn flows(shots: &[Shot]) -> Vec<Value> {
    let folder = Folder::new();
    let capture = folder.put("input.pcap", &pcap(shots));
    auscult(&["flows", &capture]).ended(0).lines()
}

#[track_caller]
fn one_flow(shots: &[Shot]) -> Value {
    let flows = flows(shots);
    assert_eq!(flows.len(), 1, "{flows:#?}");
    flows.into_iter().next().unwrap()
}

fn feature(flow: &Value, name: &str) -> f64 {
    flow["auscult"]["features"][name].as_f64().unwrap_or_else(|| panic!("{name} is no number: {flow}"))
}

fn packets(flow: &Value) -> (u64, u64) {
    (flow["flow"]["pkts_toserver"].as_u64().unwrap(), flow["flow"]["pkts_toclient"].as_u64().unwrap())
}

/// CICFlowMeter ended a flow at the first packet with FIN and made another of what followed.
#[test]
fn the_first_fin_does_not_end_a_flow() {
    let flow = one_flow(&after_handshake(vec![
        there(10, 101, 501, FIN | ACK, 0),
        back(11, 501, 102, ACK, 0),
        back(60_000, 501, 102, PSH | ACK, 700),
        there(60_001, 102, 1201, ACK, 0),
        back(90_000, 1201, 102, FIN | ACK, 0),
        there(90_001, 102, 1202, ACK, 0),
    ]));
    assert_eq!(packets(&flow), (5, 4));
    assert_eq!((feature(&flow, "duration_s"), feature(&flow, "payload_bytes_resp")), (90.001, 700.0));
    assert_eq!(flow["auscult"]["conn_state"], "SF");
}

/// CICFlowMeter knew no RST: two connections of the same ports, the first reset, were one flow.
#[test]
fn a_reset_ends_a_flow() {
    let reset = after_handshake(vec![back(10, 501, 101, RST | ACK, 0)]);
    let again = [there(2000, 9000, 0, SYN, 0), back(2001, 7000, 9001, SYN | ACK, 0)];
    let flows = flows(&[&reset[..], &again].concat());
    assert_eq!(flows.len(), 2, "{flows:#?}");
    assert_eq!((packets(&flows[0]), packets(&flows[1])), ((2, 2), (1, 1)));
    assert_eq!((&flows[0]["auscult"]["conn_state"], &flows[1]["auscult"]["conn_state"]), (&json!("RSTR"), &json!("S1")));
}

/// CICFlowMeter's Active and Idle held times since 1970: ten years later every feature has to be the same.
#[test]
fn no_feature_holds_an_absolute_time() {
    let talk = after_handshake(vec![there(5000, 101, 501, PSH | ACK, 40), back(65_000, 501, 141, PSH | ACK, 90)]);
    let later: Vec<Shot> =
        talk.iter().map(|shot| Shot { micros: shot.micros + 315_576_000_000_000, data: shot.data.clone() }).collect();
    let (flow, later) = (one_flow(&talk), one_flow(&later));
    assert_eq!(flow["auscult"]["features"], later["auscult"]["features"]);
    assert_ne!(flow["flow"]["start"], later["flow"]["start"]);
    assert_eq!(feature(&flow, "silence_max_s"), 64.999, "between the server's two packets");
}

/// CICFlowMeter counted flags, bulks and subflows from a flow's first packet alone (#41), and PSH and URG in one direction.
#[test]
fn flags_are_counted_from_every_packet_of_both_sides() {
    let flow = one_flow(&after_handshake(vec![
        there(3, 101, 501, PSH | ACK, 10),
        back(4, 501, 111, PSH | ACK, 10),
        there(5, 111, 511, PSH | ACK, 10),
        back(6, 511, 121, FIN | PSH | ACK, 10),
        there(7, 121, 522, FIN | ACK, 0),
    ]));
    assert_eq!(["syn_count", "fin_count", "rst_count"].map(|name| feature(&flow, name)), [2.0, 2.0, 0.0]);
    assert_eq!(feature(&flow, "push_share"), 4.0 / 8.0);
    assert_eq!((&flow["tcp"]["tcp_flags_ts"], &flow["tcp"]["tcp_flags_tc"]), (&json!("1b"), &json!("1b")));
}

/// CICFlowMeter added the backward FINs to the backward FINs (#167) and put every bulk into one direction (#124): what each
/// side sent is its own, whichever address sorts first and whichever side sends more.
#[test]
fn forward_and_backward_are_not_swapped() {
    for (client, server) in [(CLIENT, SERVER), (([10, 0, 0, 1], 40_000), ([10, 0, 0, 5], 80)), (SERVER, CLIENT)] {
        let flow = one_flow(&[
            shot(0, tcp(client, server, 100, 0, SYN, &[])),
            shot(1, tcp(server, client, 500, 101, SYN | ACK, &[])),
            shot(2, tcp(client, server, 101, 501, ACK, &[b'x'; 30])),
            shot(3, tcp(server, client, 501, 131, ACK, &[b'y'; 500])),
            shot(4, tcp(server, client, 1001, 131, ACK, &[b'y'; 400])),
            shot(5, tcp(server, client, 1401, 131, FIN | ACK, &[])),
        ]);
        assert_eq!((&flow["src_port"], &flow["dest_port"]), (&json!(client.1), &json!(server.1)));
        assert_eq!(packets(&flow), (2, 4));
        let both = |name: &str| (feature(&flow, &format!("{name}_orig")), feature(&flow, &format!("{name}_resp")));
        assert_eq!(both("payload_bytes"), (30.0, 900.0));
        assert_eq!(both("data_packets"), (1.0, 2.0));
        assert_eq!(both("payload_max"), (30.0, 500.0));
        assert_eq!((&flow["tcp"]["tcp_flags_ts"], &flow["tcp"]["tcp_flags_tc"]), (&json!("12"), &json!("13")));
    }
}

/// CICFlowMeter's count of forward and backward packets was off by one (#45).
#[test]
fn the_first_packet_counts_once() {
    assert_eq!(packets(&one_flow(&[shot(0, udp(CLIENT, DNS, b"?"))])), (1, 0));
    assert_eq!(packets(&one_flow(&[shot(0, udp(CLIENT, DNS, b"?")), shot(1, udp(DNS, CLIENT, b"!"))])), (1, 1));
}

/// CICFlowMeter divided whole numbers: means lost their fraction.
#[test]
fn means_keep_their_fraction() {
    let flow =
        one_flow(&[shot(0, udp(CLIENT, DNS, &[0; 1])), shot(1, udp(CLIENT, DNS, &[0; 2])), shot(4, udp(CLIENT, DNS, &[0; 2]))]);
    let near = |name: &str, wanted: f64| assert!((feature(&flow, name) - wanted).abs() < 1e-9, "{name}: {flow}");
    near("payload_mean_orig", 5.0 / 3.0);
    near("payload_std_orig", (2.0_f64 / 9.0).sqrt());
    near("gap_mean_orig_ms", 2.0);
    near("gap_std_orig_ms", 1.0);
}

/// CICFlowMeter's rates of flows without duration were infinite or no number (#38).
#[test]
fn a_flow_without_duration_has_finite_features() {
    let single = vec![shot(0, udp(CLIENT, DNS, b"?"))];
    let at_once = vec![shot(0, udp(CLIENT, DNS, b"?")), shot(0, udp(DNS, CLIENT, b"!")), shot(0, udp(CLIENT, DNS, b"?"))];
    let empty = vec![there(0, 100, 0, SYN, 0)];
    for shots in [single, at_once, empty] {
        let flow = one_flow(&shots);
        let features = flow["auscult"]["features"].as_object().unwrap();
        // JSON has no infinity: a number that is not finite would be null.
        assert!(features.len() > 40 && features.values().all(|value| value.as_f64().is_some_and(f64::is_finite)), "{flow}");
        assert_eq!(feature(&flow, "duration_s"), 0.0);
    }
}

/// CICFlowMeter took the sender of the first packet in the file for the initiator.
#[test]
fn an_unsorted_capture_swaps_nothing() {
    let sorted = after_handshake(vec![
        there(3, 101, 501, PSH | ACK, 30),
        back(9, 501, 131, PSH | ACK, 300),
        there(12, 131, 801, FIN | ACK, 0),
        back(15, 801, 132, FIN | ACK, 0),
        there(16, 132, 802, ACK, 0),
    ]);
    let wanted = one_flow(&sorted);
    for (a, b) in [(0, 1), (1, 2), (3, 4), (0, 7), (2, 5)] {
        let mut unsorted = sorted.clone();
        unsorted.swap(a, b);
        let flow = one_flow(&unsorted);
        for member in ["src_ip", "src_port", "dest_ip", "dest_port", "flow", "tcp", "community_id"] {
            assert_eq!(flow[member], wanted[member], "{member} with {a} and {b} swapped");
        }
        assert_eq!(flow["auscult"]["conn_state"], "SF", "{a} and {b} swapped");
    }
    let answer_first = [shot(5, udp(DNS, CLIENT, &[0; 90])), shot(0, udp(CLIENT, DNS, &[0; 30]))];
    let flow = one_flow(&answer_first);
    assert_eq!((&flow["src_port"], &flow["dest_port"]), (&json!(40_000), &json!(53)));
    assert_eq!((feature(&flow, "payload_bytes_orig"), feature(&flow, "response_delay_ms")), (30.0, 5.0));
}

/// CICFlowMeter passed over SCTP.
#[test]
fn sctp_has_flows_with_ports() {
    // RFC 9260: ports, verification tag, checksum (not looked at), then a chunk of 4 bytes and its value.
    let packet = |from: End, to: End, kind: u8, value: &[u8]| {
        let length = (4 + value.len() as u16).to_be_bytes();
        let ports = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
        ipv4(from.0, to.0, 132, &[&ports[..], &[0, 0, 0, 1, 0, 0, 0, 0, kind, 0], &length, value].concat())
    };
    let (a, b) = (([10, 0, 0, 5], 40_000), ([10, 0, 0, 1], 3868));
    let flow =
        one_flow(&[shot(0, packet(a, b, 1, &[0; 16])), shot(1, packet(b, a, 2, &[0; 16])), shot(2, packet(a, b, 10, &[0; 4]))]);
    assert_eq!((&flow["proto"], &flow["src_port"], &flow["dest_port"]), (&json!("SCTP"), &json!(40_000), &json!(3868)));
    assert_eq!(packets(&flow), (2, 1));
    assert_eq!(feature(&flow, "payload_bytes_resp"), 20.0, "what is behind the common header of 12 bytes");
}

/// CICFlowMeter made three flows of one stream (#174): at a time-out of the whole flow, at FIN, and of what came after.
#[test]
fn one_stream_is_one_flow() {
    let mut shots = handshake();
    for n in 0..1000_u32 {
        let ms = 10 + u64::from(n) * 280;
        shots.push(there(ms, 101 + n * 10, 501 + n * 20, PSH | ACK, 10));
        shots.push(back(ms + 1, 501 + n * 20, 111 + n * 10, PSH | ACK, 20));
    }
    shots.push(there(280_000, 10_101, 20_501, FIN | ACK, 0));
    shots.push(back(280_001, 20_501, 10_102, FIN | ACK, 0));
    shots.push(there(280_002, 10_102, 20_502, ACK, 0));
    // A repetition of the last segment after the end.
    shots.push(back(284_000, 20_501, 10_102, FIN | ACK, 0));
    let flow = one_flow(&shots);
    assert_eq!(packets(&flow), (1004, 1003));
    assert_eq!((feature(&flow, "payload_bytes_orig"), feature(&flow, "payload_bytes_resp")), (10_000.0, 20_000.0));
    assert_eq!(flow["auscult"]["conn_state"], "SF");
}

/// Retina timed replayed flows by the clock of the computer: a capture that comes slowly gives the same bytes.
#[test]
fn durations_are_the_captures_own() {
    let shots = after_handshake(vec![there(100_000, 101, 501, PSH | ACK, 10), back(100_001, 501, 111, PSH | ACK, 10)]);
    let bytes = pcap(&shots);
    let mut child = program().args(["flows", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let middle = 24 + 16 + 54;
    stdin.write_all(&bytes[..middle]).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    stdin.write_all(&bytes[middle..]).unwrap();
    drop(stdin);
    let slow = lines(&child.wait_with_output().unwrap().stdout);
    assert_eq!(slow, flows(&shots));
    assert_eq!(feature(&slow[0], "duration_s"), 100.001);
}

/// Retina took a file that ends inside a packet for one that is complete.
#[test]
fn a_cut_file_is_no_finished_one() {
    let whole = pcap(&after_handshake(vec![there(3, 101, 501, PSH | ACK, 10)]));
    let folder = Folder::new();
    for (name, cut) in [("data.pcap", 1), ("header.pcap", 64 + 10), ("whole.pcap", 0)] {
        let capture = folder.put(name, &whole[..whole.len() - cut]);
        let run = auscult(&["flows", &capture]);
        assert_eq!(run.status, if cut == 0 { 0 } else { 4 }, "{name}: {}", run.stderr);
        assert_eq!(run.stderr.contains(name), cut > 0, "{}", run.stderr);
        // What came before the cut is told all the same.
        let [flow] = &run.lines()[..] else { panic!("{name}: one flow") };
        assert_eq!(packets(flow), (if cut == 0 { 3 } else { 2 }, 1));
    }
}

/// CICFlowMeter gave other protocols than TCP and UDP a wrong protocol and wrong addresses (#156).
#[test]
fn protocols_and_addresses_are_those_of_the_packet() {
    for (protocol, name) in [(47, "GRE"), (50, "ESP"), (89, "089")] {
        let flow = one_flow(&[shot(0, ipv4(CLIENT.0, SERVER.0, protocol, &[0x10; 24]))]);
        assert_eq!(flow["proto"], name);
        assert_eq!((&flow["src_ip"], &flow["dest_ip"]), (&json!("10.0.0.5"), &json!("10.0.0.1")));
    }
}

//! Applications and facts of captures, against what is known of them and against tshark.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use auscult::app::{App, AppState, Basis, DicomFacts, Facts, MqttFacts, Payload, Ports, Side};
use auscult::wire::{Addr, Packet, TcpFlags, decode};

use crate::support::tshark;
use crate::wire_support::{data_file, read_pcap};

/// A flow of the simplest kind: addresses and ports, the initiator first.
type Key = (Addr, Addr, u8, u16, u16);

#[derive(Default)]
struct Flow {
    state: AppState,
    /// Next sequence number of each side, to pass over what is sent again.
    next: [Option<u32>; 2],
    /// Payloads that were captured.
    payloads: u32,
}

struct Flows(HashMap<Key, Flow>);

impl Flows {
    fn of(path: &Path) -> Self {
        let mut flows = Self(HashMap::new());
        let capture = read_pcap(path);
        for frame in capture.frames() {
            if let Ok(packet) = decode(&frame) {
                flows.add(&packet, frame.payload(&packet));
            }
        }
        flows
    }

    fn add(&mut self, packet: &Packet, payload: &[u8]) {
        let forth = (packet.src, packet.dst, packet.protocol, packet.src_port, packet.dst_port);
        let back = (packet.dst, packet.src, packet.protocol, packet.dst_port, packet.src_port);
        let is_back = self.0.contains_key(&back)
            || !self.0.contains_key(&forth) && packet.tcp.is_some_and(|tcp| tcp.flags.has(TcpFlags(0x12)));
        let (key, side) = if is_back { (back, Side::Resp) } else { (forth, Side::Orig) };
        let flow = self.0.entry(key).or_default();
        if let Some(tcp) = packet.tcp {
            let next = &mut flow.next[usize::from(is_back)];
            if packet.payload_bytes == 0 || next.is_some_and(|next| (tcp.seq.wrapping_sub(next) as i32) < 0) {
                return;
            }
            *next = Some(tcp.seq.wrapping_add(packet.payload_bytes));
        }
        flow.payloads += u32::from(!payload.is_empty());
        flow.state.observe(ports(&key), &Payload::new(side, payload, packet.payload_bytes));
    }

    /// Flows with payload that were not told by their content, or not as the application of this port in this capture.
    fn mistaken(&self, known: &[(u16, App)]) -> Vec<String> {
        let with_payload = self.0.iter().filter(|(_, flow)| flow.payloads > 0);
        let told = with_payload.filter_map(|(key, flow)| {
            let (_, app) = known.iter().find(|(port, _)| *port == key.4)?;
            let got = flow.state.app(ports(key));
            (got != (*app, Basis::Content)).then(|| format!("{key:?}: {got:?}"))
        });
        told.collect()
    }

    fn count(&self, app: App) -> usize {
        self.0.iter().filter(|(key, flow)| flow.state.app(ports(key)) == (app, Basis::Content)).count()
    }

    fn facts(&self) -> impl Iterator<Item = &Facts> {
        self.0.values().filter_map(|flow| flow.state.facts())
    }
}

fn ports(key: &Key) -> Ports {
    Ports { protocol: key.2, orig: key.3, resp: key.4 }
}

/// The whole streams of a port, put together by sequence number: what the facts are told without.
fn streams(path: &Path, port: u16) -> Vec<Vec<u8>> {
    let mut segments: HashMap<Key, BTreeMap<u32, Vec<u8>>> = HashMap::new();
    let mut first: HashMap<Key, u32> = HashMap::new();
    let capture = read_pcap(path);
    for frame in capture.frames() {
        let Ok(packet) = decode(&frame) else { continue };
        let Some(tcp) = packet.tcp.filter(|_| packet.src_port == port || packet.dst_port == port) else { continue };
        let key = (packet.src, packet.dst, packet.protocol, packet.src_port, packet.dst_port);
        let start = *first.entry(key).or_insert(tcp.seq);
        segments.entry(key).or_default().insert(tcp.seq.wrapping_sub(start), frame.payload(&packet).to_vec());
    }
    let join = |segments: BTreeMap<u32, Vec<u8>>| {
        let mut stream: Vec<u8> = Vec::new();
        for (at, bytes) in segments.into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
            // The SYN takes a sequence number of its own.
            let at = at as usize - 1;
            assert!(at <= stream.len(), "a gap in the capture");
            stream.truncate(at);
            stream.extend(bytes);
        }
        stream
    };
    segments.into_values().map(join).collect()
}

/// Commands in a whole stream by their field, in the plainest way: PDU by PDU, value by value.
fn dicom_commands(stream: &[u8], counts: &mut BTreeMap<u16, u32>) {
    let long = |at: usize| u32::from_be_bytes(stream[at..at + 4].try_into().unwrap()) as usize;
    let mut at = 0;
    while at + 12 <= stream.len() {
        if stream[at] == 4 && stream[at + 11] & 1 == 1 {
            let set = &stream[at + 12..at + 10 + long(at + 6)];
            let field = set.windows(8).position(|window| window == [0, 0, 0, 1, 2, 0, 0, 0]).unwrap();
            *counts.entry(u16::from_le_bytes([set[field + 8], set[field + 9]])).or_default() += 1;
        }
        at += 6 + long(at + 2);
    }
}

const HOSPITAL: &str = "hospital-lab/hospital-lab.pcap.gz";

#[test]
fn the_flows_of_a_hospital_are_recognised() {
    let Some(path) = data_file(HOSPITAL) else { return };
    let flows = Flows::of(&path);
    let known = [
        (53, App::Dns),
        (443, App::Tls),
        (1883, App::Mqtt),
        (2575, App::Hl7),
        (8042, App::Http),
        (8080, App::Http),
        (8443, App::Http),
        (11112, App::Dicom),
    ];
    assert_eq!(flows.mistaken(&known), [""; 0]);
    for (_, app) in known {
        assert!(flows.count(app) >= 60, "{app}: {}", flows.count(app));
    }
}

#[test]
fn dicom_requests_are_those_of_the_whole_streams() {
    let Some(path) = data_file(HOSPITAL) else { return };
    let mut counts = BTreeMap::new();
    streams(&path, 11112).iter().for_each(|stream| dicom_commands(stream, &mut counts));
    let want = |field| counts.get(&field).copied().unwrap_or_default();

    let mut got = DicomFacts::default();
    let mut titles = BTreeSet::new();
    for facts in Flows::of(&path).facts() {
        if let Facts::Dicom(dicom) = facts {
            got.echo += dicom.echo;
            got.store += dicom.store;
            got.find += dicom.find;
            got.moves += dicom.moves;
            got.get += dicom.get;
            got.other += dicom.other;
            got.responses += dicom.responses;
            titles.extend(dicom.calling_ae.clone());
        }
    }
    assert_eq!((got.echo, got.store, got.find), (want(0x30), want(0x01), want(0x20)));
    assert_eq!((got.moves, got.get, got.other), (want(0x21), want(0x10), 0));
    assert!(got.store > 200, "the capture has bulk transfers");
    let titles: Vec<_> = titles.iter().map(AsRef::as_ref).collect();
    assert_eq!(titles, ["ANY", "CT1", "EVIL", "MR1", "PACS", "STORESCP", "US1", "WS1", "WS2", "WS3"]);
    // Answers that are sent in one go may be split inside their command.
    let responses: u32 = counts.iter().filter(|(field, _)| **field >= 0x8000).map(|(_, count)| count).sum();
    assert!((responses * 9 / 10..=responses).contains(&got.responses), "{} of {responses}", got.responses);
}

#[test]
fn counts_of_messages_agree_with_tshark() {
    let Some(path) = data_file(HOSPITAL) else { return };
    let fields = ["mqtt.msgtype", "hl7.message.type", "dns.flags.response"];
    let Some([mqtt_want, hl7_want, dns_want]) = tshark::values(&path, "mqtt or hl7 or dns", fields) else { return };
    let (mut mqtt, mut hl7, mut dns) = (MqttFacts::default(), [0; 2], [0; 2]);
    for facts in Flows::of(&path).facts() {
        match facts {
            Facts::Mqtt(flow) => {
                mqtt.connect += flow.connect;
                mqtt.publish += flow.publish;
                mqtt.subscribe += flow.subscribe;
                mqtt.ping += flow.ping;
                mqtt.disconnect += flow.disconnect;
            }
            Facts::Hl7(flow) => hl7 = [hl7[0] + flow.acks, hl7[1] + flow.messages - flow.acks],
            Facts::Dns(flow) => dns = [dns[0] + flow.queries, dns[1] + flow.responses],
            _ => {}
        }
    }
    let want = |counts: &BTreeMap<String, u64>, value: &str| counts.get(value).map_or(0, |count| *count as u32);
    let kinds = [mqtt.connect, mqtt.publish, mqtt.subscribe, mqtt.ping, mqtt.disconnect];
    assert_eq!(kinds, ["1", "3", "8", "12", "14"].map(|kind| want(&mqtt_want, kind)));
    assert_eq!(hl7, [want(&hl7_want, "ACK"), want(&hl7_want, "ADT") + want(&hl7_want, "ORU")]);
    assert_eq!(dns, [want(&dns_want, "0"), want(&dns_want, "1")]);
    assert!(mqtt.publish > 1000 && hl7[0] > 100 && dns[0] > 100, "the capture has them");
}

#[test]
fn server_names_agree_with_tshark() {
    let Some(path) = data_file(HOSPITAL) else { return };
    let fields = ["tls.handshake.extensions_server_name", "http.host"];
    let Some([names, hosts]) = tshark::values(&path, "tls.handshake.type==1 or http.request", fields) else { return };
    let hosts = hosts.keys().map(|host| host.split_once(':').unwrap().0.to_owned());
    let want: BTreeSet<String> = names.into_keys().chain(hosts).collect();
    let got: BTreeSet<_> = Flows::of(&path).facts().filter_map(|facts| facts.server_name().map(str::to_owned)).collect();
    // A web server on a port that is not HTTP's to tshark is one to us.
    let missing: Vec<_> = want.into_iter().filter(|name| !got.contains(name)).collect();
    assert_eq!(missing, [""; 0]);
    assert!(got.contains("updates.example.test"));
}

#[test]
fn a_capture_of_hl7_on_another_port() {
    let Some(path) = data_file("healthcare/hl7.pcap") else { return };
    let flows = Flows::of(&path);
    let facts: Vec<_> = flows.facts().collect();
    let [Facts::Hl7(hl7)] = facts[..] else { panic!("{facts:?}") };
    assert_eq!((hl7.messages, hl7.acks, &*hl7.types[0].name), (2, 1, "ADT^A01"));
    assert_eq!(hl7.sending.as_deref(), Some("SENDING_APPLICATION"));
}

#[test]
fn brute_force_shows_its_software() {
    let Some(path) = data_file("slips/malicious-ssh-bruteforce.pcap") else { return };
    let flows = Flows::of(&path);
    assert_eq!(flows.mistaken(&[(22, App::Ssh)]), [""; 0]);
    let is_named = |facts: &&Facts| matches!(facts, Facts::Ssh(ssh) if ssh.software_resp.is_some());
    assert!(flows.facts().filter(is_named).count() > 10);
}

#[test]
#[ignore = "a measurement"]
fn time_per_payload() {
    let Some(path) = data_file(HOSPITAL) else { return };
    let capture = read_pcap(&path);
    let packets: Vec<_> = capture.frames().filter_map(|frame| decode(&frame).ok().map(|packet| (frame, packet))).collect();
    let mut states: Vec<AppState> = Vec::new();
    let mut flows: HashMap<Key, usize> = HashMap::new();
    let plan: Vec<_> = packets
        .iter()
        .filter(|(_, packet)| packet.payload_bytes > 0)
        .map(|(frame, packet)| {
            let forth = (packet.src, packet.dst, packet.protocol, packet.src_port, packet.dst_port);
            let back = (packet.dst, packet.src, packet.protocol, packet.dst_port, packet.src_port);
            let (key, side) = if flows.contains_key(&back) { (back, Side::Resp) } else { (forth, Side::Orig) };
            let next = flows.len();
            (*flows.entry(key).or_insert(next), ports(&key), side, frame.payload(packet), packet.payload_bytes)
        })
        .collect();
    let mut best = f64::MAX;
    for _ in 0..20 {
        states.clear();
        states.resize_with(flows.len(), AppState::default);
        #[expect(clippy::disallowed_methods, reason = "the wall clock is what is measured")]
        let start = std::time::Instant::now();
        for (flow, ports, side, payload, payload_bytes) in &plan {
            states[*flow].observe(*ports, &Payload::new(*side, payload, *payload_bytes));
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / plan.len() as f64);
    }
    println!("{HOSPITAL}: {} payloads in {} flows, {best:.1} ns per payload", plan.len(), flows.len());
}

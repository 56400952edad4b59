//! What each fuzz target does with its bytes: one home for `fuzz_targets/` and for the stable test `tests/library/fuzz_bodies.rs`.

use std::io::Cursor;

use auscult::app::{AppState, Payload, Ports, Side, dhcp_message};
use auscult::capture::{Block, Input, Reader, Source as _};
use auscult::dataset::Truth;
use auscult::feature::extract;
use auscult::flow::{FlowKey, FlowLimits, HomeNets, Shard, community_id};
use auscult::inventory::{Inventory, Vendors, write_csv, write_json};
use auscult::model::Model;
use auscult::sighting;
use auscult::time::Timestamp;
use auscult::wire::{Frame, LinkType, Mac, decode as decode_frame};

/// A target's name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All targets. Each has a file in `fuzz_targets/` and a folder in `seeds/`.
pub const TARGETS: [Target; 54] = [
    ("decode", decode),
    ("capture", capture),
    ("flow", flow),
    ("model", model),
    ("truth", truth),
    ("app_any", app_any),
    ("sighting", sighting),
    ("oui", oui),
    ("app_astm", |data| app(tcp(50_001), data)),
    ("app_bacnet", |data| app(udp(47808), data)),
    ("app_dcerpc", |data| app(tcp(135), data)),
    ("app_dhcp", app_dhcp),
    ("app_dicom", |data| app(tcp(11112), data)),
    ("app_dnp3", |data| app(tcp(20000), data)),
    ("app_iec104", |data| app(tcp(2404), data)),
    ("app_dns", |data| app(udp(53), data)),
    ("app_dns_tcp", |data| app(tcp(53), data)),
    ("app_dtls", |data| app(udp(4433), data)),
    ("app_enip", |data| app(tcp(44818), data)),
    ("app_ftp", |data| app(tcp(21), data)),
    ("app_hl7", |data| app(tcp(2575), data)),
    ("app_http", |data| app(tcp(80), data)),
    ("app_http2", |data| app(tcp(8080), data)),
    ("app_imap", |data| app(tcp(143), data)),
    ("app_irc", |data| app(tcp(6667), data)),
    ("app_kerberos", |data| app(tcp(88), data)),
    ("app_ldap", |data| app(tcp(389), data)),
    ("app_mdns", |data| app(udp(5353), data)),
    ("app_modbus", |data| app(tcp(502), data)),
    ("app_mqtt", |data| app(tcp(1883), data)),
    ("app_mysql", |data| app(tcp(3306), data)),
    ("app_nbns", |data| app(udp(137), data)),
    ("app_ntp", |data| app(udp(123), data)),
    ("app_opcua", |data| app(tcp(4840), data)),
    ("app_poct1a", |data| app(tcp(50_001), data)),
    ("app_pop3", |data| app(tcp(110), data)),
    ("app_postgres", |data| app(tcp(5432), data)),
    ("app_quic", |data| app(udp(443), data)),
    ("app_radius", |data| app(udp(1812), data)),
    ("app_rdp", |data| app(tcp(3389), data)),
    ("app_rfb", |data| app(tcp(5900), data)),
    ("app_rtp", |data| app(udp(50_002), data)),
    ("app_s7comm", |data| app(tcp(102), data)),
    ("app_sip", |data| app(udp(5060), data)),
    ("app_smb", |data| app(tcp(445), data)),
    ("app_smtp", |data| app(tcp(25), data)),
    ("app_snmp", |data| app(udp(161), data)),
    ("app_ssh", |data| app(tcp(22), data)),
    ("app_syslog", |data| app(tcp(514), data)),
    ("app_tds", |data| app(tcp(1433), data)),
    ("app_tftp", |data| app(udp(69), data)),
    ("app_tls", |data| app(tcp(443), data)),
    ("app_vpn", |data| app(udp(51_820), data)),
    ("app_ws_discovery", |data| app(udp(3702), data)),
];

const fn tcp(resp: u16) -> Ports {
    Ports { protocol: 6, orig: 50_000, resp }
}

const fn udp(resp: u16) -> Ports {
    Ports { protocol: 17, orig: 50_000, resp }
}

/// Two bytes of link type, then a frame.
pub fn decode(data: &[u8]) {
    let Some((&link, data)) = data.split_first_chunk() else { return };
    let wire_bytes = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let frame = Frame { time: Timestamp::from_nanos(0), link: LinkType(u16::from_be_bytes(link)), wire_bytes, data };
    if let Ok(packet) = decode_frame(&frame) {
        assert!(frame.payload(&packet).len() <= data.len());
        let (key, _) = FlowKey::of(&packet);
        assert!(community_id(&key, 0).starts_with("1:"));
    }
}

/// A capture of any format.
pub fn capture(data: &[u8]) {
    let Ok(mut reader) = Reader::new(Input::Stdin, Box::new(Cursor::new(data.to_vec()))) else { return };
    let mut block = Block::default();
    // Every turn brings frames or an error, but for the last two: an error at once, and the end.
    for _ in 0..data.len() + 2 {
        let more = reader.fill(&mut block);
        for span in &block.frames {
            let _ = decode_frame(&block.frame(span));
        }
        if !more.unwrap_or(true) {
            return;
        }
    }
    panic!("a capture of {} bytes that never ends", data.len());
}

/// Eight bytes for each packet: milliseconds since the one before, client, flags, protocol and direction, sequence number,
/// payload.
pub fn flow(data: &[u8]) {
    let Ok(limits) = FlowLimits { max_flows: 256, ..FlowLimits::default() }.check() else { return };
    let (home, mut shard, mut out) = (HomeNets::default(), Shard::default(), Vec::new());
    let (mut ms, mut latest, mut packets) = (0_i64, 0, 0_u64);
    for chunk in data.as_chunks::<8>().0 {
        let &[high, low, client, flags, kind, seq_high, seq_low, payload] = chunk;
        // A third of the steps goes back: an unsorted capture.
        let step = i64::from(u16::from_be_bytes([high, low]));
        ms = if kind % 3 == 2 { (ms - step).max(0) } else { ms + step };
        latest = latest.max(ms);
        let frame = made(client % 12, flags, kind, u16::from_be_bytes([seq_high, seq_low]), payload);
        let wire_bytes = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let time = Timestamp::from_nanos(ms * 1_000_000);
        let frame = Frame { time, link: LinkType::ETHERNET, wire_bytes, data: &frame };
        let Ok(packet) = decode_frame(&frame) else { continue };
        let (key, from_low) = FlowKey::of(&packet);
        shard.packet((key, from_low, key.hash()), &packet, frame.payload(&packet), (&limits, &home), &mut out);
        packets += 1;
        if flags % 5 == 0 {
            shard.tick(Timestamp::from_nanos(latest * 1_000_000), &limits, &mut out);
        }
        assert!(shard.counters().balanced() && shard.counters().open <= 4);
    }
    shard.finish(&limits, Timestamp::from_nanos(latest * 1_000_000), &mut out);
    assert!(shard.counters().balanced() && shard.counters().open == 0);
    let mut counted = 0;
    for record in &out {
        assert!(record.start <= record.end && extract(record).iter().all(|value| value.is_finite()));
        if record.reason != auscult::flow::EndReason::FirstLook {
            counted += record.orig.packets + record.resp.packets;
        }
    }
    assert_eq!(counted, packets, "every packet is in a record");
}

/// An Ethernet frame with a TCP segment, a UDP datagram or something else, there or back.
fn made(client: u8, flags: u8, kind: u8, seq: u16, payload: u8) -> Vec<u8> {
    let protocol = [6, 6, 6, 17, 1, 132][usize::from(kind % 6)];
    let (ends, ports) = if kind & 0x40 == 0 { ([client, 99], [4000_u16, 80]) } else { ([99, client], [80, 4000]) };
    let [from, to] = ends.map(|end| [10, 0, 0, end]);
    let mut body = ports.map(u16::to_be_bytes).concat();
    match protocol {
        6 => body
            .extend([&[0, 0][..], &seq.to_be_bytes(), &[0, 0, payload, flags, 0x50, flags, 0, kind & 0x80, 0, 0, 0, 0]].concat()),
        17 => body.extend([0, 8 + (payload & 0x7f), 0, 0]),
        _ => body.extend([0; 8]),
    }
    body.extend(std::iter::repeat_n(seq as u8, usize::from(payload & 0x7f)));
    let length = (20 + body.len() as u16).to_be_bytes();
    let header = [&[0x45, 0][..], &length, &[0, 0, 0, 0, 64, protocol, 0, 0], &from, &to].concat();
    [&[2; 12][..], &[8, 0], &header, &body].concat()
}

/// A model's file.
pub fn model(data: &[u8]) {
    if let Ok(model) = Model::load(data) {
        // What was accepted can be written, and read again.
        let mut again = Vec::new();
        assert!(model.save(&mut again).is_ok() && Model::load(&again[..]).is_ok());
    }
}

/// Frames of Ethernet, two bytes of length before each: what they say of devices, and the inventory of it.
pub fn sighting(mut data: &[u8]) {
    let mut inventory = Inventory::bounded(HomeNets::default(), 10);
    let mut seconds = 0;
    while let Some((&length, rest)) = data.split_first_chunk() {
        let (bytes, rest) = rest.split_at(usize::from(u16::from_be_bytes(length)).min(rest.len()));
        let wire_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let time = Timestamp::from_parts(seconds, 0);
        let frame = Frame { time, link: LinkType::ETHERNET, wire_bytes, data: bytes };
        let seen = match decode_frame(&frame) {
            Ok(packet) if sighting::may_be(&packet) => sighting::of_packet(&frame, &packet),
            Ok(_) => None,
            Err(skip) => sighting::of_skipped(&frame, skip),
        };
        seen.iter().for_each(|seen| inventory.sighting(seen));
        (data, seconds) = (rest, seconds + 1);
    }
    let devices = inventory.devices(None);
    let mut json = Vec::new();
    assert!(write_json(&mut json, &devices, inventory.counters()).is_ok());
    assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok(), "the inventory is JSON");
    assert!(write_csv(&mut json, &devices).is_ok());
}

/// A registry of the makers of MAC addresses.
pub fn oui(data: &[u8]) {
    let mut vendors = Vendors::default();
    if vendors.read(data).is_ok() {
        let _ = vendors.of(Mac([0, 0x22, 0x72, 1, 2, 3]));
    }
}

/// A file of labels.
pub fn truth(data: &[u8]) {
    if let Ok(truth) = Truth::read(data, "fuzz") {
        truth.rows().iter().for_each(|row| assert!(truth.detail(row).len() <= data.len()));
        let _ = truth.first_attack();
    }
}

/// Payloads on ports that say nothing: one byte for who sends (odd: the responder), one for the length (255: all that is left).
pub fn app_any(data: &[u8]) {
    app(tcp(50_001), data);
    app(udp(50_001), data);
}

/// Payloads of both versions, and each of them as a datagram of its own.
pub fn app_dhcp(data: &[u8]) {
    app(udp(67), data);
    app(udp(547), data);
    let _ = dhcp_message(data);
}

fn app(ports: Ports, mut data: &[u8]) {
    let mut state = AppState::default();
    while let [who, length, rest @ ..] = data {
        let length = if *length == 255 { rest.len() } else { usize::from(*length).min(rest.len()) };
        let (payload, rest) = rest.split_at(length);
        let side = if who & 1 == 0 { Side::Orig } else { Side::Resp };
        // A second bit says that the capture cut the packet.
        let cut = if who & 2 == 0 { 0 } else { 100 };
        state.observe(ports, &Payload::new(side, payload, u32::try_from(length).unwrap_or(u32::MAX).saturating_add(cut)));
        data = rest;
    }
    let _ = (state.app(ports), state.facts());
}

/// Runs the body of this name.
pub fn run(name: &str, data: &[u8]) {
    let (_, body) = TARGETS.iter().find(|(target, _)| *target == name).unwrap_or_else(|| panic!("no target {name}"));
    body(data);
}

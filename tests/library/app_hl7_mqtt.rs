//! HL7 and MQTT: sizes, codes and framing, however the stream is cut; checked against tshark.

use std::path::Path;

use auscult::app::{App, Basis, Facts, Hl7AckCodes, Hl7Facts, Hl7Type, MqttFacts, MqttQos, Side};
use sha2::{Digest as _, Sha256};

use crate::app_support::{facts, hl7, tcp, vec16};
use crate::clinical_support::{
    Talk, any_snap_length, heard, hospital, same_however_cut, sum, times, tshark_of, write_seed, written, written_of,
};
use crate::support::{Folder, data, tshark};

use Side::{Orig, Resp};

fn hl7_talk() -> Talk {
    let person = format!("PID|1||77^^^A||DOE^JANE\rOBX|1|TX|{}\r", "normal ".repeat(300));
    let batch = "\x0bBHS|^~\\&|LAB\rMSH|^~\\&|LAB\rPID|9\rBTS|1\r\x1c\r";
    vec![
        (Orig, hl7("ORU^R01", &person)),
        (Resp, hl7("ACK^R01", "MSA|AA|77\r")),
        (Orig, [hl7("ADT^A01", "PID|1\r"), hl7("ADT^A08", "PID|2\r"), batch.into()].concat()),
        (Resp, [hl7("ACK", "MSA|AE|77|no\r"), hl7("ACK", "MSA|CR|77\r")].concat()),
    ]
}

#[test]
fn hl7_is_told_however_it_is_cut() {
    let talk = hl7_talk();
    let inside = |bytes: &[u8], blocks: usize| bytes.len() - 3 * blocks;
    let all = inside(&talk[0].1, 1) + inside(&talk[1].1, 1) + inside(&talk[2].1, 3) + inside(&talk[3].1, 2);
    let kind = |name: &str| Hl7Type { name: name.into(), count: 1 };
    let want = Hl7Facts {
        messages: 6,
        acks: 3,
        ack_codes: Hl7AckCodes { aa: 1, ae: 1, cr: 1, ..Hl7AckCodes::default() },
        types: vec![kind("ORU^R01"), kind("ADT^A01"), kind("ADT^A08")],
        sending: Some("ANALYSER".into()),
        receiving: Some("LIS".into()),
        version: Some("2.5".into()),
        message_bytes: all as u64,
        largest_message_bytes: inside(&talk[0].1, 1) as u32,
        batches: 1,
        ..Hl7Facts::default()
    };
    assert_eq!(same_however_cut(tcp(2575), &talk, 5), Facts::Hl7(want));
    any_snap_length(tcp(2575), &talk);
    let (app, facts) = written(tcp(6661), &talk);
    assert_eq!((app.as_str(), &facts["ack_codes"]["CR"], &facts["version"]), ("hl7", &1.into(), &"2.5".into()));
}

fn hl7_after(payloads: &[&[u8]]) -> Hl7Facts {
    let talk: Talk = payloads.iter().map(|bytes| (Orig, bytes.to_vec())).collect();
    let state = heard(tcp(2575), &talk, usize::MAX);
    let Facts::Hl7(hl7) = facts(&state) else { panic!("no HL7") };
    hl7.clone()
}

#[test]
fn breaches_of_the_framing_are_counted() {
    let good = hl7("ADT^A01", "");
    let errors = |bytes: &[u8]| {
        let got = hl7_after(&[bytes]);
        (got.messages, got.framing_errors)
    };
    assert_eq!(errors(&[&good[..], &good].concat()), (2, 0));
    assert_eq!(
        errors(&[&good[..], b"\n", &good, &good].concat()),
        (2, 1),
        "bytes between blocks: the next is found behind an end"
    );
    assert_eq!(errors(&[&good[..good.len() - 1], &good].concat()), (2, 1), "no return behind the end");
    assert_eq!(errors(&[&good[..good.len() - 2], &good].concat()), (2, 1), "no end");
    assert_eq!(errors(&[&good[..], b"\x0bPID|1\x1c\r", &good].concat()), (2, 1), "a block without a header");
    assert_eq!(errors(&hl7("ADT^A01", "OBX|a\x1cb\r")), (1, 1), "an end that is none");
}

#[test]
fn a_batch_alone_is_hl7_and_a_header_without_its_mark_is_not() {
    let app = |bytes: &[u8]| heard(tcp(50_001), &[(Orig, bytes.to_vec())], usize::MAX).app(tcp(50_001));
    assert_eq!(app(b"\x0bFHS|^~\\&|LAB\r"), (App::Hl7, Basis::Content));
    for none in [&b"MSH|^~\\&|LAB\r"[..], b"\x0bMSHA|", b"\x0bPID|1", b"\x0bFHSx"] {
        assert_ne!(app(none).0, App::Hl7);
    }
}

#[test]
fn the_version_is_a_number_or_nothing() {
    let message = |version: &str| format!("\x0bMSH|^~\\&|A|B|C|D|1||ADT^A01|7|P|{version}\r\x1c\r");
    let version = |text: &str| hl7_after(&[message(text).as_bytes()]).version.map(String::from);
    assert_eq!(version("2.5.1^DEU"), Some("2.5.1".into()));
    assert_eq!(version("DOE JANE"), None);
    assert_eq!(version(""), None);
}

#[test]
fn hl7_agrees_with_tshark() {
    let talk = hl7_talk();
    let Some(versions) = tshark_of(tcp(2575), &talk, "hl7", "hl7.message.type") else { return };
    assert_eq!(times(&versions, &["ACK"]), 3, "{versions:?}");
    for name in ["lab", "clean", "medical", "everything"] {
        let folder = Folder::new();
        let path = match name {
            "lab" => match data("hospital-lab/hospital-lab.pcap.gz") {
                Some(path) => path,
                None => continue,
            },
            name => hospital(&folder, name),
        };
        let facts = written_of(&path, "hl7");
        let [types, events] = tshark::values(&path, "hl7", ["hl7.message.type", "hl7.event.type"]).unwrap();
        assert_eq!(sum(&facts, "acks"), times(&types, &["ACK"]), "{name}");
        assert!(!facts.is_empty() && !events.is_empty(), "{name}");
        let codes = ["AA", "AE", "AR", "CA", "CE", "CR"].map(|code| sum(&facts, &format!("ack_codes.{code}")));
        if name == "lab" {
            assert_eq!(codes.iter().sum::<u64>(), sum(&facts, "acks"), "every answer has its code");
            assert_eq!(sum(&facts, "framing_errors"), 0);
        }
    }
}

/// A CONNECT packet: level, flags, properties of version 5, and what follows them.
fn connect(level: u8, flags: u8, properties: &[u8], payload: &[&[u8]]) -> Vec<u8> {
    let strings: Vec<u8> = payload.iter().flat_map(|text| vec16(text)).collect();
    let body = [&vec16(b"MQTT")[..], &[level, flags, 0, 30], properties, &strings].concat();
    packet(0x10, &body)
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let length = if body.len() < 128 { vec![body.len() as u8] } else { vec![body.len() as u8 | 0x80, (body.len() >> 7) as u8] };
    [&[first][..], &length, body].concat()
}

fn mqtt_talk() -> Talk {
    // Session expiry interval, then a user property with a name and a value.
    let properties = [&[0x11, 0, 0, 0, 9, 0x26][..], &vec16(b"SECRET"), &vec16(b"SECRET")].concat();
    let framed = [&[properties.len() as u8][..], &properties].concat();
    let will: &[&[u8]] = &[b"monitor-17", b"", b"ward/SECRET", b"SECRET", b"SECRET", b"SECRET"];
    let mut first = connect(5, 0xc6, &framed, will);
    // The will's properties are a length of one byte, here taken from the first byte of an empty text.
    let empty = first.windows(4).position(|window| window == [b'1', b'7', 0, 0]).unwrap();
    first.remove(empty + 2);
    first[1] -= 1;
    vec![
        (Orig, first),
        (Resp, packet(0x20, &[0, 0, 0])),
        (Orig, packet(0x82, &[&[0, 1, 0][..], &vec16(b"ward/a"), &[0], &vec16(b"#"), &[1]].concat())),
        (Resp, packet(0x90, &[0, 1, 0, 0, 1])),
        (
            Orig,
            [packet(0x30, &[&vec16(b"ward/SECRET")[..], &[0], &[7; 300]].concat()), packet(0x33, &[0, 1, b'a', 0, 1, 0])]
                .concat(),
        ),
        (
            Orig,
            [packet(0x3c, &[0, 1, b'a', 0, 2, 0]), packet(0xc0, b""), packet(0xa2, &[0, 3, 0, 0, 1, b'a']), packet(0xe0, b"")]
                .concat(),
        ),
        (Resp, [packet(0x40, &[0, 1]), packet(0xd0, b"")].concat()),
    ]
}

fn digest(id: &[u8]) -> String {
    Sha256::digest(id).iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..16].to_owned()
}

#[test]
fn mqtt_is_told_however_it_is_cut() {
    let want = MqttFacts {
        level: 5,
        has_user: true,
        has_password: true,
        client_id_sha256: Some(digest(b"monitor-17").into()),
        clean_session: true,
        keep_alive_s: 30,
        will: true,
        connect: 1,
        connack_codes: vec![(0, 1)],
        topics_sha256: [digest(b"ward/SECRET").into(), digest(b"a").into()].into_iter().collect(),
        publish: 3,
        publish_qos: MqttQos { at_most_once: 1, at_least_once: 1, exactly_once: 1 },
        retained: 1,
        subscribe: 1,
        subscribe_all: 1,
        unsubscribe: 1,
        ping: 1,
        disconnect: 1,
        other: 3,
        ..MqttFacts::default()
    };
    assert_eq!(same_however_cut(tcp(1883), &mqtt_talk(), 12), Facts::Mqtt(want));
    any_snap_length(tcp(1883), &mqtt_talk());
    let (app, facts) = written(tcp(1883), &mqtt_talk());
    assert_eq!((app.as_str(), &facts["publish_qos"]["2"], &facts["connack_codes"]["0"]), ("mqtt", &1.into(), &1.into()));
    assert!(!facts.to_string().contains("SECRET") && !facts.to_string().contains("monitor-17"));
}

#[test]
fn clients_without_an_identifier_or_cut_in_it_have_no_hash() {
    let hash = |bytes: &[u8]| {
        let state = heard(tcp(1883), &[(Orig, bytes.to_vec())], usize::MAX);
        let Facts::Mqtt(mqtt) = facts(&state) else { panic!("no MQTT") };
        mqtt.client_id_sha256.clone()
    };
    assert_eq!(hash(&connect(4, 2, &[], &[b""])), None);
    assert_eq!(hash(&connect(4, 2, &[], &[b"a"])).as_deref(), Some(&*digest(b"a")));
    assert_eq!(hash(&connect(4, 2, &[], &[b"abcdef"])[..15]), None);
    assert_eq!(hash(&connect(5, 2, &[200, 1], &[b"abcdef"])), None, "properties beyond the packet");
}

#[test]
fn mqtt_agrees_with_tshark() {
    let talk = mqtt_talk();
    let Some(kinds) = tshark_of(tcp(1883), &talk, "mqtt", "mqtt.msgtype") else { return };
    assert_eq!(times(&kinds, &["3"]), 3, "{kinds:?}");
    assert_eq!(tshark_of(tcp(1883), &talk, "mqtt", "mqtt.clientid").unwrap().into_keys().collect::<Vec<_>>(), ["monitor-17"]);
    let captures = [
        "hospital-lab/hospital-lab.pcap.gz",
        "awkward/arkime__mqtt_synthetic.pcap",
        "awkward/suricata-verify__mqtt-events-invalid-qos__input.pcap",
    ];
    for path in captures.iter().filter_map(|name| data(name)) {
        check_mqtt(&path);
    }
}

fn check_mqtt(path: &Path) {
    let facts = written_of(path, "mqtt");
    // Only what is published has a quality of service in its header.
    let [kinds, qos, ids] = tshark::values(path, "mqtt", ["mqtt.msgtype", "mqtt.qos", "mqtt.clientid"]).unwrap();
    for (name, kind) in [("connect", "1"), ("subscribe", "8"), ("unsubscribe", "10"), ("ping", "12"), ("disconnect", "14")] {
        assert_eq!(sum(&facts, name), times(&kinds, &[kind]), "{name} in {}", path.display());
    }
    for level in ["0", "1", "2"] {
        let name = format!("publish_qos.{level}");
        assert_eq!(sum(&facts, &name), times(&qos, &[level]), "{name} in {}", path.display());
    }
    let hashes: std::collections::BTreeSet<_> = ids.keys().map(|id| digest(id.as_bytes())).collect();
    let got = facts.iter().filter_map(|facts| facts["client_id_sha256"].as_str().map(str::to_owned)).collect();
    assert_eq!(hashes, got, "{}", path.display());
}

#[test]
#[ignore = "writes the seeds of the fuzz targets"]
fn write_seeds() {
    write_seed("app_hl7", &hl7_talk());
    write_seed("app_mqtt", &mqtt_talk());
}

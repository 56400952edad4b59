//! What is kept of conversations made by hand.

use auscult::app::{
    AppState, ContentClass, DicomFacts, DnsFacts, Facts, Hl7AckCodes, Hl7Facts, Hl7Type, HttpFacts, MqttFacts, MqttQos, Payload,
    QueryTypes, Side, SshFacts, TlsFacts,
};

use crate::app_support::{
    after, associate, client_hello, command, dns, extension, facts, hl7, pdu, server_hello, tcp, udp, value, vec8, vec16,
};

use Side::{Orig, Resp};

fn tls_want() -> TlsFacts {
    TlsFacts {
        server_name: Some("pacs.hospital.example".into()),
        version_offered: 0x0304,
        version_chosen: 0x0304,
        alpn: Some("h2".into()),
        cipher: 0x1301,
        ja3: Some("80ccbb52bdefb2ad205bfd3fec0d1bc8".into()),
        ja3s: Some("cce84e7a8b742462e40afb585a3e3ccc".into()),
        ja4: Some("t13d0203h2_62ed6f6ca7ad_b9a491fefe05".into()),
        ..TlsFacts::default()
    }
}

#[test]
fn tls_hellos() {
    let client = client_hello("pacs.hospital.example", &[]);
    let state = after(tcp(443), &[(Orig, &client), (Resp, &server_hello(&extension(43, &[3, 4])))]);
    assert_eq!(facts(&state), &Facts::Tls(tls_want()));
    assert_eq!(facts(&state).server_name(), Some("pacs.hospital.example"));
    assert!(!state.wants_more());

    let alpn = extension(16, &vec16(&vec8(b"http/1.1")));
    let state = after(tcp(443), &[(Orig, &client), (Resp, &server_hello(&alpn))]);
    let ja3s = Some("0a26c219c6c129f5c955265975fedfd6".into());
    let want = TlsFacts { version_chosen: 0x0303, alpn: Some("http/1.1".into()), ja3s, ..tls_want() };
    assert_eq!(facts(&state), &Facts::Tls(want));
}

#[test]
fn a_hello_in_two_segments_is_read_wherever_a_key_share_is_split() {
    let client = client_hello("pacs.hospital.example", &extension(51, &[0x77; 1300]));
    let start = client.iter().position(|b| *b == 0x77).unwrap();
    let want = TlsFacts {
        ja3: Some("2ad1e46c073c136bbf5a9962bd8a49f7".into()),
        ja4: Some("t13d0204h2_62ed6f6ca7ad_a56c5b993250".into()),
        ..tls_want()
    };
    for split in start..=start + 1300 {
        let (first, second) = client.split_at(split);
        let state = after(tcp(443), &[(Orig, first), (Orig, second), (Resp, &server_hello(&extension(43, &[3, 4])))]);
        assert_eq!(facts(&state), &Facts::Tls(want.clone()), "split at {split}");
    }
}

#[test]
fn a_name_that_is_cut_is_not_kept() {
    let client = client_hello("pacs.hospital.example", &[]);
    let name = client.windows(4).position(|window| window == b"pacs").unwrap();
    let state = after(tcp(443), &[(Orig, &client[..name + 8])]);
    assert_eq!(facts(&state).server_name(), None);
}

#[test]
fn http_exchange() {
    let request =
        b"POST /Patient/77 HTTP/1.1\r\nHost: fhir.hospital.example:8080\r\nContent-Type: application/fhir+json\r\n\r\n{}";
    let response = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n{}";
    let state = after(tcp(8080), &[(Orig, request), (Orig, b"GET /other HTTP/1.1\r\nHost: body\r\n\r\n"), (Resp, response)]);
    let want = HttpFacts {
        host: Some("fhir.hospital.example".into()),
        method: Some("POST"),
        status: Some(201),
        request: ContentClass::Fhir,
        response: ContentClass::Json,
        fhir: true,
        fhir_resource: Some("Patient"),
        ..HttpFacts::default()
    };
    assert_eq!(facts(&state), &Facts::Http(want));
    assert!(!state.wants_more());
}

#[test]
fn http_heads_are_read_from_the_right_side_only() {
    let state = after(tcp(80), &[(Resp, b"HTTP/1.1 200 OK\r\n\r\n"), (Resp, b"GET / HTTP/1.1\r\nHost: body\r\n\r\n")]);
    assert_eq!(facts(&state), &Facts::Http(HttpFacts { status: Some(200), ..HttpFacts::default() }));
    let state = after(tcp(80), &[(Orig, b"PUT /a HTTP/1.1\r\n\r\n"), (Orig, b"HTTP/1.1 500 body\r\n\r\n")]);
    assert_eq!(facts(&state), &Facts::Http(HttpFacts { method: Some("PUT"), awaits_body: true, ..HttpFacts::default() }));
}

#[test]
fn ssh_software() {
    let state = after(tcp(22), &[(Resp, b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), (Orig, b"SSH-2.0-Go\r\n")]);
    let want = SshFacts {
        version_orig: Some("2.0".into()),
        version_resp: Some("2.0".into()),
        software_orig: Some("Go".into()),
        software_resp: Some("OpenSSH_9.2p1 Debian-2".into()),
        ..SshFacts::default()
    };
    assert_eq!(facts(&state), &Facts::Ssh(want));
}

#[test]
fn dns_figures_over_all_messages() {
    let query = dns("Aabb.t.example.org", 16, 0x0100, 0);
    let state = after(
        udp(53),
        &[
            (Orig, &query),
            (Resp, &dns("aabb.t.example.org", 16, 0x8183, 0)),
            (Orig, &dns("example.org", 1, 0x0100, 0)),
            (Resp, &dns("example.org", 1, 0x8180, 3)),
            (Resp, &dns("example.org", 1, 0x8182, 0)),
            (Orig, &query[..20]),
        ],
    );
    // "aabbt": two letters twice and one once, 2·(2/5)·log2(5/2) + (1/5)·log2(5); "example": e twice, five letters once.
    let tunnel = 0.8 * 2.5f64.log2() + 0.2 * 5f64.log2();
    let plain = 2.0 / 7.0 * 3.5f64.log2() + 5.0 / 7.0 * 7f64.log2();
    let Facts::Dns(got) = facts(&state) else { panic!("no DNS") };
    assert!((got.label_entropy_bits - tunnel - plain).abs() < 1e-12, "{}", got.label_entropy_bits);
    let want = DnsFacts {
        queries: 3,
        responses: 3,
        nxdomain: 1,
        errors: 1,
        servfail: 1,
        malformed: 1,
        answers: 3,
        names: 2,
        qname_chars: 18 + 11,
        qname_chars_max: 18,
        label_chars_max: 7,
        label_entropy_bits: got.label_entropy_bits,
        types: QueryTypes { address: 1, txt: 1, ..QueryTypes::default() },
        first_qname: Some("aabb.t.example.org".into()),
        distinct_names: got.distinct_names.clone(),
        missing_names: got.missing_names.clone(),
        ..DnsFacts::default()
    };
    assert_eq!(got, &want);
    assert_eq!((got.distinct_names.count(), got.missing_names.count()), (2, 1));
    assert_eq!(facts(&state).dns_qname(), Some("aabb.t.example.org"));
}

#[test]
fn dns_over_tcp_is_counted_message_by_message() {
    let query = vec16(&dns("a.example", 1, 0x0100, 0));
    let two = [&query[..], &query].concat();
    // The application is told from a header that is whole.
    for split in 14..=two.len() {
        let (first, second) = two.split_at(split);
        let state = after(tcp(53), &[(Orig, first), (Orig, second)]);
        assert!(
            matches!(facts(&state), Facts::Dns(dns) if (dns.queries, dns.names, dns.malformed) == (2, 2, 0)),
            "split at {split}"
        );
    }
}

#[test]
fn a_query_that_the_capture_cut_is_not_malformed() {
    let query = dns("a.example", 1, 0x0100, 0);
    let mut state = AppState::default();
    state.observe(udp(53), &Payload::new(Orig, &query[..20], query.len() as u32));
    assert!(matches!(facts(&state), Facts::Dns(dns) if (dns.queries, dns.names, dns.malformed) == (1, 0, 0)));
}

/// A query, an echo and a store of 40 kB in PDUs of 16 kB, then a release.
fn dicom_stream() -> Vec<u8> {
    let data = value(0, &[0x04; 16_000]);
    [
        associate("ARCHIVE", "READING-3"),
        command(0x0030),
        command(0x0020),
        value(2, &[1; 200]),
        command(0x0001),
        data.clone(),
        data,
        value(2, &[9; 8000]),
        command(0x0021),
        pdu(5, &[0; 4]),
    ]
    .concat()
}

#[test]
fn dicom_commands_are_counted_however_the_stream_is_cut_into_packets() {
    let want = DicomFacts {
        calling_ae: Some("READING-3".into()),
        called_ae: Some("ARCHIVE".into()),
        echo: 1,
        store: 1,
        find: 1,
        moves: 1,
        sop_classes: vec!["Verification".into()],
        ..DicomFacts::default()
    };
    let stream = dicom_stream();
    for segment in [900, 1000, 1460, 8960, stream.len()] {
        let packets: Vec<_> = stream.chunks(segment).map(|payload| (Orig, payload)).collect();
        assert_eq!(facts(&after(tcp(11112), &packets)), &Facts::Dicom(Box::new(want.clone())), "segments of {segment}");
    }
}

#[test]
fn dicom_commands_are_counted_when_their_header_is_sent_apart() {
    let request = command(0x0020);
    let (header, set) = request.split_at(12);
    let both = [set, &command(0x0001), &value(2, &[4; 100])].concat();
    let state = after(tcp(11112), &[(Orig, &associate("A", "B")), (Orig, header), (Orig, &both), (Orig, header), (Orig, set)]);
    assert!(matches!(facts(&state), Facts::Dicom(dicom) if (dicom.find, dicom.store) == (2, 1)), "{:?}", facts(&state));
}

#[test]
fn dicom_packets_cut_by_the_capture_keep_their_place() {
    let mut state = AppState::default();
    for payload in dicom_stream().chunks(1460) {
        let captured = &payload[..payload.len().min(400)];
        state.observe(tcp(11112), &Payload::new(Orig, captured, payload.len() as u32));
    }
    assert!(matches!(facts(&state), Facts::Dicom(d) if (d.echo, d.store) == (1, 0)), "the first packet holds what is captured");
}

#[test]
fn dicom_answers() {
    let state = after(
        tcp(104),
        &[
            (Orig, &associate("A", "B")),
            (Resp, &pdu(3, &[0, 1, 1, 7])),
            (Orig, &command(0x0140)),
            (Resp, &command(0x8001)),
            (Resp, &pdu(7, &[0; 4])),
        ],
    );
    let Facts::Dicom(got) = facts(&state) else { panic!("no DICOM") };
    assert_eq!((got.rejected, got.n_create, got.responses, got.aborted), (1, 1, 1, 1));
    assert_eq!(got.reject_reason, Some("called AE title not recognised"));
}

#[test]
fn hl7_types_and_applications() {
    let two = [hl7("ORU^R01^ORU_R01", "PID|1\r"), hl7("ORU^R01", "")].concat();
    let tail = [b"\rOBX|9\x1c\r".to_vec(), hl7("ADT^A01", "")].concat();
    let state = after(tcp(2575), &[(Orig, &two), (Orig, &tail), (Resp, &hl7("ACK^R01", "MSA|AA|77\r")), (Orig, &hl7("", ""))]);
    let kind = |name: &str, count| Hl7Type { name: name.into(), count };
    let sizes: Vec<_> = [&two[..], &tail, &hl7("ACK^R01", "MSA|AA|77\r"), &hl7("", "")].iter().map(|bytes| bytes.len()).collect();
    let want = Hl7Facts {
        messages: 5,
        acks: 1,
        ack_codes: Hl7AckCodes { aa: 1, ..Hl7AckCodes::default() },
        types: vec![kind("ORU^R01", 2), kind("ADT^A01", 1)],
        other: 1,
        sending: Some("ANALYSER".into()),
        receiving: Some("LIS".into()),
        version: Some("2.5".into()),
        // Each has three bytes around it; what follows the second is between blocks.
        message_bytes: (sizes[0] - 6 + sizes[1] - 11 + sizes[2] - 3 + sizes[3] - 3) as u64,
        largest_message_bytes: (hl7("ORU^R01^ORU_R01", "PID|1\r").len() - 3) as u32,
        framing_errors: 1,
        ..Hl7Facts::default()
    };
    assert_eq!(facts(&state), &Facts::Hl7(want));
}

#[test]
fn hl7_keeps_four_types_and_no_field_that_was_cut() {
    let messages: Vec<_> = (0..9).map(|n| hl7(&format!("ZZ{n}^Z01"), "")).collect();
    let packets: Vec<_> = messages.iter().map(|message| (Orig, message.as_slice())).collect();
    let state = after(tcp(2575), &packets);
    assert!(matches!(facts(&state), Facts::Hl7(hl7) if hl7.types.len() == 4 && hl7.other == 5));
    let mut state = AppState::default();
    state.observe(tcp(2575), &Payload::new(Orig, b"\x0bMSH|^~\\&|ANALY", 300));
    assert!(matches!(facts(&state), Facts::Hl7(hl7) if hl7.sending.is_none() && hl7.messages == 1));
}

#[test]
fn mqtt_packets_are_counted_by_kind() {
    let connect = [&[0x10, 20, 0, 4][..], b"MQTT", &[4, 0xc2, 0, 60, 0, 2], b"id", &[0, 1], b"u", &[0, 1], b"p"].concat();
    let publish = [&[0x30, 0x83, 0x01, 0, 3][..], b"a/b", &[7; 126]].concat();
    let stream = [&publish[..], &[0x82, 6, 0, 1, 0, 1, b'#', 0], &publish, &[0xc0, 0], &[0xe0, 0]].concat();
    let mut packets: Vec<(Side, &[u8])> = vec![(Orig, &connect), (Resp, &[0x20, 2, 0, 5])];
    packets.extend(stream.chunks(50).map(|payload| (Orig, payload)));
    let want = MqttFacts {
        level: 4,
        has_user: true,
        has_password: true,
        // printf id | sha256sum
        client_id_sha256: Some("a56145270ce6b3be".into()),
        clean_session: true,
        keep_alive_s: 60,
        connect: 1,
        refused: 1,
        connack_codes: vec![(5, 1)],
        // printf a/b | sha256sum
        topics_sha256: std::iter::once("c14cddc033f64b9d".into()).collect(),
        publish: 2,
        publish_qos: MqttQos { at_most_once: 2, ..MqttQos::default() },
        subscribe: 1,
        subscribe_all: 1,
        ping: 1,
        disconnect: 1,
        ..MqttFacts::default()
    };
    assert_eq!(facts(&after(tcp(1883), &packets)), &Facts::Mqtt(want));
    let late = after(tcp(1883), &[(Orig, b"\x30\x05\0\x03a/b")]);
    assert!(matches!(facts(&late), Facts::Mqtt(mqtt) if mqtt.publish == 1), "a connection from before the capture");
}

//! Encrypted protocols and HTTP/2: exchanges made by hand, cut at every byte, out of order, and what only looks like them.

use auscult::app::{App, AppState, ContentClass, Facts, HttpFacts, Payload, Ports, QuicFacts, Side, TlsFacts};

use serde_json::json;

use crate::app_support::{after, alone, client_hello, extension, facts, server_hello, tcp, udp, vec8, vec16};
use crate::secure_support::{
    Initial, alert, certificate, crypto, dtls, frame, handshake, header_fields, kexinit, record, ssh_packet,
};

use Side::{Orig, Resp};

fn tls(state: &AppState) -> &TlsFacts {
    match facts(state) {
        Facts::Tls(tls) => tls,
        other => panic!("{other:?}"),
    }
}

fn quic(state: &AppState) -> &QuicFacts {
    match facts(state) {
        Facts::Quic(quic) => quic,
        other => panic!("{other:?}"),
    }
}

fn http(state: &AppState) -> &HttpFacts {
    match facts(state) {
        Facts::Http(http) => http,
        other => panic!("{other:?}"),
    }
}

/// A server's flight of TLS 1.2: hello, a chain of one, and the end of both.
fn flight(subject: &str, issuer: &str, names: &[&str]) -> Vec<u8> {
    let hello = server_hello(&[]);
    let chain = certificate(subject, issuer, names);
    let entry = [&[0][..], &vec16(&chain)].concat();
    let body = [&[0][..], &vec16(&entry)].concat();
    [hello, record(22, &handshake(11, &body)), record(22, &handshake(14, &[]))].concat()
}

#[test]
fn a_hello_is_whole_wherever_it_is_cut() {
    let hello = client_hello("pacs.hospital.example", &extension(51, &[0x77; 300]));
    let want = after(tcp(443), &[(Orig, &hello)]);
    assert!(tls(&want).ja3.is_some() && tls(&want).ja4.as_deref().is_some_and(|ja4| ja4.starts_with("t13d0204h2_")));
    for split in 7..hello.len() {
        let (first, second) = hello.split_at(split);
        assert_eq!(tls(&after(tcp(443), &[(Orig, first), (Orig, second)])), tls(&want), "split at {split}");
        let cut = after(tcp(443), &[(Orig, first)]);
        assert_eq!((&tls(&cut).ja3, &tls(&cut).ja4), (&None, &None), "cut at {split}");
        let name = tls(&cut).server_name.as_deref();
        assert!(name.is_none_or(|name| name == "pacs.hospital.example"), "cut at {split}: {name:?}");
    }
    let single: Vec<_> = hello[7..].chunks(40).map(|bytes| (Orig, bytes)).collect();
    assert_eq!(tls(&after(tcp(443), &[&[(Orig, &hello[..7])][..], &single].concat())), tls(&want));
}

#[test]
fn a_hello_may_be_spread_over_records() {
    let hello = client_hello("pacs.hospital.example", &[]);
    let want = after(tcp(443), &[(Orig, &hello)]);
    for bytes in [9, 50, 100] {
        let records: Vec<u8> = hello[5..].chunks(bytes).flat_map(|part| record(22, part)).collect();
        assert_eq!(tls(&after(tcp(443), &[(Orig, &records)])), tls(&want), "records of {bytes}");
        let (first, second) = records.split_at(60);
        assert_eq!(tls(&after(tcp(443), &[(Orig, first), (Orig, second)])), tls(&want), "records of {bytes}, in two");
    }
}

#[test]
fn without_room_the_start_is_read_all_the_same() {
    let hello = client_hello("pacs.hospital.example", &[]);
    let mut state = AppState::default();
    let (first, second) = hello.split_at(hello.len() - 3);
    for part in [first, second] {
        state.observe(tcp(443), &Payload { may_hold: false, ..Payload::new(Orig, part, part.len() as u32) });
    }
    assert_eq!((tls(&state).server_name.as_deref(), &tls(&state).ja3), (Some("pacs.hospital.example"), &None));
    assert_eq!(state.held_bytes(), 0);
}

#[test]
fn a_certificate_is_read_wherever_the_flight_is_cut() {
    let client = client_hello("pacs.hospital.example", &[]);
    let flight = flight("pacs.hospital.example", "Hospital CA", &["pacs.hospital.example", "www.hospital.example"]);
    let want = after(tcp(443), &[(Orig, &client), (Resp, &flight)]);
    let certificate = tls(&want).certificate.as_deref().unwrap();
    assert_eq!(certificate.subject.as_deref(), Some("pacs.hospital.example"));
    assert_eq!(certificate.issuer.as_deref(), Some("Hospital CA"));
    assert_eq!(certificate.san.len(), 2);
    assert!(!certificate.self_signed && !tls(&want).tor_like);
    assert_eq!((tls(&want).version_chosen, tls(&want).cipher), (0x0303, 0x1301));
    for split in 7..flight.len() - 9 {
        let (first, second) = flight.split_at(split);
        let got = after(tcp(443), &[(Orig, &client), (Resp, first), (Resp, second)]);
        assert_eq!(tls(&got), tls(&want), "split at {split}");
        let cut = after(tcp(443), &[(Orig, &client), (Resp, first)]);
        let read = tls(&cut).certificate.as_deref();
        assert!(read.is_none_or(|read| read == certificate), "cut at {split}");
    }
}

#[test]
fn the_handshake_is_over_when_all_is_encrypted() {
    let client = client_hello("a.example", &[]);
    let refused = after(tcp(443), &[(Orig, &client), (Resp, &alert(40))]);
    assert_eq!((tls(&refused).alerts, tls(&refused).last_alert), (1, 40));
    let flight = flight("printer", "printer", &[]);
    let packets: [(Side, &[u8]); 3] = [(Orig, &client), (Resp, &flight), (Orig, &alert(48))];
    let state = after(tcp(443), &packets);
    assert!(state.wants_more() && tls(&state).certificate.as_deref().unwrap().self_signed);
    assert_eq!((tls(&state).alerts, tls(&state).last_alert), (1, 48), "the client does not trust the certificate");
    let state = after(tcp(443), &[(Orig, &client), (Resp, &flight), (Orig, &record(20, &[1]))]);
    assert!(!state.wants_more());
    let state = after(tcp(443), &[(Orig, &client), (Resp, &server_hello(&extension(43, &[3, 4])))]);
    assert!(!state.wants_more());
}

#[test]
fn made_up_names_are_like_those_of_tor() {
    let tor = flight("www.4kjrwa2qd7.net", "www.b5ouzgtbq3ay.com", &[]);
    let ask = |name: &str| {
        let state = after(tcp(9001), &[(Orig, &client_hello(name, &[])), (Resp, &tor)]);
        tls(&state).tor_like
    };
    assert!(ask("www.q7r5fujt2o.com"));
    assert!(!ask("www.4kjrwa2qd7.net"), "the name that was asked for");
}

#[test]
fn hellos_in_datagrams() {
    let hello = client_hello("phone.example", &[]);
    // Behind the session identifier comes a cookie.
    let body = [&hello[9..9 + 67], &vec8(&[5; 20]), &hello[9 + 67..]].concat();
    let answer = [&[0xfe, 0xfd][..], &[8; 32], &vec8(&[]), &[0xc0, 0x2b, 0]].concat();
    let state = after(udp(4433), &[(Orig, &dtls(1, &body)), (Resp, &dtls(2, &answer))]);
    let got = tls(&state);
    assert_eq!((got.server_name.as_deref(), got.version_chosen, got.cipher), (Some("phone.example"), 0xfefd, 0xc02b));
    assert!(got.ja4.as_deref().unwrap().starts_with('d'));
    let whole = dtls(1, &body);
    for end in 13..whole.len() {
        let cut = after(udp(4433), &[(Orig, &whole[..end])]);
        assert!(tls(&cut).ja3.is_none() && tls(&cut).server_name.as_deref().is_none_or(|name| name == "phone.example"));
    }
}

/// A hello as QUIC carries it.
fn quic_hello() -> Vec<u8> {
    client_hello("video.example", &extension(57, &[9; 40]))[5..].to_vec()
}

#[test]
fn hellos_of_both_versions_of_quic_are_decrypted() {
    for version in [1, 0x6b33_43cf, 0xff00_001d] {
        let packet = Initial { version, ..Initial::default() }.seal(&crypto(0, &quic_hello()));
        let state = after(udp(443), &[(Orig, &packet)]);
        let got = quic(&state);
        assert_eq!((got.version, got.server_name.as_deref(), got.alpn.as_deref()), (version, Some("video.example"), Some("h2")));
        assert!(got.ja3.is_some() && got.ja4.as_deref().unwrap().starts_with("q13d"));
        assert_eq!(facts(&state).server_name(), Some("video.example"));
        assert!(!state.wants_more());
        for end in (7..packet.len()).step_by(41) {
            let cut = after(udp(443), &[(Orig, &packet[..end])]);
            assert!(cut.facts().is_none_or(|facts| facts.server_name().is_none()), "cut at {end}");
        }
    }
}

#[test]
fn a_hello_of_quic_is_put_together_from_pieces_in_any_order() {
    let hello = quic_hello();
    let pieces: Vec<_> = hello.chunks(50).enumerate().map(|(place, bytes)| crypto(place * 50, bytes)).collect();
    let (even, odd): (Vec<_>, Vec<_>) = pieces.into_iter().enumerate().partition(|(place, _)| place % 2 == 0);
    let join = |part: Vec<(usize, Vec<u8>)>| part.into_iter().rev().flat_map(|(_, piece)| [vec![1, 0], piece].concat()).collect();
    let (first, second): (Vec<u8>, Vec<u8>) = (join(odd), join(even));
    // The server has chosen its own identifier by then; the keys stay.
    let packets =
        [Initial::default().seal(&first), Initial { number: 1, destination: b"chosen", ..Initial::default() }.seal(&second)];
    let state = after(udp(443), &[(Orig, &packets[0]), (Resp, &[0xc0; 30]), (Orig, &packets[1])]);
    assert_eq!(quic(&state).server_name.as_deref(), Some("video.example"));
    let mut halves = AppState::default();
    for packet in &packets {
        halves.observe(udp(443), &Payload { may_hold: false, ..Payload::new(Orig, packet, packet.len() as u32) });
    }
    assert_eq!((quic(&halves).server_name.as_deref(), halves.held_bytes()), (None, 0));
}

#[test]
fn a_retry_of_quic_makes_new_keys() {
    let hello = quic_hello();
    let before = Initial::default().seal(&crypto(0, &hello[..100]));
    let again = Initial { keys: b"from the retry", destination: b"from the retry", ..Initial::default() };
    let state = after(udp(443), &[(Orig, &before), (Orig, &again.seal(&crypto(0, &hello)))]);
    assert_eq!(quic(&state).server_name.as_deref(), Some("video.example"));
    let mut forged = Initial::default().seal(&crypto(0, &hello));
    *forged.last_mut().unwrap() ^= 1;
    let state = after(udp(443), &[(Orig, &forged)]);
    assert_eq!(quic(&state), &QuicFacts { version: 1, ..QuicFacts::default() }, "its tag does not fit");
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn http2_request() -> Vec<u8> {
    let fields = header_fields(&[
        (":method", "POST"),
        (":path", "/fhir/Observation/77?patient=Smith"),
        (":authority", "fhir.example:8080"),
        ("content-type", "application/fhir+json"),
        ("user-agent", "client/1.0"),
        ("cookie", "SECRET"),
    ]);
    let (first, rest) = fields.split_at(30);
    // Padding of two bytes and a priority.
    let padded = [&[2, 0, 0, 0, 0, 9][..], first, &[0; 2]].concat();
    [PREFACE, &frame(4, 0, 0, &[0; 12]), &frame(1, 0x28, 1, &padded), &frame(9, 4, 1, rest)].concat()
}

#[test]
fn frames_of_http_2_are_read_wherever_they_are_cut() {
    let request = http2_request();
    let answer = header_fields(&[(":status", "200"), ("content-type", "application/grpc+proto"), ("server", "envoy")]);
    let interim = frame(1, 4, 1, &header_fields(&[(":status", "103")]));
    let answer = [frame(4, 0, 0, &[]), frame(0, 0, 3, &[1; 300]), interim, frame(1, 4, 1, &answer)].concat();
    let want = HttpFacts {
        host: Some("fhir.example".into()),
        method: Some("POST"),
        status: Some(200),
        request: ContentClass::Fhir,
        response: ContentClass::Other,
        fhir: true,
        fhir_resource: Some("Observation"),
        user_agent: Some("client/1.0".into()),
        server: Some("envoy".into()),
        http2: true,
        grpc: true,
        ..HttpFacts::default()
    };
    for split in 16..request.len() {
        let state = after(tcp(8080), &[(Orig, &request[..split]), (Orig, &request[split..]), (Resp, &answer)]);
        assert_eq!(http(&state), &want, "the request split at {split}");
        assert!(!format!("{state:?}").contains("SECRET") && !state.wants_more());
    }
    for split in 0..answer.len() {
        let state = after(tcp(8080), &[(Orig, &request), (Resp, &answer[..split]), (Resp, &answer[split..])]);
        assert_eq!(http(&state), &want, "the answer split at {split}");
        let cut = after(tcp(8080), &[(Orig, &request), (Resp, &answer[..split])]);
        assert_eq!(http(&cut).status, None, "the answer cut at {split}");
    }
}

#[test]
fn an_upgrade_goes_on_in_frames() {
    let request = b"GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: h2c\r\nUser-Agent: curl/8\r\n\r\n";
    let fields = header_fields(&[(":status", "204"), ("server", "nghttpx")]);
    let goes_over = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let whole = [&goes_over[..], &frame(4, 0, 0, &[]), &frame(1, 4, 1, &fields)].concat();
    for packets in [
        vec![(Orig, &request[..]), (Resp, &whole[..])],
        vec![(Orig, &request[..]), (Resp, &whole[..goes_over.len()]), (Orig, PREFACE), (Resp, &whole[goes_over.len()..])],
    ] {
        let state = after(tcp(80), &packets);
        let got = http(&state);
        assert_eq!((got.status, got.server.as_deref(), got.http2), (Some(204), Some("nghttpx"), true));
        assert_eq!((got.method, got.user_agent.as_deref()), (Some("GET"), Some("curl/8")));
    }
}

#[test]
fn http_1_tells_software_and_the_type_of_a_resource() {
    let request =
        b"GET /r4/Patient/77/Smith?x=Observation HTTP/1.1\r\nAccept: application/fhir+json\r\nUser-Agent: \x01EHR/2\r\n\r\n";
    let answer = b"HTTP/1.1 200 OK\r\nServer: nginx/1.2\r\nUser-Agent: none\r\n\r\n";
    let state = after(tcp(80), &[(Orig, request), (Resp, answer)]);
    let got = http(&state);
    assert_eq!((got.fhir_resource, got.user_agent.as_deref()), (Some("Patient"), Some("\\x01EHR/2")));
    assert_eq!((got.server.as_deref(), got.http2, got.grpc), (Some("nginx/1.2"), false, false));
    let state = after(tcp(80), &[(Orig, b"GET /Patient HTTP/1.1\r\nAccept: text/html\r\n\r\n")]);
    assert_eq!(http(&state).fhir_resource, None, "no FHIR");
}

#[test]
fn key_exchanges_of_ssh_have_their_fingerprints() {
    let lists = ["kex", "host", "c1", "c2", "m1", "m2", "z1", "z2", "", ""];
    let packet = ssh_packet(&kexinit(&lists));
    let client = [&b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"[..], &packet].concat();
    // MD5 of "kex;c1;m1;z1" and of "kex;c2;m2;z2".
    let want = json!({
        "version_orig": "2.0", "version_resp": "1.99", "software_orig": "OpenSSH_9.2p1 Debian-2", "software_resp": "dropbear",
        "hassh": "b7ea5e4a02d023fc931bfc64be2280ab", "hassh_server": "0a86ab390e3dc6f92443ef61250130db", "login_failure": 0,
    });
    let banner = b"SSH-1.99-dropbear\r\n";
    for split in 33..client.len() {
        let state = after(
            tcp(22),
            &[(Resp, banner), (Orig, &client[..split]), (Orig, &client[split..]), (Resp, &packet[..9]), (Resp, &packet[9..])],
        );
        assert!(matches!(facts(&state), Facts::Ssh(ssh) if serde_json::to_value(ssh).unwrap() == want), "split at {split}");
        assert!(state.wants_more(), "keys and log-ins follow");
        let cut = after(tcp(22), &[(Orig, &client[..split])]);
        assert!(matches!(facts(&cut), Facts::Ssh(ssh) if ssh.hassh.is_none()), "cut at {split}");
    }
}

/// What becomes of a connection by SSH whose log-ins have these lengths: of requests, and of what the server says next. The new keys of one side are seen, with
/// the client's its request for the service.
fn logs_in_behind(keys: Side, payloads: &[(Side, usize)], is_closed: bool) -> u32 {
    let packet = ssh_packet(&kexinit(&["kex", "host", "c1", "c2", "m1", "m2", "z1", "z2", "", ""]));
    let new_keys = [&[0, 0, 0, 12, 10, 21][..], &[0; 10]].concat();
    let reply = [&ssh_packet(&[33; 200])[..], if keys == Resp { &new_keys } else { &[] }].concat();
    let (banner, request) = (&b"SSH-2.0-OpenSSH_9.6\r\n"[..], ssh_packet(&[32; 36]));
    let encrypted = vec![0xa5; 4000];
    let exchange = [(Orig, banner), (Resp, banner), (Orig, &packet), (Resp, &packet), (Orig, &request), (Resp, &reply)];
    let mut state = after(tcp(22), &exchange);
    if keys == Orig {
        state.observe(tcp(22), &Payload::new(Orig, &[&new_keys[..], &encrypted[..52]].concat(), 68));
    }
    for &(side, bytes) in payloads {
        state.observe(tcp(22), &Payload::new(side, &encrypted[..bytes], bytes as u32));
    }
    let ([events, _], facts) = state.finish(is_closed);
    assert!(matches!(facts, Some(Facts::Ssh(ssh)) if ssh.login_failure == events.login_failures));
    events.login_failures
}

fn logs_in(payloads: &[(Side, usize)], is_closed: bool) -> u32 {
    logs_in_behind(Resp, payloads, is_closed)
}

#[test]
fn log_ins_by_ssh_that_fail_are_told_by_the_lengths_of_the_answers() {
    let service = [(Orig, 68), (Resp, 52)];
    let asks = |answers: &[usize]| {
        [&service[..], &answers.iter().flat_map(|&bytes| [(Orig, 84), (Resp, bytes)]).collect::<Vec<_>>()].concat()
    };
    assert_eq!(logs_in(&asks(&[52]), true), 1, "one guess");
    assert_eq!(logs_in(&asks(&[52]), false), 0, "somebody thinks about his password");
    assert_eq!(logs_in(&asks(&[68, 68, 68, 68]), true), 3, "the first asks for the methods");
    assert_eq!(logs_in(&asks(&[68, 84, 68, 84, 68]), true), 2, "a prompt comes before each");
    assert_eq!(logs_in(&asks(&[60, 52, 52, 52]), true), 2, "the methods are another list");
    assert_eq!(logs_in(&asks(&[68, 68, 68, 52, 84]), true), 0, "three lengths: it was let in");
    assert_eq!(logs_in(&asks(&[68, 52]), true), 0, "it was let in, and left");
    let session = [(Resp, 600), (Orig, 100), (Resp, 52)];
    assert_eq!(logs_in(&[&asks(&[68, 68, 52])[..], &session].concat(), true), 0, "in the end it was let in");
    assert_eq!(logs_in(&[&service[..], &[(Resp, 320)], &asks(&[68])[2..]].concat(), true), 0, "the server speaks unasked");
    assert_eq!(logs_in(&[&[(Resp, 320)], &asks(&[68, 68])[..]].concat(), true), 1, "but it says what it can do before");
    assert_eq!(logs_in(&asks(&[68, 68, 68]), false), 0, "it may still be let in");
    assert_eq!(logs_in(&asks(&[68, 36, 36, 36]), true), 0, "keys are pressed");
    assert_eq!(logs_in(&asks(&[52; 20]), true), 0, "no server lets anybody try so often");
    assert_eq!(logs_in(&asks(&[52, 68].repeat(7)), true), 0, "nor in two lengths");
    assert_eq!(logs_in(&[(Orig, 68)], true), 0, "nobody asked to log in");
    assert_eq!(logs_in_behind(Orig, &asks(&[52, 52])[1..], true), 1, "the client says that its keys are new, too");
}

#[test]
fn others_are_recognised_and_leave_no_facts() {
    let udp_on = |port, payload: &[u8]| {
        let ports = Ports { protocol: 17, orig: 50_000, resp: port };
        after(ports, &[(Orig, payload)]).app(ports).0
    };
    let noise: Vec<u8> = (0..144_usize).map(|place| (place * 37 + 11) as u8).collect();
    assert_eq!(udp_on(40_000, &[&[1, 0, 0, 0][..], &noise].concat()), App::WireGuard);
    assert_eq!(udp_on(40_000, &[&[0x38][..], &noise[..8], &[0; 5]].concat()), App::OpenVpn);
    assert_eq!(udp_on(40_000, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"), App::BitTorrent);
    assert_eq!(alone(6, &[&[0, 14, 0x38][..], &noise[..8], &[0; 5]].concat()).0, App::OpenVpn);
    assert_eq!(alone(6, b"NICK w\r\nUSER w 0 * :W\r\n").0, App::Irc);
    assert_eq!(alone(6, b"\x13BitTorrent protocol").0, App::BitTorrent);
    assert!(after(tcp(6667), &[(Orig, b"NICK w\r\nUSER w 0 * :W\r\n")]).facts().is_none());
}

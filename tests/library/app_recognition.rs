//! One message by hand for each application, on a port that says nothing and on its own.

use auscult::app::{App, AppState, Basis, Facts, Payload, Ports, Side};

use crate::app_support::{TCP, UDP, after, alone, associate, client_hello, dns, hl7, server_hello, tcp, udp, vec16};

fn content(app: App) -> (App, Basis) {
    (app, Basis::Content)
}

fn on(ports: Ports, payload: &[u8]) -> (App, Basis) {
    after(ports, &[(Side::Orig, payload)]).app(ports)
}

#[test]
fn streams_are_told_by_their_content_on_any_port() {
    let kerberos = [0x6a, 0x0f, 0x30, 0x0d, 0xa1, 3, 2, 1, 5, 0xa2, 3, 2, 1, 10, 0xa4, 1, 0];
    let cases: [(App, Vec<u8>); 27] = [
        (App::Tls, client_hello("a.example", &[])),
        (App::Tls, server_hello(&[])),
        (App::Http, b"GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        (App::Http, b"CONNECT a.example:443 HTTP/1.1\r\n\r\n".to_vec()),
        (App::Http, b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec()),
        (App::Http2, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        (App::Ssh, b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec()),
        (App::Rfb, b"RFB 003.008\n".to_vec()),
        (App::Smb, [&[0, 0, 0, 64, 0xfe][..], b"SMB", &[0; 60]].concat()),
        (App::Smb, [&[0, 0, 0, 64, 0xff][..], b"SMB", &[0; 60]].concat()),
        (App::Dicom, associate("ARCHIVE", "CT1")),
        (App::Hl7, hl7("ORU^R01", "")),
        (App::Mqtt, [&[0x10, 14, 0, 4][..], b"MQTT", &[4, 2, 0, 60, 0, 2], b"id"].concat()),
        (App::Dns, vec16(&dns("a.example", 1, 0x0100, 0))),
        (App::Rdp, [&[3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0][..], &[1, 0, 8, 0, 3, 0, 0, 0]].concat()),
        (App::Ldap, vec![0x30, 0x0c, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0]),
        (App::Kerberos, [&[0, 0, 0, 17][..], &kerberos].concat()),
        (App::Ftp, b"220 ProFTPD Server ready\r\n".to_vec()),
        (App::Smtp, b"220 mail.a.example ESMTP\r\n".to_vec()),
        (App::Smtp, b"EHLO client\r\n".to_vec()),
        (App::Imap, b"* OK IMAP4rev1 ready\r\n".to_vec()),
        (App::Pop3, b"+OK POP3 ready\r\n".to_vec()),
        (App::Telnet, vec![0xff, 0xfd, 0x18, 0xff, 0xfd, 0x20]),
        (App::Sip, b"REGISTER sip:a.example SIP/2.0\r\n".to_vec()),
        (App::Postgres, [&[0, 0, 0, 17, 0, 3, 0, 0][..], b"user\0bob\0"].concat()),
        (App::DceRpc, vec![5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0]),
        (App::Syslog, b"83 <34>1 2026-01-31T09:12:03Z host su - - - failed".to_vec()),
    ];
    for (app, payload) in cases {
        assert_eq!(alone(TCP, &payload), content(app), "{:?}", String::from_utf8_lossy(&payload));
    }
}

#[test]
fn datagrams_are_told_by_their_content_on_any_port() {
    let dhcp = [&[1, 1, 6, 0][..], &[0; 232], &[0x63, 0x82, 0x53, 0x63, 53, 1, 1]].concat();
    let cases: [(App, Vec<u8>); 9] = [
        (App::Dns, dns("a.example", 28, 0x0100, 0)),
        (App::Dhcp, dhcp),
        (App::Quic, [&[0xc3, 0, 0, 0, 1, 8][..], &[1; 8], &[0, 0], &[0; 1200]].concat()),
        (App::Stun, [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[5; 12]].concat()),
        (App::Ssdp, b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n".to_vec()),
        (App::Sip, b"SIP/2.0 200 OK\r\n".to_vec()),
        (App::Snmp, [&[0x30, 26, 2, 1, 1, 4, 6][..], b"public", &[0xa0, 13], &[0; 13]].concat()),
        (App::Syslog, b"<34>Jan 31 09:12:03 host su: failed".to_vec()),
        (App::Dtls, [&[0x16, 0xfe, 0xfd][..], &[0; 20]].concat()),
    ];
    for (app, payload) in cases {
        assert_eq!(alone(UDP, &payload), content(app), "{:?}", String::from_utf8_lossy(&payload));
    }
}

#[test]
fn some_are_told_on_their_own_port_only() {
    let ntp = [&[0x23][..], &[0; 47]].concat();
    let modbus = [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 10];
    let radius = [1, 7, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let bacnet = [0x81, 0x0b, 0, 8, 1, 0x20, 0xff, 0xff];
    let ike = [&[1; 16][..], &[33, 0x20, 34, 8, 0, 0, 0, 0, 0, 0, 0, 28]].concat();
    let cases: [(App, Ports, &[u8]); 10] = [
        (App::Ntp, udp(123), &ntp),
        (App::Modbus, tcp(502), &modbus),
        (App::Radius, udp(1812), &radius),
        (App::Bacnet, udp(47808), &bacnet),
        (App::Ike, udp(500), &ike),
        (App::Mdns, udp(5353), &dns("_http._tcp.local", 12, 0, 0)),
        (App::Llmnr, udp(5355), &dns("wpad", 1, 0, 0)),
        (App::NbtNs, udp(137), &dns("CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 33, 0, 0)),
        (App::Tftp, udp(69), b"\0\x01boot.img\0octet\0"),
        (App::WsDiscovery, udp(3702), b"<?xml version=\"1.0\"?>"),
    ];
    for (app, ports, payload) in cases {
        assert_eq!(on(ports, payload), content(app));
        assert_ne!(alone(ports.protocol, payload).0, app, "{app} is not to be told without its port");
    }
}

#[test]
fn the_port_tells_what_the_content_does_not() {
    let noise = [0x99; 40];
    assert_eq!(on(tcp(11112), &noise), (App::Dicom, Basis::Port));
    assert_eq!(on(tcp(445), &noise), (App::Smb, Basis::Port));
    assert_eq!(on(udp(123), &noise[..4]), (App::Ntp, Basis::Port));
    assert_eq!(on(tcp(40_000), &noise), (App::Unknown, Basis::None));
    assert_eq!(on(tcp(443), b"SSH-2.0-x\r\n"), content(App::Ssh), "content outweighs the port");
    assert_eq!(AppState::default().app(udp(53)), (App::Dns, Basis::Port), "no payload was seen");
    assert_eq!(AppState::default().app(Ports { protocol: 1, orig: 8, resp: 0 }), content(App::Icmp));
}

#[test]
fn other_protocols_are_not_taken_for_these() {
    let s7 = [3, 0, 0, 22, 17, 0xe0, 0, 0, 0, 1, 0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2];
    assert_ne!(alone(TCP, &s7).0, App::Rdp);
    assert_ne!(alone(TCP, b"GET key\r\n").0, App::Http);
    assert_ne!(alone(TCP, b"OPTIONS rtsp://camera/1 RTSP/1.0\r\n").0, App::Http);
    assert_ne!(alone(TCP, b"<html>").0, App::Syslog);
    assert_ne!(alone(UDP, b"<9999>x").0, App::Syslog);
    assert_ne!(alone(TCP, b"\x0bHELLO|").0, App::Hl7);
    assert_ne!(alone(TCP, &[0x16, 3, 1, 0, 40, 11, 0]).0, App::Tls);
}

#[test]
fn stops_looking_when_there_is_nothing_more_to_learn() {
    let looks = |ports, payload: &[u8]| {
        let mut state = AppState::default();
        (0..500)
            .take_while(|_| {
                state.observe(ports, &Payload::new(Side::Orig, payload, payload.len() as u32));
                state.wants_more()
            })
            .count()
    };
    assert_eq!(looks(tcp(40_000), &[0x99; 9]), 3);
    assert_eq!(looks(tcp(2575), &[0x99; 9]), 63, "the rest of a message from before the capture");
    assert_eq!(looks(tcp(23), &[0xff, 0xfb, 1, 0xff, 0xfd, 3]), 0, "of Telnet nothing is kept");
    assert_eq!(looks(tcp(443), &client_hello("a.example", &[])), 31);
    assert_eq!(looks(udp(53), &dns("a.example", 1, 0x0100, 0)), 500, "every message of DNS counts");
    assert_eq!(looks(tcp(11112), &associate("A", "B")), 500);
}

#[test]
fn what_does_not_begin_as_its_port_wants_is_known_not_to_be_that() {
    let raw: &[u8] = &[0x17, 0, 1, 2, 9, 9, 9, 9, 9, 9];
    let is_refuted = |ports: Ports, said: &[(Side, &[u8])]| after(ports, said).is_refuted(ports);
    let both: [(Side, &[u8]); 4] = [(Side::Orig, raw), (Side::Resp, raw), (Side::Orig, raw), (Side::Resp, raw)];
    assert!(is_refuted(tcp(443), &both) && is_refuted(tcp(22), &both) && is_refuted(tcp(80), &both));
    assert!(!is_refuted(tcp(443), &both[..3]), "too little was said");
    assert!(!is_refuted(tcp(4444), &both) && !is_refuted(udp(443), &both) && !is_refuted(tcp(8000), &both));
    let alert: &[u8] = &[0x15, 3, 3, 0, 2, 2, 10, 0];
    assert!(!is_refuted(tcp(443), &[both[0], (Side::Resp, alert), both[2], both[3]]), "nobody understood it");
    let mut late = AppState::default();
    (0..4)
        .for_each(|n| late.observe(tcp(443), &Payload { missing_bytes: u32::from(n == 0), ..Payload::new(Side::Orig, raw, 10) }));
    assert!(!late.is_refuted(tcp(443)), "its beginning was lost");
    let hello = client_hello("a.example", &[]);
    assert!(!is_refuted(tcp(443), &[(Side::Orig, &hello), (Side::Resp, raw)]));
    let mut state = AppState::default();
    (0..3).for_each(|_| state.observe(tcp(443), &Payload::new(Side::Orig, &raw[..6], 900)));
    assert!(!state.is_refuted(tcp(443)) && !state.wants_more(), "the capture cut it off");
    assert_eq!(state.app(tcp(443)), (App::Tls, Basis::Port));
}

#[test]
fn the_state_is_small() {
    assert!(size_of::<AppState>() <= 48, "{} bytes", size_of::<AppState>());
    assert!(size_of::<Facts>() <= 320, "{} bytes", size_of::<Facts>());
    assert!(after(tcp(23), &[(Side::Orig, &[0xff, 0xfb, 1])]).facts().is_none());
}

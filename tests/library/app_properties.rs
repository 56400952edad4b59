//! What holds for every payload: nothing panics, facts are bounded and printable, and no content is among them.

use auscult::app::{AppState, Facts, Payload, Ports, Side};
use proptest::prelude::*;
use serde_json::Value;

use crate::app_support::{
    after, associate, client_hello, command, dns, extension, facts, hl7, server_hello, tcp, udp, value, vec16,
};

/// Ports of every parser, and one that says nothing.
const PORTS: [Ports; 36] = [
    tcp(102),
    tcp(4840),
    tcp(44818),
    tcp(53),
    tcp(80),
    tcp(443),
    tcp(22),
    tcp(21),
    tcp(25),
    tcp(88),
    tcp(110),
    tcp(135),
    tcp(143),
    tcp(389),
    tcp(445),
    tcp(502),
    tcp(1433),
    tcp(1883),
    tcp(2575),
    tcp(3306),
    tcp(3389),
    tcp(5432),
    tcp(11112),
    tcp(20000),
    tcp(50_001),
    udp(53),
    udp(67),
    udp(123),
    udp(137),
    udp(161),
    udp(500),
    udp(1812),
    udp(5060),
    udp(5353),
    udp(47808),
    udp(50_001),
];

/// Valid starts, so that damage reaches the parsers.
fn valid() -> Vec<Vec<u8>> {
    vec![
        client_hello("a.example", &extension(51, &[7; 100])),
        server_hello(&extension(43, &[3, 4])),
        b"POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Type: text/html\r\n\r\nbody".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nbody".to_vec(),
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n".to_vec(),
        dns("aabb.t.example.org", 16, 0x0100, 0),
        vec16(&dns("aabb.t.example.org", 16, 0x0100, 0)),
        [associate("ARCHIVE", "CT1"), command(1), value(0, &[3; 50]), command(0x20)].concat(),
        [hl7("ORU^R01", "PID|1\r"), hl7("ADT^A01", "")].concat(),
        [&[0x10, 14, 0, 4][..], b"MQTT", &[4, 2, 0, 60, 0, 2], b"id", &[0x30, 5, 0, 1], b"abc"].concat(),
        [&[0, 0, 0, 17, 0, 3, 0, 0][..], b"user\0bob\0"].concat(),
        vec![0x30, 0x0c, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0],
        b"<34>1 2026-01-31T09:12:03Z host su - - - failed".to_vec(),
        b"220 ftp.example FTP\r\nUSER bob\r\n530 no\r\n".to_vec(),
        b"220 mail.example ESMTP\r\nEHLO a\r\nBDAT 9 LAST\r\n123456789RCPT TO:<a>\r\n".to_vec(),
        b"* OK IMAP STARTTLS\r\na1 LOGIN bob x\r\na1 NO no\r\n".to_vec(),
        b"INVITE sip:a@b SIP/2.0\r\nUser-Agent: phone\r\n\r\n".to_vec(),
        [
            &[0, 0, 0, 80, 0xfe][..],
            b"SMB",
            &[64, 0, 0, 0, 0, 0, 0, 0, 3, 0],
            &[0; 46],
            &[9, 0, 0, 0, 72, 0, 8, 0, b'a', 0, b'\\', 0],
        ]
        .concat(),
        [&[5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0][..], &[0; 8], &[1, 0, 0, 0, 0, 0, 1, 0], &[7; 40]].concat(),
        [&[3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0][..], &[1, 0, 8, 0, 3, 0, 0, 0]].concat(),
        vec![0, 1, 0, 0, 0, 6, 1, 5, 0, 0, 0xff, 0],
        vec![3, 0, 0, 25, 2, 0xf0, 0x80, 0x32, 1, 0, 0, 0, 1, 0, 8, 0, 0, 0xf0, 0, 0, 1, 0, 1, 1, 0xe0],
        [&[0x65, 0, 4, 0][..], &[0; 20], &[1, 0, 0, 0]].concat(),
        vec![0x81, 10, 0, 17, 1, 4, 0, 5, 1, 12, 0x0c, 0, 0x80, 0, 1, 0x19, 0x55],
        [&b"HELF"[..], &[50, 0, 0, 0], &[0; 20], &[18, 0, 0, 0], b"opc.tcp://plc:4840"].concat(),
        [&b"MSGF"[..], &[28, 0, 0, 0], &[1; 16], &[1, 0, 0xa1, 2]].concat(),
        vec![5, 0x64, 8, 0xc4, 10, 0, 1, 0, 0x9e, 0xd9, 0xc0, 0xc1, 1, 0, 0],
    ]
}

fn side(is_orig: bool) -> Side {
    if is_orig { Side::Orig } else { Side::Resp }
}

/// Every text in the facts as they are written, names of fields left out, and the longest list.
fn texts(facts: &Facts) -> (Vec<String>, usize) {
    let (mut texts, mut longest) = (Vec::new(), 0);
    let mut values = vec![serde_json::to_value(facts).expect("facts can be written")];
    while let Some(value) = values.pop() {
        match value {
            Value::String(text) => texts.push(text),
            Value::Array(list) => {
                longest = longest.max(list.len());
                values.extend(list);
            }
            Value::Object(fields) => values.extend(fields.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    (texts, longest)
}

fn check_sound(state: &AppState) -> Result<(), TestCaseError> {
    let Some(facts) = state.facts() else { return Ok(()) };
    let (texts, longest) = texts(facts);
    prop_assert!(longest <= 64, "a list of {longest}");
    for text in texts {
        prop_assert!(text.len() <= 253 && text.bytes().all(|b| (b' '..=b'~').contains(&b)), "{text:?}");
    }
    if let Facts::Hl7(hl7) = facts {
        prop_assert!(hl7.types.len() <= 4);
    }
    if let Facts::Dns(dns) = facts {
        prop_assert!(dns.qname_chars_max <= 253 && dns.label_chars_max <= 63);
        prop_assert!((0.0..=8.0 * f64::from(dns.names)).contains(&dns.label_entropy_bits));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_payloads_give_sound_facts(
        ports in 0..PORTS.len(),
        payloads in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..120), any::<u32>()), 1..6),
    ) {
        let mut state = AppState::default();
        for (is_orig, payload, payload_bytes) in payloads {
            state.observe(PORTS[ports], &Payload::new(side(is_orig), &payload, payload_bytes));
        }
        check_sound(&state)?;
    }

    #[test]
    fn damaged_and_split_messages_give_sound_facts(
        ports in 0..PORTS.len(),
        first in 0..valid().len(), then in 0..valid().len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
        split: prop::sample::Index, is_orig: bool, lost in 0u32..100,
    ) {
        let mut bytes = valid()[first].clone();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let (front, back) = bytes.split_at(split.index(bytes.len()));
        let mut state = AppState::default();
        state.observe(PORTS[ports], &Payload::new(Side::Orig, front, front.len() as u32 + lost));
        state.observe(PORTS[ports], &Payload::new(side(is_orig), back, back.len() as u32));
        let other = &valid()[then];
        state.observe(PORTS[ports], &Payload::new(Side::Resp, other, other.len() as u32));
        check_sound(&state)?;
    }

    /// The marker stands wherever content may stand; the streams are cut into packets of any size.
    #[test]
    fn no_content_reaches_the_facts(segment in 20usize..400, lost in prop::option::of(0usize..8)) {
        for (ports, stream) in with_markers() {
            // Without its start, a head that stands in a body cannot be told from one of the flow's own.
            let lost = lost.filter(|place| *place > 0 || ports != tcp(80));
            let (mut state, mut missing_bytes) = (AppState::default(), 0);
            for (place, bytes) in stream.chunks(segment).enumerate() {
                let payload = Payload::new(Side::Orig, bytes, bytes.len() as u32);
                if Some(place) == lost {
                    missing_bytes = payload.wire_bytes;
                } else {
                    state.observe(ports, &Payload { missing_bytes: std::mem::take(&mut missing_bytes), ..payload });
                }
            }
            let text = format!("{state:?}");
            prop_assert!(!text.contains("SECRET"), "segments of {segment} without {lost:?}: {text}");
        }
    }
}

/// Streams with `SECRET` in all that is content.
fn with_markers() -> Vec<(Ports, Vec<u8>)> {
    let secret = "SECRET^JOHN|".repeat(20);
    let data = value(2, secret.as_bytes());
    let dicom = [associate("ARCHIVE", "CT1"), command(1), data.clone(), command(0x20), data].concat();
    let person = format!("PID|1||{secret}\rOBX|1|TX|{secret}\r");
    let hl7_stream = [hl7("ORU^R01^SECRET", &person), hl7("ADT^A01", &person)].concat();
    let http = format!(
        "POST /SECRET?name=SECRET HTTP/1.1\r\nHost: a.example\r\nAuthorization: SECRET\r\nCookie: SECRET\r\n\
         X-User: SECRET\r\nContent-Type: text/plain; SECRET\r\n\r\nHost: SECRET\r\nGET /SECRET HTTP/1.1\r\nHost: SECRET\r\n{secret}"
    );
    let publish = [&[0x30, 0x82, 0x02][..], &vec16(b"ward/SECRET"), &[b'S'; 3], secret.as_bytes(), &[7; 2]].concat();
    let connect =
        [&[0x10, 34, 0, 4][..], b"MQTT", &[4, 0xc2, 0, 60], &vec16(b"SECRET"), &vec16(b"SECRET"), &vec16(b"SECRET")].concat();
    let mail = format!("EHLO SECRET\r\nMAIL FROM:<SECRET>\r\n{secret}");
    let mut streams = office_markers(&secret);
    streams.extend([
        (tcp(11112), dicom),
        (tcp(2575), hl7_stream),
        (tcp(80), http.into_bytes()),
        (tcp(1883), [connect, publish].concat()),
        (tcp(25), mail.into_bytes()),
        (tcp(5432), [&[0, 0, 0, 20, 0, 3, 0, 0][..], b"user\0SECRET\0"].concat()),
        (udp(514), format!("<34>{secret}").into_bytes()),
    ]);
    streams
}

/// The same of office protocols.
fn office_markers(secret: &str) -> Vec<(Ports, Vec<u8>)> {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let smb = |command: u8, body: &[u8]| {
        let message = [&[0xfe, b'S', b'M', b'B', 64, 0, 0, 0, 0, 0, 0, 0, command, 0][..], &[0; 50], body].concat();
        [&(message.len() as u32).to_be_bytes()[..], &message].concat()
    };
    let name = wide("SECRET\\SECRET");
    let length = (name.len() as u16).to_le_bytes();
    let shares = [
        smb(3, &[&[9, 0, 0, 0, 72, 0][..], &length, &name].concat()),
        smb(5, &[&[57, 0][..], &[0; 42], &[120, 0], &length, &[0; 8], &name].concat()),
        smb(1, &[&[25, 0][..], &[0; 22], b"NTLMSSP\0\x03\0\0\0", &name, b"SECRET"].concat()),
        smb(9, &[&[49, 0, 112, 0, 20, 0, 0, 0][..], &[0; 40], secret.as_bytes()].concat()),
    ];
    let bind = [&[0x30, 25, 2, 1, 1, 0x60, 20, 2, 1, 3, 4, 6][..], b"SECRET", &[0x80, 6], b"SECRET"].concat();
    let community = [&[0x30, 20, 2, 1, 1, 4, 6][..], b"SECRET", &[0xa0, 7, 2, 1, 1, 2, 1, 0, 0]].concat();
    let call =
        "INVITE sip:SECRET@a.example SIP/2.0\r\nFrom: <sip:SECRET@b>\r\nTo: SECRET\r\nUser-Agent: phone\r\n\r\ns=SECRET\r\n";
    let files = format!("USER SECRET\r\nPASS SECRET\r\nRETR SECRET\r\nSITE {secret}\r\n");
    let cookie = [&[3, 0, 0, 38, 33, 0xe0, 0, 0, 0, 0, 0][..], b"Cookie: mstshash=SECRET\r\n!!"].concat();
    let access = [&[1, 7, 0, 28][..], &[0; 16], &[1, 8], b"SECRET"].concat();
    vec![
        (tcp(445), shares.concat()),
        (tcp(389), bind),
        (udp(161), community),
        (udp(5060), call.as_bytes().to_vec()),
        (tcp(21), files.clone().into_bytes()),
        (tcp(110), files.into_bytes()),
        (tcp(3389), cookie),
        (udp(1812), access),
        (udp(69), b"\0\x01SECRET\0octet\0".to_vec()),
    ]
}

#[test]
fn the_streams_with_markers_are_recognised() {
    for (ports, stream) in with_markers() {
        let state = after(ports, &[(Side::Orig, &stream)]);
        assert_eq!(state.app(ports), (ports.app(), auscult::app::Basis::Content));
    }
}

#[test]
fn an_hl7_message_without_segment_ends_gives_no_name_away() {
    for end in ["\n", "\0", "\x0c", "\x1c"] {
        let message = format!("\x0bMSH|^~\\&|APP{end}PID|1||SECRET^JOHN||SECRET|SECRET|SECRET|SECRET|");
        let state = after(tcp(2575), &[(Side::Orig, message.as_bytes())]);
        assert!(!format!("{:?}", facts(&state)).contains("SECRET"), "{end:?}");
    }
}

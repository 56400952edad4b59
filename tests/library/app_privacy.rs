//! No content, no person's name and no secret reaches the facts or a flow event, in whatever form and however the stream is
//! cut.

use auscult::app::{AppState, Basis, Payload, Ports, Side};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::app_support::{self, after, client_hello, tcp};
use crate::clinical_support::{Talk, capture, heard};
use crate::privacy_support::{MARK, conversations, found, wide};
use crate::support::{Folder, auscult};

use Side::Orig;

/// What a state tells, as it is written.
fn told(state: &AppState) -> String {
    state.facts().map_or_else(String::new, |facts| serde_json::to_string(facts).unwrap())
}

/// Everything that the program writes of a capture of this.
fn written(ports: Ports, talk: &Talk) -> String {
    let folder = Folder::new();
    let path = folder.put("talk.pcap", &capture(ports, talk));
    let flows = auscult(&["flows", &path]).ended(0);
    assert!(!flows.stdout.is_empty());
    String::from_utf8(flows.stdout).unwrap()
}

#[test]
fn conversations_are_what_they_claim_to_be() {
    for (name, ports, app, talk) in conversations() {
        let state = heard(ports, &talk, usize::MAX);
        let want = if state.app(ports).1 == Basis::Content { state.app(ports).0 } else { auscult::app::App::Unknown };
        // One that is not recognised yet is there for the day when it is.
        assert!(want == app || app == auscult::app::App::Unknown, "{name}: {want}");
        // Modbus has room for four bytes.
        let all: Vec<u8> = talk.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let holds = |part: &[u8]| all.windows(part.len()).any(|window| window == part);
        assert!(
            holds(MARK.as_bytes()) || holds(&MARK.as_bytes()[..4]) || holds(&MARK.as_bytes()[8..]) || holds(&wide(MARK)),
            "{name}"
        );
    }
}

#[test]
fn no_facts_hold_the_marker_however_the_stream_is_cut() {
    for (name, ports, _, talk) in conversations() {
        for segment in (1..80).chain([100, 200, 536, 1000, 1460, 8960, usize::MAX]) {
            let text = told(&heard(ports, &talk, segment));
            assert_eq!(found(&text), None, "{name} in pieces of {segment}: {text}");
        }
    }
}

/// The capture may lack any one packet, cut all of them, or begin late.
#[test]
fn no_facts_hold_the_marker_when_packets_are_missing() {
    for (name, ports, _, talk) in conversations() {
        let pieces: Vec<(Side, &[u8])> =
            talk.iter().flat_map(|(side, bytes)| bytes.chunks(90).map(move |piece| (*side, piece))).collect();
        // A head of HTTP in a body at the start of a packet is told from no other (see the module's invariant).
        let from = if name == "HTTP" { pieces.len() } else { 0 };
        for lost in from..pieces.len() {
            let (mut late, mut holed) = (AppState::default(), AppState::default());
            let mut missing = [0; 2];
            for (place, (side, piece)) in pieces.iter().enumerate() {
                let payload = Payload::new(*side, piece, piece.len() as u32);
                if place > lost {
                    late.observe(ports, &payload);
                }
                let missing_bytes = &mut missing[usize::from(*side == Orig)];
                if place == lost {
                    *missing_bytes += payload.wire_bytes;
                } else {
                    holed.observe(ports, &Payload { missing_bytes: std::mem::take(missing_bytes), ..payload });
                }
            }
            for text in [told(&late), told(&holed)] {
                assert_eq!(found(&text), None, "{name} without piece {lost}: {text}");
            }
        }
        for snap in (0..200).step_by(7) {
            let mut state = AppState::default();
            for (side, bytes) in &talk {
                state.observe(ports, &Payload::new(*side, &bytes[..bytes.len().min(snap)], bytes.len() as u32));
            }
            assert_eq!(found(&told(&state)), None, "{name} cut at {snap}");
        }
    }
}

#[test]
fn no_flow_event_holds_the_marker() {
    for (name, ports, _, talk) in conversations() {
        let text = written(ports, &talk);
        assert_eq!(found(&text), None, "{name}: {text}");
    }
}

/// The numbers of what Modbus writes, in any order of their bytes.
#[test]
fn no_facts_hold_the_values_of_registers() {
    let (_, ports, _, talk) = conversations().into_iter().find(|(name, ..)| *name == "Modbus").unwrap();
    let bytes: [u8; 4] = *MARK.as_bytes().first_chunk().unwrap();
    let text = [told(&heard(ports, &talk, usize::MAX)), written(ports, &talk)].concat();
    let [a, b, ..] = bytes;
    let numbers = [u32::from_be_bytes(bytes), u32::from_le_bytes(bytes), u16::from_be_bytes([a, b]).into()];
    for number in numbers {
        assert!(!text.contains(&format!(":{number}")), "{number} in {text}");
    }
}

/// What is kept is found: the test can fail.
#[test]
fn the_marker_is_found_where_it_is_kept() {
    let host = format!("{}.hospital.example", MARK.to_ascii_lowercase());
    let web = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    assert!(found(&told(&after(tcp(80), &[(Orig, web.as_bytes())]))).is_some());
    let hello = client_hello(&host, &[]);
    assert!(found(&told(&after(tcp(443), &[(Orig, &hello)]))).is_some());
    assert!(found(&written(tcp(443), &vec![(Orig, hello)])).is_some());
    let title = app_support::associate(MARK, "CT1");
    assert!(found(&written(tcp(11112), &vec![(Orig, title)])).is_some());
}

#[test]
fn the_marker_is_found_in_every_form() {
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let printed: String = MARK.chars().map(|c| format!("{c}\\\\x00")).collect();
    let escaped: String = MARK.chars().map(|c| format!("{c}\\u0000")).collect();
    let mut forms =
        vec![MARK.to_owned(), MARK.to_ascii_lowercase(), printed, escaped, digits(MARK.as_bytes()), digits(&wide(MARK))];
    for front in ["", "a", "ab", "abc"] {
        forms.push(BASE64_STANDARD.encode(format!("{front}{MARK}")));
        forms.push(BASE64_STANDARD.encode([front.as_bytes(), &wide(MARK)].concat()));
    }
    // A name that was cut to its first or last characters is one all the same.
    forms.extend([MARK[..6].to_owned(), MARK[6..].to_owned()]);
    for form in forms {
        assert!(found(&format!("{{\"name\":\"x{form}y\"}}")).is_some(), "{form}");
    }
    assert_eq!(found("{\"c_store\":3,\"called_ae\":\"ARCHIVE\"}"), None);
}

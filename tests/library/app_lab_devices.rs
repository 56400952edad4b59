//! Laboratory instruments, point-of-care devices and WS-Discovery: kinds of messages, however the stream is cut.

use auscult::app::{App, AstmFacts, Basis, Facts, Poct1aFacts, Side, WsDiscoveryFacts};

use crate::app_support::{after, alone, tcp, udp};
use crate::clinical_support::{Talk, any_snap_length, heard, same_however_cut, write_seed, written};

use Side::{Orig, Resp};

/// A frame of the link: number, text, end, and a checksum that nobody looks at.
fn frame(number: u8, text: &str, last: bool) -> Vec<u8> {
    [&[2, b'0' + number][..], text.as_bytes(), &[if last { 3 } else { 0x17 }], b"A5\r\n"].concat()
}

fn astm_talk() -> Talk {
    let header = "H|\\^&||SECRET|ANALYSER-5^1.2|||||LIS||P|1|20260131\r";
    let (order, cut) = ("O|1|SECRET||^^^GLU\r", "R|1|^^^GLU|SECRET SECRET R|x");
    vec![
        (Orig, vec![5]),
        (Resp, vec![6]),
        (Orig, frame(1, header, true)),
        (Resp, vec![6]),
        (Orig, frame(2, "P|1|SECRET||SECRET^JANE\r", true)),
        (Resp, vec![0x15]),
        (Orig, frame(2, &format!("P|1|SECRET\r{order}C|1|SECRET\r"), true)),
        (Resp, vec![6]),
        (Orig, [frame(3, cut, false), frame(4, "R|SECRET\rL|1|N\r", true)].concat()),
        (Resp, vec![6, 6]),
        (Orig, vec![4]),
    ]
}

#[test]
fn records_of_an_instrument_are_counted() {
    let talk = astm_talk();
    let want = AstmFacts {
        sender: Some("ANALYSER-5".into()),
        frames: 5,
        acks: 4,
        naks: 1,
        ends: 1,
        messages: 1,
        patients: 2,
        orders: 1,
        results: 1,
        other_records: 2,
        ..AstmFacts::default()
    };
    // What comes before the header is not looked at.
    let state = heard(tcp(9100), &talk, usize::MAX);
    assert_eq!(state.facts(), Some(&Facts::Astm(want.clone())));
    assert_eq!(same_however_cut(tcp(9100), &talk[2..], 55), Facts::Astm(want));
    any_snap_length(tcp(9100), &talk);
    let (app, facts) = written(tcp(9100), &talk);
    assert_eq!((app.as_str(), &facts["results"]), ("astm", &1.into()));
    assert!(!facts.to_string().contains("SECRET"));
}

#[test]
fn an_instrument_is_told_by_its_header_alone() {
    assert_eq!(alone(6, &frame(1, "H|\\^&|||X|\r", true)), (App::Astm, Basis::Content));
    assert_eq!(alone(6, &[&[5][..], &frame(1, "H|\\^&|||X|\r", true)].concat()), (App::Astm, Basis::Content));
    let others =
        [frame(1, "P|1|\r", true), frame(9, "H|\\^&|", true), frame(1, "H|\\\\&|", true), frame(1, "HELLO", true), vec![5]];
    for other in others {
        assert_ne!(alone(6, &other).0, App::Astm, "{}", String::from_utf8_lossy(&other));
    }
}

fn poct_talk() -> Talk {
    let message = |name: &str, body: &str| {
        format!("<{name}><HDR><HDR.message_type V=\"{name}\"/><HDR.control_id V=\"7\"/></HDR>{body}</{name}>").into_bytes()
    };
    let patient = "<SVC><PT><PT.patient_id V=\"SECRET\"/></PT><OBS><OBS.value V=\"SECRET\"/></OBS></SVC>";
    vec![
        (
            Orig,
            [b"<?xml version=\"1.0\"?>\n<!DOCTYPE HEL.R01>".to_vec(), message("HEL.R01", "<DEV.vendor_id V=\"X\"/>")].concat(),
        ),
        (Resp, message("ACK.R01", "")),
        (Orig, message("DST.R01", "")),
        (Resp, message("REQ.R01", "")),
        (Orig, [message("OBS.R01", patient), message("OBS.R02", patient), message("EOT.R01", "")].concat()),
        (Resp, message("DTV.R01", "")),
        (Resp, message("OPL.R01", patient)),
        (Orig, message("ESC.R01", "SECRET")),
    ]
}

#[test]
fn messages_of_point_of_care_devices_are_counted() {
    let talk = poct_talk();
    let want = Poct1aFacts {
        hello: 1,
        acks: 1,
        device_status: 1,
        requests: 1,
        observations: 2,
        directives: 1,
        lists: 1,
        escapes: 1,
        other: 1,
        ..Poct1aFacts::default()
    };
    assert_eq!(same_however_cut(tcp(3001), &talk, 50), Facts::Poct1a(want));
    any_snap_length(tcp(3001), &talk);
    let (app, facts) = written(tcp(3001), &talk);
    assert_eq!((app.as_str(), &facts["observations"]), ("poct1a", &2.into()));
    assert!(!facts.to_string().contains("SECRET"));
    for other in [&b"<HTML><HEL.R01>"[..], b"<?xml version=\"1.0\"?><note>", b"<HELLO.R01>", b"HEL.R01", b"<ABC.R01>"] {
        assert_ne!(alone(6, other).0, App::Poct1a, "{}", String::from_utf8_lossy(other));
    }
}

fn soap(action: &str, body: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<s12:Envelope xmlns:s12=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:wsa=\"http://www.w3.org/2005/08/addressing\" xmlns:wsd=\"http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01\" \
         xmlns:mdpws=\"http://standards.ieee.org/downloads/11073/11073-20702-2016\"><s12:Header><wsa:Action \
         s12:mustUnderstand=\"true\">http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01/{action}</wsa:Action>\
         <wsa:MessageID>urn:uuid:SECRET</wsa:MessageID></s12:Header><s12:Body>{body}</s12:Body></s12:Envelope>"
    )
    .into_bytes()
}

fn discovery_talk() -> Talk {
    let types = "<wsd:Types>mdpws:MedicalDevice dpws:Device mdpws:MedicalDevice dpws:SECRET-1</wsd:Types>\
        <wsd:Scopes>sdc.ctxt.loc:/SECRET</wsd:Scopes><wsd:XAddrs>http://10.0.0.1/SECRET</wsd:XAddrs>";
    vec![
        (Orig, soap("Hello", &format!("<wsd:Hello>{types}</wsd:Hello>"))),
        (Orig, soap("Probe", "<wsd:Probe><wsd:Types/></wsd:Probe>")),
        (Resp, soap("ProbeMatches", &format!("<wsd:ProbeMatches>{types}</wsd:ProbeMatches>"))),
        (Orig, soap("Resolve", "")),
        (Resp, soap("ResolveMatches", "")),
        (Orig, soap("Bye", "")),
        (Orig, soap("Else", "")),
    ]
}

#[test]
fn devices_that_are_discovered_are_told_by_action_and_type() {
    let talk = discovery_talk();
    let want = WsDiscoveryFacts {
        hello: 1,
        bye: 1,
        probe: 1,
        probe_matches: 1,
        resolve: 1,
        resolve_matches: 1,
        other_actions: 1,
        types: vec!["MedicalDevice".into(), "Device".into()],
        sdc: true,
    };
    assert_eq!(heard(udp(3702), &talk, usize::MAX).facts(), Some(&Facts::WsDiscovery(want.clone())));
    assert_eq!(heard(udp(40_000), &talk, usize::MAX).facts(), Some(&Facts::WsDiscovery(want)), "on any port");
    any_snap_length(udp(3702), &talk);
    let (app, facts) = written(udp(3702), &talk);
    assert_eq!((app.as_str(), &facts["types"][0], &facts["sdc"]), ("ws-discovery", &"MedicalDevice".into(), &true.into()));
    assert!(!facts.to_string().contains("SECRET"));
    let printer = String::from_utf8(talk[0].1.clone()).unwrap().replace("11073", "99999");
    let state = after(udp(3702), &[(Orig, printer.as_bytes())]);
    assert!(matches!(state.facts(), Some(Facts::WsDiscovery(d)) if !d.sdc && d.hello == 1));
    assert_ne!(alone(17, b"<?xml version=\"1.0\"?><note>hello</note>").0, App::WsDiscovery);
}

#[test]
#[ignore = "writes the seeds of the fuzz targets"]
fn write_seeds() {
    write_seed("app_astm", &astm_talk());
    write_seed("app_poct1a", &poct_talk());
    write_seed("app_ws_discovery", &discovery_talk()[..1]);
}

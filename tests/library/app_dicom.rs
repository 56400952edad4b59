//! DICOM associations: what is offered, accepted, asked for and answered, however the stream is cut; checked against tshark.

use std::collections::{BTreeMap, BTreeSet};

use auscult::app::{App, AppState, Basis, DicomFacts, DicomPeer, DicomStatus, Facts, Payload, Side};
use serde_json::Value;

use crate::app_support::{associate, facts, pdu, tcp, value, vec16};
use crate::clinical_support::{
    Talk, any_snap_length, capture, heard, hospital, same_however_cut, sum, times, tshark_of, write_seed, written, written_of,
};
use crate::support::{Folder, auscult, data, tshark};

use Side::{Orig, Resp};

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const STUDY_ROOT_MOVE: &str = "1.2.840.10008.5.1.4.1.2.2.2";
const STUDY_ROOT_FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
const PRIVATE: &str = "1.3.12.2.1107.5.9.1";

fn item(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &vec16(body)].concat()
}

fn fixed() -> Vec<u8> {
    [&[0, 1, 0, 0][..], format!("{:<16}{:<16}", "ARCHIVE", "READING-3").as_bytes(), &[0; 32]].concat()
}

fn context(id: u8, class: &str, syntaxes: &[&str]) -> Vec<u8> {
    let syntaxes: Vec<u8> = syntaxes.iter().flat_map(|uid| item(0x40, uid.as_bytes())).collect();
    item(0x20, &[&[id, 0, 0, 0][..], &item(0x30, class.as_bytes()), &syntaxes].concat())
}

fn user(max_pdu: u32, uid: &str, version: &str, more: &[u8]) -> Vec<u8> {
    let parts = [item(0x51, &max_pdu.to_be_bytes()), item(0x52, uid.as_bytes()), item(0x55, version.as_bytes())].concat();
    item(0x50, &[&parts, more].concat())
}

/// Who is asking stands in here, and must not be kept.
fn identity() -> Vec<u8> {
    item(0x58, &[&[2, 0][..], &vec16(b"DRHOUSE"), &vec16(b"VICODIN")].concat())
}

fn request(contexts: &[Vec<u8>]) -> Vec<u8> {
    let application = item(0x10, b"1.2.840.10008.3.1.1.1");
    let user = user(16_384, "1.2.276.0.7230010.3.0.3.6.7", "OFFIS_DCMTK_367", &identity());
    pdu(1, &[fixed(), application, contexts.concat(), user].concat())
}

fn three_contexts() -> [Vec<u8>; 3] {
    let (implicit, explicit) = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1");
    [
        context(1, CT, &[explicit, implicit]),
        context(3, STUDY_ROOT_MOVE, &[implicit]),
        context(5, PRIVATE, &["1.2.840.10008.1.2.4.70"]),
    ]
}

fn accepted() -> Vec<u8> {
    let result = |id, result, syntax: &[u8]| item(0x21, &[&[id, 0, result, 0][..], &item(0x40, syntax)].concat());
    let results = [result(1, 0, b"1.2.840.10008.1.2.1"), result(3, 0, b"1.2.840.10008.1.2"), result(5, 3, b"")].concat();
    pdu(2, &[fixed(), item(0x10, b"1.2.840.10008.3.1.1.1"), results, user(0, "1.2.40.0.13.1.3", "dcm4che-5.31", &[])].concat())
}

/// A command with its class, field and further elements, in a PDU of its own.
fn command(class: &str, field: u16, more: &[(u16, &[u8])]) -> Vec<u8> {
    let element =
        |number: u16, value: &[u8]| [&[0, 0][..], &number.to_le_bytes(), &(value.len() as u32).to_le_bytes(), value].concat();
    let padded = format!("{class}{}", if class.len() % 2 == 1 { "\0" } else { "" });
    let mut set = [element(2, padded.as_bytes()), element(0x100, &field.to_le_bytes())].concat();
    set.extend(element(if field >= 0x8000 { 0x120 } else { 0x110 }, &[1, 0]));
    more.iter().for_each(|(number, value)| set.extend(element(*number, value)));
    value(3, &[element(0, &(set.len() as u32).to_le_bytes()), set].concat())
}

const DATA: (u16, &[u8]) = (0x800, &[1, 0]);
const NO_DATA: (u16, &[u8]) = (0x800, &[1, 1]);

fn talk() -> Talk {
    let status = |status: &'static [u8; 2]| [NO_DATA, (0x900, &status[..])];
    vec![
        (Orig, request(&three_contexts())),
        (Resp, accepted()),
        (Orig, [command(CT, 0x0001, &[DATA, (0x1000, b"1.2.3.4")]), value(2, &[0x44; 1200])].concat()),
        (Resp, command(CT, 0x8001, &status(&[0, 0]))),
        (Orig, [command(STUDY_ROOT_MOVE, 0x0021, &[(0x600, b"EVIL_AE "), DATA]), value(2, &[7; 40])].concat()),
        (Resp, [command(STUDY_ROOT_MOVE, 0x8021, &status(&[0, 0xff])), command(CT, 0x8021, &status(&[0x01, 0xa8]))].concat()),
        (Orig, command(PRIVATE, 0x0130, &[NO_DATA])),
        (Resp, command(PRIVATE, 0x8130, &status(&[0, 0xb0]))),
        (Orig, command(CT, 0x0fff, &[NO_DATA])),
        (Resp, command(CT, 0x8021, &status(&[0, 0xfe]))),
        (Orig, pdu(5, &[0; 4])),
        (Resp, pdu(6, &[0; 4])),
    ]
}

fn want() -> DicomFacts {
    let names = |names: &[&'static str]| names.iter().map(|name| (*name).into()).collect();
    let peer = |uid: &str, version: &str, max_pdu_bytes| DicomPeer {
        implementation_uid: Some(uid.into()),
        implementation_version: Some(version.into()),
        max_pdu_bytes,
    };
    DicomFacts {
        calling_ae: Some("READING-3".into()),
        called_ae: Some("ARCHIVE".into()),
        requestor: peer("1.2.276.0.7230010.3.0.3.6.7", "OFFIS_DCMTK_367", 16_384),
        acceptor: peer("1.2.40.0.13.1.3", "dcm4che-5.31", 0),
        abstract_syntaxes: names(&["CT Image Storage", "Study Root MOVE", PRIVATE]),
        transfer_syntaxes: names(&["Explicit VR Little Endian", "Implicit VR Little Endian", "JPEG Lossless SV1"]),
        contexts_offered: 3,
        contexts_accepted: 2,
        contexts_rejected: 1,
        user_identity: Some("username_passcode"),
        store: 1,
        moves: 1,
        n_action: 1,
        cancel: 1,
        sop_classes: names(&["CT Image Storage", "Study Root MOVE"]),
        move_destinations: vec!["EVIL_AE".into()],
        responses: 5,
        status: DicomStatus { success: 1, pending: 1, warning: 1, failure: 1, cancel: 1 },
        ..DicomFacts::default()
    }
}

#[test]
fn an_association_is_told_however_it_is_cut() {
    assert_eq!(same_however_cut(tcp(11112), &talk(), 10), Facts::Dicom(Box::new(want())));
    any_snap_length(tcp(11112), &talk());
}

#[test]
fn commands_sent_apart_from_their_header_count_even_when_nothing_may_be_held() {
    let mut state = AppState::default();
    let find = command(STUDY_ROOT_FIND, 0x20, &[DATA]);
    let (header, set) = find.split_at(12);
    for bytes in [&associate("A", "B")[..], header, set, header, set] {
        state.observe(tcp(11112), &Payload { may_hold: false, ..Payload::new(Orig, bytes, bytes.len() as u32) });
    }
    let Facts::Dicom(got) = facts(&state) else { panic!("no DICOM") };
    assert_eq!((got.find, got.other, &got.sop_classes[..]), (2, 0, &["Study Root FIND".into()][..]));
}

#[test]
fn the_record_has_the_association() {
    let (app, facts) = written(tcp(11112), &talk());
    assert_eq!((app.as_str(), &facts["acceptor"]["implementation_version"]), ("dicom", &"dcm4che-5.31".into()));
    assert_eq!(facts["move_destinations"][0], "EVIL_AE");
    assert!(!facts.to_string().contains("HOUSE") && !facts.to_string().contains("VICODIN"));
}

#[test]
fn a_request_of_20_kilobytes_is_read_as_far_as_it_is_held() {
    let syntaxes = ["1.2.840.10008.1.2.1"; 5];
    let contexts: Vec<_> = (0..128_u32).map(|n| context((2 * n + 1) as u8, &format!("{CT}.{n}"), &syntaxes)).collect();
    let large = request(&contexts);
    assert!(large.len() > 17_000, "{} bytes", large.len());
    let talk = [(Orig, large), (Resp, accepted()), (Orig, command(CT, 0x30, &[NO_DATA]))];
    for segment in [300, 1460, 9000, usize::MAX] {
        let state = heard(tcp(11112), &talk, segment);
        let Facts::Dicom(got) = facts(&state) else { panic!("no DICOM") };
        assert_eq!((got.called_ae.as_deref(), got.abstract_syntaxes.len()), (Some("ARCHIVE"), 16), "pieces of {segment}");
        assert!((100..=128).contains(&got.contexts_offered), "{} contexts", got.contexts_offered);
        assert_eq!((got.echo, got.contexts_accepted), (1, 2), "what follows is found");
    }
    // Without room the first packet alone counts.
    let mut state = AppState::default();
    for piece in talk[0].1.chunks(1460) {
        state.observe(tcp(11112), &Payload { may_hold: false, ..Payload::new(Orig, piece, 1460) });
    }
    let Facts::Dicom(got) = facts(&state) else { panic!("no DICOM") };
    assert!(got.called_ae.is_some() && (5..16).contains(&got.contexts_offered), "{}", got.contexts_offered);
}

#[test]
fn a_hole_in_a_request_leaves_what_came_before() {
    let large = request(&(0..40).map(|n| context(2 * n + 1, &format!("{CT}.{n}"), &["1.2.840.10008.1.2"])).collect::<Vec<_>>());
    let mut state = AppState::default();
    state.observe(tcp(104), &Payload::new(Orig, &large[..1000], 1000));
    let rest = &large[2000..];
    state.observe(tcp(104), &Payload { missing_bytes: 1000, ..Payload::new(Orig, rest, rest.len() as u32) });
    let echo = command(CT, 0x30, &[NO_DATA]);
    state.observe(tcp(104), &Payload::new(Orig, &echo, echo.len() as u32));
    let Facts::Dicom(got) = facts(&state) else { panic!("no DICOM") };
    assert_eq!((got.calling_ae.as_deref(), got.echo), (Some("READING-3"), 1));
    assert!((5..20).contains(&got.contexts_offered));
}

#[test]
fn what_looks_like_a_request_is_none() {
    let is_dicom = |bytes: &[u8]| {
        let state = heard(tcp(50_001), &[(Orig, bytes.to_vec())], usize::MAX);
        state.app(tcp(50_001)) == (App::Dicom, Basis::Content)
    };
    let good = request(&three_contexts());
    assert!(is_dicom(&good));
    for (place, byte) in [(0, 3), (1, 1), (2, 0x7f), (7, 0), (8, 1), (12, 0x1b), (27, b'\\')] {
        let mut bad = good.clone();
        bad[place] = byte;
        assert!(!is_dicom(&bad), "byte {place}");
    }
}

#[test]
fn reasons_of_refusal_and_status_agree_with_tshark() {
    let ports = tcp(11112);
    let Some(results) = tshark_of(ports, &talk(), "dicom", "dicom.pctx.result") else { return };
    assert_eq!((times(&results, &["0x00", "0"]), results.len()), (2, 2), "{results:?}");
    let folder = Folder::new();
    let path = folder.put("talk.pcap", &capture(ports, &talk()));
    let fields = ["dicom.userinfo.version", "dicom.pctx.abss.syntax"];
    let [versions, classes] = tshark::values(path.as_ref(), "dicom", fields).unwrap();
    assert_eq!(versions.into_keys().collect::<Vec<_>>(), ["OFFIS_DCMTK_367", "dcm4che-5.31"]);
    assert!(classes.keys().any(|name| name.contains("CT Image Storage")), "{classes:?}");
    let refused = vec![(Orig, request(&three_contexts())), (Resp, pdu(3, &[0, 1, 1, 3]))];
    let reasons = tshark_of(ports, &refused, "dicom", "dicom.assoc.reject.reason").unwrap();
    assert_eq!(reasons.into_keys().collect::<Vec<_>>(), ["3"]);
    let state = heard(ports, &refused, usize::MAX);
    assert!(matches!(facts(&state), Facts::Dicom(d) if d.reject_reason == Some("calling AE title not recognised")));
}

/// Values without blanks around.
fn trimmed(values: BTreeMap<String, u64>) -> BTreeSet<String> {
    values.into_keys().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
}

/// The texts at a place in the facts.
fn texts(facts: &[Value], pointer: &str) -> BTreeSet<String> {
    facts.iter().filter_map(|facts| facts.pointer(pointer)?.as_str().map(str::to_owned)).collect()
}

#[test]
fn a_recording_agrees_with_tshark() {
    let Some(path) = data("hospital-lab/hospital-lab.pcap.gz") else { return };
    let facts = written_of(&path, "dicom");
    // Results are in what accepts an association, offers in what asks for one.
    let fields = ["dicom.assoc.ae.calling", "dicom.userinfo.version", "dicom.pctx.result", "dicom.pctx.abss.syntax"];
    let Some([titles, versions, results, offered]) = tshark::values(&path, "dicom.pdu.type==1 or dicom.pdu.type==2", fields)
    else {
        return;
    };
    assert_eq!(texts(&facts, "/calling_ae"), trimmed(titles));
    let sides = [texts(&facts, "/requestor/implementation_version"), texts(&facts, "/acceptor/implementation_version")];
    assert_eq!(&sides[0] | &sides[1], trimmed(versions));
    assert!(!texts(&facts, "/requestor/implementation_uid").is_empty());
    let accepted = times(&results, &["0", "0x00"]);
    assert_eq!(sum(&facts, "contexts_accepted"), accepted);
    assert_eq!(sum(&facts, "contexts_rejected"), results.values().sum::<u64>() - accepted);
    assert_eq!(sum(&facts, "contexts_offered"), offered.values().sum::<u64>());
    assert_eq!(sum(&facts, "status.success") + sum(&facts, "status.pending"), sum(&facts, "responses"), "all went well there");
    assert!(sum(&facts, "status.success") > 200, "{}", sum(&facts, "status.success"));
    assert!(facts.iter().any(|facts| facts["sop_classes"][0].is_string()));
    assert_eq!(facts.iter().any(|facts| facts["move_destinations"][0].is_string()), sum(&facts, "c_move") > 0);
}

/// In the recordings that the project keeps the payload of IPv4 and IPv6 is cut behind the association.
#[test]
fn kept_recordings_agree_with_tshark() {
    for name in ["clean", "medical", "everything"] {
        let folder = Folder::new();
        let path = hospital(&folder, name);
        let facts = written_of(&path, "dicom");
        let fields = ["dicom.assoc.ae.calling", "dicom.assoc.reject.reason"];
        let Some([titles, refused]) = tshark::values(&path, "dicom", fields) else { return };
        let titles = trimmed(titles);
        // What is cut is read by us as far as it goes.
        assert!(texts(&facts, "/calling_ae").is_superset(&titles) && titles.len() >= 5, "{name}: {titles:?}");
        let flows = auscult(&["flows", path.to_str().unwrap()]).ended(0).lines();
        for version in [4, 6] {
            let is_told = |flow: &&Value| flow["app_proto"] == "dicom" && flow["ip_v"] == version;
            assert!(flows.iter().filter(is_told).any(|flow| flow["auscult"]["facts"]["calling_ae"].is_string()), "IPv{version}");
        }
        assert_eq!(sum(&facts, "rejected"), refused.values().sum::<u64>(), "{name}");
    }
}

#[test]
#[ignore = "writes the seed of the fuzz target"]
fn write_seeds() {
    write_seed("app_dicom", &talk());
}

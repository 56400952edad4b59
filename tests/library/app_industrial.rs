//! Industrial protocols: what is read, written and controlled, however the stream is cut; checked against tshark.

use auscult::app::{
    App, BacnetFacts, Basis, Dnp3Facts, EnipFacts, Facts, Iec104Facts, ModbusFacts, OpcUaFacts, Ports, S7Facts, Side,
};

use crate::app_support::{after, alone, tcp, udp};
use crate::clinical_support::industrial::{
    bacnet_talk, cip, cip_connected, dnp3, dnp3_talk, enip, enip_talk, iec104, iec104_control, iec104_talk, modbus_talk,
    opcua_message, opcua_talk, s7, s7_talk, tpkt,
};
use crate::clinical_support::{self, any_snap_length, heard, hospital, same_however_cut, times, tshark_of, write_seed, written};
use crate::support::{Folder, auscult, data, tshark};

use Side::{Orig, Resp};

#[test]
fn modbus_requests_are_counted_by_what_they_do() {
    let talk = modbus_talk([7; 4]);
    let Facts::Modbus(got) = same_however_cut(tcp(502), &talk, 12) else { panic!("no Modbus") };
    let want = ModbusFacts {
        read_requests: 1,
        write_requests: 2,
        diagnostic_requests: 1,
        other_requests: 1,
        responses: 3,
        exceptions: 1,
        unit_ids: got.unit_ids,
    };
    assert_eq!((got.clone(), got.unit_ids.count()), (want, 3));
    any_snap_length(tcp(502), &talk);
    let (app, facts) = written(tcp(502), &talk);
    assert_eq!((app.as_str(), &facts["write_requests"], &facts["unit_ids"]), ("modbus", &2.into(), &3.into()));
    // A capture that begins with an answer.
    let state = after(tcp(502), &[(Resp, &talk[1].1), (Orig, &talk[0].1)]);
    assert!(matches!(state.facts(), Some(Facts::Modbus(m)) if (m.read_requests, m.responses) == (1, 1)));
    let Some(codes) = tshark_of(tcp(502), &talk, "modbus", "modbus.func_code") else { return };
    assert_eq!((times(&codes, &["6", "16"]), times(&codes, &["3"])), (2 + 2, 2), "asked and answered: {codes:?}");
}

#[test]
fn dnp3_requests_are_counted_by_function() {
    let talk = dnp3_talk(&[12; 40]);
    let want = Dnp3Facts {
        read: 1,
        write: 1,
        direct_operate: 1,
        restart: 1,
        confirm: 1,
        control_application: 1,
        responses: 2,
        unsolicited_responses: 1,
        masters: vec![1],
        outstations: vec![10],
        ..Dnp3Facts::default()
    };
    assert_eq!(same_however_cut(tcp(20000), &talk, 10), Facts::Dnp3(want.clone()));
    assert_eq!(heard(udp(20000), &talk, usize::MAX).facts(), Some(&Facts::Dnp3(want)));
    any_snap_length(tcp(20000), &talk);
    assert_eq!(written(tcp(20000), &talk).1["restart"], 1);
    let Some(functions) = tshark_of(tcp(20000), &talk, "dnp3", "dnp3.al.func") else { return };
    let asked = ["1", "2", "5", "13", "18", "129", "130"].map(|function| times(&functions, &[function]));
    assert_eq!(asked, [1, 1, 1, 1, 1, 2, 1], "{functions:?}");
}

#[test]
fn dnp3_is_told_by_its_checksum() {
    let frame = dnp3(0xc4, 10, 1, &[0xc0, 0xc1, 1]);
    assert_eq!(alone(6, &frame), (App::Dnp3, Basis::Content));
    for place in 0..10 {
        let mut bad = frame.clone();
        bad[place] ^= 1;
        assert_ne!(alone(6, &bad).0, App::Dnp3, "byte {place}");
    }
}

#[test]
fn telecontrol_is_counted_by_what_it_asks() {
    let talk = iec104_talk(&[9; 5]);
    let want = Iec104Facts {
        start: 1,
        interrogation: 1,
        command: 2,
        reset: 1,
        read: 1,
        reports: 2,
        confirmed: 2,
        refused: 2,
        stations: vec![7],
        ..Iec104Facts::default()
    };
    assert_eq!(same_however_cut(tcp(2404), &talk, 12), Facts::Iec104(want));
    any_snap_length(tcp(2404), &talk);
    let (app, facts) = written(tcp(2404), &talk);
    assert_eq!((app.as_str(), &facts["command"], &facts["refused"]), ("iec104", &2.into(), &2.into()));
    let Some(kinds) = tshark_of(tcp(2404), &talk, "iec60870_asdu", "iec60870_asdu.typeid") else { return };
    let told = ["100", "45", "50", "105", "102", "13", "30"].map(|kind| times(&kinds, &[kind]));
    assert_eq!(told, [3, 2, 2, 2, 1, 1, 1], "{kinds:?}");
}

#[test]
fn telecontrol_is_told_by_its_start_and_on_its_port() {
    assert_eq!(alone(6, &iec104_control(0x07)), (App::Iec104, Basis::Content));
    let command = iec104(45, 6, &[1, 0, 0, 0x81]);
    assert_ne!(alone(6, &command).0, App::Iec104, "it may be anything there");
    assert!(matches!(after(tcp(2404), &[(Orig, &command)]).facts(), Some(Facts::Iec104(facts)) if facts.command == 1));
    for bad in [[0x68, 4, 0x0f, 0, 0, 0], [0x68, 4, 0x07, 1, 0, 0], [0x68, 3, 0x07, 0, 0, 0], [0x67, 4, 0x07, 0, 0, 0]] {
        assert_ne!(alone(6, &bad).0, App::Iec104, "{bad:?}");
    }
}

#[test]
fn s7_requests_are_counted_by_function() {
    let talk = s7_talk(&[9; 6]);
    let want = S7Facts {
        setup: 1,
        read: 1,
        write: 1,
        plc_start: 1,
        plc_stop: 1,
        plc_control: 1,
        download: 1,
        upload: 1,
        userdata_cpu: 1,
        responses: 2,
        ..S7Facts::default()
    };
    // What comes before the first message is not looked at.
    assert_eq!(heard(tcp(102), &talk, usize::MAX).facts(), Some(&Facts::S7(want.clone())));
    assert_eq!(same_however_cut(tcp(102), &talk[2..], 25), Facts::S7(want));
    any_snap_length(tcp(102), &talk);
    let (app, facts) = written(tcp(102), &talk);
    assert_eq!((app.as_str(), &facts["plc_stop"], &facts["write"]), ("s7comm", &1.into(), &1.into()));
    let Some(functions) = tshark_of(tcp(102), &talk, "s7comm", "s7comm.param.func") else { return };
    let asked = ["0x28", "0x29", "0x1a", "0x1d"].map(|function| times(&functions, &[function]));
    assert_eq!(asked, [2, 1, 1, 1], "{functions:?}");
}

#[test]
fn what_shares_the_transport_of_s7_is_not_taken_for_it() {
    let plus = tpkt(&[2, 0xf0, 0x80, 0x72, 1, 0, 4, 0x31, 0, 0, 4, 0x72, 1, 0, 0]);
    assert_eq!(alone(6, &plus), (App::S7Comm, Basis::Content));
    assert!(matches!(after(tcp(102), &[(Orig, &plus)]).facts(), Some(Facts::S7(s7)) if s7.plus_messages == 1));
    let request = tpkt(&[0x11, 0xe0, 0, 0, 0, 1, 0, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2, 0xc0, 1, 10]);
    let mms = tpkt(&[2, 0xf0, 0x80, 1, 0, 1, 0, 0x61, 0x30, 2, 1, 3, 0xa0, 0x2b]);
    let rdp = tpkt(&[2, 0xf0, 0x80, 0x64, 0, 8, 3, 0xeb, 0x70, 0x14]);
    for other in [&request, &mms, &rdp, &s7(5, &[4, 1], &[])] {
        assert_ne!(alone(6, other).0, App::S7Comm, "{other:02x?}");
    }
}

#[test]
fn services_of_cip_are_counted_by_what_they_do() {
    let talk = enip_talk(b"TAG");
    let want = EnipFacts {
        register_session: 2,
        list: 1,
        send_rr_data: 6,
        send_unit_data: 2,
        cip_read: 2,
        cip_write: 2,
        cip_control: 1,
        cip_connection: 1,
        cip_responses: 2,
        cip_errors: 1,
        ..EnipFacts::default()
    };
    assert_eq!(same_however_cut(tcp(44818), &talk, 28), Facts::Enip(want));
    any_snap_length(tcp(44818), &talk);
    let (app, facts) = written(tcp(44818), &talk);
    assert_eq!((app.as_str(), &facts["cip_write"], &facts["cip_control"]), ("enip", &2.into(), &1.into()));
    let Some(services) = tshark_of(tcp(44818), &talk, "enip", "cip.service") else { return };
    // tshark shows both messages where one carries another.
    assert_eq!(times(&services, &["0x4d"]), 2, "{services:?}");
    assert_eq!(times(&services, &["0x0e", "0x54"]), 2, "{services:?}");
}

#[test]
fn enip_is_told_on_its_port_or_by_its_session() {
    let register = enip(0x65, &[1, 0, 0, 0]);
    assert_eq!(alone(6, &register), (App::EthernetIp, Basis::Content));
    let list = enip(0x63, &[]);
    assert_ne!(alone(6, &list).0, App::EthernetIp);
    assert_eq!(after(udp(44818), &[(Orig, &list)]).app(udp(44818)), (App::EthernetIp, Basis::Content));
    for (place, byte) in [(0, 0x67), (2, 200), (20, 1)] {
        let mut bad = register.clone();
        bad[place] = byte;
        assert_ne!(after(tcp(44818), &[(Orig, &bad)]).app(tcp(44818)).1, Basis::Content, "byte {place}");
    }
    let _ = (cip(&[1, 0]), cip_connected(&[1, 0]));
}

#[test]
fn bacnet_services_are_counted_by_what_they_do() {
    let talk = bacnet_talk(b"Ward 7");
    let want = BacnetFacts {
        who_is: 1,
        i_am: 1,
        read_property: 1,
        write_property: 1,
        reinitialize_device: 1,
        device_communication_control: 1,
        responses: 2,
        errors: 2,
        ..BacnetFacts::default()
    };
    let ports = Ports { orig: 47808, ..udp(47808) };
    // The last message is of a link layer that encrypts.
    assert_eq!(heard(ports, &talk, usize::MAX).facts(), Some(&Facts::Bacnet(want)));
    any_snap_length(ports, &talk);
    let (app, facts) = written(ports, &talk);
    assert_eq!((app.as_str(), &facts["reinitialize_device"]), ("bacnet", &1.into()));
    let Some(services) = tshark_of(ports, &talk, "bacapp", "bacapp.confirmed_service") else { return };
    assert_eq!(["15", "20", "17"].map(|service| times(&services, &[service])), [2, 2, 1], "asked and answered: {services:?}");
}

#[test]
fn bacnet_is_read_behind_routers() {
    let routed = [0x81, 4, 0, 0x1b, 10, 0, 0, 9, 0xba, 0xc0, 1, 0x28, 0, 5, 1, 9, 0, 6, 1, 3, 0xff, 0, 5, 1, 15, 0x0c, 0];
    let link = [0x81, 5, 0, 6, 0, 60];
    let network = [0x81, 10, 0, 7, 1, 0x80, 0];
    let state = after(udp(47808), &[(Orig, &routed), (Orig, &link), (Orig, &network)]);
    let want = BacnetFacts { write_property: 1, link_control: 1, network_messages: 1, ..BacnetFacts::default() };
    assert_eq!(state.facts(), Some(&Facts::Bacnet(want)));
}

#[test]
fn opc_ua_is_told_by_kind_and_by_request() {
    let talk = opcua_talk("path");
    let want = OpcUaFacts {
        endpoint_host: Some("plc.plant.example".into()),
        security_policies: vec!["None".into()],
        security_none: true,
        hello: 1,
        acknowledge: 1,
        error: 1,
        open_channel: 2,
        close_channel: 1,
        messages: 7,
        session_requests: 2,
        read_requests: 1,
        write_requests: 1,
        call_requests: 1,
        ..OpcUaFacts::default()
    };
    assert_eq!(same_however_cut(tcp(4840), &talk, 8), Facts::OpcUa(want));
    any_snap_length(tcp(4840), &talk);
    let (app, facts) = written(tcp(4841), &talk);
    assert_eq!((app.as_str(), &facts["write_requests"]), ("opcua", &1.into()));
    assert!(!facts.to_string().contains("path"));
    let Some(kinds) = tshark_of(tcp(4840), &talk, "opcua", "opcua.transport.type") else { return };
    assert_eq!((times(&kinds, &["MSG"]), times(&kinds, &["HEL"])), (7, 1), "{kinds:?}");
    let types = tshark_of(tcp(4840), &talk, "opcua", "opcua.servicenodeid.numeric").unwrap();
    assert_eq!(times(&types, &["673", "712", "631"]), 3, "{types:?}");
}

#[test]
fn opc_ua_needs_a_greeting_or_its_port() {
    let message = opcua_message(673, &[]);
    assert_ne!(alone(6, &message).0, App::OpcUa);
    assert_eq!(after(tcp(4840), &[(Orig, &message)]).app(tcp(4840)), (App::OpcUa, Basis::Content));
    assert_ne!(alone(6, b"HELLO world, this is some text that is long enough").0, App::OpcUa);
}

#[test]
fn a_capture_of_opc_ua_agrees_with_tshark() {
    let Some(path) = data("awkward/ndpi-4.11__opc-ua.pcap") else { return };
    let facts = clinical_support::written_of(&path, "opcua");
    let fields = ["opcua.transport.type", "opcua.servicenodeid.numeric"];
    let Some([kinds, types]) = tshark::values(&path, "opcua", fields) else { return };
    let sum = |name| clinical_support::sum(&facts, name);
    let got = [sum("hello"), sum("acknowledge"), sum("open_channel"), sum("close_channel"), sum("messages")];
    assert_eq!(got, ["HEL", "ACK", "OPN", "CLO", "MSG"].map(|kind| times(&kinds, &[kind])), "{facts:?}");
    assert_eq!(sum("read_requests"), times(&types, &["631"]));
    assert_eq!(sum("browse_requests"), times(&types, &["527", "533", "554", "428", "422"]));
}

/// None of these is in the recordings of the hospital, whose flows are thousands.
#[test]
fn nothing_in_a_hospital_is_taken_for_a_controller() {
    let folder = Folder::new();
    let path = hospital(&folder, "everything");
    let flows = auscult(&["flows", path.to_str().unwrap()]).ended(0).lines();
    assert!(flows.len() > 3000, "{} flows", flows.len());
    let industrial = ["modbus", "dnp3", "iec104", "s7comm", "enip", "bacnet", "opcua", "astm", "poct1a"];
    for flow in flows {
        let is_told = flow["auscult"]["facts"].is_object() && industrial.iter().any(|app| flow["app_proto"] == *app);
        assert!(!is_told, "{flow}");
    }
}

#[test]
#[ignore = "writes the seeds of the fuzz targets"]
fn write_seeds() {
    write_seed("app_modbus", &modbus_talk([7; 4]));
    write_seed("app_dnp3", &dnp3_talk(&[12; 20]));
    write_seed("app_iec104", &iec104_talk(&[12; 5]));
    write_seed("app_s7comm", &s7_talk(&[9; 6]));
    write_seed("app_enip", &enip_talk(b"TAG"));
    write_seed("app_bacnet", &bacnet_talk(b"Ward 7"));
    write_seed("app_opcua", &opcua_talk("path"));
}

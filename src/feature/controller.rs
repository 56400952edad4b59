//! What controllers are asked to do, in the same words whatever the protocol.

use super::fact::{FactKind, READ_REQUEST, RESTART_REQUEST, SILENCE_REQUEST, STOP_REQUEST, UPLOAD_REQUEST, seen};
use crate::app::{BacnetFacts, Dnp3Facts, EnipFacts, Facts, Iec104Facts, ModbusFacts, OpcUaFacts, S7Facts};

/// What a controller is asked to do in a flow of one of its protocols.
pub(super) fn of<'f>(facts: &'f Facts, found: &mut Vec<(FactKind, &'f str)>) {
    match facts {
        Facts::Modbus(facts) => modbus(facts, found),
        Facts::S7(facts) => s7(facts, found),
        Facts::Dnp3(facts) => dnp3(facts, found),
        Facts::Enip(facts) => enip(facts, found),
        Facts::Bacnet(facts) => bacnet(facts, found),
        Facts::Iec104(facts) => iec104(facts, found),
        Facts::OpcUa(facts) => opcua(facts, found),
        _ => {}
    }
}

fn modbus(modbus: &ModbusFacts, found: &mut Vec<(FactKind, &str)>) {
    asked(&[(modbus.read_requests, READ_REQUEST), (modbus.write_requests, "write")], found);
}

fn s7(s7: &S7Facts, found: &mut Vec<(FactKind, &str)>) {
    let requests = [
        (s7.read, READ_REQUEST),
        (s7.write, "write"),
        (s7.plc_start, "start"),
        (s7.plc_stop, STOP_REQUEST),
        (s7.plc_control, "control"),
        (s7.download, "download"),
        (s7.upload, UPLOAD_REQUEST),
        (s7.userdata_security, "password"),
    ];
    asked(&requests, found);
}

fn dnp3(dnp3: &Dnp3Facts, found: &mut Vec<(FactKind, &str)>) {
    let requests = [
        (dnp3.read, READ_REQUEST),
        (dnp3.write, "write"),
        (dnp3.operate | dnp3.direct_operate, "operate"),
        (dnp3.restart, RESTART_REQUEST),
        (dnp3.control_application, "control"),
        (dnp3.configure, "configure"),
        (dnp3.file, "file"),
    ];
    asked(&requests, found);
}

fn enip(enip: &EnipFacts, found: &mut Vec<(FactKind, &str)>) {
    asked(&[(enip.cip_read, READ_REQUEST), (enip.cip_write, "write"), (enip.cip_control, "control")], found);
}

fn bacnet(bacnet: &BacnetFacts, found: &mut Vec<(FactKind, &str)>) {
    let requests = [
        (bacnet.read_property, READ_REQUEST),
        (bacnet.write_property, "write"),
        (bacnet.reinitialize_device, RESTART_REQUEST),
        (bacnet.device_communication_control, SILENCE_REQUEST),
        (bacnet.write_file, "file"),
        (bacnet.change_object, "configure"),
    ];
    asked(&requests, found);
}

fn iec104(iec104: &Iec104Facts, found: &mut Vec<(FactKind, &str)>) {
    let requests = [
        (iec104.interrogation | iec104.read, READ_REQUEST),
        (iec104.command, "operate"),
        (iec104.parameter, "configure"),
        (iec104.reset, RESTART_REQUEST),
        (iec104.file, "file"),
    ];
    asked(&requests, found);
}

// What methods that are called do is not known: conditions are refreshed by such.
fn opcua(opcua: &OpcUaFacts, found: &mut Vec<(FactKind, &str)>) {
    let requests = [
        (opcua.browse_requests | opcua.read_requests, READ_REQUEST),
        (opcua.write_requests, "write"),
        (opcua.node_management_requests, "configure"),
    ];
    asked(&requests, found);
}

fn asked(requests: &[(u32, &'static str)], found: &mut Vec<(FactKind, &str)>) {
    found.extend(seen(requests).map(|request| (FactKind::ControllerRequest, request)));
    let changes = seen(requests).filter(|&request| request != READ_REQUEST && request != UPLOAD_REQUEST);
    found.extend(changes.map(|request| (FactKind::ControllerChange, request)));
}

#[cfg(test)]
mod tests {
    use super::super::fact::said;
    use super::*;

    #[test]
    fn what_a_controller_is_asked_is_told_apart() {
        let asked = |facts: Facts| {
            let texts = said(&facts);
            let of = |wanted: FactKind| texts.iter().filter(move |(kind, _)| *kind == wanted).map(|(_, text)| (*text).to_owned());
            let asked: Vec<String> = of(FactKind::ControllerRequest).collect();
            let changes = asked.iter().filter(|text| *text != READ_REQUEST).cloned().collect::<Vec<_>>();
            assert_eq!(of(FactKind::ControllerChange).collect::<Vec<_>>(), changes);
            asked
        };
        assert_eq!(asked(Facts::S7(S7Facts { setup: 1, read: 9, plc_stop: 1, ..S7Facts::default() })), ["read", "stop"]);
        let takes = Facts::S7(S7Facts { upload: 1, ..S7Facts::default() });
        assert_eq!(said(&takes), [(FactKind::ControllerRequest, UPLOAD_REQUEST)], "it changes nothing");
        assert_eq!(
            asked(Facts::Dnp3(Dnp3Facts { direct_operate: 1, restart: 1, ..Dnp3Facts::default() })),
            ["operate", "restart"]
        );
        assert_eq!(
            asked(Facts::Iec104(Iec104Facts { interrogation: 2, command: 1, reports: 9, ..Iec104Facts::default() })),
            ["read", "operate"]
        );
        assert_eq!(asked(Facts::Enip(EnipFacts { cip_write: 2, ..EnipFacts::default() })), ["write"]);
        assert_eq!(
            asked(Facts::Bacnet(BacnetFacts { who_is: 1, reinitialize_device: 1, ..BacnetFacts::default() })),
            ["restart"]
        );
        let browses = OpcUaFacts { browse_requests: 3, call_requests: 2, write_requests: 1, ..OpcUaFacts::default() };
        assert_eq!(asked(Facts::OpcUa(browses)), [READ_REQUEST, "write"]);
        let adds = OpcUaFacts { node_management_requests: 1, ..OpcUaFacts::default() };
        assert_eq!(asked(Facts::OpcUa(adds)), ["configure"]);
    }
}

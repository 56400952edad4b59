//! What an application said of itself, as the object `auscult.facts` of a flow event. The envelope alone: see [`crate::app`].

use serde_json::{Map, Value, json};

use crate::app::{ContentClass, DicomFacts, DnsFacts, Facts, Hl7Facts, HttpFacts, MqttFacts, SshFacts, TlsFacts};

/// The facts of a flow; what was not told and counts of 0 are left out. Nothing when nothing was told.
pub(super) fn fact_object(facts: &Facts) -> Option<Value> {
    let found = match facts {
        Facts::Tls(tls) => of_tls(tls),
        Facts::Http(http) => of_http(http),
        Facts::Ssh(ssh) => of_ssh(ssh),
        Facts::Dns(dns) => of_dns(dns),
        Facts::Dicom(dicom) => of_dicom(dicom),
        Facts::Hl7(hl7) => of_hl7(hl7),
        Facts::Mqtt(mqtt) => of_mqtt(mqtt),
    };
    let told: Map<String, Value> =
        found.into_iter().filter(|(_, value)| is_told(value)).map(|(name, value)| (name.to_owned(), value)).collect();
    (!told.is_empty()).then_some(Value::Object(told))
}

fn is_told(value: &Value) -> bool {
    !value.is_null() && *value != json!(0) && *value != json!(false) && *value != json!({})
}

type Found = Vec<(&'static str, Value)>;

fn of_tls(tls: &TlsFacts) -> Found {
    vec![
        ("sni", json!(tls.server_name)),
        ("version_offered", tls_version(tls.version_offered)),
        ("version", tls_version(tls.version_chosen)),
        ("alpn", json!(tls.alpn)),
    ]
}

/// As EVE spells it.
fn tls_version(version: u16) -> Value {
    match version {
        0 => Value::Null,
        0x0300 => json!("SSLv3"),
        0x0301 => json!("TLSv1"),
        0x0302 => json!("TLS 1.1"),
        0x0303 => json!("TLS 1.2"),
        0x0304 => json!("TLS 1.3"),
        other => json!(format!("0x{other:04x}")),
    }
}

fn of_http(http: &HttpFacts) -> Found {
    vec![
        ("host", json!(http.host)),
        ("method", json!(http.method)),
        ("status", json!(http.status)),
        ("request_content", content(http.request)),
        ("response_content", content(http.response)),
        ("fhir", json!(http.fhir)),
    ]
}

fn content(class: ContentClass) -> Value {
    if class == ContentClass::None { Value::Null } else { json!(format!("{class:?}").to_lowercase()) }
}

fn of_ssh(ssh: &SshFacts) -> Found {
    vec![("software_orig", json!(ssh.software_orig)), ("software_resp", json!(ssh.software_resp))]
}

fn of_dns(dns: &DnsFacts) -> Found {
    vec![
        ("queries", json!(dns.queries)),
        ("responses", json!(dns.responses)),
        ("answers", json!(dns.answers)),
        ("nxdomain", json!(dns.nxdomain)),
        ("errors", json!(dns.errors)),
        ("malformed", json!(dns.malformed)),
        ("first_name", json!(dns.first_qname)),
        ("longest_name", json!(dns.qname_chars_max)),
    ]
}

fn of_dicom(dicom: &DicomFacts) -> Found {
    vec![
        ("calling_ae", json!(dicom.calling_ae)),
        ("called_ae", json!(dicom.called_ae)),
        ("c_echo", json!(dicom.echo)),
        ("c_store", json!(dicom.store)),
        ("c_find", json!(dicom.find)),
        ("c_get", json!(dicom.get)),
        ("c_move", json!(dicom.moves)),
        ("other_requests", json!(dicom.other)),
        ("responses", json!(dicom.responses)),
        ("rejected", json!(dicom.rejected)),
        ("aborted", json!(dicom.aborted)),
    ]
}

fn of_hl7(hl7: &Hl7Facts) -> Found {
    let types: Map<String, Value> = hl7.types.iter().map(|kind| (kind.name.to_string(), json!(kind.count))).collect();
    vec![
        ("messages", json!(hl7.messages)),
        ("acks", json!(hl7.acks)),
        ("types", Value::Object(types)),
        ("other_types", json!(hl7.other)),
        ("sending_application", json!(hl7.sending)),
        ("receiving_application", json!(hl7.receiving)),
    ]
}

fn of_mqtt(mqtt: &MqttFacts) -> Found {
    vec![
        ("level", json!(mqtt.level)),
        ("has_user", json!(mqtt.has_user)),
        ("connect", json!(mqtt.connect)),
        ("refused", json!(mqtt.refused)),
        ("publish", json!(mqtt.publish)),
        ("subscribe", json!(mqtt.subscribe)),
        ("ping", json!(mqtt.ping)),
        ("disconnect", json!(mqtt.disconnect)),
        ("other", json!(mqtt.other)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Hl7Type;

    #[test]
    fn what_was_told_is_there_and_nothing_else() {
        let tls = TlsFacts { server_name: Some("pacs.example".into()), version_chosen: 0x0304, ..TlsFacts::default() };
        assert_eq!(fact_object(&Facts::Tls(tls)), Some(json!({"sni": "pacs.example", "version": "TLS 1.3"})));
        assert_eq!(fact_object(&Facts::Dns(DnsFacts::default())), None);
    }

    #[test]
    fn clinical_applications_say_who_and_what_kind() {
        let dicom = DicomFacts { calling_ae: Some("CT_1".into()), find: 3, ..DicomFacts::default() };
        assert_eq!(fact_object(&Facts::Dicom(dicom)), Some(json!({"calling_ae": "CT_1", "c_find": 3})));
        let types = vec![Hl7Type { name: "ADT^A01".into(), count: 2 }];
        let hl7 = Hl7Facts { messages: 4, acks: 2, types, ..Hl7Facts::default() };
        assert_eq!(fact_object(&Facts::Hl7(hl7)), Some(json!({"messages": 4, "acks": 2, "types": {"ADT^A01": 2}})));
    }
}

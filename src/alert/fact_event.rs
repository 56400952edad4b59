//! What an application said of itself, as the object `auscult.facts` of a flow event. The envelope alone: see [`crate::app`].

use serde_json::{Map, Value};

use crate::app::Facts;

/// The facts of a flow; what was not told, empty lists and counts of 0 are left out. Nothing when nothing was told.
pub(super) fn fact_object(facts: &Facts) -> Option<Value> {
    // Facts hold text, numbers and lists of these, none of which can fail.
    told(serde_json::to_value(facts).ok()?)
}

/// A value without what says nothing.
fn told(value: Value) -> Option<Value> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Number(number) if number.as_f64() == Some(0.0) => None,
        Value::Array(list) if list.is_empty() => None,
        Value::Object(map) => {
            let map: Map<String, Value> =
                map.into_iter().filter_map(|(name, value)| told(value).map(|value| (name, value))).collect();
            (!map.is_empty()).then_some(Value::Object(map))
        }
        value => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::app::{DicomFacts, DnsFacts, Hl7Facts, Hl7Type, TlsFacts};

    #[test]
    fn what_was_told_is_there_and_nothing_else() {
        let tls = TlsFacts { server_name: Some("pacs.example".into()), version_chosen: 0x0304, ..TlsFacts::default() };
        assert_eq!(fact_object(&Facts::Tls(tls)), Some(json!({"sni": "pacs.example", "version": "TLS 1.3"})));
        assert_eq!(fact_object(&Facts::Dns(DnsFacts::default())), None);
    }

    #[test]
    fn clinical_applications_say_who_and_what_kind() {
        let dicom = DicomFacts { calling_ae: Some("CT_1".into()), find: 3, ..DicomFacts::default() };
        assert_eq!(fact_object(&Facts::Dicom(Box::new(dicom))), Some(json!({"calling_ae": "CT_1", "c_find": 3})));
        let types = vec![Hl7Type { name: "ADT^A01".into(), count: 2 }];
        let hl7 = Hl7Facts { messages: 4, acks: 2, types, ..Hl7Facts::default() };
        assert_eq!(fact_object(&Facts::Hl7(hl7)), Some(json!({"messages": 4, "acks": 2, "types": {"ADT^A01": 2}})));
    }
}

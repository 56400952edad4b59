//! Facts back from the object in which a flow event tells them.

use serde_json::{Map, Value};

use super::text::{HOST_BYTES, NAME_BYTES};
use super::{App, Facts, Hl7Type, StartTls, TlsFacts};

/// Types of HL7 messages that are taken, as many as a flow keeps.
const MOST_TYPES: usize = 4;

impl Facts {
    /// The facts of an application from `auscult.facts` of its flow event: those that a baseline knows (names, titles, commands,
    /// counts of DNS), all others left empty. Text that is not printable ASCII, or too long, is cut as it is when it is heard.
    #[must_use]
    pub fn from_told(app: App, told: &Map<String, Value>) -> Option<Self> {
        let mut facts = Self::of(app)?;
        match &mut facts {
            Self::Tls(tls) => *tls = tls_facts(told),
            Self::Quic(quic) => {
                quic.server_name = text(told, "sni", HOST_BYTES);
                quic.alpn = text(told, "alpn", NAME_BYTES);
            }
            Self::Http(http) => {
                http.host = text(told, "host", HOST_BYTES);
                let method = told.get("method").and_then(Value::as_str).unwrap_or_default();
                http.method = super::http::known_method(method.as_bytes());
            }
            Self::Ssh(ssh) => {
                ssh.software_orig = text(told, "software_orig", NAME_BYTES);
                ssh.software_resp = text(told, "software_resp", NAME_BYTES);
            }
            Self::Mqtt(mqtt) => {
                (mqtt.connect, mqtt.publish) = (count(told, "connect"), count(told, "publish"));
                mqtt.subscribe = count(told, "subscribe");
            }
            Self::Hl7(hl7) => {
                hl7.sending = text(told, "sending_application", NAME_BYTES);
                hl7.types = hl7_types(told);
            }
            Self::Dns(dns) => {
                dns.first_qname = text(told, "first_name", HOST_BYTES);
                (dns.queries, dns.responses) = (count(told, "queries"), count(told, "responses"));
                (dns.nxdomain, dns.errors) = (count(told, "nxdomain"), count(told, "errors"));
                if let Some(types) = told.get("types").and_then(Value::as_object) {
                    (dns.types.address, dns.types.other) = (count(types, "address"), count(types, "other"));
                    (dns.types.txt, dns.types.null) = (count(types, "txt"), count(types, "null"));
                    (dns.types.cname, dns.types.mx) = (count(types, "cname"), count(types, "mx"));
                }
            }
            Self::Dicom(dicom) => {
                dicom.calling_ae = text(told, "calling_ae", NAME_BYTES);
                dicom.called_ae = text(told, "called_ae", NAME_BYTES);
                (dicom.echo, dicom.store, dicom.find) = (count(told, "c_echo"), count(told, "c_store"), count(told, "c_find"));
                (dicom.get, dicom.moves) = (count(told, "c_get"), count(told, "c_move"));
            }
            other => {
                let within = told.get("tls").and_then(Value::as_object).map(tls_facts);
                if let (Some(place), Some(tls)) = (other.start_tls(), within) {
                    *place = StartTls::told(tls);
                }
            }
        }
        Some(facts)
    }

    /// Where another protocol that went over to TLS keeps what was said then.
    fn start_tls(&mut self) -> Option<&mut StartTls> {
        match self {
            Self::Ftp(ftp) => Some(&mut ftp.tls),
            Self::Ldap(ldap) => Some(&mut ldap.tls),
            Self::Mailbox(mailbox) => Some(&mut mailbox.tls),
            Self::Mysql(mysql) => Some(&mut mysql.tls),
            Self::Postgres(postgres) => Some(&mut postgres.tls),
            Self::Rdp(rdp) => Some(&mut rdp.tls),
            Self::Smtp(smtp) => Some(&mut smtp.tls),
            _ => None,
        }
    }
}

fn tls_facts(told: &Map<String, Value>) -> TlsFacts {
    TlsFacts {
        server_name: text(told, "sni", HOST_BYTES),
        alpn: text(told, "alpn", NAME_BYTES),
        ja3: text(told, "ja3", NAME_BYTES),
        ja4: text(told, "ja4", NAME_BYTES),
        ..TlsFacts::default()
    }
}

fn hl7_types(told: &Map<String, Value>) -> Vec<Hl7Type> {
    let types = told.get("types").and_then(Value::as_object).into_iter().flatten();
    let number = |value: &Value| value.as_u64().map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX));
    types.take(MOST_TYPES).map(|(name, value)| Hl7Type { name: plain(name, NAME_BYTES), count: number(value) }).collect()
}

fn count(told: &Map<String, Value>, name: &str) -> u32 {
    told.get(name).and_then(Value::as_u64).map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX))
}

fn text(told: &Map<String, Value>, name: &str, most: usize) -> Option<Box<str>> {
    told.get(name).and_then(Value::as_str).map(|text| plain(text, most)).filter(|text| !text.is_empty())
}

/// What is written was made printable before: a backslash stands for itself.
fn plain(text: &str, most: usize) -> Box<str> {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(most).collect::<String>().into_boxed_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::app::{DicomFacts, DnsFacts, HttpFacts, QueryTypes};

    /// Facts as they are written and read again.
    fn again(app: App, facts: &Facts) -> Facts {
        let Value::Object(told) = serde_json::to_value(facts).unwrap() else { panic!("no object") };
        Facts::from_told(app, &told).unwrap()
    }

    #[test]
    fn what_a_baseline_knows_comes_back() {
        let dicom = DicomFacts { calling_ae: Some("CT_1".into()), store: 3, moves: 1, ..DicomFacts::default() };
        let http = HttpFacts { host: Some("pacs.example".into()), method: Some("POST"), ..HttpFacts::default() };
        let types = QueryTypes { txt: 2, address: 1, ..QueryTypes::default() };
        let dns = DnsFacts { first_qname: Some("a.example".into()), queries: 3, nxdomain: 1, types, ..DnsFacts::default() };
        for (app, facts) in
            [(App::Dicom, Facts::Dicom(Box::new(dicom))), (App::Http, Facts::Http(http)), (App::Dns, Facts::Dns(dns))]
        {
            assert_eq!(again(app, &facts), facts);
        }
    }

    #[test]
    fn a_name_within_another_protocol_comes_back() {
        let tls = TlsFacts { server_name: Some("mail.example".into()), ..TlsFacts::default() };
        let Some(Facts::Smtp(mut smtp)) = Facts::of(App::Smtp) else { panic!("mail has facts") };
        smtp.tls = StartTls::told(tls);
        assert_eq!(again(App::Smtp, &Facts::Smtp(smtp)).server_name(), Some("mail.example"));
    }

    #[test]
    fn nonsense_is_left_out_and_long_text_is_cut() {
        let Value::Object(told) = json!({"sni": "x".repeat(999), "alpn": 7, "version": {}}) else { panic!("no object") };
        let Some(Facts::Tls(tls)) = Facts::from_told(App::Tls, &told) else { panic!("no facts") };
        assert_eq!((tls.server_name.map(|name| name.len()), tls.alpn), (Some(HOST_BYTES), None));
        assert_eq!(Facts::from_told(App::Unknown, &told), None);
    }
}

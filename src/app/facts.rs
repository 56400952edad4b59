//! What is kept of a flow's application.

use super::{DicomFacts, DnsFacts, Hl7Facts, HttpFacts, MqttFacts, SshFacts, TlsFacts};

/// Metadata of a flow by its application. All text is printable ASCII of bounded length; counters stop at their maximum.
#[derive(Clone, Debug, PartialEq)]
pub enum Facts {
    /// Of TLS.
    Tls(TlsFacts),
    /// Of HTTP/1.
    Http(HttpFacts),
    /// Of SSH.
    Ssh(SshFacts),
    /// Of DNS, multicast DNS and LLMNR.
    Dns(DnsFacts),
    /// Of DICOM.
    Dicom(DicomFacts),
    /// Of HL7.
    Hl7(Hl7Facts),
    /// Of MQTT.
    Mqtt(MqttFacts),
}

impl Facts {
    /// The name of the server that the initiator asked for: TLS's server name or HTTP's host.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        match self {
            Self::Tls(tls) => tls.server_name.as_deref(),
            Self::Http(http) => http.host.as_deref(),
            _ => None,
        }
    }

    /// The name that the flow is about: the server asked for, or the first name that DNS was asked for; not empty.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.server_name().or_else(|| self.dns_qname()).filter(|name| !name.is_empty())
    }

    /// The first name that a DNS flow asked for.
    #[must_use]
    pub fn dns_qname(&self) -> Option<&str> {
        match self {
            Self::Dns(dns) => dns.first_qname.as_deref(),
            _ => None,
        }
    }
}

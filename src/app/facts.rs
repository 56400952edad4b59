//! What is kept of a flow's application.

use serde::Serialize;

use super::listen::{Heard, Listen, Place};
use super::{
    App, AstmFacts, BacnetFacts, DicomFacts, Dnp3Facts, DnsFacts, EnipFacts, Hl7Facts, HttpFacts, ModbusFacts, MqttFacts,
    OpcUaFacts, Poct1aFacts, S7Facts, SshFacts, TlsFacts, WsDiscoveryFacts,
};

macro_rules! facts {
    ($($(#[doc = $doc:literal])+ $variant:ident($facts:ty) of $($app:ident)|+,)+) => {
        /// Metadata of a flow by its application. All text is printable ASCII of bounded length; counters stop at their
        /// maximum. Serialized as an object of what was told, the application left out.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Facts {
            $($(#[doc = $doc])+ $variant($facts),)+
        }

        impl Facts {
            /// Empty facts of this application, if it has any.
            pub(super) fn of(app: App) -> Option<Self> {
                match app {
                    $($(App::$app)|+ => Some(Self::$variant(<$facts>::default())),)+
                    _ => None,
                }
            }

            /// Reads a payload. Returns whether a later one can tell more.
            pub(super) fn hear(&mut self, heard: &Heard<'_>, place: &mut Place) -> bool {
                match self {
                    $(Self::$variant(facts) => facts.hear(heard, place),)+
                }
            }

            /// Payloads that are looked at; none stands for every payload of the flow.
            pub(super) const fn most_looks(&self) -> Option<u8> {
                match self {
                    $(Self::$variant(_) => <$facts as Listen>::MOST_LOOKS,)+
                }
            }
        }
    };
}

facts! {
    /// Of laboratory instruments.
    Astm(AstmFacts) of Astm,
    /// Of BACnet.
    Bacnet(BacnetFacts) of Bacnet,
    /// Of DICOM; larger than the others.
    Dicom(Box<DicomFacts>) of Dicom,
    /// Of DNP3.
    Dnp3(Dnp3Facts) of Dnp3,
    /// Of DNS, multicast DNS and LLMNR.
    Dns(DnsFacts) of Dns | Mdns | Llmnr,
    /// Of EtherNet/IP.
    Enip(EnipFacts) of EthernetIp,
    /// Of HL7.
    Hl7(Hl7Facts) of Hl7,
    /// Of HTTP/1.
    Http(HttpFacts) of Http,
    /// Of Modbus.
    Modbus(ModbusFacts) of Modbus,
    /// Of MQTT.
    Mqtt(MqttFacts) of Mqtt,
    /// Of OPC UA.
    OpcUa(OpcUaFacts) of OpcUa,
    /// Of point-of-care devices.
    Poct1a(Poct1aFacts) of Poct1a,
    /// Of S7 controllers.
    S7(S7Facts) of S7Comm,
    /// Of SSH.
    Ssh(SshFacts) of Ssh,
    /// Of TLS.
    Tls(TlsFacts) of Tls,
    /// Of WS-Discovery.
    WsDiscovery(WsDiscoveryFacts) of WsDiscovery,
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

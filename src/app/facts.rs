//! What is kept of a flow's application.

use serde::Serialize;

use super::listen::{Heard, Listen, Place};
use super::{
    App, AstmFacts, BacnetFacts, DceRpcFacts, DhcpFacts, DicomFacts, Dnp3Facts, DnsFacts, EnipFacts, FtpFacts, Hl7Facts,
    HttpFacts, Iec104Facts, KerberosFacts, LdapFacts, MailboxFacts, ModbusFacts, MqttFacts, MysqlFacts, NbnsFacts, NtpFacts,
    OpcUaFacts, Poct1aFacts, PostgresFacts, QuicFacts, RadiusFacts, RdpFacts, RfbFacts, RtpFacts, S7Facts, SipFacts, SmbFacts,
    SmtpFacts, SnmpFacts, SshFacts, SyslogFacts, TdsFacts, TftpFacts, TlsFacts, WsDiscoveryFacts,
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
    /// Of remote procedure calls.
    DceRpc(DceRpcFacts) of DceRpc,
    /// Of DHCP.
    Dhcp(DhcpFacts) of Dhcp,
    /// Of DICOM; larger than the others.
    Dicom(Box<DicomFacts>) of Dicom,
    /// Of DNP3.
    Dnp3(Dnp3Facts) of Dnp3,
    /// Of DNS, multicast DNS and LLMNR.
    Dns(DnsFacts) of Dns | Mdns | Llmnr,
    /// Of EtherNet/IP.
    Enip(EnipFacts) of EthernetIp,
    /// Of FTP's control connection.
    Ftp(FtpFacts) of Ftp,
    /// Of HL7.
    Hl7(Hl7Facts) of Hl7,
    /// Of HTTP/1 and HTTP/2.
    Http(HttpFacts) of Http | Http2,
    /// Of IEC 60870-5-104.
    Iec104(Iec104Facts) of Iec104,
    /// Of Kerberos.
    Kerberos(KerberosFacts) of Kerberos,
    /// Of LDAP.
    Ldap(LdapFacts) of Ldap,
    /// Of IMAP and POP3.
    Mailbox(MailboxFacts) of Imap | Pop3,
    /// Of Modbus.
    Modbus(ModbusFacts) of Modbus,
    /// Of MQTT.
    Mqtt(MqttFacts) of Mqtt,
    /// Of MySQL.
    Mysql(MysqlFacts) of Mysql,
    /// Of the NetBIOS name service.
    Nbns(NbnsFacts) of NbtNs,
    /// Of NTP.
    Ntp(NtpFacts) of Ntp,
    /// Of OPC UA.
    OpcUa(OpcUaFacts) of OpcUa,
    /// Of point-of-care devices.
    Poct1a(Poct1aFacts) of Poct1a,
    /// Of PostgreSQL.
    Postgres(PostgresFacts) of Postgres,
    /// Of QUIC.
    Quic(QuicFacts) of Quic,
    /// Of RADIUS.
    Radius(RadiusFacts) of Radius,
    /// Of remote desktop.
    Rdp(RdpFacts) of Rdp,
    /// Of RFB.
    Rfb(RfbFacts) of Rfb,
    /// Of media.
    Rtp(RtpFacts) of Rtp,
    /// Of S7 controllers.
    S7(S7Facts) of S7Comm,
    /// Of SIP.
    Sip(SipFacts) of Sip,
    /// Of SMB.
    Smb(SmbFacts) of Smb,
    /// Of SMTP.
    Smtp(SmtpFacts) of Smtp,
    /// Of SNMP.
    Snmp(SnmpFacts) of Snmp,
    /// Of SSH.
    Ssh(SshFacts) of Ssh,
    /// Of syslog.
    Syslog(SyslogFacts) of Syslog,
    /// Of SQL Server's TDS.
    Tds(TdsFacts) of Tds,
    /// Of TFTP.
    Tftp(TftpFacts) of Tftp,
    /// Of TLS and DTLS.
    Tls(TlsFacts) of Dtls | Tls,
    /// Of WS-Discovery.
    WsDiscovery(WsDiscoveryFacts) of WsDiscovery,
}

impl Facts {
    /// What TLS or DTLS said, also where another protocol went over to it.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsFacts> {
        match self {
            Self::Tls(tls) => Some(tls),
            Self::Ftp(ftp) => ftp.tls.facts(),
            Self::Ldap(ldap) => ldap.tls.facts(),
            Self::Mailbox(mailbox) => mailbox.tls.facts(),
            Self::Mysql(mysql) => mysql.tls.facts(),
            Self::Postgres(postgres) => postgres.tls.facts(),
            Self::Rdp(rdp) => rdp.tls.facts(),
            Self::Smtp(smtp) => smtp.tls.facts(),
            _ => None,
        }
    }

    /// The name of the server that the initiator asked for: TLS's and QUIC's server name or HTTP's host.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        match self {
            Self::Quic(quic) => quic.server_name.as_deref(),
            Self::Http(http) => http.host.as_deref(),
            _ => self.tls()?.server_name.as_deref(),
        }
    }

    /// The name that the flow is about: the server asked for, or the first name that DNS was asked for; not empty.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.server_name().or_else(|| self.dns_qname()).filter(|name| !name.is_empty())
    }

    /// Did the responder agree to pass on what it gets to who was named, as proxies do (RFC 9110, 9.3.6 and 7.3.2)?
    #[must_use]
    pub fn passes_on(&self) -> bool {
        match self {
            Self::Http(http) if http.asks_proxy => {
                http.status.is_some_and(|status| status / 100 == 2 || status / 100 == 3 && http.method != Some("CONNECT"))
            }
            _ => false,
        }
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

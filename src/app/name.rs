//! The names of applications.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! applications {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// An application-layer protocol.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum App {
            /// Not recognised, and on no port that is known.
            #[default]
            Unknown,
            $($(#[doc = $doc])+ $variant,)+
        }

        impl App {
            /// Every application, in the order of [`App::index`].
            pub const ALL: &'static [Self] = &[Self::Unknown, $(Self::$variant,)+];

            /// The name as EVE's `app_proto` spells it where EVE knows the protocol, else in the same manner.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    Self::Unknown => "unknown",
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

applications! {
    /// Laboratory instruments (CLSI LIS1-A and LIS2-A2, formerly ASTM E1381 and E1394).
    Astm = "astm",
    /// BACnet/IP, building automation (ASHRAE 135, annex J).
    Bacnet = "bacnet",
    /// BitTorrent's peer protocol (BEP 3).
    BitTorrent = "bittorrent",
    /// Constrained application protocol (RFC 7252).
    Coap = "coap",
    /// DCE remote procedure calls, as Windows uses them (MS-RPCE).
    DceRpc = "dcerpc",
    /// Dynamic host configuration (RFC 2131, RFC 8415).
    Dhcp = "dhcp",
    /// DICOM upper layer, medical imaging (PS3.8).
    Dicom = "dicom",
    /// Distributed network protocol (IEEE 1815).
    Dnp3 = "dnp3",
    /// Domain names (RFC 1035).
    Dns = "dns",
    /// TLS over datagrams (RFC 9147).
    Dtls = "dtls",
    /// EtherNet/IP, industrial control (ODVA).
    EthernetIp = "enip",
    /// File transfer, control connection (RFC 959).
    Ftp = "ftp",
    /// File transfer, data connection (RFC 959).
    FtpData = "ftp-data",
    /// HL7 version 2 messages in the minimal lower layer protocol.
    Hl7 = "hl7",
    /// HTTP/1 (RFC 9112).
    Http = "http",
    /// HTTP/2 without encryption (RFC 9113).
    Http2 = "http2",
    /// Internet control messages (RFC 792, RFC 4443).
    Icmp = "icmp",
    /// Telecontrol of substations over TCP (IEC 60870-5-104).
    Iec104 = "iec104",
    /// Internet key exchange (RFC 7296).
    Ike = "ike",
    /// Internet message access (RFC 9051).
    Imap = "imap",
    /// Internet relay chat (RFC 1459, RFC 2812).
    Irc = "irc",
    /// Kerberos version 5 (RFC 4120).
    Kerberos = "krb5",
    /// Lightweight directory access (RFC 4511), over TCP or UDP.
    Ldap = "ldap",
    /// Link-local multicast name resolution (RFC 4795).
    Llmnr = "llmnr",
    /// Multicast DNS (RFC 6762).
    Mdns = "mdns",
    /// Modbus over TCP.
    Modbus = "modbus",
    /// MQTT (OASIS, versions 3.1 to 5).
    Mqtt = "mqtt",
    /// MySQL and MariaDB.
    Mysql = "mysql",
    /// NetBIOS name service (RFC 1002).
    NbtNs = "nbns",
    /// Network file system (RFC 7530).
    Nfs = "nfs",
    /// Network time (RFC 5905).
    Ntp = "ntp",
    /// OPC UA over TCP, industrial control (IEC 62541-6).
    OpcUa = "opcua",
    /// OpenVPN, over UDP or TCP.
    OpenVpn = "openvpn",
    /// Point-of-care devices (CLSI POCT1-A).
    Poct1a = "poct1a",
    /// Post office protocol (RFC 1939).
    Pop3 = "pop3",
    /// PostgreSQL.
    Postgres = "pgsql",
    /// QUIC (RFC 9000).
    Quic = "quic",
    /// RADIUS (RFC 2865).
    Radius = "radius",
    /// Remote desktop (MS-RDPBCGR).
    Rdp = "rdp",
    /// Remote frame buffer, VNC (RFC 6143).
    Rfb = "rfb",
    /// Real-time media and its control (RFC 3550).
    Rtp = "rtp",
    /// Siemens S7 controllers, over ISO on TCP (RFC 1006).
    S7Comm = "s7comm",
    /// Command line that is given to somebody else.
    Shell = "shell",
    /// Session initiation (RFC 3261).
    Sip = "sip",
    /// Server message block, versions 1 to 3 (MS-SMB2).
    Smb = "smb",
    /// Mail transfer (RFC 5321).
    Smtp = "smtp",
    /// Network management (RFC 3416).
    Snmp = "snmp",
    /// Simple service discovery (UPnP).
    Ssdp = "ssdp",
    /// Secure shell (RFC 4253).
    Ssh = "ssh",
    /// Work for a pool of miners of coins.
    Stratum = "stratum",
    /// Session traversal utilities for NAT (RFC 8489).
    Stun = "stun",
    /// System log (RFC 5424, RFC 3164).
    Syslog = "syslog",
    /// Tabular data stream, Microsoft SQL Server (MS-TDS).
    Tds = "tds",
    /// Telnet (RFC 854).
    Telnet = "telnet",
    /// Trivial file transfer (RFC 1350).
    Tftp = "tftp",
    /// TLS over TCP (RFC 8446).
    Tls = "tls",
    /// WireGuard tunnels.
    WireGuard = "wireguard",
    /// Web services discovery, as printers and IEEE 11073 medical devices use it.
    WsDiscovery = "ws-discovery",
}

/// What an application is for, as far as it changes what is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Care of patients: images, results, monitors.
    Clinical,
    /// Control of machines and buildings.
    Industrial,
    /// Log-in and administration.
    Access,
    /// Made to carry or hide the traffic of others, or to work for them.
    Covert,
    /// Any other.
    Other,
}

impl App {
    /// How many applications there are: the length of an array of counters.
    pub const COUNT: usize = Self::ALL.len();

    /// What it is for.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Astm | Self::Dicom | Self::Hl7 | Self::Mqtt | Self::Poct1a => Family::Clinical,
            Self::Bacnet | Self::Dnp3 | Self::EthernetIp | Self::Iec104 | Self::Modbus | Self::OpcUa | Self::S7Comm => {
                Family::Industrial
            }
            Self::Ftp | Self::Kerberos | Self::Ldap | Self::Rdp | Self::Rfb | Self::Smb | Self::Ssh | Self::Telnet => {
                Family::Access
            }
            Self::BitTorrent | Self::Irc | Self::OpenVpn | Self::Shell | Self::Stratum | Self::WireGuard => Family::Covert,
            _ => Family::Other,
        }
    }

    /// Does it carry whatever its user sends, in packets as large as that?
    #[must_use]
    pub const fn is_tunnel(self) -> bool {
        matches!(self, Self::OpenVpn | Self::WireGuard)
    }

    /// This application's place in an array of counters, below [`App::COUNT`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The application of this [`name`](App::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|app| app.name() == name)
    }
}

impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an application was told; orders by certainty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Basis {
    /// It was not.
    #[default]
    None,
    /// By a well-known port; the payload was not seen, or does not tell.
    Port,
    /// By what was said, or, for ICMP, by the IP protocol number.
    Content,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_application() {
        for (place, app) in App::ALL.iter().enumerate() {
            assert_eq!(app.index(), place);
            assert_eq!(App::from_name(app.name()), Some(*app), "two applications share a name");
        }
        assert_eq!(App::from_name("gopher"), None);
    }
}

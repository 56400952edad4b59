//! Applications by their well-known ports.

use super::App;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
/// Ports below are not drawn for a conversation (RFC 6335, 6).
pub(crate) const FIRST_DRAWN: u16 = 1024;

/// A flow's IP protocol and ports; `orig` is the initiator's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ports {
    /// IP protocol number.
    pub protocol: u8,
    /// Port of the initiator; for ICMP the type.
    pub orig: u16,
    /// Port of the responder; for ICMP the code.
    pub resp: u16,
}

impl Ports {
    /// Is this port on either side?
    pub(super) const fn has(self, port: u16) -> bool {
        self.orig == port || self.resp == port
    }

    /// Was each of them drawn for this conversation alone?
    pub(super) const fn are_drawn(self) -> bool {
        self.orig >= FIRST_DRAWN && self.resp >= FIRST_DRAWN
    }

    pub(super) const fn is_tcp(self) -> bool {
        self.protocol == TCP
    }

    pub(super) const fn is_udp(self) -> bool {
        self.protocol == UDP
    }

    /// The application whose port this is (IANA's registry and common practice), or [`App::Unknown`].
    ///
    /// The responder's port counts. Over UDP the initiator's counts too when the other says nothing, since a capture that
    /// begins with an answer takes the server for the initiator.
    #[must_use]
    pub const fn app(self) -> App {
        match self.protocol {
            TCP => tcp(self.resp),
            UDP => match udp(self.resp) {
                App::Unknown => udp(self.orig),
                app => app,
            },
            ICMP | ICMPV6 => App::Icmp,
            _ => App::Unknown,
        }
    }
}

const fn tcp(port: u16) -> App {
    match port {
        20 => App::FtpData,
        21 => App::Ftp,
        22 => App::Ssh,
        23 => App::Telnet,
        25 | 587 => App::Smtp,
        53 => App::Dns,
        80 | 3128 | 8000 | 8080 => App::Http,
        88 => App::Kerberos,
        102 => App::S7Comm,
        104 | 4242 | 11112 => App::Dicom,
        110 => App::Pop3,
        135 => App::DceRpc,
        139 | 445 => App::Smb,
        143 => App::Imap,
        389 | 3268 => App::Ldap,
        443 | 465 | 636 | 853 | 990 | 992 | 993 | 995 | 2762 | 3269 | 5061 | 6697 | 8443 | 8883 => App::Tls,
        502 => App::Modbus,
        514 | 601 => App::Syslog,
        1194 => App::OpenVpn,
        1433 => App::Tds,
        1883 => App::Mqtt,
        2049 => App::Nfs,
        2404 => App::Iec104,
        2575 => App::Hl7,
        3306 => App::Mysql,
        3389 => App::Rdp,
        4840 => App::OpcUa,
        5060 => App::Sip,
        5432 => App::Postgres,
        5900 => App::Rfb,
        6667 => App::Irc,
        6881 => App::BitTorrent,
        20000 => App::Dnp3,
        44818 => App::EthernetIp,
        _ => App::Unknown,
    }
}

const fn udp(port: u16) -> App {
    match port {
        53 => App::Dns,
        67 | 68 | 546 | 547 => App::Dhcp,
        69 => App::Tftp,
        88 => App::Kerberos,
        123 => App::Ntp,
        137 => App::NbtNs,
        161 | 162 => App::Snmp,
        389 => App::Ldap,
        443 => App::Quic,
        500 | 4500 => App::Ike,
        514 => App::Syslog,
        1194 => App::OpenVpn,
        1812 | 1813 => App::Radius,
        1900 => App::Ssdp,
        2222 | 44818 => App::EthernetIp,
        3389 => App::Rdp,
        3478 => App::Stun,
        3702 => App::WsDiscovery,
        5060 => App::Sip,
        5353 => App::Mdns,
        5355 => App::Llmnr,
        5683 => App::Coap,
        20000 => App::Dnp3,
        47808 => App::Bacnet,
        51820 => App::WireGuard,
        _ => App::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_responder_tells_and_over_udp_the_initiator_too() {
        let app = |protocol, orig, resp| Ports { protocol, orig, resp }.app();
        assert_eq!(app(TCP, 50_000, 11_112), App::Dicom);
        assert_eq!(app(TCP, 53, 50_000), App::Unknown, "a scan from port 53 is no DNS");
        assert_eq!(app(UDP, 53, 50_000), App::Dns);
        assert_eq!(app(UDP, 123, 53), App::Dns);
        assert_eq!(app(ICMPV6, 128, 0), App::Icmp);
        assert_eq!(app(132, 80, 80), App::Unknown);
    }
}

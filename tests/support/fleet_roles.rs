//! The roles of a simulated fleet and what each does.

use auscult::app::App;
use auscult::feature::FactKind;

/// Where a use leads.
#[derive(Clone, Copy)]
pub enum To {
    /// Servers of the device's site: the first, and how many share the work.
    Site(u32, u32),
    /// Addresses outside: a group of so many.
    Cloud(u8, u32),
}

/// A service that a role uses.
pub struct Use {
    pub to: To,
    pub protocol: u8,
    pub port: u16,
    pub app: App,
    /// Peers of one device, at least and at most.
    pub peers: (u32, u32),
    /// Payload sent and received, typically.
    pub bytes: [u32; 2],
    pub ms: u32,
    /// What is said: kind, words of the role, and of these at the most one device's own.
    pub facts: &'static [(FactKind, u32, u32)],
}

/// Devices that do the same.
pub struct Role {
    pub name: &'static str,
    /// Of all devices that are no servers, in thousandths.
    pub share: u32,
    pub uses: &'static [Use],
}

/// Servers of a site.
pub const SERVERS: u32 = 24;

const fn using(
    to: To,
    service: (u8, u16, App),
    peers: (u32, u32),
    sizes: ([u32; 2], u32),
    facts: &'static [(FactKind, u32, u32)],
) -> Use {
    Use { to, protocol: service.0, port: service.1, app: service.2, peers, bytes: sizes.0, ms: sizes.1, facts }
}

const NO: &[(FactKind, u32, u32)] = &[];
const NAMES: &[(FactKind, u32, u32)] = &[(FactKind::Name, 60, 4)];
const FEW_NAMES: &[(FactKind, u32, u32)] = &[(FactKind::Name, 12, 2)];
const WEB: &[(FactKind, u32, u32)] = &[(FactKind::Name, 40, 2), (FactKind::Alpn, 2, 1)];
const HL7_SAYS: &[(FactKind, u32, u32)] = &[(FactKind::Hl7Type, 6, 3), (FactKind::Hl7Sender, 30, 1)];
const MQTT_SAYS: &[(FactKind, u32, u32)] = &[(FactKind::MqttPacket, 3, 3)];
const DICOM_SAYS: &[(FactKind, u32, u32)] =
    &[(FactKind::CallingAe, 400, 1), (FactKind::CalledAe, 4, 2), (FactKind::DicomCommand, 3, 2)];
const HTTP_SAYS: &[(FactKind, u32, u32)] = &[(FactKind::Name, 4, 1), (FactKind::HttpMethod, 3, 2)];

const DNS: Use = using(To::Site(0, 2), (17, 53, App::Dns), (1, 2), ([48, 140], 20), NAMES);
const DNS_FEW: Use = using(To::Site(0, 2), (17, 53, App::Dns), (1, 2), ([44, 100], 20), FEW_NAMES);
const NTP: Use = using(To::Site(2, 1), (17, 123, App::Ntp), (1, 1), ([48, 48], 10), NO);
const KERBEROS: Use = using(To::Site(3, 2), (6, 88, App::Kerberos), (1, 1), ([1600, 1500], 30), NO);
const LDAP: Use = using(To::Site(3, 2), (6, 389, App::Ldap), (1, 1), ([900, 4000], 400), NO);
const FILES: Use = using(To::Site(5, 2), (6, 445, App::Smb), (1, 2), ([60_000, 400_000], 30_000), NO);
const MAIL: Use = using(To::Site(7, 1), (6, 993, App::Imap), (1, 1), ([3000, 80_000], 60_000), NO);
const HL7: Use = using(To::Site(8, 2), (6, 2575, App::Hl7), (1, 2), ([1800, 200], 300), HL7_SAYS);
const MQTT: Use = using(To::Site(10, 2), (6, 1883, App::Mqtt), (1, 1), ([2500, 300], 50_000), MQTT_SAYS);
const DICOM: Use = using(To::Site(12, 2), (6, 104, App::Dicom), (1, 2), ([30_000_000, 20_000], 20_000), DICOM_SAYS);
const EHR: Use = using(To::Site(14, 1), (6, 443, App::Tls), (1, 1), ([9000, 120_000], 15_000), WEB);
const PRINT: Use = using(To::Site(15, 1), (6, 9100, App::Unknown), (1, 1), ([300_000, 500], 4000), NO);
const PROXY: Use = using(To::Site(16, 1), (6, 8080, App::Http), (1, 1), ([4000, 90_000], 5000), HTTP_SAYS);
const SYSLOG: Use = using(To::Site(17, 1), (17, 514, App::Syslog), (1, 1), ([600, 0], 1000), NO);
const DATABASE: Use = using(To::Site(18, 1), (6, 5432, App::Postgres), (1, 1), ([8000, 60_000], 20_000), NO);
const BACKUP: Use = using(To::Site(19, 1), (6, 8400, App::Unknown), (1, 1), ([80_000_000, 90_000], 200_000), NO);
const CONTROL: Use = using(To::Site(21, 1), (6, 502, App::Modbus), (1, 1), ([1200, 1500], 60_000), NO);
const VOICE: Use = using(To::Site(23, 1), (17, 5060, App::Sip), (1, 1), ([2500, 2200], 4000), NO);
const RDP: Use = using(To::Site(22, 1), (6, 3389, App::Rdp), (1, 1), ([400_000, 3_000_000], 250_000), NO);
const WEB_MANY: Use = using(To::Cloud(0, 600), (6, 443, App::Tls), (2, 5), ([5000, 150_000], 20_000), WEB);
const WEB_FEW: Use = using(To::Cloud(1, 80), (6, 443, App::Tls), (1, 2), ([2500, 20_000], 8000), WEB);
const QUIC: Use = using(To::Cloud(0, 600), (17, 443, App::Quic), (1, 3), ([6000, 300_000], 25_000), NAMES);
const PUSH: Use = using(To::Cloud(2, 40), (6, 5223, App::Tls), (1, 1), ([800, 900], 240_000), NO);
const MAKER: Use = using(To::Cloud(3, 20), (6, 8883, App::Tls), (1, 1), ([3000, 1200], 100_000), NO);

/// What every server does beside its service.
pub static SERVER: Role =
    Role { name: "server", share: 0, uses: &[DNS_FEW, NTP, KERBEROS, LDAP, SYSLOG, DATABASE, BACKUP, WEB_FEW] };

const fn role(name: &'static str, share: u32, uses: &'static [Use]) -> Role {
    Role { name, share, uses }
}

/// All roles but that of servers.
pub static ROLES: [Role; 20] = [
    role("workstation", 320, &[DNS, KERBEROS, LDAP, FILES, MAIL, EHR, WEB_MANY]),
    role("laptop", 110, &[DNS, KERBEROS, FILES, MAIL, WEB_MANY, QUIC]),
    role("nurse terminal", 70, &[DNS, KERBEROS, EHR, PRINT, NTP]),
    role("patient monitor", 90, &[DNS_FEW, NTP, HL7, MQTT]),
    role("infusion pump", 60, &[DNS_FEW, NTP, MQTT, MAKER]),
    role("ventilator", 10, &[DNS_FEW, NTP, HL7, SYSLOG]),
    role("CT", 8, &[DNS_FEW, NTP, DICOM, HL7, SYSLOG]),
    role("ultrasound", 20, &[DNS_FEW, NTP, DICOM, MAKER]),
    role("laboratory analyser", 15, &[DNS_FEW, HL7, FILES, MAKER]),
    role("printer", 45, &[DNS_FEW, NTP, SYSLOG, FILES]),
    role("telephone", 60, &[DNS_FEW, NTP, VOICE, SYSLOG]),
    role("camera", 35, &[DNS_FEW, NTP, FILES, SYSLOG]),
    role("building controller", 20, &[NTP, CONTROL, SYSLOG, DNS_FEW]),
    role("badge reader", 12, &[DNS_FEW, NTP, EHR, SYSLOG]),
    role("television", 10, &[DNS, NTP, WEB_FEW, QUIC]),
    role("tablet", 55, &[DNS, WEB_MANY, QUIC, PUSH, EHR]),
    role("thin client", 20, &[DNS_FEW, KERBEROS, RDP, PRINT]),
    role("sensor", 40, &[DNS_FEW, NTP, MQTT, MAKER]),
    role("scanner", 10, &[DNS_FEW, NTP, FILES, PROXY]),
    role("gateway", 10, &[DNS_FEW, NTP, MQTT, HL7, PROXY, SYSLOG]),
];

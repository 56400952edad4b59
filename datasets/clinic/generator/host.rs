//! Who lives in the clinic, and the outside sites that it talks to.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::clock::{MICRO, MILLI};

/// One end of a conversation: an address, and how its network stack behaves.
#[derive(Clone, Copy)]
pub struct Node {
    /// The MAC address that the capture sees: the router's for everything outside.
    pub mac: [u8; 6],
    /// Its address.
    pub ip: IpAddr,
    /// Time to live as the capture sees it.
    pub ttl: u8,
    /// The window of its SYN.
    pub syn_window: u16,
    /// The usual window of its other segments, unscaled.
    pub window: u16,
    /// Its window scale (RFC 7323).
    pub scale: u8,
    /// Its largest segment over IPv4.
    pub mss: u16,
    /// From the capture's place to the node and back, nanoseconds.
    pub lag: i64,
    /// Nanoseconds per byte of its link.
    pub byte_ns: i64,
}

impl Node {
    /// Is its address an IPv6 one?
    pub fn is_v6(&self) -> bool {
        self.ip.is_ipv6()
    }

    /// The Ethernet group and address of a multicast or broadcast group.
    pub fn group(mac: [u8; 6], ip: IpAddr) -> Self {
        Self { mac, ip, ..PLAIN.node(0) }
    }
}

/// What kind of network stack a host has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// A server or workstation with Linux.
    Linux,
    /// A personal computer with Windows.
    Windows,
    /// A device with a small stack.
    Small,
    /// Linux on the imaging segment, with jumbo frames.
    Imaging,
}

/// A host of the clinic.
#[derive(Clone, Copy)]
pub struct Host {
    /// Its name, as in the manifest.
    pub name: &'static str,
    /// What it is for.
    pub role: &'static str,
    /// The last byte of its addresses.
    pub number: u8,
    /// Its network stack.
    pub stack: Stack,
}

const fn host(name: &'static str, role: &'static str, number: u8, stack: Stack) -> Host {
    Host { name, role, number, stack }
}

const PLAIN: Host = host("", "", 0, Stack::Linux);
/// The way out.
pub const ROUTER: Host = host("router", "router to outside sites", 1, Stack::Small);
/// Names, time, leases, logs and polling.
pub const INFRA: Host = host("infra", "DNS, NTP, DHCP, syslog, SNMP polling", 2, Stack::Linux);
/// The image archive.
pub const PACS: Host = host("pacs", "image archive, DICOM 11112", 10, Stack::Imaging);
/// Computed tomography.
pub const CT: Host = host("ct", "computed tomography", 11, Stack::Imaging);
/// Magnetic resonance.
pub const MR: Host = host("mr", "magnetic resonance", 12, Stack::Imaging);
/// Ultrasound.
pub const ULTRASOUND: Host = host("ultrasound", "ultrasound", 13, Stack::Imaging);
/// The two reading stations.
pub const READING: [Host; 2] = [
    host("reading-1", "reading station, DICOM 11113", 15, Stack::Imaging),
    host("reading-2", "reading station, DICOM 11113", 16, Stack::Imaging),
];
/// Hospital information system and integration engine.
pub const HIS: Host = host("his", "hospital information system, HL7 2575, HTTPS 443, HTTP 8080", 20, Stack::Linux);
/// The MQTT broker of the bedside monitors.
pub const BROKER: Host = host("broker", "MQTT broker 1883", 21, Stack::Linux);
/// The laboratory analyser.
pub const LAB: Host = host("lab", "laboratory analyser", 22, Stack::Small);
/// The file server.
pub const FILES: Host = host("files", "file server, SMB 445, backup 873", 25, Stack::Linux);
/// The printer.
pub const PRINTER: Host = host("printer", "printer, 9100", 30, Stack::Small);
/// The bedside monitors.
pub const MONITORS: [Host; 6] = [
    host("monitor-1", "bedside monitor", 41, Stack::Small),
    host("monitor-2", "bedside monitor", 42, Stack::Small),
    host("monitor-3", "bedside monitor", 43, Stack::Small),
    host("monitor-4", "bedside monitor", 44, Stack::Small),
    host("monitor-5", "bedside monitor with HL7", 45, Stack::Small),
    host("monitor-6", "bedside monitor with HL7", 46, Stack::Small),
];
/// The office: 1 and 3 are compromised later, 4 is the administrator's.
pub const OFFICE: [Host; 4] = [
    host("office-1", "office PC", 61, Stack::Windows),
    host("office-2", "office PC", 62, Stack::Windows),
    host("office-3", "office PC", 63, Stack::Windows),
    host("office-4", "office PC of the administrator", 64, Stack::Windows),
];
/// The device that nobody knows: it appears with its attack.
pub const ROGUE: Host = host("rogue", "unknown device, appears late", 250, Stack::Linux);

/// Everybody who belongs to the clinic: all but the rogue device.
pub fn residents() -> Vec<Host> {
    let mut all = vec![ROUTER, INFRA, PACS, CT, MR, ULTRASOUND];
    all.extend(READING);
    all.extend([HIS, BROKER, LAB, FILES, PRINTER]);
    all.extend(MONITORS);
    all.extend(OFFICE);
    all
}

impl Host {
    /// Its MAC address, from the range for local use.
    pub const fn mac(self) -> [u8; 6] {
        [0x02, 0xc1, 0x1c, 0x00, 0x00, self.number]
    }

    /// Its IPv4 address.
    pub const fn v4(self) -> [u8; 4] {
        [10, 77, 0, self.number]
    }

    /// Its end of an IPv4 conversation; the address ends with `number` where that is not 0.
    fn node(self, number: u8) -> Node {
        let number = if number == 0 { self.number } else { number };
        let (ttl, syn_window, window, scale, mss, lag, byte_ns) = match self.stack {
            Stack::Linux => (64, 64_240, 502, 7, 1460, 130 * MICRO, 8),
            Stack::Windows => (128, 64_240, 1026, 8, 1460, 210 * MICRO, 8),
            Stack::Small => (64, 8_192, 8_192, 0, 1460, 420 * MICRO, 80),
            Stack::Imaging => (64, 62_636, 498, 7, 8948, 110 * MICRO, 8),
        };
        let ip = IpAddr::V4(Ipv4Addr::new(10, 77, 0, number));
        Node { mac: self.mac(), ip, ttl, syn_window, window, scale, mss, lag, byte_ns }
    }

    /// Its end of an IPv4 conversation.
    pub fn at(self) -> Node {
        self.node(0)
    }

    /// Its end of an IPv6 conversation inside the clinic (a unique local address, RFC 4193).
    pub fn at6(self) -> Node {
        let ip = Ipv6Addr::new(0xfd77, 0xc11c, 0x1c, 0, 0, 0, 0, u16::from(self.number));
        Node { ip: IpAddr::V6(ip), ..self.node(0) }
    }

    /// Its link-local end, from its MAC address (RFC 4291, appendix A).
    pub fn link_local(self) -> Node {
        let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x00c1, 0x1cff, 0xfe00, u16::from(self.number));
        Node { ip: IpAddr::V6(ip), ttl: 255, ..self.node(0) }
    }

    /// The host before it has an address, as DHCP sees it.
    pub fn unaddressed(self) -> Node {
        Node { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), ..self.node(0) }
    }
}

/// A site outside.
#[derive(Clone, Copy)]
pub struct Site {
    /// Its name; `example` is nobody's (RFC 2606).
    pub name: &'static str,
    /// Its address: from blocks that are set aside for special purposes and hold nobody's servers, but that are not private.
    pub v4: [u8; 4],
    /// Milliseconds there and back.
    pub rtt_ms: i64,
    /// Median bytes of an answer.
    pub answer_bytes: usize,
}

const fn site(name: &'static str, v4: [u8; 4], rtt_ms: i64, answer_bytes: usize) -> Site {
    Site { name, v4, rtt_ms, answer_bytes }
}

impl Site {
    /// Its end of a conversation, behind the router.
    pub fn at(&self) -> Node {
        let ttl = 64 - (self.rtt_ms / 8 + 6) as u8;
        let ip = IpAddr::V4(self.v4.into());
        Node { mac: ROUTER.mac(), ip, ttl, lag: self.rtt_ms * MILLI, byte_ns: 120, ..PLAIN.node(0) }
    }
}

/// What the clinic's people and machines visit on an ordinary day, the most visited first.
pub const SITES: [Site; 12] = [
    site("mail.clinic-group.example", [192, 52, 193, 10], 11, 5400),
    site("intranet.clinic-group.example", [192, 52, 193, 20], 12, 8400),
    site("search.example", [192, 31, 196, 20], 9, 10800),
    site("news.example", [192, 31, 196, 80], 17, 25200),
    site("drugs.formulary.example", [192, 175, 48, 30], 22, 7200),
    site("calendar.clinic-group.example", [192, 52, 193, 11], 11, 3000),
    site("weather.example", [192, 175, 48, 90], 25, 4200),
    site("update.os-vendor.example", [192, 31, 196, 140], 14, 18000),
    site("telemetry.os-vendor.example", [192, 31, 196, 141], 14, 540),
    site("journal.radiology.example", [192, 88, 99, 60], 34, 22800),
    site("insurer.example", [192, 88, 99, 100], 19, 6000),
    site("maps.example", [192, 175, 48, 150], 28, 15600),
];
/// New, and harmless: visited for the first time before and after the split.
pub const NEW_SITES: [Site; 2] =
    [site("recipes.example", [192, 175, 48, 201], 31, 14400), site("train-times.example", [192, 88, 99, 141], 26, 9600)];
/// Where the clinic's resolver asks.
pub const RESOLVER: Site = site("resolver.example", [192, 31, 196, 53], 8, 0);
/// Where the clinic's clock comes from.
pub const TIME_SOURCE: Site = site("time.example", [192, 175, 48, 123], 16, 0);
/// Whom the beacon calls.
pub const COMMAND: Site = site("cdn-metrics.example", [192, 88, 99, 177], 41, 600);
/// Where the stolen files go.
pub const DROP: Site = site("share-box.example", [192, 88, 99, 23], 38, 1_500);

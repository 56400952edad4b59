//! What a device is, told from what it did.

use super::device::{Draft, Role};
use super::known::deed;
use super::usage::{Usage, Usages};
use crate::app::{App, Basis};
use crate::sighting::Capabilities;

/// The role of a server of each application.
const SERVERS: [(App, &str); 30] = [
    (App::Dicom, "dicom-server"),
    (App::Hl7, "hl7-receiver"),
    (App::Mqtt, "mqtt-broker"),
    (App::Dns, "dns-server"),
    (App::Dhcp, "dhcp-server"),
    (App::Ntp, "ntp-server"),
    (App::Http, "web-server"),
    (App::Http2, "web-server"),
    (App::Smb, "file-server"),
    (App::Nfs, "file-server"),
    (App::Ftp, "file-server"),
    (App::Kerberos, "domain-controller"),
    (App::Ldap, "directory-server"),
    (App::Radius, "radius-server"),
    (App::Smtp, "mail-server"),
    (App::Imap, "mail-server"),
    (App::Pop3, "mail-server"),
    (App::Mysql, "database-server"),
    (App::Postgres, "database-server"),
    (App::Tds, "database-server"),
    (App::Sip, "sip-server"),
    (App::Rdp, "remote-desktop"),
    (App::Rfb, "remote-desktop"),
    (App::Syslog, "log-server"),
    (App::Modbus, "controller"),
    (App::S7Comm, "controller"),
    (App::OpcUa, "controller"),
    (App::EthernetIp, "controller"),
    (App::Dnp3, "controller"),
    (App::Iec104, "controller"),
];

/// The role of a client of each application, where it says something.
const CLIENTS: [(App, &str); 4] = [
    (App::Hl7, "hl7-sender"),
    (App::Mqtt, "mqtt-client"),
    (App::Astm, "laboratory-instrument"),
    (App::Poct1a, "point-of-care-device"),
];

/// Ports of printers: raw printing, the line printer daemon, IPP.
const PRINTER_PORTS: [u16; 3] = [9100, 515, 631];

/// Roles with what showed them, each once, in a fixed order.
pub(super) fn of(draft: &Draft) -> Vec<Role> {
    let mut roles = Roles::default();
    network(&mut roles, draft);
    let known = &draft.known;
    for (bit, role, evidence) in [
        (deed::TAKES_IMAGES, "dicom-archive", "received images (C-STORE)"),
        (deed::SENDS_IMAGES, "dicom-image-source", "sent images (C-STORE)"),
        (deed::FINDS_IMAGES, "dicom-archive", "answered queries (C-FIND, C-GET, C-MOVE)"),
        (deed::ASKS_FOR_IMAGES, "dicom-workstation", "asked for images (C-FIND, C-GET, C-MOVE)"),
        (deed::GIVES_ADDRESSES, "dhcp-server", "offered or gave addresses"),
    ] {
        if known.deeds & bit != 0 {
            roles.add(role, evidence.to_owned());
        }
    }
    services(&mut roles, &known.serves, &SERVERS, "served");
    services(&mut roles, &known.uses, &CLIENTS, "used");
    if let Some(usage) =
        known.serves.iter().find(|usage| usage.service.protocol == 6 && PRINTER_PORTS.contains(&usage.service.port))
    {
        roles.add("printer", format!("served {}", usage.service_name()));
    }
    roles.0
}

#[derive(Default)]
struct Roles(Vec<Role>);

impl Roles {
    /// The first evidence of a role counts.
    fn add(&mut self, role: &'static str, evidence: String) {
        if !self.0.iter().any(|one| one.role == role) {
            self.0.push(Role { role, evidence });
        }
    }
}

/// What it does for the network.
fn network(roles: &mut Roles, draft: &Draft) {
    if let Some(told) = &draft.announced {
        let by = if told.1.is_cdp { "says so in CDP" } else { "says so in LLDP" };
        for (capability, role) in [
            (Capabilities::ROUTER, "router"),
            (Capabilities::BRIDGE, "switch"),
            (Capabilities::ACCESS_POINT, "access-point"),
            (Capabilities::TELEPHONE, "telephone"),
        ] {
            if told.1.capabilities.has(capability) {
                roles.add(role, by.to_owned());
            }
        }
    }
    if let Some(evidence) = &draft.router {
        roles.add("router", evidence.clone());
    }
    if draft.is_proxy {
        roles.add("arp-proxy", "claimed more than 16 addresses within an hour".to_owned());
    }
}

/// Roles of the applications in `table`, of each the service that is surest and has most flows.
fn services(roles: &mut Roles, usages: &Usages, table: &[(App, &'static str)], did: &str) {
    for (app, role) in table {
        let of_app = usages.iter().filter(|usage| usage.app == *app);
        if let Some(usage) = of_app.max_by_key(|usage| (usage.basis, usage.flows, std::cmp::Reverse(usage.service))) {
            let how = if usage.basis == Basis::Content { "" } else { ", by its port" };
            roles.add(role, format!("{did} {app} on {}{how}", usage.service_name()));
        }
    }
}

impl Usage {
    /// As in `tcp/104`.
    pub(super) fn service_name(&self) -> String {
        let port = self.service.port;
        match self.service.protocol {
            6 => format!("tcp/{port}"),
            17 => format!("udp/{port}"),
            132 => format!("sctp/{port}"),
            other => format!("ip-{other}/{port}"),
        }
    }
}

//! From a payload to the application that sent it.

use super::{App, Ports, banner, ber, datagram, dicom, dns, hl7, http, mqtt, stream, tls};

/// The application whose message starts here, if it can be told.
pub(super) fn recognise(ports: Ports, payload: &[u8]) -> Option<App> {
    if ports.is_tcp() {
        over_tcp(ports, payload)
    } else if ports.is_udp() {
        over_udp(ports, payload)
    } else {
        None
    }
}

fn over_tcp(ports: Ports, payload: &[u8]) -> Option<App> {
    match () {
        () if tls::is_hello(payload) => Some(App::Tls),
        () if http::is_message(payload) => Some(App::Http),
        () if http::is_version_2(payload) => Some(App::Http2),
        () if hl7::is_message(payload) => Some(App::Hl7),
        () if dicom::is_pdu(payload) => Some(App::Dicom),
        () if mqtt::is_connect(payload) || ports.has(1883) && mqtt::is_packets(payload) => Some(App::Mqtt),
        () if dns::is_segment(payload, !ports.has(53)) => Some(App::Dns),
        () if ber::is_ldap(payload) => Some(App::Ldap),
        () if payload.get(4..).is_some_and(ber::is_kerberos) => Some(App::Kerberos),
        () => stream::recognise(ports, payload).or_else(|| banner::stream(ports, payload)),
    }
}

fn over_udp(ports: Ports, payload: &[u8]) -> Option<App> {
    match ports.app() {
        app @ (App::Dns | App::Mdns | App::Llmnr) if dns::is_message(payload, false) => return Some(app),
        App::Snmp if ber::is_snmp(payload) => return Some(App::Snmp),
        App::Syslog if banner::is_syslog(payload) => return Some(App::Syslog),
        _ => {}
    }
    datagram::recognise(ports, payload).or_else(|| match () {
        () if banner::is_sip(payload) => Some(App::Sip),
        () if ber::is_kerberos(payload) => Some(App::Kerberos),
        () if ber::is_ldap(payload) => Some(App::Ldap),
        () if ber::is_snmp(payload) => Some(App::Snmp),
        () if dns::is_message(payload, true) => Some(App::Dns),
        () if banner::is_syslog(payload) => Some(App::Syslog),
        () => None,
    })
}

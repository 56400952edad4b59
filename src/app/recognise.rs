//! From a payload to the application that sent it.

use super::{
    App, Ports, banner, ber, bittorrent, datagram, dicom, dns, hl7, http, http2, irc, mqtt, shell, stratum, stream, tls, vpn,
};

/// The application whose message starts here, if it can be told.
pub(super) fn recognise(ports: Ports, payload: &[u8]) -> Option<App> {
    // Of a packet that was cut behind its headers nothing can be told.
    if payload.is_empty() {
        None
    } else if ports.is_tcp() {
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
        () if http2::is_preface(payload) => Some(App::Http2),
        () if hl7::is_message(payload) => Some(App::Hl7),
        () if dicom::is_pdu(payload) => Some(App::Dicom),
        () if mqtt::is_connect(payload) || ports.has(1883) && mqtt::is_packets(payload) => Some(App::Mqtt),
        () if dns::is_segment(payload, !ports.has(53)) => Some(App::Dns),
        () if ber::is_ldap(payload) => Some(App::Ldap),
        () if payload.get(4..).is_some_and(ber::is_kerberos) => Some(App::Kerberos),
        () if bittorrent::is_handshake(payload) => Some(App::BitTorrent),
        () if vpn::is_openvpn_stream(payload) => Some(App::OpenVpn),
        () if irc::is_start(ports, payload) => Some(App::Irc),
        () if stratum::is_message(payload) => Some(App::Stratum),
        () if shell::is_start(ports, payload) => Some(App::Shell),
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
    let known = datagram::recognise(ports, payload).or_else(|| vpn::datagram(ports, payload));
    known.or_else(|| match () {
        () if bittorrent::is_datagram(payload) => Some(App::BitTorrent),
        () if banner::is_sip(payload) => Some(App::Sip),
        () if ber::is_kerberos(payload) => Some(App::Kerberos),
        () if ber::is_ldap(payload) => Some(App::Ldap),
        () if ber::is_snmp(payload) => Some(App::Snmp),
        () if dns::is_message(payload, true) => Some(App::Dns),
        () if banner::is_syslog(payload) => Some(App::Syslog),
        () => None,
    })
}

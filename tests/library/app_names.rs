//! What is kept of names, times and calls in conversations made by hand: DNS, multicast DNS, NetBIOS, DHCP, NTP, SIP, RTP.

use Side::{Orig, Resp};
use auscult::app::{App, AppState, Basis, DnsFacts, Facts, Ports, Side};

use crate::app_support::{after, dns, facts, udp, vec8};

fn named(state: &AppState) -> &DnsFacts {
    let Facts::Dns(dns) = facts(state) else { panic!("no DNS") };
    dns
}

/// A response with answers of these times to live.
fn answered(name: &str, ttls: &[u32]) -> Vec<u8> {
    let answer = |ttl: &u32| [&[0xc0, 12, 0, 1, 0, 1][..], &ttl.to_be_bytes(), &[0, 4, 10, 0, 0, 7]].concat();
    [dns(name, 1, 0x8180, ttls.len() as u16), ttls.iter().flat_map(answer).collect()].concat()
}

#[test]
fn servers_that_fail_or_refuse_and_how_long_answers_last() {
    let state = after(
        udp(53),
        &[
            (Orig, &dns("a.example", 1, 0x0100, 0)),
            (Resp, &answered("a.example", &[300, 60, 3600])),
            (Resp, &dns("a.example", 1, 0x8182, 0)),
            (Resp, &dns("a.example", 1, 0x8185, 0)),
            (Resp, &dns("a.example", 1, 0x8185, 0)),
            (Resp, &dns("a.example", 1, 0x8181, 0)),
        ],
    );
    let got = named(&state);
    assert_eq!((got.errors, got.servfail, got.refused, got.ttl_min), (4, 1, 2, Some(60)));
}

#[test]
fn many_names_are_told_from_many_questions() {
    let many: Vec<Vec<u8>> = (0..400).map(|n| dns(&format!("{n:x}.t.example"), 16, 0x0100, 0)).collect();
    let many: Vec<_> = many.iter().map(|query| (Orig, &query[..])).collect();
    let count = named(&after(udp(53), &many)).distinct_names.count();
    assert!((320..480).contains(&count), "{count}");
    let one = dns("PACS.example", 1, 0x0100, 0);
    let other = dns("pacs.EXAMPLE", 1, 0x0100, 0);
    let again: Vec<_> = (0..200).flat_map(|_| [(Orig, &one[..]), (Orig, &other[..])]).collect();
    assert_eq!(named(&after(udp(53), &again)).distinct_names.count(), 1);
}

#[test]
fn services_are_named_without_whose_they_are() {
    let question = dns("Bob's phone._companion-link._tcp.local", 12, 0, 0);
    let state = after(udp(5353), &[(Orig, &question), (Orig, &dns("_ipp._tcp.local", 12, 0, 0))]);
    let got = named(&state);
    let services: Vec<_> = got.services.iter().map(AsRef::as_ref).collect();
    assert_eq!(services, ["_companion-link._tcp", "_ipp._tcp"]);
    assert_eq!(got.first_qname.as_deref(), Some("_companion-link._tcp.local"));
    assert!(!serde_json::to_string(got).unwrap().contains("ob's"));
    let many: Vec<Vec<u8>> = (0..40).map(|n| dns(&format!("_s{n}._tcp.local"), 12, 0, 0)).collect();
    let many: Vec<_> = many.iter().map(|query| (Orig, &query[..])).collect();
    assert_eq!(named(&after(udp(5353), &many)).services.len(), 16);
}

#[test]
fn a_time_server_and_a_list_of_its_clients() {
    let [client, server] = [[0x23; 48], [0x24; 48]];
    let state = after(udp(123), &[(Orig, &client), (Resp, &server), (Orig, &[0x17, 0, 3, 42, 0, 0, 0, 0])]);
    let Facts::Ntp(ntp) = facts(&state) else { panic!("no NTP") };
    assert_eq!((ntp.client, ntp.server, ntp.monlist, ntp.stratum), (1, 1, 1, 0x24));
}

#[test]
fn a_device_that_asks_for_an_address() {
    let head = [&[1, 1, 6, 0][..], &[0; 24], &[2, 0, 0, 0, 0, 7], &[0; 202], &[0x63, 0x82, 0x53, 0x63]].concat();
    let options = [&[53, 1, 1, 12][..], &vec8(b"ct-room-2"), &[55, 3, 1, 3, 6, 255]].concat();
    let state = after(udp(67), &[(Orig, &[head, options].concat())]);
    let Facts::Dhcp(dhcp) = facts(&state) else { panic!("no DHCP") };
    assert_eq!((dhcp.messages.discover, dhcp.host_name.as_deref()), (1, Some("ct-room-2")));
    assert_eq!(dhcp.fingerprint.as_deref(), Some("1,3,6"));
}

/// A datagram of media.
fn media(number: u16, source: u32) -> Vec<u8> {
    [&[0x80, 0x08][..], &number.to_be_bytes(), &[0, 0, 0, 1], &source.to_be_bytes(), &[0xd5; 160]].concat()
}

#[test]
fn media_is_told_by_several_datagrams_on_ports_of_nobody() {
    let ports = Ports { protocol: 17, orig: 40_000, resp: 40_002 };
    let there: Vec<Vec<u8>> = (7..12).map(|number| media(number, 0x5eed_0001)).collect();
    let back: Vec<Vec<u8>> = (900..905).map(|number| media(number, 0x0bad_0002)).collect();
    let both: Vec<(Side, &[u8])> =
        there.iter().zip(&back).flat_map(|(there, back)| [(Orig, &there[..]), (Resp, &back[..])]).collect();
    let state = after(ports, &both);
    assert_eq!(state.app(ports), (App::Rtp, Basis::Content));
    let Facts::Rtp(rtp) = facts(&state) else { panic!("no media") };
    assert_eq!((&rtp.payload_types[..], rtp.rtcp), (&[8][..], false));
    assert_eq!(after(ports, &both[..3]).app(ports), (App::Unknown, Basis::None), "two of a side are too few");
    let changing: Vec<Vec<u8>> = (0..20).map(|number| media(number * 5, 7)).collect();
    let changing: Vec<(Side, &[u8])> = changing.iter().map(|payload| (Orig, &payload[..])).collect();
    assert_eq!(after(ports, &changing).app(ports), (App::Unknown, Basis::None));
}

//! Names, versions and fingerprints of real captures, as the whole program tells them, against tshark's.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::{auscult, data, have, text};

/// What one capture says in one field.
type Values = BTreeSet<String>;

/// Values of tshark's fields over the frames that pass the filter.
fn tshark(path: &Path, filter: &str, fields: &[&str]) -> Vec<Values> {
    let mut command = Command::new("tshark");
    for (_, port) in HTTP2 {
        command.args(["-d", &format!("tcp.port=={port},http2")]);
    }
    command.args(["-n", "-r", text(path), "-Y", filter, "-T", "fields", "-E", "aggregator=|"]);
    command.args(fields.iter().flat_map(|field| ["-e", field]));
    let out = String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned();
    let mut values = vec![Values::new(); fields.len()];
    for line in out.lines() {
        for (values, cell) in values.iter_mut().zip(line.split('\t')) {
            values.extend(cell.split('|').filter(|value| !value.is_empty()).map(str::to_owned));
        }
    }
    values
}

/// Values of these facts over the flows of this application.
fn facts(path: &Path, app: &str, names: &[&str]) -> Vec<Values> {
    // Some captures are damaged further on.
    let flows = auscult(&["flows", text(path)]).lines();
    let of_app: Vec<_> = flows.iter().filter(|flow| flow["app_proto"] == app).collect();
    let values = |name: &&str| -> Values {
        of_app.iter().filter_map(|flow| flow["auscult"]["facts"][name].as_str().map(str::to_owned)).collect()
    };
    names.iter().map(values).collect()
}

/// Compares facts with tshark's fields in each capture, and says how many values of each agree. `left_out` are those that only
/// one of the two tells, each for a reason that stands beside it.
fn compare(names: &[&str], app: &str, filter: &str, pairs: &[(&str, &str)], left_out: &[&str]) -> Option<Vec<usize>> {
    let (fact_names, fields): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
    let mut agree = vec![0; pairs.len()];
    for name in names {
        let path = data(&format!("awkward/{name}"))?;
        let (want, got) = (tshark(&path, filter, &fields), facts(&path, app, &fact_names));
        for (place, (want, got)) in want.iter().zip(&got).enumerate() {
            let differ = want.symmetric_difference(got).filter(|value| !left_out.contains(&value.as_str()));
            let differ: Vec<_> = differ.collect();
            assert!(differ.is_empty(), "{name}, {}: {differ:?} is told by one only", fact_names[place]);
            agree[place] += want.len();
        }
    }
    Some(agree)
}

const TLS: [&str; 35] = [
    "arkime__badcurveball.pcap",
    "arkime__pppoe.pcap",
    "arkime__ssl-selfsign.pcap",
    "arkime__tls-alpn-h2.pcap",
    "ndpi-4.11__4in6tunnel.pcap",
    "ndpi-4.11__6in4tunnel.pcap",
    "ndpi-4.11__codm.pcap",
    "ndpi-4.11__dns2tcp_tunnel.pcap",
    "ndpi-4.11__lru_ipv6_caches.pcapng",
    "ndpi-4.11__openvpn-tlscrypt.pcap",
    "ndpi-4.11__ossfuzz_seed_fake_traces_1.pcapng",
    "ndpi-4.11__pgsql2.pcapng",
    "ndpi-4.11__selfsigned.pcap",
    "ndpi-4.11__snapchat.pcap",
    "ndpi-4.11__tls-esni-fuzzed.pcap",
    "ndpi-4.11__tls_heur__trojan-tcp-tls.pcapng",
    "ndpi-4.11__tls_heur__vmess-tcp-tls.pcapng",
    "ndpi-4.11__tls_invalid_reads.pcap",
    "ndpi-4.11__tls_missing_ch_frag.pcap",
    "suricata-verify__bug-1450-04__tls_DER-incomplete-header.pcap",
    "suricata-verify__bug-1450-05__tls_DER-incomplete-content.pcap",
    "suricata-verify__community-id-ipv6__input.pcap",
    "suricata-verify__issue-3341-tcphdr-01__urgent11_cve_2019_12260.pcap",
    "suricata-verify__tcp-empty-sack__tcp-opt.pcap",
    "suricata-verify__tls__tls-altname-zero__input.pcap",
    "suricata-verify__tls__tls-client-hello-frag-01__dump_mtu300.pcap",
    "suricata-verify__tls__tls-issuer-zero__input.pcap",
    "suricata-verify__tls__tls-subject-zero__input.pcap",
    "wireshark__dmgr.pcapng",
    "wireshark__retrans-tls.pcap",
    "wireshark__tls-fragmented-handshakes.pcap.gz",
    "wireshark__tls12-dsb.pcapng",
    "zeek__tls__ml-dsa-44-cert.pcap",
    "zeek__tls__openjdk-25.0.2-zeek.org.pcap",
    "zeek__tunnels__gre-aruba-amsdu.pcap",
];

const QUIC: [&str; 13] = [
    "ndpi-4.11__dlt_ppp.pcap",
    "ndpi-4.11__quic-mvfst-22_decryption_error.pcap",
    "ndpi-4.11__quic-v2.pcapng",
    "ndpi-4.11__quic_frags_ch_in_multiple_packets.pcapng",
    "ndpi-4.11__quic_frags_different_dcid.pcapng",
    "suricata-verify__quic-frag-middle-gap__input.pcap",
    "suricata-verify__quic-frag-unordered__input.pcap",
    "suricata-verify__quic-frag-wait__input.pcap",
    "suricata-verify__quic-frag__input.pcap",
    "zeek__ppp__quic-interop-retry.pcap",
    "zeek__quic__interop__quic-go_quic-go__handshake.pcap",
    "zeek__quic__interop__quic-go_quic-go__retry.pcap",
    "zeek__quic__interop__quic-go_quic-go__zerortt.pcap",
];

#[test]
fn hellos_of_tls_agree_with_tshark() {
    if !have("tshark", "--version") {
        return;
    }
    let left_out = [
        // Extensions that end before their stated length.
        "5d9eb54dfeb9b4b50031e5f0cd0a479e",
        "88d4e76accc5dbd6e8ba82e094f04049",
        // Inside a connection that began as PostgreSQL's, of both sides.
        "8461521d6336a309df8b3e866e9aa77a",
        "15af977ce25de452b96affa2addb1036",
        // The hello goes on in a packet that was not captured; the name stands before.
        "r1---sn-5f5nxgvh5o-hjul.googlevideo.com",
        // A hello whose record was not captured to its end.
        "82cf931f45acd5e7e3aedbc069be2807",
    ];
    let pairs = [("ja3", "tls.handshake.ja3"), ("sni", "tls.handshake.extensions_server_name"), ("ja3s", "tls.handshake.ja3s")];
    let Some(agree) = compare(&TLS, "tls", "tls.handshake && !quic && !dtls", &pairs, &left_out) else { return };
    println!("JA3, server name and JA3S that agree: {agree:?}");
    assert!(agree[0] >= 30 && agree[1] >= 15 && agree[2] >= 20, "{agree:?}");
}

#[test]
fn hellos_of_quic_agree_with_tshark() {
    if !have("tshark", "--version") {
        return;
    }
    let pairs = [("sni", "tls.handshake.extensions_server_name"), ("ja3", "tls.handshake.ja3")];
    let Some(agree) = compare(&QUIC, "quic", "quic && tls.handshake.type==1", &pairs, &[]) else { return };
    assert!(agree[0] >= 10 && agree[1] >= 12, "{agree:?}");
}

#[test]
fn hellos_of_dtls_and_key_exchanges_of_ssh_agree_with_tshark() {
    if !have("tshark", "--version") {
        return;
    }
    let names = ["ndpi-4.11__dtls_certificate_fragments.pcap"];
    let Some(agree) = compare(&names, "dtls", "dtls.handshake.type==1", &[("ja3", "dtls.handshake.ja3")], &[]) else { return };
    assert!(agree[0] >= 2, "{agree:?}");
    let names = [
        "arkime__gre-sample.pcap",
        "arkime__tcpdump-geneve.pcap",
        "suricata-verify__bug-5633-gre-02__gre-sample.pcap",
        "suricata-verify__vxlan-decoder-03__vxlan.pcap",
    ];
    let pairs = [("hassh", "ssh.kex.hassh"), ("hassh_server", "ssh.kex.hasshserver")];
    let Some(agree) = compare(&names, "ssh", "ssh", &pairs, &[]) else { return };
    assert!(agree[0] >= 3 && agree[1] >= 3, "{agree:?}");
}

/// Captures of HTTP/2 and the port of each.
const HTTP2: [(&str, u16); 3] = [
    ("ndpi-4.11__http2.pcapng", 29_518),
    ("wireshark__grpc_person_search_protobuf_with_image.pcapng.gz", 50_051),
    ("wireshark__grpc_web.pcapng.gz", 57_228),
];

#[test]
fn exchanges_of_http_2_are_those_that_tshark_reads() {
    if !have("tshark", "--version") {
        return;
    }
    for (name, _) in HTTP2 {
        let Some(path) = data(&format!("awkward/{name}")) else { return };
        let got = facts(&path, "http2", &["user_agent", "host", "method"]);
        let fields = ["http2.headers.user_agent", "http2.headers.authority", "http2.headers.method"];
        let want = tshark(&path, "http2", &fields);
        for (got, want) in got.iter().zip(&want) {
            // Ours are cut after 64 characters, and without their ports.
            let is_known = got.iter().all(|got| want.iter().any(|want| want.starts_with(got)));
            assert!(!got.is_empty() && is_known, "{name}: {got:?} of {want:?}");
        }
    }
}

#[test]
fn tunnels_and_peers_are_told_where_they_are() {
    let cases = [
        ("ndpi-4.11__openvpn-tlscrypt.pcap", "openvpn"),
        ("ndpi-4.11__lru_ipv6_caches.pcapng", "bittorrent"),
        ("ndpi-4.11__ossfuzz_seed_fake_traces_2.pcapng", "wireguard"),
        ("zeek__irc-dcc-send-malformed-port.pcap", "irc"),
    ];
    for (name, app) in cases {
        let Some(path) = data(&format!("awkward/{name}")) else { return };
        let flows = auscult(&["flows", text(&path)]).ended(0).lines();
        let is_told = |flow: &&serde_json::Value| flow["app_proto"] == app && flow["auscult"]["app_by"] == "content";
        assert!(flows.iter().any(|flow| is_told(&flow)), "{name}: no {app}");
    }
    // A game whose messages start like those of WireGuard.
    let Some(path) = data("awkward/ndpi-4.11__lol_wild_rift_udp.pcap") else { return };
    assert!(auscult(&["flows", text(&path)]).ended(0).lines().iter().all(|flow| flow["app_proto"] != "wireguard"));
}

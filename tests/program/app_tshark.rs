//! No application is claimed by content that tshark does not see too, flow by flow over all captures at hand; what differs has its
//! reason here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::tshark::Asked;
use crate::support::{auscult, data, have, lines, text};

/// Names of tshark's layers for applications that it names otherwise.
const NAMES: [(&str, &[&str]); 21] = [
    ("tls", &["tls", "ssl"]),
    ("smb", &["smb", "smb2", "nbss"]),
    ("krb5", &["kerberos"]),
    ("ldap", &["ldap", "cldap"]),
    ("dcerpc", &["dcerpc"]),
    ("rdp", &["rdp", "tpkt", "t125"]),
    ("dhcp", &["dhcp", "dhcpv6"]),
    ("quic", &["quic", "gquic"]),
    ("pop3", &["pop"]),
    ("rtp", &["rtp", "rtcp", "srtp"]),
    ("stun", &["stun", "classicstun"]),
    ("modbus", &["mbtcp"]),
    ("s7comm", &["s7comm", "s7comm-plus"]),
    ("enip", &["enip", "cip"]),
    ("bacnet", &["bvlc"]),
    ("bittorrent", &["bittorrent", "bt-dht", "bt-utp"]),
    ("wireguard", &["wg"]),
    ("ike", &["isakmp"]),
    ("rfb", &["vnc"]),
    ("ws-discovery", &["xml"]),
    ("nfs", &["rpc"]),
];

const PORT: &str = "on a port that tshark does not try it on";
const RESERVED: &str = "tshark keeps the port for another protocol";
const CUT: &str = "tshark gives up on a stream or datagram that is cut, damaged or out of order";
const STARTTLS: &str = "tshark shows the protocol that TLS began in";

/// (Start of the capture's name, application, why tshark does not see it.)
const EXPLAINED: [(&str, &str, &str); 16] = [
    ("iot-lan", "ssh", PORT),
    ("malicious-ssh-bruteforce", "ssh", PORT),
    ("ndpi-4.11__fuzz-2006-09-29-28586", "http", CUT),
    ("ndpi-4.11__http2", "http2", PORT),
    ("ndpi-4.11__log4j-webapp-exploit", "ldap", PORT),
    ("ndpi-4.11__pgsql2", "pgsql", PORT),
    ("suricata-verify__detect-http-uri__UriTestSig", "http", CUT),
    ("tcpdump__dhcp6_reconf_asan", "dhcp", RESERVED),
    ("wireshark__grpc_", "http2", PORT),
    ("wireshark__http-ooo2", "http", CUT),
    ("wireshark__http2", "http2", PORT),
    ("zeek__ipv4__fragmented-1", "nbns", RESERVED),
    ("zeek__ipv4__fragmented-2", "nbns", CUT),
    ("zeek__postgresql__psql-aws-ssl-disable-15432", "pgsql", PORT),
    ("zeek__tcp-syslog-nontransparent", "syslog", RESERVED),
    ("zeek__tls__irc-starttls", "tls", STARTTLS),
];

type End = (IpAddr, u16);
/// The protocol and both ends, the lower first.
type Tuple = (bool, End, End);

fn tuple(is_tcp: bool, a: End, b: End) -> Tuple {
    (is_tcp, a.min(b), a.max(b))
}

const FIELDS: [&str; 9] =
    ["frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"];

const ASKED: Asked = Asked { options: &["-E", "occurrence=l"], fields: &FIELDS, separator: '|' };

/// All layers that tshark sees in the packets between two ends.
fn theirs(rows: &[String]) -> HashMap<Tuple, HashSet<String>> {
    let mut layers: HashMap<Tuple, HashSet<String>> = HashMap::new();
    for line in rows {
        let words: Vec<&str> = line.split('|').collect();
        let [names, src4, dst4, src6, dst6, tcp_src, tcp_dst, udp_src, udp_dst] = words[..] else { continue };
        for (is_tcp, src_port, dst_port) in [(true, tcp_src, tcp_dst), (false, udp_src, udp_dst)] {
            for (src, dst) in [(src4, dst4), (src6, dst6)] {
                let ends =
                    (|| Some(((src.parse().ok()?, src_port.parse().ok()?), (dst.parse().ok()?, dst_port.parse().ok()?))))();
                if let Some((a, b)) = ends {
                    layers.entry(tuple(is_tcp, a, b)).or_default().extend(names.split(':').map(str::to_owned));
                }
            }
        }
    }
    layers
}

/// What this program claims of a capture by content: its ends and the application, flow by flow.
fn claims(capture: &Path) -> Vec<(Tuple, String)> {
    let run = auscult(&["flows", text(capture), "--workers", "1"]);
    let flows = lines(&run.stdout);
    let by_content = flows.iter().filter(|flow| flow["auscult"]["app_by"] == "content" && flow["app_proto"] != "icmp");
    let claim = |flow: &serde_json::Value| {
        let end =
            |ip: &str, port: &str| -> End { (flow[ip].as_str().unwrap().parse().unwrap(), flow[port].as_u64().unwrap() as u16) };
        let ends = tuple(flow["proto"] == "TCP", end("src_ip", "src_port"), end("dest_ip", "dest_port"));
        (ends, flow["app_proto"].as_str().unwrap().to_owned())
    };
    by_content.map(claim).collect()
}

/// The applications of these claims that tshark does not see.
fn unseen(claims: &[(Tuple, String)], rows: &[String]) -> BTreeSet<String> {
    let layers = theirs(rows);
    let is_seen = |(ends, app): &&(Tuple, String)| {
        let names = NAMES.iter().find(|(ours, _)| ours == app).map_or(&[][..], |(_, names)| names);
        layers.get(ends).is_some_and(|seen| seen.contains(app) || names.iter().any(|name| seen.contains(*name)))
    };
    claims.iter().filter(|claim| !is_seen(claim)).map(|(_, app)| app.clone()).collect()
}

fn captures() -> Vec<PathBuf> {
    let folders =
        ["awkward", "pcap-attack", "slips", "dns-c2", "healthcare", "esnet-scans", "iot-devices", "iot-lan", "hospital-lab"];
    let (mut folders, mut found): (Vec<_>, Vec<_>) = (folders.iter().filter_map(|folder| data(folder)).collect(), Vec::new());
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name.to_string_lossy().contains(".pcap")) {
                found.push(path);
            }
        }
    }
    // The largest first, so that none is begun last.
    found.sort_by_key(|path| std::cmp::Reverse(path.metadata().unwrap().len()));
    found
}

#[test]
fn no_application_is_claimed_that_tshark_does_not_see() {
    if !have("tshark", "--version") {
        return;
    }
    let captures = captures();
    let (next, claimed) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(capture) = captures.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let claims = claims(capture);
                    if !claims.is_empty() {
                        claimed.lock().unwrap().insert(capture.clone(), claims);
                    }
                }
            });
        }
    });
    let (captures, claimed): (Vec<PathBuf>, Vec<_>) = claimed.into_inner().unwrap().into_iter().unzip();
    let mut wrong = Vec::new();
    for ((capture, claims), rows) in captures.iter().zip(&claimed).zip(ASKED.rows_of_each(&captures)) {
        let mut unseen_apps = unseen(claims, &rows);
        if !unseen_apps.is_empty() {
            // Conversations that are in several captures confuse it.
            unseen_apps = unseen(claims, &ASKED.rows(capture));
        }
        let name = capture.file_name().unwrap().to_string_lossy();
        let is_explained = |app: &str| EXPLAINED.iter().any(|(start, of, _)| name.starts_with(start) && *of == app);
        wrong.extend(unseen_apps.iter().filter(|app| !is_explained(app)).map(|app| format!("{name}: {app}")));
    }
    let mut claims = BTreeMap::<&str, usize>::new();
    claimed.iter().flatten().for_each(|(_, app)| *claims.entry(app).or_default() += 1);
    println!("{} captures; flows by what they said: {claims:?}", captures.len());
    assert!(wrong.is_empty(), "tshark does not see\n{}", wrong.join("\n"));
    assert!(captures.is_empty() || claims.values().sum::<usize>() > 5000 && claims.len() > 30, "{claims:?} says too little");
}

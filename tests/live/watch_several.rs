//! `auscult watch` on several interfaces, on interfaces that go away and come back, and under loss, in network namespaces of its own.

use std::io::BufRead as _;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{self, Folder, clinic_model, lines};
use crate::veth_support::{Wire, end, ip, watch, watch_on};

/// Sends `count` frames of UDP to port `port` from an address that nobody answers, over `interface` in the first namespace.
fn send(wire: &Wire, interface: &str, port: u16, count: usize, vlan: Option<u16>) {
    let tag = vlan.map_or(String::new(), |vlan| format!("b'\\x81\\x00' + struct.pack('!H', {vlan}) + "));
    let program = format!(
        "
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('{interface}', 0))
udp = struct.pack('!HHHH', 40000, {port}, 28, 0) + b'x' * 20
ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0, bytes([10, 99, 8, 1]), bytes([10, 99, 8, 2]))
total = sum(struct.unpack('!10H', ip)); total = (total & 0xffff) + (total >> 16)
ip = ip[:10] + struct.pack('!H', ~total & 0xffff) + ip[12:]
frame = bytes([2,0,0,0,0,1, 2,0,0,0,0,2]) + {tag}b'\\x08\\x00' + ip + udp
for n in range({count}):
    s.send(frame[:18 + {at}] + struct.pack('!H', n & 0xffff) + frame[20 + {at}:])
print('sent')
",
        // The identification differs, so that none is taken for a copy; its checksum is not looked at where it is wrong.
        at = if vlan.is_some() { 4 } else { 0 },
    );
    let (_sender, line) = Wire::python(&wire.here, &program);
    assert_eq!(line, "sent\n");
}

/// A second cable, `tap1`, between the namespaces.
fn second_cable(wire: &Wire) {
    ip(&["-n", &wire.here, "link", "add", "tap1", "type", "veth", "peer", "name", "tap1", "netns", &wire.there]).unwrap();
    for space in [&wire.here, &wire.there] {
        ip(&["-n", space, "link", "set", "tap1", "up"]).unwrap();
    }
}

fn stats(folder: &Folder) -> Value {
    serde_json::from_slice::<Value>(&folder.read("stats")).unwrap()["capture"].take()
}

fn packets_to(flows: &[Value], port: u16) -> u64 {
    let ours = flows.iter().filter(|flow| flow["dest_port"] == port && flow["src_ip"] == "10.99.8.1");
    ours.map(|flow| flow["flow"]["pkts_toserver"].as_u64().unwrap()).sum()
}

#[test]
fn several_interfaces_are_one_network_and_a_filter_holds_for_all() {
    let Some(wire) = Wire::lay("sev") else { return };
    second_cable(&wire);
    let folder = Folder::new();
    let (flows, stats_file) = (folder.name("flows"), folder.name("stats"));
    let arguments = ["--flows", &flows, "--stats", &stats_file, "--filter", "not udp port 7009", "--buffer", "4"];
    let (watching, stderr) = watch_on(&wire, &["tap0", "tap1"], &arguments);
    send(&wire, "tap0", 7007, 300, None);
    send(&wire, "tap1", 7007, 200, None);
    send(&wire, "tap1", 7009, 50, None);
    std::thread::sleep(Duration::from_millis(1000));
    let (status, said) = end(watching, stderr, "-INT");
    assert_eq!(status, 0, "{said}");
    let (flows, capture) = (lines(&folder.read("flows")), stats(&folder));
    assert_eq!((packets_to(&flows, 7007), packets_to(&flows, 7009)), (500, 0), "{said}");
    assert_eq!(flows.iter().filter(|flow| flow["dest_port"] == 7007).count(), 1, "one conversation over both");
    let frames = |place: usize| capture["interfaces"][place]["frames"].as_u64().unwrap();
    assert_eq!((&capture["interfaces"][1]["interface"], &capture["balanced"]), (&"tap1".into(), &true.into()), "{capture}");
    assert!(frames(0) >= 300 && (200..250).contains(&frames(1)), "{capture}");
    assert_eq!(frames(0) + frames(1), capture["frames"].as_u64().unwrap());
}

#[test]
fn wrong_usage_of_interfaces_and_filters_is_told() {
    let twice = support::auscult(&["watch", "lo", "lo"]).ended(2);
    assert!(twice.stderr.contains("lo is named twice"), "{}", twice.stderr);
    let Some(wire) = Wire::lay("use") else { return };
    let run = |arguments: &[&str]| {
        let output = Wire::inside(&wire.there, env!("CARGO_BIN_EXE_auscult")).args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, said) = run(&["watch", "tap0", "--filter", "port or"]);
    assert!(status == 2 && said.contains("filter \"port or\"") && said.contains("pcap-filter(7)"), "{said}");
    let (status, said) = run(&["watch", "tap0", "nosuch0"]);
    assert!(status == 1 && said.contains("nosuch0: no such interface; there are ") && said.contains("tap0"), "{said}");
}

#[test]
fn a_tag_that_the_kernel_stripped_is_there_again() {
    let Some(wire) = Wire::lay("vlan") else { return };
    let folder = Folder::new();
    let flows = folder.name("flows");
    let (watching, stderr) = watch(&wire, "tap0", &["--flows", &flows]);
    send(&wire, "tap0", 7007, 10, Some(42));
    std::thread::sleep(Duration::from_millis(700));
    let (status, said) = end(watching, stderr, "-INT");
    assert_eq!(status, 0, "{said}");
    let found = lines(&folder.read("flows"));
    let flow = found.iter().find(|flow| flow["dest_port"] == 7007).unwrap();
    assert_eq!((&flow["vlan"], packets_to(&found, 7007)), (&serde_json::json!([42]), 10), "{flow}");
}

/// 300,000 bytes over one connection: the sender's kernel leaves it to the interface to part them.
const BULK: &str = "
import socket
c = socket.create_connection(('10.99.7.2', 7001), timeout=5); c.sendall(b'x' * 300000); c.shutdown(socket.SHUT_WR)
while c.recv(65536): pass
print('done')
";

#[test]
fn frames_that_were_joined_on_their_way_are_told() {
    let Some(wire) = Wire::lay("gro") else { return };
    let server = "import socket; s = socket.create_server(('0.0.0.0', 7001)); print('ready')\nc, _ = s.accept()\nwhile c.recv(65536): pass\nc.close()";
    let (_server, ready) = Wire::python(&wire.there, server);
    assert_eq!(ready, "ready\n");
    let (watching, stderr) = watch(&wire, "tap0", &[]);
    let (_client, done) = Wire::python(&wire.here, BULK);
    assert_eq!(done, "done\n");
    std::thread::sleep(Duration::from_millis(700));
    let (status, said) = end(watching, stderr, "-INT");
    assert!(status == 0 && said.contains("frames of tap0 were joined from several"), "{said}");
}

#[test]
fn an_interface_that_goes_away_is_listened_to_when_it_is_back() {
    let Some(wire) = Wire::lay("away") else { return };
    second_cable(&wire);
    let folder = Folder::new();
    let (flows, stats_file) = (folder.name("flows"), folder.name("stats"));
    let (watching, mut stderr) = watch_on(&wire, &["tap0", "tap1"], &["--flows", &flows, "--stats", &stats_file]);
    let mut told = |wanted: &[&str]| {
        let mut line = String::new();
        while !wanted.iter().all(|part| line.contains(part)) {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended without {wanted:?}");
        }
    };
    send(&wire, "tap1", 7001, 20, None);
    // Down, and up again: the same interface.
    ip(&["-n", &wire.there, "link", "set", "tap1", "down"]).unwrap();
    told(&["tap1 is not heard", "it is down"]);
    send(&wire, "tap0", 7002, 20, None);
    ip(&["-n", &wire.there, "link", "set", "tap1", "up"]).unwrap();
    told(&["tap1 is heard again"]);
    send(&wire, "tap1", 7003, 20, None);
    // Away, as when a driver is loaded again: another interface of the same name. What the kernel holds back then is not lost. Both are
    // gone for a while.
    ip(&["-n", &wire.there, "link", "del", "tap1"]).unwrap();
    told(&["tap1 is not heard"]);
    ip(&["-n", &wire.there, "link", "set", "tap0", "down"]).unwrap();
    told(&["tap0 is not heard"]);
    second_cable(&wire);
    told(&["tap1 is heard again"]);
    send(&wire, "tap1", 7004, 20, None);
    std::thread::sleep(Duration::from_millis(700));
    let (status, said) = end(watching, stderr, "-INT");
    assert_eq!(status, 0, "an outage is no loss that is above the limit: {said}");
    assert!(said.contains("warning  tap1 was not heard for") && said.contains("down or away 2 times"), "{said}");
    let (found, capture) = (lines(&folder.read("flows")), stats(&folder));
    for port in 7001..=7004 {
        assert_eq!(packets_to(&found, port), 20, "port {port}: {said}");
    }
    let of = |place: usize, member: &str| capture["interfaces"][place][member].clone();
    assert_eq!((of(1, "outages"), of(1, "is_away"), of(0, "is_away")), (2.into(), false.into(), true.into()), "{capture}");
    assert!(of(1, "unheard_s").as_f64().unwrap() > 0.0 && capture["balanced"] == true, "{capture}");
}

/// Tries ports of which none answers, until it is ended.
const SCAN: &str = "
import socket
print('begun')
for port in range(20000, 24000):
    s = socket.socket(); s.settimeout(1)
    try: s.connect(('10.99.7.2', port))
    except OSError: pass
    s.close()
";

#[test]
fn loss_is_told_everywhere() {
    let Some(wire) = Wire::lay("loss") else { return };
    let folder = Folder::new();
    let (alerts, stats_file, model) = (folder.name("alerts.jsonl"), folder.name("stats"), clinic_model(&folder));
    let arguments = ["--model", &model, "--alerts", &alerts, "--stats", &stats_file, "--buffer", "1"];
    let (watching, stderr) = watch(&wire, "tap0", &arguments);
    let signal =
        |name: &str| assert!(Command::new("kill").args([name, &watching.0.id().to_string()]).status().unwrap().success());
    send(&wire, "tap0", 7007, 50, None);
    // While it stands still, the ring of 1 MiB runs over.
    signal("-STOP");
    send(&wire, "tap0", 7007, 30_000, None);
    signal("-CONT");
    std::thread::sleep(Duration::from_millis(1500));
    let (scanning, begun) = Wire::python(&wire.here, SCAN);
    assert_eq!(begun, "begun\n");
    for _ in 0..160 {
        if std::fs::metadata(folder.path("alerts.jsonl")).is_ok_and(|file| file.len() > 0) {
            break;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    drop(scanning);
    let (status, said) = end(watching, stderr, "-INT");
    assert_eq!(status, 4, "{said}");
    assert!(said.contains("auscult: degraded: ") && said.contains("% of the frames of the last minute were lost"), "{said}");
    assert!(said.contains("dropped ") && said.contains("heard    tap0: ") && said.contains("by the kernel"), "{said}");
    let capture = stats(&folder);
    let (dropped, frames) = (capture["dropped"].as_u64().unwrap(), capture["frames"].as_u64().unwrap());
    assert!(dropped > 1000 && frames > 1000 && capture["loss_exceeded"] == true && capture["balanced"] == true, "{capture}");
    assert_eq!(capture["interfaces"][0]["dropped_kernel"], dropped);
    let found = lines(&folder.read("alerts.jsonl"));
    assert!(!found.is_empty() && found[0]["auscult"]["degraded"] == true, "{found:?}");
}

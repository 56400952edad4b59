//! `auscult watch --rings`: the kernel shares an interface's frames among several rings.

use std::io::BufRead as _;
use std::time::Duration;

use serde_json::Value;

use crate::support::{self, Folder, lines};
use crate::veth_support::{Wire, end, ip, watch};

/// Sends frames of UDP from `first` to each of 40 ports, 25 to each, as fast as it can, and says so; where `on` is true it goes on with
/// others of port 5000 until it is ended, and says so when it has begun.
fn sender(first: u16, on: bool) -> String {
    format!(
        "
import socket, struct, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('tap0', 0))
def frame(port, n):
    udp = struct.pack('!HHHH', 40000, port, 28, 0) + b'x' * 20
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), n & 0xffff, 0, 64, 17, 0, bytes([10, 99, 8, 1]), bytes([10, 99, 8, 2]))
    total = sum(struct.unpack('!10H', ip)); total = (total & 0xffff) + (total >> 16); total = (total & 0xffff) + (total >> 16)
    return bytes([2,0,0,0,0,1, 2,0,0,0,0,2]) + b'\\x08\\x00' + ip[:10] + struct.pack('!H', ~total & 0xffff) + ip[12:] + udp
if {on}:
    print('begun')
    n = 0
    while True:
        s.send(frame(5000 + n % 16, n // 16)); n += 1
        time.sleep(0.0005)
for n in range(25):
    for port in range({first}, {first} + 40):
        s.send(frame(port, n))
print('sent')
",
        on = if on { "True" } else { "False" }
    )
}

fn send(wire: &Wire, first: u16) {
    let (_sender, line) = Wire::python(&wire.here, &sender(first, false));
    assert_eq!(line, "sent\n");
    std::thread::sleep(Duration::from_millis(700));
}

fn capture(folder: &Folder) -> Value {
    serde_json::from_slice::<Value>(&folder.read("stats")).unwrap()["capture"].take()
}

fn packets_to(flows: &[Value], port: u16) -> Vec<u64> {
    let ours = flows.iter().filter(|flow| flow["dest_port"] == port && flow["src_ip"] == "10.99.8.1");
    ours.map(|flow| flow["flow"]["pkts_toserver"].as_u64().unwrap()).collect()
}

#[test]
fn rings_share_an_interface_and_each_frame_counts_once() {
    let Some(wire) = Wire::lay("ring") else { return };
    let folder = Folder::new();
    let (flows, stats) = (folder.name("flows"), folder.name("stats"));
    // Frames come already while the rings are opened one after the other.
    let (before, line) = Wire::python(&wire.here, &sender(0, true));
    assert_eq!(line, "begun\n");
    let (watching, stderr) =
        watch(&wire, "tap0", &["--flows", &flows, "--stats", &stats, "--rings", "3", "--buffer", "4", "--pin", "0"]);
    std::thread::sleep(Duration::from_millis(700));
    drop(before);
    send(&wire, 7000);
    let (status, said) = end(watching, stderr, "-INT");
    assert_eq!(status, 0, "{said}");
    let (found, capture) = (lines(&folder.read("flows")), capture(&folder));
    for port in 7000..7040 {
        assert_eq!(packets_to(&found, port), [25], "port {port}: {said}");
    }
    assert!((5000..5016).all(|port| packets_to(&found, port).len() == 1), "{said}");
    let interface = &capture["interfaces"][0];
    let rings: Vec<u64> = interface["rings"].as_array().unwrap().iter().map(|frames| frames.as_u64().unwrap()).collect();
    assert!(rings.len() == 3 && rings.iter().all(|&frames| frames > 0), "{capture}");
    assert_eq!(rings.iter().sum::<u64>(), capture["frames"].as_u64().unwrap(), "{capture}");
    assert_eq!(interface["frames"], capture["frames"]);
    assert_eq!(
        (&capture["copies"], &capture["dropped"], &capture["balanced"]),
        (&0.into(), &0.into(), &true.into()),
        "{capture}"
    );
}

#[test]
fn rings_are_there_again_with_their_interface() {
    let Some(wire) = Wire::lay("rink") else { return };
    let folder = Folder::new();
    let (flows, stats) = (folder.name("flows"), folder.name("stats"));
    let (watching, mut stderr) = watch(&wire, "tap0", &["--flows", &flows, "--stats", &stats, "--rings", "2"]);
    let mut told = |wanted: &str| {
        let mut line = String::new();
        while !line.contains(wanted) {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended without {wanted:?}");
        }
    };
    send(&wire, 7000);
    ip(&["-n", &wire.there, "link", "del", "tap0"]).unwrap();
    told("tap0 is not heard");
    ip(&["-n", &wire.here, "link", "add", "tap0", "type", "veth", "peer", "name", "tap0", "netns", &wire.there]).unwrap();
    for space in [&wire.here, &wire.there] {
        ip(&["-n", space, "link", "set", "tap0", "up"]).unwrap();
    }
    told("tap0 is heard again");
    send(&wire, 8000);
    let (status, said) = end(watching, stderr, "-TERM");
    assert_eq!(status, 0, "{said}");
    let (found, capture) = (lines(&folder.read("flows")), capture(&folder));
    for port in (7000..7040).chain(8000..8040) {
        assert_eq!(packets_to(&found, port), [25], "port {port}: {said}");
    }
    let interface = &capture["interfaces"][0];
    assert_eq!((&interface["outages"], &interface["dropped_kernel"]), (&1.into(), &0.into()), "{capture}");
    assert!(capture["interfaces"][0]["rings"].as_array().unwrap().iter().all(|frames| frames.as_u64().unwrap() > 0), "{capture}");
}

#[test]
fn a_number_of_rings_that_cannot_be_is_refused() {
    for number in ["0", "65", "two"] {
        support::auscult(&["watch", "lo", "--rings", number]).ended(2).said(&["--rings <N>", number]);
    }
}

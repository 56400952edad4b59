//! `auscult watch` on ports that mirror badly: each frame twice, or one direction alone; in network namespaces of its own.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Folder, lines};
use crate::veth_support::{Wire, end, watch};

/// What frames are made with, and sent over `tap0`: `frame(protocol, payload, identification)`.
const FRAMES: &str = "
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('tap0', 0))
def frame(protocol, payload, identification):
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(payload), identification, 0, 64, protocol, 0, bytes([10, 99, 8, 1]), bytes([10, 99, 8, 2]))
    total = sum(struct.unpack('!10H', ip)); total = (total & 0xffff) + (total >> 16)
    ip = ip[:10] + struct.pack('!H', ~total & 0xffff) + ip[12:]
    return bytes([2,0,0,0,0,1, 2,0,0,0,0,2]) + b'\\x08\\x00' + ip + payload
";

/// Listens while `sending` sends; what was said at the end, and the statistics.
fn heard(wire: &Wire, folder: &Folder, sending: &str) -> (String, Value) {
    let (flows, stats) = (folder.name("flows"), folder.name("stats"));
    let (watching, stderr) = watch(wire, "tap0", &["--flows", &flows, "--stats", &stats]);
    let (_sender, sent) = Wire::python(&wire.here, &format!("{FRAMES}{sending}\nprint('sent')\n"));
    assert_eq!(sent, "sent\n");
    std::thread::sleep(Duration::from_millis(1000));
    let (status, said) = end(watching, stderr, "-INT");
    assert_eq!(status, 0, "{said}");
    let capture = serde_json::from_slice::<Value>(&folder.read("stats")).unwrap()["capture"].take();
    assert_eq!(capture["balanced"], true, "{capture}");
    (said, capture)
}

#[test]
fn a_port_that_mirrors_both_ends_is_told_and_each_packet_counts_once() {
    let Some(wire) = Wire::lay("twice") else { return };
    let folder = Folder::new();
    let sending = "
for n in range(300):
    once = frame(17, struct.pack('!HHHH', 40000, 7007, 28, 0) + bytes([n & 255, n >> 8]) * 10, n + 1)
    s.send(once); s.send(once)
";
    let (said, _) = heard(&wire, &folder, sending);
    assert!(said.contains("frames brought a packet a second time"), "{said}");
    let found = lines(&folder.read("flows"));
    let flow = found.iter().find(|flow| flow["dest_port"] == 7007).unwrap();
    // A busy machine may keep the sender from its second call for so long that it is no second sight.
    let packets = flow["flow"]["pkts_toserver"].as_u64().unwrap();
    assert!((300..=305).contains(&packets), "{flow}");
}

#[test]
fn a_port_that_mirrors_one_direction_is_told() {
    let Some(wire) = Wire::lay("half") else { return };
    let folder = Folder::new();
    let sending = "
def tcp(port, seq, ack, flags, data): return struct.pack('!HHIIBBHHH', port, 443, seq, ack, 0x50, flags, 64000, 0, 0) + data
for n in range(30):
    port, at = 41000 + n, 1000 * (n + 1)
    parts = [(at, 0, 0x02, b''), (at + 1, 501, 0x10, b''), (at + 1, 501, 0x18, b'a' * 90), (at + 91, 901, 0x18, b'b' * 70), (at + 161, 1301, 0x11, b'')]
    for place, (seq, ack, flags, data) in enumerate(parts): s.send(frame(6, tcp(port, seq, ack, flags, data), 5 * n + place + 1))
";
    let (said, capture) = heard(&wire, &folder, sending);
    assert!(said.contains("30 TCP conversations were heard one way only, 0 both ways: does the port mirror"), "{said}");
    assert_eq!((&capture["tcp"]["one_way"], &capture["tcp"]["two_way"]), (&30.into(), &0.into()), "{capture}");
}

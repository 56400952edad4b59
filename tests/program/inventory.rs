//! The inventory: what one device is, over address changes, both versions of IP, routers and made-up MAC addresses.

use serde_json::{Value, json};

use crate::inventory_make::{self, EPOCH, Mac, V4, Wire, between, lldp, v6};
use crate::support::packets::{pcap, udp};
use crate::support::{self, Folder, auscult};

const SERVER: (Mac, V4) = ([0x00, 0x50, 0x56, 1, 1, 2], [10, 0, 0, 2]);
const ROUTER: (Mac, V4) = ([0x00, 0x1b, 0x54, 0, 0, 1], [10, 0, 0, 1]);
const CLIENT: Mac = [0xf8, 0xbc, 0x12, 0, 0, 7];

/// The devices of a capture.
fn devices(wire: &Wire) -> Vec<Value> {
    let folder = Folder::new();
    let capture = folder.put("a.pcap", &pcap(&wire.shots));
    let inventory = folder.name("inventory.json");
    auscult(&["flows", &capture, "--out", &folder.name("flows"), "--inventory", &inventory]).ended(0);
    let page: Value = serde_json::from_slice(&folder.read("inventory.json")).unwrap();
    assert_eq!(page["left_out"], json!({"interfaces_forgotten": 0, "addresses_forgotten": 0}));
    page["devices"].as_array().unwrap().clone()
}

fn ids(devices: &[Value]) -> Vec<&str> {
    devices.iter().map(|device| device["id"].as_str().unwrap()).collect()
}

fn device<'a>(devices: &'a [Value], id: &str) -> &'a Value {
    devices.iter().find(|device| device["id"] == id).unwrap_or_else(|| panic!("{id} is not among {:?}", ids(devices)))
}

fn addresses(device: &Value) -> Vec<&str> {
    device["addresses"].as_array().unwrap().iter().map(|address| address["ip"].as_str().unwrap()).collect()
}

fn roles(device: &Value) -> Vec<&str> {
    device["roles"].as_array().map_or(Vec::new(), |roles| roles.iter().map(|role| role["role"].as_str().unwrap()).collect())
}

fn time(micros: u64) -> Value {
    let at = auscult::time::Timestamp::from_nanos(((EPOCH + micros) * 1000) as i64);
    at.to_string().into()
}

#[test]
fn a_new_lease_is_no_new_device() {
    let mut wire = Wire::default();
    wire.lease(CLIENT, "ct-room-2", [10, 0, 0, 5], SERVER);
    let leased = wire.micros;
    wire.look_up((CLIENT, [10, 0, 0, 5]), SERVER, 128);
    wire.wait(4000);
    wire.lease(CLIENT, "ct-room-2", [10, 0, 0, 9], SERVER);
    wire.look_up((CLIENT, [10, 0, 0, 9]), SERVER, 128);
    let last = wire.micros;
    let devices = devices(&wire);
    assert_eq!(ids(&devices), ["00:50:56:01:01:02", "f8:bc:12:00:00:07"]);
    let client = device(&devices, "f8:bc:12:00:00:07");
    assert_eq!(addresses(client), ["10.0.0.5", "10.0.0.9"]);
    assert_eq!((&client["addresses"][0]["first"], &client["last"]), (&time(leased), &time(last - 1000)));
    assert_eq!(client["names"], json!([{"name": "ct-room-2", "source": "dhcp"}]));
    assert_eq!(client["dhcp"], json!({"fingerprint": "1,3,6,15,31,33", "vendor_class": "MSFT 5.0"}));
    assert_eq!(client["packets_sent"], 2);
    assert_eq!((&client["uses"][0]["service"], &client["uses"][0]["flows"]), (&json!("udp/53"), &json!(2)));
    let server = device(&devices, "00:50:56:01:01:02");
    assert_eq!(roles(server), ["dhcp-server", "dns-server"]);
    assert_eq!((&server["serves"][0]["peers"], &server["serves"][0]["app"]), (&json!(2), &json!("dns")));
}

#[test]
fn both_versions_of_ip_are_one_device() {
    let mut wire = Wire::default();
    wire.probe(CLIENT, v6(false, 7));
    wire.claim((CLIENT, [10, 0, 0, 7]));
    wire.advertise(CLIENT, v6(true, 7), 0);
    wire.advertise(ROUTER.0, v6(false, 1), 0x80);
    wire.look_up((CLIENT, [10, 0, 0, 7]), SERVER, 64);
    let devices = devices(&wire);
    let client = device(&devices, "f8:bc:12:00:00:07");
    assert_eq!(addresses(client), ["10.0.0.7", "fd00::7", "fe80::7"]);
    assert!(client["addresses"].as_array().unwrap().iter().all(|address| address["claimed"] == true));
    assert_eq!(roles(device(&devices, "00:1b:54:00:00:01")), ["router"]);
    assert_eq!(devices.len(), 3);
}

/// Fifty devices whose packets all come from one MAC address, whether their hop limit tells of the router or not.
#[test]
fn a_router_does_not_swallow_those_behind_it() {
    for ttl in [63, 64] {
        let mut wire = Wire::default();
        wire.claim(ROUTER);
        wire.claim(SERVER);
        for n in 0..50 {
            wire.look_up((ROUTER.0, [10, 2, 0, n]), SERVER, ttl);
        }
        let devices = devices(&wire);
        assert_eq!(devices.len(), 52, "ttl {ttl}: {:?}", ids(&devices));
        let router = device(&devices, "00:1b:54:00:00:01");
        assert_eq!((addresses(router), roles(router)), (vec!["10.0.0.1"], vec!["router"]));
        let behind = device(&devices, "10.2.0.49");
        assert!(behind["mac"].is_null() && addresses(behind) == ["10.2.0.49"] && behind["packets_sent"] == 1);
    }
}

/// Without ARP a device is still told from its packets; a router from packets of outside.
#[test]
fn who_says_nothing_of_itself_is_told_by_its_packets() {
    let mut wire = Wire::default();
    wire.look_up((CLIENT, [10, 0, 0, 7]), (ROUTER.0, [192, 0, 2, 53]), 64);
    wire.look_up((CLIENT, [10, 0, 0, 7]), (ROUTER.0, [192, 0, 2, 54]), 64);
    let devices = devices(&wire);
    assert_eq!(ids(&devices), ["00:1b:54:00:00:01", "f8:bc:12:00:00:07"], "outside hosts are no devices");
    assert_eq!(addresses(device(&devices, "f8:bc:12:00:00:07")), ["10.0.0.7"]);
    let router = device(&devices, "00:1b:54:00:00:01");
    assert_eq!((addresses(router), roles(router)), (vec![], vec!["router"]));
}

/// Addresses of IPv6 that are the device's own and global are not outside because they are not private.
#[test]
fn a_host_with_global_addresses_is_no_router() {
    let global = |last: u8| {
        let mut addr = [0; 16];
        (addr[0], addr[1], addr[2], addr[3], addr[15]) = (0x26, 0x20, 0, 0x4f, last);
        addr
    };
    let mut wire = Wire::default();
    for last in [7, 8, 9] {
        wire.icmp6(CLIENT, global(last), global(1), &[128, 0, 0, 0, 0, 1, 0, 1]);
    }
    let devices = devices(&wire);
    assert_eq!(ids(&devices), ["f8:bc:12:00:00:07"]);
    assert_eq!((addresses(&devices[0]).len(), roles(&devices[0]).len()), (3, 0));
}

/// Who only receives is not known to be there: a scan makes no devices.
#[test]
fn a_scan_makes_no_devices() {
    let mut wire = Wire::default();
    for n in 10..200 {
        let syn = support::packets::tcp(([10, 0, 0, 7], 40_000), ([10, 0, 0, n], 104), 1, 0, support::packets::SYN, &[]);
        wire.say(inventory_make::between(CLIENT, [2, 0, 0, 0, 0, n], syn));
    }
    let devices = devices(&wire);
    assert_eq!(ids(&devices), ["f8:bc:12:00:00:07"]);
    assert!(devices[0]["uses"].is_null(), "nobody answered");
}

#[test]
fn a_made_up_mac_address_is_marked_and_has_no_vendor() {
    let made_up = [0xda, 0xa1, 0x19, 0, 0, 7];
    let mut wire = Wire::default();
    wire.claim((made_up, [10, 0, 0, 7]));
    wire.claim((CLIENT, [10, 0, 0, 8]));
    let folder = Folder::new();
    let capture = folder.put("a.pcap", &pcap(&wire.shots));
    let registry =
        folder.put("oui.csv", b"Registry,Assignment,Organization Name,Organization Address\nMA-L,F8BC12,Example Inc.,x\n");
    let arguments = ["replay", &capture, "--alerts", &folder.name("alerts"), "--oui", &registry];
    auscult(&[&arguments[..], &["--inventory", &folder.name("a.json")]].concat()).ended(0);
    let page: Value = serde_json::from_slice(&folder.read("a.json")).unwrap();
    let devices = page["devices"].as_array().unwrap();
    assert_eq!(device(devices, "da:a1:19:00:00:07")["locally_administered"], true);
    assert!(device(devices, "da:a1:19:00:00:07")["vendor"].is_null());
    let known = device(devices, "f8:bc:12:00:00:07");
    assert_eq!((&known["vendor"], &known["locally_administered"]), (&json!("Example Inc."), &Value::Null));
    auscult(&[&arguments[..], &["--inventory", &folder.name("a.csv")]].concat()).ended(0);
    let table = String::from_utf8(folder.read("a.csv")).unwrap();
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 3);
    assert!(
        rows[0].starts_with("id,mac,vendor,")
            && rows[2].starts_with("f8:bc:12:00:00:07,f8:bc:12:00:00:07,Example Inc.,false,10.0.0.8,")
    );
    let (none, other) = (folder.name("none"), folder.name("b.json"));
    let missing = [&arguments[..5], &[&none, "--inventory", &other]].concat();
    auscult(&missing).ended(1).said(&["none: cannot be read"]);
}

#[test]
fn two_devices_that_swap_their_addresses_stay_two() {
    let (a, b): (Mac, Mac) = ([0, 9, 0x5c, 0, 0, 0xa], [0, 9, 0x5c, 0, 0, 0xb]);
    let (one, two) = ([10, 0, 0, 11], [10, 0, 0, 12]);
    let mut wire = Wire::default();
    wire.claim((a, one));
    wire.claim((b, two));
    (0..3).for_each(|_| wire.look_up((a, one), SERVER, 64));
    wire.look_up((b, two), SERVER, 64);
    wire.wait(600);
    let swapped = wire.micros + 1000;
    wire.claim((a, two));
    wire.claim((b, one));
    wire.look_up((a, two), SERVER, 64);
    (0..5).for_each(|_| wire.look_up((b, one), SERVER, 64));
    let devices = devices(&wire);
    assert_eq!(devices.len(), 3);
    let (a, b) = (device(&devices, "00:09:5c:00:00:0a"), device(&devices, "00:09:5c:00:00:0b"));
    assert_eq!((addresses(a), addresses(b)), (vec!["10.0.0.11", "10.0.0.12"], vec!["10.0.0.11", "10.0.0.12"]));
    assert_eq!((&a["packets_sent"], &b["packets_sent"]), (&json!(4), &json!(6)));
    assert_eq!((&a["addresses"][1]["first"], &b["addresses"][0]["first"]), (&time(swapped), &time(swapped + 1000)));
}

/// A switch's port has a MAC address of its own; what stands for the whole device names it.
#[test]
fn ports_of_a_switch_are_one_device() {
    let chassis = [0x00, 0x1b, 0x54, 9, 9, 0];
    let mut wire = Wire::default();
    wire.say(lldp([0x00, 0x1b, 0x54, 9, 9, 7], chassis, "Gi1/0/7", "ward-switch", [10, 0, 0, 3]));
    wire.say(lldp([0x00, 0x1b, 0x54, 9, 9, 8], chassis, "Gi1/0/8", "ward-switch", [10, 0, 0, 3]));
    let devices = devices(&wire);
    assert_eq!(ids(&devices), ["00:1b:54:09:09:00"]);
    let switch = &devices[0];
    assert_eq!(switch["other_macs"], json!(["00:1b:54:09:09:07", "00:1b:54:09:09:08"]));
    assert_eq!(switch["names"], json!([{"name": "ward-switch", "source": "lldp"}]));
    assert_eq!(switch["software"], json!([{"what": "system", "text": "Example OS 7.1", "source": "lldp"}]));
    assert_eq!((&switch["announced"]["port"], &switch["announced"]["address"]), (&json!("Gi1/0/8"), &json!("10.0.0.3")));
    assert_eq!(roles(switch), ["switch"]);
}

/// What claims the whole network answers for others: their addresses stay theirs.
#[test]
fn a_proxy_of_addresses_is_told_and_owns_none() {
    let mut wire = Wire::default();
    for n in 10..60 {
        wire.arp(2, (ROUTER.0, [10, 0, 0, n]), (CLIENT, [10, 0, 0, 7]));
    }
    for n in [12, 33] {
        wire.look_up(([2, 0, 0, 0, 0, n], [10, 0, 0, n]), SERVER, 64);
    }
    let devices = devices(&wire);
    let proxy = device(&devices, "00:1b:54:00:00:01");
    assert_eq!((addresses(proxy), roles(proxy)), (vec![], vec!["arp-proxy"]));
    assert_eq!(addresses(device(&devices, "02:00:00:00:00:0c")), ["10.0.0.12"]);
    assert_eq!(addresses(device(&devices, "02:00:00:00:00:21")), ["10.0.0.33"]);
}

/// Servers by what they say, names by what clients ask for, software by its banner.
#[test]
fn roles_come_with_what_showed_them() {
    let mut wire = Wire::default();
    wire.claim(SERVER);
    wire.claim((CLIENT, [10, 0, 0, 7]));
    let client = (CLIENT, [10, 0, 0, 7]);
    wire.talk(client, SERVER, 22, [b"SSH-2.0-Example_1.0\r\n", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"]);
    let hl7 = b"\x0bMSH|^~\\&|LAB|WARD|HIS|MAIN|20260303||ORU^R01|1|P|2.5\r\x1c\r";
    let ack = b"\x0bMSH|^~\\&|HIS|MAIN|LAB|WARD|20260303||ACK|2|P|2.5\rMSA|AA|1\r\x1c\r";
    wire.talk(client, SERVER, 2575, [hl7, ack]);
    let registration = [
        &[1, 2, 0x29, 0x10, 0, 1, 0, 0, 0, 0, 0, 1][..],
        b" EDFEDBCACACACACACACACACACACACAAA\0",
        &[0, 0x20, 0, 1, 0xc0, 0x0c, 0, 0x20, 0, 1, 0, 4, 0, 0, 0, 6, 0, 0, 10, 0, 0, 7],
    ]
    .concat();
    wire.say(between(CLIENT, [0xff; 6], udp(([10, 0, 0, 7], 137), ([10, 0, 0, 255], 137), &registration)));
    let question = b"GET / HTTP/1.1\r\nHost: intra.example\r\nUser-Agent: Viewer/3\r\n\r\n";
    wire.talk(client, SERVER, 80, [question, b"HTTP/1.1 200 OK\r\nServer: Example/2\r\n\r\n"]);
    let devices = devices(&wire);
    let server = device(&devices, "00:50:56:01:01:02");
    assert_eq!(server["names"], json!([{"name": "intra.example", "source": "http"}]));
    assert!(roles(server).contains(&"hl7-receiver") && roles(server).contains(&"web-server"), "{server}");
    assert_eq!(server["hl7_applications"], json!([{"name": "HIS", "part": "called"}]));
    let software = |device: &Value| -> Vec<String> {
        device["software"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(software(server), ["Example/2", "OpenSSH_9.2p1 Debian-2"]);
    let client = device(&devices, "f8:bc:12:00:00:07");
    assert_eq!((roles(client), &client["hl7_applications"][0]["name"]), (vec!["hl7-sender"], &json!("LAB")));
    assert_eq!(software(client), ["Example_1.0", "Viewer/3"]);
    assert_eq!(client["names"], json!([{"name": "CT1", "source": "netbios"}]));
}

/// A flood of ARP within a second: what is beyond the most is counted, and the frames all the same.
#[test]
fn sightings_beyond_the_most_are_counted() {
    let mut wire = Wire::default();
    (0..5000).for_each(|_| wire.claim((CLIENT, [10, 0, 0, 7])));
    wire.shots.iter_mut().for_each(|shot| shot.micros = EPOCH);
    let folder = Folder::new();
    let capture = folder.put("a.pcap", &pcap(&wire.shots));
    let (stats, alerts) = (folder.name("stats"), folder.name("alerts"));
    auscult(&["replay", &capture, "--alerts", &alerts, "--stats", &stats]).ended(0);
    let stats: Value = serde_json::from_slice(&folder.read("stats")).unwrap();
    assert_eq!((&stats["capture"]["sightings_dropped"], &stats["capture"]["skipped"]["arp"]), (&json!(904), &json!(5000)));
}

#[test]
fn an_inventory_needs_its_option() {
    auscult(&["flows", "x.pcap", "--oui", "oui.csv"]).ended(2).said(&["--inventory"]);
}

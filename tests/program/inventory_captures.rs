//! The inventory of real and recorded captures: against the lab's truth, against tshark, the same for any number of workers.

use std::collections::BTreeMap;
use std::path::Path;

use auscult::capture::{Block, Input, Source as _, open};
use auscult::sighting::{self, Seen};
use auscult::wire::decode;
use serde_json::Value;

use crate::support::packets::{Shot, pcap};
use crate::support::tshark::Asked;
use crate::support::{Folder, auscult, clinic, data, have, project, text};

fn inventory(capture: &Path, workers: &str, ending: &str) -> Vec<u8> {
    let folder = Folder::new();
    let name = format!("inventory.{ending}");
    let arguments = ["flows", text(capture), "--workers", workers, "--out", &folder.name("flows"), "--inventory"];
    auscult(&[&arguments[..], &[&folder.name(&name)]].concat()).ended(0);
    folder.read(&name)
}

fn devices(capture: &Path) -> BTreeMap<String, Value> {
    let page: Value = serde_json::from_slice(&inventory(capture, "2", "json")).unwrap();
    let id = |device: &Value| device["id"].as_str().unwrap().to_owned();
    page["devices"].as_array().unwrap().iter().map(|device| (id(device), device.clone())).collect()
}

fn has_role(device: &Value, role: &str) -> bool {
    device["roles"].as_array().is_some_and(|roles| roles.iter().any(|one| one["role"] == role))
}

fn has_address(device: &Value, ip: &str) -> bool {
    device["addresses"].as_array().unwrap().iter().any(|address| address["ip"] == ip)
}

#[test]
fn the_same_for_any_number_of_workers() {
    let mut captures = vec![clinic(), project("datasets/hospital/clean/capture.pcap.zst")];
    captures.extend(data("iot-lan/iot-lan.pcap.gz"));
    for capture in captures {
        let one = inventory(&capture, "1", "json");
        assert!(one.len() > 5000);
        for workers in ["2", "7"] {
            assert!(one == inventory(&capture, workers, "json"), "{}: {workers} workers", capture.display());
        }
        assert!(inventory(&capture, "1", "csv") == inventory(&capture, "7", "csv"));
    }
}

/// Every machine of the lab has one entry with both its addresses, under its own MAC address; besides there are the router's
/// interfaces, the outside and the adversary.
#[test]
fn the_lab_s_machines_are_found_once_each() {
    for name in ["clean", "clean-long", "medical"] {
        let folder = project("datasets/hospital").join(name);
        let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        let devices = devices(&folder.join("capture.pcap.zst"));
        let hosts = manifest["hosts"].as_array().unwrap();
        let mut own = 0;
        for host in hosts {
            let (mac, role) = (host["mac"].as_str().unwrap(), host["role"].as_str().unwrap());
            let Some(device) = devices.get(mac) else {
                // One machine waits for scenarios in which it is plugged in.
                assert_eq!(host["name"], "rogue", "{name}: {mac} is missing");
                continue;
            };
            own += 1;
            if let Some(ip) = host["ipv4"].as_str().filter(|_| host["name"] != "adversary") {
                assert!(has_address(device, ip), "{name}: {ip} is not with {mac}: {device}");
            }
            let told = match role {
                "image archive" => Some("dicom-server"),
                "telemetry broker" => Some("mqtt-broker"),
                "hospital information system" => Some("hl7-receiver"),
                "printer" => Some("printer"),
                "database" => Some("database-server"),
                "patient monitor" => Some("hl7-sender"),
                _ => None,
            };
            assert!(told.is_none_or(|role| has_role(device, role)), "{name}: {role} has {}", device["roles"]);
        }
        let others: Vec<&Value> =
            devices.values().filter(|device| !hosts.iter().any(|host| host["mac"] == device["id"])).collect();
        let routers = others.iter().filter(|device| has_role(device, "router")).count();
        assert_eq!((routers, others.len()), (6, 6), "{name}: {own} of {} hosts and {others:?}", hosts.len());
        let pacs = devices.values().find(|device| has_address(device, "10.60.30.10")).unwrap();
        assert!(pacs["ae_titles"].as_array().unwrap().iter().any(|title| title["title"] == "PACS" && title["part"] == "called"));
    }
}

#[test]
fn the_other_lab_s_archive_broker_and_applications_are_found() {
    let Some(capture) = data("hospital-lab/hospital-lab.pcap.gz") else { return };
    let devices = devices(&capture);
    // Seventeen machines and the bridge between them.
    assert_eq!(devices.len(), 18);
    let at = |ip: &str| devices.values().find(|device| has_address(device, ip)).unwrap();
    let pacs = at("10.20.1.10");
    assert!(has_role(pacs, "dicom-archive") && has_role(pacs, "dicom-server"));
    assert!(pacs["ae_titles"].as_array().unwrap().iter().any(|title| title["title"] == "ORTHANC" && title["part"] == "called"));
    assert!(has_role(at("10.20.1.30"), "mqtt-broker") && has_role(at("10.20.0.1"), "router"));
    assert_eq!(at("10.20.1.20")["hl7_applications"][0]["name"], "HIS");
    let senders: Vec<&str> =
        (11..17).map(|n| at(&format!("10.20.4.{n}"))["hl7_applications"][0]["name"].as_str().unwrap()).collect();
    assert_eq!(senders, ["mon1", "mon2", "mon3", "mon4", "mon5", "mon6"]);
    for (ip, title) in [("10.20.2.11", "CT1"), ("10.20.2.12", "MR1"), ("10.20.2.13", "US1")] {
        assert!(has_role(at(ip), "dicom-image-source") && at(ip)["ae_titles"][0]["title"] == title);
    }
}

/// All sightings of a capture, as lines that tshark's fields make too.
fn seen(path: &Path) -> Option<Vec<String>> {
    let mut source = open(&[Input::from(path.to_path_buf())]).ok()?;
    let mut block = Block::default();
    let mut lines = Vec::new();
    loop {
        let more = source.fill(&mut block).unwrap_or(true);
        for span in &block.frames {
            let frame = block.frame(span);
            let Err(skip) = decode(&frame) else { continue };
            match sighting::of_skipped(&frame, skip).map(|sighting| sighting.what) {
                Some(Seen::Arp(arp)) => {
                    lines.push(format!(
                        "arp {} {} {} {} {}",
                        arp.operation, arp.sender_mac, arp.sender, arp.target_mac, arp.target
                    ));
                }
                Some(Seen::Announcement(told)) if told.is_cdp => {
                    let or_none = |text: &Option<Box<str>>| text.as_deref().unwrap_or_default().to_owned();
                    lines.push(format!("cdp {} {} {}", or_none(&told.name), or_none(&told.port), or_none(&told.platform)));
                }
                Some(Seen::Announcement(told)) => {
                    let mac = told.chassis_mac.map(|mac| mac.to_string()).unwrap_or_default();
                    lines.push(format!("lldp {mac} {}", told.name.as_deref().unwrap_or_default()));
                }
                _ => {}
            }
        }
        if !more || (block.frames.is_empty() && lines.len() > 1_000_000) {
            return Some(lines);
        }
    }
}

const ASKED: Asked = Asked {
    options: &[],
    fields: &[
        "frame.protocols",
        "arp.opcode",
        "arp.src.hw_mac",
        "arp.src.proto_ipv4",
        "arp.dst.hw_mac",
        "arp.dst.proto_ipv4",
        "cdp.deviceid",
        "cdp.portid",
        "cdp.platform",
        "lldp.chassis.id.mac",
        "lldp.tlv.system.name",
    ],
    separator: ';',
};

/// The same from tshark: frames of Ethernet and Linux cooked captures, not in tunnels.
fn dissected(rows: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.split(';').collect();
        let below: Vec<&str> = cells[0].split(':').filter(|layer| !matches!(*layer, "ethertype" | "vlan" | "llc")).collect();
        match below.as_slice() {
            // Reverse ARP, which asks for an address that nobody has yet, is another protocol; so is ARP for other links.
            ["eth" | "sll", "arp"] if cells[2].len() == 17 && !matches!(cells[1], "3" | "4") => {
                lines.push(format!("arp {}", cells[1..6].join(" ")))
            }
            ["eth", "cdp", ..] => lines.push(format!("cdp {}", cells[6..9].join(" "))),
            ["eth", "lldp", ..] => lines.push(format!("lldp {}", cells[9..11].join(" "))),
            _ => {}
        }
    }
    // Frames so damaged that no field could be read.
    lines.retain(|line| line.split(' ').skip(1).any(|field| !field.is_empty()));
    lines
}

#[test]
fn arp_lldp_and_cdp_say_what_tshark_says() {
    let (Some(folder), true) = (data("awkward"), have("tshark", "--version")) else { return };
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.extend(data("hospital-lab/hospital-lab.pcap.gz"));
    let (mut compared, mut kinds) = (0, BTreeMap::<String, usize>::new());
    let name = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
    let parts = ["arp", "lldp", "cdp", "vxlan", "geneve", "sll", "erspan", "mpls", "hospital"];
    files.retain(|file| parts.iter().any(|part| name(file).contains(part)));
    for (file, rows) in files.iter().zip(ASKED.rows_of_each(&files)) {
        let Some(ours) = seen(file) else { continue };
        let (name, theirs) = (name(file), dissected(&rows));
        assert_eq!(ours, theirs, "{name}");
        compared += ours.len();
        ours.iter().for_each(|line| *kinds.entry(line.split(' ').next().unwrap().to_owned()).or_default() += 1);
    }
    println!("compared {compared} frames: {kinds:?}");
    assert!(compared > 300 && kinds.contains_key("arp"), "{kinds:?}");
}

/// The captures at hand have no whole LLDP and little CDP: tshark reads the seeds of the fuzz target as this program does.
#[test]
fn tshark_reads_lldp_and_cdp_made_by_hand_alike() {
    if !have("tshark", "--version") {
        return;
    }
    let folder = Folder::new();
    let frame = |name: &str| std::fs::read(project("fuzz/seeds/sighting").join(name)).unwrap()[2..].to_vec();
    let shots = ["lldp", "cdp"].map(|name| Shot { micros: 1_700_000_000_000_000, data: frame(name) });
    folder.put("made.pcap", &pcap(&shots));
    let ours = seen(&folder.path("made.pcap")).unwrap();
    assert_eq!(ours, ["lldp 02:00:00:00:00:09 ward-switch", "cdp SEP0015 Port 1 Example 7"]);
    assert_eq!(ours, dissected(&ASKED.rows(&folder.path("made.pcap"))));
}

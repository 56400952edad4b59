//! The inventory under load: bounded, and how much memory a device takes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests fail by panicking and say what they measure")]

use auscult::app::{App, Basis};
use auscult::flow::{FlowKey, FlowLimits, FlowRecord, HomeNets, Shard};
use auscult::inventory::Inventory;
use auscult::sighting::{Arp, Seen, Sighting};
use auscult::time::Timestamp;
use auscult::wire::{Addr, Frame, LinkType, Mac, decode};

mod inventory_make;
mod support;

fn mac(n: u32) -> Mac {
    let [a, b, c, d] = n.to_be_bytes();
    Mac([0, 9, a, b, c, d])
}

fn addr(n: u32) -> Addr {
    let [_, b, c, d] = n.to_be_bytes();
    Addr::v4([10, b, c, d])
}

fn claim(n: u32, second: i64) -> Sighting {
    let arp = Arp { operation: 1, sender_mac: mac(n), sender: addr(n), target_mac: Mac::NONE, target: addr(n) };
    Sighting {
        time: Timestamp::from_parts(second, 0),
        src_mac: mac(n),
        src: None,
        dst: None,
        vlans: [0; 2],
        what: Seen::Arp(arp),
    }
}

/// A record of an answered look-up, as the flow table makes it.
fn record() -> FlowRecord {
    let mut wire = inventory_make::Wire::default();
    wire.look_up(([0, 9, 0, 0, 0, 1], [10, 0, 0, 1]), ([0, 9, 0, 0, 0, 2], [10, 0, 0, 2]), 64);
    let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
    let (mut shard, mut out) = (Shard::default(), Vec::new());
    for shot in &wire.shots {
        let time = Timestamp::from_nanos((shot.micros * 1000) as i64);
        let frame = Frame { time, link: LinkType::ETHERNET, wire_bytes: shot.data.len() as u32, data: &shot.data };
        let packet = decode(&frame).unwrap();
        let (key, from_low) = FlowKey::of(&packet);
        shard.packet((key, from_low, key.hash()), &packet, frame.payload(&packet), (&limits, &home), &mut out);
    }
    shard.finish(&limits, Timestamp::from_parts(1_700_000_100, 0), &mut out);
    assert_eq!(out[0].app, (App::Dns, Basis::Content));
    *out.remove(0)
}

/// The same between two other devices.
fn between(template: &FlowRecord, client: u32, server: u32, port: u16) -> FlowRecord {
    let mut record = template.clone();
    let (low, high) = (addr(client.min(server)), addr(client.max(server)));
    record.orig_is_low = client < server;
    let (client_port, server_port) = (40_000, port);
    let ports = if record.orig_is_low { (client_port, server_port) } else { (server_port, client_port) };
    record.key = FlowKey { low, high, low_port: ports.0, high_port: ports.1, ..record.key };
    record.macs = [mac(client).0, mac(server).0];
    record
}

#[test]
fn a_flood_of_addresses_is_bounded_and_what_tells_most_stays() {
    let mut inventory = Inventory::bounded(HomeNets::default(), 100);
    let template = record();
    inventory.sighting(&claim(1, 0));
    inventory.sighting(&claim(2, 0));
    inventory.record(&between(&template, 1, 2, 53));
    for n in 1000..20_000 {
        inventory.sighting(&claim(n, i64::from(n)));
    }
    let devices = inventory.devices(None);
    assert!(devices.len() <= 400, "{}", devices.len());
    assert!(
        devices.iter().any(|device| device.addresses.iter().any(|address| address.ip == addr(2)) && !device.serves.is_empty())
    );
    let counters = inventory.counters();
    assert!(counters.interfaces_forgotten > 18_000 && counters.addresses_forgotten > 18_000, "{counters:?}");
}

#[test]
fn no_order_of_records_and_sightings_panics_or_loses_a_packet() {
    let template = record();
    for turn in 0..4_u32 {
        let mut inventory = Inventory::new(HomeNets::default());
        for step in 0..200_u32 {
            let n = (step * 7 + turn * 13) % 40 + 1;
            if step % 4 == turn {
                inventory.sighting(&claim(n, i64::from(step)));
            }
            inventory.record(&between(&template, n, 50, 53));
        }
        let devices = inventory.devices(None);
        let sent: u64 = devices.iter().map(|device| device.packets_sent).sum();
        assert_eq!(sent, 400, "every packet is some device's");
        assert_eq!(devices.iter().map(|device| device.packets_received).sum::<u64>(), 400);
    }
}

/// Bytes that the process has in memory.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// 100,000 devices, each with an address that it claims, a service that it offers and two that it uses.
#[test]
fn memory_of_a_device() {
    let template = record();
    let Some(before) = resident() else { return println!("skipped: no /proc here") };
    let mut inventory = Inventory::new(HomeNets::default());
    let most = 100_000;
    for n in 1..=most {
        inventory.sighting(&claim(n, i64::from(n)));
        for (step, port) in [(1, 53), (2, 80)] {
            let other = (n + step) % most + 1;
            if other != n {
                inventory.record(&between(&template, n, other, port));
            }
        }
    }
    let each = resident().unwrap().saturating_sub(before) / u64::from(most);
    println!("measured {each} bytes a device");
    assert_eq!(inventory.counters(), auscult::inventory::InventoryCounters::default());
    assert!(each < 4096, "{each} bytes a device");
}

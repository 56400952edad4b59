//! Takes what is seen, in bounded memory.

use std::collections::BTreeMap;

use serde::Serialize;

use super::holding::{Holding, Traffic, is_routed};
use super::known::{NameSource, SoftwareKind, deed};
use super::learn;
use super::station::{MOST_BEHIND, Station};
use crate::app::DhcpMessage;
use crate::flow::{EndReason, FlowRecord, HomeNets, is_group};
use crate::sighting::{Announcement, Seen, Sighting};
use crate::time::Timestamp;
use crate::wire::{Addr, Mac, TunnelKind};

/// Interfaces that are kept.
const MOST_DEVICES: usize = 100_000;
/// Addresses that are kept, for each interface: one of IPv4, two of IPv6.
const ADDRESSES_EACH: usize = 3;
/// The part that is forgotten when there are too many.
const FORGOTTEN_PART: usize = 10;

/// What was left out to keep within bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InventoryCounters {
    /// Interfaces that were forgotten to make room.
    pub interfaces_forgotten: u64,
    /// Addresses that were forgotten to make room.
    pub addresses_forgotten: u64,
}

/// Keeps what was seen of devices.
///
/// Only addresses in the home networks, and those that an interface claimed, are kept. At most 100,000 interfaces and 300,000
/// addresses; when one more comes, a tenth is forgotten: first what is outside and what told least, of these what was seen
/// longest ago. Some 2 KB for a device with three addresses and a few services.
#[derive(Debug)]
pub struct Inventory {
    pub(super) home: HomeNets,
    most: usize,
    pub(super) stations: BTreeMap<Mac, Station>,
    /// By interface ([`Mac::NONE`] where it is not known) and address.
    pub(super) holdings: BTreeMap<(Mac, Addr), Holding>,
    /// Which interface claimed an address last.
    pub(super) claimants: BTreeMap<Addr, Mac>,
    counters: InventoryCounters,
}

impl Inventory {
    /// Nothing seen yet; addresses in `home` make devices.
    #[must_use]
    pub fn new(home: HomeNets) -> Self {
        Self::bounded(home, MOST_DEVICES)
    }

    /// The same with at most this many interfaces, at least 10, and three times as many addresses.
    #[must_use]
    pub fn bounded(home: HomeNets, most: usize) -> Self {
        Self {
            home,
            most: most.max(FORGOTTEN_PART),
            stations: BTreeMap::new(),
            holdings: BTreeMap::new(),
            claimants: BTreeMap::new(),
            counters: InventoryCounters::default(),
        }
    }

    /// Takes what a frame said of a device.
    pub fn sighting(&mut self, sighting: &Sighting) {
        let (at, vlans) = (sighting.time, sighting.vlans);
        match &sighting.what {
            Seen::Arp(arp) => self.claim(arp.sender_mac, Some(arp.sender), at, vlans),
            Seen::Neighbour(said) => {
                self.claim(said.mac, said.addr, at, vlans);
                if said.is_router
                    && let Some(station) = self.stations.get_mut(&said.mac)
                {
                    station.says_router = true;
                }
            }
            Seen::Dhcp(message) => self.dhcp(sighting, message),
            // What it calls itself the flow says.
            Seen::Name(_) => {}
            Seen::Announcement(said) => self.announced(sighting.src_mac, said, at, vlans),
        }
    }

    /// Takes a flow record; first looks are passed over, since the whole flow comes later.
    pub fn record(&mut self, record: &FlowRecord) {
        if record.reason == EndReason::FirstLook {
            return;
        }
        let macs = if has_macs(record) { record.macs.map(Mac) } else { [Mac::NONE; 2] };
        let ends = [(record.orig_addr(), macs[0], &record.orig), (record.resp_addr(), macs[1], &record.resp)];
        let service_counts = learn::is_service(record);
        for (place, (addr, mac, side)) in ends.into_iter().enumerate() {
            // Who said nothing may not be there.
            if side.packets == 0 || !is_host(addr) {
                continue;
            }
            let began = place == 0;
            let routed = is_routed(side.ttl);
            let seen = Presence { first: side.first, last: side.last, began, routed };
            let Some(holding) = self.holding_of(mac, addr, seen) else { continue };
            let other = if began { &record.resp } else { &record.orig };
            holding.sent.add(Traffic::of(side));
            holding.received.add(Traffic::of(other));
            holding.began |= began;
            holding.is_near |= seen.is_near();
            holding.is_routed |= routed;
            holding.known.vlans(record.vlans);
            if began {
                learn::said(&mut holding.known, record);
            }
            if service_counts {
                learn::flow(&mut holding.known, record, began);
            }
        }
    }

    /// What was left out.
    #[must_use]
    pub const fn counters(&self) -> InventoryCounters {
        self.counters
    }

    fn station(&mut self, mac: Mac, at: Timestamp) -> &mut Station {
        if self.stations.len() >= self.most && !self.stations.contains_key(&mac) {
            self.forget_stations();
        }
        let station = self.stations.entry(mac).or_insert_with(|| Station::new(at));
        station.seen(at, at);
        station
    }

    fn holding(&mut self, mac: Mac, addr: Addr, at: Timestamp) -> &mut Holding {
        if self.holdings.len() >= self.most * ADDRESSES_EACH && !self.holdings.contains_key(&(mac, addr)) {
            self.forget_holdings();
        }
        self.holdings.entry((mac, addr)).or_insert_with(|| Holding::new(at))
    }

    /// An interface says that it has an address, or only that it is there.
    fn claim(&mut self, mac: Mac, addr: Option<Addr>, at: Timestamp, vlans: [u16; 2]) {
        if !mac.is_station() {
            return;
        }
        let station = self.station(mac, at);
        station.known.vlans(vlans);
        let Some(addr) = addr.filter(|addr| is_host(*addr)) else { return };
        let was_proxy = station.is_proxy;
        if !station.claims(addr, at) {
            if !was_proxy {
                self.disown(mac);
            }
            return;
        }
        let holding = self.holding(mac, addr, at);
        holding.seen(at, at);
        holding.is_claimed = true;
        self.claimants.insert(addr, mac);
    }

    /// What an interface has claimed is not its own.
    fn disown(&mut self, mac: Mac) {
        let all = (mac, Addr::default())..=(mac, Addr::v6([0xff; 16]));
        self.holdings.range_mut(all).for_each(|(_, holding)| holding.is_claimed = false);
        self.claimants.retain(|_, claimant| *claimant != mac);
    }

    fn dhcp(&mut self, sighting: &Sighting, message: &DhcpMessage) {
        let (at, vlans) = (sighting.time, sighting.vlans);
        if let Some(client) = message.client_mac.map(Mac) {
            let given = message.address.filter(|_| matches!(message.kind, "ack" | "reply"));
            self.claim(client, given, at, vlans);
            if !message.from_server
                && let Some(station) = self.stations.get_mut(&client)
            {
                if let Some(name) = &message.host_name {
                    station.known.names.insert((name.clone(), NameSource::Dhcp));
                }
                station.fingerprint = message.fingerprint.clone().or(station.fingerprint.take());
                station.vendor_class = message.vendor_class.clone().or(station.vendor_class.take());
            }
        }
        let is_giving = message.from_server && matches!(message.kind, "offer" | "ack" | "advertise" | "reply");
        if is_giving && let Some(server) = message.server.or(sighting.src).filter(|addr| is_host(*addr)) {
            // A relay may have sent the frame in the server's name.
            let mac = if sighting.src == Some(server) { sighting.src_mac } else { Mac::NONE };
            let seen = Presence { first: at, last: at, began: false, routed: false };
            if let Some(holding) = self.holding_of(mac, server, seen) {
                holding.known.deeds |= deed::GIVES_ADDRESSES;
            }
        }
    }

    fn announced(&mut self, src_mac: Mac, said: &Announcement, at: Timestamp, vlans: [u16; 2]) {
        let chassis = said.chassis_mac.filter(|mac| mac.is_station());
        let Some(mac) = chassis.or(Some(src_mac)).filter(|mac| mac.is_station()) else { return };
        if src_mac.is_station() && src_mac != mac {
            self.station(src_mac, at).chassis = Some(mac);
        }
        let (source, protocol) = if said.is_cdp { (NameSource::Cdp, "cdp") } else { (NameSource::Lldp, "lldp") };
        let station = self.station(mac, at);
        station.known.vlans(vlans);
        let known = &mut station.known;
        known.names.extend(said.name.iter().map(|name| (name.clone(), source)));
        known.software.extend(said.description.iter().map(|text| (SoftwareKind::System, text.clone(), protocol)));
        known.software.extend(said.platform.iter().map(|text| (SoftwareKind::Hardware, text.clone(), protocol)));
        station.announced = Some(Box::new((at, said.clone())));
    }

    /// Where a packet of this address counts that came from, or went to, this interface; nothing when it makes no device.
    ///
    /// It counts for the interface when this claims the address; else for the one that claimed it last, and the packet's is
    /// then a router's; else for both together, until all is known.
    ///
    /// Of addresses outside only IPv6 counts, and only where a flow began close by: a network's own addresses are global there.
    fn holding_of(&mut self, mac: Mac, addr: Addr, seen: Presence) -> Option<&mut Holding> {
        let mac = if mac.is_station() { mac } else { Mac::NONE };
        if mac != Mac::NONE {
            self.station(mac, seen.first).seen(seen.first, seen.last);
        }
        let is_own = self.holdings.get(&(mac, addr)).is_some_and(|holding| holding.is_claimed);
        let claimant = self.claimants.get(&addr).copied();
        let owner = match claimant {
            Some(claimant) if !is_own => {
                if let Some(station) = self.stations.get_mut(&mac) {
                    station.behind.insert(addr, MOST_BEHIND);
                }
                claimant
            }
            _ => mac,
        };
        let is_outside = !is_own && claimant.is_none() && !self.home.contains(addr);
        if is_outside && (addr.is_v4() || !seen.is_near()) {
            if let Some(station) = self.stations.get_mut(&mac) {
                station.outside.insert(addr, MOST_BEHIND);
                station.is_far |= seen.routed;
            }
            return None;
        }
        let holding = self.holding(owner, addr, seen.first);
        holding.seen(seen.first, seen.last);
        Some(holding)
    }

    fn forget_stations(&mut self) {
        let mut order: Vec<_> = self.stations.iter().map(|(mac, station)| (station.is_telling(), station.last, *mac)).collect();
        order.sort_unstable();
        for (_, _, mac) in order.into_iter().take(self.most / FORGOTTEN_PART) {
            self.stations.remove(&mac);
            self.counters.interfaces_forgotten += 1;
        }
    }

    fn forget_holdings(&mut self) {
        let rank = |(&(mac, addr), holding): (&(Mac, Addr), &Holding)| {
            let tells = (self.home.contains(addr), holding.known.is_telling(), holding.is_claimed && holding.sent.packets > 0);
            (tells, holding.last, (mac, addr))
        };
        let mut order: Vec<_> = self.holdings.iter().map(rank).collect();
        order.sort_unstable();
        for (_, _, key) in order.into_iter().take(self.most * ADDRESSES_EACH / FORGOTTEN_PART) {
            self.holdings.remove(&key);
            if self.claimants.get(&key.1) == Some(&key.0) {
                self.claimants.remove(&key.1);
            }
            self.counters.addresses_forgotten += 1;
        }
    }
}

/// How an address was seen in a flow.
#[derive(Clone, Copy, Debug)]
struct Presence {
    first: Timestamp,
    last: Timestamp,
    /// Did the flow begin there?
    began: bool,
    /// Had its packet a hop limit that a router has lowered?
    routed: bool,
}

impl Presence {
    const fn is_near(self) -> bool {
        self.began && !self.routed
    }
}

/// Is it an address that one host can have?
fn is_host(addr: Addr) -> bool {
    let ip = addr.ip();
    !ip.is_unspecified() && !ip.is_loopback() && !is_group(addr)
}

/// Are the record's MAC addresses those of its own ends? In a tunnel that carries bare IP packets they are those of its ends.
fn has_macs(record: &FlowRecord) -> bool {
    record.tunnel.as_ref().is_none_or(|tunnel| {
        matches!(
            tunnel.kind,
            TunnelKind::Erspan | TunnelKind::EtherIp | TunnelKind::Vxlan | TunnelKind::Geneve | TunnelKind::Tzsp
        )
    })
}

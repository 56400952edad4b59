//! Which interfaces and addresses are one device.
//!
//! A MAC address is a device's own where it claims an address (ARP, neighbour discovery, DHCP), or where it sends packets of a
//! few addresses that no router has touched and that nobody else claims. One that sends packets of many, or of outside, is a
//! router's: the addresses behind it are devices of their own.

use std::collections::BTreeMap;

use super::device::Draft;
use super::holding::Holding;
use super::keep::Inventory;
use super::station::{MOST_BEHIND, Station};
use crate::wire::{Addr, Mac};

/// IPv4 addresses that a device has at the most, unless it claims them.
const MOST_OWN_V4: usize = 4;
/// The same for IPv6, where hosts change some of their addresses every day (RFC 8981).
const MOST_OWN_V6: usize = 16;
/// This many addresses from behind a router make a router of the MAC address.
const FEWEST_ROUTED: usize = 2;

/// What holds a device together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Mac(Mac),
    Addr(Addr),
}

/// What is behind a MAC address, of what it does not claim.
#[derive(Clone, Copy, Debug, Default)]
struct Behind {
    near_v4: usize,
    near_v6: usize,
    routed: usize,
    answered_v4: usize,
    answered_v6: usize,
    claimed: usize,
}

impl Behind {
    fn count(&mut self, addr: Addr, holding: &Holding) {
        let place = match (holding.is_claimed, holding.is_near, holding.is_routed, addr.is_v4()) {
            (true, ..) => &mut self.claimed,
            (_, true, _, true) => &mut self.near_v4,
            (_, true, _, false) => &mut self.near_v6,
            (_, _, true, _) => &mut self.routed,
            (_, _, _, true) => &mut self.answered_v4,
            (_, _, _, false) => &mut self.answered_v6,
        };
        *place += 1;
    }

    /// Why the MAC address is a router's, if it is.
    fn router(self, station: Option<&Station>) -> Option<String> {
        let (outside, is_far, others) =
            station.map_or((0, false, 0), |station| (station.outside.len(), station.is_far, station.behind.len()));
        let v4 = self.near_v4 + others;
        if outside >= 2 || is_far {
            let more = if outside >= MOST_BEHIND { " or more" } else { "" };
            Some(format!("sent packets of {outside}{more} addresses outside"))
        } else if v4 > MOST_OWN_V4 || self.near_v6 > MOST_OWN_V6 || self.answered_v4 + self.answered_v6 > MOST_OWN_V6 {
            let all = v4 + self.near_v6 + self.answered_v4 + self.answered_v6;
            Some(format!("sent packets of {all} addresses that it does not claim"))
        } else if self.routed >= FEWEST_ROUTED {
            Some(format!("sent packets of {} addresses that had crossed a router", self.routed))
        } else {
            None
        }
    }
}

/// A verdict on a MAC address.
#[derive(Clone, Debug, Default)]
struct Interface {
    behind: Behind,
    router: Option<String>,
    is_proxy: bool,
}

impl Interface {
    /// Is this address the interface's own?
    fn owns(&self, addr: Addr, holding: &Holding) -> bool {
        if holding.is_claimed {
            return !self.is_proxy;
        }
        if self.router.is_some() || self.is_proxy {
            return false;
        }
        if holding.is_near {
            return true;
        }
        // It only answered: the frame to it was sent to this MAC address, which may be the next router's.
        let Behind { near_v4, near_v6, routed, answered_v4, answered_v6, claimed } = self.behind;
        let is_alone = if addr.is_v4() { answered_v4 == 1 } else { answered_v6 <= 2 };
        !holding.is_routed && is_alone && claimed + near_v4 + near_v6 + routed == 0
    }
}

impl Inventory {
    /// Devices as far as they are told apart, not finished yet.
    pub(super) fn drafts(&self) -> BTreeMap<Key, Draft> {
        let interfaces = self.interfaces();
        let owners = self.owners(&interfaces);
        let root = |mac: Mac| self.stations.get(&mac).and_then(|station| station.chassis).unwrap_or(mac);
        let mut drafts: BTreeMap<Key, Draft> = BTreeMap::new();
        for (mac, station) in &self.stations {
            let draft = drafts.entry(Key::Mac(root(*mac))).or_default();
            let interface = interfaces.get(mac).cloned().unwrap_or_default();
            draft.station(*mac, station, interface.router);
        }
        for ((mac, addr), holding) in &self.holdings {
            let interface = interfaces.get(mac).filter(|interface| interface.owns(*addr, holding));
            let owner = interface.map(|_| *mac).or_else(|| owners.get(addr).copied());
            let key = owner.map_or(Key::Addr(*addr), |mac| Key::Mac(root(mac)));
            // Addresses outside that turned out to be behind a router, or made up.
            if owner.is_none() && !self.home.contains(*addr) {
                continue;
            }
            drafts.entry(key).or_default().holding(*addr, holding);
        }
        drafts
    }

    fn interfaces(&self) -> BTreeMap<Mac, Interface> {
        let mut interfaces: BTreeMap<Mac, Interface> = BTreeMap::new();
        for ((mac, addr), holding) in self.holdings.iter().filter(|((mac, _), _)| *mac != Mac::NONE) {
            interfaces.entry(*mac).or_default().behind.count(*addr, holding);
        }
        for mac in self.stations.keys() {
            interfaces.entry(*mac).or_default();
        }
        for (mac, interface) in &mut interfaces {
            let station = self.stations.get(mac);
            interface.router = interface.behind.router(station);
            interface.is_proxy = station.is_some_and(|station| station.is_proxy);
        }
        interfaces
    }

    /// Whose an address is that was also seen elsewhere: who claimed it last, else who announced it, else who sent most of its
    /// packets.
    fn owners(&self, interfaces: &BTreeMap<Mac, Interface>) -> BTreeMap<Addr, Mac> {
        let mut most: BTreeMap<Addr, (u64, Mac)> = BTreeMap::new();
        for ((mac, addr), holding) in &self.holdings {
            if interfaces.get(mac).is_some_and(|interface| interface.owns(*addr, holding)) {
                let best = most.entry(*addr).or_insert((holding.sent.packets, *mac));
                if holding.sent.packets > best.0 {
                    *best = (holding.sent.packets, *mac);
                }
            }
        }
        let mut owners: BTreeMap<Addr, Mac> = most.into_iter().map(|(addr, (_, mac))| (addr, mac)).collect();
        let announced = self.stations.iter().filter_map(|(mac, station)| Some((station.announced.as_ref()?.1.address?, *mac)));
        owners.extend(announced);
        let is_proxy = |mac: &Mac| interfaces.get(mac).is_some_and(|interface| interface.is_proxy);
        owners.extend(self.claimants.iter().filter(|(_, mac)| !is_proxy(mac)).map(|(addr, mac)| (*addr, *mac)));
        owners
    }
}

//! A device as it is told.

use serde::{Serialize, Serializer};

use super::group::Key;
use super::holding::{Holding, Traffic};
use super::keep::Inventory;
use super::known::{Known, NameSource, Part, SoftwareKind};
use super::role;
use super::station::Station;
use super::usage::ServiceUse;
use super::vendor::Vendors;
use crate::sighting::Announcement;
use crate::time::Timestamp;
use crate::wire::{Addr, Mac};

/// Addresses that are told of a device: those seen last.
const MOST_ADDRESSES: usize = 64;

/// A device of the inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// What it is known by in every run over the same traffic: its MAC address, else its IP address.
    pub id: String,
    /// MAC address, when one is known to be its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Who made its interface, by the registry of the IEEE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Was its MAC address given by software: made up at random, or a virtual machine's?
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub locally_administered: bool,
    /// Further MAC addresses: ports of the same device, as it says itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_macs: Vec<String>,
    /// Its addresses in order, 64 at most.
    pub addresses: Vec<Address>,
    /// Addresses beyond those, seen longer ago.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_addresses: u64,
    /// What it is called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Name>,
    /// What it says when it asks for an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<Dhcp>,
    /// What it tells its neighbours of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announced: Option<Announced>,
    /// What it is, and by what that was told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// Services that it offers and that were answered, 32 at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub serves: Vec<ServiceUse>,
    /// Flows of services beyond those.
    #[serde(skip_serializing_if = "is_zero")]
    pub serves_other_flows: u64,
    /// Services of others that it uses, 32 at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<ServiceUse>,
    /// Flows of services beyond those.
    #[serde(skip_serializing_if = "is_zero")]
    pub uses_other_flows: u64,
    /// DICOM application entities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ae_titles: Vec<AeTitle>,
    /// HL7 applications.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hl7_applications: Vec<Hl7Application>,
    /// What it says of its software and hardware.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub software: Vec<Software>,
    /// VLANs that its frames were tagged with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vlans: Vec<u16>,
    /// Names, titles, applications and the like that were more than 32 of a kind and are left out.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// When it was seen first.
    #[serde(serialize_with = "time")]
    pub first: Timestamp,
    /// When it was seen last.
    #[serde(serialize_with = "time")]
    pub last: Timestamp,
    /// Packets that it sent, and their bytes on the wire.
    pub packets_sent: u64,
    /// Bytes that it sent.
    pub bytes_sent: u64,
    /// Packets that were sent to it.
    pub packets_received: u64,
    /// Bytes that were sent to it.
    pub bytes_received: u64,
}

/// An address of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Address {
    /// The address.
    #[serde(serialize_with = "text")]
    pub ip: Addr,
    /// When the device was first seen with it.
    #[serde(serialize_with = "time")]
    pub first: Timestamp,
    /// When it was last seen with it.
    #[serde(serialize_with = "time")]
    pub last: Timestamp,
    /// Did the device say, or was it given, that it has this address (ARP, neighbour discovery, DHCP)?
    pub claimed: bool,
}

/// A name of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Name {
    /// The name.
    pub name: Box<str>,
    /// Who gave it.
    pub source: NameSource,
}

/// What a device says when it asks for an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dhcp {
    /// Codes that it asks for in their order, which tell its system (`1,3,6,15`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Box<str>>,
    /// Vendor class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor_class: Option<Box<str>>,
}

/// What a device told its neighbours last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Announced {
    /// `lldp` or `cdp`.
    pub by: &'static str,
    /// Identifier of the device, where it is no MAC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chassis: Option<Box<str>>,
    /// The port that told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<Box<str>>,
    /// What it is able to do.
    pub capabilities: Vec<&'static str>,
    /// Address for management.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// VLAN of untagged frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_vlan: Option<u16>,
}

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Role {
    /// Its role, as in `dicom-archive`.
    pub role: &'static str,
    /// What showed it.
    pub evidence: String,
}

/// A DICOM application entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AeTitle {
    /// Title.
    pub title: Box<str>,
    /// Did it call, or was it called by this title?
    pub part: Part,
}

/// An HL7 application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hl7Application {
    /// Name, as MSH-3 or MSH-5 has it.
    pub name: Box<str>,
    /// Did it send (`calling`) or receive (`called`)?
    pub part: Part,
}

/// Software or hardware of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Software {
    /// What the text is about.
    pub what: SoftwareKind,
    /// The text.
    pub text: Box<str>,
    /// Protocol that told it.
    pub source: &'static str,
}

/// As RFC 3339 has it.
pub(super) fn time<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

fn text<S: Serializer>(addr: &Addr, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(addr)
}

const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A device that is being put together.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub macs: Vec<Mac>,
    pub addresses: Vec<Address>,
    pub known: Known,
    pub dhcp: Dhcp,
    pub announced: Option<Box<(Timestamp, Announcement)>>,
    /// Why it is a router: by what it sends, or since it says so.
    pub router: Option<String>,
    pub is_proxy: bool,
    seen: Option<(Timestamp, Timestamp)>,
    sent: Traffic,
    received: Traffic,
}

impl Draft {
    fn see(&mut self, first: Timestamp, last: Timestamp) {
        let (a, b) = self.seen.unwrap_or((first, last));
        self.seen = Some((a.min(first), b.max(last)));
    }

    /// Takes an interface, with the reason why it is a router's.
    pub(super) fn station(&mut self, mac: Mac, station: &Station, router: Option<String>) {
        self.see(station.first, station.last);
        self.macs.push(mac);
        self.known.absorb(station.known.clone());
        self.is_proxy |= station.is_proxy;
        let says = station.says_router.then(|| "says so in neighbour discovery".to_owned());
        let shared = mac.is_shared_by_routers().then(|| "its MAC address is one that routers share".to_owned());
        self.router = self.router.take().or(router).or(says).or(shared);
        self.dhcp.fingerprint = self.dhcp.fingerprint.take().or_else(|| station.fingerprint.clone());
        self.dhcp.vendor_class = self.dhcp.vendor_class.take().or_else(|| station.vendor_class.clone());
        let time_of = |told: &Option<Box<(Timestamp, Announcement)>>| told.as_ref().map(|told| told.0);
        if time_of(&station.announced) > time_of(&self.announced) {
            self.announced.clone_from(&station.announced);
        }
    }

    /// Takes an address.
    pub(super) fn holding(&mut self, addr: Addr, holding: &Holding) {
        let Holding { first, last, is_claimed: claimed, .. } = *holding;
        self.see(first, last);
        self.sent.add(holding.sent);
        self.received.add(holding.received);
        self.known.absorb(holding.known.clone());
        match self.addresses.iter_mut().find(|address| address.ip == addr) {
            Some(address) => {
                address.first = address.first.min(first);
                address.last = address.last.max(last);
                address.claimed |= claimed;
            }
            None => self.addresses.push(Address { ip: addr, first, last, claimed }),
        }
    }

    fn finish(mut self, key: Key, vendors: Option<&Vendors>) -> Device {
        let mac = match key {
            Key::Mac(mac) => Some(mac),
            Key::Addr(_) => None,
        };
        let more_addresses = self.addresses.len().saturating_sub(MOST_ADDRESSES);
        self.addresses.sort_by_key(|address| (std::cmp::Reverse(address.last), address.ip));
        self.addresses.truncate(MOST_ADDRESSES);
        self.addresses.sort_by_key(|address| address.ip);
        let roles = role::of(&self);
        let (first, last) = self.seen.unwrap_or((Timestamp::MIN, Timestamp::MIN));
        let known = self.known;
        let left_out =
            known.names.left_out + known.ae_titles.left_out + known.hl7_applications.left_out + known.software.left_out;
        Device {
            id: match key {
                Key::Mac(mac) => mac.to_string(),
                Key::Addr(addr) => addr.to_string(),
            },
            mac: mac.map(|mac| mac.to_string()),
            vendor: mac.and_then(|mac| vendors?.of(mac)).map(str::to_owned),
            locally_administered: mac.is_some_and(Mac::is_local),
            other_macs: self.macs.iter().filter(|other| Some(**other) != mac).map(ToString::to_string).collect(),
            addresses: self.addresses,
            more_addresses: more_addresses as u64,
            names: known.names.iter().map(|(name, source)| Name { name: name.clone(), source: *source }).collect(),
            dhcp: (self.dhcp != Dhcp::default()).then_some(self.dhcp),
            announced: self.announced.map(|told| announced(&told.1)),
            roles,
            serves: known.serves.told(),
            serves_other_flows: known.serves.other_flows,
            uses: known.uses.told(),
            uses_other_flows: known.uses.other_flows,
            ae_titles: known.ae_titles.iter().map(|(title, part)| AeTitle { title: title.clone(), part: *part }).collect(),
            hl7_applications: known
                .hl7_applications
                .iter()
                .map(|(name, part)| Hl7Application { name: name.clone(), part: *part })
                .collect(),
            software: known
                .software
                .iter()
                .map(|(what, text, source)| Software { what: *what, text: text.clone(), source })
                .collect(),
            vlans: known.vlans.iter().copied().collect(),
            left_out,
            first,
            last,
            packets_sent: self.sent.packets,
            bytes_sent: self.sent.bytes,
            packets_received: self.received.packets,
            bytes_received: self.received.bytes,
        }
    }
}

fn announced(told: &Announcement) -> Announced {
    Announced {
        by: if told.is_cdp { "cdp" } else { "lldp" },
        chassis: told.chassis.clone(),
        port: told.port.clone(),
        capabilities: told.capabilities.names().collect(),
        address: told.address.map(|addr| addr.to_string()),
        native_vlan: (told.native_vlan != 0).then_some(told.native_vlan),
    }
}

impl Inventory {
    /// The devices seen so far, those with a MAC address first, in its order, then the others in that of their address.
    #[must_use]
    pub fn devices(&self, vendors: Option<&Vendors>) -> Vec<Device> {
        self.drafts().into_iter().map(|(key, draft)| draft.finish(key, vendors)).collect()
    }
}

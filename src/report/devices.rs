//! The inventory, read device by device: those that matter are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::text::Shown;
use crate::feature::Host;

/// Devices kept that have no incident: those that moved most.
const MOST_KEPT: usize = 400;
/// Texts kept of a kind and a device.
const MOST_TEXTS: usize = 8;

/// A device.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Device {
    /// What it is known by.
    pub id: Shown,
    /// Who made its interface.
    #[serde(default)]
    pub vendor: Shown,
    /// MAC address.
    #[serde(default)]
    pub mac: Shown,
    #[serde(default)]
    addresses: Vec<Address>,
    #[serde(default)]
    names: Vec<Name>,
    #[serde(default)]
    roles: Vec<Role>,
    #[serde(default)]
    serves: Vec<Service>,
    #[serde(default)]
    uses: Vec<Service>,
    #[serde(default)]
    ae_titles: Vec<Title>,
    #[serde(default)]
    hl7_applications: Vec<Name>,
    #[serde(default)]
    software: Vec<Software>,
    #[serde(default)]
    vlans: Vec<u16>,
    /// When it was seen last.
    #[serde(default)]
    pub last: Shown,
    /// Bytes that it sent.
    #[serde(default)]
    pub bytes_sent: u64,
    /// Bytes that were sent to it.
    #[serde(default)]
    pub bytes_received: u64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Address {
    ip: Host,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Name {
    name: Shown,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Role {
    role: Shown,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Title {
    title: Shown,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Software {
    text: Shown,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Service {
    service: Shown,
    app: Option<Shown>,
}

fn distinct<'a>(texts: impl Iterator<Item = &'a Shown>) -> Vec<&'a Shown> {
    let mut seen = BTreeSet::new();
    texts.filter(|text| !text.is_empty() && seen.insert(*text)).take(MOST_TEXTS).collect()
}

impl Device {
    /// Its addresses.
    pub fn addresses(&self) -> impl Iterator<Item = Host> + '_ {
        self.addresses.iter().map(|address| address.ip)
    }

    /// The address that people know it by: IPv4 before IPv6, the network's before the link's.
    #[must_use]
    pub fn address(&self) -> Option<Host> {
        self.addresses().min_by_key(|host| (!host.is_device(), !host.0.is_v4(), *host))
    }

    /// What it is called, DICOM titles and HL7 applications included.
    #[must_use]
    pub fn names(&self) -> Vec<&Shown> {
        let applications = self.hl7_applications.iter().map(|application| &application.name);
        distinct(
            self.names.iter().map(|name| &name.name).chain(self.ae_titles.iter().map(|title| &title.title)).chain(applications),
        )
    }

    /// Who made it, without the full stop of an abbreviation.
    #[must_use]
    pub fn maker(&self) -> &str {
        self.vendor.as_str().trim_end_matches(['.', ',', ' '])
    }

    /// Its roles.
    #[must_use]
    pub fn roles(&self) -> Vec<&Shown> {
        distinct(self.roles.iter().map(|role| &role.role))
    }

    /// What it says of its software.
    #[must_use]
    pub fn software(&self) -> Vec<&Shown> {
        distinct(self.software.iter().map(|software| &software.text))
    }

    /// Services that it offers, or uses: applications by their names, others by their ports.
    #[must_use]
    pub fn services(&self, offered: bool) -> Vec<&Shown> {
        let all = if offered { &self.serves } else { &self.uses };
        distinct(all.iter().map(|service| service.app.as_ref().unwrap_or(&service.service)))
    }

    fn bytes(&self) -> u64 {
        self.bytes_sent.saturating_add(self.bytes_received)
    }
}

/// The devices of an inventory.
#[derive(Clone, Debug, Default)]
pub struct Devices {
    named: BTreeSet<Host>,
    kept: Vec<Device>,
    of_address: BTreeMap<Host, usize>,
    /// Devices in all.
    pub count: u64,
    /// Of these, devices with an own MAC address: those whose part of the network is heard.
    pub with_mac: u64,
    /// VLANs that were seen on their frames.
    pub vlans: BTreeSet<u16>,
}

impl Devices {
    /// An inventory of which the devices with these addresses are kept whatever they did.
    #[must_use]
    pub fn with(named: BTreeSet<Host>) -> Self {
        Self { named, ..Self::default() }
    }

    /// Takes a device.
    pub fn add(&mut self, device: Device) {
        self.count += 1;
        self.with_mac += u64::from(!device.mac.is_empty());
        self.vlans.extend(&device.vlans);
        self.kept.push(device);
        if self.kept.len() >= 4 * MOST_KEPT + 2 * self.named.len() {
            self.drop_the_least();
        }
    }

    fn is_named(&self, device: &Device) -> bool {
        device.addresses().any(|host| self.named.contains(&host))
    }

    fn drop_the_least(&mut self) {
        let mut ranked = std::mem::take(&mut self.kept);
        ranked.sort_by_cached_key(|device| (!self.is_named(device), std::cmp::Reverse(device.bytes()), device.id.clone()));
        let named = ranked.partition_point(|device| self.is_named(device));
        ranked.truncate(named + MOST_KEPT);
        self.kept = ranked;
    }

    /// No more devices come.
    pub fn finish(&mut self) {
        self.drop_the_least();
        let addresses =
            self.kept.iter().enumerate().flat_map(|(place, device)| device.addresses().map(move |host| (host, place)));
        self.of_address = addresses.collect();
    }

    /// Those kept: with incidents first, then by bytes.
    #[must_use]
    pub fn kept(&self) -> &[Device] {
        &self.kept
    }

    /// The device with this address.
    #[must_use]
    pub fn of(&self, host: Host) -> Option<&Device> {
        self.of_address.get(&host).and_then(|&place| self.kept.get(place))
    }

    /// What the device with this address is called.
    #[must_use]
    pub fn name_of(&self, host: Host) -> Option<&Shown> {
        self.of(host)?.names().first().copied()
    }

    /// Reads an inventory as `--inventory` writes it, one device at a time.
    ///
    /// # Errors
    /// When it cannot be read, or is no inventory in JSON.
    pub fn read(&mut self, from: impl Read) -> Result<(), serde_json::Error> {
        let mut json = serde_json::Deserializer::from_reader(from);
        self.deserialize(&mut json)?;
        json.end()
    }
}

impl<'de> DeserializeSeed<'de> for &mut Devices {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Devices {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an inventory in JSON, as --inventory writes it")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut has_devices = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == "devices" {
                map.next_value_seed(List(&mut *self))?;
                has_devices = true;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if has_devices { Ok(()) } else { Err(serde::de::Error::missing_field("devices")) }
    }
}

struct List<'a>(&'a mut Devices);

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of devices")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(device) = list.next_element::<Device>()? {
            self.0.add(device);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(count: usize) -> String {
        let device = |n: usize| {
            format!(
                r#"{{"id":"d{n}","addresses":[{{"ip":"10.0.{}.{}"}}],"names":[{{"name":"n{n}"}}],"bytes_sent":{n},"more":[1]}}"#,
                n / 256,
                n % 256
            )
        };
        let devices: Vec<String> = (0..count).map(device).collect();
        format!(r#"{{"version":1,"left_out":{{"x":0}},"devices":[{}]}}"#, devices.join(",\n"))
    }

    #[test]
    fn devices_with_incidents_are_kept_and_of_the_others_those_that_moved_most() {
        let quiet: Host = "10.0.0.1".parse().unwrap();
        let mut devices = Devices::with(BTreeSet::from([quiet]));
        devices.read(text(5000).as_bytes()).unwrap();
        devices.finish();
        assert_eq!((devices.count, devices.kept().len()), (5000, MOST_KEPT + 1));
        assert_eq!(devices.kept()[0].address(), Some(quiet));
        assert_eq!(devices.name_of(quiet).unwrap().as_str(), "n1");
        assert!(devices.kept()[1..].iter().all(|device| device.bytes_sent >= 4600));
    }

    #[test]
    fn what_is_no_inventory_is_told() {
        for (wrong, words) in [("[]", "an inventory in JSON"), ("{\"version\":1}", "devices"), ("id,mac", "expected value")] {
            let error = Devices::default().read(wrong.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(words), "{wrong}: {error}");
        }
    }
}

//! Networks at home that nobody named: public addresses of IPv4 and IPv6 that devices on the mirrored links have themselves.

use std::collections::{BTreeMap, BTreeSet};

use crate::feature::Host;
use crate::flow::Net;

/// Addresses of one interface that are looked at.
pub(super) const MAX_ADDRESSES: usize = 17;
/// Links from which a device has addresses at the most; who sends from more passes on what others send.
const MAX_LINKS: usize = 2;
/// Devices with an address of a network that make it one at home; fewer may be the routers of an uplink.
const MIN_DEVICES: u32 = 3;

/// Bits of a network of one link.
const fn link(host: Host) -> u8 {
    if host.0.is_v4() { 24 } else { 64 }
}

/// Bits of what a site has of IPv6 (RFC 6177).
const SITE: u8 = 48;

fn links_of(addresses: &BTreeSet<Host>) -> BTreeSet<Net> {
    addresses.iter().map(|&host| Net::around(host.0, link(host))).collect()
}

/// Are they of so few links as one device has addresses of?
pub(super) fn is_of_few_links(addresses: &BTreeSet<Host>) -> bool {
    links_of(addresses).len() <= MAX_LINKS
}

/// The networks at home, by the addresses beyond the private ranges that each interface sends from which looks like one device's: those of links, and where
/// there are several links of a site, the site.
pub(super) fn found<'i>(interfaces: impl Iterator<Item = &'i BTreeSet<Host>>) -> Vec<Net> {
    let mut devices: BTreeMap<Net, u32> = BTreeMap::new();
    for addresses in interfaces {
        if is_of_few_links(addresses) {
            links_of(addresses).into_iter().for_each(|net| *devices.entry(net).or_default() += 1);
        }
    }
    devices.retain(|_, devices| *devices >= MIN_DEVICES);
    let of_site = |net: &Net| if net.base().is_v4() { *net } else { Net::around(net.base(), SITE) };
    let mut links: BTreeMap<Net, Vec<Net>> = BTreeMap::new();
    devices.into_keys().for_each(|net| links.entry(of_site(&net)).or_default().push(net));
    links.into_iter().flat_map(|(site, links)| if links.len() > 1 { vec![site] } else { links }).collect()
}

/// Networks as text, for the model file.
pub(super) mod text {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Net;

    pub fn serialize<S: Serializer>(nets: &[Net], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(nets.iter().map(ToString::to_string))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Net>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(interfaces: &[&[&str]]) -> Vec<String> {
        let interfaces: Vec<BTreeSet<Host>> =
            interfaces.iter().map(|texts| texts.iter().map(|text| text.parse().unwrap()).collect()).collect();
        found(interfaces.iter()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_link_on_which_several_devices_have_addresses_is_at_home() {
        let [a, b, c] = ["2001:db8:1:20::a", "2001:db8:1:20::b", "2001:db8:1:20::c"];
        assert_eq!(of(&[&[a], &[b], &[c, "2001:db8:1:20::d"]]), ["2001:db8:1:20::/64"]);
        assert!(of(&[&[a], &[b]]).is_empty(), "two may be routers");
        assert!(of(&[&[a, b, c]]).is_empty(), "one device");
        assert_eq!(of(&[&["192.0.2.7"], &["192.0.2.8"], &["192.0.2.9", "198.51.100.1"]]), ["192.0.2.0/24"]);
    }

    #[test]
    fn several_links_are_a_site() {
        let link = |n: u8| (1..=3).map(move |host| format!("2001:db8:1:{n}::{host}"));
        let texts: Vec<String> = link(1).chain(link(2)).collect();
        let interfaces: Vec<[&str; 1]> = texts.iter().map(|text| [text.as_str()]).collect();
        let interfaces: Vec<&[&str]> = interfaces.iter().map(|texts| &texts[..]).collect();
        assert_eq!(of(&interfaces), ["2001:db8:1::/48"]);
    }

    #[test]
    fn who_passes_on_what_others_send_says_nothing() {
        let uplink: &[&str] = &["192.0.2.7", "198.51.100.1", "203.0.113.5"];
        assert!(of(&[uplink, uplink, uplink, uplink]).is_empty());
    }
}

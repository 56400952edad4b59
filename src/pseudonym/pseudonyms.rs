//! Gives everything its pseudonym.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, Hash};

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use super::address::CryptoPan;
use super::key::Key;
use super::name::{Label, Names};
use super::permute::Permutation;
use super::text;
use crate::app::Rename;
use crate::flow::FlowRecord;
use crate::sighting::{Announcement, Seen, Sighting};
use crate::wire::{Addr, Mac};

/// Pseudonyms that are remembered of each sort, so that they are not made again; when there are more, all are forgotten.
const MOST_REMEMBERED: usize = 1 << 16;
/// Labels that are told to be sealed; what comes beyond, as names made up by a tunnel through DNS, is counted and cannot be
/// turned back.
const MOST_LABELS: usize = 1 << 18;

/// Flow identifiers have 53 bits.
const ID_BITS: u32 = 53;

/// Gives addresses, MAC addresses, names and flow identifiers their pseudonyms. Memory: some 30 MB at most.
pub struct Pseudonyms {
    pan: CryptoPan,
    macs: Permutation,
    ids: Permutation,
    names: Names,
    addrs_made: Memory<Addr, Addr>,
    macs_made: Memory<Mac, Mac>,
    names_made: Memory<Box<str>, Box<str>>,
    /// Hashes of the pseudonyms of labels that were told, or are sealed already.
    told: HashSet<u64, FixedState>,
    fresh: Vec<Label>,
    not_told: u64,
}

struct Memory<K, V>(HashMap<K, V, FixedState>);

impl<K: Eq + Hash, V: Clone> Memory<K, V> {
    fn keep(&mut self, key: K, value: V) {
        if self.0.len() >= MOST_REMEMBERED {
            self.0.clear();
        }
        self.0.insert(key, value);
    }
}

impl Pseudonyms {
    /// Those of a key.
    #[must_use]
    pub fn new(key: &Key) -> Self {
        Self {
            pan: CryptoPan::new(&key.derive("addresses")),
            macs: Permutation::new(&key.derive("MAC addresses"), 23),
            ids: Permutation::new(&key.derive("flow identifiers"), ID_BITS.div_ceil(2)),
            names: Names::new(key),
            addrs_made: Memory(HashMap::default()),
            macs_made: Memory(HashMap::default()),
            names_made: Memory(HashMap::default()),
            told: HashSet::default(),
            fresh: Vec::new(),
            not_told: 0,
        }
    }

    /// The pseudonym of an address: of the same kind (private, link-local, global, group), and as near to others as the address is.
    /// Groups, loopback and unspecified addresses stay.
    pub fn addr(&mut self, addr: Addr) -> Addr {
        if let Some(made) = self.addrs_made.0.get(&addr) {
            return *made;
        }
        let made = self.pan.addr(addr);
        self.addrs_made.keep(addr, made);
        made
    }

    /// The address of a pseudonym.
    #[must_use]
    pub fn addr_of(&self, pseudonym: Addr) -> Addr {
        self.pan.addr_of(pseudonym)
    }

    /// The pseudonym of a MAC address; it tells nothing but whether the address was given by its maker or by software. Groups, and
    /// addresses that routers share, stay.
    pub fn mac(&mut self, mac: Mac) -> Mac {
        if let Some(made) = self.macs_made.0.get(&mac) {
            return *made;
        }
        let made = match solicited(mac) {
            Some(group) => with_end_of(mac, self.addr(group)),
            None => turn(mac, |number| self.macs.hide(number)),
        };
        self.macs_made.keep(mac, made);
        made
    }

    /// The MAC address of a pseudonym.
    #[must_use]
    pub fn mac_of(&self, pseudonym: Mac) -> Mac {
        match solicited(pseudonym) {
            Some(group) => with_end_of(pseudonym, self.addr_of(group)),
            None => turn(pseudonym, |number| self.macs.show(number)),
        }
    }

    /// The pseudonym of a flow's identifier, which is made of its addresses.
    #[must_use]
    pub fn id(&self, id: u64) -> u64 {
        walk(id, |id| self.ids.hide(id), |id| id >> ID_BITS == 0)
    }

    /// The identifier of a pseudonym.
    #[must_use]
    pub fn id_of(&self, pseudonym: u64) -> u64 {
        if pseudonym >> ID_BITS != 0 {
            return pseudonym;
        }
        walk(pseudonym, |id| self.ids.show(id), |id| id >> ID_BITS == 0)
    }

    /// The pseudonym of a name; of an address in the place of a name, that of the address.
    pub fn name(&mut self, name: &str) -> Box<str> {
        if let Some(made) = self.names_made.0.get(name) {
            return made.clone();
        }
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let made: Box<str> = match bare.parse::<Addr>() {
            Ok(addr) => name.replace(bare, &self.addr(addr).to_string()).into(),
            Err(_) => {
                let mut labels = Vec::new();
                let made = self.names.name(name, |label, pseudonym| labels.push((label, self.told.hasher().hash_one(pseudonym))));
                self.tell(labels);
                made.into()
            }
        };
        self.names_made.keep(name.into(), made.clone());
        made
    }

    /// Keeps of labels, with the hashes of their pseudonyms, those that were never told.
    fn tell(&mut self, labels: Vec<(Label, u64)>) {
        for (label, hash) in labels {
            if self.told.contains(&hash) {
                continue;
            }
            if self.told.len() >= MOST_LABELS {
                self.not_told += 1;
                continue;
            }
            self.told.insert(hash);
            self.fresh.push(label);
        }
    }

    /// Labels that were hashed for the first time since this was asked last: what has to be sealed.
    pub fn take_labels(&mut self) -> Vec<Label> {
        std::mem::take(&mut self.fresh)
    }

    /// A label of this pseudonym is sealed already.
    pub fn is_sealed(&mut self, pseudonym: &str) {
        let hash = self.told.hasher().hash_one(pseudonym);
        self.told.insert(hash);
    }

    /// Labels that were beyond the most (262,144) and cannot be turned back.
    #[must_use]
    pub const fn labels_not_told(&self) -> u64 {
        self.not_told
    }

    /// Gives a record its pseudonyms.
    pub fn record(&mut self, record: &mut FlowRecord) {
        let (low, high) = (self.addr(record.key.low), self.addr(record.key.high));
        let (key, is_turned) = record.key.renamed(low, high);
        record.key = key;
        record.orig_is_low ^= is_turned;
        record.id = self.id(record.id);
        record.macs = record.macs.map(|mac| self.mac(Mac(mac)).0);
        if let Some(quoted) = &mut record.quoted {
            (quoted.src, quoted.dst) = (self.addr(quoted.src), self.addr(quoted.dst));
        }
        if let Some(tunnel) = &mut record.tunnel {
            (tunnel.src, tunnel.dst) = (self.addr(tunnel.src), self.addr(tunnel.dst));
        }
        if let Some(facts) = &mut record.facts {
            facts.rename(self);
        }
    }

    /// Gives a sighting its pseudonyms.
    pub fn sighting(&mut self, sighting: &mut Sighting) {
        sighting.src_mac = self.mac(sighting.src_mac);
        sighting.src = sighting.src.map(|addr| self.addr(addr));
        sighting.dst = sighting.dst.map(|addr| self.addr(addr));
        match &mut sighting.what {
            Seen::Arp(arp) => {
                (arp.sender_mac, arp.target_mac) = (self.mac(arp.sender_mac), self.mac(arp.target_mac));
                (arp.sender, arp.target) = (self.addr(arp.sender), self.addr(arp.target));
            }
            Seen::Neighbour(said) => {
                said.mac = self.mac(said.mac);
                said.addr = said.addr.map(|addr| self.addr(addr));
            }
            Seen::Dhcp(message) => message.rename(self),
            Seen::Announcement(said) => self.announcement(said),
            // A hash that is kept in memory alone.
            Seen::Name(_) => {}
        }
    }

    fn announcement(&mut self, said: &mut Announcement) {
        said.chassis_mac = said.chassis_mac.map(|mac| self.mac(mac));
        said.address = said.address.map(|addr| self.addr(addr));
        // A description of the system holds its name (uname), and that of a port what is plugged in.
        for name in [&mut said.chassis, &mut said.port, &mut said.name, &mut said.description].into_iter().flatten() {
            *name = self.whole(name);
        }
        if let Some(platform) = &mut said.platform {
            self.text(platform);
        }
    }

    /// A text that may hold a name: hashed as a whole; where it is an address, the pseudonym of that.
    fn whole(&mut self, text: &str) -> Box<str> {
        if text::is_token(text)
            && let Cow::Owned(made) = text::replaced(text, |token| self.token(token))
        {
            return made.into();
        }
        let label = Label { label: text.to_owned(), parent: String::new(), is_short: false };
        let made = self.names.label(&label);
        let hash = self.told.hasher().hash_one(&*made);
        self.tell(vec![(label, hash)]);
        made.into()
    }

    fn token(&mut self, token: text::Token<'_>) -> Option<String> {
        match token {
            text::Token::Addr(addr, None) => Some(self.addr(addr).to_string()),
            text::Token::Mac(mac) => Some(self.mac(mac).to_string()),
            text::Token::BareMac(mac) => Some(self.mac(mac).to_string().replace(':', "")),
            text::Token::Addr(_, Some(_)) | text::Token::Label(_) | text::Token::FlowId(_) => None,
        }
    }
}

impl Rename for Pseudonyms {
    fn addr(&mut self, addr: &mut Addr) {
        *addr = Self::addr(self, *addr);
    }

    fn mac(&mut self, mac: &mut [u8; 6]) {
        *mac = Self::mac(self, Mac(*mac)).0;
    }

    fn name(&mut self, name: &mut Box<str>) {
        *name = Self::name(self, name);
    }

    fn text(&mut self, text: &mut Box<str>) {
        if let Cow::Owned(made) = text::replaced(text, |token| self.token(token)) {
            *text = made.into();
        }
        let hosts: Vec<String> = text.split(|c: char| !is_of_host(c)).filter(|word| is_host(word)).map(str::to_owned).collect();
        for host in hosts {
            *text = text.replace(&host, &Self::name(self, &host)).into();
        }
    }

    fn greeting(&mut self, text: &mut Box<str>) {
        *text = self.whole(text);
    }
}

/// The solicited-node group whose MAC address this is: both hold the end of an address that is asked for (RFC 2464, 7).
fn solicited(mac: Mac) -> Option<Addr> {
    let [0x33, 0x33, 0xff, a, b, c] = mac.0 else { return None };
    Some(Addr::v6([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]))
}

fn with_end_of(mac: Mac, group: Addr) -> Mac {
    let [.., a, b, c] = group.bits().to_be_bytes();
    Mac([mac.0[0], mac.0[1], mac.0[2], a, b, c])
}

fn is_of_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-')
}

/// Has the word three labels at least and a last one of letters, as no version has?
fn is_host(word: &str) -> bool {
    let labels = || word.split('.');
    let last = labels().next_back().unwrap_or_default();
    labels().count() > 2
        && labels().all(|label| !label.is_empty())
        && last.len() > 1
        && last.bytes().all(|b| b.is_ascii_alphabetic())
}

/// Does it name nobody?
fn stays(mac: Mac) -> bool {
    !mac.is_station() || mac.is_shared_by_routers()
}

/// Permutes the 46 bits of a MAC address behind the two that tell its kind.
fn turn(mac: Mac, permute: impl Fn(u64) -> u64) -> Mac {
    if stays(mac) {
        return mac;
    }
    let kind = mac.0[0] & 3;
    let of_number = |number: u64| {
        let [_, _, a, b, c, d, e, f] = number.to_be_bytes();
        Mac([a << 2 | kind, b, c, d, e, f])
    };
    let [a, b, c, d, e, f] = mac.0;
    let number = u64::from_be_bytes([0, 0, a >> 2, b, c, d, e, f]);
    of_number(walk(number, permute, |number| !stays(of_number(number))))
}

/// Permutes until the result is one of those that are permuted: a permutation of these.
fn walk(number: u64, permute: impl Fn(u64) -> u64, is_in: impl Fn(u64) -> bool) -> u64 {
    let mut number = permute(number);
    while !is_in(number) {
        number = permute(number);
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudonyms() -> Pseudonyms {
        Pseudonyms::new(&Key::new([6; 32]))
    }

    #[test]
    fn mac_addresses_and_flows_are_turned_back_and_kinds_stay() {
        let mut names = pseudonyms();
        for (mac, stays) in [
            ([0, 9, 0x5c, 1, 2, 3], false),
            ([0x26, 9, 0x5c, 1, 2, 3], false),
            ([0x33, 0x33, 0xff, 1, 2, 3], false),
            ([0; 6], true),
            ([0xff; 6], true),
            ([0x33, 0x33, 0, 0, 0, 0xfb], true),
            ([0, 0, 0x5e, 0, 1, 7], true),
        ] {
            let (mac, made) = (Mac(mac), names.mac(Mac(mac)));
            assert_eq!((made == mac, made.0[0] & 3, names.mac_of(made)), (stays, mac.0[0] & 3, mac));
        }
        for id in [0, 1, (1 << 53) - 1] {
            let made = names.id(id);
            assert!(made != id && made >> 53 == 0 && names.id_of(made) == id);
        }
    }

    #[test]
    fn the_group_that_asks_for_an_address_and_its_mac_address_fit() {
        let mut names = pseudonyms();
        let group = names.addr("ff02::1:ff11:2233".parse().unwrap());
        let mac = names.mac(Mac([0x33, 0x33, 0xff, 0x11, 0x22, 0x33]));
        assert_eq!(group.bits() as u32 & 0xff_ffff, u32::from_be_bytes([0, mac.0[3], mac.0[4], mac.0[5]]));
    }

    #[test]
    fn an_address_in_the_place_of_a_name_has_its_own_pseudonym() {
        let mut names = pseudonyms();
        let addr = names.addr("10.1.2.3".parse().unwrap()).to_string();
        assert_eq!((&*names.name("10.1.2.3"), names.take_labels().len()), (&*addr, 0));
        let mut text: Box<str> = "Phone 1.2 00:09:5c:01:02:03 at 10.1.2.3, build 10.0.19041.1".into();
        Rename::text(&mut names, &mut text);
        let mac = names.mac(Mac([0, 9, 0x5c, 1, 2, 3]));
        assert_eq!(*text, *format!("Phone 1.2 {mac} at {addr}, build 10.0.19041.1"));
        let mut text: Box<str> = "ASP.NET 4.8.1 on ris.hospital.example (Node.js)".into();
        Rename::text(&mut names, &mut text);
        assert_eq!(*text, *format!("ASP.NET 4.8.1 on {} (Node.js)", names.name("ris.hospital.example")));
        let mut text: Box<str> = "ris.hospital.example ESMTP of the hospital".into();
        names.greeting(&mut text);
        assert!(super::super::name::is_pseudonym(&text), "{text}");
    }

    #[test]
    fn labels_are_told_once_and_in_bounds() {
        let mut names = pseudonyms();
        names.name("a.b.example");
        names.name("c.b.example");
        let told: Vec<String> = names.take_labels().into_iter().map(|label| label.label).collect();
        assert_eq!(told, ["b", "a", "c"]);
        let hidden = pseudonyms().name("a.b.example");
        let mut names = pseudonyms();
        hidden.split('.').for_each(|label| names.is_sealed(label));
        names.name("a.b.example");
        assert!(names.take_labels().is_empty());
        (0..MOST_LABELS + 5).for_each(|n| _ = names.name(&format!("x{n}")));
        assert!(names.labels_not_told() >= 5 && names.take_labels().len() < MOST_LABELS);
    }
}

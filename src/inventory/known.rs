//! What is known of a device beside its addresses.

use serde::Serialize;

use super::usage::Usages;

/// Names, titles and applications that are kept of a device, each.
const MOST_NAMES: usize = 32;

/// Who gave a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NameSource {
    /// The device itself, asking for an address.
    Dhcp,
    /// The device itself, to its neighbours.
    Lldp,
    /// The same in CDP.
    Cdp,
    /// A client that asked for this server in TLS and got an answer.
    Tls,
    /// A client that asked for this host in HTTP and got an answer that is no error.
    Http,
    /// The device itself, registering its name with NetBIOS.
    Netbios,
    /// The device itself, asking a client to log in with NTLM.
    Ntlm,
}

/// Which part a device took in an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// It began: it called, or sent.
    Calling,
    /// It answered: it was called, or received.
    Called,
}

/// What a text on software is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SoftwareKind {
    /// The whole system.
    System,
    /// The hardware.
    Hardware,
    /// A server on it.
    Server,
    /// A client on it.
    Client,
}

/// Things that a device was seen to do, as bits: what roles are told from beside its services.
pub(super) mod deed {
    pub const SENDS_IMAGES: u16 = 1;
    pub const TAKES_IMAGES: u16 = 1 << 1;
    pub const ASKS_FOR_IMAGES: u16 = 1 << 2;
    pub const FINDS_IMAGES: u16 = 1 << 3;
    pub const GIVES_ADDRESSES: u16 = 1 << 4;
}

/// A list of different things, sorted, bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Few<T> {
    list: Vec<T>,
    /// Times that something new did not fit.
    pub left_out: u64,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { list: Vec::new(), left_out: 0 }
    }
}

impl<T: Ord> Few<T> {
    pub(super) fn insert(&mut self, one: T) {
        if let Err(place) = self.list.binary_search(&one) {
            if self.list.len() < MOST_NAMES {
                self.list.insert(place, one);
            } else {
                self.left_out += 1;
            }
        }
    }

    pub(super) fn extend(&mut self, all: impl IntoIterator<Item = T>) {
        all.into_iter().for_each(|one| self.insert(one));
    }

    pub(super) fn absorb(&mut self, other: Self) {
        self.left_out += other.left_out;
        other.list.into_iter().for_each(|one| self.insert(one));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.list.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// Everything that flows tell of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub serves: Usages,
    pub uses: Usages,
    pub names: Few<(Box<str>, NameSource)>,
    pub ae_titles: Few<(Box<str>, Part)>,
    pub hl7_applications: Few<(Box<str>, Part)>,
    /// What, its text, and the protocol that told it.
    pub software: Few<(SoftwareKind, Box<str>, &'static str)>,
    pub vlans: Few<u16>,
    /// See [`deed`].
    pub deeds: u16,
}

impl Known {
    pub(super) fn absorb(&mut self, other: Self) {
        self.serves.absorb(other.serves);
        self.uses.absorb(other.uses);
        self.names.absorb(other.names);
        self.ae_titles.absorb(other.ae_titles);
        self.hl7_applications.absorb(other.hl7_applications);
        self.software.absorb(other.software);
        self.vlans.absorb(other.vlans);
        self.deeds |= other.deeds;
    }

    /// Is there more than that it was there?
    pub(super) fn is_telling(&self) -> bool {
        !(self.serves.is_empty() && self.names.is_empty() && self.ae_titles.is_empty() && self.hl7_applications.is_empty())
    }

    pub(super) fn vlans(&mut self, vlans: [u16; 2]) {
        vlans.into_iter().filter(|vlan| *vlan != 0).for_each(|vlan| self.vlans.insert(vlan));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_sorted_holds_each_once_and_counts_what_does_not_fit() {
        let mut few = Few::default();
        few.extend([3, 1, 2, 3, 1]);
        assert_eq!(few.iter().copied().collect::<Vec<_>>(), [1, 2, 3]);
        let mut other = Few::default();
        other.extend(0..40);
        assert_eq!(other.left_out, 8);
        few.absorb(other);
        assert_eq!((few.iter().count(), few.left_out), (MOST_NAMES, 8));
    }

    #[test]
    fn what_serves_or_is_named_tells_more_than_what_was_there() {
        let mut known = Known::default();
        known.vlans([5, 0]);
        assert!(!known.is_telling() && known.vlans.iter().eq(&[5]));
        known.names.insert(("pacs".into(), NameSource::Dhcp));
        assert!(known.is_telling());
    }
}

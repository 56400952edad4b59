//! What the model and the detector learn from and judge: a flow without its bytes, its ports and its protocol's details.

use core::fmt;
use core::str::FromStr;

use super::{COUNT, extract};
use crate::app::{App, Facts};
use crate::flow::{FlowRecord, HomeNets, Service, Sight};
use crate::time::Timestamp;
use crate::wire::Addr;

/// A device as baselines know it: its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(pub Addr);

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Host {
    type Err = core::net::AddrParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A peer as a baseline counts it: a device at home by its address, one outside by its network (24 bits of IPv4, 48 of
/// IPv6), since services outside move between addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub Addr);

impl Peer {
    fn of(addr: Addr, local: bool) -> Self {
        let kept = match (local, addr.is_v4()) {
            (true, _) => u128::MAX,
            (false, true) => u128::MAX << 8,
            (false, false) => u128::MAX << 80,
        };
        Self(addr.masked(kept))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Peer {
    type Err = core::net::AddrParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A domain that was asked for or named, as a hash: enough to tell known from new, not enough to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameHash(pub u64);

impl NameHash {
    /// The hash (FNV-1a, 64 bits) of a name's registrable part: the last two labels, three where the last but one is a
    /// short public suffix such as `co.uk`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let hash = domain(name).bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash)
    }
}

impl fmt::Display for NameHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for NameHash {
    type Err = core::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

fn domain(name: &str) -> &str {
    let name = name.trim_end_matches('.');
    let mut labels = name.rsplit('.');
    let (Some(last), Some(second)) = (labels.next(), labels.next()) else { return name };
    let mut bytes = last.len() + 1 + second.len();
    if last.len() <= 2
        && second.len() <= 3
        && let Some(third) = labels.next()
    {
        bytes += 1 + third.len();
    }
    &name[name.len() - bytes..]
}

/// Index of the feature `answered`.
const ANSWERED: usize = 26;

/// One flow, or a first look at one, as a baseline sees it.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The tick at which it could be known.
    pub seen: Timestamp,
    /// The tick at which it was first known, earlier than `seen` when it was looked at while open.
    pub first_seen: Timestamp,
    /// First packet.
    pub start: Timestamp,
    /// Last packet.
    pub end: Timestamp,
    /// Initiator.
    pub orig: Host,
    /// Responder.
    pub resp: Host,
    /// Is the initiator at home?
    pub orig_local: bool,
    /// Is the responder at home?
    pub resp_local: bool,
    /// What was asked for.
    pub service: Service,
    /// Application.
    pub app: App,
    /// The domain that was asked for or named.
    pub name: Option<NameHash>,
    /// Whether the detector has met it before.
    pub sight: Sight,
    /// Did the attempt to connect fail?
    pub failed: bool,
    /// Was it under way at its first packet?
    pub under_way: bool,
    /// Is it a later segment of a long flow?
    pub continued: bool,
    /// Its features.
    pub vector: [f32; COUNT],
}

impl Observation {
    /// What a record tells, known at `seen`.
    #[must_use]
    pub fn of(record: &FlowRecord, seen: Timestamp, home: &HomeNets) -> Self {
        let (orig, resp) = (record.orig_addr(), record.resp_addr());
        let name = record.facts.as_deref().and_then(Facts::name);
        Self {
            seen,
            first_seen: record.looked_at.unwrap_or(seen),
            start: record.start,
            end: record.end,
            orig: Host(orig),
            resp: Host(resp),
            orig_local: home.contains(orig),
            resp_local: home.contains(resp) || crate::flow::is_group(resp),
            service: record.service(),
            app: record.app.0,
            name: name.map(NameHash::of),
            sight: record.sight,
            failed: record.state.failed(),
            under_way: record.under_way,
            continued: record.segment > 0,
            vector: extract(record).map(|value| value as f32),
        }
    }

    /// The responder as the initiator's baseline counts it.
    #[must_use]
    pub fn peer(&self) -> Peer {
        Peer::of(self.resp.0, self.resp_local)
    }

    /// The initiator as the responder's baseline counts it.
    #[must_use]
    pub fn client(&self) -> Peer {
        Peer::of(self.orig.0, self.orig_local)
    }

    /// Is it met for the first time?
    #[must_use]
    pub fn is_first_sight(&self) -> bool {
        self.sight != Sight::Again && !self.continued
    }

    /// Did the responder send anything?
    #[must_use]
    pub fn answered(&self) -> bool {
        self.vector[ANSWERED] > 0.0
    }

    /// Is it complete, so that its shape can be judged?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.sight != Sight::Early
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_the_feature() {
        assert_eq!(crate::feature::SCHEMA[ANSWERED].name, "answered");
    }

    #[test]
    fn domains_keep_their_registrable_part() {
        for (name, want) in [
            ("www.example.com", "example.com"),
            ("a.b.example.co.uk.", "example.co.uk"),
            ("localhost", "localhost"),
            ("x.de", "x.de"),
            ("", ""),
        ] {
            assert_eq!(domain(name), want);
        }
        assert_eq!(NameHash::of("API.Example.com"), NameHash::of("www.example.COM"));
    }

    #[test]
    fn peers_outside_are_networks() {
        let outside: Addr = "198.51.100.66".parse().unwrap();
        assert_eq!(Peer::of(outside, false).to_string(), "198.51.100.0");
        assert_eq!(Peer::of(outside, true).to_string(), "198.51.100.66");
        let v6: Addr = "2001:db8:1:2::3".parse().unwrap();
        assert_eq!(Peer::of(v6, false).to_string(), "2001:db8:1::");
    }
}

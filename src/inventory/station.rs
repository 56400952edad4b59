//! One interface: a MAC address.

use super::known::Known;
use super::usage::AddrSet;
use crate::sighting::Announcement;
use crate::time::{Span, Timestamp};
use crate::wire::{Addr, Mac};

/// An interface that claims more IPv4 addresses than this within an hour answers for others (proxy ARP, RFC 1027).
const MOST_CLAIMS: usize = 16;
const CLAIM_WINDOW: Span = Span::from_secs(3600);
/// Addresses of others that are counted behind a MAC address.
pub(super) const MOST_BEHIND: usize = 8;

/// What was seen of a MAC address whatever its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Station {
    pub first: Timestamp,
    pub last: Timestamp,
    pub known: Known,
    /// Codes that it asks for in DHCP, and its vendor class.
    pub fingerprint: Option<Box<str>>,
    pub vendor_class: Option<Box<str>>,
    /// What it told its neighbours last, and when.
    pub announced: Option<Box<(Timestamp, Announcement)>>,
    /// The MAC address of the device as a whole, of which this is a port.
    pub chassis: Option<Mac>,
    /// Did it say that it is a router?
    pub says_router: bool,
    /// Different addresses outside that it sent packets of, and whether one had crossed a router.
    pub outside: AddrSet,
    pub is_far: bool,
    /// Different addresses that other interfaces claim and that it sent packets of.
    pub behind: AddrSet,
    /// Different IPv4 addresses that it claimed since `window`.
    claims: AddrSet,
    window: Timestamp,
    /// Does it claim the addresses of others?
    pub is_proxy: bool,
}

impl Station {
    pub(super) fn new(at: Timestamp) -> Self {
        Self {
            first: at,
            last: at,
            known: Known::default(),
            fingerprint: None,
            vendor_class: None,
            announced: None,
            chassis: None,
            says_router: false,
            outside: AddrSet::default(),
            is_far: false,
            behind: AddrSet::default(),
            claims: AddrSet::default(),
            window: at,
            is_proxy: false,
        }
    }

    pub(super) fn seen(&mut self, first: Timestamp, last: Timestamp) {
        self.first = self.first.min(first);
        self.last = self.last.max(last);
    }

    /// Takes a claim; says whether it counts for the interface itself.
    pub(super) fn claims(&mut self, addr: Addr, at: Timestamp) -> bool {
        if addr.is_v4() {
            if at.since(self.window) > CLAIM_WINDOW {
                self.claims.clear();
                self.window = at;
            }
            self.claims.insert(addr, MOST_CLAIMS + 1);
            self.is_proxy |= self.claims.len() > MOST_CLAIMS;
        }
        !self.is_proxy
    }

    /// Did it say anything of itself?
    pub(super) fn is_telling(&self) -> bool {
        self.known.is_telling() || self.announced.is_some() || self.fingerprint.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_claims_within_an_hour_are_a_proxy_s_and_over_days_are_not() {
        let claims = |gap: i64| {
            let mut station = Station::new(Timestamp::from_parts(0, 0));
            (0..20_u8).all(|n| station.claims(Addr::v4([10, 0, 0, n]), Timestamp::from_parts(i64::from(n) * gap, 0)))
        };
        assert!(!claims(10));
        assert!(claims(3600));
    }
}

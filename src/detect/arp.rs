//! Who says that an address is theirs: two that both go on saying it are a spoofed address (MITRE ATT&CK T1557.002).

use serde::{Deserialize, Serialize};

use super::evidence::{Contribution, Evidence, Of};
use super::pruning::Pruning;
use crate::model::Map;
use crate::sighting::{NeighbourKind, Seen, Sighting};
use crate::time::{Span, Timestamp};
use crate::wire::{Addr, Mac};

/// Addresses, and interfaces, followed at the most; a further one waits until another is forgotten. 80 bytes each.
const MAX_ADDRESSES: usize = 200_000;
/// A claim that was not repeated for this long says nothing any more: addresses are given to others.
const WINDOW: Span = Span::from_secs(600);
/// Changes of the owner within the window that make a dispute: an address that was given away changes once, one that a standby
/// took over changes back at the most.
const MIN_CHANGES: u32 = 3;
/// Bits of a dispute, and of every further change.
const DISPUTE_BITS: f64 = 12.0;
const CHANGE_BITS: f64 = 2.0;
const MOST_BITS: f64 = 30.0;

/// Who claimed an address last.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Claim {
    mac: Mac,
    at: Timestamp,
    /// Changes since `first_change`.
    changes: u32,
    first_change: Timestamp,
    /// Who had it before another came.
    owner: Mac,
}

/// An address that two interfaces claim in turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dispute {
    /// The address.
    pub address: Addr,
    /// The own address of the interface that came later; none where it never claimed another.
    pub intruder: Option<Addr>,
    /// Who was told.
    pub told: Option<Addr>,
    /// Surprise.
    pub part: Contribution,
    /// When.
    pub at: Timestamp,
}

/// Follows claims of addresses. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Claims {
    by_address: Map<Addr, Claim>,
    /// The first address that each interface claimed.
    own: Map<Mac, Addr>,
    #[serde(skip)]
    pruning: Pruning,
}

impl Claims {
    /// Takes what a frame said. Returns a dispute when it adds to one. Who shares an address with others (VRRP, HSRP) may claim it by the
    /// interface that they share and by its own: it is a router, or was the first to claim it.
    pub fn observe(&mut self, sighting: &Sighting, is_router: impl Fn(Mac) -> bool) -> Option<Dispute> {
        let (address, mac, told) = match &sighting.what {
            Seen::Arp(arp) => (arp.sender, arp.sender_mac, (!arp.is_gratuitous()).then_some(arp.target)),
            Seen::Neighbour(said) if said.kind == NeighbourKind::Advertisement => (said.addr?, said.mac, None),
            _ => return None,
        };
        let is_address = !address.ip().is_unspecified() && mac.is_station();
        let goes_on = self.by_address.get(&address).is_some_and(|claim| {
            let own = match (claim.mac.is_shared_by_routers(), mac.is_shared_by_routers()) {
                (true, true) => return true,
                (false, false) => return false,
                (true, false) => mac,
                (false, true) => claim.mac,
            };
            is_router(own) || claim.owner == own
        });
        (is_address && !goes_on).then(|| self.claim(address, mac, told, sighting.time)).flatten()
    }

    /// Did anybody say that this address is theirs?
    pub fn has(&self, address: Addr) -> bool {
        self.by_address.contains_key(&address)
    }

    fn claim(&mut self, address: Addr, mac: Mac, told: Option<Addr>, at: Timestamp) -> Option<Dispute> {
        if self.by_address.len() >= MAX_ADDRESSES && !self.by_address.contains_key(&address) {
            if self.pruning.is_due(at) {
                self.by_address.retain(|_, claim| at.since(claim.at) < WINDOW);
                self.own.retain(|_, own| self.by_address.contains_key(own));
            }
            if self.by_address.len() >= MAX_ADDRESSES {
                return None;
            }
        }
        let claim = self.by_address.entry(address).or_insert(Claim { mac, at, changes: 0, first_change: at, owner: mac });
        if self.own.len() < MAX_ADDRESSES {
            self.own.entry(mac).or_insert(address);
        }
        let (before, last) = (claim.mac, claim.at);
        (claim.mac, claim.at) = (mac, at);
        if before == mac {
            return None;
        }
        if at.since(last) >= WINDOW || at.since(claim.first_change) >= WINDOW || claim.changes == 0 {
            (claim.changes, claim.first_change) = (0, at);
        }
        // While two go on, it stays the one's who had it before the other came.
        if at.since(last) >= WINDOW || ![before, mac].contains(&claim.owner) {
            claim.owner = before;
        }
        claim.changes += 1;
        let (changes, owner) = (claim.changes, claim.owner);
        if changes < MIN_CHANGES {
            return None;
        }
        let own = |mac: Mac| self.own.get(&mac).copied().filter(|&own| own != address);
        let bits = (DISPUTE_BITS + CHANGE_BITS * f64::from(changes - MIN_CHANGES)).min(MOST_BITS);
        let part = Contribution {
            usual: (0.0, 1.0),
            of: Of::Network,
            ..Contribution::of(Evidence::AddressDispute, f64::from(changes), bits)
        };
        // Who had it first takes it back: the other is the intruder.
        let (other, rather) = if mac == owner { (mac, before) } else { (before, mac) };
        Some(Dispute { address, intruder: own(rather).or_else(|| own(other)), told, part, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sighting::Arp;

    const ROUTER: u8 = 1;
    const THIEF: u8 = 66;
    /// What routers share (HSRP).
    const SHARED: u8 = 2;
    /// Who had the address before anybody shared it.
    const FIRST: u8 = 3;

    fn own(device: u8) -> Mac {
        Mac([2, 0, 0, 0, 0, device])
    }

    fn addr(n: u8) -> Addr {
        Addr::v4([10, 0, 0, n])
    }

    /// What a device with this number says at this second: that it has this address.
    fn says(claims: &mut Claims, second: i64, device: u8, address: u8) -> Option<Dispute> {
        let mac = if device == SHARED { Mac([0, 0, 0x0c, 0x9f, 0xf0, 1]) } else { own(device) };
        let arp = Arp { operation: 2, sender_mac: mac, sender: addr(address), target_mac: Mac::NONE, target: addr(9) };
        let time = Timestamp::from_parts(second, 0);
        let sighting = Sighting { time, src_mac: mac, src: None, dst: None, vlans: [0; 2], what: Seen::Arp(arp) };
        claims.observe(&sighting, |mac| mac == own(ROUTER))
    }

    #[test]
    fn two_that_go_on_claiming_are_a_dispute_with_the_later_one_named() {
        let mut claims = Claims::default();
        says(&mut claims, 0, ROUTER, 1);
        says(&mut claims, 1, THIEF, 66);
        assert!(says(&mut claims, 10, THIEF, 1).is_none() && says(&mut claims, 11, ROUTER, 1).is_none());
        let dispute = says(&mut claims, 12, THIEF, 1).unwrap();
        assert_eq!((dispute.address, dispute.intruder, dispute.told), (addr(1), Some(addr(66)), Some(addr(9))));
        assert!(says(&mut claims, 13, ROUTER, 1).unwrap().part.bits > dispute.part.bits);
    }

    #[test]
    fn an_address_that_routers_share_is_theirs_and_no_others() {
        let claim_in_turn = |others: u8| {
            let mut claims = Claims::default();
            says(&mut claims, 1, others, 66);
            says(&mut claims, 2, if others == FIRST { FIRST } else { SHARED }, 1);
            (1..6).filter(|n| says(&mut claims, n * 10, if n % 2 == 0 { SHARED } else { others }, 1).is_some()).count()
        };
        assert_eq!([claim_in_turn(THIEF), claim_in_turn(ROUTER), claim_in_turn(FIRST)], [3, 0, 0]);
    }

    #[test]
    fn the_intruder_is_the_same_however_long_it_goes_on() {
        let mut claims = Claims::default();
        // The router also has address 2, as routers do.
        says(&mut claims, 0, ROUTER, 2);
        says(&mut claims, 1, ROUTER, 1);
        says(&mut claims, 2, THIEF, 66);
        let disputes = (1..200).filter_map(|n| says(&mut claims, n * 10, if n % 2 == 0 { ROUTER } else { THIEF }, 1));
        let intruders: Vec<_> = disputes.map(|dispute| dispute.intruder).collect();
        assert!(intruders.len() > 100 && intruders.iter().all(|&intruder| intruder == Some(addr(66))), "{intruders:?}");
    }

    #[test]
    fn a_flood_of_made_up_interfaces_fills_no_memory() {
        let mut claims = Claims::default();
        for n in 0..300_000_u32 {
            let [_, a, b, c] = n.to_be_bytes();
            let arp = Arp {
                operation: 2,
                sender_mac: Mac([2, 0, 9, a, b, c]),
                sender: addr(1),
                target_mac: Mac::NONE,
                target: addr(9),
            };
            let time = Timestamp::from_parts(i64::from(n) * 700, 0);
            let (src_mac, what) = (arp.sender_mac, Seen::Arp(arp));
            claims.observe(&Sighting { time, src_mac, src: None, dst: None, vlans: [0; 2], what }, |_| false);
        }
        assert!(claims.own.len() <= MAX_ADDRESSES && claims.by_address.len() == 1);
    }

    #[test]
    fn a_flood_of_made_up_addresses_fills_no_memory_and_is_forgotten() {
        let mut claims = Claims::default();
        let mut claim = |n: u32, second: i64| {
            claims.claim(Addr::v4(n.to_be_bytes()), Mac([2, 0, 9, 0, 0, 1]), None, Timestamp::from_parts(second, 0));
            claims.by_address.len()
        };
        // All within half a minute: it would take minutes to look through all for each.
        for n in 0..300_000 {
            claim(n, i64::from(n) / 10_000);
        }
        assert_eq!([(1, 30), (2, 3000)].map(|(n, second)| claim(1_000_000 + n, second)), [MAX_ADDRESSES, 1]);
    }

    #[test]
    fn an_address_that_is_given_away_or_taken_over_is_none() {
        let mut claims = Claims::default();
        for (second, device) in [(0, 1), (5, 1), (60, 2), (65, 2), (4000, 1), (9000, 2), (14_000, 1)] {
            assert!(says(&mut claims, second, device, 50).is_none(), "at {second}");
        }
    }
}

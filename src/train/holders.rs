//! Who had which address while it was learned, as leases (DHCP) tell.

use std::collections::VecDeque;

use crate::feature::{Host, Observation};
use crate::model::Map;
use crate::sighting::Sighting;
use crate::time::Timestamp;
use crate::wire::Mac;

/// Addresses whose leases are followed at the most; of further ones nothing is known.
const MAX_ADDRESSES: usize = 200_000;
/// Holders of an address that are remembered: a long flow is told of when others have it already.
const MAX_HOLDERS: usize = 4;

/// The devices to which addresses were leased, and since when. Bounded.
#[derive(Debug, Default)]
pub struct Holders {
    by_address: Map<Host, VecDeque<(Timestamp, Mac)>>,
}

impl Holders {
    /// Takes what a frame said.
    pub fn observe(&mut self, sighting: &Sighting) {
        let Some((address, mac)) = sighting.lease() else { return };
        let host = Host(address);
        if self.by_address.len() >= MAX_ADDRESSES && !self.by_address.contains_key(&host) {
            return;
        }
        let holders = self.by_address.entry(host).or_default();
        if holders.back().is_some_and(|&(_, last)| last == mac) {
            return;
        }
        if holders.len() >= MAX_HOLDERS {
            holders.pop_front();
        }
        holders.push_back((sighting.time, mac));
    }

    /// Puts the interfaces of those who had the addresses of an observation when it began in the place of what the link layer says.
    pub fn apply(&self, seen: &mut Observation) {
        if self.by_address.is_empty() {
            return;
        }
        let holder = |host: Host| {
            let holders = self.by_address.get(&host)?;
            // It may have begun with the very lease.
            holders.iter().rev().find(|&&(since, _)| since <= seen.end).map(|&(_, mac)| mac)
        };
        let holders = [seen.orig, seen.resp].map(holder);
        for (place, is_local) in [seen.orig_local, seen.resp_local].into_iter().enumerate() {
            if let Some(mac) = holders[place].filter(|_| is_local) {
                // Between it and here a router may lie: the frame is not the device's own then.
                seen.crossed_router &= place > 0 || seen.macs[0] == mac;
                (seen.macs[place], seen.leased[place]) = (mac, true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::DhcpMessage;
    use crate::flow::testing::packet;
    use crate::flow::{FlowKey, FlowLimits, HomeNets, Shard};
    use crate::sighting::Seen;

    const ROUTER: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const MAC: Mac = Mac([2, 0, 0, 0, 0, 5]);
    const OTHER: Mac = Mac([2, 0, 0, 0, 0, 6]);

    /// A flow of an address at home behind a router that lasted until this second.
    fn until(second: i64, is_local: bool) -> Observation {
        let (limits, home) = (FlowLimits::default().check().unwrap(), HomeNets::default());
        let (mut shard, mut out, packet) = (Shard::default(), Vec::new(), packet(second * 1000, 1, 4000, 2, 53, 17));
        let (key, from_low) = FlowKey::of(&packet);
        shard.packet((key, from_low, key.hash()), &packet, &[], (&limits, &home), &mut out);
        shard.finish(&limits, packet.time, &mut out);
        let mut seen = Observation::of(&out[0], Timestamp::from_parts(second + 60, 0), &home);
        (seen.macs, seen.orig_local) = ([ROUTER; 2], is_local);
        seen
    }

    fn lease(second: i64, of: Host, mac: Mac, kind: &'static str) -> Sighting {
        let message = DhcpMessage {
            kind,
            from_server: kind != "request",
            client_mac: Some(mac.0),
            address: Some(of.0),
            ..DhcpMessage::default()
        };
        let time = Timestamp::from_parts(second, 0);
        Sighting { time, src_mac: ROUTER, src: None, dst: None, vlans: [0; 2], what: Seen::Dhcp(Box::new(message)) }
    }

    #[test]
    fn a_flow_is_of_who_had_its_address_then() {
        let host = until(0, true).orig;
        let mut holders = Holders::default();
        holders.observe(&lease(100, host, MAC, "request"));
        let of = |holders: &Holders, second, is_local| {
            let mut seen = until(second, is_local);
            holders.apply(&mut seen);
            (seen.macs, seen.leased)
        };
        assert_eq!(of(&holders, 200, true), ([ROUTER; 2], [false; 2]), "what it asks for it has not");
        holders.observe(&lease(100, host, MAC, "ack"));
        holders.observe(&lease(1000, host, MAC, "ack"));
        holders.observe(&lease(5000, host, OTHER, "ack"));
        assert_eq!(of(&holders, 50, true), ([ROUTER; 2], [false; 2]));
        assert_eq!(of(&holders, 200, true), ([MAC, ROUTER], [true, false]), "told of after others had it");
        assert_eq!(of(&holders, 6000, true), ([OTHER, ROUTER], [true, false]));
        assert_eq!(of(&holders, 6000, false), ([ROUTER; 2], [false; 2]), "nobody at home leases addresses outside");
    }

    #[test]
    fn who_is_behind_a_router_hides_nobody() {
        let host = until(0, true).orig;
        let mut holders = Holders::default();
        holders.observe(&lease(100, host, MAC, "ack"));
        let hides = |mac: Mac| {
            let mut seen = until(200, true);
            (seen.macs[0], seen.crossed_router) = (mac, true);
            holders.apply(&mut seen);
            seen.is_from_behind()
        };
        assert_eq!([MAC, ROUTER].map(hides), [true, false]);
    }
}

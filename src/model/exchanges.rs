//! How much is asked within one hour: in each conversation between devices at home, and of each service at home from outside.
//!
//! An exchange is something said and what comes back. Who reads the records of a server one after the other has many within one connection,
//! and whoever tries one account after the other has a few in each of many: neither shows in the number of connections.

use serde::{Deserialize, Serialize};

use super::window::{Conversation, Map, sorted};
use crate::feature::{Host, Observation};
use crate::flow::Service;

/// Conversations at home followed within one hour; those beyond are not. Some 80 bytes each; seven eighths of a table, as of those below.
const MAX_ASKING: usize = 229_376;
/// Clients of a service that are kept apart, those with the most.
const MOST: usize = 4;
/// Services followed that are asked from outside, each with those clients; some 240 bytes each.
const MAX_ASKED: usize = 57_344;

/// Who has the exchanges that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who asks, being at home, of a service at home.
    Asking,
    /// Who is asked, being at home, from outside.
    Asked,
}

impl Side {
    /// The side on which an observation counts; none of what is no asking.
    #[must_use]
    pub fn of(seen: &Observation) -> Option<Self> {
        let are_devices = seen.orig.is_device() && seen.resp.is_device();
        (seen.asks() && seen.resp_local && are_devices).then_some(if seen.orig_local { Self::Asking } else { Self::Asked })
    }
}

/// Exchanges of one hour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Exchanges {
    asking: Map<Conversation, u32>,
    asked: Map<(Host, Service), (u32, Most)>,
}

/// A few devices with the most exchanges.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Most([Option<(Host, u32)>; MOST]);

impl Most {
    /// Counts more of a device. One that was not among them takes the place of the last, whose count is the most that it can have had
    /// (Metwally, Agrawal and El Abbadi 2005, space-saving).
    fn add(&mut self, device: Host, exchanges: u32) {
        let place = self.place(device);
        *place = Some((device, place.map_or(0, |(_, count)| count).saturating_add(exchanges)));
    }

    /// The place of a device, or that of the one with the least.
    fn place(&mut self, device: Host) -> &mut Option<(Host, u32)> {
        let is_it = |place: &Option<(Host, u32)>| place.is_some_and(|(kept, _)| kept == device);
        let least = |(_, place): &(usize, &Option<(Host, u32)>)| place.map_or(0, |(_, count)| count);
        let found = self.0.iter().position(is_it).or_else(|| self.0.iter().enumerate().min_by_key(least).map(|(at, _)| at));
        &mut self.0[found.unwrap_or(0)]
    }

    fn but(&self, device: Host) -> impl Iterator<Item = u32> {
        self.0.iter().flatten().filter(move |(other, _)| *other != device).map(|&(_, count)| count)
    }
}

impl Exchanges {
    /// Counts those of an observation on one of its sides.
    pub fn add(&mut self, seen: &Observation, side: Side) {
        let exchanges = seen.exchanges();
        let (conversation, service) = ((seen.orig, seen.resp, seen.service), (seen.resp, seen.service));
        match side {
            _ if exchanges == 0 => {}
            Side::Asking if self.asking.len() < MAX_ASKING || self.asking.contains_key(&conversation) => {
                let count = self.asking.entry(conversation).or_default();
                *count = count.saturating_add(exchanges);
            }
            Side::Asked if self.asked.len() < MAX_ASKED || self.asked.contains_key(&service) => {
                let (count, clients) = self.asked.entry(service).or_default();
                *count = count.saturating_add(exchanges);
                clients.add(seen.orig, exchanges);
            }
            _ => {}
        }
    }

    /// How many a conversation has so far, or a service that is asked from outside; of these without those of the busiest other client, for whom the
    /// present one cannot help.
    #[must_use]
    pub fn of(&self, seen: &Observation, side: Side) -> u32 {
        match side {
            Side::Asking => self.asking.get(&(seen.orig, seen.resp, seen.service)).copied().unwrap_or(0),
            Side::Asked => {
                let asked = |(count, clients): &(u32, Most)| count.saturating_sub(clients.but(seen.orig).max().unwrap_or(0));
                self.asked.get(&(seen.resp, seen.service)).map_or(0, asked)
            }
        }
    }

    /// All of one side, in order: of whom, with which service.
    #[must_use]
    pub fn in_order(&self, side: Side) -> Vec<((Host, Service), u32)> {
        match side {
            Side::Asking => {
                sorted(&self.asking).into_iter().map(|((orig, _, service), count)| ((orig, service), count)).collect()
            }
            Side::Asked => sorted(&self.asked).into_iter().map(|(key, (count, _))| (key, count)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;
    use crate::detect::testing::{flow, host};
    use crate::feature::{BYTES_ORIG, BYTES_RESP};

    const WEB: Service = Service { protocol: 6, port: 443 };

    /// So many exchanges of a device with device 100; those beyond 200 are outside.
    fn exchanges(device: u8, count: u32) -> Observation {
        let (_, mut seen) = flow(0, device, 100, 443, true);
        seen.vector[crate::feature::TURNS] = 2.0 * count as f32 - 1.0;
        (seen.orig_local, seen.resp_local) = (device < 200, true);
        seen
    }

    fn of(exchanges: &Exchanges, seen: &Observation) -> u32 {
        exchanges.of(seen, Side::of(seen).unwrap())
    }

    #[test]
    fn what_is_asked_is_counted_of_who_asks_and_from_outside_of_who_is_asked() {
        let mut hour = Exchanges::default();
        for seen in [exchanges(1, 5), exchanges(1, 7), exchanges(2, 1), exchanges(201, 9), exchanges(202, 1), exchanges(203, 2)] {
            hour.add(&seen, Side::of(&seen).unwrap());
        }
        assert_eq!([1, 2, 3].map(|device| of(&hour, &exchanges(device, 1))), [12, 1, 0]);
        assert_eq!(hour.in_order(Side::Asking), [((host(1), WEB), 12), ((host(2), WEB), 1)]);
        assert_eq!(hour.in_order(Side::Asked), [((host(100), WEB), 12)]);
        assert_eq!([201, 202].map(|client| of(&hour, &exchanges(client, 1))), [10, 3], "the busiest other does not count");
    }

    #[test]
    fn consoles_images_datagrams_proxies_the_way_out_and_what_is_handed_in_are_no_asking() {
        let side = |change: fn(&mut Observation)| {
            let mut seen = exchanges(1, 5);
            change(&mut seen);
            Side::of(&seen)
        };
        assert_eq!(side(|_| ()), Some(Side::Asking));
        assert_eq!(side(|seen| seen.orig_local = false), Some(Side::Asked));
        let others: [fn(&mut Observation); 6] = [
            |seen| seen.vector[BYTES_ORIG] = 3.0 * seen.vector[BYTES_RESP] + 1.0,
            |seen| seen.app = App::Ssh,
            |seen| seen.app = App::Dicom,
            |seen| seen.service.protocol = 17,
            |seen| seen.passed_on = true,
            |seen| seen.resp_local = false,
        ];
        assert_eq!(others.map(side), [None; 6]);
    }

    #[test]
    fn a_crowd_of_clients_does_not_grow_what_is_kept() {
        let mut hour = Exchanges::default();
        for client in 0..3_000_u32 {
            let mut seen = exchanges(201, 1);
            seen.orig = Host(crate::wire::Addr::v4((0xcb00_7100 + client).to_be_bytes()));
            hour.add(&seen, Side::Asked);
        }
        // What each of the four kept may have had is a quarter of all.
        assert_eq!(of(&hour, &exchanges(202, 1)), 2_250);
        for port in 0..=u16::MAX {
            let mut seen = exchanges(201, 1);
            seen.service.port = port;
            hour.add(&seen, Side::Asked);
        }
        assert_eq!(hour.asked.len(), MAX_ASKED);
    }
}

//! Who comes from outside to the same service again and again and says as much each time.
//!
//! What is encrypted still shows how long it is: whoever tries one password after the other says nearly the same in each connection, and whoever works
//! with a service does not. Where many take turns, each of them with few attempts, none of them shows alone; together they do.

use serde::{Deserialize, Serialize};

use super::window::Map;
use crate::feature::{BYTES_ORIG, Host, Observation};
use crate::flow::Service;
use crate::time::{Span, Timestamp};

/// Services followed at the most; some 10 kB each where many come.
const MOST_SERVICES: usize = 4096;
/// Clients of one, with each length, at the most: who came least makes room.
const MOST: usize = 256;
/// Lengths so near are the same, in bytes: names and passwords differ by less.
const ALIKE_BYTES: f32 = 32.0;
/// For as long it is counted.
const LENGTH: Span = Span::from_secs(3600);

/// Connections of the last hour, at the most, by strangers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeated {
    /// Those that were as long as an earlier one of the same stranger.
    pub repeats: u32,
    /// Strangers who had such.
    pub clients: u32,
}

/// What strangers came with to one service.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Strangers {
    since: Timestamp,
    /// A client, a length and how often.
    alike: Vec<(Host, u32, u32)>,
    repeated: Repeated,
}

/// By service of a device at home. Bounded.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Repeats {
    services: Map<(Host, Service), Strangers>,
}

impl Repeats {
    /// Counts a connection of which `is_known` says whether the service knows its client. Is it as long as one before?
    pub fn add(&mut self, seen: &Observation, is_known: impl FnOnce() -> bool) -> bool {
        seen.may_try() && self.count(seen, is_known).is_some_and(|count| count > 1)
    }

    fn count(&mut self, seen: &Observation, is_known: impl FnOnce() -> bool) -> Option<u32> {
        let key = (seen.resp, seen.service);
        let is_over = |strangers: &Strangers| seen.seen.since(strangers.since) >= LENGTH;
        let own = self.services.get(&key).filter(|strangers| !is_over(strangers));
        let is_followed = own.is_some_and(|strangers| strangers.alike.iter().any(|&(client, ..)| client == seen.orig));
        if !is_followed && is_known() {
            return None;
        }
        if self.services.len() >= MOST_SERVICES && !self.services.contains_key(&key) {
            self.services.retain(|_, strangers| !is_over(strangers));
            if self.services.len() >= MOST_SERVICES {
                return None;
            }
        }
        let begin = || Strangers { since: seen.seen, alike: Vec::new(), repeated: Repeated::default() };
        let strangers = self.services.entry(key).or_insert_with(begin);
        if is_over(strangers) {
            *strangers = begin();
        }
        let length = length(seen);
        let Some((.., count)) = strangers.alike.iter_mut().find(|&&mut (client, of, _)| (client, of) == (seen.orig, length))
        else {
            if strangers.alike.len() >= MOST {
                // The first of those that came least. What they repeated stays counted.
                let least = strangers.alike.iter().enumerate().min_by_key(|(_, (.., count))| *count)?.0;
                strangers.alike.remove(least);
            }
            strangers.alike.push((seen.orig, length, 1));
            return Some(1);
        };
        *count = count.saturating_add(1);
        let (count, own) = (*count, |&&(client, _, count): &&(Host, u32, u32)| client == seen.orig && count > 1);
        // Its first repeat, of whatever length.
        let is_first = count == 2 && strangers.alike.iter().filter(own).count() == 1;
        strangers.repeated.repeats = strangers.repeated.repeats.saturating_add(1);
        strangers.repeated.clients = strangers.repeated.clients.saturating_add(u32::from(is_first));
        Some(count)
    }

    /// All repeats of the service within the hour, where the connection is one of them.
    #[must_use]
    pub fn of(&self, seen: &Observation) -> Option<Repeated> {
        if !seen.may_try() {
            return None;
        }
        let strangers = self.services.get(&(seen.resp, seen.service))?;
        let own = (seen.orig, length(seen));
        let is_own = |&(client, of, count): &(Host, u32, u32)| (client, of) == own && count > 1;
        strangers.alike.iter().any(is_own).then_some(strangers.repeated)
    }
}

fn length(seen: &Observation) -> u32 {
    (seen.vector[BYTES_ORIG] / ALIKE_BYTES) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;
    use crate::detect::testing::{flow, host};

    /// A connection by TLS of a client outside, with so many bytes.
    fn comes(second: i64, client: u8, bytes: f32) -> Observation {
        let (_, mut seen) = flow(second * 1000, client, 100, 443, true);
        (seen.app, seen.orig_local, seen.resp_local) = (App::Tls, false, true);
        seen.vector[BYTES_ORIG] = bytes;
        seen
    }

    #[test]
    fn what_is_as_long_as_before_is_counted_of_strangers_for_an_hour() {
        let mut repeats = Repeats::default();
        let mut add = |second, client, bytes| {
            let seen = comes(second, client, bytes);
            repeats.add(&seen, || client == 9).then(|| repeats.of(&seen).unwrap())
        };
        assert_eq!(
            [add(0, 1, 970.0), add(1, 1, 1500.0), add(2, 9, 970.0), add(3, 9, 970.0)],
            [None; 4],
            "others and whom it knows"
        );
        assert_eq!(add(4, 1, 979.0), Some(Repeated { repeats: 1, clients: 1 }));
        assert_eq!([add(5, 2, 979.0), add(6, 2, 960.0)], [None, Some(Repeated { repeats: 2, clients: 2 })]);
        assert_eq!(add(7, 1, 1500.0), Some(Repeated { repeats: 3, clients: 2 }), "another length of the same client");
        assert_eq!(add(3600, 2, 960.0), None, "another hour");
        let mut known = Repeats::default();
        let mut add = |second, is_known| known.add(&comes(second, 1, 970.0), || is_known);
        let hours =
            [(0, false), (9, true), (3600, true), (3601, true), (7300, false)].map(|(second, is_known)| add(second, is_known));
        assert_eq!(hours, [false, true, false, false, false], "for the hour in which it was a stranger, as long as that lasts");
    }

    #[test]
    fn what_is_plain_goes_out_or_stays_at_home_is_not_counted() {
        let told = |change: fn(&mut Observation)| {
            let (mut repeats, mut seen) = (Repeats::default(), comes(0, 1, 970.0));
            change(&mut seen);
            [repeats.add(&seen, || false), repeats.add(&seen, || false)][1]
        };
        assert!(told(|_| ()) && told(|seen| seen.app = App::Ssh));
        let others: [fn(&mut Observation); 5] = [
            |seen| seen.app = App::Http,
            |seen| seen.orig_local = true,
            |seen| seen.resp_local = false,
            |seen| seen.continued = true,
            |seen| seen.failed = true,
        ];
        assert_eq!(others.map(told), [false; 5]);
    }

    #[test]
    fn a_crowd_that_comes_once_hides_nobody_and_takes_no_room() {
        let mut repeats = Repeats::default();
        let of = |address: u32, bytes| Observation {
            orig: Host(crate::wire::Addr::v4((0xcb00_0000 + address).to_be_bytes())),
            ..comes(0, 1, bytes)
        };
        let mut last = None;
        for n in 0..3000 {
            assert!(!repeats.add(&of(n, 600.0), || false));
            if n % 20 == 0 {
                let seen = of(100_000, 979.0);
                repeats.add(&seen, || false);
                last = repeats.of(&seen);
            }
        }
        assert_eq!(last, Some(Repeated { repeats: 149, clients: 1 }));
        assert_eq!(repeats.services[&(host(100), Service { protocol: 6, port: 443 })].alike.len(), MOST);
        // Who comes twice with many lengths makes no room for himself alone.
        let mut repeats = Repeats::default();
        (0..2 * MOST as u32).for_each(|n| _ = repeats.add(&of(1, n as f32 / 2.0 * ALIKE_BYTES + 1.0), || false));
        assert!(!repeats.add(&of(2, 979.0), || false) && repeats.add(&of(2, 979.0), || false));
        assert_eq!(repeats.of(&of(2, 979.0)).map(|all| all.repeats), Some(MOST as u32 + 1));
    }
}

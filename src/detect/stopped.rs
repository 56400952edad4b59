//! Servers to which several fall silent: it is the server, or the way to it, and one incident.

use serde::{Deserialize, Serialize};

use super::pruning::Pruning;
use crate::feature::Host;
use crate::flow::Service;
use crate::model::{Edge, Map};
use crate::time::{Span, Timestamp};

/// Servers and services remembered at the most.
const MAX_EDGES: usize = 10_000;
/// Devices that fell silent to a server within the period below, of whom the rest is told as one.
const SEVERAL: usize = 3;
const PERIOD: Span = Span::from_secs(3600);
/// Conversations of a service told within a day as silent of devices that go on: where there are more, it is how these are used.
const MOST_ALONE: u32 = 3;
const DAY: Span = Span::from_secs(86_400);

/// To whom devices fell silent lately. Bounded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Stopped {
    /// When the first of them did, and who: of several, the first.
    silent: Map<Edge, (Timestamp, Vec<Host>)>,
    /// By service since when, and how many, were told of devices that go on.
    alone: Map<Service, (Timestamp, u32)>,
    #[serde(skip)]
    pruning: Pruning,
}

impl Stopped {
    /// Another device fell silent to this server.
    pub fn note(&mut self, device: Host, with: Edge, now: Timestamp) {
        if self.silent.len() >= MAX_EDGES && !self.silent.contains_key(&with) {
            if self.pruning.is_due(now) {
                self.silent.retain(|_, (since, _)| now.since(*since) < PERIOD);
            }
            if self.silent.len() >= MAX_EDGES {
                return;
            }
        }
        let (since, devices) = self.silent.entry(with).or_insert((now, Vec::new()));
        if now.since(*since) >= PERIOD {
            (*since, *devices) = (now, Vec::new());
        }
        if devices.len() < SEVERAL && !devices.contains(&device) {
            devices.push(device);
        }
    }

    /// Is it rare that a service falls silent while the device goes on, so that this is worth telling?
    pub fn is_rare(&mut self, service: Service, now: Timestamp) -> bool {
        if self.alone.len() >= MAX_EDGES && !self.alone.contains_key(&service) {
            self.alone.retain(|_, (since, _)| now.since(*since) < DAY);
            if self.alone.len() >= MAX_EDGES {
                return false;
            }
        }
        let (since, told) = self.alone.entry(service).or_insert((now, 0));
        if now.since(*since) >= DAY {
            (*since, *told) = (now, 0);
        }
        *told = told.saturating_add(1);
        *told <= MOST_ALONE
    }

    /// Is it the server that is silent, so far as several are?
    #[must_use]
    pub fn is_server(&self, with: Edge) -> bool {
        self.silent.get(&with).is_some_and(|(_, devices)| devices.len() >= SEVERAL)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::host;
    use super::*;
    use crate::flow::Service;

    #[test]
    fn three_within_an_hour_make_the_server_silent() {
        let with = |port| Edge { service: Service { protocol: 6, port }, peer: host(100) };
        let mut stopped = Stopped::default();
        let mut note = |(device, second): (u8, i64)| {
            stopped.note(host(device), with(2575), Timestamp::from_parts(second, 0));
            stopped.is_server(with(2575))
        };
        let told = [(1, 0), (1, 5), (2, 10), (2, 15), (3, 20), (4, 30), (1, 3600), (2, 3610), (3, 3620)].map(&mut note);
        assert_eq!(told, [false, false, false, false, true, true, false, false, true]);
        assert!(!stopped.is_server(with(104)));
    }

    #[test]
    fn a_service_that_stops_often_while_devices_go_on_is_used_so() {
        let mut stopped = Stopped::default();
        let mut is_rare =
            |(port, second): (u16, i64)| stopped.is_rare(Service { protocol: 6, port }, Timestamp::from_parts(second, 0));
        let told = [(7100, 0), (7100, 9), (7100, 20), (7100, 30), (7200, 40), (7100, 86_399), (7100, 86_400)].map(&mut is_rare);
        assert_eq!(told, [true, true, true, false, true, false, true]);
    }
}

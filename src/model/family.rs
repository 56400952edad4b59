//! Which values are alternatives to each other.

use core::net::{IpAddr, Ipv6Addr};
use std::hash::Hash;
use std::ops::RangeInclusive;

use super::counts::Value;
use super::window::{Edge, Shape};
use crate::feature::{Fact, Host};
use crate::flow::Service;
use crate::wire::Addr;

/// A value that a device may show, one of a family of alternatives.
pub trait Family: Value + Hash {
    /// The first and the last of its family in their order.
    fn family(&self) -> RangeInclusive<Self>;

    /// The families by which a device shows what this one is for.
    fn families(&self) -> impl Iterator<Item = RangeInclusive<Self>> {
        std::iter::once(self.family())
    }
}

impl Family for Service {
    /// All services.
    fn family(&self) -> RangeInclusive<Self> {
        Self { protocol: 0, port: 0 }..=Self { protocol: u8::MAX, port: u16::MAX }
    }
}

impl Family for Edge {
    /// The same service of any peer.
    fn family(&self) -> RangeInclusive<Self> {
        // IPv4 lies within the order of IPv6.
        let peer = |bits: u128| Self { service: self.service, peer: Host(Addr::from(IpAddr::V6(Ipv6Addr::from(bits)))) };
        peer(0)..=peer(u128::MAX)
    }

    /// The same service of any peer; of what fetches pages, all three.
    fn families(&self) -> impl Iterator<Item = RangeInclusive<Self>> {
        let (service, peer) = (self.service, self.peer);
        let of_web = if service.is_web() { &Service::WEB[..] } else { &[] };
        let own = (!service.is_web()).then_some(service);
        own.into_iter().chain(of_web.iter().copied()).map(move |service| Self { service, peer }.family())
    }
}

impl Family for Fact {
    /// Facts of the same kind.
    fn family(&self) -> RangeInclusive<Self> {
        Self::all(self.kind)
    }
}

impl Family for Shape {
    /// The same service in any way.
    fn family(&self) -> RangeInclusive<Self> {
        Self { service: self.service, behaviour: 0 }..=Self { service: self.service, behaviour: u16::MAX }
    }
}

impl Value for Edge {
    /// The service and the bits of an IPv4 address.
    type Short = (Service, u32);

    fn short(self) -> Option<Self::Short> {
        self.peer.0.is_v4().then_some((self.service, self.peer.0.bits() as u32))
    }

    fn of((service, bits): Self::Short) -> Self {
        Self { service, peer: Host(Addr::v4(bits.to_be_bytes())) }
    }
}

/// Values that are short as they are.
macro_rules! short {
    ($($value:ty),+) => {
        $(impl Value for $value {
            type Short = Self;
            fn short(self) -> Option<Self> {
                Some(self)
            }
            fn of(short: Self) -> Self {
                short
            }
        })+
    };
}

short!(Service, Fact, Shape);

#[cfg(test)]
mod tests {
    use super::super::counts::{Counts, Life};
    use super::*;

    #[test]
    fn peers_of_one_service_are_a_family() {
        let edge = |port, addr: &str| Edge { service: Service { protocol: 6, port }, peer: addr.parse().unwrap() };
        let family = edge(22, "10.0.0.1").family();
        for addr in ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "10.9.8.7"] {
            assert!(
                family.contains(&edge(22, addr)) && !family.contains(&edge(21, addr)) && !family.contains(&edge(23, addr)),
                "{addr}"
            );
        }
    }

    #[test]
    fn short_forms_are_in_the_order_of_what_they_stand_for() {
        let edge = |addr: &str| Edge { service: Service { protocol: 6, port: 22 }, peer: addr.parse().unwrap() };
        let edges = ["0.0.0.0", "10.0.0.1", "10.0.1.0", "255.255.255.255"].map(edge);
        assert!(edges.is_sorted() && edges.map(Value::short).is_sorted());
        assert_eq!(edges.map(|edge| edge.short().map(Edge::of)), edges.map(Some));
        assert_eq!(edge("fd00::1").short(), None);
        assert_eq!((size_of::<(<Edge as Value>::Short, u32)>(), size_of::<(Edge, u32)>(), size_of::<Fact>()), (12, 24, 12));
    }

    #[test]
    fn a_device_that_reads_many_pages_reads_another_by_whichever_protocol() {
        let edge =
            |protocol, port, peer: u8| Edge { service: Service { protocol, port }, peer: Host(Addr::v4([192, 0, 2, peer])) };
        let mut edges = Counts::default();
        (1..=60).for_each(|peer| edges.add(edge(6, 443, peer), 1));
        edges.add(edge(6, 22, 1), 60);
        let p = |new: Edge| edges.unseen(new.families(), 0.0, 0.0, Life { minutes: 600.0, late_minutes: 0.0 }).p();
        assert!(p(edge(6, 443, 99)) > 0.05);
        assert_eq!([p(edge(17, 443, 99)), p(edge(6, 80, 99))], [p(edge(6, 443, 99)); 2]);
        assert!(p(edge(6, 22, 99)) < 0.01, "which says nothing of log-ins");
    }
}

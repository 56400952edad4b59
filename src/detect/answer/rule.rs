//! What an answer hides.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::daily::Daily;
use super::subject::Subject;
use super::text::{list, maybe_moment};
use crate::detect::Class;
use crate::feature::Host;
use crate::flow::{Net, Service};
use crate::time::Timestamp;

/// Who began a conversation, seen from the device that an incident is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The other end.
    In,
    /// The device.
    Out,
}

/// An IP protocol by its number: `tcp`, `udp`, `icmp`, `icmpv6`, `sctp` or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol(pub u8);

/// By the names that services have.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = Service { protocol: self.0, port: 0 }.to_string();
        f.write_str(service.trim_end_matches("/0"))
    }
}

impl FromStr for Protocol {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let service: Result<Service, _> = format!("{text}/0").parse();
        let wanted = || format!("{text:?} is no protocol: wanted tcp, udp, icmp, icmpv6, sctp or a number up to 255");
        service.map(|service| Self(service.protocol)).map_err(|_| wanted())
    }
}

/// Which incidents are hidden: those that lie within every criterion that is given. A list that is empty asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Classes by their names, or `any` alone.
    pub class: Vec<String>,
    /// Networks that hold all devices that it is about.
    #[serde(with = "list", skip_serializing_if = "Vec::is_empty")]
    pub host: Vec<Net>,
    /// Networks that hold all other ends.
    #[serde(with = "list", skip_serializing_if = "Vec::is_empty")]
    pub peer: Vec<Net>,
    /// All services that there are.
    #[serde(with = "list", skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<Service>,
    /// All ports that there are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub port: Vec<u16>,
    /// All protocols that there are.
    #[serde(with = "list", skip_serializing_if = "Vec::is_empty")]
    pub proto: Vec<Protocol>,
    /// Who began the flow that shows the incident best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Names of servers or AE titles, of which each conversation says one; `*.example.org` is every name that ends so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub name: Vec<String>,
    /// Bits that it may have at the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_to_bits: Option<f64>,
    /// Part of the day, in UTC, that holds it from its first to its last packet.
    #[serde(with = "maybe_daily", skip_serializing_if = "Option::is_none")]
    pub between: Option<Daily>,
    /// Lines raised from here on.
    #[serde(with = "maybe_moment", skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Lines raised before this.
    #[serde(with = "maybe_moment", skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

mod maybe_daily {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Daily;

    pub fn serialize<S: Serializer>(daily: &Option<Daily>, to: S) -> Result<S::Ok, S::Error> {
        match daily {
            Some(daily) => to.collect_str(daily),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Daily>, D::Error> {
        String::deserialize(from)?.parse().map(Some).map_err(serde::de::Error::custom)
    }
}

/// Stands for every class.
pub(super) const ANY: &str = "any";

/// Why an incident cannot be learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LearnError {
    /// There was more to it than is named.
    #[error("it had more to it than its line names, so what is to be normal cannot be said")]
    Incomplete,
    /// It names no other end.
    #[error("it names no peer")]
    NoPeer,
}

impl Rule {
    /// What is to be normal when an incident is learned: its class, of its devices, with its peers on its services; any of them where
    /// that is said.
    ///
    /// # Errors
    /// When the incident does not name what would limit the rule.
    pub fn learned(it: &Subject, any_peer: bool, any_service: bool) -> Result<Self, LearnError> {
        if !(it.is_complete || any_peer && any_service) {
            return Err(LearnError::Incomplete);
        }
        if it.peers.is_empty() && !any_peer {
            return Err(LearnError::NoPeer);
        }
        Ok(Self {
            class: vec![it.class.info().name.to_owned()],
            host: only(&it.hosts),
            peer: if any_peer { Vec::new() } else { only(&it.peers) },
            service: if any_service { Vec::new() } else { it.services.clone() },
            from: Some(it.first),
            ..Self::default()
        })
    }

    /// What is not told when an incident is muted: its class, of its devices, from its beginning on.
    #[must_use]
    pub fn muted(it: &Subject) -> Self {
        Self { class: vec![it.class.info().name.to_owned()], host: only(&it.hosts), from: Some(it.first), ..Self::default() }
    }

    /// What is wrong with it; nothing for a rule that can be applied.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let any = self.class.iter().any(|name| name == ANY);
        let unknown = self.class.iter().find(|name| *name != ANY && Class::named(name).is_none());
        if let Some(name) = unknown {
            let classes = Class::ALL.map(|class| class.info().name).join(", ");
            return Some(format!("{name:?} is no class (wanted {ANY} or some of {classes})"));
        }
        if self.class.is_empty() || any && self.class.len() > 1 {
            return Some("wanted classes, or \"any\" alone".to_owned());
        }
        let narrows = [self.host.len(), self.peer.len(), self.service.len(), self.port.len(), self.proto.len(), self.name.len()];
        if any && narrows.iter().all(|&len| len == 0) {
            return Some("it would hide everything: give a host, a peer, a port, a protocol or a name".to_owned());
        }
        if self.up_to_bits.is_some_and(|bits| !bits.is_finite()) {
            return Some("up_to_bits is no number".to_owned());
        }
        let ends = self.from.zip(self.until).is_some_and(|(from, until)| until <= from);
        ends.then(|| "it ends before it begins".to_owned())
    }

    /// Does it hide this? Only what lies within it as a whole: an incident with one other peer is told.
    #[must_use]
    pub fn hides(&self, it: &Subject) -> bool {
        self.holds_at(it) && self.hides_class(it.class) && self.hides_ends(it)
    }

    fn holds_at(&self, it: &Subject) -> bool {
        self.from.is_none_or(|from| it.raised >= from)
            && self.until.is_none_or(|until| it.raised < until)
            && self.between.is_none_or(|between| between.holds(it.first, it.last))
            && self.up_to_bits.is_none_or(|most| it.bits <= most)
    }

    fn hides_class(&self, class: Class) -> bool {
        self.class.iter().any(|name| name == ANY || name == class.info().name)
    }

    fn hides_ends(&self, it: &Subject) -> bool {
        let all_in = |nets: &[Net], hosts: &[Host]| hosts.iter().all(|host| nets.iter().any(|net| net.contains(host.0)));
        let needs_all = [self.peer.len(), self.service.len(), self.port.len(), self.proto.len(), self.name.len()];
        if !it.is_complete && needs_all.iter().any(|&len| len > 0) {
            return false;
        }
        let of_services =
            |wanted: bool, fits: &dyn Fn(&Service) -> bool| !wanted || !it.services.is_empty() && it.services.iter().all(fits);
        (self.host.is_empty() || all_in(&self.host, &it.hosts))
            && (self.peer.is_empty() || !it.peers.is_empty() && all_in(&self.peer, &it.peers))
            && of_services(!self.service.is_empty(), &|service| self.service.contains(service))
            && of_services(!self.port.is_empty(), &|service| has_port(*service) && self.port.contains(&service.port))
            && of_services(!self.proto.is_empty(), &|service| self.proto.contains(&Protocol(service.protocol)))
            && self.direction.is_none_or(|direction| direction == it.direction)
            && (self.name.is_empty() || !it.names.is_empty() && it.names.iter().all(|names| self.names_one_of(names)))
    }

    fn names_one_of(&self, said: &[Box<str>]) -> bool {
        let is = |wanted: &str, said: &str| match wanted.strip_prefix('*') {
            Some(end) if end.starts_with('.') => {
                let start = said.len().checked_sub(end.len()).filter(|&start| start > 0);
                start.and_then(|start| said.get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
            }
            _ => wanted.eq_ignore_ascii_case(said),
        };
        said.iter().any(|said| self.name.iter().any(|wanted| is(wanted, said)))
    }
}

/// Networks of one address each.
fn only(hosts: &[Host]) -> Vec<Net> {
    hosts.iter().map(|host| Net::only(host.0)).collect()
}

/// TCP, UDP and SCTP have ports; what ICMP has there is a type.
const fn has_port(service: Service) -> bool {
    matches!(service.protocol, 6 | 17 | 132)
}

/// `exfiltration of 10.60.40.23 with 192.0.2.1, on tcp/443, from …`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn some<T: fmt::Display>(f: &mut fmt::Formatter<'_>, before: &str, values: &[T]) -> fmt::Result {
            const MOST: usize = 4;
            let named: Vec<String> = values.iter().take(MOST).map(ToString::to_string).collect();
            let more = values.len().saturating_sub(MOST);
            match (named.is_empty(), more) {
                (true, _) => Ok(()),
                (false, 0) => write!(f, "{before}{}", named.join(" ")),
                (false, more) => write!(f, "{before}{} and {more} more", named.join(" ")),
            }
        }
        some(f, "", &self.class)?;
        some(f, " of ", &self.host)?;
        some(f, " with ", &self.peer)?;
        some(f, " on ", &self.service)?;
        some(f, " on port ", &self.port)?;
        some(f, " by ", &self.proto)?;
        some(f, " named ", &self.name)?;
        match self.direction {
            Some(Direction::In) => f.write_str(" begun by the other end")?,
            Some(Direction::Out) => f.write_str(" begun by the device")?,
            None => {}
        }
        if let Some(bits) = self.up_to_bits {
            write!(f, " up to {bits} bits")?;
        }
        if let Some(between) = self.between {
            write!(f, " between {between}")?;
        }
        some(f, " from ", self.from.as_slice())?;
        some(f, " until ", self.until.as_slice())
    }
}

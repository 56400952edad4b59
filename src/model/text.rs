//! Text forms of keys, so that a model file can be read by a person and its maps have plain keys.

use core::fmt;
use core::str::FromStr;

use super::commons::Kind;
use super::window::{Edge, Shape};
use crate::feature::FactKind;
use crate::flow::Service;
use crate::wire::Mac;

/// A key that is not in the form that the model file uses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {wanted}")]
pub struct ParseKeyError {
    text: String,
    wanted: &'static str,
}

/// `tcp/443`, `udp/53`, `icmp/8`, `47/0`, `arp`.
impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            _ if *self == Self::ARP => f.write_str("arp"),
            1 => write!(f, "icmp/{}", self.port),
            6 => write!(f, "tcp/{}", self.port),
            17 => write!(f, "udp/{}", self.port),
            58 => write!(f, "icmpv6/{}", self.port),
            132 => write!(f, "sctp/{}", self.port),
            other => write!(f, "{other}/{}", self.port),
        }
    }
}

impl FromStr for Service {
    type Err = ParseKeyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseKeyError { text: text.to_owned(), wanted: "service such as tcp/443" };
        if text == "arp" {
            return Ok(Self::ARP);
        }
        let (protocol, port) = text.split_once('/').ok_or_else(refuse)?;
        let protocol = match protocol {
            "icmp" => 1,
            "tcp" => 6,
            "udp" => 17,
            "icmpv6" => 58,
            "sctp" => 132,
            other => other.parse().map_err(|_| refuse())?,
        };
        Ok(Self { protocol, port: port.parse().map_err(|_| refuse())? })
    }
}

/// `tcp/443 10.1.2.3`.
impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.service, self.peer)
    }
}

impl FromStr for Edge {
    type Err = ParseKeyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseKeyError { text: text.to_owned(), wanted: "service and peer such as tcp/443 10.1.2.3" };
        let (service, peer) = text.split_once(' ').ok_or_else(refuse)?;
        Ok(Self { service: service.parse()?, peer: peer.parse().map_err(|_| refuse())? })
    }
}

/// `tcp/443 b7`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} b{}", self.service, self.behaviour)
    }
}

impl FromStr for Shape {
    type Err = ParseKeyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseKeyError { text: text.to_owned(), wanted: "service and behaviour such as tcp/443 b7" };
        let (service, behaviour) = text.split_once(" b").ok_or_else(refuse)?;
        Ok(Self { service: service.parse()?, behaviour: behaviour.parse().map_err(|_| refuse())? })
    }
}

/// `edge`, `domain`: kinds of facts by their own names.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "service",
            Self::Edge => "edge",
            Self::Shape => "shape",
            Self::Offer => "offer",
            Self::Client => "client",
            Self::Fact(kind) => kind.name(),
        })
    }
}

impl FromStr for Kind {
    type Err = ParseKeyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseKeyError { text: text.to_owned(), wanted: "kind of value such as edge" };
        Ok(match text {
            "service" => Self::Service,
            "edge" => Self::Edge,
            "shape" => Self::Shape,
            "offer" => Self::Offer,
            "client" => Self::Client,
            text => Self::Fact(FactKind::all().find(|kind| kind.name() == text).ok_or_else(refuse)?),
        })
    }
}

impl FromStr for Mac {
    type Err = ParseKeyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseKeyError { text: text.to_owned(), wanted: "MAC address such as 02:00:00:00:00:01" };
        let mut bytes = [0; 6];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().filter(|pair| pair.len() == 2).ok_or_else(refuse)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| refuse())?;
        }
        if pairs.next().is_some() { Err(refuse()) } else { Ok(Self(bytes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_a_round_trip() {
        for text in ["tcp/443", "udp/53", "icmp/8", "icmpv6/135", "sctp/1", "47/0", "arp"] {
            assert_eq!(text.parse::<Service>().unwrap().to_string(), text);
        }
        assert_eq!("tcp/443 2001:db8::1".parse::<Edge>().unwrap().to_string(), "tcp/443 2001:db8::1");
        assert_eq!("udp/53 b7".parse::<Shape>().unwrap().to_string(), "udp/53 b7");
        for text in ["service", "edge", "shape", "offer", "client", "domain", "hl7_type"] {
            assert_eq!(text.parse::<Kind>().unwrap().to_string(), text);
        }
        assert_eq!("02:0a:00:00:00:ff".parse::<Mac>().unwrap().to_string(), "02:0a:00:00:00:ff");
        assert!(["02:0a:00:00:00", "02:0a:00:00:00:ff:00", "2:0a:00:00:00:ff"].iter().all(|text| text.parse::<Mac>().is_err()));
        assert!("hat".parse::<Kind>().is_err());
        assert!("tcp".parse::<Service>().is_err());
        assert!("tcp/443".parse::<Edge>().is_err());
    }
}

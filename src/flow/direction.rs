//! Who began a conversation, and how that is known.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::net::{Net, ParseNetError};
use crate::wire::{Addr, Packet, TcpFlags};

/// How the initiator was decided (RFC 5103, 5.1 to 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DirectionBasis {
    /// A SYN without ACK came from the initiator, or a SYN with ACK from the responder.
    Syn,
    /// The destination is a group (multicast or broadcast): it never initiates.
    Group,
    /// Only one end used a well-known port (below 1024, or one of those that UDP services have above; NFS for clients from 512 on), or a port that no system gives to clients
    /// (below 32768; TCP alone): it is the responder.
    Ports,
    /// Only one end is in the home network, which makes it the initiator.
    HomeNet,
    /// Nothing told: the sender of the first packet seen.
    FirstPacket,
}

/// Ports from 1024 on by which UDP services are known (IANA): OpenVPN, L2TP, RADIUS, SSDP, GTP-U, STUN, Teredo, IPsec NAT traversal, VXLAN, SIP, mDNS,
/// LLMNR, CoAP, GENEVE, `WireGuard`. Their servers speak first when a flow goes on after a pause.
const UDP_SERVICES: [u16; 17] =
    [1194, 1701, 1812, 1813, 1900, 2152, 3478, 3544, 4500, 4789, 5060, 5353, 5355, 5683, 5684, 6081, 51_820];

/// The port of NFS (RFC 7530, 2.1) and those that its clients take: only an administrator may have them, which servers ask for (`secure` in exports(5)).
const NFS: u16 = 2049;
const NFS_CLIENTS: core::ops::Range<u16> = 512..1024;

impl DirectionBasis {
    /// Its name in a record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syn => "syn",
            Self::Group => "group",
            Self::Ports => "ports",
            Self::HomeNet => "home_net",
            Self::FirstPacket => "first_packet",
        }
    }

    /// The basis of this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Syn, Self::Group, Self::Ports, Self::HomeNet, Self::FirstPacket].into_iter().find(|basis| basis.name() == name)
    }

    /// Decides whether the sender of a flow's first packet is its initiator, and by what.
    #[must_use]
    pub fn decide(first: &Packet, home: &HomeNets) -> (bool, Self) {
        if let Some(tcp) = first.tcp
            && tcp.flags.has(TcpFlags::SYN)
        {
            return (!tcp.flags.has(TcpFlags::ACK), Self::Syn);
        }
        if is_group(first.dst) {
            return (true, Self::Group);
        }
        if matches!(first.protocol, 6 | 17 | 132) {
            let serves_nfs = |server: u16, client: u16| server == NFS && NFS_CLIENTS.contains(&client);
            if serves_nfs(first.src_port, first.dst_port) || serves_nfs(first.dst_port, first.src_port) {
                return (first.dst_port == NFS, Self::Ports);
            }
            let known = |port: u16| port != 0 && port < 1024 || first.protocol == 17 && UDP_SERVICES.contains(&port);
            if known(first.src_port) != known(first.dst_port) {
                return (known(first.dst_port), Self::Ports);
            }
            if first.protocol == 6 && is_ephemeral(first.src_port) != is_ephemeral(first.dst_port) {
                return (is_ephemeral(first.src_port), Self::Ports);
            }
        }
        // A UDP packet seen first is most often the question; a TCP segment without SYN is in mid-conversation.
        if first.protocol == 6 && home.contains(first.src) != home.contains(first.dst) {
            return (home.contains(first.src), Self::HomeNet);
        }
        (true, Self::FirstPacket)
    }
}

/// Is it a port that systems give to clients (from 49152 on, RFC 6335, 6; Linux from 32768 on)?
pub(super) const fn is_ephemeral(port: u16) -> bool {
    port >= 32_768
}

/// Is it a multicast or the limited broadcast address?
#[must_use]
pub fn is_group(addr: Addr) -> bool {
    match addr.ip() {
        IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast() || ip.octets()[3] == 255 && ip.is_private(),
        IpAddr::V6(ip) => ip.is_multicast(),
    }
}

/// Is it the address of a group that a network makes for itself: administratively scoped (RFC 2365, but for what is relative to a scope: SSDP, SLP), or of IPv6 not
/// assigned and of an admin-local to organisation-local scope (RFC 4291, 2.7; RFC 7346)?
#[must_use]
pub fn is_own_group(addr: Addr) -> bool {
    match addr.ip() {
        IpAddr::V4(ip) => ip.octets()[0] == 239 && ip.octets()[..3] != [239, 255, 255],
        IpAddr::V6(ip) => matches!(ip.octets(), [0xff, kind, ..] if kind >> 4 & 1 == 1 && (4..=8).contains(&(kind & 0x0f))),
    }
}

/// The networks that the user calls home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeNets {
    nets: Vec<Net>,
}

/// Private and link-local addresses: RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291 (2.5.6).
const PRIVATE: [&str; 7] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"];

impl Default for HomeNets {
    fn default() -> Self {
        Self { nets: PRIVATE.iter().filter_map(|text| text.parse().ok()).collect() }
    }
}

impl HomeNets {
    /// Reads networks in CIDR notation; none given means the private and link-local ranges.
    ///
    /// # Errors
    /// Names the text that is no network.
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Self, ParseNetError> {
        if texts.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self { nets: texts.iter().map(|text| text.as_ref().parse()).collect::<Result<_, _>>()? })
    }

    /// The networks that `map`, which keeps prefixes, makes of them.
    #[must_use]
    pub fn mapped(&self, mut map: impl FnMut(Addr) -> Addr) -> Self {
        Self { nets: self.nets.iter().map(|net| net.mapped(&mut map)).collect() }
    }

    /// Is the address at home?
    #[must_use]
    pub fn contains(&self, addr: Addr) -> bool {
        self.nets.iter().any(|net| net.contains(addr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::stats::testing::{packet, tcp};

    #[test]
    fn a_known_service_of_udp_responds_whoever_speaks_first() {
        let decide = |from: u16, to: u16| DirectionBasis::decide(&packet(0, 1, from, 2, to, 17), &HomeNets::default());
        assert_eq!(decide(51_820, 40_000), (false, DirectionBasis::Ports));
        assert_eq!(decide(40_000, 51_820), (true, DirectionBasis::Ports));
        assert_eq!(decide(51_820, 51_820), (true, DirectionBasis::FirstPacket));
    }

    #[test]
    fn a_file_server_responds_though_its_clients_have_low_ports() {
        let decide =
            |from: u16, to: u16, protocol: u8| DirectionBasis::decide(&packet(0, 1, from, 2, to, protocol), &HomeNets::default());
        for protocol in [6, 17] {
            assert_eq!(decide(2049, 937, protocol), (false, DirectionBasis::Ports));
            assert_eq!(decide(937, 2049, protocol), (true, DirectionBasis::Ports));
            assert_eq!(decide(2049, 80, protocol), (true, DirectionBasis::Ports), "an old system asks a web server");
        }
    }

    #[test]
    fn a_syn_decides_even_from_a_low_port() {
        let home = HomeNets::default();
        let syn = tcp(packet(0, 1, 22, 2, 50_000, 6), 0, 0, 0x02);
        assert_eq!(DirectionBasis::decide(&syn, &home), (true, DirectionBasis::Syn));
        let syn_ack = tcp(packet(0, 1, 50_000, 2, 22, 6), 0, 0, 0x12);
        assert_eq!(DirectionBasis::decide(&syn_ack, &home), (false, DirectionBasis::Syn));
    }

    #[test]
    fn an_answer_seen_first_still_finds_its_server() {
        let home = HomeNets::default();
        assert_eq!(DirectionBasis::decide(&packet(0, 1, 53, 2, 40_000, 17), &home), (false, DirectionBasis::Ports));
        assert_eq!(DirectionBasis::decide(&packet(0, 1, 5000, 2, 40_000, 17), &home), (true, DirectionBasis::FirstPacket));
    }

    #[test]
    fn in_mid_conversation_home_is_the_initiator() {
        let home = HomeNets::parse(&["10.0.0.0/8"]).unwrap();
        let mut p = tcp(packet(0, 1, 4000, 2, 5000, 6), 1, 1, 0x10);
        p.src = "8.8.8.8".parse().unwrap();
        p.dst = "10.1.2.3".parse().unwrap();
        assert_eq!(DirectionBasis::decide(&p, &home), (false, DirectionBasis::HomeNet));
    }

    #[test]
    fn networks_contain_their_addresses_only() {
        let home = HomeNets::parse(&["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]).unwrap();
        for (addr, want) in [
            ("10.9.9.9", true),
            ("11.0.0.1", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
        ] {
            assert_eq!(home.contains(addr.parse().unwrap()), want, "{addr}");
        }
        assert!(HomeNets::parse(&["10.0.0.0/40"]).is_err());
        assert!(HomeNets::parse(&["home"]).is_err());
    }
}

//! Why a frame is not a packet.

use std::fmt;

/// Why a frame was passed over. Every frame is either one packet or exactly one of these, so counts per reason balance
/// with the frames that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Skip {
    /// The link layer is one that is not read.
    UnsupportedLinkType,
    /// The frame ends inside its link-layer header.
    TruncatedLink,
    /// The address resolution protocol, or its reverse.
    Arp,
    /// The link layer discovery protocol.
    Lldp,
    /// An 802.2 frame that carries no IP (spanning tree, IS-IS, Cisco's discovery …).
    Llc,
    /// What a header below IP carries is not read: MACsec, several packets in one 802.11 frame, a pseudowire of unknown kind.
    UnsupportedTunnel,
    /// Any other protocol that is not IP.
    NonIp,
    /// More VLAN tags or IPv6 extension headers than any honest packet has.
    TooManyHeaders,
    /// The frame ends inside its IP header or an extension header.
    TruncatedNetwork,
    /// The version in the IP header is not the one that was announced.
    BadIpVersion,
    /// The lengths in the IP header or an extension header contradict each other.
    BadIpHeader,
    /// The frame ends before the fields of the transport header that are needed.
    TruncatedTransport,
    /// The transport header does not fit the IP packet or its own minimum.
    BadTransportHeader,
}

impl Skip {
    /// Every reason, in the order of [`Skip::index`].
    pub const ALL: [Self; 13] = [
        Self::UnsupportedLinkType,
        Self::TruncatedLink,
        Self::Arp,
        Self::Lldp,
        Self::Llc,
        Self::UnsupportedTunnel,
        Self::NonIp,
        Self::TooManyHeaders,
        Self::TruncatedNetwork,
        Self::BadIpVersion,
        Self::BadIpHeader,
        Self::TruncatedTransport,
        Self::BadTransportHeader,
    ];

    /// How many reasons there are: the length of an array of counters.
    pub const COUNT: usize = Self::ALL.len();

    /// This reason's place in an array of counters, below [`Skip::COUNT`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The reason's name in counters and statistics; never changes its meaning.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnsupportedLinkType => "unsupported_link_type",
            Self::TruncatedLink => "truncated_link",
            Self::Arp => "arp",
            Self::Lldp => "lldp",
            Self::Llc => "llc",
            Self::UnsupportedTunnel => "unsupported_tunnel",
            Self::NonIp => "non_ip",
            Self::TooManyHeaders => "too_many_headers",
            Self::TruncatedNetwork => "truncated_network",
            Self::BadIpVersion => "bad_ip_version",
            Self::BadIpHeader => "bad_ip_header",
            Self::TruncatedTransport => "truncated_transport",
            Self::BadTransportHeader => "bad_transport_header",
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_index_is_the_place_in_the_list() {
        for (place, skip) in Skip::ALL.iter().enumerate() {
            assert_eq!(skip.index(), place);
        }
    }

    #[test]
    fn names_are_distinct_and_snake_case() {
        let names: BTreeSet<_> = Skip::ALL.iter().map(|skip| skip.as_str()).collect();
        assert_eq!(names.len(), Skip::COUNT);
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }
}

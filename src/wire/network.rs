//! IPv4 and IPv6: addresses, stated lengths, fragments, and the extension headers up to the transport header.

use etherparse::{
    IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice,
    err::{ip_auth, ipv4, ipv6},
    ip_number,
};

use super::link::Family;
use super::{Addr, Fragment, Skip};

/// More extension headers than this in one packet are an attack on the reader.
const MAX_EXTENSIONS: usize = 16;

/// What the network layer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub src: Addr,
    pub dst: Addr,
    pub ttl: u8,
    /// Number of the header behind the IP headers.
    pub protocol: u8,
    pub fragment: Option<Fragment>,
    /// Bytes of the IP packet as stated.
    pub ip_bytes: u32,
    /// Bytes of the IP header and its extension headers; no more than `ip_bytes`.
    pub header_bytes: u32,
}

impl Network {
    /// Is it a part without the transport header?
    pub fn is_later_fragment(&self) -> bool {
        self.fragment.is_some_and(|fragment| fragment.offset > 0)
    }

    /// Bytes behind the IP headers as stated.
    pub const fn payload_bytes(&self) -> u32 {
        self.ip_bytes.saturating_sub(self.header_bytes)
    }
}

/// Reads the IP headers at the start of `data`. `available` is how many bytes the packet could have had on the wire: it
/// stands in for a length of 0, as it is written before segmentation offload and in jumbograms, and bounds a stated length,
/// so that one forged packet cannot count for more than it carried.
#[inline]
pub(super) fn read(family: Family, data: &[u8], available: u32) -> Result<Network, Skip> {
    match family {
        Family::V4 => read_v4(data, available),
        Family::V6 => read_v6(data, available),
        Family::Either => match data.first().ok_or(Skip::TruncatedNetwork)? >> 4 {
            4 => read_v4(data, available),
            6 => read_v6(data, available),
            _ => Err(Skip::BadIpVersion),
        },
    }
}

#[inline]
fn read_v4(data: &[u8], available: u32) -> Result<Network, Skip> {
    let header = Ipv4HeaderSlice::from_slice(data).map_err(v4_error)?;
    let ip_bytes = match header.total_len() {
        0 => available,
        stated => u32::from(stated).min(available),
    };
    let header_bytes = header.slice().len() as u32;
    if ip_bytes < header_bytes {
        return Err(Skip::BadIpHeader);
    }
    let network = Network {
        src: Addr::v4(header.source()),
        dst: Addr::v4(header.destination()),
        ttl: header.ttl(),
        protocol: header.protocol().0,
        fragment: header
            .is_fragmenting_payload()
            .then(|| fragment(header.identification().into(), header.fragments_offset().value(), header.more_fragments())),
        ip_bytes,
        header_bytes,
    };
    if header.protocol() == ip_number::AUTH { extensions(network, data) } else { Ok(network) }
}

#[cold]
fn v4_error(error: ipv4::HeaderSliceError) -> Skip {
    match error {
        ipv4::HeaderSliceError::Len(_) => Skip::TruncatedNetwork,
        ipv4::HeaderSliceError::Content(ipv4::HeaderError::UnexpectedVersion { .. }) => Skip::BadIpVersion,
        ipv4::HeaderSliceError::Content(_) => Skip::BadIpHeader,
    }
}

#[inline]
fn read_v6(data: &[u8], available: u32) -> Result<Network, Skip> {
    let header = Ipv6HeaderSlice::from_slice(data).map_err(v6_error)?;
    let header_bytes = header.slice().len() as u32;
    let ip_bytes = match header.payload_length() {
        0 if header.next_header() != ip_number::IPV6_NO_NEXT_HEADER => available,
        stated => available.min(header_bytes + u32::from(stated)),
    };
    let network = Network {
        src: Addr::v6(header.source()),
        dst: Addr::v6(header.destination()),
        ttl: header.hop_limit(),
        protocol: header.next_header().0,
        fragment: None,
        ip_bytes,
        header_bytes,
    };
    extensions(network, data)
}

#[cold]
fn v6_error(error: ipv6::HeaderSliceError) -> Skip {
    match error {
        ipv6::HeaderSliceError::Len(_) => Skip::TruncatedNetwork,
        ipv6::HeaderSliceError::Content(_) => Skip::BadIpVersion,
    }
}

/// Walks the extension headers (RFC 8200, 4) up to the transport header, an encrypted payload, or a later fragment, behind
/// whose header anything may stand.
#[inline]
fn extensions(mut network: Network, data: &[u8]) -> Result<Network, Skip> {
    for _ in 0..=MAX_EXTENSIONS {
        if network.is_later_fragment() || !is_extension(network.protocol) {
            return Ok(network);
        }
        let stated = data.get(network.header_bytes as usize..).unwrap_or_default();
        let stated = stated.get(..network.payload_bytes() as usize).unwrap_or(stated);
        let (next, bytes) = extension(&mut network, stated)?;
        network.protocol = next;
        network.header_bytes += bytes;
    }
    Err(Skip::TooManyHeaders)
}

/// A fragment whose offset is given in units of eight bytes.
const fn fragment(id: u32, units: u16, more: bool) -> Fragment {
    Fragment { id, offset: units as u32 * 8, more, has_ports: units == 0, odd: false }
}

const fn is_extension(protocol: u8) -> bool {
    // Hop-by-hop options, routing, fragment, authentication, destination options.
    matches!(protocol, 0 | 43 | 44 | 51 | 60)
}

/// Next header and length of the extension header at the start of `data`, which holds no more than the packet states.
fn extension(network: &mut Network, data: &[u8]) -> Result<(u8, u32), Skip> {
    // When all that the packet states was captured, a header that does not fit is wrong and not cut.
    let short = if data.len() as u64 == u64::from(network.payload_bytes()) { Skip::BadIpHeader } else { Skip::TruncatedNetwork };
    match network.protocol {
        44 => {
            let header = Ipv6FragmentHeaderSlice::from_slice(data).map_err(|_| short)?;
            if header.is_fragmenting_payload() {
                let offset = header.fragment_offset().value();
                network.fragment = Some(fragment(header.identification(), offset, header.more_fragments()));
            }
            Ok((header.next_header().0, header.slice().len() as u32))
        }
        51 => match IpAuthHeaderSlice::from_slice(data) {
            Ok(header) => Ok((header.next_header().0, header.slice().len() as u32)),
            Err(ip_auth::HeaderSliceError::Len(_)) => Err(short),
            Err(ip_auth::HeaderSliceError::Content(_)) => Err(Skip::BadIpHeader),
        },
        _ => {
            let header = Ipv6RawExtHeaderSlice::from_slice(data).map_err(|_| short)?;
            Ok((header.next_header().0, header.slice().len() as u32))
        }
    }
}

//! The transport header: ports or what stands in for them, and how much payload is behind it.

use etherparse::{TcpHeader, TcpHeaderSlice, UdpHeaderSlice, err::tcp::HeaderSliceError};

use super::network::Network;
use super::{Skip, Tcp, TcpFlags};

/// The bytes of a TCP header up to its flags; without them a packet cannot be told from any other of its connection.
const TCP_NEEDED: usize = 14;
const UDP_HEADER: u32 = 8;
/// Type, code, checksum, and the four bytes that every message type has behind them (RFC 792, RFC 4443).
const ICMP_HEADER: u32 = 8;
const SCTP_HEADER: u32 = 12;

/// What the transport layer said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Transport {
    pub src_port: u16,
    pub dst_port: u16,
    pub header_bytes: u32,
    pub payload_bytes: u32,
    pub tcp: Option<Tcp>,
}

/// Reads the transport header at the start of `data`: the captured part of the IP packet's payload, without padding.
#[inline]
pub(super) fn read(network: &Network, data: &[u8]) -> Result<Transport, Skip> {
    if network.is_later_fragment() {
        return Ok(Transport { payload_bytes: network.payload_bytes(), ..Transport::default() });
    }
    match network.protocol {
        6 => tcp(network, data),
        17 => udp(network, data),
        1 | 58 => icmp(network, data),
        132 => sctp(network, data),
        _ => Ok(Transport { payload_bytes: network.payload_bytes(), ..Transport::default() }),
    }
}

#[inline]
fn tcp(network: &Network, data: &[u8]) -> Result<Transport, Skip> {
    match TcpHeaderSlice::from_slice(data) {
        Ok(header) => tcp_fields(network, &header),
        Err(HeaderSliceError::Content(_)) => Err(Skip::BadTransportHeader),
        Err(HeaderSliceError::Len(_)) => cut_tcp(network, data),
    }
}

/// A header of which the end was not captured. Its missing bytes read as zeros, so that the known fields are taken as ever.
#[inline]
fn cut_tcp(network: &Network, data: &[u8]) -> Result<Transport, Skip> {
    if data.len() < TCP_NEEDED {
        return tiny(network, data).ok_or_else(|| short(network, TcpHeader::MIN_LEN as u32));
    }
    let mut padded = [0; TcpHeader::MAX_LEN];
    for (to, from) in padded.iter_mut().zip(data) {
        *to = *from;
    }
    let header = TcpHeaderSlice::from_slice(&padded).map_err(|_| Skip::BadTransportHeader)?;
    tcp_fields(network, &header)
}

/// A first fragment that ends inside the header, as somebody makes it who wants its flags unseen (RFC 1858): it has its ports.
#[cold]
fn tiny(network: &Network, data: &[u8]) -> Option<Transport> {
    let [a, b, c, d] = *data.first_chunk()?;
    let header_bytes = network.payload_bytes();
    let transport = Transport {
        src_port: u16::from_be_bytes([a, b]),
        dst_port: u16::from_be_bytes([c, d]),
        header_bytes,
        payload_bytes: 0,
        tcp: None,
    };
    (network.fragment.is_some() && header_bytes < TCP_NEEDED as u32).then_some(transport)
}

#[inline]
fn tcp_fields(network: &Network, header: &TcpHeaderSlice<'_>) -> Result<Transport, Skip> {
    let header_bytes = header.slice().len() as u32;
    let flags = header.slice().get(13).copied().unwrap_or_default();
    Ok(Transport {
        src_port: header.source_port(),
        dst_port: header.destination_port(),
        header_bytes,
        payload_bytes: behind(network, header_bytes)?,
        tcp: Some(Tcp {
            seq: header.sequence_number(),
            ack: header.acknowledgment_number(),
            window: header.window_size(),
            flags: TcpFlags(flags),
        }),
    })
}

#[inline]
fn udp(network: &Network, data: &[u8]) -> Result<Transport, Skip> {
    let header = UdpHeaderSlice::from_slice(data).map_err(|_| short(network, UDP_HEADER))?;
    let room = behind(network, UDP_HEADER)?;
    // The length is 0 in jumbograms and before offload, and speaks of all fragments together in the first of them.
    let payload_bytes = match u32::from(header.length()) {
        0 => room,
        stated if stated < UDP_HEADER => return Err(Skip::BadTransportHeader),
        stated => room.min(stated - UDP_HEADER),
    };
    let (src_port, dst_port) = (header.source_port(), header.destination_port());
    Ok(Transport { src_port, dst_port, header_bytes: UDP_HEADER, payload_bytes, tcp: None })
}

fn icmp(network: &Network, data: &[u8]) -> Result<Transport, Skip> {
    let [kind, code] = *data.first_chunk().ok_or_else(|| short(network, ICMP_HEADER))?;
    let header_bytes = ICMP_HEADER.min(network.payload_bytes());
    Ok(Transport {
        src_port: u16::from(kind),
        dst_port: u16::from(code),
        header_bytes,
        payload_bytes: network.payload_bytes() - header_bytes,
        tcp: None,
    })
}

fn sctp(network: &Network, data: &[u8]) -> Result<Transport, Skip> {
    let [a, b, c, d] = *data.first_chunk().ok_or_else(|| short(network, SCTP_HEADER))?;
    Ok(Transport {
        src_port: u16::from_be_bytes([a, b]),
        dst_port: u16::from_be_bytes([c, d]),
        header_bytes: SCTP_HEADER,
        payload_bytes: behind(network, SCTP_HEADER)?,
        tcp: None,
    })
}

/// Bytes behind a header of this length. A first fragment may end inside the header, a whole packet may not.
#[inline]
fn behind(network: &Network, header_bytes: u32) -> Result<u32, Skip> {
    match network.payload_bytes().checked_sub(header_bytes) {
        Some(rest) => Ok(rest),
        None if network.fragment.is_some() => Ok(0),
        None => Err(Skip::BadTransportHeader),
    }
}

/// Why a header that needs this many bytes could not be read: cut in the capture or by fragmentation, or never there.
#[cold]
fn short(network: &Network, header_bytes: u32) -> Skip {
    if network.payload_bytes() < header_bytes && network.fragment.is_none() {
        Skip::BadTransportHeader
    } else {
        Skip::TruncatedTransport
    }
}

//! Statistics of one direction of a flow in constant memory.

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

/// How many first payload sizes a flow keeps.
pub const FIRST_SIZES: usize = 8;

/// What one side of a flow sent. Sums are exact for sizes, floating point for squares and gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SideStats {
    /// Packets.
    pub packets: u64,
    /// Bytes of IP packets, headers included, as stated by them.
    pub ip_bytes: u64,
    /// Bytes on the wire, link layer included.
    pub wire_bytes: u64,
    /// Bytes behind the transport header.
    pub payload_bytes: u64,
    /// Packets with payload.
    pub data_packets: u32,
    /// Largest payload of a packet, in bytes.
    pub payload_max: u32,
    /// Sum of the squares of the payloads of packets with payload, in bytes².
    pub payload_square_sum: f64,
    /// Time of the first packet.
    pub first: Timestamp,
    /// Time of the last packet.
    pub last: Timestamp,
    /// Longest time between two packets.
    pub gap_max: Span,
    /// Sum of the squares of the times between packets, in s².
    pub gap_square_sum: f64,
    /// Packets with SYN.
    pub syn: u32,
    /// Packets with FIN.
    pub fin: u32,
    /// Packets with RST.
    pub rst: u32,
    /// Packets with PSH.
    pub psh: u32,
    /// All TCP flags seen, or-ed.
    pub flags: u8,
    /// Hop limit of the first packet.
    pub ttl: u8,
    /// Packets that repeat bytes already seen.
    pub retransmitted: u32,
    /// Packets that fill a hole left earlier.
    pub out_of_order: u32,
    /// Bytes that were not captured though later ones were, those of late packets taken off again.
    pub missing_bytes: u64,
    /// Packets that closed the receive window while data could still come.
    pub zero_window: u32,
    /// Packets with a wrong checksum, 65,535 at most; they count as any other.
    pub bad_checksums: u16,
}

impl Default for SideStats {
    fn default() -> Self {
        Self {
            packets: 0,
            ip_bytes: 0,
            wire_bytes: 0,
            payload_bytes: 0,
            data_packets: 0,
            payload_max: 0,
            payload_square_sum: 0.0,
            first: Timestamp::MAX,
            last: Timestamp::MIN,
            gap_max: Span::ZERO,
            gap_square_sum: 0.0,
            syn: 0,
            fin: 0,
            rst: 0,
            psh: 0,
            flags: 0,
            ttl: 0,
            retransmitted: 0,
            out_of_order: 0,
            missing_bytes: 0,
            zero_window: 0,
            bad_checksums: 0,
        }
    }
}

impl SideStats {
    /// Seconds between first and last packet; 0 for fewer than two packets.
    #[must_use]
    pub fn duration_s(&self) -> f64 {
        if self.packets < 2 { 0.0 } else { self.last.since(self.first).as_seconds() }
    }

    /// Mean and standard deviation of the payload of packets that have one, in bytes; zeros when none has.
    #[must_use]
    pub fn payload_mean_std(&self) -> (f64, f64) {
        mean_std(self.payload_bytes as f64, self.payload_square_sum, f64::from(self.data_packets))
    }

    /// Mean and standard deviation of the time between packets, in seconds; zeros for fewer than two packets.
    #[must_use]
    pub fn gap_mean_std(&self) -> (f64, f64) {
        mean_std(self.duration_s(), self.gap_square_sum, self.packets.saturating_sub(1) as f64)
    }
}

fn mean_std(sum: f64, square_sum: f64, count: f64) -> (f64, f64) {
    if count < 1.0 {
        return (0.0, 0.0);
    }
    let mean = sum / count;
    (mean, (square_sum / count - mean * mean).max(0.0).sqrt())
}

#[cfg(test)]
pub(crate) mod testing {
    //! Packets for tests of the flow layer.

    use crate::time::Timestamp;
    use crate::wire::{Addr, Packet, Tcp, TcpFlags};

    /// A packet `ms` milliseconds after the epoch, between two IPv4 addresses given as numbers, with no payload.
    pub fn packet(ms: i64, src: u32, src_port: u16, dst: u32, dst_port: u16, protocol: u8) -> Packet {
        Packet {
            time: Timestamp::from_nanos(ms * 1_000_000),
            src: Addr::v4(src.to_be_bytes()),
            dst: Addr::v4(dst.to_be_bytes()),
            src_port,
            dst_port,
            protocol,
            ttl: 64,
            vlans: [0; 2],
            tunnel: None,
            src_mac: [0; 6],
            dst_mac: [0; 6],
            wire_bytes: 54,
            ip_bytes: 40,
            payload_bytes: 0,
            payload: 0..0,
            tcp: None,
            network_at: 0,
            transport_at: 0,
            fragment: None,
            bad_checksum: false,
            quoted: None,
        }
    }

    /// The same with a TCP header.
    pub fn tcp(mut packet: Packet, seq: u32, ack: u32, flags: u8) -> Packet {
        packet.tcp = Some(Tcp { seq, ack, window: 1000, flags: TcpFlags(flags) });
        packet
    }

    /// The same with this much payload.
    pub fn payload(mut packet: Packet, bytes: u32) -> Packet {
        packet.payload_bytes = bytes;
        packet.ip_bytes += bytes;
        packet.wire_bytes += bytes;
        packet
    }
}

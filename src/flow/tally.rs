//! What one side of an open flow sent, in the bytes that it takes while it is counted.

use super::SideStats;
use super::tcp::Sequence;
use crate::time::{Span, Timestamp};
use crate::wire::{Packet, TcpFlags};

/// The counters of one side of a flow's segment. Tables hold two for each flow: [`SideStats`] is what a record says of them.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    first: Timestamp,
    last: Timestamp,
    gap_max: Span,
    gap_square_sum: f64,
    ip_bytes: u64,
    wire_bytes: u64,
    payload_bytes: u64,
    payload_square_sum: f64,
    packets: u32,
    data_packets: u32,
    payload_max: u32,
    syn: u32,
    fin: u32,
    rst: u32,
    psh: u32,
    bad_checksums: u16,
    flags: u8,
    ttl: u8,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            first: Timestamp::MAX,
            last: Timestamp::MIN,
            gap_max: Span::ZERO,
            gap_square_sum: 0.0,
            ip_bytes: 0,
            wire_bytes: 0,
            payload_bytes: 0,
            payload_square_sum: 0.0,
            packets: 0,
            data_packets: 0,
            payload_max: 0,
            syn: 0,
            fin: 0,
            rst: 0,
            psh: 0,
            bad_checksums: 0,
            flags: 0,
            ttl: 0,
        }
    }
}

impl Tally {
    /// Takes the next packet of this side. A packet earlier than the last (an unsorted capture) adds a gap of zero.
    pub(super) fn observe(&mut self, packet: &Packet) {
        if self.packets == 0 {
            self.ttl = packet.ttl;
        } else {
            let gap = packet.time.since(self.last).max(Span::ZERO);
            self.gap_max = self.gap_max.max(gap);
            self.gap_square_sum += gap.as_seconds() * gap.as_seconds();
        }
        self.first = self.first.min(packet.time);
        self.last = self.last.max(packet.time);
        self.packets += 1;
        self.bad_checksums = self.bad_checksums.saturating_add(packet.bad_checksum.into());
        self.ip_bytes += u64::from(packet.ip_bytes);
        self.wire_bytes += u64::from(packet.wire_bytes);
        if packet.payload_bytes > 0 {
            self.payload_bytes += u64::from(packet.payload_bytes);
            self.data_packets += 1;
            self.payload_max = self.payload_max.max(packet.payload_bytes);
            self.payload_square_sum += f64::from(packet.payload_bytes) * f64::from(packet.payload_bytes);
        }
    }

    /// Takes the TCP flags of the same packet.
    pub(super) fn observe_flags(&mut self, flags: TcpFlags) {
        self.flags |= flags.0;
        self.syn += u32::from(flags.has(TcpFlags::SYN));
        self.fin += u32::from(flags.has(TcpFlags::FIN));
        self.rst += u32::from(flags.has(TcpFlags::RST));
        self.psh += u32::from(flags.has(TcpFlags::PSH));
    }

    /// Time of the first packet; the latest of all times before there is one.
    pub(super) const fn first(&self) -> Timestamp {
        self.first
    }

    /// Time of the last packet; the earliest of all times before there is one.
    pub(super) const fn last(&self) -> Timestamp {
        self.last
    }

    /// Has it sent nothing?
    pub(super) const fn is_silent(&self) -> bool {
        self.packets == 0
    }

    /// Bytes of payload.
    pub(super) const fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Has it counted as many packets as it can?
    pub(super) const fn is_full(&self) -> bool {
        self.packets == u32::MAX
    }

    /// Reads what a packet changes: something of every part of it that may lie in a line of the cache by itself.
    #[inline]
    pub(super) const fn touch(&self) -> u64 {
        self.first.nanos() as u64 ^ self.ip_bytes ^ self.packets as u64 ^ self.ttl as u64
    }

    /// What a record says of it, with what went wrong.
    pub(super) fn stats(&self, trouble: Trouble) -> SideStats {
        SideStats {
            packets: self.packets.into(),
            ip_bytes: self.ip_bytes,
            wire_bytes: self.wire_bytes,
            payload_bytes: self.payload_bytes,
            data_packets: self.data_packets,
            payload_max: self.payload_max,
            payload_square_sum: self.payload_square_sum,
            first: self.first,
            last: self.last,
            gap_max: self.gap_max,
            gap_square_sum: self.gap_square_sum,
            syn: self.syn,
            fin: self.fin,
            rst: self.rst,
            psh: self.psh,
            flags: self.flags,
            ttl: self.ttl,
            retransmitted: trouble.retransmitted,
            out_of_order: trouble.out_of_order,
            missing_bytes: trouble.missing_bytes,
            zero_window: trouble.zero_window,
            bad_checksums: self.bad_checksums,
        }
    }
}

#[cfg(test)]
impl Tally {
    /// The same, with as many packets as it can count.
    pub(super) const fn filled(self) -> Self {
        Self { packets: u32::MAX, ..self }
    }
}

/// What went wrong on one side of a TCP segment; most flows have none of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trouble {
    retransmitted: u32,
    out_of_order: u32,
    zero_window: u32,
    missing_bytes: u64,
}

impl Trouble {
    /// Takes what a packet told about its side.
    pub(super) fn observe(&mut self, sequence: Sequence) {
        self.retransmitted += u32::from(sequence.retransmitted);
        self.out_of_order += u32::from(sequence.out_of_order);
        self.missing_bytes += u64::from(sequence.missing_bytes);
        // The hole may have been left in an earlier segment, whose record is out.
        self.missing_bytes = self.missing_bytes.saturating_sub(u64::from(sequence.filled_bytes));
        self.zero_window += u32::from(sequence.zero_window);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::stats::testing::{packet, payload};

    fn side(packets: &[(i64, u32)]) -> SideStats {
        let mut side = Tally::default();
        for &(ms, bytes) in packets {
            side.observe(&payload(packet(ms, 1, 1, 2, 2, 17), bytes));
        }
        side.stats(Trouble::default())
    }

    #[test]
    fn means_are_not_rounded_to_integers() {
        let (mean, std) = side(&[(0, 1), (10, 2), (20, 2)]).payload_mean_std();
        assert!((mean - 5.0 / 3.0).abs() < 1e-12);
        assert!((std - (2.0_f64 / 9.0).sqrt()).abs() < 1e-9);
    }

    #[test]
    fn gaps_are_times_between_packets() {
        let s = side(&[(0, 0), (1000, 0), (4000, 0)]);
        assert_eq!(s.gap_mean_std(), (2.0, 1.0));
        assert_eq!(s.gap_max, Span::from_secs(3));
    }

    #[test]
    fn one_packet_has_finite_statistics() {
        let s = side(&[(5, 10)]);
        assert_eq!((s.duration_s(), s.gap_mean_std(), s.payload_mean_std()), (0.0, (0.0, 0.0), (10.0, 0.0)));
        assert_eq!(SideStats::default().payload_mean_std(), (0.0, 0.0));
    }

    #[test]
    fn an_unsorted_capture_makes_no_negative_gap() {
        let s = side(&[(1000, 0), (0, 0)]);
        assert_eq!((s.gap_max, s.duration_s()), (Span::ZERO, 1.0));
    }
}

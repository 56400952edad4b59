//! A TCP connection's state as a passive listener can tell it (RFC 9293; names of the outcome as in Zeek's conn.log).

use crate::wire::{Packet, Tcp, TcpFlags};

/// How a connection stood at a moment, in Zeek's terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnState {
    /// SYN seen, no answer.
    S0,
    /// Established, not ended.
    S1,
    /// Established and closed by both sides.
    Sf,
    /// SYN answered by RST.
    Rej,
    /// Established, only the initiator closed.
    S2,
    /// Established, only the responder closed.
    S3,
    /// Established, the initiator reset.
    Rsto,
    /// Established, the responder reset.
    Rstr,
    /// SYN then RST by the initiator, no answer.
    Rstos0,
    /// SYN-ACK then RST by the responder, no SYN seen.
    Rstrh,
    /// SYN then FIN by the initiator, no answer.
    Sh,
    /// SYN-ACK then FIN by the responder, no SYN seen.
    Shr,
    /// No SYN seen, or not TCP.
    #[default]
    Oth,
}

impl ConnState {
    /// Zeek's spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::Sf => "SF",
            Self::Rej => "REJ",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::Rsto => "RSTO",
            Self::Rstr => "RSTR",
            Self::Rstos0 => "RSTOS0",
            Self::Rstrh => "RSTRH",
            Self::Sh => "SH",
            Self::Shr => "SHR",
            Self::Oth => "OTH",
        }
    }

    /// Do both ends know that it is over: both sent FIN, or one reset?
    #[must_use]
    pub const fn ended(self) -> bool {
        matches!(self, Self::Sf | Self::Rej | Self::Rsto | Self::Rstr | Self::Rstos0 | Self::Rstrh)
    }

    /// Did both sides speak SYN, and is it not over?
    #[must_use]
    pub const fn open(self) -> bool {
        matches!(self, Self::S1 | Self::S2 | Self::S3)
    }

    /// Did the attempt to connect fail: no answer, or refused?
    #[must_use]
    pub const fn failed(self) -> bool {
        matches!(self, Self::S0 | Self::Rej | Self::Rstos0 | Self::Sh)
    }
}

/// What one packet told about its sender's byte stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// It repeats bytes already seen.
    pub retransmitted: bool,
    /// Bytes that must have come before it and were not seen.
    pub missing_bytes: u32,
    /// It fills a hole that an earlier packet left.
    pub out_of_order: bool,
    /// Bytes of that hole which it brought.
    pub filled_bytes: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// The sequence number behind the last byte seen.
    next_seq: u32,
    /// The number of the first SYN, when there was one.
    syn_seq: u32,
    /// The number that acknowledges this side's FIN.
    fin_ack: u32,
    has_seq: bool,
    syn: bool,
    fin: bool,
    fin_acked: bool,
    rst: bool,
    /// Bytes of this side's stream that are missing so far, to tell a late packet from a repeated one.
    hole_bytes: u32,
}

/// Follows one connection; 52 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpTracker {
    orig: Side,
    resp: Side,
    /// Did the responder reset before it ever answered with SYN-ACK?
    rejected: bool,
}

impl TcpTracker {
    /// Takes the next packet of the connection.
    pub fn observe(&mut self, packet: &Packet, tcp: Tcp, from_orig: bool) -> Sequence {
        let (sender, other) = if from_orig { (&mut self.orig, &mut self.resp) } else { (&mut self.resp, &mut self.orig) };
        let syn = tcp.flags.has(TcpFlags::SYN);
        let fin = tcp.flags.has(TcpFlags::FIN);
        let sequence = sender.advance(tcp.seq, packet.payload_bytes, syn, fin);
        if syn && !sender.syn {
            sender.syn = true;
            sender.syn_seq = tcp.seq;
        }
        if fin && !sender.fin {
            sender.fin = true;
            sender.fin_ack = tcp.seq.wrapping_add(packet.payload_bytes).wrapping_add(1);
        }
        if tcp.flags.has(TcpFlags::ACK) && other.fin && reaches(tcp.ack, other.fin_ack) {
            other.fin_acked = true;
        }
        if tcp.flags.has(TcpFlags::RST) {
            self.rejected |= !from_orig && !self.resp.syn;
            if from_orig { self.orig.rst = true } else { self.resp.rst = true }
        }
        sequence
    }

    /// Is it over: both FINs acknowledged, or reset?
    #[must_use]
    pub const fn closed(&self) -> bool {
        self.orig.rst || self.resp.rst || self.orig.fin_acked && self.resp.fin_acked
    }

    /// Did both sides speak SYN?
    #[must_use]
    pub const fn established(&self) -> bool {
        self.orig.syn && self.resp.syn
    }

    /// The state in Zeek's terms.
    #[must_use]
    pub const fn state(&self) -> ConnState {
        let (orig, resp) = (&self.orig, &self.resp);
        match (orig.syn, resp.syn) {
            (true, true) if resp.rst => ConnState::Rstr,
            (true, true) if orig.rst => ConnState::Rsto,
            (true, true) if orig.fin && resp.fin => ConnState::Sf,
            (true, true) if orig.fin => ConnState::S2,
            (true, true) if resp.fin => ConnState::S3,
            (true, true) => ConnState::S1,
            (true, false) if self.rejected => ConnState::Rej,
            (true, false) if orig.rst => ConnState::Rstos0,
            (true, false) if orig.fin => ConnState::Sh,
            (true, false) => ConnState::S0,
            (false, true) if resp.rst => ConnState::Rstrh,
            (false, true) if resp.fin => ConnState::Shr,
            _ => ConnState::Oth,
        }
    }

    /// Does a SYN with this sequence number from this side start a new connection on the same ports, rather than repeat
    /// the SYN of this one?
    #[must_use]
    pub const fn is_new_connection(&self, tcp: Tcp, from_orig: bool) -> bool {
        if !tcp.flags.has(TcpFlags::SYN) || tcp.flags.has(TcpFlags::ACK) {
            return false;
        }
        let sender = if from_orig { &self.orig } else { &self.resp };
        // A repeated SYN has the number of the first. A new one may have any other, lower ones too: they are random (RFC 6528).
        self.closed() && !(sender.syn && sender.syn_seq == tcp.seq)
    }
}

impl Side {
    fn advance(&mut self, seq: u32, payload_bytes: u32, syn: bool, fin: bool) -> Sequence {
        let seq_bytes = payload_bytes.wrapping_add(u32::from(syn)).wrapping_add(u32::from(fin));
        let end = seq.wrapping_add(seq_bytes);
        let mut told = Sequence::default();
        if !self.has_seq {
            self.has_seq = true;
            self.next_seq = end;
            return told;
        }
        if seq_bytes == 0 {
            return told;
        }
        let ahead = seq.wrapping_sub(self.next_seq) as i32;
        if ahead > 0 {
            // A jump of megabytes is a damaged header or another connection, not a hole.
            told.missing_bytes = if ahead < 1 << 24 { ahead as u32 } else { 0 };
            self.hole_bytes = self.hole_bytes.saturating_add(told.missing_bytes);
            self.next_seq = end;
        } else if ahead == 0 {
            self.next_seq = end;
        } else if reaches(self.next_seq, end) {
            // A keep-alive repeats one byte below the window (RFC 9293, 3.8.4) and is no retransmission.
            let keep_alive = ahead == -1 && payload_bytes <= 1 && !syn && !fin;
            if self.hole_bytes >= payload_bytes && payload_bytes > 0 {
                self.hole_bytes -= payload_bytes;
                told.out_of_order = true;
                told.filled_bytes = payload_bytes;
            } else {
                told.retransmitted = !keep_alive;
            }
        } else {
            told.retransmitted = true;
            self.next_seq = end;
        }
        told
    }
}

/// Has sequence number `at` reached `goal`, modulo 2³²?
const fn reaches(at: u32, goal: u32) -> bool {
    at.wrapping_sub(goal) as i32 >= 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::stats::testing::{packet, tcp};

    /// Plays (from_orig, seq, ack, flags, payload) and returns the tracker.
    fn play(steps: &[(bool, u32, u32, u8, u32)]) -> TcpTracker {
        let mut tracker = TcpTracker::default();
        for &(from_orig, seq, ack, flags, payload) in steps {
            let mut p = tcp(packet(0, 1, 1000, 2, 80, 6), seq, ack, flags);
            p.payload_bytes = payload;
            tracker.observe(&p, p.tcp.unwrap(), from_orig);
        }
        tracker
    }

    const HANDSHAKE: [(bool, u32, u32, u8, u32); 3] =
        [(true, 100, 0, 0x02, 0), (false, 500, 101, 0x12, 0), (true, 101, 501, 0x10, 0)];

    fn after_handshake(rest: &[(bool, u32, u32, u8, u32)]) -> TcpTracker {
        play(&[&HANDSHAKE, rest].concat())
    }

    #[test]
    fn one_fin_does_not_end_a_connection() {
        let t = after_handshake(&[(true, 101, 501, 0x11, 0), (false, 501, 102, 0x10, 0)]);
        assert_eq!((t.state(), t.closed()), (ConnState::S2, false));
    }

    #[test]
    fn both_fins_acknowledged_end_it() {
        let t = after_handshake(&[(true, 101, 501, 0x11, 0), (false, 501, 102, 0x11, 0), (true, 102, 502, 0x10, 0)]);
        assert_eq!((t.state(), t.closed()), (ConnState::Sf, true));
    }

    #[test]
    fn resets_and_refusals_are_told_apart() {
        assert_eq!(play(&[(true, 1, 0, 0x02, 0), (false, 0, 2, 0x14, 0)]).state(), ConnState::Rej);
        assert_eq!(play(&[(true, 1, 0, 0x02, 0), (true, 2, 0, 0x04, 0)]).state(), ConnState::Rstos0);
        assert_eq!(after_handshake(&[(true, 101, 501, 0x04, 0)]).state(), ConnState::Rsto);
        assert_eq!(after_handshake(&[(false, 501, 101, 0x04, 0)]).state(), ConnState::Rstr);
        assert_eq!(play(&[(true, 1, 0, 0x02, 0)]).state(), ConnState::S0);
        assert_eq!(play(&[(true, 1, 0, 0x10, 5)]).state(), ConnState::Oth);
    }

    fn sequence(steps: &[(u32, u32)]) -> Vec<Sequence> {
        let mut side = Side::default();
        steps.iter().map(|&(seq, len)| side.advance(seq, len, false, false)).collect()
    }

    #[test]
    fn repeats_holes_and_late_packets_are_told_apart() {
        let told = sequence(&[(0, 10), (10, 10), (10, 10), (30, 10), (20, 10), (20, 10)]);
        assert!(told[2].retransmitted);
        assert_eq!(told[3].missing_bytes, 10);
        assert!(told[4].out_of_order && !told[4].retransmitted);
        assert_eq!(told[4].filled_bytes, 10, "nothing is missing any more");
        assert!(told[5].retransmitted);
    }

    #[test]
    fn a_keep_alive_is_no_retransmission() {
        assert!(!sequence(&[(0, 10), (9, 1)])[1].retransmitted);
    }

    #[test]
    fn sequence_numbers_wrap() {
        let told = sequence(&[(u32::MAX - 4, 5), (0, 10), (u32::MAX - 4, 5)]);
        assert_eq!(told[1], Sequence::default());
        assert!(told[2].retransmitted);
    }

    #[test]
    fn a_new_syn_on_closed_ports_is_a_new_connection() {
        let t = after_handshake(&[(true, 101, 501, 0x04, 0)]);
        let syn = |seq| Tcp { seq, flags: TcpFlags::SYN, ..Tcp::default() };
        assert!(t.is_new_connection(syn(9000), true));
        assert!(t.is_new_connection(syn(7), true), "initial numbers are random");
        assert!(!t.is_new_connection(syn(100), true), "a repeated SYN");
        assert!(!after_handshake(&[]).is_new_connection(syn(9000), true), "still open");
    }
}

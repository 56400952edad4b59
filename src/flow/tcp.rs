//! A TCP connection's state as a passive listener can tell it (RFC 9293; names of the outcome as in Zeek's conn.log).

use serde::{Deserialize, Serialize};

use super::history::{History, Told};
use crate::wire::{Packet, Tcp, TcpFlags};

/// How a connection stood at a moment, in Zeek's terms, by the words of its documentation.
///
/// A connection of which no SYN was captured is [`ConnState::Oth`] however it ended. One whose SYN was not captured while its
/// SYN-ACK and an answer to that were is established.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConnState {
    /// SYN seen, no answer.
    S0,
    /// Established, not ended.
    S1,
    /// Established and closed by both sides.
    Sf,
    /// SYN answered by RST, before any SYN-ACK or data.
    Rej,
    /// Established, only the initiator closed.
    S2,
    /// Established, only the responder closed.
    S3,
    /// Established, the initiator reset.
    Rsto,
    /// The responder reset after it had answered.
    Rstr,
    /// SYN then RST by the initiator, no answer.
    Rstos0,
    /// SYN-ACK then RST by the responder, no SYN seen.
    Rstrh,
    /// SYN then FIN by the initiator, no answer.
    Sh,
    /// SYN-ACK then FIN by the responder, no SYN seen.
    Shr,
    /// No SYN seen, or its answer not captured though data of the responder was, or not TCP.
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

    /// The state that Zeek spells so.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        const ALL: [ConnState; 13] = [
            ConnState::S0,
            ConnState::S1,
            ConnState::Sf,
            ConnState::Rej,
            ConnState::S2,
            ConnState::S3,
            ConnState::Rsto,
            ConnState::Rstr,
            ConnState::Rstos0,
            ConnState::Rstrh,
            ConnState::Sh,
            ConnState::Shr,
            ConnState::Oth,
        ];
        ALL.into_iter().find(|state| state.name() == name)
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
    /// It closed the receive window while data could still come.
    pub zero_window: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// The sequence number behind the last byte seen.
    next_seq: u32,
    /// The number of the first SYN, when there was one.
    syn_seq: u32,
    /// The number that acknowledges this side's FIN.
    fin_ack: u32,
    /// All flags that it sent.
    flags: TcpFlags,
    has_seq: bool,
    fin_acked: bool,
    data: bool,
    /// Is there a hole that the other side has not acknowledged?
    has_hole: bool,
    /// Where the first such hole ends.
    hole_end: u32,
    /// Bytes of this side's stream that are missing so far, to tell a late packet from a repeated one.
    hole_bytes: u32,
    told: Told,
}

/// Follows one connection in constant memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpTracker {
    orig: Side,
    resp: Side,
    /// Did the responder reset before it ever answered otherwise?
    rejected: bool,
    history: History,
}

impl TcpTracker {
    /// Takes the next packet of the connection.
    #[inline(always)]
    pub fn observe(&mut self, packet: &Packet, tcp: Tcp, from_orig: bool) -> Sequence {
        let (sender, other) = if from_orig { (&mut self.orig, &mut self.resp) } else { (&mut self.resp, &mut self.orig) };
        let (syn, fin, rst) = (tcp.flags.has(TcpFlags::SYN), tcp.flags.has(TcpFlags::FIN), tcp.flags.has(TcpFlags::RST));
        let mut sequence = sender.advance(tcp.seq, packet.payload_bytes, syn, fin);
        // A window says nothing once its owner has reset or nothing more can come (Zeek passes over these too).
        sequence.zero_window = tcp.window == 0 && !rst && !sender.rst() && !other.fin();
        let acknowledged = tcp.flags.has(TcpFlags::ACK).then_some(tcp.ack);
        let gap = acknowledged.is_some_and(|ack| !rst && other.acknowledges_hole(ack));
        let has_data = packet.payload_bytes > 0;
        if packet.bad_checksum && sender.told.bad_checksum() {
            self.history.add(b'c', from_orig);
        }
        if let Some(letter) = sender.told.packet(tcp.flags, tcp.seq, has_data) {
            self.history.add(letter, from_orig);
        }
        if sequence.zero_window && sender.told.zero_window() {
            self.history.add(b'w', from_orig);
        }
        if gap && other.told.gap() {
            self.history.add(b'g', !from_orig);
        }
        if sequence.retransmitted && has_data && sender.told.repeat() {
            self.history.add(b't', from_orig);
        }
        if syn && !sender.syn() {
            sender.syn_seq = tcp.seq;
        }
        if fin && !sender.fin() {
            sender.fin_ack = tcp.seq.wrapping_add(packet.payload_bytes).wrapping_add(1);
        }
        if other.fin() && acknowledged.is_some_and(|ack| reaches(ack, other.fin_ack)) {
            other.fin_acked = true;
        }
        sender.flags.0 |= tcp.flags.0;
        sender.data |= has_data && !rst;
        self.rejected |= rst && !from_orig && !self.resp.syn() && !self.resp.data;
        sequence
    }

    /// Takes a later part of a fragmented packet of this side: its bytes follow those of the first part.
    pub const fn observe_fragment(&mut self, payload_bytes: u32, from_orig: bool) {
        let sender = if from_orig { &mut self.orig } else { &mut self.resp };
        if sender.has_seq {
            sender.next_seq = sender.next_seq.wrapping_add(payload_bytes);
        }
    }

    /// Says that the initiator did not send the first packet.
    pub fn flipped(&mut self) {
        self.history.flipped();
    }

    /// What happened so far.
    #[must_use]
    pub const fn history(&self) -> History {
        self.history
    }

    /// Is it over: both FINs acknowledged, or reset?
    #[must_use]
    pub const fn closed(&self) -> bool {
        self.orig.rst() || self.resp.rst() || self.orig.fin_acked && self.resp.fin_acked
    }

    /// Reads what a packet changes.
    #[inline]
    pub(super) const fn touch(&self) -> u64 {
        (self.orig.next_seq ^ self.orig.flags.0 as u32 ^ self.resp.next_seq ^ self.resp.flags.0 as u32 ^ self.rejected as u32)
            as u64
    }

    /// The state in Zeek's terms.
    #[must_use]
    pub const fn state(&self) -> ConnState {
        let (orig, resp) = (&self.orig, &self.resp);
        // Who answers a SYN-ACK has sent a SYN, which only was not captured.
        match (orig.syn() || resp.syn() && orig.has_seq, resp.syn()) {
            (true, true) if resp.rst() => ConnState::Rstr,
            (true, true) if orig.rst() => ConnState::Rsto,
            (true, true) if orig.fin() && resp.fin() => ConnState::Sf,
            (true, true) if orig.fin() => ConnState::S2,
            (true, true) if resp.fin() => ConnState::S3,
            (true, true) => ConnState::S1,
            (true, false) if self.rejected => ConnState::Rej,
            (true, false) if resp.rst() => ConnState::Rstr,
            (true, false) if orig.rst() => ConnState::Rstos0,
            (true, false) if orig.fin() => ConnState::Sh,
            (true, false) if resp.data => ConnState::Oth,
            (true, false) => ConnState::S0,
            (false, true) if resp.rst() => ConnState::Rstrh,
            (false, true) if resp.fin() => ConnState::Shr,
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
        // Who has sent FIN cannot send another SYN in the same connection, so that this suffices where the other side's end
        // was not captured (a one-way mirror).
        (self.closed() || sender.syn() && sender.fin()) && !(sender.syn() && sender.syn_seq == tcp.seq)
    }
}

impl Side {
    const fn syn(&self) -> bool {
        self.flags.has(TcpFlags::SYN)
    }

    const fn fin(&self) -> bool {
        self.flags.has(TcpFlags::FIN)
    }

    const fn rst(&self) -> bool {
        self.flags.has(TcpFlags::RST)
    }

    /// Does this acknowledgement cover bytes that were not captured? Says so once for each hole.
    const fn acknowledges_hole(&mut self, ack: u32) -> bool {
        let does = self.has_hole && reaches(ack, self.hole_end);
        self.has_hole &= !does;
        does
    }

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
            if told.missing_bytes > 0 && !self.has_hole {
                (self.has_hole, self.hole_end) = (true, seq);
            }
        } else if ahead == 0 {
            self.next_seq = end;
        } else if reaches(self.next_seq, end) {
            // A keep-alive repeats one byte below the window (RFC 9293, 3.8.4) and is no retransmission.
            let keep_alive = ahead == -1 && payload_bytes <= 1 && !syn && !fin;
            if self.hole_bytes >= payload_bytes && payload_bytes > 0 {
                self.hole_bytes -= payload_bytes;
                self.has_hole &= self.hole_bytes > 0;
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

    /// Zeek's documentation of conn_state, one line each, and the history of the same packets.
    #[test]
    fn every_state_of_zeek_is_told_by_its_definition() {
        const S: (bool, u32, u32, u8, u32) = (true, 100, 0, 0x02, 0);
        const H: (bool, u32, u32, u8, u32) = (false, 500, 101, 0x12, 0);
        const A: (bool, u32, u32, u8, u32) = (true, 101, 501, 0x10, 0);
        const FIN_ORIG: (bool, u32, u32, u8, u32) = (true, 101, 501, 0x11, 0);
        const FIN_RESP: (bool, u32, u32, u8, u32) = (false, 501, 102, 0x11, 0);
        const RST_ORIG: (bool, u32, u32, u8, u32) = (true, 101, 0, 0x04, 0);
        const RST_RESP: (bool, u32, u32, u8, u32) = (false, 501, 101, 0x14, 0);
        const DATA_RESP: (bool, u32, u32, u8, u32) = (false, 501, 101, 0x18, 9);
        for (packets, state, history) in [
            (&[S][..], ConnState::S0, "S"),
            // Some stacks acknowledge a SYN before they answer it.
            (&[S, (false, 0, 101, 0x10, 0)], ConnState::S0, "Sa"),
            (&[S, H, A], ConnState::S1, "ShA"),
            (&[S, H, A, FIN_ORIG, FIN_RESP], ConnState::Sf, "ShAFf"),
            (&[S, (false, 0, 101, 0x14, 0)], ConnState::Rej, "Sr"),
            (&[S, RST_ORIG, RST_RESP], ConnState::Rej, "SRr"),
            (&[S, H, A, FIN_ORIG], ConnState::S2, "ShAF"),
            (&[S, H, A, FIN_RESP], ConnState::S3, "ShAf"),
            (&[S, H, A, RST_ORIG], ConnState::Rsto, "ShAR"),
            (&[S, H, A, FIN_RESP, RST_ORIG], ConnState::Rsto, "ShAfR"),
            (&[S, H, RST_ORIG], ConnState::Rsto, "ShR"),
            (&[S, H, A, RST_RESP], ConnState::Rstr, "ShAr"),
            (&[S, A, DATA_RESP, RST_RESP], ConnState::Rstr, "SAdr"),
            (&[S, RST_ORIG], ConnState::Rstos0, "SR"),
            (&[H, RST_RESP], ConnState::Rstrh, "hr"),
            (&[S, FIN_ORIG], ConnState::Sh, "SF"),
            (&[H, FIN_RESP], ConnState::Shr, "hf"),
            (&[H], ConnState::Oth, "h"),
            (&[A, DATA_RESP], ConnState::Oth, "Ad"),
            (&[A, RST_RESP], ConnState::Oth, "Ar"),
            (&[S, A, DATA_RESP], ConnState::Oth, "SAd"),
            (&[H, A], ConnState::S1, "hA"),
        ] {
            let tracker = play(packets);
            assert_eq!((tracker.state(), tracker.history().as_str()), (state, history));
        }
    }

    #[test]
    fn trouble_is_in_the_history() {
        let data = |seq, payload| (true, seq, 501, 0x18, payload);
        let repeats: Vec<_> = std::iter::repeat_n(data(101, 10), 11).collect();
        assert_eq!(after_handshake(&repeats).history().as_str(), "ShADTT", "the first and the tenth");
        let hole = [data(101, 10), data(121, 10)];
        let ack = |number| (false, 501, number, 0x10, 0);
        assert_eq!(after_handshake(&[&hole[..], &[ack(111)]].concat()).history().as_str(), "ShADa", "it waits for them");
        assert_eq!(after_handshake(&[&hole[..], &[ack(131), ack(131)]].concat()).history().as_str(), "ShADaG");
        assert_eq!(after_handshake(&[&hole[..], &[data(111, 10), ack(131)]].concat()).history().as_str(), "ShADa");
        assert_eq!(play(&[(true, 1, 0, 0x02, 0), (true, 1, 0, 0x02, 0), (true, 7, 0, 0x02, 0)]).history().as_str(), "SS");
        assert_eq!(play(&[(true, 1, 0, 0x03, 0), (true, 1, 0, 0x05, 0)]).history().as_str(), "QI");
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
        let fin = after_handshake(&[(true, 101, 501, 0x11, 0)]);
        assert!(fin.is_new_connection(syn(9000), true), "who has sent FIN sends no SYN in the same connection");
        assert!(!fin.is_new_connection(syn(9000), false), "the other side has not");
    }
}

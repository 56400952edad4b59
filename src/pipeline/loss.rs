//! How much of the traffic did not come through: lost frames, interfaces that are away, and bytes of TCP that were acknowledged
//! and never captured.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::flow::{EndReason, FlowRecord};
use crate::time::Timestamp;

/// Loss is judged over so many seconds.
const WINDOW_S: i64 = 60;
/// Frames lost in that time from which on they say something: one of little traffic is no sign of anything.
const FEWEST_FRAMES: u64 = 10;
/// Flows with gaps in that time from which on these say something: a single one may have odd sequence numbers.
const FEWEST_FLOWS: u64 = 3;
/// Packets beyond SYN and RST by which a side that is heard alone shows that it talks with somebody.
const TALKING_PACKETS: u64 = 3;
/// Conversations heard one way from which on these say something.
const FEWEST_ONE_WAY: u64 = 20;
/// Conversations after which earlier ones count half: a direction that dies is told whatever was heard in the months before.
const LATELY: u64 = 1000;
/// The protocol's number.
const TCP: u8 = 6;

/// What the reader has counted by a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// Frames read.
    pub frames: u64,
    /// Frames lost, and packets shed.
    pub lost: u64,
    /// Is an interface down or away?
    pub is_deaf: bool,
}

/// What TCP tells of frames that were never captured, whoever lost them: the port that mirrors, the kernel or the sender of a
/// capture file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TcpAccount {
    /// Bytes of payload that were captured.
    pub bytes: u64,
    /// Bytes that were acknowledged and never captured.
    pub missing_bytes: u64,
    /// Records of flows with such a gap.
    pub with_gaps: u64,
    /// Conversations of which one side alone was heard.
    pub one_way: u64,
    /// Conversations of which both sides were heard.
    pub two_way: u64,
}

impl TcpAccount {
    fn of(record: &FlowRecord) -> Self {
        // A first look is followed by the record of the same packets.
        if record.key.protocol != TCP || record.reason == EndReason::FirstLook {
            return Self::default();
        }
        let (orig, resp, history) = (&record.orig, &record.resp, record.history.as_str());
        let gap = |letter, missing| if history.contains(letter) { missing } else { 0 };
        let missing_bytes = gap('G', orig.missing_bytes) + gap('g', resp.missing_bytes);
        let two_way = orig.packets > 0 && resp.packets > 0;
        let heard = if orig.packets > 0 { orig } else { resp };
        let talks = heard.packets.saturating_sub(u64::from(heard.syn) + u64::from(heard.rst)) >= TALKING_PACKETS;
        Self {
            bytes: orig.payload_bytes + resp.payload_bytes,
            missing_bytes,
            with_gaps: (missing_bytes > 0).into(),
            one_way: (!two_way && talks && record.segment == 0).into(),
            two_way: (two_way && record.segment == 0).into(),
        }
    }

    fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.missing_bytes += other.missing_bytes;
        self.with_gaps += other.with_gaps;
        self.one_way += other.one_way;
        self.two_way += other.two_way;
    }

    /// The share of TCP's bytes that were never captured, 0 to 1.
    #[must_use]
    pub fn missing_share(&self) -> f64 {
        if self.with_gaps < FEWEST_FLOWS { 0.0 } else { share(self.missing_bytes, self.bytes) }
    }

    /// Are most conversations heard one way only, as from a port that mirrors one direction?
    #[must_use]
    pub const fn is_one_way(&self) -> bool {
        self.one_way >= FEWEST_ONE_WAY && self.one_way > self.two_way
    }
}

/// How well the network is heard, over the last minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Is loss above the limit, or an interface away? What is told meanwhile may be wrong for what is missing.
    pub is_degraded: bool,
    /// The share of frames that were lost before they could be read or were shed, 0 to 1.
    pub lost: f64,
    /// The share of TCP's bytes that were acknowledged and never captured, 0 to 1.
    pub missing: f64,
    /// Is an interface down or away?
    pub is_deaf: bool,
    /// Are most of the latest thousand or two of TCP conversations heard one way only?
    pub is_one_way: bool,
}

/// Watches over the loss, with the capture's clock.
#[derive(Debug)]
pub(super) struct Loss {
    /// The share that is too much.
    limit: f64,
    /// By second, the oldest first: what was read by its end, and TCP within it.
    seconds: VecDeque<(i64, Reading, TcpAccount)>,
    tcp: TcpAccount,
    /// In all.
    pub total: TcpAccount,
    /// Conversations of late, one way and two.
    lately: TcpAccount,
    /// Was the limit ever passed?
    pub is_exceeded: bool,
    condition: Condition,
}

impl Loss {
    pub(super) fn new(limit: f64) -> Self {
        let [tcp, total, lately] = [TcpAccount::default(); 3];
        Self { limit, seconds: VecDeque::new(), tcp, total, lately, is_exceeded: false, condition: Condition::default() }
    }

    pub(super) const fn condition(&self) -> Condition {
        self.condition
    }

    pub(super) fn record(&mut self, record: &FlowRecord) {
        self.tcp.add(TcpAccount::of(record));
    }

    /// What came after the last tick counts, too: most flows of a short capture end with it.
    pub(super) fn finish(&mut self) {
        let (second, reading) = self.seconds.back().map_or((0, Reading::default()), |last| (last.0, last.1));
        self.tick(Timestamp::from_parts(second, 0), reading);
    }

    /// A tick, by which so much was read and lost. Gives the condition when it is another.
    pub(super) fn tick(&mut self, now: Timestamp, reading: Reading) -> Option<Condition> {
        let (second, tcp) = (now.seconds(), std::mem::take(&mut self.tcp));
        self.total.add(tcp);
        self.lately.add(tcp);
        if self.lately.one_way + self.lately.two_way > 2 * LATELY {
            (self.lately.one_way, self.lately.two_way) = (self.lately.one_way / 2, self.lately.two_way / 2);
        }
        match self.seconds.back_mut() {
            Some(last) if last.0 >= second => {
                last.1 = reading;
                last.2.add(tcp);
            }
            _ => self.seconds.push_back((second, reading, tcp)),
        }
        // The first is kept for what was read before the window.
        while self.seconds.get(1).is_some_and(|next| next.0 <= second - WINDOW_S) {
            self.seconds.pop_front();
        }
        let condition = self.judge(second, reading);
        self.is_exceeded |= condition.lost > self.limit || condition.missing > self.limit;
        let before = std::mem::replace(&mut self.condition, condition);
        let changed = (before.is_degraded, before.is_deaf, before.is_one_way)
            != (condition.is_degraded, condition.is_deaf, condition.is_one_way);
        changed.then_some(condition)
    }

    fn judge(&self, now: i64, reading: Reading) -> Condition {
        let mut tcp = TcpAccount::default();
        self.seconds.iter().filter(|second| second.0 > now - WINDOW_S).for_each(|second| tcp.add(second.2));
        // Before the first second there was nothing.
        let begin = if self.seconds.len() > 1 {
            self.seconds.front().map_or(Reading::default(), |first| first.1)
        } else {
            Reading::default()
        };
        let (frames, lost) = (reading.frames - begin.frames.min(reading.frames), reading.lost - begin.lost.min(reading.lost));
        let lost = if lost < FEWEST_FRAMES { 0.0 } else { share(lost, frames) };
        let missing = tcp.missing_share();
        let is_degraded = lost > self.limit || missing > self.limit || reading.is_deaf;
        Condition { is_degraded, lost, missing, is_deaf: reading.is_deaf, is_one_way: self.lately.is_one_way() }
    }
}

/// `part` of `part + rest`.
pub(super) fn share(part: u64, rest: u64) -> f64 {
    if part == 0 { 0.0 } else { part as f64 / (part + rest) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    fn reading(frames: u64, lost: u64) -> Reading {
        Reading { frames, lost, is_deaf: false }
    }

    #[test]
    fn loss_above_the_limit_degrades_until_it_is_a_minute_ago() {
        let mut loss = Loss::new(0.01);
        assert_eq!(loss.tick(at(1), reading(1000, 0)), None);
        assert_eq!(loss.tick(at(2), reading(2000, 10)), None, "half a percent");
        let worse = loss.tick(at(3), reading(3000, 100)).unwrap();
        assert!(worse.is_degraded && (worse.lost - 100.0 / 2100.0).abs() < 1e-9, "{worse:?}");
        for second in 4..63 {
            assert_eq!(loss.tick(at(second), reading(3000, 100)), None, "second {second}");
        }
        assert!(!loss.tick(at(63), reading(3000, 100)).unwrap().is_degraded);
        assert!(loss.is_exceeded);
    }

    #[test]
    fn an_interface_that_is_away_degrades_and_is_no_loss() {
        let mut loss = Loss::new(0.01);
        assert!(loss.tick(at(1), Reading { is_deaf: true, ..reading(0, 0) }).unwrap().is_degraded);
        assert!(!loss.tick(at(2), reading(0, 0)).unwrap().is_degraded && !loss.is_exceeded);
    }

    #[test]
    fn bytes_that_were_acknowledged_and_never_captured_degrade() {
        let gap = TcpAccount { bytes: 900, missing_bytes: 100, with_gaps: 1, ..TcpAccount::default() };
        let mut loss = Loss::new(0.05);
        for second in 1..3 {
            loss.tcp.add(gap);
            assert_eq!(loss.tick(at(second), Reading::default()), None, "too few to tell");
        }
        loss.tcp.add(gap);
        let condition = loss.tick(at(3), Reading::default()).unwrap();
        assert!(condition.is_degraded && (condition.missing - 0.1).abs() < 1e-9, "{condition:?}");
        assert_eq!((loss.total.missing_bytes, loss.total.with_gaps), (300, 3));
    }

    #[test]
    fn a_gap_of_an_hour_ago_is_over_and_one_at_the_end_counts() {
        let gap = TcpAccount { bytes: 900, missing_bytes: 100, with_gaps: 3, ..TcpAccount::default() };
        let mut loss = Loss::new(0.05);
        loss.tcp = gap;
        assert!(loss.tick(at(1), Reading::default()).unwrap().is_degraded);
        assert!(!loss.tick(at(3600), Reading::default()).unwrap().is_degraded);
        let mut loss = Loss::new(0.05);
        loss.tcp = gap;
        loss.finish();
        assert!(loss.is_exceeded && loss.total == gap);
    }

    #[test]
    fn a_direction_that_dies_after_a_long_time_is_told() {
        let mut loss = Loss::new(0.01);
        for second in 0..1000 {
            loss.tcp.two_way = 100;
            assert_eq!(loss.tick(at(second), Reading::default()), None);
        }
        loss.tcp.one_way = 2500;
        assert!(loss.tick(at(1000), Reading::default()).unwrap().is_one_way);
    }

    #[test]
    fn most_conversations_heard_one_way_are_told_once() {
        let mut loss = Loss::new(0.01);
        loss.tcp = TcpAccount { one_way: 20, two_way: 19, ..TcpAccount::default() };
        assert!(loss.tick(at(1), Reading::default()).unwrap().is_one_way);
        assert_eq!(loss.tick(at(2), Reading::default()), None);
    }
}

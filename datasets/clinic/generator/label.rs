//! Ground truth: one row per conversation.

use core::net::IpAddr;
use std::collections::BTreeMap;

use super::clock::{MICRO, MINUTE, START_EPOCH_S};

/// Why a packet was sent: the label and its detail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Story {
    /// Does it belong to an attack?
    pub malicious: bool,
    /// The attack's name, or the benign activity's.
    pub detail: &'static str,
}

/// An ordinary activity.
pub const fn benign(detail: &'static str) -> Story {
    Story { malicious: false, detail }
}

/// An attack.
pub const fn attack(detail: &'static str) -> Story {
    Story { malicious: true, detail }
}

/// A conversation's five-tuple; the source is who began. Ports are absent for ICMP.
pub type Tuple = (IpAddr, IpAddr, Option<u16>, Option<u16>, &'static str);

/// One row of the label file.
#[derive(Clone)]
pub struct Row {
    /// The five-tuple.
    pub tuple: Tuple,
    /// What it was.
    pub story: Story,
    /// First packet, nanoseconds after the start.
    pub start: i64,
    /// Last packet.
    pub end: i64,
    /// Packets of both directions.
    pub packets: u64,
    /// Bytes on the wire of both directions, link layer included.
    pub bytes: u64,
}

impl Row {
    /// A conversation of which no packet is captured yet.
    pub fn new(tuple: Tuple, story: Story) -> Self {
        Self { tuple, story, start: i64::MAX, end: i64::MIN, packets: 0, bytes: 0 }
    }

    /// Counts one packet.
    pub fn count(&mut self, at: i64, wire_bytes: u32) {
        self.start = self.start.min(at);
        self.end = self.end.max(at);
        self.packets += 1;
        self.bytes += u64::from(wire_bytes);
    }
}

/// All rows.
#[derive(Default)]
pub struct Labels {
    rows: Vec<Row>,
}

/// A quiet time after which a repeated datagram exchange gets a row of its own.
const APART: i64 = 10 * MINUTE;

impl Labels {
    /// Adds a finished conversation; one of which nothing was captured is left out.
    pub fn add(&mut self, row: Row) {
        if row.packets > 0 {
            self.rows.push(row);
        }
    }

    /// All rows by their start; the exchanges of one pair of datagram sockets are one row while they are no more than ten
    /// minutes apart.
    pub fn into_rows(mut self) -> Vec<Row> {
        self.rows.sort_by_key(|row| (row.start / MICRO, row.tuple));
        let mut merged: Vec<Row> = Vec::new();
        let mut latest: BTreeMap<(Tuple, Story), usize> = BTreeMap::new();
        for row in self.rows {
            let known = latest.get(&(row.tuple, row.story)).and_then(|&at| merged.get_mut(at));
            match known {
                Some(known) if row.tuple.4 != "tcp" && row.start - known.end <= APART => {
                    known.end = known.end.max(row.end);
                    known.packets += row.packets;
                    known.bytes += row.bytes;
                }
                _ => {
                    latest.insert((row.tuple, row.story), merged.len());
                    merged.push(row);
                }
            }
        }
        merged
    }
}

/// The label file's text.
pub fn csv(rows: &[Row]) -> String {
    let mut out = String::from("src_ip,dst_ip,src_port,dst_port,proto,start,end,packets,bytes,label,detail\n");
    let port = |port: Option<u16>| port.map(|p| p.to_string()).unwrap_or_default();
    for row in rows {
        let (src, dst, src_port, dst_port, proto) = row.tuple;
        let label = if row.story.malicious { "malicious" } else { "benign" };
        out += &format!(
            "{src},{dst},{},{},{proto},{},{},{},{},{label},{}\n",
            port(src_port),
            port(dst_port),
            epoch(row.start),
            epoch(row.end),
            row.packets,
            row.bytes,
            row.story.detail,
        );
    }
    out
}

/// Epoch seconds to the microsecond, rounded down as in the capture.
pub fn epoch(at: i64) -> String {
    let micros = at / MICRO;
    format!("{}.{:06}", START_EPOCH_S + micros / 1_000_000, micros % 1_000_000)
}

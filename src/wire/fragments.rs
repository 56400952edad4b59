//! Fragmented IP packets: their parts belong to one flow, whichever comes first, and what honest senders never make is marked.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::{Addr, Packet};
use crate::time::{Span, Timestamp};

/// Fragmented packets that are followed at the same time.
pub const MOST_FRAGMENTED: usize = 4096;
/// Parts that wait for the first of their packet, in all.
pub const MOST_WAITING: usize = 4096;
/// The time that the parts of a packet have to come together, as Linux allows them.
pub const REASSEMBLY_TIME: Span = Span::from_secs(30);
/// Ranges of a packet that are remembered, to see overlaps.
const MOST_RANGES: usize = 16;
/// Longest payload of an IP packet.
const MOST_BYTES: u32 = 65_535;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    src: Addr,
    dst: Addr,
    id: u32,
    protocol: u8,
}

#[derive(Debug, Default)]
struct Entry {
    number: u64,
    since: Timestamp,
    ports: Option<(u16, u16)>,
    waiting: Vec<Packet>,
    /// What has come, [start, end), in no order.
    ranges: Vec<(u32, u32)>,
    /// Bytes that have come.
    covered: u32,
    /// Where the last part ends, once it has come.
    end: Option<u32>,
    odd: bool,
}

/// Gives the later parts of fragmented packets the ports of their first part. Parts that come before it wait for it, without
/// their payload, and go on with it in the order of their coming; when it does not come in time, they go on without ports.
#[derive(Debug, Default)]
pub struct Fragments {
    entries: HashMap<Key, Entry, foldhash::fast::FixedState>,
    /// Entries in the order of their coming, some of them replaced since.
    order: VecDeque<(Key, u64)>,
    waiting: usize,
    next_number: u64,
}

impl Fragments {
    /// Takes a packet that is a fragment. Appends to `out` what can go on now: nothing, it, or it and those that waited for it.
    pub fn take(&mut self, mut packet: Packet, out: &mut Vec<Packet>) {
        let Some(fragment) = packet.fragment else {
            out.push(packet);
            return;
        };
        self.let_go_before(packet.time, out);
        let key = Key { src: packet.src, dst: packet.dst, id: fragment.id, protocol: packet.protocol };
        if !self.entries.contains_key(&key) {
            self.begin(key, packet.time, out);
        }
        let Some(entry) = self.entries.get_mut(&key) else {
            out.push(packet);
            return;
        };
        if fragment.offset == 0 && entry.ports.is_some() {
            // Identifications are used again; the rest of the packet before was not seen.
            entry.restart();
        }
        entry.odd |= entry.is_odd(&packet);
        if let Some(fragment) = &mut packet.fragment {
            fragment.odd = entry.odd;
        }
        match (fragment.offset, entry.ports) {
            (0, _) => {
                entry.ports.get_or_insert((packet.src_port, packet.dst_port));
                let waiting = std::mem::take(&mut entry.waiting);
                self.waiting -= waiting.len();
                let ports = (packet.src_port, packet.dst_port);
                out.push(packet);
                out.extend(waiting.into_iter().map(|packet| with_ports(packet, ports)));
            }
            (_, Some(ports)) => out.push(with_ports(packet, ports)),
            (_, None) if self.waiting < MOST_WAITING => {
                packet.payload = 0..0;
                entry.waiting.push(packet);
                self.waiting += 1;
            }
            (_, None) => out.push(packet),
        }
        if entry.is_complete() {
            self.entries.remove(&key);
        }
    }

    /// Lets go of packets whose time is over at `now`.
    pub fn let_go_before(&mut self, now: Timestamp, out: &mut Vec<Packet>) {
        while let Some(&(key, number)) = self.order.front() {
            let entry = self.entries.get(&key).filter(|entry| entry.number == number);
            if entry.is_some_and(|entry| now.since(entry.since) < REASSEMBLY_TIME) {
                return;
            }
            let is_it = entry.is_some();
            self.order.pop_front();
            if is_it {
                self.forget(&key, out);
            }
        }
    }

    /// Lets go of everything: the capture is over.
    pub fn finish(&mut self, out: &mut Vec<Packet>) {
        while let Some((key, number)) = self.order.pop_front() {
            if self.entries.get(&key).is_some_and(|entry| entry.number == number) {
                self.forget(&key, out);
            }
        }
    }

    fn begin(&mut self, key: Key, since: Timestamp, out: &mut Vec<Packet>) {
        while self.entries.len() >= MOST_FRAGMENTED
            && let Some((oldest, number)) = self.order.pop_front()
        {
            if self.entries.get(&oldest).is_some_and(|entry| entry.number == number) {
                self.forget(&oldest, out);
            }
        }
        self.next_number += 1;
        let number = self.next_number;
        let entry = Entry { number, since, ..Entry::default() };
        self.entries.insert(key, entry);
        self.order.push_back((key, number));
    }

    fn forget(&mut self, key: &Key, out: &mut Vec<Packet>) {
        if let Some(entry) = self.entries.remove(key) {
            self.waiting -= entry.waiting.len();
            out.extend(entry.waiting);
        }
    }
}

impl Entry {
    fn restart(&mut self) {
        (self.ports, self.end, self.covered, self.odd) = (None, None, 0, false);
        self.ranges.clear();
    }

    /// Has every part come, and none more than once?
    fn is_complete(&self) -> bool {
        self.ports.is_some() && self.end == Some(self.covered) && !self.odd
    }

    /// Does this part overlap another otherwise than as its copy, or is it too short or too far? Remembers its range.
    fn is_odd(&mut self, packet: &Packet) -> bool {
        let Some(fragment) = packet.fragment else { return false };
        let bytes = packet.ip_bytes.saturating_sub(packet.transport_at - packet.network_at);
        let (start, end) = (fragment.offset, fragment.offset.saturating_add(bytes));
        // The least that a link must carry is 68 bytes in IPv4 and 1,280 in IPv6: a part that is followed by another and still
        // ends inside the transport header is made to get past a filter (RFC 1858, RFC 7112).
        let tiny = fragment.more && start == 0 && bytes < if packet.protocol == 6 { 20 } else { 8 };
        let overlaps = self.ranges.iter().any(|&(from, to)| start < to && from < end && (from, to) != (start, end));
        if !self.ranges.contains(&(start, end)) {
            self.covered = self.covered.saturating_add(bytes);
            if self.ranges.len() < MOST_RANGES {
                self.ranges.push((start, end));
            }
        }
        if !fragment.more {
            self.end = Some(end);
        }
        tiny || overlaps || end > MOST_BYTES
    }
}

fn with_ports(mut packet: Packet, (src_port, dst_port): (u16, u16)) -> Packet {
    (packet.src_port, packet.dst_port) = (src_port, dst_port);
    if let Some(fragment) = &mut packet.fragment {
        fragment.has_ports = true;
    }
    packet
}

//! A captured frame with its addresses replaced, for evidence.

use super::Pseudonyms;
use crate::wire::{Addr, LinkType, Mac};

/// Packets within packets that are entered, as [`decode`](crate::wire::decode) does.
const MOST_DEPTH: u8 = 4;
/// VLAN tags and labels of MPLS that are passed at the most.
const MOST_TAGS: usize = 8;
/// Headers between IPv6 and transport, and options, that are passed at the most.
const MOST_HEADERS: usize = 16;

/// Replaces the addresses of a captured frame in place, those of packets within it as well, corrects the checksums, and returns how
/// many of its bytes may be kept.
///
/// What may hold an address or a name and cannot be replaced is behind that: payloads, options of IPv4 and of IPv6 are blanked
/// and kept. Ethernet, Linux cooked capture and bare IP are read, and in them VLAN tags, MPLS, ARP, IPv4, IPv6, ICMP with what it
/// quotes, neighbour discovery, and IP in IP, GRE, VXLAN, Geneve and GTP-U; of all else nothing is kept behind the header that
/// announces it. A checksum that was wrong stays wrong; of UDP that carries a tunnel it is left out (RFC 6935).
pub fn frame(data: &mut [u8], link: LinkType, names: &mut Pseudonyms) -> usize {
    let mut walk = Walk { data, names, depth: 0 };
    let end = walk.data.len();
    match link {
        LinkType::ETHERNET => walk.ethernet(0, end),
        LinkType::LINUX_SLL => walk.cooked(6, 14, 16),
        LinkType::LINUX_SLL2 => walk.cooked(12, 0, 20),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD | LinkType::IPV4 | LinkType::IPV6 => walk.ip(0, end),
        LinkType::NULL | LinkType::LOOP if end >= 4 => walk.ip(4, end),
        _ => 0,
    }
}

struct Walk<'f> {
    data: &'f mut [u8],
    names: &'f mut Pseudonyms,
    depth: u8,
}

/// The sum of 16-bit words that checksums are made of (RFC 1071), of bytes that begin at an even place.
fn sum(bytes: &[u8]) -> u64 {
    bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0))).sum()
}

fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

impl Walk<'_> {
    /// The bytes at `at`, when there are so many before `end`.
    fn chunk<const N: usize>(&self, at: usize, end: usize) -> Option<[u8; N]> {
        self.data.get(at..end)?.first_chunk().copied()
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.data.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn mac(&mut self, at: usize) {
        if let Some(mac) = self.chunk(at, self.data.len()) {
            let hidden = self.names.mac(Mac(mac));
            self.put(at, &hidden.0);
        }
    }

    fn v4(&mut self, at: usize) {
        if let Some(addr) = self.chunk(at, self.data.len()) {
            let hidden = self.names.addr(Addr::v4(addr)).bits() as u32;
            self.put(at, &hidden.to_be_bytes());
        }
    }

    fn v6(&mut self, at: usize) {
        if let Some(addr) = self.chunk(at, self.data.len()) {
            let hidden = self.names.addr(Addr::v6(addr)).bits();
            self.put(at, &hidden.to_be_bytes());
        }
    }

    fn ethernet(&mut self, at: usize, end: usize) -> usize {
        let Some([.., high, low]) = self.chunk::<14>(at, end) else { return at };
        self.mac(at);
        self.mac(at + 6);
        self.typed(u16::from_be_bytes([high, low]), at + 14, end)
    }

    /// Linux cooked capture: 8 bytes at `mac` of which as many count as the length before them says, and the protocol.
    fn cooked(&mut self, mac: usize, protocol: usize, header: usize) -> usize {
        let end = self.data.len();
        if end < header {
            return 0;
        }
        match self.data[mac - 1] {
            6 => {
                self.mac(mac);
                self.put(mac + 6, &[0; 2]);
            }
            _ => self.put(mac, &[0; 8]),
        }
        let number = u16::from_be_bytes([self.data[protocol], self.data[protocol + 1]]);
        self.typed(number, header, end)
    }

    /// What an EtherType, or a length of LLC, announces.
    fn typed(&mut self, mut number: u16, mut at: usize, end: usize) -> usize {
        for _ in 0..MOST_TAGS {
            match number {
                0x8100 | 0x88a8 | 0x9100 => {
                    let Some([_, _, high, low]) = self.chunk(at, end) else { return at };
                    (number, at) = (u16::from_be_bytes([high, low]), at + 4);
                }
                0x8847 | 0x8848 => {
                    let Some([_, _, bottom, _]) = self.chunk::<4>(at, end) else { return at };
                    at += 4;
                    if bottom & 1 == 1 {
                        return self.ip(at, end);
                    }
                }
                0x0800 | 0x86dd => return self.ip(at, end),
                0x0806 => return self.arp(at, end),
                0x6558 => return self.ethernet(at, end),
                length if length < 0x0600 => match self.chunk::<8>(at, end) {
                    Some([0xaa, 0xaa, 3, 0, 0, 0, high, low]) => {
                        (number, at) = (u16::from_be_bytes([high, low]), at + 8);
                        if number < 0x0600 {
                            return at;
                        }
                    }
                    _ => return at,
                },
                _ => return at,
            }
        }
        at
    }

    fn arp(&mut self, at: usize, end: usize) -> usize {
        match self.chunk::<28>(at, end) {
            Some([0, 1 | 6, 8, 0, 6, 4, ..]) => {
                self.mac(at + 8);
                self.v4(at + 14);
                self.mac(at + 18);
                self.v4(at + 24);
                at + 28
            }
            _ => at,
        }
    }

    fn ip(&mut self, at: usize, end: usize) -> usize {
        if self.depth > MOST_DEPTH {
            return at;
        }
        self.depth += 1;
        match self.data.get(at).filter(|_| at < end).map(|first| first >> 4) {
            Some(4) => self.ip_v4(at, end),
            Some(6) => self.ip_v6(at, end),
            _ => at,
        }
    }

    fn ip_v4(&mut self, at: usize, end: usize) -> usize {
        let Some(header) = self.chunk::<20>(at, end) else { return at };
        let (bytes, total) = (4 * usize::from(header[0] & 15), usize::from(u16::from_be_bytes([header[2], header[3]])));
        if bytes < 20 || at + bytes > end {
            return at;
        }
        // Padding may hold what was in memory before; a total of 0 is left to the network card.
        let end = if total >= bytes { end.min(at + total) } else { end };
        let before = (sum(&self.data[at + 12..at + 20]), sum(&self.data[at + 12..at + bytes]));
        self.v4(at + 12);
        self.v4(at + 16);
        // Options record ways. Ends of options stand for them.
        self.data[at + 20..at + bytes].fill(0);
        let after = (sum(&self.data[at + 12..at + 20]), sum(&self.data[at + 12..at + bytes]));
        self.correct(at + 10, before.1, after.1);
        if u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0 {
            return at + bytes;
        }
        self.transport(header[9], at + bytes, end, (before.0, after.0))
    }

    fn ip_v6(&mut self, at: usize, end: usize) -> usize {
        let Some(header) = self.chunk::<40>(at, end) else { return at };
        let payload = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let end = if payload > 0 { end.min(at + 40 + payload) } else { end };
        let before = sum(&self.data[at + 8..at + 40]);
        self.v6(at + 8);
        self.v6(at + 24);
        let pseudo = (before, sum(&self.data[at + 8..at + 40]));
        let (mut next, mut at) = (header[6], at + 40);
        for _ in 0..MOST_HEADERS {
            match next {
                // Options for hops and for the destination, which may have a home address among them: padding stands for them.
                0 | 60 => {
                    let Some([following, length]) = self.chunk(at, end) else { return at };
                    let bytes = 8 * (usize::from(length) + 1);
                    if at + bytes > end {
                        return at;
                    }
                    self.pad_options(at + 2, at + bytes);
                    (next, at) = (following, at + bytes);
                }
                44 => {
                    let Some([following, _, high, low, ..]) = self.chunk::<8>(at, end) else { return at };
                    if u16::from_be_bytes([high, low]) & 0xfff8 != 0 {
                        return at + 8;
                    }
                    (next, at) = (following, at + 8);
                }
                // A way to go, or another's address: nothing behind is kept.
                43 | 51 | 135 | 139 | 140 => return at,
                _ => return self.transport(next, at, end, pseudo),
            }
        }
        at
    }

    /// Fills with options of padding (RFC 8200, 4.2) of at most 257 bytes each.
    fn pad_options(&mut self, mut at: usize, end: usize) {
        while at < end {
            let bytes = (end - at).min(257);
            self.data[at..at + bytes].fill(0);
            if bytes > 1 {
                self.put(at, &[1, (bytes - 2) as u8]);
            }
            at += bytes;
        }
    }

    /// Corrects a checksum for what was changed under it (RFC 1624, equation 3).
    fn correct(&mut self, at: usize, before: u64, after: u64) {
        if let Some(old) = self.chunk::<2>(at, self.data.len()) {
            let old = u64::from(!u16::from_be_bytes(old));
            let new = !folded(old + u64::from(!folded(before)) + after);
            self.put(at, &new.to_be_bytes());
        }
    }

    /// What an IP packet carries; `pseudo` are the sums of its addresses before and after they were replaced.
    fn transport(&mut self, protocol: u8, at: usize, end: usize, pseudo: (u64, u64)) -> usize {
        match protocol {
            6 => self.tcp(at, end, pseudo),
            17 => self.udp(at, end, pseudo),
            1 => self.icmp(at, end),
            58 => self.icmp_v6(at, end, pseudo),
            4 | 41 => self.ip(at, end),
            47 => self.gre(at, end),
            // Ports and what is as long; the checksum of SCTP is of the whole packet, that of the others is not known.
            132 if at + 12 <= end => at + 12,
            50 if at + 8 <= end => at + 8,
            _ => at,
        }
    }

    fn tcp(&mut self, at: usize, end: usize, pseudo: (u64, u64)) -> usize {
        let Some(header) = self.chunk::<20>(at, end) else { return at };
        let bytes = 4 * usize::from(header[12] >> 4);
        if bytes < 20 || at + bytes > end {
            return at;
        }
        let before = sum(&self.data[at + 20..at + bytes]);
        self.blank_addresses(at + 20, at + bytes);
        let after = sum(&self.data[at + 20..at + bytes]);
        self.correct(at + 16, pseudo.0 + before, pseudo.1 + after);
        at + bytes
    }

    /// Options of TCP that hold an address (multipath, RFC 8684), or that nobody knows, become padding.
    fn blank_addresses(&mut self, mut at: usize, end: usize) {
        for _ in 0..40 {
            match self.data.get(at).filter(|_| at < end) {
                Some(1) => at += 1,
                // Segment size, window scale, selective acknowledgements, timestamps.
                Some(2..=5 | 8) if self.data.get(at + 1).is_some_and(|length| *length >= 2) => {
                    at += usize::from(self.data[at + 1]);
                }
                Some(_) => {
                    let length = self.data.get(at + 1).map_or(0, |length| usize::from(*length));
                    let next = if self.data[at] == 0 || length < 2 { end } else { end.min(at + length) };
                    self.data[at..next].fill(1);
                    at = next;
                }
                None => return,
            }
        }
    }

    fn udp(&mut self, at: usize, end: usize, pseudo: (u64, u64)) -> usize {
        let Some(header) = self.chunk::<8>(at, end) else { return at };
        if header[6..8] != [0; 2] {
            self.correct(at + 6, pseudo.0, pseudo.1);
            if self.chunk(at + 6, end) == Some([0, 0]) {
                self.put(at + 6, &[0xff; 2]);
            }
        }
        let inner = at + 8;
        let kept = match (u16::from_be_bytes([header[2], header[3]]), self.chunk::<8>(inner, end)) {
            (4789 | 8472, Some([flags, ..])) if flags & 8 != 0 => self.ethernet(inner + 8, end),
            (6081, Some([first, _, high, low, ..])) if first >> 6 == 0 => {
                let header = 8 + 4 * usize::from(first & 0x3f);
                if inner + header > end {
                    return inner;
                }
                self.data[inner + 8..inner + header].fill(0);
                self.typed(u16::from_be_bytes([high, low]), inner + header, end)
            }
            (2152, Some([flags, 0xff, ..])) if flags >> 4 == 3 && flags & 4 == 0 => {
                let header = if flags & 3 != 0 { 12 } else { 8 };
                if inner + header <= end { self.ip(inner + header, end) } else { inner }
            }
            _ => return inner,
        };
        self.put(at + 6, &[0; 2]);
        kept
    }

    fn gre(&mut self, at: usize, end: usize) -> usize {
        let Some([flags, version, high, low]) = self.chunk(at, end) else { return at };
        let optional = |bit: u8| if flags & bit != 0 { 4 } else { 0 };
        let header = 4 + optional(0x80) + optional(0x20) + optional(0x10);
        if version & 0x87 != 0 || flags & 0x40 != 0 || at + header > end {
            return at;
        }
        let kept = self.typed(u16::from_be_bytes([high, low]), at + header, end);
        if flags & 0x80 != 0 {
            // Over all that follows, of which not all is kept: no checksum.
            self.put(at + 4, &[0; 2]);
        }
        kept
    }

    fn icmp(&mut self, at: usize, end: usize) -> usize {
        let Some([kind, ..]) = self.chunk::<8>(at, end) else { return at };
        let before = self.data[at..end].to_vec();
        if kind == 5 {
            self.v4(at + 4);
        }
        let kept = if matches!(kind, 3 | 4 | 5 | 11 | 12) { self.ip(at + 8, end) } else { at + 8 };
        let after = sum(&self.data[at..end]);
        self.correct(at + 2, sum(&before), after);
        kept
    }

    fn icmp_v6(&mut self, at: usize, end: usize, pseudo: (u64, u64)) -> usize {
        let Some([kind, ..]) = self.chunk::<4>(at, end) else { return at };
        let before = sum(&self.data[at..end]);
        let kept = match kind {
            1..=4 if at + 8 <= end => self.ip(at + 8, end),
            133 => self.neighbour_options(at + 8, end),
            134 => self.neighbour_options(at + 16, end),
            135..=137 => {
                let addresses = if kind == 137 { 2 } else { 1 };
                let options = at + 8 + 16 * addresses;
                if options > end {
                    at + 4
                } else {
                    (0..addresses).for_each(|place| self.v6(at + 8 + 16 * place));
                    self.neighbour_options(options, end)
                }
            }
            130..=132 if at + 24 <= end => {
                self.v6(at + 8);
                at + 24
            }
            128 | 129 if at + 8 <= end => at + 8,
            _ => at + 4,
        };
        let after = sum(&self.data[at..end]);
        self.correct(at + 2, pseudo.0 + before, pseudo.1 + after);
        kept
    }

    /// Options of neighbour discovery (RFC 4861, 4.6): addresses of the link and prefixes are replaced, others end what is kept.
    fn neighbour_options(&mut self, mut at: usize, end: usize) -> usize {
        if at > end {
            return end;
        }
        for _ in 0..MOST_HEADERS {
            let Some([kind, words]) = self.chunk(at, end) else { return at };
            let next = at + 8 * usize::from(words);
            if words == 0 || next > end {
                return at;
            }
            match (kind, words) {
                (1 | 2, 1) => self.mac(at + 2),
                (3, 4) => self.v6(at + 16),
                // The packet that a redirect is about is not kept; size of packets, nonce.
                (5, 1) | (14, _) => {}
                _ => return at,
            }
            at = next;
        }
        at
    }
}

//! Packets that were captured twice, as a SPAN port delivers them that mirrors both ends of a conversation.

use super::{Frame, Packet, mix};
use crate::time::{Span, Timestamp};

/// Packets that are remembered at the most: what comes within [`DUPLICATE_WINDOW`] at some ten million packets per second.
const SLOTS: usize = 1 << 13;
const SECRETS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];
/// Bytes behind the IP header that are compared: the transport header, whose checksum covers the rest.
const COMPARED_BYTES: usize = 48;

/// The same packet counts as captured twice within this time. Copies of a mirror come within microseconds; what is sent again
/// comes after a round trip at the earliest, and then as another packet with another identification.
pub const DUPLICATE_WINDOW: Span = Span::from_nanos(1_000_000);

/// Tells packets that were seen a moment ago. Direct-mapped: a collision makes it forget, never claim.
#[derive(Debug)]
pub struct Duplicates {
    slots: Vec<(u64, Timestamp)>,
}

impl Default for Duplicates {
    fn default() -> Self {
        Self { slots: vec![(0, Timestamp::MIN); SLOTS] }
    }
}

impl Duplicates {
    /// Did another frame between the same stations bring this IP packet within the last [`DUPLICATE_WINDOW`]? VLAN tags may differ,
    /// since ports are mirrored with and without. A packet that a router, or somebody who poses as one, passes on is not the same:
    /// it has other stations and a lower hop limit.
    ///
    /// Only the second is a copy, the third is new: a flood sends equal packets on purpose, and must not vanish.
    pub fn contains(&mut self, frame: &Frame<'_>, packet: &Packet) -> bool {
        let Some(print) = fingerprint(frame, packet) else { return false };
        let Some(slot) = self.slots.get_mut(print as usize % SLOTS) else { return false };
        let age = packet.time.since(slot.1);
        if slot.0 == print && age >= Span::ZERO && age <= DUPLICATE_WINDOW {
            *slot = (0, Timestamp::MIN);
            return true;
        }
        *slot = (print, packet.time);
        false
    }
}

/// A hash of what makes this packet itself.
fn fingerprint(frame: &Frame<'_>, packet: &Packet) -> Option<u64> {
    let data = frame.data;
    let (at, end) = (packet.network_at as usize, packet.network_at as usize + packet.ip_bytes as usize);
    let header: &[u8; 8] = data.get(at..)?.first_chunk()?;
    let transport = data.get(packet.transport_at as usize..data.len().min(end)).unwrap_or_default();
    let transport = transport.get(..COMPARED_BYTES).unwrap_or(transport);
    // IPv4 has lengths, identification and fragment offset in these.
    let mut print = u64::from_be_bytes(*header);
    let mut add = |word: u64| print = mix(print ^ word ^ SECRETS[0], SECRETS[1]);
    for [a, b, c, d, e, f] in [packet.src_mac, packet.dst_mac] {
        add(u64::from_be_bytes([packet.protocol, packet.ttl, a, b, c, d, e, f]));
    }
    for addr in [packet.src.bits(), packet.dst.bits()] {
        add(addr as u64 ^ ((addr >> 64) as u64).rotate_left(32));
    }
    let (whole, rest) = transport.as_chunks::<8>();
    whole.iter().for_each(|word| add(u64::from_le_bytes(*word)));
    if !rest.is_empty() {
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        add(u64::from_le_bytes(bytes));
    }
    Some(print)
}

//! Checksums of IPv4, TCP, UDP, ICMP and ICMPv6 (RFC 1071), of packets that were captured whole.

use super::{Addr, Frame, Packet};

/// What a packet's checksums say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// They hold, or there is none.
    Good,
    /// They cannot be checked: the packet was cut, is a fragment, has a length of 0 for offload, or a protocol whose
    /// checksum is not read (SCTP).
    Unknown,
    /// Not filled in yet, as a packet looks that was captured on its sender before the interface did so: IPv4's is 0, or
    /// the transport's is that of the pseudo-header alone.
    Unfilled,
    /// Wrong.
    Bad,
}

/// Checks the checksums of the packet that `decode` found in this frame.
#[must_use]
pub fn checksum(frame: &Frame<'_>, packet: &Packet) -> Checksum {
    let header = frame.data.get(packet.network_at as usize..packet.transport_at as usize);
    let Some(header) = header else { return Checksum::Unknown };
    let network = match header {
        [first, _, high, low, _, _, _, _, _, _, sum @ ..] if first >> 4 == 4 => {
            let bytes = header.get(..usize::from(first & 0x0f) * 4).unwrap_or(header);
            match (sum16(bytes, 0) == 0xffff, sum.starts_with(&[0, 0]), [*high, *low] == [0, 0]) {
                (true, ..) => Checksum::Good,
                (false, true, _) => Checksum::Unfilled,
                (false, false, true) => Checksum::Unknown,
                (false, false, false) => Checksum::Bad,
            }
        }
        _ => Checksum::Good,
    };
    if network == Checksum::Bad {
        return network;
    }
    match transport(frame.data, packet, header) {
        None => {
            if network == Checksum::Good {
                Checksum::Unknown
            } else {
                network
            }
        }
        Some(Checksum::Good) => network,
        Some(found) => found,
    }
}

/// The transport's checksum; nothing when it cannot be checked.
fn transport(data: &[u8], packet: &Packet, header: &[u8]) -> Option<Checksum> {
    let extended = match header.first()? >> 4 {
        4 => header.len() > usize::from(header.first()? & 0x0f) * 4 || header.get(2..4) == Some(&[0, 0]),
        // A routing header changes the destination that counts.
        _ => header.len() > 40 || header.get(4..6) == Some(&[0, 0]),
    };
    if extended || packet.fragment.is_some() {
        return None;
    }
    let at = packet.transport_at as usize;
    let mut bytes = (packet.ip_bytes as usize).checked_sub(header.len())?;
    let place = match packet.protocol {
        6 => 16,
        17 => {
            let stated = usize::from(u16::from_be_bytes(*data.get(at + 4..)?.first_chunk()?));
            bytes = (8..=bytes).contains(&stated).then_some(stated)?;
            6
        }
        1 | 58 => 2,
        _ => return None,
    };
    let segment = data.get(at..at + bytes)?;
    let field = u16::from_be_bytes(*segment.get(place..)?.first_chunk()?);
    if packet.protocol == 17 && field == 0 {
        // No checksum in IPv4; forbidden in IPv6, but for tunnels (RFC 6935).
        return Some(Checksum::Good);
    }
    let pseudo = if packet.protocol == 1 { 0 } else { pseudo_header(packet.src, packet.dst, packet.protocol, bytes as u32) };
    Some(match sum16(segment, pseudo) {
        0xffff => Checksum::Good,
        _ if packet.protocol != 1 && field == fold(pseudo) => Checksum::Unfilled,
        _ => Checksum::Bad,
    })
}

/// The sum over the pseudo-header (RFC 9293, 3.1; RFC 8200, 8.1), not folded.
fn pseudo_header(src: Addr, dst: Addr, protocol: u8, bytes: u32) -> u64 {
    // Words of 32 bits fold to the same sum as those of 16.
    let of = |addr: Addr| {
        let bits = if addr.is_v4() { addr.bits() & 0xffff_ffff } else { addr.bits() };
        let halves = [bits as u64, (bits >> 64) as u64];
        halves.iter().map(|half| (half >> 32) + (half & 0xffff_ffff)).sum::<u64>()
    };
    of(src) + of(dst) + u64::from(protocol) + u64::from(bytes >> 16) + u64::from(bytes & 0xffff)
}

/// The sum of the bytes as 16-bit words in network order, and `start`, with the carries folded in; the last odd byte counts as
/// the high one.
fn sum16(bytes: &[u8], start: u64) -> u16 {
    // Sums of words of 32 bits in the machine's order: the order of the bytes in the result is all that differs (RFC 1071, 2).
    let words = bytes.chunks_exact(4);
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(words.remainder()) {
        *to = *from;
    }
    let sum: u64 = words.map(|word| u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]))).sum();
    let sum = fold(sum + u64::from(u32::from_ne_bytes(last)));
    fold(u64::from(u16::from_be(sum)) + start)
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_sum_is_that_of_the_words_in_network_order(bytes in prop::collection::vec(any::<u8>(), 0..200), start in 0u64..1 << 20) {
            let words = bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)));
            prop_assert_eq!(sum16(&bytes, start), fold(words.sum::<u64>() + start));
        }
    }

    #[test]
    fn the_example_of_rfc_1071_holds() {
        assert_eq!(sum16(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7], 0), 0xddf2);
    }
}

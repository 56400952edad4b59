//! Checksums of IPv4, TCP, UDP, ICMP and ICMPv6 (RFC 1071), of packets that were captured whole.

use super::{Addr, Frame, Packet};

const IPV4_BYTES: usize = 20;

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
    usual(frame.data, packet).unwrap_or_else(|| of_any(frame, packet))
}

/// That of most packets, read in one go: IPv4 without options and TCP or UDP, whole and with a length. None of others, which [`of_any`] reads, and
/// would read these alike: a property test compares them.
#[inline]
fn usual(data: &[u8], packet: &Packet) -> Option<Checksum> {
    let (header, segment) = data.get(packet.network_at as usize..)?.split_first_chunk::<IPV4_BYTES>()?;
    let [0x45, _, t0, t1, _, _, _, _, _, protocol, sum @ ..] = header else { return None };
    let is_read_here =
        packet.transport_at == packet.network_at + IPV4_BYTES as u32 && packet.fragment.is_none() && [*t0, *t1] != [0, 0];
    if !is_read_here || *protocol != packet.protocol {
        return None;
    }
    let bytes = packet.ip_bytes.checked_sub(IPV4_BYTES as u32)?;
    let segment = segment.get(..bytes as usize)?;
    let field = match (protocol, segment) {
        (6, [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, high, low, ..]) => [*high, *low],
        (17, [_, _, _, _, l0, l1, high, low, ..]) if u32::from(u16::from_be_bytes([*l0, *l1])) == bytes => [*high, *low],
        _ => return None,
    };
    let mut words = [0; IPV4_BYTES / 4];
    words.iter_mut().zip(header.as_chunks::<4>().0).for_each(|(word, bytes)| *word = u64::from(u32::from_le_bytes(*bytes)));
    let [first, second, third, src, dst] = words;
    let ends = src + dst;
    let network = if fold(first + second + third + ends) == 0xffff {
        Checksum::Good
    } else if sum.starts_with(&[0, 0]) {
        Checksum::Unfilled
    } else {
        return Some(Checksum::Bad);
    };
    if *protocol == 17 && field == [0, 0] {
        return Some(network);
    }
    let pseudo = ends + (u64::from(*protocol) << 8) + u64::from(bytes.swap_bytes());
    Some(match sum16(segment, pseudo) {
        0xffff => network,
        _ if u16::from_le_bytes(field) == fold(pseudo) => Checksum::Unfilled,
        _ => Checksum::Bad,
    })
}

/// That of any packet.
fn of_any(frame: &Frame<'_>, packet: &Packet) -> Checksum {
    let header = frame.data.get(packet.network_at as usize..packet.transport_at as usize);
    let Some(header) = header else { return Checksum::Unknown };
    let network = match header {
        [first, _, high, low, _, _, _, _, _, _, sum @ ..] if first >> 4 == 4 => {
            let bytes = header.get(..usize::from(first & 0x0f) * 4).unwrap_or(header);
            // Most have no options: their length is known when this is compiled.
            let sums = bytes.try_into().map_or_else(|_| sum16(bytes, 0), |bytes: &[u8; 20]| sum16(bytes, 0));
            match (sums == 0xffff, sum.starts_with(&[0, 0]), [*high, *low] == [0, 0]) {
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
        _ if packet.protocol != 1 && field.swap_bytes() == fold(pseudo) => Checksum::Unfilled,
        _ => Checksum::Bad,
    })
}

/// The sum over the pseudo-header (RFC 9293, 3.1; RFC 8200, 8.1) as [`sum16`] wants it, not folded.
#[inline]
fn pseudo_header(src: Addr, dst: Addr, protocol: u8, bytes: u32) -> u64 {
    let of = |addr: Addr| {
        if addr.is_v4() {
            return u64::from((addr.bits() as u32).swap_bytes());
        }
        let words = addr.bits().swap_bytes();
        halves(words as u64) + halves((words >> 64) as u64)
    };
    of(src) + of(dst) + (u64::from(protocol) << 8) + u64::from(bytes.swap_bytes())
}

/// The sum of the bytes as little-endian 16-bit words, and `start`, with the carries folded in; behind the last odd byte stands a 0. In
/// network order only the two bytes of the result would stand the other way round (RFC 1071, 2).
#[inline]
fn sum16(bytes: &[u8], start: u64) -> u16 {
    let (words, rest) = bytes.as_chunks::<8>();
    let (fours, others) = words.as_chunks::<4>();
    let sum = fours.iter().fold(whole(others), |sum, four| sum + whole(four));
    // Carries stand beside the words, where each counts as one.
    let sum = halves(sum as u64) + (sum >> 64) as u64;
    // The rest stands at the end of the last eight bytes, where there are as many.
    let rest = match bytes.last_chunk() {
        _ if rest.is_empty() => 0,
        Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    fold(sum + halves(rest) + start)
}

/// The sum of words.
#[inline]
fn whole(words: &[[u8; 8]]) -> u128 {
    words.iter().map(|word| u128::from(u64::from_le_bytes(*word))).sum()
}

/// Words of 32 bits fold to the same sum as those of 16.
const fn halves(word: u64) -> u64 {
    (word >> 32) + (word & 0xffff_ffff)
}

/// The carries of a sum below 2^48 added to it, until none is left.
const fn fold(sum: u64) -> u16 {
    let sum = halves(sum);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    ((sum >> 16) + (sum & 0xffff)) as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Packets of which here and there a byte is wrong, cut or not, with and without checksums, and with lengths that do not fit.
        #[test]
        fn usual_packets_are_read_as_any_are(
            payload in prop::collection::vec(any::<u8>(), 0..70), is_tcp: bool, fills in any::<[bool; 2]>(), none: bool,
            change in prop::option::of((0usize..100, any::<u8>())), less in 0usize..3, more in 0u32..3,
        ) {
            let (protocol, place, least) = if is_tcp { (6, 16, 20) } else { (17, 6, 8) };
            let mut segment = vec![7; least];
            segment.extend(payload);
            let bytes = segment.len() as u16;
            segment[4..6].copy_from_slice(&bytes.to_be_bytes());
            segment[place..place + 2].fill(0);
            let [b0, b1] = (20 + bytes).to_be_bytes();
            let mut header = vec![0x45, 0, b0, b1, 1, 2, 0x40, 0, 64, protocol, 0, 0, 10, 1, 2, 3, 192, 168, 1, 77];
            let pseudo = pseudo_header(Addr::v4([10, 1, 2, 3]), Addr::v4([192, 168, 1, 77]), protocol, u32::from(bytes));
            if fills[0] {
                let sum = !sum16(&header, 0);
                header[10..12].copy_from_slice(&sum.to_le_bytes());
            }
            if !none {
                let sum = if fills[1] { !sum16(&segment, pseudo) } else { fold(pseudo) };
                segment[place..place + 2].copy_from_slice(&sum.to_le_bytes());
            }
            let mut data = [header, segment].concat();
            if let Some((at, by)) = change {
                let at = at % data.len();
                data[at] ^= by;
            }
            data.truncate(data.len() - less);
            let (src, dst) = (Addr::v4([data[12], data[13], data[14], data[15]]), Addr::v4([data[16], data[17], data[18], data[19]]));
            let ip_bytes = 20 + u32::from(bytes) - more;
            let packet = Packet { src, dst, protocol, ip_bytes, transport_at: 20, ..Packet::default() };
            let frame = Frame { time: Default::default(), link: crate::wire::LinkType::ETHERNET, wire_bytes: data.len() as u32, data: &data };
            if let Some(found) = usual(&data, &packet) {
                prop_assert_eq!(found, of_any(&frame, &packet));
            }
        }

        #[test]
        fn the_sum_is_that_of_the_words_in_network_order(bytes in prop::collection::vec(any::<u8>(), 0..200), start in 0u64..1 << 20) {
            let words = bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)));
            let sum = sum16(&bytes, u64::from(fold(start).swap_bytes()));
            prop_assert_eq!(sum.swap_bytes(), fold(words.sum::<u64>() + start));
        }
    }

    #[test]
    fn the_example_of_rfc_1071_holds() {
        assert_eq!(sum16(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7], 0).swap_bytes(), 0xddf2);
    }

    #[test]
    fn a_pseudo_header_counts_as_its_bytes() {
        let (v4, v6) = ([10, 1, 2, 3], [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0xff, 0xfe, 0, 1, 2, 3, 4, 5]);
        let bytes = [&v4[..], &v4, &[0, 17, 1, 4]].concat();
        assert_eq!(fold(pseudo_header(Addr::v4(v4), Addr::v4(v4), 17, 260)), sum16(&bytes, 0));
        let bytes = [&v6[..], &v6, &[0, 3, 1, 4], &[0, 0, 0, 58]].concat();
        assert_eq!(fold(pseudo_header(Addr::v6(v6), Addr::v6(v6), 58, 0x0003_0104)), sum16(&bytes, 0));
    }
}

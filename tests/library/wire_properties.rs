//! What holds for every frame.

use auscult::wire::{Frame, LinkType, Packet, Tcp, decode};
use etherparse::{PacketBuilder, VlanId};
use proptest::prelude::*;

use crate::wire_support::{ethernet, frame};

const LINKS: [LinkType; 11] = [
    LinkType::NULL,
    LinkType::ETHERNET,
    LinkType::RAW_BSD,
    LinkType::RAW_OPENBSD,
    LinkType::RAW,
    LinkType::LOOP,
    LinkType::LINUX_SLL,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::LINUX_SLL2,
    LinkType(9999),
];

/// A valid frame, and how many of its bytes `decode` needs.
fn valid() -> impl Strategy<Value = (Vec<u8>, usize)> {
    let payload = prop::collection::vec(any::<u8>(), 0..200);
    let options = prop::collection::vec(any::<[u8; 3]>().prop_map(|b| [2, 4, b[0], b[1]]), 0..4);
    (any::<bool>(), any::<bool>(), any::<bool>(), 1u16..4095, any::<[u8; 32]>(), any::<(u16, u16)>(), options, payload).prop_map(
        |(tagged, v4, tcp, vlan, addresses, (src, dst), options, payload)| {
            let (a, b) = addresses.split_at(16);
            let link = PacketBuilder::ethernet2([1; 6], [2; 6]);
            let first: fn(&[u8]) -> [u8; 4] = |address| *address.first_chunk().unwrap();
            let sixteen: fn(&[u8]) -> [u8; 16] = |address| *address.first_chunk().unwrap();
            let ip = match (tagged, v4) {
                (false, true) => link.ipv4(first(a), first(b), 9),
                (false, false) => link.ipv6(sixteen(a), sixteen(b), 9),
                (true, true) => link.single_vlan(VlanId::try_new(vlan).unwrap()).ipv4(first(a), first(b), 9),
                (true, false) => link.single_vlan(VlanId::try_new(vlan).unwrap()).ipv6(sixteen(a), sixteen(b), 9),
            };
            let before = if tagged { 18 } else { 14 } + if v4 { 20 } else { 40 };
            let mut bytes = Vec::new();
            if tcp {
                let options = options.concat();
                ip.tcp(src, dst, 77, 88).syn().options_raw(&options).unwrap().write(&mut bytes, &payload).unwrap();
            } else {
                ip.udp(src, dst).write(&mut bytes, &payload).unwrap();
            }
            (bytes, before + if tcp { 14 } else { 8 })
        },
    )
}

/// The packet without what a cut may take away: where the payload lies, and the window, which is behind the flags.
fn stated(packet: Packet) -> Packet {
    Packet { payload: 0..0, tcp: packet.tcp.map(|tcp| Tcp { window: 0, ..tcp }), ..packet }
}

fn check_sound(frame: &Frame<'_>) -> Result<(), TestCaseError> {
    if let Ok(packet) = decode(frame) {
        prop_assert!(packet.payload.start <= packet.payload.end);
        prop_assert!(packet.payload.end as usize <= frame.data.len());
        prop_assert!(packet.payload.len() <= packet.payload_bytes as usize);
        prop_assert!(packet.payload_bytes <= packet.ip_bytes);
        prop_assert!(packet.tcp.is_none() || packet.protocol == 6 && !packet.is_later_fragment());
        prop_assert!(packet.tcp.is_some() || packet.protocol != 6 || packet.fragment.is_some());
        prop_assert!(packet.fragment.is_some() || !packet.is_later_fragment());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_a_sound_packet_or_a_skip(link in 0..LINKS.len(), wire_bytes: u32, data in prop::collection::vec(any::<u8>(), 0..200)) {
        check_sound(&Frame { wire_bytes, ..frame(LINKS[link], &data) })?;
    }

    #[test]
    fn damaged_packets_are_sound_or_skipped(
        (bytes, _) in valid(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), keep: prop::sample::Index,
    ) {
        let mut bytes = bytes;
        for (place, value) in damage {
            let place = place.index(bytes.len().min(80));
            bytes[place] = value;
        }
        bytes.truncate(keep.index(bytes.len()) + 1);
        check_sound(&ethernet(&bytes))?;
        for link in LINKS {
            check_sound(&frame(link, bytes.get(14..).unwrap_or_default()))?;
        }
    }

    #[test]
    fn a_cut_changes_nothing_that_is_stated((bytes, needed) in valid()) {
        let whole = stated(decode(&ethernet(&bytes)).unwrap());
        for keep in needed..=bytes.len() {
            let cut = decode(&Frame { data: &bytes[..keep], ..ethernet(&bytes) });
            prop_assert_eq!(cut.map(stated), Ok(whole.clone()), "{} of {} bytes", keep, bytes.len());
        }
        for keep in 0..needed {
            let cut = decode(&Frame { data: &bytes[..keep], ..ethernet(&bytes) });
            prop_assert!(cut.is_err_and(|skip| skip.as_str().starts_with("truncated")), "{} of {} bytes", keep, bytes.len());
        }
    }

    #[test]
    fn padding_changes_nothing_but_the_frame_length((bytes, _) in valid(), padding in 1usize..50) {
        let mut padded = bytes.clone();
        padded.resize(bytes.len() + padding, 0x55);
        let got = decode(&Frame { wire_bytes: bytes.len() as u32, ..ethernet(&padded) });
        prop_assert_eq!(got, decode(&ethernet(&bytes)));
    }
}

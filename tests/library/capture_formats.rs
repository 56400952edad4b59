//! Every variant of every format, made here, read back.

use std::io::Cursor;

use auscult::capture::{Input, Reader, open};

use crate::capture_make::{self, *};

/// Reads bytes as from a pipe and as from a file, which must agree, and expects no error.
fn read(bytes: &[u8]) -> Vec<(Made, u16)> {
    let name = Input::Path("made".into());
    let (piped, errors) = drain(&mut Reader::new(name, Box::new(Cursor::new(bytes.to_vec()))).unwrap());
    assert!(errors.is_empty(), "{errors:?}");
    let folder = Folder::new();
    let (filed, errors) = drain(&mut open(&[Input::Path(folder.put("made", bytes))]).unwrap());
    assert!(errors.is_empty(), "{errors:?}");
    assert!(piped == filed, "pipe and file differ");
    filed
}

fn made(read: Vec<(Made, u16)>) -> Vec<Made> {
    read.into_iter().map(|(made, _)| made).collect()
}

#[test]
fn pcap_in_both_orders_and_three_kinds() {
    let packets = packets(50);
    for endian in BOTH {
        for magic in [MICRO, NANO, KUZNETZOV] {
            assert_eq!(made(read(&pcap(endian, magic, &packets))), packets, "{endian:?} {magic:x}");
        }
    }
}

#[test]
fn pcap_with_nanoseconds_keeps_them() {
    let packet = Made { nanos: 1_700_000_000_999_999_999, wire_bytes: 4, data: vec![1, 2, 3, 4] };
    assert_eq!(made(read(&pcap(Endian::Big, NANO, std::slice::from_ref(&packet)))), [packet]);
}

#[test]
fn the_upper_half_of_a_link_type_is_the_checksums() {
    let packets = packets(1);
    for endian in BOTH {
        let bytes = [pcap_header(endian, MICRO, 0x5400_0071), pcap_record(endian, MICRO, &packets[0])].concat();
        assert_eq!(read(&bytes), [(packets[0].clone(), 113)]);
    }
}

#[test]
fn old_pcap_has_its_lengths_the_other_way_round() {
    let short = Made { nanos: 0, wire_bytes: 60, data: vec![7; 20] };
    for (minor, swapped) in [(0, true), (2, true), (3, true), (3, false), (4, false)] {
        let mut bytes = plain(std::slice::from_ref(&short));
        bytes[6] = minor;
        if swapped {
            let (front, back) = bytes[24 + 8..24 + 16].split_at_mut(4);
            front.swap_with_slice(back);
        }
        assert_eq!(made(read(&bytes)), std::slice::from_ref(&short), "2.{minor}");
    }
}

#[test]
fn a_header_alone_is_a_capture() {
    for endian in BOTH {
        assert_eq!(read(&pcap(endian, MICRO, &[])), []);
        assert_eq!(read(&section(endian)), []);
        assert_eq!(read(&pcapng(endian, &[])), []);
    }
}

#[test]
fn pcapng_in_both_orders() {
    let packets = packets(50);
    for endian in BOTH {
        assert_eq!(made(read(&pcapng(endian, &packets))), packets, "{endian:?}");
    }
}

#[test]
fn pcapng_sections_have_their_own_order_and_interfaces() {
    let packets = packets(4);
    let (little, big) = (Endian::Little, Endian::Big);
    let bytes = [
        section(little),
        interface(little, 113, 0, &[]),
        interface(little, 1, 0, &[]),
        enhanced(little, 1, 1, &packets[0]),
        enhanced(little, 0, 2, &packets[1]),
        section(big),
        interface(big, 276, 0, &[]),
        enhanced(big, 0, 3, &packets[2]),
        // A statistics block and one that nobody knows.
        block(big, 5, &[0; 16]),
        block(big, 0x8000_1234, &[9; 40]),
        interface(big, 101, 0, &[]),
        enhanced(big, 1, 4, &packets[3]),
    ]
    .concat();
    let got: Vec<(u16, i64)> = read(&bytes).iter().map(|(made, link)| (*link, made.nanos)).collect();
    assert_eq!(got, [(1, 1000), (113, 2000), (276, 3000), (101, 4000)]);
}

#[test]
fn pcapng_clocks_of_any_resolution() {
    let packet = packets(1).remove(0);
    let seconds = 1_700_000_000_u64;
    // Resolution, units of 1_700_000_000.5 s, and the nanoseconds that this is.
    let cases = [
        (0, seconds, 0),
        (3, seconds * 1000 + 500, 500_000_000),
        (6, seconds * 1_000_000 + 500_000, 500_000_000),
        (9, seconds * 1_000_000_000 + 1, 1),
        (10, seconds * 10_000_000_000 + 19, 1),
        (0x80, seconds, 0),
        (0x80 | 20, (seconds << 20) + (1 << 19), 500_000_000),
        (0x80 | 32, (seconds << 32) + (1 << 31), 500_000_000),
    ];
    for (resolution, units, nanos) in cases {
        for (offset, endian) in [(0, Endian::Little), (-100, Endian::Big), (7, Endian::Little)] {
            let options = [option(endian, 9, &[resolution]), option(endian, 14, &endian.u64(offset as u64)), vec![0; 4]].concat();
            let bytes = [section(endian), interface(endian, 1, 0, &options), enhanced(endian, 0, units, &packet)].concat();
            let want = (seconds as i64 + offset) * 1_000_000_000 + nanos;
            assert_eq!(read(&bytes)[0].0.nanos, want, "{resolution:#x} {offset}");
        }
    }
}

#[test]
fn simple_packets_have_the_time_before_them_and_what_fits() {
    let packets = packets(3);
    for endian in BOTH {
        let cut = Made { wire_bytes: 1000, ..packets[1].clone() };
        let bytes = [
            section(endian),
            interface(endian, 1, 16, &[]),
            simple(endian, &packets[0]),
            enhanced(endian, 0, 77, &packets[2]),
            simple(endian, &cut),
        ]
        .concat();
        let got = made(read(&bytes));
        assert_eq!((got[0].nanos, got[0].wire_bytes, &got[0].data[..]), (0, 20, &packets[0].data[..16]));
        assert_eq!((got[2].nanos, got[2].wire_bytes, &got[2].data[..]), (77_000, 1000, &packets[1].data[..16]));
    }
}

#[test]
fn obsolete_packets_are_packets() {
    let packets = packets(2);
    for endian in BOTH {
        let bytes = [section(endian), interface(endian, 1, 0, &[]), obsolete(endian, 0, 5, &packets[1])].concat();
        assert_eq!(made(read(&bytes)), [Made { nanos: 5000, ..packets[1].clone() }]);
    }
}

#[test]
fn compression_is_told_by_content_and_may_have_several_members() {
    let packets = packets(3000);
    for bytes in [plain(&packets), pcapng(Endian::Big, &packets)] {
        let (front, back) = bytes.split_at(bytes.len() / 2 + 1);
        for pack in [gzip, zstd] {
            assert_eq!(made(read(&pack(&bytes))), packets);
            assert_eq!(made(read(&[pack(front), pack(back)].concat())), packets, "two members");
        }
    }
}

#[test]
fn records_straddle_blocks_and_outgrow_them() {
    const USB: u16 = 249;
    let sizes = [3, 900_000, 400_000, 3_000_000, 0, 70_000, 16_000_000, 1, 1_048_560, 1_048_576, 40];
    let packet = |(i, size): (usize, &usize)| {
        let data: Vec<u8> = (0..*size).map(|at| (at / 251 + i) as u8).collect();
        Made { nanos: i as i64 * 1000, wire_bytes: *size as u32, data }
    };
    let packets: Vec<Made> = sizes.iter().enumerate().map(packet).collect();
    for endian in BOTH {
        let mut pcap = pcap_header(endian, MICRO, USB.into());
        packets.iter().for_each(|packet| pcap.extend(pcap_record(endian, MICRO, packet)));
        let mut pcapng = [section(endian), interface(endian, USB, 0, &[])].concat();
        packets.iter().for_each(|packet| pcapng.extend(enhanced(endian, 0, packet.nanos as u64 / 1000, packet)));
        for bytes in [gzip(&pcap), pcap, pcapng] {
            assert!(made(read(&bytes)) == packets, "long records");
        }
    }
    let many = capture_make::packets(60_000);
    assert!(made(read(&plain(&many))) == many, "many blocks");
}

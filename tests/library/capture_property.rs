//! What holds for any bytes, and for any cut of a good capture.

use std::io::{Cursor, Read};

use auscult::capture::{CaptureError, Input, Reader};
use proptest::prelude::*;

use crate::capture_make::{self, *};

fn read(bytes: Vec<u8>) -> (Vec<Made>, Vec<CaptureError>) {
    let (frames, errors) = drain(&mut Reader::new(Input::Stdin, Box::new(Cursor::new(bytes))).unwrap());
    (frames.into_iter().map(|(made, _)| made).collect(), errors)
}

/// A capture, and behind which byte each of its packets is whole.
fn with_ends(format: usize, packets: &[Made]) -> (Vec<u8>, Vec<usize>) {
    let endian = BOTH[format % 2];
    let make = |packets: &[Made]| match format / 2 {
        0 => pcap(endian, MICRO, packets),
        1 => pcap(endian, KUZNETZOV, packets),
        _ => pcapng(endian, packets),
    };
    let ends = (1..=packets.len()).map(|n| make(&packets[..n]).len()).collect();
    (make(packets), ends)
}

/// A good capture with some bytes overwritten.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let hits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8);
    (0_usize..6, 0_usize..20, hits).prop_map(|(format, count, hits)| {
        let (mut bytes, _) = with_ends(format, &packets(count));
        for (at, value) in hits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_behind_any_magic_end(magic in 0_usize..8, tail in prop::collection::vec(any::<u8>(), 0..600)) {
        let heads = [
            plain(&[]), pcap(Endian::Big, NANO, &[]), section(Endian::Little), pcapng(Endian::Big, &[]),
            vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], vec![0x28, 0xb5, 0x2f, 0xfd], vec![0x0a, 0x0d], vec![],
        ];
        let bytes = [&heads[magic][..], &tail].concat();
        let most = bytes.len() * 4000;
        let (frames, errors) = read(bytes);
        prop_assert!(errors.len() <= 1);
        prop_assert!(frames.iter().map(|frame| frame.data.len() + 12).sum::<usize>() <= most);
    }

    #[test]
    fn damage_neither_panics_nor_invents(bytes in damaged()) {
        let length = bytes.len();
        let (frames, errors) = read(bytes);
        prop_assert!(errors.len() <= 1);
        prop_assert!(frames.iter().map(|frame| frame.data.len() + 12).sum::<usize>() <= length);
    }

    #[test]
    fn a_cut_of_compressed_bytes_gives_the_first_packets(zstd in any::<bool>(), format in 0_usize..6, at in any::<prop::sample::Index>()) {
        let packets = packets(60);
        let (bytes, _) = with_ends(format, &packets);
        let mut packed = if zstd { capture_make::zstd(&bytes) } else { gzip(&bytes) };
        packed.truncate(at.index(packed.len()));
        let (frames, errors) = read(packed.clone());
        prop_assert!(packets.starts_with(&frames));
        match &errors[..] {
            [CaptureError::Empty { .. }] => prop_assert!(packed.is_empty()),
            [error] => prop_assert!(error.is_truncation(), "{error}"),
            _ => prop_assert!(false, "{errors:?}"),
        }
    }

    #[test]
    fn damaged_compression_ends_with_at_most_one_error(
        zstd in any::<bool>(),
        bytes in damaged(),
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut packed = if zstd { capture_make::zstd(&bytes) } else { gzip(&bytes) };
        for (at, value) in hits {
            let at = at.index(packed.len());
            packed[at] = value;
        }
        prop_assert!(read(packed).1.len() <= 1);
    }

    #[test]
    fn however_the_bytes_come_the_frames_are_the_same(bytes in damaged(), piece in 1_usize..400) {
        struct Pieces(Cursor<Vec<u8>>, usize);
        impl Read for Pieces {
            fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
                let length = out.len().min(self.1);
                self.0.read(&mut out[..length])
            }
        }
        let (whole, whole_errors) = read(bytes.clone());
        let pieces = Pieces(Cursor::new(bytes), piece);
        let (pieced, errors) = drain(&mut Reader::new(Input::Stdin, Box::new(pieces)).unwrap());
        prop_assert_eq!(pieced.into_iter().map(|(made, _)| made).collect::<Vec<_>>(), whole);
        prop_assert_eq!(format!("{errors:?}"), format!("{whole_errors:?}"));
    }
}

#[test]
fn a_cut_anywhere_gives_exactly_the_records_before_it() {
    let packets = packets(6);
    for format in 0..6 {
        let (bytes, ends) = with_ends(format, &packets);
        let header = with_ends(format, &[]).0.len();
        // Inside the head of a pcapng file there is a second place where nothing is cut: behind the section header.
        let section_end = if format >= 4 { section(BOTH[0]).len() } else { header };
        for cut in 0..=bytes.len() {
            let (frames, errors) = read(bytes[..cut].to_vec());
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(frames, packets[..whole], "format {format}, cut {cut}");
            let clean = cut == header || cut == section_end || ends.contains(&cut);
            match &errors[..] {
                [] => assert!(clean, "format {format}: no error at {cut}"),
                [CaptureError::Empty { .. }] => assert_eq!(cut, 0),
                [error] => assert!(!clean && error.is_truncation(), "format {format}, cut {cut}: {error}"),
                _ => panic!("{errors:?}"),
            }
        }
    }
}

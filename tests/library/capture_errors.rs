//! Every error, from a capture made for it: what it says, and that the frames before it are not lost.

use std::io::Cursor;

use auscult::capture::{Block, CaptureError, Damage, Input, Reader, Source, open};

use crate::capture_make::*;

/// The number of frames read and the one error behind them.
fn fails(bytes: &[u8]) -> (usize, CaptureError) {
    let folder = Folder::new();
    let path = folder.put("made.pcap", bytes);
    let (piped, _) = drain(&mut Reader::new(Input::Stdin, Box::new(Cursor::new(bytes.to_vec()))).unwrap());
    let (frames, mut errors) = drain(&mut open(&[Input::Path(path)]).unwrap());
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(piped.len(), frames.len());
    (frames.len(), errors.remove(0))
}

fn damage(bytes: &[u8]) -> (usize, Damage, u64) {
    match fails(bytes) {
        (frames, CaptureError::Damaged { place, damage }) => {
            assert_eq!(place.record, frames as u64 + 1);
            (frames, damage, place.offset)
        }
        (_, other) => panic!("{other}"),
    }
}

fn path_error(path: &str) -> String {
    open(&[Input::Path(path.into())]).err().unwrap().to_string()
}

#[test]
fn what_is_not_there() {
    assert_eq!(path_error("no/such.pcap"), "no/such.pcap: no such file or folder");
}

#[test]
fn a_folder_without_captures_says_what_was_looked_for() {
    let folder = Folder::new();
    folder.put("notes.txt", b"not a capture");
    folder.put("labels.csv.gz", &gzip(b"src_ip,dst_ip"));
    folder.put("empty", b"");
    let error = open(&[Input::Path(folder.path().into())]).err().unwrap();
    assert!(matches!(&error, CaptureError::NoCaptures { files: 3, .. }), "{error:?}");
    assert!(error.to_string().contains("pcapng (0a0d0d0a)") && !error.is_truncation(), "{error}");
}

#[test]
fn what_is_no_capture() {
    let (_, error) = fails(b"\x89PNG\r\n\x1a\n");
    assert!(error.to_string().contains("not a capture: begins with 89504e47; wanted pcap (a1b2c3d4"), "{error}");
    let (_, error) = fails(&zstd(b"text"));
    assert!(error.to_string().contains("not a capture: the zstd data begins with 74657874"), "{error}");
    assert!(!error.is_truncation());
}

#[test]
fn what_is_empty() {
    for bytes in [Vec::new(), gzip(b""), zstd(b"")] {
        let (_, error) = fails(&bytes);
        assert!(matches!(error, CaptureError::Empty { .. }) && !error.is_truncation(), "{error}");
    }
}

#[test]
fn a_cut_says_where_and_how_much() {
    let packets = packets(3);
    let bytes = plain(&packets);
    let (frames, error) = fails(&bytes[..bytes.len() - 5]);
    assert_eq!(frames, 2);
    assert!(error.is_truncation());
    // 24 bytes of file header, records of 16 + 20 and 16 + 21, then one of 16 + 22.
    let CaptureError::Truncated { place, wanted, had } = error else { panic!("{error}") };
    assert_eq!((place.record, place.offset, wanted, had), (3, 97, 38, 33));
    let (_, error) = fails(&bytes[..97 + 9]);
    assert!(error.to_string().ends_with("packet 3, byte 97: the file ends inside a record: wanted 16 bytes, had 9"), "{error}");
}

#[test]
fn a_compressed_cut_gives_the_frames_before_it() {
    let packets = packets(20_000);
    for pack in [gzip, zstd] {
        let bytes = pack(&plain(&packets));
        let (frames, error) = fails(&bytes[..bytes.len() / 2]);
        assert!(frames > 5_000 && error.is_truncation(), "{frames} {error}");
        assert!(matches!(error, CaptureError::CutCompression { .. }), "{error}");
    }
}

#[test]
fn damaged_compression_is_a_failure_after_the_frames_before_it() {
    let packets = packets(20_000);
    let mut bytes = gzip(&plain(&packets));
    let end = bytes.len();
    // The checksum: all frames are there, and yet it is an error.
    bytes[end - 8] ^= 1;
    let (frames, error) = fails(&bytes);
    assert_eq!(frames, 20_000);
    assert!(matches!(error, CaptureError::Compression { .. }) && !error.is_truncation(), "{error}");
    // A second zstd frame that is none.
    let (frames, error) = fails(&[zstd(&plain(&packets)), b"garbage, garbage".to_vec()].concat());
    assert_eq!(frames, 20_000);
    assert!(error.to_string().contains(" of the zstd data decompressed: damaged compression: "), "{error}");
}

#[test]
fn absurd_lengths() {
    let mut bytes = plain(&packets(3));
    bytes[24 + 36 + 8..][..4].copy_from_slice(&0x4000_0000_u32.to_le_bytes());
    let (frames, damage_, offset) = damage(&bytes);
    assert_eq!((frames, offset), (1, 60));
    assert!(matches!(damage_, Damage::Length { what: "captured length", length: 0x4000_0000, .. }), "{damage_}");

    for endian in BOTH {
        let good = pcapng(endian, &packets(2));
        for length in [0_u32, 8, 16 << 20 | 4, u32::MAX] {
            let bytes = [good.clone(), endian.u32(6).to_vec(), endian.u32(length).to_vec(), vec![0; 64]].concat();
            let (frames, damage, offset) = damage(&bytes);
            assert_eq!((frames, offset), (2, good.len() as u64));
            assert!(matches!(damage, Damage::Length { what: "block length", .. }), "{damage}");
        }
    }
}

#[test]
fn damaged_blocks() {
    let endian = Endian::Little;
    let packets = packets(2);
    let good = pcapng(endian, &packets[..1]);
    let behind = |block: Vec<u8>| damage(&[good.clone(), block].concat());

    let mut odd = enhanced(endian, 0, 1, &packets[1]);
    odd[4] += 1;
    assert!(matches!(behind(odd), (1, Damage::Unaligned { .. }, _)));

    let mut trailer = enhanced(endian, 0, 1, &packets[1]);
    let end = trailer.len() - 4;
    trailer[end] += 4;
    let start = trailer.len() as u32;
    assert_eq!(behind(trailer).1, Damage::Trailer { start, end: start + 4 });

    assert_eq!(behind(enhanced(endian, 7, 1, &packets[1])).1, Damage::UnknownInterface { id: 7, known: 1 });

    let mut long = enhanced(endian, 0, 1, &packets[1]);
    long[20] = 200;
    assert!(matches!(behind(long).1, Damage::Length { what: "captured length", length: 200, .. }));

    for kind in [2, 3, 6] {
        assert!(matches!(behind(block(endian, kind, &[])).1, Damage::Length { .. }), "{kind}");
    }
    assert!(matches!(behind(block(endian, 1, &[1, 0, 0, 0])).1, Damage::Length { .. }));
    let lost = [section(endian), simple(endian, &packets[0])].concat();
    assert_eq!(damage(&lost).1, Damage::UnknownInterface { id: 0, known: 0 });
}

#[test]
fn damaged_sections() {
    let endian = Endian::Little;
    let mut order = section(endian);
    order[8] = 0;
    assert_eq!(damage(&order).1, Damage::ByteOrder { seen: [0, 0x3c, 0x2b, 0x1a] });
    let mut version = section(endian);
    version[12] = 2;
    assert!(matches!(damage(&version).1, Damage::Version { major: 2, minor: 0, .. }));
    let mut version = plain(&[]);
    version[4] = 9;
    assert!(matches!(damage(&version).1, Damage::Version { major: 9, minor: 4, .. }));
    let short = block(endian, 0x0a0d_0d0a, &endian.u32(0x1a2b_3c4d));
    assert!(matches!(damage(&short).1, Damage::Length { what: "section header block", length: 16, min: 28, .. }));
    let crowd = [section(endian), interface(endian, 1, 0, &[]).repeat(65_537)].concat();
    assert_eq!(damage(&crowd).1, Damage::TooManyInterfaces { limit: 65_536 });
}

#[test]
fn a_file_that_shrinks_is_an_error_with_its_place() {
    let packets = packets(60_000);
    let folder = Folder::new();
    let path = folder.put("shrinks.pcap", &plain(&packets));
    let whole = std::fs::metadata(&path).unwrap().len();
    let mut source = open(&[Input::Path(path.clone())]).unwrap();
    let mut block = Block::default();
    assert!(source.fill(&mut block).unwrap());
    let first = block.frames.len();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(1 << 21).unwrap();
    let (rest, errors) = drain(&mut source);
    assert!(first + rest.len() < packets.len() && rest.len() > 1000);
    let [CaptureError::Shrank { place, wanted, had }] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!((*wanted, *had, place.record), (whole, 1 << 21, (first + rest.len()) as u64 + 1));
}

#[test]
fn a_reader_that_fails_is_unreadable() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is on fire"))
        }
    }
    let bytes = plain(&packets(5));
    let reader = std::io::Read::chain(Cursor::new(bytes), Broken);
    let (frames, errors) = drain(&mut Reader::new(Input::Stdin, Box::new(reader)).unwrap());
    assert_eq!(frames.len(), 5);
    assert_eq!(errors[0].to_string(), "standard input: cannot be read: the disk is on fire");
}

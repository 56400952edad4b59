//! Several captures as one source: order, merging, folders, pipes, and a bad one among them.

use std::path::PathBuf;

use auscult::capture::{Block, CaptureError, Files, Input, MAX_OPEN, Source, open};
use proptest::prelude::*;

use crate::capture_make::*;

/// Packets at the given seconds; `mark` tells whose they are.
fn at(mark: u8, seconds: &[i64]) -> Vec<Made> {
    seconds.iter().map(|s| Made { nanos: s * 1_000_000_000, wire_bytes: 2, data: vec![mark, *s as u8] }).collect()
}

fn open_all(paths: &[PathBuf]) -> Files {
    open(&paths.iter().cloned().map(Input::Path).collect::<Vec<_>>()).unwrap()
}

/// Marks and seconds in the order in which they come.
fn marks(files: &mut Files) -> (Vec<(u8, i64)>, Vec<CaptureError>) {
    let (frames, errors) = drain(files);
    (frames.iter().map(|(made, _)| (made.data[0], made.nanos / 1_000_000_000)).collect(), errors)
}

#[test]
fn files_come_in_the_order_of_time_not_of_names() {
    let folder = Folder::new();
    let late = folder.put("a", &plain(&at(1, &[30, 31])));
    let early = folder.put("b", &gzip(&pcapng(Endian::Big, &at(2, &[10, 11]))));
    let mut files = open_all(&[late.clone(), early.clone()]);
    let order: Vec<_> = files.files().iter().map(|file| (file.input.clone(), file.first.unwrap().seconds())).collect();
    assert_eq!(order, [(Input::Path(early), 10), (Input::Path(late), 30)]);
    assert_eq!(marks(&mut files).0, [(2, 10), (2, 11), (1, 30), (1, 31)]);
}

#[test]
fn overlapping_files_are_merged_and_equal_times_keep_the_order_of_files() {
    let folder = Folder::new();
    let a = folder.put("a", &plain(&at(1, &[10, 20, 20, 40])));
    let b = folder.put("b", &plain(&at(2, &[10, 15, 20, 50])));
    let c = folder.put("c", &plain(&at(3, &[20, 60])));
    let want = [(1, 10), (2, 10), (2, 15), (1, 20), (1, 20), (2, 20), (3, 20), (1, 40), (2, 50), (3, 60)];
    assert_eq!(marks(&mut open_all(&[a, b, c])).0, want);
}

#[test]
fn a_file_alone_is_passed_through_in_whole_blocks() {
    let folder = Folder::new();
    let all = packets(60_000);
    let (early, late) = all.split_at(30_000);
    let paths = [folder.put("late", &plain(late)), folder.put("early", &plain(early))];
    let (mut files, mut block) = (open_all(&paths), Block::default());
    assert!(files.fill(&mut block).unwrap());
    // The block holds the file as it is, header included: nothing was copied out of it.
    assert_eq!(block.bytes[..4], [0xd4, 0xc3, 0xb2, 0xa1]);
    assert_eq!(block.frames[0].bytes.start, 24 + 16);
    let first = block.frames.len();
    let (rest, errors) = drain(&mut files);
    assert!(errors.is_empty());
    assert!(rest.iter().map(|(made, _)| made).eq(&all[first..]));
}

#[test]
fn a_recycled_block_needs_no_more_memory() {
    let folder = Folder::new();
    let path = folder.put("a", &plain(&packets(120_000)));
    let (mut files, mut block) = (open_all(&[path]), Block::default());
    let mut memories = Vec::new();
    while files.fill(&mut block).unwrap() {
        memories.push((block.bytes.as_ptr(), block.bytes.capacity(), block.frames.as_ptr(), block.frames.capacity()));
    }
    // Two blocks take turns: the caller's and the one that is read into.
    let late: std::collections::BTreeSet<_> = memories.iter().skip(memories.len() / 2).collect();
    assert!(memories.len() > 20 && late.len() == 2, "{} of {}", late.len(), memories.len());
}

#[test]
fn one_bad_file_is_told_once_and_the_others_are_read() {
    let folder = Folder::new();
    let good = plain(&at(1, &[10, 20, 30]));
    let cut = plain(&at(2, &[12, 22, 32]));
    let paths = [
        folder.put("good", &good),
        folder.put("cut", &cut[..cut.len() - 1]),
        folder.put("none", b"no capture"),
        folder.put("later", &plain(&at(4, &[40]))),
    ];
    let (got, errors) = marks(&mut open_all(&paths));
    assert_eq!(got, [(1, 10), (2, 12), (1, 20), (2, 22), (1, 30), (4, 40)]);
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(matches!(errors[0], CaptureError::NotACapture { .. }));
    assert!(matches!(&errors[1], CaptureError::Truncated { place, .. } if place.record == 3));
}

#[test]
fn a_folder_gives_its_captures_and_passes_over_the_rest() {
    let folder = Folder::new();
    folder.put("readme.txt", b"about these captures");
    folder.put("labels.csv.gz", &gzip(b"a,b,c"));
    folder.put("rotating.pcap", b"");
    folder.put("two", &plain(&at(2, &[20])));
    folder.put("sub/one.bin", &zstd(&plain(&at(1, &[10]))));
    folder.put("sub/sub/never", &plain(&at(9, &[1])));
    let mut files = open_all(&[folder.path().into()]);
    assert_eq!((files.files().len(), files.ignored()), (2, 3));
    assert_eq!(marks(&mut files).0, [(1, 10), (2, 20)]);
    // The same folder and one of its files again: nothing is read twice.
    let mut files = open_all(&[folder.path().join("two"), folder.path().into(), folder.path().join(".")]);
    assert_eq!(marks(&mut files).0, [(1, 10), (2, 20)]);
}

#[test]
fn a_capture_without_packets_is_no_error() {
    let folder = Folder::new();
    let mut files = open_all(&[folder.put("a", &plain(&[])), folder.put("b", &plain(&at(1, &[1])))]);
    assert_eq!(files.files()[0].first, None);
    let (got, errors) = marks(&mut files);
    assert!(got == [(1, 1)] && errors.is_empty());
}

#[test]
fn a_file_that_went_away_is_told_and_the_others_are_read() {
    let folder = Folder::new();
    let paths = [folder.put("a", &plain(&at(1, &[1]))), folder.put("b", &plain(&at(2, &[2])))];
    let mut files = open_all(&paths);
    std::fs::remove_file(&paths[0]).unwrap();
    let (got, errors) = marks(&mut files);
    assert_eq!(got, [(2, 2)]);
    assert!(matches!(&errors[..], [CaptureError::NoSuchFile { path }] if *path == paths[0]));
}

#[test]
fn more_than_may_be_open_at_once_are_left_out_aloud() {
    let folder = Folder::new();
    let paths: Vec<_> =
        (0..MAX_OPEN as i64 + 2).map(|i| folder.put(&format!("{i:03}"), &plain(&at(i as u8, &[i, 200])))).collect();
    let (got, errors) = marks(&mut open_all(&paths));
    assert_eq!(got.len(), 2 * MAX_OPEN);
    assert_eq!(errors.len(), 2);
    assert!(matches!(&errors[0], CaptureError::TooManyAtOnce { limit: MAX_OPEN, .. }) && !errors[0].is_truncation());
    assert!(errors[1].to_string().contains("/065: not read: it overlaps in time with 64 other captures"), "{}", errors[1]);
}

#[test]
fn progress_goes_from_nothing_to_all_stored_bytes() {
    let folder = Folder::new();
    let paths = [folder.put("a", &gzip(&plain(&packets(40_000)))), folder.put("b", &plain(&packets(40_000)))];
    let total: u64 = paths.iter().map(|path| std::fs::metadata(path).unwrap().len()).sum();
    let (mut files, mut block, mut last) = (open_all(&paths), Block::default(), 0);
    assert_eq!(files.progress(), Some((0, total)));
    assert_eq!(files.files().iter().filter_map(|file| file.bytes).sum::<u64>(), total);
    let mut steps = 0;
    while files.fill(&mut block).unwrap() {
        let (now, all) = files.progress().unwrap();
        assert!(now >= last && all == total);
        steps += usize::from(now > last);
        last = now;
    }
    assert!(last == total && steps > 3, "{last} of {total} in {steps} steps");
}

#[cfg(unix)]
#[test]
fn pipes_are_merged_with_files() {
    let folder = Folder::new();
    let file = folder.put("file", &plain(&at(1, &[10, 30])));
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let bytes = pcapng(Endian::Little, &at(2, &[20, 40]));
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::write(pipe, bytes).unwrap()
    });
    let mut files = open_all(&[file, pipe]);
    assert_eq!(files.progress(), None);
    assert_eq!(marks(&mut files).0, [(1, 10), (2, 20), (1, 30), (2, 40)]);
    writer.join().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Against the plain way: all packets of sorted files, sorted stably.
    #[test]
    fn merging_is_a_stable_sort(mut times in prop::collection::vec(prop::collection::vec(0_i64..60, 1..30), 1..9)) {
        times.iter_mut().for_each(|times| times.sort_unstable());
        let folder = Folder::new();
        let file = |(i, times): (usize, &Vec<i64>)| folder.put(&i.to_string(), &plain(&at(i as u8, times)));
        let paths: Vec<_> = times.iter().enumerate().map(file).collect();
        let mut want: Vec<(u8, i64)> =
            times.iter().enumerate().flat_map(|(i, times)| times.iter().map(move |time| (i as u8, *time))).collect();
        want.sort_by_key(|(_, time)| *time);
        prop_assert_eq!(marks(&mut open_all(&paths)).0, want);
    }

    /// Whatever the order within the files, nothing is lost and each file keeps its own order.
    #[test]
    fn disorder_loses_nothing(times in prop::collection::vec(prop::collection::vec(0_i64..60, 1..30), 1..9)) {
        let folder = Folder::new();
        let file = |(i, times): (usize, &Vec<i64>)| folder.put(&i.to_string(), &plain(&at(i as u8, times)));
        let paths: Vec<_> = times.iter().enumerate().map(file).collect();
        let got = marks(&mut open_all(&paths)).0;
        for (i, times) in times.iter().enumerate() {
            let own: Vec<i64> = got.iter().filter(|(mark, _)| *mark == i as u8).map(|(_, time)| *time).collect();
            prop_assert_eq!(&own, times);
        }
    }
}

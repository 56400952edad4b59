//! The faulty source does what it is told, as often as it is told, and the same every time.

use std::io::Cursor;

use auscult::capture::{Faults, Faulty, Input, Reader};

use crate::capture_make::*;

const COUNT: usize = 20_000;

fn run(faults: Faults, seed: u64) -> Vec<Made> {
    let reader = Reader::new(Input::Stdin, Box::new(Cursor::new(plain(&packets(COUNT))))).unwrap();
    let (frames, errors) = drain(&mut Faulty::new(reader, faults, seed));
    assert!(errors.is_empty());
    frames.into_iter().map(|(made, _)| made).collect()
}

/// Is `n` what a probability of a tenth makes of all packets, give or take five standard deviations?
fn is_a_tenth(n: usize) -> bool {
    n.abs_diff(COUNT / 10) < 5 * 43
}

#[test]
fn without_faults_nothing_changes() {
    assert!(run(Faults::default(), 1) == packets(COUNT));
}

#[test]
fn drops_as_often_as_told() {
    let left = run(Faults { drop: 0.1, ..Faults::default() }, 2);
    assert!(is_a_tenth(COUNT - left.len()), "{}", left.len());
    assert!(run(Faults { drop: 1.0, ..Faults::default() }, 2).is_empty());
}

#[test]
fn truncates_and_keeps_the_length_on_the_wire() {
    let cut = run(Faults { truncate: 0.1, ..Faults::default() }, 3);
    let changed = cut.iter().zip(packets(COUNT)).filter(|(cut, whole)| cut.data.len() < whole.data.len());
    assert!(is_a_tenth(changed.clone().count()));
    assert!(changed.clone().all(|(cut, whole)| whole.data.starts_with(&cut.data) && cut.wire_bytes == whole.wire_bytes));
}

#[test]
fn flips_one_bit() {
    let flipped = run(Faults { flip: 0.1, ..Faults::default() }, 4);
    let bits = |a: &Made, b: &Made| a.data.iter().zip(&b.data).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
    let bits: Vec<u32> = flipped.iter().zip(&packets(COUNT)).map(|(a, b)| bits(a, b)).collect();
    assert!(is_a_tenth(bits.iter().filter(|bits| **bits == 1).count()) && bits.iter().all(|bits| *bits <= 1));
}

#[test]
fn duplicates_side_by_side() {
    let twice = run(Faults { duplicate: 0.1, ..Faults::default() }, 5);
    assert!(is_a_tenth(twice.len() - COUNT));
    assert!(is_a_tenth(twice.windows(2).filter(|pair| pair[0] == pair[1]).count()));
}

#[test]
fn reorders_neighbours_and_loses_none() {
    let mut mixed = run(Faults { reorder: 0.1, ..Faults::default() }, 6);
    // Two swaps in a row make one step back, not two: 0.1 times 0.9.
    let back = mixed.windows(2).filter(|pair| pair[0].nanos > pair[1].nanos).count();
    assert!(back.abs_diff(COUNT * 9 / 100) < 5 * 41, "{back}");
    mixed.sort_by_key(|made| made.nanos);
    assert!(mixed == packets(COUNT));
}

#[test]
fn the_seed_decides() {
    let faults = Faults { drop: 0.1, truncate: 0.1, flip: 0.1, duplicate: 0.1, reorder: 0.1 };
    assert!(run(faults, 7) == run(faults, 7));
    assert!(run(faults, 7) != run(faults, 8));
}

//! What was noted since a checkpoint, entry by entry: length (4 bytes, little endian), the first 8 bytes of the content's SHA-256, and
//! the content. A last entry that was cut off is none.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

const HEAD_BYTES: usize = 12;
/// Bytes of a journal that are read at the most: notices have some kilobytes, and there are few.
const MOST_BYTES: u64 = 1 << 30;

pub(super) fn name(number: u64) -> String {
    format!("journal.{number}")
}

/// The numbers of the journals in a folder, in their order.
pub(super) fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_prefix("journal.")?.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Removes journals that were set aside before, so that they do not gather.
pub(super) fn forget_set_aside(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with("journal.") && name.ends_with(".aside")) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// An entry as bytes.
pub(super) fn pack<E: Serialize>(entry: &E) -> Result<Vec<u8>, postcard::Error> {
    let content = postcard::to_stdvec(entry)?;
    let length = u32::try_from(content.len()).map_err(|_| postcard::Error::SerializeBufferFull)?;
    let digest = Sha256::digest(&content);
    Ok([&length.to_le_bytes(), &digest[..8], &content].concat())
}

/// The entries of a journal, up to the first that is damaged.
pub(super) fn read<E: DeserializeOwned>(folder: &Path, number: u64) -> Vec<E> {
    let path = folder.join(name(number));
    let fits = fs::metadata(&path).is_ok_and(|about| about.len() <= MOST_BYTES);
    let bytes = if fits { fs::read(&path).unwrap_or_default() } else { Vec::new() };
    let (mut rest, mut entries) = (bytes.as_slice(), Vec::new());
    while let Some((entry, behind)) = first(rest) {
        entries.push(entry);
        rest = behind;
    }
    entries
}

fn first<E: DeserializeOwned>(bytes: &[u8]) -> Option<(E, &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
    let length = u32::from_le_bytes(head.first_chunk().copied()?) as usize;
    let (content, behind) = rest.split_at_checked(length)?;
    let is_whole = Sha256::digest(content)[..8] == head[4..];
    Some((postcard::from_bytes(content).ok().filter(|_| is_whole)?, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_up_to_the_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name(3));
        let all: Vec<u8> = ["one", "two", "three"].iter().flat_map(|text| pack(text).unwrap()).collect();
        let read = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            read::<String>(folder.path(), 3)
        };
        assert_eq!(read(&all), ["one", "two", "three"]);
        for length in 0..all.len() {
            assert_eq!(read(&all[..length]).len(), [0, 1, 2][[16, 32].iter().filter(|&&end| length >= end).count()], "{length}");
        }
        let mut damaged = all;
        damaged[18] ^= 1;
        assert_eq!(read(&damaged), ["one"]);
        assert_eq!(numbers(folder.path()).unwrap(), [3]);
    }
}

//! What was noted since a checkpoint, entry by entry: length (4 bytes, little endian), the first 8 bytes of the content's SHA-256, and
//! the content. What comes from the first entry on that is cut off or damaged is lost, and told.

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

/// The entries of a journal, up to the first that is damaged, and what is wrong with it.
pub(super) fn read<E: DeserializeOwned>(folder: &Path, number: u64) -> (Vec<E>, Option<String>) {
    let path = folder.join(name(number));
    let bytes = match fs::metadata(&path) {
        Ok(about) if about.len() > MOST_BYTES => return (Vec::new(), Some("longer than 1 GiB, which none is".to_owned())),
        about => about.and_then(|_| fs::read(&path)),
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => return (Vec::new(), Some(format!("cannot be read ({error})"))),
    };
    let (mut rest, mut entries) = (bytes.as_slice(), Vec::new());
    while let Some((entry, behind)) = first(rest) {
        entries.push(entry);
        rest = behind;
    }
    // An entry that was cut off and a length that is damaged look the same.
    let at = bytes.len() - rest.len();
    let remark = (!rest.is_empty()).then(|| format!("damaged at byte {at}: what was noted from there on is lost"));
    (entries, remark)
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
        assert_eq!(read(&all), (["one", "two", "three"].map(str::to_owned).to_vec(), None));
        for length in 0..all.len() {
            assert_eq!(
                read(&all[..length]).0.len(),
                [0, 1, 2][[16, 32].iter().filter(|&&end| length >= end).count()],
                "{length}"
            );
        }
        let mut damaged = all;
        damaged[18] ^= 1;
        let (entries, remark) = read(&damaged);
        assert_eq!((entries, remark.unwrap().starts_with("damaged at byte 16")), (vec!["one".to_owned()], true));
        assert_eq!(numbers(folder.path()).unwrap(), [3]);
    }
}

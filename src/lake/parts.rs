//! The parts of a lake that was written before.

use std::io;
use std::path::{Path, PathBuf};

use super::hour::Hour;
use super::part::unfinished_number;
use crate::record::parquet_starts;
use crate::time::Timestamp;

/// Folders below each other at the most: site, date, hour and a few that others may have added.
const MOST_DEPTH: usize = 8;

/// Why a lake cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// A folder cannot be read.
    #[error("{place}: {error}")]
    Io {
        /// Which.
        place: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A part is damaged.
    #[error("{place}: reading Parquet: {reason}")]
    Part {
        /// Which.
        place: PathBuf,
        /// What the library said.
        reason: String,
    },
}

/// Parts of a lake.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Those that may hold what is asked for, by hour, then by name.
    pub files: Vec<PathBuf>,
    /// Parts passed over because no record in them begins in the time asked for.
    pub outside: u64,
    /// Files passed over because they are being written, or were when the program that wrote them ended.
    pub unfinished: u64,
}

/// Is it a folder of a lake: does it hold a folder whose name begins with `site=`, `date=` or `hour=`, or has it such a name?
#[must_use]
pub fn is_lake(folder: &Path) -> bool {
    let is_named = |name: &str| ["site=", "date=", "hour="].iter().any(|key| name.starts_with(key));
    if !folder.is_dir() {
        return false;
    }
    let entries = folder.read_dir().into_iter().flatten().flatten();
    folder.file_name().is_some_and(|name| is_named(&name.to_string_lossy()))
        || entries.filter(|entry| is_named(&entry.file_name().to_string_lossy())).any(|entry| entry.path().is_dir())
}

/// Finds the parts of a lake, or of a part of one (`DIR/site=NAME/date=YYYY-MM-DD`), that hold records which begin at or after `from`
/// and before `to`. Of hours that ended before `from` no file is opened, of others the end of the file alone.
///
/// # Errors
/// When a folder cannot be read, or a part that may be asked for is no Parquet.
pub fn parts(folder: &Path, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Parts, LakeError> {
    let mut found = Parts::default();
    let mut files = Vec::new();
    look(folder, 0, &mut files, &mut found)?;
    files.sort();
    for (hour, path) in files {
        // A record begins before it ends.
        let is_over = hour.zip(from).is_some_and(|(hour, from)| hour.end() <= from);
        let takes = !is_over && (from.is_none() && to.is_none() || may_hold(&path, from, to)?);
        if takes {
            found.files.push(path);
        } else {
            found.outside += 1;
        }
    }
    Ok(found)
}

/// Does a record of the part begin in this time, as far as that is known?
fn may_hold(path: &Path, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<bool, LakeError> {
    let starts = parquet_starts(path).map_err(|reason| LakeError::Part { place: path.to_owned(), reason })?;
    Ok(starts.is_none_or(|(first, last)| from.is_none_or(|from| last >= from) && to.is_none_or(|to| first < to)))
}

fn look(folder: &Path, depth: usize, files: &mut Vec<(Option<Hour>, PathBuf)>, found: &mut Parts) -> Result<(), LakeError> {
    let place = |error| LakeError::Io { place: folder.to_owned(), error };
    for entry in folder.read_dir().map_err(place)? {
        let entry = entry.map_err(place)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            if depth < MOST_DEPTH && name.contains('=') && !name.starts_with(['.', '_']) {
                look(&path, depth + 1, files, found)?;
            }
        } else if unfinished_number(&name).is_some() {
            found.unfinished += 1;
        } else if name.ends_with(".parquet") && !name.starts_with(['.', '_']) {
            files.push((Hour::of_path(&path), path));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_part_is_passed_over_and_hours_give_the_order() {
        let lake = tempfile::tempdir().unwrap();
        let put = |path: &str| {
            let path = lake.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        assert!(!is_lake(lake.path()));
        put("site=b/date=2026-03-03/hour=08/part-000000.parquet");
        put("site=a/date=2026-03-03/hour=09/part-000000.parquet");
        put("site=a/date=2026-03-03/hour=09/.part-000001.parquet.tmp");
        put("site=a/date=2026-03-03/hour=09/_SUCCESS");
        put("site=a/date=2026-03-03/hour=10/compacted.snappy.parquet");
        put("site=a/.other/part-000000.parquet");
        let of = |folder: &Path| {
            let found = parts(folder, None, None).unwrap();
            let names = found.files.iter().map(|path| path.strip_prefix(lake.path()).unwrap().to_str().unwrap().to_owned());
            (names.collect::<Vec<_>>(), found.unfinished)
        };
        let wanted = [
            "site=b/date=2026-03-03/hour=08/part-000000.parquet",
            "site=a/date=2026-03-03/hour=09/part-000000.parquet",
            "site=a/date=2026-03-03/hour=10/compacted.snappy.parquet",
        ];
        assert_eq!(of(lake.path()), (wanted.map(str::to_owned).to_vec(), 1));
        let hour = lake.path().join("site=a/date=2026-03-03/hour=10");
        assert!(is_lake(lake.path()) && is_lake(&hour));
        assert_eq!(of(&hour), (vec![wanted[2].to_owned()], 0));
        // Of an hour that is over nothing is opened: what stands here is no Parquet.
        let from = crate::time::parse("2026-03-03T11:00:00Z").ok();
        let found = parts(lake.path(), from, None).unwrap();
        assert_eq!((found.files.len(), found.outside), (0, 3));
        let error = parts(lake.path(), None, from).unwrap_err().to_string();
        assert!(error.contains("hour=08/part-000000.parquet: reading Parquet: "), "{error}");
    }
}

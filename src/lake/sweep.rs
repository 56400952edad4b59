//! Old hours of a lake.

use std::path::{Path, PathBuf};

use super::part::number;
use crate::sink::Retention;

/// The folders of a folder whose names begin so.
pub(super) fn folders(of: &Path, key: &str) -> Vec<PathBuf> {
    let entries = of.read_dir().into_iter().flatten().flatten();
    let is_folder = |entry: &std::fs::DirEntry| {
        let is_named = entry.file_name().to_string_lossy().strip_prefix(key).is_some_and(|rest| rest.starts_with('='));
        is_named && entry.file_type().is_ok_and(|kind| kind.is_dir())
    };
    entries.filter(is_folder).map(|entry| entry.path()).collect()
}

/// The folders of the hours of a site.
pub(super) fn hours(site: &Path) -> Vec<PathBuf> {
    folders(site, "date").iter().flat_map(|date| folders(date, "hour")).collect()
}

/// Removes the parts of a site that were written too long ago, and folders that are empty then; how many parts there were.
pub(super) fn sweep(site: &Path, retention: &Retention) -> u64 {
    let mut removed = 0;
    for hour in hours(site) {
        let before = removed;
        for entry in hour.read_dir().into_iter().flatten().flatten() {
            let is_part = number(&entry.file_name().to_string_lossy()).is_some();
            // What cannot be removed now is tried again.
            let is_gone =
                is_part && retention.is_over(&entry.path()).unwrap_or(false) && std::fs::remove_file(entry.path()).is_ok();
            removed += u64::from(is_gone);
        }
        if removed > before && std::fs::remove_dir(&hour).is_ok() {
            // The day stays while it has other hours.
            let _ = hour.parent().map(std::fs::remove_dir);
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::time::{Span, Timestamp};

    #[test]
    fn old_hours_go_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for (path, is_old) in [
            ("date=2026-01-01/hour=08/part-000000.parquet", true),
            ("date=2026-01-01/hour=08/part-000001.parquet", true),
            ("date=2026-01-02/hour=08/part-000000.parquet", true),
            ("date=2026-01-02/hour=08/notes.txt", true),
            ("date=2026-01-02/hour=09/part-000000.parquet", false),
            ("elsewhere/hour=08/part-000000.parquet", true),
        ] {
            std::fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            std::fs::write(at(path), "").unwrap();
            let age = Duration::from_secs(if is_old { 0 } else { 9 * 86_400 });
            let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000) + age;
            std::fs::File::options().write(true).open(at(path)).unwrap().set_modified(written).unwrap();
        }
        let now = || Timestamp::from_nanos((1_000_000_000 + 10 * 86_400) * 1_000_000_000);
        let retention = Retention { keep: Span::from_secs(5 * 86_400), now, tell: Arc::new(|_| {}) };
        assert_eq!(sweep(folder.path(), &retention), 3);
        assert!(!at("date=2026-01-01").exists());
        assert!(at("date=2026-01-02/hour=08/notes.txt").exists() && !at("date=2026-01-02/hour=08/part-000000.parquet").exists());
        assert!(at("date=2026-01-02/hour=09/part-000000.parquet").exists());
        assert!(at("elsewhere/hour=08/part-000000.parquet").exists());
    }
}
